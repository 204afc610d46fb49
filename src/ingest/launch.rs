//! From a preset's text to a GStreamer source bin with one pad.
//!
//! Nothing is opened here: the elements stay in `NULL`. Parameters are set as `GObject` properties
//! and never pasted into the text, so no value can add an element. Runs on the caller's thread.

use std::path::Path;

use gst::prelude::*;

use super::preset::{Missing, Param, Preset, PresetError};
use super::{colorimetry, elements, headers};

/// Name that the launch text gives to its last element.
const OUT: &str = "out";

/// Builds the preset's source as a bin with the pad `src`.
pub(super) fn build(preset: &Preset) -> Result<gst::Bin, PresetError> {
    if preset.is_none() {
        return Err(PresetError::NotSetUp);
    }
    // What a running bin will look for (`decodebin`'s decoder) is not in the text: ask first.
    let absent = |name: &str| !elements::installed(name);
    // "a | b": any of them will do.
    let unmet = |names: &&String| names.split('|').all(|name| absent(name.trim()));
    let mut missing: Vec<String> = preset.needs.keys().filter(unmet).cloned().collect();

    let mut context = gst::ParseContext::new();
    let parsed = gst::parse::bin_from_description_with_name_full(
        &preset.launch,
        // `true` would also ghost the pad behind a delayed link (rtspsrc, decodebin) and break it.
        false,
        "source",
        Some(&mut context),
        gst::ParseFlags::FATAL_ERRORS,
    );
    // The context also lists elements whose properties it could not set.
    missing.extend(context.missing_elements().into_iter().filter(|name| absent(name)));
    missing.sort_unstable();
    missing.dedup();
    if let Some(factory) = missing
        .iter()
        .find(|name| !elements::allowed(name) && !preset.needs.contains_key(name.as_str()))
    {
        return Err(not_allowed(preset, factory));
    }
    if !missing.is_empty() {
        return Err(PresetError::MissingElements {
            file: preset.file.clone(),
            elements: missing.into_iter().map(|name| tell_package(preset, name)).collect(),
        });
    }
    let bin = parsed
        .map_err(|e| preset.launch_error(e.message().to_owned()))?
        .downcast::<gst::Bin>()
        .map_err(|_| preset.launch_error("it is not a chain of elements".to_owned()))?;

    let mut elements = Vec::new();
    collect(&bin, true, &mut elements).map_err(|factory| not_allowed(preset, &factory))?;
    let out = bin.by_name(OUT).ok_or_else(|| {
        preset.launch_error(
            "name the last element `name=out`, so that its pictures are taken".to_owned(),
        )
    })?;
    let pad = out.static_pad("src").filter(|pad| !pad.is_linked()).ok_or_else(|| {
        preset.launch_error(
            "the element with `name=out` must be the last one and give one stream".to_owned(),
        )
    })?;
    unlinked(&elements, &pad).map_or(Ok(()), |problem| Err(preset.launch_error(problem)))?;
    set_params(preset, &bin)?;
    elements.iter().for_each(pictures_only);

    if let Some(stated) = preset.colorimetry {
        colorimetry::state(&pad, stated);
    }
    let ghost = gst::GhostPad::builder_with_target(&pad)
        .map_err(|e| preset.launch_error(e.to_string()))?
        .name("src")
        .build();
    bin.add_pad(&ghost).map_err(|e| preset.launch_error(e.to_string()))?;
    Ok(bin)
}

/// All elements of a bin, also those of bins inside it.
pub(super) fn elements_of(bin: &gst::Bin) -> Vec<gst::Element> {
    bin.iterate_recurse().into_iter().flatten().collect()
}

/// Gathers the elements that the text names, held to the allow-list; what a ready-made bin
/// (`decodebin`) is built of is held to the wider list. The error is the name of a factory.
fn collect(bin: &gst::Bin, from_text: bool, found: &mut Vec<gst::Element>) -> Result<(), String> {
    for element in bin.iterate_elements().into_iter().flatten() {
        let factory = factory_name(&element);
        let fits = if from_text {
            elements::allowed(&factory)
        } else {
            elements::admitted_inside(&element)
        };
        if !fits {
            return Err(factory);
        }
        if let Some(inner) = element.downcast_ref::<gst::Bin>() {
            collect(inner, from_text && factory == "bin", found)?;
        }
        if from_text {
            found.push(element);
        }
    }
    Ok(())
}

fn not_allowed(preset: &Preset, factory: &str) -> PresetError {
    PresetError::NotAllowed {
        file: preset.file.clone(),
        factory: factory.to_owned(),
        allowed: elements::allowed_names(),
    }
}

