//! The parameter block of the kernels: everything that changes from frame to frame, at one place in
//! device memory, so that a captured graph never has to change. Pure; the twin of `Params` in
//! `kernels/preprocess.cu` (a test compares the two).

use sonofuse_core::frame::{ColorMatrix, ColorRange, Colorimetry, PixelFormat};
use sonofuse_core::manifest::{Branch, ChannelOrder};

/// One view's part of the block. Addresses are the device's.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct View {
    /// The crop's bytes of each plane.
    pub plane: [u64; 3],
    /// Tables of first source pixels, across and down.
    pub first: [u64; 2],
    /// Tables of weights, across and down.
    pub weights: [u64; 2],
    /// Where the normalised picture goes.
    pub out: u64,
    /// Bytes from row to row of each plane.
    pub stride: [u32; 3],
    /// Weights of one output, across and down.
    pub taps: [u32; 2],
    /// 1 where the crop begins in the second column/row of a chroma block.
    pub odd: [u32; 2],
    /// Width and height of the output.
    pub out_size: [u32; 2],
    /// Pixel format, see [`format_number`].
    pub format: u32,
    /// 1: channels leave as B, G, R.
    pub backward: u32,
    /// 16.16 fixed point, as [`yuv`] says.
    pub yuv: [i32; 6],
    /// Taken off each channel.
    pub mean: [f32; 3],
    /// Multiplies each channel.
    pub inv: [f32; 3],
    /// Keeps the size a multiple of 8.
    pub reserved: u32,
}

/// The block.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Params {
    /// B-mode, elastogram.
    pub view: [View; 2],
    /// Where the row sums go; 0: not wanted.
    pub sums: u64,
}

/// Size of the block, bytes: a test compares it with the compiler's of the kernels.
pub const PARAMS_BYTES: usize = size_of::<Params>();
const _: () = assert!(PARAMS_BYTES == 2 * 160 + 8);

impl View {
    /// Sets normalisation and the order of channels; `turn` exchanges red and blue, as
    /// [`sonofuse_core::preprocess::turn_round`] does.
    pub fn set_branch(&mut self, branch: &Branch, turn: bool) {
        self.backward = u32::from((branch.order == ChannelOrder::Bgr) != turn);
        self.mean = branch.mean;
        self.inv = branch.std.map(|std| 1.0 / std);
    }
}

impl Params {
    /// The bytes, as the device reads them: little-endian, in the order of the fields.
    pub fn write(&self, to: &mut Vec<u8>) {
        for view in &self.view {
            let addresses = view.plane.iter().chain(&view.first).chain(&view.weights);
            for address in addresses.chain([&view.out]) {
                to.extend(address.to_le_bytes());
            }
            let [format, backward] = [view.format, view.backward];
            let numbers = view.stride.iter().chain(&view.taps).chain(&view.odd);
            for number in numbers.chain(&view.out_size).chain([&format, &backward]) {
                to.extend(number.to_le_bytes());
            }
            for number in &view.yuv {
                to.extend(number.to_le_bytes());
            }
            for number in view.mean.iter().chain(&view.inv) {
                to.extend(number.to_le_bytes());
            }
            to.extend(view.reserved.to_le_bytes());
        }
        to.extend(self.sums.to_le_bytes());
    }
}

/// The kernels' number of a pixel format: its place in [`PixelFormat::ALL`].
pub const fn format_number(format: PixelFormat) -> u32 {
    match format {
        PixelFormat::Nv12 => 0,
        PixelFormat::I420 => 1,
        PixelFormat::Yuy2 => 2,
        PixelFormat::Uyvy => 3,
        PixelFormat::Bgrx => 4,
        PixelFormat::Rgb => 5,
        PixelFormat::Gray8 => 6,
    }
}

/// Coefficients of `Y'CbCr` to R'G'B', those of [`sonofuse_core::frame`]: y offset, y gain, Cr→R,
/// Cb→G, Cr→G, Cb→B. The tests compare every code value.
pub const fn yuv(colorimetry: Colorimetry) -> [i32; 6] {
    match (colorimetry.matrix, colorimetry.range) {
        (ColorMatrix::Bt601, ColorRange::Limited) => {
            [16, 76309, 104_597, -25_675, -53_279, 132_201]
        }
        (ColorMatrix::Bt601, ColorRange::Full) => [0, 65536, 91_881, -22_553, -46_802, 116_130],
        (ColorMatrix::Bt709, ColorRange::Limited) => {
            [16, 76309, 117_489, -13_975, -34_925, 138_438]
        }
        (ColorMatrix::Bt709, ColorRange::Full) => [0, 65536, 103_206, -12_276, -30_679, 121_609],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_numbered_by_their_place() {
        for (place, format) in PixelFormat::ALL.into_iter().enumerate() {
            assert_eq!(format_number(format) as usize, place);
        }
    }

    #[test]
    fn the_bytes_have_the_size_of_the_block() {
        let mut bytes = Vec::new();
        let mut params = Params { sums: 0x0102_0304, ..Params::default() };
        params.view[1].plane[0] = 7;
        params.write(&mut bytes);
        assert_eq!(bytes.len(), PARAMS_BYTES);
        assert_eq!(bytes[PARAMS_BYTES - 8..], 0x0102_0304_u64.to_le_bytes());
        assert_eq!(bytes[PARAMS_BYTES / 2 - 4], 7);
    }
}
