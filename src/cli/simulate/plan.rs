//! Which frames of which simulated exams are wanted. Pure.

use std::str::FromStr;

use sonofuse_sim::{Skin, UnknownSkin};

use super::SimulateArgs;

/// Pictures of one patient, unless told otherwise: several elastograms, and many patients.
const PICTURES_A_PATIENT: u64 = 8;

/// Pictures, unless told otherwise.
const PICTURES: u64 = 100;

/// Which scanners to imitate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skins {
    /// Every skin that shows a dual view.
    Dual,
    /// Every skin.
    All,
    /// This one.
    One(Skin),
}

impl FromStr for Skins {
    type Err = UnknownSkin;

    fn from_str(name: &str) -> Result<Self, UnknownSkin> {
        match name {
            "dual" => Ok(Self::Dual),
            "all" => Ok(Self::All),
            name => name.parse().map(Self::One),
        }
    }
}

/// One picture to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shot {
    pub skin: Skin,
    /// Number of the frame in the simulated video signal.
    pub index: u64,
}

/// All pictures to draw, in order.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    skins: Vec<Skin>,
    frames: u64,
    sampling: Sampling,
    frames_per_exam: u64,
}

#[derive(Clone, Copy, Debug)]
enum Sampling {
    /// Every so many-th frame from the start; exams follow one another.
    Stride(u64),
    /// Evenly over so many exams.
    Patients(u64),
}

impl Plan {
    /// Plans what `args` ask for, of a signal of `fps` pictures a second.
    pub(super) fn new(args: &SimulateArgs, fps: f64) -> Self {
        let frames = args.frames.unwrap_or(PICTURES);
        let video = args.video.is_some();
        let default = if video { Skins::One(Skin::AixplorerStacked) } else { Skins::Dual };
        let skins = match args.skin.unwrap_or(default) {
            Skins::One(skin) => vec![skin],
            Skins::Dual => Skin::all().iter().copied().filter(|s| s.is_dual_view()).collect(),
            Skins::All => Skin::all().to_vec(),
        };
        let sampling = match (args.stride, video) {
            (Some(stride), _) => Sampling::Stride(stride),
            (None, true) => Sampling::Stride(1),
            (None, false) => {
                let patients = args.patients.unwrap_or(frames.div_ceil(PICTURES_A_PATIENT));
                Sampling::Patients(patients.min(frames))
            }
        };
        Self {
            skins,
            frames,
            sampling,
            // As the simulator counts; it refuses what makes no sense.
            frames_per_exam: ((fps * args.exam_seconds).round() as u64).max(1),
        }
    }

    /// Number of pictures.
    pub(super) fn len(&self) -> u64 {
        self.frames
    }

    /// The skins in use.
    pub(super) fn skins(&self) -> &[Skin] {
        &self.skins
    }

    /// Picture `n`; patients take the skins in turn.
    pub(super) fn shot(&self, n: u64) -> Shot {
        let index = match self.sampling {
            Sampling::Stride(stride) => n * stride,
            Sampling::Patients(patients) => {
                // Patient k has the pictures from first(k) to first(k + 1).
                let first = |k: u64| {
                    (u128::from(k) * u128::from(self.frames)).div_ceil(u128::from(patients)) as u64
                };
                let k = (u128::from(n) * u128::from(patients) / u128::from(self.frames)) as u64;
                let (from, to) = (first(k), first(k + 1));
                // In the middle of equal parts of the exam: an exam begins without a map.
                let part = (n - from) as f64 + 0.5;
                let offset =
                    (self.frames_per_exam as f64 * part / (to - from).max(1) as f64) as u64;
                k * self.frames_per_exam + offset.min(self.frames_per_exam - 1)
            }
        };
        let patient = (index / self.frames_per_exam) as usize;
        Shot { skin: self.skins[patient % self.skins.len()], index }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn plan(frames: u64, sampling: Sampling, skins: &[Skin]) -> Plan {
        Plan { skins: skins.to_vec(), frames, sampling, frames_per_exam: 1200 }
    }

    fn shots(plan: &Plan) -> Vec<Shot> {
        (0..plan.len()).map(|n| plan.shot(n)).collect()
    }

    #[test]
    fn pictures_are_spread_over_exactly_the_patients_asked_for() {
        for (frames, patients) in [(1, 1), (7, 3), (100, 13), (13, 13), (1000, 1)] {
            let plan = plan(frames, Sampling::Patients(patients), Skin::all());
            let shots = shots(&plan);
            assert_eq!(shots.len() as u64, frames);
            let seen: BTreeSet<_> = shots.iter().map(|s| s.index / 1200).collect();
            assert_eq!(seen, (0..patients).collect(), "{frames} frames, {patients} patients");
            assert!(shots.windows(2).all(|w| w[0].index < w[1].index));
        }
    }

    #[test]
    fn one_patient_has_one_scanner() {
        let plan = plan(100, Sampling::Patients(10), Skin::all());
        for pair in shots(&plan).windows(2) {
            let [a, b] = [pair[0], pair[1]];
            assert!(a.skin == b.skin || a.index / 1200 != b.index / 1200);
        }
    }

    #[test]
    fn a_stride_walks_the_video_signal() {
        let plan = plan(4, Sampling::Stride(500), &[Skin::AixplorerStacked]);
        assert_eq!(shots(&plan).iter().map(|s| s.index).collect::<Vec<_>>(), [0, 500, 1000, 1500]);
    }
}
