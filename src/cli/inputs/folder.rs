//! The pictures and videos in a folder and below it, judged by their content: exports have names
//! without suffix, UIDs for names, and a directory and reports among their images.
//!
//! Links in it are not followed: one may lead out of the folder, to other patients' pictures, and what
//! one that stays inside leads to is found where it is.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
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
    entries: usize,
}

impl Folder {
    /// Searches the folder `path`.
    ///
    /// # Errors
    /// When it cannot be listed; a folder inside it that cannot is passed over.
    pub(super) fn walk(path: &Path, wanted: Wanted) -> io::Result<Self> {
        let mut found = Self { files: Vec::new(), passed: BTreeMap::new(), wanted, entries: 0 };
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
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                self.pass("gone meanwhile");
                continue;
            };
            if metadata.is_symlink() {
                self.pass("links, which are not followed");
            } else if metadata.is_dir() {
                if depth == DEEPEST {
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
        // HEIC has the boxes of MP4.
        Ok(None) => named(path).or_else(|| match (wanted, ingest::is_video(path)) {
            (Wanted::ImagesAndVideos, Ok(true)) => None,
            (Wanted::Images, Ok(true)) => Some("videos"),
            (_, Ok(false) | Err(_)) => Some("of no kind that is read"),
        }),
        Err(StillError::Empty) => Some("empty files"),
        Ok(Some(_)) | Err(_) => None,
    }
}

/// Pictures of phones and archives that nothing here reads: a folder of them must not look empty.
fn named(path: &Path) -> Option<&'static str> {
    let mut head = Vec::new();
    fs::File::open(path).ok()?.take(512).read_to_end(&mut head).ok()?;
    sonofuse_dicom::foreign_pictures(&head)
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
        fs::write(at("IMG_1.HEIC"), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap();
        fs::write(at("clip"), [b"RIFF\xff\0\0\0AVI LIST".as_slice(), &[0; 240]].concat()).unwrap();
        let found = Folder::walk(folder.path(), Wanted::Images).unwrap();
        let images = ["1.2.840.113619", "Thumbs.jpg", "a/b/c/IM0001", "b.PNG"];
        assert_eq!(names(&found, folder.path()), images);
        let words = found.passed_over().unwrap();
        for part in
            ["4 taken", "5 passed over", "2 of no kind", "1 empty", "1 videos", "1 HEIC pictures"]
        {
            assert!(words.contains(part), "{part}: {words}");
        }
        let found = Folder::walk(folder.path(), Wanted::ImagesAndVideos).unwrap();
        assert!(names(&found, folder.path()).contains(&"clip".to_owned()));
    }

    #[test]
    fn links_lead_neither_out_of_the_folder_nor_to_a_picture_a_second_time() {
        let all = tempfile::tempdir().unwrap();
        let [other, named] = ["other", "named"].map(|name| all.path().join(name));
        fs::create_dir_all(named.join("inner")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("another-patient"), png()).unwrap();
        fs::write(named.join("inner/a"), png()).unwrap();
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, named.join(name)).unwrap();
        };
        for (to, name) in [
            ("..", "up"),
            ("../other", "beside"),
            ("../other/another-patient", "picture"),
            ("inner/a", "again"),
            (".", "inner/circle"),
            ("nowhere", "gone"),
        ] {
            link(to, name);
        }
        let found = Folder::walk(&named, Wanted::Images).unwrap();
        assert_eq!(names(&found, &named), ["inner/a"]);
        let words = found.passed_over().unwrap();
        assert!(words.contains("1 taken, 6 passed over (6 links"), "{words}");
        // A link that was named itself is what is meant.
        std::os::unix::fs::symlink(&named, all.path().join("link")).unwrap();
        let found = Folder::walk(&all.path().join("link"), Wanted::Images).unwrap();
        assert_eq!(found.files.len(), 1);
    }
}
