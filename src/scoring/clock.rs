//! The time seam: everything in scoring that asks for the time asks a [`Clock`], so that tests bring
//! their own.

/// Nanoseconds of a clock that never goes back.
pub trait Clock {
    /// Now, in ns.
    fn now_ns(&self) -> u64;
}

impl<F: Fn() -> u64> Clock for F {
    fn now_ns(&self) -> u64 {
        self()
    }
}

/// This machine's monotonic clock: the clock of the pipelines and of `captured_ns`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0)
    }
}

/// Milliseconds between two times of a clock.
pub(super) fn ms(from_ns: u64, to_ns: u64) -> f32 {
    to_ns.saturating_sub(from_ns) as f32 / 1e6
}
