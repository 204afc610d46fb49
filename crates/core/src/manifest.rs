//! `model.toml`: all that the daemon must know about a model file before it may run it.
//!
//! Trainer and daemon meet only in `model.onnx` and this manifest, so what is read here is checked
//! once and is right afterwards. Pure: the caller reads the files. The keys are described in
//! `docs/reference/model-manifest.md`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::answer::Answer;
use crate::assess::Assessing;
use crate::calibrate::Calibration;
use crate::familiar::Familiarity;

mod held_out;
mod outputs;
pub use held_out::HeldOut;
pub use outputs::{Heads, Outputs};

/// The `schema` that this version reads and writes.
pub const SCHEMA: u32 = 1;

/// Why a manifest cannot be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// Not TOML, a key that is not known, or one that is missing.
    #[error("the manifest cannot be read: {0}")]
    Syntax(#[from] Box<toml::de::Error>),
    /// Written for another version.
    #[error(
        "the manifest has schema {found}, this version reads schema {SCHEMA}: export the model again or use the matching sonofuse"
    )]
    Schema {
        /// The number in the file.
        found: u32,
    },
    /// A value that makes no sense.
    #[error("manifest key `{key}`: {problem}")]
    Value {
        /// The key, with its tables.
        key: &'static str,
        /// What is wrong and what it must be.
        problem: String,
    },
}

/// A model's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// Version of the manifest's form: [`SCHEMA`].
    pub schema: u32,
    /// Short name, as readings show it.
    pub name: String,
    /// One sentence for people.
    pub summary: String,
    /// False for random weights: every output then says that the score means nothing.
    pub trained: bool,
    /// The model file, beside the manifest.
    pub file: String,
    /// SHA-256 of the model file, 64 hexadecimal digits.
    pub sha256: String,
    /// What the network is fed.
    pub input: Input,
    /// What comes out.
    pub output: Output,
    /// What comes out beside it.
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    /// From logit to probability.
    #[serde(default)]
    pub calibration: Calibration,
    /// Where to cut, and what that cut was measured to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
    /// What the training set looks like; without it, no picture is judged unfamiliar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub familiarity: Option<Familiarity>,
    /// What older versions judged instead of `familiarity`: read, so that their folders load, and not
    /// used.
    #[serde(default, skip_serializing)]
    pub out_of_distribution: Option<OutOfDistribution>,
    /// How several elastograms of one nodule make one score.
    #[serde(default)]
    pub aggregation: Aggregation,
    /// From an exam's score to a verdict with a stated error rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assessment: Option<Assessing>,
    /// What it said of exams that nothing was learned or decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOut>,
    /// Where the model comes from.
    pub provenance: Provenance,
    /// Known answers, computed by the exporter's own arithmetic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub golden: Vec<Golden>,
}

/// What the network is fed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// How large.
    pub size: InputSize,
    /// The crop of the B-mode view.
    pub bmode: Branch,
    /// The crop of the elastogram view.
    pub elastogram: Branch,
}

/// How large the two crops are when the network sees them. Both get the same size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "mode",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum InputSize {
    /// Always this size; the crop is warped to it (models with fully connected heads).
    Fixed {
        /// Width in pixels.
        width_px: u32,
        /// Height in pixels.
        height_px: u32,
    },
    /// The crop's own aspect ratio (models with SPP and GAP heads).
    Native {
        /// The shorter side is made at least this long, in pixels.
        min_side_px: u32,
        /// The longer side is made at most this long, in pixels.
        max_side_px: u32,
        /// Both sides are made a multiple of this, in pixels.
        #[serde(default = "one")]
        multiple_px: u32,
        /// The crop is scaled as if the elastogram view were this wide, in pixels, so that grabbers
        /// of different resolution show the same anatomy at the same scale; without it, the crop
        /// keeps the pixels it has on the screen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        view_width_px: Option<u32>,
    },
}

const fn one() -> u32 {
    1
}

/// One of the two inputs. `x = (code − mean) / std`, with the code value 0..=255.
///
/// `ImageNet` weights from torchvision: `rgb`, mean 123.675, 116.28, 103.53, std 58.395, 57.12,
/// 57.375. The original Caffe VGG16: `bgr`, mean 103.939, 116.779, 123.68, std 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Branch {
    /// Name of the graph's input.
    pub name: String,
    /// Order of the three channels.
    pub order: ChannelOrder,
    /// Taken off each channel, in code values 0..=255, in the order of `order`.
    pub mean: [f32; 3],
    /// Divides each channel, in code values, above 0, in the order of `order`.
    pub std: [f32; 3],
}

