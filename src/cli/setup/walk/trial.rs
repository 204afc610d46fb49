//! A source is tried for a while: for how long there was a score, why not, and how the picture came.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use sonofuse_core::quality::Fault;
use sonofuse_core::reading::{Outcome, Reading};
use sonofuse_core::words::Label;

use super::super::said::{label, page, say};
use super::{End, LOOK_EVERY, Walk};

impl<I: BufRead, O: Write> Walk<'_, I, O> {
    /// Counts for how long there was a score, why not, and how the picture came.
    pub(super) fn tried(&mut self, usual: Duration) -> Result<(), End> {
        let seconds = loop {
            let usual = usual.as_secs();
            let answer = self.ask(&say("try-ask", &[("seconds", &usual)]))?;
            match if answer.is_empty() { Ok(usual) } else { answer.parse() } {
                Ok(seconds) if seconds <= 3600 => break seconds,
                _ => self.line(&say("wrong-number", &[]))?,
            }
        };
        let mut counts: BTreeMap<&'static str, u32> = BTreeMap::new();
        let (mut rates, mut agreed, mut faults) = (Vec::new(), None, Vec::<Fault>::new());
        let (begun, mut looks) = (Instant::now(), 0);
        while begun.elapsed().as_secs() < seconds {
            std::thread::sleep(LOOK_EVERY);
            let Some(reading) = self.rig.reading() else { continue };
            looks += 1;
            *counts.entry(outcome(&reading)).or_default() += 1;
            rates.extend(reading.input.rate_hz);
            agreed = reading.input.agreed_hz.or(agreed);
            for fault in reading.input.faults.iter() {
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (what, count) in counts {
            let part = f64::from(count) / f64::from(looks.max(1)) * seconds as f64;
            let part = format!("{part:>5.1}");
            self.line(&say("try-counted", &[("seconds", &part), ("what", &what)]))?;
        }
        if !rates.is_empty() {
            let mean = rates.iter().sum::<f32>() / rates.len() as f32;
            let mean = format!("{mean:.1}");
            let rate = match agreed {
                Some(agreed) => page("try-rate-of", &[("have", &mean), ("agreed", &agreed)]),
                None => mean,
            };
            self.line(&format!("{}: {rate}", page("try-rate", &[])))?;
            let none = page("none", &[]);
            let names: Vec<&str> = faults.iter().map(|f| label(Label::of_fault(*f))).collect();
            let names = if names.is_empty() { none } else { names.join(", ") };
            self.line(&format!("{}: {names}", page("try-faults", &[])))?;
        }
        Ok(())
    }
}

/// A score, or why there is none, in two or three words.
fn outcome(reading: &Reading) -> &'static str {
    match (reading.outcome, reading.reason) {
        (Outcome::Withheld, Some(reason)) => label(Label::of_reason(reason)[0]),
        (Outcome::Withheld, None) => label(Label::WordWithheld),
        (Outcome::Scored, _) => label(Label::WordScored),
    }
}
