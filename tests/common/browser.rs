//! A real Chromium without a screen, steered over its debugging protocol. One at a time a test; it ends with it.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A limit that only ends a test that has failed anyway.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often a page is asked whether something holds.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// One browser at a time: with a daemon each they would take each other's breath.
static ALONE: Mutex<()> = Mutex::new(());

/// A browser with one tab.
pub(crate) struct Browser {
    child: Child,
    /// Dropped last: Chromium writes into it.
    profile: tempfile::TempDir,
    runtime: Runtime,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    next: u64,
    /// What the page complained about: errors that nobody caught, refused content, failed loads.
    pub(crate) complaints: Vec<String>,
    _alone: MutexGuard<'static, ()>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It has children of its own: they are of its group.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The browser's program; `None`, with a word, where there is none.
fn program() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.into_iter().find(|name| {
        let mut ran = Command::new(name);
        ran.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        ran.status().is_ok_and(|status| status.success())
    });
    if found.is_none() {
        eprintln!("skipped: there is no Chromium (apt-get install chromium)");
    }
    found
}

impl Browser {
    /// Starts one with an empty profile; `None` where the machine has none.
    pub(crate) fn start() -> Option<Self> {
        let program = program()?;
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let address = address(&profile.path().join("DevToolsActivePort"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // A picture of a large page is one message.
        let limits = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let connect = connect_async_with_config(address, Some(limits), true);
        let (socket, _) = runtime.block_on(connect).unwrap();
        let session = String::new();
        let mut browser = Self {
            child,
            profile,
            runtime,
            socket,
            session,
            next: 0,
            complaints: Vec::new(),
            _alone: alone,
        };
        let target = browser.send("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.send("Target.attachToTarget", target);
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.send(&format!("{domain}.enable"), json!({}));
        }
        browser.size(1280, 800);
        Some(browser)
    }

    /// Sends a command and waits for its answer.
    #[allow(clippy::needless_pass_by_value, reason = "what is sent is made for it")]
    pub(crate) fn send(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        let Self { runtime, socket, complaints, .. } = self;
        runtime.block_on(async {
            socket.send(Message::text(message.to_string())).await.unwrap();
            loop {
                let next = timeout(PATIENCE, socket.next()).await;
                let next = next.unwrap_or_else(|_| panic!("{method}: the browser is silent"));
                let Message::Text(text) = next.unwrap().unwrap() else { continue };
                let mut said: Value = serde_json::from_str(&text).unwrap();
                if said["id"] == id {
                    assert!(said["error"].is_null(), "{method}: {}", said["error"]);
                    return said["result"].take();
                }
                complaints.extend(complaint(&said));
            }
        })
    }

    /// The size of the window, in CSS pixels.
    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.send("Emulation.setDeviceMetricsOverride", size);
    }

    /// Opens an address and waits until it is read.
    pub(crate) fn open(&mut self, url: &str) {
        let went = self.send("Page.navigate", json!({ "url": url }));
        assert!(went["errorText"].is_null(), "{url}: {went}");
        self.until("the page is read", "document.readyState === 'complete'");
    }

    /// The value of an expression, its promise's where it is one.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut got = self.send("Runtime.evaluate", asked);
        assert!(got["exceptionDetails"].is_null(), "{expression}: {}", got["exceptionDetails"]);
        got["result"]["value"].take()
    }

    /// Waits until an expression holds; its value.
    pub(crate) fn until(&mut self, what: &str, expression: &str) -> Value {
        let begun = Instant::now();
        loop {
            let value = self.eval(&format!(
                "(() => {{ try {{ return {expression} }} catch {{ return null }} }})()"
            ));
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{what}: {expression} does not hold; the page says: {}\n{:?}",
                self.eval("document.body.innerText"),
                self.complaints
            );
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Presses a key, with `modifiers` (1 Alt, 2 Ctrl, 4 Meta, 8 Shift) held.
    pub(crate) fn press_with(&mut self, key: &str, modifiers: u32) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            "Escape" => ("Escape", 27, ""),
            " " => ("Space", 32, " "),
            "ArrowLeft" => (key, 37, ""),
            "ArrowUp" => (key, 38, ""),
            "ArrowRight" => (key, 39, ""),
            "ArrowDown" => (key, 40, ""),
            "Delete" => (key, 46, ""),
            letter => ("", u32::from(letter.bytes().next().unwrap().to_ascii_uppercase()), letter),
        };
        let mut event = json!({ "type": "keyDown", "key": key, "code": code, "modifiers": modifiers,
            "windowsVirtualKeyCode": number });
        if !text.is_empty() {
            event["text"] = text.into();
        }
        self.send("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        event.as_object_mut().unwrap().remove("text");
        self.send("Input.dispatchKeyEvent", event);
    }

