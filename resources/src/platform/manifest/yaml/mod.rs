//! From bytes to a tree of values that know where they stand.
//!
//! A manifest is data and not a program: one document, mappings with string
//! keys, lists and scalars. What YAML has beyond that (merge keys, tags of
//! one's own) is refused by name, and aliases are bounded, so that no file,
//! however hostile, costs more than a moment.

mod refusal;
mod scalar;

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput, Tag};

use self::refusal::{duplicate, empty, not_utf8, syntax, too_deep, too_many};
use self::scalar::plain;
use super::diagnostic::{Code, Diagnostic, quoted};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// How deep values may be nested.
pub const MAX_DEPTH: usize = 32;
/// How many values a document may have once its aliases are expanded.
pub const MAX_NODES: usize = 10_000;

/// Where a value stands. Lines and columns (in characters) count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first line.
    pub line: usize,
    /// The first column.
    pub column: usize,
    /// The line where it ends.
    pub end_line: usize,
    /// The column after its last character.
    pub end_column: usize,
}

impl Span {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1, end_line: 1, end_column: 1 };

    fn new(span: saphyr_parser::Span) -> Self {
        let place = |marker: Marker| (marker.line().max(1), marker.col() + 1);
        let ((line, column), (end_line, end_column)) = (place(span.start), place(span.end));
        Self { line, column, end_line, end_column }
    }
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a value is, by YAML 1.2's core schema: `yes` and `on` are strings.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, and how it is written.
    Integer(i64, String),
    /// Any other number, and how it is written (`1.30` is not `1.3` to a reader).
    Float(f64, String),
    /// A string.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the file's order; no key stands in it twice.
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value of a key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    fn count(&self) -> usize {
        1 + match &self.kind {
            Kind::Sequence(items) => items.iter().map(Node::count).sum(),
            Kind::Mapping(entries) => entries.iter().map(|entry| 1 + entry.value.count()).sum(),
            _ => 0,
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.kind {
            Kind::Sequence(items) => items.iter().map(Node::depth).max().unwrap_or(0),
            Kind::Mapping(entries) => {
                let depths = entries.iter().map(|entry| entry.value.depth());
                depths.max().unwrap_or(0)
            }
            _ => 0,
        }
    }
}

/// The text of a manifest: UTF-8, of a size worth reading.
///
/// # Errors
/// One finding, when the bytes are too many or not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, Diagnostic> {
    if bytes.len() > MAX_BYTES {
        return Err(Diagnostic::error(
            Code::TooLarge,
            format!("the file has {} bytes; a manifest has at most {MAX_BYTES} (1 MiB)", bytes.len()),
            "check that this is the manifest, and not its state, a plan or a log",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads one YAML document, a mapping, into a tree.
///
/// What does not stop the reading (a key that stands twice, a merge key) goes
/// to `findings`, and the tree goes on without it.
///
/// # Errors
/// The finding that stopped the reading.
pub fn parse(text: &str, findings: &mut Vec<Diagnostic>) -> Result<Node, Diagnostic> {
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        text,
        anchors: HashMap::new(),
        open: Vec::new(),
        nodes: 0,
        findings,
    };
    let root = builder.document()?;
    if matches!(root.kind, Kind::Mapping(_)) {
        return Ok(root);
    }
    let (line, column) = (root.span.line, root.span.column);
    if root.kind == Kind::Null {
        return Err(empty().at(line, column));
    }
    Err(Diagnostic::error(
        Code::WrongType,
        format!("a manifest is a mapping of keys, not {}", describe(&root)),
        "start with `name: my-cluster`; `rayplat init` writes a manifest to begin with",
    )
    .at(line, column))
}

/// A value in words, as it stands in a message: `the string "ten"`.
#[must_use]
pub fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "nothing".to_owned(),
        Kind::Bool(value) => format!("the truth value {value}"),
        Kind::Integer(_, text) | Kind::Float(_, text) => {
            let text = quoted(text);
            format!("the number {}", text.trim_matches('"'))
        }
        Kind::String(text) => format!("the string {}", quoted(text)),
        Kind::Sequence(_) => "a list".to_owned(),
        Kind::Mapping(_) => "a mapping".to_owned(),
    }
}

struct Builder<'input, 'findings> {
    parser: Parser<'input, StrInput<'input>>,
    text: &'input str,
    /// Finished anchors by the parser's number, with their sizes.
    anchors: HashMap<usize, Anchor>,
    /// Anchors whose value is still being read: an alias to one is a cycle.
    open: Vec<usize>,
    nodes: usize,
    findings: &'findings mut Vec<Diagnostic>,
}

struct Anchor {
    node: Node,
    count: usize,
    depth: usize,
}

type Read<T> = Result<T, Diagnostic>;

