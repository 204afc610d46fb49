//! DICOM files as frames: single images and cines, native, RLE or JPEG.
//!
//! Reads the few elements that describe the picture and seeks over the rest, so that memory is one
//! frame's whatever the file says: a damaged length cannot ask for gigabytes, nesting cannot exhaust
//! the stack. (The general DICOM readers build the whole object in memory first.) What is there is
//! read, also of a file that says more; what is missing is told after the last frame. Patient data
//! is never read. Runs on the caller's thread.

use std::io::{Cursor, Read, Seek, SeekFrom};

use bytes::Bytes;
use sonofuse_core::frame::{Frame, FrameMeta, PixelFormat};

use self::begin::{data_set, what_it_is};
use self::elements::{Elements, Header};
use self::facts::PictureFacts;
use self::fragments::Extent;
use self::native::Native;
use self::pixels::{Colour, Picture};
use self::regions::RegionFacts;
use self::syntax::Coding;
use self::times::Times;
use crate::error::check_size;
use crate::jpeg::{self, Anatomy};
use crate::lossless::{self, LOSSLESS};
use crate::source::Source;
use crate::{StillError, raster};

mod begin;
mod elements;
mod facts;
mod fragments;
mod native;
mod palette;
mod pixels;
mod regions;
mod rle;
mod syntax;
mod times;

pub(crate) use self::begin::start;
pub use self::regions::{RegionUnit, UltrasoundRegion};

/// Bytes that a coded frame may always have.
const MIN_CODED_BYTES: u64 = 1 << 20;
/// Bad frames that are told one by one.
const MOST_TOLD: usize = 3;

/// The frames of one DICOM file.
#[derive(Debug)]
pub(crate) struct DicomFrames {
    source: Source,
    picture: Picture,
    coding: Coding,
    /// Words of native samples are big endian.
    swapped: bool,
    frames: Frames,
    times: Times,
    regions: Vec<UltrasoundRegion>,
    notes: Vec<String>,
    next: u32,
    given: u32,
    /// Frames that could not be decoded, and the first few errors.
    bad: u32,
    errors: Vec<String>,
    /// What is told after the last frame.
    problem: Option<StillError>,
}

#[derive(Debug)]
enum Frames {
    Native(Native),
    Encapsulated(Vec<Extent>),
}

impl DicomFrames {
    /// Reads the headers of a file, `len` bytes long, up to its pixel data.
    pub(crate) fn open(source: Source, len: u64, head: &[u8]) -> Result<Self, StillError> {
        let start = start(head).ok_or_else(|| StillError::dicom("it does not begin as DICOM"))?;
        let (mut meta, syntax, mut elements) = data_set(source, start, len)?;
        let mut facts = PictureFacts::default();
        let mut regions = RegionFacts::default();
        let pixel_data = loop {
            let Some(header) = elements.next()? else {
                return Err(StillError::NoPicture(what_it_is(&meta.class)));
            };
            match header.tag {
                (0x0008, 0x0016) if meta.class.is_empty() => meta.class = elements.text(&header)?,
                (0x0018, 0x6011) => {
                    elements.items(&header, RegionFacts::wants, |met| match met {
                        elements::Met::Item => regions.item(),
                        elements::Met::Value(tag, value) => regions.take(tag, value),
                    })?;
                }
                (0x7FE0, 0x0010) => break header,
                tag if PictureFacts::wants(tag) && header.len.is_some() => {
                    let value = elements.value(&header)?;
                    facts.take(tag, &value);
                }
                _ => elements.skip(&header)?,
            }
        };
        let coding = syntax.coding()?;
        let said = facts.frames;
        let times = std::mem::take(&mut facts.times).times();
        let palette_in_jpeg = coding == Coding::Jpeg;
        let picture = facts.picture(!matches!(coding, Coding::Native | Coding::Fragmented))?;
        check_size(picture.columns, picture.rows)?;
        let swapped = elements.is_big_endian() && (picture.wide || pixel_data.vr == *b"OW");
        let mut this = Self {
            frames: Frames::Encapsulated(Vec::new()),
            source: Source::Memory(Cursor::new(Vec::new())),
            picture,
            coding,
            swapped,
            times,
            regions: regions.regions(),
            notes: Vec::new(),
            next: 0,
            given: 0,
            bad: 0,
            errors: Vec::new(),
            problem: None,
        };
        this.lay_out(elements, &pixel_data, said)?;
        if palette_in_jpeg {
            this.refuse_lossy_palette()?;
        }
        if this.frame_count() > 1 && !this.times.said() {
            this.notes.push("has no frame times: 30 pictures a second are assumed".to_owned());
        }
        Ok(this)
    }

