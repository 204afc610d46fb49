//! Splits by patient, and the check that no patient and no picture is in two parts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use thiserror::Error;

use crate::sample::Sample;

/// Why a set cannot be split, or a split cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SplitError {
    /// A patient is in two parts.
    #[error(
        "LEAK: patient {patient} is in `{first}` and in `{second}` ({more} patients in all): split by patient"
    )]
    Patient {
        /// The first such patient.
        patient: String,
        /// One part.
        first: String,
        /// The other.
        second: String,
        /// Number of patients in more than one part.
        more: usize,
    },
    /// The same pixels are in two parts, under two names.
    #[error(
        "LEAK: the picture {image} of patient {patient} in `{second}` is also in `{first}`, as patient {other}: one of the two names is wrong"
    )]
    Picture {
        /// Image of the second part.
        image: String,
        /// Its patient.
        patient: String,
        /// The patient in the first part.
        other: String,
        /// One part.
        first: String,
        /// The other.
        second: String,
    },
    /// Too few patients of a class.
    #[error(
        "{patients} {class} patients cannot be split into {parts} parts: give more patients or fewer parts"
    )]
    TooFew {
        /// Patients of the class.
        patients: usize,
        /// `benign` or `malignant`.
        class: &'static str,
        /// Parts asked for.
        parts: usize,
    },
}

/// Indices into the set's samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Trained on.
    pub train: Vec<usize>,
    /// For early stopping and calibration.
    pub validation: Vec<usize>,
    /// Looked at once, at the end.
    pub test: Vec<usize>,
}

/// Splits into `k` folds by patient, each class on its own: fold i is tested with part i, validated
/// with the part after it, and trained on the rest. A patient with any malignant nodule counts as
/// malignant.
///
/// # Errors
/// [`SplitError::TooFew`] when a class has fewer patients than folds, or `k` is below 3.
pub fn folds(samples: &[Sample], k: usize, seed: u64) -> Result<Vec<Split>, SplitError> {
    let parts = parts(samples, k, seed)?;
    Ok((0..k)
        .map(|i| {
            let mut split = Split::default();
            for (s, part) in parts.iter().enumerate() {
                let to = if *part == i {
                    &mut split.test
                } else if *part == (i + 1) % k {
                    &mut split.validation
                } else {
                    &mut split.train
                };
                to.push(s);
            }
            split
        })
        .collect())
}

/// The part, 0 to `k` − 1, of each sample.
fn parts(samples: &[Sample], k: usize, seed: u64) -> Result<Vec<usize>, SplitError> {
    let mut malignant: BTreeMap<&str, bool> = BTreeMap::new();
    for s in samples {
        *malignant.entry(&s.patient).or_default() |= s.malignant;
    }
    let mut part = HashMap::new();
    let mut dealt = 0;
    for (class, name) in [(false, "benign"), (true, "malignant")] {
        let mut patients: Vec<&str> =
            malignant.iter().filter(|(_, m)| **m == class).map(|(p, _)| *p).collect();
        if k < 3 || patients.len() < k {
            return Err(SplitError::TooFew { patients: patients.len(), class: name, parts: k });
        }
        patients.shuffle(&mut Pcg64Mcg::seed_from_u64(seed ^ u64::from(class)));
        // Goes on where the class before ended, so that the parts are of one size.
        for patient in patients {
            part.insert(patient, dealt % k);
            dealt += 1;
        }
    }
    Ok(samples.iter().map(|s| part.get(s.patient.as_str()).copied().unwrap_or(0)).collect())
}

/// Checks that no patient and no picture is in two of the named parts.
///
/// # Errors
/// [`SplitError::Patient`], [`SplitError::Picture`]: neither may be trained or judged on.
pub fn check_leaks<'s, P>(parts: &[(&str, P)]) -> Result<(), SplitError>
where
    P: Clone + IntoIterator<Item = &'s Sample>,
{
    let mut patients: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let mut pictures: HashMap<u64, (usize, &str)> = HashMap::new();
    let mut twice = None;
    for (i, (_, samples)) in parts.iter().enumerate() {
        for s in samples.clone() {
            patients.entry(&s.patient).or_default().insert(i);
            let (part, patient) = *pictures.entry(digest(s)).or_insert((i, &s.patient));
            if part != i && twice.is_none() {
                twice = Some((part, patient, i, s));
            }
        }
    }
    let name = |i: usize| parts.get(i).map_or_else(String::new, |(name, _)| (*name).to_owned());
    let mut leaked = patients.iter().filter(|(_, parts)| parts.len() > 1);
    if let Some((patient, where_)) = leaked.next() {
        let mut two = where_.iter().copied();
        return Err(SplitError::Patient {
            patient: (*patient).to_owned(),
            first: name(two.next().unwrap_or(0)),
            second: name(two.next().unwrap_or(0)),
            more: leaked.count() + 1,
        });
    }
    match twice {
        Some((first, other, second, s)) => Err(SplitError::Picture {
            image: s.image.clone(),
            patient: s.patient.clone(),
            other: other.to_owned(),
            first: name(first),
            second: name(second),
        }),
        None => Ok(()),
    }
}

