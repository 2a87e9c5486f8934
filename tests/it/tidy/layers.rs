//! Layering: the rooms and foreign crates that each room may name. docs/ARCHITECTURE.md has the
//! same table for reading.

use super::source::Named;
use super::tree::{Target, Tree, is_within, join};
use super::{files, read};

/// Modules and foreign crates that a room may name.
struct Layer {
    /// Path of the room's module, "main" for the program.
    room: &'static str,
    /// Modules of this crate, or items of them. A room may always name itself.
    may_use: &'static [&'static str],
    /// Foreign crates that belong to other rooms.
    must_not_name: &'static [&'static str],
}

const DIESEL: &str = "diesel";
const ACTIX: &str = "actix_web";
const GENERATED: &str = "quietline_api";
const RUNTIME: &str = "quietline_api_runtime";

const NONE_OF_THEM: &[&str] = &[DIESEL, ACTIX, GENERATED, RUNTIME];

/// Every module of this crate.
const ALL: &[&str] = &[""];

const LAYERS: &[Layer] = &[
    Layer {
        room: "main",
        may_use: ALL,
        must_not_name: &[DIESEL],
    },
    Layer {
        room: "lib",
        may_use: ALL,
        must_not_name: &[DIESEL],
    },
    Layer {
        room: "cli",
        may_use: ALL,
        must_not_name: &[DIESEL],
    },
    Layer {
        room: "domain",
        may_use: &["error"],
        must_not_name: NONE_OF_THEM,
    },
    Layer {
        room: "error",
        may_use: &["domain"],
        must_not_name: NONE_OF_THEM,
    },
    Layer {
        room: "clock",
        may_use: &[],
        must_not_name: NONE_OF_THEM,
    },
    Layer {
        room: "logging",
        may_use: &[],
        must_not_name: NONE_OF_THEM,
    },
    Layer {
        room: "secret_file",
        may_use: &[],
        must_not_name: NONE_OF_THEM,
    },
    Layer {
        room: "db::engine",
        may_use: &["domain", "error"],
        must_not_name: &[ACTIX, GENERATED, RUNTIME],
    },
    Layer {
        room: "db::tables",
        may_use: &["db::engine", "domain", "error"],
        must_not_name: &[ACTIX, GENERATED, RUNTIME],
    },
    // With db::keys.
    Layer {
        room: "db",
        may_use: &["domain", "error"],
        must_not_name: &[ACTIX, GENERATED, RUNTIME],
    },
    Layer {
        room: "app",
        may_use: &["domain", "db", "error", "clock", "state"],
        must_not_name: NONE_OF_THEM,
    },
    Layer {
        room: "operator",
        may_use: &["domain", "db", "error", "clock"],
        must_not_name: NONE_OF_THEM,
    },
    Layer {
        room: "limits",
        may_use: &["domain", "error", "request", "clock"],
        must_not_name: &[DIESEL, GENERATED, RUNTIME],
    },
    Layer {
        room: "request",
        may_use: &["domain", "error"],
        must_not_name: &[DIESEL, GENERATED, RUNTIME],
    },
    Layer {
        room: "state",
        may_use: &["auth::jwt", "limits", "clock", "db"],
        must_not_name: NONE_OF_THEM,
    },
    Layer {
        room: "auth",
        may_use: &["domain", "db", "error", "request", "clock", "secret_file"],
        must_not_name: &[DIESEL, GENERATED, RUNTIME],
    },
    Layer {
        room: "config",
        may_use: &[
            "auth::jwt",
            "limits",
            "db::engine::url",
            "logging",
            "secret_file",
        ],
        must_not_name: NONE_OF_THEM,
    },
    Layer {
        room: "handlers",
        may_use: &[
            "app", "auth", "limits", "domain", "error", "state", "request",
        ],
        must_not_name: &[DIESEL],
    },
    Layer {
        room: "http",
        may_use: &["handlers", "state", "error", "request", "domain::ids"],
        must_not_name: &[DIESEL],
    },
    Layer {
        room: "jobs",
        may_use: &["app", "db", "domain", "error", "clock", "state"],
        must_not_name: NONE_OF_THEM,
    },
];

/// The exception of `domain`: derives that have to stand on an id or a text enum itself. Their
/// implementations are in `db`.
fn is_derive(room: &str, named: &Named) -> bool {
    let path = named.segments.join("::");
    let derives = [
        "diesel::expression::AsExpression",
        "diesel::deserialize::FromSqlRow",
        "diesel::sql_types",
    ];
    room == "domain"
        && named.is_in_attribute
        && derives.iter().any(|derive| is_within(&path, derive))
}

