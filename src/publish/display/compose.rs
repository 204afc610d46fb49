//! One buffer from a sample and the panel: finds the format, keeps the pool and the encoded panel,
//! and decides what the panel may say now, and whether a card stands in the picture's place. Runs on
//! the display thread.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use gst::prelude::*;
use gst_video::prelude::*;
use sonofuse_core::frame::PixelFormat;
use sonofuse_core::mask::Cover;
use sonofuse_core::reading::Reading;
use sonofuse_core::region::Region;
use thiserror::Error;

use crate::panel::strip::{Encoded, Matrix, Rows, RowsMut, blacken, blit, copy_picture, cover};
use crate::panel::trend::Trend;
use crate::panel::{CARD_SIZE, Canvas, Card, Notes, Panel, PanelState, card, is_fresh, is_gone};

/// Why a sample cannot be shown.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum ComposeError {
    /// The sample has no caps, or they are no raw video.
    #[error("the frame is no raw video in main memory ({caps})")]
    NotRaw { caps: String },
    /// A format that the daemon does not ingest.
    #[error(
        "frames in format {format} cannot be shown: convert them in the preset, for instance with videoconvert ! video/x-raw,format=NV12"
    )]
    Format { format: String },
    /// Memory could not be had or mapped.
    #[error("cannot {what} a frame of {width}×{height} px")]
    Memory { what: &'static str, width: u32, height: u32 },
}

/// A buffer to push, with caps if they are others than those of the last buffer.
#[derive(Debug)]
pub(super) struct Composed {
    pub(super) buffer: gst::Buffer,
    pub(super) caps: Option<gst::Caps>,
    /// A card that stands in the picture's place.
    pub(super) card: Option<Card>,
    /// What is where on it.
    pub(super) canvas: Canvas,
}

/// What belongs to one format of the source.
#[derive(Debug)]
struct Target {
    in_caps: Option<gst::Caps>,
    in_info: gst_video::VideoInfo,
    out_info: gst_video::VideoInfo,
    out_caps: gst::Caps,
    pixel: PixelFormat,
    matrix: Matrix,
    canvas: Canvas,
    pool: Pool,
    /// The strip as it is now, in the video's format.
    strip: Encoded,
    card: Option<(Card, Encoded)>,
    announced: bool,
}

/// A pool that is taken down with its target.
#[derive(Debug)]
struct Pool(gst::BufferPool);

impl Drop for Pool {
    fn drop(&mut self) {
        // Buffers that are still on their way return later; nothing is lost if this fails.
        let _ = self.0.set_active(false);
    }
}

/// Composes frames and the panel.
#[derive(Debug)]
pub(super) struct Composer {
    latest: Arc<ArcSwapOption<Reading>>,
    notes: Arc<Notes>,
    max_age_ms: u64,
    clock: gst::Clock,
    seen: Option<Arc<Reading>>,
    trend: Trend,
    panel: Panel,
    cover: Arc<Cover>,
    target: Option<Target>,
}

impl Composer {
    pub(super) fn new(
        latest: Arc<ArcSwapOption<Reading>>,
        notes: Arc<Notes>,
        max_age_ms: u64,
    ) -> Self {
        Self {
            latest,
            notes,
            max_age_ms,
            clock: gst::SystemClock::obtain(),
            seen: None,
            trend: Trend::default(),
            panel: Panel::default(),
            cover: Arc::default(),
            target: None,
        }
    }

    /// Has these areas black from the next picture on.
    pub(super) fn cover(&mut self, cover: Arc<Cover>) {
        self.cover = cover;
    }

    /// A new pipeline has to be told the caps again.
    pub(super) fn caps_unknown_downstream(&mut self) {
        if let Some(target) = &mut self.target {
            target.announced = false;
        }
    }

    pub(super) const fn renders(&self) -> u64 {
        self.panel.renders()
    }

    fn now_ns(&self) -> u64 {
        self.clock.time().nseconds()
    }

