//! Where the panel's parts stand: one arrangement for a strip beside the picture, one for a strip
//! below it. A part whose value is not there leaves its place empty, so that nothing moves when
//! values come and go. Pure.

use super::draw::Area;

/// The places of all parts on a panel, in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Places {
    /// The panel's unit in pixels: letters and gaps are so many units, so that a panel reads the
    /// same at every size.
    pub unit: f32,
    /// The state's mark and word, and the badge of an untrained model.
    pub status: Area,
    /// What to beware of in a score.
    pub notes: Area,
    /// The nodule and plane that the sonographer named; for some seconds what became of evidence.
    pub nodule: Area,
    /// What the number is; `None` where the panel has no line for it.
    pub caption: Option<Area>,
    /// The number.
    pub number: Area,
    /// The words in place of everything that belongs to a number.
    pub words: Area,
    /// The assessment: which way the score leans, and how often that is wrong.
    pub assessment: Area,
    /// Interval and count of elastograms.
    pub evidence: Area,
    /// The scale from 0 to 100 % with the operating point.
    pub gauge: Area,
    /// Stiffness read off the picture: two lines.
    pub stiffness: Area,
    /// The last half minute.
    pub trend: Area,
    /// The screen in miniature; `None` on a panel that has no room for it.
    pub map: Option<Area>,
    /// Where the network's features responded, when that is asked for: beside the miniature. Of
    /// [`Places::explaining`] only; else without a size.
    pub explained: Area,
    /// What scored.
    pub model: Area,
    /// What this is not.
    pub notice: Area,
    /// Lines between the parts.
    pub rules: Vec<Area>,
}

impl Places {
    /// Arranges a panel of `width` × `height` pixels.
    pub fn new(width: u32, height: u32) -> Self {
        let (w, h) = (width.max(1) as f32, height.max(1) as f32);
        if h >= w { Self::upright(w, h) } else { Self::lying(w, h) }
    }

    /// Makes room for an explanation beside the miniature: for these seconds the curve gives way. Nothing else
    /// moves.
    #[must_use]
    pub fn explaining(self) -> Self {
        let trend = self.trend;
        Self { trend: Area { w: 0.0, ..trend }, explained: trend, ..self }
    }

    /// A tall panel, from the top down.
    fn upright(w: f32, h: f32) -> Self {
        let u = (w / 100.0).min(h / 196.0);
        let margin = 6.0 * u;
        let inner = w - 2.0 * margin;
        let at = |y: f32, height: f32| Area::new(margin, y * u, inner, height * u);
        let rule = |y: f32| Area::new(margin, y, inner, 0.4 * u);

        // The foot is laid from below; trend and map share what is left.
        let notice = h - 16.5 * u;
        let model = notice - 20.5 * u;
        let top = 130.0 * u;
        let spare = model - 6.0 * u - top;
        let (trend, map) = if spare >= 42.0 * u {
            let trend = (spare * 0.46).min(44.0 * u);
            let below = (spare - trend - 4.0 * u).min(56.0 * u);
            (
                Area::new(margin, top, inner, trend),
                Area::new(margin, top + trend + 4.0 * u, inner, below),
            )
        } else {
            // A short panel has them side by side.
            let trend = inner * 0.56;
            let rest = inner - trend - 4.0 * u;
            (
                Area::new(margin, top, trend, spare),
                Area::new(margin + trend + 4.0 * u, top, rest, spare),
            )
        };
        Self {
            unit: u,
            status: at(6.5, 7.0),
            nodule: at(17.0, 4.5),
            caption: Some(at(25.0, 4.0)),
            number: at(31.5, 28.0),
            words: at(25.0, 86.0),
            assessment: at(64.0, 5.5),
            evidence: at(73.0, 13.0),
            notes: at(88.5, 4.5),
            gauge: at(95.0, 17.0),
            stiffness: at(114.5, 10.5),
            trend,
            map: Some(map),
            explained: Area::new(0.0, 0.0, 0.0, 0.0),
            model: Area::new(margin, model, inner, 17.5 * u),
            notice: Area::new(margin, notice, inner, 12.0 * u),
            rules: vec![
                Area::new(0.0, 0.0, 0.6 * u, h),
                rule(top - 3.0 * u),
                rule(model - 3.0 * u),
            ],
        }
    }

