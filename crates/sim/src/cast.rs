//! Who is examined in a scripted exam: patients, their further nodules and the other plane, chosen so
//! that each lies where the first one lay and fits the same colour box. Pure.
//!
//! Patients are drawn as in ordinary exams and taken when they fit; nothing about their signs or
//! stiffness is chosen but the class that a script asks for.

use crate::patient::{Composition, Echogenicity, Ellipse, Nodule, Patient, Plane};
use crate::rng::mix;

/// What a script points the probe at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Subject {
    pub(crate) patient: u32,
    /// The patient's nodule, 0 first.
    pub(crate) nodule: u32,
    /// Cut the other way than at first.
    pub(crate) other_plane: bool,
}

/// Candidates that are looked at before the best of them is taken.
const TRIES: u64 = 600;

/// Chooses patients for one seed.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    seed: u64,
    /// Classes that the script asks for, of patient 0, 1 …
    malignant: Vec<bool>,
    /// Distance of a second nodule in the same plane, mm; 0 for none.
    neighbour_mm: f32,
}

impl Cast {
    pub(crate) fn new(seed: u64, malignant: Vec<bool>, neighbour_mm: f32) -> Self {
        Self { seed, malignant, neighbour_mm }
    }

    /// The patient as the probe sees `subject`.
    pub(crate) fn patient(&self, subject: Subject) -> Patient {
        let first = self.plain(0, None);
        let mut patient = match subject.patient {
            0 => first.clone(),
            n => self.plain(n, first.nodule.as_ref()),
        };
        if subject.nodule > 0 {
            patient = self.further(&patient, subject);
        }
        if subject.other_plane {
            patient = self.turned(&patient, subject);
        }
        if self.neighbour_mm != 0.0 {
            self.place_neighbour(&mut patient, subject);
        }
        patient
    }

    /// Draws patients from `stream` on until one fits.
    fn search(&self, stream: u64, fits: impl Fn(&Patient, &Nodule) -> f32) -> Patient {
        let from = mix(stream, 0x5343_5249) >> 16;
        let mut best: Option<(f32, Patient)> = None;
        for exam in from..from + TRIES {
            let patient = Patient::draw(self.seed, exam);
            let Some(nodule) = &patient.nodule else { continue };
            // Fluid and shadow leave holes in a map; a script asks for those in its own words.
            if nodule.signs.composition != Composition::Solid || nodule.coarse.is_some() {
                continue;
            }
            let miss = fits(&patient, nodule);
            if miss <= 0.0 {
                return patient;
            }
            if best.as_ref().is_none_or(|(least, _)| miss < *least) {
                best = Some((miss, patient));
            }
        }
        // Nine patients in ten have a nodule, so that there is always a best one.
        best.map_or_else(|| Patient::draw(self.seed, from), |(_, patient)| patient)
    }

    fn plain(&self, number: u32, like: Option<&Nodule>) -> Patient {
        let class = self.malignant.get(number as usize).copied();
        self.search(u64::from(number), |_, n| {
            let wrong_class = if class.is_some_and(|c| c != n.malignant) { 100.0 } else { 0.0 };
            wrong_class + like.map_or_else(|| ordinary(&n.shape), |l| unlike(&n.shape, &l.shape))
        })
    }

    /// Another nodule of `patient`, elsewhere in the gland.
    fn further(&self, patient: &Patient, subject: Subject) -> Patient {
        let Some(first) = &patient.nodule else { return patient.clone() };
        let stream = 1 << 32 | u64::from(subject.patient) << 16 | u64::from(subject.nodule);
        let mut other = self.search(stream, |p, n| {
            let plane = if p.plane == patient.plane { 0.0 } else { 50.0 };
            plane + unlike(&n.shape, &first.shape)
        });
        adopt(&mut other, patient);
        other
    }

    /// The same nodule, cut the other way.
    fn turned(&self, patient: &Patient, subject: Subject) -> Patient {
        let Some(nodule) = &patient.nodule else { return patient.clone() };
        let plane = patient.plane.other();
        let stream = 2 << 32 | u64::from(subject.patient) << 16 | u64::from(subject.nodule);
        let mut other = self.search(stream, |p, n| {
            let wrong = if p.plane == plane { 0.0 } else { 50.0 };
            wrong + unlike(&n.shape, &nodule.shape)
        });
        let shape = other.nodule.as_ref().map_or(nodule.shape, |n| n.shape);
        let mut turned = nodule.clone();
        turned.shape.rx = shape.rx.clamp(nodule.shape.rx * 0.8, nodule.shape.rx * 1.3);
        turned.waves.reverse();
        for speck in turned.specks.iter_mut().chain(&mut turned.cysts) {
            speck.x *= -0.8;
            speck.z = 2.0 * turned.shape.z - speck.z;
        }
        other.lobe.rx = other.lobe.rx.max(turned.shape.rx + 2.0);
        let bottom = turned.shape.z + turned.shape.rz + 1.5;
        other.lobe.rz = other.lobe.rz.max(f32::midpoint(bottom - other.lobe.z, other.lobe.rz));
        other.nodule = Some(turned);
        adopt(&mut other, patient);
        other
    }

