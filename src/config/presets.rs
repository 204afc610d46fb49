//! Presets that were set up on this machine by looking: where they lie, which one was chosen, and how one is
//! written. Blocks on the disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::ingest::NONE;

/// Where the service keeps its own.
pub const SERVICE_FOLDER: &str = "/var/lib/sonofuse/presets";
/// The name that stands for the one that was chosen.
pub const CHOSEN: &str = "chosen";
/// The file that says which was.
const MARK: &str = ".chosen";

/// The folder that this process writes to; `None` where none can be told.
pub fn own_folder() -> Option<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folders) = var("STATE_DIRECTORY") {
        // systemd gives all of a unit's, by colons; ours has one.
        return Some(std::env::split_paths(&folders).next()?.join("presets"));
    }
    if let Some(state) = var("XDG_STATE_HOME") {
        return Some(Path::new(&state).join("sonofuse/presets"));
    }
    if rustix::process::geteuid().is_root() && Path::new(SERVICE_FOLDER).parent()?.is_dir() {
        // Whoever sets up an installed service as root sets it up for the service.
        return Some(SERVICE_FOLDER.into());
    }
    Some(PathBuf::from(var("HOME")?).join(".local/state/sonofuse/presets"))
}

/// The folders in which such presets may lie, best first.
pub fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = own_folder().into_iter().collect();
    if !folders.iter().any(|folder| folder.as_os_str() == SERVICE_FOLDER) {
        folders.push(SERVICE_FOLDER.into());
    }
    folders
}

/// A name for one: letters, digits and dashes, in lower case.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=40).contains(&name.len())
        && name.starts_with(plain)
        && name.chars().all(|c| plain(c) || c == '-')
        && ![CHOSEN, NONE].contains(&name)
}

/// The one that was chosen in the first of `folders` that says so.
pub fn chosen(folders: &[PathBuf]) -> Option<String> {
    folders.iter().find_map(|folder| {
        let name = fs::read_to_string(folder.join(MARK)).ok()?;
        let name = name.trim();
        (is_name(name) && folder.join(format!("{name}.toml")).is_file()).then(|| name.to_owned())
    })
}

/// Writes the preset `name` into `folder`; all of it or nothing. One that holds a `secret` is for its owner alone.
///
/// # Errors
/// The system's.
pub fn write(folder: &Path, name: &str, text: &str, secret: bool) -> io::Result<PathBuf> {
    place(folder, &format!("{name}.toml"), text, if secret { 0o600 } else { 0o644 })
}

/// Has `name` be the one that is chosen.
///
/// # Errors
/// The system's.
pub fn choose(folder: &Path, name: &str) -> io::Result<()> {
    place(folder, MARK, &format!("{name}\n"), 0o644).map(drop)
}

fn place(folder: &Path, file: &str, text: &str, mode: u32) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    // What root sets up for the service is the service's.
    let owner =
        folder.parent().map(fs::metadata).transpose()?.map(|above| (above.uid(), above.gid()));
    let owner = owner.filter(|(uid, _)| *uid != 0 && rustix::process::geteuid().is_root());
    let own = |path: &Path| {
        let Some((uid, gid)) = owner else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
    };
    own(folder)?;
    let path = folder.join(file);
    let part = folder.join(format!(".part-{}-{file}", std::process::id()));
    let write = || {
        let mut out =
            OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&part)?;
        out.write_all(text.as_bytes())?;
        own(&part)?;
        out.sync_all()?;
        fs::rename(&part, &path)?;
        File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| {
        // What is left of the attempt is of no use; the first error is the one to tell.
        let _ = fs::remove_file(&part);
    })?;
    Ok(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_letters_digits_and_dashes() {
        for (name, is) in [
            ("room-3", true),
            ("3", true),
            ("", false),
            ("-x", false),
            ("Room", false),
            ("../x", false),
            ("x.toml", false),
            ("chosen", false),
            ("none", false),
            (&"x".repeat(41), false),
        ] {
            assert_eq!(is_name(name), is, "{name}");
        }
    }

    #[test]
    fn what_was_chosen_is_the_one_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().join("a"), dir.path().join("b")];
        assert_eq!(chosen(&folders), None);
        write(&folders[1], "room-3", "x", false).unwrap();
        choose(&folders[1], "room-3").unwrap();
        assert_eq!(chosen(&folders).as_deref(), Some("room-3"));
        choose(&folders[0], "room-4").unwrap();
        assert_eq!(chosen(&folders).as_deref(), Some("room-3"), "it is not there");
        let left: Vec<_> = fs::read_dir(&folders[1]).unwrap().flatten().collect();
        assert_eq!(left.len(), 2, "a part was left");
    }
}
