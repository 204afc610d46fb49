//! Finding and loading libnvinfer. A loaded library is never unloaded: it keeps pointers to our
//! logger, and it starts threads. Any thread.
#![allow(unsafe_code, reason = "loading a library runs its code")]

use crate::abi::{Abi, Rtx};
use crate::builder::Builder;
use crate::error::{Error, Tried};
use crate::logger::{Call, Logger};
use crate::raw::{Bad, Ptr};
use crate::runtime::Runtime;
use crate::version::Version;
use std::ffi::{OsString, c_void};
use std::fmt;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Environment variable that names the library (a file, or a folder that holds it). Where it is
/// set, nothing else is tried.
pub const LIBRARY_VARIABLE: &str = "SONOFUSE_TENSORRT_LIB";

/// Names under which NVIDIA's packages install the library, newest first.
const NAMES: [&str; 4] =
    ["libnvinfer.so.11", "libnvinfer.so.10", "libnvinfer.so.8", "libnvinfer.so"];

/// Folders of NVIDIA's archives, which the loader does not search by itself.
const FOLDERS: [&str; 4] = [
    "/usr/local/tensorrt/lib",
    "/opt/tensorrt/lib",
    "/usr/lib/aarch64-linux-gnu/nvidia",
    "/usr/local/cuda/lib64",
];

/// What a folder may hold besides, when a folder is named: the lean runtime.
const LEAN_NAMES: [&str; 2] = ["libnvinfer_lean.so.11", "libnvinfer_lean.so.10"];

const WHAT: &str = "TensorRT library (libnvinfer)";

type Factory = unsafe extern "C" fn(Ptr, i32) -> Ptr;
type Number = unsafe extern "C" fn() -> i32;

/// What is known of a loaded library, for the life of the process.
pub(crate) struct Loaded {
    path: PathBuf,
    version: Version,
    pub(crate) abi: &'static Abi,
    pub(crate) logger: &'static Logger,
    /// Where `getInferLibVersion` is: tells two files apart, and one file under two names not.
    identity: usize,
    create_runtime: Factory,
    create_builder: Option<Factory>,
}

/// A loaded TensorRT. A copy costs nothing; all copies are the same library.
#[derive(Clone, Copy)]
pub struct Library {
    pub(crate) loaded: &'static Loaded,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Library({} at {})", self.version(), self.path().display())
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TensorRT {} ({})", self.version(), self.path().display())
    }
}

impl Library {
    /// Loads the TensorRT of this machine: the one that [`LIBRARY_VARIABLE`] names, else the newest
    /// that the loader finds.
    ///
    /// # Errors
    /// [`Error::NotFound`] with everything that was tried; [`Error::UnsupportedVersion`] or
    /// [`Error::MissingSymbol`] where the only library there is cannot be used.
    ///
    /// ```no_run
    /// let tensorrt = sonofuse_tensorrt::Library::open()?;
    /// println!("{tensorrt}"); // TensorRT 10.3.0 (/usr/lib/aarch64-linux-gnu/libnvinfer.so.10.3.0)
    /// # Ok::<(), sonofuse_tensorrt::Error>(())
    /// ```
    pub fn open() -> Result<Self, Error> {
        Self::search(std::env::var_os(LIBRARY_VARIABLE), candidates())
    }

    fn search(
        named: Option<OsString>,
        candidates: impl Iterator<Item = PathBuf>,
    ) -> Result<Self, Error> {
        if let Some(named) = named.filter(|named| !named.is_empty()) {
            return Self::open_at(Path::new(&named));
        }
        let mut tried = Vec::new();
        let mut unusable = None;
        for path in candidates {
            match Self::load(&path, Rtx::Refused) {
                Ok(library) => return Ok(library),
                Err(Error::Load { path, reason }) => tried.push(Tried { path, reason }),
                Err(error) => unusable = unusable.or(Some(error)),
            }
        }
        Err(unusable.unwrap_or(Error::NotFound { what: WHAT, variable: LIBRARY_VARIABLE, tried }))
    }

    /// Loads the library at `path`: a file, a name for the loader, or a folder that holds
    /// libnvinfer (or else the lean runtime).
    ///
    /// # Security
    /// A library runs as part of this program: name only what the machine's owner installed.
    ///
    /// # Errors
    /// [`Error::Load`], [`Error::MissingSymbol`] or [`Error::UnsupportedVersion`].
    pub fn open_at(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::load(&in_folder(path.as_ref(), NAMES.iter().chain(&LEAN_NAMES)), Rtx::Refused)
    }

