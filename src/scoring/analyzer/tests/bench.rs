//! What the tests work with: a scripted network, a screen to draw on, a clock that stands still.

use super::*;

/// A network that gives the answers of a script, then 0.5 for ever.
pub(super) struct Scripted {
    pub(super) info: ModelInfo,
    pub(super) script: Arc<Mutex<VecDeque<Result<f32, ScorerError>>>>,
    pub(super) calls: Arc<Mutex<u32>>,
}

impl Scorer for Scripted {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn score(&mut self, input: &FusionInput) -> Result<Answer, ScorerError> {
        assert_eq!(input.bmode.shape(), input.elastogram.shape());
        *self.calls.lock().unwrap() += 1;
        let next = self.script.lock().unwrap().pop_front().unwrap_or(Ok(0.5))?;
        let logit = Logit::new(next).ok_or_else(|| ScorerError::NotFinite(next.to_string()))?;
        Ok(logit.into())
    }
}

pub(super) fn manifest() -> Manifest {
    Manifest::parse(&std::fs::read_to_string(demo().join("model.toml")).unwrap()).unwrap()
}

/// A bench: an analyzer with a scripted network and pinned boxes, a clock, and a screen to draw on.
pub(super) struct Bench {
    pub(super) analyzer: Analyzer,
    pub(super) script: Arc<Mutex<VecDeque<Result<f32, ScorerError>>>>,
    pub(super) calls: Arc<Mutex<u32>>,
    pub(super) now_ns: Cell<u64>,
    pub(super) sequence: u64,
}

/// What is drawn: two views side by side, a map at the right.
#[derive(Clone, Copy)]
pub(super) struct Screen {
    /// Moves the hard spot: another map.
    pub(super) spot: f64,
    /// Another noise over the same tissue: a live view.
    pub(super) live: u64,
    /// Another anatomy.
    pub(super) patient: f64,
    /// Part of the box that is coloured, in cells of 8 px.
    pub(super) coloured: f64,
    /// Depth of the B-mode's texture, code values.
    pub(super) texture: f64,
    /// A white cross in the B-mode view.
    pub(super) caliper: bool,
    /// Red and blue are exchanged, in the map and in the bar.
    pub(super) inverted: bool,
    /// The colour bar is on the screen.
    pub(super) bar: bool,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            spot: 0.0,
            live: 0,
            patient: 1.0,
            coloured: 1.0,
            texture: 40.0,
            caliper: false,
            inverted: false,
            bar: true,
        }
    }
}

pub(super) const SIZE: [u32; 2] = [320, 180];

pub(super) fn region(x0: u32, y0: u32, x1: u32, y1: u32) -> Region {
    Region::new(x0, y0, x1, y1).unwrap()
}

pub(super) fn pins(hard_end: Option<HardEnd>) -> Pins {
    Pins { hard_end, regions: Some(regions()), ..Pins::default() }
}

pub(super) fn regions() -> PinnedRegions {
    PinnedRegions {
        size: SIZE,
        bmode_view: region(10, 20, 155, 165),
        elastogram_view: region(165, 20, 310, 165),
        bmode_box: Some(region(30, 40, 130, 100)),
        elastogram_box: Some(region(185, 40, 285, 100)),
        colour_bar: Some(region(312, 20, 317, 165)),
    }
}

