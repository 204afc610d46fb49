//! What an engine is worth on this machine now: for `list`, `info` and `prune`. Pure, apart from
//! asking the driver for names.

use sonofuse_gpu::cache::{EngineKey, Header};

use super::Configured;
use crate::scoring::gpu::{Gpu, Obstacle};

/// What an engine is worth here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The live service uses it as configured.
    InUse,
    /// It runs here, for another model or other settings.
    Serves,
    /// It was built for something else; each difference in words.
    Stale(Vec<String>),
    /// Its model is not installed.
    NoModel,
    /// There is no GPU to compare it with.
    Unknown,
}

impl Standing {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::Serves => "serves",
            Self::Stale(_) => "stale",
            Self::NoModel => "no model",
            Self::Unknown => "not compared",
        }
    }

    /// With what differs.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Stale(differences) => format!("stale: {}", differences.join(", ")),
            other => other.word().to_owned(),
        }
    }

    /// Whether somebody may need it.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::InUse | Self::Serves | Self::Unknown)
    }
}

/// This machine and its models, to compare engines with.
pub(super) struct Here {
    pub(super) gpu: Result<Gpu, Obstacle>,
    /// The engine that the live service looks for.
    pub(super) wanted: Option<EngineKey>,
    installed: Vec<String>,
}

impl Here {
    pub(super) fn look(configured: &Configured, model: Option<&str>) -> Self {
        let gpu = Gpu::find(&configured.settings);
        let manifest =
            configured.folder(model).ok().and_then(|d| crate::scoring::manifest(&d).ok());
        let wanted = gpu.as_ref().ok().zip(manifest.as_ref());
        let wanted = wanted.and_then(|(gpu, m)| gpu.key(m, &configured.settings).ok());
        let mut installed = configured.installed();
        installed.extend(manifest.map(|m| m.sha256.to_ascii_lowercase()));
        Self { gpu, wanted, installed }
    }

    pub(super) fn standing(&self, header: &Header) -> Standing {
        if self.wanted.as_ref() == Some(&header.key) {
            return Standing::InUse;
        }
        let now = self.gpu.as_ref().ok().and_then(|gpu| {
            let (sha256, shapes) = (&header.key.model_sha256, header.key.shapes);
            let key =
                EngineKey::here(gpu.cuda(), gpu.device(), gpu.library(), sha256, shapes).ok()?;
            let EngineKey { precision, workspace, dla_core, .. } = header.key;
            Some(EngineKey { precision, workspace, dla_core, ..key })
        });
        judge(&header.key, now.as_ref(), &self.installed)
    }
}

/// Compares a key with what the same engine would have to be built for now.
fn judge(key: &EngineKey, now: Option<&EngineKey>, installed: &[String]) -> Standing {
    if !installed.contains(&key.model_sha256) {
        return Standing::NoModel;
    }
    match now.map(|now| key.differences(now)) {
        None => Standing::Unknown,
        Some(differences) if differences.is_empty() => Standing::Serves,
        Some(differences) => Standing::Stale(differences),
    }
}

#[cfg(test)]
mod tests {
    use sonofuse_gpu::cache::{KEY_SCHEMA, Precision, Shapes};

    use super::*;

    #[test]
    fn an_engine_is_kept_while_somebody_may_need_it() {
        let key = EngineKey {
            schema: KEY_SCHEMA,
            tensorrt: "10.3.0.26".into(),
            device: "Orin".into(),
            architecture: "sm_87".into(),
            multiprocessors: 8,
            driver: [12, 2],
            model_sha256: "ab".repeat(32),
            precision: Precision::Fp32,
            dla_core: None,
            workspace: None,
            shapes: Shapes { min: [64; 2], opt: [448, 168], max: [448; 2] },
        };
        let updated = EngineKey { driver: [12, 6], ..key.clone() };
        let installed = [key.model_sha256.clone()];
        let cases = [
            (Some(&key), &installed[..], Standing::Serves, true),
            (
                Some(&updated),
                &installed,
                Standing::Stale(vec!["driver 12.2, now 12.6".into()]),
                false,
            ),
            (Some(&key), &[], Standing::NoModel, false),
            (None, &installed, Standing::Unknown, true),
            (None, &[], Standing::NoModel, false),
        ];
        for (now, installed, expected, kept) in cases {
            let standing = judge(&key, now, installed);
            assert_eq!(standing, expected);
            assert_eq!(standing.is_kept(), kept, "{standing:?}");
        }
    }
}
