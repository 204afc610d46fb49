//! From a picture to what the network sees, on the daemon's own path: layout, gate, preprocessing.

use sonofuse_core::frame::Frame;
use sonofuse_core::gate::Limits;
use sonofuse_core::layout::{
    Finder, Follower, HardEnd, NoDualView, Orientation, Pins, ScreenLayout,
};
use sonofuse_core::manifest::Input;
use sonofuse_core::picture::Look;
use sonofuse_core::preprocess::{DualView, FusionInput, PreprocessError, Preprocessor};
use sonofuse_core::region::Region;
use thiserror::Error;

/// Why a picture gives no sample.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum Refused {
    /// The layout search found none.
    #[error("no dual view: {0}")]
    NoDualView(#[from] NoDualView),
    /// The daemon would give no score: its reason, and what it saw.
    #[error("the gate refuses it ({0}): {1}")]
    Gate(String, String),
    /// It does not fit the model's input.
    #[error("{0}")]
    Preprocess(#[from] PreprocessError),
}

/// Cuts samples out of pictures. Keeps its buffers.
#[derive(Debug)]
pub struct Cutter {
    finder: Finder,
    preprocessor: Preprocessor,
    gate: Limits,
    row: Vec<[u8; 3]>,
}

impl Cutter {
    /// Prepares for a model's input; the gate is the daemon's default.
    pub fn new(input: Input) -> Self {
        Self {
            finder: Finder::new(),
            preprocessor: Preprocessor::new(input),
            gate: Limits::default(),
            row: Vec::new(),
        }
    }

    /// Searches the layout and cuts both crops. `hard_end` is what a preset would name where the
    /// colour bar does not tell; without it, red counts as hard, as in the daemon.
    ///
    /// # Errors
    /// [`Refused`]: what the daemon would say.
    pub fn screen(
        &mut self,
        frame: &Frame,
        hard_end: Option<HardEnd>,
    ) -> Result<FusionInput, Refused> {
        let layout = self.finder.find(frame)?;
        self.laid_out(frame, named(layout, hard_end))
    }

    /// Searches the layout of a picture that the daemon would score. `hard_end` as for
    /// [`Cutter::screen`].
    ///
    /// # Errors
    /// [`Refused`].
    pub fn layout(
        &mut self,
        frame: &Frame,
        hard_end: Option<HardEnd>,
    ) -> Result<ScreenLayout, Refused> {
        let layout = named(self.finder.find(frame)?, hard_end);
        self.passes(&DualView::new(frame, &layout)?)?;
        Ok(layout)
    }

    /// Cuts both crops at pinned regions.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn pinned(&mut self, frame: &Frame, pins: Pins) -> Result<FusionInput, Refused> {
        let layout = Follower::new(Some(pins)).observe(frame, 0).layout?;
        self.laid_out(frame, layout)
    }

    /// The layout of pinned regions, where the daemon would score the picture.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn pinned_layout(&mut self, frame: &Frame, pins: Pins) -> Result<ScreenLayout, Refused> {
        let layout = Follower::new(Some(pins)).observe(frame, 0).layout?;
        self.passes(&DualView::new(frame, &layout)?)?;
        Ok(layout)
    }

    /// Cuts both crops of a layout.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn cut(&mut self, frame: &Frame, layout: &ScreenLayout) -> Result<FusionInput, Refused> {
        Ok(self.preprocessor.run(&DualView::new(frame, layout)?)?.clone())
    }

    /// Cuts one region of a picture without elastogram; only the B-mode crop means anything.
    ///
    /// # Errors
    /// [`Refused::Preprocess`].
    pub fn region(&mut self, frame: &Frame, region: Region) -> Result<FusionInput, Refused> {
        let layout = ScreenLayout {
            orientation: Orientation::SideBySide,
            bmode_view: frame.bounds(),
            elastogram_view: frame.bounds(),
            bmode_box: region,
            elastogram_box: region,
            colour_bar: None,
            hard_end: None,
            confidence: 1.0,
        };
        Ok(self.preprocessor.run(&DualView::new(frame, &layout)?)?.clone())
    }

    fn laid_out(&mut self, frame: &Frame, layout: ScreenLayout) -> Result<FusionInput, Refused> {
        let view = DualView::new(frame, &layout)?;
        self.passes(&view)?;
        Ok(self.preprocessor.run(&view)?.clone())
    }

    fn passes(&mut self, view: &DualView<'_>) -> Result<(), Refused> {
        let bmode = Look::take(view.frame(), &view.bmode_crop(), &mut self.row);
        let map = Look::take(view.frame(), &view.elastogram_crop(), &mut self.row);
        self.gate
            .judge(view.layout(), &bmode, &map)
            .map_err(|r| Refused::Gate(format!("{:?}", r.reason), r.words.english()))
    }
}

/// The layout with the hard end that is known of the scanner, where the picture does not tell.
fn named(mut layout: ScreenLayout, hard_end: Option<HardEnd>) -> ScreenLayout {
    layout.hard_end = layout.hard_end.or(hard_end);
    layout
}