/// Returns the innermost room that a module is in.
fn layer_of(module: &str) -> Option<&'static Layer> {
    let module = if module.is_empty() { "lib" } else { module };
    let around = LAYERS.iter().filter(|layer| is_within(module, layer.room));
    around.max_by_key(|layer| layer.room.len())
}

fn faults(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, module) in &tree.modules {
        let Some(layer) = layer_of(path) else {
            faults.push(format!("{}: belongs to no layer", module.file));
            continue;
        };
        for named in &module.source.names {
            let target = tree.target(path, named);
            if !may_name(layer, named, &target) {
                let (name, line) = (named.segments.join("::"), named.line);
                faults.push(format!("{}:{line}: names {name}", module.file));
            }
        }
    }
    faults
}

fn may_name(layer: &Layer, named: &Named, target: &Target) -> bool {
    match target {
        Target::Own { module, item } => {
            let mut allowed = layer.may_use.iter().chain([&layer.room]);
            // A module is imported for what is inside it, and each path through it is looked at.
            let is_way = item.is_empty() && !named.is_glob;
            let whole = join(module, item);
            allowed.any(|room| is_within(&whole, room) || is_way && is_within(room, module))
        }
        Target::Foreign(path) => {
            !layer.must_not_name.contains(&path[0].as_str()) || is_derive(layer.room, named)
        }
    }
}

/// Lists the public use cases that take no proof of a permission.
fn use_cases_without_proof(tree: &Tree) -> Vec<String> {
    let is_proof = |word: &str| ["OrgAccess", "Authorized"].contains(&word);
    let mut faults = Vec::new();
    let in_app = |path: &&String| is_within(path, "app");
    for path in tree.modules.keys().filter(in_app) {
        let module = &tree.modules[path];
        let words: Vec<&str> = module
            .source
            .tokens
            .iter()
            .map(|token| token.text.as_str())
            .collect();
        for (at, _) in words.iter().enumerate().filter(|(_, word)| **word == "fn") {
            if !is_public(&words[..at]) {
                continue;
            }
            let mut signature = words[at..].iter().take_while(|word| **word != "{");
            if !signature.any(|word| is_proof(word)) {
                let (name, line) = (words[at + 1], module.source.tokens[at].line);
                faults.push(format!("{}:{line}: {name} takes no OrgAccess", module.file));
            }
        }
    }
    faults
}

/// Returns whether the words before `fn` let other rooms call it.
fn is_public(before: &[&str]) -> bool {
    let before = before.strip_suffix(&["async"]).unwrap_or(before);
    let public: [&[&str]; 2] = [&["pub"], &["pub", "(", "crate", ")"]];
    public.iter().any(|words| before.ends_with(words))
}

/// Returns the tree of `src/`.
pub(super) fn tree_of_src() -> Tree {
    let sources = files("src", &["rs"]).into_iter().map(|path| {
        let text = read(&path);
        (path.to_str().unwrap().to_owned(), text)
    });
    Tree::new(&sources.collect::<Vec<_>>())
}

#[test]
fn every_file_names_only_what_its_layer_may_use() {
    let faults = faults(&tree_of_src());
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
}

#[test]
fn the_documented_table_is_the_one_that_is_checked() {
    let document = read("docs/ARCHITECTURE.md".as_ref());
    let list = |names: &[&str]| {
        let quoted = names.iter().map(|name| format!("`{name}`"));
        let list = quoted.collect::<Vec<_>>().join(", ");
        if names == ALL { "all".to_owned() } else { list }
    };
    let rows = LAYERS.iter().map(|layer| {
        let (may, must_not) = (list(layer.may_use), list(layer.must_not_name));
        format!("| `{}` | {may} | {must_not} |", layer.room)
    });
    let rows = rows.collect::<Vec<_>>().join("\n");
    assert!(document.contains(&rows), "docs/ARCHITECTURE.md:\n{rows}");
}

#[test]
fn every_use_case_takes_the_proof_of_a_permission() {
    let faults = use_cases_without_proof(&tree_of_src());
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
}

/// Returns the faults of one file in a crate with something in every room.
fn faults_of(file: &str, text: &str) -> Vec<String> {
    let crate_of_all_rooms = [
        ("src/lib.rs", "pub mod app;"),
        ("src/app/mod.rs", "pub mod organization;"),
        ("src/auth/mod.rs", ""),
        ("src/config/mod.rs", ""),
        ("src/db/mod.rs", "pub use engine::Conn;\npub struct Db;"),
        ("src/db/engine/mod.rs", "pub struct Conn;"),
        ("src/db/keys.rs", "use super::Db;"),
        ("src/db/tables/mod.rs", "use super::engine::Conn;"),
        ("src/domain/mod.rs", ""),
        ("src/error.rs", ""),
        ("src/handlers/mod.rs", "use crate::app::organization;"),
        ("src/operator/mod.rs", "use crate::db::{self, Db};"),
        ("src/state.rs", "use crate::db::Db;"),
    ];
    let mut all = crate_of_all_rooms.to_vec();
    assert_eq!(faults(&super::tree::tree(&all)), Vec::<String>::new());
    all.push((file, text));
    faults(&super::tree::tree(&all))
}

