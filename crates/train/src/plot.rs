//! Figures, as SVG and PNG: curves, bars and pictures.
//!
//! A [`Scene`] is what is on a figure; it is drawn once and written twice. Colours are Okabe and
//! Ito's, which every kind of colour vision tells apart. Each figure carries the notice. Pure but for
//! [`Scene::write`]; the same bytes on every machine.

mod bars;
mod chart;
mod png;
mod scene;
mod svg;
mod ticks;
mod type_setting;

use crate::evaluate::coverage::{GateEffect, RiskCoverage};
use crate::evaluate::curve::{BandPoint, PrPoint, RocPoint};
use crate::evaluate::reliability::Bin;

pub use bars::{Bar, Row, bars};
pub use chart::{Axis, Chart, Corner, Look, Series};
pub use scene::{Anchor, PlotError, Rgb, Scene, Shape};

/// Colours of successive series.
pub const COLOURS: [Rgb; 7] = [
    [0x00, 0x72, 0xb2],
    [0xd5, 0x5e, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xe6, 0x9f, 0x00],
    [0x56, 0xb4, 0xe9],
    [0x55, 0x55, 0x55],
];

/// ROC curves, each with its words in the legend.
pub fn roc(title: &str, curves: &[(&str, &[RocPoint])]) -> Scene {
    let line = |(name, points): &(&str, &[RocPoint])| {
        Series::line(*name, points.iter().map(|p| [p.false_positive_rate, p.sensitivity]))
    };
    unit_chart(title, "1 − specificity", "sensitivity")
        .with(curves.iter().map(line))
        .guide([0.0, 0.0], [1.0, 1.0])
        .legend(Corner::LowerRight)
        .draw()
}

/// The mean of several folds' ROC curves with a band of one standard deviation, and the folds' own
/// curves in grey.
pub fn roc_band(title: &str, name: &str, mean: &[BandPoint], folds: &[Vec<RocPoint>]) -> Scene {
    let fold = |points: &Vec<RocPoint>| {
        let points = points.iter().map(|p| [p.false_positive_rate, p.sensitivity]);
        Series { look: Look::Faint, ..Series::line("", points) }
    };
    let edge = |sign: f64| {
        mean.iter().map(move |p| [p.false_positive_rate, (p.mean + sign * p.sd).clamp(0.0, 1.0)])
    };
    let band = Series::band("± one standard deviation of the folds", edge(-1.0), edge(1.0));
    let middle = Series::line(name, mean.iter().map(|p| [p.false_positive_rate, p.mean]));
    unit_chart(title, "1 − specificity", "sensitivity")
        .with(folds.iter().map(fold))
        .with([band.colour(0), middle.colour(0)])
        .guide([0.0, 0.0], [1.0, 1.0])
        .legend(Corner::LowerRight)
        .draw()
}

/// Precision–recall curves, in steps; `prevalence` is what guessing gives.
pub fn precision_recall(title: &str, prevalence: f64, curves: &[(&str, &[PrPoint])]) -> Scene {
    let line = |(name, points): &(&str, &[PrPoint])| {
        let mut before = 0.0;
        let steps = points.iter().flat_map(|p| {
            let from = std::mem::replace(&mut before, p.recall);
            [[from, p.precision], [p.recall, p.precision]]
        });
        Series::line(*name, steps.collect::<Vec<_>>())
    };
    unit_chart(title, "recall (sensitivity)", "precision (positive predictive value)")
        .with(curves.iter().map(line))
        .guide([0.0, prevalence], [1.0, prevalence])
        .legend(Corner::LowerLeft)
        .draw()
}

/// What was said against what was seen, with 95 % intervals.
pub fn reliability(title: &str, tables: &[(&str, &[Bin])]) -> Scene {
    let series = |(name, bins): &(&str, &[Bin])| {
        let points = bins.iter().map(|b| [b.said, b.seen]);
        let errors = bins.iter().map(|b| [b.seen_low, b.seen_high]).collect();
        Series { errors, look: Look::Dots, ..Series::line(*name, points) }
    };
    unit_chart(title, "mean probability said", "part that was malignant")
        .with(tables.iter().map(series))
        .guide([0.0, 0.0], [1.0, 1.0])
        .legend(Corner::UpperLeft)
        .draw()
}

/// Risk–coverage curves; the gates' effects are single points.
pub fn risk_coverage(
    title: &str,
    curves: &[(&str, &RiskCoverage)],
    gates: &[(&str, &GateEffect)],
) -> Scene {
    let line = |(name, curve): &(&str, &RiskCoverage)| {
        Series::line(*name, curve.points.iter().map(|p| [p.coverage, p.risk]))
    };
    let gate = |(name, gate): &(&str, &GateEffect)| {
        let point = gate.risk_of_passed.map(|risk| [gate.coverage, risk]);
        Series { look: Look::Dots, ..Series::line(*name, point) }
    };
    let most = curves.iter().flat_map(|(_, c)| &c.points).map(|p| p.risk);
    let most = most.chain(gates.iter().filter_map(|(_, g)| g.risk_of_passed)).fold(0.05, f64::max);
    Chart::new(title, Axis::unit("coverage: part that is answered"), {
        Axis::new("risk: part of the answers that is wrong", 0.0, (most * 1.1).min(1.0))
    })
    .with(curves.iter().map(line))
    .with(gates.iter().map(gate))
    .legend(Corner::UpperLeft)
    .draw()
}

