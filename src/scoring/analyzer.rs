//! One frame in, one reading out: layout, looks, gate, network, calibration, aggregation.
//!
//! Runs on the infer thread. What did not change is not computed again: a frame whose elastogram is
//! the one before costs the following of the layout and four coarse looks.

use sonofuse_core::NOTICE;
use sonofuse_core::aggregate::Window;
use sonofuse_core::frame::{Frame, FrameMeta};
use sonofuse_core::gate::Refusal;
use sonofuse_core::layout::{Follower, NoDualView, Pins, ScreenLayout};
use sonofuse_core::picture::{self, Freeze, Look};
use sonofuse_core::preprocess::DualView;
use sonofuse_core::reading::{Latency, Outcome, Reading, Withheld};
use sonofuse_core::words::{Sentence, Words};

use super::clock::{Clock, ms};
use super::evidence::{News, Seen, hard_end};
use super::model::NoScore;
use super::settings::{PaletteUnknown, Settings};
use super::{Model, ScorerError};

const MS: u64 = 1_000_000;

/// First wait after a fault of the network; doubled up to [`RETRY_MAX_NS`].
const RETRY_NS: u64 = 250 * MS;
const RETRY_MAX_NS: u64 = 8_000 * MS;

/// Turns frames into readings.
#[derive(Debug)]
pub struct Analyzer {
    source: String,
    model: Model,
    settings: Settings,
    still: bool,
    replaced: u64,
    follower: Follower,
    row: Vec<[u8; 3]>,
    window: Window,
    freeze: Freeze,
    seen: Option<Seen>,
    /// Why the map that was last seen gives no score, if so.
    refused: Option<Refusal>,
    fault: Option<Fault>,
    /// Media time since when there is no dual view.
    lost_since_ns: Option<u64>,
    last_sequence: u64,
}

/// The network failed; it is asked again later.
#[derive(Debug)]
struct Fault {
    error: ScorerError,
    retry_at_ns: u64,
    wait_ns: u64,
}

/// What a frame came to, before it is put in words.
#[derive(Debug)]
struct Verdict {
    refusal: Option<Refusal>,
    layout: Option<ScreenLayout>,
    frozen: bool,
}

impl Verdict {
    fn withheld(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), layout: None, frozen: false }
    }
}

impl Analyzer {
    /// Prepares for a source; `pins` are the regions that its preset fixes.
    pub fn new(source: String, model: Model, settings: Settings, pins: Option<Pins>) -> Self {
        let window = Window::new(
            settings.window as usize,
            settings.max_age_ms * MS,
            model.manifest().aggregation.logit_sd,
        );
        Self {
            source,
            model,
            settings,
            still: false,
            replaced: 0,
            follower: Follower::new(pins),
            row: Vec::new(),
            window,
            freeze: Freeze::default(),
            seen: None,
            refused: None,
            fault: None,
            lost_since_ns: None,
            last_sequence: 0,
        }
    }

    /// Treats every frame as an image of its own: one elastogram is enough, nothing is carried over.
    pub fn set_still(&mut self, still: bool) {
        self.still = still;
    }

    /// Names another source in the readings to come.
    pub fn set_source(&mut self, source: String) {
        self.source = source;
    }

