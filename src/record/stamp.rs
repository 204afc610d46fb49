//! Names of evidence: the moment that it was asked for, by the wall clock in UTC, and what it is. Names
//! sort as time goes. Pure.

use sonofuse_core::published::KeptKind;

use crate::civil::Utc;

/// The name of what was asked for then: `20261127T091530.123Z-clip`.
pub(super) fn name(unix_ms: u64, kind: KeptKind) -> String {
    let Utc { date: [y, m, d], time: [h, min, s, ms] } = Utc::of_ms(unix_ms);
    format!("{y:04}{m:02}{d:02}T{h:02}{min:02}{s:02}.{ms:03}Z-{}", kind.as_str())
}

/// What a name says: when, in milliseconds since 1970, and what. `None` for any other name.
pub(super) fn read(name: &str) -> Option<(u64, KeptKind)> {
    let (stamp, kind) = name.split_once('-')?;
    let kinds = [KeptKind::Snapshot, KeptKind::Clip, KeptKind::Exam];
    let kind = kinds.into_iter().find(|k| k.as_str() == kind)?;
    let bytes = stamp.as_bytes();
    if bytes.len() != 20 || !stamp.is_ascii() {
        return None;
    }
    for (at, mark) in [(8, b'T'), (15, b'.'), (19, b'Z')] {
        if bytes[at] != mark {
            return None;
        }
    }
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = &stamp[from..to];
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let [y, m, d] = [number(0, 4)?, number(4, 6)?, number(6, 8)?];
    let [h, min, s, ms] = [number(9, 11)?, number(11, 13)?, number(13, 15)?, number(16, 19)?];
    if y < 1970 || !(1..=12).contains(&m) || !(1..=31).contains(&d) || h > 23 || min > 59 || s > 59
    {
        return None;
    }
    Some((Utc { date: [y, m, d], time: [h, min, s, ms] }.unix_ms(), kind))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::civil::DAY_MS;

    #[test]
    fn names_are_read_back_and_sort_as_time_goes() {
        let mut before = String::new();
        let moments = [0, 951_782_400_000, 951_868_799_999, 1_795_428_000_123, 4_107_542_400_000];
        for ms in moments.into_iter().chain((0..400).map(|k| 4_200_000_000_000 + k * DAY_MS)) {
            for kind in [KeptKind::Clip, KeptKind::Exam, KeptKind::Snapshot] {
                let name = name(ms, kind);
                assert_eq!(read(&name), Some((ms, kind)), "{name}");
                assert!(name > before, "{name} after {before}");
                before = name;
            }
        }
        assert_eq!(Utc::of_ms(1_795_428_000_123).iso(), "2026-11-23T10:00:00.123Z");
        assert_eq!(name(1_795_428_000_123, KeptKind::Clip), "20261123T100000.123Z-clip");
    }

    #[test]
    fn other_names_are_not_read() {
        for name in [
            "",
            "-clip",
            ".part-20261123T100000.123Z-clip",
            "20261123T100000.123Z-film",
            "20261323T100000.123Z-clip",
            "20261123T100000,123Z-clip",
            "２0261123T1000.123Z-clip",
            "20261123T1000+0.123Z-clip",
        ] {
            assert_eq!(read(name), None, "{name}");
        }
    }
}
