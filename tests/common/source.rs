//! A capture under test: a preset from text, its states and its pictures.

// Each test file takes what it needs.
#![allow(dead_code)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use sonofuse::ingest::{self, Ingest, Preset, PresetError, SampleTap, Taps};
use sonofuse::mailbox::{Mailbox, Taken};
use sonofuse::state::SourceState;
use sonofuse_core::frame::Frame;
use tokio::sync::watch;

/// Far beyond what anything here takes, also on a busy machine: a limit, not an expectation.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// Reads a preset's text.
pub(crate) fn parse(text: &str) -> Result<Preset, PresetError> {
    ingest::init().expect("GStreamer starts");
    Preset::parse(text, Path::new("pipelines/test.toml"))
}

/// A live preset around `launch`.
pub(crate) fn live(launch: &str) -> Preset {
    let text = format!(
        "schema = 1\nsummary = 'test'\n[source]\nlaunch = '''{launch}'''\n\
         [expect]\nkind = 'live'\nstall-ms = 400\nconnect-ms = 8000\n"
    );
    parse(&text).expect("a good preset")
}

/// A capture that runs.
pub(crate) struct Rig {
    pub(crate) ingest: Ingest,
    pub(crate) mailbox: Arc<Mailbox<Frame>>,
    pub(crate) state: watch::Receiver<SourceState>,
}

impl Rig {
    pub(crate) fn start(preset: Preset) -> Self {
        Self::start_with(preset, None)
    }

    pub(crate) fn start_with(preset: Preset, tap: Option<SampleTap>) -> Self {
        ingest::init().expect("GStreamer starts");
        let base_ns = gst::SystemClock::obtain().time().nseconds();
        let mailbox = Arc::new(Mailbox::default());
        let (tx, state) = watch::channel(SourceState::Connecting { attempt: 0 });
        let taps = Taps { sample: tap, frame: None };
        let ingest = ingest::start(preset, base_ns, Arc::clone(&mailbox), taps, tx)
            .expect("the capture starts");
        Self { ingest, mailbox, state }
    }

    /// Waits for a state.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        is: impl Fn(&SourceState) -> bool,
    ) -> SourceState {
        if let Ok(state) = tokio::time::timeout(LIMIT, self.state.wait_for(is)).await {
            return state.expect("the supervisor runs").clone();
        }
        panic!("never {what}; it is {:?}", *self.state.borrow())
    }

    pub(crate) async fn until_live(&mut self) -> SourceState {
        self.until("live", |s| matches!(s, SourceState::Live { .. })).await
    }

    pub(crate) async fn until_lost(&mut self) -> String {
        match self.until("lost", |s| matches!(s, SourceState::Lost { .. })).await {
            SourceState::Lost { why, .. } => why,
            other => panic!("{other:?}"),
        }
    }

    /// The pipeline that plays now.
    pub(crate) fn pipeline(&self) -> gst::Pipeline {
        self.ingest.pipeline().expect("a pipeline plays")
    }

    pub(crate) fn element(&self, name: &str) -> gst::Element {
        self.pipeline().by_name(name).expect("the element is there")
    }

    /// The next picture.
    pub(crate) fn frame(&self) -> Frame {
        match self.mailbox.take(LIMIT) {
            Taken::Item(frame) => frame,
            other => panic!("no picture: {other:?}"),
        }
    }
}
