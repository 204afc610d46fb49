//! Compares the tables of this crate with NVIDIA's headers on a machine, as its C++ compiler reads
//! them: the same check as `checks/slots.sh`, for a program that carries it along. Any thread; runs a
//! compiler for some seconds. Nothing of the headers is kept.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use thiserror::Error;

use crate::abi::slot_table;

/// The program that prints the headers' numbers.
const CHECKER: &str = include_str!("../checks/slots.cpp");

/// Stands in for CUDA's header, of which two names are needed.
const CUDA: &str = "#pragma once\n\
    typedef struct CUstream_st* cudaStream_t;\n\
    typedef struct CUevent_st* cudaEvent_t;\n";

/// Where NVIDIA's packages put the headers.
const FOLDERS: [&str; 5] = [
    "/usr/include/aarch64-linux-gnu",
    "/usr/include/x86_64-linux-gnu",
    "/usr/include",
    "/usr/local/tensorrt/include",
    "/opt/tensorrt/include",
];

/// Why nothing was compared.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HeadersError {
    /// The headers are not installed.
    #[error(
        "no NvInfer.h in {}: install libnvinfer-headers-dev and libnvonnxparsers-dev, or name their folder",
        .looked.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Missing {
        /// Folders that were looked in.
        looked: Vec<PathBuf>,
    },
    /// There is no compiler.
    #[error(
        "the C++ compiler {compiler:?} cannot be run ({source}): install g++, or name one in CXX"
    )]
    Compiler {
        /// Its name.
        compiler: OsString,
        /// The system's words.
        source: std::io::Error,
    },
    /// A function's type is another than in the headers that the tables come from, or the headers are
    /// incomplete.
    #[error("the headers in {} do not compile as expected: {words}", .folder.display())]
    Refused {
        /// Their folder.
        folder: PathBuf,
        /// The compiler's first words.
        words: String,
    },
    /// The headers' version has no table.
    #[error("there is no table for TensorRT {version}: 8.6, 10 and 11 are supported")]
    Unsupported {
        /// What the headers say.
        version: String,
    },
    /// A file could not be written or run.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Version of the headers.
    pub version: String,
    /// The table that was compared.
    pub table: &'static str,
    /// How many numbers were compared.
    pub numbers: usize,
    /// Whether the ONNX parser's were among them; its header may not be installed.
    pub parser: bool,
    /// What differs, a line each: `key: table 7, headers 8`.
    pub differences: Vec<String>,
}

impl Agreement {
    /// Whether the binding fits these headers.
    pub fn agrees(&self) -> bool {
        self.differences.is_empty() && self.numbers > 100
    }
}

/// Compiles the checker against the headers in `folder`, or in the usual places, and compares what it
/// prints with the table of their version. `work` is an existing folder for two files.
///
/// # Errors
/// [`HeadersError`].
pub fn compare_headers(folder: Option<&Path>, work: &Path) -> Result<Agreement, HeadersError> {
    let looked: Vec<PathBuf> = match folder {
        Some(folder) => vec![folder.to_owned()],
        None => FOLDERS.iter().map(PathBuf::from).collect(),
    };
    let found = looked.iter().find(|folder| folder.join("NvInfer.h").exists()).cloned();
    let folder = found.ok_or(HeadersError::Missing { looked })?;
    let compiler = std::env::var_os("CXX").filter(|c| !c.is_empty()).unwrap_or("c++".into());
    let printed = run(&folder, work, &compiler)?;
    compare(&printed)
}

fn run(folder: &Path, work: &Path, compiler: &OsString) -> Result<String, HeadersError> {
    let (source, program) = (work.join("slots.cpp"), work.join("slots"));
    for (path, text) in [(&source, CHECKER), (&work.join("cuda_runtime_api.h"), CUDA)] {
        std::fs::write(path, text)
            .map_err(|source| HeadersError::Io { path: path.clone(), source })?;
    }
    let built = Command::new(compiler)
        .args(["-std=c++17", "-w", "-I"])
        .arg(folder)
        .arg("-I")
        .arg(work)
        .arg("-o")
        .arg(&program)
        .arg(&source)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| HeadersError::Compiler { compiler: compiler.clone(), source })?;
    if !built.status.success() {
        return Err(HeadersError::Refused { folder: folder.to_owned(), words: words(&built) });
    }
    let ran = Command::new(&program)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| HeadersError::Io { path: program.clone(), source })?;
    if !ran.status.success() {
        return Err(HeadersError::Refused { folder: folder.to_owned(), words: words(&ran) });
    }
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}

/// The first lines that speak of an error.
fn words(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| line.contains("error")).take(3).collect();
    if errors.is_empty() { output.status.to_string() } else { errors.join("; ") }
}

