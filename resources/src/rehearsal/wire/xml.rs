//! XML documents as JSON values and back. A list is a repeated element; which elements
//! are lists, the service says.

use quick_xml::{
    Reader,
    escape::{escape, resolve_predefined_entity},
    events::Event,
};
use serde_json::{Map, Value};

/// No shape of S3 nests deeper.
const MAX_DEPTH: usize = 24;

/// One open element.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

impl Open {
    fn new(name: String) -> Self {
        Self { name, members: Map::new(), text: String::new() }
    }

    /// Without members an element is its text; with members, the white space between them
    /// means nothing.
    fn value(self) -> Value {
        if self.members.is_empty() { Value::String(self.text) } else { Value::Object(self.members) }
    }

    fn put(&mut self, name: String, value: Value, lists: &[&str]) {
        if !lists.contains(&name.as_str()) {
            self.members.insert(name, value);
            return;
        }
        let list = self.members.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(items) = list {
            items.push(value);
        }
    }
}

/// The members of a document's root. Elements named in `lists` become lists. `None`: it
/// is not well-formed.
pub(super) fn parse(text: &str, lists: &[&str]) -> Option<Map<String, Value>> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) if open.len() < MAX_DEPTH && root.is_none() => {
                open.push(Open::new(element.local_name().as_ref().to_owned()));
            }
            Event::Empty(element) if root.is_none() => {
                let name = element.local_name().as_ref().to_owned();
                match open.last_mut() {
                    Some(parent) => parent.put(name, Value::String(String::new()), lists),
                    None => root = Some(Open::new(name)),
                }
            }
            Event::End(_) => {
                let done = open.pop()?;
                match open.last_mut() {
                    Some(parent) => {
                        let name = done.name.clone();
                        parent.put(name, done.value(), lists);
                    }
                    None => root = Some(done),
                }
            }
            Event::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text.xml10_content());
                }
            }
            Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let element = open.last_mut()?;
                match reference.resolve_char_ref().ok()? {
                    Some(letter) => element.text.push(letter),
                    None => element.text.push_str(resolve_predefined_entity(&reference.xml10_content())?),
                }
            }
            Event::Decl(_) | Event::Comment(_) => {}
            Event::Eof if open.is_empty() => return root.map(|root| root.members),
            _ => return None,
        }
    }
}

/// Writes a value as an element of this name; a list as so many elements.
pub(super) fn element(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| element(out, name, item)),
        _ => {
            out.push_str(&format!("<{name}>"));
            content(out, value);
            out.push_str(&format!("</{name}>"));
        }
    }
}

/// Writes what is inside an element.
pub(super) fn content(out: &mut String, value: &Value) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| element(out, name, value)),
        Value::String(text) => out.push_str(&escape(text.as_str())),
        Value::Null | Value::Array(_) => {}
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_become_members_and_back() {
        let text = r#"<?xml version="1.0"?><C xmlns="x"><Rule><ID>a &amp; b</ID><Filter/></Rule>
            <Rule><ID>&#99;</ID></Rule><Status><![CDATA[<on>]]></Status></C>"#;
        let value = json!({"Rule": [{"ID": "a & b", "Filter": ""}, {"ID": "c"}], "Status": "<on>"});
        assert_eq!(Value::Object(parse(text, &["Rule"]).unwrap()), value);
        let mut out = String::new();
        element(&mut out, "C", &value);
        assert_eq!(Value::Object(parse(&out, &["Rule"]).unwrap()), value);
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        for text in ["", "x", "<a>", "<a></b>", "</a>", "<a/><b/>", "<a>&nope;</a>", "<!DOCTYPE a><a/>", &deep] {
            assert!(parse(text, &[]).is_none(), "{text}");
        }
    }
}
