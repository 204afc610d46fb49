use std::sync::Mutex;

use sonofuse_core::drift::{RECENT, Stream};

use super::*;

fn basis(model: &str) -> Basis {
    Basis { model: model.into(), scoring: "s".into(), preset: "p".into() }
}

type Heard = Arc<Mutex<Vec<Event>>>;

fn start(folder: &Path, basis: Basis) -> (Drift, Heard) {
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    let account = Box::new(move |event: &Event| ear.lock().unwrap().push(event.clone()));
    (Drift::start(folder, basis, account).unwrap(), heard)
}

fn exam(brightness: f32) -> Figures {
    let mut figures = Figures::default();
    figures.set(Stream::Brightness, Some(brightness));
    figures
}

/// Ends it and gives what was heard.
fn end((drift, heard): (Drift, Heard)) -> Vec<Event> {
    drift.finish();
    let heard = heard.lock().unwrap();
    heard.clone()
}

fn feed((drift, _): &(Drift, Heard), count: usize, brightness: f32) {
    for n in 0..count {
        // As fast as the disk: the queue is bounded.
        while drift.watcher().queue.try_send(Told::Exam(exam(brightness + (n % 7) as f32))).is_err()
        {
            std::thread::yield_now();
        }
    }
}

fn begun(why: &str) -> Event {
    Event::Begun(why.to_owned())
}

#[test]
fn reference_examinations_and_alarm_outlive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let drift = start(dir.path(), basis("m"));
    feed(&drift, REFERENCE, 60.0);
    feed(&drift, 10, 90.0);
    assert_eq!(end(drift)[..2], [begun("none before"), Event::Complete]);
    let drift = start(dir.path(), basis("m"));
    assert_eq!(
        (drift.0.watcher().state().reference, drift.0.watcher().state().recent),
        (REFERENCE, 10)
    );
    feed(&drift, 10, 90.0);
    let heard = end(drift);
    let shifts = |heard: &[Event]| heard.iter().filter(|e| matches!(e, Event::Shifted(_))).count();
    assert!(shifts(&heard) <= 1, "{heard:?}");
    let drift = start(dir.path(), basis("m"));
    let state = drift.0.watcher().state();
    assert!(state.recent == RECENT && state.streams[0].shifted, "{state:?}");
    feed(&drift, 5, 90.0);
    assert_eq!(end(drift), [], "told already");
}

#[test]
fn another_model_scoring_or_preset_begins_anew_and_says_which() {
    let dir = tempfile::tempdir().unwrap();
    end(start(dir.path(), basis("m")));
    let drift = start(dir.path(), basis("other"));
    let other = Basis { scoring: "t".into(), preset: "q".into(), ..basis("other") };
    drift.0.watcher().rest_on(other.clone());
    drift.0.watcher().rest_on(other.clone());
    assert_eq!(end(drift), [begun("model"), begun("scoring preset")]);
    assert_eq!(end(start(dir.path(), other)), []);
}

#[tokio::test]
async fn a_reset_begins_anew_and_one_that_cannot_be_kept_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    fs::create_dir(&folder).unwrap();
    let drift = start(&folder, basis("m"));
    feed(&drift, REFERENCE + 3, 60.0);
    let watcher = drift.0.watcher();
    // The folder is a file now: also root cannot write into it.
    fs::rename(&folder, dir.path().join("away")).unwrap();
    fs::write(&folder, "").unwrap();
    let why = watcher.reset().await.unwrap_err();
    assert!(why.contains("drift.json") && why.contains("the old reference holds"), "{why}");
    assert_eq!(watcher.state().reference, REFERENCE);
    fs::remove_file(&folder).unwrap();
    fs::rename(dir.path().join("away"), &folder).unwrap();
    watcher.reset().await.unwrap();
    assert_eq!((watcher.state().reference, watcher.state().recent), (0, 0));
    assert_eq!(end(drift).last(), Some(&begun("command")));
}

#[test]
fn a_damaged_file_is_named_and_begun_anew_and_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE);
    let drift = start(dir.path(), basis("m"));
    feed(&drift, REFERENCE + RECENT, 60.0);
    end(drift);
    let whole = fs::read(&file).unwrap();
    assert!(read(&file).unwrap().is_some());
    // Cut anywhere; every byte that says how it is built; nonsense; too large.
    let mut wrong: Vec<Vec<u8>> =
        (0..whole.len()).step_by(97).map(|n| whole[..n].to_vec()).collect();
    wrong.extend([b"\xff\xfe".to_vec(), b"[]".to_vec(), b"{}".to_vec(), vec![b' '; 300 << 10]]);
    let text = String::from_utf8(whole).unwrap();
    wrong.push(text.replace("\"watch\"", "\"wotch\"").into());
    wrong.push(text.replacen("[[", "[[1,", 1).into());
    wrong.push(
        text.replacen(":[[", ":[[1e99,null,null,null,null,null,null,null,null,null,null],[", 1)
            .into(),
    );
    for bytes in wrong {
        fs::write(&file, &bytes).unwrap();
        let why = read(&file).map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_err();
        assert!(!why.is_empty());
        assert_eq!(end(start(dir.path(), basis("m"))), [begun("damaged")], "{why}");
        assert!(read(&file).unwrap().is_some(), "whole again");
    }
    // A later version is not damaged, and not understood either.
    fs::write(&file, "{\"version\":9,\"measures\":1,\"more\":true}").unwrap();
    assert_eq!(end(start(dir.path(), basis("m"))), [begun("version")]);
    // A folder in its place: said, scoring goes on.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let drift = start(dir.path(), basis("m"));
    feed(&drift, 3, 60.0);
    assert_eq!(drift.0.watcher().state().reference.min(3), drift.0.watcher().state().reference);
    assert_eq!(end(drift), [begun("damaged")]);
}

#[test]
fn what_a_kill_left_half_written_beside_it_is_no_matter() {
    let dir = tempfile::tempdir().unwrap();
    let drift = start(dir.path(), basis("m"));
    feed(&drift, 3, 60.0);
    end(drift);
    fs::write(dir.path().join("drift.json.new"), "{\"version\":1,\"mea").unwrap();
    let drift = start(dir.path(), basis("m"));
    assert_eq!(drift.0.watcher().state().reference, 3);
    feed(&drift, 1, 60.0);
    assert_eq!(end(drift), []);
    assert!(!dir.path().join("drift.json.new").exists());
}