    /// Takes note of the newest reading, for the trend.
    pub(super) fn listen(&mut self) -> Option<Arc<Reading>> {
        let reading = self.latest.load_full();
        if let Some(reading) = &reading
            && self.seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, reading))
        {
            self.trend.observe(reading);
            self.seen = Some(Arc::clone(reading));
        }
        reading
    }

    /// Composes a frame with what may be said now.
    pub(super) fn frame(&mut self, sample: &gst::Sample) -> Result<Composed, ComposeError> {
        let not_raw = || ComposeError::NotRaw {
            caps: sample.caps().map_or_else(|| "no caps".into(), ToString::to_string),
        };
        let (caps, input) = sample.caps_owned().zip(sample.buffer()).ok_or_else(not_raw)?;
        if self.target.as_ref().is_none_or(|t| t.in_caps.as_ref() != Some(&caps)) {
            let info = gst_video::VideoInfo::from_caps(&caps).map_err(|_| not_raw())?;
            let mut target = Target::new(&info)?;
            target.in_caps = Some(caps);
            self.target = Some(target);
        }
        let now_ns = self.now_ns();
        let reading = self.listen();
        let state = PanelState::at(reading.as_deref(), &self.trend, now_ns, self.max_age_ms)
            .noting(self.notes.at(now_ns))
            .looking(self.notes.looking(reading.as_deref(), now_ns));
        let gone = reading.is_some_and(|r| is_gone(&r) && is_fresh(&r, now_ns, self.max_age_ms));
        let target = self.target.as_mut().expect("set above");
        target.draw(&mut self.panel, state);
        // A device that lost its signal may repeat its last picture: that is not shown.
        target.compose(if gone { Err(Card::NoSignal) } else { Ok(input) }, &self.cover)
    }

    /// Composes a card for a picture that does not come or cannot be shown.
    pub(super) fn card(&mut self, what: Card) -> Result<Composed, ComposeError> {
        let first = self.card_on_target(what);
        if first.is_ok() {
            return first;
        }
        // What cannot be had at the picture's size may be had at the card's own.
        self.target = None;
        self.card_on_target(what)
    }

    fn card_on_target(&mut self, what: Card) -> Result<Composed, ComposeError> {
        if self.target.is_none() {
            let [width, height] = CARD_SIZE;
            let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Bgrx, width, height)
                .build()
                .map_err(|_| ComposeError::Memory { what: "describe", width, height })?;
            self.target = Some(Target::new(&info)?);
        }
        let reading = self.latest.load_full();
        let reading = reading.as_deref();
        let (what, state) = match what {
            Card::NotShown => (what, PanelState::not_shown(reading)),
            _ => (Card::of_absence(reading), PanelState::no_signal(reading)),
        };
        let state = state.noting(self.notes.at(self.now_ns()));
        let target = self.target.as_mut().expect("set above");
        target.draw(&mut self.panel, state);
        target.compose(Err(what), &self.cover)
    }
}

impl Target {
    fn new(info: &gst_video::VideoInfo) -> Result<Self, ComposeError> {
        let pixel = pixel_format(info.format())
            .ok_or_else(|| ComposeError::Format { format: info.format().to_str().to_string() })?;
        let canvas = Canvas::new(info.width(), info.height());
        let failed =
            |what| ComposeError::Memory { what, width: canvas.width, height: canvas.height };
        let colorimetry = info.colorimetry();
        let out_info = gst_video::VideoInfo::builder(info.format(), canvas.width, canvas.height)
            .fps(info.fps())
            .par(info.par())
            .colorimetry(&colorimetry)
            .build()
            .map_err(|_| failed("describe"))?;
        let out_caps = out_info.to_caps().map_err(|_| failed("describe"))?;
        let pool = Pool(gst::BufferPool::new());
        let mut config = pool.0.config();
        // What waits is bounded by the appsrc and the sink; the pool need not be. Made beforehand: one
        // composed, one waiting, one converted, one on the screen.
        config.set_params(Some(&out_caps), out_info.size() as u32, 4, 0);
        pool.0.set_config(config).map_err(|_| failed("plan"))?;
        pool.0.set_active(true).map_err(|_| failed("allocate"))?;
        Ok(Self {
            in_caps: None,
            in_info: info.clone(),
            out_info,
            out_caps,
            pixel,
            matrix: matrix(&colorimetry),
            canvas,
            pool,
            strip: Encoded::default(),
            card: None,
            announced: false,
        })
    }

    /// Brings the strip up to date; costs nothing while the panel says the same.
    fn draw(&mut self, panel: &mut Panel, state: PanelState) {
        let strip = &self.canvas.strip;
        let (tile, changed) = panel.tile(state, strip.width(), strip.height());
        if changed || self.strip == Encoded::default() {
            self.strip = Encoded::new(tile, self.pixel, self.matrix);
        }
    }

