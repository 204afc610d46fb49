//! The stand-in libnvinfer of crates/tensorrt, whose network answers sum and count of what it is fed.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]
#![allow(unsafe_code, reason = "calls the stand-in library")]

use std::ffi::{CString, c_char};

use sonofuse_core::manifest::{Input, Manifest, Output, OutputKind};
use sonofuse_core::preprocess::FusionInput;
use sonofuse_gpu::{GpuError, GpuScorer, NetworkSource, Options};
use sonofuse_tensorrt::{Library, OnnxParser, Typing};

use super::StandIn;

pub const OPEN: &str = "fake-onnx
input bmode f32 -1,3,-1,-1
input elastogram f32 -1,3,-1,-1
output logits f32 -1,2
layer conv gpu";

/// The model that ships, with its manifest.
pub fn demo() -> (Manifest, Vec<u8>) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engines/demo");
    let text = std::fs::read_to_string(folder.join("model.toml")).unwrap();
    let manifest = Manifest::parse(&text).unwrap();
    let onnx = std::fs::read(folder.join(&manifest.file)).unwrap();
    (manifest, onnx)
}

/// The stand-in libnvinfer, in a copy of its own.
pub struct Nvinfer {
    handle: libloading::Library,
    pub folder: tempfile::TempDir,
}

impl Nvinfer {
    pub fn new(version: i64) -> Self {
        let mut built = std::env::current_exe().unwrap();
        built.pop();
        built.push("libsonofuse_fake_nvinfer.so");
        let folder = tempfile::tempdir().unwrap();
        let major = if version < 10_000 { version / 1000 } else { version / 10_000 };
        let path = folder.path().join(format!("libnvinfer.so.{major}"));
        std::fs::copy(built, &path).unwrap();
        std::fs::hard_link(&path, folder.path().join(format!("libnvonnxparser.so.{major}")))
            .unwrap();
        // SAFETY: the stand-in has no initialisers.
        let handle = unsafe { libloading::Library::new(&path) }.unwrap();
        let it = Self { handle, folder };
        it.set("version", version);
        it
    }

    pub fn set(&self, key: &str, value: i64) {
        let key = CString::new(key).unwrap();
        // SAFETY: the type is that of the stand-in's function.
        unsafe {
            let set: libloading::Symbol<extern "C" fn(*const c_char, i64)> =
                self.handle.get(b"fake_set\0").unwrap();
            set(key.as_ptr(), value);
        }
    }

    pub fn get(&self, key: &str) -> i64 {
        let key = CString::new(key).unwrap();
        // SAFETY: the type is that of the stand-in's function.
        unsafe {
            let get: libloading::Symbol<extern "C" fn(*const c_char) -> i64> =
                self.handle.get(b"fake_get\0").unwrap();
            get(key.as_ptr())
        }
    }

    pub fn library(&self) -> Library {
        Library::open_at(self.folder.path()).unwrap()
    }

    pub fn plan(&self, model: &str) -> Vec<u8> {
        let builder = self.library().create_builder().unwrap();
        let mut network = builder.create_network(Typing::Default).unwrap();
        OnnxParser::open(self.library()).unwrap().parse(&mut network, model.as_bytes()).unwrap();
        let mut config = builder.create_config().unwrap();
        if model.contains("-1") {
            let mut profile = builder.create_profile().unwrap();
            for input in network.inputs() {
                profile
                    .set(&input.name, &[1, 3, 16, 16], &[1, 3, 64, 96], &[1, 3, 128, 160])
                    .unwrap();
            }
            config.add_profile(&profile).unwrap();
        }
        builder.build(&network, &mut config).unwrap().to_vec()
    }

    pub fn source(&self, plan: &[u8]) -> NetworkSource {
        NetworkSource::TensorRt { library: self.library(), plan: plan.into(), path: None }
    }
}

pub fn output(kind: OutputKind) -> Output {
    Output { name: "logits".into(), kind }
}

pub fn load(
    driver: &StandIn,
    input: &Input,
    kind: OutputKind,
    source: NetworkSource,
) -> Result<GpuScorer, GpuError> {
    GpuScorer::load_on(driver.open(), input, &output(kind), source, Options::default())
}

pub fn sum_and_count(input: &FusionInput) -> [f32; 2] {
    let sum = |data: &[f32]| data.iter().sum::<f32>();
    let count = input.bmode.data().len() + input.elastogram.data().len();
    [sum(input.bmode.data()) + sum(input.elastogram.data()), count as f32]
}
