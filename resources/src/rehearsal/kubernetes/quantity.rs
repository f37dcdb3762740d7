//! Quantities in their canonical form.
//! Source: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>:
//! no fractional digits, the exponent or suffix as large as possible.

use serde_json::Value;

const BINARY: &[(&str, u32)] = &[("Ki", 1), ("Mi", 2), ("Gi", 3), ("Ti", 4), ("Pi", 5), ("Ei", 6)];
/// Powers of a thousand, from nanos on.
const DECIMAL: &[(&str, i32)] =
    &[("n", -3), ("u", -2), ("m", -1), ("", 0), ("k", 1), ("M", 2), ("G", 3), ("T", 4), ("P", 5), ("E", 6)];

/// The canonical form of a quantity; what is none stays as it is.
pub(super) fn canonical(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return value.clone(),
    };
    parse(&text).map_or_else(|| value.clone(), |(nanos, suffix)| Value::String(shown(nanos, suffix)))
}

/// A quantity in thousandths: bytes and cores alike. `None` for what is none.
pub(super) fn millis(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    parse(&text).map(|(nanos, _)| nanos.div_euclid(1_000_000) + i128::from(nanos.rem_euclid(1_000_000) > 0))
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Binary,
    Decimal,
    Exponent,
}

fn parse(text: &str) -> Option<(i128, Form)> {
    let end = text.find(|sign: char| !(sign.is_ascii_digit() || "+-.".contains(sign))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let nanos = decimal(number)?;
    if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((nanos.checked_mul(1024_i128.checked_pow(*power)?)?, Form::Binary));
    }
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((scaled(nanos, 3 * *power)?, Form::Decimal));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((scaled(nanos, exponent)?, Form::Exponent))
}

/// Billionths of a decimal number.
fn decimal(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut padded = format!("{fraction:0<9}");
    padded.truncate(9);
    let nanos = whole.checked_mul(1_000_000_000)?.checked_add(padded.parse::<i128>().ok()?)?;
    Some(if negative { -nanos } else { nanos })
}

fn scaled(nanos: i128, exponent: i32) -> Option<i128> {
    let factor = 10_i128.checked_pow(exponent.unsigned_abs())?;
    if exponent >= 0 {
        return nanos.checked_mul(factor);
    }
    // Rounded away from zero, as nothing is smaller than a nano.
    Some(nanos / factor + if nanos % factor == 0 { 0 } else { nanos.signum() })
}

fn shown(nanos: i128, form: Form) -> String {
    const UNIT: i128 = 1_000_000_000;
    // Fractions of bytes and small numbers have no binary form.
    if form == Form::Binary && nanos % UNIT == 0 && (nanos / UNIT).abs() >= 1024 {
        let whole = nanos / UNIT;
        let fits = |power: &u32| 1024_i128.checked_pow(*power).is_some_and(|factor| whole % factor == 0);
        let largest = BINARY.iter().rev().find(|(_, power)| fits(power));
        return match largest {
            Some((suffix, power)) => format!("{}{suffix}", whole / 1024_i128.pow(*power)),
            None => whole.to_string(),
        };
    }
    if nanos == 0 {
        return "0".to_owned();
    }
    let factor = |power: i32| 10_i128.pow(u32::try_from(3 * (power + 3)).unwrap_or(0));
    let largest = DECIMAL.iter().rev().find(|(_, power)| nanos % factor(*power) == 0);
    let (suffix, power) = largest.copied().unwrap_or(("n", -3));
    let number = nanos / factor(power);
    match form {
        Form::Exponent if power != 0 => format!("{number}e{}", 3 * power),
        _ => format!("{number}{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As apimachinery's `quantity_test.go` and the documentation have them.
    #[test]
    fn canonical_forms() {
        for (given, wanted) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1500m", "1500m"),
            ("1.5", "1500m"),
            ("0.1", "100m"),
            ("2", "2"),
            ("1000", "1k"),
            ("0", "0"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("2000Mi", "2000Mi"),
            ("512Ki", "512Ki"),
            ("1000M", "1G"),
            ("128974848", "128974848"),
            ("1e3", "1e3"),
            ("100e3", "100e3"),
            ("16G", "16G"),
            ("0.5Ki", "512"),
            ("-1000m", "-1"),
        ] {
            assert_eq!(canonical(&json!(given)), json!(wanted), "{given}");
        }
        assert_eq!(canonical(&json!(4)), json!("4"));
        assert_eq!(canonical(&json!(0.25)), json!("250m"));
        assert_eq!(canonical(&json!("much")), json!("much"));
        assert_eq!(millis(&json!("250m")), Some(250));
        assert_eq!(millis(&json!("1Gi")), Some(1_073_741_824_000));
    }
}
