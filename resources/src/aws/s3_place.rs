//! `s3://BUCKET/PREFIX?region=...&kms_key_id=...&lease=...`: where a state rests.

use std::{fmt, str::FromStr, time::Duration};

/// A prefix of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Place {
    /// The bucket.
    pub bucket: String,
    /// Without slashes at either end; may be empty.
    pub prefix: String,
    /// The bucket's region, if it is said.
    pub region: Option<String>,
    /// The KMS key that encrypts what is written; `None` for S3's own keys.
    pub kms_key_id: Option<String>,
    /// How long a lock lasts that nobody renews, if it is said.
    pub lease: Option<Duration>,
}

/// What begins the address of a place in S3.
const SCHEME: &str = "s3://";

impl S3Place {
    /// True if the text is meant to be a place in S3.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }
}

impl FromStr for S3Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| format!("`{text}` does not begin with {SCHEME}"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(format!("`{text}` names no bucket"));
        }
        let mut place = Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            region: None,
            kms_key_id: None,
            lease: None,
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "region" => place.region = Some(value.into_owned()),
                "kms_key_id" => place.kms_key_id = Some(value.into_owned()),
                "lease" => {
                    let seconds = value.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
                    let seconds = seconds.ok_or_else(|| format!("lease is {value}: give 1 to 3600 seconds"))?;
                    place.lease = Some(Duration::from_secs(seconds));
                }
                other => return Err(format!("`{other}` is none of region, kms_key_id, lease")),
            }
        }
        Ok(place)
    }
}

impl fmt::Display for S3Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses() {
        let place: S3Place = "s3://b/a/c/?region=eu-west-1&kms_key_id=alias%2Fk&lease=30".parse().unwrap();
        assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("b", "a/c"));
        assert_eq!((place.region.as_deref(), place.kms_key_id.as_deref()), (Some("eu-west-1"), Some("alias/k")));
        assert_eq!(place.lease, Some(Duration::from_secs(30)));
        assert_eq!(place.to_string(), "s3://b/a/c");
        assert_eq!("s3://b".parse::<S3Place>().unwrap().prefix, "");
        for wrong in ["b/a", "s3://", "s3:///a", "s3://b?lease=0", "s3://b?regoin=x"] {
            assert!(wrong.parse::<S3Place>().is_err(), "{wrong}");
        }
    }
}
