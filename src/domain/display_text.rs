//! Names and labels that people read on one line.

/// Returns `text` without the white space around it (Unicode `White_Space`). Returns `None` unless
/// 1 to `max_chars` code points remain and `text` is free of control characters.
pub(super) fn parse(text: &str, max_chars: usize) -> Option<&str> {
    let trimmed = text.trim();
    // All of `text` is searched, because `trim` has removed tabs and line feeds at its ends.
    let is_valid =
        (1..=max_chars).contains(&trimmed.chars().count()) && !text.chars().any(char::is_control);
    is_valid.then_some(trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_counted_in_code_points_and_free_of_control_characters() {
        for (given, kept) in [(" Acme ", "Acme"), ("a", "a"), ("😀😀😀😀", "😀😀😀😀")]
        {
            assert_eq!(parse(given, 4), Some(kept));
        }
        for bad in [
            "",
            "  ",
            "a\0b",
            "a\nb",
            "a\n",
            "\na",
            "a\u{9b}b",
            "😀😀😀😀😀",
        ] {
            assert_eq!(parse(bad, 4), None, "{bad:?}");
        }
    }
}
