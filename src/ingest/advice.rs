//! What to do about an element's error: capture devices and network streams fail in a few ways, and
//! GStreamer's own words seldom tell which. Looks at files of the system; opens no device.

use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use gst::prelude::*;
use rustix::fs::Access;

use super::devices::{self, Device};

/// What to do about `error`, where it is known; to be told after its words.
pub(super) fn of(message: &gst::Message, error: &gst::message::Error) -> Option<String> {
    let element = message.src()?.downcast_ref::<gst::Element>()?;
    match element.factory()?.name().as_str() {
        "v4l2src" => {
            let device = element.property::<Option<String>>("device").unwrap_or_default();
            let busy = error.error().matches(gst::ResourceError::Busy);
            capture_device(Path::new("/"), &device, busy)
        }
        "rtspsrc" => {
            let user = element.property::<Option<String>>("user-id").unwrap_or_default();
            let debug = error.debug().unwrap_or_default();
            stream(&error.error(), &debug, !user.is_empty()).map(str::to_owned)
        }
        _ => None,
    }
}

/// Why a capture device does not open.
fn capture_device(root: &Path, device: &str, busy: bool) -> Option<String> {
    let known = devices::list(root);
    let others = || {
        let usable: Vec<String> = known
            .iter()
            .filter(|d| d.pictures && d.path != device)
            .map(|d| format!("{} ({})", d.best_name(), d.name))
            .collect();
        match usable.as_slice() {
            [] => "this machine has no other capture device: connect it and look at `dmesg`"
                .to_owned(),
            usable => format!("there is {}", usable.join(", ")),
        }
    };
    if device.is_empty() {
        return Some(format!("set the preset's parameter device; {}", others()));
    }
    let path = root.join(device.trim_start_matches('/'));
    let Ok(meta) = std::fs::metadata(&path) else {
        return Some(format!(
            "{device} is not there (numbers change when a device is plugged in again: a name in /dev/v4l/by-path stays); {}",
            others()
        ));
    };
    if !meta.file_type().is_char_device() && root == Path::new("/") {
        return Some(format!("{device} is no device; {}", others()));
    }
    if rustix::fs::access(&path, Access::READ_OK | Access::WRITE_OK).is_err() {
        return Some(format!(
            "this user may not open {device}: sudo usermod -aG video \"$USER\", then log in again"
        ));
    }
    let node = std::fs::canonicalize(&path).unwrap_or(path);
    let is_node = |d: &&Device| node.file_name() == Path::new(&d.path).file_name();
    match known.iter().find(is_node) {
        Some(d) if !d.pictures => Some(format!(
            "{device} gives the grabber's times and settings, no pictures; {}",
            others()
        )),
        Some(_) if busy => Some(format!("another program has it: fuser -v {device}")),
        Some(_) => None,
        None => Some(format!("{device} is no capture device; {}", others())),
    }
}

/// Why a stream is not given. `debug` holds the server's answer.
fn stream(error: &gst::glib::Error, debug: &str, user_given: bool) -> Option<&'static str> {
    let text = format!("{} {debug}", error.message());
    let says = |code: &str| text.contains(code);
    if error.matches(gst::ResourceError::NotAuthorized) || says("(401)") || says("Unauthorized") {
        return Some(if user_given {
            "the encoder does not take this user and password: compare them with its own settings, and look whether it wants another kind of login (Digest, Basic)"
        } else {
            "the encoder asks for a login: set the preset's parameters user and password"
        });
    }
    // GStreamer goes on to the next transport after a 461 and then has none left.
    if says("461") || says("Unsupported Transport") || says("more transport protocols") {
        return Some(
            "the encoder offers no transport that the preset takes (461): switch on RTP over RTSP (TCP, interleaved) there, or, where it sends over UDP only, copy the preset and set protocols=udp in it",
        );
    }
    if error.matches(gst::ResourceError::NotFound) || says("(404)") || says("Not Found") {
        return Some(
            "404, not found: the encoder has no stream of this path; its own page shows the whole address",
        );
    }
    if says("(503)") || says("Service Unavailable") {
        return Some(
            "503: the encoder is busy or starting; it may allow fewer viewers than it has",
        );
    }
    if says("Connection refused") {
        return Some(
            "nobody listens there: compare address and port, and look whether the encoder is on",
        );
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for (node, index) in [("video0", "0"), ("video1", "1")] {
            let class = at(&format!("sys/class/video4linux/{node}"));
            fs::create_dir_all(class.join("device")).unwrap();
            fs::write(class.join("name"), "USB Capture HDMI\n").unwrap();
            fs::write(class.join("index"), index).unwrap();
            std::os::unix::fs::symlink("../drivers/uvcvideo", class.join("device/driver")).unwrap();
            fs::create_dir_all(at("dev")).unwrap();
            fs::write(at(&format!("dev/{node}")), "").unwrap();
        }
        root
    }

    #[test]
    fn a_device_that_does_not_open_is_told_with_what_to_do() {
        struct Case {
            device: &'static str,
            busy: bool,
            says: &'static [&'static str],
        }
        let root = machine();
        for Case { device, busy, says } in [
            Case {
                device: "/dev/video7",
                busy: false,
                says: &["is not there", "by-path", "/dev/video0 (USB"],
            },
            Case { device: "/dev/video1", busy: false, says: &["no pictures", "/dev/video0"] },
            Case {
                device: "/dev/video0",
                busy: true,
                says: &["another program", "fuser -v /dev/video0"],
            },
            Case { device: "", busy: false, says: &["parameter device", "/dev/video0"] },
        ] {
            let told = capture_device(root.path(), device, busy).unwrap();
            for word in says {
                assert!(told.contains(word), "{device}: {word:?} is not in: {told}");
            }
        }
        assert_eq!(capture_device(root.path(), "/dev/video0", false), None);
        let told = capture_device(Path::new("/"), "/dev/null", false).unwrap();
        assert!(told.contains("no capture device"), "{told}");
        let told = capture_device(Path::new("/"), "/etc/hostname", false).unwrap();
        assert!(told.contains("is no device"), "{told}");
    }

    #[test]
    fn a_servers_refusal_is_told_with_what_to_do() {
        use gst::ResourceError;
        for (error, text, user, says) in [
            (ResourceError::NotAuthorized, "Unauthorized", false, "parameters user and password"),
            (ResourceError::NotAuthorized, "Unauthorized", true, "does not take this user"),
            (ResourceError::NotFound, "Not found", false, "404"),
            (ResourceError::Read, "Unsupported Transport (461)", false, "protocols=udp"),
            (
                ResourceError::Settings,
                "No supported stream was found. You might need to allow more transport protocols",
                false,
                "UDP only",
            ),
            (ResourceError::Read, "Service Unavailable (503)", false, "503"),
        ] {
            let error = gst::glib::Error::new(error, text);
            let told = stream(&error, "", user).unwrap();
            assert!(told.contains(says), "{text}: {told}");
        }
        let other = gst::glib::Error::new(ResourceError::Read, "Could not read");
        assert_eq!(stream(&other, "", false), None);
    }
}
