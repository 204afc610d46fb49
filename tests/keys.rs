//! A foot pedal's input events through a FIFO: what is pressed is commanded, once.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use sonofuse::serve::control::Obey;
use sonofuse::serve::keys::{self, Counts, EVENT_BYTES, Keys, Settings};
use sonofuse::serve::told;
use sonofuse_core::control::{Done, Refused, RefusedKind};

const KEY_A: u16 = 30;
const KEY_B: u16 = 48;

/// One input event as the kernel of a 64-bit machine writes it.
fn event(at_ms: u64, kind: u16, code: u16, value: i32) -> [u8; EVENT_BYTES] {
    let mut bytes = [0; EVENT_BYTES];
    bytes[..8].copy_from_slice(&(at_ms / 1000).to_ne_bytes());
    bytes[8..16].copy_from_slice(&(at_ms % 1000 * 1000).to_ne_bytes());
    bytes[16..18].copy_from_slice(&kind.to_ne_bytes());
    bytes[18..20].copy_from_slice(&code.to_ne_bytes());
    bytes[20..].copy_from_slice(&value.to_ne_bytes());
    bytes
}

/// What a pedal sends for one press: scan code, key down, sync, key up, sync.
fn press(at_ms: u64, code: u16) -> Vec<u8> {
    [
        event(at_ms, 4, 4, 0x7_0005),
        event(at_ms, 1, code, 1),
        event(at_ms, 0, 0, 0),
        event(at_ms + 80, 1, code, 0),
        event(at_ms + 80, 0, 0, 0),
    ]
    .concat()
}

struct Pedal {
    runtime: tokio::runtime::Runtime,
    keys: Option<Keys>,
    said: Arc<Mutex<Vec<&'static str>>>,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

/// A reader of a device that `make` makes at the path.
fn pedal(make: impl Fn(&Path)) -> Pedal {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pedal");
    make(&path);
    let map = BTreeMap::from([
        ("KEY_A".to_owned(), "mark".to_owned()),
        ("48".to_owned(), "next-patient".to_owned()),
    ]);
    let settings = Settings { device: path.to_str().unwrap().to_owned(), map };
    let said: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let heard = Arc::clone(&said);
    let obey: Obey = Arc::new(move |verb| {
        let word = verb.as_str();
        heard.lock().unwrap().push(word);
        // A refusal ends nothing.
        let refused = Err(Refused::new(RefusedKind::NothingThere, "nothing to mark"));
        let done = Ok(Done { verb: word, ..Done::default() });
        Box::pin(std::future::ready(if word == "mark" { refused } else { done }))
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let keys = {
        let _inside = runtime.enter();
        keys::read(path.clone(), settings.bindings().unwrap(), obey, told::nobody())
    };
    Pedal { runtime, keys: Some(keys), said, path, _dir: dir }
}

impl Pedal {
    /// Waits until `holds`; the limit only ends a test that has failed anyway.
    fn until(&self, what: &str, holds: impl Fn(&Counts) -> bool) {
        let counts = self.keys.as_ref().unwrap().counts();
        for _ in 0..6000 {
            if holds(counts) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{what} never happened: {counts:?}");
    }

    fn said(&self) -> Vec<&'static str> {
        self.said.lock().unwrap().clone()
    }

    fn stop(&mut self) {
        self.runtime.block_on(self.keys.take().unwrap().stop());
    }
}

fn writer(path: &Path) -> File {
    File::options().write(true).open(path).unwrap()
}

#[test]
fn each_press_is_one_command_whatever_else_the_device_sends() {
    let mut pedal = pedal(fifo);
    let mut device = writer(&pedal.path);
    let mut stream = press(1_000, KEY_A);
    // A held key repeats; another key commands nothing; a motion is no key.
    stream.extend(event(1_300, 1, KEY_A, 2));
    stream.extend(press(2_000, 31));
    stream.extend(event(2_500, 2, KEY_A, 1));
    stream.extend(press(3_000, KEY_B));
    // Events come in whatever pieces a pipe makes of them.
    for piece in stream.chunks(7) {
        device.write_all(piece).unwrap();
    }
    pedal.until("both presses", |counts| counts.pressed() == 2);
    assert_eq!(pedal.said(), ["mark", "next-patient"]);
    pedal.stop();
}

#[test]
fn a_contact_that_bounces_is_one_press_and_two_presses_are_two() {
    let pedal = pedal(fifo);
    let mut device = writer(&pedal.path);
    for at_ms in [1_000, 1_020, 1_100, 1_400] {
        device.write_all(&press(at_ms, KEY_A)).unwrap();
    }
    // Another key at the same moment, and a clock that was set back, are no bounces.
    device.write_all(&press(1_410, KEY_B)).unwrap();
    device.write_all(&press(100, KEY_B)).unwrap();
    pedal.until("the last press", |counts| counts.pressed() == 4);
    assert_eq!(pedal.said(), ["mark", "mark", "next-patient", "next-patient"]);
}

#[test]
fn a_device_that_goes_and_comes_back_is_read_again() {
    let mut pedal = pedal(|_| ());
    // It is not there yet.
    fifo(&pedal.path);
    pedal.until("found", |counts| counts.opened() == 1);
    let mut device = writer(&pedal.path);
    device.write_all(&press(1_000, KEY_A)).unwrap();
    pedal.until("a press", |counts| counts.pressed() == 1);
    // Unplugged in the middle of an event.
    device.write_all(&event(2_000, 1, KEY_B, 1)[..10]).unwrap();
    std::fs::remove_file(&pedal.path).unwrap();
    fifo(&pedal.path);
    drop(device);
    pedal.until("found again", |counts| counts.opened() == 2);
    let mut device = writer(&pedal.path);
    device.write_all(&press(3_000, KEY_B)).unwrap();
    pedal.until("a press after it", |counts| counts.pressed() == 2);
    assert_eq!(pedal.said(), ["mark", "next-patient"]);
    pedal.stop();
}

#[test]
fn a_writer_that_leaves_a_fifo_makes_room_for_the_next() {
    let pedal = pedal(fifo);
    for (at_ms, presses) in [(1_000, 1), (2_000, 2), (3_000, 3)] {
        writer(&pedal.path).write_all(&press(at_ms, KEY_A)).unwrap();
        pedal.until("a press", |counts| counts.pressed() == presses);
    }
    pedal.until("opened once", |counts| counts.opened() == 1);
}

#[test]
fn a_plain_file_is_no_device_because_its_keys_would_be_pressed_for_ever() {
    let mut pedal = pedal(|path| std::fs::write(path, press(1_000, KEY_A)).unwrap());
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(pedal.keys.as_ref().unwrap().counts().opened(), 0);
    assert_eq!(pedal.said(), [""; 0]);
    pedal.stop();
}

#[test]
fn noise_presses_nothing_and_ends_nothing() {
    let pedal = pedal(fifo);
    let mut device = writer(&pedal.path);
    let mut seed = 1u64;
    let noise: Vec<u8> = (0..EVENT_BYTES * 500)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as u8
        })
        .collect();
    device.write_all(&noise).unwrap();
    device.write_all(&press(1_000, KEY_A)).unwrap();
    pedal.until("the press after it", |counts| counts.pressed() == 1);
    assert_eq!(pedal.said(), ["mark"]);
}
