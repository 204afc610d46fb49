//! The course of a scripted exam: what holds at each time, which maps are made when and of what, and
//! where a number must start anew. Computed once from the events, for all rates of playing. Pure.

use crate::cast::Subject;
use crate::scenario::{Content, Freeze, MapNow, ProbeAt, Scenario, Shows, State};
use crate::skin::Skin;

mod places;
mod signal;

pub(crate) use places::{InBox, Places};
pub(crate) use signal::Signal;

/// Below this a map is called settled; as in ordinary exams.
const SETTLED_BELOW: f32 = 0.1;
/// Colour flow is renewed at least so often, a second.
const FLOW_RATE_HZ: f32 = 8.0;
/// Slides and turns from here on disturb the map.
const DISTURBING: [f32; 2] = [0.5, 0.3];
/// Slack against rounding when times are compared, s.
const SLACK_S: f64 = 1e-6;

/// What holds from an event on, with what came before it.
#[derive(Clone, Copy, Debug)]
struct Step {
    state: State,
    /// When the freeze, cine and repetition that hold here began.
    held_s: Option<f64>,
    cine_s: Option<f64>,
    repeat_s: Option<f64>,
}

/// Something that is put into the colour box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MapEntry {
    /// When it appears.
    pub(crate) at_s: f64,
    pub(crate) content: Content,
    /// Number of the stiffness map; `None` for other contents.
    pub(crate) number: Option<u64>,
    /// Chooses the noise.
    pub(crate) index: u64,
    /// It was made to be unlike the map before.
    pub(crate) unlike: bool,
}

/// What a moment of the scenario shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// What holds now: brightness, marks, geometry.
    pub(crate) state: State,
    /// What held when the images that are shown were taken: subject, probe, content.
    pub(crate) taken: State,
    /// Time that the screen shows.
    pub(crate) shown_s: f64,
    /// When the B-mode image on the screen was taken.
    pub(crate) bmode_s: f64,
    pub(crate) frozen: bool,
    pub(crate) cine: bool,
}

/// The compiled course.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    steps: Vec<Step>,
    entries: Vec<MapEntry>,
    /// Beginning and end of everything that the map has to settle after.
    disturbed_s: Vec<(f64, f64)>,
    settle_s: f32,
}

impl Course {
    pub(crate) fn new(scenario: &Scenario, skin: Skin, size: [u32; 2], fixed_size: bool) -> Self {
        let exam = &scenario.form.exam;
        let first = State::first(exam, skin, size);
        let mut steps = vec![Step { state: first, held_s: None, cine_s: None, repeat_s: None }];
        let mut now = vec![None];
        for event in &scenario.events {
            let before = steps[steps.len() - 1];
            let state = before.state.after(event, fixed_size);
            let since = |on: bool, since: Option<f64>| on.then(|| since.unwrap_or(event.at_s));
            let cine = state.cine_maps > 0;
            let same_loop = state.cine_maps == before.state.cine_maps
                && state.cine_rate_hz.to_bits() == before.state.cine_rate_hz.to_bits();
            steps.push(Step {
                state,
                held_s: since(state.freeze != Freeze::Off, before.held_s),
                cine_s: since(cine, before.cine_s.filter(|_| same_loop)),
                repeat_s: since(state.repeat, before.repeat_s),
            });
            now.push(event.map);
        }
        let disturbed_s = disturbances(&steps);
        let entries = entries(&steps, &now, scenario.form.length_s);
        Self { steps, entries, disturbed_s, settle_s: exam.settle_s }
    }

    fn step(&self, t_s: f64) -> &Step {
        let n = self.steps.partition_point(|s| s.state.since_s <= t_s + SLACK_S);
        &self.steps[n.max(1) - 1]
    }

    /// What holds at `t_s`, without freezes and repetitions.
    pub(crate) fn state(&self, t_s: f64) -> State {
        self.step(t_s).state
    }

