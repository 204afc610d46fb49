//! The questions of set-up on a terminal, one after the other; what they ask for is done by the page's own set-up.
//! Reads lines, so that answers may come by a pipe. Whatever ends it before something was saved leaves set-up, and
//! nothing has changed then.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use sonofuse_core::control::Refused;
use sonofuse_core::layout::{HardEnd, ScreenLayout};
use sonofuse_core::reading::Reading;
use sonofuse_core::region::Region;
use sonofuse_core::words::Label;

use super::said::{label, page, say};
use super::text;
use crate::cli::ctl::words::clean;
use crate::cli::error::{CliError, Exit};
use crate::cli::locate::annotate;
use crate::daemon::Rig;
use crate::panel::words::{capital, spoken};
use crate::panel::write_png;
use crate::serve::web::Ask;

/// How long a source may take to its first picture, and views to be found.
const PICTURE_WITHIN: Duration = Duration::from_secs(20);
const VIEWS_WITHIN: Duration = Duration::from_secs(6);
/// How often readings are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

mod source;
mod trial;

/// Why a walk ends before something is saved.
enum End {
    /// Somebody left.
    Left,
    /// The answers ended.
    Silent,
    /// The terminal cannot be written to.
    Gone(std::io::Error),
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        Self::Gone(error)
    }
}

/// Who is asked.
struct Walk<'a, I, O> {
    rig: &'a Rig,
    input: &'a mut I,
    out: &'a mut O,
    /// Answers come by a pipe: they are printed, so that the lines can be read.
    echo: bool,
}

/// Walks through set-up.
///
/// # Errors
/// When the answers end, or nothing can be written.
pub(super) fn walk(
    rig: &Rig,
    input: &mut impl BufRead,
    out: &mut impl Write,
    (echo, seconds): (bool, Duration),
) -> Result<(), CliError> {
    let mut walk = Walk { rig, input, out, echo };
    let Err(end) = walk.all(seconds) else { return Ok(()) };
    // What runs is this process's own and ends with it; what it holds is let go of in order.
    let left = rig.ask(Ask::Leave);
    let words = left.map_or_else(|refused| refused.words, |_| page("left", &[]));
    match end {
        End::Left => {
            let _ = writeln!(walk.out, "{words}");
            Ok(())
        }
        End::Silent => Err(CliError::new(Exit::Data, say("no-answer", &[]))),
        End::Gone(e) => Err(CliError::caused(Exit::Io, "cannot write to standard output", &e)),
    }
}

