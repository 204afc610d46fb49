//! What the sonographer sees: the scanner's picture, and a panel in a strip that is added beside or
//! below it. Below the rooms that show, keep or send it: display, snapshot, recording.
//!
//! The strip is new canvas: no pixel of the scanner's picture is covered or changed. The panel shows
//! a number only while there is a fresh score; everything else is said in words. Each state has its
//! own word and its own mark, so that no colour has to be told from another. Pure but for the
//! writing of pictures; drawn on whatever thread asks.

mod attention;
mod blocks;
mod canvas;
mod charts;
mod compose;
mod draw;
mod font;
mod last;
mod note;
mod places;
mod state;
mod stiffness;
pub(crate) mod strip;
pub mod trend;
pub mod words;

pub use attention::{Attention, Holds, Looking};
pub use canvas::{Canvas, Placement};
pub use compose::{SnapshotError, compose, compose_card, put, snapshot, write_png};
use draw::{ALERT, DIM, LINE, Painter, TEXT, Type};
pub use draw::{Area, Tile};
pub use font::{CJK_PACKAGE, cjk_font};
pub(crate) use last::CARD_SIZE;
pub use last::LastSeen;
pub use note::{Note, Notes};
pub use places::Places;
pub use state::{Headline, Map, Model, OperatingPoint, Palette, PanelState, Vertex};
pub(crate) use state::{is_fresh, is_gone};
pub use stiffness::Said;

use std::time::Duration;

use sonofuse_core::reading::{Reading, Withheld};
use sonofuse_core::words::Label;

/// The picture counts as gone after this long without a frame that could be shown.
pub const QUIET: Duration = Duration::from_secs(1);

/// Draws the panel for `state`, `width` × `height` pixels.
pub fn draw(state: &PanelState, width: u32, height: u32) -> Tile {
    let mut p = Painter::new(width, height);
    let at = Places::new(width, height);
    let at = if state.looking.is_some() { at.explaining() } else { at };
    let u = at.unit;
    for rule in &at.rules {
        p.fill(*rule, LINE, 1.0);
    }
    blocks::status(&mut p, state, at.status, u);
    blocks::note(&mut p, state, at.nodule, u);
    if state.shows_score() {
        if let Some(area) = at.caption {
            blocks::caption(&mut p, state, area, u);
        }
        blocks::number(&mut p, state, at.number, u);
        blocks::assessment(&mut p, state, at.assessment, u);
        blocks::notes(&mut p, state, at.notes, u);
        blocks::evidence(&mut p, state, at.evidence, u);
        charts::gauge(&mut p, state, at.gauge, u);
    } else {
        blocks::why(&mut p, state, at.words, u);
    }
    stiffness::draw(&mut p, state, at.stiffness, u);
    if at.trend.w > 0.0 {
        charts::trend(&mut p, state, at.trend, u);
    }
    if let Some(looking) = &state.looking {
        attention::draw(&mut p, state.language, looking, at.explained, u);
    }
    if let Some(area) = at.map {
        charts::map(&mut p, state, area, u);
    }
    blocks::model(&mut p, state, at.model, u);
    blocks::notice(&mut p, state, at.notice, u);
    p.finish()
}

/// What stands in the picture's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    /// No picture comes.
    NoSignal,
    /// Pictures come that cannot be shown.
    NotShown,
    /// Nobody has said yet where pictures come from.
    NotSetUp,
}

impl Card {
    /// Why no picture comes, by the last reading.
    pub fn of_absence(last: Option<&Reading>) -> Self {
        if last.is_some_and(|r| r.reason == Some(Withheld::NotSetUp)) {
            Self::NotSetUp
        } else {
            Self::NoSignal
        }
    }

    /// The word for it, to programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSignal => "no-signal",
            Self::NotShown => "not-shown",
            Self::NotSetUp => "not-set-up",
        }
    }
}