    /// What is on the screen at `t_s`.
    pub(crate) fn now(&self, t_s: f64) -> Now {
        let t_s = self.step(t_s).repeat_s.unwrap_or(t_s);
        let step = self.step(t_s);
        let shown_s = match (step.held_s, step.cine_s) {
            (Some(held_s), Some(cine_s)) => self.played(&step.state, held_s, t_s - cine_s),
            (Some(held_s), None) => held_s,
            (None, _) => t_s,
        };
        let taken = self.state(shown_s);
        let rate = f64::from(taken.bmode_rate_hz);
        let images = ((shown_s - taken.since_s) * rate + SLACK_S).floor().max(0.0);
        Now {
            state: step.state,
            taken,
            shown_s,
            bmode_s: taken.since_s + images / rate,
            frozen: step.held_s.is_some(),
            cine: step.held_s.and(step.cine_s).is_some(),
        }
    }

    /// The time that a loop over the last maps shows `into_s` after its beginning.
    fn played(&self, state: &State, held_s: f64, into_s: f64) -> f64 {
        let stored: Vec<usize> = (0..self.entries.len())
            .filter(|i| self.entries[*i].number.is_some() && self.entries[*i].at_s <= held_s)
            .collect();
        let maps = &stored[stored.len().saturating_sub(state.cine_maps as usize)..];
        if maps.is_empty() {
            return held_s;
        }
        let turn = (into_s * f64::from(state.cine_rate_hz) + SLACK_S).floor().max(0.0) as usize;
        let entry = maps[turn % maps.len()];
        // The map as it stood last: faded in, drawn to its end.
        let next = self.entries.get(entry + 1).map_or(held_s, |e| e.at_s - 0.02);
        next.min(held_s).max(self.entries[entry].at_s)
    }

    /// How far the probe slides from the middle at most, mm.
    pub(crate) fn reach_mm(&self) -> f32 {
        self.steps.iter().map(|s| s.state.slide_mm.to.abs()).fold(0.0, f32::max)
    }

    /// Index of what is in the box when the screen shows `shown_s`.
    pub(crate) fn entry(&self, shown_s: f64) -> usize {
        self.entries.partition_point(|e| e.at_s <= shown_s + SLACK_S).max(1) - 1
    }

    pub(crate) fn entries(&self) -> &[MapEntry] {
        &self.entries
    }

    /// The subject of an image taken at `t_s`; on the way to another, the nearer one.
    pub(crate) fn subject(&self, t_s: f64) -> Subject {
        let state = self.state(t_s);
        if state.sweep.part(t_s) < 0.5 { state.before } else { state.subject }
    }

    /// How far a map taken at `t_s` is from settled, 0..=1.
    pub(crate) fn unsettled(&self, t_s: f64) -> f32 {
        let one = |(start_s, end_s): &(f64, f64)| {
            if t_s < *start_s - SLACK_S {
                0.0
            } else if t_s < *end_s {
                1.0
            } else if self.settle_s > 0.0 {
                (-(t_s - end_s) as f32 / self.settle_s).exp()
            } else {
                0.0
            }
        };
        self.disturbed_s.iter().map(one).fold(0.0, f32::max)
    }

    /// Tells whether a map taken at `t_s` counts as settled.
    pub(crate) fn settled(&self, t_s: f64) -> bool {
        self.unsettled(t_s) < SETTLED_BELOW
    }
}

/// Everything after which the map has to settle.
fn disturbances(steps: &[Step]) -> Vec<(f64, f64)> {
    let mut all = vec![(0.0, 0.0)];
    for pair in steps.windows(2) {
        let (a, b) = (&pair[0].state, &pair[1].state);
        let at = b.since_s;
        if b.subject != a.subject {
            all.push((at, at + b.sweep.length_s));
        }
        for (i, (from, to)) in
            [(a.slide_mm, b.slide_mm), (a.turn_rad, b.turn_rad)].iter().enumerate()
        {
            if from != to && (to.to - to.from).abs() >= DISTURBING[i] {
                all.push((at, at + to.length_s));
            }
        }
        let back = |was: bool, is: bool| was && !is;
        if back(a.probe == ProbeAt::Lifted, b.probe == ProbeAt::Lifted)
            || back(a.content != Content::Stiffness, b.content != Content::Stiffness)
            || back(!a.shows.keeps_maps(), !b.shows.keeps_maps())
        {
            all.push((at, at));
        }
    }
    all
}

