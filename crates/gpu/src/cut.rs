//! Which bytes of a frame a crop needs, and how they and the filters' tables lie in an upload. Pure;
//! infer thread; allocates only while its buffers still grow.

use sonofuse_core::frame::{Frame, FrameFormat, PixelFormat};
use sonofuse_core::layout::HardEnd;
use sonofuse_core::manifest::Input;
use sonofuse_core::preprocess::{DualView, PreprocessError, Taps, target_size};
use sonofuse_core::region::Region;

use crate::params::{PARAMS_BYTES, Params, format_number, yuv};

/// Alignment of everything in an upload, bytes.
pub const ALIGN: usize = 256;

/// A rectangle of bytes of one plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// First byte in the frame.
    pub from: usize,
    /// Bytes from row to row in the frame.
    pub stride: usize,
    /// Bytes of each row.
    pub row: usize,
    /// Rows.
    pub rows: usize,
    /// First byte in the upload.
    pub to: usize,
}

impl Cut {
    /// Bytes in the upload, where rows follow one another.
    pub const fn bytes(&self) -> usize {
        self.row * self.rows
    }
}

/// The rectangles that hold the pixels of `crop`, one for each plane in use (`to` is still 0), and
/// whether the crop begins in the second column and row of a chroma block.
///
/// `crop` lies inside the frame.
pub fn cuts(format: &FrameFormat, crop: &Region) -> ([Cut; 3], [u32; 2]) {
    let (x0, y0) = (crop.x0() as usize, crop.y0() as usize);
    let (width, height) = (crop.width() as usize, crop.height() as usize);
    let pairs = (crop.x1() as usize).div_ceil(2) - x0 / 2;
    let pair_rows = (crop.y1() as usize).div_ceil(2) - y0 / 2;
    let cut = |plane: usize, y: usize, byte: usize, row: usize, rows: usize| {
        let plane = format.planes[plane];
        let from = plane.offset + y * plane.stride + byte;
        Cut { from, stride: plane.stride, row, rows, to: 0 }
    };
    let odd = [crop.x0() & 1, crop.y0() & 1];
    let none = Cut::default();
    match format.pixel {
        PixelFormat::Nv12 => (
            [cut(0, y0, x0, width, height), cut(1, y0 / 2, x0 / 2 * 2, pairs * 2, pair_rows), none],
            odd,
        ),
        PixelFormat::I420 => (
            [
                cut(0, y0, x0, width, height),
                cut(1, y0 / 2, x0 / 2, pairs, pair_rows),
                cut(2, y0 / 2, x0 / 2, pairs, pair_rows),
            ],
            odd,
        ),
        PixelFormat::Yuy2 | PixelFormat::Uyvy => {
            ([cut(0, y0, x0 / 2 * 4, pairs * 4, height), none, none], odd)
        }
        PixelFormat::Bgrx => ([cut(0, y0, x0 * 4, width * 4, height), none, none], [0; 2]),
        PixelFormat::Rgb => ([cut(0, y0, x0 * 3, width * 3, height), none, none], [0; 2]),
        PixelFormat::Gray8 => ([cut(0, y0, x0, width, height), none, none], [0; 2]),
    }
}

/// Filters of one view, as the bytes that the device reads; rebuilt only when sizes change.
#[derive(Clone, Debug, Default)]
struct Tables {
    /// Source and output sizes, across and down.
    sizes: [[u32; 2]; 2],
    /// Weights of one output, across and down.
    taps: [u32; 2],
    /// `first` across, weights across, `first` down, weights down: where each begins in `bytes`.
    at: [usize; 4],
    bytes: Vec<u8>,
    scratch: Taps,
}

impl Tables {
    fn prepare(&mut self, source: [u32; 2], output: [u32; 2]) {
        let sizes = [[source[0], output[0]], [source[1], output[1]]];
        if self.sizes == sizes {
            return;
        }
        self.sizes = sizes;
        self.bytes.clear();
        for (axis, [from, to]) in sizes.into_iter().enumerate() {
            self.at[2 * axis] = self.bytes.len();
            if from == to {
                // The identity, whose two outer weights are 0.
                self.taps[axis] = 1;
                self.bytes.extend((0..to).flat_map(u32::to_le_bytes));
                self.at[2 * axis + 1] = self.bytes.len();
                self.bytes.extend((0..to).flat_map(|_| 1.0f32.to_le_bytes()));
                continue;
            }
            self.scratch.prepare(from as usize, to as usize);
            let taps = self.scratch.iter().next().map_or(0, |(_, weights)| weights.len());
            self.taps[axis] = taps as u32;
            for (first, _) in self.scratch.iter() {
                self.bytes.extend((first as u32).to_le_bytes());
            }
            self.at[2 * axis + 1] = self.bytes.len();
            for (_, weights) in self.scratch.iter() {
                self.bytes.extend(weights.iter().flat_map(|w| w.to_le_bytes()));
            }
        }
    }
}

