//! Looks up the text of a setting: flag, environment variable, TOML file or default.
//!
//! Collects every problem under the name of the source at fault. Not here: the meaning of the
//! settings, which `config` parses.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::settings::{Flags, SETTINGS, Setting, VARIABLE_PREFIX};

/// Reads a file that a setting names.
pub type ReadFile<'a> = &'a dyn Fn(&Path, Content) -> io::Result<String>;

/// Kind of content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Public,
    /// Content that other users must not be able to read.
    Secret,
}

/// Secret of a setting.
pub struct FoundSecret {
    /// Flag, variable or key that has the secret or names its file.
    pub origin: String,
    pub text: String,
    /// File of the secret. `None` if the setting itself has it.
    pub file: Option<PathBuf>,
}

impl FoundSecret {
    /// Returns the text without the newline with which editors and `echo` end a file.
    pub fn line(&self) -> &str {
        let line = self.text.strip_suffix('\n').unwrap_or(&self.text);
        line.strip_suffix('\r').unwrap_or(line)
    }
}

/// Kind of source of a setting, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Flag,
    Variable,
    File,
    Default,
}

/// All sources of one process and the problems found in them so far.
pub struct Sources<'a> {
    flags: Flags,
    environment: &'a BTreeMap<String, String>,
    /// The TOML file: texts by key.
    file: BTreeMap<String, String>,
    read_file: ReadFile<'a>,
    problems: Vec<String>,
}

impl<'a> Sources<'a> {
    /// Reads the TOML file, if one is named, and looks for names that no setting has.
    pub fn new(
        flags: Flags,
        environment: &'a BTreeMap<String, String>,
        read_file: ReadFile<'a>,
    ) -> Sources<'a> {
        let file = BTreeMap::new();
        let problems = Vec::new();
        let mut sources = Sources {
            flags,
            environment,
            file,
            read_file,
            problems,
        };
        for (variable, _) in environment
            .iter()
            .filter(|(name, value)| is_unknown(name, value))
        {
            sources.report(variable, "is not a variable of this program");
        }
        if let Some((origin, toml)) = sources.content_of("config") {
            sources.read_toml(&origin, &toml);
        }
        sources
    }

    /// Returns the parsed value of the setting `name`, which has a default. After reporting a
    /// problem the default stands in, so that the other settings are checked as well.
    pub fn required<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        let default = setting(name).default;
        self.optional(name, &parse)
            .or_else(|| parse(default?).ok())
            .expect("required settings have a default that is valid")
    }

    /// Returns the parsed value of the setting `name`. `None` if it is absent and has no default,
    /// or after reporting a problem.
    pub fn optional<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (origin, text) = self.given(setting(name))?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.report(&origin, &problem);
                None
            }
        }
    }

    /// Returns the parsed items of the setting `name` between its commas. Empty if the setting is
    /// absent.
    pub fn list<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let all = |text: &str| text.split(',').map(|item| parse(item.trim())).collect();
        self.optional(name, all).unwrap_or_default()
    }

    /// Returns the content of the file that the setting `name` names, and the source of that name.
    pub fn content_of(&mut self, name: &str) -> Option<(String, String)> {
        self.read(setting(name), Content::Public)
    }

    /// Returns the path of the file that the setting `name` names.
    pub fn path_of(&mut self, name: &str) -> Option<PathBuf> {
        let (_, path) = self.given(setting(name))?;
        Some(path.into())
    }

    /// Returns the secret `name`. Either the setting itself has the secret, or the
    /// setting with `_file` in its name names a file with it, and the stronger source wins. The
    /// caller parses the secret, because problems of a parser quote the value.
    pub fn secret_of(&mut self, name: &str) -> Option<FoundSecret> {
        let (direct, by_file) = (setting(name), setting(&format!("{name}_file")));
        let (source, source_of_file) = (self.source_of(direct), self.source_of(by_file));
        if source < source_of_file || source_of_file == Source::Default {
            let (origin, text) = self.given(direct)?;
            let file = None;
            return Some(FoundSecret { origin, text, file });
        }
        if source == source_of_file {
            let problem = format!("must not be set together with {}", source.name_of(direct));
            self.report(&source.name_of(by_file), &problem);
            return None;
        }
        let (origin, text) = self.read(by_file, Content::Secret)?;
        let file = self.path_of(by_file.name);
        Some(FoundSecret { origin, text, file })
    }

    /// Reports a problem. `origin` is the flag, variable or key at fault.
    pub fn report(&mut self, origin: &str, problem: &str) {
        self.problems.push(format!("{origin}: {problem}"));
    }

    /// Returns every reported problem, in the order in which they were found.
    pub fn into_problems(self) -> Vec<String> {
        self.problems
    }

    /// Reads the file that `setting` names. Returns the source of that name, and the content.
    fn read(&mut self, setting: &Setting, content: Content) -> Option<(String, String)> {
        let (origin, path) = self.given(setting)?;
        match (self.read_file)(Path::new(&path), content) {
            Ok(content) => Some((origin, content)),
            Err(error) => {
                self.report(&origin, &format!("cannot read {path:?}: {error}"));
                None
            }
        }
    }

    /// Returns the text from the strongest source that has one, and the name of that source.
    fn given(&mut self, setting: &Setting) -> Option<(String, String)> {
        let source = self.source_of(setting);
        let origin = source.name_of(setting);
        let text = self.text_from(source, setting)?.to_owned();
        if text.trim().is_empty() {
            self.report(&origin, "is empty; remove it to use the default");
            return None;
        }
        Some((origin, text))
    }

    /// Returns the strongest source that has `setting`.
    fn source_of(&self, setting: &Setting) -> Source {
        let sources = [Source::Flag, Source::Variable, Source::File];
        let mut given = sources.into_iter();
        given
            .find(|source| self.text_from(*source, setting).is_some())
            .unwrap_or(Source::Default)
    }

    fn text_from(&self, source: Source, setting: &Setting) -> Option<&str> {
        match source {
            Source::Flag => self.flags.get(setting).map(String::as_str),
            Source::Variable => {
                let text = self.environment.get(&setting.variable());
                text.map(String::as_str)
            }
            Source::File => self.file.get(setting.name).map(String::as_str),
            Source::Default => setting.default,
        }
    }

    fn read_toml(&mut self, origin: &str, toml: &str) {
        match toml.parse::<toml::Table>() {
            Ok(table) => table
                .into_iter()
                .for_each(|(key, value)| self.read_key(key, value)),
            Err(error) => {
                // Only the message: the full text quotes the line, which may hold a password.
                let line = error
                    .span()
                    .map_or(1, |span| 1 + line_breaks(toml, span.start));
                self.report(origin, &format!("line {line}: {}", error.message()));
            }
        }
    }

    fn read_key(&mut self, key: String, value: toml::Value) {
        let setting = SETTINGS.iter().find(|setting| setting.name == key);
        let problem = match (setting, value) {
            (None, _) => "is not a key of this program",
            (Some(setting), _) if !setting.is_allowed_in_file => {
                "is not allowed in the file; use jwt_secret_file for a secret"
            }
            (Some(setting), toml::Value::Integer(number)) if setting.is_number => {
                self.file.insert(key, number.to_string());
                return;
            }
            (Some(setting), toml::Value::String(text)) if !setting.is_number => {
                self.file.insert(key, text);
                return;
            }
            (Some(setting), _) if setting.is_number => "must be an integer",
            (Some(_), _) => "must be a string",
        };
        self.report(&in_file(&key), problem);
    }
}

