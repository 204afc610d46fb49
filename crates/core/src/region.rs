//! Pixel rectangles, half-open: `x0..x1`, `y0..y1` (DICOM's ultrasound region, without its
//! inclusive maximum).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A rectangle of at least one pixel. Serialised as `[x0, y0, x1, y1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    x0: u32,
    y0: u32,
    x1: u32,
    y1: u32,
}

impl Region {
    /// Builds the region `x0..x1`, `y0..y1`; `None` if it would hold no pixel.
    pub const fn new(x0: u32, y0: u32, x1: u32, y1: u32) -> Option<Self> {
        if x0 < x1 && y0 < y1 { Some(Self { x0, y0, x1, y1 }) } else { None }
    }

    /// Left edge, in pixels, inclusive.
    pub const fn x0(&self) -> u32 {
        self.x0
    }
    /// Top edge, in pixels, inclusive.
    pub const fn y0(&self) -> u32 {
        self.y0
    }
    /// Right edge, in pixels, exclusive.
    pub const fn x1(&self) -> u32 {
        self.x1
    }
    /// Bottom edge, in pixels, exclusive.
    pub const fn y1(&self) -> u32 {
        self.y1
    }
    /// Width in pixels, at least 1.
    pub const fn width(&self) -> u32 {
        self.x1 - self.x0
    }
    /// Height in pixels, at least 1.
    pub const fn height(&self) -> u32 {
        self.y1 - self.y0
    }
    /// Number of pixels.
    pub const fn area(&self) -> u64 {
        self.width() as u64 * self.height() as u64
    }

    /// Returns the pixels that both regions hold.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        Self::new(
            self.x0.max(other.x0),
            self.y0.max(other.y0),
            self.x1.min(other.x1),
            self.y1.min(other.y1),
        )
    }

    /// Tells whether every pixel of `other` lies in `self`.
    pub fn contains(&self, other: &Self) -> bool {
        self.x0 <= other.x0 && self.y0 <= other.y0 && self.x1 >= other.x1 && self.y1 >= other.y1
    }

    /// Intersection over union, 0..=1.
    pub fn iou(&self, other: &Self) -> f64 {
        let both = self.intersect(other).map_or(0, |r| r.area());
        both as f64 / (self.area() + other.area() - both) as f64
    }

    /// Moves the region by (`dx`, `dy`) pixels; `None` where that leaves the positive quadrant.
    pub fn translate(&self, dx: i32, dy: i32) -> Option<Self> {
        Self::new(
            self.x0.checked_add_signed(dx)?,
            self.y0.checked_add_signed(dy)?,
            self.x1.checked_add_signed(dx)?,
            self.y1.checked_add_signed(dy)?,
        )
    }

    /// Takes `px` pixels off each side; `None` where nothing is left.
    pub fn shrink(&self, px: u32) -> Option<Self> {
        Self::new(self.x0 + px, self.y0 + px, self.x1.checked_sub(px)?, self.y1.checked_sub(px)?)
    }

    /// Adds `px` pixels on each side, kept inside `bounds`.
    pub fn grow(&self, px: u32, bounds: &Self) -> Option<Self> {
        Self {
            x0: self.x0.saturating_sub(px),
            y0: self.y0.saturating_sub(px),
            x1: self.x1.saturating_add(px),
            y1: self.y1.saturating_add(px),
        }
        .intersect(bounds)
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        [self.x0, self.y0, self.x1, self.y1].serialize(s)
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let [x0, y0, x1, y1] = <[u32; 4]>::deserialize(d)?;
        Self::new(x0, y0, x1, y1).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "region [{x0}, {y0}, {x1}, {y1}] holds no pixel: give [x0, y0, x1, y1] with x0 < x1 and y0 < y1"
            ))
        })
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Region {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Region".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = <[u32; 4]>::json_schema(generator);
        let words = "[x0, y0, x1, y1] in pixels, half-open: x1 and y1 are the first outside.";
        schema.insert("description".into(), words.into());
        schema
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_region_cannot_be_built_or_read() {
        assert!(Region::new(3, 0, 3, 9).is_none());
        assert!(Region::new(4, 0, 3, 9).is_none());
        assert!(serde_json::from_str::<Region>("[3,0,3,9]").is_err());
    }

    #[test]
    fn iou_is_the_shared_part_of_the_union() {
        let a = Region::new(0, 0, 10, 10).unwrap();
        let b = Region::new(5, 0, 15, 10).unwrap();
        assert!((a.iou(&b) - 50.0 / 150.0).abs() < 1e-12);
        assert!((a.iou(&a) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn translate_refuses_to_leave_the_frame_at_the_left() {
        let a = Region::new(2, 2, 4, 4).unwrap();
        assert!(a.translate(-3, 0).is_none());
        assert_eq!(a.translate(-2, 1), Region::new(0, 3, 2, 5));
    }
}
