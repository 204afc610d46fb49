//! The committed scenarios. Pure data.

/// Name and text of each.
pub(super) const SUITE: &[(&str, &str)] = &[
    ("bar-covered", include_str!("../../scenarios/bar-covered.toml")),
    ("brightness", include_str!("../../scenarios/brightness.toml")),
    ("cine-loop", include_str!("../../scenarios/cine-loop.toml")),
    ("doppler-in-the-box", include_str!("../../scenarios/doppler-in-the-box.toml")),
    ("freeze-other-map", include_str!("../../scenarios/freeze-other-map.toml")),
    ("freeze-same-map", include_str!("../../scenarios/freeze-same-map.toml")),
    ("geometry", include_str!("../../scenarios/geometry.toml")),
    ("invert", include_str!("../../scenarios/invert.toml")),
    ("invert-pinned", include_str!("../../scenarios/invert-pinned.toml")),
    ("marks-live", include_str!("../../scenarios/marks-live.toml")),
    ("menus", include_str!("../../scenarios/menus.toml")),
    ("mode-off", include_str!("../../scenarios/mode-off.toml")),
    ("next-nodule", include_str!("../../scenarios/next-nodule.toml")),
    ("next-patient", include_str!("../../scenarios/next-patient.toml")),
    ("no-picture", include_str!("../../scenarios/no-picture.toml")),
    ("pan-in-plane", include_str!("../../scenarios/pan-in-plane.toml")),
    ("pan-out-of-plane", include_str!("../../scenarios/pan-out-of-plane.toml")),
    ("persistence", include_str!("../../scenarios/persistence.toml")),
    ("probe-lifted", include_str!("../../scenarios/probe-lifted.toml")),
    ("quality-map", include_str!("../../scenarios/quality-map.toml")),
    ("repeated", include_str!("../../scenarios/repeated.toml")),
    ("signal", include_str!("../../scenarios/signal.toml")),
    ("steady", include_str!("../../scenarios/steady.toml")),
    ("strain-live", include_str!("../../scenarios/strain-live.toml")),
];