impl<I: BufRead, O: Write> Walk<'_, I, O> {
    fn all(&mut self, seconds: Duration) -> Result<(), End> {
        let title = page("setup-title", &[]);
        self.line(&format!("{title} ({})", page("notice", &[])))?;
        self.line(&page("setup-lead", &[]))?;
        self.line(&say("lead", &[]))?;
        loop {
            let preset = self.source()?;
            if self.pictures(&preset)? {
                break;
            }
        }
        self.pin()?;
        self.mask()?;
        self.head(5, "step-try")?;
        self.tried(seconds)?;
        self.save()
    }

    fn line(&mut self, words: &str) -> Result<(), End> {
        Ok(writeln!(self.out, "{words}")?)
    }

    fn head(&mut self, number: u32, step: &str) -> Result<(), End> {
        let step = spoken().say(&format!("page.{step}"), &BTreeMap::new());
        self.line(&format!("\n{number}  {step}"))
    }

    /// Asks, and gives the answer without the space around it.
    fn ask(&mut self, question: &str) -> Result<String, End> {
        write!(self.out, "{question} ")?;
        self.out.flush()?;
        let mut answer = String::new();
        match self.input.read_line(&mut answer) {
            Ok(0) | Err(_) => Err(End::Silent),
            Ok(_) => {
                let answer = answer.trim().to_owned();
                if self.echo {
                    self.line(&answer)?;
                }
                Ok(answer)
            }
        }
    }

    /// Says why something was not done.
    fn not_done(&mut self, refused: &Refused) -> Result<(), End> {
        let why = clean(&spoken().refused(&refused.words));
        self.line(&say("refused", &[("why", &why)]))
    }

    /// Waits for pictures; false where none comes.
    fn pictures(&mut self, preset: &str) -> Result<bool, End> {
        self.line(&say("waiting", &[]))?;
        let begun = Instant::now();
        loop {
            let reading = self.rig.reading().filter(|reading| reading.source == preset);
            if reading.as_ref().is_some_and(|reading| reading.size.is_some()) {
                return Ok(true);
            }
            if begun.elapsed() > PICTURE_WITHIN {
                let why = reading.as_deref().and_then(detail).unwrap_or_default();
                self.line(&say("no-picture", &[("why", &why)]))?;
                return Ok(false);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The newest reading with views, or the newest one with a picture after some time.
    fn views(&self) -> Option<Arc<Reading>> {
        let begun = Instant::now();
        loop {
            let reading = self.rig.reading().filter(|reading| reading.size.is_some());
            let found = reading.as_ref().is_some_and(|reading| reading.layout.is_some());
            if found || begun.elapsed() > VIEWS_WITHIN {
                return reading;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The views, the hard end and the scale.
    fn pin(&mut self) -> Result<(), End> {
        self.head(2, "step-views")?;
        loop {
            let reading = self.views();
            let size = reading.as_ref().and_then(|reading| reading.size).unwrap_or_default();
            let layout = reading.as_ref().and_then(|reading| reading.layout);
            self.found(reading.as_deref(), size)?;
            self.picture(layout.as_ref())?;
            let usual = if layout.is_some() { "y" } else { "n" };
            let answer = self.ask(&say("views-right", &[("answer", &usual)]))?;
            let mut pins = Map::new();
            match if answer.is_empty() { usual } else { answer.as_str() } {
                "y" => {}
                "n" => self.regions(&mut pins, size, layout.as_ref())?,
                _ => continue,
            }
            self.head(3, "step-palette")?;
            self.palette(&mut pins)?;
            if pins.is_empty() {
                return Ok(());
            }
            match self.step("pin", &Value::Object(pins)) {
                Ok(_) => return self.line(&page("pinned", &[])),
                Err(refused) => self.not_done(&refused)?,
            }
        }
    }

    /// A step as the page asks it.
    fn step(&self, step: &str, body: &Value) -> Result<Value, Refused> {
        let ask = Ask::read(step, body.to_string().as_bytes());
        self.rig.ask(ask.unwrap_or(Ok(Ask::Look))?)
    }

    fn found(&mut self, reading: Option<&Reading>, [width, height]: [u32; 2]) -> Result<(), End> {
        let Some(layout) = reading.and_then(|reading| reading.layout) else {
            let why = reading.and_then(detail).unwrap_or_default();
            return self.line(&say("views-none", &[("why", &why)]));
        };
        self.line(&say("views-found", &[("width", &width), ("height", &height)]))?;
        let mut regions = vec![
            ("bmode", layout.bmode_view),
            ("elastogram", layout.elastogram_view),
            ("box", layout.elastogram_box),
        ];
        regions.extend(layout.colour_bar.map(|bar| ("bar", bar)));
        for (name, region) in regions {
            let name = region_name(name);
            let words = page(
                "region-at",
                &[
                    ("name", &name),
                    ("x", &region.x0()),
                    ("y", &region.y0()),
                    ("width", &region.width()),
                    ("height", &region.height()),
                ],
            );
            self.line(&format!("     {words}"))?;
        }
        match layout.hard_end {
            Some(HardEnd::Red) => self.line(&format!("     {}", label(Label::RedHard))),
            Some(HardEnd::Blue) => self.line(&format!("     {}", label(Label::BlueHard))),
            None => Ok(()),
        }
    }

    /// What was found, as a picture, where somebody wants one.
    fn picture(&mut self, layout: Option<&ScreenLayout>) -> Result<(), End> {
        let answer = self.ask(&say("picture-where", &[]))?;
        let Some(frame) = self.rig.frame().filter(|_| !answer.is_empty()) else { return Ok(()) };
        if !Path::new(&answer).extension().is_some_and(|kind| kind.eq_ignore_ascii_case("png")) {
            return self.line(&say("picture-name", &[("path", &clean(&answer))]));
        }
        let words = match write_png(&annotate(&frame, layout), Path::new(&answer)) {
            Ok(()) => say("picture-written", &[("path", &answer)]),
            Err(error) => say("picture-not", &[("why", &error)]),
        };
        self.line(&words)
    }

    fn regions(
        &mut self,
        pins: &mut Map<String, Value>,
        size: [u32; 2],
        layout: Option<&ScreenLayout>,
    ) -> Result<(), End> {
        let bmode = self.region("bmode", size, layout.map(|layout| layout.bmode_view))?;
        let map = self.region("elastogram", size, layout.map(|layout| layout.elastogram_view))?;
        pins.insert("size".to_owned(), json!(size));
        pins.insert("bmode-view".to_owned(), json!(bmode));
        pins.insert("elastogram-view".to_owned(), json!(map));
        Ok(())
    }

    fn region(&mut self, name: &str, size: [u32; 2], found: Option<Region>) -> Result<Region, End> {
        let name = region_name(name);
        let corners = |r: Region| format!("{} {} {} {}", r.x0(), r.y0(), r.x1(), r.y1());
        let shown = found.map_or_else(|| "-".to_owned(), corners);
        loop {
            let answer = self.ask(&say("region-ask", &[("name", &name), ("found", &shown)]))?;
            let region = if answer.is_empty() { found } else { corners_of(&answer, size) };
            match region {
                Some(region) => return Ok(region),
                None => self.line(&say("region-wrong", &[]))?,
            }
        }
    }

    fn palette(&mut self, pins: &mut Map<String, Value>) -> Result<(), End> {
        let [found, red, blue] = ["hard-found", "hard-red", "hard-blue"]
            .map(|id| spoken().say(&format!("page.{id}"), &BTreeMap::new()));
        let question = page("hard-end", &[]);
        let question = say(
            "hard-ask",
            &[("question", &question), ("found", &found), ("red", &red), ("blue", &blue)],
        );
        let hard = loop {
            match self.ask(&question)?.as_str() {
                "" | "1" => break None,
                "2" => break Some("red"),
                "3" => break Some("blue"),
                _ => self.line(&say("wrong-number", &[]))?,
            }
        };
        if let Some(hard) = hard {
            pins.insert("hard-end".to_owned(), hard.into());
        }
        let question = page("scale-max", &[]);
        self.line(&page("scale-how", &[]))?;
        let question = say("scale-ask", &[("question", &question), ("none", &page("none", &[]))]);
        loop {
            let answer = self.ask(&question)?;
            if answer.is_empty() {
                return Ok(());
            }
            if let Some((max, unit)) = scale(&answer) {
                pins.insert("scale".to_owned(), json!({ "max": max, "unit": unit }));
                return Ok(());
            }
            self.line(&say("scale-wrong", &[]))?;
        }
    }

    /// Areas that are black in what is kept.
    fn mask(&mut self) -> Result<(), End> {
        self.head(4, "step-mask")?;
        self.line(&page("mask-how", &[]))?;
        let mut areas = Vec::new();
        loop {
            let answer = self.ask(&say("mask-ask", &[]))?;
            if answer.is_empty() {
                break;
            }
            let size = self.rig.reading().and_then(|reading| reading.size).unwrap_or_default();
            match corners_of(&answer, size) {
                Some(area) => areas.push(area),
                None => self.line(&say("region-wrong", &[]))?,
            }
        }
        if areas.is_empty() {
            return Ok(());
        }
        let of = |r: &Region| json!({ "x": r.x0(), "y": r.y0(), "width": r.width(), "height": r.height() });
        let all: Vec<Value> = areas.iter().map(of).collect();
        match self.step("mask", &json!({ "areas": all })) {
            Ok(_) if areas.len() == 1 => self.line(&page("masked-one", &[("count", &1)])),
            Ok(_) => self.line(&page("masked", &[("count", &areas.len())])),
            Err(refused) => self.not_done(&refused),
        }
    }

    fn save(&mut self) -> Result<(), End> {
        self.head(6, "step-save")?;
        loop {
            let name = self.ask(&say("save-ask", &[]))?;
            if name.is_empty() {
                return Err(End::Left);
            }
            let saved = match self.rig.ask(Ask::Save { name, choose: true }) {
                Ok(saved) => saved,
                Err(refused) => {
                    self.not_done(&refused)?;
                    continue;
                }
            };
            self.line(&page("saved-at", &[("path", &text(&saved, "path"))]))?;
            let (file, configured) = (text(&saved, "config"), text(&saved, "configured"));
            return self.line(&if configured == "chosen" {
                page("saved-chosen", &[])
            } else {
                page("saved-line", &[("file", &file), ("configured", &configured)])
            });
        }
    }
}

/// What a reading says, in the language that is spoken.
fn detail(reading: &Reading) -> Option<String> {
    let id = reading.detail_id.as_deref();
    spoken()
        .detail(id, &reading.detail_values, reading.detail.as_deref())
        .map(|words| clean(&words))
}

fn region_name(name: &str) -> String {
    capital(&spoken().say(&format!("page.region-{name}"), &BTreeMap::new()))
}

/// Four whole numbers, left top right bottom, within a picture of `size`.
fn corners_of(answer: &str, [width, height]: [u32; 2]) -> Option<Region> {
    let numbers = answer.split(|c: char| c.is_whitespace() || c == ',').filter(|n| !n.is_empty());
    let numbers: Vec<u32> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    let [x0, y0, x1, y1] = numbers.try_into().ok()?;
    Region::new(x0, y0, x1, y1).filter(|_| x1 <= width && y1 <= height)
}

/// A stiffness with its unit.
fn scale(answer: &str) -> Option<(f64, &'static str)> {
    let answer = answer.replace(',', ".");
    let (number, unit) = ["kPa", "m/s"].into_iter().find_map(|unit| {
        let at = answer.len().checked_sub(unit.len())?;
        let tail = answer.get(at..)?;
        tail.eq_ignore_ascii_case(unit).then(|| (answer[..at].trim(), unit))
    })?;
    let max: f64 = number.parse().ok()?;
    (max.is_finite() && max > 0.0).then_some((max, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_are_four_numbers_within_the_picture() {
        let size = [640, 480];
        assert_eq!(corners_of("0 10 320 480", size), Region::new(0, 10, 320, 480));
        assert_eq!(corners_of("0, 10, 320, 480", size), Region::new(0, 10, 320, 480));
        for wrong in ["", "0 10 320", "0 10 641 480", "5 5 5 9", "-1 0 3 3", "1 2 3 4 5", "a b c d"]
        {
            assert_eq!(corners_of(wrong, size), None, "{wrong}");
        }
    }

    #[test]
    fn a_scale_is_a_number_with_its_unit() {
        assert_eq!(scale("180 kPa"), Some((180.0, "kPa")));
        assert_eq!(scale("7,5m/s"), Some((7.5, "m/s")));
        for wrong in ["180", "kPa", "-3 kPa", "x m/s", "1 Pa", "°"] {
            assert_eq!(scale(wrong), None, "{wrong}");
        }
    }
}
