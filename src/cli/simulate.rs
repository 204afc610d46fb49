//! `sonofuse simulate`: simulated screens with their ground truth, as pictures or as a video. Runs on
//! the main thread.
//!
//! The truth of a picture is written after the picture, a line at a time, and that of a video gets its
//! name after the video: whatever stops the command, each line speaks of a picture that is there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde::Serialize;
use sonofuse_sim::{Scenario, Skin, Truth};

use self::plan::Skins;
use self::reel::Reel;
use super::error::{CliError, Exit};
use super::output::Output;
use super::plain::plain;
use super::progress::Progress;
use crate::ingest::encode::{EncodeError, Encoder};

mod plan;
mod reel;

const TRUTH: &str = "truth.jsonl";

/// Writes simulated scanner screens and the truth about them.
///
/// No patient stands behind these pictures: thyroid, nodule and stiffness are drawn by a random
/// generator that starts at the seed; the same seed gives the same pictures. With --out, pictures go
/// to a folder as PNG, and truth.jsonl has a line for each: who the patient is, whether the nodule is
/// malignant, where views and boxes are, and what a number may rest on. With --video, they become one
/// video file, with the truth beside it in FILE.truth.jsonl. With --scenario, a scripted exam is drawn
/// from its beginning to its end: the next patient, a pan, a freeze, whatever its text says.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sonofuse simulate --seed 7 --out screens --frames 200\n  \
    sonofuse simulate --seed 7 --out screens --skin all --size 1280x720\n  sonofuse simulate --seed 7 \
    --video exam.mkv --skin ge-swe-side --frames 600\n  sonofuse simulate --scenario \
    next-patient --video next.mkv\n  sonofuse simulate --list-skins")]
pub struct SimulateArgs {
    /// Number that the random generator starts at; a scenario has its own.
    #[arg(long, value_name = "N", required_unless_present_any = ["list_skins", "scenario", "list_scenarios"])]
    pub seed: Option<u64>,
    /// Folder for the pictures; made if it is not there.
    #[arg(long, value_name = "FOLDER", required_unless_present_any = ["video", "list_skins", "list_scenarios"])]
    pub out: Option<PathBuf>,
    /// Write a video file (.mkv or .mp4) instead of pictures.
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    pub video: Option<PathBuf>,
    /// Scripted exam to draw: a name from --list-scenarios, or a file. A video leaves out its changes of
    /// size and rate.
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["seed", "patients", "exam_seconds"])]
    pub scenario: Option<String>,
    /// How many pictures [default: 100; of a scenario all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub frames: Option<u64>,
    /// Scanner to imitate: a name from --list-skins; "dual" for all that show two views, in turn;
    /// "all" for those that show something else as well [default: dual; with --video
    /// aixplorer-stacked; with --scenario its first].
    #[arg(long, value_name = "NAME")]
    pub skin: Option<Skins>,
    /// Size of the screen in pixels, as 1280x720 [default: the scanner's own].
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = parse_size)]
    pub size: Option<(u32, u32)>,
    /// Pictures a second of the simulated video signal [default: 60; a scenario's own].
    #[arg(long, value_name = "N")]
    pub fps: Option<f64>,
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
    /// Print the names of the scripted exams, and end.
    #[arg(long, conflicts_with = "list_skins")]
    pub list_scenarios: bool,
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
    /// The scripted exam.
    #[serde(skip_serializing_if = "Option::is_none")]
    scenario: Option<&'a str>,
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
    if args.list_scenarios {
        return list_scenarios();
    }
    let mut reel = Reel::new(args)?;
    let done = match (&args.out, &args.video) {
        (Some(folder), _) => pictures(&mut reel, folder, args.force)?,
        (None, Some(file)) => video(&mut reel, file, args.force)?,
        (None, None) => return Err(CliError::new(Exit::Usage, "give --out or --video")),
    };
    let done = plain(&done);
    let _ = writeln!(io::stderr(), "sonofuse: {done}; simulated data, {}", sonofuse_core::NOTICE);
    Ok(())
}