    /// A wide panel, from the left: state and number, what stands behind it, what was found and how
    /// it went, map, model and notice.
    fn lying(w: f32, h: f32) -> Self {
        let u = (h / 46.0).min(w / 330.0);
        let (margin, gap) = (5.0 * u, 7.0 * u);
        let top = margin;
        let height = h - 2.0 * margin;
        let foot = top + height;

        let (number_w, evidence_w, model_w) = (68.0 * u, 62.0 * u, 84.0 * u);
        let evidence_x = margin + number_w + gap;
        let trend_x = evidence_x + evidence_w + gap;
        let model_x = w - margin - model_w;
        let map_w = (height * 4.0 / 3.0).min(48.0 * u);
        let map_x = model_x - gap - map_w;
        // A narrow panel has no miniature rather than half a curve.
        let with_map = map_x - gap - trend_x >= 60.0 * u;
        let trend_end = if with_map { map_x } else { model_x } - gap;
        let trend_w = trend_end - trend_x;

        let divide = |x: f32| Area::new(x - gap / 2.0, top, 0.4 * u, height);
        let mut rules = vec![Area::new(0.0, 0.0, w, 0.6 * u), divide(trend_x), divide(model_x)];
        if with_map {
            rules.push(divide(map_x));
        }
        let number_end = evidence_x + evidence_w;
        Self {
            unit: u,
            status: Area::new(margin, top, number_end - margin, 7.0 * u),
            notes: Area::new(margin + 46.0 * u, top - 0.9 * u, 46.0 * u, 9.0 * u),
            nodule: Area::new(trend_x, top, trend_w * 0.42, 4.5 * u),
            caption: None,
            number: Area::new(margin, top + 10.0 * u, number_w, height - 11.0 * u),
            words: Area::new(margin, top + 9.5 * u, number_end - margin, height - 9.0 * u),
            assessment: Area::new(trend_x + trend_w * 0.45, top, trend_w * 0.55, 4.5 * u),
            evidence: Area::new(evidence_x, top + 9.2 * u, evidence_w, 11.0 * u),
            gauge: Area::new(evidence_x, foot - 14.6 * u, evidence_w, 14.8 * u),
            stiffness: Area::new(trend_x, top + 6.6 * u, trend_w, 3.6 * u),
            trend: Area::new(trend_x, top + 13.0 * u, trend_w, height - 13.0 * u),
            map: with_map.then(|| Area::new(map_x, top, map_w, height)),
            explained: Area::new(0.0, 0.0, 0.0, 0.0),
            model: Area::new(model_x, top, model_w, 17.5 * u),
            notice: Area::new(model_x, foot - 10.0 * u, model_w, 10.0 * u),
            rules,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::canvas::Canvas;
    use super::*;

    fn apart(a: &Area, b: &Area) -> bool {
        const SLACK_PX: f32 = 0.01;
        a.right() <= b.x + SLACK_PX
            || b.right() <= a.x + SLACK_PX
            || a.bottom() <= b.y + SLACK_PX
            || b.bottom() <= a.y + SLACK_PX
    }

    proptest! {
        #[test]
        fn no_part_stands_on_another_or_leaves_the_panel(
            w in 1u32..=4096, h in 1u32..=4096, explaining: bool,
        ) {
            let strip = Canvas::new(w, h).strip;
            let at = Places::new(strip.width(), strip.height());
            let at = if explaining { at.explaining() } else { at };
            let mut parts = vec![
                ("nodule", at.nodule),
                ("number", at.number),
                ("assessment", at.assessment),
                ("evidence", at.evidence),
                ("notes", at.notes),
                ("gauge", at.gauge),
                ("stiffness", at.stiffness),
                ("model", at.model),
                ("notice", at.notice),
            ];
            if at.trend.w > 0.0 {
                parts.push(("trend", at.trend));
            }
            if explaining {
                parts.push(("explained", at.explained));
            }
            parts.extend(at.caption.map(|c| ("caption", c)));
            parts.extend(at.map.map(|m| ("map", m)));
            for (i, (name, a)) in parts.iter().enumerate() {
                prop_assert!(a.w > 0.0 && a.h > 0.0, "{name}: {a:?} of {strip:?}");
                prop_assert!(a.x >= 0.0 && a.right() <= strip.width() as f32, "{name}: {a:?}");
                prop_assert!(a.y >= 0.0 && a.bottom() <= strip.height() as f32, "{name}: {a:?}");
                for (other, b) in &parts[..i] {
                    prop_assert!(apart(a, b), "{name} {a:?} on {other} {b:?} of {strip:?}");
                }
            }
        }
    }
}