/// Collects what is put into the box.
struct Schedule {
    entries: Vec<MapEntry>,
    maps: u64,
    next_s: f64,
}

impl Schedule {
    fn put(&mut self, at_s: f64, content: Content, unlike: bool) {
        let number = (content == Content::Stiffness).then_some(self.maps);
        self.maps += u64::from(number.is_some());
        let index = self.entries.len() as u64;
        // What was put there at the same moment was never seen.
        if self.entries.last().is_some_and(|e| (e.at_s - at_s).abs() < SLACK_S) {
            self.entries.pop();
        }
        self.entries.push(MapEntry { at_s, content, number, index, unlike });
    }

    fn wait(&mut self, at_s: f64, state: &State) {
        self.next_s = at_s + f64::from(interval_s(state));
    }
}

fn interval_s(state: &State) -> f32 {
    match state.content {
        Content::ColourDoppler | Content::PowerDoppler => FLOW_RATE_HZ.max(state.map_rate_hz),
        _ => state.map_rate_hz,
    }
    .recip()
}

/// All that is put into the box until `length_s`.
fn entries(steps: &[Step], now: &[Option<MapNow>], length_s: f64) -> Vec<MapEntry> {
    let mut schedule = Schedule { entries: Vec::new(), maps: 0, next_s: 0.0 };
    schedule.put(0.0, Content::Stiffness, false);
    schedule.wait(0.0, &steps[0].state);
    for (i, step) in steps.iter().enumerate() {
        let state = &step.state;
        let at = state.since_s;
        let end = steps.get(i + 1).map_or(length_s, |s| s.state.since_s);
        if i > 0 {
            change(&mut schedule, &steps[i - 1].state, state, now[i]);
        }
        let live = state.freeze == Freeze::Off
            && !state.repeat
            && state.shows.keeps_maps()
            && state.probe == ProbeAt::Neck
            && state.content != Content::Empty;
        if !live {
            continue;
        }
        if schedule.next_s < at - SLACK_S {
            schedule.wait(at, state);
        }
        while schedule.next_s < end - SLACK_S {
            let next_s = schedule.next_s;
            schedule.put(next_s, state.content, false);
            schedule.wait(next_s, state);
        }
    }
    schedule.entries
}

/// What the change from state `a` to state `b` puts into the box at once.
fn change(schedule: &mut Schedule, a: &State, b: &State, now: Option<MapNow>) {
    let at = b.since_s;
    if b.map_rate_hz.to_bits() != a.map_rate_hz.to_bits() {
        schedule.wait(at, b);
    }
    if b.content != a.content {
        // A stiffness map takes its time; everything else is there at once.
        let first = if b.content == Content::Stiffness { Content::Empty } else { b.content };
        schedule.put(at, first, false);
        schedule.wait(at, b);
    }
    let off = |s: &State| !s.shows.keeps_maps() || s.probe == ProbeAt::Lifted;
    if off(a) != off(b) {
        schedule.put(at, Content::Empty, false);
        schedule.wait(at, b);
    }
    match (a.freeze, b.freeze) {
        (Freeze::Off, Freeze::BeforeMap) => schedule.put(at, Content::Empty, false),
        (Freeze::Off, Freeze::OtherMap) => schedule.put(at, Content::Stiffness, true),
        (Freeze::Off, _) => {}
        (_, Freeze::Off) => schedule.wait(at, b),
        _ => {}
    }
    match now {
        Some(MapNow::New) => schedule.put(at, Content::Stiffness, false),
        Some(MapNow::Unlike) => schedule.put(at, Content::Stiffness, true),
        None => return,
    }
    schedule.wait(at, b);
}

/// Tells whether a screen shows the two views of one probe.
pub(crate) fn shows_views(shows: Shows) -> bool {
    matches!(shows, Shows::Dual | Shows::Dialog)
}