/// Order of the colour channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first, as Caffe has it.
    Bgr,
}

/// What comes out of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Output {
    /// Name of the graph's output.
    pub name: String,
    /// What its numbers are.
    pub kind: OutputKind,
}

/// What the output's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputKind {
    /// One number: the log-odds of malignancy.
    Logit,
    /// Two numbers, benign then malignant, before the softmax, as in the paper; their difference is
    /// the log-odds.
    BenignMalignant,
}

impl OutputKind {
    /// How many numbers the network gives.
    pub const fn count(self) -> usize {
        match self {
            Self::Logit => 1,
            Self::BenignMalignant => 2,
        }
    }
}

/// Where to cut the probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Threshold {
    /// At or above: malignant. 0..=1.
    pub malignancy: f32,
    /// Sensitivity measured at the cut, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<f32>,
    /// Specificity measured at the cut, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub specificity: Option<f32>,
}

/// Ranges of each normalised input channel's mean and standard deviation, `[low, high]`, in the
/// order of the branch's channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutOfDistribution {
    /// Means of the B-mode input.
    pub bmode_mean: [[f32; 2]; 3],
    /// Standard deviations of the B-mode input.
    pub bmode_std: [[f32; 2]; 3],
    /// Means of the elastogram input.
    pub elastogram_mean: [[f32; 2]; 3],
    /// Standard deviations of the elastogram input.
    pub elastogram_std: [[f32; 2]; 3],
}

/// How several elastograms of one nodule make one score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Aggregation {
    /// Standard deviation of the logit from one elastogram to the next of the same nodule, measured
    /// on validation patients: the interval's width while there is little evidence.
    pub logit_sd: f32,
    /// What the standard deviation of the heads' log-odds is multiplied by to be that of what the model
    /// does not know; above 0, meaningless without heads.
    #[serde(skip_serializing_if = "is_one")]
    pub spread_scale: f32,
}

/// The default needs no key.
#[expect(clippy::trivially_copy_pass_by_ref, clippy::float_cmp, reason = "as serde calls it")]
fn is_one(scale: &f32) -> bool {
    *scale == 1.0
}

impl Default for Aggregation {
    fn default() -> Self {
        Self { logit_sd: 1.0, spread_scale: 1.0 }
    }
}

/// Where the model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Provenance {
    /// The program that wrote it, with its version.
    pub writer: String,
    /// What it was trained on, in a sentence.
    pub data: String,
    /// Seed of the weights or of the training run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Commit of the trainer, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The card, beside the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
}

/// A known answer: the network's logit for [`crate::preprocess::FusionInput::golden`] of this size.
/// A backend whose answer differs by more is broken and is not used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Golden {
    /// Width of both inputs in pixels.
    pub width_px: u32,
    /// Height of both inputs in pixels.
    pub height_px: u32,
    /// The logit.
    pub logit: f32,
    /// Each head's log-odds, where the manifest names heads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<f32>,
    /// Largest difference allowed.
    pub tolerance: f32,
    /// Largest difference allowed where the backend is told to compute less exactly (fp16, TF32);
    /// without it, `tolerance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_half: Option<f32>,
}

impl Golden {
    /// Largest difference allowed to a backend that computes in 32-bit floats, or less exactly.
    pub fn allowed(&self, half: bool) -> f32 {
        self.tolerance_half.filter(|_| half).unwrap_or(self.tolerance)
    }

    /// The number of an answer that is furthest from what is known, with that: `[found, expected]`.
    pub fn worst(&self, answer: &Answer) -> [f32; 2] {
        let heads = answer.heads().iter().copied().zip(self.heads.iter().copied());
        let pairs = std::iter::once((answer.logit.get(), self.logit)).chain(heads);
        let off = |(found, expected): (f32, f32)| (found - expected).abs();
        let worst = pairs.max_by(|a, b| off(*a).total_cmp(&off(*b)));
        worst.map_or([f32::NAN; 2], |(found, expected)| [found, expected])
    }
}

