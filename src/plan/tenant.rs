//! Which tenant a namespace belongs to, and what that tenant grants.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::{
    Adopt, AllowedSources, DocumentBounds, NamespaceSelector, Necessity, Permission, PolicyAttachment, PolicyKind,
    RamTenantSpec, Requirement, SelectorOperator, Span, UserDeletionPolicy,
};

use super::document::Document;
use super::names::allowed;
use super::{Reason, Verdict};
use crate::ram::{PolicyRef, PolicyType};

/// A thing in RAM that an object names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A user.
    User,
    /// A group.
    Group,
    /// A custom policy.
    Policy,
}

/// What one tenant grants to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    names: Option<Vec<String>>,
    system: Option<Vec<String>>,
    custom: Option<Vec<String>>,
    groups: Option<Vec<String>>,
    policy_names: Option<Vec<String>>,
    group_names: Option<Vec<String>>,
    adopt: Adopt,
    documents: Option<DocumentBounds>,
    console_login: Permission,
    retain: Permission,
    max_age: Option<Duration>,
    sources: Necessity,
    /// Whether the object is inside the tenant's limit; one that has its user or key always is.
    pub inside: bool,
}

impl Grants {
    /// The grants of a tenant's spec.
    #[must_use]
    pub fn of(spec: &RamTenantSpec, inside: bool) -> Self {
        Self {
            names: spec.names.users.clone(),
            system: spec.attach.system.clone(),
            custom: spec.attach.custom.clone(),
            groups: spec.attach.groups.clone(),
            policy_names: spec.names.policies.clone(),
            group_names: spec.names.groups.clone(),
            adopt: spec.adopt.clone(),
            documents: spec.documents.clone(),
            console_login: spec.console_login,
            retain: spec.retain,
            max_age: spec.access_keys.max_age.as_ref().and_then(Span::duration),
            sources: spec.access_keys.allowed_sources,
            inside,
        }
    }

    /// Refuses an explicit name that the tenant does not list.
    pub fn name(&self, thing: Thing, name: Option<&str>) -> Result<(), Verdict> {
        let globs = match thing {
            Thing::User => self.names.as_ref(),
            Thing::Group => self.group_names.as_ref(),
            Thing::Policy => self.policy_names.as_ref(),
        };
        match name {
            Some(name) if !allowed(globs, name) => Err(Verdict::new(Reason::NameNotAllowed).about(name)),
            _ => Ok(()),
        }
    }

    /// Refuses to adopt or to observe what the tenant does not list. A generated name is never that of somebody else's thing.
    pub fn adopts(&self, thing: Thing, name: Option<&str>) -> Result<(), Verdict> {
        let globs = match thing {
            Thing::User => self.adopt.users.as_ref(),
            Thing::Group => self.adopt.groups.as_ref(),
            Thing::Policy => self.adopt.policies.as_ref(),
        };
        match name {
            Some(name) if allowed(globs, name) => Ok(()),
            name => Err(Verdict::new(Reason::AdoptionNotAllowed).about(name.unwrap_or("a generated name"))),
        }
    }

    /// Refuses a group of the account that the tenant does not list.
    pub fn group(&self, name: &str) -> Result<(), Verdict> {
        if allowed(self.groups.as_ref(), name) {
            return Ok(());
        }
        Err(Verdict::new(Reason::GroupNotAllowed).about(name))
    }

    /// Whether the tenant lists a policy by its name in RAM.
    #[must_use]
    pub fn lists(&self, policy: &PolicyRef) -> bool {
        let globs = match policy.kind {
            PolicyType::System => self.system.as_ref(),
            PolicyType::Custom => self.custom.as_ref(),
        };
        allowed(globs, &policy.name)
    }

    /// Whether a policy that the tenant does not list does no harm: it only denies, or what it allows lies inside `documents`.
    #[must_use]
    pub fn harmless(&self, document: Option<&Document>, policy: &PolicyRef) -> bool {
        document.is_some_and(Document::only_denies) || self.document(document, &policy.name).is_ok()
    }

    /// Refuses a document that allows more than the tenant may have. `None`: it could not be understood.
    pub fn document(&self, document: Option<&Document>, name: &str) -> Result<(), Verdict> {
        let refused = |why: &str| Err(Verdict::new(Reason::DocumentNotAllowed).about(format!("{name}: {why}")));
        match (&self.documents, document) {
            (None, _) => refused("the RamTenant has no documents"),
            (Some(_), None) => refused("its document cannot be understood"),
            (Some(bounds), Some(document)) => document.within(bounds).or_else(|why| refused(&why)),
        }
    }

