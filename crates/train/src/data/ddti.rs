//! DDTI, the open thyroid B-mode set of Pedraza et al. (Proc SPIE 9287, 2015): conventional
//! ultrasound only, graded by TI-RADS and not by pathology.
//!
//! Reads a folder as published (`<case>.xml` beside `<case>_<image>.jpg`, or in `xml/` and
//! `raw_jpg/`), or one with `labels.csv` and `images/` (columns `file`, `case`, `tirads`,
//! `boxes_x0y0x1y1`, boxes apart by `;`). Grades 2 and 3 count as benign, 4a, 4b, 4c and 5 as
//! malignant, the usual convention; images without a grade or without an outline are left out. Each
//! outline is a sample: its bounding box with a margin.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sonofuse_core::frame::Frame;
use sonofuse_core::manifest::Input;
use sonofuse_core::region::Region;

use super::csv::Table;
use super::cut::Cutter;
use super::{DataError, io_error, screens};
use crate::sample::Sample;

/// The scanner's name in the samples.
pub const SCANNER: &str = "toshiba-nemio (DDTI)";
/// Tissue around a nodule's outline, as a part of the box's side.
const MARGIN: f32 = 0.2;
/// Shortest side of an outline's box, in pixels: smaller ones are slips of the pen.
const LEAST_PX: u32 = 16;

/// An image of the set with what is known of it.
#[derive(Clone, Debug, PartialEq)]
struct Image {
    path: PathBuf,
    case: String,
    name: String,
    malignant: bool,
    boxes: Vec<[i64; 4]>,
}

/// The samples, and how many images were left out because they have no grade or no outline.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// One for each outline, in the order of the cases.
    pub samples: Vec<Sample>,
    /// Images left out.
    pub left_out: usize,
    /// Outlines that leave their picture (the published set has one) or do not fit the input, and why.
    pub left: Vec<(PathBuf, String)>,
}

/// Imports DDTI from its folder.
///
/// # Errors
/// [`DataError`]: a missing file, an unknown grade, no sample at all.
pub fn import(folder: &Path, input: &Input) -> Result<Imported, DataError> {
    let list = folder.join("labels.csv");
    let (images, mut left_out) = if list.exists() { listed(&list)? } else { published(folder)? };
    let mut cutter = Cutter::new(input.clone());
    let (mut samples, mut left) = (Vec::new(), Vec::new());
    for image in images {
        let frame = screens::open(&image.path)?;
        let before = samples.len();
        for (i, outline) in image.boxes.iter().enumerate() {
            let region = match around(*outline, &frame) {
                Ok(region) => region,
                Err(why) => {
                    left.push((image.path.clone(), why));
                    continue;
                }
            };
            let Some(region) = region else { continue };
            let cut = match cutter.region(&frame, region) {
                Ok(cut) => cut,
                Err(why) => {
                    left.push((image.path.clone(), why.to_string()));
                    continue;
                }
            };
            samples.push(Sample {
                patient: format!("DDTI-{}", image.case),
                image: format!("{}#{i}", image.name),
                scanner: SCANNER.into(),
                malignant: image.malignant,
                bmode: cut.bmode,
                elastogram: None,
            });
        }
        left_out += usize::from(samples.len() == before);
    }
    if samples.is_empty() {
        if let Some((path, problem)) = left.into_iter().next() {
            return Err(DataError::Refused { path, problem });
        }
        return Err(DataError::Content {
            path: folder.to_owned(),
            problem: "no image has both a TI-RADS grade and an outline".into(),
        });
    }
    Ok(Imported { samples, left_out, left })
}

/// The box with its margin; `None` when it is too small to be a nodule.
fn around([x0, y0, x1, y1]: [i64; 4], frame: &Frame) -> Result<Option<Region>, String> {
    let (w, h) = (i64::from(frame.width()), i64::from(frame.height()));
    // The published outlines touch the edge and pass it by a few pixels.
    if x0 < -8 || y0 < -8 || x1 > w + 8 || y1 > h + 8 {
        return Err(format!(
            "the outline's box {x0},{y0},{x1},{y1} leaves the picture of {w}×{h} px"
        ));
    }
    let margin = |a: i64, b: i64| ((b - a) as f32 * MARGIN).round() as i64;
    let (mx, my) = (margin(x0, x1), margin(y0, y1));
    if x1 - x0 < i64::from(LEAST_PX) || y1 - y0 < i64::from(LEAST_PX) {
        return Ok(None);
    }
    let clip = |v: i64, most: i64| v.clamp(0, most) as u32;
    Ok(Region::new(clip(x0 - mx, w), clip(y0 - my, h), clip(x1 + mx, w), clip(y1 + my, h)))
}

