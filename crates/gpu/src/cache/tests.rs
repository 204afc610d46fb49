//! The cache on a real folder.
#![allow(clippy::unwrap_used)]

use super::*;

fn key() -> EngineKey {
    EngineKey {
        schema: KEY_SCHEMA,
        tensorrt: "10.3.0.26".into(),
        device: "Orin".into(),
        architecture: "sm_87".into(),
        multiprocessors: 8,
        driver: [12, 2],
        model_sha256: "ab".repeat(32),
        precision: Precision::Fp16,
        dla_core: None,
        workspace: Some(1 << 30),
        shapes: Shapes { min: [64, 64], opt: [320, 160], max: [448, 448] },
    }
}

fn cache() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path().join("a/b")).unwrap();
    (folder, cache)
}

fn store(cache: &Cache, key: &EngineKey, plan: &[u8]) -> PathBuf {
    cache.store(key, "demo", Duration::from_secs(90), plan).unwrap()
}

/// Names of everything in the folder, hidden files too.
fn files(cache: &Cache) -> Vec<String> {
    let files = fs::read_dir(cache.dir()).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_stored_is_loaded_and_only_under_its_own_key() {
    let (_folder, cache) = cache();
    assert_eq!(cache.load(&key()).unwrap(), None);
    let path = store(&cache, &key(), b"a plan\nwith lines\0");
    let stored = cache.load(&key()).unwrap().unwrap();
    assert_eq!((stored.plan.as_slice(), &stored.path), (&b"a plan\nwith lines\0"[..], &path));
    assert_eq!((stored.header.model.as_str(), stored.header.build_s), ("demo", 90));
    assert_eq!(files(&cache).len(), 1);
    // Stored again: the new one counts.
    store(&cache, &key(), b"newer");
    assert_eq!(cache.load(&key()).unwrap().unwrap().plan, b"newer");
    assert_eq!(files(&cache).len(), 1);
}

#[test]
fn every_field_of_the_key_makes_another_engine() {
    let changes: [fn(&mut EngineKey); 13] = [
        |k| k.schema += 1,
        |k| k.tensorrt = "10.3.0.27".into(),
        |k| k.device = "Orin NX".into(),
        |k| k.architecture = "sm_86".into(),
        |k| k.multiprocessors = 16,
        |k| k.driver = [12, 6],
        |k| k.model_sha256 = "cd".repeat(32),
        |k| k.precision = Precision::Fp32,
        |k| k.dla_core = Some(0),
        |k| k.workspace = None,
        |k| k.shapes.min[0] = 32,
        |k| k.shapes.opt[1] = 161,
        |k| k.shapes.max[0] = 449,
    ];
    let (_folder, cache) = cache();
    store(&cache, &key(), b"plan");
    let mut ids = vec![key().id()];
    for change in changes {
        let mut other = key();
        change(&mut other);
        assert_eq!(cache.load(&other).unwrap(), None, "{other:?}");
        assert_eq!(key().differences(&other).len(), 1, "{other:?}");
        ids.push(other.id());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), changes.len() + 1);
    // A change of this form would orphan every engine in the field: raise KEY_SCHEMA on purpose.
    assert_eq!(key().id(), "f465773abe49aea74e88eb0c68334b4c");
    let mut newer = key();
    newer.driver = [12, 6];
    assert_eq!(key().differences(&newer), ["driver 12.2, now 12.6"]);
    assert_eq!(key().differences(&key()), [""; 0]);
}

