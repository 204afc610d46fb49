//! The readings' socket with real sockets: many clients, clients that never read, that leave in the
//! middle of a line, and two daemons on one path.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use sonofuse::serve::Listener;
use sonofuse::serve::readings::{self as socket, Publisher, QUEUE_READINGS, Readings};
use sonofuse_core::reading::{Outcome, Reading, Withheld};

#[path = "common/reading.rs"]
mod common;
#[path = "common/schema.rs"]
mod schema;
use common::scored;

fn reading(sequence: u64) -> Reading {
    Reading {
        sequence,
        outcome: Outcome::Withheld,
        malignancy: None,
        interval: None,
        reason: Some(Withheld::NoSignal),
        evidence: 0,
        ..scored(sequence)
    }
}

struct Served {
    runtime: tokio::runtime::Runtime,
    readings: Option<Readings>,
    publisher: Publisher,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

fn serve() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("readings.sock");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let readings = {
        let _inside = runtime.enter();
        socket::serve(Listener::bind(&path).unwrap()).unwrap()
    };
    let publisher = readings.publisher();
    Served { runtime, readings: Some(readings), publisher, path, _dir: dir }
}

impl Served {
    fn readings(&self) -> &Readings {
        self.readings.as_ref().unwrap()
    }

    /// Waits until `holds`; the limit only ends a test that has failed anyway.
    fn until(&self, what: &str, holds: impl Fn(&socket::Counts) -> bool) {
        for _ in 0..6000 {
            if holds(self.readings().counts()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{what} never happened: {:?}", self.readings().counts());
    }

    /// Connects and reads the hello: from then on every reading is this client's.
    fn client(&self) -> BufReader<UnixStream> {
        let mut client = BufReader::new(UnixStream::connect(&self.path).unwrap());
        let hello = line(&mut client).unwrap();
        assert_eq!(hello["hello"], "sonofuse");
        assert_eq!(hello["schema"], socket::SCHEMA);
        assert_eq!(hello["notice"], sonofuse_core::NOTICE);
        client
    }

    fn stop(&mut self) {
        if let Some(readings) = self.readings.take() {
            self.runtime.block_on(readings.stop());
        }
    }
}

fn line(client: &mut BufReader<UnixStream>) -> Option<Value> {
    let mut text = String::new();
    let n = client.read_line(&mut text).unwrap();
    (n > 0).then(|| {
        let line = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"));
        schema::check(&line);
        line
    })
}

#[test]
fn fifty_clients_get_every_reading_in_order() {
    let mut served = serve();
    let clients: Vec<_> = (0..50).map(|_| served.client()).collect();
    let readers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            std::thread::spawn(move || {
                for sequence in 0..200 {
                    assert_eq!(line(&mut client).unwrap()["sequence"].as_u64(), Some(sequence));
                }
                client
            })
        })
        .collect();
    for sequence in 0..200 {
        served.publisher.publish(&reading(sequence));
    }
    let clients: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    served.stop();
    for mut client in clients {
        assert!(line(&mut client).is_none(), "closed after the last reading");
    }
    assert!(!served.path.exists(), "unlinked");
}

#[test]
fn a_client_that_never_reads_harms_nobody_and_is_told_what_it_lost() {
    let served = serve();
    let mut idle = served.client();
    let mut eager = served.client();
    // Far more than the kernel's buffer and the ring together.
    let total = 3_000u64;
    let taken = Arc::new(AtomicU64::new(0));
    let reader = {
        let taken = Arc::clone(&taken);
        std::thread::spawn(move || {
            for sequence in 0..total {
                let value = line(&mut eager).unwrap();
                assert_eq!(value["sequence"].as_u64(), Some(sequence), "it loses nothing");
                taken.store(sequence + 1, Ordering::Release);
            }
        })
    };
    for sequence in 0..total {
        // As fast as the eager client takes them; the idle one takes none.
        while sequence - taken.load(Ordering::Acquire) > QUEUE_READINGS as u64 / 2 {
            assert!(!reader.is_finished(), "the eager client failed");
            std::thread::yield_now();
        }
        served.publisher.publish(&reading(sequence));
    }
    reader.join().unwrap();
    // Now the idle one wakes up: what it is given is in order, with the gap told in numbers.
    let (mut next, mut lost) = (0, 0);
    while next < total {
        let value = line(&mut idle).unwrap();
        if let Some(n) = value.get("lost") {
            lost += n.as_u64().unwrap();
            next += n.as_u64().unwrap();
        } else {
            assert_eq!(value["sequence"].as_u64(), Some(next));
            next += 1;
        }
    }
    assert!(lost > 0);
    assert_eq!(served.readings().counts().lost(), lost);
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let served = serve();
    let mut idle = served.client();
    // The kernel's buffer fills, the next line cannot be written, and the limit passes.
    for sequence in 0..3_000 {
        served.publisher.publish(&reading(sequence));
    }
    served.until("cut off", |counts| counts.cut_off() == 1);
    served.until("the place is free", |counts| counts.clients() == 0);
    // What was in its buffer is still readable, then the end; the last line may be half.
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert!(!rest.is_empty());
}

#[test]
fn clients_that_leave_in_the_middle_of_a_line_leave_the_others_alone() {
    let mut served = serve();
    let mut stays = served.client();
    for round in 0..20u64 {
        let mut leaves = UnixStream::connect(&served.path).unwrap();
        let mut some = [0; 10];
        leaves.read_exact(&mut some).unwrap();
        served.publisher.publish(&reading(round * 2));
        drop(leaves);
        served.publisher.publish(&reading(round * 2 + 1));
    }
    for sequence in 0..40 {
        assert_eq!(line(&mut stays).unwrap()["sequence"].as_u64(), Some(sequence));
    }
    served.stop();
    assert!(line(&mut stays).is_none());
}

