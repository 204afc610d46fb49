//! `sonofuse bench live`: plays scripted exams through the daemon's own analyzer and counts the
//! numbers that the picture did not support, and those that should have been there and were not.
//! Runs on the main thread, as fast as it goes; the analyzer's clock follows the scenario's time.

use std::collections::VecDeque;
use std::path::Path;

use clap::Args;
use sonofuse_core::NOTICE;
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::gate::Unfamiliar;
use sonofuse_core::layout::Pins;
use sonofuse_core::published;
use sonofuse_sim::{HardEndSource, Play, Player, Scenario, Skin, Truth};

use self::judge::Judge;
use super::super::error::{CliError, Exit};
use super::super::output::Output;
use super::super::replay::{load_config, load_model};
use crate::cli::simulate::parse_size;
use crate::ingest::transcode::Transcoder;
use crate::scoring::Analyzer;

mod figures;
mod judge;
mod stiffness;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use figures::{LiveFigures, Why};
pub use stiffness::StiffnessFigures;

/// Pictures a second that are played unless others are named.
const RATES_HZ: [f64; 4] = [60.0, 15.0, 5.0, 1.0];
/// Where the scenario's clock starts: no picture has the time 0.
const START_NS: u64 = 1_000_000_000;

/// Measures whether a number lives only as long as the picture supports it.
///
/// Plays scripted exams (next patient, pan, freeze, Doppler, menu, …), of which every picture knows
/// what a number may rest on, and counts: unsupported readings (scored, but there is no dual view, or
/// the score rests on maps of another place, or the palette is read the wrong way round) and how long
/// they stand; readings that are lost by their reasons; evidence counted twice; the time to the first
/// score. Ends with 0 whatever the figures are.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sonofuse bench live\n  sonofuse bench live --scenario next-patient --rate \
    15 --rate 1\n  sonofuse bench live --scenario my.toml --json\n  sonofuse bench \
    live --scenario steady --size 1280x720 --h264 6000\n\nsimulate --list-scenarios tells the \
    names."
)]
pub struct LiveArgs {
    /// Scenario to play: a name, or a file; may be given several times [default: all].
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Vec<String>,
    /// Pictures a second; may be given several times [default: 60, 15, 5 and 1].
    #[arg(long, value_name = "N")]
    pub rate: Vec<f64>,
    /// Scanner to play on, instead of the scenario's.
    #[arg(long, value_name = "NAME")]
    pub skin: Option<Skin>,
    /// Size of the pictures, instead of the scenario's; its changes of size are left out.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = parse_size)]
    pub size: Option<(u32, u32)>,
    /// Send the pictures through H.264 of so many kbit/s first, as a recorder does.
    #[arg(long, value_name = "KBIT/S", value_parser = clap::value_parser!(u32).range(50..=1_000_000))]
    pub h264: Option<u32>,
    /// Model: a name, or the folder that holds its model.toml [default: the configured one].
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<std::path::PathBuf>,
    /// Pin the hard end on every scanner, as a preset does, not only where the scenario says so.
    #[arg(long)]
    pub pinned: bool,
    /// Take every picture for familiar: the model's own refusals hide what else goes wrong.
    #[arg(long)]
    pub familiar: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Plays and prints.
///
/// # Errors
/// [`CliError`] when a scenario, a rate or the model cannot be used.
pub fn run(args: &LiveArgs) -> Result<(), CliError> {
    let names: Vec<&str> = Scenario::names().collect();
    let scenarios: Vec<Scenario> = if args.scenario.is_empty() {
        names.iter().map(|name| open(name)).collect::<Result<_, _>>()?
    } else {
        args.scenario.iter().map(|name| open(name)).collect::<Result<_, _>>()?
    };
    let rates = if args.rate.is_empty() { &RATES_HZ[..] } else { &args.rate };
    let loaded = load_config(args.config.as_deref())?;
    let make = |pins: Option<Pins>| {
        let model = load_model(&loaded, args.model.as_deref())?;
        let mut settings = loaded.config.scoring.clone();
        if args.familiar {
            settings.gate.unfamiliar = Unfamiliar::Off;
        }
        Ok(Analyzer::new("bench-live".into(), model, settings, pins))
    };
    let mut bench = LiveBench::new(make, args.h264, args.pinned);
    let mut out = Output::new();
    if !args.json {
        out.line(&LiveFigures::heading())?;
    }
    let mut all = Vec::new();
    for scenario in &scenarios {
        let skins = args.skin.map_or_else(|| scenario.skins().to_vec(), |skin| vec![skin]);
        for skin in skins {
            for &rate_hz in rates {
                let play = Play {
                    rate_hz: Some(rate_hz),
                    skin: Some(skin),
                    size: args.size.map(|(width, height)| [width, height]),
                };
                let figures = bench.play(scenario, play)?;
                if !args.json {
                    out.line(&figures.line())?;
                }
                all.push(figures);
            }
        }
    }
    let total = LiveFigures::total(&all);
    if args.json {
        let plays = all.iter().map(LiveFigures::published).collect();
        return out.json(&published::LiveBench { plays, total: total.published(), notice: NOTICE });
    }
    out.line(&total.line())?;
    total.summary().iter().try_for_each(|line| out.lines(line))
}

/// The committed scenario of that name, else the file.
pub(in crate::cli) fn open(name: &str) -> Result<Scenario, CliError> {
    let known = Scenario::named(name);
    if known.is_ok() || !Path::new(name).exists() {
        return known.map_err(|e| CliError::of(&e));
    }
    let text = std::fs::read_to_string(name)
        .map_err(|e| CliError::caused(Exit::NoInput, format!("cannot read {name}"), &e))?;
    Scenario::parse_named(name, &text)
        .map_err(|e| CliError::caused(Exit::Data, format!("{name} is no scenario"), &e))
}

/// Plays scenarios through analyzers that `make` gives for what a preset pins.
pub struct LiveBench<M> {
    make: M,
    /// The analyzer that nothing is pinned for: it serves every scenario that tells its palette.
    plain: Option<Analyzer>,
    /// Rate of the codec that the pictures go through, kbit/s.
    h264: Option<u32>,
    /// The hard end is pinned in every play.
    pinned: bool,
}

impl<M: FnMut(Option<Pins>) -> Result<Analyzer, CliError>> LiveBench<M> {
    /// Plays through the analyzers that `make` gives; `h264`: rate of a codec before them, kbit/s;
    /// `pinned`: the hard end is pinned, whatever the scenario says.
    pub fn new(make: M, h264: Option<u32>, pinned: bool) -> Self {
        Self { make, plain: None, h264, pinned }
    }