    /// Loads TensorRT-RTX 1.7, whose builder runs without a GPU: for tests of this crate. Its
    /// engines run on GeForce-class GPUs only.
    ///
    /// # Errors
    /// As [`Library::open_at`].
    #[doc(hidden)]
    pub fn open_rtx_at(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::load(&in_folder(path.as_ref(), &["libtensorrt_rtx.so.1"]), Rtx::Accepted)
    }

    fn load(path: &Path, rtx: Rtx) -> Result<Self, Error> {
        // Held while loading, so that two threads cannot make two loggers for one library.
        static LOADED: Mutex<Vec<&'static Loaded>> = Mutex::new(Vec::new());
        let mut all = LOADED.lock().unwrap_or_else(PoisonError::into_inner);

        let library = load_shared(path)?;
        let missing =
            |symbol| Error::MissingSymbol { path: path.to_owned(), symbol, what: "libnvinfer" };
        let number: Option<Number> = symbol(&library, c"getInferLibVersion");
        let number = number.ok_or_else(|| missing("getInferLibVersion"))?;
        let identity = number as *const c_void as usize;
        if let Some(loaded) = all.iter().find(|loaded| loaded.identity == identity) {
            Abi::of(&loaded.version, rtx, path)?;
            return Ok(Self { loaded });
        }
        let build: Option<Number> = symbol(&library, c"getInferLibBuildVersion");
        // SAFETY: both functions take nothing, return `int32_t` and only answer a constant.
        let (code, build) = unsafe { (number(), build.map(|build| build())) };
        let version = Version::from_code(code, build.and_then(|build| u32::try_from(build).ok()));
        let abi = Abi::of(&version, rtx, path)?;
        let create_runtime: Option<Factory> = symbol(&library, c"createInferRuntime_INTERNAL");
        let loaded: &'static Loaded = Box::leak(Box::new(Loaded {
            path: path_of(path, identity),
            version,
            abi,
            logger: Logger::leak(abi.era),
            identity,
            create_runtime: create_runtime.ok_or_else(|| missing("createInferRuntime_INTERNAL"))?,
            create_builder: symbol(&library, c"createInferBuilder_INTERNAL"),
        }));
        tracing::debug!(
            target: "tensorrt", version = %version, path = %loaded.path.display(), "loaded"
        );
        all.push(loaded);
        Ok(Self { loaded })
    }

    /// The version that the library reports.
    pub fn version(&self) -> Version {
        self.loaded.version
    }

    /// The file that is loaded (the name it was loaded by, where the file cannot be told).
    pub fn path(&self) -> &Path {
        &self.loaded.path
    }

    /// Which table of function places is in use: "TensorRT 8.6", "TensorRT 10" or "TensorRT 11".
    pub fn table(&self) -> &'static str {
        self.loaded.abi.name
    }

    /// Whether engines can be built; the lean runtime only runs them.
    pub fn has_builder(&self) -> bool {
        self.loaded.create_builder.is_some()
    }

    /// Makes a runtime, which loads engines.
    ///
    /// # Errors
    /// [`Error::Failed`] or [`Error::BadPointer`], most often for want of a GPU driver.
    pub fn create_runtime(&self) -> Result<Runtime, Error> {
        Runtime::new(*self)
    }

    /// Makes a builder, which builds engines.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] with the lean runtime; [`Error::Failed`] or
    /// [`Error::BadPointer`], most often for want of a GPU driver.
    pub fn create_builder(&self) -> Result<Builder, Error> {
        Builder::new(*self)
    }

    pub(crate) fn create_runtime_object(&self) -> Ptr {
        // SAFETY: the factory takes the logger, which lives forever, and the version that its
        // caller was made for, which must be its own.
        unsafe { (self.loaded.create_runtime)(self.loaded.logger.as_ptr(), self.version().code()) }
    }

    pub(crate) fn create_builder_object(&self) -> Option<Ptr> {
        let create = self.loaded.create_builder?;
        // SAFETY: as in `create_runtime_object`.
        Some(unsafe { create(self.loaded.logger.as_ptr(), self.version().code()) })
    }

    /// Starts to listen for the words of a call.
    pub(crate) fn call(self) -> Call {
        Call::start(self.loaded.logger)
    }

    /// The error of a call that answered no object.
    pub(crate) fn no_object(call: &'static str, heard: &Call, bad: Bad) -> Error {
        match bad {
            Bad(0) => Error::Failed { call, said: heard.said() },
            Bad(address) => Error::BadPointer { call, address, said: heard.said() },
        }
    }
}

/// The error of a call that answered `false`.
pub(crate) fn failed(call: &'static str, heard: &Call) -> Error {
    Error::Failed { call, said: heard.said() }
}