    /// Copies the picture, or a card in its place, and the strip into a pooled buffer.
    fn compose(
        &mut self,
        input: Result<&gst::BufferRef, Card>,
        covered: &Cover,
    ) -> Result<Composed, ComposeError> {
        let Canvas { width, height, .. } = self.canvas;
        let failed = |what| ComposeError::Memory { what, width, height };
        let mut buffer = self.pool.0.acquire_buffer(None).map_err(|_| failed("allocate"))?;
        let out = buffer.get_mut().ok_or_else(|| failed("write"))?;
        let mut out = gst_video::VideoFrameRef::from_buffer_ref_writable(out, &self.out_info)
            .map_err(|_| failed("map"))?;
        let strides = strides(out.plane_stride());
        let planes = self.pixel.plane_count();
        let mut strides = strides.into_iter();
        let mut rows =
            out.planes_data_mut().map(|data| RowsMut { data, stride: strides.next().unwrap_or(1) });
        let rows = &mut rows[..planes];
        let image = self.canvas.image;
        if self.canvas.image.area() + self.canvas.strip.area()
            < u64::from(width) * u64::from(height)
        {
            blacken(self.pixel, rows, self.matrix.full_range);
        }
        match input {
            Ok(input) => {
                let picture =
                    gst_video::VideoFrameRef::from_buffer_ref_readable(input, &self.in_info)
                        .map_err(|_| failed("read"))?;
                let from = picture_rows(&picture);
                copy_picture(self.pixel, &from[..planes], rows, image.width(), image.height());
                for area in covered.on(image.width(), image.height()) {
                    cover(self.pixel, rows, &area, self.matrix.full_range);
                }
            }
            Err(what) => {
                // An odd picture's card is a pixel wider; the strip comes after it.
                let even = |n: u32| n.div_ceil(2) * 2;
                let (w, h) = (even(image.width()), even(image.height()));
                if self.card.as_ref().is_none_or(|(kept, _)| *kept != what) {
                    let tile = Encoded::new(&card(w, h, what), self.pixel, self.matrix);
                    self.card = Some((what, tile));
                }
                if let (Some((_, tile)), Some(place)) = (&self.card, Region::new(0, 0, w, h)) {
                    blit(self.pixel, tile, rows, &place);
                }
            }
        }
        // After the picture: an odd width's last chroma group ends where the strip begins.
        blit(self.pixel, &self.strip, rows, &self.canvas.strip);
        drop(out);
        let caps = (!std::mem::replace(&mut self.announced, true)).then(|| self.out_caps.clone());
        Ok(Composed { buffer, caps, card: input.err(), canvas: self.canvas })
    }
}

fn strides(strides: &[i32]) -> [usize; 4] {
    let mut out = [1; 4];
    for (o, s) in out.iter_mut().zip(strides) {
        // A flipped picture has negative strides; no capture element makes one.
        *o = usize::try_from(*s).unwrap_or(1).max(1);
    }
    out
}

/// The picture's planes; those that it does not have are empty.
fn picture_rows<'a>(picture: &'a gst_video::VideoFrameRef<&gst::BufferRef>) -> [Rows<'a>; 4] {
    let strides = strides(picture.plane_stride());
    std::array::from_fn(|i| Rows {
        data: picture.plane_data(i as u32).unwrap_or_default(),
        stride: strides[i],
    })
}

fn pixel_format(format: gst_video::VideoFormat) -> Option<PixelFormat> {
    Some(match format {
        gst_video::VideoFormat::Nv12 => PixelFormat::Nv12,
        gst_video::VideoFormat::I420 => PixelFormat::I420,
        gst_video::VideoFormat::Yuy2 => PixelFormat::Yuy2,
        gst_video::VideoFormat::Uyvy => PixelFormat::Uyvy,
        gst_video::VideoFormat::Bgrx | gst_video::VideoFormat::Bgra => PixelFormat::Bgrx,
        gst_video::VideoFormat::Rgb => PixelFormat::Rgb,
        gst_video::VideoFormat::Gray8 => PixelFormat::Gray8,
        _ => return None,
    })
}

/// The weights of the source's own matrix, so that the strip's colours come out as drawn.
fn matrix(colorimetry: &gst_video::VideoColorimetry) -> Matrix {
    let (kr, kb) = match colorimetry.matrix() {
        gst_video::VideoColorMatrix::Bt709 => (0.2126, 0.0722),
        gst_video::VideoColorMatrix::Bt2020 => (0.2627, 0.0593),
        _ => (0.299, 0.114),
    };
    let full_range = colorimetry.range() == gst_video::VideoColorRange::Range0_255;
    Matrix { kr, kb, full_range }
}