impl Source {
    /// Returns the name of `setting` in this source. A default has the name of the variable.
    fn name_of(self, setting: &Setting) -> String {
        match self {
            Self::Flag => format!("--{}", setting.long_flag()),
            Self::Variable | Self::Default => setting.variable(),
            Self::File => in_file(setting.name),
        }
    }
}

/// Finds the row of the table. `Config::from_sources` finds every row, so that a test of it would
/// notice a wrong name.
pub fn setting(name: &str) -> &'static Setting {
    SETTINGS
        .iter()
        .find(|setting| setting.name == name)
        .expect("a row of SETTINGS")
}

fn in_file(key: &str) -> String {
    format!("{key} (configuration file)")
}

fn line_breaks(text: &str, end: usize) -> usize {
    text.bytes().take(end).filter(|byte| *byte == b'\n').count()
}

/// Returns whether a variable has our prefix but no setting, probably because it is misspelt.
fn is_unknown(variable: &str, value: &str) -> bool {
    variable.starts_with(VARIABLE_PREFIX)
        && !is_kubernetes_service_link(variable, value)
        && SETTINGS
            .iter()
            .all(|setting| setting.variable() != variable)
}

/// Returns whether Kubernetes sets this variable, as in every pod beside a Service named
/// `quietline`
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
fn is_kubernetes_service_link(variable: &str, value: &str) -> bool {
    let name = variable.trim_start_matches(VARIABLE_PREFIX);
    let prefixes = ["SERVICE_HOST", "SERVICE_PORT", "PORT_"];
    // A bare number is more likely a mistake for `QUIETLINE_LISTEN`.
    (name == "PORT" && value.contains("://"))
        || prefixes.iter().any(|prefix| name.starts_with(prefix))
}
