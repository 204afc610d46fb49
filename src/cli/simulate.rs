//! `sonofuse simulate`: simulated screens with their ground truth, as pictures or as a video. Runs on
//! the main thread.
//!
//! The truth of a picture is written after the picture, a line at a time: whatever stops the command,
//! each line speaks of a picture that is there.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde::Serialize;
use sonofuse_sim::{SimConfig, SimError, Simulator, Skin, Truth};

use self::plan::{Plan, Shot, Skins};
use super::error::{CliError, Exit};
use super::output::Output;
use crate::ingest::encode::{EncodeError, Encoder};

mod plan;

const TRUTH: &str = "truth.jsonl";

/// Writes simulated scanner screens and the truth about them.
///
/// No patient stands behind these pictures: thyroid, nodule and stiffness are drawn by a random
/// generator that starts at the seed; the same seed gives the same pictures. With --out, pictures go
/// to a folder as PNG, and truth.jsonl has a line for each: who the patient is, whether the nodule is
/// malignant, and where views and boxes are. With --video, they become one video file, with the
/// truth beside it in FILE.truth.jsonl.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sonofuse simulate --seed 7 --out screens --frames 200\n  \
    sonofuse simulate --seed 7 --out screens --skin all --size 1280x720\n  sonofuse simulate --seed 7 \
    --video exam.mkv --skin ge-swe-side --frames 600\n  sonofuse simulate --list-skins")]
pub struct SimulateArgs {
    /// Number that the random generator starts at.
    #[arg(long, value_name = "N", required_unless_present = "list_skins")]
    pub seed: Option<u64>,
    /// Folder for the pictures; made if it is not there.
    #[arg(long, value_name = "FOLDER", required_unless_present_any = ["video", "list_skins"])]
    pub out: Option<PathBuf>,
    /// Write a video file (.mkv or .mp4) instead of pictures.
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    pub video: Option<PathBuf>,
    /// How many pictures.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub frames: u64,
    /// Scanner to imitate: a name from --list-skins; "dual" for all that show two views, in turn;
    /// "all" for those that show something else as well [default: dual; with --video
    /// aixplorer-stacked].
    #[arg(long, value_name = "NAME")]
    pub skin: Option<Skins>,
    /// Size of the screen in pixels, as 1280x720 [default: the scanner's own].
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = parse_size)]
    pub size: Option<(u32, u32)>,
    /// Pictures a second of the simulated video signal.
    #[arg(long, value_name = "N", default_value_t = 60.0)]
    pub fps: f64,
    /// Length of one patient's exam in seconds.
    #[arg(long, value_name = "N", default_value_t = 20.0)]
    pub exam_seconds: f64,
    /// Spread the pictures evenly over the exams of so many patients [default: one for every 8
    /// pictures].
    #[arg(long, value_name = "N", conflicts_with_all = ["stride", "video"], value_parser = clap::value_parser!(u64).range(1..))]
    pub patients: Option<u64>,
    /// Take every Nth picture of the video signal from its beginning, instead of spreading them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub stride: Option<u64>,
    /// Replace what an earlier run wrote.
    #[arg(long)]
    pub force: bool,
    /// Print the names of the scanners that can be imitated, and end.
    #[arg(long)]
    pub list_skins: bool,
}

/// Reads a size as `WIDTHxHEIGHT`.
pub(super) fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("{text:?} is not a size: write it as 1280x720");
    let (width, height) = text.split_once(['x', 'X', '×']).ok_or_else(wrong)?;
    Ok((width.parse().map_err(|_| wrong())?, height.parse().map_err(|_| wrong())?))
}

/// A line of `truth.jsonl`; names may be added, none may change.
#[derive(Serialize)]
struct TruthLine<'a> {
    /// The picture's file, beside `truth.jsonl`; of a video, the video's file.
    image: &'a str,
    /// Number of the picture in the folder or video.
    frame: u64,
    pts_ns: u64,
    simulated: bool,
    seed: u64,
    #[serde(flatten)]
    truth: &'a Truth,
}