impl Manifest {
    /// Reads and checks the text of a `model.toml`.
    ///
    /// # Errors
    /// [`ManifestError`] with the key and what it must be.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        /// Read first: another schema may have other keys.
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let Version { schema } = toml::from_str(text).map_err(Box::new)?;
        if schema != SCHEMA {
            return Err(ManifestError::Schema { found: schema });
        }
        let manifest: Self = toml::from_str(text).map_err(Box::new)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// What a reading by this model leaves open, in words; empty where nothing is.
    pub fn not_judged(&self) -> Vec<&'static str> {
        let missing = [
            (
                self.outputs.heads.is_none(),
                "its interval tells repetition alone (no [outputs.heads])",
            ),
            (self.assessment.is_none(), "it gives no verdict (no [assessment])"),
            (self.familiarity.is_none(), "familiarity is not judged (no [familiarity])"),
        ];
        missing.into_iter().filter(|(is, _)| *is).map(|(_, words)| words).collect()
    }

    /// Checks what the types cannot hold.
    ///
    /// # Errors
    /// [`ManifestError::Value`].
    pub fn check(&self) -> Result<(), ManifestError> {
        let require = |ok: bool, key: &'static str, problem: &dyn Fn() -> String| {
            if ok { Ok(()) } else { Err(ManifestError::Value { key, problem: problem() }) }
        };
        require(!self.name.is_empty() && self.name.len() <= 64, "name", &|| {
            "must have 1 to 64 characters".into()
        })?;
        require(is_plain_name(&self.file), "file", &|| {
            format!(
                "`{}` must be the name of a file beside the manifest, without a path",
                self.file
            )
        })?;
        require(
            self.sha256.len() == 64 && self.sha256.bytes().all(|b| b.is_ascii_hexdigit()),
            "sha256",
            &|| "must be 64 hexadecimal digits".into(),
        )?;
        self.input.check()?;
        let unit = |v: f32| (0.0..=1.0).contains(&v);
        if let Some(t) = &self.threshold {
            require(unit(t.malignancy), "threshold.malignancy", &|| "must be 0 to 1".into())?;
            require(t.sensitivity.is_none_or(unit), "threshold.sensitivity", &|| {
                "must be 0 to 1".into()
            })?;
            require(t.specificity.is_none_or(unit), "threshold.specificity", &|| {
                "must be 0 to 1".into()
            })?;
        }
        self.calibration
            .check()
            .map_err(|problem| ManifestError::Value { key: "calibration", problem })?;
        require(
            self.aggregation.logit_sd.is_finite() && self.aggregation.logit_sd > 0.0,
            "aggregation.logit-sd",
            &|| "must be above 0".into(),
        )?;
        require(
            self.aggregation.spread_scale.is_finite() && self.aggregation.spread_scale > 0.0,
            "aggregation.spread-scale",
            &|| "must be above 0".into(),
        )?;
        self.outputs.check(&self.output.name)?;
        self.held_out.as_ref().map_or(Ok(()), HeldOut::check)?;
        if let Some(assessment) = &self.assessment {
            assessment
                .check()
                .map_err(|problem| ManifestError::Value { key: "assessment", problem })?;
        }
        if let Some(familiarity) = &self.familiarity {
            familiarity.check().map_err(|(key, problem)| ManifestError::Value { key, problem })?;
        }
        for g in &self.golden {
            require(
                (1..=MAX_SIDE_PX).contains(&g.width_px) && (1..=MAX_SIDE_PX).contains(&g.height_px),
                "golden.width-px, golden.height-px",
                &|| format!("must be 1 to {MAX_SIDE_PX}"),
            )?;
            let tolerances = g.tolerance > 0.0 && g.allowed(true) > 0.0;
            require(g.logit.is_finite() && tolerances, "golden", &|| {
                "the logit must be finite and the tolerances above 0".into()
            })?;
            let heads = self.outputs.heads.as_ref().map_or(0, |heads| heads.count);
            let known = g.heads.len() == heads && g.heads.iter().all(|z| z.is_finite());
            require(known, "golden.heads", &|| {
                format!("must be {heads} finite numbers, one for each head")
            })?;
        }
        Ok(())
    }
}

/// Largest input side that a manifest may ask for, in pixels: no scanner's box is larger, and a typo
/// must not ask for gigabytes.
pub const MAX_SIDE_PX: u32 = 2048;

