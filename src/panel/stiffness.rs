//! What the panel says of stiffness: numbers and units, and that they are read off the screen. Never what
//! they mean. Pure.

use sonofuse_core::stiffness::Stiffness;
use sonofuse_core::words::{Label, Language};

use super::draw::{Area, DIM, Painter, TEXT, Type};
use super::state::PanelState;

/// The words of one map, rounded as they are shown; each in forms from long to short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The values.
    values: Vec<String>,
    /// What stands below them.
    below: Vec<String>,
    /// Both in one line.
    whole: Vec<String>,
}

impl Said {
    /// `None` where there is nothing to say.
    pub(super) fn of(stiffness: &Stiffness, language: &Language) -> Option<Self> {
        let say = |quantity| stiffness.say(quantity).map(|said| said.to_string());
        let off = language.label(Label::OffTheScreen);
        let value = |label, value: &str| language.fill(label, &[("value", &value)]);
        let ratio = stiffness.say_ratio();
        let of_ratio = |label, ratio: &str| language.fill(label, &[("ratio", &ratio)]);
        let Some(mean) = say(stiffness.mean) else {
            let ratio = ratio?;
            let values = vec![
                of_ratio(Label::StiffnessNoScale, &ratio),
                of_ratio(Label::StiffnessOnlyRatio, &ratio),
            ];
            return Some(Self {
                below: vec![off.to_owned()],
                whole: values.iter().chain([&ratio]).map(|v| format!("{v}, {off}")).collect(),
                values,
            });
        };
        let bare = |quantity| stiffness.say(quantity).map(|said| format!("{said:#}"));
        let with = |mean: &str, name| {
            let circle = value(name, &say(stiffness.circle_2mm)?);
            Some(format!("{}, {circle}", value(Label::StiffnessMean, mean)))
        };
        let long = with(&mean, Label::StiffnessStiffest);
        let short = bare(stiffness.mean).and_then(|mean| with(&mean, Label::Stiffness2mm));
        let mean = value(Label::StiffnessMean, &mean);
        let rest = [
            say(stiffness.p99).map(|v| value(Label::StiffnessP99, &v)),
            ratio.map(|r| of_ratio(Label::StiffnessRatio, &r)),
        ];
        let rest: Vec<String> = rest.into_iter().flatten().collect();
        let below = |n: usize| {
            let mut words = rest.get(..n.min(rest.len())).unwrap_or_default().to_vec();
            words.push(off.to_owned());
            words.join(", ")
        };
        let forms: Vec<String> = [long, short, Some(mean)].into_iter().flatten().collect();
        Some(Self {
            whole: forms.iter().map(|form| format!("{form}, {off}")).collect(),
            values: forms,
            below: vec![below(2), below(1), below(0)],
        })
    }
}

/// Two lines, or one on a panel that has no room for two.
pub(super) fn draw(p: &mut Painter, state: &PanelState, area: Area, u: f32) {
    let Some(said) = &state.stiffness else { return };
    let fit = |set: Type, forms: &[String]| {
        let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
        set.first_fit(&forms, area.w)
    };
    let value = Type::bold(5.0 * u, TEXT);
    let small = Type::regular(4.6 * u, DIM);
    if area.h < value.cap_height() + small.cap_height() + 1.5 * u {
        let set = Type::bold(4.8 * u, TEXT);
        p.text(area.x, area.y, set, &fit(set, &said.whole));
        return;
    }
    p.text(area.x, area.y + 1.4 * u, value, &fit(value, &said.values));
    p.text(area.x, area.bottom() - small.cap_height(), small, &fit(small, &said.below));
}