    /// Refuses the first policy that the tenant does not list.
    pub fn policies<'a>(&self, policies: impl IntoIterator<Item = &'a PolicyAttachment>) -> Result<(), Verdict> {
        for policy in policies {
            let listed = match policy.kind {
                PolicyKind::System => allowed(self.system.as_ref(), &policy.name),
                PolicyKind::Custom => allowed(self.custom.as_ref(), &policy.name),
                // What it says decides, not what it is called.
                PolicyKind::RamPolicy => self.documents.is_some(),
            };
            if !listed {
                return Err(Verdict::new(Reason::PolicyNotAllowed).about(format!("{:?} {}", policy.kind, policy.name)));
            }
        }
        Ok(())
    }

    /// Refuses log-on where the tenant does not allow it.
    pub fn console_login(&self) -> Result<(), Verdict> {
        match self.console_login {
            Permission::Allow => Ok(()),
            Permission::Deny => Err(Verdict::new(Reason::ConsoleLoginNotAllowed)),
        }
    }

    /// Refuses to leave things behind where the tenant does not allow it.
    pub fn retain(&self, retains: bool) -> Result<(), Verdict> {
        if retains && self.retain == Permission::Deny { Err(Verdict::new(Reason::RetainNotAllowed)) } else { Ok(()) }
    }

    /// The age at which a pair has to be replaced.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// Refuses a key without allowed sources where the tenant asks for them; ranges that hold most of the world are none.
    pub fn sources(&self, given: Option<&AllowedSources>) -> Result<(), Verdict> {
        match (self.sources, given) {
            (Necessity::Optional, _) => Ok(()),
            (Necessity::Required, None) => Err(Verdict::new(Reason::SourcesRequired)),
            (Necessity::Required, Some(sources)) => match sources.public_cidrs.iter().find(|range| is_wide(range)) {
                Some(wide) => Err(Verdict::new(Reason::SourcesRequired).about(format!("{wide} is no restriction"))),
                None => Ok(()),
            },
        }
    }

    /// Refuses an object beyond the tenant's limit.
    pub fn limit(&self) -> Result<(), Verdict> {
        if self.inside { Ok(()) } else { Err(Verdict::new(Reason::LimitReached)) }
    }
}

/// Whether a range is wider than /8, or /16 of IPv6.
fn is_wide(range: &str) -> bool {
    let narrowest = if range.contains(':') { 16 } else { 8 };
    range.split_once('/').and_then(|(_, bits)| bits.parse().ok()).is_some_and(|bits: u8| bits < narrowest)
}

/// Whether a thing stays in RAM: a tenant that denies it turns `Retain` into `Delete`; without a tenant the spec's word stands.
#[must_use]
pub fn retains(policy: UserDeletionPolicy, tenant: Option<&Grants>) -> bool {
    policy == UserDeletionPolicy::Retain && tenant.is_none_or(|grants| grants.retain(true).is_ok())
}

/// The one tenant among `tenants` (name and spec, all of one account) that selects a namespace with these labels.
pub fn select<'a>(
    tenants: &'a [(String, RamTenantSpec)],
    labels: &BTreeMap<String, String>,
) -> Result<&'a (String, RamTenantSpec), Verdict> {
    let mut matching = tenants.iter().filter(|(_, spec)| selects(&spec.namespace_selector, labels));
    match (matching.next(), matching.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Verdict::new(Reason::NotATenant)),
        (Some((first, _)), Some((second, _))) => {
            Err(Verdict::new(Reason::TenantAmbiguous).about(format!("{first} and {second} both do")))
        }
    }
}

/// Whether a selector selects a namespace with these labels.
#[must_use]
pub fn selects(selector: &NamespaceSelector, labels: &BTreeMap<String, String>) -> bool {
    let labels_fit =
        selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key).is_some_and(|l| *l == value.0));
    labels_fit && selector.match_expressions.iter().flatten().all(|requirement| holds(requirement, labels))
}

fn holds(requirement: &Requirement, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&requirement.key);
    let listed = |value: &String| requirement.values.iter().flatten().any(|v| v == value);
    match requirement.operator {
        SelectorOperator::In => value.is_some_and(listed),
        SelectorOperator::NotIn => !value.is_some_and(listed),
        SelectorOperator::Exists => value.is_some(),
        SelectorOperator::DoesNotExist => value.is_none(),
    }
}

/// An object that counts against a limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// When it was created, in seconds.
    pub created: i64,
    /// Its uid.
    pub uid: String,
    /// It has its user or key.
    pub has: bool,
}

