//! What can go wrong, with TensorRT's own words attached. Values; any thread.

use crate::version::Version;
use std::fmt;
use std::path::PathBuf;

/// How much a line of TensorRT's log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// An internal error; the program cannot go on with TensorRT.
    InternalError,
    /// An error of the call or of the environment.
    Error,
    /// Something that the application should know.
    Warning,
    /// What TensorRT is doing.
    Info,
    /// Everything else.
    Verbose,
}

/// One line of TensorRT's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub severity: Severity,
    /// TensorRT's words.
    pub text: String,
}

/// What TensorRT logged, at warning level and above, while a call failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said(pub Vec<LogLine>);

impl fmt::Display for Said {
    /// Writes the errors, or the warnings where there is no error, separated by `; `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let worst = self.0.iter().map(|line| line.severity.max(Severity::Error)).min();
        let Some(worst) = worst else { return f.write_str("TensorRT gave no reason") };
        let mut first = true;
        for line in self.0.iter().filter(|line| line.severity <= worst) {
            f.write_str(if first { "" } else { "; " })?;
            f.write_str(line.text.trim())?;
            first = false;
        }
        Ok(())
    }
}

/// One complaint of the ONNX parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParserError {
    /// The parser's own error code.
    pub code: i32,
    /// Index of the node in the graph, where the complaint is about one.
    pub node: Option<u32>,
    /// Name of that node (TensorRT 10 and later).
    pub node_name: Option<String>,
    /// Operator of that node (TensorRT 10 and later).
    pub operator: Option<String>,
    /// The parser's words.
    pub text: String,
}

impl fmt::Display for ParserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = self.node {
            write!(f, "node {node}")?;
            match (&self.node_name, &self.operator) {
                (Some(name), Some(operator)) => write!(f, " ({operator} \"{name}\")")?,
                (Some(name), None) => write!(f, " (\"{name}\")")?,
                (None, Some(operator)) => write!(f, " ({operator})")?,
                (None, None) => {}
            }
            f.write_str(": ")?;
        }
        f.write_str(self.text.trim())
    }
}

