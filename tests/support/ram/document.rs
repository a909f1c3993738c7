//! The grammar of policy documents.

use serde_json::{Map, Value};

use super::envelope::Refusal;
use super::options::Options;
use super::params::Params;

/// A document has at most so many bytes or characters.
pub const SIZE: usize = 6144;

/// What a condition may compare with.
const OPERATORS: [&str; 21] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "IpAddress",
    "NotIpAddress",
];

/// The document of parameter PolicyDocument, if it is one.
pub fn given<'a>(params: &'a Params, options: &Options) -> Result<&'a str, Refusal> {
    let text = params.required("PolicyDocument")?;
    let (size, unit) =
        if options.policy_size_in_bytes { (text.len(), "bytes") } else { (text.chars().count(), "characters") };
    if size > SIZE {
        let message = format!("The PolicyDocument must have at most {SIZE} {unit}.");
        return Err(Refusal::invalid("PolicyDocument.Length", &message));
    }
    check(text, options.not_action_allowed)?;
    Ok(text)
}

/// `MalformedPolicyDocument` unless the text is a document. With `negations`, NotAction and NotResource are known.
fn check(text: &str, negations: bool) -> Result<(), Refusal> {
    let Ok(Value::Object(policy)) = serde_json::from_str(text) else {
        return Err(malformed("The document is no JSON object."));
    };
    only(&policy, &["Version", "Statement"])?;
    if policy.get("Version").and_then(Value::as_str) != Some("1") {
        return Err(malformed("The Version must be the string 1."));
    }
    match policy.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => {
            statements.iter().try_for_each(|item| statement(item, negations))
        }
        _ => Err(malformed("The Statement must be a list that is not empty.")),
    }
}

fn statement(statement: &Value, negations: bool) -> Result<(), Refusal> {
    let Value::Object(fields) = statement else {
        return Err(malformed("A statement is no object."));
    };
    let known: &[&str] = if negations {
        &["Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"]
    } else {
        &["Effect", "Action", "Resource", "Condition"]
    };
    only(fields, known)?;
    if !matches!(fields.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Err(malformed("The Effect must be Allow or Deny."));
    }
    one_of(fields, "Action", "NotAction")?;
    one_of(fields, "Resource", "NotResource")?;
    fields.get("Condition").map_or(Ok(()), condition)
}

/// Exactly one of the two is there, and names something.
fn one_of(fields: &Map<String, Value>, name: &str, negation: &str) -> Result<(), Refusal> {
    let given = match (fields.get(name), fields.get(negation)) {
        (Some(value), None) | (None, Some(value)) => texts(value),
        _ => None,
    };
    if given.is_some_and(|texts| texts.iter().all(|text| !text.is_empty())) {
        return Ok(());
    }
    Err(malformed(&format!("A statement needs one {name}, a string or a list of strings.")))
}

fn condition(condition: &Value) -> Result<(), Refusal> {
    let Value::Object(operators) = condition else {
        return Err(malformed("A Condition is no object."));
    };
    only(operators, &OPERATORS)?;
    for (operator, keys) in operators {
        let Some(keys) = keys.as_object().filter(|keys| !keys.is_empty()) else {
            return Err(malformed(&format!("The {operator} names no key.")));
        };
        if let Some((key, _)) = keys.iter().find(|(_, value)| texts(value).is_none()) {
            return Err(malformed(&format!("The value of {key} is neither a string nor a list of strings.")));
        }
    }
    Ok(())
}

/// A string, or the strings of a list that is not empty.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text.as_str()]),
        Value::Array(items) if !items.is_empty() => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(malformed(&format!("{name} is not known here."))),
        None => Ok(()),
    }
}

fn malformed(message: &str) -> Refusal {
    Refusal::new(400, "MalformedPolicyDocument", message)
}
