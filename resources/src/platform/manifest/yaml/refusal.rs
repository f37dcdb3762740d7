//! What stops the reading of a file, in words, with what most often causes it.

use saphyr_parser::ScanError;

use super::super::diagnostic::{Code, Diagnostic, quoted};
use super::{MAX_DEPTH, MAX_NODES, Span};

pub(super) fn not_utf8(bytes: &[u8], offset: usize) -> Diagnostic {
    let before = String::from_utf8_lossy(&bytes[..offset]);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.matches('\n').count();
    let column = 1 + before[line_start..].chars().count();
    let cure = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        "this looks like UTF-16: save the file as UTF-8"
    } else {
        "save the file as UTF-8, or remove the byte"
    };
    let byte = bytes.get(offset).copied().unwrap_or_default();
    Diagnostic::error(
        Code::NotUtf8,
        format!("the file is not UTF-8: byte 0x{byte:02x} at offset {offset}, on line {line}"),
        cure,
    )
    .at(line, column)
}

pub(super) fn empty() -> Diagnostic {
    Diagnostic::error(
        Code::YamlFeature,
        "the manifest is empty",
        "write at least `name`, `region` and `network`; `rayplat init` writes a manifest to begin with",
    )
}

pub(super) fn too_deep() -> Diagnostic {
    Diagnostic::error(
        Code::TooComplex,
        format!("values are nested more than {MAX_DEPTH} deep"),
        "no key of a manifest is that deep: check the brackets and the indentation",
    )
}

pub(super) fn duplicate(key: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error(
        Code::DuplicateKey,
        format!(
            "the key {} stands twice in this mapping: on line {} and on line {}",
            quoted(key),
            first.line,
            second.line
        ),
        "remove one of the two, or join their values",
    )
    .at(second.line, second.column)
}

/// What the parser's refusal means, and what most often causes it.
pub(super) fn syntax(error: &ScanError, text: &str) -> Diagnostic {
    let marker = error.marker();
    let (line, column) = (marker.line().max(1), marker.col() + 1);
    let source = text.lines().nth(line - 1).unwrap_or_default();
    let indentation = &source[..source.len() - source.trim_start().len()];
    let info = error.info();
    // The parser reads ahead of us, and has a limit of its own.
    if info.contains("recursion limit") {
        return too_deep().at(line, column);
    }
    let cure = if indentation.contains('\t') || info.contains("tab") {
        "indent with spaces: YAML does not allow tabs for indentation"
    } else if info.contains("anchor") || info.contains("alias") {
        "write the value out in place of the alias"
    } else if info.contains("mapping values") || info.contains("simple key") || info.contains("':'") {
        "check the indentation and the colons of this line and the one above; put a text that has `: ` in quotes"
    } else if info.contains("quoted scalar") || info.contains("end of stream") {
        "close the quote or the bracket that is open here"
    } else {
        "check the indentation, the quotes and the brackets of this line and the one above"
    };
    Diagnostic::error(Code::YamlSyntax, format!("not valid YAML: {info}"), cure).at(line, column)
}

pub(super) fn too_many(span: Span) -> Diagnostic {
    Diagnostic::error(
        Code::TooComplex,
        format!("the manifest has more than {MAX_NODES} values once its aliases are expanded"),
        "use fewer aliases, and no alias to a value that has aliases itself",
    )
    .at(span.line, span.column)
}
