//! The definition of what the network sees: two crops of a frame, resampled and normalised.
//!
//! Every other implementation (CUDA kernels, the trainer) must match this one within 1e-5 of the
//! normalised range; training and serving therefore share it. One step after the other:
//!
//! 1. **Crop before convert.** Only the two boxes are converted to R'G'B', by [`Frame::rgb_span`];
//!    each is first made smaller by [`inset_px`], because scanners draw outlines on its edge.
//! 2. **One palette.** Where blue is hard, R and B of the elastogram are exchanged ([`turn_round`]).
//! 3. **Size** ([`target_size`]), the same for both crops, from the elastogram's crop.
//! 4. **Resample** with a triangle filter as wide as the step (antialiased bilinear), separable, rows
//!    first ([`Taps`]).
//! 5. **Normalise**: `x = (code − mean) · (1/std)`, channel order as the manifest says.
//!
//! Arithmetic is `f32`; sums run over rising source indices, starting at 0. Pure; runs on the infer
//! thread and keeps its buffers from frame to frame.

use thiserror::Error;

use crate::frame::Frame;
use crate::layout::{HardEnd, ScreenLayout};
use crate::manifest::{Branch, ChannelOrder, Input, InputSize};
use crate::region::Region;

mod resample;

pub use resample::Taps;
use resample::{Order, resample};

/// Why a dual view cannot become the network's input.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PreprocessError {
    /// The layout belongs to a picture of another size.
    #[error(
        "the box {box_px:?} lies outside the frame of {frame_px:?} px: the layout belongs to another picture size"
    )]
    OutsideFrame {
        /// The box, `[x0, y0, x1, y1]`.
        box_px: [u32; 4],
        /// The frame, `[width, height]`.
        frame_px: [u32; 2],
    },
    /// No scale satisfies both limits of the manifest without a warp.
    #[error(
        "a box of {width_px}×{height_px} px is too narrow: at most {max_side_px} px on the long side leaves less than {min_side_px} px on the short one"
    )]
    TooNarrow {
        /// Width of the crop in pixels.
        width_px: u32,
        /// Height of the crop in pixels.
        height_px: u32,
        /// The manifest's limit.
        min_side_px: u32,
        /// The manifest's limit.
        max_side_px: u32,
    },
}

/// A frame together with its layout: both boxes are inside the frame.
#[derive(Clone, Copy, Debug)]
pub struct DualView<'f> {
    frame: &'f Frame,
    layout: &'f ScreenLayout,
}

impl<'f> DualView<'f> {
    /// Joins a frame and its layout.
    ///
    /// # Errors
    /// [`PreprocessError::OutsideFrame`] when a box leaves the frame.
    pub fn new(frame: &'f Frame, layout: &'f ScreenLayout) -> Result<Self, PreprocessError> {
        for r in [&layout.bmode_box, &layout.elastogram_box] {
            if !frame.bounds().contains(r) {
                return Err(PreprocessError::OutsideFrame {
                    box_px: [r.x0(), r.y0(), r.x1(), r.y1()],
                    frame_px: [frame.width(), frame.height()],
                });
            }
        }
        Ok(Self { frame, layout })
    }

    /// The frame.
    pub const fn frame(&self) -> &'f Frame {
        self.frame
    }

    /// The layout.
    pub const fn layout(&self) -> &'f ScreenLayout {
        self.layout
    }

    /// What is fed of the B-mode view: its box without the outline.
    pub fn bmode_crop(&self) -> Region {
        inner(self.layout.bmode_box)
    }

    /// What is fed of the elastogram view: its box without the outline.
    pub fn elastogram_crop(&self) -> Region {
        inner(self.layout.elastogram_box)
    }
}

/// How much of a box's edge may be its outline: one fiftieth of the shorter side, 1 to 6 px; 0 for
/// boxes under 16 px.
pub const fn inset_px(r: &Region) -> u32 {
    let side = if r.width() < r.height() { r.width() } else { r.height() };
    match side / 50 {
        _ if side < 16 => 0,
        0 => 1,
        px if px > 6 => 6,
        px => px,
    }
}