    pub(crate) fn press(&mut self, key: &str) {
        self.press_with(key, 0);
    }

    /// Writes into what has the focus.
    pub(crate) fn write(&mut self, text: &str) {
        self.send("Input.insertText", json!({ "text": text }));
    }

    fn mouse(&mut self, what: &str, [x, y]: [f64; 2], buttons: u32) {
        let button = if what == "mouseMoved" { "none" } else { "left" };
        let event = json!({ "type": what, "x": x, "y": y, "button": button, "buttons": buttons,
            "clickCount": 1 });
        self.send("Input.dispatchMouseEvent", event);
    }

    /// Drags from one place of the window to another.
    pub(crate) fn drag(&mut self, from: [f64; 2], to: [f64; 2]) {
        self.mouse("mouseMoved", from, 0);
        self.mouse("mousePressed", from, 1);
        for part in [0.25, 0.5, 0.75, 1.0] {
            let at = [0, 1].map(|i| from[i] + (to[i] - from[i]) * part);
            self.mouse("mouseMoved", at, 1);
        }
        self.mouse("mouseReleased", to, 0);
    }

    /// Clicks in the middle of an element.
    pub(crate) fn click(&mut self, selector: &str) {
        self.until(selector, &format!("document.querySelector({selector:?}) !== null"));
        let at = self.eval(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{block:'center'}}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] }})()"
        ));
        let at = [0, 1].map(|i| at[i].as_f64().unwrap());
        self.mouse("mouseMoved", at, 0);
        self.mouse("mousePressed", at, 1);
        self.mouse("mouseReleased", at, 0);
    }

    /// Writes what the window shows into `path`, as PNG.
    pub(crate) fn picture(&mut self, path: &Path) {
        let shot = self.send("Page.captureScreenshot", json!({ "format": "png" }));
        fs::write(path, decoded(shot["data"].as_str().unwrap())).unwrap();
    }

    /// Where `SONOFUSE_LOOK` names a folder: a picture of the window for people to look at.
    pub(crate) fn look(&mut self, name: &str) {
        if let Some(folder) = std::env::var_os("SONOFUSE_LOOK") {
            self.picture(&Path::new(&folder).join(format!("{name}.png")));
        }
    }

    /// What the page complained about since the last time.
    pub(crate) fn complained(&mut self) -> Vec<String> {
        // An answer brings what was said before it.
        self.eval("0");
        std::mem::take(&mut self.complaints)
    }
}

/// Waits for the address that the browser wrote down.
fn address(file: &Path) -> String {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if let Some((port, path)) = text.split_once('\n').filter(|(_, path)| !path.is_empty()) {
            return format!("ws://127.0.0.1:{port}{}", path.trim());
        }
        assert!(begun.elapsed() < PATIENCE, "the browser does not start: {text:?}");
        std::thread::sleep(ASK_EVERY);
    }
}

fn complaint(said: &Value) -> Option<String> {
    let params = &said["params"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match said["method"].as_str()? {
        "Runtime.exceptionThrown" => {
            let details = &params["exceptionDetails"];
            Some(format!("{} {}", text(&details["text"]), details["exception"]["description"]))
        }
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            Some(format!("{} {}", text(&params["entry"]["text"]), text(&params["entry"]["url"])))
        }
        "Runtime.consoleAPICalled" if params["type"] == "error" => Some(params["args"].to_string()),
        _ => None,
    }
}

/// The bytes of base64.
pub(crate) fn decoded(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut have) = (0u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        bits = bits << 6 | u32::from(value(c));
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    out
}
