//! Stiffness in words, for people: numbers with their unit and how far they may be off. Pure.

use std::fmt;

use super::{Quantity, Scale, Stiffness};

/// Said beside every value.
pub const OFF_THE_SCREEN: &str = "read off the screen";

/// A value of a scale as people read it: `34 ± 3 kPa`, `> 180 kPa` beyond the scale's end; the alternate form
/// (`{:#}`) has no unit.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    quantity: Quantity,
    scale: Scale,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quantity: Quantity { value, uncertainty, beyond }, scale } = *self;
        let unit = |f: &mut fmt::Formatter<'_>| {
            if f.alternate() { Ok(()) } else { write!(f, "\u{a0}{}", scale.unit.as_str()) }
        };
        if beyond && value >= 0.98 * scale.max {
            write!(f, ">\u{a0}{}", scale.max)?;
            return unit(f);
        }
        let digits = usize::from(scale.max < 25.0);
        let least = if beyond { "≥\u{a0}" } else { "" };
        // Never ± 0.
        let uncertainty = uncertainty.max(if digits == 1 { 0.1 } else { 1.0 });
        write!(f, "{least}{value:.digits$}\u{a0}±\u{a0}{uncertainty:.digits$}")?;
        unit(f)
    }
}

impl Stiffness {
    /// A value in words, where there is a scale.
    pub fn say(&self, quantity: Option<Quantity>) -> Option<Said> {
        Some(Said { quantity: quantity?, scale: self.scale? })
    }

    /// The ratio in words: `2.1 : 1`.
    pub fn say_ratio(&self) -> Option<String> {
        let ratio = self.ratio?;
        let least = if ratio.beyond { "≥\u{a0}" } else { "" };
        Some(format!("{least}{:.1}\u{a0}:\u{a0}1", ratio.value))
    }
}

impl fmt::Display for Stiffness {
    /// One line: what there is, and that it is read off the screen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stiffness")?;
        let values =
            [("mean", self.mean), ("99th pct.", self.p99), ("stiffest 2\u{a0}mm", self.circle_2mm)];
        let mut before = false;
        for (name, value) in values {
            if let Some(said) = self.say(value) {
                write!(f, "{} {name} {said}", if before { "," } else { "" })?;
                before = true;
            }
        }
        if !before {
            f.write_str(" without a scale")?;
        }
        if let Some(ratio) = self.say_ratio() {
            write!(f, ", stiff area {ratio}")?;
        }
        write!(f, ", {OFF_THE_SCREEN}")
    }
}
