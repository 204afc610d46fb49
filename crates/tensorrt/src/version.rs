//! The version of a TensorRT library, as it reports it. A value; any thread.

use std::fmt;

/// Version of a loaded TensorRT, from the number that the library reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    code: i32,
    build: Option<u32>,
}

impl Version {
    pub(crate) fn from_code(code: i32, build: Option<u32>) -> Self {
        Self { code, build }
    }

    /// The number itself: 8601 is 8.6.1, 100300 is 10.3.0.
    pub fn code(&self) -> i32 {
        self.code
    }

    /// First number: 8, 10 or 11 (1 for TensorRT-RTX).
    pub fn major(&self) -> u32 {
        self.parts()[0]
    }

    /// Second number.
    pub fn minor(&self) -> u32 {
        self.parts()[1]
    }

    /// Third number.
    pub fn patch(&self) -> u32 {
        self.parts()[2]
    }

    /// Build number, where the library tells it (10 and later).
    pub fn build(&self) -> Option<u32> {
        self.build
    }

    /// Whether this is TensorRT-RTX, a sibling product that counts from 1.
    pub fn is_rtx(&self) -> bool {
        self.major() == 1 && self.code >= 10_000
    }

    // Up to 8 a thousand stood for the major version, since 10 it is ten thousand.
    fn parts(self) -> [u32; 3] {
        let code = self.code.max(0).unsigned_abs();
        let major = if code < 10_000 { code / 1000 } else { code / 10_000 };
        let rest = if code < 10_000 { code % 1000 } else { code % 10_000 };
        [major, rest / 100, rest % 100]
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.parts();
        write!(f, "{}{major}.{minor}.{patch}", if self.is_rtx() { "RTX " } else { "" })?;
        match self.build {
            Some(build) => write!(f, ".{build}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_reported_number_reads_as_nvidia_writes_the_version() {
        for (code, build, text) in [
            (8601, None, "8.6.1"),
            (8503, None, "8.5.3"),
            (100_300, Some(26), "10.3.0.26"),
            (101_601, None, "10.16.1"),
            (110_400, None, "11.4.0"),
            (10_701, Some(116), "RTX 1.7.1.116"),
            (-7, None, "0.0.0"),
            (i32::MAX, None, "214748.36.47"),
        ] {
            assert_eq!(Version::from_code(code, build).to_string(), text);
        }
    }
}
