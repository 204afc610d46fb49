//! Following a layout from frame to frame: a few hundred pixels a frame tell whether the picture
//! still agrees; the whole picture is searched only when it does not.
//!
//! Runs on the caller's thread. What is said holds for the frame that was looked at: one that does
//! not show the dual view has none, whatever is kept so that crops do not jitter. All times are the
//! source's own, so that 60 pictures a second and one are judged alike. Allocates nothing while a
//! layout holds.

mod held;

use self::held::{BAR_PAUSE_NS, BarWatch, Held, Run, same, take_bar};
use super::bar::{self, Scale};
use super::colour::Tint;
use super::find::Found;
use super::pinned;
use super::probe::{Scene, Watch};
use super::proof::{Claim, Proof, Prover, Signature};
use super::{Finder, HardEnd, NoDualView, PinnedRegions, Pins, ScreenLayout};
use crate::frame::{Frame, PixelFormat};

const MS: u64 = 1_000_000;
/// A frame that disagrees so soon after a search is not searched again, unless the next one does too.
const DOUBT_NS: u64 = 100 * MS;
/// Between two searches while the map only lost part of its colour.
const SHRINK_PAUSE_NS: u64 = 250 * MS;
/// A bar that is out of sight for less is looked for where it was only.
const BAR_GONE_NS: u64 = 150 * MS;
/// Between two searches without success: at first, and after many.
const SEARCH_PAUSE_NS: [u64; 2] = [30 * MS, 530 * MS];
/// What was lost is taken up again without a search, if it comes back within this.
const KEPT_NS: u64 = 10_000 * MS;

/// What was seen on one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The dual view that this very frame shows, or why it shows none.
    pub layout: Result<ScreenLayout, NoDualView>,
    /// The layout that was in force before and is kept in case it comes back; `None` while `layout`
    /// is one.
    pub kept: Option<ScreenLayout>,
    /// Whether the whole picture was searched.
    pub searched: bool,
}

impl Observation {
    /// Tells whether this very frame shows a dual view.
    pub const fn agrees(&self) -> bool {
        self.layout.is_ok()
    }
}

/// Follows a layout over time.
#[derive(Debug, Default)]
pub struct Follower {
    finder: Finder,
    pins: Pins,
    run: Run,
    prover: Prover,
    scene: Scene,
    /// Size and format of the last frame: a change forgets all.
    format: Option<(u32, u32, PixelFormat)>,
    /// Media time of the last frame.
    now_ns: u64,
    /// What the last frame came to was decided by a search, so that it needs no other proof.
    searched: bool,
    state: State,
}

// One follower lives per source; a box would only cost a pointer chase a frame.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    /// A layout is in force.
    Held(Held),
    /// The regions are pinned. `refused`: what they held is no stiffness map, so that every frame
    /// must prove one.
    Pinned { layout: Result<ScreenLayout, NoDualView>, refused: bool },
    /// The last frame shows no dual view.
    Lost { reason: NoDualView, since_ns: u64, searched_ns: u64, pause_ns: u64, kept: Option<Held> },
}

impl Follower {
    /// Makes a follower; what `pins` fix is not searched for.
    pub fn new(pins: Option<Pins>) -> Self {
        Self { pins: pins.unwrap_or_default(), ..Self::default() }
    }

    /// Tells whether the numbers beside the bar in force grow towards its blue end.
    pub fn numbers_rise_to_blue(&self) -> bool {
        let State::Held(held) = &self.state else { return false };
        held.bar.bar.is_some_and(|bar| bar.numbers && bar.hard_end == Some(HardEnd::Blue))
    }

    /// Tells whether the palette was turned round since it was first seen: a hard end that nobody read
    /// off the picture is then wrong.
    pub const fn is_palette_turned(&self) -> bool {
        self.run.is_turned()
    }

    /// The hard end that is to be used for the last frame, as the last look or proof left it.
    pub fn hard_end(&self) -> Option<HardEnd> {
        match &self.state {
            State::Held(held) => self.said(held).hard_end,
            State::Pinned { .. } => self.run.hard_end(self.pins.hard_end, None),
            State::Start | State::Lost { .. } => None,
        }
    }

    /// Forgets what was seen: the next frame is searched. Which way the palette ran is kept, because a
    /// scanner keeps it too.
    pub fn reset(&mut self) {
        self.state = State::Start;
        self.format = None;
    }

    /// Forgets the palette too: the next frame comes from another source.
    pub fn forget(&mut self) {
        self.reset();
        self.run = Run::default();
    }

