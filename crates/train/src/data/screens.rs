//! Dual-view screens (PNG, JPEG, DICOM …) from a list: `path,patient,label` and, where the search does
//! not find the views, their regions.
//!
//! Optional columns: `image` (else the path), `scanner`, `hard-end` (`red` or `blue`), and the
//! regions `bmode-box` and `elastogram-box` as `x0 y0 x1 y1` in pixels of the picture, both or
//! neither. Paths are relative to the list.

use std::path::{Path, PathBuf};

use sonofuse_core::frame::Frame;
use sonofuse_core::layout::{HardEnd, PinnedRegions, Pins, ScreenLayout};
use sonofuse_core::manifest::Input;
use sonofuse_core::region::Region;
use sonofuse_dicom::StillError;

use super::csv::{Row, Table};
use super::cut::Cutter;
use super::{DataError, io_error};
use crate::sample::Sample;

const REQUIRED: [&str; 3] = ["path", "patient", "label"];
const OPTIONAL: [&str; 5] = ["image", "scanner", "hard-end", "bmode-box", "elastogram-box"];

/// A screen that gave no sample, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// The picture.
    pub path: PathBuf,
    /// What the daemon would say of it.
    pub why: String,
}

/// What a list gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The samples, in the list's order.
    pub samples: Vec<Sample>,
    /// Screens without a sample.
    pub left: Vec<Left>,
}

/// Imports the screens of `list`.
///
/// A screen that the daemon would give no score for is left out and told; everything else that is
/// wrong with the list is an error.
///
/// # Errors
/// [`DataError`]: a missing file, an unknown label, a region outside its picture, no sample at all.
pub fn import(list: &Path, input: &Input) -> Result<Imported, DataError> {
    import_seen(list, input, |_, _, _, _| ())
}

/// Imports as [`import`]; `see` gets each screen that gives a sample with its layout, scanner and
/// patient.
///
/// # Errors
/// As [`import`].
pub fn import_seen(
    list: &Path,
    input: &Input,
    mut see: impl FnMut(&Frame, &ScreenLayout, &str, &str),
) -> Result<Imported, DataError> {
    let table = Table::read(list, &REQUIRED, Some(&OPTIONAL))?;
    let folder = list.parent().unwrap_or(Path::new("."));
    let mut cutter = Cutter::new(input.clone());
    let mut imported = Imported { samples: Vec::new(), left: Vec::new() };
    for row in table.rows() {
        let malignant = label(row.get("label")).map_err(|e| row.error(e))?;
        let patient = row.get("patient");
        if patient.is_empty() {
            return Err(
                row.error("the patient is empty: splits go by patient, so each needs a name")
            );
        }
        let path = folder.join(row.get("path"));
        let frame = open(&path)?;
        let hard_end = match row.get("hard-end") {
            "" => None,
            "red" => Some(HardEnd::Red),
            "blue" => Some(HardEnd::Blue),
            other => return Err(row.error(format!("hard-end `{other}`: write `red` or `blue`"))),
        };
        let boxes = (region(&row, "bmode-box", &frame)?, region(&row, "elastogram-box", &frame)?);
        let layout = match boxes {
            (None, None) => cutter.layout(&frame, hard_end),
            (Some(bmode), Some(map)) => {
                let regions = PinnedRegions {
                    size: [frame.width(), frame.height()],
                    bmode_view: bmode,
                    elastogram_view: map,
                    bmode_box: Some(bmode),
                    elastogram_box: Some(map),
                    colour_bar: None,
                };
                cutter.pinned_layout(
                    &frame,
                    Pins { hard_end, regions: Some(regions), ..Pins::default() },
                )
            }
            _ => {
                return Err(
                    row.error("has one of `bmode-box` and `elastogram-box`: give both or none")
                );
            }
        };
        let name = |column: &str, or: &str| {
            let given = row.get(column);
            if given.is_empty() { or.to_owned() } else { given.to_owned() }
        };
        let cut = layout.and_then(|layout| {
            let cut = cutter.cut(&frame, &layout)?;
            see(&frame, &layout, &name("scanner", "unknown"), patient);
            Ok(cut)
        });
        match cut {
            Ok(input) => imported.samples.push(Sample {
                patient: patient.to_owned(),
                image: name("image", row.get("path")),
                scanner: name("scanner", "unknown"),
                malignant,
                bmode: input.bmode,
                elastogram: Some(input.elastogram),
            }),
            Err(why) => imported.left.push(Left { path, why: why.to_string() }),
        }
    }
    if imported.samples.is_empty()
        && let Some(first) = imported.left.first()
    {
        return Err(DataError::NoSample {
            tried: imported.left.len(),
            first: first.path.display().to_string(),
            why: first.why.clone(),
        });
    }
    Ok(imported)
}

/// Reads a label.
pub(super) fn label(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "benign" | "0" => Ok(false),
        "malignant" | "1" => Ok(true),
        _ => Err(format!("the label is `{text}`: write `benign` (or 0) or `malignant` (or 1)")),
    }
}