fn inner(r: Region) -> Region {
    r.shrink(inset_px(&r)).unwrap_or(r)
}

/// Turns a stiffness map round: exchanges red and blue.
///
/// With `jet(v) = (clip(1.5−|4v−3|), clip(1.5−|4v−2|), clip(1.5−|4v−1|))`, `jet(1−v)` is `jet(v)`
/// with R and B exchanged; a hue ramp from 240° to 0° has the same property. Grey is its own mirror,
/// so that the blending with the B-mode below, `(1−a)·grey + a·jet(v)`, is kept exactly.
pub const fn turn_round(rgb: [u8; 3]) -> [u8; 3] {
    [rgb[2], rgb[1], rgb[0]]
}

/// The network's input size for an elastogram crop of `width` × `height` px in a view `view_width` px
/// wide.
///
/// Native size: `s = view-width-px / view_width`, or 1 where the manifest has none; then `s` is
/// raised until the shorter side is `min-side-px`, or lowered until the longer is `max-side-px`. Each
/// side is `round(s · side / multiple) · multiple`, kept between the limits.
///
/// # Errors
/// [`PreprocessError::TooNarrow`] when no `s` satisfies both limits.
pub fn target_size(
    size: &InputSize,
    width: u32,
    height: u32,
    view_width: u32,
) -> Result<[u32; 2], PreprocessError> {
    let (min_side_px, max_side_px, multiple, wanted) = match *size {
        InputSize::Fixed { width_px, height_px } => return Ok([width_px, height_px]),
        InputSize::Native { min_side_px, max_side_px, multiple_px, view_width_px } => {
            (min_side_px, max_side_px, multiple_px, view_width_px)
        }
    };
    let (short, long) = (f64::from(width.min(height)), f64::from(width.max(height)));
    let (low, high) = (f64::from(min_side_px) / short, f64::from(max_side_px) / long);
    if low > high {
        return Err(PreprocessError::TooNarrow {
            width_px: width,
            height_px: height,
            min_side_px,
            max_side_px,
        });
    }
    let s = wanted.map_or(1.0, |v| f64::from(v) / f64::from(view_width)).clamp(low, high);
    // The limits, moved inwards onto multiples; `multiple ≤ min-side` keeps `least ≥ multiple`.
    let least = min_side_px.div_ceil(multiple) * multiple;
    let most = (max_side_px / multiple * multiple).max(least);
    let side = |v: u32| {
        let steps = (f64::from(v) * s / f64::from(multiple)).round() as u32;
        (steps * multiple).clamp(least, most)
    };
    Ok([side(width), side(height)])
}

/// One normalised picture, channels × rows × columns (NCHW with N = 1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planes {
    width: usize,
    height: usize,
    data: Vec<f32>,
}

impl Planes {
    /// Takes `3 · height · width` numbers; `None` when they are fewer or more, or a side is 0.
    pub fn new(width: usize, height: usize, data: Vec<f32>) -> Option<Self> {
        (width > 0 && height > 0 && data.len() == 3 * width * height).then_some(Self {
            width,
            height,
            data,
        })
    }

    /// `[1, 3, height, width]`.
    pub const fn shape(&self) -> [usize; 4] {
        [1, 3, self.height, self.width]
    }

    /// The numbers, row by row, one channel after the other.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// Mean and standard deviation of each channel.
    pub fn statistics(&self) -> [[f32; 2]; 3] {
        let n = (self.width * self.height).max(1);
        std::array::from_fn(|c| {
            let plane = self.data.get(c * n..(c + 1) * n).unwrap_or_default();
            let mean = plane.iter().map(|v| f64::from(*v)).sum::<f64>() / n as f64;
            let var = plane.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n as f64;
            [mean as f32, var.sqrt() as f32]
        })
    }

    fn reshape(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.data.resize(3 * width * height, 0.0);
    }
}

