//! Range and matrix of a source that says nothing about them, or lies: what its preset states wins.
//!
//! Written into the caps where they leave the source, so that the network and the display see the
//! same colours.

use std::fmt;
use std::str::FromStr;

use gst::prelude::*;

/// Range and matrix as a preset states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stated {
    Bt601,
    Bt601Full,
    Bt709,
    Bt709Full,
}

impl Stated {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Bt601, "bt601"),
        (Self::Bt601Full, "bt601-full"),
        (Self::Bt709, "bt709"),
        (Self::Bt709Full, "bt709-full"),
    ];

    /// GStreamer's words: range, matrix, transfer, primaries.
    fn caps_field(self) -> &'static str {
        match self {
            Self::Bt601 => "2:4:16:4",
            Self::Bt601Full => "1:4:16:4",
            Self::Bt709 => "2:3:5:1",
            Self::Bt709Full => "1:3:5:1",
        }
    }
}

impl fmt::Display for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, name) = Self::ALL.iter().find(|(stated, _)| stated == self).ok_or(fmt::Error)?;
        f.write_str(name)
    }
}

impl FromStr for Stated {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(stated, _)| *stated).ok_or_else(
            || {
                let names: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
                format!(
                    "is {text:?}, allowed are {} (limited range without -full)",
                    names.join(", ")
                )
            },
        )
    }
}

/// Writes `stated` into the caps of every `Y'CbCr` stream that leaves by `pad`.
pub(super) fn state(pad: &gst::Pad, stated: Stated) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let Some(gst::EventView::Caps(event)) = info.event().map(|event| event.view()) else {
            return gst::PadProbeReturn::Ok;
        };
        let yuv = gst_video::VideoInfo::from_caps(event.caps())
            .is_ok_and(|video| video.format_info().is_yuv());
        if yuv {
            let mut caps = event.caps_owned();
            caps.make_mut().set("colorimetry", stated.caps_field());
            let event = gst::event::Caps::builder(&caps).seqnum(event.seqnum()).build();
            info.data = Some(gst::PadProbeData::Event(event));
        }
        gst::PadProbeReturn::Ok
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_one_of_gstreamers_colorimetries() {
        assert!(gst::init().is_ok());
        for (stated, name) in Stated::ALL {
            assert_eq!(name.parse(), Ok(stated));
            assert_eq!(stated.to_string(), name);
            let read: Result<gst_video::VideoColorimetry, _> = stated.caps_field().parse();
            let full = read.map(|c| c.range() == gst_video::VideoColorRange::Range0_255);
            assert_eq!(full.ok(), Some(name.ends_with("-full")), "{name}");
        }
        let error = "bt2020".parse::<Stated>().err();
        assert!(error.is_some_and(|e| e.contains("bt601-full")));
    }
}
