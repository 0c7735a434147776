use std::time::Duration;

/// The units a duration may carry, largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// What a duration looks like, for messages.
const SHAPE: &str = "write a whole number and a unit, such as 250ms, 30s, 10m, 1h or 30d";

/// Reads a duration: a whole number and one unit of `ms`, `s`, `m`, `h`, `d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    let bad = || format!("'{}' is not a duration; {SHAPE}", crate::domain::shorten(text, 60));
    if number.is_empty() {
        return Err(bad());
    }
    if unit.is_empty() {
        return Err(format!("'{}' has no unit; {SHAPE}", crate::domain::shorten(text, 60)));
    }
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
    let number: u64 = number.parse().map_err(|_| bad())?;
    number.checked_mul(*factor).map(Duration::from_millis).ok_or_else(bad)
}

/// The shortest text that [`parse_duration`] reads as `duration`; parts below a millisecond are dropped.
pub fn format_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".into();
    }
    for (unit, factor) in UNITS {
        if millis.is_multiple_of(factor) {
            return format!("{}{unit}", millis / factor);
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_read() {
        let cases = [("250ms", 250), ("0s", 0), ("300s", 300_000), ("10m", 600_000), ("1h", 3_600_000)];
        for (text, millis) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse_duration(" 30 d "), Ok(Duration::from_secs(30 * 86_400)));
    }

    #[test]
    fn anything_else_is_refused_with_the_shape() {
        for bad in
            ["", "s", "5", "-5s", "1.5s", "5 weeks", "5S", "1h30m", "99999999999999999999s", "18446744073709551615d"]
        {
            let error = parse_duration(bad).unwrap_err();
            assert!(error.contains("such as 250ms"), "{bad}: {error}");
        }
        assert!(parse_duration("5").unwrap_err().contains("has no unit"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_is_fatal(text in ".{0,40}") {
            let _ = parse_duration(&text);
        }
    }
}
