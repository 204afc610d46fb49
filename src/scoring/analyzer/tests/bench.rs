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

    fn score(&mut self, input: &FusionInput) -> Result<Logit, ScorerError> {
        assert_eq!(input.bmode.shape(), input.elastogram.shape());
        *self.calls.lock().unwrap() += 1;
        let next = self.script.lock().unwrap().pop_front().unwrap_or(Ok(0.5))?;
        Logit::new(next).ok_or_else(|| ScorerError::NotFinite(next.to_string()))
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
    /// Moves and reseeds the B-mode: a live view.
    pub(super) live: u64,
    /// Another anatomy.
    pub(super) patient: f64,
    /// Part of the box that is coloured, in cells of 8 px.
    pub(super) coloured: f64,
    /// Depth of the B-mode's texture, code values.
    pub(super) texture: f64,
}

impl Default for Screen {
    fn default() -> Self {
        Self { spot: 0.0, live: 0, patient: 1.0, coloured: 1.0, texture: 40.0 }
    }
}

pub(super) const SIZE: [u32; 2] = [640, 360];

pub(super) fn region(x0: u32, y0: u32, x1: u32, y1: u32) -> Region {
    Region::new(x0, y0, x1, y1).unwrap()
}

pub(super) fn pins(hard_end: Option<HardEnd>) -> Pins {
    Pins { hard_end, regions: Some(regions()) }
}

pub(super) fn regions() -> PinnedRegions {
    PinnedRegions {
        size: SIZE,
        bmode_view: region(20, 40, 310, 330),
        elastogram_view: region(330, 40, 620, 330),
        bmode_box: Some(region(60, 80, 260, 200)),
        elastogram_box: Some(region(370, 80, 570, 200)),
        colour_bar: Some(region(624, 40, 634, 330)),
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
        let pins = regions();
        let map_box = pins.elastogram_box.unwrap();
        let mut rgb = Vec::with_capacity((w * h * 3) as usize);
        for y in 0..h {
            for x in 0..w {
                let view = [pins.bmode_view, pins.elastogram_view]
                    .into_iter()
                    .find(|v| v.contains(&region(x, y, x + 1, y + 1)));
                let bar = pins.colour_bar.unwrap().contains(&region(x, y, x + 1, y + 1));
                let pixel = if bar {
                    jet(1.0 - f64::from(y - 40) / 290.0)
                } else if let Some(v) = view {
                    let (u, t) = (f64::from(x - v.x0()), f64::from(y - v.y0()));
                    let speckle = hash(
                        u64::from(x - v.x0()) / 2 * 7919 + u64::from(y) * 104_729 + self.live * 13,
                    );
                    let grey = 100.0
                        + 0.9
                            * self.texture
                            * (u * 0.03 * self.patient).sin()
                            * (t * 0.04 / self.patient).cos()
                        + 0.5 * self.texture * speckle;
                    let in_box = map_box.contains(&region(x, y, x + 1, y + 1));
                    let cell = u64::from(x / 8) * 7919 + u64::from(y / 8) * 104_729;
                    if in_box && 0.5 + 0.5 * hash(cell) < self.coloured {
                        let d = (u - 140.0 - self.spot).hypot(t - 100.0) / 40.0;
                        jet(0.2 + 0.6 * (-d * d).exp()).map(|c| 0.5 * grey + 0.5 * c)
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

    /// Shows a frame `ms` after the last one.
    pub(super) fn show_frame(&mut self, frame: Frame, after_ms: u64) -> Reading {
        self.now_ns.set(self.now_ns.get() + after_ms * MS);
        let meta = FrameMeta {
            sequence: self.sequence,
            pts_ns: Some(self.now_ns.get() - 500 * MS),
            captured_ns: self.now_ns.get(),
            ..FrameMeta::default()
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

    /// Shows `n` maps of one place, one second apart, with live B-mode.
    pub(super) fn examine(&mut self, n: u32) -> Reading {
        let mut last = None;
        for i in 0..n {
            let screen =
                Screen { spot: f64::from(i) * 14.0, live: u64::from(i), ..Screen::default() };
            last = Some(self.show(screen, 1000));
        }
        last.unwrap()
    }
}
