//! Keys by the names of `linux/input-event-codes.h`: what keyboards and foot pedals send. Any other key
//! is named by its number (`evtest` shows both).

/// Highest number of a key (`KEY_MAX`).
const HIGHEST: u16 = 0x2ff;

/// Runs of keys whose numbers follow each other.
const RUNS: &[(u16, &[&str])] = &[
    (
        1,
        &[
            "KEY_ESC", "KEY_1", "KEY_2", "KEY_3", "KEY_4", "KEY_5", "KEY_6", "KEY_7", "KEY_8",
            "KEY_9", "KEY_0",
        ],
    ),
    (14, &["KEY_BACKSPACE", "KEY_TAB"]),
    (
        16,
        &["KEY_Q", "KEY_W", "KEY_E", "KEY_R", "KEY_T", "KEY_Y", "KEY_U", "KEY_I", "KEY_O", "KEY_P"],
    ),
    (28, &["KEY_ENTER", "KEY_LEFTCTRL"]),
    (30, &["KEY_A", "KEY_S", "KEY_D", "KEY_F", "KEY_G", "KEY_H", "KEY_J", "KEY_K", "KEY_L"]),
    (44, &["KEY_Z", "KEY_X", "KEY_C", "KEY_V", "KEY_B", "KEY_N", "KEY_M"]),
    (57, &["KEY_SPACE", "KEY_CAPSLOCK"]),
    (
        59,
        &[
            "KEY_F1", "KEY_F2", "KEY_F3", "KEY_F4", "KEY_F5", "KEY_F6", "KEY_F7", "KEY_F8",
            "KEY_F9", "KEY_F10",
        ],
    ),
    (87, &["KEY_F11", "KEY_F12"]),
    (96, &["KEY_KPENTER"]),
    (
        102,
        &[
            "KEY_HOME",
            "KEY_UP",
            "KEY_PAGEUP",
            "KEY_LEFT",
            "KEY_RIGHT",
            "KEY_END",
            "KEY_DOWN",
            "KEY_PAGEDOWN",
            "KEY_INSERT",
            "KEY_DELETE",
        ],
    ),
    (113, &["KEY_MUTE", "KEY_VOLUMEDOWN", "KEY_VOLUMEUP"]),
    (163, &["KEY_NEXTSONG", "KEY_PLAYPAUSE", "KEY_PREVIOUSSONG"]),
    (
        183,
        &[
            "KEY_F13", "KEY_F14", "KEY_F15", "KEY_F16", "KEY_F17", "KEY_F18", "KEY_F19", "KEY_F20",
            "KEY_F21", "KEY_F22", "KEY_F23", "KEY_F24",
        ],
    ),
    (
        0x100,
        &["BTN_0", "BTN_1", "BTN_2", "BTN_3", "BTN_4", "BTN_5", "BTN_6", "BTN_7", "BTN_8", "BTN_9"],
    ),
    (0x110, &["BTN_LEFT", "BTN_RIGHT", "BTN_MIDDLE", "BTN_SIDE", "BTN_EXTRA"]),
    (0x120, &["BTN_TRIGGER", "BTN_THUMB", "BTN_THUMB2", "BTN_TOP"]),
];

/// The number of the key `name` (`KEY_B`, or `48`); `None` for what is no key.
pub(super) fn code(name: &str) -> Option<u16> {
    if let Ok(number) = name.parse() {
        return (1..=HIGHEST).contains(&number).then_some(number);
    }
    RUNS.iter().find_map(|(first, names)| {
        let at = names.iter().position(|known| *known == name)?;
        Some(first + at as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_kernels_header() {
        for (name, number) in [
            ("KEY_ESC", 1),
            ("KEY_0", 11),
            ("KEY_P", 25),
            ("KEY_A", 30),
            ("KEY_L", 38),
            ("KEY_B", 48),
            ("KEY_M", 50),
            ("KEY_SPACE", 57),
            ("KEY_F10", 68),
            ("KEY_F12", 88),
            ("KEY_DELETE", 111),
            ("KEY_PAGEDOWN", 109),
            ("KEY_PREVIOUSSONG", 165),
            ("KEY_F24", 194),
            ("BTN_2", 0x102),
            ("BTN_EXTRA", 0x114),
            ("BTN_TOP", 0x123),
            ("704", 704),
        ] {
            assert_eq!(code(name), Some(number), "{name}");
        }
        for none in ["", "KEY_", "key_b", "0", "768", "-1", "70000"] {
            assert_eq!(code(none), None, "{none}");
        }
    }
}