    /// Looks at the next frame, shown at `media_ns` by the source's own time.
    pub fn observe(&mut self, frame: &Frame, media_ns: u64) -> Observation {
        self.now_ns = media_ns;
        let format = (frame.width(), frame.height(), frame.format().pixel);
        if self.format != Some(format) {
            self.state = State::Start;
            self.format = Some(format);
        }
        self.searched = false;
        let state = std::mem::take(&mut self.state);
        let layout = if let Some(regions) = self.pins.regions {
            let refused = matches!(state, State::Pinned { refused: true, .. });
            self.pinned(frame, &regions, refused)
        } else {
            match state {
                State::Pinned { .. } | State::Start => self.search(frame, SEARCH_PAUSE_NS[0], None),
                State::Held(held) => self.held(frame, held),
                State::Lost { reason, since_ns, searched_ns, pause_ns, kept } => {
                    let kept = kept.filter(|_| !self.passed(since_ns, KEPT_NS));
                    self.lost(frame, reason, since_ns, searched_ns, pause_ns, kept)
                }
            }
        };
        let kept = match &self.state {
            State::Held(held) if layout.is_err() => Some(self.said(held)),
            State::Lost { kept, .. } => kept.as_ref().map(|held| self.said(held)),
            _ => None,
        };
        Observation { layout, kept, searched: self.searched }
    }

    /// Proves again that the frame that was last observed holds a stiffness map: before a map is
    /// scored that was not seen before. Gives a search's own verdict on the hues and the shape of what
    /// the box holds, on the bar and on the twin at their known places, and searches the picture
    /// where that is not enough. Within pinned regions only the hues are asked.
    ///
    /// # Errors
    /// Why it is none. The frames to come have no layout either until they prove one.
    pub fn prove(&mut self, frame: &Frame) -> Result<(), NoDualView> {
        match std::mem::take(&mut self.state) {
            State::Held(held) if self.searched || held.doubted.is_some() => {
                let proven = held.doubted.map_or(Ok(()), Err);
                if proven.is_ok() && held.bar.bar.is_none() {
                    let map = &held.layout.elastogram_box;
                    let (_, signature) = self.prover.look(frame, map, &held.watch.tint);
                    self.see_map(frame, &held.layout, signature, false);
                }
                self.state = State::Held(held);
                proven
            }
            State::Start => Err(NoDualView::NoColourBox),
            State::Pinned { layout, .. } => {
                let proven = layout.and_then(|layout| self.proof_of_pinned(frame, &layout));
                self.state = State::Pinned { layout, refused: proven.is_err() };
                proven
            }
            State::Lost { reason, since_ns, searched_ns, pause_ns, kept } => {
                self.state = State::Lost { reason, since_ns, searched_ns, pause_ns, kept };
                Err(reason)
            }
            State::Held(mut held) => match self.proof(frame, &mut held) {
                Proof::Holds => {
                    self.state = State::Held(held);
                    Ok(())
                }
                Proof::Fails(reason) => {
                    self.lose(reason, SEARCH_PAUSE_NS[0], held.searched_ns, Some(held));
                    Err(reason)
                }
                Proof::Open => self.search(frame, SEARCH_PAUSE_NS[0], Some(held)).map(drop),
            },
        }
    }

    /// Judges box and twin; remembers how the map looks while the bar is seen.
    fn proof(&mut self, frame: &Frame, held: &mut Held) -> Proof {
        if held.bar.shows_other(frame, &held.watch.tint) {
            return Proof::Fails(NoDualView::NotElastogram);
        }
        let palette = held.bar.is_seen();
        let claim = Claim {
            map: &held.layout.elastogram_box,
            twin: &held.layout.bmode_box,
            tint: &held.watch.tint,
            palette,
            peak: Some(held.peak),
        };
        let (proof, signature) = self.prover.judge(frame, claim);
        if palette && proof == Proof::Holds {
            held.bar.map = Some(signature);
        } else if held.bar.bar.is_none() && proof == Proof::Holds {
            self.see_map(frame, &held.layout, signature, false);
        }
        proof
    }

    /// Without a bar the maps themselves tell whether the palette was turned round.
    fn see_map(&mut self, frame: &Frame, layout: &ScreenLayout, map: Signature, bar: bool) {
        let portrait = self.prover.portrait(frame, map, &layout.bmode_box);
        if bar {
            self.run.keep_map(portrait);
        } else {
            self.run.see_map(portrait);
        }
    }

    /// The pinned regions, as long as the frame supports them.
    fn pinned(
        &mut self,
        frame: &Frame,
        regions: &PinnedRegions,
        refused: bool,
    ) -> Result<ScreenLayout, NoDualView> {
        if let Some(region) = regions.colour_bar
            && let Some(red_first) = bar::look(frame, &Tint::default(), &region).red_first()
        {
            self.run.see(&region, red_first);
        }
        let hard_end = self.run.hard_end(self.pins.hard_end, None);
        let mut layout = pinned::apply(regions, hard_end, frame);
        if refused && let Ok(regions) = &layout {
            layout = self.proof_of_pinned(frame, regions).map(|()| *regions);
        }
        self.state = State::Pinned { layout, refused: refused && layout.is_err() };
        layout
    }

