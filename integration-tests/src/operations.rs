//! Which operations of AWS the kinds use.

use std::{collections::BTreeSet, fs, path::Path};

/// Every operation that the kinds call, read from their source: a new one that nobody
/// judges, or that has no permissions, fails a test. As `SERVICE,OPERATION`.
pub fn used() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../resources/src/aws");
    let mut used = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap_or_else(|error| panic!("{error}")) {
        let source = fs::read_to_string(file.unwrap_or_else(|error| panic!("{error}")).path())
            .unwrap_or_else(|error| panic!("{error}"));
        let flat: String = source.split_whitespace().collect::<Vec<_>>().join(" ");
        for after in flat.split("call(").chain(flat.split("call_fresh(")).skip(1) {
            let mut arguments = after.trim_start().splitn(4, ',').map(str::trim);
            let context = arguments.next().unwrap_or_default();
            let quoted =
                |text: Option<&str>| text.and_then(|t| t.strip_prefix('"')?.strip_suffix('"').map(str::to_owned));
            if let (true, Some(service), Some(operation)) =
                (context.ends_with("ctx"), quoted(arguments.next()), quoted(arguments.next()))
            {
                used.insert(format!("{service},{operation}"));
            }
        }
    }
    assert!(used.len() > 60, "the source was not understood: {used:?}");
    used
}