fn tell_package(preset: &Preset, element: String) -> Missing {
    let package = preset
        .needs
        .get(&element)
        .cloned()
        .or_else(|| elements::package(&element).map(str::to_owned));
    Missing { element, package }
}

/// Finds a forgotten `!`: an output pad other than `out`'s that leads nowhere, or more open inputs
/// than there are elements that link themselves once they run.
fn unlinked(elements: &[gst::Element], out: &gst::Pad) -> Option<String> {
    let says = |element: &gst::Element, what: &str| {
        Some(format!("{} ({}) {what}: is a `!` missing?", element.name(), factory_name(element)))
    };
    let mut delayed = 0;
    let mut open = Vec::new();
    for element in elements.iter().filter(|e| factory_name(e) != "bin") {
        let later = element.pad_template_list().iter().any(|template| {
            template.direction() == gst::PadDirection::Src
                && template.presence() == gst::PadPresence::Sometimes
        });
        delayed += usize::from(later);
        for pad in element.pads() {
            if pad.is_linked() || pad == *out {
                continue;
            }
            match pad.direction() {
                gst::PadDirection::Src => return says(element, "leads nowhere"),
                _ => open.push(element),
            }
        }
    }
    if open.len() > delayed { says(open[0], "gets no input") } else { None }
}

fn factory_name(element: &gst::Element) -> String {
    element.factory().map_or_else(|| "bin".to_owned(), |f| f.name().to_string())
}

fn set_params(preset: &Preset, bin: &gst::Bin) -> Result<(), PresetError> {
    for (name, param) in &preset.params {
        let (element, spec) = target(preset, bin, name, param)?;
        let Some(text) = preset.value(name) else {
            return Err(preset.param_error(
                name,
                format!(
                    "has no value: give it `default` in the preset or set it for this run ({})",
                    param.description
                ),
            ));
        };
        let value = typed(&text, &spec)
            .ok_or_else(|| preset.param_error(name, not_a_value(&text, &spec)))?;
        element.set_property_from_value(&param.property, &value);
        // Our own source keeps its skin when it is told one that does not exist.
        let taken = factory_name(&element) != "sonofusesimsrc"
            || element.property_value(&param.property).serialize().ok() == value.serialize().ok();
        if !taken {
            let blurb = spec.blurb().unwrap_or_default();
            return Err(preset.param_error(name, format!("{text:?} is not one: {blurb}")));
        }
    }
    Ok(())
}

fn target(
    preset: &Preset,
    bin: &gst::Bin,
    name: &str,
    param: &Param,
) -> Result<(gst::Element, gst::glib::ParamSpec), PresetError> {
    let element = bin.by_name(&param.element).ok_or_else(|| {
        preset.param_error(
            name,
            format!("source.launch has no element with `name={}`", param.element),
        )
    })?;
    let spec = element.find_property(&param.property).ok_or_else(|| {
        preset.param_error(
            name,
            format!("{} has no property {:?}", factory_name(&element), param.property),
        )
    })?;
    if !spec.flags().contains(gst::glib::ParamFlags::WRITABLE) {
        return Err(preset.param_error(
            name,
            format!(
                "the property {:?} of {} cannot be set",
                param.property,
                factory_name(&element)
            ),
        ));
    }
    Ok((element, spec))
}

/// Reads `text` as the property's type; `None` when it is not one or is out of range.
fn typed(text: &str, spec: &gst::glib::ParamSpec) -> Option<gst::glib::Value> {
    if spec.value_type() == gst::glib::Type::STRING {
        // GStreamer would read quotes and escapes.
        return Some(text.to_value());
    }
    let value = gst::glib::Value::deserialize_with_pspec(text, spec).ok()?;
    in_range(&value, spec).then_some(value)
}

fn not_a_value(text: &str, spec: &gst::glib::ParamSpec) -> String {
    let kind = spec.value_type();
    let allowed = if let Some(values) = gst::glib::EnumClass::with_type(kind) {
        let nicks = values.values().iter().map(|v| v.nick().to_owned()).collect::<Vec<_>>();
        format!("one of {}", nicks.join(", "))
    } else {
        range_of(spec).unwrap_or_else(|| kind.name().to_owned())
    };
    format!("{text:?} does not fit the property {:?}: it takes {allowed}", spec.name())
}

/// Smallest and largest value of a numeric property, as numbers.
fn limits(spec: &gst::glib::ParamSpec) -> Option<(f64, f64)> {
    use gst::glib::{
        ParamSpecDouble, ParamSpecFloat, ParamSpecInt, ParamSpecInt64, ParamSpecUInt,
        ParamSpecUInt64,
    };
    macro_rules! first_of {
        ($($kind:ty),*) => {$(
            if let Some(spec) = spec.downcast_ref::<$kind>() {
                return Some((spec.minimum() as f64, spec.maximum() as f64));
            }
        )*};
    }
    first_of!(
        ParamSpecInt,
        ParamSpecUInt,
        ParamSpecInt64,
        ParamSpecUInt64,
        ParamSpecFloat,
        ParamSpecDouble
    );
    None
}