fn digest(sample: &Sample) -> u64 {
    let mut hasher = DefaultHasher::new();
    for planes in std::iter::once(&sample.bmode).chain(&sample.elastogram) {
        planes.shape().hash(&mut hasher);
        for v in planes.data() {
            v.to_bits().hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sonofuse_core::preprocess::Planes;

    use super::*;

    fn sample(patient: usize, image: usize, malignant: bool) -> Sample {
        let data = (0..12).map(|i| (patient * 1000 + image * 20 + i) as f32).collect();
        Sample {
            patient: format!("P{patient}"),
            image: format!("{image}"),
            scanner: "s".into(),
            malignant,
            bmode: Planes::new(2, 2, data).unwrap(),
            elastogram: None,
        }
    }

    fn set() -> Vec<Sample> {
        (0..50).flat_map(|p| (0..1 + p % 4).map(move |i| sample(p, i, p % 3 == 0))).collect()
    }

    #[test]
    fn every_patient_is_tested_once_and_never_in_two_parts() {
        let samples = set();
        let mut tested = vec![0; samples.len()];
        for split in folds(&samples, 5, 1).unwrap() {
            let of = |i: &[usize]| i.iter().map(|&i| &samples[i]).collect::<Vec<_>>();
            let (a, b, c) = (of(&split.train), of(&split.validation), of(&split.test));
            check_leaks(&[("train", a.clone()), ("validation", b.clone()), ("test", c.clone())]).unwrap();
            assert_eq!(a.len() + b.len() + c.len(), samples.len());
            for part in [&a, &b, &c] {
                let patients: BTreeSet<&str> = part.iter().map(|s| s.patient.as_str()).collect();
                let malignant = patients.iter().filter(|p| p[1..].parse::<usize>().unwrap() % 3 == 0).count();
                let share = malignant as f64 / patients.len() as f64;
                assert!((0.2..0.5).contains(&share), "both classes in every part: {share}");
            }
            split.test.iter().for_each(|&i| tested[i] += 1);
        }
        assert!(tested.iter().all(|&n| n == 1));
        assert_eq!(folds(&samples, 5, 1), folds(&samples, 5, 1));
        assert_ne!(folds(&samples, 5, 1), folds(&samples, 5, 2));
    }

    #[test]
    fn a_patient_in_two_parts_fails_loudly() {
        let samples = set();
        let why = check_leaks(&[("train", &samples[..40]), ("test", &samples[39..])]).unwrap_err();
        let SplitError::Patient { patient, more, .. } = &why else { panic!("{why}") };
        assert_eq!((patient.as_str(), *more), (samples[39].patient.as_str(), 1));
        assert!(why.to_string().contains("LEAK") && why.to_string().contains("`test`"), "{why}");
    }

    #[test]
    fn the_same_picture_under_two_names_fails_loudly() {
        let a = [sample(1, 0, true)];
        let mut b = a.clone();
        b[0].patient = "someone else".into();
        let why = check_leaks(&[("train", &a), ("test", &b)]).unwrap_err().to_string();
        assert!(why.contains("LEAK") && why.contains("someone else") && why.contains("P1"), "{why}");
        check_leaks(&[("train", &a), ("test", &[sample(2, 0, true)])]).unwrap();
    }

    #[test]
    fn too_few_patients_are_told() {
        let few: Vec<Sample> = (0..10).map(|p| sample(p, 0, p < 2)).collect();
        let why = folds(&few, 5, 1).unwrap_err().to_string();
        assert!(why.starts_with("2 malignant patients"), "{why}");
    }
}
