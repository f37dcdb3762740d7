//! Amounts of US dollars, exact: a sum can be checked by hand.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, Sub},
};

use serde::{Serialize, Serializer};

/// US dollars, in millionths: the finest price of what a platform has ($0.08925 an hour)
/// is a whole number of them. In JSON a number of dollars, rounded to the cent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(i64);

impl Money {
    /// This many millionths of a dollar.
    pub const fn micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Millionths of a dollar.
    pub const fn in_micros(self) -> i64 {
        self.0
    }

    /// A decimal number of dollars, as the price list writes it: `0.1540000000`. Digits
    /// beyond the sixth are rounded. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) {
            return None;
        }
        let seven: String = part.chars().chain("0000000".chars()).take(7).collect();
        let tenths: i64 = seven.parse().ok()?;
        let whole: i64 = whole.parse().ok()?;
        whole.checked_mul(1_000_000)?.checked_add((tenths + 5) / 10).map(Self)
    }

    /// So many times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Self(self.0.saturating_mul(count))
    }

    /// This share of it, in percent; a part of a millionth is rounded down.
    #[must_use]
    pub fn percent(self, share: u32) -> Self {
        Self(self.0 / 100 * i64::from(share) + self.0 % 100 * i64::from(share) / 100)
    }

    /// In whole cents, rounded half away from zero.
    pub fn cents(self) -> i64 {
        (self.0.abs() + 5_000) / 10_000 * self.0.signum()
    }

    /// With a sign in any case: `+1.00`, `-1.00`, `0.00`.
    pub fn signed(self) -> String {
        if self.cents() > 0 { format!("+{self}") } else { self.to_string() }
    }

    /// The shortest decimal form, as a price is quoted: `0.154`, `1`.
    pub fn exact(self) -> String {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// Two decimals and thousands apart: `1,234.50`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.cents();
        let whole = (cents.abs() / 100).to_string();
        let first = whole.len() % 3;
        let mut groups: Vec<&str> = Vec::new();
        if first > 0 {
            groups.push(&whole[..first]);
        }
        groups.extend((first..whole.len()).step_by(3).map(|at| &whole[at..at + 3]));
        let sign = if cents < 0 { "-" } else { "" };
        f.pad(&format!("{sign}{}.{:02}", groups.join(","), cents.abs() % 100))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[allow(clippy::cast_precision_loss)] // below 2^53 cents
        serializer.serialize_f64(self.cents() as f64 / 100.0)
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// From the least that it can be to the most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The least.
    pub low: Money,
    /// The most.
    pub high: Money,
}

impl Range {
    /// One amount.
    pub const fn exactly(amount: Money) -> Self {
        Self { low: amount, high: amount }
    }

    /// So many times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self { low: self.low.times(count), high: self.high.times(count) }
    }

    /// What changes when this becomes `other`. What is uncertain in both (a Spot price, the
    /// type of several that is launched) counts as being the same in both.
    #[must_use]
    pub fn change_to(self, other: Self) -> Self {
        let (a, b) = (other.low - self.low, other.high - self.high);
        Self { low: a.min(b), high: a.max(b) }
    }

    /// With signs: `+1.00`, `-2.00 to +1.00`.
    pub fn signed(self) -> String {
        if self.low.cents() == self.high.cents() {
            return self.low.signed();
        }
        format!("{} to {}", self.low.signed(), self.high.signed())
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low.cents() == self.high.cents() {
            return self.low.fmt(f);
        }
        f.pad(&format!("{} to {}", self.low, self.high))
    }
}

impl Add for Range {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }
}

impl Sum for Range {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_shown_exactly() {
        for (text, micros) in [
            ("0.1540000000", Some(154_000)),
            ("1", Some(1_000_000)),
            ("30.13118", Some(30_131_180)),
            ("0.0000005000", Some(1)),
            ("0.0000004999", Some(0)),
            ("", None),
            ("-1", None),
            ("1e3", None),
            (".5", None),
        ] {
            assert_eq!(Money::parse(text), micros.map(Money::micros), "{text}");
        }
        let shown = [0, 4_999, 5_000, -5_000, 1_234_567_890, 999_995_000, -12_345_678_000_000].map(Money::micros);
        let shown = shown.map(|money| money.to_string());
        assert_eq!(shown, ["0.00", "0.00", "0.01", "-0.01", "1,234.57", "1,000.00", "-12,345,678.00"]);
        assert_eq!(Money::micros(89_250).exact(), "0.08925");
        assert_eq!(Money::micros(1_000_000).exact(), "1");
        assert_eq!(Money::micros(1_000_000).percent(10), Money::micros(100_000));
    }

    #[test]
    fn a_change_is_a_difference_of_like_ends() {
        let range = |low, high| Range { low: Money::micros(low), high: Money::micros(high) };
        assert_eq!(range(1, 10).change_to(range(2, 20)), range(1, 10));
        assert_eq!(range(2, 20).change_to(range(1, 10)), range(-10, -1));
        assert_eq!(range(1_000_000, 2_000_000).signed(), "+1.00 to +2.00");
    }
}