/// Setting a property to a number beyond its range would be a programming error to `GObject`.
fn in_range(value: &gst::glib::Value, spec: &gst::glib::ParamSpec) -> bool {
    let Some((low, high)) = limits(spec) else { return true };
    value
        .transform::<f64>()
        .ok()
        .and_then(|number| number.get::<f64>().ok())
        .is_some_and(|number| (low..=high).contains(&number))
}

fn range_of(spec: &gst::glib::ParamSpec) -> Option<String> {
    if let Some((low, high)) = limits(spec) {
        return Some(format!("a number from {low} to {high}"));
    }
    spec.is::<gst::glib::ParamSpecBoolean>().then(|| "true or false".to_owned())
}

/// Tells early, in our words, why a source would fail: its file is not there or not readable, its
/// address is of another kind.
pub(super) fn check_places(preset: &Preset, bin: &gst::Bin) -> Result<(), PresetError> {
    for element in elements_of(bin) {
        let kind = factory_name(&element);
        if !["filesrc", "rtspsrc"].contains(&kind.as_str()) {
            continue;
        }
        let location = element.property::<Option<String>>("location").unwrap_or_default();
        let key = preset
            .params
            .iter()
            .find(|(_, p)| p.property == "location" && p.element == element.name().as_str())
            .map_or("location", |(name, _)| name.as_str());
        if kind == "rtspsrc" {
            if !(location.starts_with("rtsp") && location.contains("://")) {
                // Not repeated: a password may stand in it.
                let words = "the address must begin with rtsp:// or rtsps://";
                return Err(preset.param_error(key, words.to_owned()));
            }
            continue;
        }
        readable(Path::new(&location))
            .map_err(|problem| preset.param_error(key, format!("{location} {problem}")))?;
    }
    Ok(())
}

/// Why `path` cannot be read as a video or image, in some words that follow its name.
pub(super) fn readable(path: &Path) -> Result<(), String> {
    // Before opening: to open a pipe would wait for its writer.
    let meta = std::fs::metadata(path).map_err(|e| format!("cannot be opened: {e}"))?;
    if meta.is_dir() {
        return Err("is a directory, not a video or an image".to_owned());
    }
    if !meta.is_file() {
        return Err("is not a regular file: only video and image files are read".to_owned());
    }
    if meta.len() == 0 {
        return Err("is empty (0 bytes)".to_owned());
    }
    headers::check(path).map_err(|e| format!("cannot be opened: {e}"))?
}

/// Keeps a `decodebin` to what we can use: no sound and no subtitles are decoded (its properties
/// `caps` and `expose-all-streams` would do that, but then it refuses RTP and parsers too), and no
/// element is taken that opens other places or leaves its pictures in a device's memory.
pub(super) fn pictures_only(element: &gst::Element) {
    if factory_name(element) != "decodebin" {
        return;
    }
    element.connect("autoplug-continue", false, |args| {
        let caps = args.get(2)?.get::<gst::Caps>().ok()?;
        let kind = caps.structure(0).map_or("", |s| s.name().as_str());
        let other = ["audio/", "text/", "subpicture/", "closedcaption/", "application/x-sub"]
            .iter()
            .any(|prefix| kind.starts_with(prefix));
        Some((!other).to_value())
    });
    // The answer's type belongs to a plug-in and is known by name only.
    let answers = gst::glib::Type::from_name("GstAutoplugSelectResult")
        .and_then(gst::glib::EnumClass::with_type);
    let Some(answers) = answers else { return };
    element.connect("autoplug-select", false, move |args| {
        let caps = args.get(2)?.get::<gst::Caps>().ok()?;
        let factory = args.get(3)?.get::<gst::ElementFactory>().ok()?;
        let plug = elements::may_be_plugged(&factory, &caps);
        answers.to_value_by_nick(if plug { "try" } else { "skip" })
    });
}

/// Lets a source run as fast as its reader takes frames: no clock, no live pace.
pub(super) fn unpace(bin: &gst::Bin) {
    for element in elements_of(bin) {
        // Not `rtspsrc`, which has `is-live` too: a network stream has its own pace.
        let property = match factory_name(&element).as_str() {
            "clocksync" | "identity" => "sync",
            "sonofusesimsrc" | "videotestsrc" | "imagefreeze" => "is-live",
            _ => continue,
        };
        element.set_property(property, false);
    }
}
