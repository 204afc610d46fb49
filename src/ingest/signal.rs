//! Tells from the picture that there is no scanner behind the cable: grabbers go on sending a
//! uniform, blue or colour-bar picture when the signal is lost, and many post no message.
//!
//! Runs on the streaming thread, a few times a second, on sparse samples. A picture that merely
//! stands still is *not* a lost signal: scanners freeze.

use sonofuse_core::frame::Frame;

/// How often a picture is looked at.
const EVERY_NS: u64 = 250_000_000;
/// Looks in a row that must agree before a signal that was there counts as lost.
const AGREE: u32 = 2;

/// Follows the pictures of one stream.
#[derive(Debug, Default)]
pub(super) struct SignalWatch {
    looked_ns: Option<u64>,
    lost_looks: u32,
    verdict: Option<&'static str>,
    samples: Vec<[u8; 3]>,
}

impl SignalWatch {
    /// Looks at `frame` if it is time to; returns why there is no signal, or `None` while there is.
    pub(super) fn observe(&mut self, frame: &Frame, now_ns: u64) -> Option<&'static str> {
        let first = self.looked_ns.is_none();
        if self.looked_ns.is_some_and(|looked| now_ns.saturating_sub(looked) < EVERY_NS) {
            return self.verdict;
        }
        self.looked_ns = Some(now_ns);
        let seen = no_signal(frame, &mut self.samples);
        self.lost_looks = if seen.is_some() { self.lost_looks + 1 } else { 0 };
        if seen.is_none() || first || self.lost_looks >= AGREE {
            self.verdict = seen;
        }
        self.verdict
    }
}

/// Columns and rows of the sample grid: finer than a bar of a test card, coarse enough to be cheap.
const COLUMNS: u32 = 64;
const ROWS: u32 = 36;

/// Why `frame` shows no scanner, or `None`. `samples` is scratch.
fn no_signal(frame: &Frame, samples: &mut Vec<[u8; 3]>) -> Option<&'static str> {
    samples.clear();
    for row in 0..ROWS {
        let y = (2 * row + 1) * frame.height() / (2 * ROWS);
        for column in 0..COLUMNS {
            let x = (2 * column + 1) * frame.width() / (2 * COLUMNS);
            let mut pixel = [[0; 3]];
            frame.rgb_span(y, x, &mut pixel);
            samples.push(pixel[0]);
        }
    }
    let share = |n: usize| n as f64 / samples.len() as f64;

    let blue = samples.iter().filter(|&&[r, g, b]| b >= 80 && b / 2 >= r && b / 3 * 2 >= g).count();
    if share(blue) >= 0.8 {
        return Some("the picture is a blue card");
    }
    let middle = [0, 1, 2].map(|channel| median(samples, channel));
    let near = samples.iter().filter(|pixel| alike(**pixel, middle)).count();
    // A scanner's dark screen still has its texts and bars, some percent of the picture.
    if share(near) >= 0.995 {
        return Some("the picture is one colour");
    }
    bars(samples).then_some("the picture is a colour-bar card")
}

fn alike(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 10)
}

fn median(samples: &[[u8; 3]], channel: usize) -> u8 {
    let mut counts = [0usize; 256];
    for pixel in samples {
        counts[usize::from(pixel[channel])] += 1;
    }
    let mut seen = 0;
    let half = samples.len() / 2;
    counts
        .iter()
        .position(|n| {
            seen += n;
            seen > half
        })
        .unwrap_or(0) as u8
}

/// Vertical bars of at least five saturated colours over the upper half of the picture.
fn bars(samples: &[[u8; 3]]) -> bool {
    let columns = COLUMNS as usize;
    let upper = &samples[..columns * ROWS as usize / 2];
    let (first, rest) = upper.split_at(columns);
    let constant = |column: &usize| {
        rest.iter().skip(*column).step_by(columns).all(|p| alike(*p, first[*column]))
    };
    let steady: Vec<usize> = (0..columns).filter(constant).collect();
    if steady.len() * 100 < columns * 90 {
        return false;
    }
    let saturated = |p: [u8; 3]| {
        let (low, high) = (p.iter().min(), p.iter().max());
        low.zip(high).is_some_and(|(low, high)| high - low > 80)
    };
    let mut colours: Vec<[u8; 3]> = Vec::new();
    for column in steady {
        let pixel = first[column];
        if saturated(pixel) && !colours.iter().any(|c| alike(*c, pixel)) {
            colours.push(pixel);
        }
    }
    colours.len() >= 5
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn picture(paint: impl Fn(u32, u32) -> [u8; 3]) -> Frame {
        let rgb =
            (0..360).flat_map(|y| (0..640).map(move |x| (x, y))).flat_map(|(x, y)| paint(x, y));
        Frame::from_rgb(640, 360, rgb.collect()).unwrap()
    }

    fn verdict(frame: &Frame) -> Option<&'static str> {
        no_signal(frame, &mut Vec::new())
    }

    const BARS: [[u8; 3]; 7] = [
        [191, 191, 191],
        [191, 191, 0],
        [0, 191, 191],
        [0, 191, 0],
        [191, 0, 191],
        [191, 0, 0],
        [0, 0, 191],
    ];

    #[test]
    fn cards_of_grabbers_are_no_signal() {
        let noise = |x: u32, y: u32| ((x * 7 + y * 13) % 5) as u8;
        for (what, frame) in [
            ("black", picture(|x, y| [noise(x, y); 3])),
            ("grey", picture(|_, _| [128; 3])),
            ("blue", picture(|_, _| [10, 10, 200])),
            (
                "blue with a caption",
                picture(|x, y| {
                    if (200..440).contains(&x) && (160..200).contains(&y) {
                        [255; 3]
                    } else {
                        [0, 0, 180]
                    }
                }),
            ),
            (
                "colour bars",
                picture(|x, y| if y < 240 { BARS[(x * 7 / 640) as usize] } else { [20; 3] }),
            ),
        ] {
            assert!(verdict(&frame).is_some(), "{what}");
        }
    }

    #[test]
    fn a_dark_screen_with_some_text_and_a_view_is_a_signal() {
        let frame = picture(|x, y| match (x, y) {
            (250..400, 60..300) => [((x * 31 + y * 17) % 90) as u8; 3],
            (20..90, 20..28) => [220; 3],
            _ => [0; 3],
        });
        assert_eq!(verdict(&frame), None);
    }

    #[test]
    fn a_standing_picture_is_a_signal_and_one_odd_look_is_not_a_loss() {
        let screen = picture(|x, y| [(x / 4) as u8, (y / 2) as u8, 40]);
        let black = picture(|_, _| [0; 3]);
        let mut watch = SignalWatch::default();
        for look in 0..40 {
            assert_eq!(watch.observe(&screen, look * EVERY_NS), None);
        }
        assert_eq!(watch.observe(&black, 40 * EVERY_NS), None);
        assert!(watch.observe(&black, 41 * EVERY_NS).is_some());
        assert_eq!(watch.observe(&screen, 42 * EVERY_NS), None);
    }

    #[test]
    fn a_picture_of_one_pixel_is_looked_at_without_a_panic() {
        let frame = Frame::from_rgb(1, 1, vec![7, 7, 7]).unwrap();
        assert!(verdict(&frame).is_some());
    }
}
