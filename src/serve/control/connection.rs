//! One peer of the control socket, from its first line to its end.

use std::time::Duration;

use serde_json::{Map, Value};
use sonofuse_core::control::{Answer, Done, Refused, RefusedKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use super::peer::Peer;
use super::{Desk, IDLE, LINE_WITHIN, MAX_LINE_BYTES, PER_SECOND, count, request};
use crate::serve::told::{By, Given, plain_values};
use crate::serve::{CUT_OFF, line, raised};

/// Why a peer is not heard any longer.
enum Gone {
    /// It left, or the daemon stops.
    Left,
    /// It said nothing for [`IDLE`], or did not take its answer.
    Silent,
    /// What it sends is no line.
    NoLine(Refused),
}

/// Serves one peer. A stop never interrupts a command at work: it is answered, then the peer is left.
pub(super) async fn serve(stream: UnixStream, desk: Desk) {
    let peer = match Peer::of(&stream) {
        Ok(peer) => peer,
        Err(error) => {
            count(&desk.counts.denied);
            warn!(MESSAGE_ID = crate::journal::CONTROL_NO_CREDENTIALS, EVENT = "control", ERROR = %error, "a peer without credentials is not heard");
            return;
        }
    };
    let mut connection = Connection { stream, buffer: Vec::new(), desk, peer, pace: Pace::new() };
    if !peer.may_command(connection.desk.group).await {
        count(&connection.desk.counts.denied);
        warn!(
            MESSAGE_ID = crate::journal::CONTROL_DENIED,
            EVENT = "control",
            UID = peer.uid,
            PID = peer.pid,
            "a peer that may not command"
        );
        let words = format!(
            "{peer} may not command: add the user to the socket's group (usermod -aG sonofuse NAME)"
        );
        let refused = Err(Refused::new(RefusedKind::NotAllowed, words));
        connection.tell("", Map::new(), &refused);
        let _ = connection.answer(&Answer::new(None, refused)).await;
        return;
    }
    debug!(EVENT = "control", UID = peer.uid, PID = peer.pid, "a peer connected");
    match connection.talk().await {
        Gone::Left => {}
        Gone::Silent => count(&connection.desk.counts.cut_off),
        Gone::NoLine(refused) => {
            count(&connection.desk.counts.cut_off);
            count(&connection.desk.counts.errors);
            warn!(
                MESSAGE_ID = crate::journal::CONTROL_CUT_OFF,
                EVENT = "control",
                UID = peer.uid,
                PID = peer.pid,
                WHY = refused.words,
                "cut off"
            );
            let _ = connection.answer(&Answer::new(None, Err(refused))).await;
        }
    }
}

struct Connection {
    stream: UnixStream,
    buffer: Vec<u8>,
    desk: Desk,
    peer: Peer,
    pace: Pace,
}

impl Connection {
    /// Reads commands and answers them until the peer is gone.
    async fn talk(&mut self) -> Gone {
        loop {
            let line = match self.next_line().await {
                Ok(line) => line,
                Err(gone) => return gone,
            };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            self.pace.keep().await;
            let answer = match request::parse(&line) {
                Ok(request) => {
                    let (verb, values) = (request.verb.as_str(), plain_values(&request.verb));
                    let result = (self.desk.obey)(request.verb).await;
                    self.log(verb, &result);
                    if verb != "status" {
                        self.tell(verb, values, &result);
                    }
                    Answer::new(request.id, result)
                }
                Err((id, refused)) => {
                    let result = Err(refused);
                    self.log("", &result);
                    self.tell("", Map::new(), &result);
                    Answer::new(id, result)
                }
            };
            if let Err(gone) = self.answer(&answer).await {
                return gone;
            }
        }
    }

    /// Tells whoever keeps account.
    fn tell(&self, verb: &str, values: Map<String, Value>, result: &Result<Done, Refused>) {
        let Peer { uid, pid, .. } = self.peer;
        (self.desk.tell)(Given::new(verb, values, By::Peer { uid, pid }, result));
    }

    /// Who commanded what, and what came of it. Never the values: a label may name a person.
    fn log(&self, verb: &str, result: &Result<Done, Refused>) {
        let Peer { uid, pid, .. } = self.peer;
        match result {
            Ok(_) => {
                count(&self.desk.counts.done);
                if verb == "status" {
                    debug!(EVENT = "command", VERB = verb, UID = uid, PID = pid);
                } else {
                    info!(
                        MESSAGE_ID = crate::journal::COMMAND_DONE,
                        EVENT = "command",
                        VERB = verb,
                        UID = uid,
                        PID = pid,
                        "done"
                    );
                }
            }
            Err(refused) => {
                count(&self.desk.counts.errors);
                let kind = refused.kind.as_str();
                info!(
                    MESSAGE_ID = crate::journal::COMMAND_REFUSED,
                    EVENT = "command",
                    VERB = verb,
                    UID = uid,
                    PID = pid,
                    KIND = kind,
                    "refused"
                );
            }
        }
    }

    /// The next line without its end; what stands before the end of the stream is one too.
    async fn next_line(&mut self) -> Result<Vec<u8>, Gone> {
        let mut since = Instant::now();
        loop {
            if let Some(end) = self.buffer.iter().position(|&b| b == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                return Ok(line);
            }
            let room = MAX_LINE_BYTES - self.buffer.len();
            if room == 0 {
                let words = format!("a line of more than {MAX_LINE_BYTES} bytes is no command");
                return Err(Gone::NoLine(Refused::new(RefusedKind::Malformed, words)));
            }
            let fresh = self.buffer.is_empty();
            let within = if fresh { IDLE } else { LINE_WITHIN };
            let mut some = [0; 1024];
            let most = room.min(some.len());
            let read = tokio::select! {
                biased;
                () = raised(&mut self.desk.stopped) => return Err(Gone::Left),
                read = tokio::time::timeout_at(since + within, self.stream.read(&mut some[..most])) => read,
            };
            match read {
                Err(_) if fresh => return Err(Gone::Silent),
                Err(_) => {
                    let words = format!("a line must be whole within {} s", LINE_WITHIN.as_secs());
                    return Err(Gone::NoLine(Refused::new(RefusedKind::Malformed, words)));
                }
                Ok(Err(_)) => return Err(Gone::Left),
                Ok(Ok(0)) if fresh => return Err(Gone::Left),
                Ok(Ok(0)) => return Ok(std::mem::take(&mut self.buffer)),
                Ok(Ok(n)) => {
                    if fresh {
                        since = Instant::now();
                    }
                    self.buffer.extend_from_slice(&some[..n]);
                }
            }
        }
    }

    async fn answer(&mut self, answer: &Answer) -> Result<(), Gone> {
        let line = line(answer);
        match timeout(CUT_OFF, self.stream.write_all(line.as_bytes())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Gone::Left),
            Err(_) => Err(Gone::Silent),
        }
    }
}