#[test]
fn any_byte_that_changes_is_noticed() {
    let (_folder, cache) = cache();
    let path = store(&cache, &key(), &[7; 300]);
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        match cache.load(&key()) {
            Err(CacheError::Damaged { .. }) => {}
            // Words for people and times are not checked; the plan and its key are.
            Ok(Some(stored)) => {
                assert_eq!((stored.plan.as_slice(), &stored.header.key), (&[7; 300][..], &key()));
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
    for length in [0, 5, FORM.len(), good.len() - 300, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        let error = cache.load(&key()).unwrap_err();
        assert!(matches!(error, CacheError::Damaged { .. }), "{length}: {error}");
    }
    let longer: Vec<u8> = good.iter().copied().chain([0]).collect();
    fs::write(&path, longer).unwrap();
    assert!(matches!(cache.load(&key()), Err(CacheError::Damaged { .. })));
    // The engine of another key under this name.
    let mut other = key();
    other.device = "another".into();
    let from = store(&cache, &other, &[7; 300]);
    fs::rename(from, &path).unwrap();
    assert!(matches!(cache.load(&key()), Err(CacheError::Damaged { .. })));
}

#[test]
fn a_full_disk_leaves_the_old_engine_and_no_rest() {
    let (_folder, cache) = cache();
    store(&cache, &key(), b"old");
    let path = cache.path_of(&key());
    // Half of the bytes, then the disk's answer.
    for (code, full) in [(28, true), (122, true), (5, false)] {
        let error = cache
            .put(&path, &[b"0123456789"], |file, parts| {
                file.write_all(&parts[0][..5])?;
                Err(io::Error::from_raw_os_error(code))
            })
            .unwrap_err();
        assert_eq!(matches!(error, CacheError::Full { need: 10, .. }), full, "{error}");
        assert_eq!(cache.load(&key()).unwrap().unwrap().plan, b"old");
        assert_eq!(files(&cache).len(), 1);
    }
}

#[test]
fn an_engine_that_everybody_may_write_is_not_used() {
    let (_folder, cache) = cache();
    let path = store(&cache, &key(), b"plan");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(cache.load(&key()), Err(CacheError::Untrusted { .. })));
}

#[test]
fn the_list_shows_damaged_files_too_and_pruning_keeps_what_is_wanted() {
    let (_folder, cache) = cache();
    let mut other = key();
    other.model_sha256 = "cd".repeat(32);
    let mut foreign = key();
    foreign.device = "gone".into();
    let wanted = store(&cache, &key(), b"plan");
    let unwanted = store(&cache, &other, b"plan of another");
    cache.store_timings(&key(), b"t").unwrap();
    cache.store_timings(&foreign, b"t").unwrap();
    let broken = cache.dir().join(format!("{}.engine", "0".repeat(32)));
    fs::write(&broken, b"?").unwrap();
    let part = |name: &str, age: Duration| {
        let path = cache.dir().join(name);
        let file = File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        path
    };
    let leftover = part(".x.engine.1-2.part", Duration::from_hours(2));
    let under_way = part(".y.engine.1-2.part", Duration::from_secs(5));
    fs::write(cache.dir().join("notes.txt"), b"somebody's").unwrap();

    let listed = cache.list().unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[0].path, broken);
    assert!(matches!(listed[0].header, Err(CacheError::Damaged { .. })));

    let pruned = cache.prune(|header| header.key == key()).unwrap();
    let mut expected = vec![broken, unwanted, leftover, cache.timing_path(&foreign)];
    expected.sort();
    let mut paths = pruned.paths.clone();
    paths.sort();
    assert_eq!(paths, expected);
    assert!(pruned.bytes > 15);
    assert!(wanted.exists() && under_way.exists() && cache.timing_path(&key()).exists());
    assert_eq!(cache.prune(|header| header.key == key()).unwrap(), Pruned::default());
}

