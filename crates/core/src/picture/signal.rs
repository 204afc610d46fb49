//! Is this a picture of a scanner at all? Grabbers go on sending frames when the cable is out: black,
//! blue, colour bars, snow, or a card with a line of text.

use crate::frame::Frame;
use crate::words::Sentence;

/// Samples along each side.
const COLUMNS: u32 = 64;
const LINES: u32 = 36;

/// Largest distance per channel at which two samples are the same colour, in code values.
const SAME: u8 = 12;

type Samples = [[[u8; 3]; COLUMNS as usize]; LINES as usize];

/// Says why the picture is no scanner's, or `None` when it may be one.
///
/// Looks at 64 × 36 pixels, so that it may be asked at every frame.
pub fn no_signal(frame: &Frame) -> Option<Sentence> {
    let (samples, neighbours) = sample(frame);
    let all = || samples.iter().flatten();
    let (mut low, mut high) = ([255u8; 3], [0u8; 3]);
    for p in all() {
        for c in 0..3 {
            low[c] = low[c].min(p[c]);
            high[c] = high[c].max(p[c]);
        }
    }
    let count = (COLUMNS * LINES) as usize;
    let common = most_common(all());
    let same = all().filter(|p| alike(**p, common)).count();
    // One sample in a hundred: the text of a "no signal" card, less than any view.
    if same * 100 >= count * 99 {
        return Some(colour_name(common));
    }
    // A card's caption or logo may be large; no scanner's screen is mostly one flat blue.
    if same * 100 >= count * 80 && colour_name(common) == Sentence::PictureBlue {
        return Some(Sentence::PictureBlue);
    }
    if is_bars(&samples) {
        return Some(Sentence::PictureTestCard);
    }
    let spread = (0..3).map(|c| high[c] - low[c]).max().unwrap_or(0);
    if spread > 100 && is_snow(&samples, &neighbours) {
        return Some(Sentence::PictureSnow);
    }
    None
}

/// The sampled pixels, and the pixel right of each.
fn sample(frame: &Frame) -> (Samples, Samples) {
    let mut samples = [[[0; 3]; COLUMNS as usize]; LINES as usize];
    let mut neighbours = samples;
    let (w, h) = (frame.width(), frame.height());
    for (j, (line, beside)) in samples.iter_mut().zip(&mut neighbours).enumerate() {
        let y = ((2 * j as u32 + 1) * h / (2 * LINES)).min(h - 1);
        for (i, (p, q)) in line.iter_mut().zip(beside).enumerate() {
            let x = ((2 * i as u32 + 1) * w / (2 * COLUMNS)).min(w - 1);
            let mut pair = [[0; 3]; 2];
            let n = if x + 1 < w { 2 } else { 1 };
            frame.rgb_span(y, x, &mut pair[..n]);
            *p = pair[0];
            *q = pair[n - 1];
        }
    }
    (samples, neighbours)
}

fn alike(a: [u8; 3], b: [u8; 3]) -> bool {
    (0..3).all(|c| a[c].abs_diff(b[c]) <= SAME)
}

/// The middle colour of the fullest bin of a 4×4×4 colour cube.
fn most_common<'a>(pixels: impl Iterator<Item = &'a [u8; 3]>) -> [u8; 3] {
    let mut bins = [(0u32, [0u32; 3]); 64];
    for p in pixels {
        let bin = p.iter().fold(0, |k, c| k * 4 + usize::from(c >> 6));
        bins[bin].0 += 1;
        for (sum, code) in bins[bin].1.iter_mut().zip(p) {
            *sum += u32::from(*code);
        }
    }
    let (n, sum) = bins.iter().max_by_key(|b| b.0).copied().unwrap_or((1, [0; 3]));
    sum.map(|s| (s / n.max(1)) as u8)
}

fn colour_name(c: [u8; 3]) -> Sentence {
    let [r, g, b] = c;
    if r.max(g).max(b) < 32 {
        Sentence::PictureBlack
    } else if b > 80 && b > r.saturating_add(50) && b > g.saturating_add(30) {
        Sentence::PictureBlue
    } else {
        Sentence::PictureOneColour
    }
}

/// Vertical bars of five or more saturated colours over the upper half: EBU and SMPTE cards.
fn is_bars(samples: &Samples) -> bool {
    let upper = &samples[2..LINES as usize / 2];
    let Some(first) = upper.first() else { return false };
    // Every line looks like the first, but for the pixels on the borders between the bars.
    let same = upper
        .iter()
        .map(|line| line.iter().zip(first).filter(|(a, b)| alike(**a, **b)).count())
        .min()
        .unwrap_or(0);
    if same * 100 < first.len() * 90 {
        return false;
    }
    let (mut bars, mut run) = (0, 0);
    let mut previous = [0u8; 3];
    for p in first {
        run = if alike(*p, previous) { run + 1 } else { 0 };
        previous = *p;
        let saturated = p.iter().max() > p.iter().min().map(|m| m.saturating_add(90)).as_ref();
        bars += u32::from(run == 2 && saturated);
    }
    bars >= 5
}

/// Neighbouring pixels know nothing of each other: no picture does that, speckle included.
fn is_snow(samples: &Samples, neighbours: &Samples) -> bool {
    let n = f64::from(COLUMNS * LINES);
    let luma = |p: &[u8; 3]| p.iter().map(|c| f64::from(*c)).sum::<f64>();
    let pairs = || samples.iter().flatten().zip(neighbours.iter().flatten());
    let (mut ma, mut mb) = (0.0, 0.0);
    for (a, b) in pairs() {
        ma += luma(a) / n;
        mb += luma(b) / n;
    }
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in pairs() {
        let (x, y) = (luma(a) - ma, luma(b) - mb);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    aa > n * 400.0 && bb > n * 400.0 && ab / (aa * bb).sqrt() < 0.15
}
