//! Labelled pictures for training and judging networks, and what keeps such sets honest.
//!
//! Every picture goes through the path of the live score (layout search or pinned regions, crop,
//! `core`'s preprocessing), so that a network is trained on what the daemon will show it: [`cut`].
//! Sources are simulated patients ([`simulated`]), lists of screens ([`screens`]) and DDTI
//! ([`ddti`]). Patients never cross from one part of a set to another ([`split`]). Runs on the
//! caller's thread, [`simulated`] on as many as it is told.

pub mod augment;
pub mod cache;
pub mod card;
pub mod csv;
pub mod cut;
pub mod ddti;
pub mod screens;
pub mod simulated;
pub mod split;

use std::io;
use std::path::{Path, PathBuf};

use sonofuse_core::manifest::{Branch, ChannelOrder, Input, InputSize};
use thiserror::Error;

use crate::export;
use crate::sample::Sample;

/// Why a set cannot be made or read.
#[derive(Debug, Error)]
pub enum DataError {
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A picture cannot be decoded.
    #[error("cannot decode {}: {problem}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        problem: String,
    },
    /// A line of a list is wrong.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// The list.
        path: PathBuf,
        /// Counted from 1, the header included.
        line: usize,
        /// What is wrong and what it must be.
        problem: String,
    },
    /// A file's content is not what it must be.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The recipe makes no set.
    #[error("cannot simulate the cohort `{cohort}`: {problem}")]
    Recipe {
        /// Its name.
        cohort: String,
        /// What is wrong and what it must be.
        problem: String,
    },
    /// The screens of a list hold no dual view.
    #[error(
        "none of the {tried} screens gave a sample; the first ({first}) because: {why}: pin its regions in the list, or give screens that show both views"
    )]
    NoSample {
        /// Screens in the list.
        tried: usize,
        /// The first one's path.
        first: String,
        /// Why it has none.
        why: String,
    },
    /// A picture that a set needs was refused.
    #[error("{}: {problem}", path.display())]
    Refused {
        /// The picture.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

/// Joins an I/O error and what was tried.
pub(crate) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_owned();
    move |source| DataError::Io { what, path, source }
}

/// Mean and spread of the training cohort's B-mode in code values (70.2 and 30.6 of the demo's
/// patients): a dark picture mapped to −1..=1 would be nearly constant to the first layer.
const BMODE: ([f32; 3], [f32; 3]) = ([70.0; 3], [31.0; 3]);
/// Elastograms fill the range.
const ELASTOGRAM: ([f32; 3], [f32; 3]) = ([127.5; 3], [127.5; 3]);

/// What the small networks of this repository are fed: crops at their own proportions, at the scale
/// of a view `view_width_px` wide, sides in multiples of 8 px.
pub fn small_input(min_side_px: u32, max_side_px: u32, view_width_px: u32) -> Input {
    let size = InputSize::Native {
        min_side_px,
        max_side_px,
        multiple_px: 8,
        view_width_px: Some(view_width_px),
    };
    input(size)
}

/// The paper's input for fully connected heads: everything warped to one size.
pub fn fixed_input(side_px: u32) -> Input {
    input(InputSize::Fixed { width_px: side_px, height_px: side_px })
}

fn input(size: InputSize) -> Input {
    let branch =
        |name: &str, (mean, std)| Branch { name: name.into(), order: ChannelOrder::Rgb, mean, std };
    Input {
        size,
        bmode: branch(export::BMODE, BMODE),
        elastogram: branch(export::ELASTOGRAM, ELASTOGRAM),
    }
}

/// Weights of benign and malignant samples that make both classes count the same: n / (2·nᵢ).
/// A class without samples weighs 1.
pub fn class_weights(samples: &[Sample]) -> [f32; 2] {
    let malignant = samples.iter().filter(|s| s.malignant).count();
    [samples.len() - malignant, malignant]
        .map(|n| if n == 0 { 1.0 } else { samples.len() as f32 / (2.0 * n as f32) })
}
