//! The times of a scenario's pictures, where its video signal changes its rate. Pure.

use crate::scenario::Scenario;

/// Pictures of one rate.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Number of its first picture.
    first: u64,
    start_s: f64,
    rate_hz: f64,
}

/// The pictures' times.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    segments: Vec<Segment>,
    frames: u64,
}

impl Signal {
    /// The pictures of `scenario` at `rate_hz`, times the factors of its events unless the signal is
    /// `steady`.
    pub(crate) fn new(scenario: &Scenario, rate_hz: f64, steady: bool) -> Self {
        let mut segments = vec![Segment { first: 0, start_s: 0.0, rate_hz }];
        let count = |s: &Segment, end_s: f64| {
            ((end_s - s.start_s) * s.rate_hz - 1e-6).ceil().max(0.0) as u64
        };
        for event in &scenario.events {
            let Some(factor) = event.rate_factor.filter(|_| !steady) else { continue };
            let last = segments[segments.len() - 1];
            let n = count(&last, event.at_s);
            let start_s = last.start_s + n as f64 / last.rate_hz;
            segments.push(Segment { first: last.first + n, start_s, rate_hz: rate_hz * factor });
        }
        let last = segments[segments.len() - 1];
        let frames = last.first + count(&last, scenario.form.length_s);
        Self { segments, frames }
    }

    /// Number of pictures.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// Time of picture `index`.
    pub(crate) fn at_s(&self, index: u64) -> f64 {
        let n = self.segments.partition_point(|s| s.first <= index).max(1);
        let s = &self.segments[n - 1];
        s.start_s + (index - s.first) as f64 / s.rate_hz
    }
}
