//! `sonofuse locate`: where the two views are on still images. Runs on the main thread.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use image::{Rgb, RgbImage};
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::{Finder, HardEnd, NoDualView, Orientation, ScreenLayout};
use sonofuse_core::published::Located;
use sonofuse_core::region::Region;
use sonofuse_dicom::{Still, StillError};

use super::error::{CliError, Exit, Failures, unreadable};
use super::inputs::{self, Wanted};
use super::output::Output;

/// Finds the B-mode and elastography views on screen images.
///
/// Works on screenshots of any scanner (PNG, JPEG, DICOM; of a cine, the first picture). For
/// each image it says whether the screen shows B-mode and elastogram of the same anatomy, and where:
/// both views, the coloured box, the same anatomy in the B-mode view, and the colour bar.
/// Use it to try a new scanner, or to write the fixed regions of a preset.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sonofuse locate screenshot.png\n  sonofuse locate --json \
    *.png > found.jsonl\n  sonofuse locate --annotate /tmp/found *.dcm\n\nRegions are in pixels, \
    left, top, right, bottom; right and bottom are the first pixel outside.")]
pub struct LocateArgs {
    /// Images to look at, or folders of them.
    #[arg(value_name = "IMAGE", required = true)]
    pub paths: Vec<PathBuf>,
    /// Print one line of JSON an image.
    #[arg(long)]
    pub json: bool,
    /// Write a copy of each image as PNG into this folder, with what was found drawn on it.
    #[arg(long, value_name = "FOLDER")]
    pub annotate: Option<PathBuf>,
}

/// What a preset needs where the picture does not tell the palette's direction.
const PIN_HARD_END: &str = "in the preset: [layout] hard-end = \"red\", or \"blue\"";

/// One image's line.
fn located<'a>(
    path: &'a str,
    frame: &Frame,
    result: &Result<ScreenLayout, NoDualView>,
) -> Located<'a> {
    let layout = result.as_ref().ok();
    Located {
        path,
        size: [frame.width(), frame.height()],
        found: layout.is_some(),
        reason: result.as_ref().err().copied(),
        orientation: layout.map(|l| l.orientation),
        bmode_view: layout.map(|l| l.bmode_view),
        elastogram_view: layout.map(|l| l.elastogram_view),
        bmode_box: layout.map(|l| l.bmode_box),
        elastogram_box: layout.map(|l| l.elastogram_box),
        colour_bar: layout.and_then(|l| l.colour_bar),
        hard_end: layout.and_then(|l| l.hard_end),
        confidence: layout.map(|l| l.confidence),
    }
}

/// Looks at every image; one that cannot be read is told on stderr and the others go on.
///
/// # Errors
/// [`CliError`] at the end when an image could not be read, or at once when nothing can be written.
pub fn run(args: &LocateArgs) -> Result<(), CliError> {
    if let Some(folder) = &args.annotate {
        fs::create_dir_all(folder).map_err(|e| {
            let what = format!("cannot create the folder {}", folder.display());
            CliError::caused(Exit::CantCreate, what, &e)
        })?;
    }
    let mut out = Output::new();
    let mut finder = Finder::new();
    let mut failures = Failures::default();
    let paths = inputs::expand(&args.paths, Wanted::Images);
    let of = paths.len();
    for (n, path) in paths.into_iter().enumerate() {
        let read = path.and_then(|p| match first_picture(&p) {
            Ok(frame) => Ok((p, frame)),
            Err(e) => Err(unreadable(&p, &e)),
        });
        let (path, frame) = match read {
            Ok(read) => read,
            Err(e) => {
                failures.add(&e);
                continue;
            }
        };
        let result = finder.find(&frame);
        let name = path.to_string_lossy();
        if args.json {
            out.json(&located(&name, &frame, &result))?;
        } else {
            for line in table(&name, &frame, &result) {
                out.line(&line)?;
            }
        }
        if let Some(folder) = &args.annotate {
            let file = folder.join(annotated_name(&path, n, of));
            annotate(&frame, result.as_ref().ok()).save(&file).map_err(|e| {
                CliError::caused(Exit::CantCreate, format!("cannot write {}", file.display()), &e)
            })?;
        }
    }
    failures.finish(of, "images")
}