impl Input {
    fn check(&self) -> Result<(), ManifestError> {
        let fail = |key, problem: String| Err(ManifestError::Value { key, problem });
        match self.size {
            InputSize::Fixed { width_px, height_px } => {
                if !(1..=MAX_SIDE_PX).contains(&width_px) || !(1..=MAX_SIDE_PX).contains(&height_px)
                {
                    return fail("input.size", format!("each side must be 1 to {MAX_SIDE_PX} px"));
                }
            }
            InputSize::Native { min_side_px, max_side_px, multiple_px, view_width_px } => {
                if min_side_px == 0 || min_side_px > max_side_px || max_side_px > MAX_SIDE_PX {
                    return fail(
                        "input.size",
                        format!(
                            "min-side-px {min_side_px} and max-side-px {max_side_px} must satisfy \
                             1 ≤ min ≤ max ≤ {MAX_SIDE_PX}"
                        ),
                    );
                }
                if multiple_px == 0 || multiple_px > min_side_px {
                    return fail(
                        "input.size.multiple-px",
                        format!("is {multiple_px}: it must be 1 to min-side-px"),
                    );
                }
                if view_width_px.is_some_and(|v| !(16..=8192).contains(&v)) {
                    return fail("input.size.view-width-px", "must be 16 to 8192".into());
                }
            }
        }
        for (branch, key) in [(&self.bmode, "input.bmode"), (&self.elastogram, "input.elastogram")]
        {
            if branch.name.is_empty() {
                return fail(key, "name must not be empty".into());
            }
            if !branch.mean.iter().all(|m| m.is_finite())
                || !branch.std.iter().all(|s| s.is_finite() && *s > 0.0)
            {
                return fail(key, "mean must be finite and std above 0".into());
            }
        }
        if self.bmode.name == self.elastogram.name {
            return fail("input", "the two inputs must have different names".into());
        }
        Ok(())
    }
}

