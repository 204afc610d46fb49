//! Fits a model's `[familiarity]`: what its training set looks like, told from pictures made to be
//! unlike it. One way for the demo model's simulated exams and for a site's own screens.

use std::collections::BTreeMap;
use std::path::Path;

use rand::SeedableRng as _;
use rand_pcg::Pcg64Mcg;
use serde::Serialize;
use sonofuse_core::familiar::{Familiarity, Gauge, HeldOut, STATISTICS, Statistics};
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::ScreenLayout;
use sonofuse_core::preprocess::DualView;
use thiserror::Error;

use crate::export;

mod exams;
mod judged;
mod made;
mod net;
mod plane;

pub use exams::Exams;
pub use judged::{Group, Picture, judge};

/// Part of the training set's own kind that is refused for B-mode and map, unless told otherwise.
pub const LIMITS: [f32; 2] = [0.03, 0.02];
/// Strange pictures made of each picture, unless told otherwise.
pub const MADE: u32 = 4;

/// Least pictures to fit to, and least for the quantiles.
const LEAST: [usize; 2] = [100, 50];

/// Replaces `[familiarity]` of `model.toml` in a folder.
///
/// # Errors
/// [`FamiliarError::Manifest`], with the file and what is wrong.
pub fn write(folder: &Path, table: &Familiarity) -> Result<(), FamiliarError> {
    export::change(folder, |manifest| manifest.familiarity = Some(table.clone()))
        .map_err(FamiliarError::Manifest)
}

/// A picture's statistics, and those of what was made of it.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The scanner.
    pub scanner: String,
    /// The patient.
    pub patient: String,
    /// Its own.
    pub own: Statistics,
    /// Of strange pictures made of it.
    pub made: Vec<Statistics>,
}

/// Why there is no table.
#[derive(Debug, Error)]
pub enum FamiliarError {
    /// Too few pictures.
    #[error(
        "{have} pictures to {purpose}, {need} are needed: give more exams, or leave familiarity out"
    )]
    TooFew {
        /// What for.
        purpose: &'static str,
        /// So many there are.
        have: usize,
        /// So many it takes.
        need: usize,
    },
    /// The manifest cannot be read or written.
    #[error("{0}")]
    Manifest(String),
}

impl Measured {
    /// Measures a picture and `made` strange ones made of it; `None` for crops smaller than a tile.
    pub fn of(
        frame: &Frame,
        layout: &ScreenLayout,
        scanner: String,
        patient: String,
        made: u32,
        rng: &mut Pcg64Mcg,
    ) -> Option<Self> {
        let view = DualView::new(frame, layout).ok()?;
        let (bmode, map) = (view.bmode_crop(), view.elastogram_crop());
        let mut gauge = Gauge::default();
        let own = gauge.take(frame, &bmode, &map)?;
        let made = (0..made)
            .filter_map(|_| {
                let [a, b] = made::make(frame, [&bmode, &map], rng).ok()?;
                Some(Statistics {
                    bmode: gauge.bmode(&a, &a.bounds())?,
                    map: gauge.map(&b, &b.bounds())?,
                })
            })
            .collect();
        Some(Self { scanner, patient, own, made })
    }
}

/// Fits the networks to `train`, their quantiles to `reference`, and judges `held_out`.
///
/// # Errors
/// [`FamiliarError::TooFew`].
pub fn fit(
    train: &[Measured],
    reference: &[Measured],
    held_out: &[Measured],
    limits: [f32; 2],
    data: String,
    seed: u64,
) -> Result<Familiarity, FamiliarError> {
    let sets = [("fit to", train, LEAST[0]), ("take quantiles of", reference, LEAST[1])];
    for (purpose, set, need) in sets {
        if set.len() < need {
            return Err(FamiliarError::TooFew { purpose, have: set.len(), need });
        }
    }
    let view = |of: fn(&Statistics) -> &[f32], limit, seed| {
        let own: Vec<&[f32]> = train.iter().map(|m| of(&m.own)).collect();
        let made: Vec<&[f32]> = train.iter().flat_map(|m| m.made.iter().map(of)).collect();
        let mut view = net::fit(&own, &made, seed);
        view.limit = limit;
        let reference: Vec<&[f32]> = reference.iter().map(|m| of(&m.own)).collect();
        net::set_quantiles(&mut view, &reference);
        view
    };
    let mut table = Familiarity {
        statistics: STATISTICS,
        pictures: reference.len() as u32,
        data,
        held_out: None,
        bmode: view(|s| &s.bmode, limits[0], 2 * seed),
        map: view(|s| &s.map, limits[1], 2 * seed + 1),
    };
    table.held_out = Rates::of(&table, held_out.iter().map(|m| &m.own)).map(|rates| HeldOut {
        pictures: rates.pictures as u32,
        bmode: rates.bmode,
        map: rates.map,
        withheld: rates.either,
    });
    Ok(table)
}

/// What is refused of some pictures, as parts of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rates {
    /// So many.
    pub pictures: usize,
    /// For their B-mode.
    pub bmode: f32,
    /// For their map.
    pub map: f32,
    /// For either.
    pub either: f32,
}

impl Rates {
    /// Judges; `None` without a picture.
    pub fn of<'s>(
        table: &Familiarity,
        pictures: impl Iterator<Item = &'s Statistics>,
    ) -> Option<Self> {
        let mut counts = [0usize; 4];
        for statistics in pictures {
            let likeness = table.judge(Some(statistics));
            let [bmode, map] = likeness.strange();
            for (count, yes) in counts.iter_mut().zip([true, bmode, map, bmode || map]) {
                *count += usize::from(yes);
            }
        }
        let part = |n: usize| n as f32 / counts[0] as f32;
        let [pictures, bmode, map, either] = counts;
        (pictures > 0).then(|| Self {
            pictures,
            bmode: part(bmode),
            map: part(map),
            either: part(either),
        })
    }
}

/// Every picture's statistics, a JSON object a line.
///
/// # Errors
/// [`serde_json::Error`].
pub fn statistics(
    sets: &[(&str, &Vec<Measured>)],
    groups: &BTreeMap<String, Group>,
) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    let mut add = |line: &judged::Line<'_>| {
        text += &serde_json::to_string(line)?;
        text.push('\n');
        Ok(())
    };
    for (set, pictures) in sets {
        for m in *pictures {
            add(&judged::Line::of(set, &m.scanner, false, &m.own))?;
            for made in &m.made {
                add(&judged::Line::of(set, &m.scanner, true, made))?;
            }
        }
    }
    for (group, g) in groups {
        for [bmode, map] in &g.pictures {
            let (bmode, map) = (bmode.as_deref(), map.as_deref());
            add(&judged::Line { set: "judge", group, made: false, bmode, map })?;
        }
    }
    Ok(text)
}

/// A stream of random numbers for what is made of a site's pictures.
pub fn stream(seed: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed)
}