fn compare(printed: &str) -> Result<Agreement, HeadersError> {
    let lines = printed.lines().filter_map(|line| line.split_once('\t'));
    let headers: BTreeMap<&str, i64> =
        lines.filter_map(|(key, number)| Some((key, number.trim().parse().ok()?))).collect();
    let number = |part: &str| headers.get(format!("version.{part}").as_str()).copied();
    let part = |part| number(part).map_or("?".into(), |n| n.to_string());
    let version = format!("{}.{}.{}", part("major"), part("minor"), part("patch"));
    let table = match (number("major"), number("minor")) {
        (Some(8), Some(6)) => "8.6",
        (Some(10), _) => "10",
        (Some(11), _) => "11",
        _ => return Err(HeadersError::Unsupported { version }),
    };
    let parser = headers.keys().any(|key| key.starts_with("parser"));
    let ours: BTreeMap<String, i64> = slot_table(table)
        .unwrap_or_default()
        .into_iter()
        .filter(|(key, _)| parser || !key.starts_with("parser"))
        .collect();
    let headers: BTreeMap<&str, i64> =
        headers.into_iter().filter(|(key, _)| !key.starts_with("version")).collect();
    let text = |number: Option<&i64>| number.map_or("none".to_owned(), i64::to_string);
    let keys = ours.keys().map(String::as_str).chain(headers.keys().copied());
    let keys: std::collections::BTreeSet<&str> = keys.collect();
    let differences = keys.iter().filter(|key| ours.get(**key) != headers.get(**key));
    let differences = differences
        .map(|key| {
            format!("{key}: table {}, headers {}", text(ours.get(*key)), text(headers.get(key)))
        })
        .collect();
    Ok(Agreement { version, table, numbers: headers.len(), parser, differences })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What the checker prints with headers of a version.
    fn printed(recorded: &str, version: [i64; 3]) -> String {
        let mut lines: Vec<String> =
            recorded.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        for (part, number) in ["major", "minor", "patch"].iter().zip(version) {
            lines.push(format!("version.{part}\t{number}"));
        }
        lines.join("\n")
    }

    #[test]
    fn recorded_headers_agree_and_a_moved_function_is_named() {
        for (recorded, version, table) in [
            (include_str!("../checks/slots-8.6.tsv"), [8, 6, 2], "8.6"),
            (include_str!("../checks/slots-10.tsv"), [10, 3, 0], "10"),
            (include_str!("../checks/slots-11.tsv"), [11, 4, 0], "11"),
        ] {
            let good = compare(&printed(recorded, version)).unwrap();
            assert!(good.agrees() && good.parser, "{good:?}");
            assert_eq!((good.table, good.numbers > 140), (table, true));
            let line = recorded.lines().find(|l| l.starts_with("context.enqueue_v3\t")).unwrap();
            let moved = recorded.replace(line, "context.enqueue_v3\t1");
            let bad = compare(&printed(&moved, version)).unwrap();
            assert_eq!(bad.differences.len(), 1);
            assert!(bad.differences[0].contains("enqueue_v3") && !bad.agrees(), "{bad:?}");
        }
    }

    #[test]
    fn headers_without_the_parser_and_of_unknown_versions_are_told_apart() {
        let recorded = include_str!("../checks/slots-10.tsv");
        let lines = recorded.lines().filter(|line| !line.starts_with("parser"));
        let without = lines.collect::<Vec<_>>().join("\n");
        let found = compare(&printed(&without, [10, 0, 0])).unwrap();
        assert!(found.agrees() && !found.parser, "{found:?}");
        for version in [[12, 0, 0], [9, 3, 0], [8, 5, 0]] {
            let error = compare(&printed(recorded, version)).unwrap_err();
            assert!(matches!(error, HeadersError::Unsupported { .. }), "{error}");
        }
        assert!(compare("nonsense").is_err());
        let empty = compare("version.major\t10\n").unwrap();
        assert!(!empty.agrees());
    }

    #[test]
    fn a_machine_without_headers_is_told_what_to_install() {
        let folder = tempfile::tempdir().unwrap();
        let error = compare_headers(Some(folder.path()), folder.path()).unwrap_err();
        assert!(error.to_string().contains("libnvinfer-headers-dev"), "{error}");
        // A header that is none: the compiler's words.
        std::fs::write(folder.path().join("NvInfer.h"), "#error not TensorRT\n").unwrap();
        let error = compare_headers(Some(folder.path()), folder.path()).unwrap_err();
        assert!(
            matches!(&error, HeadersError::Refused { words, .. } if words.contains("error")),
            "{error}"
        );
    }
}
