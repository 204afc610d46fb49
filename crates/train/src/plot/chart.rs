//! A chart: two axes, series of points, a legend.

use super::COLOURS;
use super::scene::{Anchor, DIM, GRID, INK, Rgb, Scene, Shape};
use super::ticks::ticks;
use super::type_setting;

/// Edges around the plot, in pixels.
const LEFT: f32 = 64.0;
const TOP: f32 = 44.0;
const RIGHT: f32 = 24.0;
const BOTTOM: f32 = 76.0;
/// Size of the marks' numbers and of the legend.
const SMALL: f32 = 13.0;
/// A line of the legend.
const LEAD: f32 = 19.0;

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    label: String,
    low: f64,
    high: f64,
}

impl Axis {
    /// An axis from `low` to `high`; a range that is none becomes one around `low`, or 0 to 1.
    pub fn new(label: impl Into<String>, low: f64, high: f64) -> Self {
        let (low, high) = match (low.is_finite(), high.is_finite()) {
            (true, true) if high > low => (low, high),
            (true, _) => (low - 0.5, low + 0.5),
            _ => (0.0, 1.0),
        };
        Self { label: label.into(), low, high }
    }

    /// An axis from 0 to 1.
    pub fn unit(label: impl Into<String>) -> Self {
        Self::new(label, 0.0, 1.0)
    }

    /// Where a value lies, 0 at the low end and 1 at the high one.
    fn part(&self, value: f64) -> f32 {
        ((value - self.low) / (self.high - self.low)) as f32
    }
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// A line.
    #[default]
    Line,
    /// A line with a dot at each point.
    Dots,
    /// A thin grey line: one of many.
    Faint,
    /// An area: up along the points and back along the errors' other edge.
    Band,
}

/// Points that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its words in the legend; empty: none.
    pub name: String,
    /// The points, `[x, y]`; those that are not finite are left out.
    pub points: Vec<[f64; 2]>,
    /// The lower and upper end at each point, or none.
    pub errors: Vec<[f64; 2]>,
    /// How it is drawn.
    pub look: Look,
    /// Which of [`COLOURS`]; the next one where not said.
    pub colour: Option<usize>,
}

impl Series {
    /// A line.
    pub fn line(name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        Self {
            name: name.into(),
            points: points.into_iter().collect(),
            errors: Vec::new(),
            look: Look::Line,
            colour: None,
        }
    }

    /// An area between two lines over the same x.
    pub fn band(
        name: impl Into<String>,
        low: impl IntoIterator<Item = [f64; 2]>,
        high: impl IntoIterator<Item = [f64; 2]>,
    ) -> Self {
        let low: Vec<[f64; 2]> = low.into_iter().collect();
        let errors = low.iter().zip(high).map(|(l, h)| [l[1], h[1]]).collect();
        Self { errors, look: Look::Band, ..Self::line(name, low) }
    }

    /// The same in a given one of [`COLOURS`].
    #[must_use]
    pub fn colour(self, index: usize) -> Self {
        Self { colour: Some(index), ..self }
    }
}

/// Where the legend stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corner {
    /// In the plot.
    UpperLeft,
    /// In the plot.
    LowerLeft,
    /// In the plot.
    LowerRight,
    /// Under the plot.
    Below,
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    title: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
    guides: Vec<[[f64; 2]; 2]>,
    legend: Corner,
    plot: [f32; 2],
}

