//! What the service manager says about the installed daemon.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Finding;
use super::probe::Machine;

const AREA: &str = "service";
const UNIT: &str = "sonofuse.service";
/// A service manager that takes longer to answer is itself in trouble.
const PATIENCE: Duration = Duration::from_secs(3);

/// State of the installed unit and its sockets.
pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let mut all = vec![unit(machine)];
    for name in machine.names("/run/sonofuse") {
        if Path::new(&name).extension().is_some_and(|e| e == "sock") {
            all.push(Finding::ok(AREA, "socket", format!("/run/sonofuse/{name}")));
        }
    }
    all
}

fn unit(machine: &Machine) -> Finding {
    if !machine.path("/run/systemd/system").is_dir() {
        let todo = "start sonofuse by hand: `sonofuse run`";
        return Finding::optional(AREA, "systemd", "not running here", todo);
    }
    if !machine.is_this() {
        return Finding::optional(AREA, UNIT, "not asked", "");
    }
    let Some(said) = ask_systemctl() else {
        let found = "systemctl did not answer within 3 s";
        return Finding::optional(AREA, UNIT, found, "look at `systemctl status`");
    };
    let get = |key: &str| said.get(key).map_or("?", String::as_str);
    match get("LoadState") {
        "loaded" => {
            let found = format!(
                "{} ({}), {}, restarted {} times, last result {}",
                get("ActiveState"),
                get("SubState"),
                get("UnitFileState"),
                get("NRestarts"),
                get("Result")
            );
            if get("ActiveState") == "failed" {
                let todo = format!("journalctl -u {UNIT} -b");
                Finding::optional(AREA, UNIT, found, todo)
            } else {
                Finding::ok(AREA, UNIT, found)
            }
        }
        state => {
            let todo = "only needed to start with the machine: install the package";
            Finding::optional(AREA, UNIT, format!("not installed ({state})"), todo)
        }
    }
}

/// `systemctl show` as key and value; `None` when it cannot be run or does not answer in time.
fn ask_systemctl() -> Option<HashMap<String, String>> {
    let mut child = Command::new("systemctl")
        .args(["show", UNIT, "--no-pager", "--property"])
        .arg("LoadState,ActiveState,SubState,UnitFileState,NRestarts,Result")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + PATIENCE;
    // Its few lines fit the pipe's buffer, so it ends without being read meanwhile.
    while child.try_wait().ok()?.is_none() {
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut text = String::new();
    child.stdout.take()?.take(64 << 10).read_to_string(&mut text).ok()?;
    let pairs = text.lines().filter_map(|l| l.split_once('='));
    Some(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
}