/// Reads the (first) picture of a file, and tells what had to be assumed.
fn first_picture(path: &Path) -> Result<Frame, StillError> {
    let mut still = Still::open(path)?;
    for words in still.notes() {
        inputs::note(path, words);
    }
    let first = still.next();
    first.unwrap_or_else(|| Err(StillError::Unsupported("holds no picture".to_owned())))
}

/// The finding for people.
fn table(name: &str, frame: &Frame, result: &Result<ScreenLayout, NoDualView>) -> Vec<String> {
    let (width, height) = (frame.width(), frame.height());
    let layout = match result {
        Ok(layout) => layout,
        Err(why) => return vec![format!("{name} ({width}×{height}): no dual view: {why}")],
    };
    let how = match layout.orientation {
        Orientation::Stacked => "one view above the other",
        Orientation::SideBySide => "views side by side",
    };
    let mut lines = vec![format!(
        "{name} ({width}×{height}): dual view, {how}, confidence {:.2}",
        layout.confidence
    )];
    let mut row = |what: &str, region: &Region, note: &str| {
        lines.push(format!(
            "  {what:<16} x {:>5} to {:>5}   y {:>5} to {:>5}   {}×{} px{note}",
            region.x0(),
            region.x1(),
            region.y0(),
            region.y1(),
            region.width(),
            region.height()
        ));
    };
    row("elastogram view", &layout.elastogram_view, "");
    row("elastogram box", &layout.elastogram_box, "");
    row("B-mode view", &layout.bmode_view, "");
    row("B-mode box", &layout.bmode_box, "");
    match &layout.colour_bar {
        Some(bar) => {
            let note = match layout.hard_end {
                Some(HardEnd::Red) => "   red is hard",
                Some(HardEnd::Blue) => "   blue is hard",
                None => "   which end is hard cannot be told",
            };
            row("colour bar", bar, note);
        }
        None => lines.push("  colour bar       none found".into()),
    }
    if layout.hard_end.is_none() {
        lines.push(format!("  to name it       {PIN_HARD_END}"));
    }
    lines
}

/// `<name>.png`; numbered when several images are written, as two folders may hold one name.
fn annotated_name(path: &Path, n: usize, of: usize) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
    if of == 1 { format!("{stem}.png") } else { format!("{n:04}-{stem}.png") }
}

/// Draws what was found on a copy of the picture.
pub(super) fn annotate(frame: &Frame, layout: Option<&ScreenLayout>) -> RgbImage {
    const BMODE: Rgb<u8> = Rgb([64, 160, 255]);
    const ELASTOGRAM: Rgb<u8> = Rgb([255, 64, 255]);
    const BAR: Rgb<u8> = Rgb([255, 255, 255]);
    let mut picture = RgbImage::new(frame.width(), frame.height());
    let mut row = vec![[0; 3]; frame.width() as usize];
    for (y, to) in picture.rows_mut().enumerate() {
        frame.rgb_span(y as u32, 0, &mut row);
        for (to, from) in to.zip(&row) {
            *to = Rgb(*from);
        }
    }
    if let Some(layout) = layout {
        outline(&mut picture, &layout.bmode_view, 1, BMODE);
        outline(&mut picture, &layout.elastogram_view, 1, ELASTOGRAM);
        outline(&mut picture, &layout.bmode_box, 2, BMODE);
        outline(&mut picture, &layout.elastogram_box, 2, ELASTOGRAM);
        if let Some(bar) = &layout.colour_bar {
            outline(&mut picture, bar, 1, BAR);
        }
    }
    picture
}

/// Draws the region's border, `thickness` pixels inwards from its edge.
fn outline(picture: &mut RgbImage, region: &Region, thickness: u32, colour: Rgb<u8>) {
    let inner = region.shrink(thickness);
    for y in region.y0()..region.y1().min(picture.height()) {
        for x in region.x0()..region.x1().min(picture.width()) {
            let inside = inner
                .is_some_and(|i| (i.x0()..i.x1()).contains(&x) && (i.y0()..i.y1()).contains(&y));
            if !inside {
                picture.put_pixel(x, y, colour);
            }
        }
    }
}
