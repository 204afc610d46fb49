//! Simulated cohorts on disk: the planes as they are, and an index in JSON.
//!
//! A cohort's folder is named by a digest of all that its samples depend on: recipe, input and the
//! form of the files. Code has no digest, so the first patients are made again and compared: where
//! simulator, layout search or preprocessing changed what they give, the cohort is made anew. A
//! folder appears by one rename, complete.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sonofuse_core::manifest::Input;
use sonofuse_core::preprocess::Planes;

use super::cut::Cutter;
use super::simulated::{Census, Cohort, Simulated};
use super::{DataError, io_error};
use crate::sample::Sample;

/// Form of the files.
const FORM: u32 = 1;
/// Patients that are made again to see whether the code still makes the same.
const COMPARED: u32 = 3;
const PLANES: &str = "planes.f32";
const INDEX: &str = "index.json";

/// What the planes' file holds, in its order.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Index {
    form: u32,
    cohort: Cohort,
    input: Input,
    census: Census,
    sha256: String,
    samples: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Entry {
    patient: String,
    image: String,
    scanner: String,
    malignant: bool,
    width: usize,
    height: usize,
}

/// The folder for caches where the caller names none: `$XDG_CACHE_HOME/sonofuse/train`, else
/// `~/.cache/sonofuse/train`, else one in the temporary folder.
pub fn default_folder() -> PathBuf {
    let home = || std::env::var_os("HOME").filter(|h| !h.is_empty()).map(|h| Path::new(&h).join(".cache"));
    std::env::var_os("XDG_CACHE_HOME")
        .filter(|c| Path::new(c).is_absolute())
        .map(PathBuf::from)
        .or_else(home)
        .unwrap_or_else(std::env::temp_dir)
        .join("sonofuse/train")
}

/// Where a cohort lies under `folder`.
pub fn place(cohort: &Cohort, input: &Input, folder: &Path) -> PathBuf {
    // Both are plain data of numbers, strings and lists, which always have a JSON form.
    let key = serde_json::json!([FORM, cohort, input]).to_string();
    let digest = format!("{:x}", Sha256::digest(key));
    folder.join(format!("{}-{}", cohort.name, digest.get(..16).unwrap_or_default()))
}

/// Reads a cohort from `folder`, or makes it and leaves it there; tells which.
///
/// A folder that is damaged or stale is replaced.
///
/// # Errors
/// [`DataError`] of making or writing.
pub fn load_or_make(
    cohort: &Cohort,
    input: &Input,
    folder: &Path,
    threads: usize,
    progress: impl Fn(usize) + Sync,
) -> Result<(Simulated, bool), DataError> {
    cohort.check()?;
    let place = place(cohort, input, folder);
    if let Some(read) = read(&place, cohort, input)
        && still_made(&read, cohort, input)?
    {
        return Ok((read, true));
    }
    let made = cohort.make(input, threads, progress)?;
    write(&made, cohort, input, &place)?;
    Ok((made, false))
}

/// Whether the code of today gives the cached cohort's first patients.
fn still_made(read: &Simulated, cohort: &Cohort, input: &Input) -> Result<bool, DataError> {
    let mut cutter = Cutter::new(input.clone());
    let mut at = 0;
    for i in 0..COMPARED.min(cohort.patients) {
        for sample in cohort.patient(i, &mut cutter)?.samples {
            if read.samples.get(at) != Some(&sample) {
                return Ok(false);
            }
            at += 1;
        }
    }
    Ok(true)
}

