//! The folder of a model: manifest and network file, read and verified. Any thread; blocks on the
//! disk.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sonofuse_core::manifest::Manifest;

use super::ScoringError;

/// Largest manifest read, in bytes.
const MANIFEST_MAX: u64 = 1 << 20;
/// Largest model read, in bytes: twice a full-width VGG16 re-fusion with its fully connected layers.
const MODEL_MAX: u64 = 4 << 30;

/// A model's folder, in memory; the network file is the one that the manifest was written for.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// What `model.toml` says.
    pub manifest: Manifest,
    /// Where the network file is.
    pub path: PathBuf,
    /// Its SHA-256, hexadecimal.
    pub digest: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl ModelFiles {
    /// Reads and checks `model.toml`, and verifies the digest of the network file.
    ///
    /// # Errors
    /// [`ScoringError`] with the file and what to do.
    pub fn read(folder: &Path) -> Result<Self, ScoringError> {
        let manifest = manifest(folder)?;
        let path = folder.join(&manifest.file);
        let bytes = read(&path, MODEL_MAX)?;
        let digest = format!("{:x}", Sha256::digest(&bytes));
        if !digest.eq_ignore_ascii_case(&manifest.sha256) {
            let expected = manifest.sha256;
            return Err(ScoringError::Digest { path, found: digest, expected });
        }
        Ok(Self { manifest, path, digest, bytes })
    }
}

/// Reads and checks the manifest of a model's folder; the network file is not touched.
///
/// # Errors
/// [`ScoringError`] with the file and what to do.
pub fn manifest(folder: &Path) -> Result<Manifest, ScoringError> {
    let path = folder.join("model.toml");
    let text = String::from_utf8(read(&path, MANIFEST_MAX)?).map_err(|e| ScoringError::Read {
        path: path.clone(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, e),
    })?;
    Manifest::parse(&text).map_err(|source| ScoringError::Manifest { path, source })
}

/// Reads a whole file of at most `max` bytes.
fn read(path: &Path, max: u64) -> Result<Vec<u8>, ScoringError> {
    use std::io::Read;
    let read = || {
        let file = std::fs::File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other("it is not a file"));
        }
        let mut bytes = Vec::new();
        file.take(max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return Err(std::io::Error::other(format!("it is larger than {max} bytes")));
        }
        Ok(bytes)
    };
    read().map_err(|source| ScoringError::Read { path: path.to_owned(), source })
}