pub(super) fn hash(mut v: u64) -> f64 {
    v = (v ^ (v >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    v = (v ^ (v >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    ((v ^ (v >> 33)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

impl Screen {
    pub(super) fn draw(self) -> Frame {
        let [w, h] = SIZE;
        let PinnedRegions { bmode_view, elastogram_view, elastogram_box, colour_bar, .. } =
            regions();
        let (map_box, bar) = (elastogram_box.unwrap(), colour_bar.unwrap());
        let palette = |v: f64| jet(if self.inverted { 1.0 - v } else { v });
        let holds =
            |r: &Region, x, y| (r.x0()..r.x1()).contains(&x) && (r.y0()..r.y1()).contains(&y);
        let tissue = self.patient.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut rgb = Vec::with_capacity((w * h * 3) as usize);
        for y in 0..h {
            for x in 0..w {
                let view = [bmode_view, elastogram_view].into_iter().find(|v| holds(v, x, y));
                let pixel = if self.bar && holds(&bar, x, y) {
                    palette(1.0 - f64::from(y - bar.y0()) / f64::from(bar.height()))
                } else if self.caliper && x.abs_diff(60) + y.abs_diff(70) < 4 {
                    [255.0; 3]
                } else if let Some(v) = view {
                    let (u, t) = (f64::from(2 * (x - v.x0())), f64::from(2 * (y - v.y0())));
                    // The tissue's own speckle, which a live probe moves over by up to 3 px, and a
                    // little noise from picture to picture.
                    let across = u64::from(x - v.x0()) + self.live % 4;
                    let grain = across / 2 * 7919 + u64::from(y) / 2 * 104_729;
                    let speckle = 0.9 * hash(grain ^ tissue) + 0.1 * hash(grain + self.live * 13);
                    let grey = 100.0
                        + 0.9
                            * self.texture
                            * (across as f64 * 0.06 * self.patient).sin()
                            * (t * 0.04 / self.patient).cos()
                        + 0.5 * self.texture * speckle;
                    let cell = u64::from(x / 4) * 7919 + u64::from(y / 4) * 104_729;
                    if holds(&map_box, x, y) && 0.5 + 0.5 * hash(cell) < self.coloured {
                        let d = (u - 140.0 - self.spot).hypot(t - 100.0) / 40.0;
                        palette(0.2 + 0.6 * (-d * d).exp()).map(|c| 0.5 * grey + 0.5 * c)
                    } else {
                        [grey; 3]
                    }
                } else {
                    [4.0; 3]
                };
                rgb.extend(pixel.map(|v| v.clamp(0.0, 255.0) as u8));
            }
        }
        Frame::from_rgb(w, h, rgb).unwrap()
    }
}

pub(super) fn jet(v: f64) -> [f64; 3] {
    [3.0, 2.0, 1.0].map(|k| 255.0 * (1.5 - (4.0 * v - k).abs()).clamp(0.0, 1.0))
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(Settings::default(), manifest(), pins(Some(HardEnd::Red)))
    }

    pub(super) fn with(settings: Settings, manifest: Manifest, pins: Pins) -> Self {
        let script = Arc::default();
        let calls = Arc::default();
        let scorer = Scripted {
            info: ModelInfo {
                name: "scripted".into(),
                digest: "0".repeat(64),
                backend: "test".into(),
                why: String::new(),
                trained: true,
            },
            script: Arc::clone(&script),
            calls: Arc::clone(&calls),
        };
        let model = Model::new(manifest, Box::new(scorer));
        Self {
            analyzer: Analyzer::new("bench".into(), model, settings, Some(pins)),
            script,
            calls,
            now_ns: Cell::new(1_000 * MS),
            sequence: 0,
        }
    }

    pub(super) fn answers(&self, script: impl IntoIterator<Item = Result<f32, ScorerError>>) {
        self.script.lock().unwrap().extend(script);
    }

    pub(super) fn calls(&self) -> u32 {
        *self.calls.lock().unwrap()
    }

    /// Shows a screen of which the source says `meta`.
    pub(super) fn show_as(&mut self, screen: Screen, meta: FrameMeta, after_ms: u64) -> Reading {
        self.show_frame(screen.draw().with_meta(meta), after_ms)
    }

    /// Shows a frame `ms` after the last one.
    pub(super) fn show_frame(&mut self, frame: Frame, after_ms: u64) -> Reading {
        self.now_ns.set(self.now_ns.get() + after_ms * MS);
        let meta = FrameMeta {
            sequence: self.sequence,
            pts_ns: Some(self.now_ns.get() - 500 * MS),
            captured_ns: self.now_ns.get(),
            ..*frame.meta()
        };
        self.sequence += 1;
        let now = &self.now_ns;
        let reading = self.analyzer.analyze(&frame.with_meta(meta), &|| now.get());
        assert_eq!(reading.sequence, meta.sequence);
        assert_eq!(reading.pts_ns, meta.pts_ns);
        assert_eq!(reading.outcome == Outcome::Scored, reading.malignancy.is_some());
        assert_eq!(reading.outcome == Outcome::Withheld, reading.reason.is_some());
        assert_eq!(reading.malignancy.is_some(), reading.interval.is_some());
        assert_eq!(reading.notice, NOTICE);
        reading
    }

    pub(super) fn show(&mut self, screen: Screen, after_ms: u64) -> Reading {
        self.show_frame(screen.draw(), after_ms)
    }

    /// Shows a live screen for `ms`, a picture every 50 ms; gives the last reading.
    pub(super) fn watch(&mut self, screen: Screen, ms: u64) -> Reading {
        (0..ms / 50)
            .map(|_| self.show(Screen { live: self.sequence, ..screen }, 50))
            .last()
            .unwrap()
    }

    /// Shows `n` maps of one place, one second each, with live B-mode.
    pub(super) fn examine(&mut self, n: u32) -> Reading {
        let map = |i| Screen { spot: f64::from(i) * 14.0, ..Screen::default() };
        (0..n).map(|i| self.watch(map(i), 1000)).last().unwrap()
    }
}
