//! Evidence as the page reads it. Blocks on the disk: called on tokio's blocking threads.

use std::fs::{self, File};
use std::path::PathBuf;

use serde_json::{Value, json};
use sonofuse_core::control::{Refused, RefusedKind};

use crate::civil::Utc;
use crate::record::Settings;
use crate::record::store::{self, ABOUT, Item, StoreError};
use crate::serve::web::{Act, Shelf};

/// The folder of this daemon's evidence.
#[derive(Debug)]
pub(super) struct Evidence {
    folders: Vec<PathBuf>,
    max_bytes: u64,
    max_days: u64,
}

impl Evidence {
    pub(super) fn new(settings: &Settings) -> Self {
        let folders = settings.own_folder().into_iter().collect();
        Self { folders, max_bytes: settings.max_mib << 20, max_days: settings.max_age_days }
    }

    fn find(&self, name: &str) -> Result<Item, Refused> {
        store::find(&self.folders, name).map_err(|error| refused(&error))
    }
}

fn refused(error: &StoreError) -> Refused {
    let kind = match error {
        StoreError::NoSuch { .. } => RefusedKind::NothingThere,
        StoreError::Protected(_) => RefusedKind::NotAllowed,
        _ => RefusedKind::Failed,
    };
    Refused::new(kind, error.to_string())
}

/// Names of the files of a piece of evidence, sorted; what only marks it is none.
fn files(item: &Item) -> Vec<String> {
    let entries = fs::read_dir(&item.path).into_iter().flatten().flatten();
    let plain = entries.filter(|entry| {
        // Not through a link, which may lead anywhere.
        entry.file_type().is_ok_and(|kind| kind.is_file())
            && entry.metadata().is_ok_and(|meta| meta.len() > 0)
    });
    let mut names: Vec<String> =
        plain.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

impl Shelf for Evidence {
    fn list(&self) -> Result<Value, Refused> {
        let mut items = Vec::new();
        for folder in &self.folders {
            items.extend(store::list(folder).map_err(|error| refused(&error))?);
        }
        let bytes: u64 = items.iter().map(|item| item.bytes).sum();
        // The newest first: it is what somebody looks for.
        items.sort_by(|a, b| b.name.cmp(&a.name));
        let each = |item: &Item| {
            let said = fs::read(item.path.join(ABOUT)).unwrap_or_default();
            let said: Value = serde_json::from_slice(&said).unwrap_or_default();
            json!({
                "name": item.name,
                "kind": item.kind,
                "taken_at": Utc::of_ms(item.made_ms).iso(),
                "bytes": item.bytes,
                "protected": item.protected,
                "files": files(item),
                "score": said["reading"]["malignancy"],
                "nodule": said["exam"]["nodule"],
                "label": said["label"],
                "views_proven": said["mask"]["views_proven"],
            })
        };
        let evidence: Vec<Value> = items.iter().map(each).collect();
        let bound = json!({ "bytes": self.max_bytes, "days": self.max_days });
        Ok(json!({ "evidence": evidence, "bound": bound, "bytes": bytes }))
    }

    fn open(&self, name: &str, file: &str) -> Option<File> {
        let item = self.find(name).ok()?;
        // Only what is listed, so that no name leads elsewhere.
        let file = files(&item).into_iter().find(|known| known == file)?;
        File::open(item.path.join(file)).ok()
    }

    fn act(&self, name: &str, act: Act) -> Result<(), Refused> {
        let item = self.find(name)?;
        let done = match act {
            Act::Delete if item.protected => {
                let words = "it is protected: take that back first";
                return Err(Refused::new(RefusedKind::NotAllowed, words));
            }
            Act::Delete => item.remove(),
            Act::Protect => item.protect(true),
            Act::Unprotect => item.protect(false),
        };
        done.map_err(|error| refused(&error))
    }
}
