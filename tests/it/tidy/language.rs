//! Language of comments: their first word, their semicolons, inverted negations, and links of
//! workarounds. Not here: strings, and rules that only a reader can check.

use super::{files, read};

/// Consecutive comment lines of one kind, joined to one text.
#[derive(Debug, PartialEq)]
struct Block {
    /// Number of the first line.
    line: usize,
    text: String,
}

/// Longest prefixes first, because `//` begins all of them.
const MARKS: [&str; 3] = ["///", "//!", "//"];

/// Splits a comment line into its mark and its text.
fn comment(line: &str) -> Option<(&'static str, &str)> {
    let line = line.trim();
    let mark = MARKS.into_iter().find(|mark| line.starts_with(mark))?;
    Some((mark, line[mark.len()..].trim()))
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut previous = None;
    for (number, line) in text.lines().enumerate() {
        let found = comment(line);
        if let Some((mark, text)) = found {
            match blocks.last_mut().filter(|_| previous == Some(mark)) {
                Some(block) => block.text = format!("{} {text}", block.text),
                None => blocks.push(Block {
                    line: number + 1,
                    text: text.to_owned(),
                }),
            }
        }
        previous = found.map(|(mark, _)| mark);
    }
    blocks
}

/// Returns `text` without its code spans, whose words are not prose.
fn prose(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// Returns whether `text` contains `phrase` as whole words, in any case.
fn has(text: &str, phrase: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let text = text.to_lowercase();
    text.match_indices(phrase).any(|(start, _)| {
        let end = start + phrase.len();
        !text[..start].ends_with(is_word) && !text[end..].starts_with(is_word)
    })
}

fn has_any(text: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| has(text, phrase))
}

/// Rule 1: a comment starts with a verb or a noun.
fn starts_with_a_clause(text: &str) -> bool {
    const WORDS: [&str; 8] = [
        "What", "Who", "Whom", "Which", "Whose", "How", "Whether", "Those",
    ];
    let first = text.split(|c: char| !c.is_alphanumeric()).next();
    first.is_some_and(|first| WORDS.contains(&first)) || text.starts_with("As [`")
}

/// Rule 2: two thoughts are two sentences.
fn has_semicolons(text: &str) -> bool {
    prose(text).matches(';').count() > 1
}

/// Rule 3: negations in the usual order.
fn has_inverted_negation(text: &str) -> bool {
    const PHRASES: [&str; 6] = [
        "is no",
        "are no",
        "was no",
        "were no",
        "has not",
        "what is not",
    ];
    has_any(&prose(text), &PHRASES)
}

/// Rule 4: a workaround links its cause and says when it can go.
fn lacks_link_of_workaround(text: &str) -> bool {
    const PHRASES: [&str; 4] = ["workaround", "works around", "bug in", "upstream"];
    has_any(text, &PHRASES) && !(text.contains("https://") && text.contains("Remove when"))
}

/// Pronouns for persons where a role is meant: a client, an operator, a caller.
fn has_nameless_person(text: &str) -> bool {
    const WORDS: [&str; 5] = ["somebody", "nobody", "anybody", "whoever", "those who"];
    has_any(text, &WORDS)
}

const FOLDERS: [&str; 4] = ["src", "runtime/src", "codegen", "openapi/templates"];

fn assert_none(is_fault: fn(&str) -> bool) {
    let mut faults = Vec::new();
    for path in FOLDERS
        .iter()
        .flat_map(|folder| files(folder, &["rs", "mustache"]))
    {
        for Block { line, text } in blocks(&read(&path)) {
            if is_fault(&text) {
                faults.push(format!("{}:{line}: {text}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
}

#[test]
fn comments_start_with_a_verb_or_a_noun() {
    assert_none(starts_with_a_clause);
}

#[test]
fn comments_have_one_semicolon_at_most() {
    assert_none(has_semicolons);
}

#[test]
fn comments_do_not_invert_negations() {
    assert_none(has_inverted_negation);
}

#[test]
fn comments_on_workarounds_link_the_cause_and_say_when_to_remove_them() {
    assert_none(lacks_link_of_workaround);
}

#[test]
fn comments_name_the_role_of_a_person() {
    assert_none(has_nameless_person);
}

#[test]
fn lines_of_one_kind_are_one_block() {
    let text =
        "//! A\n//! b.\n\n/// C; d\n/// `e; f`; g\nfn f() {\n    // H.\n    1; // not a block\n}\n";
    let block = |line, text: &str| Block {
        line,
        text: text.to_owned(),
    };
    let expected = [block(1, "A b."), block(4, "C; d `e; f`; g"), block(7, "H.")];
    assert_eq!(blocks(text), expected);
}

#[test]
fn each_kind_of_fault_is_found() {
    type Rule = fn(&str) -> bool;
    let table: [(Rule, &[&str], &[&str]); 5] = [
        (
            starts_with_a_clause,
            &[
                "What a key holds.",
                "Whether it is on.",
                "How: so.",
                "As [`f`], but later.",
            ],
            &[
                "Whatever fits.",
                "Returns what it has.",
                "Ask: who?",
                "As a rule.",
            ],
        ),
        (
            has_semicolons,
            &["One; two; three."],
            &["One; two.", "`a; b; c`; d", "None."],
        ),
        (
            has_inverted_negation,
            &[
                "This is no key.",
                "They are no keys.",
                "It has not two.",
                "What is not JSON is bad.",
            ],
            &[
                "This is not a key.",
                "It is nobler.",
                "`is no key`",
                "It has no key.",
            ],
        ),
        (
            lacks_link_of_workaround,
            &[
                "Works around slowness.",
                "A bug in actix: https://a.example/1.",
                "Workaround. Remove when fixed.",
            ],
            &[
                "Works around https://a.example/1. Remove when it is closed.",
                "A debug index.",
            ],
        ),
        (
            has_nameless_person,
            &["Nobody reads it.", "Refuses those who wait."],
            &["No client reads it.", "Refuses those whose key is old."],
        ),
    ];
    for (is_fault, faults, others) in table {
        assert!(faults.iter().all(|text| is_fault(text)), "{faults:?}");
        assert!(!others.iter().any(|text| is_fault(text)), "{others:?}");
    }
}
