//! Files of variables, `.tfvars`: the part of HCL that is values. Expressions, templates and
//! heredocs are refused: they need Terraform.
//!
//! Grammar: <https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md>

use serde_json::{Map, Number, Value};

use super::FileError;

/// How deep lists and maps may be nested.
const DEPTH: usize = 64;

const ONLY_VALUES: &str =
    "A file of variables holds texts, numbers, true, false, null, lists and maps. Write the value itself.";

/// The variables of a `.tfvars` file, in its order.
///
/// # Errors
/// With line and column, what is wrong and what to write instead.
pub fn parse(text: &str) -> Result<Map<String, Value>, FileError> {
    let mut parser = Parser { letters: text.trim_start_matches('\u{feff}').chars().collect(), at: 0 };
    let mut variables = Map::new();
    loop {
        parser.space(true)?;
        if parser.peek().is_none() {
            return Ok(variables);
        }
        let began = parser.at;
        let name = parser.identifier()?;
        parser.space(false)?;
        if parser.peek() != Some('=') {
            let message = format!("`{name}` is not followed by `=`");
            return Err(parser.error(
                began,
                &message,
                "A line is `name = value`; blocks have no place in a file of variables.",
            ));
        }
        parser.at += 1;
        parser.space(false)?;
        let value = parser.value(0)?;
        parser.line_ends()?;
        if variables.insert(name.clone(), value).is_some() {
            return Err(parser.error(began, &format!("`{name}` is given twice"), "Leave one of them."));
        }
    }
}

