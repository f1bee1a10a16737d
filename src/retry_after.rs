//! `Retry-After`: delta-seconds, or any of the three date formats of RFC 9110 §5.6.7 (R11).

use crate::time::Timestamp;

const DAY_NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAY_NAMES: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const DAY_S: i64 = 24 * 60 * 60;
/// 400 Gregorian years are 146,097 days.
const MEAN_YEAR_S: i64 = 146_097 * DAY_S / 400;
/// From 0001-01-01 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_162;

/// What a `Retry-After` header asks for, in milliseconds from `now` (R11): for
/// [`Failure::retry_after_ms`](crate::Failure::retry_after_ms).
///
/// Reads seconds (`120`) and dates (`Sun, 06 Nov 1994 08:49:37 GMT`, and the two obsolete forms). A date
/// that is past gives 0, a number too large to hold the largest that can be held; the outbox clamps it.
/// `None` for anything else: then the backoff alone decides.
///
/// ```
/// use outbox::{Timestamp, retry_after_ms};
///
/// let now = Timestamp::from_millis(784_111_770_500);
/// assert_eq!(retry_after_ms("120", now), Some(120_000));
/// assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(6_500));
/// assert_eq!(retry_after_ms("soon", now), None);
/// ```
#[must_use]
pub fn retry_after_ms(value: &str, now: Timestamp) -> Option<u64> {
    let value = value.trim_matches([' ', '\t']).as_bytes();
    if let Some(seconds) = delta_seconds(value) {
        return Some(seconds.saturating_mul(1000));
    }
    let at_s = imf_fixdate(value).or_else(|| rfc850(value, now)).or_else(|| asctime(value))?;
    let at_ms = u64::try_from(at_s).unwrap_or(0).saturating_mul(1000);
    Some(Timestamp::from_millis(at_ms).since_ms(now))
}

/// `1*DIGIT`, saturating.
fn delta_seconds(value: &[u8]) -> Option<u64> {
    let digit = |b: &u8| b.is_ascii_digit().then(|| u64::from(b - b'0'));
    let mut seconds = digit(value.first()?)?;
    for b in &value[1..] {
        seconds = seconds.saturating_mul(10).saturating_add(digit(b)?);
    }
    Some(seconds)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn imf_fixdate(value: &[u8]) -> Option<i64> {
    let mut rest = Rest(value);
    rest.one_of(&DAY_NAMES)?;
    rest.literal(", ")?;
    let day = rest.digits(2)?;
    rest.literal(" ")?;
    let month = rest.one_of(&MONTHS)?;
    rest.literal(" ")?;
    let year = rest.digits(4)?;
    rest.literal(" ")?;
    let second = rest.time_of_day()?;
    rest.literal(" GMT")?;
    rest.end()?;
    Some(days_since_epoch(year, month, day)? * DAY_S + second)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`. A year that would be more than 50 years ahead is of the century before.
fn rfc850(value: &[u8], now: Timestamp) -> Option<i64> {
    let mut rest = Rest(value);
    rest.one_of(&LONG_DAY_NAMES)?;
    rest.literal(", ")?;
    let day = rest.digits(2)?;
    rest.literal("-")?;
    let month = rest.one_of(&MONTHS)?;
    rest.literal("-")?;
    let short_year = rest.digits(2)?;
    rest.literal(" ")?;
    let second = rest.time_of_day()?;
    rest.literal(" GMT")?;
    rest.end()?;
    let at_s = |year| days_since_epoch(year, month, day).map(|days| days * DAY_S + second);

    let now_s = i64::try_from(now.as_millis() / 1000).unwrap_or(i64::MAX);
    let latest = 1970 + now_s / MEAN_YEAR_S + 51; // the estimate is at most one year off
    let year = latest - (latest - short_year).rem_euclid(100);
    let too_late = at_s(year)? > now_s + 50 * MEAN_YEAR_S;
    at_s(if too_late { year - 100 } else { year })
}

/// `Sun Nov  6 08:49:37 1994`.
fn asctime(value: &[u8]) -> Option<i64> {
    let mut rest = Rest(value);
    rest.one_of(&DAY_NAMES)?;
    rest.literal(" ")?;
    let month = rest.one_of(&MONTHS)?;
    rest.literal(" ")?;
    let day = if rest.literal(" ").is_some() { rest.digits(1)? } else { rest.digits(2)? };
    rest.literal(" ")?;
    let second = rest.time_of_day()?;
    rest.literal(" ")?;
    let year = rest.digits(4)?;
    rest.end()?;
    Some(days_since_epoch(year, month, day)? * DAY_S + second)
}

/// What is left to read. Each step takes what it read off the front, or takes nothing.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text.as_bytes())?;
        Some(())
    }

    /// The index of the name that comes next.
    fn one_of(&mut self, names: &[&str]) -> Option<i64> {
        (0..).zip(names).find_map(|(index, name)| self.literal(name).map(|()| index))
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let mut number = 0;
        for b in digits {
            number = number * 10 + i64::from(b.is_ascii_digit().then(|| b - b'0')?);
        }
        self.0 = rest;
        Some(number)
    }

    /// `08:49:37` as seconds since midnight; 60 is a leap second.
    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.digits(2)?;
        self.literal(":")?;
        let minute = self.digits(2)?;
        self.literal(":")?;
        let second = self.digits(2)?;
        (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days since 1970-01-01 in the Gregorian calendar; `month` counts from 0. `None` if there is no such day.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    const BEFORE_MONTH: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let index = usize::try_from(month).ok().filter(|index| *index < 12)?;
    let leap_day = i64::from(is_leap(year));
    let length = BEFORE_MONTH[index + 1] - BEFORE_MONTH[index] + if index == 1 { leap_day } else { 0 };
    if !(1..=length).contains(&day) {
        return None;
    }
    let past_february = if index > 1 { leap_day } else { 0 };
    let before = year - 1;
    let years = before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    Some(years - DAYS_TO_EPOCH + BEFORE_MONTH[index] + past_february + day - 1)
}
