//! The control socket with real sockets: commands and answers, and peers that mean no good.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sonofuse::serve::control::{self, Control, Counts, MAX_LINE_BYTES, MAX_PEERS, Obey};
use sonofuse::serve::{Listener, told};
use sonofuse_core::control::{Done, Refused, RefusedKind, VERBS, Verb};

#[path = "common/schema.rs"]
mod schema;

struct Served {
    runtime: tokio::runtime::Runtime,
    control: Option<Control>,
    path: PathBuf,
    /// What was commanded.
    verbs: Arc<Mutex<Vec<Verb>>>,
    _dir: tempfile::TempDir,
}

/// Bytes of an answer that no kernel buffer takes.
const HUGE: usize = 4 << 20;

/// A control socket behind which every command is done; `reset` has a very long answer, `pause` takes
/// its time.
fn serve() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let verbs: Arc<Mutex<Vec<Verb>>> = Arc::default();
    let done = Arc::clone(&verbs);
    let obey: Obey = Arc::new(move |verb| {
        let word = verb.as_str();
        let (slow, long) = (matches!(verb, Verb::Pause(_)), matches!(verb, Verb::Reset(_)));
        done.lock().unwrap().push(verb);
        Box::pin(async move {
            if slow {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if long {
                return Err(Refused::new(RefusedKind::Failed, "x".repeat(HUGE)));
            }
            Ok(Done { verb: word, ..Done::default() })
        })
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let control = {
        let _inside = runtime.enter();
        control::serve(Listener::bind(&path).unwrap(), obey, told::nobody()).unwrap()
    };
    Served { runtime, control: Some(control), path, verbs, _dir: dir }
}

impl Served {
    fn counts(&self) -> &Counts {
        self.control.as_ref().unwrap().counts()
    }

    /// Waits until `holds`; the limit only ends a test that has failed anyway.
    fn until(&self, what: &str, holds: impl Fn(&Counts) -> bool) {
        for _ in 0..6000 {
            if holds(self.counts()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{what} never happened: {:?}", self.counts());
    }

    fn peer(&self) -> Peer {
        Peer(BufReader::new(UnixStream::connect(&self.path).unwrap()))
    }

    fn stop(&mut self) {
        if let Some(control) = self.control.take() {
            self.runtime.block_on(control.stop());
        }
    }
}

struct Peer(BufReader<UnixStream>);

impl Peer {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The next answer, held against its schema; `None` at the end.
    fn answer(&mut self) -> Option<Value> {
        let mut text = String::new();
        match self.0.read_line(&mut text) {
            Ok(0) => None,
            Ok(_) => {
                let answer = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
                schema::check(&answer);
                Some(answer)
            }
            // It closed before it had read all that was sent.
            Err(e) if e.kind() == ErrorKind::ConnectionReset => None,
            Err(e) => panic!("{e}"),
        }
    }

    fn ask(&mut self, line: &str) -> Value {
        self.send(format!("{line}\n"));
        self.answer().unwrap_or_else(|| panic!("no answer to {line}"))
    }
}

#[test]
fn a_command_is_done_and_its_answer_has_its_id() {
    let served = serve();
    let mode = std::fs::metadata(&served.path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o660, "the group's");
    let mut peer = served.peer();
    for id in [json!(1), json!("a"), json!(null)] {
        let answer = peer.ask(&json!({"id": id, "verb": "status"}).to_string());
        assert_eq!((&answer["id"], &answer["answer"]["verb"]), (&id, &json!("status")));
        assert_eq!(answer["notice"], sonofuse_core::NOTICE);
    }
    // The last line of a peer that has no more to say needs no end.
    peer.send(r#"{"id":9,"verb":"mark","label":"A1"}"#);
    peer.0.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(peer.answer().unwrap()["id"], 9);
    assert_eq!(peer.answer(), None);
    assert_eq!(served.verbs.lock().unwrap().len(), 4);
}

#[test]
fn commands_of_one_peer_are_done_in_their_order_however_they_are_cut_up() {
    let served = serve();
    let mut peer = served.peer();
    let lines: String = (0..12)
        .map(|id| format!("\n{{\"id\":{id},\"verb\":\"pause\"}}\n  \n"))
        .collect::<Vec<_>>()
        .concat();
    for piece in lines.as_bytes().chunks(7) {
        peer.send(piece);
    }
    for id in 0..12 {
        assert_eq!(peer.answer().unwrap()["id"], id);
    }
}

#[test]
fn garbage_gets_an_error_object_and_the_next_command_is_done() {
    let served = serve();
    let mut peer = served.peer();
    let deep = "[".repeat(4000);
    let cases: [(&[u8], &str); 9] = [
        (b"\x00\xff\xfe{}", "malformed"),
        (b"status", "malformed"),
        (b"{\"verb\":\"status\"", "malformed"),
        (deep.as_bytes(), "malformed"),
        (b"{}", "unknown-verb"),
        (b"{\"verb\":\"shutdown\"}", "unknown-verb"),
        (b"{\"verb\":\"explain\",\"map\":1}", "wrong-value"),
        (b"{\"verb\":\"status\",\"x\":1}", "wrong-value"),
        (b"{\"verb\":\"mark\",\"label\":\"../../etc\"}", "wrong-value"),
    ];
    for (line, kind) in cases {
        peer.send([line, b"\n"].concat());
        let answer = peer.answer().unwrap();
        assert_eq!(answer["error"]["kind"], kind, "{:?}", String::from_utf8_lossy(line));
        let listed = answer["error"]["verbs"].as_array().map_or(0, Vec::len);
        assert_eq!(listed, if kind == "unknown-verb" { VERBS.len() } else { 0 });
    }
    assert_eq!(peer.ask(r#"{"id":1,"verb":"status"}"#)["answer"]["verb"], "status");
    assert_eq!(served.verbs.lock().unwrap().len(), 1, "nothing else was done");
    assert_eq!(served.counts().errors(), cases.len() as u64);
}

#[test]
fn noise_of_every_kind_leaves_the_socket_in_service() {
    let served = serve();
    let mut seed = 7u64;
    let mut byte = || {
        // Knuth's MMIX generator: the noise is the same each time.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as u8
    };
    let good =
        br#"{"id":1,"verb":"mark","nodule":1,"plane":"transverse","side":"left","label":"A1"}"#;
    for round in 0..40 {
        let mut line = good.to_vec();
        if round % 2 == 0 {
            for _ in 0..=round {
                let at = usize::from(byte()) % line.len();
                line[at] = byte();
            }
        } else {
            line = (0..200 + round * 40).map(|_| byte()).collect();
        }
        let mut peer = served.peer();
        peer.send([&line, &b"\n"[..]].concat());
        peer.0.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
        while let Some(answer) = peer.answer() {
            assert!(answer.get("answer").is_some() != answer.get("error").is_some(), "{answer}");
        }
    }
    assert_eq!(served.peer().ask(r#"{"verb":"status"}"#)["answer"]["verb"], "status");
}

#[test]
fn a_line_without_end_costs_one_buffer_and_ends_the_connection() {
    let served = serve();
    let mut peer = served.peer();
    let noise = vec![b'x'; 65_536];
    let mut sent = 0u64;
    // A gibibyte, if anybody took it.
    while sent < 1 << 30 {
        match peer.0.get_mut().write(&noise) {
            Ok(n) => sent += n as u64,
            Err(_) => break,
        }
    }
    assert!(sent < 1 << 21, "{sent} bytes were taken");
    let answer = peer.answer().unwrap();
    assert_eq!(answer["error"]["kind"], "malformed");
    assert!(answer["error"]["words"].as_str().unwrap().contains(&MAX_LINE_BYTES.to_string()));
    assert_eq!(peer.answer(), None);
    assert_eq!(served.counts().cut_off(), 1);
    // A line that just fits is a line.
    let mut peer = served.peer();
    let mut line = br#"{"id":1,"verb":"status"}"#.to_vec();
    line.resize(MAX_LINE_BYTES - 1, b' ');
    line.push(b'\n');
    peer.send(line);
    assert_eq!(peer.answer().unwrap()["id"], 1);
}

#[test]
fn a_line_that_takes_for_ever_ends_the_connection() {
    let served = serve();
    let mut peer = served.peer();
    peer.send(r#"{"id":1,"#);
    let answer = peer.answer().unwrap();
    assert!(answer["error"]["words"].as_str().unwrap().contains("whole within"), "{answer}");
    assert_eq!(peer.answer(), None);
    served.until("its place is free", |counts| counts.peers() == 0);
}

#[test]
fn a_peer_that_takes_no_answer_is_cut_off_and_the_others_are_served() {
    let served = serve();
    let mut idle = served.peer();
    idle.send("{\"verb\":\"reset\"}\n");
    let mut other = served.peer();
    for id in 0..5 {
        assert_eq!(other.ask(&format!("{{\"id\":{id},\"verb\":\"status\"}}"))["id"], id);
    }
    served.until("cut off", |counts| counts.cut_off() == 1);
    served.until("its place is free", |counts| counts.peers() == 1);
    let mut rest = Vec::new();
    idle.0.read_to_end(&mut rest).unwrap();
    assert!(rest.len() < HUGE, "it was not cut off");
}

#[test]
fn five_hundred_connections_harm_nobody() {
    let served = serve();
    let mut first = served.peer();
    assert_eq!(first.ask(r#"{"id":0,"verb":"status"}"#)["id"], 0);
    let mut many: Vec<Peer> = (0..500).map(|_| served.peer()).collect();
    served.until("the refusals", |counts| counts.refused() == 500 - (MAX_PEERS as u64 - 1));
    assert_eq!(first.ask(r#"{"id":1,"verb":"status"}"#)["id"], 1);
    let mut told = 0;
    for peer in &mut many[MAX_PEERS..] {
        let answer = peer.answer().unwrap();
        assert_eq!(answer["limit"], MAX_PEERS);
        assert_eq!(peer.answer(), None);
        told += 1;
    }
    assert_eq!(told, 500 - MAX_PEERS);
    drop(many);
    served.until("the places are free", |counts| counts.peers() == 1);
    assert_eq!(served.peer().ask(r#"{"id":2,"verb":"status"}"#)["id"], 2);
}

#[test]
fn a_fast_peer_loses_nothing() {
    let served = serve();
    let mut peer = served.peer();
    let lines: String = (0..50)
        .map(|id| format!("{{\"id\":{id},\"verb\":\"status\"}}\n"))
        .collect::<Vec<_>>()
        .concat();
    peer.send(lines);
    for id in 0..50 {
        assert_eq!(peer.answer().unwrap()["id"], id);
    }
}

#[test]
fn the_stop_answers_the_command_at_work_leaves_idle_peers_and_unlinks() {
    let mut served = serve();
    let mut idle = served.peer();
    let mut busy = served.peer();
    busy.send("{\"id\":1,\"verb\":\"pause\"}\n");
    while served.verbs.lock().unwrap().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    served.stop();
    assert_eq!(busy.answer().unwrap()["id"], 1);
    assert_eq!(busy.answer(), None);
    assert_eq!(idle.answer(), None);
    assert!(!served.path.exists());
}

/// What `ctl` says as another user; `None` where it cannot be tried.
fn ctl_as(served: &Served, uid: u32, gid: u32) -> Option<(Option<i32>, String)> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can be somebody else");
        return None;
    }
    let folder = served.path.parent().unwrap();
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_sonofuse"));
    ctl.args(["ctl", "status", "--socket"]).arg(&served.path).uid(uid).gid(gid);
    match ctl.stdin(Stdio::null()).current_dir("/").output() {
        Ok(output) => {
            Some((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
        }
        Err(e) => {
            eprintln!("skipped: another user cannot run the binary here ({e})");
            None
        }
    }
}

#[test]
fn a_user_outside_of_the_group_cannot_command_even_where_the_mode_was_loosened() {
    const NOBODY: u32 = 65_534;
    let served = serve();
    let Some((code, said)) = ctl_as(&served, NOBODY, NOBODY) else { return };
    assert_eq!(code, Some(77), "the mode keeps them out: {said}");
    assert_eq!(served.counts().denied(), 0);
    std::fs::set_permissions(&served.path, PermissionsExt::from_mode(0o666)).unwrap();
    let Some((code, said)) = ctl_as(&served, NOBODY, NOBODY) else { return };
    assert_eq!(code, Some(77), "{said}");
    assert!(said.contains("may not command"), "{said}");
    assert_eq!(served.counts().denied(), 1);
    assert!(served.verbs.lock().unwrap().is_empty());
    // A member of the socket's group may.
    let Some((code, said)) = ctl_as(&served, NOBODY, rustix::process::getegid().as_raw()) else {
        return;
    };
    assert_eq!((code, said.as_str()), (Some(0), ""));
}
