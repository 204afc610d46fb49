//! The element's code behind GStreamer's `PushSrc`.

use std::str::FromStr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_src::CreateSuccess;
use gst_base::subclass::prelude::*;
use gst_video::VideoFormat;
use sonofuse_sim::{Play, Player, Scenario, ScenarioError, SimConfig, Simulator, Skin, Truth};

use super::TRUTH_META;

static CATEGORY: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        super::ELEMENT,
        gst::DebugColorFlags::empty(),
        Some("sonofuse simulator source"),
    )
});

/// Buffers that the pool makes beforehand, as many as can be in use at once: one is drawn, one waits in
/// the sink, one each waits for the network and for the display, one is scored, one is shown. With
/// fewer the pool grows by a picture whenever one more of them overlap, minutes after the start.
const POOL_BUFFERS: u32 = 6;

/// What properties say.
#[derive(Clone, Debug)]
struct Settings {
    seed: u64,
    skin: Skin,
    exam_s: f64,
    /// A scripted exam, instead of ordinary ones.
    scenario: Option<Scenario>,
    live: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let SimConfig { seed, skin, exam_s, .. } = SimConfig::default();
        Self { seed, skin, exam_s, scenario: None, live: false }
    }
}

/// What draws the pictures.
enum Drawing {
    Exams(Box<Simulator>),
    /// A scripted exam, over and over.
    Script(Box<Player>),
}

impl Drawing {
    /// Draws picture `index` of `width_px` pixels a row into rows of `stride` bytes.
    fn render(&mut self, index: u64, width_px: u32, bgrx: &mut [u8], stride: usize) -> Truth {
        match self {
            Self::Exams(simulator) => simulator.render(index, bgrx, stride),
            Self::Script(player) => {
                let picture = player.draw(index % player.frames().max(1));
                let row = width_px as usize * 4;
                for (to, from) in bgrx.chunks_mut(stride).zip(player.pixels().chunks_exact(row)) {
                    // The last row of a buffer may end with its pixels.
                    to[..row].copy_from_slice(from);
                }
                picture.truth
            }
        }
    }
}

/// The committed scenario of that name, else the one in the file; none for no name.
fn scenario(name: &str) -> Result<Option<Scenario>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    let found = match Scenario::named(name) {
        Err(unknown @ ScenarioError::Unknown { .. }) => {
            let text = std::fs::read_to_string(name).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => unknown.to_string(),
                _ => format!("cannot read the scenario {name}: {e}"),
            })?;
            Scenario::parse_named(name, &text).map_err(|e| format!("{name} is no scenario: {e}"))
        }
        known => known.map_err(|e| e.to_string()),
    };
    found.map(Some)
}

/// One stream with fixed caps.
struct Run {
    drawing: Drawing,
    info: gst_video::VideoInfo,
    rate: gst::Fraction,
    /// Index of the next picture.
    next: u64,
    /// Running time of picture 0.
    origin: Option<gst::ClockTime>,
    skipped: u64,
    truth: Option<Truth>,
}

impl Run {
    /// Time of picture `index` after picture 0.
    fn at(&self, index: u64) -> gst::ClockTime {
        let (n, d) = (self.rate.numer() as u64, self.rate.denom() as u64);
        gst::ClockTime::SECOND.mul_div_floor(index * d, n).unwrap_or(gst::ClockTime::ZERO)
    }

    /// Number of the picture that is due `elapsed` after picture 0.
    fn due(&self, elapsed: gst::ClockTime) -> u64 {
        let (n, d) = (self.rate.numer() as u64, self.rate.denom() as u64);
        elapsed.nseconds().mul_div_floor(n, d * gst::ClockTime::SECOND.nseconds()).unwrap_or(0)
    }

