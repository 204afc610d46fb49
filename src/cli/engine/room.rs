//! Room on the disk before a build, and the owner of what was built. Blocks on the disk.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sonofuse_gpu::cache::CacheError;

/// Refuses to begin where the disk cannot take an engine: it holds the weights and some code, so it is
/// about as large as the model. Better now than after the minutes of a build.
pub(super) fn check(folder: &Path, model_bytes: u64) -> Result<(), CacheError> {
    let need = model_bytes + model_bytes / 4 + (4 << 20);
    // A file system that does not tell is tried.
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    enough(folder, need, disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn enough(folder: &Path, need: u64, free: u64) -> Result<(), CacheError> {
    if free >= need {
        return Ok(());
    }
    Err(CacheError::Full { dir: folder.to_owned(), need })
}

/// When dropped, gives what root wrote to the owner of the folder above, the service's user: it must
/// be able to replace engines at the next boot, also after a build that failed.
pub(super) struct OwnedByService<'f>(pub(super) &'f Path);

impl Drop for OwnedByService<'_> {
    fn drop(&mut self) {
        give_to_owner(self.0);
    }
}

fn give_to_owner(folder: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(Ok(above)) = folder.parent().map(std::fs::metadata) else { return };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    for path in entries.chain([folder.to_owned()]) {
        let owned = std::fs::symlink_metadata(&path).is_ok_and(|m| m.uid() == above.uid());
        if !owned
            && let Err(error) =
                std::os::unix::fs::lchown(&path, Some(above.uid()), Some(above.gid()))
        {
            tracing::debug!(%error, path = %path.display(), "the owner stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_told_before_the_build() {
        let folder = Path::new("/var/cache/sonofuse/engines");
        assert!(enough(folder, 100, 100).is_ok());
        let error = enough(folder, 101, 100).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("full") && error.contains("engine prune"), "{error}");
        assert!(check(Path::new("/nowhere"), 1).is_ok());
        assert!(check(Path::new("/"), u64::MAX / 4).is_err());
    }

    #[test]
    fn what_root_writes_is_given_to_the_owner_of_the_folder_above() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root writes for others");
            return;
        }
        let above = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::chown(above.path(), Some(4242), Some(4243)).expect("root may");
        let folder = above.path().join("engines");
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join("a.engine"), "").expect("a file");
        drop(OwnedByService(&folder));
        for path in [&folder, &folder.join("a.engine")] {
            let found = std::fs::metadata(path).expect("it is there");
            assert_eq!((found.uid(), found.gid()), (4242, 4243), "{}", path.display());
        }
    }
}