/// Draws a card. The last picture is not shown, because it would pass for a live one.
pub fn card(width: u32, height: u32, card: Card) -> Tile {
    let [what, hint] = match card {
        Card::NoSignal => [Label::WordNoSignal, Label::DoNoSignal],
        Card::NotShown => [Label::WordNotShown, Label::DoNotShown],
        Card::NotSetUp => [Label::WordNotSetUp, Label::DoNotSetUp],
    };
    let [what, hint] = [what, hint].map(|label| words::drawn().label(label));
    let mut p = Painter::new(width, height);
    let (w, h) = (width as f32, height as f32);
    let u = (w / 160.0).min(h / 90.0);
    let title = Type::bold(14.0 * u, TEXT);
    let body = Type::regular(5.6 * u, DIM);
    let mid = h / 2.0;
    p.fill(Area::new(w / 2.0 - 16.0 * u, mid - 16.0 * u, 32.0 * u, 0.9 * u), ALERT, 1.0);
    p.text_centre(w / 2.0, mid - 10.0 * u, title, &title.fit(what, w * 0.94));
    for (i, line) in body.wrap(hint, w * 0.9, 2).iter().enumerate() {
        p.text_centre(w / 2.0, mid + 5.0 * u + 6.2 * u * i as f32, body, line);
    }
    p.finish()
}

/// Draws the panel anew only when what it says has changed.
#[derive(Debug, Default)]
pub struct Panel {
    drawn: Option<(PanelState, [u32; 2], Tile)>,
    renders: u64,
}

impl Panel {
    /// Returns the tile for `state`, and whether it is another one than last time.
    pub fn tile(&mut self, state: PanelState, width: u32, height: u32) -> (&Tile, bool) {
        let same =
            self.drawn.as_ref().is_some_and(|(s, size, _)| *s == state && *size == [width, height]);
        if !same {
            self.renders += 1;
            let tile = draw(&state, width, height);
            self.drawn = Some((state, [width, height], tile));
        }
        let Some((_, _, tile)) = &self.drawn else { unreachable!("drawn above") };
        (tile, !same)
    }

    /// How often it was drawn.
    pub const fn renders(&self) -> u64 {
        self.renders
    }
}

#[cfg(test)]
pub(crate) mod sample;

#[cfg(test)]
mod tests {
    use sonofuse_core::words::Language;

    use super::trend::Trend;
    use super::*;

    #[test]
    fn a_note_stands_in_its_place_and_changes_nothing_else_on_the_panel() {
        let reading = sample::scored(0.63);
        let at = |note: Option<Note>| {
            PanelState::at(Some(&reading), &Trend::default(), reading.captured_ns, 1500)
                .noting(note)
        };
        for (w, h) in [(480, 1080), (1920, 216), (640, 480)] {
            let strip = Canvas::new(w, h).strip;
            let (w, h) = (strip.width(), strip.height());
            let without = draw(&at(None), w, h);
            let with = draw(&at(Some(Note::Failed)), w, h);
            if let Some(folder) = std::env::var_os("SONOFUSE_LOOK") {
                let rgba = with.rgba().to_vec();
                let image = image::RgbaImage::from_raw(w, h, rgba).expect("its size");
                let path = std::path::Path::new(&folder).join(format!("note-{w}x{h}.png"));
                image.save(path).expect("a folder to look into");
            }
            let place = Places::new(w, h).nodule;
            let mut changed = 0;
            let pixels = without.rgba().chunks_exact(4).zip(with.rgba().chunks_exact(4));
            for (i, _) in pixels.enumerate().filter(|(_, (a, b))| a != b) {
                let (x, y) = ((i as u32 % w) as f32, (i as u32 / w) as f32);
                let inside = x + 1.0 >= place.x
                    && x <= place.right() + 1.0
                    && y + 1.0 >= place.y - place.h * 0.3
                    && y <= place.bottom() + place.h * 0.5;
                assert!(inside, "{x}, {y} on {w}×{h}: {place:?}");
                changed += 1;
            }
            assert!(changed > 50, "{changed} pixels on {w}×{h}");
            for note in Note::ALL {
                let set = blocks::note_type(*note, Places::new(w, h).unit);
                for language in Language::all() {
                    let said = language.label(note.label());
                    assert_eq!(set.fit(said, place.w), said, "on {w}×{h}");
                }
            }
        }
    }

