//! Reads Rust source as far as the rules need it: tokens without comments and strings, and the
//! paths that a file names. Test code is left out.

use std::collections::BTreeMap;

/// Word or sign of a source file.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
    pub(super) is_in_attribute: bool,
}

/// Path that a file names, in an import or elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
    pub(super) is_in_attribute: bool,
    /// Name that an import binds. `None` outside imports.
    pub(super) alias: Option<String>,
    pub(super) is_glob: bool,
    /// Whether an import hands the name on to others.
    pub(super) is_public: bool,
}

/// File as the rules see it.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) tokens: Vec<Token>,
    pub(super) names: Vec<Named>,
    /// Paths by the names that imports bind them to.
    pub(super) aliases: BTreeMap<String, Vec<String>>,
    /// Modules that are compiled for tests only.
    pub(super) test_modules: Vec<String>,
}

impl Source {
    pub(super) fn parse(text: &str) -> Self {
        let (tokens, test_modules) = without_tests(mark_attributes(tokens(text)));
        let names = names(&tokens);
        let imports = names.iter().filter(|named| !named.is_glob);
        let aliases = imports
            .filter_map(|named| Some((named.alias.clone()?, named.segments.clone())))
            .collect();
        Self {
            tokens,
            names,
            aliases,
            test_modules,
        }
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Splits `text` into words, `::` and single signs.
fn tokens(text: &str) -> Vec<Token> {
    let letters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < letters.len() {
        let end = end_of_ignored(&letters, at).unwrap_or(at);
        if end > at {
            line += letters[at..end].iter().filter(|l| **l == '\n').count();
            at = end;
            continue;
        }
        let end = if is_word(letters[at]) {
            let rest = letters[at..].iter();
            at + rest.take_while(|letter| is_word(**letter)).count()
        } else if letters[at..].starts_with(&[':', ':']) {
            at + 2
        } else {
            at + 1
        };
        tokens.push(Token {
            text: letters[at..end].iter().collect(),
            line,
            is_in_attribute: false,
        });
        at = end;
    }
    tokens
}

/// Returns the end of the white space, comment or literal that begins at `at`.
fn end_of_ignored(letters: &[char], at: usize) -> Option<usize> {
    let rest = &letters[at..];
    let next = rest.get(1).copied();
    match rest[0] {
        letter if letter.is_whitespace() => Some(at + 1),
        '/' if next == Some('/') => {
            let length = rest.iter().position(|letter| *letter == '\n');
            Some(at + length.unwrap_or(rest.len()))
        }
        '/' if next == Some('*') => {
            let close = rest.windows(2).position(|pair| pair == ['*', '/']);
            Some(at + close.map_or(rest.len(), |close| close + 2))
        }
        '"' => Some(at + length_of_quoted(rest, '"')),
        '\'' if next == Some('\\') || rest.get(2) == Some(&'\'') => {
            Some(at + length_of_quoted(rest, '\''))
        }
        // The sign of a lifetime, which is read as a word.
        '\'' => Some(at + 1),
        'r' | 'b' | 'c' if at == 0 || !is_word(letters[at - 1]) => end_of_raw(letters, at),
        _ => None,
    }
}

/// Returns the length of a literal between two `quote`s, both included.
fn length_of_quoted(letters: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < letters.len() && letters[at] != quote {
        at += if letters[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(letters.len())
}

/// Returns the end of a literal such as `r#".."#`, `b".."` or `br".."`.
fn end_of_raw(letters: &[char], at: usize) -> Option<usize> {
    let prefix = letters[at..].iter().take_while(|l| "rbc".contains(**l));
    let open = at + prefix.count();
    let is_raw = letters[at..open].contains(&'r');
    let hashes = letters[open..].iter().take_while(|l| **l == '#').count();
    let quote = open + hashes;
    if letters.get(quote) != Some(&'"') || (hashes > 0 && !is_raw) {
        return None;
    }
    if !is_raw {
        return Some(quote + length_of_quoted(&letters[quote..], '"'));
    }
    let close: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let mut ends = letters[quote + 1..].windows(close.len());
    let length = ends.position(|window| window == close)?;
    Some(quote + 1 + length + close.len())
}

/// Marks the tokens between `#[` and its `]`.
fn mark_attributes(mut tokens: Vec<Token>) -> Vec<Token> {
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].text == "#" && text(&tokens, at + 1) == "[" {
            let end = end_of_group(&tokens, at + 1);
            let inside = &mut tokens[at..end];
            inside.iter_mut().for_each(|t| t.is_in_attribute = true);
            at = end;
        } else {
            at += 1;
        }
    }
    tokens
}

fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// Returns the position after the bracket that closes the one at `open`.
fn end_of_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Removes each item with `#[cfg(test)]`, and returns the names of modules among them.
fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let is_test = (0..MARK.len()).all(|step| text(&tokens, at + step) == MARK[step]);
        if !is_test {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut item = at + MARK.len();
        while text(&tokens, item) == "#" {
            item = end_of_group(&tokens, item + 1);
        }
        if text(&tokens, item) == "mod" {
            modules.push(text(&tokens, item + 1).to_owned());
        }
        at = end_of_item(&tokens, item);
    }
    (kept, modules)
}

fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut at = start;
    while at < tokens.len() {
        match text(tokens, at) {
            ";" => return at + 1,
            "{" => return end_of_group(tokens, at),
            "(" | "[" => at = end_of_group(tokens, at),
            ")" | "]" | "}" => return at,
            _ => at += 1,
        }
    }
    at
}

