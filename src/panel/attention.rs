//! Where the network's features responded, beside the miniature: on request, for some seconds, and only beside
//! the number of the place that it is of. Never on the picture. Pure but for [`Attention`], which whoever
//! answers a command writes and whoever draws reads; neither waits.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use sonofuse_core::explain::{HeatPicture, Leaning, Looked, View};
use sonofuse_core::reading::Reading;
use sonofuse_core::words::{Label, Language};

use super::draw::{ALERT, Area, DIM, Painter, TEXT, Type};

/// How long it stands, and how long it takes to go, ns.
const STANDS_NS: u64 = 10_000_000_000;
const FADES_NS: u64 = 1_000_000_000;
/// Steps in which it goes: each is drawn once.
const STEPS: u8 = 5;

/// Tells whether the patient, the source and the pins are those of the explanation.
pub type Holds = Arc<dyn Fn() -> bool + Send + Sync>;

/// The newest explanation.
#[derive(Default)]
pub struct Attention(ArcSwapOption<Shown>);

struct Shown {
    since_ns: u64,
    looked: Arc<Looked>,
    holds: Holds,
}

impl std::fmt::Debug for Attention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attention").finish_non_exhaustive()
    }
}

impl Attention {
    /// Shows `looked` from `now_ns` of the monotonic clock on, while `holds`.
    pub fn show(&self, now_ns: u64, looked: Arc<Looked>, holds: Holds) {
        self.0.store(Some(Arc::new(Shown { since_ns: now_ns, looked, holds })));
    }

    /// What stands at `now_ns` beside `reading`: nothing beside one of another place or patient.
    pub fn beside(&self, reading: Option<&Reading>, now_ns: u64) -> Option<Looking> {
        let shown = self.0.load();
        let Shown { since_ns, looked, holds } = &**shown.as_ref()?;
        let reading = reading?;
        let explained = &looked.explained;
        let same = (reading.exam.number, reading.place) == (explained.exam, explained.place);
        if !same || reading.malignancy.is_none() || !holds() {
            return None;
        }
        let age_ns = now_ns.checked_sub(*since_ns)?;
        let left_ns = (STANDS_NS + FADES_NS).checked_sub(age_ns).filter(|left_ns| *left_ns > 0)?;
        let steps = left_ns.min(FADES_NS) * u64::from(STEPS);
        Some(Looking {
            looked: Arc::clone(looked),
            step: steps.div_ceil(FADES_NS) as u8,
            bare: false,
        })
    }
}

/// An explanation as it stands on the panel now.
#[derive(Clone, Debug)]
pub struct Looking {
    looked: Arc<Looked>,
    /// [`STEPS`] while it stands, fewer while it goes.
    step: u8,
    /// Without what the network saw: nothing that is kept shows more than the masked picture.
    bare: bool,
}

impl PartialEq for Looking {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.looked, &other.looked)
            && (self.step, self.bare) == (other.step, other.bare)
    }
}

impl Looking {
    /// One that has just been shown.
    pub fn fresh(looked: Arc<Looked>) -> Self {
        Self { looked, step: STEPS, bare: false }
    }

    /// For what is kept: the heat alone, without anatomy and writing below it.
    #[must_use]
    pub fn bare(self) -> Self {
        Self { bare: true, ..self }
    }

    /// What it says.
    pub fn looked(&self) -> &Looked {
        &self.looked
    }

    fn strength(&self) -> f32 {
        f32::from(self.step) / f32::from(STEPS)
    }
}

/// The words, broken into lines.
struct Words {
    title: Vec<String>,
    caveat: Vec<String>,
}

