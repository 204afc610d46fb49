//! Pictures that judge a table and were never fitted to: a list of files with their boxes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sonofuse_core::familiar::{Familiarity, Gauge, Statistics};
use sonofuse_core::frame::Frame;
use sonofuse_core::region::Region;

use super::{FamiliarError, Rates};

/// A line of the list. A box that is missing is not judged: DDTI has no maps.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Picture {
    /// Its group in the table.
    pub group: String,
    /// The picture, beside the list.
    pub path: PathBuf,
    /// Crop of the B-mode, `[x0, y0, x1, y1]` px, without the outline.
    #[serde(default)]
    pub bmode: Option<[u32; 4]>,
    /// Crop of the map, likewise.
    #[serde(default)]
    pub map: Option<[u32; 4]>,
    /// The picture that holds the map, where it is another one.
    #[serde(default)]
    pub map_path: Option<PathBuf>,
}

/// What was measured of a group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// One a picture: B-mode and map, where they were given.
    pub pictures: Vec<[Option<Vec<f32>>; 2]>,
}

/// Measures the pictures of a list, one JSON object a line, by group.
///
/// # Errors
/// [`FamiliarError::Manifest`], with the line.
pub fn judge(list: &Path) -> Result<BTreeMap<String, Group>, FamiliarError> {
    let wrong = |line: usize, why: &dyn std::fmt::Display| {
        FamiliarError::Manifest(format!("{}, line {}: {why}", list.display(), line + 1))
    };
    let text = std::fs::read_to_string(list).map_err(|e| wrong(0, &e))?;
    let folder = list.parent().unwrap_or(Path::new("."));
    let mut gauge = Gauge::default();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let picture: Picture = serde_json::from_str(line).map_err(|e| wrong(n, &e))?;
        let open = |path: &Path| sonofuse_dicom::read(&folder.join(path)).map_err(|e| wrong(n, &e));
        let frame = open(&picture.path)?;
        let other = picture.map_path.as_deref().map(open).transpose()?;
        let region = |frame: &Frame, [x0, y0, x1, y1]: [u32; 4]| {
            Region::new(x0, y0, x1, y1)
                .filter(|r| frame.bounds().contains(r))
                .ok_or_else(|| wrong(n, &"a box is empty or leaves its picture"))
        };
        let bmode = picture.bmode.map(|b| region(&frame, b)).transpose()?;
        let under = other.as_ref().unwrap_or(&frame);
        let map = picture.map.map(|b| region(under, b)).transpose()?;
        let measured = [
            bmode.and_then(|r| gauge.bmode(&frame, &r)).map(|s| s.to_vec()),
            map.and_then(|r| gauge.map(under, &r)).map(|s| s.to_vec()),
        ];
        groups.entry(picture.group).or_default().pictures.push(measured);
    }
    Ok(groups)
}

impl Group {
    /// What a table refuses of it; a view that is not there is refused of none.
    pub fn rates(&self, table: &Familiarity) -> Option<Rates> {
        let strange = |view: usize, s: &[f32]| {
            let view = [&table.bmode, &table.map][view];
            view.likeness(s) < view.limit
        };
        let mut counts = [0usize; 4];
        for [bmode, map] in &self.pictures {
            let a = bmode.as_deref().is_some_and(|s| strange(0, s));
            let b = map.as_deref().is_some_and(|s| strange(1, s));
            for (count, yes) in counts.iter_mut().zip([true, a, b, a || b]) {
                *count += usize::from(yes);
            }
        }
        let part = |n: usize| n as f32 / counts[0] as f32;
        (counts[0] > 0).then(|| Rates {
            pictures: counts[0],
            bmode: part(counts[1]),
            map: part(counts[2]),
            either: part(counts[3]),
        })
    }
}

/// Statistics of one picture, for a list of candidates to be compared outside.
#[derive(Serialize)]
pub(crate) struct Line<'s> {
    pub(crate) set: &'s str,
    pub(crate) group: &'s str,
    pub(crate) made: bool,
    pub(crate) bmode: Option<&'s [f32]>,
    pub(crate) map: Option<&'s [f32]>,
}

impl<'s> Line<'s> {
    pub(crate) fn of(set: &'s str, group: &'s str, made: bool, s: &'s Statistics) -> Self {
        Self { set, group, made, bmode: Some(&s.bmode), map: Some(&s.map) }
    }
}
