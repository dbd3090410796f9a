//! Spans of time as kubectl prints them: `45s`, `9m12s`, `3h2m`, `41d`.

use jiff::{SignedDuration, Timestamp};

/// How long ago `then` was, in at most two units. A time in the future counts as now: clocks differ.
pub(crate) fn since(then: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(then))
}

/// How long it is until `then`. A time in the past counts as now.
pub(crate) fn until(then: Timestamp, now: Timestamp) -> String {
    span(then.duration_since(now))
}

/// The smaller unit is left out where it says little.
fn span(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: i64, unit: char, small: i64, small_unit: char| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit}{small}{small_unit}")
        }
    };
    match (days, hours, minutes) {
        (8.., ..) => format!("{days}d"),
        (2.., ..) => two(days, 'd', hours % 24, 'h'),
        (_, 8.., _) => format!("{hours}h"),
        (_, 3.., _) => two(hours, 'h', minutes % 60, 'm'),
        (_, _, 10..) => format!("{minutes}m"),
        (_, _, 2..) => two(minutes, 'm', seconds % 60, 's'),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_match_the_kubectl_format() {
        for (seconds, text) in [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (552, "9m12s"),
            (10 * 60 + 5, "10m"),
            (3 * 3600 + 120, "3h2m"),
            (8 * 3600 + 120, "8h"),
            (47 * 3600, "47h"),
            (3 * 86_400 + 4 * 3600, "3d4h"),
            (41 * 86_400 + 3600, "41d"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn both_directions_are_counted_from_now() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(since(at(100), at(145)), "45s");
        assert_eq!(until(at(145), at(100)), "45s");
    }
}