impl Words {
    /// The longest that fit `width` pixels, whole, in lines of `title` and `caveat`.
    fn fit(
        language: &Language,
        leaning: Leaning,
        [title, caveat]: [Type; 2],
        width: f32,
        most: [usize; 2],
    ) -> Self {
        let whole = |set: Type, labels: &[Label], most: usize| {
            let mut lines =
                labels.iter().map(|label| set.wrap(language.label(*label), width, most));
            let fits = lines.find(|lines| lines.iter().all(|line| !line.ends_with('…')));
            // The last is the shortest.
            fits.unwrap_or_else(|| {
                let last = labels.last().map_or("", |label| language.label(*label));
                set.wrap(last, width, most)
            })
        };
        let long = match leaning {
            Leaning::Benign => Label::HeatBenign,
            Leaning::Malignant => Label::HeatMalignant,
        };
        Self {
            title: whole(title, &[long, Label::HeatTitle, Label::HeatShort], most[0]),
            caveat: whole(caveat, &[Label::HeatCaveat, Label::HeatCaveatShort], most[1]),
        }
    }
}

/// From one line to the next, in the letters' height.
const LINE_STEP: f32 = 1.04;
/// A place so wide, in units, has its words beside the pictures; a narrower one above and below.
const WIDE: f32 = 74.0;

fn types(u: f32, strength: f32) -> [Type; 3] {
    [
        Type::bold(4.6 * u, fade(TEXT, strength)),
        Type::bold(4.2 * u, fade(ALERT, strength)),
        Type::regular(4.2 * u, fade(DIM, strength)),
    ]
}

/// Where the words stand, and the pictures.
fn parts(area: Area, u: f32) -> (Area, Area, [usize; 2]) {
    if area.w >= WIDE * u {
        let pictures = Area { w: area.w * 0.5, ..area };
        let x = pictures.right() + 4.0 * u;
        return (Area { x, w: area.right() - x, ..area }, pictures, [2, 3]);
    }
    (area, area, [1, 2])
}

/// Draws it: a title, the views with their heat, their shares, and the caveat.
pub(super) fn draw(p: &mut Painter, language: &Language, looking: &Looking, area: Area, u: f32) {
    let (strength, explained) = (looking.strength(), &looking.looked.explained);
    let [title, caveat, small] = types(u, strength);
    let (text, mut pictures, most) = parts(area, u);
    let words = Words::fit(language, explained.speaks_for, [title, caveat], text.w, most);
    for (i, line) in words.title.iter().enumerate() {
        p.text(text.x, text.y + title.px * LINE_STEP * i as f32, title, line);
    }
    let below = caveat.px * LINE_STEP * words.caveat.len().saturating_sub(1) as f32;
    let foot = text.bottom() - caveat.cap_height() - below;
    for (i, line) in words.caveat.iter().enumerate() {
        p.text(text.x, foot + caveat.px * LINE_STEP * i as f32, caveat, line);
    }
    if text == pictures {
        let top = area.y + title.cap_height() + 1.6 * u;
        pictures = Area { y: top, h: foot - 1.8 * u - top, ..area };
    }
    let label = pictures.bottom() - small.cap_height();
    let gap = 2.0 * u;
    let wide = (pictures.w - gap) / 2.0;
    let mut x = pictures.x;
    for picture in looking.looked.pictures.iter().take(2) {
        let room = Area::new(x, pictures.y, wide, (label - 1.2 * u - pictures.y).max(1.0));
        let at = fitted(picture, room);
        let rgb = picture.rgb(looking.bare);
        p.picture(at, [picture.width, picture.height], &rgb, strength);
        let name = language.label(match picture.view {
            View::BMode => Label::HeatBmode,
            View::Elastogram => Label::HeatElastogram,
        });
        let said = explained
            .share(picture.view)
            .map_or_else(|| name.to_owned(), |share| format!("{name} {:.0}\u{a0}%", share * 100.0));
        p.text(x, label, small, &small.fit(&said, wide));
        x += at.w.max(small.width(&said)).min(wide) + gap;
    }
}

/// The largest place in `room` of the picture's own proportions.
fn fitted(picture: &HeatPicture, room: Area) -> Area {
    let (w, h) = (picture.width.max(1) as f32, picture.height.max(1) as f32);
    let scale = (room.w / w).min(room.h / h);
    Area::new(room.x, room.y, w * scale, h * scale)
}