/// Decodes a picture file or the first frame of a DICOM file, as the daemon does.
///
/// # Errors
/// [`DataError::Io`], [`DataError::Picture`].
pub(super) fn open(path: &Path) -> Result<Frame, DataError> {
    sonofuse_dicom::read(path).map_err(|error| match error {
        StillError::Open(e) | StillError::Read(e) => io_error("read the picture", path)(e),
        other => DataError::Picture { path: path.to_owned(), problem: other.to_string() },
    })
}

fn region(row: &Row<'_>, column: &str, frame: &Frame) -> Result<Option<Region>, DataError> {
    let text = row.get(column);
    if text.is_empty() {
        return Ok(None);
    }
    let numbers: Option<Vec<u32>> = text.split_whitespace().map(|n| n.parse().ok()).collect();
    let region = match numbers.as_deref() {
        Some(&[x0, y0, x1, y1]) => Region::new(x0, y0, x1, y1),
        _ => None,
    }
    .ok_or_else(|| {
        row.error(format!("{column} is `{text}`: write `x0 y0 x1 y1` in pixels, x0 < x1, y0 < y1"))
    })?;
    if frame.bounds().contains(&region) {
        Ok(Some(region))
    } else {
        Err(row.error(format!(
            "{column} `{text}` leaves the picture of {}×{} px",
            frame.width(),
            frame.height()
        )))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sonofuse_sim::{SimConfig, Simulator, Skin, Truth};

    use super::*;
    use crate::data::small_input;

    /// Writes a simulated screen as PNG.
    fn screen(path: &Path, skin: Skin) -> Truth {
        let (width, height) = (800, 600);
        let config = SimConfig { seed: 4, skin, width, height, ..SimConfig::default() };
        let mut bgrx = vec![0; (width * height * 4) as usize];
        let truth = Simulator::new(config).unwrap().render(200, &mut bgrx, width as usize * 4);
        let rgb: Vec<u8> = bgrx.chunks_exact(4).flat_map(|p| [p[2], p[1], p[0]]).collect();
        image::save_buffer(path, &rgb, width, height, image::ExtendedColorType::Rgb8).unwrap();
        truth
    }

    #[test]
    fn a_list_gives_samples_by_search_and_by_pinned_regions_and_tells_what_it_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let truth = screen(&at("a.png"), Skin::AixplorerStacked);
        screen(&at("b.png"), Skin::Menu);
        let words = |r: Option<Region>| {
            r.map(|r| format!("{} {} {} {}", r.x0(), r.y0(), r.x1(), r.y1())).unwrap()
        };
        let (b, e) = (words(truth.bmode_box), words(truth.elastogram_box));
        let text = format!(
            "path,patient,label,scanner,hard-end,bmode-box,elastogram-box\n\
             a.png,P1,malignant,X,,,\n\
             a.png,P2,Benign,,red,{b},{e}\n\
             b.png,P3,0,,,,\n"
        );
        std::fs::write(at("list.csv"), text).unwrap();
        let input = small_input(64, 96, 192);
        let imported = import(&at("list.csv"), &input).unwrap();
        let [a, b] = imported.samples.as_slice() else { panic!("{:?}", imported.left) };
        assert!(a.malignant && !b.malignant);
        assert_eq!((a.scanner.as_str(), b.scanner.as_str()), ("X", "unknown"));
        // The search finds the boxes to the pixel here, so both ways cut alike.
        assert_eq!(a.bmode.shape()[1], 3);
        assert_eq!(imported.left.len(), 1);
        assert!(imported.left[0].why.contains("no dual view"), "{:?}", imported.left);
    }

    #[test]
    fn what_is_wrong_with_a_list_is_told_with_line_and_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        screen(&at("a.png"), Skin::AixplorerStacked);
        screen(&at("menu.png"), Skin::Menu);
        std::fs::write(at("text.png"), "no picture").unwrap();
        let input = small_input(64, 96, 192);
        for (row, says) in [
            ("gone.png,P,benign,,", "cannot read the picture"),
            ("text.png,P,benign,,", "cannot decode"),
            ("a.png,P,perhaps,,", "line 2: the label is `perhaps`"),
            ("a.png,,benign,,", "the patient is empty"),
            ("a.png,P,benign,0 0 900 10,0 0 5 5", "leaves the picture of 800×600 px"),
            ("a.png,P,benign,0 0 5,0 0 5 5", "write `x0 y0 x1 y1`"),
            ("a.png,P,benign,0 0 5 5,", "give both or none"),
            ("menu.png,P,benign,,", "none of the 1 screens gave a sample"),
        ] {
            let text = format!("path,patient,label,bmode-box,elastogram-box\n{row}\n");
            std::fs::write(at("list.csv"), text).unwrap();
            let why = import(&at("list.csv"), &input).unwrap_err().to_string();
            assert!(why.contains(says), "{row}: {why}");
        }
    }
}
