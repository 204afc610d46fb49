//! How a network is trained, as it stands in a recipe.

use serde::{Deserialize, Serialize};

use super::FitError;
use crate::model::Architecture;

/// A recipe. The defaults are a sensible beginning for a few thousand pictures from random weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Plan {
    /// Passes over the training samples at most.
    pub epochs: usize,
    /// Pictures (or pairs) in a step at most.
    pub batch: usize,
    /// How gradients become steps.
    pub optimiser: Optimiser,
    /// Highest learning rate.
    pub rate: f64,
    /// How it falls.
    pub schedule: Schedule,
    /// Epochs over which it first rises, from nearly 0.
    pub warm_up_epochs: f64,
    /// Draws the weights (not the biases) towards 0, apart from the gradient (Loshchilov & Hutter,
    /// 2019); times the learning rate in every step.
    pub weight_decay: f64,
    /// Longest gradient of a step; a longer one is shortened. In a file, 0 lets it be.
    #[serde(with = "or_zero")]
    pub clip: Option<f64>,
    /// Share of each hidden layer's outputs that a step leaves out.
    pub dropout: f64,
    /// How far the target stays from certainty (Szegedy et al., 2016): 0.1 asks for 0.95.
    pub label_smoothing: f64,
    /// What a benign and a malignant sample count.
    pub class_weights: ClassWeights,
    /// Seed of weights, order, augmentation and dropout.
    pub seed: u64,
    /// Stops when this many epochs brought nothing better on the validation samples. In a file, 0 goes
    /// on to the end.
    #[serde(with = "or_zero")]
    pub patience: Option<usize>,
    /// What "better" means.
    pub monitor: Monitor,
    /// Convolutions of each stack, from the first, whose weights stay as they are.
    pub freeze: usize,
    /// Pictures whose sides differ by less may share a step; they are cut to the smallest, at a place
    /// drawn anew each time. Only in training: validation and prediction see whole pictures.
    pub crop_px: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            epochs: 40,
            batch: 16,
            optimiser: Optimiser::default(),
            rate: 1e-3,
            schedule: Schedule::default(),
            warm_up_epochs: 1.0,
            weight_decay: 1e-2,
            clip: Some(5.0),
            dropout: 0.5,
            label_smoothing: 0.0,
            class_weights: ClassWeights::default(),
            seed: 1,
            patience: Some(10),
            monitor: Monitor::default(),
            freeze: 0,
            crop_px: 8,
        }
    }
}

/// `None` as 0: the default is something, so a key that is missing cannot mean nothing.
mod or_zero {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option)]
    pub(super) fn serialize<T, S>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error>
    where
        T: Copy + Default + Serialize,
        S: Serializer,
    {
        value.unwrap_or_default().serialize(to)
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: Default + PartialEq + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let value = T::deserialize(from)?;
        Ok((value != T::default()).then_some(value))
    }
}

/// How gradients become steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimiser {
    /// Adam with decoupled weight decay (β 0.9 and 0.999).
    #[default]
    Adam,
    /// Stochastic gradient descent with momentum 0.9.
    Sgd,
}

/// How the learning rate falls, from the end of the warm-up to the last epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// Along half a cosine to a hundredth.
    #[default]
    Cosine,
    /// By steps.
    Step {
        /// Epochs between them.
        every_epochs: f64,
        /// What each multiplies by.
        factor: f64,
    },
}

/// What a sample counts by its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// All alike.
    Equal,
    /// Both classes alike over the training set.
    #[default]
    Balanced,
    /// Benign, malignant.
    Given([f64; 2]),
}

/// What is watched on the validation samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Monitor {
    /// Area under the ROC curve; of equal ones the lower loss.
    #[default]
    Auc,
    /// Mean cross-entropy.
    Loss,
}

impl Plan {
    /// The learning rate at a point of the run, in epochs from its start.
    pub fn rate_at(&self, epochs: f64) -> f64 {
        if epochs < self.warm_up_epochs {
            return self.rate * (epochs / self.warm_up_epochs).max(1e-3);
        }
        let since = epochs - self.warm_up_epochs;
        self.rate
            * match self.schedule {
                Schedule::Constant => 1.0,
                Schedule::Cosine => {
                    let whole = (self.epochs as f64 - self.warm_up_epochs).max(1e-9);
                    let done = (since / whole).clamp(0.0, 1.0);
                    0.01 + 0.99 * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
                }
                Schedule::Step { every_epochs, factor } => {
                    factor.powf((since / every_epochs).floor())
                }
            }
    }

    /// Checks what the types cannot hold.
    pub(super) fn check(&self, architecture: &Architecture) -> Result<(), FitError> {
        let require = |ok: bool, key: &'static str, problem: String| {
            if ok { Ok(()) } else { Err(FitError::Plan { key, problem }) }
        };
        let depth = architecture.backbone.depth();
        require(self.epochs > 0, "epochs", "is 0".into())?;
        require(self.batch > 0, "batch", "is 0".into())?;
        require(self.crop_px > 0, "crop-px", "is 0: 1 keeps different sizes apart".into())?;
        let positive = |v: f64| v.is_finite() && v > 0.0;
        require(positive(self.rate), "rate", format!("is {}, not above 0", self.rate))?;
        let warm = self.warm_up_epochs;
        require(warm >= 0.0 && warm.is_finite(), "warm-up-epochs", format!("is {warm}"))?;
        let decay = self.weight_decay;
        require(decay >= 0.0 && decay.is_finite(), "weight-decay", format!("is {decay}"))?;
        require(self.clip.is_none_or(positive), "clip", format!("is {:?}", self.clip))?;
        let drop = self.dropout;
        require((0.0..1.0).contains(&drop), "dropout", format!("is {drop}, not 0 to below 1"))?;
        let soft = self.label_smoothing;
        require(
            (0.0..1.0).contains(&soft),
            "label-smoothing",
            format!("is {soft}, not 0 to below 1"),
        )?;
        require(
            self.freeze <= depth,
            "freeze",
            format!("is {}: {} has {depth} convolutions", self.freeze, architecture.backbone),
        )?;
        if let ClassWeights::Given(w) = self.class_weights {
            require(w.into_iter().all(positive), "class-weights", format!("are {w:?}"))?;
        }
        if let Schedule::Step { every_epochs, factor } = self.schedule {
            let problem = format!("has every-epochs {every_epochs} and factor {factor}");
            require(positive(every_epochs) && positive(factor), "schedule", problem)?;
        }
        Ok(())
    }
}