fn list_skins() -> Result<(), CliError> {
    let mut out = Output::new();
    for skin in Skin::all() {
        let (width, height) = skin.native_size();
        let what = if skin.is_dual_view() { "dual view" } else { "no dual view" };
        out.line(&format!("{:<24}{width}x{height:<8}{what}", skin.to_string()))?;
    }
    Ok(())
}

fn list_scenarios() -> Result<(), CliError> {
    let mut out = Output::new();
    for name in Scenario::names() {
        let scenario = Scenario::named(name)
            .map_err(|e| CliError::caused(Exit::Software, "a committed scenario is wrong", &e))?;
        out.line(&format!("{name:<22}{:>4} s  {}", scenario.length_s(), scenario.summary()))?;
    }
    Ok(())
}

/// What part is behind once picture `n` of so many was written.
fn behind(n: u64, of: u64) -> f64 {
    (n + 1) as f64 / of.max(1) as f64
}

/// Writes a folder of PNG and its truth.
fn pictures(reel: &mut Reel, folder: &Path, force: bool) -> Result<String, CliError> {
    prepare(folder, force)?;
    let truth_path = folder.join(TRUTH);
    let mut truth_file = File::create(&truth_path).map_err(|e| cannot_write(&truth_path, &e))?;
    let mut rgb = Vec::new();
    let mut progress = Progress::new();
    for n in 0..reel.len() {
        let drawn = reel.draw(n)?;
        let name = format!("frame-{n:06}.png");
        let [width, height] = drawn.truth.size;
        rgb.clear();
        rgb.extend(reel.bgrx().as_chunks::<4>().0.iter().flat_map(|&[b, g, r, _]| [r, g, b]));
        write_png(&folder.join(&name), &rgb, width, height)?;
        let line = TruthLine {
            image: &name,
            frame: n,
            pts_ns: drawn.pts_ns,
            simulated: true,
            seed: reel.seed(),
            scenario: reel.scenario(),
            truth: &drawn.truth,
        };
        write_line(&mut truth_file, &line).map_err(|e| cannot_write(&truth_path, &e))?;
        progress.tell(Some(behind(n, reel.len())), "simulating");
    }
    Ok(format!("{} pictures in {}", reel.len(), folder.display()))
}

/// Writes a video file and its truth.
fn video(reel: &mut Reel, file: &Path, force: bool) -> Result<String, CliError> {
    let (width, height, fps) = reel.video()?;
    let beside = |suffix: &str| {
        let mut path = file.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    let truth_path = beside(".truth.jsonl");
    for path in [file, &truth_path] {
        if path.exists() && !force {
            return Err(exists(path));
        }
    }
    let mut encoder = Encoder::create(file, width, height, fps).map_err(|e| encoding(&e))?;
    let part = beside(".truth.jsonl.part");
    let mut truth_file = File::create(&part).map_err(|e| cannot_write(&part, &e))?;
    let image = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let written = (|| {
        let mut progress = Progress::new();
        for n in 0..reel.len() {
            let drawn = reel.draw(n)?;
            let line = TruthLine {
                image: &image,
                frame: n,
                pts_ns: encoder.push(reel.bgrx()).map_err(|e| encoding(&e))?,
                simulated: true,
                seed: reel.seed(),
                scenario: reel.scenario(),
                truth: &drawn.truth,
            };
            write_line(&mut truth_file, &line).map_err(|e| cannot_write(&part, &e))?;
            progress.tell(Some(behind(n, reel.len())), "simulating");
        }
        let codec = encoder.codec();
        let padded = encoder.padded().map_or(String::new(), |[wide, high]| {
            format!(
                "; {width}x{height} as {wide}x{high}: a video's sides are even, the last column or line \
                 is there twice"
            )
        });
        if truth_path.exists() {
            // An earlier run's truth must not stand beside this run's video.
            fs::remove_file(&truth_path).map_err(|e| cannot_write(&truth_path, &e))?;
        }
        encoder.finish().map_err(|e| encoding(&e))?;
        fs::rename(&part, &truth_path).map_err(|e| cannot_write(&truth_path, &e))?;
        Ok(format!("{} pictures in {} ({codec}{padded})", reel.len(), file.display()))
    })();
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&part);
    }
    written
}

fn encoding(error: &EncodeError) -> CliError {
    CliError::of(error)
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