    /// Finds where each frame lies.
    fn lay_out(
        &mut self,
        mut elements: Elements<Source>,
        pixel_data: &Header,
        said: Option<u32>,
    ) -> Result<(), StillError> {
        let picture = &self.picture;
        let len = pixel_data.len.map(u64::from);
        match (self.coding, len) {
            (Coding::Native, Some(len)) => {
                let left = elements.left();
                let found = native::lay(picture, said, pixel_data.value_at, len, left)?;
                self.source = elements.into_inner();
                self.frames = Frames::Native(found.native);
                self.notes.extend(found.notes);
                self.problem = found.problem;
                if found.three_samples {
                    self.tell_three_samples()?;
                }
                Ok(())
            }
            (Coding::Native, None) => Err(StillError::dicom(
                "native pixel data of undefined length (is its transfer syntax right?)",
            )),
            (_, Some(_)) => {
                Err(StillError::dicom("compressed pixel data that is not in fragments"))
            }
            (coding, None) => {
                let fragments = elements.fragments()?;
                self.source = elements.into_inner();
                let found = fragments::share(&mut self.source, fragments, coding, said)?;
                self.frames = Frames::Encapsulated(found.frames);
                self.notes.extend(found.notes);
                self.problem = found.problem;
                Ok(())
            }
        }
    }

    /// Looks up what the samples of a picture are that should have two bytes a pixel and has three.
    fn tell_three_samples(&mut self) -> Result<(), StillError> {
        let bytes = self.bytes(0)?;
        let colour = if self.picture.wide { None } else { native::three_samples(&bytes) };
        let Some(colour) = colour else {
            return Err(StillError::dicom(
                "it says YBR_FULL_422, which has 2 bytes a pixel, and holds 3: which colours they \
                 are cannot be told",
            ));
        };
        let what = if matches!(colour, Colour::Rgb) { "RGB" } else { "YBR_FULL" };
        self.notes.push(format!("says YBR_FULL_422 and holds 3 bytes a pixel: read as {what}"));
        self.picture.colour = colour;
        Ok(())
    }

    /// Numbers of palette entries do not survive a lossy coding.
    fn refuse_lossy_palette(&mut self) -> Result<(), StillError> {
        if !matches!(self.picture.colour, Colour::Palette(_)) {
            return Ok(());
        }
        let bytes = self.bytes(0)?;
        if Anatomy::of(&bytes).process == LOSSLESS {
            return Ok(());
        }
        Err(StillError::Unsupported(
            "is a DICOM file with a palette in a lossy JPEG (PALETTE COLOR), which loses its \
             colours: export it as RGB"
                .to_owned(),
        ))
    }

    /// Number of frames that the file holds.
    pub(crate) fn frame_count(&self) -> u32 {
        match &self.frames {
            Frames::Native(native) => native.count,
            Frames::Encapsulated(frames) => frames.len() as u32,
        }
    }

    /// The regions that it says its frames have.
    pub(crate) fn regions(&self) -> &[UltrasoundRegion] {
        &self.regions
    }

    /// What had to be assumed.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads frame `n`'s bytes.
    fn bytes(&mut self, n: u32) -> Result<Vec<u8>, StillError> {
        let one;
        let extents: &[(u64, u32)] = match &self.frames {
            Frames::Native(native) => {
                // `check_size` bounds a frame to far less than 4 GiB.
                one = [(native.start + u64::from(n) * native.frame_len, native.frame_len as u32)];
                &one
            }
            Frames::Encapsulated(frames) => &frames[n as usize],
        };
        // Whatever codes a frame, it does not double it.
        let most = self.picture.frame_len() * 2 + MIN_CODED_BYTES;
        if extents.iter().map(|&(_, len)| u64::from(len)).sum::<u64>() > most {
            return Err(StillError::dicom(format!("frame {} of more than {most} bytes", n + 1)));
        }
        let mut out = Vec::new();
        for &(offset, len) in extents {
            self.source.seek(SeekFrom::Start(offset)).map_err(StillError::Read)?;
            let got = self
                .source
                .by_ref()
                .take(u64::from(len))
                .read_to_end(&mut out)
                .map_err(StillError::Read)?;
            if got < len as usize {
                return Err(StillError::Truncated(format!(
                    "frame {} ends after {got} bytes",
                    n + 1
                )));
            }
        }
        Ok(out)
    }

