//! What happens during an exam as a function of time: the probe's pose (drift, breathing, pulse,
//! repositioning), freezes, and when B-mode and elastogram are renewed. Pure.

use crate::rng::{Purpose, chance, stream, uniform, within};

/// Time after a move until the map is called settled, in time constants of [`SETTLE_S`].
const SETTLED_BELOW: f32 = 0.1;
/// Time constant with which the map settles after a move, in seconds.
const SETTLE_S: f32 = 1.1;
/// How far the probe slides at most from the middle of the exam's field, in mm.
pub(crate) const LATERAL_RANGE_MM: f32 = 3.2;
/// How far the tissue is pushed or released at most, in mm.
pub(crate) const AXIAL_RANGE_MM: f32 = 1.2;

/// Where the probe is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pose {
    /// Slide along the image, mm.
    pub(crate) lateral_mm: f32,
    /// Push into the tissue, mm at depth (0 at the probe's face).
    pub(crate) axial_mm: f32,
    /// Out-of-plane motion as the angle that turns one speckle realisation into another.
    pub(crate) elevation_rad: f32,
}

/// A move of the probe to another place.
#[derive(Clone, Copy, Debug)]
struct Move {
    start_s: f32,
    length_s: f32,
    lateral_mm: f32,
    elevation_rad: f32,
}

/// The exam's course.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    moves: Vec<Move>,
    freeze: Option<(f32, f32)>,
    phase: [f32; 5],
    drift_mm: f32,
    breathing_hz: f32,
    bmode_hz: f32,
    elasto_hz: f32,
    elasto_phase: f32,
}

/// What the screen shows at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Time that the screen shows, seconds since the exam's start (stands still while frozen).
    pub(crate) shown_s: f32,
    /// The screen is frozen.
    pub(crate) frozen: bool,
    /// Number of the B-mode image in the exam.
    pub(crate) bmode: u64,
    /// When that image was taken, seconds.
    pub(crate) bmode_s: f32,
    /// Number of the elastogram in the exam.
    pub(crate) elastogram: u64,
    /// When that elastogram was taken, seconds.
    pub(crate) elastogram_s: f32,
}

impl Timeline {
    /// The course of an exam of `exam_s` on a scanner that renews its maps so often, least and most.
    pub(crate) fn new(seed: u64, exam: u64, exam_s: f32, elasto_hz: [f32; 2]) -> Self {
        let mut rng = stream(seed, Purpose::Timeline, &[exam]);
        let mut moves = Vec::new();
        if exam_s > 5.0 && chance(&mut rng, 0.6) {
            let mut start_s = exam_s * uniform(&mut rng, 0.25, 0.45);
            loop {
                moves.push(Move {
                    start_s,
                    length_s: uniform(&mut rng, 0.35, 0.8),
                    lateral_mm: uniform(&mut rng, -1.0, 1.0) * 1.8,
                    elevation_rad: uniform(&mut rng, 0.5, 1.5),
                });
                start_s += uniform(&mut rng, 6.0, 14.0);
                if start_s > exam_s - 4.0 || moves.len() >= 4 {
                    break;
                }
            }
        }
        let freeze = chance(&mut rng, 0.65).then(|| {
            let length = (exam_s * 0.2).min(uniform(&mut rng, 2.0, 5.0));
            (exam_s * uniform(&mut rng, 0.5, 0.78), length)
        });
        Self {
            moves,
            freeze,
            phase: std::array::from_fn(|_| uniform(&mut rng, 0.0, std::f32::consts::TAU)),
            drift_mm: uniform(&mut rng, 0.2, 0.8),
            breathing_hz: uniform(&mut rng, 0.2, 0.32),
            bmode_hz: uniform(&mut rng, 14.0, 36.0),
            elasto_hz: within(&mut rng, elasto_hz),
            elasto_phase: uniform(&mut rng, 0.0, 1.0),
        }
    }

    /// A probe that is held still: it drifts, and the patient breathes.
    pub(crate) fn steady(seed: u64) -> Self {
        Self { moves: Vec::new(), freeze: None, ..Self::new(seed, 0, 1.0, [1.0, 2.0]) }
    }

    /// What is on the screen `t_s` seconds after the exam's start.
    pub(crate) fn at(&self, t_s: f32) -> Moment {
        let frozen = self.freeze.filter(|(start, length)| t_s >= *start && t_s < start + length);
        let shown_s = frozen.map_or(t_s, |(start, _)| start);
        let bmode = (shown_s * self.bmode_hz).floor();
        let elastogram = (shown_s * self.elasto_hz + self.elasto_phase).floor();
        Moment {
            shown_s,
            frozen: frozen.is_some(),
            bmode: bmode as u64,
            bmode_s: bmode / self.bmode_hz,
            elastogram: elastogram as u64,
            elastogram_s: ((elastogram - self.elasto_phase) / self.elasto_hz).max(0.0),
        }
    }

    /// The probe's pose at `t_s`.
    pub(crate) fn pose(&self, t_s: f32) -> Pose {
        let tau = std::f32::consts::TAU;
        let wave = |hz: f32, i: usize| (tau * hz * t_s + self.phase[i]).sin();
        let mut lateral_mm = self.drift_mm * (0.7 * wave(0.07, 0) + 0.3 * wave(0.19, 1));
        let mut elevation_rad = 0.35 * wave(0.05, 2) + 0.12 * wave(0.23, 4);
        for m in &self.moves {
            let part = ((t_s - m.start_s) / m.length_s).clamp(0.0, 1.0);
            let eased = part * part * (3.0 - 2.0 * part);
            lateral_mm += m.lateral_mm * eased;
            elevation_rad += m.elevation_rad * eased;
        }
        // A heart's beat is a short push; the third power of a raised sine has its shape.
        let pulse = (0.5 + 0.5 * wave(1.13, 4)).powi(3);
        let axial_mm = 0.35 * wave(self.breathing_hz, 3) + 0.06 * pulse;
        Pose {
            lateral_mm: lateral_mm.clamp(-LATERAL_RANGE_MM, LATERAL_RANGE_MM),
            axial_mm: axial_mm.clamp(-AXIAL_RANGE_MM, AXIAL_RANGE_MM),
            elevation_rad,
        }
    }

    /// How far the map is from settled at `t_s`: 1 during a move, falling towards 0 after it.
    pub(crate) fn unsettled(&self, t_s: f32) -> f32 {
        let decay = |end: f32| (-(t_s - end) / SETTLE_S).exp().min(1.0);
        self.moves
            .iter()
            .filter(|m| t_s >= m.start_s)
            .map(|m| decay(m.start_s + m.length_s))
            .fold(decay(0.0), f32::max)
    }

    /// Whether an elastogram taken at `t_s` counts as settled.
    pub(crate) fn settled(&self, t_s: f32) -> bool {
        self.unsettled(t_s) < SETTLED_BELOW
    }
}
