//! Metrics for Prometheus, on a TCP address of the configuration: none unless it names one.
//!
//! One tokio task accepts, at most [`MAX_SCRAPERS`] at a time; each gets one answer and the end. What is
//! counted is counted on the infer thread without a lock but the histograms' own ([`Meters::observe`]);
//! everything else is read when somebody asks. Nothing of a patient is among it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tracing::{info, warn};

use super::raised;

pub mod machine;
mod meters;

pub use meters::{Meters, Sample};

/// Scrapers at a time; one more is closed.
pub const MAX_SCRAPERS: usize = 8;
/// Longest head of a request, bytes.
const MAX_HEAD_BYTES: usize = 8192;
/// How long a request may take to come, and its answer to be taken.
const WITHIN: Duration = Duration::from_secs(5);
/// What the page is: `OpenMetrics`.
const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `[metrics]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Address and port (`127.0.0.1:9464`), or `none`.
    pub address: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { address: "none".into() }
    }
}

impl Settings {
    /// The address; `None` for none.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn address(&self) -> Result<Option<SocketAddr>, String> {
        if self.address == "none" {
            return Ok(None);
        }
        let address = self.address.parse().map_err(|_| {
            format!(
                "metrics.address is {:?}: give an address with its port (\"127.0.0.1:9464\", \"[::1]:9464\"), or \"none\"",
                self.address
            )
        });
        address.map(Some)
    }
}

/// The metrics in service.
#[derive(Debug)]
pub struct Metrics {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What is read when somebody asks.
pub type Read = Arc<dyn Fn() -> Sample + Send + Sync>;

/// Serves on the current tokio runtime.
///
/// # Errors
/// When the runtime does not take the socket.
///
/// # Panics
/// Outside a tokio runtime, which is a fault of the program.
pub fn serve(
    listener: std::net::TcpListener,
    meters: Arc<Meters>,
    read: Read,
) -> std::io::Result<Metrics> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let listener = TcpListener::from_std(listener)?;
    info!(MESSAGE_ID = crate::journal::METRICS_SERVED, EVENT = "metrics", ADDRESS = %address, "metrics are served");
    if !address.ip().is_loopback() {
        warn!(MESSAGE_ID = crate::journal::METRICS_OPEN, EVENT = "metrics", STATE = "open", ADDRESS = %address, "whoever reaches this address reads the metrics");
    }
    let (stop, stopped) = watch::channel(false);
    let page = Arc::new(move || meters.page(&read()));
    Ok(Metrics { stop, task: tokio::spawn(accept(listener, page, stopped)) })
}

impl Metrics {
    /// Closes the socket; who is being answered is left.
    pub async fn stop(self) {
        // The receiver may be gone already.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

type Page = Arc<dyn Fn() -> String + Send + Sync>;

async fn accept(listener: TcpListener, page: Page, mut stopped: watch::Receiver<bool>) {
    let mut inside = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = raised(&mut stopped) => return,
            Some(_) = inside.join_next(), if !inside.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if inside.len() < MAX_SCRAPERS => {
                inside.spawn(answer(stream, Arc::clone(&page)));
            }
            // One too many is closed.
            Ok(_) => {}
            // Out of descriptors, or it left again: a pause, so that this cannot spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// One request, one answer.
async fn answer(mut stream: TcpStream, page: Page) {
    let Ok(Some(head)) = timeout(WITHIN, head(&mut stream)).await else { return };
    let mut words = head.split(|b| b" \r\n".contains(b));
    let (status, body) = match (words.next(), words.next()) {
        (Some(b"GET" | b"HEAD"), Some(b"/metrics")) => {
            // Looks into /sys and at the disk: not on the thread that serves the others.
            let made = tokio::task::spawn_blocking(move || page()).await;
            made.map_or(("500 Internal Server Error", String::new()), |page| ("200 OK", page))
        }
        (Some(b"GET" | b"HEAD"), _) => ("404 Not Found", "metrics are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "GET /metrics\n".to_owned()),
    };
    let kind = if status == "200 OK" { KIND } else { "text/plain; charset=utf-8" };
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    if !head.starts_with(b"HEAD") {
        answer += &body;
    }
    // Whoever does not take it has none.
    let _ = timeout(WITHIN, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

/// The head of a request; `None` where it is too long, or ends early.
async fn head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut some = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let n = stream.read(&mut some).await.ok().filter(|&n| n > 0)?;
        head.extend_from_slice(&some[..n]);
        if head.len() > MAX_HEAD_BYTES {
            return None;
        }
    }
    Some(head)
}