    /// Judges the hues in the pinned box; nothing else can be asked of a place that is given.
    fn proof_of_pinned(&mut self, frame: &Frame, layout: &ScreenLayout) -> Result<(), NoDualView> {
        let tint = Tint::default();
        let scale = layout.colour_bar.map(|region| bar::look(frame, &tint, &region));
        if scale == Some(Scale::Other) {
            return Err(NoDualView::NotElastogram);
        }
        let bar = scale.and_then(Scale::red_first);
        let claim = Claim {
            map: &layout.elastogram_box,
            twin: &layout.bmode_box,
            tint: &tint,
            palette: bar.is_some(),
            peak: None,
        };
        let (proof, signature) = self.prover.judge(frame, claim);
        match proof {
            Proof::Holds | Proof::Open => {
                self.see_map(frame, layout, signature, bar.is_some());
                Ok(())
            }
            Proof::Fails(reason) => Err(reason),
        }
    }

    /// Tells whether `pause_ns` passed since `then_ns`. A time that went back has passed.
    fn passed(&self, then_ns: u64, pause_ns: u64) -> bool {
        self.now_ns.checked_sub(then_ns).is_none_or(|since_ns| since_ns >= pause_ns)
    }

    fn held(&mut self, frame: &Frame, mut held: Held) -> Result<ScreenLayout, NoDualView> {
        let seen = held.watch.check(frame, &held.layout);
        if let Some(reason) = seen.moved {
            if held.doubted.is_none() && !self.passed(held.searched_ns, DOUBT_NS) {
                held.doubted = Some(reason);
                self.state = State::Held(held);
                return Err(reason);
            }
            return self.search(frame, SEARCH_PAUSE_NS[0], Some(held));
        }
        held.doubted = None;
        if seen.shrunk && self.passed(held.searched_ns, SHRINK_PAUSE_NS) {
            return self.search(frame, SEARCH_PAUSE_NS[0], Some(held));
        }
        self.watch_bar(frame, &mut held);
        let layout = self.said(&held);
        self.state = State::Held(held);
        Ok(layout)
    }

    /// The layout with the hard end that is to be used.
    fn said(&self, held: &Held) -> ScreenLayout {
        let hard_end = self.run.hard_end(self.pins.hard_end, held.layout.hard_end);
        ScreenLayout { hard_end, ..held.layout }
    }

    /// Looks whether the bar is where it was and runs as it did; looks for it elsewhere when it is
    /// not, and for its labels while they do not tell the hard end.
    fn watch_bar(&mut self, frame: &Frame, held: &mut Held) {
        let tint = held.watch.tint;
        let now = held.bar.bar.and_then(|b| bar::look(frame, &tint, &b.region).red_first());
        if let (Some(bar), Some(red_first)) = (held.bar.bar, now) {
            self.run.see(&bar.region, red_first);
        }
        let hard_end = self.said(held).hard_end;
        let due = self.passed(held.bar.looked_ns, held.bar.pause_ns);
        let look = match (held.bar.bar, now) {
            (Some(before), Some(red_first)) if red_first == before.red_first => {
                held.bar.hidden_ns = None;
                hard_end.is_none() && due
            }
            // Turned round: the direction of a moment ago is no longer true.
            (Some(_), Some(red_first)) => {
                held.bar.hidden_ns = None;
                held.bar.pause_ns = BAR_PAUSE_NS[0];
                if let Some(bar) = &mut held.bar.bar {
                    bar.red_first = red_first;
                }
                held.layout.hard_end = None;
                self.said(held).hard_end.is_none()
            }
            (Some(_), None) => {
                let since_ns = *held.bar.hidden_ns.get_or_insert(self.now_ns);
                if hard_end.is_some() {
                    self.distrust(frame, held);
                }
                self.passed(since_ns, BAR_GONE_NS) && due
            }
            // A pin needs no bar.
            (None, _) => hard_end.is_none() && due,
        };
        if look {
            let found = self.finder.bar(frame, &held.layout.elastogram_box);
            held.bar.looked_ns = self.now_ns;
            held.bar.pause_ns = (held.bar.pause_ns * 2).min(BAR_PAUSE_NS[1]);
            if let Some(found) = found {
                take_bar(held, found);
            }
        }
    }

    /// The bar is covered: its direction holds only while the map's own colours do not speak against
    /// it.
    fn distrust(&mut self, frame: &Frame, held: &mut Held) {
        let Some(before) = held.bar.map else { return };
        let (_, now) = self.prover.look(frame, &held.layout.elastogram_box, &held.watch.tint);
        if now.is_turned(&before) {
            held.layout.hard_end = None;
            self.run.doubt();
        }
    }