    /// Sets how many frames were replaced before they were looked at, for the readings to come.
    pub fn set_replaced(&mut self, replaced: u64) {
        self.replaced = replaced;
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Runs the network once at each size that the first frames are likely to have, so that the first
    /// reading is not the slowest.
    ///
    /// # Errors
    /// [`ScorerError`] of the run.
    pub fn warm_up(&mut self) -> Result<(), ScorerError> {
        use sonofuse_core::manifest::InputSize;
        let (w, h) = match self.model.manifest().input.size {
            InputSize::Fixed { width_px, height_px } => (width_px, height_px),
            InputSize::Native { min_side_px, max_side_px, .. } => {
                (max_side_px, min_side_px.max(max_side_px * 3 / 8))
            }
        };
        let input = sonofuse_core::preprocess::FusionInput::golden(w as usize, h as usize);
        self.model.score(&input).map(|_| ())
    }

    /// Forgets what was seen: another source, another patient.
    pub fn reset(&mut self) {
        self.follower.reset();
        self.forget();
        self.lost_since_ns = None;
    }

    /// Forgets the nodule, keeps the layout.
    fn forget(&mut self) {
        self.window.reset();
        self.freeze.reset();
        self.seen = None;
        self.refused = None;
    }

    /// Reads one frame. Always gives a reading; `clock` is the one behind `captured_ns`.
    pub fn analyze(&mut self, frame: &Frame, clock: &impl Clock) -> Reading {
        if self.still {
            self.reset();
        }
        let started_ns = clock.now_ns();
        let meta = *frame.meta();
        self.last_sequence = meta.sequence;
        let mut latency = Latency { queue: ms(meta.captured_ns, started_ns), ..Latency::default() };
        // Evidence ages by the source's own time, so that a recording read fast is judged alike.
        let media_ns = meta.pts_ns.unwrap_or(meta.captured_ns);
        let observation = self.follower.observe(frame, media_ns);
        latency.layout = ms(started_ns, clock.now_ns());
        let verdict = match observation.layout {
            Ok(layout) => self.dual_view(frame, &layout, media_ns, clock, &mut latency),
            Err(why) => self.no_dual_view(frame, why, media_ns),
        };
        latency.total = ms(meta.captured_ns, clock.now_ns());
        self.reading(meta, Some([frame.width(), frame.height()]), latency, verdict)
    }

    /// Gives the reading for the lack of a frame. A stalled source keeps its evidence, which goes on
    /// ageing; any other reason means that the next picture may be of anybody.
    pub fn without_frame(
        &mut self,
        reason: Withheld,
        words: impl Into<Words>,
        clock: &impl Clock,
    ) -> Reading {
        if reason != Withheld::Stalled {
            self.reset();
        }
        let meta = FrameMeta {
            sequence: self.last_sequence,
            captured_ns: clock.now_ns(),
            ..FrameMeta::default()
        };
        let verdict = Verdict::withheld(Refusal::new(reason, words));
        self.reading(meta, None, Latency::default(), verdict)
    }

    fn no_dual_view(&mut self, frame: &Frame, why: NoDualView, media_ns: u64) -> Verdict {
        let since_ns = *self.lost_since_ns.get_or_insert(media_ns);
        if media_ns < since_ns || media_ns - since_ns >= self.settings.layout_loss_ms * MS {
            self.forget();
        }
        let refusal = match picture::no_signal(frame) {
            Some(card) => Refusal::new(Withheld::NoSignal, card),
            None => Refusal::new(Withheld::NoDualView, Sentence::from(why)),
        };
        Verdict::withheld(refusal)
    }

    fn dual_view(
        &mut self,
        frame: &Frame,
        layout: &ScreenLayout,
        media_ns: u64,
        clock: &impl Clock,
        latency: &mut Latency,
    ) -> Verdict {
        self.lost_since_ns = None;
        let view = match DualView::new(frame, layout) {
            Ok(view) => view,
            Err(e) => {
                self.reset();
                let words = Sentence::BoxUnfit.with("words", e.to_string());
                return Verdict::withheld(Refusal::new(Withheld::NoDualView, words));
            }
        };
        let bmode = Look::take(frame, &view.bmode_crop(), &mut self.row);
        let map = Look::take(frame, &view.elastogram_crop(), &mut self.row);
        let frozen = !self.still && self.is_frozen(frame, layout, media_ns);
        if !frozen {
            // A frozen screen keeps its reading, however long the sonographer looks at it.
            self.window.expire(media_ns);
        }
        let verdict = |refusal| Verdict { refusal, layout: Some(*layout), frozen };

        if hard_end(layout).is_none() && self.settings.palette_unknown == PaletteUnknown::Withhold {
            return verdict(Some(Refusal::new(Withheld::PaletteUnknown, Sentence::PaletteUnknown)));
        }
        if let Err(refusal) = self.settings.gate.judge(layout, &bmode, &map) {
            return verdict(Some(refusal));
        }
        let news = self.seen.as_ref().map_or(News::Elsewhere, |seen| {
            seen.compare(
                layout,
                &map,
                &bmode,
                media_ns,
                self.settings.same_place,
                self.settings.min_spacing_ms * MS,
            )
        });
        if news == News::Repeated {
            return verdict(self.standing(frozen));
        }
        if let Err(why) = self.follower.prove(frame) {
            return self.no_dual_view(frame, why, media_ns);
        }
        if news == News::Elsewhere {
            self.window.reset();
        }
        let seen = Seen::new(layout, &map, &bmode, media_ns);
        if let News::Update(change) = news
            && let Err(refusal) = self.settings.gate.judge_change(change)
        {
            self.seen = Some(seen);
            self.refused = Some(refusal.clone());
            return verdict(Some(refusal));
        }
        match self.score(&view, media_ns, clock, latency) {
            Err(refusal) if refusal.reason == Withheld::EngineFault => {
                // Not seen: the same map is tried again when the wait is over.
                verdict(Some(refusal))
            }
            result => {
                self.refused = result.err();
                self.seen = Some(seen);
                verdict(self.standing(frozen))
            }
        }
    }

    /// Whether neither view changed for longer than the slowest refresh.
    fn is_frozen(&mut self, frame: &Frame, layout: &ScreenLayout, media_ns: u64) -> bool {
        let bmode = Look::take(frame, &layout.bmode_view, &mut self.row);
        let elastogram = Look::take(frame, &layout.elastogram_view, &mut self.row);
        let unchanged_ns = self.freeze.observe(&bmode, &elastogram, media_ns);
        unchanged_ns >= self.settings.freeze_after_ms * MS
    }

    /// What stands for a map that was judged before.
    fn standing(&self, frozen: bool) -> Option<Refusal> {
        if let Some(refusal) = &self.refused {
            return Some(refusal.clone());
        }
        let (have, need) = (self.window.evidence(), self.settings.min_evidence);
        // A still image and a frozen screen will never show a second elastogram.
        let enough = if self.still || frozen { 1 } else { need };
        (have < enough).then(|| {
            let words = Sentence::TooFewMaps.with("have", have).with("need", need);
            Refusal::new(Withheld::WarmingUp, words)
        })
    }

    /// Preprocesses, runs the network, and adds its logit to the window.
    fn score(
        &mut self,
        view: &DualView<'_>,
        media_ns: u64,
        clock: &impl Clock,
        latency: &mut Latency,
    ) -> Result<(), Refusal> {
        let started_ns = clock.now_ns();
        if let Some(fault) = &self.fault
            && started_ns < fault.retry_at_ns
        {
            return Err(engine_fault(&fault.error));
        }
        let result = self.model.score_view(view, clock, latency);
        match result {
            Ok(logit) => {
                self.fault = None;
                self.window.push(media_ns, logit);
                Ok(())
            }
            Err(NoScore::Refused(refusal)) => Err(refusal),
            Err(NoScore::Fault(error)) => {
                let wait_ns =
                    self.fault.as_ref().map_or(RETRY_NS, |f| (f.wait_ns * 2).min(RETRY_MAX_NS));
                let refusal = engine_fault(&error);
                self.fault = Some(Fault { error, retry_at_ns: clock.now_ns() + wait_ns, wait_ns });
                Err(refusal)
            }
        }
    }

    fn reading(
        &mut self,
        meta: FrameMeta,
        size: Option<[u32; 2]>,
        latency: Latency,
        verdict: Verdict,
    ) -> Reading {
        let summary = if verdict.refusal.is_none() { self.window.summary() } else { None };
        let (reason, mut words) = match (verdict.refusal, &summary) {
            (Some(refusal), _) => (Some(refusal.reason), Some(refusal.words)),
            (None, Some(_)) => (None, None),
            // Unreachable by construction; a reading without a reason would be worse than this one.
            (None, None) => (Some(Withheld::WarmingUp), Some(Sentence::PlaceNotConfirmed.into())),
        };
        if reason.is_none() && !self.model.info().trained {
            words = Some(Sentence::UntrainedModel.into());
        }
        let detail = words.as_ref().map(Words::english);
        let hard_end = verdict.layout.as_ref().and_then(hard_end);
        let calibration = &self.model.manifest().calibration;
        Reading {
            source: self.source.clone(),
            sequence: meta.sequence,
            pts_ns: meta.pts_ns,
            captured_ns: meta.captured_ns,
            size,
            outcome: if summary.is_some() { Outcome::Scored } else { Outcome::Withheld },
            malignancy: summary.map(|s| calibration.apply(s.median).get()),
            interval: summary
                .map(|s| [calibration.apply(s.low).get(), calibration.apply(s.high).get()]),
            reason,
            detail,
            detail_id: words.as_ref().map(|w| w.sentence.id().into()),
            detail_values: words.map(|w| w.values).unwrap_or_default(),
            place: 0,
            evidence: self.window.evidence(),
            age_ms: None,
            settled: summary.map(|_| true),
            frozen: verdict.frozen,
            hard_end,
            palette_assumed: verdict.layout.is_some() && hard_end.is_none(),
            operating_point: self.model.manifest().threshold.map(Into::into),
            replaced: self.replaced,
            layout: verdict.layout,
            latency_ms: latency,
            model: self.model.info().clone(),
            notice: NOTICE.into(),
        }
    }
}

fn engine_fault(error: &ScorerError) -> Refusal {
    Refusal::new(Withheld::EngineFault, Sentence::EngineFault.with("words", error.to_string()))
}

#[cfg(test)]
mod tests;
