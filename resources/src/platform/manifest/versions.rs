//! The Kubernetes versions that EKS has, and until when.
//!
//! Dates: the EKS user guide's release calendar, as of 2026-11-23. 1.36's are
//! its expectation and not yet fixed.

use jiff::civil::{Date, date};

/// The version of a manifest that names none.
pub const DEFAULT: &str = "1.35";

/// A Kubernetes minor version on EKS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The number after `1.`.
    pub minor: u32,
    /// The last day of standard support.
    pub standard_ends: Date,
    /// The last day of extended support.
    pub extended_ends: Date,
}

/// Every version that rayplat creates, oldest first.
pub const ALL: [Version; 5] = [
    version(32, date(2026, 3, 23), date(2027, 3, 23)),
    version(33, date(2026, 7, 29), date(2027, 7, 29)),
    version(34, date(2026, 12, 2), date(2027, 12, 2)),
    version(35, date(2027, 3, 27), date(2028, 3, 27)),
    version(36, date(2027, 8, 2), date(2028, 8, 2)),
];

const fn version(minor: u32, standard_ends: Date, extended_ends: Date) -> Version {
    Version { minor, standard_ends, extended_ends }
}

/// The version of this name, as `1.35`.
#[must_use]
pub fn look_up(name: &str) -> Option<Version> {
    let minor: u32 = name.strip_prefix("1.")?.parse().ok()?;
    ALL.into_iter().find(|version| version.minor == minor)
}

/// The newest version whose standard support lasts beyond a day, if any.
#[must_use]
pub fn newest_in_standard_support(today: Date) -> Option<Version> {
    ALL.into_iter().rev().find(|version| version.standard_ends >= today)
}

/// What a cluster in extended support costs in place of $0.10 (AWS containers
/// blog, April 2024), with what that makes in a month of 730 hours.
pub const EXTENDED_PRICE: &str = "$0.60 an hour in place of $0.10, about $438 a month";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_order_and_extended_for_a_year() {
        for pair in ALL.windows(2) {
            assert_eq!(pair[0].minor + 1, pair[1].minor);
            assert!(pair[0].standard_ends < pair[1].standard_ends);
        }
        for version in ALL {
            let (standard, extended) = (version.standard_ends, version.extended_ends);
            assert_eq!((standard.year() + 1, standard.day()), (extended.year(), extended.day()));
        }
        assert!(look_up(DEFAULT).is_some());
        assert_eq!(look_up("1.31"), None);
        assert_eq!(look_up("1.99999999999999"), None);
    }
}