/// Returns every path of two segments and more, and every import.
fn names(tokens: &[Token]) -> Vec<Named> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map_or("", |at| text(tokens, at));
        if text(tokens, at) == "use" && text(tokens, at + 1) != "<" {
            let first = names.len();
            at = use_tree(tokens, at + 1, &[], &mut names);
            let is_public = ["pub", ")"].contains(&before);
            let imported = names[first..].iter_mut();
            imported.for_each(|named| named.is_public = is_public);
        } else if is_start_of_path(tokens, at) && !["::", "$"].contains(&before) {
            let mut segments = vec![tokens[at].text.clone()];
            let (line, is_in_attribute) = (tokens[at].line, tokens[at].is_in_attribute);
            at += 1;
            while text(tokens, at) == "::" && text(tokens, at + 1).starts_with(is_word) {
                segments.push(tokens[at + 1].text.clone());
                at += 2;
            }
            names.push(Named {
                segments,
                line,
                is_in_attribute,
                alias: None,
                is_glob: false,
                is_public: false,
            });
        } else {
            at += 1;
        }
    }
    names
}

fn is_start_of_path(tokens: &[Token], at: usize) -> bool {
    text(tokens, at).starts_with(is_word) && text(tokens, at + 1) == "::"
}

/// Collects the paths of an import from `at` on, and returns the position after it.
fn use_tree(tokens: &[Token], at: usize, prefix: &[String], names: &mut Vec<Named>) -> usize {
    let mut segments = prefix.to_vec();
    let (mut at, mut is_glob, mut alias) = (at, false, None);
    while at < tokens.len() {
        match text(tokens, at) {
            "{" => {
                at += 1;
                while at < tokens.len() && text(tokens, at) != "}" {
                    at = use_tree(tokens, at, &segments, names);
                    at += usize::from(text(tokens, at) == ",");
                }
                return at + 1;
            }
            "," | "}" | ";" => break,
            "as" => {
                alias = Some(text(tokens, at + 1).to_owned());
                at += 1;
            }
            "*" => is_glob = true,
            "self" if !segments.is_empty() => {}
            word if word.starts_with(is_word) => segments.push(word.to_owned()),
            _ => {}
        }
        at += 1;
    }
    names.push(Named {
        alias: alias.or_else(|| segments.last().cloned()),
        segments,
        line: tokens
            .get(at.saturating_sub(1))
            .map_or(0, |token| token.line),
        is_in_attribute: false,
        is_glob,
        is_public: false,
    });
    at
}

/// Returns the paths that `text` names.
fn joined(text: &str) -> Vec<String> {
    let source = Source::parse(text);
    let names = source.names.iter();
    names.map(|named| named.segments.join("::")).collect()
}

#[test]
fn imports_are_taken_apart_with_their_aliases() {
    let text = "pub use crate::{db::{self, Db, tables::*}, error::Result as Res};\nuse super::x;";
    let names = ["crate::db", "crate::db::Db", "crate::db::tables"];
    let more = ["crate::error::Result", "super::x"];
    assert_eq!(joined(text), [&names[..], &more].concat());
    let source = Source::parse(text);
    let aliases: Vec<&str> = source.aliases.keys().map(String::as_str).collect();
    assert_eq!(aliases, ["Db", "Res", "db", "x"]);
    assert_eq!(source.names.last().unwrap().line, 2);
}

#[test]
fn comments_strings_and_macro_paths_name_nothing() {
    let text = r###"
        // crate::a::b
        /* crate::a */ /// crate::c::d
        const A: &str = "crate::e::f \" crate::g::h";
        const B: &str = r#"crate::i::j " crate::k"#;
        const C: (char, &'static str, char) = ('"', "crate::l::m", '\'');
        macro_rules! m { () => { $crate::n::o } }
        fn f() -> db::X { crate::p::q::<T>() }
    "###;
    assert_eq!(joined(text), ["db::X", "crate::p::q"]);
}

#[test]
fn code_for_tests_is_left_out() {
    let text = "use a::b;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"x\"]\nmod more { use \
                super::c::d; fn f() { g::h() } }\n#[cfg(test)]\nuse i::j;\nuse k::l;";
    assert_eq!(joined(text), ["a::b", "k::l"]);
    assert_eq!(Source::parse(text).test_modules, ["tests", "more"]);
}
