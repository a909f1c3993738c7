//! Taking over what RAM has and nobody owns: only what the tenant allows with all that it holds, and without taking anything away before
//! somebody accepts that.

use jiff::Timestamp;

use super::attachments::{Documents, listed};
use super::marker::Marker;
use super::tenant::{Grants, Thing, retains};
use super::{Extra, Reason, Verdict};
use crate::api::{Adoption, UserDeletionPolicy};
use crate::digest;
use crate::ram::PolicyRef;

/// Differences that a condition names; the rest is counted.
const SHOWN: usize = 20;

/// What the status remembers of an adoption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adopting {
    /// When the thing was taken over; noted before the first effect.
    pub noted: Option<Timestamp>,
    /// When somebody accepted that it is made as the spec says.
    pub accepted: Option<Timestamp>,
}

impl Adopting {
    /// Whether the thing was there before its object.
    #[must_use]
    pub fn adopted(self) -> bool {
        self.noted.is_some()
    }

    /// Whether nothing may be taken from the thing yet.
    #[must_use]
    pub fn holds(self) -> bool {
        self.adopted() && self.accepted.is_none()
    }

    /// Whether the thing stays in RAM when its object goes. What was there before is nothing left behind, so that no tenant is asked.
    #[must_use]
    pub fn stays(self, policy: UserDeletionPolicy, tenant: Option<&Grants>) -> bool {
        let kept = self.adopted() && policy == UserDeletionPolicy::Retain;
        self.holds() || kept || retains(policy, tenant)
    }

    /// A thing with the marker of this object whose status is lost counts as adopted where it `may` have been.
    #[must_use]
    pub fn recognised(self, may: bool, now: Timestamp) -> Self {
        Self { noted: self.noted.or_else(|| may.then_some(now)), ..self }
    }
}

/// Whether a thing with the marker of an object may have been adopted by it, or by an earlier one of that name: the tenant allows that, and it is asked
/// for, or the name is one that nothing may be made under. Where no tenant tells, what is asked for does.
#[must_use]
pub fn may_be(grants: Option<&Grants>, thing: Thing, name: Option<&str>, asked: Adoption) -> bool {
    let asked = asked == Adoption::IfUnowned;
    grants.map_or(asked, |grants| grants.adopts(thing, name).is_ok() && (asked || grants.name(thing, name).is_err()))
}

/// A digest of everything that a user was given directly, in any order.
#[must_use]
pub fn rights(policies: &[PolicyRef], groups: &[String]) -> String {
    let policies = policies.iter().map(|policy| format!("policy {policy}\n"));
    let mut lines: Vec<String> = policies.chain(groups.iter().map(|group| format!("group {group}\n"))).collect();
    lines.sort();
    digest::hex(&[&lines.concat()])
}

/// The tenant's word on an object's name, and on whether its thing may stay: what was adopted may have a name of `adopt`, and was there before.
///
/// # Errors
/// What the tenant does not allow.
pub fn placed(
    grants: &Grants,
    thing: Thing,
    name: Option<&str>,
    adopted: bool,
    policy: UserDeletionPolicy,
) -> Result<(), Verdict> {
    if adopted {
        return grants.adopts(thing, name).or_else(|_| grants.name(thing, name));
    }
    grants.name(thing, name)?;
    grants.retain(policy == UserDeletionPolicy::Retain)
}

/// Refuses to tell whether RAM has a thing of this name, and whose it is, unless the tenant lists the name: anybody could find out by trying which names
/// there are. A generated name is the object's own.
///
/// # Errors
/// What is said of such a name whether there is a thing or not.
pub fn told(
    tenant: &Result<Grants, Verdict>,
    thing: Thing,
    name: Option<&str>,
    asked: Adoption,
) -> Result<(), Verdict> {
    if name.is_none() {
        return Ok(());
    }
    let grants = tenant.as_ref().map_err(Clone::clone)?;
    match (grants.name(thing, name), grants.adopts(thing, name)) {
        (Ok(()), _) | (_, Ok(())) => Ok(()),
        (Err(_), Err(refused)) if asked == Adoption::IfUnowned => Err(refused),
        (Err(refused), Err(_)) => Err(refused),
    }
}

/// Our marker after the text that is asked for; what an adopted thing has stays where none is.
///
/// # Errors
/// When both together have more characters than RAM's `limit`. A text of the spec always has room.
pub fn marked(marker: &Marker, wanted: Option<&str>, adopted: Option<&str>, limit: usize) -> Result<String, Verdict> {
    let kept = adopted.map(|has| Marker::parse(has).0);
    let whole = marker.append_to(wanted.or(kept).unwrap_or_default());
    let length = whole.chars().count();
    if length > limit {
        return Err(Verdict::new(Reason::NoRoomForMarker).about(format!("{length} characters of {limit}")));
    }
    Ok(whole)
}

