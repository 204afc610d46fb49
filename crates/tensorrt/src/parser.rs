//! The ONNX parser, a library of its own beside libnvinfer. Any thread; a parse runs on the thread
//! of the network's builder.
#![allow(unsafe_code, reason = "calls the parser's factory")]

use crate::error::{Error, Tried};
use crate::library::{Library, in_folder, load_shared, symbol};
use crate::network::NetworkDefinition;
use crate::raw::Ptr;
use crate::raw::parser::RawParser;
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// Environment variable that names the parser's library (a file, or a folder that holds it). Where
/// it is set, nothing else is tried.
pub const PARSER_VARIABLE: &str = "SONOFUSE_TENSORRT_PARSER_LIB";

const WHAT: &str = "ONNX parser of TensorRT (libnvonnxparser)";

// `noexcept` since 10.1 only.
type Factory = unsafe extern "C-unwind" fn(Ptr, Ptr, i32) -> Ptr;
type Number = unsafe extern "C" fn() -> i32;

/// Reads ONNX models into networks.
#[derive(Debug, Clone)]
pub struct OnnxParser {
    create: Factory,
    version: i32,
    path: PathBuf,
    library: Library,
}

impl OnnxParser {
    /// Loads the parser of `library`: the one that [`PARSER_VARIABLE`] names, else the one that
    /// lies beside the library, else the one that the loader finds.
    ///
    /// # Errors
    /// [`Error::NotFound`] with everything that was tried; [`Error::OtherParser`] for one of another
    /// version; [`Error::Load`]; [`Error::MissingSymbol`].
    pub fn open(library: Library) -> Result<Self, Error> {
        let names = names(library);
        if let Some(named) = std::env::var_os(PARSER_VARIABLE).filter(|named| !named.is_empty()) {
            return Self::open_at(library, Path::new(&named));
        }
        let beside = library.path().parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = beside.map(|folder| names.clone().map(|name| folder.join(name)));
        let mut tried = Vec::new();
        for path in beside.into_iter().flatten().chain(names.map(PathBuf::from)) {
            match Self::load(library, &path) {
                Err(Error::Load { path, reason }) => tried.push(Tried { path, reason }),
                other => return other,
            }
        }
        Err(Error::NotFound { what: WHAT, variable: PARSER_VARIABLE, tried })
    }

    /// Loads the parser at `path`: a file, a name for the loader, or a folder that holds it.
    ///
    /// # Errors
    /// As [`OnnxParser::open`].
    pub fn open_at(library: Library, path: impl AsRef<Path>) -> Result<Self, Error> {
        let names = names(library);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Self::load(library, &in_folder(path.as_ref(), &names))
    }

    fn load(library: Library, path: &Path) -> Result<Self, Error> {
        // All parsers report one and the same version, so the name has to tell. One of another
        // major would load its own libnvinfer and call it with this one's objects.
        if let Some(parser) = major_in_name(path)
            && parser != library.version().major()
        {
            let (path, library) = (path.to_owned(), library.version());
            return Err(Error::OtherParser { path, parser, library });
        }
        let shared = load_shared(path)?;
        let missing = |symbol| Error::MissingSymbol {
            path: path.to_owned(),
            symbol,
            what: "libnvonnxparser",
        };
        let create: Option<Factory> = symbol(&shared, c"createNvOnnxParser_INTERNAL");
        let number: Option<Number> = symbol(&shared, c"getNvOnnxParserVersion");
        let create = create.ok_or_else(|| missing("createNvOnnxParser_INTERNAL"))?;
        let number = number.ok_or_else(|| missing("getNvOnnxParserVersion"))?;
        // SAFETY: the function takes nothing and answers a constant.
        let version = unsafe { number() };
        Ok(Self { create, version, path: path.to_owned(), library })
    }

    /// The file, as it was given to the loader.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a model into an empty network.
    ///
    /// # Errors
    /// [`Error::Parse`] with each complaint; [`Error::OtherBuilder`] for a network of another
    /// library. The network is then of no more use.
    pub fn parse(&self, network: &mut NetworkDefinition<'_>, model: &[u8]) -> Result<(), Error> {
        self.run(network, "(bytes)", |parser| parser.parse(model))
    }

    /// Reads a model from a file, with weights that lie in files beside it.
    ///
    /// # Errors
    /// As [`OnnxParser::parse`]; [`Error::ZeroByte`].
    pub fn parse_file(
        &self,
        network: &mut NetworkDefinition<'_>,
        path: &Path,
    ) -> Result<(), Error> {
        let c_path = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| Error::ZeroByte { what: "path of the model" })?;
        self.run(network, &path.display().to_string(), |parser| parser.parse_file(&c_path))
    }

    fn run(
        &self,
        network: &mut NetworkDefinition<'_>,
        model: &str,
        parse: impl FnOnce(&mut RawParser) -> bool,
    ) -> Result<(), Error> {
        let library = network.builder.library();
        if !std::ptr::eq(library.loaded, self.library.loaded) {
            return Err(Error::OtherBuilder { what: "network" });
        }
        let heard = library.call();
        let logger = library.loaded.logger.as_ptr();
        // SAFETY: the factory takes a network of its own version, which `open` made sure of, the
        // logger, which lives forever, and the version that it reported. The network keeps the
        // parser and outlives it.
        let parser = unsafe {
            let object = (self.create)(network.raw.public(), logger, self.version);
            RawParser::open(object, library.loaded.abi)
        };
        let mut parser =
            parser.map_err(|bad| Library::no_object("createNvOnnxParser", &heard, bad))?;
        let parsed = parse(&mut parser);
        let errors = if parsed { Vec::new() } else { parser.errors() };
        network.keep(parser);
        if parsed {
            return Ok(());
        }
        Err(Error::Parse { model: model.to_owned(), errors, said: heard.said() })
    }
}

/// Names of the parser that goes with the library.
fn names(library: Library) -> [String; 2] {
    let version = library.version();
    if version.is_rtx() {
        return ["libtensorrt_onnxparser_rtx.so.1".into(), "libtensorrt_onnxparser_rtx.so".into()];
    }
    [format!("libnvonnxparser.so.{}", version.major()), "libnvonnxparser.so".into()]
}

/// The major version in `libnvonnxparser.so.10` or `….so.10.3.0`, through links.
fn major_in_name(path: &Path) -> Option<u32> {
    let of = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        let (_, version) = name.split_once(".so.")?;
        version.split('.').next()?.parse().ok()
    };
    path.canonicalize().ok().and_then(|real| of(&real)).or_else(|| of(path))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_the_name_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("libnvonnxparser.so.8.6.2");
        let link = folder.path().join("libnvonnxparser.so");
        std::fs::write(&real, b"").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(major_in_name(&link), Some(8));
        assert_eq!(major_in_name(Path::new("libnvonnxparser.so.10")), Some(10));
        assert_eq!(major_in_name(Path::new("libnvonnxparser.so")), None);
        assert_eq!(major_in_name(Path::new("parser.so.next")), None);
    }
}
