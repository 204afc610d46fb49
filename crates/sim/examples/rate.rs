//! Measures how long frames take: `cargo run --release -p sonofuse-sim --example rate -- [WxH] [FRAMES]
//! [SKIN | scenarios]`.
//!
//! Prints, per skin or committed scenario, the time of the first frame (it builds the exam), then median, 99th percentile
//! and maximum over a run that crosses exam changes, in milliseconds. Where the kernel tells (Linux), it
//! is the thread's time on the CPU, so that a busy machine does not blur the figure.

use std::time::{Duration, Instant};

use sonofuse_sim::{Play, Player, Scenario, SimConfig, Simulator, Skin};

/// Time that this thread has spent on the CPU, or the time of day where that is not told.
fn busy(since: Instant) -> Duration {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|s| s.split(' ').next()?.parse().ok())
        .map_or_else(|| since.elapsed(), Duration::from_nanos)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let size = args.next().unwrap_or_else(|| "1920x1080".to_owned());
    let frames: u64 = args.next().map_or(Ok(900), |s| s.parse())?;
    let only = args.next();
    let (width, height) = size.split_once('x').ok_or("give the size as WxH")?;
    let (width, height): (u32, u32) = (width.parse()?, height.parse()?);
    println!(
        "{:24} {:>9} {:>7} {:>7} {:>7} {:>7}",
        "skin", "first ms", "mean", "p50", "p99", "max"
    );
    if only.as_deref() == Some("scenarios") {
        for name in Scenario::names() {
            let play = Play { size: Some([width, height]), rate_hz: Some(60.0), skin: None };
            let mut player = Player::with(&Scenario::named(name)?, play)?;
            let frames = player.frames().min(frames);
            let mut bgrx = Vec::new();
            print(name, frames, |index| {
                player.render(index, &mut bgrx);
            });
        }
        return Ok(());
    }
    for &skin in Skin::all() {
        if only.as_ref().is_some_and(|name| !skin.to_string().contains(name.as_str())) {
            continue;
        }
        let config = SimConfig { skin, width, height, exam_s: 10.0, ..SimConfig::default() };
        let mut simulator = Simulator::new(config)?;
        let mut bgrx = vec![0; (width * height * 4) as usize];
        print(&skin.to_string(), frames, |index| {
            simulator.render(index, &mut bgrx, width as usize * 4);
        });
    }
    Ok(())
}

/// Draws so many frames and prints how long they took.
fn print(name: &str, frames: u64, mut draw: impl FnMut(u64)) {
    let mut ms = Vec::new();
    let epoch = Instant::now();
    for index in 0..frames {
        let start = busy(epoch);
        draw(index);
        ms.push(busy(epoch).saturating_sub(start).as_secs_f64() * 1e3);
    }
    let first = ms.remove(0);
    let mean = ms.iter().sum::<f64>() / ms.len() as f64;
    ms.sort_by(f64::total_cmp);
    let at = |p: f64| ms[((ms.len() - 1) as f64 * p) as usize];
    println!("{name:24} {first:9.1} {mean:7.2} {:7.2} {:7.2} {:7.2}", at(0.5), at(0.99), at(1.0));
}