/// Refuses what somebody else gave to a thing beyond the tenant's grant. `Some`: this policy has to be looked at first.
///
/// # Errors
/// The first policy that is too much.
pub fn exceeding(grants: &Grants, policies: &[PolicyRef], documents: &Documents) -> Result<Option<PolicyRef>, Verdict> {
    for policy in policies.iter().filter(|policy| !grants.lists(policy)) {
        match documents.get(policy) {
            None => return Ok(Some(policy.clone())),
            Some(document) if grants.harmless(document.as_ref(), policy) => {}
            Some(_) => return Err(exceeds(listed(std::slice::from_ref(policy)))),
        }
    }
    Ok(None)
}

/// The verdict on a thing that has too much.
#[must_use]
pub fn exceeds(what: impl Into<String>) -> Verdict {
    Verdict::new(Reason::AdoptionExceedsTenant).about(what)
}

/// The condition that lists what would be taken away.
#[must_use]
pub fn pending(what: &[String]) -> Option<Extra> {
    let shown: Vec<&str> = what.iter().take(SHOWN).map(String::as_str).collect();
    let more = what.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!(
        "It was adopted, and this would be taken away: {}{more}. Accept it by the annotation ram-operator.dev/accept-adoption, or put it into the spec.",
        shown.join(", ")
    );
    (!what.is_empty()).then_some(("AdoptionPending", "AdoptionPending", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RamTenantSpec;
    use crate::plan::document::Document;
    use crate::ram::PolicyType;

    fn grants(more: &str) -> Grants {
        let spec: RamTenantSpec =
            serde_json::from_str(&format!(r#"{{"namespaceSelector":{{}}{more}}}"#)).expect("a spec");
        Grants::of(&spec, true)
    }

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    #[test]
    fn what_was_adopted_stays_until_its_deletion_is_accepted_and_asked_for() {
        let deny = grants("");
        let fresh = Adopting { noted: at(1), accepted: None };
        let accepted = Adopting { noted: at(1), accepted: at(2) };
        let made = Adopting { noted: None, accepted: at(2) };
        for (adopting, policy, stays) in [
            (fresh, UserDeletionPolicy::Delete, true),
            (fresh, UserDeletionPolicy::Retain, true),
            (accepted, UserDeletionPolicy::Delete, false),
            (accepted, UserDeletionPolicy::Retain, true),
            (made, UserDeletionPolicy::Retain, false),
            (Adopting::default(), UserDeletionPolicy::Delete, false),
        ] {
            assert_eq!(adopting.stays(policy, Some(&deny)), stays, "{adopting:?} {policy:?}");
        }
        assert!(fresh.holds() && !accepted.holds() && !made.holds());
    }

    #[test]
    fn after_a_lost_status_a_thing_counts_as_adopted_where_it_may_be() {
        let now = at(9).expect("a time");
        assert_eq!(Adopting::default().recognised(true, now).noted, Some(now));
        assert_eq!(Adopting::default().recognised(false, now).noted, None);
        let known = Adopting { noted: at(1), accepted: None };
        assert_eq!(known.recognised(true, now), known);
        let grants = grants(r#","names":{"users":["a-*"]},"adopt":{"users":["legacy-*","a-*"]}"#);
        let may = |name, asked| may_be(Some(&grants), Thing::User, Some(name), asked);
        assert!(may("a-x", Adoption::IfUnowned) && !may("a-x", Adoption::Never), "it may have been made here");
        assert!(may("legacy-x", Adoption::Never), "it cannot have been made here");
        assert!(!may("b-x", Adoption::IfUnowned));
        let unknown = |asked| may_be(None, Thing::User, Some("a-x"), asked);
        assert!(unknown(Adoption::IfUnowned) && !unknown(Adoption::Never), "no tenant tells");
    }

    #[test]
    fn rights_are_the_same_in_any_order_and_others_are_not() {
        let policy = |name: &str| PolicyRef { kind: PolicyType::Custom, name: name.to_owned() };
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let some = rights(&[policy("a"), policy("b")], &groups(&["g", "h"]));
        assert_eq!(some, rights(&[policy("b"), policy("a")], &groups(&["h", "g"])));
        let system = PolicyRef { kind: PolicyType::System, name: "a".to_owned() };
        for other in [
            rights(&[policy("a")], &groups(&["g", "h"])),
            rights(&[policy("a"), policy("b")], &groups(&["g"])),
            rights(&[system, policy("b")], &groups(&["g", "h"])),
            rights(&[], &[]),
        ] {
            assert_ne!(some, other);
        }
    }

    #[test]
    fn a_name_of_adopt_serves_what_was_adopted_and_nothing_new() {
        let grants = grants(r#","names":{"users":["a-*"]},"adopt":{"users":["legacy-*"]}"#);
        let place = |name: &str, adopted, policy| placed(&grants, Thing::User, Some(name), adopted, policy).is_ok();
        assert!(place("legacy-x", true, UserDeletionPolicy::Retain));
        assert!(place("a-x", true, UserDeletionPolicy::Retain), "it was there before: nothing is left behind");
        assert!(!place("legacy-x", false, UserDeletionPolicy::Delete));
        assert!(!place("a-x", false, UserDeletionPolicy::Retain));
        assert!(!place("b-x", true, UserDeletionPolicy::Delete));
    }

    #[test]
    fn of_a_name_that_the_tenant_does_not_list_nothing_is_told() {
        let tenant = Ok(grants(r#","names":{"users":["a-*"]},"adopt":{"users":["legacy-*"]}"#));
        let said = |name, asked| told(&tenant, Thing::User, name, asked).map_err(|refused| refused.reason);
        for asked in [Adoption::Never, Adoption::IfUnowned] {
            for name in [None, Some("a-x"), Some("A-X"), Some("legacy-x")] {
                assert_eq!(said(name, asked), Ok(()), "{name:?}");
            }
        }
        assert_eq!(said(Some("boss"), Adoption::Never), Err(Reason::NameNotAllowed));
        assert_eq!(said(Some("boss"), Adoption::IfUnowned), Err(Reason::AdoptionNotAllowed));
        let none = Err(Verdict::new(Reason::NotATenant));
        assert!(told(&none, Thing::User, Some("a-x"), Adoption::Never).is_err());
        assert!(told(&none, Thing::User, None, Adoption::Never).is_ok());
    }

    #[test]
    fn a_text_is_kept_if_the_marker_has_room() {
        let marker = Marker::of("prod", "team-a", "reader", "0a1b2c3d-1111");
        let text = |wanted: Option<&str>, adopted: Option<&str>| marked(&marker, wanted, adopted, 128).expect("room");
        assert_eq!(text(None, Some("by hand")), marker.append_to("by hand"));
        assert_eq!(text(None, Some(&marker.append_to("by hand"))), marker.append_to("by hand"));
        assert_eq!(text(Some("declared"), Some("by hand")), marker.append_to("declared"));
        assert_eq!(text(None, None), marker.append_to(""));
        // RAM counts characters.
        let wide = "\u{4e2d}".repeat(60);
        assert_eq!(text(None, Some(&wide)), marker.append_to(&wide));
        let long = "x".repeat(120);
        assert_eq!(marked(&marker, None, Some(&long), 128).expect_err("no room").reason, Reason::NoRoomForMarker);
        assert!(marked(&marker, Some(""), Some(&long), 128).is_ok(), "the spec's text takes its place");
    }

    #[test]
    fn what_is_too_much_is_told_by_name_and_by_what_it_says() {
        let grants = grants(
            r#","attach":{"system":["AliyunOTS*"]},"documents":{"actions":["ots:*"],"resources":["acs:ots:*"]}"#,
        );
        let policy = |name: &str| PolicyRef { kind: PolicyType::Custom, name: name.to_owned() };
        let listed = PolicyRef { kind: PolicyType::System, name: "AliyunOTSFullAccess".to_owned() };
        let mut documents = Documents::new();
        assert_eq!(exceeding(&grants, &[listed, policy("p")], &documents), Ok(Some(policy("p"))));
        for (effect, action, refused) in [("Allow", "ots:Get*", false), ("Allow", "*", true), ("Deny", "*", false)] {
            let text = format!(
                r#"{{"Version":"1","Statement":[{{"Effect":"{effect}","Action":"{action}","Resource":"acs:ots:*"}}]}}"#
            );
            documents.insert(policy("p"), Document::parse(&text).ok());
            assert_eq!(exceeding(&grants, &[policy("p")], &documents).is_err(), refused, "{effect} {action}");
        }
        documents.insert(policy("p"), None);
        assert!(exceeding(&grants, &[policy("p")], &documents).is_err(), "nobody understands it");
    }

    #[test]
    fn a_long_list_of_what_would_go_is_cut() {
        assert_eq!(pending(&[]), None);
        let many: Vec<String> = (0..25).map(|n| format!("policy System/P{n}")).collect();
        let (type_, _, message) = pending(&many).expect("a condition");
        assert_eq!(type_, "AdoptionPending");
        assert!(message.contains("P19 and 5 more.") && !message.contains("P20"), "{message}");
    }
}
