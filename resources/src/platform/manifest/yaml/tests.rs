#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn tree(text: &str) -> Node {
    let mut findings = Vec::new();
    let root = parse(text, &mut findings).unwrap();
    assert_eq!(findings, []);
    root
}

fn refusal(text: &str) -> Diagnostic {
    let mut findings = Vec::new();
    match parse(text, &mut findings) {
        Err(found) => found,
        Ok(_) => findings.into_iter().next().unwrap(),
    }
}

fn value(text: &str) -> Kind {
    tree(&format!("k: {text}")).get("k").unwrap().value.kind.clone()
}

#[test]
fn values_know_their_place() {
    let root = tree("name: a\npools:\n  cpu: {min: 2,\n    max: 10}\n  list:\n    - x\n    - y\nend: 1\n");
    let pools = root.get("pools").unwrap();
    assert_eq!((pools.key_span.line, pools.key_span.column), (2, 1));
    let cpu = &pools.value.get("cpu").unwrap().value;
    assert_eq!((cpu.span.line, cpu.span.column, cpu.span.end_line, cpu.span.end_column), (3, 8, 4, 13));
    let max = &cpu.get("max").unwrap().value;
    assert_eq!((max.span.line, max.span.column, max.span.end_column), (4, 10, 12));
    // A block ends with its last value and not where the next key begins.
    assert_eq!(pools.value.span.end_line, 7);
}

#[test]
fn columns_count_characters_and_not_bytes() {
    let root = tree("{é: 1, k: 2}");
    assert_eq!(root.get("k").unwrap().value.span.column, 11);
}

#[test]
fn scalars_follow_yaml_1_2() {
    for text in ["yes", "no", "on", "off", "y", "1_000", "0b1", "1:30", "'1'", "\"true\"", "+", ".", "e5"] {
        assert!(matches!(value(text), Kind::String(_)), "{text}");
    }
    assert_eq!(value("TRUE"), Kind::Bool(true));
    assert_eq!(value("~"), Kind::Null);
    assert_eq!(value(""), Kind::Null);
    assert_eq!(value("0x1f"), Kind::Integer(31, "0x1f".to_owned()));
    assert_eq!(value("0o17"), Kind::Integer(15, "0o17".to_owned()));
    assert_eq!(value("-7"), Kind::Integer(-7, "-7".to_owned()));
    assert_eq!(value("1.30"), Kind::Float(1.3, "1.30".to_owned()));
    assert_eq!(value("1e3"), Kind::Float(1000.0, "1e3".to_owned()));
    assert!(matches!(value("9223372036854775808"), Kind::Float(_, _)));
    assert_eq!(value("!!str 1.35"), Kind::String("1.35".to_owned()));
}

#[test]
fn aliases_are_expanded() {
    let root = tree("a: &x [1, 2]\nb: *x\n");
    let b = &root.get("b").unwrap().value;
    assert_eq!((b.span.line, b.span.column), (2, 4));
    assert!(matches!(&b.kind, Kind::Sequence(items) if items.len() == 2));
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..30 {
        let inner = vec![format!("*a{}", n - 1); 10].join(", ");
        text.push_str(&format!("a{n}: &a{n} [{inner}]\n"));
    }
    let found = refusal(&text);
    assert_eq!((found.code, found.line), (Code::TooComplex, 4));
}

#[test]
fn an_alias_inside_its_own_value_is_refused() {
    let found = refusal("a: &x\n  b: *x\n");
    assert_eq!((found.code, found.line, found.column), (Code::YamlFeature, 2, 6));
    assert!(found.message.contains("never end"), "{}", found.message);
}

#[test]
fn aliases_cannot_pass_the_depth() {
    let open = |n| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    let found = refusal(&format!("a: &x {}\nb: [[[[[[[[*x]]]]]]]]\n", open(28)));
    assert_eq!((found.code, found.line), (Code::TooComplex, 2));
    tree(&format!("a: {}\n", open(30)));
    let found = refusal(&format!("a: {}\n", open(32)));
    assert_eq!((found.line, found.column), (1, 35));
}

#[test]
fn hostile_files_end_at_once() {
    for piece in [
        "[", "{", "- ", "? ", "[{", "{a: ", "&a ", "!t ", "*a", "%", "'", "\"", "|\n", "a: |\n ", "#", "\t", "---\n",
        "a: b: ", "\n ", "[,", "-\n",
    ] {
        let mut text = piece.repeat(MAX_BYTES / piece.len());
        text.truncate(MAX_BYTES);
        let started = std::time::Instant::now();
        let _ = parse(&text, &mut Vec::new());
        assert!(started.elapsed().as_secs() < 5, "{piece:?} took {:?}", started.elapsed());
    }
}

#[test]
fn bytes_that_are_not_utf8_are_located() {
    let found = decode(b"name: a\nregion: \xff\n").unwrap_err();
    assert_eq!((found.line, found.column), (2, 9));
    assert!(found.message.contains("offset 16, on line 2"), "{}", found.message);
    let found = decode(&[0xff, 0xfe, b'n', 0]).unwrap_err();
    assert!(found.cure.contains("UTF-16"));
    assert_eq!(decode("\u{feff}name: a".as_bytes()).unwrap(), "name: a");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(text) = decode(&bytes) {
            let _ = parse(text, &mut Vec::new());
        }
    }

    #[test]
    fn no_yaml_like_text_panics(text in "[-?:,\\[\\]{}#&*!|>'\"%@` \n\ta-c0-9<.~é]{0,120}") {
        let _ = parse(&text, &mut Vec::new());
    }
}