#[test]
fn what_was_not_written_by_this_program_is_named_and_neither_opened_nor_removed() {
    use std::os::unix::fs::symlink;
    let (folder, cache) = cache();
    let at = |name: &str| cache.dir().join(name);
    let ours = format!("{}.engine", "a".repeat(32));
    let name = rustix::fs::CWD;
    let pipe = |name_of: &str| {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(name, at(name_of), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    pipe("pipe.engine");
    pipe(&ours);
    pipe(&format!("{}.timings", key().timing_id()));
    pipe(&format!("{}.failed", key().id()));
    symlink("/dev/zero", at("zero.engine")).unwrap();
    symlink("/nowhere", at("nowhere.engine")).unwrap();
    let other = folder.path().join("other");
    fs::write(&other, b"sonofuse-engine 1\n").unwrap();
    symlink(&other, at("link.engine")).unwrap();
    fs::create_dir(at("folder.engine")).unwrap();
    fs::write(at("empty.engine"), b"").unwrap();
    fs::write(at("junk.engine"), vec![0x7f; 200_000]).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.engine")).unwrap();
    for entry in cache.list().unwrap() {
        let text = entry.header.unwrap_err().to_string();
        let name = entry.path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(text.contains("is left alone") && text.contains(&name), "{text}");
        let text = verify(&entry.path).unwrap_err().to_string();
        assert!(text.contains("is left alone"), "{text}");
    }
    assert_eq!(cache.list().unwrap().len(), 9);
    assert!(cache.timings(&key()).is_empty());
    assert_eq!(cache.failure(&key()), None);
    let before = files(&cache);
    assert_eq!(cache.prune(|_| false).unwrap(), Pruned::default());
    assert_eq!(files(&cache), before);
    // The place of an engine is taken by something else: told, never waited for.
    pipe(&format!("{}.engine", key().id()));
    assert!(matches!(cache.load(&key()), Err(CacheError::Foreign { .. })));
    // The lock too.
    pipe(".lock");
    assert!(matches!(cache.lock(|| ()), Err(CacheError::Foreign { .. })));
    fs::remove_file(at(".lock")).unwrap();
    symlink("/dev/zero", at(".lock")).unwrap();
    assert!(cache.lock(|| ()).is_err());
}

#[test]
fn a_failed_build_is_remembered_for_its_key_until_it_is_forgotten_or_nobody_wants_it() {
    let (_folder, cache) = cache();
    assert_eq!(cache.failure(&key()), None);
    cache.remember_failure(&key(), "no tactic").unwrap();
    let failure = cache.failure(&key()).unwrap();
    assert_eq!((failure.words.as_str(), &failure.key), ("no tactic", &key()));
    assert!(failure.failed_unix_s > 1_700_000_000);
    let other = EngineKey { driver: [12, 6], ..key() };
    assert_eq!(cache.failure(&other), None);
    // Of another version of the program, of another key under this name, damaged: none.
    let path = cache.dir().join(format!("{}.failed", key().id()));
    let text = fs::read_to_string(&path).unwrap();
    for changed in
        [text.replace(&failure.version, "0.0.1"), text.replace("Orin", "Nano"), "{".into()]
    {
        fs::write(&path, &changed).unwrap();
        assert_eq!(cache.failure(&key()), None, "{changed}");
    }
    fs::write(&path, text).unwrap();
    assert_eq!(cache.prune(|header| header.key == key()).unwrap(), Pruned::default());
    assert_eq!(cache.prune(|header| header.key == other).unwrap().paths, [path]);
    cache.forget_failure(&key()).unwrap();
    cache.remember_failure(&key(), "x").unwrap();
    cache.forget_failure(&key()).unwrap();
    assert_eq!(cache.failure(&key()), None);
    assert!(files(&cache).is_empty());
}

#[test]
fn timings_are_shared_by_models_and_never_trusted_when_damaged() {
    let (_folder, cache) = cache();
    assert!(cache.timings(&key()).is_empty());
    cache.store_timings(&key(), b"many timings").unwrap();
    let mut other = key();
    other.model_sha256 = "cd".repeat(32);
    assert_eq!(cache.timings(&other), b"many timings");
    other.driver = [12, 6];
    assert!(cache.timings(&other).is_empty());
    let path = cache.timing_path(&key());
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(cache.timings(&key()).is_empty());
}

#[derive(Debug, thiserror::Error)]
enum Any {
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error("{0}")]
    Said(&'static str),
}

#[test]
fn an_engine_is_built_when_missing_and_once_more_when_it_does_not_start() {
    let (_folder, cache) = cache();
    let mut builds = 0;
    let mut obtain = |cache: &Cache, bad: &'static [u8]| {
        cache.obtain(
            &key(),
            "demo",
            || {
                builds += 1;
                Ok::<_, Any>(format!("plan {builds}").into_bytes())
            },
            |plan| {
                if plan == bad { Err(Any::Said("of another GPU")) } else { Ok(plan.to_vec()) }
            },
            |error| matches!(error, Any::Said("full")),
        )
    };
    assert_eq!(obtain(&cache, b"").unwrap(), (b"plan 1".to_vec(), Obtained::Built));
    assert_eq!(obtain(&cache, b"").unwrap(), (b"plan 1".to_vec(), Obtained::Stored));
    let again = Obtained::BuiltAgain("of another GPU".into());
    assert_eq!(obtain(&cache, b"plan 1").unwrap(), (b"plan 2".to_vec(), again));
    // Damaged on the disk.
    let path = cache.path_of(&key());
    fs::write(&path, b"junk").unwrap();
    let (plan, how) = obtain(&cache, b"").unwrap();
    assert!(matches!(how, Obtained::BuiltAgain(why) if why.contains("damaged")));
    assert_eq!(plan, b"plan 3");
    // What is built does not start either: an error, and nothing is kept.
    fs::write(&path, b"junk").unwrap();
    let error = obtain(&cache, b"plan 4").unwrap_err();
    assert_eq!(error.to_string(), "of another GPU");
    assert_eq!(cache.load(&key()).unwrap(), None);
    // The memory is full just now: the engine is not to blame.
    store(&cache, &key(), b"good");
    let full = cache.obtain(
        &key(),
        "demo",
        || panic!("built"),
        |_| Err::<(), _>(Any::Said("full")),
        |error| matches!(error, Any::Said("full")),
    );
    assert_eq!(full.unwrap_err().to_string(), "full");
    assert_eq!(cache.load(&key()).unwrap().unwrap().plan, b"good");
}

#[test]
fn only_one_process_builds_into_a_folder() {
    let (_folder, cache) = cache();
    let held = cache.lock(|| panic!("nobody has it")).unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| cache.lock(|| told.send(()).unwrap()).is_ok());
        heard.recv().unwrap();
        assert!(!second.is_finished());
        drop(held);
        assert!(second.join().unwrap());
    });
}

