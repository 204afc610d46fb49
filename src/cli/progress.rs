//! A progress bar on standard error, where that is a terminal: how far, and how long it will still
//! take. Elsewhere nothing is written: a log file wants no bar. On the main thread.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the bar is drawn.
const EVERY: Duration = Duration::from_millis(200);
/// Before that, no time left can be told.
const LEARN: Duration = Duration::from_secs(1);
/// Cells of the bar.
const CELLS: usize = 24;
/// Characters of the line at most: one that a terminal of 80 columns breaks cannot be taken away again.
const WIDEST: usize = 79;

/// A bar that stands in the terminal's last line until it is cleared.
#[derive(Debug)]
pub(super) struct Progress {
    /// `None` where nobody watches.
    watched: Option<Watched>,
}

#[derive(Debug)]
struct Watched {
    begun: Instant,
    next: Instant,
    /// Characters that stand in the line.
    stands: usize,
}

impl Progress {
    /// Begins to count the time.
    pub(super) fn new() -> Self {
        let watched = io::stderr().is_terminal().then(|| {
            let now = Instant::now();
            Watched { begun: now, next: now + EVERY, stands: 0 }
        });
        Self { watched }
    }

    /// Draws the bar, now and then: `done` of all is behind, 0..=1, `None` where that cannot be told.
    pub(super) fn tell(&mut self, done: Option<f64>, what: &str) {
        let Some(watched) = &mut self.watched else { return };
        let now = Instant::now();
        if now < watched.next {
            return;
        }
        watched.next = now + EVERY;
        let text = line(done, now - watched.begun, what);
        let blank = watched.stands.saturating_sub(text.chars().count());
        watched.stands = text.chars().count();
        // A terminal that went away has nobody to tell.
        let _ = write!(io::stderr(), "\r{text}{:blank$}\r", "");
    }

    /// Takes the bar away: before another line is written, and at the end.
    pub(super) fn clear(&mut self) {
        let Some(watched) = &mut self.watched else { return };
        if watched.stands > 0 {
            let stands = std::mem::take(&mut watched.stands);
            let _ = write!(io::stderr(), "\r{:stands$}\r", "");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `[######      ]  52 %  1:07 left  what`.
fn line(done: Option<f64>, took: Duration, what: &str) -> String {
    let Some(done) = done.filter(|d| d.is_finite()).map(|d| d.clamp(0.0, 1.0)) else {
        return fit(what, WIDEST);
    };
    let full = (done * CELLS as f64) as usize;
    let left = if took >= LEARN && done > 0.0 {
        clock(took.as_secs_f64() * (1.0 - done) / done)
    } else {
        "-:--".into()
    };
    let percent = (done * 100.0) as u32;
    let bar =
        format!("[{}{}] {percent:3} %  {left} left  ", "#".repeat(full), " ".repeat(CELLS - full));
    let room = WIDEST.saturating_sub(bar.len());
    bar + &fit(what, room)
}

/// The end of `what` where all of it is too long: names differ there. What would move a terminal's
/// cursor is shown as a question mark.
fn fit(what: &str, room: usize) -> String {
    let plain = what.chars().map(|c| if c.is_control() { '?' } else { c });
    let over = what.chars().count().saturating_sub(room);
    if over == 0 {
        return plain.collect();
    }
    std::iter::once('…').chain(plain.skip(over + 1)).collect()
}

/// Seconds as `m:ss` or `h:mm:ss`.
fn clock(seconds: f64) -> String {
    let s = seconds.ceil() as u64;
    if s < 3600 {
        format!("{}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_tells_how_far_and_how_long_still() {
        let s = Duration::from_secs;
        for (done, took, expected) in [
            (Some(0.5), s(67), "[############            ]  50 %  1:07 left  a.mkv"),
            (Some(0.01), s(100), "[                        ]   1 %  2:45:00 left  a.mkv"),
            (Some(1.0), s(9), "[########################] 100 %  0:00 left  a.mkv"),
            (
                Some(0.2),
                Duration::from_millis(300),
                "[####                    ]  20 %  -:-- left  a.mkv",
            ),
            (Some(0.0), s(5), "[                        ]   0 %  -:-- left  a.mkv"),
            (None, s(5), "a.mkv"),
            (Some(f64::NAN), s(5), "a.mkv"),
        ] {
            assert_eq!(line(done, took, "a.mkv"), expected);
        }
    }

    #[test]
    fn a_long_name_does_not_break_the_line_of_a_terminal_of_80_columns() {
        let name = format!("/a/b/{}/left-lobe.mkv", "examination-".repeat(9));
        for done in [None, Some(0.5)] {
            let text = line(done, Duration::from_secs(67), &name);
            assert_eq!(text.chars().count(), 79, "{text}");
            assert!(text.ends_with("-/left-lobe.mkv"), "{text}");
        }
        assert_eq!(line(None, LEARN, "new\nline.mkv"), "new?line.mkv");
    }
}