    /// Puts a second nodule beside the first, into a gland that is cut along and long enough.
    fn place_neighbour(&self, patient: &mut Patient, subject: Subject) {
        let Some(first) = &patient.nodule else { return };
        let stream = 3 << 32 | u64::from(subject.patient) << 16 | u64::from(subject.nodule);
        // One that is seen when the probe comes to it.
        let other = self.search(stream, |_, n| {
            let hidden = n.signs.echogenicity == Echogenicity::IsoOrHyperechoic;
            unlike(&n.shape, &first.shape) + if hidden { 20.0 } else { 0.0 }
        });
        let Some(mut neighbour) = other.nodule else { return };
        let down = first.shape.z - neighbour.shape.z;
        neighbour.shift(self.neighbour_mm, down);
        let reach = self.neighbour_mm.abs() + neighbour.shape.rx + 6.0;
        patient.plane = Plane::Longitudinal;
        (patient.carotid, patient.trachea) = (None, None);
        patient.lobe.x = self.neighbour_mm / 2.0;
        patient.lobe.rx = reach;
        patient.lobe.rz = patient.lobe.rz.max(first.shape.rz + 4.0);
        patient.neighbour = Some(neighbour);
    }
}

/// Gives `view` the identity and the layers of `patient`: it is the same neck.
fn adopt(view: &mut Patient, patient: &Patient) {
    let top = |p: &Patient| p.skin_mm + p.fat_mm + p.muscle_mm;
    let down = top(patient) - top(view);
    view.id = patient.id;
    (view.skin_mm, view.fat_mm, view.muscle_mm) =
        (patient.skin_mm, patient.fat_mm, patient.muscle_mm);
    (view.background_kpa, view.muscle_kpa) = (patient.background_kpa, patient.muscle_kpa);
    view.lobe.z += down;
    for e in view.carotid.iter_mut().chain(&mut view.trachea) {
        e.z += down;
    }
    if let Some(nodule) = &mut view.nodule {
        nodule.shift(0.0, down);
    }
}

/// How far a nodule is from what a first patient should have: neither tiny nor filling the view.
fn ordinary(e: &Ellipse) -> f32 {
    let out = |v: f32, low: f32, high: f32| (low - v).max(v - high).max(0.0);
    out(e.rx, 3.8, 7.5) + out(e.rz, 3.0, 6.0) + out(e.z, 12.0, 19.0)
}

/// How far a nodule is from lying where `other` lies; 0 is near enough for the same box.
fn unlike(e: &Ellipse, other: &Ellipse) -> f32 {
    let ratio = |a: f32, b: f32| ((a / b).ln().abs() - 0.3).max(0.0) * 10.0;
    ((e.z - other.z).abs() - 2.0).max(0.0) + ratio(e.rx, other.rx) + ratio(e.rz, other.rz)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn cast() -> Cast {
        Cast::new(5, vec![true, false, true], 0.0)
    }

    #[test]
    fn every_patient_has_the_class_asked_for_and_fits_the_first_ones_box() {
        for seed in 0..6 {
            let cast = Cast { seed, ..cast() };
            let first = cast.patient(Subject::default()).nodule.unwrap();
            for (patient, malignant) in [(0, true), (1, false), (2, true)] {
                let subject = Subject { patient, ..Subject::default() };
                let nodule = cast.patient(subject).nodule.unwrap();
                assert_eq!(nodule.malignant, malignant, "seed {seed}, patient {patient}");
                assert!(unlike(&nodule.shape, &first.shape) < 1.0, "seed {seed}: {nodule:?}");
            }
        }
    }

    #[test]
    fn a_further_nodule_is_the_same_patients_and_the_other_plane_the_same_nodules() {
        let cast = cast();
        let first = cast.patient(Subject::default());
        let further = cast.patient(Subject { nodule: 1, ..Subject::default() });
        assert_eq!(further.id, first.id);
        assert_eq!(further.background_kpa.to_bits(), first.background_kpa.to_bits());
        let (a, b) = (first.nodule.clone().unwrap(), further.nodule.unwrap());
        assert!((a.mean_kpa - b.mean_kpa).abs() > 1e-3, "another nodule has its own stiffness");
        let turned = cast.patient(Subject { other_plane: true, ..Subject::default() });
        assert_eq!((turned.id, turned.plane), (first.id, first.plane.other()));
        let b = turned.nodule.unwrap();
        assert_eq!((a.mean_kpa.to_bits(), a.malignant), (b.mean_kpa.to_bits(), b.malignant));
        assert!((a.shape.rx - b.shape.rx).abs() > 1e-3, "another cut has another width");
    }

    #[test]
    fn a_neighbour_lies_beside_the_first_nodule_in_the_same_gland() {
        let cast = Cast { neighbour_mm: 18.0, ..cast() };
        let patient = cast.patient(Subject::default());
        let neighbour = patient.neighbour.as_ref().unwrap();
        assert!((neighbour.shape.x - 18.0).abs() < 1e-3);
        let kpa = |x: f32, z: f32| patient.tissue(x, z).kpa.unwrap();
        let inside = kpa(neighbour.shape.x, neighbour.shape.z);
        assert!((inside / neighbour.mean_kpa).ln().abs() < 0.6, "{inside} in the neighbour");
    }
}