/// Whether `object` is inside `limit`: those that have their user or key count first, then the oldest of the others fill what is left.
/// So every pass answers alike, without a lock.
#[must_use]
pub fn inside(limit: usize, object: &Counted, all: &[Counted]) -> bool {
    let have = all.iter().filter(|other| other.has && other.uid != object.uid).count();
    let before = |other: &&Counted| !other.has && (other.created, &other.uid) < (object.created, &object.uid);
    object.has || have + all.iter().filter(before).count() < limit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn tenant(name: &str, selector: &str, rest: &str) -> (String, RamTenantSpec) {
        let text = format!(r#"{{"namespaceSelector":{selector}{rest}}}"#);
        (name.to_owned(), serde_json::from_str(&text).expect("a spec"))
    }

    #[test]
    fn none_one_or_two_tenants() {
        let a = tenant("a", r#"{"matchLabels":{"team":"a"}}"#, "");
        let all = tenant("all", "{}", "");
        let seen = labels(&[("team", "a")]);
        assert_eq!(
            select(std::slice::from_ref(&a), &labels(&[])).map(|t| &t.0).unwrap_err().reason,
            Reason::NotATenant
        );
        assert_eq!(select(std::slice::from_ref(&a), &seen).expect("one").0, "a");
        assert_eq!(select(&[a, all], &seen).map(|t| &t.0).unwrap_err().reason, Reason::TenantAmbiguous);
    }

    #[test]
    fn expressions() {
        let seen = labels(&[("env", "prod")]);
        for (expression, fits) in [
            (r#"{"key":"env","operator":"In","values":["prod","test"]}"#, true),
            (r#"{"key":"env","operator":"NotIn","values":["prod"]}"#, false),
            (r#"{"key":"other","operator":"NotIn","values":["prod"]}"#, true),
            (r#"{"key":"env","operator":"Exists"}"#, true),
            (r#"{"key":"env","operator":"DoesNotExist"}"#, false),
        ] {
            let (_, spec) = tenant("x", &format!(r#"{{"matchExpressions":[{expression}]}}"#), "");
            assert_eq!(selects(&spec.namespace_selector, &seen), fits, "{expression}");
        }
    }

    #[test]
    fn nothing_is_granted_unless_it_is_listed() {
        let (_, spec) = tenant("x", "{}", r#","attach":{"system":["AliyunOTS*"]}"#);
        let grants = Grants::of(&spec, true);
        let policy = |kind, name: &str| PolicyAttachment { kind, name: name.to_owned() };
        assert!(grants.policies([&policy(PolicyKind::System, "AliyunOTSFullAccess")]).is_ok());
        assert!(grants.policies([&policy(PolicyKind::System, "AdministratorAccess")]).is_err());
        assert!(grants.policies([&policy(PolicyKind::Custom, "AliyunOTSFullAccess")]).is_err());
        assert!(grants.name(Thing::User, None).is_ok());
        assert!(grants.name(Thing::User, Some("admin")).is_err());
        assert!(grants.adopts(Thing::User, Some("admin")).is_err());
        assert!(grants.retain(true).is_err());
        assert!(grants.retain(false).is_ok());
    }

    #[test]
    fn what_may_be_adopted_is_listed_for_each_kind() {
        let (_, spec) = tenant("x", "{}", r#","adopt":{"users":["legacy-a-*"],"policies":["legacy-*"]}"#);
        let grants = Grants::of(&spec, true);
        for (thing, name, allowed) in [
            (Thing::User, Some("legacy-a-one"), true),
            (Thing::User, Some("LEGACY-A-one"), true),
            (Thing::User, Some("legacy-b-one"), false),
            (Thing::User, None, false),
            (Thing::Policy, Some("legacy-b-one"), true),
            (Thing::Group, Some("legacy-a-one"), false),
        ] {
            assert_eq!(grants.adopts(thing, name).is_ok(), allowed, "{thing:?} {name:?}");
        }
        assert!(grants.name(Thing::User, Some("legacy-a-one")).is_err(), "to adopt is not to make");
    }

    #[test]
    fn required_sources_must_restrict_something() {
        let required = tenant("x", "{}", r#","accessKeys":{"allowedSources":"Required"}"#).1;
        let optional = tenant("x", "{}", "").1;
        let sources = |cidrs: &[&str]| AllowedSources {
            public_cidrs: cidrs.iter().map(|cidr| (*cidr).to_owned()).collect(),
            vpcs: Vec::new(),
        };
        for (cidrs, enough) in [
            (vec!["203.0.113.7"], true),
            (vec!["10.0.0.0/8", "2001:db8::/16"], true),
            (vec!["203.0.113.7", "0.0.0.0/0"], false),
            (vec!["128.0.0.0/1"], false),
            (vec!["::/0"], false),
            (vec!["2001::/8"], false),
        ] {
            let given = sources(&cidrs);
            assert_eq!(Grants::of(&required, true).sources(Some(&given)).is_ok(), enough, "{cidrs:?}");
            assert!(Grants::of(&optional, true).sources(Some(&given)).is_ok());
        }
        assert!(Grants::of(&required, true).sources(None).is_err());
    }

    #[test]
    fn the_oldest_are_inside() {
        let mut all: Vec<_> = (0..5).map(|n| Counted { created: n, uid: format!("uid-{n}"), has: false }).collect();
        let names =
            |all: &[Counted]| all.iter().filter(|o| inside(3, o, all)).map(|o| o.uid.clone()).collect::<Vec<_>>();
        assert_eq!(names(&all), ["uid-0", "uid-1", "uid-2"]);
        // One that has its user stays, and takes its place from an older newcomer.
        all[4].has = true;
        assert_eq!(names(&all), ["uid-0", "uid-1", "uid-4"]);
    }
}
