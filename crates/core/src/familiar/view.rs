//! The small network of one view, and the quantiles of what it says. Pure; allocates nothing.

use serde::{Deserialize, Serialize};

/// Units of the hidden layer, at most: the scratch lies on the stack.
const UNITS: usize = 64;

/// Farthest that a statistic counts, in spreads of the training set: beyond, the network never saw any.
const FAR: f32 = 8.0;

/// What is known of one view of the training set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct View {
    /// It is unfamiliar where its familiarity is below this, 0..=0.5: so large a part of the training
    /// set's own kind is refused for this view.
    pub limit: f32,
    /// Median of each statistic.
    pub centre: Vec<f32>,
    /// Half of what lies between the 16th and the 84th hundredth, above 0.
    pub spread: Vec<f32>,
    /// Strangeness of pictures that the network was not fitted on, at even steps from the least to the
    /// most.
    pub quantiles: Vec<f32>,
    /// From the statistics to units that count where they are above 0.
    pub hidden: Layer,
    /// From the units to the strangeness: the log-odds of a made picture.
    pub out: Layer,
}

/// A fully connected layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Layer {
    /// Row by row, one row a unit.
    pub weights: Vec<f32>,
    /// One a unit.
    pub bias: Vec<f32>,
}

impl View {
    /// A statistic as the network sees it.
    pub fn scaled(&self, statistics: &[f32]) -> impl Iterator<Item = f32> {
        let known = self.centre.iter().zip(&self.spread);
        statistics.iter().zip(known).map(|(x, (c, s))| ((x - c) / s).clamp(-FAR, FAR))
    }

    /// How strange these statistics are: the log-odds that they are a made picture's.
    pub fn strangeness(&self, statistics: &[f32]) -> f32 {
        let mut units = [0f32; UNITS];
        let inputs = self.centre.len().max(1);
        let rows = self.hidden.weights.chunks_exact(inputs).zip(&self.hidden.bias);
        for (unit, (row, bias)) in units.iter_mut().zip(rows) {
            let sum: f32 = self.scaled(statistics).zip(row).map(|(x, w)| x * w).sum();
            *unit = (sum + bias).max(0.0);
        }
        let sum: f32 = units.iter().zip(&self.out.weights).map(|(u, w)| u * w).sum();
        sum + self.out.bias.first().copied().unwrap_or_default()
    }

    /// Part of the training set's kind that is stranger, 0..=1.
    pub fn likeness(&self, statistics: &[f32]) -> f32 {
        let strangeness = self.strangeness(statistics);
        let below = self.quantiles.partition_point(|q| *q <= strangeness);
        let (Some(from), Some(to)) = (below.checked_sub(1), self.quantiles.get(below)) else {
            return if below == 0 { 1.0 } else { 0.0 };
        };
        let start = self.quantiles[from];
        let part = (strangeness - start) / (to - start);
        1.0 - (from as f32 + part) / (self.quantiles.len() - 1) as f32
    }

    /// Checks the numbers against so many statistics.
    pub(super) fn check(&self, statistics: usize) -> Result<(), String> {
        let units = self.hidden.bias.len();
        let sizes = [
            ("centre", self.centre.len(), statistics),
            ("spread", self.spread.len(), statistics),
            ("hidden.weights", self.hidden.weights.len(), units * statistics),
            ("out.weights", self.out.weights.len(), units),
            ("out.bias", self.out.bias.len(), 1),
        ];
        for (key, have, need) in sizes {
            if have != need {
                return Err(format!("{key} has {have} numbers: it must have {need}"));
            }
        }
        if !(0.0..=0.5).contains(&self.limit) {
            return Err(format!("limit is {}: it must be 0 to 0.5", self.limit));
        }
        if !(1..=UNITS).contains(&units) {
            return Err(format!("hidden has {units} units: it must have 1 to {UNITS}"));
        }
        let all = [&self.centre, &self.spread, &self.quantiles];
        let layers = [&self.hidden, &self.out].map(|l| [&l.weights, &l.bias]);
        if !all.into_iter().chain(layers.into_iter().flatten()).flatten().all(|v| v.is_finite()) {
            return Err("every number must be finite".into());
        }
        if !self.spread.iter().all(|s| *s > 0.0) {
            return Err("spread must be above 0".into());
        }
        if self.quantiles.len() < 2 || !self.quantiles.is_sorted() {
            return Err("quantiles must be two or more rising numbers".into());
        }
        Ok(())
    }
}