    fn frame(&mut self, n: u32) -> Result<Frame, StillError> {
        let mut bytes = self.bytes(n)?;
        if self.swapped {
            bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|word| word.reverse());
        }
        let frame = match (self.coding, &self.frames) {
            (Coding::Rle, _) => {
                let plain = self.picture.unpack_rle(&bytes)?;
                self.picture.planar().frame(plain)?
            }
            (Coding::Jpeg, _) => self.jpeg(&bytes)?,
            (_, Frames::Native(native)) => {
                let bytes = native::without_padding(native, &self.picture, bytes);
                self.picture.frame(bytes)?
            }
            _ => self.picture.frame(bytes)?,
        };
        Ok(frame.with_meta(FrameMeta {
            sequence: u64::from(n),
            pts_ns: Some(self.times.at_ns(n)),
            ..FrameMeta::default()
        }))
    }

    fn jpeg(&self, bytes: &[u8]) -> Result<Frame, StillError> {
        let picture = &self.picture;
        let anatomy = Anatomy::of(bytes);
        if anatomy.end.is_none() {
            return Err(StillError::Truncated("the JPEG data stops before its end marker".into()));
        }
        let size = (u32::from(anatomy.width), u32::from(anatomy.height));
        if size != (picture.columns, picture.rows) {
            return Err(StillError::dicom(format!(
                "the header says {}×{} px, the JPEG in it {}×{} px",
                picture.columns, picture.rows, size.0, size.1
            )));
        }
        raster::check_jpeg(&anatomy)?;
        if anatomy.process == LOSSLESS {
            let bytes = jpeg::for_decoder(bytes, &anatomy, None);
            return self.samples(lossless::samples(&bytes, &anatomy)?, &anatomy);
        }
        let rgb = matches!(picture.colour, Colour::Rgb);
        let frame = raster::jpeg_bytes(bytes, Some(rgb), false)?;
        match picture.colour {
            // The decoder gives R = G = B for one component.
            Colour::Grey { .. } if anatomy.components.len() == 1 => {
                let grey = frame.data().iter().step_by(3).copied().collect();
                Picture { wide: false, stored: 8, ..picture.clone() }.frame(grey)
            }
            Colour::Grey { white_is_low: true } => negative(&frame),
            _ => Ok(frame),
        }
    }

    /// Samples that a lossless JPEG gave, as the header says what they are.
    fn samples(&self, samples: Vec<u8>, anatomy: &Anatomy) -> Result<Frame, StillError> {
        let mut picture = self.picture.clone();
        if anatomy.components.len() as u32 != picture.colour.samples() {
            return Err(StillError::dicom(format!(
                "the header says {} samples a pixel, the JPEG in it has {}",
                picture.colour.samples(),
                anatomy.components.len()
            )));
        }
        picture.wide = anatomy.precision > 8;
        picture.stored = picture.stored.min(if picture.wide { 16 } else { 8 });
        picture.planes_apart = false;
        picture.frame(samples)
    }

    /// What is told after the last frame: what the header promised, and frames that were bad.
    fn end(&mut self) -> Option<StillError> {
        let problem = self.problem.take();
        if self.bad == 0 {
            return problem;
        }
        let all = self.frame_count();
        let more = if self.bad as usize > self.errors.len() { "; …" } else { "" };
        let mut text = format!(
            "{} of {all} frames could not be read: {}{more}",
            self.bad,
            self.errors.join("; ")
        );
        self.bad = 0;
        if let Some(problem) = problem {
            text = format!("{problem}; {text}");
        }
        Some(StillError::Incomplete(text))
    }
}

impl Iterator for DicomFrames {
    type Item = Result<Frame, StillError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.frame_count() {
            let n = self.next;
            self.next += 1;
            match self.frame(n) {
                Ok(frame) => {
                    self.given += 1;
                    return Some(Ok(frame));
                }
                // A sort of frame that is not read will not be in the next one either; a disk that
                // fails is another matter than a bad frame.
                Err(e @ (StillError::Read(_) | StillError::Unsupported(_))) => {
                    self.next = u32::MAX;
                    return Some(Err(e));
                }
                Err(e) if self.frame_count() == 1 => return Some(Err(e)),
                Err(e) => {
                    self.bad += 1;
                    if self.errors.len() < MOST_TOLD {
                        self.errors.push(format!("frame {} {e}", n + 1));
                    }
                }
            }
        }
        if self.next == u32::MAX { None } else { self.end().map(Err) }
    }
}

/// The same packed frame, white for black.
fn negative(frame: &Frame) -> Result<Frame, StillError> {
    let bytes: Vec<u8> = frame.data().iter().map(|v| 255 - v).collect();
    debug_assert_eq!(frame.format().pixel, PixelFormat::Rgb);
    Ok(Frame::new(*frame.format(), *frame.meta(), Bytes::from(bytes))?)
}