/// A manifest may only name a file in its own folder.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    const TEXT: &str = r#"
schema = 1
name = "m"
summary = "a model"
trained = false
file = "model.onnx"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
[input.size]
mode = "native"
min-side-px = 64
max-side-px = 448
[input.bmode]
name = "bmode"
order = "rgb"
mean = [0, 0, 0]
std = [255, 255, 255]
[input.elastogram]
name = "elastogram"
order = "bgr"
mean = [103.939, 116.779, 123.68]
std = [1, 1, 1]
[output]
name = "logit"
kind = "logit"
[calibration]
method = "isotonic"
points = [[-2, 0.1], [2, 0.9]]
[threshold]
malignancy = 0.5
[provenance]
writer = "test"
data = "none"
"#;

    #[test]
    fn a_manifest_survives_writing_and_reading() {
        let manifest = Manifest::parse(TEXT).unwrap();
        assert_eq!(
            manifest.input.size,
            InputSize::Native {
                min_side_px: 64,
                max_side_px: 448,
                multiple_px: 1,
                view_width_px: None
            }
        );
        let text = toml::to_string(&manifest).unwrap();
        assert_eq!(Manifest::parse(&text).unwrap(), manifest);
    }

    #[test]
    fn a_familiarity_survives_writing_and_reading_and_is_checked() {
        let mut manifest = Manifest::parse(TEXT).unwrap();
        manifest.familiarity = Some(crate::familiar::tests::table());
        let text = toml::to_string(&manifest).unwrap();
        assert_eq!(Manifest::parse(&text).unwrap(), manifest);
        let error = Manifest::parse(&text.replacen("statistics = 1", "statistics = 7", 1));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("`familiarity.statistics`") && error.contains("is 7"), "{error}");
    }

    #[test]
    fn a_manifest_with_the_ranges_of_older_versions_loads_and_judges_no_familiarity() {
        let range = "[[-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0]]";
        let keys = ["bmode-mean", "bmode-std", "elastogram-mean", "elastogram-std"];
        let lines: String = keys.map(|key| format!("{key} = {range}\n")).concat();
        let text = format!("{TEXT}[out-of-distribution]\n{lines}");
        let manifest = Manifest::parse(&text).unwrap();
        assert_eq!(manifest.familiarity, None);
        assert!(!toml::to_string(&manifest).unwrap().contains("out-of-distribution"));
    }

    #[test]
    fn a_less_exact_backend_has_a_tolerance_of_its_own_where_there_is_one() {
        let golden = "[[golden]]\nwidth-px = 64\nheight-px = 64\nlogit = 1.5\ntolerance = 0.002\n";
        let of = |more: &str| Manifest::parse(&format!("{TEXT}{golden}{more}"));
        let allowed = |more: &str| {
            let golden = of(more).unwrap().golden.remove(0);
            [false, true].map(|half| golden.allowed(half).to_string())
        };
        assert_eq!(allowed(""), ["0.002", "0.002"]);
        assert_eq!(allowed("tolerance-half = 0.1\n"), ["0.002", "0.1"]);
        let error = of("tolerance-half = 0.0\n").unwrap_err().to_string();
        assert!(error.contains("golden"), "{error}");
    }

    const HEADS: &str = "[outputs.heads]\nname = \"heads\"\ncount = 2\n";

    #[test]
    fn a_folder_with_logits_alone_is_read_and_says_what_it_leaves_open() {
        let alone = Manifest::parse(TEXT).unwrap();
        assert_eq!(alone.not_judged().len(), 3);
        assert!(!toml::to_string(&alone).unwrap().contains("[outputs"));
        let verdict = "[assessment]\nerror-rate = 0.1\n[[assessment.limits]]\nevidence = 1\n\
            benign-to = 0.5\nmalignant-from = -0.5\nexams = [3000, 3000]\n";
        let held_out = "[held-out]\nexams = 9\nevidence = 3\nwithheld = 0.25\nscore-deciles = \
            [0, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1]\n";
        let more = Manifest::parse(&format!("{TEXT}{HEADS}{verdict}{held_out}")).unwrap();
        assert_eq!(more.not_judged(), ["familiarity is not judged (no [familiarity])"]);
        assert_eq!(Manifest::parse(&toml::to_string(&more).unwrap()).unwrap(), more);
        let wrong = verdict.replace("0.1", "0.7");
        let error = Manifest::parse(&format!("{TEXT}{wrong}")).unwrap_err().to_string();
        assert!(error.contains("`assessment`") && error.contains("0.7"), "{error}");
        for (from, to, says) in [
            ("0.6, 0.7", "0.7, 0.6", "score-deciles"),
            ("0, 0, 0.1", "0.1", "score-deciles"),
            ("0.25", "1.5", "withheld"),
        ] {
            let text = format!("{TEXT}{}", held_out.replace(from, to));
            let error = Manifest::parse(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn known_answers_cover_every_head_and_the_furthest_number_is_told() {
        let golden = "[[golden]]\nwidth-px = 64\nheight-px = 64\nlogit = 1.5\ntolerance = 0.002\n";
        let of = |heads: &str| Manifest::parse(&format!("{TEXT}{HEADS}{golden}{heads}"));
        let manifest = of("heads = [1.0, 2.0]\n").unwrap();
        let answer = Answer::read((&manifest).into(), &[1.5], &[1.0, 2.25]).unwrap();
        assert_eq!(manifest.golden[0].worst(&answer).map(|v| v.to_string()), ["2.25", "2"]);
        for heads in ["", "heads = [1.0]\n", "heads = [1.0, nan]\n"] {
            let error = of(heads).unwrap_err().to_string();
            assert!(error.contains("`golden.heads`"), "{error}");
        }
        for (from, to, says) in [
            ("count = 2", "count = 1", "`outputs.heads.count`"),
            ("count = 2", "count = 17", "`outputs.heads.count`"),
            ("\"heads\"", "\"logit\"", "`outputs.heads.name`"),
        ] {
            let text = format!("{TEXT}{}", HEADS.replace(from, to));
            let error = Manifest::parse(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_key() {
        for (from, to, says) in [
            ("schema = 1", "schema = 7", "schema 7"),
            ("schema = 1", "", "schema"),
            ("trained = false", "trained = false\nmagic = 1", "magic"),
            ("file = \"model.onnx\"", "file = \"../model.onnx\"", "`file`"),
            ("e3b0c442", "", "`sha256`"),
            ("min-side-px = 64", "min-side-px = 640", "min-side-px 640"),
            ("min-side-px = 64", "min-side-px = 64\nmultiple-px = 0", "multiple-px"),
            ("mode = \"native\"", "mode = \"natural\"", "natural"),
            ("min-side-px = 64", "min-side-px = 64\nwidth-px = 3", "width-px"),
            ("std = [1, 1, 1]", "std = [1, 0, 1]", "`input.elastogram`"),
            ("name = \"elastogram\"", "name = \"bmode\"", "different names"),
            ("[2, 0.9]", "[2, 0.05]", "`calibration`"),
            ("malignancy = 0.5", "malignancy = 50", "`threshold.malignancy`"),
            ("schema = 1", "schema = ", "cannot be read"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = Manifest::parse(&TEXT.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(says), "{to:?} gave {error:?}");
        }
    }
}