/// A file that was tried, and why it did not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Name or path, as it was given to the loader.
    pub path: PathBuf,
    /// The loader's words.
    pub reason: String,
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Everything that this crate can fail with.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// None of the names of the library could be loaded.
    #[error(
        "no {what} on this machine: install TensorRT 8.6, 10 or 11, or name the file in {variable} \
         (tried {})", list(.tried)
    )]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Environment variable that names it.
        variable: &'static str,
        /// What was tried.
        tried: Vec<Tried>,
    },

    /// A library that was named could not be loaded.
    #[error("cannot load {}: {reason}", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },

    /// The file is a shared library, but not the one that was asked for.
    #[error(
        "{} has no function {symbol}: it is not {what}", path.display()
    )]
    MissingSymbol {
        /// The file.
        path: PathBuf,
        /// The function that is missing.
        symbol: &'static str,
        /// What the file should be.
        what: &'static str,
    },

    /// A TensorRT whose functions are at unknown places; nothing of it was called.
    #[error(
        "{} is TensorRT {version} (code {}), which this build does not know: it runs TensorRT \
         8.6.1 to 8.6.x, 10 and 11{}",
        path.display(), version.code(),
        if version.is_rtx() { ", not TensorRT-RTX" } else { "" }
    )]
    UnsupportedVersion {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        version: Version,
    },

    /// The parser belongs to another TensorRT than the one loaded.
    #[error(
        "{} is the ONNX parser of TensorRT {parser}, but TensorRT {library} is loaded: install the \
         parser of the same version", path.display()
    )]
    OtherParser {
        /// The parser's file.
        path: PathBuf,
        /// The major version in the parser's name.
        parser: u32,
        /// The version loaded.
        library: Version,
    },

    /// A call failed.
    #[error("{call} failed: {said}")]
    Failed {
        /// TensorRT's name of the call.
        call: &'static str,
        /// TensorRT's words.
        said: Said,
    },

    /// A call answered with a pointer that no object can have (seen without a GPU driver).
    #[error(
        "{call} answered the impossible address {address:#x}, as some versions do without a usable \
         GPU driver: {said}"
    )]
    BadPointer {
        /// TensorRT's name of the call.
        call: &'static str,
        /// What it answered.
        address: usize,
        /// TensorRT's words.
        said: Said,
    },

    /// The ONNX parser refused the model.
    #[error("TensorRT cannot use the ONNX model {model}: {}", if errors.is_empty() { said.to_string() } else { list(.errors) })]
    Parse {
        /// The model's file, or `(bytes)`.
        model: String,
        /// The parser's complaints.
        errors: Vec<ParserError>,
        /// TensorRT's words besides.
        said: Said,
    },

    /// The loaded version cannot do what was asked.
    #[error("{feature} is not in TensorRT {version}: {advice}")]
    NotInThisVersion {
        /// What was asked.
        feature: &'static str,
        /// The version loaded.
        version: Version,
        /// What to do instead.
        advice: &'static str,
    },

    /// The engine has no tensor of that name.
    #[error("the engine has no {role} \"{name}\"; it has {has}")]
    NoSuchTensor {
        /// "input" or "tensor".
        role: &'static str,
        /// What was asked for.
        name: String,
        /// Names that exist.
        has: String,
    },

    /// A shape that cannot be passed.
    #[error("the shape {shape:?} of \"{name}\" is not usable: {why}")]
    Shape {
        /// Tensor it was meant for.
        name: String,
        /// The shape.
        shape: Vec<i64>,
        /// What is wrong with it.
        why: String,
    },

    /// Inputs whose shape must be given before the call.
    #[error("give a shape to {missing} first (set_input_shape)")]
    ShapesMissing {
        /// Their names.
        missing: String,
    },

    /// An index beyond what there is.
    #[error("there is no {what} {index}: this one has {count}")]
    NoSuchIndex {
        /// What was counted.
        what: &'static str,
        /// What was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },

    /// Objects of two builders were mixed.
    #[error("the {what} was made by another builder")]
    OtherBuilder {
        /// "network", "config" or "profile".
        what: &'static str,
    },

    /// TensorRT did not take a setting over.
    #[error("TensorRT did not take {setting} = {asked}: it has {has} (out of range?)")]
    NotTaken {
        /// The setting.
        setting: &'static str,
        /// What was asked.
        asked: String,
        /// What is set now.
        has: String,
    },

    /// A text that is longer than TensorRT takes.
    #[error("the {what} is {length} bytes long: TensorRT takes {most}")]
    LongName {
        /// Which text.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The greatest length.
        most: usize,
    },

    /// A setting of a runtime that engines use already.
    #[error("set up the runtime before engines are loaded from it, or make another")]
    RuntimeInUse,

    /// The build was cancelled by the progress monitor.
    #[error("the build was cancelled")]
    Cancelled,

    /// A text that C cannot carry.
    #[error("the {what} contains a zero byte")]
    ZeroByte {
        /// Which text.
        what: &'static str,
    },
}

impl Error {
    /// What TensorRT said while the call failed, where it was a call of TensorRT.
    pub fn said(&self) -> Option<&Said> {
        match self {
            Self::Failed { said, .. }
            | Self::BadPointer { said, .. }
            | Self::Parse { said, .. } => Some(said),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn said_tells_errors_first_and_warnings_only_for_want_of_them() {
        let line = |severity, text: &str| LogLine { severity, text: text.into() };
        assert_eq!(Said::default().to_string(), "TensorRT gave no reason");
        let warned = Said(vec![line(Severity::Warning, "w1"), line(Severity::Warning, "w2\n")]);
        assert_eq!(warned.to_string(), "w1; w2");
        let both = Said(vec![
            line(Severity::Warning, "w"),
            line(Severity::InternalError, "deep"),
            line(Severity::Error, "cause"),
        ]);
        assert_eq!(both.to_string(), "deep; cause");
    }

    #[test]
    fn a_parser_error_names_the_node_as_far_as_it_is_known() {
        let mut error =
            ParserError { code: 8, node: None, node_name: None, operator: None, text: "no".into() };
        assert_eq!(error.to_string(), "no");
        error.node = Some(3);
        assert_eq!(error.to_string(), "node 3: no");
        error.operator = Some("Conv".into());
        assert_eq!(error.to_string(), "node 3 (Conv): no");
        error.node_name = Some("c1".into());
        assert_eq!(error.to_string(), "node 3 (Conv \"c1\"): no");
    }
}
