//! What is fuzzed: each function takes any bytes as the file of one kind and reads it to its end. It must
//! come back, with a value or an error: no panic, no hang, no memory that the bytes do not bound.
//!
//! Shared by the fuzz targets (`make fuzz`, nightly) and by the twin on stable (`tests/fuzz_corpora.rs`).

use std::path::Path;

use bytes::Bytes;
use sonofuse::config::Config;
use sonofuse::ingest::Preset;
use sonofuse_core::frame::{Colorimetry, Frame, FrameFormat, FrameMeta, PixelFormat, Plane};
use sonofuse_core::layout::{Finder, Follower};
use sonofuse_core::manifest::Manifest;
use sonofuse_core::picture::{self, Look};
use sonofuse_core::preprocess::DualView;
use sonofuse_dicom::{Still, jpeg_size, png_size};
use sonofuse_onnx::Model;

/// A target's name and what it runs.
pub type Entry = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: &[Entry] = &[
    ("preset", preset),
    ("config", config),
    ("manifest", manifest),
    ("onnx", onnx),
    ("dicom", dicom),
    ("stills", stills),
    ("layout", layout),
];

/// The text of a preset, and values for its parameters.
pub fn preset(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(mut preset) = Preset::parse(text, Path::new("folder/fuzzed.toml")) else { return };
    let names: Vec<String> = preset.params().map(|(name, _, _)| name.to_owned()).collect();
    for name in names {
        for value in ["", "1", "../x", "rtsp://user:word@host/é"] {
            let _ = preset.set(&name, value);
            let _ = preset.set_from(&name, value, Some(Path::new("/folder")));
        }
    }
    let _ = (preset.expect.stall(), preset.expect.connect());
}

/// The text of a configuration, with the ranges of its values.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match toml::from_str::<Config>(text) {
        Ok(config) => {
            let _ = config.check();
        }
        Err(error) => drop(error.to_string()),
    }
}

/// A model's manifest, with all that it says asked.
pub fn manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Manifest::parse(text) {
        Ok(manifest) => {
            let _ = manifest.not_judged();
            for logit in [-1e30, 0.0, 1e30] {
                if let Some(logit) = sonofuse_core::calibrate::Logit::new(logit) {
                    let p = manifest.calibration.apply(logit).get();
                    assert!((0.0..=1.0).contains(&p), "a probability of {p}");
                }
            }
        }
        Err(error) => drop(error.to_string()),
    }
}

/// A network's file: the guard, the reader, and the engine that packs its weights.
pub fn onnx(data: &[u8]) {
    let _ = sonofuse_onnx::check(data);
    if let Ok(model) = Model::parse(data) {
        for tensor in model.tensors.values() {
            let _ = (tensor.whole_numbers(), tensor.float(0), tensor.float(usize::MAX / 16));
        }
        for node in &model.nodes {
            let _ = (node.ints("axes"), node.text("mode"), node.error("x").to_string());
        }
    }
    let options = sonofuse_cpu::Options { threads: 1, max_side: 64, ..Default::default() };
    match sonofuse_cpu::Network::load(data, &options) {
        Ok(network) => drop((network.inputs().len(), network.activation_bytes())),
        Err(error) => drop(error.to_string()),
    }
}

/// Frames of one file that are looked at: a cine says how many it has.
const FRAMES: usize = 8;

fn read(data: &[u8]) {
    match Still::parse(data.to_vec()) {
        Ok(mut still) => {
            let _ = (still.kind(), still.frame_count(), still.regions().len(), still.notes().len());
            for frame in still.by_ref().take(FRAMES) {
                match frame {
                    Ok(frame) => {
                        let mut row = vec![[0; 3]; frame.width() as usize];
                        frame.rgb_span(frame.height() - 1, 0, &mut row);
                    }
                    Err(error) => drop(error.to_string()),
                }
            }
        }
        Err(error) => drop(error.to_string()),
    }
}

/// A DICOM file, whole; where the bytes do not begin as one, a preamble is put before them.
pub fn dicom(data: &[u8]) {
    if data.get(128..132) == Some(b"DICM") {
        read(data);
    } else {
        let mut file = vec![0; 128];
        file.extend(b"DICM");
        file.extend(data);
        read(&file);
    }
}

/// A picture file of any kind.
pub fn stills(data: &[u8]) {
    let _ = (jpeg_size(data), png_size(data));
    read(data);
}

/// What bytes stand for as a screen: a drawing, or the planes of a frame.
pub fn screen(data: &[u8]) -> Option<Frame> {
    let (&[mode, w, h], rest) = data.split_first_chunk::<3>()?;
    let size = [8 + 2 * u32::from(w), 8 + 2 * u32::from(h)];
    if mode & 1 == 0 { drawn(size, rest) } else { raw(mode, size, rest) }
}

