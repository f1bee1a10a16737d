//! R11: `Retry-After` as seconds or as a date, checked against an independent calendar.

use outbox::{Timestamp, retry_after_ms};
use proptest::prelude::*;

/// 1994-11-06 08:49:37 UTC, the example of RFC 9110.
const EXAMPLE_S: u64 = 784_111_777;

fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

#[test]
fn r11_seconds() {
    for (value, expected) in [
        ("0", Some(0)),
        ("120", Some(120_000)),
        ("  7\t", Some(7_000)),
        ("007", Some(7_000)),
        ("18446744073709551615", Some(u64::MAX)),
        ("99999999999999999999999999", Some(u64::MAX)),
        ("", None),
        (" ", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e3", None),
        ("12 0", None),
        ("٣", None),
        ("soon", None),
    ] {
        assert_eq!(retry_after_ms(value, at(EXAMPLE_S)), expected, "{value:?}");
    }
}

#[test]
fn r11_the_three_date_forms_name_the_same_moment() {
    for value in
        ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
    {
        assert_eq!(retry_after_ms(value, at(EXAMPLE_S - 90)), Some(90_000), "{value:?}");
        assert_eq!(retry_after_ms(value, at(EXAMPLE_S)), Some(0), "{value:?}");
        assert_eq!(retry_after_ms(value, at(EXAMPLE_S + 1)), Some(0), "past: {value:?}");
        let half_a_second_before = Timestamp::from_millis(EXAMPLE_S * 1000 - 500);
        assert_eq!(retry_after_ms(value, half_a_second_before), Some(500), "{value:?}");
    }
}

#[test]
fn r11_what_is_no_date() {
    for value in [
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT+1",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 November 1994 08:49:37 GMT",
        "Nov, 06 Sun 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 29 Feb 2100 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994 GMT",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Növ 1994 08:49:37 GMT",
    ] {
        assert_eq!(retry_after_ms(value, at(0)), None, "{value:?}");
    }
}

#[test]
fn r11_leap_days_leap_seconds_and_the_ends_of_time() {
    for (value, second) in [
        ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800),
        ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 1),
        ("Mon, 01 Jan 0001 00:00:00 GMT", 0),
        ("Sat, 01 Jan 0000 00:00:00 GMT", 0),
        ("Wed, 31 Dec 1969 23:59:59 GMT", 0),
    ] {
        assert_eq!(retry_after_ms(value, at(0)), Some(second * 1000), "{value:?}");
    }
    let end = Timestamp::from_millis(u64::MAX);
    assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", end), Some(0));
    assert_eq!(retry_after_ms("99999999999999999999", end), Some(u64::MAX));
}

/// RFC 9110 §5.6.7: a two-digit year more than 50 years ahead is the past one with the same digits.
#[test]
fn r11_a_two_digit_year_is_at_most_fifty_years_ahead() {
    const IN_2026_S: u64 = 1_790_000_000;
    let ahead_s = |value| retry_after_ms(value, at(IN_2026_S)).map(|ms| ms / 1000);
    assert_eq!(ahead_s("Wednesday, 01-Jan-76 00:00:00 GMT"), Some(3_345_062_400 - IN_2026_S), "2076");
    assert_eq!(ahead_s("Thursday, 01-Jan-77 00:00:00 GMT"), Some(0), "1977");
    assert_eq!(ahead_s("Thursday, 01-Jan-26 00:00:00 GMT"), Some(0), "2026, a few months ago");
    assert_eq!(ahead_s("Friday, 01-Jan-27 00:00:00 GMT"), Some(1_798_761_600 - IN_2026_S), "2027");
}

/// A moment as `(year, month from 0, day, weekday from Monday, h, m, s)`, by counting days one year and
/// one month at a time: slow, and nothing like the code under test.
fn civil(second: u64) -> (u64, usize, u64, usize, u64, u64, u64) {
    let (mut days, time) = (second / 86_400, second % 86_400);
    let weekday = usize::try_from((days + 3) % 7).unwrap();
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1, weekday, time / 3600, time / 60 % 60, time % 60)
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

proptest! {
    #[test]
    fn r11_every_second_reads_back(second in 0..253_402_300_800_u64) {
        let (year, month, day, weekday, h, m, s) = civil(second);
        let (month, short) = (MONTHS[month], &DAYS[weekday][..3]);
        let imf = format!("{short}, {day:02} {month} {year:04} {h:02}:{m:02}:{s:02} GMT");
        prop_assert_eq!(retry_after_ms(&imf, at(0)), Some(second * 1000), "{}", imf);
        let asctime = format!("{short} {month} {day:2} {h:02}:{m:02}:{s:02} {year:04}");
        prop_assert_eq!(retry_after_ms(&asctime, at(0)), Some(second * 1000), "{}", asctime);
    }

    #[test]
    fn r11_two_digit_years_read_back_near_now(now in 0..100_000_000_000_u64, ahead in 0..1_500_000_000_u64) {
        let (year, month, day, weekday, h, m, s) = civil(now + ahead);
        let (month, year) = (MONTHS[month], year % 100);
        let rfc850 = format!("{}, {day:02}-{month}-{year:02} {h:02}:{m:02}:{s:02} GMT", DAYS[weekday]);
        prop_assert_eq!(retry_after_ms(&rfc850, at(now)), Some(ahead * 1000), "{}", rfc850);
    }

    #[test]
    fn r11_no_text_panics(value in "\\PC*", now: u64) {
        let _ = retry_after_ms(&value, Timestamp::from_millis(now));
    }

    #[test]
    fn r11_no_damaged_date_panics(form in 0..3_usize, cut in 0..24_usize, put in any::<char>(), now: u64) {
        let forms =
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
        let mut value: Vec<char> = forms[form].chars().collect();
        value[cut] = put;
        let _ = retry_after_ms(&value.into_iter().collect::<String>(), Timestamp::from_millis(now));
    }
}
