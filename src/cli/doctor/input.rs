//! `doctor --live`: opens the configured source for a few seconds and tells how its pictures come.
//!
//! The one part of `doctor` that opens a device. Runs on the main thread; ingest brings its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sonofuse_core::frame::Frame;
use sonofuse_core::layout::Follower;
use sonofuse_core::quality::{Fault, Input, Scale, ScaleFrom, Seen, Watch};
use sonofuse_core::words::{Label, Language};
use tokio::sync::watch;

use super::Finding;
use crate::config::Loaded;
use crate::ingest::{self, PresetError};
use crate::mailbox::{Mailbox, Taken};
use crate::scoring::{Clock, MonotonicClock};
use crate::state::SourceState;

const AREA: &str = "input";

/// How long is looked: what can be told is told within ten seconds.
const LOOK: Duration = Duration::from_secs(10);
/// How long is waited for the first picture.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was seen of the source.
struct Look {
    input: Input,
    size: Option<[u32; 2]>,
    pictures: u64,
    dual_views: u64,
}

/// Looks at the configured source.
pub(super) fn findings(loaded: &Loaded) -> Vec<Finding> {
    let name = &loaded.config.source.preset;
    let todo =
        "sonofuse check; close other programs that use the device; see the troubleshooting guide";
    match look(loaded) {
        Ok(look) => told(name, &look),
        Err(why) => vec![Finding::missing(AREA, name, why, todo)],
    }
}

fn look(loaded: &Loaded) -> Result<Look, String> {
    let preset = loaded.preset().map_err(|e| e.to_string())?;
    if preset.is_none() {
        return Err(PresetError::NotSetUp.to_string());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| format!("the runtime cannot be started: {e}"))?;
    let mailbox: Arc<Mailbox<Frame>> = Arc::default();
    let (tell, state) = watch::channel(SourceState::Connecting { attempt: 0 });
    let pins = preset.layout;
    let ingest = {
        // Its supervisor is a task of the runtime.
        let _inside = runtime.enter();
        let base_ns = MonotonicClock.now_ns();
        ingest::start(preset, base_ns, Arc::clone(&mailbox), ingest::Taps::default(), tell)
            .map_err(|e| e.to_string())?
    };
    let mut follower = Follower::new(pins);
    let mut watch = Watch::default();
    let mm_per_px = pins.and_then(|pins| pins.mm_per_px);
    watch.set_scale(mm_per_px.map(|px| Scale { mm_per_px: px.get(), from: ScaleFrom::Preset }));
    let mut look = Look { input: Input::default(), size: None, pictures: 0, dual_views: 0 };
    let mut until = Instant::now() + PATIENCE;
    while Instant::now() < until && *state.borrow() != SourceState::Ended {
        let Taken::Item(frame) = mailbox.take(Duration::from_millis(100)) else { continue };
        if look.pictures == 0 {
            until = Instant::now() + LOOK;
        }
        look.pictures += 1;
        look.size = Some([frame.width(), frame.height()]);
        let at_ns = frame.meta().pts_ns.unwrap_or(frame.meta().captured_ns);
        let layout = follower.observe(&frame, at_ns).layout.ok();
        look.dual_views += u64::from(layout.is_some());
        if frame.meta().corrupted || frame.meta().signal_lost {
            continue;
        }
        watch.observe(&Seen {
            frame: &frame,
            layout: layout.as_ref(),
            numbers_rise_to_blue: follower.numbers_rise_to_blue(),
            at_ns,
            still: false,
        });
    }
    let last = state.borrow().clone();
    runtime.block_on(ingest.stop());
    runtime.shutdown_background();
    look.input = watch.input();
    if look.pictures == 0 {
        return Err(match last {
            SourceState::Lost { why, .. } | SourceState::NoSignal { why } => why,
            _ => format!("no picture came within {} s", PATIENCE.as_secs()),
        });
    }
    Ok(look)
}

fn told(name: &str, look: &Look) -> Vec<Finding> {
    let [width, height] = look.size.unwrap_or_default();
    let part = look.dual_views * 100 / look.pictures.max(1);
    let found = format!("{width}×{height}, {} pictures, {part} % with a dual view", look.pictures);
    let mut all = vec![Finding::ok(AREA, name, found)];
    let input = &look.input;
    if let Some(rate) = input.rate_hz {
        let agreed = input.agreed_hz.map_or(String::new(), |hz| format!(" of {hz} agreed"));
        all.push(Finding::ok(AREA, "rate", format!("{rate} pictures a second{agreed}")));
    }
    let scale = input.scale.map(|scale| {
        let from = match scale.from {
            ScaleFrom::Preset => "the preset",
            ScaleFrom::Dicom => "the file",
            ScaleFrom::Ruler => "the depth ruler",
        };
        format!("{} mm a pixel, by {from}", scale.mm_per_px)
    });
    all.push(match scale {
        Some(found) => Finding::ok(AREA, "scale", found),
        None => Finding::optional(
            AREA,
            "scale",
            "the depth ruler was not read",
            "where depth and zoom are always the same, set [layout] mm-per-px in the preset",
        ),
    });
    for fault in input.faults.iter() {
        let told = input.words(fault).english();
        let todo = "see \"How the picture comes\" in the troubleshooting guide";
        let short = Language::english().label(Label::of_fault(fault));
        all.push(Finding::optional(AREA, short, told, todo));
    }
    if input.faults.iter().next().is_none() {
        let kinds = Fault::ALL.len();
        all.push(Finding::ok(AREA, "quality", format!("none of {kinds} known faults")));
    }
    all
}
