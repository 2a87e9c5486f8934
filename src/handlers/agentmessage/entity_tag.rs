//! Entity tags (RFC 9110, section 8.8.3): the name of an organization's version in double quotes.
//!
//! Lists of tags are read here. The `headers` crate compares a list with one tag and does not show
//! its members, but the tag to compare with is known only in the transaction. The parser of
//! actix-web splits at commas inside quotes.

use crate::domain::change::VersionCondition;
use crate::domain::organization::Organization;

/// Returns the strong tag of the current version of `organization`.
pub(super) fn of(organization: &Organization) -> String {
    format!("\"{}\"", organization.version_name())
}

/// Reads `If-Match`: `*` or a list of tags, compared strongly (RFC 9110, section 13.1.1).
pub(super) fn if_match(header: Option<&str>) -> VersionCondition {
    match header.map(str::trim) {
        None | Some("*") => VersionCondition::Any,
        // A malformed list has no tags, so that it refuses the change instead of permitting it.
        Some(list) => {
            let strong = tags(list).into_iter().filter(|tag| !tag.is_weak);
            VersionCondition::OneOf(strong.map(|tag| tag.opaque.to_owned()).collect())
        }
    }
}

/// Returns whether `If-None-Match` names the version of `organization`: `*` or a list of tags,
/// compared weakly (RFC 9110, section 13.1.2).
pub(super) fn is_not_modified(header: Option<&str>, organization: &Organization) -> bool {
    match header.map(str::trim) {
        None => false,
        // RFC 9110, section 13.1.2: `*` asks only that a representation exists.
        Some("*") => true,
        Some(list) => {
            let version = organization.version_name();
            tags(list).iter().any(|tag| tag.opaque == version)
        }
    }
}

#[derive(Debug, PartialEq)]
struct Tag<'a> {
    is_weak: bool,
    opaque: &'a str,
}

/// Returns the tags of a list, whose members may be empty (RFC 9110, section 5.6.1). A list with
/// any other content has no tags.
fn tags(list: &str) -> Vec<Tag<'_>> {
    let (mut tags, mut rest) = (Vec::new(), list);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return tags;
        }
        let Some((tag, behind)) = first_tag(rest) else {
            return Vec::new();
        };
        tags.push(tag);
        rest = behind;
    }
}

/// Returns the first tag of `list` and the remaining text, which is empty or begins with a comma.
fn first_tag(list: &str) -> Option<(Tag<'_>, &str)> {
    let (is_weak, quoted) = match list.strip_prefix("W/") {
        Some(quoted) => (true, quoted),
        None => (false, list),
    };
    let (opaque, behind) = quoted.strip_prefix('"')?.split_once('"')?;
    // The characters of `etagc`, without the space and DEL (RFC 9110, section 8.8.3).
    let is_tag = opaque
        .bytes()
        .all(|byte| byte == b'!' || byte > b'"' && byte != 0x7f);
    let behind = behind.trim_start_matches([' ', '\t']);
    let is_member = is_tag && (behind.is_empty() || behind.starts_with(','));
    is_member.then_some((Tag { is_weak, opaque }, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opaque(list: &str) -> Vec<&str> {
        tags(list).into_iter().map(|tag| tag.opaque).collect()
    }

    #[test]
    fn a_list_has_the_tags_between_its_commas() {
        let table: [(&str, &[&str]); 8] = [
            (r#""7""#, &["7"]),
            (r#" "7" "#, &["7"]),
            (r#""6","7""#, &["6", "7"]),
            ("\"6\"\t, \t\"7\"", &["6", "7"]),
            (r#", "6",, "7","#, &["6", "7"]),
            (r#""a,b", "7""#, &["a,b", "7"]),
            (r#""", "7""#, &["", "7"]),
            (r#""é""#, &["é"]),
        ];
        for (list, expected) in table {
            assert_eq!(opaque(list), expected, "{list}");
        }
    }

    #[test]
    fn a_list_with_a_malformed_member_has_no_tags() {
        let table = [
            "7",
            "\"",
            "",
            r#""7", other"#,
            r#"*, "7""#,
            r#""a b", "7""#,
            r#""a"b", "7""#,
            r#""a" "b", "7""#,
            r#"w/"7""#,
            r#"W/ "7""#,
            r#"W/7, "7""#,
            "\"\u{7f}\", \"7\"",
        ];
        for list in table {
            assert_eq!(opaque(list), [""; 0], "{list}");
        }
    }

    #[test]
    fn if_match_leaves_weak_tags_out() {
        let names = |header| match if_match(header) {
            VersionCondition::Any => None,
            VersionCondition::OneOf(names) => Some(names),
        };
        assert_eq!(names(None), None);
        assert_eq!(names(Some(" * ")), None);
        assert_eq!(names(Some(r#"W/"6", "7""#)), Some(vec!["7".to_owned()]));
        assert_eq!(names(Some("7")), Some(Vec::new()));
    }
}
