//! `sonofuse bench live`: plays scripted exams through the daemon's own analyzer and counts the
//! numbers that the picture did not support, and those that should have been there and were not.
//! Runs on the main thread, as fast as it goes; the analyzer's clock follows the scenario's time.

use std::cell::Cell;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use sonofuse_core::NOTICE;
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::gate::Unfamiliar;
use sonofuse_core::layout::Pins;
use sonofuse_sim::{HardEndSource, Play, Player, Scenario, SimError, Skin};

use self::judge::Judge;
use super::super::error::{CliError, Exit};
use super::super::output::Output;
use super::super::replay::{load_config, load_model};
use crate::cli::simulate::parse_size;
use crate::scoring::Analyzer;

mod figures;
mod judge;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use figures::{LiveFigures, Why};

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
    15 --rate 1\n  sonofuse bench live --scenario my.toml --json\n\nsimulate --list-scenarios tells the \
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
    /// Model: a name, or the folder that holds its model.toml [default: the configured one].
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<std::path::PathBuf>,
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
    let mut bench = LiveBench::new(make);
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
        let plays: Vec<Value> = all.iter().map(LiveFigures::json).collect();
        return out.json(&json!({ "plays": plays, "total": total.json(), "notice": NOTICE }));
    }
    out.line(&total.line())?;
    total.summary().iter().try_for_each(|line| out.line(line))
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
}

impl<M: FnMut(Option<Pins>) -> Result<Analyzer, CliError>> LiveBench<M> {
    /// Plays through the analyzers that `make` gives.
    pub fn new(make: M) -> Self {
        Self { make, plain: None }
    }

    /// Plays `scenario` from its beginning to its end.
    ///
    /// # Errors
    /// [`CliError`] when it cannot be played so, or there is no analyzer.
    pub fn play(&mut self, scenario: &Scenario, play: Play) -> Result<LiveFigures, CliError> {
        let mut player = Player::with(scenario, play).map_err(|e| refused(&e))?;
        let mut pinned;
        let analyzer = match scenario.hard_end() {
            HardEndSource::Told => match &mut self.plain {
                Some(analyzer) => analyzer,
                none => none.insert((self.make)(None)?),
            },
            HardEndSource::Pinned => {
                pinned = (self.make)(pins(&mut player))?;
                &mut pinned
            }
        };
        analyzer.reset();
        let rate_hz = play.rate_hz.unwrap_or(scenario.rate_hz());
        let skin = play.skin.unwrap_or(scenario.skins()[0]);
        let mut judge = Judge::new(scenario.name(), &skin.to_string(), rate_hz);
        let now_ns = Cell::new(START_NS);
        let clock = || now_ns.get();
        let frames = player.frames();
        for index in 0..frames {
            let mut bgrx = Vec::new();
            let picture = player.render(index, &mut bgrx);
            let pts_ns = picture.pts_ns + START_NS;
            now_ns.set(pts_ns);
            let meta = FrameMeta {
                sequence: index,
                pts_ns: Some(pts_ns),
                captured_ns: pts_ns,
                ..FrameMeta::default()
            };
            let [width, height] = picture.size;
            let format = FrameFormat::packed(PixelFormat::Bgrx, width, height);
            let frame = Frame::new(format, meta, bgrx.into())
                .map_err(|e| CliError::caused(Exit::Software, "a picture is no frame", &e))?;
            let reading = analyzer.analyze(&frame, &clock);
            judge.take(&picture.truth, pts_ns, &reading);
        }
        Ok(judge.finish((scenario.length_s() * 1e9) as u64 + START_NS))
    }
}

/// What a preset of the scanner pins: the hard end, as the first picture shows it.
fn pins(player: &mut Player) -> Option<Pins> {
    let hard_end = player.draw(0).truth.hard_end?;
    Some(Pins { hard_end: Some(hard_end), regions: None })
}

fn refused(error: &SimError) -> CliError {
    CliError::of(error)
}
