//! The Kubernetes versions that EKS has, with their support windows.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::params::{self, choice, flag, seconds, texts};

/// One Kubernetes version on EKS.
#[derive(Debug, Clone, Copy)]
pub struct KubernetesVersion {
    /// E.g. `1.35`.
    pub minor: &'static str,
    /// The patch level of the control plane.
    pub patch: &'static str,
    /// EKS's own build of it.
    pub platform: &'static str,
    /// When EKS got it.
    pub released: Date,
    /// Standard support ends.
    pub standard_until: Date,
    /// Extended support ends: no cluster can be made or kept on it.
    pub extended_until: Date,
}

/// What support a version has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// $0.10 an hour.
    Standard,
    /// $0.60 an hour.
    Extended,
    /// None any more.
    Ended,
}

const fn day(year: i16, month: i8, day: i8) -> Date {
    jiff::civil::date(year, month, day)
}

/// The version of a cluster that asks for none.
pub(super) const DEFAULT_VERSION: &str = "1.35";

/// Support windows from the EKS Kubernetes release calendar; those of 1.36 were
/// announced as months only.
pub const KUBERNETES_VERSIONS: &[KubernetesVersion] = &[
    KubernetesVersion {
        minor: "1.31",
        patch: "1.31.14",
        platform: "eks.53",
        released: day(2024, 9, 26),
        standard_until: day(2025, 11, 26),
        extended_until: day(2026, 11, 26),
    },
    KubernetesVersion {
        minor: "1.32",
        patch: "1.32.11",
        platform: "eks.36",
        released: day(2025, 1, 23),
        standard_until: day(2026, 3, 23),
        extended_until: day(2027, 3, 23),
    },
    KubernetesVersion {
        minor: "1.33",
        patch: "1.33.8",
        platform: "eks.27",
        released: day(2025, 5, 29),
        standard_until: day(2026, 7, 29),
        extended_until: day(2027, 7, 29),
    },
    KubernetesVersion {
        minor: "1.34",
        patch: "1.34.5",
        platform: "eks.18",
        released: day(2025, 10, 2),
        standard_until: day(2026, 12, 2),
        extended_until: day(2027, 12, 2),
    },
    KubernetesVersion {
        minor: "1.35",
        patch: "1.35.3",
        platform: "eks.11",
        released: day(2026, 1, 27),
        standard_until: day(2027, 3, 27),
        extended_until: day(2028, 3, 27),
    },
    KubernetesVersion {
        minor: "1.36",
        patch: "1.36.1",
        platform: "eks.4",
        released: day(2026, 6, 2),
        standard_until: day(2027, 8, 2),
        extended_until: day(2028, 8, 2),
    },
];

/// The version's row, whatever its support.
pub(super) fn find(minor: &str) -> Option<&'static KubernetesVersion> {
    KUBERNETES_VERSIONS.iter().find(|version| version.minor == minor)
}

/// `35` of `1.35`.
pub(super) fn minor_number(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.parse().ok()
}

impl KubernetesVersion {
    /// The support that the version has at a time (milliseconds since the epoch).
    pub fn support(&self, now_ms: u64) -> Support {
        if now_ms < at(self.standard_until) {
            Support::Standard
        } else if now_ms < at(self.extended_until) {
            Support::Extended
        } else {
            Support::Ended
        }
    }
}

/// Midnight UTC of a day, milliseconds since the epoch.
fn at(date: Date) -> u64 {
    date.to_zoned_datetime(TimeZone::UTC)
        .ok()
        .and_then(|time| u64::try_from(time.timestamp().as_millisecond()).ok())
        .unwrap_or_default()
}

/// `DescribeClusterVersions`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let wanted = texts(params, "clusterVersions");
    let all = flag(params, "includeAll")?.unwrap_or(false);
    let default_only = flag(params, "defaultOnly")?.unwrap_or(false);
    let status = choice(params, "versionStatus", &["STANDARD_SUPPORT", "EXTENDED_SUPPORT", "UNSUPPORTED"])?;
    let mut items = Vec::new();
    for version in KUBERNETES_VERSIONS {
        let support = version.support(account.now_ms);
        let (name, old_name) = match support {
            Support::Standard => ("STANDARD_SUPPORT", "standard-support"),
            Support::Extended => ("EXTENDED_SUPPORT", "extended-support"),
            Support::Ended => ("UNSUPPORTED", "unsupported"),
        };
        let is_default = version.minor == DEFAULT_VERSION;
        let shown = (wanted.is_empty() || wanted.iter().any(|it| it == version.minor))
            && (all || support != Support::Ended || !wanted.is_empty())
            && (!default_only || is_default)
            && status.is_none_or(|status| status == name);
        if shown {
            let number = minor_number(version.minor).unwrap_or_default();
            // Newest first.
            items.push((
                format!("{:04}", 9999 - number),
                json!({
                    "clusterVersion": version.minor,
                    "clusterType": "eks",
                    "defaultPlatformVersion": version.platform,
                    "defaultVersion": is_default,
                    "releaseDate": seconds(at(version.released)),
                    "endOfStandardSupportDate": seconds(at(version.standard_until)),
                    "endOfExtendedSupportDate": seconds(at(version.extended_until)),
                    "status": old_name,
                    "versionStatus": name,
                    "kubernetesPatchVersion": version.patch,
                }),
            ));
        }
    }
    params::page(params, "clusterVersions", items).map(Value::Object)
}
