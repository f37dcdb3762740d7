//! Manifests that are wrong, each with the line, the column and the words of
//! the finding.

#![allow(clippy::unwrap_used)]

mod cases;

use jiff::civil::{Date, date};
use proptest::prelude::*;

use self::cases::{AFTER_HEAD, Case, HEADS, NETWORKS, WHOLE};
use super::*;

const TODAY: Date = date(2026, 11, 24);

/// Five lines that are right; a case's own text begins on line 6.
const HEAD: &str =
    "name: a\nregion: us-east-1\nnetwork:\n  vpc_id: vpc-0abcd123\n  subnet_ids: [subnet-0abcd123, subnet-0abcd124]\n";

fn refused(bytes: &[u8]) -> Diagnostics {
    match load("bad.yaml", bytes, TODAY) {
        Err(found) => found,
        Ok(_) => Diagnostics::new("bad.yaml", "", Vec::new()),
    }
}

fn lines(found: &Diagnostics, severity: Severity) -> Vec<String> {
    found.iter().filter(|d| d.severity == severity).map(|d| format!("{}:{}: {}", d.line, d.column, d.message)).collect()
}

/// Every case has exactly these errors, and each a cure and a path or none.
fn check_all(cases: &[Case], text_of: impl Fn(&str) -> String) {
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        let found = refused(text_of(text).as_bytes());
        let errors = lines(&found, Severity::Error);
        if errors != *expected {
            wrong.push(format!("{text}\n  expected {expected:#?}\n  found {errors:#?}\n"));
        }
        assert!(found.iter().all(|d| !d.cure.is_empty() && d.line > 0 && d.column > 0));
        // The text form quotes the line and never panics on it.
        let shown = found.to_string();
        assert!(shown.contains("cure: "), "{shown}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whole_files() {
    check_all(WHOLE, str::to_owned);
}

#[test]
fn keys_after_a_right_head() {
    check_all(AFTER_HEAD, |text| format!("{HEAD}{text}"));
}

#[test]
fn names_and_regions() {
    let rest = HEAD.strip_prefix("name: a\n").unwrap();
    let without_region = rest.strip_prefix("region: us-east-1\n").unwrap();
    check_all(HEADS, |text| match text.contains("region") {
        true => format!("name: {text}\n{without_region}"),
        false => format!("name: {text}\n{rest}"),
    });
}

#[test]
fn networks() {
    check_all(NETWORKS, |text| format!("name: a\nregion: us-east-1\nnetwork: {text}\n"));
}

#[test]
fn bytes_that_are_no_manifest() {
    let cases: [(Vec<u8>, &str); 7] = [
        (b"name: a\ntags: {b: \xff}\n".to_vec(), "2:11: the file is not UTF-8: byte 0xff at offset 18, on line 2"),
        (b"\xfe\xff\0n\0a".to_vec(), "1:1: the file is not UTF-8: byte 0xfe at offset 0, on line 1"),
        (vec![b'#'; yaml::MAX_BYTES + 1], "1:1: the file has 1048577 bytes; a manifest has at most 1048576 (1 MiB)"),
        (format!("tags: {}", "[".repeat(1000)).into_bytes(), "1:262: values are nested more than 32 deep"),
        (format!("{}\n", "{a: ".repeat(1000)).into_bytes(), "1:1021: values are nested more than 32 deep"),
        (
            format!("{}1{}", "{a: ".repeat(40), "}".repeat(40)).into_bytes(),
            "1:126: values are nested more than 32 deep",
        ),
        (
            format!("tags: [{}]\n", "a, ".repeat(20_000)).into_bytes(),
            "1:29999: the manifest has more than 10000 values once its aliases are expanded",
        ),
    ];
    for (bytes, expected) in cases {
        let found = refused(&bytes);
        assert_eq!(lines(&found, Severity::Error), [expected]);
        assert!(found.to_string().len() < 1000);
    }
}

#[test]
fn an_alias_bomb_is_refused_at_once() {
    let mut text = format!("{HEAD}tags:\n  a0: &a0 [x, x, x, x, x, x, x, x]\n");
    for n in 1..40 {
        let inner = vec![format!("*a{}", n - 1); 8].join(", ");
        text.push_str(&format!("  a{n}: &a{n} [{inner}]\n"));
    }
    let started = std::time::Instant::now();
    let found = lines(&refused(text.as_bytes()), Severity::Error);
    assert_eq!(found, ["11:12: the manifest has more than 10000 values once its aliases are expanded"]);
    assert!(started.elapsed().as_secs() < 2);
}

#[test]
fn more_tags_than_aws_takes() {
    let tags: String = (0..46).map(|n| format!("  t{n}: v\n")).collect();
    let found = refused(format!("{HEAD}tags:\n{tags}").as_bytes());
    assert_eq!(
        lines(&found, Severity::Error),
        ["6:1: there are 46 tags; AWS takes 50 on a resource, and 5 of them are rayplat's own"]
    );
}

#[test]
fn everything_wrong_is_said_at_once_as_a_compiler_says_it() {
    let text = "\
name: demo
region: us-east-1
network:
  vpc_id: vpc-0abcd1234ef567890
  subnet_ids: [subnet-0123456789abcdef0]
cluster:
  kubernetes_version: 1.30
node_pools:
  gpu: {capacity: Spot, maximum: 5, min: 8, max: 6}
";
    let expected = "\
bad.yaml:5:15: error: `subnet_ids` must have at least 2 entries, and has 1
 5 |   subnet_ids: [subnet-0123456789abcdef0]
   |               ^
  cure: add 1 more

bad.yaml:7:23: error: `kubernetes_version` must be a string, not the number 1.30
 7 |   kubernetes_version: 1.30
   |                       ^
  cure: write it in quotes: \"1.30\" (without them it is a number, and 1.30 would become 1.3)

bad.yaml:9:19: error: `capacity` must be one of on_demand, spot, capacity_block, not \"Spot\"
 9 |   gpu: {capacity: Spot, maximum: 5, min: 8, max: 6}
   |                   ^
  cure: write spot

bad.yaml:9:25: error: there is no key `maximum` in `node_pools.gpu`
 9 |   gpu: {capacity: Spot, maximum: 5, min: 8, max: 6}
   |                         ^
  cure: did you mean `max`?

bad.yaml:9:42: error: `min` is 8 and `max` is 6: `min` cannot be more than `max`
 9 |   gpu: {capacity: Spot, maximum: 5, min: 8, max: 6}
   |                                          ^
  cure: lower `min` to at most 6, or raise `max` to at least 8

bad.yaml:9:42: warning[budget]: `min` is 8, outside the budget's 0 to 5 for this kind of pool
 9 |   gpu: {capacity: Spot, maximum: 5, min: 8, max: 6}
   |                                          ^
  cure: keep it if the cost is meant; the limit is a policy's and not AWS's
";
    let found = refused(text.as_bytes());
    assert_eq!(found.to_string(), expected);
}

#[test]
fn cures_say_what_to_write() {
    let cases = [
        ("cluster: {endpoint: {public: yes}}", "write true: YAML 1.2 reads this word as a string"),
        ("node_pools: {cpu: {ami: AL2_x86_64_GPU}}", "write AL2023_x86_64_NVIDIA: Amazon Linux 2 ended on 2025-11-26"),
        ("cluster: {logs: {retention_days: 10}}", "write 14, the next larger one"),
        ("vpc_id: vpc-0abcd123", "`vpc_id` is a key of `network`: move it there"),
        ("subnet_ids: []", "`subnet_ids` is a key of `network` and of `node_pools.<name>`: move it there"),
        (
            "cluster: {kubernetes_version: \"1.33\"}",
            "write \"1.36\", or `support: extended` until 2027-07-29 ($0.60 an hour in place of $0.10, about $438 a month)",
        ),
        ("autoscaler: {on: true}", "remove it; the keys here are `enabled`, `identity`, `policy_arn`"),
        ("node_pools: {cpu: {max: \"10\"}}", "remove the quotes: 10"),
    ];
    for (text, cure) in cases {
        let found = refused(format!("{HEAD}{text}\n").as_bytes());
        assert!(found.iter().any(|d| d.cure == cure), "{text}: {found}");
    }
}

/// Valid text with a few bytes changed: the loader refuses it or reads it, in
/// no time, and says where.
fn never_panics(bytes: &[u8]) {
    if let Err(found) = load("any.yaml", bytes, TODAY) {
        assert!(found.has_errors());
        let _ = found.to_string();
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        never_panics(&bytes);
    }

    #[test]
    fn changed_bytes(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = QUICKSTART.to_vec();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        never_panics(&bytes);
    }

    #[test]
    fn changed_pieces(
        changes in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0..12usize, "[-?:,\\[\\]{}#&*!|>'\"%@`~ \n\ta-c0-9.]{0,6}"),
            1..4,
        )
    ) {
        let mut text: Vec<char> = String::from_utf8(QUICKSTART.to_vec()).unwrap().chars().collect();
        for (index, length, piece) in changes {
            let start = index.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, piece.chars());
        }
        never_panics(text.into_iter().collect::<String>().as_bytes());
    }
}

const QUICKSTART: &[u8] = include_bytes!("../../../../../examples/quickstart.yaml");
