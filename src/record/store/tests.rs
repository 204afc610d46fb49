use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

const DAY_MS: u64 = 86_400_000;

fn store(folder: &Path, bytes: u64) -> Store {
    Store::new(folder.to_owned(), Bound { bytes, age: Duration::from_hours(240) })
}

fn keep(store: &mut Store, made_ms: u64, bytes: usize) -> Result<String, StoreError> {
    let part = store.begin(made_ms, KeptKind::Snapshot, bytes as u64)?;
    part.write("picture.png", &vec![7; bytes])?;
    part.write(ABOUT, b"{}")?;
    let name = part.name().to_owned();
    part.finish()?;
    Ok(name)
}

fn names(folder: &Path) -> Vec<String> {
    list(folder).unwrap().into_iter().map(|item| item.name).collect()
}

#[test]
fn evidence_has_its_name_when_it_is_complete_and_leaves_nothing_when_it_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state/evidence");
    let mut store = store(&folder, 1 << 20);
    assert_eq!(store.sweep().unwrap(), 0);
    assert!(!folder.exists(), "nothing was asked for yet");
    let now = now_ms();
    let part = store.begin(now, KeptKind::Clip, 10).unwrap();
    part.write("clip.mp4", b"half").unwrap();
    assert_eq!(names(&folder), Vec::<String>::new());
    drop(part);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "the lock alone");

    let first = keep(&mut store, now, 100).unwrap();
    let second = keep(&mut store, now, 100).unwrap();
    assert_eq!(names(&folder), [first.clone(), second], "one name each in the same millisecond");
    let item = find(std::slice::from_ref(&folder), &first).unwrap();
    assert_eq!((item.bytes, item.kind, item.protected), (102, KeptKind::Snapshot, false));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder) & 0o007, 0, "not for others");
    assert_eq!(mode(&item.path) & 0o007, 0);
    assert_eq!(mode(&item.path.join(ABOUT)) & 0o007, 0);
}

#[test]
fn what_a_kill_left_goes_with_the_next_start_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let kept = {
        let mut store = store(dir.path(), 1 << 20);
        let kept = keep(&mut store, now_ms(), 10).unwrap();
        let part = store.begin(now_ms(), KeptKind::Clip, 10).unwrap();
        part.write("clip.mp4", b"half").unwrap();
        std::mem::forget(part);
        kept
    };
    for foreign in ["notes", "20261127T091530.123Z-film"] {
        fs::create_dir(dir.path().join(foreign)).unwrap();
    }
    fs::create_dir(dir.path().join(format!("{GONE}x"))).unwrap();
    let mut again = store(dir.path(), 1 << 20);
    assert_eq!(again.sweep().unwrap(), 2);
    assert_eq!(again.sweep().unwrap(), 0);
    assert_eq!(names(dir.path()), [kept]);
    assert!(dir.path().join("notes").is_dir());
}

#[test]
fn one_process_alone_writes_and_nobody_takes_its_part_for_a_rest() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), 1 << 20);
    let part = first.begin(now_ms(), KeptKind::Clip, 10).unwrap();
    let mut second = store(dir.path(), 1 << 20);
    assert!(matches!(second.sweep(), Err(StoreError::Locked(_))));
    assert!(matches!(second.begin(now_ms(), KeptKind::Clip, 1), Err(StoreError::Locked(_))));
    part.write(ABOUT, b"{}").unwrap();
    part.finish().unwrap();
    drop(first);
    assert!(second.begin(now_ms(), KeptKind::Clip, 1).is_ok());
}

#[test]
fn the_oldest_goes_first_and_what_is_protected_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 1000);
    let now = now_ms();
    let made: Vec<String> = (0..4).map(|k| keep(&mut store, now + k, 200).unwrap()).collect();
    find(&[dir.path().to_owned()], &made[0]).unwrap().protect(true).unwrap();
    let fifth = keep(&mut store, now + 4, 500).unwrap();
    assert_eq!(names(dir.path()), [made[0].clone(), made[3].clone(), fifth.clone()]);
    let full = keep(&mut store, now + 5, 900).unwrap_err();
    assert!(matches!(full, StoreError::Full { .. }), "{full}");
    assert_eq!(names(dir.path()).len(), 3, "nothing goes for what has no room anyway");
    find(&[dir.path().to_owned()], &made[0]).unwrap().protect(false).unwrap();
    keep(&mut store, now + 6, 900).unwrap();
    assert_eq!(names(dir.path()).len(), 1);
}

#[test]
fn what_is_too_old_goes_unless_the_clock_was_never_set() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 1 << 20);
    let now = now_ms();
    // A clock that stood at 1970, one that runs ahead, and one that was right.
    let unset = keep(&mut store, 5 * DAY_MS, 10).unwrap();
    let ahead = keep(&mut store, now + 50 * DAY_MS, 10).unwrap();
    let old = keep(&mut store, now - 11 * DAY_MS, 10).unwrap();
    let young = keep(&mut store, now - 9 * DAY_MS, 10).unwrap();
    assert!(find(&[dir.path().to_owned()], &old).is_err(), "the next one made room");
    assert_eq!(names(dir.path()), [unset, young, ahead]);
}

#[test]
fn a_name_never_leads_out_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("evidence");
    let mut store = store(&folder, 1 << 20);
    let kept = keep(&mut store, now_ms(), 10).unwrap();
    for name in ["..", ".", "", "../evidence", ".lock", "/etc", &format!("x/../{kept}")] {
        assert!(find(std::slice::from_ref(&folder), name).is_err(), "{name}");
    }
    // Nor does a link.
    let link = folder.join("20261127T091530.123Z-clip");
    std::os::unix::fs::symlink(folder.join(&kept), &link).unwrap();
    assert!(find(std::slice::from_ref(&folder), "20261127T091530.123Z-clip").is_err());
    assert_eq!(names(&folder), [kept]);
}

#[test]
fn a_folder_that_cannot_be_made_is_told_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = keep(&mut store(&file.join("evidence"), 1 << 20), now_ms(), 10).unwrap_err();
    assert!(error.to_string().contains("cannot make"), "{error}");
    assert!(error.to_string().contains("file/evidence"), "{error}");
}
