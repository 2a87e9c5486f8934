//! Entity tags (RFC 9110, section 8.8.3): an organization's version in double quotes.

use crate::domain::organization::VersionCondition;

/// The strong tag of `version`.
pub(super) fn of(version: i64) -> String {
    format!("\"{version}\"")
}

/// Reads `If-Match`: `*` or a list of tags, compared strongly.
pub(super) fn if_match(header: Option<&str>) -> VersionCondition {
    match header.map(str::trim) {
        None | Some("*") => VersionCondition::Any,
        Some(list) => {
            let strong = tags(list).into_iter().filter(|tag| !tag.is_weak);
            VersionCondition::OneOf(strong.map(|tag| tag.opaque.to_owned()).collect())
        }
    }
}

/// Whether `If-None-Match` leaves `version` unnamed: `*` or a list of tags, compared weakly.
pub(super) fn is_none_match(header: Option<&str>, version: i64) -> bool {
    match header.map(str::trim) {
        None => true,
        Some("*") => false,
        Some(list) => {
            let version = version.to_string();
            tags(list).iter().all(|tag| tag.opaque != version)
        }
    }
}

struct Tag<'a> {
    is_weak: bool,
    opaque: &'a str,
}

/// The tags of a list; none at all if one of its members is no tag. A comma within a tag would
/// split it, but ours have none, so that such a tag matches nothing either way.
fn tags(list: &str) -> Vec<Tag<'_>> {
    let members = list.split(',').map(|member| {
        let member = member.trim();
        let (is_weak, quoted) = match member.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, member),
        };
        let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
        Some(Tag { is_weak, opaque })
    });
    members.collect::<Option<Vec<_>>>().unwrap_or_default()
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
            (Some("\"7\", other"), false),
            (Some("*, \"7\""), false),
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
            (Some("\"7\", other"), true),
        ];
        for (header, unmatched) in table {
            assert_eq!(is_none_match(header, 7), unmatched, "{header:?}");
        }
    }
}