/// Lines over a count: training curves over epochs, a figure over frozen layers. Axes fit the points.
pub fn lines(title: &str, x: &str, y: &str, series: Vec<Series>) -> Scene {
    let range = |of: fn(&[f64; 2]) -> f64| {
        let points = || series.iter().flat_map(|s| s.points.iter().map(of));
        (points().fold(f64::INFINITY, f64::min), points().fold(f64::NEG_INFINITY, f64::max))
    };
    let (x_low, x_high) = range(|p| p[0]);
    let (mut y_low, mut y_high) = range(|p| p[1]);
    for [low, high] in series.iter().flat_map(|s| &s.errors) {
        (y_low, y_high) = (y_low.min(*low), y_high.max(*high));
    }
    let room = 0.06 * (y_high - y_low);
    // A figure that is never below 0 does not begin there.
    let y_low = if y_low >= 0.0 { (y_low - room).max(0.0) } else { y_low - room };
    Chart::new(title, Axis::new(x, x_low, x_high), Axis::new(y, y_low, y_high + room))
        .with(series)
        .legend(Corner::Below)
        .draw()
}

/// A square chart of two parts of a whole.
fn unit_chart(title: &str, x: &str, y: &str) -> Chart {
    Chart::new(title, Axis::unit(x), Axis::unit(y)).square()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::evaluate::coverage::{answers, gate_effect};
    use crate::evaluate::curve::{self, vertical_average};
    use crate::evaluate::reliability::{Bins, table};
    use crate::evaluate::tests::sample;
    use crate::evaluate::{coverage, logits, probabilities};

    /// Every kind of figure, of the test set.
    fn figures() -> Vec<(&'static str, Scene)> {
        let set = sample();
        let s = logits(&set).unwrap();
        let p = probabilities(&set, &sonofuse_core::calibrate::Calibration::default()).unwrap();
        let roc_points = curve::roc(&s).unwrap();
        let halves: Vec<_> = [0, 1]
            .iter()
            .map(|h| s.iter().skip(*h).step_by(2).copied().collect::<Vec<_>>())
            .collect();
        let folds: Vec<_> = halves.iter().map(|h| curve::roc(h).unwrap()).collect();
        let band = vertical_average(&folds, 50);
        let pr = curve::precision_recall(&s).unwrap();
        let bins = table(&p, Bins::EqualMass(6)).unwrap();
        let answers = answers(&p, 0.5);
        let rc = coverage::risk_coverage(&answers).unwrap();
        let refused: Vec<_> = (0..answers.len()).map(|i| (i % 4 == 0).then_some("x")).collect();
        let gate = gate_effect(&answers, &refused).unwrap();
        let epochs = |f: fn(f64) -> f64| (0..30).map(move |e| [f64::from(e), f(f64::from(e))]);
        let rows = ["conventional", "elastography", "re-fusion with SPP"].map(|label| Row {
            label: label.into(),
            bars: vec![Bar { value: 82.76, error: Some(1.2) }, Bar { value: 91.0, error: None }],
        });
        vec![
            ("roc", roc("ROC", &[("one & only: AUC 0.87 (0.77–0.95)", &roc_points)])),
            ("roc-band", roc_band("ROC over folds", "mean of 2 folds", &band, &folds)),
            ("pr", precision_recall("Precision–recall", 20.0 / 44.0, &[("one", &pr)])),
            ("reliability", reliability("Reliability", &[("uncalibrated", &bins)])),
            (
                "risk-coverage",
                risk_coverage("Abstention", &[("confidence", &rc)], &[("gate", &gate)]),
            ),
            (
                "training",
                lines(
                    "Training",
                    "epoch",
                    "loss",
                    vec![
                        Series::line("training", epochs(|e| 0.7 * (-0.2 * e).exp())),
                        Series::line("validation", epochs(|e| 0.2 + 0.5 * (-0.1 * e).exp())),
                    ],
                ),
            ),
            ("bars", bars("Table VI", "accuracy, %", &["here", "the paper"], &rows)),
        ]
    }

    #[test]
    fn every_figure_is_written_twice_with_the_notice_and_its_words() {
        let folder = tempfile::tempdir().unwrap();
        // Where someone wants to look at them.
        let folder = std::env::var("SONOFUSE_FIGURES").map_or(folder.path().to_owned(), Into::into);
        for (name, scene) in figures() {
            scene.write(&folder, name).unwrap();
            let svg = std::fs::read_to_string(folder.join(format!("{name}.svg"))).unwrap();
            assert!(svg.contains(sonofuse_core::NOTICE), "{name}");
            assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
            let png = image::open(folder.join(format!("{name}.png"))).unwrap().to_rgb8();
            let dark = png.pixels().filter(|p| p.0.iter().all(|v| *v < 128)).count();
            assert!(dark > 500, "{name}: {dark} dark pixels");
        }
    }

    #[test]
    fn words_are_escaped() {
        let svg = roc("a < b", &[("x & y", &[])]).to_svg();
        assert!(svg.contains("a &lt; b") && svg.contains("x &amp; y"));
    }

    #[test]
    fn numbers_that_are_none_are_left_out() {
        let s =
            Series::line("bad", [[0.0, 1.0], [1.0, f64::NAN], [f64::INFINITY, 2.0], [3.0, 3.0]]);
        let svg = lines("t", "x", "y", vec![s]).to_svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let none = lines("t", "x", "y", Vec::new()).to_svg();
        assert!(!none.contains("NaN") && !none.contains("inf"));
    }
}
