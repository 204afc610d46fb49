//! Measures the layout search against the truth.
//!
//! `accuracy sim [WxH|native] [SEEDS] [SKIN]`: every skin's frames; `accuracy dump DIR [WxH|native]
//! [SEEDS] [SKIN]`: writes them with their truth as `NAME.json`; `accuracy pictures FILE...`:
//! pictures from files, compared where a `.json` with the truth lies beside them; `accuracy exams
//! [SCENARIO] [SKIN] [RATE]`: scripted exams through the follower, each picture proven. `-v` first prints
//! every box. Simulated frames are no patients: figures on them say what the simulator can say.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::layout::{Finder, Follower, HardEnd, ScreenLayout};
use sonofuse_core::region::Region;
use sonofuse_sim::{Play, Player, Scenario, SimConfig, Simulator, Skin};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Frames into each exam that are looked at.
const INDICES: [u64; 3] = [40, 150, 400];

/// What is known of a picture.
struct Known {
    boxes: Option<[Region; 2]>,
    views: Option<[Region; 2]>,
    hard_end: Option<HardEnd>,
}

impl Known {
    fn of(truth: &Value) -> Self {
        let region = |key: &str| Region::deserialize_from(&truth[key]);
        let pair = |a: &str, b: &str| region(a).zip(region(b)).map(|(a, b)| [a, b]);
        Self {
            boxes: pair("elastogram_box", "bmode_box"),
            views: pair("elastogram_view", "bmode_view"),
            hard_end: serde_json::from_value(truth["hard_end"].clone()).ok(),
        }
    }
}

trait FromValue: Sized {
    fn deserialize_from(value: &Value) -> Option<Self>;
}
impl FromValue for Region {
    fn deserialize_from(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }
}

/// Counts over one group of pictures.
#[derive(Default)]
struct Tally {
    pictures: usize,
    found: usize,
    boxes: usize,
    views: usize,
    /// The hard end: right, wrong.
    ends: [usize; 2],
    worst_box: Option<f64>,
    worst_view: Option<f64>,
}

impl Tally {
    fn add(
        &mut self,
        name: &str,
        found: &Result<ScreenLayout, impl std::fmt::Display>,
        known: &Known,
        verbose: bool,
    ) {
        self.pictures += 1;
        let layout = match found {
            Ok(layout) => layout,
            Err(why) => {
                if known.boxes.is_some() || verbose {
                    println!("{name}: {why}");
                }
                return;
            }
        };
        self.found += 1;
        let least = |found: [&Region; 2], truth: &[Region; 2]| {
            found[0].iou(&truth[0]).min(found[1].iou(&truth[1]))
        };
        let (mut box_iou, mut view_iou) = (f64::NAN, f64::NAN);
        if let Some(truth) = &known.boxes {
            box_iou = least([&layout.elastogram_box, &layout.bmode_box], truth);
            self.boxes += usize::from(box_iou >= 0.9);
            self.worst_box = Some(self.worst_box.map_or(box_iou, |w| w.min(box_iou)));
        }
        if let Some(truth) = &known.views {
            view_iou = least([&layout.elastogram_view, &layout.bmode_view], truth);
            self.views += usize::from(view_iou >= 0.9);
            self.worst_view = Some(self.worst_view.map_or(view_iou, |w| w.min(view_iou)));
        }
        let end = layout.hard_end;
        if let Some(end) = end {
            self.ends[usize::from(known.hard_end.is_some_and(|k| k != end))] += 1;
        }
        let wrong_end = end.is_some() && known.hard_end.is_some() && end != known.hard_end;
        if verbose || box_iou < 0.9 || view_iou < 0.9 || wrong_end || known.boxes.is_none() {
            let show = |r: &Region| format!("[{},{},{},{}]", r.x0(), r.y0(), r.x1(), r.y1());
            print!(
                "{name}: box {box_iou:.3} view {view_iou:.3} end {end:?}; found box {}",
                show(&layout.elastogram_box)
            );
            print!(" view {}", show(&layout.elastogram_view));
            if let (Some([b, _]), Some([v, _])) = (&known.boxes, &known.views) {
                print!("; truth box {} view {}", show(b), show(v));
            }
            println!("{}", if wrong_end { "; WRONG END" } else { "" });
        }
    }

    fn print(&self, name: &str) {
        let worst = |w: Option<f64>| w.map_or_else(|| "-".to_owned(), |w| format!("{w:.3}"));
        println!(
            "{name:24} pictures {:4} found {:4} boxes>=0.9 {:4} (worst {}) views>=0.9 {:4} (worst {}) ends right {} wrong {}",
            self.pictures,
            self.found,
            self.boxes,
            worst(self.worst_box),
            self.views,
            worst(self.worst_view),
            self.ends[0],
            self.ends[1],
        );
    }
}

fn frame_of(bgrx: &[u8], width: u32, height: u32) -> Result<(Vec<u8>, Frame), Failure> {
    let rgb: Vec<u8> = bgrx.chunks_exact(4).flat_map(|p| [p[2], p[1], p[0]]).collect();
    let frame = Frame::from_rgb(width, height, rgb.clone())?;
    Ok((rgb, frame))
}

fn main() -> Result<(), Failure> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let verbose = args.first().is_some_and(|a| a == "-v");
    if verbose {
        args.remove(0);
    }
    let mut args = args.into_iter();
    match args.next().as_deref() {
        Some("pictures") => pictures(args, verbose),
        Some("dump") => {
            let dir = args.next().ok_or("name a directory")?;
            simulated(args, verbose, Some(Path::new(&dir)))
        }
        Some("sim") => simulated(args, verbose, None),
        Some("exams") => exams(args, verbose),
        _ => Err("accuracy [-v] sim|dump|pictures|exams: see the file's head".into()),
    }
}

