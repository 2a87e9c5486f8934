//! Texts that people read: what they may contain, and which characters can be seen.

use std::borrow::Cow;

use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, NoncharacterCodePoint,
    PrependedConcatenationMark,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Characters of other categories than the invisible ones whose glyph is empty: the Braille pattern
/// without dots, the null notehead, the Khitan filler, and the blank Egyptian hieroglyphs.
/// <https://www.unicode.org/Public/UCD/latest/ucd/UnicodeData.txt>
const BLANK: [char; 5] = [
    '\u{2800}',
    '\u{1d159}',
    '\u{16fe4}',
    '\u{13441}',
    '\u{13442}',
];

/// Message about a text without a visible character.
pub(super) const INVISIBLE: &str = "must have at least one visible character";

/// Message about a name or a label that readers could take for another.
const MISLEADING: &str =
    "must have no bidirectional embeddings, overrides or isolates, and no line separators";

/// Returns whether a reader sees `c`. White space, control characters, characters that only
/// change how others are shown (Unicode `Default_Ignorable_Code_Point`, category `Cf`), blank
/// glyphs and noncharacters are invisible.
pub fn is_visible(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    // Numbers in Arabic and other scripts begin with a visible mark of the category `Cf`.
    let is_format = category == GeneralCategory::Format
        && !CodePointSetData::new::<PrependedConcatenationMark>().contains(c);
    !(c.is_whitespace()
        || c.is_control()
        || is_format
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointSetData::new::<NoncharacterCodePoint>().contains(c)
        || BLANK.contains(&c))
}

/// Checks a name or a label and returns it without the white space around it (Unicode
/// `White_Space`).
///
/// # Errors
/// The broken rule.
pub(super) fn parse(text: &str, max_chars: usize) -> Result<&str, Cow<'static, str>> {
    let trimmed = text.trim();
    let is_fit = (1..=max_chars).contains(&trimmed.chars().count());
    // All of `text` is searched, because `trim` has removed tabs and line feeds at its ends.
    if !is_fit || text.chars().any(char::is_control) {
        return Err(format!(
            "must be 1 to {max_chars} characters after trimming, with no control characters"
        )
        .into());
    }
    if trimmed.chars().any(is_misleading) {
        return Err(MISLEADING.into());
    }
    if !has_visible(trimmed) {
        return Err(INVISIBLE.into());
    }
    Ok(trimmed)
}

/// Returns whether `text` has a visible character.
pub(super) fn has_visible(text: &str) -> bool {
    text.chars().any(is_visible)
}

/// Returns whether `text` has a letter of any script. The fillers of Hangul count as letters in
/// Unicode, but not here.
pub(super) fn has_letter(text: &str) -> bool {
    // Not `is_alphabetic`, because some combining marks are.
    let categories = CodePointMapData::<GeneralCategory>::new();
    let is_letter = |c| GeneralCategoryGroup::Letter.contains(categories.get(c));
    text.chars().any(|c| is_letter(c) && is_visible(c))
}

/// Returns whether `c` can make a line look like another text: it changes the order of what
/// follows, or breaks the line. Marks of a direction are harmless, and common in texts of two
/// directions.
fn is_misleading(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_trimmed_counted_in_code_points_and_free_of_control_characters() {
        for (given, kept) in [(" Acme ", "Acme"), ("a", "a"), ("😀😀😀😀", "😀😀😀😀")]
        {
            assert_eq!(parse(given, 4), Ok(kept));
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
            let rule = "must be 1 to 4 characters after trimming, with no control characters";
            assert_eq!(parse(bad, 4), Err(rule.into()), "{bad:?}");
        }
    }

    #[test]
    fn text_without_a_visible_character_is_refused() {
        for c in INVISIBLE_CHARACTERS {
            assert!(!is_visible(c), "{c:?}");
            let rule = parse(&format!("a{c}"), 4).err();
            assert!(rule.is_none_or(|rule| rule != INVISIBLE), "{c:?}");
            assert!(parse(&format!("{c}{c}"), 4).is_err(), "{c:?}");
            assert!(!has_visible(&format!("{c} \n{c}")), "{c:?}");
        }
        assert_eq!(parse("\u{200b}\u{200d}", 4), Err(INVISIBLE.into()));
    }

    /// One or more of each kind: white space, controls, format characters, fillers, blank glyphs,
    /// variation selectors, tags and noncharacters.
    const INVISIBLE_CHARACTERS: [char; 36] = [
        ' ',
        '\t',
        '\u{a0}',
        '\u{2003}',
        '\u{3000}',
        '\0',
        '\u{7f}',
        '\u{9b}',
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{1160}',
        '\u{17b4}',
        '\u{180e}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{202e}',
        '\u{2060}',
        '\u{2068}',
        '\u{2800}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{fdd0}',
        '\u{ffff}',
        '\u{1d159}',
        '\u{1d173}',
        '\u{10ffff}',
        '\u{e0001}',
        '\u{e0041}',
        '\u{e0100}',
    ];

    #[test]
    fn joiners_marks_and_letters_of_every_script_are_welcome_beside_visible_characters() {
        for text in [
            "👩\u{200d}👩\u{200d}👧",
            "❤\u{fe0f}",
            "🏴\u{e0067}\u{e0062}\u{e007f}",
            "نامه\u{200c}ها",
            "\u{200f}שלום\u{200e}",
            "e\u{301}",
            "\u{301}",
            "\u{600}12",
            "क्\u{200d}ष",
            "株式会社\u{3000}花",
            ".",
        ] {
            assert_eq!(parse(text, 40), Ok(text), "{text:?}");
        }
    }

    #[test]
    fn bidirectional_controls_and_line_separators_are_refused_in_names() {
        let controls = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
        for c in controls.chain(['\u{2028}', '\u{2029}']) {
            let text = format!("a{c}b");
            assert_eq!(parse(&text, 4), Err(MISLEADING.into()), "{text:?}");
        }
    }

    #[test]
    fn a_letter_is_alphabetic_in_any_script_and_visible() {
        for text in ["a", "Ж", "字", "ا", "…ß", "가"] {
            assert!(has_letter(text), "{text:?}");
        }
        for text in [
            "",
            ".",
            "1 2",
            "😀",
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{ffa0}",
            "\u{301}",
            "\u{345}",
            "\u{e000}",
        ] {
            assert!(!has_letter(text), "{text:?}");
        }
    }
}
