//! The kernels' text, compiled for the host, against the definition in `sonofuse_core::preprocess`:
//! equal to the last bit, for every format.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::mem::offset_of;
use std::process::{Child, Command, Stdio};

use common::{COLORIMETRIES, Numbers, compile, fixed, input, layout, native, noise, region};
use sonofuse_core::frame::{Colorimetry, Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::layout::{HardEnd, ScreenLayout};
use sonofuse_core::manifest::{Input, InputSize};
use sonofuse_core::preprocess::{DualView, FusionInput, Preprocessor};
use sonofuse_gpu::cut::{Places, Upload};
use sonofuse_gpu::params::{PARAMS_BYTES, Params, View};

/// The compiled kernels, as a program that answers jobs.
struct Kernels {
    child: Child,
    _folder: tempfile::TempDir,
    upload: Upload,
}

struct Got {
    inputs: [Vec<f32>; 2],
    sums: Vec<f64>,
    size: [u32; 2],
}

impl Kernels {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("kernels");
        // Every read and write of the kernels is watched: an upload ends where its memory ends.
        let watched = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        compile("host.cpp", &program, &[&["-Wall", "-Wextra", "-Werror"][..], &watched].concat());
        let child =
            Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Self { child, _folder: folder, upload: Upload::default() }
    }

    fn run(&mut self, frame: &Frame, layout: &ScreenLayout, input: &Input) -> Got {
        let view = DualView::new(frame, layout).unwrap();
        let size = self.upload.plan(&view, input).unwrap();
        // What the upload does not write must not be read.
        let mut bytes = vec![0xEE; self.upload.bytes()];
        self.upload.write_head(&Places::default(), &mut bytes);
        self.upload.write_crops(frame, &mut bytes);
        let to = self.child.stdin.as_mut().unwrap();
        for number in [bytes.len() as u32, size[0], size[1]] {
            to.write_all(&number.to_le_bytes()).unwrap();
        }
        to.write_all(&bytes).unwrap();
        to.flush().unwrap();
        let pixels = (size[0] * size[1]) as usize;
        let mut answer = vec![0; 6 * pixels * 4 + 24 * size[1] as usize * 8];
        self.child.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
        let (inputs, sums) = answer.split_at(6 * pixels * 4);
        let floats: Vec<f32> =
            inputs.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let sums =
            sums.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
        let (bmode, elastogram) = floats.split_at(3 * pixels);
        Got { inputs: [bmode.to_vec(), elastogram.to_vec()], sums, size }
    }

    /// Compares one case with the definition, bit by bit.
    fn check(&mut self, frame: &Frame, layout: &ScreenLayout, input: &Input) {
        let mut reference = Preprocessor::new(input.clone());
        let want = reference.run(&DualView::new(frame, layout).unwrap()).unwrap();
        let got = self.run(frame, layout, input);
        let case = || format!("{:?} {layout:?} {:?}", frame.format(), input.size);
        assert_eq!(want.bmode.shape(), [1, 3, got.size[1] as usize, got.size[0] as usize]);
        for (want, got) in [&want.bmode, &want.elastogram].into_iter().zip(&got.inputs) {
            let differs = want.data().iter().zip(got).position(|(a, b)| a.to_bits() != b.to_bits());
            if let Some(at) = differs {
                panic!("number {at} is {}, must be {}: {}", got[at], want.data()[at], case());
            }
        }
        check_sums(want, &got);
    }
}

fn check_sums(want: &FusionInput, got: &Got) {
    let [width, height] = got.size.map(|side| side as usize);
    let n = (width * height) as f64;
    for (view, planes) in [&want.bmode, &want.elastogram].into_iter().enumerate() {
        for (channel, [mean, deviation]) in planes.statistics().into_iter().enumerate() {
            let rows = &got.sums[2 * (view * 3 + channel) * height..][..2 * height];
            let (mut sum, mut squares) = (0.0, 0.0);
            for row in rows.chunks_exact(2) {
                sum += row[0];
                squares += row[1];
            }
            let found = sum / n;
            let spread = (squares / n - found * found).max(0.0).sqrt();
            assert!((found - f64::from(mean)).abs() < 1e-4, "{found} {mean}");
            assert!((spread - f64::from(deviation)).abs() < 1e-3, "{spread} {deviation}");
        }
    }
}