/// What the network is fed: both pictures, of the same size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FusionInput {
    /// The B-mode crop.
    pub bmode: Planes,
    /// The elastogram crop, red = hard.
    pub elastogram: Planes,
}

impl FusionInput {
    /// A fixed test picture of the given size, for known answers: no float formula, so that every
    /// implementation gets the same bits. With `i` the index of a number in its tensor,
    /// `x = ((i · 40503 + k) mod 65521) / 32768 − 1`, k = 0 for B-mode and 7 for the elastogram.
    pub fn golden(width: usize, height: usize) -> Self {
        let planes = |k: usize| Planes {
            width,
            height,
            data: (0..3 * width * height)
                .map(|i| ((i * 40503 + k) % 65521) as f32 / 32768.0 - 1.0)
                .collect(),
        };
        Self { bmode: planes(0), elastogram: planes(7) }
    }
}

/// Turns dual views into the network's input, for one model. Keeps its buffers: after the first frame
/// of a size nothing is allocated.
#[derive(Debug)]
pub struct Preprocessor {
    spec: Input,
    rows: Vec<[u8; 3]>,
    across: Vec<f32>,
    taps: [TapPair; 2],
    input: FusionInput,
}

/// Filters of one branch: along rows, along columns.
#[derive(Debug, Default)]
struct TapPair {
    x: Taps,
    y: Taps,
}

impl Preprocessor {
    /// Prepares for a model's input.
    pub fn new(spec: Input) -> Self {
        Self {
            spec,
            rows: Vec::new(),
            across: Vec::new(),
            taps: Default::default(),
            input: FusionInput::default(),
        }
    }

    /// Crops, converts, resamples and normalises.
    ///
    /// A layout whose hard end is unknown is fed as it is: whether that is allowed is the caller's
    /// policy.
    ///
    /// # Errors
    /// [`PreprocessError::TooNarrow`].
    pub fn run(&mut self, view: &DualView<'_>) -> Result<&FusionInput, PreprocessError> {
        let layout = view.layout();
        let crops = [view.bmode_crop(), view.elastogram_crop()];
        let [width, height] = target_size(
            &self.spec.size,
            crops[1].width(),
            crops[1].height(),
            layout.elastogram_view.width(),
        )?;
        let (width, height) = (width as usize, height as usize);
        let blue_is_hard = layout.hard_end == Some(HardEnd::Blue);
        let branches = [
            (&self.spec.bmode, &mut self.input.bmode, false),
            (&self.spec.elastogram, &mut self.input.elastogram, blue_is_hard),
        ];
        for (((branch, planes, turn), crop), taps) in
            branches.into_iter().zip(&crops).zip(&mut self.taps)
        {
            taps.x.prepare(crop.width() as usize, width);
            taps.y.prepare(crop.height() as usize, height);
            view.frame().rgb_region(crop, &mut self.rows);
            planes.reshape(width, height);
            resample(
                &self.rows,
                crop.width() as usize,
                &taps.x,
                &taps.y,
                order(branch, turn),
                &mut self.across,
                &mut planes.data,
            );
            normalise(branch, &mut planes.data);
        }
        Ok(&self.input)
    }

    /// What the last [`Preprocessor::run`] made.
    pub const fn input(&self) -> &FusionInput {
        &self.input
    }
}

/// Reading the channels in the other order is all that turning the map round takes.
fn order(branch: &Branch, turn: bool) -> Order {
    match (branch.order, turn) {
        (ChannelOrder::Rgb, false) | (ChannelOrder::Bgr, true) => Order::Forward,
        (ChannelOrder::Bgr, false) | (ChannelOrder::Rgb, true) => Order::Backward,
    }
}

fn normalise(branch: &Branch, data: &mut [f32]) {
    let plane = data.len() / 3;
    for ((channel, mean), std) in
        data.chunks_exact_mut(plane.max(1)).zip(branch.mean).zip(branch.std)
    {
        let inv = 1.0 / std;
        for v in channel {
            *v = (*v - mean) * inv;
        }
    }
}

#[cfg(test)]
mod tests;
