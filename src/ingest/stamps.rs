//! Holds time stamps to the clock: encoders and recorders stamp a picture hours ahead now and then,
//! and evidence ages by these stamps.
//!
//! One odd stamp is replaced by what it should have been; stamps that stay on another course for a
//! second are the source's new time. Runs on the streaming thread.

/// Largest difference between what passed on the clock and what passed by the stamps, from one
/// picture to the next.
const JUMP_NS: u64 = 5_000_000_000;
/// How long stamps must keep to another course until it is the source's.
const SETTLED_NS: u64 = 1_000_000_000;

/// A stamp, and when its picture came.
#[derive(Clone, Copy, Debug)]
struct Point {
    pts_ns: u64,
    captured_ns: u64,
}

impl Point {
    /// The stamp of a picture that comes at `captured_ns` on the same course.
    fn expected_ns(self, captured_ns: u64) -> u64 {
        self.pts_ns.saturating_add(captured_ns.saturating_sub(self.captured_ns))
    }

    fn leads_to(self, next: Self) -> bool {
        self.expected_ns(next.captured_ns).abs_diff(next.pts_ns) <= JUMP_NS
    }
}

/// Follows the stamps of one pipeline.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    last: Option<Point>,
    /// Another course: since when, and its newest stamp.
    other: Option<(u64, Point)>,
}

impl Stamps {
    /// The stamp to go by for a picture that came at `captured_ns` with `pts_ns`.
    pub(super) fn keep(&mut self, pts_ns: u64, captured_ns: u64) -> u64 {
        let next = Point { pts_ns, captured_ns };
        let Some(last) = self.last.filter(|last| !last.leads_to(next)) else {
            self.other = None;
            self.last = Some(next);
            return pts_ns;
        };
        let since_ns = match self.other {
            Some((since_ns, other)) if other.leads_to(next) => since_ns,
            _ => captured_ns,
        };
        if captured_ns.saturating_sub(since_ns) >= SETTLED_NS {
            self.other = None;
            self.last = Some(next);
            return pts_ns;
        }
        self.other = Some((since_ns, next));
        last.expected_ns(captured_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const HOURS: u64 = 9_800_000 * MS;

    #[test]
    fn one_stamp_hours_off_is_what_it_should_have_been() {
        for odd in [HOURS, 0] {
            let mut stamps = Stamps::default();
            for n in 0..200 {
                let (pts, now) = (50_000 * MS + n * 40 * MS, 7000 * MS + n * 40 * MS);
                let wild = n % 25 == 24;
                assert_eq!(stamps.keep(if wild { odd } else { pts }, now), pts, "picture {n}");
            }
        }
    }

    #[test]
    fn a_source_that_goes_on_at_another_time_is_followed_after_a_second() {
        let mut stamps = Stamps::default();
        for n in 0..50 {
            stamps.keep(n * 40 * MS, n * 40 * MS);
        }
        let moved: Vec<bool> =
            (50..100).map(|n| stamps.keep(HOURS + n * 40 * MS, n * 40 * MS) >= HOURS).collect();
        assert_eq!(moved.iter().position(|m| *m), Some(25));
        assert!(moved[25..].iter().all(|m| *m));
    }

    #[test]
    fn pauses_bursts_and_files_read_at_full_speed_keep_their_stamps() {
        let mut stamps = Stamps::default();
        for (pts, now) in [
            (0, 0),
            (40, 40),
            // Eight seconds of nothing, told by both.
            (8040, 8040),
            // What had been waiting comes at once, then a file's next pictures without a pace.
            (8080, 8041),
            (8120, 8041),
            (9120, 8042),
            (13_000, 8043),
        ] {
            assert_eq!(stamps.keep(pts * MS, now * MS), pts * MS);
        }
    }
}
