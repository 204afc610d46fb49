//! Outlines of characters: from the embedded font, and what it lacks (Chinese) from a font of this machine, which
//! is looked for once, where Debian's packages put them. Pure but for reading that font.

use std::path::Path;
use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, FontVec, Glyph, OutlinedGlyph, PxScale, ScaleFont, point};
use sonofuse_core::words::is_cjk;

/// Weight of the embedded font.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

static REGULAR: &[u8] = include_bytes!("../../assets/fonts/DejaVuSansCondensed.ttf");
static BOLD: &[u8] = include_bytes!("../../assets/fonts/DejaVuSansCondensed-Bold.ttf");

/// DejaVu Sans: units an em, and ascent plus descent, which is what a size in pixels means here.
const EM: f32 = 2048.0;
const HEIGHT: f32 = 2384.0;

/// Debian's package of the Chinese font that `doctor` names.
pub const CJK_PACKAGE: &str = "fonts-wqy-microhei";

/// Where Chinese fonts are, and which one of their file it is.
const CJK: &[(&str, u32)] = &[
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 0),
    ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", 0),
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf", 0),
    ("/usr/share/fonts/truetype/arphic/uming.ttc", 0),
];

/// A font file of this machine is at most so large, bytes.
const MAX_BYTES: u64 = 64 << 20;

fn latin(weight: Weight) -> &'static FontRef<'static> {
    static FONTS: OnceLock<[FontRef<'static>; 2]> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        [REGULAR, BOLD].map(|data| FontRef::try_from_slice(data).expect("the embedded font is one"))
    });
    match weight {
        Weight::Regular => &fonts[0],
        Weight::Bold => &fonts[1],
    }
}

fn cjk() -> Option<&'static (&'static Path, FontVec)> {
    static FOUND: OnceLock<Option<(&'static Path, FontVec)>> = OnceLock::new();
    let find = || {
        CJK.iter().find_map(|(path, index)| {
            let path = Path::new(*path);
            let size = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.len();
            let data = (size <= MAX_BYTES).then(|| std::fs::read(path).ok()).flatten()?;
            // A damaged file, or another font under this name.
            let font = FontVec::try_from_vec_and_index(data, *index).ok()?;
            (font.glyph_id('弹').0 != 0).then_some((path, font))
        })
    };
    FOUND.get_or_init(find).as_ref()
}

/// The Chinese font of this machine; `None` where there is none that is known.
pub fn cjk_font() -> Option<&'static Path> {
    cjk().map(|(path, _)| *path)
}

/// How far the pen goes for `c`, in pixels.
pub(super) fn advance(c: char, weight: Weight, px: f32) -> f32 {
    if let Some((font, scale)) = other(c, px) {
        return font.as_scaled(scale).h_advance(font.glyph_id(c));
    }
    let font = latin(weight).as_scaled(px);
    font.h_advance(font.glyph_id(c))
}

/// The outline of `c` with the pen at `x` on `baseline`; `None` where nothing is drawn (a space).
pub(super) fn outline(
    c: char,
    weight: Weight,
    px: f32,
    x: f32,
    baseline: f32,
) -> Option<OutlinedGlyph> {
    if let Some((font, scale)) = other(c, px) {
        let glyph: Glyph = font.glyph_id(c).with_scale_and_position(scale, point(x, baseline));
        return font.outline_glyph(glyph);
    }
    let font = latin(weight).as_scaled(px);
    let mut glyph = font.scaled_glyph(c);
    glyph.position = point(x, baseline);
    font.outline_glyph(glyph)
}

/// Whether a bold `c` is drawn from a font that has no bold: it is drawn twice then.
pub(super) fn lacks_bold(c: char) -> bool {
    is_cjk(c)
}

/// The other font for what the embedded one lacks, at the size at which their ems are alike.
fn other(c: char, px: f32) -> Option<(&'static FontVec, PxScale)> {
    if !is_cjk(c) {
        return None;
    }
    let (_, font) = cjk()?;
    let em = px * EM / HEIGHT;
    let scale = em * font.height_unscaled() / font.units_per_em()?;
    Some((font, PxScale::from(scale)))
}