fn candidates() -> impl Iterator<Item = PathBuf> {
    let by_name = NAMES.iter().map(PathBuf::from);
    let by_path = FOLDERS.iter().flat_map(|folder| NAMES.map(|name| Path::new(folder).join(name)));
    // A line for each place that does not exist would only bury the others.
    by_name.chain(by_path.filter(|path| path.exists()))
}

/// The first of `names` in the folder `path`; `path` itself where it is not a folder.
pub(crate) fn in_folder<'n>(path: &Path, names: impl IntoIterator<Item = &'n &'n str>) -> PathBuf {
    if !path.is_dir() {
        return path.to_owned();
    }
    let mut all = names.into_iter().map(|name| path.join(name)).peekable();
    let first = all.peek().cloned();
    all.find(|file| file.exists()).or(first).unwrap_or_else(|| path.to_owned())
}

/// Loads a shared library for good: what was looked up in it stays where it is.
pub(crate) fn load_shared(path: &Path) -> Result<ManuallyDrop<libloading::Library>, Error> {
    // SAFETY: the initialisers of NVIDIA's libraries only set up themselves. A file that somebody
    // puts in their place runs as this program either way: the search is the loader's own.
    unsafe { libloading::Library::new(path) }
        .map(ManuallyDrop::new)
        .map_err(|error| Error::Load { path: path.to_owned(), reason: reason(path, &error) })
}

fn reason(path: &Path, error: &libloading::Error) -> String {
    // The loader's text is in the source of the wrapped error, and begins with the file.
    let source = std::error::Error::source(error).map(ToString::to_string);
    let text = source.unwrap_or_else(|| error.to_string());
    let file = format!("{}: ", path.display());
    text.strip_prefix(&file).map(ToOwned::to_owned).unwrap_or(text)
}

/// Looks a function up.
pub(crate) fn symbol<F: Copy>(library: &libloading::Library, name: &std::ffi::CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*const c_void>()) };
    // SAFETY: each caller names the type that the function has in the headers (`Factory` and
    // `Number` are the only ones), and the library is never unloaded.
    unsafe { library.get::<F>(name.to_bytes_with_nul()) }.ok().map(|symbol| *symbol)
}

/// The file that holds `address`, from the kernel's list of what is mapped; else `name`.
fn path_of(name: &Path, address: usize) -> PathBuf {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let holds = |line: &&str| {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        range.is_some_and(|(from, to)| {
            let parse = |text| usize::from_str_radix(text, 16);
            matches!((parse(from), parse(to)), (Ok(from), Ok(to)) if (from..to).contains(&address))
        })
    };
    let line = maps.lines().find(holds);
    line.and_then(|line| line.find('/').map(|at| PathBuf::from(&line[at..])))
        .unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_tensorrt_is_told_what_was_tried_and_what_to_do() {
        let none = ["/nonexistent/libnvinfer.so.10", "/nonexistent/libnvinfer.so.8"];
        let error = Library::search(None, none.iter().map(PathBuf::from)).unwrap_err();
        let text = error.to_string();
        for part in ["8.6, 10 or 11", LIBRARY_VARIABLE, none[0], none[1], "No such file"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn the_variable_is_the_only_place_tried_and_an_empty_one_counts_as_unset() {
        let nowhere = || std::iter::once(PathBuf::from("/nonexistent/other.so"));
        let error = Library::search(Some("/nonexistent/mine.so".into()), nowhere()).unwrap_err();
        assert!(matches!(&error, Error::Load { path, .. } if path.ends_with("mine.so")), "{error}");
        let error = Library::search(Some(OsString::new()), nowhere()).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }));
    }

    #[test]
    fn a_file_that_is_no_library_is_refused_with_the_loaders_words() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libnvinfer.so.10");
        std::fs::write(&file, b"not an ELF file").unwrap();
        for path in [folder.path(), &file] {
            let error = Library::open_at(path).unwrap_err();
            assert!(matches!(&error, Error::Load { path, .. } if *path == file));
            assert!(error.to_string().contains("libnvinfer.so.10"), "{error}");
        }
    }

    #[test]
    fn another_shared_library_is_refused_by_the_function_it_lacks() {
        let error = Library::open_at("libc.so.6").unwrap_err();
        assert!(matches!(error, Error::MissingSymbol { symbol: "getInferLibVersion", .. }));
    }

    #[test]
    fn the_search_goes_from_new_to_old_and_the_loader_before_the_folders() {
        let all: Vec<PathBuf> = candidates().collect();
        assert_eq!(all[0], Path::new("libnvinfer.so.11"));
        assert_eq!(all[3], Path::new("libnvinfer.so"));
        assert!(all[4..].iter().all(|path| path.is_absolute() && path.exists()));
    }
}
