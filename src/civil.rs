//! Dates and times of day in Coordinated Universal Time. Pure.

use std::time::{SystemTime, UNIX_EPOCH};

/// A day, ms.
pub const DAY_MS: u64 = 86_400_000;

/// Days from 1 March of year 0 to 1970. Years that begin in March have the leap day last, and repeat in eras of
/// 400 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
const TO_1970: u64 = 719_468;

/// A moment by the calendar and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    /// Year, month from 1, day from 1.
    pub date: [u64; 3],
    /// Hour, minute, second, millisecond.
    pub time: [u64; 4],
}

impl Utc {
    /// Of milliseconds since 1970.
    pub const fn of_ms(unix_ms: u64) -> Self {
        let (days, ms) = (unix_ms / DAY_MS, unix_ms % DAY_MS);
        let shifted = days + TO_1970;
        let (era, day) = (shifted / 146_097, shifted % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let d = day - (153 * month + 2) / 5 + 1;
        let (m, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let y = year + era * 400 + next;
        let s = ms / 1000;
        Self { date: [y, m, d], time: [s / 3600, s / 60 % 60, s % 60, ms % 1000] }
    }

    /// Of the system's clock; 1970 where that is earlier.
    pub fn of(at: SystemTime) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::of_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// As ISO 8601 and RFC 3339 have it: `2026-11-27T09:15:30.123Z`.
    pub fn iso(self) -> String {
        let Self { date: [y, m, d], time: [h, min, s, ms] } = self;
        format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}.{ms:03}Z")
    }

    /// Milliseconds since 1970, of a date from 1970 on.
    pub const fn unix_ms(self) -> u64 {
        let Self { date: [y, m, d], time: [h, min, s, ms] } = self;
        let (y, m) = if m > 2 { (y, m - 3) } else { (y - 1, m + 9) };
        let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d - 1 - TO_1970;
        days * DAY_MS + ((h * 60 + min) * 60 + s) * 1000 + ms
    }
}