/// Renders and writes.
///
/// # Errors
/// [`CliError`] when the request makes no sense or something cannot be written.
pub fn run(args: &SimulateArgs) -> Result<(), CliError> {
    if args.list_skins {
        return list_skins();
    }
    let plan = Plan::new(args);
    let seed = args.seed.unwrap_or_default();
    let mut studio = Studio::new(seed, args);
    let done = match (&args.out, &args.video) {
        (Some(folder), _) => pictures(&plan, &mut studio, folder, args.force)?,
        (None, Some(file)) => video(&plan, &mut studio, file, args.force)?,
        (None, None) => return Err(CliError::new(Exit::Usage, "give --out or --video")),
    };
    let _ = writeln!(io::stderr(), "sonofuse: {done}; simulated data, {}", sonofuse_core::NOTICE);
    Ok(())
}

fn list_skins() -> Result<(), CliError> {
    let mut out = Output::new();
    for skin in Skin::all() {
        let (width, height) = skin.native_size();
        let what = if skin.is_dual_view() { "dual view" } else { "no dual view" };
        out.line(&format!("{:<24}{width}x{height:<8}{what}", skin.as_str()))?;
    }
    Ok(())
}

/// Draws shots; keeps the simulator of the skin that was drawn last.
struct Studio {
    config: SimConfig,
    size: Option<(u32, u32)>,
    simulator: Option<Simulator>,
    bgrx: Vec<u8>,
    /// When to tell next how far it is, on a terminal.
    tell_at: Option<Instant>,
}

impl Studio {
    fn new(seed: u64, args: &SimulateArgs) -> Self {
        let config =
            SimConfig { seed, fps: args.fps, exam_s: args.exam_seconds, ..SimConfig::default() };
        let tell_at = io::stderr().is_terminal().then(Instant::now);
        Self { config, size: args.size, simulator: None, bgrx: Vec::new(), tell_at }
    }

    fn config_for(&self, skin: Skin) -> SimConfig {
        let (width, height) = self.size.unwrap_or_else(|| skin.native_size());
        SimConfig { skin, width, height, ..self.config }
    }

    /// Draws `shot` into `self.bgrx`.
    fn draw(&mut self, shot: &Shot) -> Result<Truth, CliError> {
        let simulator = match self.simulator.take() {
            Some(simulator) if simulator.config().skin == shot.skin => simulator,
            _ => Simulator::new(self.config_for(shot.skin)).map_err(|e| refused(&e))?,
        };
        let config = *simulator.config();
        self.bgrx.resize(config.width as usize * config.height as usize * 4, 0);
        let simulator = self.simulator.insert(simulator);
        Ok(simulator.render(shot.index, &mut self.bgrx, config.width as usize * 4))
    }

    fn tell(&mut self, n: u64, of: u64) {
        if self.tell_at.is_some_and(|at| Instant::now() >= at) {
            let _ = write!(io::stderr(), "\rsonofuse: picture {n} of {of}\r");
            self.tell_at = Some(Instant::now() + Duration::from_secs(1));
        }
    }
}

fn refused(error: &SimError) -> CliError {
    CliError::from_error(Exit::Usage, error)
}

/// Writes a folder of PNG and its truth.
fn pictures(
    plan: &Plan,
    studio: &mut Studio,
    folder: &Path,
    force: bool,
) -> Result<String, CliError> {
    // A size that cannot be simulated is found before the folder is touched.
    plan.skins().iter().try_for_each(|&skin| {
        Simulator::new(studio.config_for(skin)).map(drop).map_err(|e| refused(&e))
    })?;
    prepare(folder, force)?;
    let truth_path = folder.join(TRUTH);
    let mut truth_file = File::create(&truth_path).map_err(|e| cannot_write(&truth_path, &e))?;
    let mut rgb = Vec::new();
    for (n, shot) in plan.shots().enumerate() {
        let n = n as u64;
        let truth = studio.draw(&shot)?;
        let name = format!("frame-{n:06}.png");
        let [width, height] = truth.size;
        rgb.clear();
        rgb.extend(studio.bgrx.as_chunks::<4>().0.iter().flat_map(|&[b, g, r, _]| [r, g, b]));
        write_png(&folder.join(&name), &rgb, width, height)?;
        let line = TruthLine {
            image: &name,
            frame: n,
            pts_ns: pts_ns(shot.index, studio.config.fps),
            simulated: true,
            seed: studio.config.seed,
            truth: &truth,
        };
        write_line(&mut truth_file, &line).map_err(|e| cannot_write(&truth_path, &e))?;
        studio.tell(n, plan.len());
    }
    Ok(format!("{} pictures in {}", plan.len(), folder.display()))
}