/// Keeps a peer to [`PER_SECOND`] commands a second; a second's worth may come at once.
struct Pace {
    /// When the next command is due, had they come evenly.
    due: Instant,
}

impl Pace {
    const EVERY: Duration = Duration::from_millis(1000 / PER_SECOND as u64);
    const BURST: Duration = Duration::from_secs(1);

    fn new() -> Self {
        Self { due: Instant::now() }
    }

    async fn keep(&mut self) {
        let now = Instant::now();
        self.due = self.due.max(now) + Self::EVERY;
        tokio::time::sleep_until(self.due - Self::BURST).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By a clock that only sleeping moves on.
    #[tokio::test(start_paused = true)]
    async fn a_seconds_worth_comes_at_once_and_the_rest_at_its_rate() {
        let begun = Instant::now();
        let mut pace = Pace::new();
        for _ in 0..PER_SECOND {
            pace.keep().await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..3 * PER_SECOND {
            pace.keep().await;
        }
        let took = begun.elapsed().as_millis();
        assert!((3_000..3_050).contains(&took), "{took} ms");
        // A pause earns no more than a second's worth.
        tokio::time::sleep(Duration::from_mins(1)).await;
        let begun = Instant::now();
        for _ in 0..2 * PER_SECOND {
            pace.keep().await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(950), "{:?}", begun.elapsed());
    }
}