/// The search for the two views, and the looks at them.
pub fn layout(data: &[u8]) {
    let Some(frame) = screen(data) else { return };
    let _ = picture::no_signal(&frame);
    let found = Finder::new().find(&frame);
    let mut follower = Follower::new(None);
    for second in 0..3 {
        let _ = follower.observe(&frame, second * 1_000_000_000);
    }
    if let Ok(layout) = found
        && let Ok(view) = DualView::new(&frame, &layout)
    {
        let mut row = Vec::new();
        let _ = Look::take(&frame, &view.bmode_crop(), &mut row);
        let _ = Look::take(&frame, &view.elastogram_crop(), &mut row);
    }
}

/// Planes wherever the bytes put them.
fn raw(mode: u8, [width, height]: [u32; 2], data: &[u8]) -> Option<Frame> {
    let pixel = [
        PixelFormat::Rgb,
        PixelFormat::Bgrx,
        PixelFormat::Nv12,
        PixelFormat::I420,
        PixelFormat::Yuy2,
        PixelFormat::Uyvy,
        PixelFormat::Gray8,
    ][usize::from(mode >> 1) % 7];
    let (head, pixels) = data.split_first_chunk::<6>()?;
    let mut format = FrameFormat::packed(pixel, width, height);
    for (plane, at) in format.planes.iter_mut().zip(head.chunks(2)) {
        let Plane { offset, stride } = plane;
        *offset = offset.wrapping_add(usize::from(at[0] & 0x0f));
        *stride = stride.saturating_add_signed(isize::from(at[1] as i8) / 16);
    }
    format.colorimetry = Colorimetry::for_height(if mode & 64 == 0 { 480 } else { 1080 });
    let need = format.required_len()?.min(4 << 20);
    let tile = if pixels.is_empty() { &[128][..] } else { pixels };
    let data: Bytes = tile.iter().copied().cycle().take(need).collect();
    Frame::new(format, FrameMeta::default(), data).ok()
}

/// Most steps of a drawing.
const STEPS: usize = 48;

/// Draws by steps of eight bytes: what, place and size in 256ths of the screen, three values.
fn drawn([width, height]: [u32; 2], steps: &[u8]) -> Option<Frame> {
    let (w, h) = (width as usize, height as usize);
    let mut rgb = vec![[0_u8; 3]; w * h];
    let mut noise = 0x2545_f491_u32;
    let mut next = move || {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise as u8
    };
    for &[what, x, y, across, down, a, b, c] in steps.as_chunks::<8>().0.iter().take(STEPS) {
        let part = |of: usize, share: u8| of * usize::from(share) / 255;
        let (x0, y0) = (part(w, x), part(h, y));
        let (x1, y1) = ((x0 + part(w, across)).min(w), (y0 + part(h, down)).min(h));
        for y in y0..y1 {
            for x in x0..x1 {
                let place = y * w + x;
                let grain = i32::from(next()) - 128;
                let along =
                    |at: usize, from: usize, to: usize| (at - from) as f32 / (to - from) as f32;
                rgb[place] = match what % 6 {
                    0 => [a, b, c],
                    1 => [(i32::from(b) + grain * i32::from(c) / 128).clamp(0, 255) as u8; 3],
                    2 => jet(along(x, x0, x1), a),
                    3 => jet(along(y, y0, y1), a),
                    4 => {
                        let (fx, fy) = (part(w, a) + x - x0, part(h, b) + y - y0);
                        rgb[fy.min(h - 1) * w + fx.min(w - 1)]
                    }
                    _ => {
                        let wave = (along(x, x0, x1) * f32::from(a)).sin()
                            + (along(y, y0, y1) * f32::from(b)).cos();
                        let over = jet(0.25 * wave + 0.5, 0);
                        let mix = |under: u8, over: u8| {
                            ((u32::from(under) * u32::from(255 - c)
                                + u32::from(over) * u32::from(c))
                                / 255) as u8
                        };
                        let under = rgb[place];
                        [mix(under[0], over[0]), mix(under[1], over[1]), mix(under[2], over[2])]
                    }
                };
            }
        }
    }
    Frame::from_rgb(width, height, rgb.into_flattened()).ok()
}

/// Blue over green to red; `turned` is the other way round.
fn jet(at: f32, turned: u8) -> [u8; 3] {
    let at = if turned & 1 == 0 { at } else { 1.0 - at };
    let ramp = |centre: f32| (255.0 * (1.5 - (4.0 * at - centre).abs()).clamp(0.0, 1.0)) as u8;
    [ramp(3.0), ramp(2.0), ramp(1.0)]
}
