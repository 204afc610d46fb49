//! One viewer of the live picture, a tokio task. It has at most [`MOST`] pictures that it did not answer; while
//! it has as many nothing is encoded for it, and the next one is the newest then. So a slow viewer sees fewer
//! pictures and no late ones, and holds nobody else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::info;

use super::news::Event;
use super::rules::error;
use super::{House, MAX_VIEWERS, api};
use crate::journal;
use crate::serve::{CUT_OFF, raised};
use crate::shot::Geometry;

/// Pictures that a viewer may not have answered.
const MOST: u32 = 2;
/// Longest message of a viewer, bytes.
const MAX_MESSAGE_BYTES: usize = 4096;
/// How often a viewer hears something, so that it can tell silence.
const BEAT: Duration = Duration::from_millis(400);

/// Begins to show.
pub(super) async fn open(
    State(house): State<Arc<House>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let words = "this is a WebSocket";
        return error(StatusCode::UPGRADE_REQUIRED, "malformed", words);
    };
    let Ok(seat) = Arc::clone(&house.seats).try_acquire_owned() else {
        let words = format!("{MAX_VIEWERS} look already: close a page first");
        return error(StatusCode::SERVICE_UNAVAILABLE, "busy", &words);
    };
    let signed_in = api::signed(&house, &headers).is_ok();
    upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES).on_upgrade(
        move |socket| async move {
            let counts = Arc::clone(&house.counts);
            counts.viewers.fetch_add(1, Ordering::Relaxed);
            let viewer = Viewer { socket, signed_in, house, owed: 0, shown: None };
            if let Gone::TooSlow = viewer.serve().await {
                counts.cut_off.fetch_add(1, Ordering::Relaxed);
                info!(
                    MESSAGE_ID = journal::PAGE_CUT_OFF,
                    EVENT = "page",
                    STATE = "cut-off",
                    CUT_OFF_S = CUT_OFF.as_secs(),
                    "a viewer that took nothing was cut off"
                );
            }
            counts.viewers.fetch_sub(1, Ordering::Relaxed);
            drop(seat);
        },
    )
}

/// Why a viewer is not served any longer.
enum Gone {
    Left,
    TooSlow,
}

struct Viewer {
    socket: WebSocket,
    signed_in: bool,
    house: Arc<House>,
    /// Pictures that it did not answer.
    owed: u32,
    shown: Option<Geometry>,
}

impl Viewer {
    async fn serve(mut self) -> Gone {
        match self.show().await {
            Ok(()) => {
                // Whoever is gone takes no farewell.
                let _ = timeout(BEAT, self.socket.send(Message::Close(None))).await;
                Gone::Left
            }
            Err(gone) => gone,
        }
    }

    /// Shows until the daemon stops.
    async fn show(&mut self) -> Result<(), Gone> {
        let behind = self.house.behind.clone();
        let mut stopped = self.house.stopped.clone();
        let (mut events, mut readings) = (behind.news.events(), behind.news.readings());
        readings.mark_unchanged();
        let mut look = behind.shots.look();
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.hello().await?;
        behind.news.wake();
        look.want(true);
        loop {
            tokio::select! {
                () = raised(&mut stopped) => return Ok(()),
                said = self.socket.recv() => {
                    if is_seen(said)? {
                        self.owed = self.owed.saturating_sub(1);
                        look.want(self.owed < MOST);
                    }
                }
                shot = look.next(), if self.owed < MOST => {
                    if self.shown != Some(shot.geometry) {
                        self.shown = Some(shot.geometry);
                        self.say(&json!({ "frame": shot.geometry })).await?;
                    }
                    self.owed += 1;
                    look.want(self.owed < MOST);
                    self.send(Message::Binary(shot.jpeg.clone())).await?;
                    self.house.counts.sent.fetch_add(1, Ordering::Relaxed);
                }
                Ok(()) = readings.changed() => {
                    let reading = readings.borrow_and_update().clone();
                    if let Some(reading) = reading {
                        self.send(Message::Text(reading)).await?;
                    }
                }
                event = events.recv() => match event {
                    Ok(Event::Said(said)) => {
                        self.send(Message::Text(said.to(self.signed_in))).await?;
                    }
                    Ok(Event::Hello) => self.hello().await?,
                    // It missed some: the exam is told again soon.
                    Err(RecvError::Lagged(_)) => behind.news.wake(),
                    Err(RecvError::Closed) => return Ok(()),
                },
                _ = beat.tick() => {
                    self.send(Message::Text(Utf8Bytes::from_static("{\"alive\":true}"))).await?;
                }
            }
        }
    }

    async fn hello(&mut self) -> Result<(), Gone> {
        let hello = api::greeting(&self.house, self.signed_in);
        self.say(&json!({ "hello": hello })).await
    }

    async fn say(&mut self, said: &Value) -> Result<(), Gone> {
        self.send(Message::Text(said.to_string().into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(CUT_OFF, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Gone::Left),
            Err(_) => Err(Gone::TooSlow),
        }
    }
}

/// Tells whether a message answers a picture.
fn is_seen(said: Option<Result<Message, axum::Error>>) -> Result<bool, Gone> {
    match said {
        Some(Ok(Message::Text(text))) => {
            let said: Value = serde_json::from_str(&text).unwrap_or_default();
            Ok(said["seen"] == true)
        }
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Gone::Left),
        Some(Ok(_)) => Ok(false),
    }
}
