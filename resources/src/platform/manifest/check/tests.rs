#![allow(clippy::unwrap_used)]

use super::super::schema::schema;
use super::super::yaml;
use super::*;

fn findings(text: &str) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let root = yaml::parse(text, &mut findings).unwrap();
    check(&root, schema(), &mut findings);
    findings
}

/// A keyword that the walk does not know would be a rule that only editors hold.
#[test]
fn every_keyword_of_the_schema_is_understood() {
    const UNDERSTOOD: &[&str] = &[
        "$defs",
        "$id",
        "$ref",
        "$schema",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "oneOf",
        "pattern",
        "patternErrorMessage",
        "properties",
        "propertyNames",
        "required",
        "title",
        "type",
        "uniqueItems",
    ];
    fn walk(schema: &Value) {
        let Value::Object(keywords) = schema else {
            return;
        };
        for (keyword, value) in keywords {
            assert!(UNDERSTOOD.contains(&keyword.as_str()), "{keyword}");
            match (keyword.as_str(), value) {
                ("$defs" | "properties", Value::Object(all)) => all.values().for_each(walk),
                ("items" | "additionalProperties" | "propertyNames", one) => walk(one),
                ("oneOf" | "anyOf", Value::Array(all)) => all.iter().for_each(walk),
                // The pattern of a name does not allow the empty string.
                ("minLength", length) => assert_eq!(length, 1),
                ("format", format) => assert_eq!(format, "uint32"),
                _ => {}
            }
        }
    }
    walk(schema());
}

#[test]
fn every_error_is_said_at_once() {
    let found = findings("nam: a\nregion: 7\nnetwork: {}\ncluster: [1]\n");
    let lines: Vec<_> = found.iter().map(|d| (d.line, d.code)).collect();
    assert_eq!(lines, [(1, Code::UnknownKey), (2, Code::WrongType), (4, Code::WrongType), (1, Code::MissingKey),]);
}

#[test]
fn a_key_in_the_wrong_place_is_sent_home() {
    let found = findings("vpc_id: vpc-0abcd123\nretention_days: 7\n");
    assert_eq!(found[0].cure, "`vpc_id` is a key of `network`: move it there");
    assert_eq!(found[1].cure, "`retention_days` is a key of `cluster.logs` and of `backup`: move it there");
}

#[test]
fn wrong_values_are_left_out_and_right_ones_kept() {
    let text =
        "name: a\nnode_pools: {cpu: {min: ten, max: 4}}\naddons: {coredns: {configuration: {a: [1, .inf], b: 2}}}\n";
    let root = yaml::parse(text, &mut Vec::new()).unwrap();
    let mut found = Vec::new();
    let json = check(&root, schema(), &mut found);
    assert_eq!(
        json,
        serde_json::json!({
            "name": "a",
            "node_pools": {"cpu": {"max": 4}},
            "addons": {"coredns": {"configuration": {"b": 2}}},
        })
    );
    let codes: Vec<_> = found.iter().map(|d| (d.line, d.code)).collect();
    assert_eq!(codes, [(2, Code::WrongType), (3, Code::WrongType), (1, Code::MissingKey), (1, Code::MissingKey),]);
}
