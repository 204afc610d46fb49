//! What is drawn, picture by picture: ordinary exams by a plan, or a scenario from its beginning.

use sonofuse_sim::{Play, Player, Scenario, SimConfig, SimError, Simulator, Skin, Truth};

use super::SimulateArgs;
use super::plan::{Plan, Skins};
use crate::cli::bench::live;
use crate::cli::error::{CliError, Exit};

/// Pictures a second of ordinary exams.
const FPS: f64 = 60.0;

/// The pictures of one run of the command.
pub(super) enum Reel {
    Exams(Box<Exams>),
    Script(Box<Script>),
}

/// Ordinary exams; keeps the simulator of the skin that was drawn last.
pub(super) struct Exams {
    plan: Plan,
    config: SimConfig,
    size: Option<(u32, u32)>,
    simulator: Option<Simulator>,
    bgrx: Vec<u8>,
}

/// A scenario.
pub(super) struct Script {
    name: String,
    seed: u64,
    rate_hz: f64,
    stride: u64,
    frames: u64,
    player: Player,
}

/// What is known of a picture.
pub(super) struct Drawn {
    pub truth: Truth,
    pub pts_ns: u64,
}

impl Reel {
    /// Prepares what `args` ask for; what cannot be drawn is found here.
    pub(super) fn new(args: &SimulateArgs) -> Result<Self, CliError> {
        match &args.scenario {
            Some(name) => Script::new(name, args).map(|script| Self::Script(Box::new(script))),
            None => Exams::new(args).map(|exams| Self::Exams(Box::new(exams))),
        }
    }

    /// Number of pictures.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Exams(exams) => exams.plan.len(),
            Self::Script(script) => script.frames,
        }
    }

    pub(super) fn seed(&self) -> u64 {
        match self {
            Self::Exams(exams) => exams.config.seed,
            Self::Script(script) => script.seed,
        }
    }

    /// The scenario's name.
    pub(super) fn scenario(&self) -> Option<&str> {
        match self {
            Self::Exams(_) => None,
            Self::Script(script) => Some(&script.name),
        }
    }

    /// Width, height and rate of the video that the pictures make.
    pub(super) fn video(&self) -> Result<(u32, u32, f64), CliError> {
        match self {
            Self::Exams(exams) => {
                let &[skin] = exams.plan.skins() else {
                    let words = "a video shows one scanner: name one with --skin";
                    return Err(CliError::new(Exit::Usage, words));
                };
                let SimConfig { width, height, fps, .. } = exams.config_for(skin);
                Ok((width, height, fps))
            }
            Self::Script(script) => {
                let [width, height] = script.player.first_size();
                Ok((width, height, script.rate_hz / script.stride as f64))
            }
        }
    }

    /// Draws picture `n`; [`Reel::bgrx`] has it.
    pub(super) fn draw(&mut self, n: u64) -> Result<Drawn, CliError> {
        match self {
            Self::Exams(exams) => exams.draw(n),
            Self::Script(script) => {
                let picture = script.player.draw(n * script.stride);
                Ok(Drawn { truth: picture.truth, pts_ns: picture.pts_ns })
            }
        }
    }

    /// The picture drawn last.
    pub(super) fn bgrx(&self) -> &[u8] {
        match self {
            Self::Exams(exams) => &exams.bgrx,
            Self::Script(script) => script.player.pixels(),
        }
    }
}

impl Script {
    fn new(name: &str, args: &SimulateArgs) -> Result<Self, CliError> {
        let scenario: Scenario = live::open(name)?;
        let skin = match args.skin {
            None => None,
            Some(Skins::One(skin)) => Some(skin),
            Some(Skins::Dual | Skins::All) => {
                let words = "a scenario is played on one scanner: name one with --skin";
                return Err(CliError::new(Exit::Usage, words));
            }
        };
        let rate_hz = args.fps.unwrap_or(scenario.rate_hz());
        let mut play = Play {
            rate_hz: Some(rate_hz),
            skin,
            size: args.size.map(|(width, height)| [width, height]),
        };
        let mut player = Player::with(&scenario, play).map_err(|e| refused(&e))?;
        if args.video.is_some() && play.size.is_none() {
            // A file has one size and one rate from its beginning to its end.
            play.size = Some(player.first_size());
            player = Player::with(&scenario, play).map_err(|e| refused(&e))?;
        }
        let stride = args.stride.unwrap_or(1);
        let all = player.frames().div_ceil(stride);
        Ok(Self {
            name: scenario.name().to_owned(),
            seed: scenario.seed(),
            rate_hz,
            stride,
            frames: args.frames.map_or(all, |n| n.min(all)),
            player,
        })
    }
}

impl Exams {
    fn new(args: &SimulateArgs) -> Result<Self, CliError> {
        let config = SimConfig {
            seed: args.seed.unwrap_or_default(),
            fps: args.fps.unwrap_or(FPS),
            exam_s: args.exam_seconds,
            ..SimConfig::default()
        };
        let plan = Plan::new(args, config.fps);
        let exams = Self { plan, config, size: args.size, simulator: None, bgrx: Vec::new() };
        exams.plan.skins().iter().try_for_each(|&skin| {
            Simulator::new(exams.config_for(skin)).map(drop).map_err(|e| refused(&e))
        })?;
        Ok(exams)
    }

    fn config_for(&self, skin: Skin) -> SimConfig {
        let (width, height) = self.size.unwrap_or_else(|| skin.native_size());
        SimConfig { skin, width, height, ..self.config }
    }

    fn draw(&mut self, n: u64) -> Result<Drawn, CliError> {
        let shot = self.plan.shot(n);
        let simulator = match self.simulator.take() {
            Some(simulator) if simulator.config().skin == shot.skin => simulator,
            _ => Simulator::new(self.config_for(shot.skin)).map_err(|e| refused(&e))?,
        };
        let config = *simulator.config();
        self.bgrx.resize(config.width as usize * config.height as usize * 4, 0);
        let simulator = self.simulator.insert(simulator);
        let truth = simulator.render(shot.index, &mut self.bgrx, config.width as usize * 4);
        let pts_ns = (shot.index as f64 * 1e9 / config.fps).round() as u64;
        Ok(Drawn { truth, pts_ns })
    }
}

fn refused(error: &SimError) -> CliError {
    CliError::of(error)
}
