//! A private copy of the stand-in libnvinfer, playing one version.
#![allow(clippy::unwrap_used)]
#![allow(
    dead_code,
    unreachable_pub,
    unsafe_code,
    reason = "each test file uses a part; calls the stand-in"
)]

use sonofuse_tensorrt::{
    Builder, BuilderConfig, Error, Library, NetworkDefinition, OnnxParser, Typing,
};
use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};

/// Versions that the stand-in plays; the last is TensorRT-RTX 1.7.
pub const VERSIONS: [i32; 7] = [8601, 8602, 100_000, 100_300, 101_601, 110_100, 10_701];

pub const MODEL: &str = "fake-onnx
input x f32 1,3,-1,-1
output y f32 1,2
layer conv dla
layer relu dla
layer topk gpu";

/// Numbers that lie as TensorRT wants a tensor's address.
#[repr(align(256))]
pub struct Aligned<const N: usize>(pub [f32; N]);

pub struct StandIn {
    pub folder: tempfile::TempDir,
    pub path: PathBuf,
    handle: libloading::Library,
    version: i32,
}

impl StandIn {
    pub fn new(version: i32) -> Self {
        Self::without(version, None)
    }

    /// A copy in which an exported function has another name.
    pub fn without(version: i32, symbol: Option<&str>) -> Self {
        let mut built = std::env::current_exe().expect("a test has a file");
        built.pop();
        built.push("libsonofuse_fake_nvinfer.so");
        let mut bytes =
            std::fs::read(&built).unwrap_or_else(|error| panic!("{}: {error}", built.display()));
        if let Some(symbol) = symbol {
            let name = CString::new(symbol).unwrap();
            let name = name.as_bytes_with_nul();
            let places: Vec<usize> =
                (0..bytes.len() - name.len()).filter(|at| bytes[*at..].starts_with(name)).collect();
            assert!(!places.is_empty(), "{symbol} is not in the file");
            for at in places {
                bytes[at] = b'X';
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let [library, parser] = names(version);
        let path = folder.path().join(library);
        std::fs::write(&path, bytes).unwrap();
        // The same file, so that the loader finds one library, as with the real pair.
        std::fs::hard_link(&path, folder.path().join(parser)).unwrap();
        // SAFETY: the stand-in has no initialisers.
        let handle = unsafe { libloading::Library::new(&path) }.unwrap();
        let stand_in = Self { folder, path, handle, version };
        stand_in.set("version", version.into());
        stand_in
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

    pub fn unset(&self, key: &str) {
        let key = CString::new(key).unwrap();
        // SAFETY: the type is that of the stand-in's function.
        unsafe {
            let unset: libloading::Symbol<extern "C" fn(*const c_char)> =
                self.handle.get(b"fake_unset\0").unwrap();
            unset(key.as_ptr());
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

    pub fn try_open(&self) -> Result<Library, Error> {
        if (10_700..10_800).contains(&self.version) {
            Library::open_rtx_at(&self.path)
        } else {
            Library::open_at(&self.path)
        }
    }

    pub fn open(&self) -> Library {
        self.try_open().unwrap()
    }

    /// Everything was destroyed, and nothing before what depends on it.
    pub fn assert_clean(&self) {
        assert_eq!(self.get("violations"), 0, "{}: destroyed too early", self.version);
        assert_eq!(self.get("live"), 0, "{}: left over", self.version);
    }
}

fn names(version: i32) -> [String; 2] {
    if (10_700..10_800).contains(&version) {
        return ["libtensorrt_rtx.so.1".into(), "libtensorrt_onnxparser_rtx.so.1".into()];
    }
    let major = if version < 10_000 { version / 1000 } else { version / 10_000 };
    [format!("libnvinfer.so.{major}"), format!("libnvonnxparser.so.{major}")]
}

/// Parses a model of the stand-in.
pub fn network<'b>(builder: &'b Builder, model: &str) -> NetworkDefinition<'b> {
    let mut network = builder.create_network(Typing::Default).unwrap();
    OnnxParser::open(builder.library()).unwrap().parse(&mut network, model.as_bytes()).unwrap();
    network
}

/// A config with the profile that [`MODEL`] needs.
pub fn config(builder: &Builder) -> BuilderConfig<'_> {
    let mut config = builder.create_config().unwrap();
    let mut profile = builder.create_profile().unwrap();
    profile.set(c"x", &[1, 3, 2, 2], &[1, 3, 4, 4], &[1, 3, 8, 8]).unwrap();
    assert_eq!(config.add_profile(&profile).unwrap(), 0);
    config
}

/// Builds [`MODEL`].
pub fn plan(library: Library) -> Vec<u8> {
    let builder = library.create_builder().unwrap();
    let network = network(&builder, MODEL);
    builder.build(&network, &mut config(&builder)).unwrap().to_vec()
}

/// The notes that the stand-in's build left in a plan.
pub fn notes(plan: &[u8]) -> String {
    let plan = String::from_utf8_lossy(plan);
    plan.lines().filter(|line| line.starts_with("note")).collect::<Vec<_>>().join("\n")
}

pub fn file_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}
