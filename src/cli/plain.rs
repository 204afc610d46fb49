//! Text from outside, made fit for a terminal: names of files and what stands in them cannot paint it,
//! move its cursor or forge a line. Pure.

use std::borrow::Cow;

/// Text in one line: each control character, and each that turns the writing round, as Rust writes it
/// (`\n`, `\u{1b}`).
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(commands) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if commands(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Text that may have several lines (an error points into a file): those after the first begin with
/// `indent`, so that none looks like a line of its own.
pub(super) fn block(text: &str, indent: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.trim_end().split('\n').map(plain).collect();
    lines.join(&format!("\n{indent}"))
}

fn commands(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_shown_instead_of_sent() {
        for (text, shown) in [
            ("exam é 乳.mkv", "exam é 乳.mkv"),
            ("a\u{1b}[31m.png", "a\\u{1b}[31m.png"),
            ("a\nsonofuse: fake.png", "a\\nsonofuse: fake.png"),
            ("a\r\t\u{9b}2J", "a\\r\\t\\u{9b}2J"),
            ("gpj.\u{202e}png", "gpj.\\u{202e}png"),
        ] {
            assert_eq!(plain(text), shown);
        }
        assert_eq!(block("at line 1\n  |\n\u{7}", "  "), "at line 1\n    |\n  \\u{7}");
    }
}
