//! A daemon in a folder of its own, as a service manager starts it, and `sonofuse` beside it.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::command::{Ran, command, schema};

/// A limit that only ends a test that has failed anyway.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A running daemon.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    lines: Receiver<Value>,
    stderr: Option<ChildStderr>,
    /// What it tells its service manager.
    manager: UnixDatagram,
    pub(crate) dir: tempfile::TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one by the configuration `config`, in a folder where `DIR` in it leads to.
pub(crate) fn daemon(config: &str, args: &[&str]) -> Daemon {
    daemon_in(tempfile::tempdir().unwrap(), config, args)
}

/// Starts one in `dir`.
pub(crate) fn daemon_in(dir: tempfile::TempDir, config: &str, args: &[&str]) -> Daemon {
    daemon_by(command(), dir, config, args)
}

/// Starts one that a file's limit does not kill: it is told so, as by a full disk.
pub(crate) fn limited_daemon(config: &str, args: &[&str]) -> Daemon {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_sonofuse")]);
    shell.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    daemon_by(shell, tempfile::tempdir().unwrap(), config, args)
}

/// Starts one in `dir` that has a state folder there, `state`, as the service has.
pub(crate) fn keeping_daemon(dir: tempfile::TempDir, config: &str, args: &[&str]) -> Daemon {
    fs::create_dir_all(dir.path().join("state")).unwrap();
    let mut shell = Command::new("sh");
    let words = "export STATE_DIRECTORY=\"$XDG_STATE_HOME\"; exec \"$0\" \"$@\"";
    shell.args(["-c", words, env!("CARGO_BIN_EXE_sonofuse")]);
    shell.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    daemon_by(shell, dir, config, args)
}

fn daemon_by(mut command: Command, dir: tempfile::TempDir, config: &str, args: &[&str]) -> Daemon {
    let notify = dir.path().join("notify");
    let _ = fs::remove_file(&notify);
    let manager = UnixDatagram::bind(&notify).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let file = dir.path().join("c.toml");
    fs::write(&file, config.replace("DIR", dir.path().to_str().unwrap())).unwrap();
    let mut child = command
        .args(["run", "--json", "--config"])
        .arg(&file)
        .args(args)
        .env("XDG_RUNTIME_DIR", dir.path())
        // What it saves is gone with the test.
        .env("XDG_STATE_HOME", dir.path().join("state"))
        .env("NOTIFY_SOCKET", &notify)
        .env_remove("STATE_DIRECTORY")
        .env_remove("RUNTIME_DIRECTORY")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            // A kill may cut the last one.
            let Ok(line) = serde_json::from_str(&line) else { break };
            schema::check(&line);
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let stderr = child.stderr.take();
    Daemon { child, lines, stderr, manager, dir }
}

impl Daemon {
    /// The next reading for which `holds`.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let next = || self.lines.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("{what}: {e}"));
        std::iter::repeat_with(next).find(|line| holds(line)).unwrap()
    }

    /// Another configuration in its file; `DIR` is its folder.
    pub(crate) fn configure(&self, config: &str) {
        let config = config.replace("DIR", self.dir.path().to_str().unwrap());
        fs::write(self.dir.path().join("c.toml"), config).unwrap();
    }

    /// What it told its service manager until a message for which `holds`, that one included.
    pub(crate) fn told_until(&self, what: &str, holds: impl Fn(&str) -> bool) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let mut bytes = [0; 4096];
            let n =
                self.manager.recv(&mut bytes).unwrap_or_else(|e| panic!("{what}: {e}, {all:?}"));
            all.push(String::from_utf8(bytes[..n].to_vec()).unwrap());
            if holds(all.last().unwrap()) {
                return all;
            }
        }
    }

    /// `sonofuse` beside it, that finds it by itself.
    pub(crate) fn sonofuse(&self, words: &[&str]) -> Ran {
        let output = command()
            .args(words)
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env_remove("RUNTIME_DIRECTORY")
            .env_remove("STATE_DIRECTORY")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(!err.contains("panicked"), "{err}");
        Ran { code: output.status.code().unwrap(), out, err }
    }

    /// What a command that is done says.
    pub(crate) fn done(&self, words: &[&str]) -> Value {
        let words: Vec<&str> = ["ctl"].iter().chain(words).chain(&["--json"]).copied().collect();
        let ran = self.sonofuse(&words);
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
        ran.json().remove(0)["answer"].clone()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it by `signal`; its log and its folder.
    pub(crate) fn end_by(mut self, signal: Signal) -> (String, tempfile::TempDir) {
        self.signal(signal);
        let mut stderr = self.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        self.lines.iter().for_each(drop);
        let status = self.child.wait().unwrap();
        assert_eq!(status.success(), signal == Signal::TERM, "{status}");
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        (log.join().unwrap(), dir)
    }

    /// Ends it as a service manager does; its log.
    pub(crate) fn end(self) -> String {
        self.end_by(Signal::TERM).0
    }
}
