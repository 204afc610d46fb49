//! Which seeds belong to whom: simulated patients and drawn scanners. Everything that learns, chooses
//! or judges takes its share from here, so that no patient and no scanner is in two of them. Pure.

use std::ops::Range;

use crate::skin::Skin;

/// A share of the seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Whose it is.
    pub name: &'static str,
    /// Seeds of patients.
    pub patients: Range<u64>,
    /// Seeds of drawn scanners; empty where only named ones are shown.
    pub scanners: Range<u32>,
}

impl Share {
    /// Seed of the first patient.
    pub const fn first(&self) -> u64 {
        self.patients.start
    }

    /// The first `count` scanners of the share, at most as many as it has.
    pub fn skins(&self, count: u32) -> Vec<Skin> {
        let end = self.scanners.end.min(self.scanners.start.saturating_add(count));
        (self.scanners.start..end).map(Skin::Drawn).collect()
    }
}

const fn share(name: &'static str, first: u64, scanners: Range<u32>) -> Share {
    Share { name, patients: first..first + 5_000_000, scanners }
}

/// Whoever runs the simulator by hand: small seeds, which nothing learns from.
pub const BY_HAND: Share =
    Share { name: "by hand", patients: 0..10_000_000, scanners: 0..1_000_000 };
/// What the demo model is trained on.
pub const DEMO_TRAIN: Share = share("demo: train", 10_000_000, 1_000_000..2_000_000);
/// What it is stopped, calibrated and cut on.
pub const DEMO_VALIDATION: Share = share("demo: validation", 20_000_000, 2_000_000..3_000_000);
/// What it is judged on: named scanners.
pub const DEMO_TEST: Share = share("demo: test", 30_000_000, 0..0);
/// The paper's tables: one scanner.
pub const TABLES: Share = share("tables", 40_000_000, 4_000_000..5_000_000);
/// The one scanner of the tables, as the paper has one: the share's first that makes shear-wave maps
/// with red for hard and is found by the layout search (held by `tests/layout.rs`).
pub const TABLES_SCANNER: Skin = Skin::Drawn(4_000_001);
/// What the tables' networks learn before.
pub const SOURCE: Share = share("tables: source", 50_000_000, 5_000_000..6_000_000);
/// `sonofuse-train evaluate` and `explain`: named scanners.
pub const EVALUATE: Share = share("evaluate", 60_000_000, 0..0);
/// What a familiarity is fitted and judged on.
pub const FAMILIARITY: Share = share("familiarity", 70_000_000, 7_000_000..8_000_000);
/// What the error of an assessment is calibrated and tested on.
pub const ASSESSMENT: Share = share("assessment", 80_000_000, 8_000_000..9_000_000);
/// The test of what trivial features tell.
pub const LEAK: Share = share("leak test", 90_000_000, 9_000_000..10_000_000);
/// The distance of the named scanners to drawn ones.
pub const DISTANCE: Share = share("distance", 100_000_000, 10_000_000..11_000_000);

/// Every share.
pub const ALL: [&Share; 11] = [
    &BY_HAND,
    &DEMO_TRAIN,
    &DEMO_VALIDATION,
    &DEMO_TEST,
    &TABLES,
    &SOURCE,
    &EVALUATE,
    &FAMILIARITY,
    &ASSESSMENT,
    &LEAK,
    &DISTANCE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_patient_and_no_scanner_is_in_two_shares() {
        for (i, a) in ALL.iter().enumerate() {
            for b in &ALL[i + 1..] {
                let apart =
                    a.patients.end <= b.patients.start || b.patients.end <= a.patients.start;
                assert!(apart, "{} and {} share patients", a.name, b.name);
                let apart = a.scanners.end <= b.scanners.start
                    || b.scanners.end <= a.scanners.start
                    || a.scanners.is_empty()
                    || b.scanners.is_empty();
                assert!(apart, "{} and {} share scanners", a.name, b.name);
            }
        }
    }

    #[test]
    fn what_learns_sees_drawn_scanners_only_and_what_judges_named_ones() {
        for share in ALL {
            assert!(share.skins(9).iter().all(|s| matches!(s, Skin::Drawn(_))), "{}", share.name);
        }
        assert_eq!(DEMO_TRAIN.skins(3).len(), 3);
        assert!(DEMO_TEST.skins(3).is_empty() && EVALUATE.skins(3).is_empty());
    }
}
