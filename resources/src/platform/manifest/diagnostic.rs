//! What is wrong with a manifest, where, why and what to do about it: the
//! shape of a compiler's messages, as text and as JSON.

use std::fmt;

use serde::Serialize;

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The manifest cannot be used.
    Error,
    /// The manifest can be used; a person should look at this first.
    Warning,
    /// Nothing is wrong; good to know before somebody looks for it.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// The kind of a [`Diagnostic`]: stable, for tools that read the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The file is larger than a manifest may be.
    TooLarge,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The YAML parser refused the text.
    YamlSyntax,
    /// YAML that is legal and has no meaning in a manifest: several
    /// documents, merge keys, tags of one's own, an empty document.
    YamlFeature,
    /// Nested too deeply, or too many values after the aliases are expanded.
    TooComplex,
    /// The same key twice in one mapping.
    DuplicateKey,
    /// A key that does not exist.
    UnknownKey,
    /// A key that must be there and is not.
    MissingKey,
    /// A value of another type than the key takes.
    WrongType,
    /// A value that is none of those the key takes.
    NotOneOf,
    /// A string that has not the form the key takes.
    BadFormat,
    /// A number, a string's length or a list's length outside its range.
    OutOfRange,
    /// Two values that cannot both hold.
    Conflict,
    /// A Kubernetes version that cannot be had, or not on these terms.
    KubernetesVersion,
    /// An instance type that is not known, or does not fit its pool.
    InstanceType,
    /// Allowed, and known to end badly or to cost more than it seems.
    Risk,
    /// A budget's limit and not a limit of AWS: a policy may overrule it.
    Budget,
    /// A finding of a lint rule; `rule` says which.
    Lint,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One finding in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// The lint rule that found it, if one did: the manifest can allow it by this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// Where in the tree, as `node_pools.gpu.max`; empty for the whole file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong and why.
    pub message: String,
    /// What to do about it.
    pub cure: String,
    /// The source line, made safe for a terminal, and the caret's place in it.
    #[serde(skip)]
    snippet: Option<Box<Snippet>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Snippet {
    text: String,
    caret: usize,
}

impl Diagnostic {
    /// A finding that makes the manifest unusable.
    #[must_use]
    pub fn error(code: Code, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message.into(), cure.into())
    }

    /// A finding that a person should look at.
    #[must_use]
    pub fn warning(code: Code, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message.into(), cure.into())
    }

    /// A finding of a lint rule.
    #[must_use]
    pub fn lint(severity: Severity, rule: &'static str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(severity, Code::Lint, message.into(), cure.into()).rule(rule)
    }

    /// The same finding as one of a lint rule, which a manifest can allow.
    #[must_use]
    pub fn rule(mut self, rule: &'static str) -> Self {
        self.rule = Some(rule);
        self
    }

    fn new(severity: Severity, code: Code, message: String, cure: String) -> Self {
        Self { severity, code, rule: None, path: String::new(), line: 1, column: 1, message, cure, snippet: None }
    }

    /// The same finding at a line and column, both from 1.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        self.line = line;
        self.column = column;
        self
    }

    /// The same finding at a path of the tree.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }
}

