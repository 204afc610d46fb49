//! When each frame of a cine was: frame time, frame time vector, rates (PS3.3 C.7.6.5).

use super::elements::Tag;

/// Time from frame to frame of a cine that does not say: 30 Hz, the usual rate of B-mode loops.
const USUAL_STEP_MS: f64 = 1000.0 / 30.0;

const FRAME_TIME: Tag = (0x0018, 0x1063);
const FRAME_TIME_VECTOR: Tag = (0x0018, 0x1065);

/// What a file says about its frames' times.
#[derive(Debug, Default)]
pub(super) struct TimeFacts {
    /// Frame Increment Pointer: which of them is meant.
    pointer: Option<Tag>,
    frame_time_ms: Option<f64>,
    vector_ms: Vec<f64>,
    cine_rate_hz: Option<f64>,
    display_rate_hz: Option<f64>,
}

impl TimeFacts {
    /// Tells whether [`Self::take`] uses the element.
    pub(super) fn wants(tag: Tag) -> bool {
        matches!(
            tag,
            FRAME_TIME | FRAME_TIME_VECTOR | (0x0018, 0x0040) | (0x0008, 0x2144) | (0x0028, 0x0009)
        )
    }

    /// Takes one element's value. A value that cannot be read, or is no time, counts as absent.
    pub(super) fn take(&mut self, tag: Tag, value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        let mut numbers = text.split('\\').map(|n| n.trim_matches(['\0', ' ']).parse::<f64>());
        let mut positive = || numbers.next()?.ok().filter(|n| n.is_finite() && *n > 0.0);
        match tag {
            FRAME_TIME => self.frame_time_ms = positive(),
            FRAME_TIME_VECTOR => {
                let steps: Result<Vec<f64>, _> = numbers.collect();
                let usable = |s: &Vec<f64>| s.iter().all(|t| t.is_finite() && *t >= 0.0);
                self.vector_ms = steps.ok().filter(usable).unwrap_or_default();
            }
            (0x0018, 0x0040) => self.cine_rate_hz = positive().filter(|r| *r >= 0.01),
            (0x0008, 0x2144) => self.display_rate_hz = positive().filter(|r| *r >= 0.01),
            (0x0028, 0x0009) => {
                if let Some(&[g0, g1, e0, e1]) = value.first_chunk() {
                    self.pointer =
                        Some((u16::from_le_bytes([g0, g1]), u16::from_le_bytes([e0, e1])));
                }
            }
            _ => {}
        }
    }

    /// The times of a cine.
    pub(super) fn times(self) -> Times {
        // One time in it is none: the first counts from nothing.
        let vector = (self.vector_ms.iter().skip(1).any(|t| *t > 0.0)).then_some(self.vector_ms);
        let step = self.frame_time_ms;
        let rates = self.cine_rate_hz.or(self.display_rate_hz).map(|hz| 1000.0 / hz);
        match (self.pointer, step, vector) {
            (Some(FRAME_TIME_VECTOR), _, Some(vector)) | (_, None, Some(vector)) => {
                Times::of_vector(&vector)
            }
            (_, Some(step), _) => Times { starts_ms: Vec::new(), step_ms: step, said: true },
            (_, None, None) => Times {
                starts_ms: Vec::new(),
                step_ms: rates.unwrap_or(USUAL_STEP_MS),
                said: rates.is_some(),
            },
        }
    }
}

/// The frames' times.
#[derive(Clone, Debug)]
pub(super) struct Times {
    /// Of the first frames, where each has its own.
    starts_ms: Vec<f64>,
    /// From frame to frame, after those.
    step_ms: f64,
    /// The file says it.
    said: bool,
}

impl Times {
    /// Each increment is the time since the frame before (PS3.3 C.7.6.5.1.2).
    fn of_vector(steps_ms: &[f64]) -> Self {
        let starts_ms = steps_ms
            .iter()
            .enumerate()
            .scan(0.0, |at, (n, step)| {
                // The first frame is at the beginning, whatever its increment says.
                *at += if n == 0 { 0.0 } else { *step };
                Some(*at)
            })
            .collect();
        let step_ms = steps_ms.last().copied().filter(|t| *t > 0.0).unwrap_or(USUAL_STEP_MS);
        Self { starts_ms, step_ms, said: true }
    }

    /// Whether the file says them.
    pub(super) fn said(&self) -> bool {
        self.said
    }

    /// When frame `n` was, in nanoseconds from the first.
    pub(super) fn at_ns(&self, n: u32) -> u64 {
        let n = n as usize;
        let ms = match (self.starts_ms.get(n), self.starts_ms.last()) {
            (Some(start), _) => *start,
            (None, Some(last)) => last + (n + 1 - self.starts_ms.len()) as f64 * self.step_ms,
            (None, None) => n as f64 * self.step_ms,
        };
        (ms * 1e6) as u64
    }
}
