//! The binding's tables against NVIDIA's headers, where they are installed.

use std::path::Path;

use sonofuse_tensorrt::{HeadersError, compare_headers};

use super::report::{Report, Verdict};

/// Compares; answers whether TensorRT may be called. Where nothing could be compared it may: the tables
/// were compiled with the headers of other machines.
pub(super) fn check(report: &mut Report, headers: Option<&Path>) -> bool {
    const CHECK: &str = "function places = NVIDIA's headers";
    let work = std::env::temp_dir().join(format!("sonofuse-slots-{}", std::process::id()));
    // A folder that is there already may be somebody's trap: the compiled program is run from it.
    let result = std::fs::create_dir(&work)
        .map_err(|source| HeadersError::Io { path: work.clone(), source })
        .and_then(|()| compare_headers(headers, &work));
    let _ = std::fs::remove_dir_all(&work);
    let (verdict, said) = match result {
        Ok(found) if found.agrees() => {
            let parser = if found.parser {
                ""
            } else {
                "; the parser was not compared: `sudo apt-get install libnvonnxparsers-dev`"
            };
            let other = other_library(&found.version);
            let said = format!(
                "TensorRT {}: all {} numbers of table {} agree{parser}{other}",
                found.version, found.numbers, found.table
            );
            (Verdict::Ok, said)
        }
        Ok(found) => (
            Verdict::Failed,
            format!(
                "TensorRT {} differs from table {}: {}",
                found.version,
                found.table,
                found.differences.join("; ")
            ),
        ),
        Err(error @ (HeadersError::Refused { .. } | HeadersError::Unsupported { .. })) => {
            (Verdict::Failed, error.to_string())
        }
        // Headers and compiler are needed for this check only.
        Err(error) => (Verdict::Skipped, error.to_string()),
    };
    report.row("binding", CHECK, verdict, said);
    verdict != Verdict::Failed
}

/// What else the row says where the headers are not those of the library that would be called.
fn other_library(headers: &str) -> String {
    let Ok(library) = sonofuse_tensorrt::Library::open() else { return String::new() };
    let version = library.version();
    let [major, minor, patch] = [version.major(), version.minor(), version.patch()];
    if headers.starts_with(&format!("{major}.{minor}.{patch}")) {
        return String::new();
    }
    format!("; but the library is {version}: install the headers of that version and compare again")
}
