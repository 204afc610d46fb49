//! A trained network and what it says of samples.

use std::path::Path;

use super::batch::{self, View};
use super::checkpoint;
use super::plan::Plan;
use super::predict::{self, Vectors};
use super::run::Epoch;
use super::{Device, FitError};
use crate::export;
use crate::model::{Architecture, Tensors};
use crate::network::Network;
use crate::sample::{Prediction, Sample};
use crate::stand_in::WriteError;

/// A trained network.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Its shape.
    pub architecture: Architecture,
    /// How it was trained.
    pub plan: Plan,
    /// Its weights: of the best epoch.
    pub network: Network,
    /// What each epoch brought.
    pub history: Vec<Epoch>,
    /// Number of the epoch that the weights are of, from 1.
    pub best_epoch: usize,
    /// Seconds of training, over all starts.
    pub seconds: f64,
    /// Where it runs.
    pub device: Device,
}

impl Fitted {
    /// Reads the best weights so far from a run's folder.
    ///
    /// # Errors
    /// [`FitError::OtherRun`] where there is no checkpoint, or a damaged one.
    pub fn load(folder: &Path) -> Result<Self, FitError> {
        let other = |problem: &str| FitError::OtherRun {
            path: folder.join(checkpoint::FILE),
            problem: problem.into(),
        };
        let (header, lists) =
            checkpoint::read(folder)?.ok_or_else(|| other("there is no such file"))?;
        let shape = header.architecture.network(header.plan.seed)?;
        let device = burn_flex::FlexDevice;
        let mut tensors = Tensors::<burn::backend::Flex>::new(&shape, 0, &device);
        let count = tensors.lists().len();
        let best = lists.len().checked_sub(count).map(|from| &lists[from..]);
        if !best.is_some_and(|best| tensors.restore(best, &device)) {
            return Err(other("its lists are not those of this network"));
        }
        Ok(Self {
            architecture: header.architecture,
            plan: header.plan,
            network: tensors.network(),
            history: header.history,
            best_epoch: header.best,
            seconds: header.seconds,
            device: Device::Cpu,
        })
    }

    /// Runs the network as it is exported: one prediction for each sample. A network of mixed training
    /// gives the mean of what it says of the two pictures.
    ///
    /// # Errors
    /// [`FitError::Samples`] when a sample does not suit the network.
    pub fn predict(&self, samples: &[Sample]) -> Result<Vec<Prediction>, FitError> {
        self.predict_from(samples, None)
    }

    /// [`Fitted::predict`] of a network whose convolutions were all frozen: with `known`, its
    /// convolutions see only pictures that they have not seen.
    ///
    /// # Errors
    /// See [`Fitted::predict`].
    pub fn predict_from(
        &self,
        samples: &[Sample],
        known: Option<&mut Vectors>,
    ) -> Result<Vec<Prediction>, FitError> {
        let (items, odds) = self.scores(samples, known)?;
        let scored = predict::per_sample(&items, &odds, samples);
        let said = |(s, (logit, _)): (&Sample, (f32, bool))| Prediction {
            patient: s.patient.clone(),
            image: s.image.clone(),
            scanner: s.scanner.clone(),
            malignant: s.malignant,
            logit,
        };
        Ok(samples.iter().zip(scored).map(said).collect())
    }

    /// Runs the network on each picture that it is fed at once: of mixed training, the two pictures of
    /// a sample one by one, as the paper's Table VI counts them (`/bmode` and `/elastogram` behind the
    /// image's name); else the same as [`Fitted::predict`].
    ///
    /// # Errors
    /// See [`Fitted::predict`].
    pub fn predict_each(&self, samples: &[Sample]) -> Result<Vec<Prediction>, FitError> {
        let (items, odds) = self.scores(samples, None)?;
        let mixed = self.architecture.method == crate::model::Method::Mixed;
        let said = |(item, logit): (&batch::Item, f32)| {
            let s = &samples[item.sample];
            let part = match item.view {
                View::Bmode if mixed => "/bmode",
                View::Elastogram if mixed => "/elastogram",
                _ => "",
            };
            Prediction {
                patient: s.patient.clone(),
                image: format!("{}{part}", s.image),
                scanner: s.scanner.clone(),
                malignant: s.malignant,
                logit,
            }
        };
        Ok(items.iter().zip(odds).map(said).collect())
    }

    /// Writes the folder that the daemon reads; returns the model's digest.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn export(&self, out: &Path, parts: &export::Parts) -> Result<String, WriteError> {
        export::write(&self.architecture, &self.network, parts, out)
    }

    fn scores(
        &self,
        samples: &[Sample],
        known: Option<&mut Vectors>,
    ) -> Result<(Vec<batch::Item>, Vec<f32>), FitError> {
        batch::check_samples(&self.architecture, samples)?;
        let batch = self.plan.batch.max(1);
        match self.device {
            #[cfg(feature = "cuda")]
            Device::Cuda(number) => Ok(predict::scores::<burn::backend::Cuda>(
                &self.architecture,
                &self.network,
                samples,
                batch,
                &burn::backend::cuda::CudaDevice::new(number),
                known,
            )),
            _ => Ok(predict::scores::<burn::backend::Flex>(
                &self.architecture,
                &self.network,
                samples,
                batch,
                &burn_flex::FlexDevice,
                known,
            )),
        }
    }
}