/// Everything found in one manifest, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostics {
    /// The file's name, as the caller gave it.
    pub file: String,
    /// The findings, sorted by line and column.
    pub diagnostics: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Sorts the findings and gives each the source line it points at.
    #[must_use]
    pub fn new(file: &str, source: &str, mut diagnostics: Vec<Diagnostic>) -> Self {
        let lines = source_lines(source);
        for diagnostic in &mut diagnostics {
            diagnostic.snippet = diagnostic
                .line
                .checked_sub(1)
                .and_then(|index| lines.get(index))
                .map(|line| Box::new(snippet(line, diagnostic.column)));
        }
        diagnostics.sort_by(|a, b| {
            (a.line, a.column, a.severity, a.code, &a.message).cmp(&(b.line, b.column, b.severity, b.code, &b.message))
        });
        diagnostics.dedup();
        Self { file: file.to_owned(), diagnostics }
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Whether one of the findings is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many findings are that bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.iter().filter(|d| d.severity == severity).count()
    }

    /// The findings, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.diagnostics.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let file = printable(&self.file);
            let Diagnostic { severity, line, column, message, cure, .. } = diagnostic;
            let rule = diagnostic.rule.map(|rule| format!("[{rule}]")).unwrap_or_default();
            writeln!(f, "{file}:{line}:{column}: {severity}{rule}: {message}")?;
            if let Some(snippet) = &diagnostic.snippet {
                let gutter = line.to_string().len();
                writeln!(f, " {line} | {}", snippet.text)?;
                let indent = " ".repeat(snippet.caret);
                writeln!(f, " {:gutter$} | {indent}^", "")?;
            }
            writeln!(f, "  cure: {cure}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// The lines of a text as YAML counts them: `\n`, `\r\n` and a lone `\r` end
/// one (YAML 1.2.2, section 5.4).
fn source_lines(source: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = source;
    while let Some(end) = rest.find(['\n', '\r']) {
        let (line, tail) = rest.split_at(end);
        lines.push(line);
        rest = tail.strip_prefix("\r\n").unwrap_or(&tail[1..]);
    }
    lines.push(rest);
    lines
}

/// The part of a line around a column, at most this many characters wide.
const SNIPPET_WIDTH: usize = 100;

fn snippet(line: &str, column: usize) -> Snippet {
    let caret = column.saturating_sub(1);
    let length = line.chars().count();
    let start = if length <= SNIPPET_WIDTH { 0 } else { caret.saturating_sub(SNIPPET_WIDTH / 2) };
    let text: String = line.chars().skip(start).take(SNIPPET_WIDTH).collect();
    let text = printable(&text);
    Snippet { text: text.trim_end().to_owned(), caret: caret.min(length) - start.min(caret.min(length)) }
}

/// A text that cannot move the cursor, colour or reorder a terminal: one
/// character stands for each control character, so that columns stay.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            // Bidirectional controls make a line look like another one.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A value of the manifest as it stands in a message: in double quotes, on one
/// line, not longer than a person wants to read.
#[must_use]
pub fn quoted(value: &str) -> String {
    const LONGEST: usize = 60;
    let short: String = value.chars().take(LONGEST).collect();
    let short = printable(&short);
    if value.chars().count() > LONGEST { format!("\"{short}...\"") } else { format!("\"{short}\"") }
}

/// The candidate that a mistyped word most likely meant, if one is near.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are nobody's typing mistake, and the distance is quadratic.
    if word.chars().count() > 64 {
        return None;
    }
    let normal = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let word = normal(word);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &normal(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
        // `prod` means `production`, `maximum` and `max_size` mean `max`, and
        // `version` means `kubernetes_version`.
        .or_else(|| {
            if word.len() < 3 {
                return None;
            }
            let starts = |candidate: &&&str| {
                let candidate = normal(candidate);
                candidate.starts_with(&word) || candidate.len() > 2 && word.starts_with(&candidate)
            };
            if let Some(candidate) = candidates.iter().find(starts) {
                return Some(*candidate);
            }
            let parts = |text: &str| text.split('_').map(str::to_owned).collect::<Vec<_>>();
            candidates.into_iter().find(|candidate| {
                let candidate = normal(candidate);
                parts(&word).contains(&candidate) || parts(&candidate).contains(&word)
            })
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn reads_like_a_compiler() {
        let source = "name: a\nnode_pools:\n  gpu: {max: ten}\n";
        let found =
            Diagnostic::error(Code::WrongType, "`max` is wrong", "write a number").at(3, 14).path("node_pools.gpu.max");
        let all = Diagnostics::new("rayplat.yaml", source, vec![found]);
        assert_eq!(
            all.to_string(),
            "rayplat.yaml:3:14: error: `max` is wrong\n \
             3 |   gpu: {max: ten}\n   |              ^\n  cure: write a number\n"
        );
    }

    #[test]
    fn sorts_by_place_and_drops_repetitions() {
        let at = |line| Diagnostic::error(Code::Conflict, "m", "c").at(line, 1);
        let all = Diagnostics::new("f", "", vec![at(3), at(1), at(3)]);
        let lines: Vec<_> = all.iter().map(|d| d.line).collect();
        assert_eq!(lines, [1, 3]);
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let line = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let cut = snippet(&line, 5001);
        assert_eq!(cut.text.chars().nth(cut.caret), Some('X'));
        assert_eq!(cut.text.chars().count(), SNIPPET_WIDTH);
    }

    #[test]
    fn a_caret_past_the_end_stays_at_the_end() {
        assert_eq!(snippet("ab", 40).caret, 2);
        assert_eq!(snippet("", 1).caret, 0);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b\tc"), "a\u{fffd}[31m\u{fffd}b c");
        assert_eq!(quoted(&"x".repeat(70)).len(), 65);
    }

    #[test]
    fn lines_end_as_yaml_ends_them() {
        assert_eq!(source_lines("a\r\nb\rc\nd"), ["a", "b", "c", "d"]);
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["node_pools", "network", "name", "tags"];
        assert_eq!(nearest("node_pool", names), Some("node_pools"));
        assert_eq!(nearest("nodePools", names), Some("node_pools"));
        assert_eq!(nearest("netwrok", names), Some("network"));
        assert_eq!(nearest("ray", names), None);
        assert_eq!(nearest("prod", ["production", "dev"]), Some("production"));
        assert_eq!(nearest("max_size", ["min", "max"]), Some("max"));
        assert_eq!(nearest("SPOT", ["on_demand", "spot"]), Some("spot"));
        assert_eq!(nearest(&"n".repeat(100_000), names), None);
    }

    #[test]
    fn json_has_the_place_and_the_code() {
        let found = Diagnostic::warning(Code::Risk, "m", "c").at(2, 3).path("a.b");
        let json = serde_json::to_value(Diagnostics::new("f", "", vec![found])).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"file": "f", "diagnostics": [{
                "severity": "warning", "code": "risk", "path": "a.b",
                "line": 2, "column": 3, "message": "m", "cure": "c",
            }]})
        );
    }
}