#[test]
fn looking_into_a_folder_that_is_not_there_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().join("none"));
    assert!(cache.list().unwrap().is_empty());
    assert_eq!(cache.load(&key()).unwrap(), None);
    assert_eq!(cache.prune(|_| true).unwrap(), Pruned::default());
    assert!(!cache.dir().exists());
}

#[test]
fn the_sizes_of_a_manifest_hold_every_size_that_a_crop_can_get() {
    use sonofuse_core::manifest::InputSize;
    use sonofuse_core::preprocess::target_size;
    let fixed = InputSize::Fixed { width_px: 224, height_px: 200 };
    assert_eq!(Shapes::of(&fixed), Shapes { min: [224, 200], opt: [224, 200], max: [224, 200] });
    for (min_side_px, max_side_px, multiple_px) in [(64, 448, 1), (64, 448, 32), (60, 62, 16)] {
        let size = InputSize::Native { min_side_px, max_side_px, multiple_px, view_width_px: None };
        let Shapes { min, opt, max } = Shapes::of(&size);
        let holds = |got: [u32; 2]| (0..2).all(|i| (min[i]..=max[i]).contains(&got[i]));
        assert!(holds(opt), "{opt:?}");
        for crop in [[1, 1], [900, 450], [450, 165], [64, 64], [448, 64], [3000, 2999]] {
            if let Ok(got) = target_size(&size, crop[0], crop[1], 800) {
                assert!(holds(got), "{size:?} {crop:?} {got:?}");
            }
        }
    }
}
