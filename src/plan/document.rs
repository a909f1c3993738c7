//! Policy documents: read, written in one form, compared by meaning, and held against a tenant's bounds.
//!
//! The grammar is RAM's: `Version` "1" and a list of statements, each with `Effect`, `Action` and `Resource` as one text or a list. What is
//! sent to RAM is written anew from what was understood, so that RAM and the operator never read one text in two ways.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::names::covers;
use crate::api::{DocumentBounds, Effect, PolicyStatement};

/// RAM's limit of a custom policy, without white space.
pub const DOCUMENT_LIMIT: usize = 6144;
/// `acs:<service>:<region>:<account>:<relative id>`.
const ARN_PARTS: usize = 5;
/// Operators of `Condition` that RAM knows.
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

/// A policy document that was understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    #[serde(rename = "Version")]
    version: String,
    #[serde(rename = "Statement", deserialize_with = "one_or_many")]
    statements: Vec<Statement>,
}

type Conditions = BTreeMap<String, BTreeMap<String, Texts>>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Statement {
    effect: Effect,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_action: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_resource: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Conditions>,
}

/// Alternatives: their order and number say nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany<String>", into = "Vec<String>")]
struct Texts(BTreeSet<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> From<OneOrMany<T>> for Vec<T> {
    fn from(texts: OneOrMany<T>) -> Self {
        match texts {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

impl From<OneOrMany<String>> for Texts {
    fn from(texts: OneOrMany<String>) -> Self {
        Self(Vec::from(texts).into_iter().collect())
    }
}

impl From<Texts> for Vec<String> {
    fn from(texts: Texts) -> Self {
        texts.0.into_iter().collect()
    }
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Vec<Statement>, D::Error> {
    // Not by an untagged enum, whose error would say nothing of what is wrong in a statement.
    let value = serde_json::Value::deserialize(reader)?;
    let all = match value {
        serde_json::Value::Array(all) => all,
        one => vec![one],
    };
    let read = |(n, value)| {
        serde_json::from_value(value)
            .map_err(|error| serde::de::Error::custom(format!("statement {}: {error}", usize::saturating_add(n, 1))))
    };
    all.into_iter().enumerate().map(read).collect()
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// What RAM would refuse, in words for whoever wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Twice, since a value keeps the last of two members of one name and RAM may keep the first.
        let document: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        no_member_twice(text)?;
        document.check()?;
        Ok(document)
    }

    /// The document of typed statements.
    ///
    /// # Errors
    /// What RAM would refuse.
    pub fn of(statements: &[PolicyStatement]) -> Result<Self, String> {
        let texts = |list: &[String]| Some(Texts(list.iter().cloned().collect()));
        let one = |statement: &PolicyStatement| Statement {
            effect: statement.effect,
            action: texts(&statement.actions),
            not_action: None,
            resource: texts(&statement.resources),
            not_resource: None,
            condition: statement.conditions.as_ref().map(|all| {
                let values = |keys: &BTreeMap<String, Vec<String>>| {
                    keys.iter().map(|(key, list)| (key.clone(), Texts(list.iter().cloned().collect()))).collect()
                };
                all.iter().map(|(operator, keys)| (operator.clone(), values(keys))).collect()
            }),
        };
        let document = Self { version: "1".to_owned(), statements: statements.iter().map(one).collect() };
        document.check()?;
        Ok(document)
    }

    fn check(&self) -> Result<(), String> {
        if self.version != "1" {
            return Err("Version must be \"1\"".to_owned());
        }
        if self.statements.is_empty() {
            return Err("Statement is empty".to_owned());
        }
        for (n, statement) in self.statements.iter().enumerate() {
            statement.check().map_err(|why| format!("statement {}: {why}", n.saturating_add(1)))?;
        }
        let size = self.text().len();
        if size > DOCUMENT_LIMIT {
            return Err(format!("it has {size} bytes without white space; RAM takes {DOCUMENT_LIMIT}"));
        }
        Ok(())
    }

    /// The text that is sent to RAM: the shortest.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether no statement allows anything.
    #[must_use]
    pub fn only_denies(&self) -> bool {
        self.statements.iter().all(|statement| statement.effect == Effect::Deny)
    }

    /// Whether both say the same: the order of statements and alternatives does not count.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let has = |all: &[Statement], one: &Statement| all.contains(one);
        self.statements.iter().all(|one| has(&other.statements, one))
            && other.statements.iter().all(|one| has(&self.statements, one))
    }

    /// Refuses a document that allows more than `bounds`: every action and every resource of each statement that allows must lie inside.
    ///
    /// # Errors
    /// The first thing that lies outside.
    pub fn within(&self, bounds: &DocumentBounds) -> Result<(), String> {
        let allowing = self.statements.iter().enumerate().filter(|(_, statement)| statement.effect == Effect::Allow);
        for (n, statement) in allowing {
            statement.within(bounds).map_err(|what| format!("statement {}: {what}", n.saturating_add(1)))?;
        }
        Ok(())
    }
}

impl Statement {
    fn check(&self) -> Result<(), String> {
        one_of("Action", self.action.as_ref(), "NotAction", self.not_action.as_ref())?;
        one_of("Resource", self.resource.as_ref(), "NotResource", self.not_resource.as_ref())?;
        for (operator, keys) in self.condition.iter().flatten() {
            if !OPERATORS.contains(&operator.as_str()) {
                return Err(format!("RAM has no condition operator {operator}"));
            }
            if keys.is_empty() || keys.values().any(|values| values.0.is_empty()) {
                return Err(format!("the condition {operator} has no value"));
            }
        }
        let actions = self.action.iter().chain(&self.not_action).flat_map(|texts| &texts.0);
        for action in actions {
            let (service, operation) = action.split_once(':').unwrap_or((action, if action == "*" { "*" } else { "" }));
            if service.is_empty() || operation.is_empty() {
                return Err(format!("the action {action} must have the form <service>:<Operation>"));
            }
        }
        Ok(())
    }

    fn within(&self, bounds: &DocumentBounds) -> Result<(), String> {
        let (Some(actions), None) = (&self.action, &self.not_action) else {
            return Err("NotAction allows whatever is not named".to_owned());
        };
        let (Some(resources), None) = (&self.resource, &self.not_resource) else {
            return Err("NotResource allows whatever is not named".to_owned());
        };
        // RAM reads actions without regard to case, as far as is known; resources may depend on it.
        let lower = |text: &String| text.to_ascii_lowercase();
        let inside = |action: &&String| !bounds.actions.iter().any(|outer| covers(&lower(outer), &lower(action)));
        if let Some(action) = actions.0.iter().find(inside) {
            return Err(format!("the action {action}"));
        }
        // A variable stands for what only RAM knows.
        let outside = |resource: &&String| {
            resource.contains("${") || !bounds.resources.iter().any(|outer| covers_arn(outer, resource))
        };
        match resources.0.iter().find(outside) {
            Some(resource) => Err(format!("the resource {resource}")),
            None => Ok(()),
        }
    }
}

/// Whether a resource lies inside another one, part by part: a wildcard does not reach over a `:` into the next part.
fn covers_arn(outer: &str, inner: &str) -> bool {
    let parts = outer.split(':').count().min(ARN_PARTS);
    let (mut all, mut theirs) = (outer.splitn(parts, ':'), inner.splitn(parts, ':'));
    loop {
        match (all.next(), theirs.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if covers(one, other) => {}
            _ => return false,
        }
    }
}

fn one_of(name: &str, texts: Option<&Texts>, but: &str, but_texts: Option<&Texts>) -> Result<(), String> {
    match (texts, but_texts) {
        (Some(texts), None) | (None, Some(texts))
            if texts.0.iter().all(|text| !text.is_empty()) && !texts.0.is_empty() =>
        {
            Ok(())
        }
        (Some(_), Some(_)) => Err(format!("{name} and {but} exclude each other")),
        (None, None) => Err(format!("{name} is missing")),
        _ => Err(format!("{name} is empty")),
    }
}

/// Refuses a member that comes twice in one object.
fn no_member_twice(text: &str) -> Result<(), String> {
    serde_json::from_str::<Unique>(text).map(|_| ()).map_err(|error| error.to_string())
}

/// Any JSON whose objects name each member once.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> serde::de::Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut all: A) -> Result<Unique, A::Error> {
        while all.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }
    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut all: A) -> Result<Unique, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some((name, Unique)) = all.next_entry::<String, Unique>()? {
            if !seen.insert(name.clone()) {
                return Err(serde::de::Error::custom(format!("{name} comes twice")));
            }
        }
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(action: &str, resource: &str) -> String {
        format!(r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":{action},"Resource":{resource}}}]}}"#)
    }

    fn bounds() -> DocumentBounds {
        DocumentBounds {
            actions: vec!["ots:*".to_owned()],
            resources: vec!["acs:ots:*:*:instance/team-a-*".to_owned()],
        }
    }

    #[test]
    fn what_ram_refuses_is_refused_with_a_reason() {
        for (text, why) in [
            ("", "EOF"),
            ("[]", "invalid"),
            (r#"{"Version":"1"}"#, "missing field `Statement`"),
            (r#"{"Version":"2","Statement":[]}"#, "Version must be"),
            (r#"{"Version":"1","Statement":[]}"#, "Statement is empty"),
            (r#"{"Version":"1","Statement":[{"Effect":"Maybe","Action":"a:b","Resource":"*"}]}"#, "statement 1"),
            (r#"{"Version":"1","Statement":[{"Effect":"Allow","Resource":"*"}]}"#, "Action is missing"),
            (r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}"#, "Action is empty"),
            (&document(r#""ots""#, r#""*""#), "<service>:<Operation>"),
            (&document(r#""ots:*""#, r#""*","Principal":{"RAM":["*"]}"#), "unknown field `Principal`"),
            (&document(r#""ots:*""#, r#""*","Condition":{"Like":{"a":"b"}}"#), "no condition operator Like"),
            (&document(r#""ots:*","Action":"ram:*""#, r#""*""#), "Action comes twice"),
            (&document(r#""ots:*""#, r#""*","Condition":{"Bool":{"a":"b","a":"c"}}"#), "a comes twice"),
            (&document(&format!(r#""ots:{}""#, "x".repeat(7000)), r#""*""#), "without white space"),
        ] {
            let error = Document::parse(text).map(|_| ()).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn meaning_counts_and_not_the_spelling() {
        let one = Document::parse(&document(r#""ots:Get*""#, r#"["a","b"]"#)).expect("one");
        let other = Document::parse(&document(r#"["ots:Get*"]"#, r#"[ "b", "a", "a" ]"#)).expect("other");
        assert!(one.same_as(&other) && one.text() == other.text());
        assert!(!one.same_as(&Document::parse(&document(r#""ots:Get*""#, r#""a""#)).expect("less")));
        let typed = PolicyStatement {
            effect: Effect::Allow,
            actions: vec!["ots:Get*".to_owned()],
            resources: vec!["b".to_owned(), "a".to_owned()],
            conditions: None,
        };
        assert!(Document::of(&[typed]).expect("typed").same_as(&one));
        assert!(!one.only_denies());
    }

    #[test]
    fn every_allow_lies_inside_the_bounds_and_deny_is_free() {
        let instance = r#""acs:ots:*:*:instance/team-a-x""#;
        for (action, resource, inside) in [
            (r#""ots:GetRow""#, instance, true),
            (r#""OTS:Get*""#, r#""acs:ots:cn-hangzhou:1:instance/team-a-x/table/*""#, true),
            (r#""*""#, instance, false),
            (r#""o*:GetRow""#, instance, false),
            (r#""ot?:*""#, instance, false),
            (r#"["ots:GetRow","ram:GetUser"]"#, instance, false),
            (r#""ots:*""#, r#""*""#, false),
            (r#""ots:*""#, r#""acs:ots:*:*:instance/*""#, false),
            (r#""ots:*""#, r#""acs:ots:*:*:instance/team-?-x""#, false),
            (r#""ots:*""#, r#""acs:ots:*:*:instance/TEAM-A-x""#, false),
            (r#""ots:*""#, r#""acs:ots:*:*:instance/team-a-${acs:x}""#, false),
            (r#""ots:*""#, r#""acs:ots:*instance/team-a-x""#, false),
            (r#""ots:*""#, r#""acs:ots:*:*:other/*:instance/team-a-x""#, false),
        ] {
            let read = Document::parse(&document(action, resource)).expect("a document");
            assert_eq!(read.within(&bounds()).is_ok(), inside, "{action} {resource}");
        }
        for member in ["NotAction", "NotResource"] {
            let text =
                document(r#""ots:*""#, instance).replace(&format!("\"{}\"", &member[3..]), &format!("\"{member}\""));
            assert!(Document::parse(&text).expect("a document").within(&bounds()).is_err(), "{member}");
            let deny = Document::parse(&text.replace("Allow", "Deny")).expect("a document");
            assert!(deny.within(&bounds()).is_ok() && deny.only_denies(), "{member}");
        }
    }
}
