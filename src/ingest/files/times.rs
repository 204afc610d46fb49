//! When a file's pictures are shown: as its container says, and counted on where it says nothing or
//! stands still. On the reader's thread.

/// The rate of pictures that have no times and do not say one: that of ffmpeg for bare streams.
const NOMINAL_FPS: u64 = 25;

/// Follows the times of one file.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// Time of the newest picture, given or counted.
    newest: Option<gst::ClockTime>,
    /// The newest picture's own time, and what is added because such times stood still.
    own: Option<gst::ClockTime>,
    behind: gst::ClockTime,
    /// End of the newest picture.
    reached: gst::ClockTime,
    /// Longest picture.
    step: gst::ClockTime,
}

impl Times {
    /// When the next picture is: its own time and length, the rate of its stream. What had to be assumed
    /// is added to `notes`.
    pub(super) fn next(
        &mut self,
        own: Option<gst::ClockTime>,
        length: Option<gst::ClockTime>,
        rate: Option<gst::ClockTime>,
        notes: &mut Vec<String>,
    ) -> gst::ClockTime {
        let length = length.filter(|d| *d > gst::ClockTime::ZERO);
        let mut step = || length.or(rate).unwrap_or_else(|| nominal_step(notes));
        let at = match (own, self.newest) {
            (None, None) => gst::ClockTime::ZERO,
            (None, Some(newest)) => newest + step(),
            (Some(own), _) => {
                // Demuxers give times below zero all as one.
                if self.own == Some(own) {
                    self.behind += step();
                } else if self.own.is_some_and(|before| own < before) {
                    self.behind = gst::ClockTime::ZERO;
                }
                own + self.behind
            }
        };
        (self.newest, self.own) = (Some(at), own);
        let step = length.unwrap_or(gst::ClockTime::ZERO);
        self.step = self.step.max(step);
        self.reached = self.reached.max(at + step);
        at
    }

    /// End of the newest picture, and the longest one.
    pub(super) const fn end(&self) -> (gst::ClockTime, gst::ClockTime) {
        (self.reached, self.step)
    }
}

/// Time from picture to picture of a stream that has no times; told once.
fn nominal_step(notes: &mut Vec<String>) -> gst::ClockTime {
    let note = format!("has no times: {NOMINAL_FPS} pictures a second are assumed");
    if !notes.contains(&note) {
        notes.push(note);
    }
    gst::ClockTime::SECOND / NOMINAL_FPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_stand_still_or_are_missing_go_on() {
        let ms = gst::ClockTime::from_mseconds;
        let shown = |given: &[Option<u64>], rate: Option<u64>| {
            let (mut times, mut notes) = (Times::default(), Vec::new());
            let at = |own: &Option<u64>| {
                times.next(own.map(ms), None, rate.map(ms), &mut notes).mseconds()
            };
            (given.iter().map(at).collect::<Vec<_>>(), notes.len())
        };
        let still = [0, 80, 160, 160, 160, 240].map(Some);
        assert_eq!(shown(&still, Some(80)), (vec![0, 80, 160, 240, 320, 400], 0));
        assert_eq!(shown(&still, None), (vec![0, 80, 160, 200, 240, 320], 1));
        // One that goes back is the file's own new time.
        assert_eq!(shown(&[0, 80, 80, 0, 80].map(Some), Some(80)), (vec![0, 80, 160, 0, 80], 0));
        assert_eq!(shown(&[None, None, None], None), (vec![0, 40, 80], 1));
    }
}