#[test]
fn what_a_client_writes_is_never_read() {
    let served = serve();
    let mut client = served.client();
    client.get_mut().set_nonblocking(true).unwrap();
    let noise = vec![b'x'; 65_536];
    // It ends when the kernel's buffer is full, because nobody takes anything out.
    while std::io::Write::write(client.get_mut(), &noise).is_ok() {}
    client.get_mut().set_nonblocking(false).unwrap();
    served.publisher.publish(&reading(7));
    assert_eq!(line(&mut client).unwrap()["sequence"], 7);
}

#[test]
fn one_client_too_many_is_told_so() {
    let served = serve();
    let mut kept: Vec<_> = (0..socket::MAX_CLIENTS).map(|_| served.client()).collect();
    let mut extra = BufReader::new(UnixStream::connect(&served.path).unwrap());
    assert_eq!(line(&mut extra).unwrap()["hello"], "sonofuse", "first and once, to everybody");
    let refusal = line(&mut extra).unwrap();
    assert_eq!(refusal["limit"], socket::MAX_CLIENTS);
    assert!(line(&mut extra).is_none());
    // A place that is left can be taken again, once the daemon has noticed.
    drop(kept.pop());
    for sequence in 0..2 {
        served.publisher.publish(&reading(sequence));
        served.until("the refusal", |counts| counts.refused() == 1);
    }
    served.until("a place is free", |counts| {
        served.publisher.publish(&reading(9));
        counts.clients() < socket::MAX_CLIENTS
    });
    served.client();
}

#[test]
fn the_stop_gives_the_last_reading_and_unlinks() {
    let mut served = serve();
    let mut client = served.client();
    served.publisher.publish(&reading(99));
    served.stop();
    assert_eq!(line(&mut client).unwrap()["sequence"], 99);
    assert!(line(&mut client).is_none());
    assert!(!served.path.exists());
    // A publisher that is still around does no harm.
    served.publisher.publish(&reading(100));
}

#[test]
fn a_stop_with_a_client_that_never_reads_still_ends() {
    let mut served = serve();
    let idle = served.client();
    for sequence in 0..3_000 {
        served.publisher.publish(&reading(sequence));
    }
    served.stop();
    assert!(!served.path.exists());
    drop(idle);
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("readings.sock");
    // std does not unlink: this is what a killed process leaves behind.
    drop(UnixListener::bind(&path).unwrap());
    let first = Listener::bind(&path).unwrap();
    assert_eq!(mode(&path), 0o660);
    let error = Listener::bind(&path).unwrap_err().to_string();
    assert!(error.contains("served by another process"), "{error}");
    assert!(path.exists(), "the live one is left alone");
    drop(first);
    assert!(!path.exists());
}

#[test]
fn something_that_is_no_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    std::fs::write(&path, "precious").unwrap();
    let error = Listener::bind(&path).unwrap_err().to_string();
    assert!(error.contains("not a socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    let missing = Listener::bind(&dir.path().join("none/readings.sock")).unwrap_err();
    assert!(missing.to_string().contains("none/readings.sock"), "{missing}");
    let long = Listener::bind(&dir.path().join("x".repeat(200))).unwrap_err();
    assert!(long.to_string().contains("107 bytes"), "{long}");
}

#[test]
fn only_the_socket_that_was_made_is_unlinked() {
    let mut served = serve();
    // Somebody else takes the path over while we run.
    std::fs::remove_file(&served.path).unwrap();
    let other = UnixListener::bind(&served.path).unwrap();
    served.stop();
    assert!(served.path.exists(), "the other's socket stays");
    drop(other);
}

#[test]
fn nothing_is_inherited_without_a_service_manager() {
    assert!(Listener::inherited().unwrap().is_none());
}

/// Not a test: the process that systemd would start, with a socket handed over.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn activated_child() {
    if std::env::var_os("LISTEN_FDS").is_none() {
        return;
    }
    let listener = Listener::inherited().unwrap().expect("a socket was handed over");
    assert_eq!(listener.path(), None, "it is not ours to unlink");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let readings = socket::serve(listener).unwrap();
        while readings.counts().accepted() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        readings.publisher().publish(&reading(5));
        readings.stop().await;
    });
}

#[test]
fn a_socket_of_the_service_manager_is_served_and_left_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("readings.sock");
    let activate = std::process::Command::new("systemd-socket-activate")
        .arg(format!("--listen={}", path.display()))
        .arg("--fdname=readings")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "activated_child", "--ignored"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    let mut activate = match activate {
        Ok(child) => child,
        Err(error) => {
            eprintln!("skipped: no systemd-socket-activate ({error}); apt install systemd");
            return;
        }
    };
    let stream = loop {
        if let Ok(stream) = UnixStream::connect(&path) {
            break stream;
        }
        assert!(activate.try_wait().unwrap().is_none(), "systemd-socket-activate ended");
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut client = BufReader::new(stream);
    assert_eq!(line(&mut client).unwrap()["hello"], "sonofuse");
    assert_eq!(line(&mut client).unwrap()["sequence"], 5);
    assert!(line(&mut client).is_none());
    // It replaced itself by the child, which ends when it has served.
    assert!(activate.wait().unwrap().success());
    assert!(path.exists(), "the service manager's socket stays");
}