/// One frame's upload: `[Params | tables of both views | crops]`, each aligned to [`ALIGN`].
///
/// Addresses in it are relative until [`Upload::block`] is told where the parts will lie.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    tables: [Tables; 2],
    tables_at: [usize; 2],
    cuts: [[Cut; 3]; 2],
    params: Params,
    block: Vec<u8>,
    head: usize,
    bytes: usize,
}

/// Where an upload's parts lie in device memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The upload's first byte, for its tables.
    pub head: u64,
    /// The upload's first byte, for its crops.
    pub crops: u64,
    /// The two inputs of the network.
    pub inputs: [u64; 2],
    /// The row sums; 0: not wanted.
    pub sums: u64,
}

const fn aligned(bytes: usize) -> usize {
    bytes.div_ceil(ALIGN) * ALIGN
}

impl Upload {
    /// Plans the upload of a dual view for a model's input; answers the network's input size.
    ///
    /// # Errors
    /// [`PreprocessError::TooNarrow`].
    pub fn plan(
        &mut self,
        view: &DualView<'_>,
        input: &Input,
    ) -> Result<[u32; 2], PreprocessError> {
        let (frame, layout) = (view.frame(), view.layout());
        let crops = [view.bmode_crop(), view.elastogram_crop()];
        let size = target_size(
            &input.size,
            crops[1].width(),
            crops[1].height(),
            layout.elastogram_view.width(),
        )?;
        let turn = layout.hard_end == Some(HardEnd::Blue);
        let mut end = aligned(PARAMS_BYTES);
        for (i, crop) in crops.iter().enumerate() {
            self.tables[i].prepare([crop.width(), crop.height()], size);
            self.tables_at[i] = end;
            end = aligned(end + self.tables[i].bytes.len());
        }
        self.head = end;
        let branches = [(&input.bmode, false), (&input.elastogram, turn)];
        for (i, (crop, (branch, turn))) in crops.iter().zip(branches).enumerate() {
            let (mut cuts, odd) = cuts(frame.format(), crop);
            let to = &mut self.params.view[i];
            for (cut, stride) in cuts.iter_mut().zip(&mut to.stride) {
                cut.to = end;
                *stride = cut.row as u32;
                end = aligned(end + cut.bytes());
            }
            self.cuts[i] = cuts;
            to.odd = odd;
            to.taps = self.tables[i].taps;
            to.out_size = size;
            to.format = format_number(frame.format().pixel);
            to.yuv = yuv(frame.format().colorimetry);
            to.set_branch(branch, turn);
        }
        self.bytes = end;
        Ok(size)
    }

    /// Bytes of the planned upload.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes before the crops: parameters and tables.
    pub const fn head(&self) -> usize {
        self.head
    }

    /// The rectangles of the planned upload, those of a plane that is not in use empty.
    pub fn cuts(&self) -> impl Iterator<Item = &Cut> {
        self.cuts.iter().flatten().filter(|cut| cut.bytes() > 0)
    }

    /// The planned parameters with their addresses.
    pub fn params(&self, places: &Places) -> Params {
        let mut params = self.params;
        params.sums = places.sums;
        for (i, view) in params.view.iter_mut().enumerate() {
            for (address, cut) in view.plane.iter_mut().zip(&self.cuts[i]) {
                *address = if cut.bytes() > 0 { places.crops + cut.to as u64 } else { 0 };
            }
            let tables = places.head + self.tables_at[i] as u64;
            let at = self.tables[i].at.map(|at| tables + at as u64);
            view.first = [at[0], at[2]];
            view.weights = [at[1], at[3]];
            view.out = places.inputs[i];
        }
        params
    }

    /// Writes parameters and tables to the start of `to`, which holds [`Upload::head`] bytes or more.
    ///
    /// # Panics
    /// When `to` is shorter.
    pub fn write_head(&mut self, places: &Places, to: &mut [u8]) {
        self.block.clear();
        self.params(places).write(&mut self.block);
        to[..PARAMS_BYTES].copy_from_slice(&self.block);
        for (tables, at) in self.tables.iter().zip(self.tables_at) {
            to[at..][..tables.bytes.len()].copy_from_slice(&tables.bytes);
        }
    }

    /// Copies the crops of the planned frame into `to`, which holds [`Upload::bytes`] or more.
    ///
    /// # Panics
    /// When `to` is shorter, or `frame` is not the one that was planned.
    pub fn write_crops(&self, frame: &Frame, to: &mut [u8]) {
        let data = frame.data();
        for cut in self.cuts() {
            let rows = to[cut.to..][..cut.bytes()].chunks_exact_mut(cut.row);
            for (row, y) in rows.zip(0..) {
                row.copy_from_slice(&data[cut.from + y * cut.stride..][..cut.row]);
            }
        }
    }
}