    fn lost(
        &mut self,
        frame: &Frame,
        reason: NoDualView,
        since_ns: u64,
        searched_ns: u64,
        pause_ns: u64,
        kept: Option<Held>,
    ) -> Result<ScreenLayout, NoDualView> {
        let mut kept = kept;
        if let Some(mut held) = kept.take() {
            let seen = held.watch.check(frame, &held.layout);
            if seen.moved.is_none() && !seen.shrunk {
                self.watch_bar(frame, &mut held);
                if self.proof(frame, &mut held) == Proof::Holds {
                    held.doubted = None;
                    let layout = self.said(&held);
                    self.state = State::Held(held);
                    return Ok(layout);
                }
            }
            kept = Some(held);
        }
        let due = self.passed(searched_ns, pause_ns)
            || self.passed(searched_ns, SEARCH_PAUSE_NS[0]) && self.scene.differs(frame);
        if due {
            return self.search_again(frame, since_ns, pause_ns, kept);
        }
        self.state = State::Lost { reason, since_ns, searched_ns, pause_ns, kept };
        Err(reason)
    }

    /// Searches the picture, and keeps `held` if nothing is found.
    fn search(
        &mut self,
        frame: &Frame,
        pause_ns: u64,
        held: Option<Held>,
    ) -> Result<ScreenLayout, NoDualView> {
        self.search_again(frame, self.now_ns, pause_ns / 2, held)
    }

    /// As [`Follower::search`], where nothing was found since `since_ns`.
    fn search_again(
        &mut self,
        frame: &Frame,
        since_ns: u64,
        pause_ns: u64,
        held: Option<Held>,
    ) -> Result<ScreenLayout, NoDualView> {
        self.searched = true;
        let found = self.finder.search(frame).and_then(|found| {
            let other = found.bar.is_none()
                && held.as_ref().is_some_and(|held| held.bar.shows_other(frame, &found.tint));
            if other { Err(NoDualView::NotElastogram) } else { Ok(found) }
        });
        match found {
            Ok(found) => Ok(self.take(frame, &found, held)),
            Err(reason) => {
                self.scene.renew(frame);
                let pause_ns = (pause_ns * 2).min(SEARCH_PAUSE_NS[1]);
                let searched_ns = self.now_ns;
                self.state = State::Lost { reason, since_ns, searched_ns, pause_ns, kept: held };
                Err(reason)
            }
        }
    }

    /// Takes what a search found; boxes that are where they were stay as they are.
    fn take(&mut self, frame: &Frame, found: &Found, before: Option<Held>) -> ScreenLayout {
        let now_ns = self.now_ns;
        let mut held = Held {
            layout: found.layout,
            watch: Watch::new(frame, &found.layout, found.tint),
            peak: found.peak,
            searched_ns: now_ns,
            doubted: None,
            bar: BarWatch::new(found.bar, now_ns),
        };
        if let Some(before) = before.filter(|b| same(&b.layout, &found.layout)) {
            held.layout = before.layout;
            held.watch = Watch::new(frame, &held.layout, found.tint);
            held.bar = before.bar;
            if let Some(bar) = found.bar {
                take_bar(&mut held, bar);
            }
        }
        if let Some(bar) = held.bar.bar {
            self.run.see(&bar.region, bar.red_first);
        }
        if held.bar.is_seen() {
            let map = &held.layout.elastogram_box;
            held.bar.map = Some(self.prover.look(frame, map, &found.tint).1);
        }
        let layout = self.said(&held);
        self.state = State::Held(held);
        layout
    }

    fn lose(&mut self, reason: NoDualView, pause_ns: u64, searched_ns: u64, kept: Option<Held>) {
        self.state = State::Lost { reason, since_ns: self.now_ns, searched_ns, pause_ns, kept };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn nothing_is_allocated_while_a_layout_holds() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/screens/aixplorer-swe-stacked/screen.png");
        let picture = image::open(file).unwrap().to_rgb8();
        let (width, height) = picture.dimensions();
        let frame = Frame::from_rgb(width, height, picture.into_raw()).unwrap();
        let mut follower = Follower::new(None);
        let mut buffers = Vec::new();
        for i in 0..6 {
            assert!(follower.observe(&frame, i * 500 * MS).agrees());
            follower.prove(&frame).unwrap();
            let State::Held(held) = &follower.state else { panic!("a layout holds") };
            buffers.push((follower.prover.buffers(), held.watch.buffers()));
        }
        assert!(buffers[2..].iter().all(|b| *b == buffers[1]), "{buffers:?}");
    }
}
