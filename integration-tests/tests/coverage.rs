//! The table of what the old module had names tests that exist.

#![allow(clippy::unwrap_used)]

use std::path::Path;

#[test]
fn every_test_that_the_table_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let table = std::fs::read_to_string(root.join("docs/coverage.md")).unwrap();
    let mut named = 0;
    for proof in table.split('`').filter(|text| text.contains(".rs::")) {
        let (file, test) = proof.split_once("::").unwrap();
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        let at = lines.iter().position(|line| line.contains(&format!("fn {test}(")));
        let at = at.unwrap_or_else(|| panic!("{file} has no test {test}"));
        assert!(lines[at.saturating_sub(4)..at].iter().any(|line| line.contains("test")), "{proof} is no test");
        named += 1;
    }
    assert!(named > 40, "{named}");
    // A row is proven, or says that it is to come.
    for row in
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| old") && !line.starts_with("|--"))
    {
        let header = row.contains("proven by");
        assert!(header || row.contains(".rs::") || row.contains("to come"), "not proven: {row}");
    }
}
