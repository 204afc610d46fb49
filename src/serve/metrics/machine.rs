//! Heat, power and throttling as the kernel tells them in `/sys`: of processors, and of a Jetson's rails.
//! Files below one root folder (`/`, or a made-up one in tests), so many at the most; blocks.

use std::fs;
use std::path::{Path, PathBuf};

/// Most values of each kind.
const MOST: usize = 32;

/// What a value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// A thermal zone, °C.
    Temperature,
    /// A rail, W.
    Power,
    /// A cooling device, 0 (not at all) to 1.
    Throttle,
}

/// A machine, seen through its files.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
}

impl Machine {
    /// The machine whose files lie below `root`.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// What can be read now: what it is of, its name with the number of its file, and the value.
    pub fn read(&self) -> Vec<(Values, String, f64)> {
        let mut found = Vec::new();
        let thermal = self.root.join("sys/class/thermal");
        for (folder, zone) in folders(&thermal, "thermal_zone") {
            let name = text(&folder.join("type")).unwrap_or_else(|| "zone".to_owned());
            if let Some(milli) = number(&folder.join("temp")) {
                found.push((Values::Temperature, format!("{name} {zone}"), milli / 1000.0));
            }
        }
        for (folder, device) in folders(&thermal, "cooling_device") {
            let name = text(&folder.join("type")).unwrap_or_else(|| "device".to_owned());
            let (now, most) =
                (number(&folder.join("cur_state")), number(&folder.join("max_state")));
            if let (Some(now), Some(most)) = (now, most)
                && most > 0.0
            {
                found.push((Values::Throttle, format!("{name} {device}"), now / most));
            }
        }
        for (folder, chip) in folders(&self.root.join("sys/class/hwmon"), "hwmon") {
            rails(&folder, chip, &mut found);
        }
        found
    }
}

/// The rails of a power monitor: `power1_input` (µW), or volts and amperes (an INA3221 of a Jetson:
/// `in1_input` mV, `curr1_input` mA).
fn rails(folder: &Path, chip: u32, found: &mut Vec<(Values, String, f64)>) {
    for rail in 1..=8 {
        let at = |file: &str| folder.join(file);
        let micro = number(&at(&format!("power{rail}_input")));
        let milli =
            number(&at(&format!("in{rail}_input"))).zip(number(&at(&format!("curr{rail}_input"))));
        let watts = micro.map(|micro| micro / 1e6).or(milli.map(|(mv, ma)| mv * ma / 1e6));
        if let Some(watts) = watts {
            let label = text(&at(&format!("power{rail}_label")))
                .or_else(|| text(&at(&format!("in{rail}_label"))))
                .unwrap_or_else(|| format!("rail {rail}"));
            found.push((Values::Power, format!("{label} {chip}"), watts));
        }
    }
}

/// Folders of that name and their numbers, in their order.
fn folders(parent: &Path, name: &str) -> Vec<(PathBuf, u32)> {
    let mut found: Vec<(PathBuf, u32)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(name)?.parse().ok()?;
            Some((entry.path(), number))
        })
        .collect();
    found.sort_by_key(|(_, number)| *number);
    found.truncate(MOST);
    found
}

fn text(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().chars().take(40).collect())
}

fn number(path: &Path) -> Option<f64> {
    text(path)?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_jetsons_heat_power_and_throttling_are_read_and_what_is_not_there_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join("sys/class").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(Machine::at(root.path()).read(), []);
        put("thermal/thermal_zone0/type", "cpu-thermal\n");
        put("thermal/thermal_zone0/temp", "48500\n");
        put("thermal/thermal_zone1/type", "gpu-thermal\n");
        put("thermal/cooling_device0/type", "cpu-throttle-alert\n");
        put("thermal/cooling_device0/cur_state", "1\n");
        put("thermal/cooling_device0/max_state", "4\n");
        put("hwmon/hwmon3/in1_label", "VDD_IN\n");
        put("hwmon/hwmon3/in1_input", "5000\n");
        put("hwmon/hwmon3/curr1_input", "1200\n");
        put("hwmon/hwmon4/power1_input", "7500000\n");
        let found = Machine::at(root.path()).read();
        assert_eq!(
            found,
            [
                (Values::Temperature, "cpu-thermal 0".to_owned(), 48.5),
                (Values::Throttle, "cpu-throttle-alert 0".to_owned(), 0.25),
                (Values::Power, "VDD_IN 3".to_owned(), 6.0),
                (Values::Power, "rail 1 4".to_owned(), 7.5),
            ]
        );
    }
}