#[test]
fn a_wrong_import_is_found_however_it_is_written() {
    let cases = [
        ("src/domain/a.rs", "use crate::db::Db;"),
        ("src/domain/a.rs", "use crate::{error::X, db::Db};"),
        ("src/domain/a.rs", "use crate::db;"),
        ("src/domain/a.rs", "use super::super::db::Db;"),
        ("src/domain/a.rs", "fn f(_: &super::super::db::Db) {}"),
        ("src/domain/a.rs", "fn f() { crate::state::f() }"),
        ("src/domain/a.rs", "use crate::*;"),
        ("src/domain/a.rs", "use diesel::prelude::*;"),
        ("src/domain/a.rs", "use diesel::expression::AsExpression;"),
        ("src/domain/a.rs", "#[derive(diesel::Queryable)] struct A;"),
        ("src/db/engine/a.rs", "use crate::db::tables::x;"),
        ("src/db/engine/a.rs", "use super::super::{keys::Keys};"),
        ("src/db/engine/a.rs", "use crate::db::Db;"),
        ("src/db/tables/a.rs", "use super::super::Db;"),
        (
            "src/db/tables/a.rs",
            "use super::super as all;\nfn f(_: all::Db) {}",
        ),
        ("src/db/keys/a.rs", "use crate::config::Config;"),
        ("src/app/a.rs", "use crate::operator::verify;"),
        ("src/handlers/a.rs", "use crate::operator;"),
        ("src/jobs/a.rs", "use crate::operator::verify;"),
        ("src/handlers/a.rs", "use crate::db::Conn;"),
        ("src/http/a.rs", "use crate::app::organization::find;"),
        ("src/limits/a.rs", "use crate::auth::x;"),
        ("src/auth/a.rs", "use crate::state::AppState;"),
        ("src/app/a.rs", "use actix_web::web;"),
        ("src/jobs/a.rs", "use quietline_api_runtime::x;"),
        ("src/cli/a.rs", "use diesel::prelude::*;"),
        ("src/cellar/a.rs", ""),
    ];
    for (file, text) in cases {
        let found = faults_of(file, text);
        assert_eq!(found.len(), 1, "{file}: {text}: {found:?}");
        assert!(found[0].starts_with(file), "{found:?}");
    }
}

#[test]
fn a_right_import_is_no_fault() {
    let cases = [
        (
            "src/domain/a.rs",
            "use super::b; use crate::error::Result; b::c();",
        ),
        (
            "src/domain/a.rs",
            "#[derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]\n\
             #[diesel(sql_type = diesel::sql_types::Text)] struct A;",
        ),
        (
            "src/domain/a.rs",
            "#[cfg(test)] mod tests { use crate::db::Db; }",
        ),
        ("src/db/tables/a.rs", "use crate::db::Conn; use super::b;"),
        (
            "src/db/tables/a.rs",
            "use super::super::engine; fn f() { engine::f() }",
        ),
        (
            "src/db/keys/a.rs",
            "use crate::db::{self, Db}; fn f() { db::tables::f() }",
        ),
        (
            "src/handlers/a.rs",
            "use crate::app; fn f() { app::organization::f() }",
        ),
        (
            "src/cli/a.rs",
            "use crate::{operator, db::Db, config::Config};",
        ),
        ("src/main.rs", "use quietline::cli;"),
    ];
    for (file, text) in cases {
        assert_eq!(faults_of(file, text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_use_case_without_proof_is_found() {
    let of = |text| use_cases_without_proof(&super::tree::tree(&[("src/app/a.rs", text)])).len();
    assert_eq!(of("pub async fn find(state: &AppState, id: OrgId) {}"), 1);
    assert_eq!(
        of("pub(crate) async fn find(state: &AppState) -> OrgId {}"),
        1
    );
    assert_eq!(of("pub async fn find(state: &S, access: &OrgAccess) {}"), 0);
    assert_eq!(of("pub async fn find(state: &S, who: Authorized) {}"), 0);
    assert_eq!(of("pub fn find(db: &Db) -> impl Future<Output = ()> {}"), 1);
    assert_eq!(of("pub(super) async fn find() {}\nasync fn g() {}"), 0);
}