    /// Leaves out what is too late already, and takes the next picture.
    fn take(&mut self, running: Option<gst::ClockTime>) -> (u64, gst::ClockTime) {
        let origin = *self.origin.get_or_insert(running.unwrap_or(gst::ClockTime::ZERO));
        if let Some(elapsed) = running.and_then(|now| now.checked_sub(origin)) {
            let due = self.due(elapsed);
            self.skipped += due.saturating_sub(self.next);
            self.next = self.next.max(due);
        }
        let index = self.next;
        self.next += 1;
        (index, origin + self.at(index))
    }
}

#[derive(Default)]
pub struct SimSrc {
    settings: Mutex<Settings>,
    run: Mutex<Option<Run>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here is left half written by a panic elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[glib::object_subclass]
impl ObjectSubclass for SimSrc {
    const NAME: &'static str = "SonofuseSimSrc";
    type Type = super::SimSrc;
    type ParentType = gst_base::PushSrc;
}

impl ObjectImpl for SimSrc {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let skins: Vec<String> = Skin::all().iter().map(ToString::to_string).collect();
            let skins = format!("The scanner's screen: {}, or drawn:SEED", skins.join(", "));
            let scenarios: Vec<&str> = Scenario::names().collect();
            let scenarios = format!(
                "A scripted exam to play over and over instead of the seed's exams (its changes of size \
                 and rate are left out): a file, or one of {}",
                scenarios.join(", ")
            );
            let default = Settings::default();
            vec![
                glib::ParamSpecUInt64::builder("seed")
                    .blurb("Which patients are examined")
                    .default_value(default.seed)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecString::builder("skin")
                    .blurb(&skins)
                    .default_value(Some(default.skin.to_string().as_str()))
                    .mutable_ready()
                    .build(),
                glib::ParamSpecDouble::builder("exam-seconds")
                    .blurb("How long one patient is examined, in seconds")
                    .minimum(0.1)
                    .maximum(86_400.0)
                    .default_value(default.exam_s)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecString::builder("scenario")
                    .blurb(&scenarios)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecBoolean::builder("is-live")
                    .blurb("Whether pictures come at their time, or as fast as they are taken")
                    .default_value(default.live)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecString::builder("last-truth")
                    .blurb("The ground truth of the picture drawn last, as JSON")
                    .read_only()
                    .build(),
                glib::ParamSpecUInt64::builder("skipped")
                    .blurb("Pictures left out because their time had passed")
                    .read_only()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, spec: &glib::ParamSpec) {
        let mut settings = lock(&self.settings);
        // GObject has checked the types against the specs above.
        match spec.name() {
            "seed" => settings.seed = value.get().unwrap_or(settings.seed),
            "exam-seconds" => settings.exam_s = value.get().unwrap_or(settings.exam_s),
            "scenario" => {
                let name = value.get::<Option<String>>().ok().flatten().unwrap_or_default();
                match scenario(&name) {
                    Ok(scenario) => settings.scenario = scenario,
                    Err(e) => gst::warning!(CATEGORY, imp = self, "{e}"),
                }
            }
            "is-live" => {
                settings.live = value.get().unwrap_or(settings.live);
                self.obj().set_live(settings.live);
            }
            "skin" => {
                let name: String = value.get().unwrap_or_default();
                match Skin::from_str(&name) {
                    Ok(skin) => settings.skin = skin,
                    Err(e) => gst::warning!(CATEGORY, imp = self, "{e}"),
                }
            }
            _ => {}
        }
    }