impl<'input> Builder<'input, '_> {
    fn next(&mut self) -> Read<(Event<'input>, Span)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, Span::new(span))),
            Some(Err(error)) => Err(syntax(&error, self.text)),
            None => Ok((Event::StreamEnd, Span::START)),
        }
    }

    fn document(&mut self) -> Read<Node> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::Nothing, _) => {}
                (Event::DocumentStart(_), _) => break,
                (_, _) => return Err(empty()),
            }
        }
        let (event, span) = self.next()?;
        let root = self.node(event, span, 1)?;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(_), span) => {
                    return Err(Diagnostic::error(
                        Code::YamlFeature,
                        "a second document begins here; a manifest is one document",
                        "remove the `---`, or keep the second manifest in a file of its own",
                    )
                    .at(span.line, span.column));
                }
                _ => {}
            }
        }
    }

    /// The value that begins with this event. Recursion is bounded by [`MAX_DEPTH`].
    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Read<Node> {
        if depth > MAX_DEPTH {
            return Err(too_deep().at(span.line, span.column));
        }
        self.spend(1, span)?;
        let (anchor, mut node) = match event {
            Event::Scalar(value, style, anchor, tag) => {
                let kind = self.scalar(&value, style, tag.as_deref(), span);
                (anchor, Node { span, kind })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "seq", span);
                (anchor, self.within(anchor, |b| b.sequence(span, depth))?)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "map", span);
                (anchor, self.within(anchor, |b| b.mapping(span, depth))?)
            }
            Event::Alias(anchor) => return self.alias(anchor, span, depth),
            // The parser's grammar has nothing else here.
            other => {
                return Err(Diagnostic::error(
                    Code::YamlSyntax,
                    format!("not valid YAML: a value was expected here, not {other:?}"),
                    "write a value",
                )
                .at(span.line, span.column));
            }
        };
        if anchor > 0 {
            let (count, depth) = (node.count(), node.depth());
            let node = node.clone();
            self.anchors.insert(anchor, Anchor { node, count, depth });
        }
        node.span = span_to_end(&node);
        Ok(node)
    }

    fn within(&mut self, anchor: usize, read: impl FnOnce(&mut Self) -> Read<Node>) -> Read<Node> {
        self.open.push(anchor);
        let node = read(self);
        self.open.pop();
        node
    }

    fn sequence(&mut self, start: Span, depth: usize) -> Read<Node> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    return Ok(Node { span: joined(start, end), kind: Kind::Sequence(items) });
                }
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, start: Span, depth: usize) -> Read<Node> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, Span> = HashMap::new();
        loop {
            let (event, key_span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Node { span: joined(start, key_span), kind: Kind::Mapping(entries) });
            }
            let plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, _, _));
            let key = self.node(event, key_span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Some(key) = self.key(&key, key_span, plain) else {
                continue;
            };
            if let Some(first) = seen.get(&key) {
                let found = duplicate(&key, *first, key_span);
                self.findings.push(found);
                continue;
            }
            seen.insert(key.clone(), key_span);
            entries.push(Entry { key, key_span, value });
        }
    }

    /// The key's text, or `None` with a finding when it cannot be a key.
    fn key(&mut self, key: &Node, span: Span, plain: bool) -> Option<String> {
        let (line, column) = (span.line, span.column);
        match &key.kind {
            Kind::String(name) if name == "<<" && plain => {
                self.findings.push(
                    Diagnostic::error(
                        Code::YamlFeature,
                        "merge keys (`<<`) have no meaning in a manifest",
                        "write the merged keys out",
                    )
                    .at(line, column),
                );
                None
            }
            Kind::String(name) => Some(name.clone()),
            other => {
                let cure = match other {
                    Kind::Integer(_, text) | Kind::Float(_, text) => {
                        format!("write the key in quotes: {}", quoted(text))
                    }
                    Kind::Bool(value) => format!("write the key in quotes: \"{value}\""),
                    _ => "write a string before the colon".to_owned(),
                };
                self.findings.push(
                    Diagnostic::error(Code::WrongType, format!("a key must be a string, not {}", describe(key)), cure)
                        .at(line, column),
                );
                None
            }
        }
    }

    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Read<Node> {
        let Some(target) = self.anchors.get(&anchor) else {
            let message = if self.open.contains(&anchor) {
                "this alias stands inside the value that it names, which would never end"
            } else {
                "this alias names no value that stands before it"
            };
            return Err(Diagnostic::error(Code::YamlFeature, message, "write the value out in place of the alias")
                .at(span.line, span.column));
        };
        if depth + target.depth - 1 > MAX_DEPTH {
            return Err(too_deep().at(span.line, span.column));
        }
        let cost = target.count - 1;
        // Spend before cloning: the bound is what keeps an alias bomb small.
        self.nodes = self.nodes.saturating_add(cost);
        self.spend(0, span)?;
        let mut node = self.anchors[&anchor].node.clone();
        node.span = span;
        Ok(node)
    }

    fn spend(&mut self, nodes: usize, span: Span) -> Read<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        Err(too_many(span))
    }

    fn scalar(&mut self, value: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Kind {
        if let Some(tag) = tag {
            if tag.is_yaml_core_schema() && tag.suffix == "str" {
                return Kind::String(value.to_owned());
            }
            self.refuse_tag(Some(tag), "", span);
        }
        if style == ScalarStyle::Plain { plain(value) } else { Kind::String(value.to_owned()) }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, allowed: &str, span: Span) {
        let Some(tag) = tag else { return };
        if tag.is_yaml_core_schema() && tag.suffix == allowed {
            return;
        }
        let name = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
        self.findings.push(
            Diagnostic::error(
                Code::YamlFeature,
                format!("the tag {} has no meaning in a manifest", quoted(&name)),
                "remove the tag; write strings in quotes",
            )
            .at(span.line, span.column),
        );
    }
}

fn joined(start: Span, end: Span) -> Span {
    Span { end_line: end.end_line, end_column: end.end_column, ..start }
}

/// A block collection's end mark stands where the next token begins, perhaps
/// far below: its own end is that of its last value.
fn span_to_end(node: &Node) -> Span {
    let last = match &node.kind {
        Kind::Sequence(items) => items.last().map(|item| item.span),
        Kind::Mapping(entries) => entries.last().map(|entry| entry.value.span),
        _ => None,
    };
    match last {
        Some(last) if node.span.end_line > last.end_line => joined(node.span, last),
        _ => node.span,
    }
}

#[cfg(test)]
mod tests;