/// The images of `labels.csv`, and how many have no grade or no outline.
fn listed(list: &Path) -> Result<(Vec<Image>, usize), DataError> {
    let table = Table::read(list, &["file", "case", "tirads", "boxes_x0y0x1y1"], None)?;
    let images = list.with_file_name("images");
    let (mut found, mut left_out) = (Vec::new(), 0);
    for row in table.rows() {
        let graded = grade(row.get("tirads")).map_err(|e| row.error(e))?;
        let boxes: Option<Vec<[i64; 4]>> = row
            .get("boxes_x0y0x1y1")
            .split(';')
            .filter(|b| !b.trim().is_empty())
            .map(|b| {
                let n: Vec<i64> =
                    b.split(',').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
                n.try_into().ok()
            })
            .collect();
        let boxes = boxes.ok_or_else(|| {
            row.error(format!("boxes `{}`: write `x0,y0,x1,y1;…`", row.get("boxes_x0y0x1y1")))
        })?;
        match graded {
            Some(malignant) if !boxes.is_empty() => found.push(Image {
                path: images.join(row.get("file")),
                case: row.get("case").to_owned(),
                name: row.get("file").to_owned(),
                malignant,
                boxes,
            }),
            _ => left_out += 1,
        }
    }
    Ok((found, left_out))
}

/// The images that the XML files describe, and how many have no grade or no outline.
fn published(folder: &Path) -> Result<(Vec<Image>, usize), DataError> {
    let under = |name: &str| {
        let inner = folder.join(name);
        if inner.is_dir() { inner } else { folder.to_owned() }
    };
    let (xml, jpg) = (under("xml"), under("raw_jpg"));
    let mut files = Vec::new();
    for entry in fs::read_dir(&xml).map_err(io_error("list the folder", &xml))? {
        let path = entry.map_err(io_error("list the folder", &xml))?.path();
        if path.extension().is_some_and(|e| e == "xml") {
            files.push(path);
        }
    }
    if files.is_empty() {
        let problem = "holds neither labels.csv nor DDTI's XML files: give the folder that the set was unpacked to";
        return Err(DataError::Content { path: folder.to_owned(), problem: problem.into() });
    }
    files.sort();
    let (mut found, mut left_out) = (Vec::new(), 0);
    for path in files {
        let text = fs::read_to_string(&path).map_err(io_error("read", &path))?;
        let wrong = |problem: String| DataError::Content { path: path.clone(), problem };
        let case = element(&text, "number").map(str::trim).filter(|n| !n.is_empty());
        let case = case.ok_or_else(|| wrong("has no <number>: is it a DDTI case?".into()))?;
        let graded = grade(element(&text, "tirads").unwrap_or("")).map_err(&wrong)?;
        let mut rest = text.as_str();
        while let Some(at) = rest.find("<mark>") {
            rest = &rest[at + 6..];
            let mark = rest.split("</mark>").next().unwrap_or(rest);
            let image = element(mark, "image").unwrap_or("").trim();
            let boxes = outlines(element(mark, "svg").unwrap_or(""))
                .map_err(|e| wrong(format!("the outlines of image {image} cannot be read: {e}")))?;
            match graded {
                Some(malignant) if !boxes.is_empty() => {
                    let name = format!("{case}_{image}.jpg");
                    let path = jpg.join(&name);
                    found.push(Image { path, case: case.to_owned(), name, malignant, boxes });
                }
                _ => left_out += 1,
            }
        }
    }
    Ok((found, left_out))
}

/// The text between `<name>` and `</name>`.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    after.split_once(&format!("</{name}>")).map(|(inner, _)| inner)
}

/// The bounding boxes of the outlines in a mark's JSON.
fn outlines(json: &str) -> Result<Vec<[i64; 4]>, String> {
    #[derive(Deserialize)]
    struct Outline {
        points: Vec<Point>,
    }
    #[derive(Deserialize)]
    struct Point {
        x: f64,
        y: f64,
    }
    let json = json.trim().replace("&quot;", "\"");
    if json.is_empty() {
        return Ok(Vec::new());
    }
    let outlines: Vec<Outline> = serde_json::from_str(&json).map_err(|e| e.to_string())?;
    Ok(outlines
        .iter()
        .filter(|o| !o.points.is_empty())
        .map(|o| {
            let fold = |f: fn(f64, f64) -> f64, of: fn(&Point) -> f64, from: f64| {
                o.points.iter().map(of).fold(from, f)
            };
            [
                fold(f64::min, |p| p.x, f64::INFINITY).floor() as i64,
                fold(f64::min, |p| p.y, f64::INFINITY).floor() as i64,
                fold(f64::max, |p| p.x, f64::NEG_INFINITY).ceil() as i64 + 1,
                fold(f64::max, |p| p.y, f64::NEG_INFINITY).ceil() as i64 + 1,
            ]
        })
        .collect())
}

