//! What the bar's hard end means: by the preset, or by the numbers beside the bar where they are sure. Pure.

use super::{Scale, ScaleFrom};
use crate::layout::labels::{self, Labels};
use crate::layout::{BarScale, StiffnessUnit};
use crate::region::Region;

/// From here on bare numbers are kilopascal: 25 m/s would be 1,900 kPa, and no scanner's bar shows that.
const SURELY_KPA: f32 = 25.0;
/// How far the end of the numbers' line may be off a whole number of steps, in steps.
const OFF_STEP: f32 = 0.15;
/// Steps from the last number that was read to the bar's end, at most.
const UNREAD_STEPS: f32 = 2.3;
/// How far preset and numbers may differ, as a part.
const AGREE: f32 = 0.02;

/// The scale of `bar`. Numbers that clearly say something else than the preset leave none.
pub(super) fn of(bar: &Region, labels: Option<&Labels>, pinned: Option<BarScale>) -> Option<Scale> {
    let read = labels.and_then(|labels| end(labels.scale.as_ref()?, bar, labels.upper_is_hard));
    match (pinned, read) {
        (Some(pinned), read) => {
            let max = pinned.max();
            let agrees = read.is_none_or(|read| (read - max).abs() <= AGREE * max);
            agrees.then_some(Scale { max, unit: pinned.unit(), from: ScaleFrom::Preset })
        }
        (None, Some(max)) if max >= SURELY_KPA => {
            Some(Scale { max, unit: StiffnessUnit::Kpa, from: ScaleFrom::Labels })
        }
        _ => None,
    }
}

/// The value at the hard end: the numbers lie on a line, a whole number of steps apart, and so does the end.
fn end(scale: &labels::Scale, bar: &Region, upper_is_hard: bool) -> Option<f32> {
    let values = &scale.values;
    let least = values.windows(2).map(|p| (p[0].value - p[1].value).abs()).fold(f32::MAX, f32::min);
    let largest = values.iter().map(|l| l.value).fold(0.0, f32::max);
    // Rounded numbers: the largest tells the step best.
    let step = largest / (largest / least).round();
    let n = values.len() as f32;
    let mean = |of: &dyn Fn(&labels::Label) -> f32| values.iter().map(of).sum::<f32>() / n;
    let (y, v) = (mean(&|l| l.y_px), mean(&|l| l.value));
    let spread = mean(&|l| (l.y_px - y).powi(2));
    let slope = mean(&|l| (l.y_px - y) * (l.value - v)) / spread;
    let end_px = if upper_is_hard { bar.y0() } else { bar.y1() } as f32;
    let steps = (v + slope * (end_px - y)) / step;
    let whole = steps.round();
    let max = step * whole;
    let sure = (steps - whole).abs() <= OFF_STEP
        && max > 0.0
        && max > 0.98 * largest
        && (max - largest) / step <= UNREAD_STEPS;
    // The same number of digits that the labels have; false for NaN.
    sure.then(|| (max * 100.0).round() / 100.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layout::labels::Label;

    fn bar() -> Region {
        Region::new(0, 100, 16, 300).unwrap()
    }

    /// Numbers at their places beside a bar of 200 px, `off_px` lower than they should stand.
    fn labels(end: f32, values: &[f32], off_px: f32) -> Labels {
        let values =
            values.iter().map(|&value| Label { value, y_px: 300.0 - 200.0 * value / end + off_px });
        let scale = Some(labels::Scale { values: values.collect() });
        Labels { upper_is_hard: true, numbers: true, scale }
    }

    #[test]
    fn numbers_in_line_tell_the_end_that_has_none() {
        for (end, values) in [
            (150.0, &[120.0, 90.0, 60.0, 30.0][..]),
            (180.0, &[144.0, 108.0, 72.0, 36.0]),
            (100.0, &[100.0, 75.0, 50.0, 25.0, 0.0]),
            (300.0, &[240.0, 120.0, 60.0]),
            // One more number lost at the end.
            (150.0, &[90.0, 60.0, 30.0]),
        ] {
            for off_px in [-3.0, 0.0, 3.0] {
                let scale = of(&bar(), Some(&labels(end, values, off_px)), None).unwrap();
                assert_eq!(
                    scale,
                    Scale { max: end, unit: StiffnessUnit::Kpa, from: ScaleFrom::Labels }
                );
            }
        }
    }

    #[test]
    fn small_numbers_have_no_unit_unless_a_preset_says_so() {
        let speed = labels(10.0, &[8.0, 6.0, 4.0, 2.0], 0.0);
        assert_eq!(of(&bar(), Some(&speed), None), None);
        let pinned = BarScale::new(10.0, StiffnessUnit::MetresPerSecond).unwrap();
        let scale = of(&bar(), Some(&speed), Some(pinned)).unwrap();
        assert_eq!((scale.max, scale.unit, scale.from), (10.0, pinned.unit(), ScaleFrom::Preset));
    }

    #[test]
    fn numbers_that_contradict_the_preset_leave_no_scale() {
        let pinned = BarScale::new(180.0, StiffnessUnit::Kpa).unwrap();
        let values = labels(100.0, &[80.0, 60.0, 40.0, 20.0], 0.0);
        assert_eq!(of(&bar(), Some(&values), Some(pinned)), None);
        assert!(of(&bar(), None, Some(pinned)).is_some());
    }

    #[test]
    fn a_line_that_ends_between_two_steps_is_not_sure() {
        assert_eq!(of(&bar(), Some(&labels(165.0, &[120.0, 90.0, 60.0, 30.0], 0.0)), None), None);
    }
}
