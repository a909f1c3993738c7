//! Call rates, and the rules for names and texts.

use std::collections::HashMap;

use jiff::Timestamp;

use super::envelope::{Product, Refusal};

/// A token bucket for each action.
#[derive(Debug, Default)]
pub struct Buckets(HashMap<(Product, String), (f64, Timestamp)>);

impl Buckets {
    /// Takes a token; `false` if there is none. A bucket holds what a second allows.
    pub fn take(&mut self, product: Product, action: &str, now: Timestamp) -> bool {
        let rate = rate(action);
        let (tokens, filled) = self.0.entry((product, action.to_owned())).or_insert((rate, now));
        let seconds = now.duration_since(*filled).as_secs_f64().max(0.0);
        *tokens = (*tokens + seconds * rate).min(rate);
        *filled = now.max(*filled);
        let enough = *tokens >= 1.0;
        if enough {
            *tokens -= 1.0;
        }
        enough
    }
}

/// Published calls per second, action and account: reads 100, writes 20, attachments and membership 10.
fn rate(action: &str) -> f64 {
    let starts = |prefix: &str| action.starts_with(prefix);
    if starts("Get") || starts("List") {
        100.0
    } else if starts("AttachPolicy") || starts("DetachPolicy") || starts("AddUser") || starts("RemoveUser") {
        10.0
    } else {
        20.0
    }
}

/// `InvalidParameter.<param>.Length` unless the text has 1 to `max` characters.
pub fn length(param: &str, text: &str, max: usize) -> Result<(), Refusal> {
    if text.is_empty() || text.chars().count() > max {
        return Err(Refusal::invalid(
            &format!("{param}.Length"),
            &format!("The {param} must have 1 to {max} characters."),
        ));
    }
    Ok(())
}

/// A text that may be empty.
pub fn optional_length(param: &str, text: &str, max: usize) -> Result<(), Refusal> {
    if text.is_empty() { Ok(()) } else { length(param, text, max) }
}

/// A name of letters, digits and the characters of `others`.
pub fn name(param: &str, text: &str, max: usize, others: &str) -> Result<(), Refusal> {
    length(param, text, max)?;
    if text.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character)) {
        return Ok(());
    }
    Err(Refusal::invalid(
        &format!("{param}.InvalidChars"),
        &format!("The {param} has characters that are not allowed."),
    ))
}

/// UserName: 1 to 64 of letters, digits, `.`, `-`, `_`.
pub fn user_name(param: &str, text: &str, leading_hyphen_allowed: bool) -> Result<(), Refusal> {
    name(param, text, 64, ".-_")?;
    if text.starts_with('-') && !leading_hyphen_allowed {
        return Err(Refusal::invalid(
            &format!("{param}.InvalidChars"),
            &format!("The {param} must not begin with a hyphen."),
        ));
    }
    Ok(())
}

/// GroupName: 1 to 64 of letters, digits, `-` and, if `dotted`, `.` and `_`.
pub fn group_name(param: &str, text: &str, dotted: bool) -> Result<(), Refusal> {
    name(param, text, 64, if dotted { ".-_" } else { "-" })
}

/// PolicyName: 1 to 128 of letters, digits, `-`.
pub fn policy_name(text: &str) -> Result<(), Refusal> {
    name("PolicyName", text, 128, "-")
}

/// `<country>-<number>`, or empty.
pub fn mobile_phone(param: &str, text: &str) -> Result<(), Refusal> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || text.split_once('-').is_some_and(|(country, number)| digits(country) && digits(number)) {
        return Ok(());
    }
    Err(Refusal::invalid(&format!("{param}.Format"), &format!("The {param} must have the form <country>-<number>.")))
}

/// An address with one `@`, or empty.
pub fn email(param: &str, text: &str) -> Result<(), Refusal> {
    let plain = |part: &str| !part.is_empty() && !part.contains(['@', ' ']);
    if text.is_empty() || text.split_once('@').is_some_and(|(local, domain)| plain(local) && plain(domain)) {
        return Ok(());
    }
    Err(Refusal::invalid(&format!("{param}.Format"), &format!("The {param} is not an e-mail address.")))
}
