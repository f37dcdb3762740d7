//! Lists of objects and of versions, in pages, with prefix and delimiter.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::super::params::{iso_time, number, page, text};
use super::super::{Account, ApiError};
use super::{Bucket, Content, Version, bucket::owner, invalid, named};

/// What stays as it is with `encoding-type=url`.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

struct Asked<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    limit: usize,
    encode: bool,
}

impl<'a> Asked<'a> {
    fn of(params: &'a Value) -> Result<Self, ApiError> {
        let limit = match text(params, "MaxKeys") {
            None => 1000,
            Some(_) => number(params, "MaxKeys")
                .and_then(|most| usize::try_from(most).ok())
                .ok_or_else(|| invalid("Provided max-keys not an integer or within integer range"))?
                .min(1000),
        };
        Ok(Self {
            prefix: text(params, "Prefix").unwrap_or_default(),
            delimiter: text(params, "Delimiter").unwrap_or_default(),
            limit,
            encode: text(params, "EncodingType") == Some("url"),
        })
    }

    fn shown(&self, text: &str) -> Value {
        if self.encode { utf8_percent_encode(text, PLAIN).to_string().into() } else { text.into() }
    }

    /// The common prefix that a key is rolled up into.
    fn common<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(self.prefix).filter(|_| !self.delimiter.is_empty())?;
        let at = rest.find(self.delimiter)?;
        Some(&key[..self.prefix.len() + at + self.delimiter.len()])
    }

    /// The members that both lists have.
    fn answer(&self, name: &str, common: &BTreeSet<String>) -> Value {
        let given = |text: &str| if text.is_empty() { Value::Null } else { self.shown(text) };
        let prefixes: Vec<Value> = common.iter().map(|prefix| json!({"Prefix": self.shown(prefix)})).collect();
        json!({
            "Name": name,
            "Prefix": self.shown(self.prefix),
            "Delimiter": given(self.delimiter),
            "MaxKeys": self.limit,
            "EncodingType": self.encode.then_some("url"),
            "CommonPrefixes": prefixes,
        })
    }
}

/// One line of a list: a common prefix, or an object.
enum Line<'a> {
    Common(&'a str),
    Object(&'a str, &'a Version, &'a Content),
}

/// `ListObjectsV2`
pub fn objects(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let (name, bucket) = named(account, params)?;
    let asked = Asked::of(params)?;
    let after = text(params, "StartAfter").unwrap_or_default();
    let mut lines: Vec<(String, Line<'_>)> = Vec::new();
    for (key, versions) in bucket.objects.iter().filter(|(key, _)| key.starts_with(asked.prefix)) {
        let Some((version, content)) = versions.last().and_then(|one| Some((one, one.content.as_ref()?))) else {
            continue;
        };
        match asked.common(key) {
            _ if key.as_str() <= after => {}
            Some(common) if lines.last().is_some_and(|(last, _)| last == common) => {}
            Some(common) => lines.push((common.to_owned(), Line::Common(common))),
            None => lines.push((key.clone(), Line::Object(key, version, content))),
        }
    }
    let page = page(lines, text(params, "ContinuationToken"), asked.limit)
        .ok_or_else(|| invalid("The continuation token provided is incorrect"))?;
    let mut common = BTreeSet::new();
    let mut contents = Vec::new();
    let count = page.items.len();
    for line in page.items {
        match line {
            Line::Common(prefix) => drop(common.insert(prefix.to_owned())),
            Line::Object(key, version, content) => contents.push(json!({
                "Key": asked.shown(key),
                "LastModified": iso_time(version.modified_ms),
                "ETag": content.etag,
                "Size": content.size,
                "StorageClass": "STANDARD",
            })),
        }
    }
    let mut answer = asked.answer(name, &common);
    answer["KeyCount"] = count.into();
    answer["IsTruncated"] = page.next.is_some().into();
    answer["Contents"] = contents.into();
    answer["ContinuationToken"] = params.get("ContinuationToken").cloned().unwrap_or_default();
    answer["NextContinuationToken"] = page.next.into();
    answer["StartAfter"] = text(params, "StartAfter").map(|after| asked.shown(after)).into();
    Ok(answer)
}

/// All versions: keys in order, of each the newest first.
fn newest_first(bucket: &Bucket) -> impl Iterator<Item = (&str, &Version, bool)> {
    bucket.objects.iter().flat_map(|(key, versions)| {
        let count = versions.len();
        versions.iter().enumerate().rev().map(move |(index, version)| (key.as_str(), version, index + 1 == count))
    })
}

/// `ListObjectVersions`
pub fn versions(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let (name, bucket) = named(account, params)?;
    let asked = Asked::of(params)?;
    let (key_marker, id_marker) = (text(params, "KeyMarker"), text(params, "VersionIdMarker"));
    // Past the marker: later keys, and of the marker's own key what is older than its version.
    let mut passed = id_marker.is_none();
    let (mut standing, mut markers, mut common) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut last: Option<(String, String)> = None;
    let mut truncated = false;
    for (key, version, latest) in newest_first(bucket).filter(|(key, ..)| key.starts_with(asked.prefix)) {
        match key_marker.map(|marker| key.cmp(marker)) {
            Some(std::cmp::Ordering::Less) => continue,
            Some(std::cmp::Ordering::Equal) => {
                let skip = !passed || id_marker.is_none();
                passed |= id_marker == Some(version.id.as_str());
                if skip {
                    continue;
                }
            }
            _ => {}
        }
        if let Some(prefix) = asked.common(key)
            && common.contains(prefix)
        {
            continue;
        }
        if standing.len() + markers.len() + common.len() == asked.limit {
            truncated = true;
            break;
        }
        last = Some((key.to_owned(), version.id.clone()));
        if let Some(prefix) = asked.common(key) {
            common.insert(prefix.to_owned());
            continue;
        }
        let mut line = json!({
            "Key": asked.shown(key),
            "VersionId": version.id,
            "IsLatest": latest,
            "LastModified": iso_time(version.modified_ms),
            "Owner": {"ID": owner(account)},
        });
        match &version.content {
            None => markers.push(line),
            Some(content) => {
                line["ETag"] = content.etag.as_str().into();
                line["Size"] = content.size.into();
                line["StorageClass"] = "STANDARD".into();
                standing.push(line);
            }
        }
    }
    let mut answer = asked.answer(name, &common);
    answer["KeyMarker"] = asked.shown(key_marker.unwrap_or_default());
    answer["VersionIdMarker"] = id_marker.unwrap_or_default().into();
    answer["IsTruncated"] = truncated.into();
    answer["Version"] = standing.into();
    answer["DeleteMarker"] = markers.into();
    if let Some((key, id)) = last.filter(|_| truncated) {
        answer["NextKeyMarker"] = asked.shown(&key);
        answer["NextVersionIdMarker"] = id.into();
    }
    Ok(answer)
}
