//! Entity tags (RFC 9110, section 8.8.3): an organization's version in double quotes.

use crate::domain::organization::VersionCondition;

/// The strong tag of `version`.
pub(super) fn of(version: i64) -> String {
    format!("\"{version}\"")
}

/// Reads `If-Match`: `*` or a list of tags, compared strongly. What is not a strong tag matches nothing.
pub(super) fn if_match(header: Option<&str>) -> VersionCondition {
    match header.map(str::trim) {
        None | Some("*") => VersionCondition::Any,
        Some(list) => VersionCondition::OneOf(
            members(list)
                .filter_map(opaque)
                .map(str::to_owned)
                .collect(),
        ),
    }
}

/// Whether `If-None-Match` names `tag`: `*` or a list of tags, compared weakly.
pub(super) fn is_none_match(header: Option<&str>, tag: &str) -> bool {
    match header.map(str::trim) {
        None => true,
        Some("*") => false,
        Some(list) => {
            members(list).all(|member| member.strip_prefix("W/").unwrap_or(member) != tag)
        }
    }
}

fn members(list: &str) -> impl Iterator<Item = &str> {
    // A comma inside a tag would split it, but none of our tags has one.
    list.split(',').map(str::trim)
}

fn opaque(tag: &str) -> Option<&str> {
    tag.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_admits_the_star_and_strong_tags_only() {
        let table = [
            (None, true),
            (Some("*"), true),
            (Some("\"7\""), true),
            (Some("\"6\", \"7\""), true),
            (Some(" \"7\" "), true),
            (Some("W/\"7\""), false),
            (Some("\"70\""), false),
            (Some("7"), false),
            (Some("\""), false),
            (Some(""), false),
        ];
        for (header, admitted) in table {
            assert_eq!(if_match(header).admits(7), admitted, "{header:?}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let table = [
            (None, true),
            (Some("*"), false),
            (Some("\"7\""), false),
            (Some("W/\"7\""), false),
            (Some("\"6\",W/\"7\""), false),
            (Some("\"6\""), true),
            (Some("7"), true),
        ];
        for (header, unmatched) in table {
            assert_eq!(is_none_match(header, &of(7)), unmatched, "{header:?}");
        }
    }
}
