//! What is on a figure, in the figure's own pixels, the origin at the upper left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A colour, R, G, B.
pub type Rgb = [u8; 3];

/// Why a figure was not written.
#[derive(Debug, Error)]
pub enum PlotError {
    /// A file or folder.
    #[error("cannot write the figure {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It has more pixels than a picture can.
    #[error("a figure of {width}×{height} px cannot be drawn")]
    Size {
        /// Pixels across.
        width: f32,
        /// Pixels down.
        height: f32,
    },
}

/// Which point of a line of text is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// Something drawn; later shapes cover earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A line through points.
    Line {
        /// The points.
        points: Vec<[f32; 2]>,
        /// Its colour.
        colour: Rgb,
        /// Its width.
        width: f32,
        /// Lengths drawn and left out, in turn.
        dash: Option<[f32; 2]>,
    },
    /// A filled polygon.
    Area {
        /// Its corners.
        points: Vec<[f32; 2]>,
        /// Its colour.
        colour: Rgb,
        /// 0 is not seen, 1 covers.
        alpha: f32,
    },
    /// A filled circle.
    Disc {
        /// Its centre.
        at: [f32; 2],
        /// Its radius.
        radius: f32,
        /// Its colour.
        colour: Rgb,
    },
    /// A line of text.
    Text {
        /// Where, on the base line.
        at: [f32; 2],
        /// Which point of it is there.
        anchor: Anchor,
        /// The words.
        text: String,
        /// Height of an em.
        size: f32,
        /// Its colour.
        colour: Rgb,
        /// In bold.
        bold: bool,
        /// Read from below to above.
        upright: bool,
    },
    /// A picture.
    Picture {
        /// Its upper left corner.
        at: [f32; 2],
        /// Its own width in pixels.
        width: u32,
        /// Its own height in pixels.
        height: u32,
        /// Pixels of the figure a pixel of its own.
        scale: f32,
        /// R, G, B rows.
        rgb: Vec<u8>,
    },
}

/// A figure on white ground.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Width in pixels.
    pub width: f32,
    /// Height in pixels.
    pub height: f32,
    /// What is on it.
    pub shapes: Vec<Shape>,
}

/// Text colour.
pub(super) const INK: Rgb = [0x22, 0x22, 0x22];
/// Text of the second rank, frames.
pub(super) const DIM: Rgb = [0x70, 0x70, 0x70];
/// Grid lines.
pub(super) const GRID: Rgb = [0xe2, 0xe2, 0xe2];

impl Scene {
    /// An empty figure.
    pub fn new(width: f32, height: f32) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    /// Adds a shape.
    pub fn add(&mut self, shape: Shape) {
        self.shapes.push(shape);
    }

    /// Adds plain text.
    pub fn text(&mut self, at: [f32; 2], anchor: Anchor, size: f32, text: impl Into<String>) {
        let text = text.into();
        let (colour, bold, upright) = (INK, false, false);
        self.add(Shape::Text { at, anchor, text, size, colour, bold, upright });
    }

    /// Adds a heading.
    pub fn heading(&mut self, at: [f32; 2], size: f32, text: impl Into<String>) {
        let (anchor, text) = (Anchor::Start, text.into());
        let (colour, bold, upright) = (INK, true, false);
        self.add(Shape::Text { at, anchor, text, size, colour, bold, upright });
    }

    /// Adds the notice at the lower edge.
    pub fn notice(&mut self) {
        self.add(Shape::Text {
            at: [self.width - 10.0, self.height - 8.0],
            anchor: Anchor::End,
            text: sonofuse_core::NOTICE.into(),
            size: 11.0,
            colour: DIM,
            bold: false,
            upright: false,
        });
    }

    /// The figure as SVG.
    pub fn to_svg(&self) -> String {
        super::svg::write(self)
    }

    /// The figure as PNG, `scale` pixels a pixel.
    ///
    /// # Errors
    /// [`PlotError::Size`].
    pub fn to_png(&self, scale: f32) -> Result<Vec<u8>, PlotError> {
        super::png::write(self, scale)
    }

    /// Writes `name.svg` and `name.png` (two pixels a pixel) to a folder, which is made when missing.
    ///
    /// # Errors
    /// [`PlotError`].
    pub fn write(&self, folder: &Path, name: &str) -> Result<(), PlotError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| PlotError::Io { path, source }
        };
        fs::create_dir_all(folder).map_err(fail(folder))?;
        let svg = folder.join(format!("{name}.svg"));
        fs::write(&svg, self.to_svg()).map_err(fail(&svg))?;
        self.write_png(folder, name)
    }

    /// Writes `name.png` alone, as [`Scene::write`] does: for figures of pictures, which SVG only
    /// makes larger.
    ///
    /// # Errors
    /// [`PlotError`].
    pub fn write_png(&self, folder: &Path, name: &str) -> Result<(), PlotError> {
        let path = folder.join(format!("{name}.png"));
        let png = self.to_png(2.0)?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, png))
            .map_err(|source| PlotError::Io { path, source })
    }
}