/// A colour on its way to the ground.
fn fade(colour: [u8; 3], strength: f32) -> [u8; 3] {
    let ground = super::draw::GROUND;
    std::array::from_fn(|c| {
        let (to, from) = (f32::from(colour[c]), f32::from(ground[c]));
        (from + (to - from) * strength).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use sonofuse_core::reading::Withheld;

    use super::*;
    use crate::panel::trend::Trend;
    use crate::panel::{PanelState, Places, sample};

    fn on(holds: &Arc<AtomicBool>) -> Attention {
        let attention = Attention::default();
        let holds = Arc::clone(holds);
        let holds: Holds = Arc::new(move || holds.load(Ordering::Relaxed));
        attention.show(1_000, Arc::new(sample::looked()), holds);
        attention
    }

    #[test]
    fn an_explanation_stands_beside_the_number_of_its_own_place_and_nowhere_else() {
        let holds = Arc::new(AtomicBool::new(true));
        let attention = on(&holds);
        let scored = sample::scored(0.6);
        let at = |reading: &Reading| attention.beside(Some(reading), 2_000);
        assert!(at(&scored).is_some());
        assert!(attention.beside(None, 2_000).is_none());
        assert!(attention.beside(Some(&scored), 0).is_none(), "before it was asked for");
        let mut other = scored.clone();
        other.place += 1;
        assert!(at(&other).is_none(), "another place");
        let mut other = scored.clone();
        other.exam.number += 1;
        assert!(at(&other).is_none(), "another patient");
        assert!(at(&sample::withheld(Withheld::NoDualView)).is_none(), "no number");
        let state = |reading: &Reading| {
            PanelState::at(Some(reading), &Trend::default(), reading.captured_ns, 1500)
                .looking(at(&scored))
        };
        assert!(state(&scored).looking.is_some());
        let mut stale = scored.clone();
        stale.captured_ns = 5;
        let stale = PanelState::at(Some(&stale), &Trend::default(), 9_000_000_000, 1500);
        assert!(stale.looking(at(&scored)).looking.is_none(), "an old number");
        holds.store(false, Ordering::Relaxed);
        assert!(at(&scored).is_none(), "what it was of is forgotten");
    }

    #[test]
    fn it_stands_for_ten_seconds_and_goes_in_steps() {
        let attention = on(&Arc::new(AtomicBool::new(true)));
        let scored = sample::scored(0.6);
        let step = |after_ms: u64| {
            let now_ns = 1_000 + after_ms * 1_000_000;
            attention.beside(Some(&scored), now_ns).map(|looking| looking.step)
        };
        assert_eq!([step(0), step(9_999), step(10_000)], [Some(STEPS); 3]);
        let going: Vec<_> = (0..100).map(|i| step(10_005 + i * 10)).collect();
        assert!(going.is_sorted_by(|a, b| a >= b), "{going:?}");
        assert_eq!(going[95], Some(1));
        assert_eq!(step(11_000), None);
    }

    #[test]
    fn the_caveat_is_whole_on_every_panel() {
        let sizes = [[640, 480], [640, 360], [800, 600], [1280, 720], [1280, 1024], [1440, 1080]];
        for [w, h] in sizes.into_iter().chain([[1920, 1080]]) {
            let strip = crate::panel::Canvas::new(w, h).strip;
            let at = Places::new(strip.width(), strip.height()).explaining();
            let (area, u) = (at.explained, at.unit);
            let (text, _, most) = parts(area, u);
            let [title, caveat, _] = types(u, 1.0);
            let leanings = [Leaning::Benign, Leaning::Malignant];
            for (language, leaning) in
                Language::all().iter().flat_map(|language| leanings.map(|one| (language, one)))
            {
                let words = Words::fit(language, leaning, [title, caveat], text.w, most);
                let all = words.title.iter().chain(&words.caveat);
                let whole = all.clone().all(|line| !line.ends_with('…'));
                let lines = (title.px * words.title.len() as f32
                    + caveat.px * words.caveat.len() as f32)
                    * LINE_STEP;
                assert!(whole && lines <= area.h + u, "{language:?} {w}×{h}: {area:?}, unit {u}");
            }
        }
    }
}
