//! What the live path needs: GStreamer, the presets' elements, a model, a place for the socket.

use super::Finding;
use crate::cli::inputs::check_unset;
use crate::config::Loaded;
use crate::ingest::{self, Preset, PresetError};
use crate::scoring;

/// Everything that the configured live path stands on, and the other presets.
pub(super) fn findings(loaded: &Loaded) -> Vec<Finding> {
    let mut all = pipelines(loaded);
    all.push(model(loaded));
    all.push(socket(loaded));
    all
}

fn pipelines(loaded: &Loaded) -> Vec<Finding> {
    const AREA: &str = "pipelines";
    const PACKAGES: &str = "sudo apt-get install gstreamer1.0-plugins-base \
                            gstreamer1.0-plugins-good gstreamer1.0-plugins-bad";
    if let Err(e) = ingest::init() {
        return vec![Finding::missing(AREA, "GStreamer", e.to_string(), PACKAGES)];
    }
    let mut all = vec![Finding::ok(AREA, "GStreamer", ingest::version())];
    let dirs = loaded.preset_dirs();
    let configured = &loaded.config.source.preset;
    let mut names = Preset::list(&dirs);
    if !names.contains(configured) {
        names.insert(0, configured.clone());
    }
    for name in names {
        let is_configured = name == *configured;
        let label = if is_configured { format!("{name} (configured)") } else { name.clone() };
        let checked = if is_configured {
            loaded.preset().and_then(|preset| preset.check().map(|()| preset))
        } else {
            Preset::load(&name, &dirs)
                .and_then(|mut preset| check_unset(&mut preset).map(|_| preset))
        };
        all.push(match checked {
            Ok(preset) => Finding::ok(AREA, label, preset.summary),
            Err(e) => {
                let todo = match &e {
                    PresetError::MissingElements { .. } => String::new(),
                    _ => "sonofuse check".to_owned(),
                };
                let found = e.to_string();
                let found = found.lines().next().unwrap_or_default();
                if is_configured {
                    let todo = if todo.is_empty() { PACKAGES.to_owned() } else { todo };
                    Finding::missing(AREA, label, found, todo)
                } else {
                    Finding::optional(AREA, label, found, todo)
                }
            }
        });
    }
    all
}

fn model(loaded: &Loaded) -> Finding {
    const AREA: &str = "model";
    let config = &loaded.config.model;
    let missing = |found: String| {
        let todo =
            "name a model folder in [model] name, or reinstall: engines/demo comes with sonofuse";
        Finding::missing(AREA, &config.name, found, todo)
    };
    let folder = match loaded.model_dir(&config.name) {
        Ok(folder) => folder,
        Err(e) => return missing(e.to_string()),
    };
    match scoring::load_on(&folder, &loaded.hardware()) {
        Ok(model) => {
            let info = model.info();
            let trained = if info.trained { "" } else { "; UNTRAINED: its scores mean nothing" };
            let why = if info.why.is_empty() { String::new() } else { format!(" ({})", info.why) };
            let found =
                format!("{} on {}{why}, {}{trained}", info.name, info.backend, folder.display());
            let left_open = model.manifest().not_judged();
            let found =
                std::iter::once(found.as_str()).chain(left_open).collect::<Vec<_>>().join("; ");
            Finding::ok(AREA, &config.name, found)
        }
        Err(e) => missing(e.to_string()),
    }
}

fn socket(loaded: &Loaded) -> Finding {
    const AREA: &str = "service";
    const NAME: &str = "readings socket";
    match loaded.config.publish.socket_path() {
        None => Finding::optional(
            AREA,
            NAME,
            "none for this user",
            "set [publish] socket to a path if programs are to read along",
        ),
        Some(path) if path.exists() => {
            Finding::ok(AREA, NAME, format!("{} (a daemon runs, or one left it)", path.display()))
        }
        Some(path) => Finding::ok(AREA, NAME, format!("{} (when running)", path.display())),
    }
}