/// Plays scripted exams through the follower. Every picture is proven, also where a reading would
/// prove new maps only.
fn exams(mut args: impl Iterator<Item = String>, verbose: bool) -> Result<(), Failure> {
    let (only, skin) = (args.next().filter(|s| s != "all"), args.next().filter(|s| s != "all"));
    let rate_hz: Option<f64> = args.next().map(|s| s.parse()).transpose()?;
    let names = Scenario::names().filter(|n| only.as_ref().is_none_or(|o| n.contains(o.as_str())));
    let mut all = [0usize; 6];
    for name in names {
        let scenario = Scenario::named(name)?;
        let skins: Vec<Skin> = match &skin {
            Some(skin) => vec![skin.parse()?],
            None => scenario.skins().to_vec(),
        };
        for skin in skins {
            let play = Play { rate_hz, skin: Some(skin), size: None };
            let mut player = Player::with(&scenario, play)?;
            let mut follower = Follower::new(None);
            // Shown without support, lost, hard end wrong, hard end unknown, searches, pictures.
            let mut counts = [0usize; 6];
            let mut told = String::new();
            for index in 0..player.frames() {
                let mut bgrx = Vec::new();
                let picture = player.render(index, &mut bgrx);
                let [width, height] = picture.size;
                let format = FrameFormat::packed(PixelFormat::Bgrx, width, height);
                let frame = Frame::new(format, FrameMeta::default(), bgrx.into())?;
                let seen = follower.observe(&frame, picture.pts_ns);
                let proven = seen.layout.and_then(|layout| {
                    follower.prove(&frame)?;
                    Ok(layout)
                });
                let support = picture.truth.support;
                counts[5] += 1;
                counts[4] += usize::from(seen.searched);
                let line = match proven {
                    Ok(_) if !support.dual_view => {
                        counts[0] += 1;
                        format!("{:?} is shown", support.screen)
                    }
                    Ok(layout) if layout.hard_end.is_none() => {
                        counts[3] += 1;
                        "hard end unknown".to_owned()
                    }
                    Ok(layout) if layout.hard_end != support.palette => {
                        counts[2] += 1;
                        "hard end WRONG".to_owned()
                    }
                    Err(why) if support.dual_view => {
                        counts[1] += 1;
                        format!("lost: {why}")
                    }
                    _ => String::new(),
                };
                if verbose && line != told {
                    println!("  {name} {skin} {:6.2} s: {line}", picture.pts_ns as f64 / 1e9);
                    told = line;
                }
            }
            let [shown, lost, wrong, unknown, searches, pictures] = counts;
            println!(
                "{name:20} {skin:22} unsupported {shown:4} lost {lost:4} hard end wrong {wrong:4} \
                 unknown {unknown:4} searches {searches:4} of {pictures:5}"
            );
            for (sum, n) in all.iter_mut().zip(counts) {
                *sum += n;
            }
        }
    }
    println!("unsupported, lost, hard end wrong, unknown, searches, pictures: {all:?}");
    Ok(())
}

fn pictures(files: impl Iterator<Item = String>, verbose: bool) -> Result<(), Failure> {
    let mut tally = Tally::default();
    let mut finder = Finder::new();
    for file in files {
        let picture = image::open(&file)?.to_rgb8();
        let frame = Frame::from_rgb(picture.width(), picture.height(), picture.into_raw())?;
        let sidecar = std::fs::read_to_string(PathBuf::from(&file).with_extension("json"));
        let truth = sidecar.map_or(Ok(Value::Null), |s| serde_json::from_str(&s))?;
        tally.add(&file, &finder.find(&frame), &Known::of(&truth), verbose);
    }
    tally.print("pictures");
    Ok(())
}

fn simulated(
    mut args: impl Iterator<Item = String>,
    verbose: bool,
    dump: Option<&Path>,
) -> Result<(), Failure> {
    let size = args.next().filter(|s| s != "native");
    let size = match &size {
        Some(s) => {
            let (w, h) = s.split_once('x').ok_or("give the size as WxH")?;
            Some((w.parse()?, h.parse()?))
        }
        None => None,
    };
    let seeds: u64 = args.next().map_or(Ok(6), |s| s.parse())?;
    let only = args.next();
    if let Some(dir) = dump {
        std::fs::create_dir_all(dir)?;
    }
    let mut finder = Finder::new();
    let mut all = Tally::default();
    for &skin in Skin::all() {
        if only.as_ref().is_some_and(|name| !skin.to_string().contains(name.as_str())) {
            continue;
        }
        let (width, height) = size.unwrap_or(skin.native_size());
        let mut tally = Tally::default();
        for seed in 0..seeds {
            let config = SimConfig { seed, skin, width, height, ..SimConfig::default() };
            let mut simulator = Simulator::new(config)?;
            let mut bgrx = vec![0; (width * height * 4) as usize];
            for index in INDICES {
                let truth = simulator.render(index, &mut bgrx, width as usize * 4);
                let truth = serde_json::to_value(truth)?;
                let (rgb, frame) = frame_of(&bgrx, width, height)?;
                let name = format!("{skin}-{seed}-{index}");
                if let Some(dir) = dump {
                    let path = dir.join(format!("{name}.png"));
                    image::save_buffer(&path, &rgb, width, height, image::ExtendedColorType::Rgb8)?;
                    std::fs::write(path.with_extension("json"), truth.to_string())?;
                }
                let (found, known) = (finder.find(&frame), Known::of(&truth));
                tally.add(&name, &found, &known, verbose);
                all.add(&name, &found, &known, false);
            }
        }
        tally.print(&skin.to_string());
    }
    all.print("all");
    Ok(())
}
