//! The pictures and videos in a folder and below it, judged by their content: exports have names
//! without suffix, UIDs for names, and a directory and reports among their images.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sonofuse_dicom::{Kind, Still, StillError, sniff};

use super::Wanted;
use crate::ingest;

/// How deep folders are searched: patient, study and series are three.
const DEEPEST: usize = 16;
/// Most entries that are looked at: a mistaken `/` ends too.
const MOST: usize = 200_000;

/// What a folder holds.
#[derive(Debug)]
pub(super) struct Folder {
    /// The files that are wanted, in the order of their names.
    pub files: Vec<PathBuf>,
    /// What was passed over, and how often.
    passed: BTreeMap<&'static str, usize>,
    wanted: Wanted,
    /// Folders that were entered, by device and inode: links may lead back.
    entered: HashSet<(u64, u64)>,
    entries: usize,
}

impl Folder {
    /// Searches the folder `path`.
    ///
    /// # Errors
    /// When it cannot be listed; a folder inside it that cannot is passed over.
    pub(super) fn walk(path: &Path, wanted: Wanted) -> io::Result<Self> {
        let mut found = Self {
            files: Vec::new(),
            passed: BTreeMap::new(),
            wanted,
            entered: HashSet::new(),
            entries: 0,
        };
        let metadata = fs::metadata(path)?;
        found.entered.insert((metadata.dev(), metadata.ino()));
        found.enter(path, 0)?;
        Ok(found)
    }

    /// What was passed over, in words; `None` when nothing was.
    pub(super) fn passed_over(&self) -> Option<String> {
        if self.passed.is_empty() {
            return None;
        }
        let total: usize = self.passed.values().sum();
        let list: Vec<String> = self.passed.iter().map(|(what, n)| format!("{n} {what}")).collect();
        Some(format!("{} taken, {total} passed over ({})", self.files.len(), list.join(", ")))
    }

    fn pass(&mut self, what: &'static str) {
        *self.passed.entry(what).or_default() += 1;
    }

    fn enter(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        let mut names: Vec<_> = fs::read_dir(folder)?.flatten().map(|e| e.path()).collect();
        names.sort();
        for path in names {
            self.entries += 1;
            if self.entries > MOST {
                self.pass("beyond the 200000 entries that are looked at");
                return Ok(());
            }
            // Follows links: they may stand for files that are meant.
            let Ok(metadata) = fs::metadata(&path) else {
                self.pass("links to nothing");
                continue;
            };
            if metadata.is_dir() {
                if !self.entered.insert((metadata.dev(), metadata.ino())) {
                    self.pass("links to folders that were searched already");
                } else if depth == DEEPEST {
                    self.pass("folders nested too deep");
                } else if self.enter(&path, depth + 1).is_err() {
                    self.pass("folders that cannot be read");
                }
            } else if metadata.is_file() {
                match judge(&path, self.wanted) {
                    None => self.files.push(path),
                    Some(what) => self.pass(what),
                }
            } else {
                self.pass("pipes, sockets or devices");
            }
        }
        Ok(())
    }
}

/// What a file is that is not wanted; `None` for one that is, or that cannot be judged: its fault is
/// told when it is read.
fn judge(path: &Path, wanted: Wanted) -> Option<&'static str> {
    match sniff(path) {
        Ok(Some(Kind::Dicom)) => match Still::open(path) {
            Err(StillError::NoPicture(what)) => Some(plural(what)),
            _ => None,
        },
        Ok(None) => match (wanted, ingest::is_video(path)) {
            (Wanted::ImagesAndVideos, Ok(true)) => None,
            (Wanted::Images, Ok(true)) => Some("videos"),
            (_, Ok(false) | Err(_)) => Some("of no kind that is read"),
        },
        Err(StillError::Empty) => Some("empty files"),
        Ok(Some(_)) | Err(_) => None,
    }
}

/// Several of a DICOM file without a picture.
fn plural(what: &'static str) -> &'static str {
    if what.contains("DICOMDIR") {
        "DICOM directories"
    } else if what.contains("report") {
        "DICOM reports"
    } else {
        "DICOM files without a picture"
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn png() -> Vec<u8> {
        let mut bytes = io::Cursor::new(Vec::new());
        image::RgbImage::new(2, 2).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn names(folder: &Folder, root: &Path) -> Vec<String> {
        let inside = folder.files.iter().map(|p| p.strip_prefix(root).unwrap());
        inside.map(|p| p.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_folder_stands_for_what_is_in_it_and_below_whatever_the_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b/c")).unwrap();
        for name in ["b.PNG", "1.2.840.113619", "a/b/c/IM0001", "Thumbs.jpg"] {
            fs::write(at(name), png()).unwrap();
        }
        fs::write(at("truth.png"), "{}\n").unwrap();
        fs::write(at("._b.PNG"), [0, 5, 22, 7, 0, 2]).unwrap();
        fs::write(at("empty.png"), "").unwrap();
        fs::write(at("clip"), [b"RIFF\xff\0\0\0AVI LIST".as_slice(), &[0; 240]].concat()).unwrap();
        let found = Folder::walk(folder.path(), Wanted::Images).unwrap();
        let images = ["1.2.840.113619", "Thumbs.jpg", "a/b/c/IM0001", "b.PNG"];
        assert_eq!(names(&found, folder.path()), images);
        let words = found.passed_over().unwrap();
        for part in ["4 taken", "4 passed over", "2 of no kind", "1 empty", "1 videos"] {
            assert!(words.contains(part), "{part}: {words}");
        }
        let found = Folder::walk(folder.path(), Wanted::ImagesAndVideos).unwrap();
        assert!(names(&found, folder.path()).contains(&"clip".to_owned()));
    }

    #[test]
    fn links_in_circles_end() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("a"), png()).unwrap();
        std::os::unix::fs::symlink(folder.path(), inner.join("up")).unwrap();
        std::os::unix::fs::symlink("nowhere", inner.join("gone")).unwrap();
        let found = Folder::walk(folder.path(), Wanted::Images).unwrap();
        assert_eq!(names(&found, folder.path()), ["inner/a"]);
        assert!(found.passed_over().is_some_and(|w| w.contains("2 passed over")));
    }
}
