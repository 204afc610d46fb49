//! What to do about an element's error: capture devices and network streams fail in a few ways, and
//! GStreamer's own words seldom tell which. Looks at files of the system; opens no device.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use gst::prelude::*;
use rustix::fs::Access;

use super::devices::{self, Device};
use super::messages::redact;

/// How long a door that does not answer is waited at.
const KNOCK: Duration = Duration::from_secs(1);

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
            let location = element.property::<Option<String>>("location").unwrap_or_default();
            let said = stream(&error.error(), &debug, !user.is_empty()).map(str::to_owned);
            let said = said.or_else(|| unreached(&location, &debug));
            Some(match said {
                Some(said) => format!("{}: {said}", redact(&location)),
                None => redact(&location),
            })
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

/// Why nothing answers at an address: GStreamer says "Failed to connect" of all of it, so that the door is
/// knocked at once more.
fn unreached(location: &str, debug: &str) -> Option<String> {
    if !debug.contains("Failed to connect") {
        return None;
    }
    let (host, port) = host_and_port(location)?;
    let (tx, rx) = mpsc::channel();
    let door = (host.clone(), port);
    // A name server may take its time: nobody waits for it longer than for the door.
    let knock = std::thread::Builder::new().name("sonofuse-knock".to_owned()).spawn(move || {
        let answered = door.to_socket_addrs().and_then(|mut all| {
            let first = all.next().ok_or(io::ErrorKind::NotFound)?;
            TcpStream::connect_timeout(&first, KNOCK)
        });
        // Nobody listens any more when it took too long.
        let _ = tx.send(answered.map(drop));
    });
    knock.ok()?;
    let look = "look whether the encoder is on";
    Some(match rx.recv_timeout(2 * KNOCK) {
        Ok(Ok(())) => format!(
            "port {port} answers, but not as an RTSP server does: compare the port with the encoder's own page"
        ),
        Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => {
            format!(
                "connection refused, nobody listens there: compare address and port, and {look}"
            )
        }
        Ok(Err(e)) if e.kind() != io::ErrorKind::TimedOut => {
            format!("{e}: compare the address, {look}, and whether this machine is in its network")
        }
        _ => format!(
            "no answer: compare the address, {look}, and whether this machine is in its network (ping {host})"
        ),
    })
}

/// Where an address points to.
fn host_and_port(location: &str) -> Option<(String, u16)> {
    let (scheme, rest) = location.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let is_place = |text: &str| {
        let port = text.rsplit_once(':').map_or("", |(_, port)| port);
        text.starts_with('[') || port.chars().all(|c| c.is_ascii_digit())
    };
    let place = match authority.rsplit_once('@') {
        Some((_, place)) => place,
        None if is_place(authority) => authority,
        // A password may hold `/`.
        None => rest.rsplit_once('@')?.1.split(['/', '?']).next()?,
    };
    let (host, port) = match place.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map(|(host, port)| (host, port.strip_prefix(':')))?,
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let usual = if scheme.starts_with("rtsps") { 322 } else { 554 };
    let port = port.map_or(Ok(usual), str::parse).ok()?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
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
    fn an_address_where_nobody_listens_is_told_with_its_cause() {
        let failed = "gst_rtspsrc_retrieve_sdp (): Failed to connect. (Generic error)";
        let door = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = door.local_addr().unwrap().port();
        let at = format!("rtsp://us:p/w@127.0.0.1:{port}/live");
        assert!(unreached(&at, failed).unwrap().contains("not as an RTSP server"));
        drop(door);
        let told = unreached(&at, failed).unwrap();
        assert!(told.contains("connection refused") && told.contains("address and port"), "{told}");
        assert_eq!(unreached(&at, "something else"), None);
        for (location, place) in [
            ("rtsp://10.0.0.5/live", Some(("10.0.0.5", 554))),
            ("rtsps://encoder/live?x=1", Some(("encoder", 322))),
            ("rtsp://u:p@[fe80::1]:8554/a@b", Some(("fe80::1", 8554))),
            ("rtsp://10.0.0.5:554/a@b", Some(("10.0.0.5", 554))),
            ("rtsp://us:p/w@10.0.0.5:8554/a", Some(("10.0.0.5", 8554))),
            ("rtsp://host:none/", None),
            ("/dev/video0", None),
        ] {
            let place = place.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(host_and_port(location), place, "{location}");
        }
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