    /// Plays `scenario` from its beginning to its end.
    ///
    /// # Errors
    /// [`CliError`] when it cannot be played so, or there is no analyzer.
    pub fn play(&mut self, scenario: &Scenario, play: Play) -> Result<LiveFigures, CliError> {
        let mut player = Player::with(scenario, play).map_err(|e| CliError::of(&e))?;
        let source = if self.pinned { HardEndSource::Pinned } else { scenario.hard_end() };
        let pins = match source {
            HardEndSource::Told => None,
            HardEndSource::Pinned => pins(&mut player),
        };
        let hard_end = pins.as_ref().and_then(|pins| pins.hard_end);
        let mut own;
        let analyzer = match (pins, &mut self.plain) {
            (None, Some(plain)) => plain,
            (None, plain) => plain.insert((self.make)(None)?),
            (pins, _) => {
                own = (self.make)(pins)?;
                &mut own
            }
        };
        analyzer.reset();
        let rate_hz = play.rate_hz.unwrap_or(scenario.rate_hz());
        let skin = play.skin.unwrap_or(scenario.skins()[0]);
        let mut listener = Listener {
            analyzer,
            judge: Judge::new(scenario.name(), &skin.to_string(), rate_hz, hard_end),
            truths: VecDeque::new(),
        };
        let mut codec = match self.h264 {
            Some(kbit_per_s) => {
                Some(Transcoder::h264(kbit_per_s, rate_hz).map_err(|e| CliError::of(&e))?)
            }
            None => None,
        };
        for index in 0..player.frames() {
            let mut bgrx = Vec::new();
            let picture = player.render(index, &mut bgrx);
            let (pts_ns, size) = (picture.pts_ns + START_NS, picture.size);
            listener.truths.push_back((pts_ns, picture.truth));
            let Some(codec) = &mut codec else {
                let meta = FrameMeta { pts_ns: Some(pts_ns), ..FrameMeta::default() };
                let format = FrameFormat::packed(PixelFormat::Bgrx, size[0], size[1]);
                let frame = Frame::new(format, meta, bgrx.into())
                    .map_err(|e| CliError::caused(Exit::Software, "a picture is no frame", &e))?;
                listener.take(frame)?;
                continue;
            };
            codec.push(bgrx, size, pts_ns).map_err(|e| CliError::of(&e))?;
            while let Some(frame) = codec.pull(false).map_err(|e| CliError::of(&e))? {
                listener.take(frame)?;
            }
        }
        if let Some(codec) = &mut codec {
            codec.end().map_err(|e| CliError::of(&e))?;
            while let Some(frame) = codec.pull(true).map_err(|e| CliError::of(&e))? {
                listener.take(frame)?;
            }
        }
        if let Some((pts_ns, _)) = listener.truths.front() {
            return Err(missing(*pts_ns));
        }
        Ok(listener.judge.finish((scenario.length_s() * 1e9) as u64 + START_NS))
    }
}

/// The analyzer, and the truths of the pictures that are on their way to it.
struct Listener<'a> {
    analyzer: &'a mut Analyzer,
    judge: Judge,
    truths: VecDeque<(u64, Truth)>,
}

impl Listener<'_> {
    /// Reads the next picture, at its own time, and judges the reading.
    fn take(&mut self, frame: Frame) -> Result<(), CliError> {
        let Some((pts_ns, truth)) = self.truths.pop_front() else {
            return Err(CliError::new(Exit::Software, "the codec gave a picture too many"));
        };
        if frame.meta().pts_ns != Some(pts_ns) {
            return Err(missing(pts_ns));
        }
        let meta = FrameMeta { captured_ns: pts_ns, ..*frame.meta() };
        let reading = self.analyzer.analyze(&frame.with_meta(meta), &|| pts_ns);
        self.judge.take(&truth, pts_ns, &reading);
        Ok(())
    }
}

fn missing(pts_ns: u64) -> CliError {
    let at_s = (pts_ns - START_NS) as f64 / 1e9;
    CliError::new(Exit::Software, format!("the codec lost the picture at {at_s:.3} s"))
}

/// What a preset of the scanner pins: the hard end, as the first picture shows it.
fn pins(player: &mut Player) -> Option<Pins> {
    let hard_end = player.draw(0).truth.hard_end?;
    Some(Pins { hard_end: Some(hard_end), ..Pins::default() })
}