impl Chart {
    /// A chart without series.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        let (series, guides, legend) = (Vec::new(), Vec::new(), Corner::Below);
        Self { title: title.into(), x, y, series, guides, legend, plot: [600.0, 360.0] }
    }

    /// Makes the plot a square.
    #[must_use]
    pub fn square(self) -> Self {
        Self { plot: [460.0, 460.0], ..self }
    }

    /// Adds series.
    #[must_use]
    pub fn with(mut self, series: impl IntoIterator<Item = Series>) -> Self {
        self.series.extend(series);
        self
    }

    /// Adds a dashed grey line.
    #[must_use]
    pub fn guide(mut self, from: [f64; 2], to: [f64; 2]) -> Self {
        self.guides.push([from, to]);
        self
    }

    /// Places the legend.
    #[must_use]
    pub fn legend(self, legend: Corner) -> Self {
        Self { legend, ..self }
    }

    fn at(&self, [x, y]: [f64; 2]) -> [f32; 2] {
        let [w, h] = self.plot;
        [LEFT + w * self.x.part(x), TOP + h * (1.0 - self.y.part(y))]
    }

    /// Draws it.
    pub fn draw(&self) -> Scene {
        let [w, h] = self.plot;
        let named = self.series.iter().filter(|s| !s.name.is_empty()).count();
        let below = if self.legend == Corner::Below { named as f32 * LEAD } else { 0.0 };
        let mut scene = Scene::new(LEFT + w + RIGHT, TOP + h + BOTTOM + below);
        scene.heading([LEFT, 28.0], 17.0, &self.title);
        self.axes(&mut scene);
        for [from, to] in &self.guides {
            let points = vec![self.at(*from), self.at(*to)];
            scene.add(Shape::Line { points, colour: DIM, width: 1.0, dash: Some([4.0, 4.0]) });
        }
        let mut next = 0;
        let mut entries = Vec::new();
        for series in &self.series {
            let colour = match (series.look, series.colour) {
                (Look::Faint, None) => [0xb8; 3],
                (_, Some(index)) => COLOURS[index % COLOURS.len()],
                (_, None) => {
                    next += 1;
                    COLOURS[(next - 1) % COLOURS.len()]
                }
            };
            self.series(&mut scene, series, colour);
            if !series.name.is_empty() {
                entries.push((series, colour));
            }
        }
        self.entries(&mut scene, &entries);
        scene.notice();
        scene
    }

    fn axes(&self, scene: &mut Scene) {
        let [w, h] = self.plot;
        let line = |points, colour| Shape::Line { points, colour, width: 1.0, dash: None };
        let (marks, decimals) = ticks(self.x.low, self.x.high, 10);
        for mark in marks {
            let [x, _] = self.at([mark, self.y.low]);
            scene.add(line(vec![[x, TOP], [x, TOP + h]], GRID));
            scene.text([x, TOP + h + 18.0], Anchor::Middle, SMALL, format!("{mark:.decimals$}"));
        }
        let (marks, decimals) = ticks(self.y.low, self.y.high, 10);
        for mark in marks {
            let [_, y] = self.at([self.x.low, mark]);
            scene.add(line(vec![[LEFT, y], [LEFT + w, y]], GRID));
            scene.text([LEFT - 7.0, y + 4.5], Anchor::End, SMALL, format!("{mark:.decimals$}"));
        }
        let corners = [[LEFT, TOP], [LEFT, TOP + h], [LEFT + w, TOP + h], [LEFT + w, TOP]];
        let frame = corners.iter().chain(&corners[..1]).copied().collect();
        scene.add(line(frame, DIM));
        scene.text([LEFT + w / 2.0, TOP + h + 41.0], Anchor::Middle, 14.0, &self.x.label);
        scene.add(Shape::Text {
            at: [18.0, TOP + h / 2.0],
            anchor: Anchor::Middle,
            text: self.y.label.clone(),
            size: 14.0,
            colour: INK,
            bold: false,
            upright: true,
        });
    }

    fn series(&self, scene: &mut Scene, series: &Series, colour: Rgb) {
        let finite = |p: &&[f64; 2]| p.iter().all(|v| v.is_finite());
        let points: Vec<[f32; 2]> =
            series.points.iter().filter(finite).map(|p| self.at(*p)).collect();
        let line = |points, width| Shape::Line { points, colour, width, dash: None };
        let ends = series.points.iter().zip(&series.errors).filter(|(p, e)| finite(p) && finite(e));
        if series.look == Look::Band {
            let (there, mut back): (Vec<_>, Vec<_>) = ends
                .map(|([x, _], [low, high])| (self.at([*x, *low]), self.at([*x, *high])))
                .unzip();
            back.reverse();
            let points = there.into_iter().chain(back).collect();
            scene.add(Shape::Area { points, colour, alpha: 0.18 });
            return;
        }
        for ([x, _], [low, high]) in ends {
            scene.add(line(vec![self.at([*x, *low]), self.at([*x, *high])], 1.2));
            for y in [low, high] {
                let [px, py] = self.at([*x, *y]);
                scene.add(line(vec![[px - 3.0, py], [px + 3.0, py]], 1.2));
            }
        }
        if points.len() > 1 {
            let width = if series.look == Look::Faint { 1.0 } else { 2.0 };
            scene.add(line(points.clone(), width));
        }
        if series.look == Look::Dots {
            for at in points {
                scene.add(Shape::Disc { at, radius: 3.5, colour });
            }
        }
    }

    fn entries(&self, scene: &mut Scene, entries: &[(&Series, Rgb)]) {
        let [w, h] = self.plot;
        let widest = entries.iter().map(|(s, _)| type_setting::width(&s.name, SMALL, false));
        let wide = widest.fold(0.0, f32::max) + 40.0;
        let high = entries.len() as f32 * LEAD;
        let (left, right) = (LEFT + 10.0, LEFT + w - 10.0 - wide);
        let [x, y] = match self.legend {
            Corner::UpperLeft => [left, TOP + 10.0],
            Corner::LowerLeft => [left, TOP + h - 10.0 - high],
            Corner::LowerRight => [right, TOP + h - 10.0 - high],
            Corner::Below => [LEFT, TOP + h + BOTTOM - 22.0],
        };
        if self.legend != Corner::Below && !entries.is_empty() {
            let points = vec![[x, y], [x + wide, y], [x + wide, y + high], [x, y + high]];
            scene.add(Shape::Area { points, colour: [0xff; 3], alpha: 0.85 });
        }
        for (i, (series, colour)) in entries.iter().enumerate() {
            let middle = y + (i as f32 + 0.5) * LEAD;
            let (width, colour) = (if series.look == Look::Band { 10.0 } else { 2.0 }, *colour);
            let alpha = if series.look == Look::Band { 0.18 } else { 1.0 };
            let (a, b) = (middle - width / 2.0, middle + width / 2.0);
            let points = vec![[x + 6.0, a], [x + 28.0, a], [x + 28.0, b], [x + 6.0, b]];
            scene.add(Shape::Area { points, colour, alpha });
            if series.look == Look::Dots {
                scene.add(Shape::Disc { at: [x + 17.0, middle], radius: 3.5, colour });
            }
            scene.text([x + 34.0, middle + 4.5], Anchor::Start, SMALL, &series.name);
        }
    }
}