    fn property(&self, _id: usize, spec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.settings);
        match spec.name() {
            "seed" => settings.seed.to_value(),
            "skin" => settings.skin.to_string().to_value(),
            "exam-seconds" => settings.exam_s.to_value(),
            "scenario" => settings.scenario.as_ref().map_or("", Scenario::name).to_value(),
            "is-live" => settings.live.to_value(),
            "skipped" => lock(&self.run).as_ref().map_or(0, |run| run.skipped).to_value(),
            _ => {
                let truth = lock(&self.run).as_ref().and_then(|run| run.truth);
                truth.and_then(|truth| json(&truth)).to_value()
            }
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        let source = self.obj();
        source.set_format(gst::Format::Time);
        source.set_live(lock(&self.settings).live);
    }
}

fn json(truth: &Truth) -> Option<String> {
    serde_json::to_string(truth).ok()
}

impl GstObjectImpl for SimSrc {}

impl ElementImpl for SimSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Ultrasound scanner simulator",
                "Source/Video",
                "Draws a simulated dual-view thyroid examination (simulated data only)",
                "The sonofuse authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let side = SimConfig::MIN_SIDE_PX as i32..=SimConfig::MAX_SIDE_PX as i32;
            let caps = gst_video::VideoCapsBuilder::new()
                .format(VideoFormat::Bgrx)
                .width_range(side.clone())
                .height_range(side)
                .framerate_range(gst::Fraction::new(1, 1)..=gst::Fraction::new(240, 1))
                .build();
            gst::PadTemplate::new("src", gst::PadDirection::Src, gst::PadPresence::Always, &caps)
                .into_iter()
                .collect()
        });
        &TEMPLATES
    }
}

impl BaseSrcImpl for SimSrc {
    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.run) = None;
        Ok(())
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn fixate(&self, mut caps: gst::Caps) -> gst::Caps {
        caps.truncate();
        {
            let caps = caps.make_mut();
            if let Some(structure) = caps.structure_mut(0) {
                structure.fixate_field_nearest_int("width", 1920);
                structure.fixate_field_nearest_int("height", 1080);
                structure.fixate_field_nearest_fraction("framerate", gst::Fraction::new(60, 1));
            }
        }
        self.parent_fixate(caps)
    }

    fn set_caps(&self, caps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(caps)?;
        let Settings { seed, skin, exam_s, scenario, .. } = lock(&self.settings).clone();
        let rate = info.fps();
        let config = SimConfig {
            seed,
            skin,
            width: info.width(),
            height: info.height(),
            fps: f64::from(rate.numer()) / f64::from(rate.denom()),
            exam_s,
        };
        let drawing = match &scenario {
            None => Simulator::new(config).map(|simulator| Drawing::Exams(Box::new(simulator))),
            Some(scenario) => {
                let play = Play {
                    rate_hz: Some(config.fps),
                    size: Some([config.width, config.height]),
                    ..Play::default()
                };
                Player::with(scenario, play).map(|player| Drawing::Script(Box::new(player)))
            }
        };
        let mut drawing = drawing.map_err(|e| {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{e}"));
            gst::loggable_error!(CATEGORY, "{e}")
        })?;
        // The first picture prepares the examination; drawn now, it does not become latency.
        let stride = info.stride()[0];
        let mut first = vec![0; info.size()];
        let stride = usize::try_from(stride).unwrap_or(info.size());
        drawing.render(0, info.width(), &mut first, stride);
        *lock(&self.run) =
            Some(Run { drawing, info, rate, next: 0, origin: None, skipped: 0, truth: None });
        Ok(())
    }

    fn decide_allocation(
        &self,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        // Buffers are drawn over and over: a new 8 MB buffer a frame would cost page faults.
        if query.allocation_pools().next().is_none() {
            let (caps, _) = query.get();
            let caps = caps.map(ToOwned::to_owned);
            let info = caps.as_deref().map(gst_video::VideoInfo::from_caps).transpose()?;
            if let (Some(caps), Some(info)) = (caps, info) {
                let pool = gst_video::VideoBufferPool::new();
                let size = info.size() as u32;
                let mut config = pool.config();
                config.set_params(Some(&caps), size, POOL_BUFFERS, 0);
                pool.set_config(config)?;
                query.add_allocation_pool(Some(&pool), size, POOL_BUFFERS, 0);
            }
        }
        self.parent_decide_allocation(query)
    }

    fn times(&self, buffer: &gst::BufferRef) -> (Option<gst::ClockTime>, Option<gst::ClockTime>) {
        if !self.obj().is_live() {
            return (None, None);
        }
        let start = buffer.pts();
        (start, start.zip(buffer.duration()).map(|(start, length)| start + length))
    }
}

