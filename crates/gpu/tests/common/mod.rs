//! Frames and layouts for the tests, and the kernels compiled for the host.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, unused_imports)]
#![allow(unsafe_code, reason = "calls the stand-in driver")]

pub mod nvinfer;

use std::path::{Path, PathBuf};
use std::process::Command;

use sonofuse_core::frame::{ColorMatrix, ColorRange, Colorimetry};
use sonofuse_core::layout::{HardEnd, Orientation, ScreenLayout};
use sonofuse_core::manifest::{Input, InputSize, Output, OutputKind};
use sonofuse_core::preprocess::FusionInput;
use sonofuse_core::region::Region;
pub use sonofuse_gpu::check::{input, noise};
use sonofuse_gpu::{GpuError, GpuScorer, NetworkSource, Options};

pub const COLORIMETRIES: [Colorimetry; 4] = [
    Colorimetry { matrix: ColorMatrix::Bt601, range: ColorRange::Limited },
    Colorimetry { matrix: ColorMatrix::Bt601, range: ColorRange::Full },
    Colorimetry { matrix: ColorMatrix::Bt709, range: ColorRange::Limited },
    Colorimetry { matrix: ColorMatrix::Bt709, range: ColorRange::Full },
];

/// A small generator of numbers, so that every run sees the same bytes.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    pub fn below(&mut self, n: u32) -> u32 {
        self.next() % n
    }
}

pub fn region(x0: u32, y0: u32, x1: u32, y1: u32) -> Region {
    Region::new(x0, y0, x1, y1).unwrap()
}

pub fn layout(bmode: Region, elastogram: Region, hard_end: Option<HardEnd>) -> ScreenLayout {
    ScreenLayout {
        orientation: Orientation::SideBySide,
        bmode_view: bmode,
        elastogram_view: elastogram,
        bmode_box: bmode,
        elastogram_box: elastogram,
        colour_bar: None,
        hard_end,
        confidence: 1.0,
    }
}

pub const fn native(min_side_px: u32, max_side_px: u32) -> InputSize {
    InputSize::Native { min_side_px, max_side_px, multiple_px: 1, view_width_px: None }
}

pub const fn fixed(width_px: u32, height_px: u32) -> InputSize {
    InputSize::Fixed { width_px, height_px }
}

/// What the check's network gives.
pub fn output() -> Output {
    Output { name: "logits".into(), kind: OutputKind::BenignMalignant }
}

/// A scorer with the check's network.
pub fn load(stand_in: &StandIn, input: &Input, options: Options) -> Result<GpuScorer, GpuError> {
    GpuScorer::load_on(stand_in.open(), input, &output(), NetworkSource::Mean, options)
}

/// What the check's network answers.
pub fn means(input: &FusionInput) -> Vec<f32> {
    let mean =
        |data: &[f32]| (data.iter().map(|v| f64::from(*v)).sum::<f64>() / data.len() as f64) as f32;
    vec![mean(input.bmode.data()), mean(input.elastogram.data())]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles a C++ file of the tests with the kernels. The compiler is `$CXX`, else `c++`.
pub fn compile(source: &str, to: &Path, options: &[&str]) {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let output = Command::new(&compiler)
        // No contraction, as on the device: every operation rounds by itself.
        .args(["-std=c++14", "-O2", "-ffp-contract=off", "-I"])
        .arg(folder().join("kernels"))
        .args(options)
        .arg("-o")
        .arg(to)
        .arg(folder().join("tests").join(source))
        .output()
        .unwrap_or_else(|error| panic!("the tests need a C++ compiler ({compiler}): {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A private copy of the stand-in driver.
pub struct StandIn {
    handle: libloading::Library,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl StandIn {
    pub fn new() -> Self {
        static BUILT: std::sync::OnceLock<(tempfile::TempDir, PathBuf)> =
            std::sync::OnceLock::new();
        let (_, built) = BUILT.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("libcuda.so.1");
            compile("libcuda.cpp", &path, &["-shared", "-fPIC", "-Wall"]);
            (folder, path)
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libcuda.so.1");
        std::fs::copy(built, &path).unwrap();
        // SAFETY: the stand-in's initialisers only make empty maps.
        let handle = unsafe { libloading::Library::new(&path) }.unwrap();
        Self { handle, path, _folder: folder }
    }

    pub fn open(&self) -> sonofuse_gpu::Cuda {
        sonofuse_gpu::Cuda::open_at(&self.path).unwrap()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn set(&self, key: &str, value: i64) {
        let key = std::ffi::CString::new(key).unwrap();
        // SAFETY: the type is that of the stand-in's function.
        unsafe {
            let set: libloading::Symbol<extern "C" fn(*const std::ffi::c_char, i64)> =
                self.handle.get(b"fake_set\0").unwrap();
            set(key.as_ptr(), value);
        }
    }

    pub fn get(&self, key: &str) -> i64 {
        let key = std::ffi::CString::new(key).unwrap();
        // SAFETY: the type is that of the stand-in's function.
        unsafe {
            let get: libloading::Symbol<extern "C" fn(*const std::ffi::c_char) -> i64> =
                self.handle.get(b"fake_get\0").unwrap();
            get(key.as_ptr())
        }
    }

    /// The address of the function that tells whether the calling thread has a context.
    pub fn current(&self) -> i64 {
        // SAFETY: only its address is taken.
        let function: libloading::Symbol<extern "C" fn() -> i32> =
            unsafe { self.handle.get(b"fake_current\0") }.unwrap();
        (*function as *const ()).expose_provenance() as i64
    }

    /// Everything was given back, and nothing was done that a driver would not forgive.
    pub fn assert_clean(&self) {
        assert_eq!(self.get("violations"), 0);
        assert_eq!(self.get("live"), 0, "left over");
    }
}
