//! Video capture devices of this machine, by what the kernel and udev say about them in files; none
//! is opened.

use std::fs;
use std::path::Path;

use rustix::fs::Access;

/// A device node of the kernel's video4linux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `/dev/videoN`.
    pub path: String,
    /// The driver's name for it.
    pub name: String,
    /// The link in `/dev/v4l/by-path` that stays with its socket.
    pub stable: Option<String>,
    /// Whether it gives pictures; a USB grabber has a second node that gives times and settings.
    pub pictures: bool,
    /// Whether this user may open it.
    pub access: Reach,
}

/// Whether a device can be got at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It may be opened.
    Open,
    /// This user may not.
    Forbidden,
    /// The kernel knows it, but there is no device file.
    NoFile,
}

impl Device {
    /// Its stable name where it has one.
    pub fn best_name(&self) -> &str {
        self.stable.as_deref().unwrap_or(&self.path)
    }
}

/// Lists the devices of the machine whose files lie below `root` (`/`), by number.
pub fn list(root: &Path) -> Vec<Device> {
    let at = |path: &str| root.join(path.trim_start_matches('/'));
    let text = |path: &str| fs::read_to_string(at(path)).ok().map(|t| t.trim().to_owned());
    let links: Vec<(String, String)> = fs::read_dir(at("/dev/v4l/by-path"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let to = fs::read_link(entry.path()).ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Some((to.file_name()?.to_string_lossy().into_owned(), name))
        })
        .collect();
    let mut nodes: Vec<String> = fs::read_dir(at("/sys/class/video4linux"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|node| node.starts_with("video"))
        .collect();
    nodes.sort_by_key(|node| (node.len(), node.clone()));
    nodes
        .into_iter()
        .map(|node| {
            let class = format!("/sys/class/video4linux/{node}");
            let path = format!("/dev/{node}");
            let real = at(&path);
            let access = if !real.exists() {
                Reach::NoFile
            } else if rustix::fs::access(&real, Access::READ_OK | Access::WRITE_OK).is_err() {
                Reach::Forbidden
            } else {
                Reach::Open
            };
            let stable = links.iter().filter(|(to, _)| *to == node).map(|(_, name)| name).min();
            let driver = fs::read_link(at(&format!("{class}/device/driver"))).ok();
            Device {
                name: text(&format!("{class}/name")).unwrap_or_else(|| "unnamed".to_owned()),
                stable: stable.map(|name| format!("/dev/v4l/by-path/{name}")),
                pictures: gives_pictures(
                    text(&format!("{class}/dev"))
                        .and_then(|dev| text(&format!("/run/udev/data/c{dev}")))
                        .as_deref(),
                    driver.is_some_and(|driver| driver.ends_with("uvcvideo")),
                    text(&format!("{class}/index")).as_deref(),
                ),
                path,
                access,
            }
        })
        .collect()
}

/// What udev wrote down when it asked the device; without udev, what is known of USB's video class,
/// whose driver gives each stream of pictures a node for its metadata next to it.
fn gives_pictures(udev: Option<&str>, usb_class: bool, index: Option<&str>) -> bool {
    let said =
        udev.and_then(|data| data.lines().find_map(|l| l.strip_prefix("E:ID_V4L_CAPABILITIES=")));
    match (said, index.and_then(|i| i.parse::<u32>().ok())) {
        (Some(capabilities), _) => capabilities.split(':').any(|c| c == "capture"),
        (None, Some(index)) => !usb_class || index.is_multiple_of(2),
        (None, None) => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn udevs_answer_decides_and_without_it_the_usb_class_does() {
        let capture = "I:123\nE:ID_V4L_VERSION=2\nE:ID_V4L_CAPABILITIES=:capture:\n";
        let metadata = "E:ID_V4L_CAPABILITIES=:\n";
        for (udev, usb, index, pictures) in [
            (Some(capture), true, Some("1"), true),
            (Some(metadata), true, Some("0"), false),
            (Some("E:OTHER=1"), true, Some("1"), false),
            (None, true, Some("0"), true),
            (None, true, Some("1"), false),
            // The fourth input of a card.
            (None, false, Some("3"), true),
            (None, true, None, true),
        ] {
            assert_eq!(gives_pictures(udev, usb, index), pictures, "{udev:?} {usb} {index:?}");
        }
    }

    #[test]
    fn devices_come_by_number_with_the_name_that_stays() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for (node, name) in [("video10", "Second"), ("video2", "USB Capture HDMI")] {
            let class = at(&format!("sys/class/video4linux/{node}"));
            fs::create_dir_all(&class).unwrap();
            fs::write(class.join("name"), format!("{name}\n")).unwrap();
        }
        fs::create_dir_all(at("dev/v4l/by-path")).unwrap();
        fs::write(at("dev/video2"), "").unwrap();
        std::os::unix::fs::symlink("../../video2", at("dev/v4l/by-path/pci-0-usb")).unwrap();
        let found = list(root.path());
        let brief: Vec<_> = found.iter().map(|d| (d.path.as_str(), d.access)).collect();
        assert_eq!(brief, [("/dev/video2", Reach::Open), ("/dev/video10", Reach::NoFile)]);
        assert_eq!(found[0].best_name(), "/dev/v4l/by-path/pci-0-usb");
        assert_eq!(found[1].best_name(), "/dev/video10");
        assert!(list(&at("nowhere")).is_empty());
    }
}
