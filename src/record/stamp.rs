//! Names of evidence: the moment that it was asked for, by the wall clock in UTC, and what it is. Names
//! sort as time goes. Pure.

use sonofuse_core::published::KeptKind;

const DAY_MS: u64 = 86_400_000;

/// Milliseconds since 1970 as `2026-11-27T09:15:30.123Z`.
pub(super) fn iso(unix_ms: u64) -> String {
    let Moment { date: [y, m, d], time: [h, min, s, ms] } = Moment::of(unix_ms);
    format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}.{ms:03}Z")
}

/// The name of what was asked for then: `20261127T091530.123Z-clip`.
pub(super) fn name(unix_ms: u64, kind: KeptKind) -> String {
    let Moment { date: [y, m, d], time: [h, min, s, ms] } = Moment::of(unix_ms);
    format!("{y:04}{m:02}{d:02}T{h:02}{min:02}{s:02}.{ms:03}Z-{}", kind.as_str())
}

/// What a name says: when, in milliseconds since 1970, and what. `None` for any other name.
pub(super) fn read(name: &str) -> Option<(u64, KeptKind)> {
    let (stamp, kind) = name.split_once('-')?;
    let kind = [KeptKind::Snapshot, KeptKind::Clip].into_iter().find(|k| k.as_str() == kind)?;
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
    // Days since 1 March of year 0, months counted from March (Hinnant, days_from_civil).
    let (y, m) = if m > 2 { (y, m - 3) } else { (y - 1, m + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d - 1 - 719_468;
    Some((days * DAY_MS + ((h * 60 + min) * 60 + s) * 1000 + ms, kind))
}

/// Date and time of day.
struct Moment {
    date: [u64; 3],
    time: [u64; 4],
}

impl Moment {
    fn of(unix_ms: u64) -> Self {
        let (days, ms) = (unix_ms / DAY_MS, unix_ms % DAY_MS);
        // In eras of 400 years.
        let z = days + 719_468;
        let (era, day) = (z / 146_097, z % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let d = day - (153 * month + 2) / 5 + 1;
        let m = if month < 10 { month + 3 } else { month - 9 };
        let y = year + era * 400 + u64::from(m <= 2);
        let s = ms / 1000;
        Self { date: [y, m, d], time: [s / 3600, s / 60 % 60, s % 60, ms % 1000] }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_sort_as_time_goes() {
        let mut before = String::new();
        let moments = [0, 951_782_400_000, 951_868_799_999, 1_795_428_000_123, 4_107_542_400_000];
        for ms in moments.into_iter().chain((0..400).map(|k| 4_200_000_000_000 + k * DAY_MS)) {
            for kind in [KeptKind::Clip, KeptKind::Snapshot] {
                let name = name(ms, kind);
                assert_eq!(read(&name), Some((ms, kind)), "{name}");
                assert!(name > before, "{name} after {before}");
                before = name;
            }
        }
        assert_eq!(iso(1_795_428_000_123), "2026-11-23T10:00:00.123Z");
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