    #[test]
    fn the_panel_says_that_nobody_is_examined_unless_a_note_stands_there() {
        let state = PanelState::no_signal(None);
        let simulated = PanelState { simulated: true, ..state.clone() };
        let drawn = |state: PanelState| draw(&state, 480, 1080);
        assert!(drawn(state.clone()) != drawn(simulated.clone()));
        let [a, b] = [state, simulated].map(|state| drawn(state.noting(Some(Note::Clip))));
        assert!(a == b);
    }

    #[test]
    fn every_language_has_room_for_its_words() {
        use sonofuse_core::reading::Withheld;
        use sonofuse_core::words::Label::*;
        let words = [
            WordScored,
            WordFrozen,
            WordUnfamiliar,
            WordWithheld,
            WordNoSignal,
            WordNotShown,
            WordStale,
            WordStarting,
        ];
        let mut faults = Vec::new();
        for language in Language::all().iter().filter(|l| !l.is_cjk() || cjk_font().is_some()) {
            for (w, h) in
                [(640, 480), (640, 360), (800, 600), (1280, 720), (1440, 1080), (1920, 1080)]
            {
                let strip = Canvas::new(w, h).strip;
                let at = Places::new(strip.width(), strip.height());
                let u = at.unit;
                let mut fits = |set: Type, text: &str, room: f32| {
                    if set.width(text) > room {
                        faults.push(format!(
                            "{language:?} {w}×{h}: {text} {} {room}",
                            set.width(text)
                        ));
                    }
                };
                let badge =
                    Type::bold(5.4 * u, TEXT).width(language.label(WordUntrained)) + 5.0 * u;
                for word in words {
                    fits(
                        Type::bold(7.0 * u, TEXT),
                        language.label(word),
                        at.status.w - 7.8 * u - badge,
                    );
                }
                for line in [NoticeResearch, NoticeDevice] {
                    fits(Type::bold(5.2 * u, TEXT), language.label(line), at.notice.w - 3.0 * u);
                }
                fits(Type::bold(3.6 * u, TEXT), language.label(WordSimulated), at.nodule.w);
                let small = Type::regular(4.3 * u, DIM);
                let ends = format!("{}  50  {}", language.label(Benign), language.label(Malignant));
                fits(small, &ends, at.gauge.w);
                if let Some(area) = at.caption {
                    fits(Type::regular(4.8 * u, DIM), language.label(Caption), area.w);
                }
                let Some(folder) = std::env::var_os("SONOFUSE_LOOK") else { continue };
                let mut scored = sample::scored(0.63);
                scored.detail_id = Some("both-unfamiliar".into());
                let mut withheld = sample::withheld(Withheld::NoDualView);
                withheld.detail_id = Some("no-twin".into());
                for (name, reading) in [("scored", scored), ("withheld", withheld)] {
                    let mut trend = Trend::default();
                    trend.observe(&reading);
                    let now_ns = reading.captured_ns;
                    let state = PanelState::spoken(language, Some(&reading), &trend, now_ns, 1500);
                    let state = PanelState { simulated: true, ..state };
                    let tile = draw(&state, strip.width(), strip.height());
                    let image = image::RgbaImage::from_raw(
                        tile.width(),
                        tile.height(),
                        tile.rgba().to_vec(),
                    );
                    let name = format!("panel-{}-{w}x{h}-{name}.png", language.id());
                    image
                        .expect("its size")
                        .save(std::path::Path::new(&folder).join(name))
                        .expect("a folder");
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}
