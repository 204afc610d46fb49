//! The card of a data set: what is in it, in numbers, as markdown and JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use crate::sample::Sample;

/// What is in one part of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Part {
    /// Name of the part.
    pub name: String,
    /// Patients: benign, malignant. One with nodules of both classes counts as malignant.
    pub patients: [usize; 2],
    /// Samples: benign, malignant.
    pub samples: [usize; 2],
    /// Samples of each scanner.
    pub scanners: BTreeMap<String, usize>,
    /// Least and largest width and height in pixels.
    pub width_px: [usize; 2],
    /// Likewise.
    pub height_px: [usize; 2],
    /// Samples with an elastogram.
    pub elastograms: usize,
}

impl Part {
    /// Counts a part.
    pub fn of<'s>(name: &str, samples: impl IntoIterator<Item = &'s Sample>) -> Self {
        let mut part = Self { name: name.into(), ..Self::default() };
        let (mut patients, mut malignant) = (BTreeSet::new(), BTreeSet::new());
        for s in samples {
            patients.insert(s.patient.as_str());
            if s.malignant {
                malignant.insert(s.patient.as_str());
            }
            part.samples[usize::from(s.malignant)] += 1;
            part.elastograms += usize::from(s.elastogram.is_some());
            *part.scanners.entry(s.scanner.clone()).or_default() += 1;
            let [_, _, h, w] = s.bmode.shape();
            for (range, side) in [(&mut part.width_px, w), (&mut part.height_px, h)] {
                let least = if range[1] == 0 { side } else { range[0].min(side) };
                *range = [least, range[1].max(side)];
            }
        }
        part.patients = [patients.len() - malignant.len(), malignant.len()];
        part
    }

    /// Samples of both classes.
    pub fn count(&self) -> usize {
        self.samples.iter().sum()
    }
}

/// A table of the parts, and one of their scanners.
pub fn markdown(parts: &[Part]) -> String {
    let mut out = String::from(
        "| part | patients (benign + malignant) | samples (benign + malignant) | with elastogram | width, px | height, px |\n|---|---|---|---|---|---|\n",
    );
    for p in parts {
        let _ = writeln!(
            out,
            "| {} | {} ({} + {}) | {} ({} + {}) | {} | {}–{} | {}–{} |",
            p.name,
            p.patients[0] + p.patients[1],
            p.patients[0],
            p.patients[1],
            p.count(),
            p.samples[0],
            p.samples[1],
            p.elastograms,
            p.width_px[0],
            p.width_px[1],
            p.height_px[0],
            p.height_px[1],
        );
    }
    let scanners: BTreeSet<&str> =
        parts.iter().flat_map(|p| p.scanners.keys().map(String::as_str)).collect();
    let names: Vec<&str> = parts.iter().map(|p| p.name.as_str()).collect();
    let _ = writeln!(out, "\nSamples of each scanner:\n\n| scanner | {} |", names.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(parts.len()));
    for scanner in scanners {
        let counts: Vec<String> = parts
            .iter()
            .map(|p| p.scanners.get(scanner).map_or_else(|| "–".to_owned(), usize::to_string))
            .collect();
        let _ = writeln!(out, "| {scanner} | {} |", counts.join(" | "));
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sonofuse_core::preprocess::Planes;

    use super::*;

    #[test]
    fn patients_are_counted_once_and_samples_each() {
        let sample = |patient: &str, malignant: bool, width: usize| Sample {
            patient: patient.into(),
            image: String::new(),
            scanner: format!("s{width}"),
            malignant,
            bmode: Planes::new(width, 2, vec![0.0; 6 * width]).unwrap(),
            elastogram: None,
        };
        let samples =
            [sample("a", false, 3), sample("a", true, 5), sample("b", false, 4), sample("b", false, 3)];
        let part = Part::of("train", &samples);
        assert_eq!((part.patients, part.samples), ([1, 1], [3, 1]));
        assert_eq!((part.width_px, part.height_px), ([3, 5], [2, 2]));
        let text = markdown(&[part, Part::of("test", &samples[..1])]);
        assert!(text.contains("| train | 2 (1 + 1) | 4 (3 + 1) | 0 | 3–5 | 2–2 |"), "{text}");
        assert!(text.contains("| s4 | 1 | – |"), "{text}");
    }
}