impl Drop for Kernels {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn the_parameter_block_has_the_layout_that_the_kernels_read() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("kernels");
    compile("host.cpp", &program, &[]);
    let output = Command::new(program).arg("layout").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let got: Vec<usize> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let want = [
        PARAMS_BYTES,
        size_of::<View>(),
        offset_of!(View, out),
        offset_of!(View, stride),
        offset_of!(View, yuv),
        offset_of!(View, inv),
        offset_of!(Params, sums),
    ];
    assert_eq!(got, want);
}

#[test]
fn every_format_at_odd_sizes_strides_and_edges_gives_the_bits_of_the_definition() {
    let mut kernels = Kernels::new();
    for (seed, pixel) in (1..).zip(PixelFormat::ALL) {
        let (w, h) = (331, 203);
        let frame = noise(pixel, w, h, seed, Colorimetry::for_height(h));
        for (bmode, elastogram) in [
            // Odd origins; the last row and column of the frame; the whole frame.
            (region(3, 5, 150, 120), region(161, 7, 308, 122)),
            (region(0, 0, 64, 65), region(w - 65, h - 64, w, h)),
            (region(0, 0, w, h), region(1, 1, w, h)),
            (region(10, 11, 25, 26), region(12, 12, 28, 27)),
        ] {
            for hard_end in [None, Some(HardEnd::Red), Some(HardEnd::Blue)] {
                let layout = layout(bmode, elastogram, hard_end);
                kernels.check(&frame, &layout, &input(native(16, 400)));
                kernels.check(&frame, &layout, &input(fixed(53, 37)));
            }
        }
    }
}

#[test]
fn every_luma_and_every_pair_of_chroma_gives_the_bits_of_the_definition() {
    let mut kernels = Kernels::new();
    for colorimetry in COLORIMETRIES {
        // 6 px on each side are cut off as the outline: more than 256 pairs are left each way.
        let side = 528;
        let mut format = FrameFormat::packed(PixelFormat::Nv12, side, side);
        format.colorimetry = colorimetry;
        let luma = (0..side * side).map(|i| (i.wrapping_mul(40_503) >> 8) as u8);
        let pairs = 0..side / 2;
        let chroma =
            pairs.clone().flat_map(|y| pairs.clone().flat_map(move |x| [x as u8, y as u8]));
        let data: Vec<u8> = luma.chain(chroma).collect();
        let frame = Frame::new(format, FrameMeta::default(), data.into()).unwrap();
        let whole = layout(region(0, 0, side, side), region(0, 0, side, side), Some(HardEnd::Blue));
        let view = DualView::new(&frame, &whole).unwrap();
        assert!(view.bmode_crop().width() >= 512 && view.bmode_crop().height() >= 512);
        kernels.check(&frame, &whole, &input(native(64, 600)));
    }
}

#[test]
fn any_box_in_any_frame_gives_the_bits_of_the_definition() {
    let mut kernels = Kernels::new();
    let mut numbers = Numbers(99);
    for case in 0..250u64 {
        let pixel = PixelFormat::ALL[case as usize % 7];
        let (w, h) = (1 + numbers.below(190), 1 + numbers.below(140));
        let frame = noise(pixel, w, h, case, COLORIMETRIES[numbers.below(4) as usize]);
        let mut cut = || {
            let (x, y) = (numbers.below(w), numbers.below(h));
            region(x, y, x + 1 + numbers.below(w - x), y + 1 + numbers.below(h - y))
        };
        let layout = layout(cut(), cut(), (case % 3 == 0).then_some(HardEnd::Blue));
        let size = match case % 4 {
            0 => fixed(1 + numbers.below(90), 1 + numbers.below(90)),
            1 => fixed(7, 5),
            // Sizes that enlarge and reduce, on multiples.
            _ => InputSize::Native {
                min_side_px: 8,
                max_side_px: 2048,
                multiple_px: 1 + numbers.below(8),
                view_width_px: (case % 2 == 0).then(|| 16 + numbers.below(200)),
            },
        };
        let view = DualView::new(&frame, &layout).unwrap();
        if Upload::default().plan(&view, &input(size)).is_ok() {
            kernels.check(&frame, &layout, &input(size));
        }
    }
}
