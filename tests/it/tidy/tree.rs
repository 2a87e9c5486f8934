//! The modules of `src/`, and which of them a path leads to.

use std::collections::BTreeMap;

use super::source::{Named, Source};

/// Imports that are followed from one file to the next at most, against endless loops.
const MAX_HOPS: usize = 8;

/// Modules by their paths from the root of the crate, such as `db::tables`.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) modules: BTreeMap<String, Module>,
}

#[derive(Debug)]
pub(super) struct Module {
    pub(super) file: String,
    pub(super) source: Source,
}

/// Place that a path leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Target {
    /// Module of this crate, with the rest of the path inside it.
    Own { module: String, item: String },
    /// Path into another crate, or to something in the same file.
    Foreign(Vec<String>),
}

/// Returns the module that a file below `src/` holds.
fn module_of(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let path = if path == "lib" { "" } else { path };
    path.replace('/', "::")
}

/// Returns the path of something in a module. Either may be empty.
pub(super) fn join(module: &str, name: &str) -> String {
    if module.is_empty() || name.is_empty() {
        format!("{module}{name}")
    } else {
        format!("{module}::{name}")
    }
}

/// Returns whether `path` is `prefix` or something inside it.
pub(super) fn is_within(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    prefix.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl Tree {
    /// Reads files, given as path and text. Modules for tests only are not part of the tree.
    pub(super) fn new(files: &[(String, String)]) -> Self {
        let mut modules: BTreeMap<String, Module> = files
            .iter()
            .map(|(file, text)| {
                let source = Source::parse(text);
                let file = file.clone();
                (module_of(&file), Module { file, source })
            })
            .collect();
        let of_tests: Vec<String> = modules
            .iter()
            .flat_map(|(path, module)| {
                let names = module.source.test_modules.iter();
                names.map(move |name| join(path, name))
            })
            .collect();
        modules.retain(|path, _| !of_tests.iter().any(|test| is_within(path, test)));
        Self { modules }
    }

    /// Returns where `named` leads, seen from `module`.
    pub(super) fn target(&self, module: &str, named: &Named) -> Target {
        // An import does not see the name that it binds itself.
        let binds = named.alias.as_deref();
        self.follow(module, &named.segments, binds, MAX_HOPS)
    }

    fn follow(
        &self,
        module: &str,
        segments: &[String],
        binds: Option<&str>,
        hops: usize,
    ) -> Target {
        let foreign = || Target::Foreign(segments.to_vec());
        let Some((first, rest)) = segments.split_first() else {
            return foreign();
        };
        match first.as_str() {
            "crate" => return self.descend("", rest, hops),
            "self" => return self.descend(module, rest, hops),
            "super" => return self.ascend(module, rest, hops),
            _ => {}
        }
        let is_import = |name: &str| binds.is_none_or(|binds| binds != name);
        let aliases = self.modules.get(module).map(|found| &found.source.aliases);
        let alias = aliases.and_then(|aliases| aliases.get(first));
        match alias.filter(|_| hops > 0 && is_import(first)) {
            Some(path) => {
                let whole = [path.as_slice(), rest].concat();
                self.follow(module, &whole, Some(first), hops - 1)
            }
            None if self.modules.contains_key(&join(module, first)) => {
                self.descend(module, segments, hops)
            }
            None => foreign(),
        }
    }

    /// Goes up from `module` for a `super`, and for each that follows.
    fn ascend(&self, module: &str, rest: &[String], hops: usize) -> Target {
        let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
        match rest.split_first() {
            Some((next, rest)) if next == "super" => self.ascend(parent, rest, hops),
            _ => self.descend(parent, rest, hops),
        }
    }

    /// Goes from `module` down into its modules, and through its imports to where an item is.
    fn descend(&self, module: &str, segments: &[String], hops: usize) -> Target {
        let own = || Target::Own {
            module: module.to_owned(),
            item: segments.join("::"),
        };
        let Some((first, rest)) = segments.split_first() else {
            return own();
        };
        let child = join(module, first);
        if self.modules.contains_key(&child) {
            return self.descend(&child, rest, hops);
        }
        let found = self.modules.get(module);
        let imported = found.and_then(|found| found.source.aliases.get(first));
        // A name alone is a macro of the same file that is made visible.
        let imported = imported.filter(|path| hops > 0 && path.len() > 1);
        imported.map_or_else(own, |path| {
            let whole = [path.as_slice(), rest].concat();
            self.follow(module, &whole, Some(first), hops - 1)
        })
    }
}

/// Makes a tree of files of a few lines each.
pub(super) fn tree(files: &[(&str, &str)]) -> Tree {
    let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
    Tree::new(&files.iter().map(owned).collect::<Vec<_>>())
}

#[test]
fn paths_lead_to_the_file_that_has_the_item() {
    let tree = tree(&[
        ("src/lib.rs", ""),
        ("src/db/mod.rs", "pub use engine::Conn;\npub struct Db;"),
        ("src/db/engine/mod.rs", "pub use self::pool::Conn;"),
        (
            "src/db/engine/pool.rs",
            "pub struct Conn; pub(super) use sql;",
        ),
        (
            "src/db/tables.rs",
            "use super::{engine, Db};\nuse chrono::Utc;",
        ),
    ]);
    let cases = [
        ("crate::db::Db", "db", "Db"),
        ("super::Db::open", "db", "Db::open"),
        ("crate::db::Conn", "db::engine::pool", "Conn"),
        ("super::engine::Conn", "db::engine::pool", "Conn"),
        ("engine::pool::sql", "db::engine::pool", "sql"),
        ("Db::open", "db", "Db::open"),
        ("self::x", "db::tables", "x"),
        ("super::super::db::Db", "db", "Db"),
        ("super::engine", "db::engine", ""),
    ];
    for (path, module, item) in cases {
        let source = Source::parse(&format!("fn f() {{ {path}::y }}"));
        let mut named = source.names[0].clone();
        named.segments.pop();
        let expected = Target::Own {
            module: module.to_owned(),
            item: item.to_owned(),
        };
        assert_eq!(tree.target("db::tables", &named), expected, "{path}");
    }
    let foreign = Source::parse("fn f() { Utc::now() }");
    let expected = ["chrono", "Utc", "now"].map(str::to_owned).to_vec();
    let target = tree.target("db::tables", &foreign.names[0]);
    assert_eq!(target, Target::Foreign(expected));
}
