//! Bars across, in groups: a table's figure, side by side with the paper's.

use super::COLOURS;
use super::scene::{Anchor, DIM, GRID, INK, Scene, Shape};
use super::ticks::ticks;
use super::type_setting;

/// A bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Its length, from 0.
    pub value: f64,
    /// Half the length of its whisker.
    pub error: Option<f64>,
}

/// A group of bars, one for each name.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its words at the left.
    pub label: String,
    /// Its bars, in the order of the names.
    pub bars: Vec<Bar>,
}

const TOP: f32 = 64.0;
const PLOT: f32 = 460.0;
const THICK: f32 = 13.0;
const GAP: f32 = 12.0;
const SMALL: f32 = 13.0;

/// Draws rows of bars; `names` are those of a row's bars. Values below 0 or none have no bar.
pub fn bars(title: &str, label: &str, names: &[&str], rows: &[Row]) -> Scene {
    let widest = rows.iter().map(|r| type_setting::width(&r.label, SMALL, false));
    let left = widest.fold(60.0, f32::max) + 22.0;
    let most = rows.iter().flat_map(|r| &r.bars).map(|b| b.value + b.error.unwrap_or(0.0));
    let most = most.filter(|v| v.is_finite()).fold(1e-9, f64::max);
    let at = |value: f64| left + PLOT * (value / most).clamp(0.0, 1.0) as f32;
    let group = names.len().max(1) as f32 * THICK + GAP;
    let high = group * rows.len() as f32;
    let mut scene = Scene::new(left + PLOT + 70.0, TOP + high + 66.0);
    scene.heading([16.0, 26.0], 17.0, title);
    let mut x = 16.0;
    for (name, colour) in names.iter().zip(COLOURS) {
        let points = vec![[x, 40.0], [x + 12.0, 40.0], [x + 12.0, 52.0], [x, 52.0]];
        scene.add(Shape::Area { points, colour, alpha: 1.0 });
        scene.text([x + 17.0, 51.0], Anchor::Start, SMALL, *name);
        x += type_setting::width(name, SMALL, false) + 40.0;
    }
    let (marks, decimals) = ticks(0.0, most, 8);
    for mark in marks {
        let points = vec![[at(mark), TOP], [at(mark), TOP + high]];
        scene.add(Shape::Line { points, colour: GRID, width: 1.0, dash: None });
        let words = format!("{mark:.decimals$}");
        scene.text([at(mark), TOP + high + 17.0], Anchor::Middle, SMALL, words);
    }
    scene.text([left + PLOT / 2.0, TOP + high + 37.0], Anchor::Middle, 14.0, label);
    for (i, row) in rows.iter().enumerate() {
        let top = TOP + i as f32 * group + GAP / 2.0;
        let middle = top + (group - GAP) / 2.0;
        scene.text([left - 9.0, middle + 4.5], Anchor::End, SMALL, &row.label);
        for (j, (bar, colour)) in row.bars.iter().zip(COLOURS).enumerate() {
            if !(bar.value.is_finite() && bar.value >= 0.0) {
                continue;
            }
            let (a, b) = (top + j as f32 * THICK, top + (j + 1) as f32 * THICK - 2.0);
            let end = at(bar.value);
            let points = vec![[left, a], [end, a], [end, b], [left, b]];
            scene.add(Shape::Area { points, colour, alpha: 0.9 });
            let mut words = format!("{:.2}", bar.value);
            let mut right = end;
            if let Some(error) = bar.error.filter(|e| e.is_finite()) {
                let y = f32::midpoint(a, b);
                right = at(bar.value + error);
                let points = vec![[at(bar.value - error), y], [right, y]];
                scene.add(Shape::Line { points, colour: INK, width: 1.4, dash: None });
                words = format!("{words} ± {error:.2}");
            }
            scene.add(Shape::Text {
                at: [right + 5.0, b - 1.0],
                anchor: Anchor::Start,
                text: words,
                size: 10.5,
                colour: DIM,
                bold: false,
                upright: false,
            });
        }
    }
    let points = vec![[left, TOP], [left, TOP + high]];
    scene.add(Shape::Line { points, colour: DIM, width: 1.0, dash: None });
    scene.notice();
    scene
}