impl PushSrcImpl for SimSrc {
    fn create(&self, given: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
        if let Some(buffer) = given {
            self.draw(buffer)?;
            return Ok(CreateSuccess::FilledBuffer);
        }
        let pool = self.obj().buffer_pool().ok_or(gst::FlowError::NotNegotiated)?;
        let mut buffer = pool.acquire_buffer(None)?;
        self.draw(buffer.get_mut().ok_or(gst::FlowError::Error)?)?;
        Ok(CreateSuccess::NewBuffer(buffer))
    }
}

impl SimSrc {
    /// Draws the next picture into `buffer` and tells its time and truth.
    fn draw(&self, buffer: &mut gst::BufferRef) -> Result<(), gst::FlowError> {
        let live = self.obj().is_live();
        // The base class lets every picture go so late as the first one was drawn; that is the
        // source's latency, not a picture that came too late.
        let latency = self.obj().query_latency().ok().and_then(|(_, min, _)| min);
        let running = self.obj().current_running_time().filter(|_| live);
        let running = running.map(|now| now.saturating_sub(latency.unwrap_or_default()));
        let mut guard = lock(&self.run);
        let run = guard.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let (index, pts) = run.take(running);
        // A pool that downstream offered may pad its rows.
        let stride = buffer
            .meta::<gst_video::VideoMeta>()
            .map_or(run.info.stride()[0], |meta| meta.stride()[0]);
        let stride = usize::try_from(stride).map_err(|_| gst::FlowError::Error)?;
        let truth = {
            let mut map = buffer.map_writable().map_err(|_| gst::FlowError::Error)?;
            run.drawing.render(index, run.info.width(), map.as_mut_slice(), stride)
        };
        run.truth = Some(truth);
        let length = run.at(index + 1).saturating_sub(run.at(index));
        drop(guard);
        buffer.set_pts(pts);
        buffer.set_duration(length);
        buffer.set_offset(index);
        buffer.set_offset_end(index + 1);
        if let (Some(json), Ok(mut meta)) =
            (json(&truth), gst::meta::CustomMeta::add(buffer, TRUTH_META))
        {
            meta.mut_structure().set("json", json);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        let config = SimConfig { width: 320, height: 240, ..SimConfig::default() };
        let info = gst_video::VideoInfo::builder(VideoFormat::Bgrx, 320, 240);
        Run {
            drawing: Drawing::Exams(Box::new(Simulator::new(config).expect("a valid size"))),
            info: info.build().expect("a valid size"),
            rate: gst::Fraction::new(60, 1),
            next: 0,
            origin: None,
            skipped: 0,
            truth: None,
        }
    }

    #[test]
    fn a_source_that_is_slower_than_its_rate_leaves_out_pictures_and_keeps_true_time() {
        assert!(gst::init().is_ok());
        let mut run = run();
        let at = gst::ClockTime::from_mseconds;
        let start = at(5000);
        assert_eq!(run.take(Some(start)), (0, start));
        // Drawing took 100 ms: pictures 1 to 5 are in the past.
        let (index, pts) = run.take(Some(start + at(101)));
        assert_eq!((index, run.skipped), (6, 5));
        assert_eq!(pts, start + at(100));
        assert_eq!(run.take(Some(start + at(102))).0, 7);
    }

    #[test]
    fn a_source_that_is_not_live_leaves_out_nothing() {
        assert!(gst::init().is_ok());
        let mut run = run();
        let indices: Vec<u64> = (0..5).map(|_| run.take(None).0).collect();
        assert_eq!((indices, run.skipped), (vec![0, 1, 2, 3, 4], 0));
    }
}