/// A TI-RADS grade as a class; `None` where there is none, or where it is 1 (no nodule).
fn grade(text: &str) -> Result<Option<bool>, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "1" => Ok(None),
        "2" | "3" => Ok(Some(false)),
        "4a" | "4b" | "4c" | "5" => Ok(Some(true)),
        other => Err(format!("the TI-RADS grade is `{other}`: it must be 2, 3, 4a, 4b, 4c or 5")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::small_input;

    fn picture(path: &Path) {
        let rgb: Vec<u8> = (0..560 * 360 * 3).map(|i| (i * 7 % 251) as u8).collect();
        image::save_buffer(path, &rgb, 560, 360, image::ExtendedColorType::Rgb8).unwrap();
    }

    fn case(number: &str, tirads: &str, svg: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><case><number>{number}</number><age>40</age>\
             <tirads>{tirads}</tirads><mark><image>1</image><svg>{svg}</svg></mark></case>"
        )
    }

    const OUTLINE: &str = r#"[{"points": [{"x": 100, "y": 60}, {"x": 199, "y": 60}, {"x": 150, "y": 139}], "regionType": "freehand"}]"#;

    #[test]
    fn the_published_form_and_the_list_give_the_same_samples() {
        let input = small_input(64, 96, 280);
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (n, grade) in [("7", "2"), ("8", "4b"), ("9", "")] {
            fs::write(at(&format!("{n}.xml")), case(n, grade, OUTLINE)).unwrap();
            picture(&at(&format!("{n}_1.jpg")));
        }
        let a = import(folder.path(), &input).unwrap();
        let [benign, malignant] = a.samples.as_slice() else { panic!("{}", a.samples.len()) };
        assert!(!benign.malignant && malignant.malignant && benign.elastogram.is_none());
        assert_eq!((benign.patient.as_str(), benign.image.as_str()), ("DDTI-7", "7_1.jpg#0"));
        assert_eq!(a.left_out, 1, "the one without a grade");
        // 100×80 px with a fifth on each side, at half size: 70×56, raised to the least height.
        assert_eq!(benign.bmode.shape(), [1, 3, 64, 80]);

        let other = tempfile::tempdir().unwrap();
        fs::create_dir(other.path().join("images")).unwrap();
        for n in ["7", "8"] {
            let name = format!("{n}_1.jpg");
            fs::copy(at(&name), other.path().join("images").join(name)).unwrap();
        }
        let list = "file,case,tirads,boxes_x0y0x1y1\n7_1.jpg,7,2,\"100,60,200,140\"\n\
                    8_1.jpg,8,4b,\"100,60,200,140\"\n8_2.jpg,8,4b,\n";
        fs::write(other.path().join("labels.csv"), list).unwrap();
        assert_eq!(import(other.path(), &input).unwrap(), a);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_file() {
        let input = small_input(64, 96, 280);
        for (tirads, svg, says) in [
            ("6", OUTLINE, "the TI-RADS grade is `6`"),
            ("2", "[{", "outlines of image 1 cannot be read"),
            (
                "2",
                r#"[{"points":[{"x":10,"y":10},{"x":700,"y":99}]}]"#,
                "leaves the picture of 560×360",
            ),
            ("", OUTLINE, "no image has both"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("1.xml"), case("1", tirads, svg)).unwrap();
            picture(&folder.path().join("1_1.jpg"));
            let why = import(folder.path(), &input).unwrap_err().to_string();
            assert!(why.contains(says), "{why}");
        }
        let folder = tempfile::tempdir().unwrap();
        let why = import(folder.path(), &input).unwrap_err().to_string();
        assert!(why.contains("holds neither labels.csv nor"), "{why}");
        fs::write(folder.path().join("1.xml"), case("1", "2", OUTLINE)).unwrap();
        let why = import(folder.path(), &input).unwrap_err().to_string();
        assert!(why.contains("cannot read the picture") && why.contains("1_1.jpg"), "{why}");
    }
}