fn write(set: &Simulated, cohort: &Cohort, input: &Input, place: &Path) -> Result<(), DataError> {
    let parent = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(io_error("make the folder", parent))?;
    let fresh = place.with_extension(format!("{}.part", std::process::id()));
    fs::create_dir_all(&fresh).map_err(io_error("make the folder", &fresh))?;
    let path = fresh.join(PLANES);
    let fail = |e| io_error("write", &path)(e);
    let mut file = BufWriter::new(fs::File::create(&path).map_err(fail)?);
    let mut digest = Sha256::new();
    let mut bytes = Vec::new();
    let mut entries = Vec::with_capacity(set.samples.len());
    for sample in &set.samples {
        let [_, _, height, width] = sample.bmode.shape();
        for planes in std::iter::once(&sample.bmode).chain(&sample.elastogram) {
            bytes.clear();
            bytes.extend(planes.data().iter().flat_map(|v| v.to_le_bytes()));
            digest.update(&bytes);
            file.write_all(&bytes).map_err(fail)?;
        }
        entries.push(Entry {
            patient: sample.patient.clone(),
            image: sample.image.clone(),
            scanner: sample.scanner.clone(),
            malignant: sample.malignant,
            width,
            height,
        });
    }
    file.flush().map_err(fail)?;
    drop(file);
    let index = Index {
        form: FORM,
        cohort: cohort.clone(),
        input: input.clone(),
        census: set.census.clone(),
        sha256: format!("{:x}", digest.finalize()),
        samples: entries,
    };
    let path = fresh.join(INDEX);
    let text = serde_json::to_vec(&index)
        .map_err(|e| DataError::Content { path: path.clone(), problem: e.to_string() })?;
    fs::write(&path, text).map_err(io_error("write", &path))?;
    if place.exists() {
        fs::remove_dir_all(place).map_err(io_error("replace", place))?;
    }
    fs::rename(&fresh, place).map_err(io_error("put in place", place))
}

/// What lies there, if it is whole.
fn read(place: &Path, cohort: &Cohort, input: &Input) -> Option<Simulated> {
    let index: Index = serde_json::from_slice(&fs::read(place.join(INDEX)).ok()?).ok()?;
    if index.form != FORM || index.cohort != *cohort || index.input != *input {
        return None;
    }
    let bytes = fs::read(place.join(PLANES)).ok()?;
    if format!("{:x}", Sha256::digest(&bytes)) != index.sha256 {
        return None;
    }
    let mut rest = bytes.as_slice();
    let mut planes = |width: usize, height: usize| {
        let (now, later) = rest.split_at_checked(12 * width * height)?;
        rest = later;
        let data = now.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Planes::new(width, height, data.collect())
    };
    let samples: Option<Vec<Sample>> = index
        .samples
        .into_iter()
        .map(|e| {
            let bmode = planes(e.width, e.height)?;
            let elastogram = Some(planes(e.width, e.height)?);
            let Entry { patient, image, scanner, malignant, .. } = e;
            Some(Sample { patient, image, scanner, malignant, bmode, elastogram })
        })
        .collect();
    Some(Simulated { samples: samples?, census: index.census })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sonofuse_sim::Skin;

    use super::*;
    use crate::data::small_input;

    fn cohort() -> Cohort {
        Cohort {
            name: "small".into(),
            first_seed: 70,
            patients: 4,
            images: 1,
            skins: vec![Skin::AixplorerStacked, Skin::GeSweSide],
            named_hard_end: true,
        }
    }

    #[test]
    fn a_cohort_is_made_once_and_read_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let input = small_input(64, 96, 192);
        let get = || load_or_make(&cohort(), &input, folder.path(), 2, |_| ()).unwrap();
        let (made, cached) = get();
        assert!(!cached && made.samples.len() >= 2);
        let (read, cached) = get();
        assert!(cached);
        assert_eq!(read, made);
        let other = small_input(64, 112, 192);
        assert_ne!(place(&cohort(), &input, folder.path()), place(&cohort(), &other, folder.path()));
    }

    #[test]
    fn a_damaged_or_stale_folder_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let input = small_input(64, 96, 192);
        let get = || load_or_make(&cohort(), &input, folder.path(), 2, |_| ()).unwrap();
        let (made, _) = get();
        let at = place(&cohort(), &input, folder.path());
        let mut bytes = fs::read(at.join(PLANES)).unwrap();
        bytes[100] ^= 1;
        fs::write(at.join(PLANES), &bytes).unwrap();
        assert_eq!(get(), (made.clone(), false), "damaged");
        // As if another version of the simulator had written it: whole, but other pictures.
        let mut other = made.clone();
        other.samples[0].malignant ^= true;
        write(&other, &cohort(), &input, &at).unwrap();
        assert_eq!(get(), (made, false), "stale");
    }
}