struct Parser {
    letters: Vec<char>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, letter)| self.letters.get(self.at + index) == Some(&letter))
    }

    fn error(&self, at: usize, message: &str, cure: &str) -> FileError {
        let before = &self.letters[..at.min(self.letters.len())];
        let line = before.iter().filter(|letter| **letter == '\n').count() + 1;
        let column = before.iter().rev().take_while(|letter| **letter != '\n').count() + 1;
        FileError { at: Some((line, column)), message: message.to_owned(), cure: cure.to_owned() }
    }

    fn here<T>(&self, message: &str, cure: &str) -> Result<T, FileError> {
        Err(self.error(self.at, message, cure))
    }

    /// Skips blanks and comments, and line ends where they mean nothing.
    fn space(&mut self, lines: bool) -> Result<(), FileError> {
        loop {
            match self.peek() {
                Some('\n') if !lines => return Ok(()),
                Some(' ' | '\t' | '\r' | '\n') => self.at += 1,
                Some('#') => self.rest_of_line(),
                Some('/') if self.starts("//") => self.rest_of_line(),
                Some('/') if self.starts("/*") => {
                    let began = self.at;
                    while !self.starts("*/") {
                        if self.peek().is_none() {
                            return Err(self.error(began, "the comment does not end", "Close it with `*/`."));
                        }
                        self.at += 1;
                    }
                    self.at += 2;
                }
                _ => return Ok(()),
            }
        }
    }

    fn rest_of_line(&mut self) {
        while self.peek().is_some_and(|letter| letter != '\n') {
            self.at += 1;
        }
    }

    fn line_ends(&mut self) -> Result<(), FileError> {
        self.space(false)?;
        match self.peek() {
            None | Some('\n') => Ok(()),
            Some(letter) => {
                let message = format!("`{letter}` after the value: the line must end here");
                self.here(&message, ONLY_VALUES)
            }
        }
    }

    fn identifier(&mut self) -> Result<String, FileError> {
        let began = self.at;
        let first = self.peek().is_some_and(|letter| letter.is_alphabetic() || letter == '_');
        while self.peek().is_some_and(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-')) {
            self.at += 1;
        }
        if !first {
            let found = self.letters.get(began).map(char::to_string).unwrap_or_default();
            return Err(self.error(began, &format!("`{found}` does not begin a name"), "A line is `name = value`."));
        }
        Ok(self.letters[began..self.at].iter().collect())
    }

    fn value(&mut self, depth: usize) -> Result<Value, FileError> {
        if depth > DEPTH {
            return self.here("lists and maps are nested too deep", "No variable of the module needs that.");
        }
        match self.peek() {
            Some('"') => self.text().map(Value::String),
            Some('[') => self.list(depth),
            Some('{') => self.map(depth),
            Some('<') if self.starts("<<") => {
                self.here("a heredoc is not read here", "Write the text in quotes, with \\n for each line end.")
            }
            Some(letter) if letter.is_ascii_digit() || letter == '-' => self.number(),
            Some(letter) if letter.is_alphabetic() || letter == '_' => self.word(),
            Some(letter) => self.here(&format!("`{letter}` does not begin a value"), ONLY_VALUES),
            None => self.here("the file ends where a value must be", "Write the value."),
        }
    }

    fn word(&mut self) -> Result<Value, FileError> {
        let began = self.at;
        let word = self.identifier()?;
        let value = match word.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            _ => {
                let message = format!("`{word}` is an expression, which only Terraform can evaluate");
                return Err(self.error(began, &message, ONLY_VALUES));
            }
        };
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, FileError> {
        let began = self.at;
        while self.peek().is_some_and(|letter| letter.is_ascii_digit() || matches!(letter, '.' | 'e' | 'E' | '+' | '-'))
        {
            self.at += 1;
        }
        let text: String = self.letters[began..self.at].iter().collect();
        let whole = text.parse::<i64>().ok().map(Number::from);
        match whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64)) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(self.error(began, &format!("`{text}` is no number"), ONLY_VALUES)),
        }
    }

    fn text(&mut self) -> Result<String, FileError> {
        let began = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(letter) = self.peek().filter(|letter| *letter != '\n') else {
                return Err(self.error(began, "the text does not end on its line", "Close it with a quote."));
            };
            match letter {
                '"' => {
                    self.at += 1;
                    return Ok(text);
                }
                '\\' => text.push(self.escape()?),
                '$' | '%' if self.starts("${") || self.starts("%{") => {
                    return self.here(
                        "a template in a text, which only Terraform can evaluate",
                        "Write the text itself; `$${` and `%%{` stand for the signs.",
                    );
                }
                '$' | '%' if self.starts("$${") || self.starts("%%{") => {
                    text.extend([letter, '{']);
                    self.at += 3;
                }
                letter => {
                    text.push(letter);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, FileError> {
        let began = self.at;
        let sign = self.letters.get(self.at + 1).copied();
        self.at += 2;
        let digits = match sign {
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some('"') => return Ok('"'),
            Some('\\') => return Ok('\\'),
            Some('u') => 4,
            Some('U') => 8,
            _ => {
                return Err(self.error(
                    began,
                    "no such escape",
                    "There are \\n \\r \\t \\\" \\\\ \\uNNNN \\UNNNNNNNN.",
                ));
            }
        };
        let end = (self.at + digits).min(self.letters.len());
        let code: String = self.letters[self.at.min(end)..end].iter().collect();
        self.at = end;
        let letter = u32::from_str_radix(&code, 16).ok().filter(|_| code.len() == digits).and_then(char::from_u32);
        letter.ok_or_else(|| {
            self.error(began, &format!("`{code}` is no Unicode number"), "Write its hexadecimal digits.")
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value, FileError> {
        let began = self.at;
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space(true)?;
            match self.peek() {
                Some(']') => break,
                None => return Err(self.error(began, "the list does not end", "Close it with `]`.")),
                Some(_) => items.push(self.value(depth + 1)?),
            }
            self.space(true)?;
            match self.peek() {
                Some(',') => self.at += 1,
                Some(']') => {}
                Some(letter) => return self.here(&format!("`{letter}` where a comma or `]` must be"), ONLY_VALUES),
                None => return Err(self.error(began, "the list does not end", "Close it with `]`.")),
            }
        }
        self.at += 1;
        Ok(Value::Array(items))
    }

    fn map(&mut self, depth: usize) -> Result<Value, FileError> {
        let began = self.at;
        self.at += 1;
        let mut members = Map::new();
        loop {
            self.space(true)?;
            let at = self.at;
            let key = match self.peek() {
                Some('}') => break,
                Some('"') => self.text()?,
                None => return Err(self.error(began, "the map does not end", "Close it with `}`.")),
                Some(_) => self.identifier()?,
            };
            self.space(false)?;
            if !matches!(self.peek(), Some('=' | ':')) {
                return self.here(&format!("`{key}` is not followed by `=`"), "A member is `key = value`.");
            }
            self.at += 1;
            self.space(false)?;
            let value = self.value(depth + 1)?;
            if members.insert(key.clone(), value).is_some() {
                return Err(self.error(at, &format!("`{key}` is given twice"), "Leave one of them."));
            }
            self.space(false)?;
            match self.peek() {
                Some(',' | '\n') => self.at += 1,
                Some('}') => {}
                Some(letter) => return self.here(&format!("`{letter}` after the value of `{key}`"), ONLY_VALUES),
                None => return Err(self.error(began, "the map does not end", "Close it with `}`.")),
            }
        }
        self.at += 1;
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_every_form() {
        let text = r#"
            # one comment
            cluster_name = "ray \"x\" \u00e9 $${a}" // another
            count=3
            ratio   = -0.5e1
            on = true /* a third
            */
            nothing = null
            types = ["a", "b",   # in a list
              "c",
            ]
            tags = {
              Team = "ml", "k8s.io/x" : "y"
              nested = { deep = [] }
            }
            empty = {}
        "#;
        let expected = json!({
            "cluster_name": "ray \"x\" é ${a}", "count": 3, "ratio": -5.0, "on": true, "nothing": null,
            "types": ["a", "b", "c"],
            "tags": {"Team": "ml", "k8s.io/x": "y", "nested": {"deep": []}},
            "empty": {},
        });
        assert_eq!(Value::Object(parse(text).unwrap()), expected);
        assert_eq!(parse("").unwrap(), Map::new());
        assert_eq!(Value::Object(parse("\u{feff}a = 1\r\nb = 2").unwrap()), json!({"a": 1, "b": 2}));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let cases = [
            ("a = 1\nb", (2, 1), "`b` is not followed by `=`"),
            ("module \"x\" {", (1, 1), "`module` is not followed by `=`"),
            ("a = <<EOT\nx\nEOT\n", (1, 5), "a heredoc"),
            ("a = var.b", (1, 5), "`var` is an expression"),
            ("a = \"${b}\"", (1, 6), "a template"),
            ("a = \"b", (1, 5), "does not end on its line"),
            ("a = [1, 2", (1, 5), "the list does not end"),
            ("a = [1 2]", (1, 8), "a comma or `]`"),
            ("a = {\n b = 1", (1, 5), "the map does not end"),
            ("a = { b }", (1, 9), "`b` is not followed by `=`"),
            ("a = { b = 1, b = 2 }", (1, 14), "`b` is given twice"),
            ("a = 1\na = 2", (2, 1), "`a` is given twice"),
            ("a = 1 b = 2", (1, 7), "`b` after the value"),
            ("a = 1 + 2", (1, 7), "`+` after the value"),
            ("a = 1.2.3", (1, 5), "`1.2.3` is no number"),
            ("a = \"\\q\"", (1, 6), "no such escape"),
            ("a = \"\\ud800\"", (1, 6), "is no Unicode number"),
            ("a = /* x", (1, 5), "the comment does not end"),
            ("a =", (1, 4), "the file ends where a value must be"),
            ("= 1", (1, 1), "does not begin a name"),
        ];
        for (text, at, says) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.at == Some(at) && error.message.contains(says), "{text:?}: {error:?}");
            assert!(!error.cure.is_empty());
        }
        let deep = format!("a = {}", "[".repeat(10_000));
        assert!(parse(&deep).unwrap_err().message.contains("nested too deep"));
    }
}
