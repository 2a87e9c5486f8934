//! Preconditions of a request, in both dialects: `If-Match` and `If-None-Match` (RFC 9110, sections
//! 13.1.1 and 13.1.2). An entity tag is the name of an organization's version in double quotes.
//!
//! Lists of tags are read here. The `headers` crate compares a list with one tag and does not show
//! its members, but the tag to compare with is known only in the transaction. The parser of
//! actix-web splits at commas inside quotes.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::domain::organization::Organization;
use crate::domain::precondition::{Preconditions, Versions};

/// Returns the strong tag of the current version of `organization`.
pub(super) fn entity_tag(organization: &Organization) -> String {
    format!("\"{}\"", organization.version_name())
}

/// Reads the preconditions of `request`. Without a field, its part of the default.
///
/// `If-Modified-Since` and `If-Unmodified-Since` are ignored, as RFC 9110, sections 13.1.3 and
/// 13.1.4, requires for resources without a modification date.
pub(super) fn of(request: &HttpRequest) -> Preconditions {
    let headers = request.headers();
    let default = Preconditions::default();
    Preconditions {
        // Compared strongly, so that weak tags match nothing (RFC 9110, section 13.1.1).
        if_match: versions(headers, IF_MATCH, |tag| !tag.is_weak).unwrap_or(default.if_match),
        // Compared weakly (RFC 9110, section 13.1.2).
        if_none_match: match versions(headers, IF_NONE_MATCH, |_| true) {
            None => default.if_none_match,
            // A change that was meant to depend on something must not happen unconditionally.
            Some(Versions::Named(names)) if names.is_empty() && !request.method().is_safe() => {
                Versions::All
            }
            Some(versions) => versions,
        },
    }
}

/// Reads a field: `*` or a list of tags, of which `counts` chooses.
fn versions(
    headers: &HeaderMap,
    name: HeaderName,
    counts: impl Fn(&Tag<'_>) -> bool,
) -> Option<Versions> {
    // Lossy, because a tag may contain bytes that are not UTF-8 (RFC 9110, section 8.8.3). Tags of
    // this server do not.
    let lines: Vec<_> = headers
        .get_all(name)
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    if lines.is_empty() {
        return None;
    }
    // Several lines of a field are one list (RFC 9110, section 5.3).
    let list = lines.join(", ");
    Some(match list.trim() {
        "*" => Versions::All,
        // A malformed list has no tags, so that `If-Match` refuses the request. See `of` for
        // `If-None-Match`.
        list => {
            let counted = tags(list).into_iter().filter(counts);
            Versions::Named(counted.map(|tag| tag.opaque.to_owned()).collect())
        }
    })
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
    use actix_web::test::TestRequest;

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
    fn if_match_leaves_weak_tags_out_and_if_none_match_takes_them() {
        let read = |name: HeaderName, lines: &[&str]| {
            let request = lines.iter().fold(TestRequest::get(), |request, line| {
                request.append_header((name.clone(), *line))
            });
            of(&request.to_http_request())
        };
        let named = |names: &[&str]| Versions::Named(names.iter().map(|n| n.to_string()).collect());
        assert_eq!(read(IF_MATCH, &[]), Preconditions::default());
        for (lines, strong, all) in [
            (&[" * "][..], Versions::All, Versions::All),
            (&[r#"W/"6", "7""#], named(&["7"]), named(&["6", "7"])),
            (
                &[r#""6""#, r#""7""#],
                named(&["6", "7"]),
                named(&["6", "7"]),
            ),
            (&["7"], named(&[]), named(&[])),
            (&["*", "*"], named(&[]), named(&[])),
        ] {
            assert_eq!(read(IF_MATCH, lines).if_match, strong, "{lines:?}");
            assert_eq!(read(IF_NONE_MATCH, lines).if_none_match, all, "{lines:?}");
        }
    }
}