/// Writes a video file and its truth.
fn video(plan: &Plan, studio: &mut Studio, file: &Path, force: bool) -> Result<String, CliError> {
    let &[skin] = plan.skins() else {
        return Err(CliError::new(Exit::Usage, "a video shows one scanner: name one with --skin"));
    };
    let mut truth_path = file.as_os_str().to_owned();
    truth_path.push(".truth.jsonl");
    let truth_path = PathBuf::from(truth_path);
    for path in [file, &truth_path] {
        if path.exists() && !force {
            return Err(exists(path));
        }
    }
    let config = studio.config_for(skin);
    Simulator::new(config).map_err(|e| refused(&e))?;
    let mut encoder =
        Encoder::create(file, config.width, config.height, config.fps).map_err(|e| encoding(&e))?;
    let mut truth_file = File::create(&truth_path).map_err(|e| cannot_write(&truth_path, &e))?;
    let image = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    for (n, shot) in plan.shots().enumerate() {
        let n = n as u64;
        let truth = studio.draw(&shot)?;
        let pts_ns = encoder.push(&studio.bgrx).map_err(|e| encoding(&e))?;
        let line = TruthLine {
            image: &image,
            frame: n,
            pts_ns,
            simulated: true,
            seed: config.seed,
            truth: &truth,
        };
        write_line(&mut truth_file, &line).map_err(|e| cannot_write(&truth_path, &e))?;
        studio.tell(n, plan.len());
    }
    let codec = encoder.codec();
    encoder.finish().map_err(|e| encoding(&e))?;
    Ok(format!("{} pictures in {} ({codec})", plan.len(), file.display()))
}

fn encoding(error: &EncodeError) -> CliError {
    let exit = match error {
        EncodeError::Missing(_) | EncodeError::Init(_) => Exit::Unavailable,
        EncodeError::Name(_) => Exit::Usage,
        EncodeError::Failed { .. } => Exit::CantCreate,
    };
    CliError::from_error(exit, error)
}

fn pts_ns(index: u64, fps: f64) -> u64 {
    (index as f64 * 1e9 / fps).round() as u64
}

/// Makes the folder, or takes an empty one; an earlier run's only when told to.
fn prepare(folder: &Path, force: bool) -> Result<(), CliError> {
    fs::create_dir_all(folder).map_err(|e| cannot_write(folder, &e))?;
    let entries = fs::read_dir(folder).map_err(|e| cannot_write(folder, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| cannot_write(folder, &e))?;
        if !force {
            return Err(exists(folder));
        }
        // Only what an earlier run wrote: frames beyond the new ones would have no truth.
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == TRUTH || (name.starts_with("frame-") && name.ends_with(".png")) {
            fs::remove_file(entry.path()).map_err(|e| cannot_write(&entry.path(), &e))?;
        }
    }
    Ok(())
}

fn exists(path: &Path) -> CliError {
    let what = if path.is_dir() { "is not empty" } else { "exists already" };
    let path = path.display();
    CliError::new(
        Exit::CantCreate,
        format!("{path} {what}: choose another name, or add --force to replace what is there"),
    )
}

fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    CliError::caused(Exit::CantCreate, format!("cannot write {}", path.display()), error)
}

/// Writes the picture under another name first, so that a file of that name is always whole.
fn write_png(path: &Path, rgb: &[u8], width: u32, height: u32) -> Result<(), CliError> {
    let mut png = Vec::new();
    // Speckle hardly compresses: time spent on it is lost.
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Sub)
        .write_image(rgb, width, height, ExtendedColorType::Rgb8)
        .map_err(|e| CliError::caused(Exit::Software, "cannot encode a PNG", &e))?;
    let part = path.with_extension("part");
    fs::write(&part, png).and_then(|()| fs::rename(&part, path)).map_err(|e| cannot_write(path, &e))
}

fn write_line(file: &mut File, line: &TruthLine<'_>) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    file.write_all(&bytes)
}
