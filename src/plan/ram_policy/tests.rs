use super::*;
use crate::api::UserDeletionPolicy;

const MADE: &str = "2026-11-24T00:00:00Z";

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

fn marker() -> Marker {
    Marker::for_kind("RamPolicy", "prod", "team-a", "sensors", "0a1b2c3d-1111")
}

fn text(action: &str) -> String {
    format!(r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":["{action}"],"Resource":["*"]}}]}}"#)
}

fn grants(more: &str) -> Grants {
    let text = format!(r#"{{"namespaceSelector":{{}}{more}}}"#);
    Grants::of(&serde_json::from_str(&text).expect("a spec"), true)
}

fn wide() -> Grants {
    grants(r#","documents":{"actions":["ots:*"],"resources":["*"]}"#)
}

/// A RamPolicy that is there as asked for.
fn seen() -> Seen {
    let spec = r#"{"statements":[{"effect":"Allow","actions":["ots:Get*"],"resources":["*"]}]}"#;
    Seen {
        deleting: false,
        deletion_time: None,
        finalizer: true,
        paused: false,
        policy_name: "team-a-sensors".to_owned(),
        spec: serde_json::from_str(spec).expect("a spec"),
        memory: Memory {
            create_time: Some(MADE.to_owned()),
            marker_uid: Some("0a1b2c3d".to_owned()),
            ..Memory::default()
        },
        marker: Some(marker()),
        account: Ok(AccountView {
            account_id: "1".to_owned(),
            owner_id: "prod".to_owned(),
            prefix: String::new(),
            default_domain: None,
            leaving: false,
        }),
        tenant: Ok(wide()),
        ram: Some(InRam {
            policy: Some(Policy {
                create_time: MADE.to_owned(),
                description: marker().append_to(""),
                document: text("ots:Get*"),
            }),
            holders: Vec::new(),
        }),
        witnessed: false,
        elsewhere: Elsewhere::Nothing,
    }
}

fn policy(seen: &mut Seen) -> &mut Policy {
    seen.ram.as_mut().and_then(|ram| ram.policy.as_mut()).expect("a policy")
}

fn step(seen: &Seen) -> Step {
    match next(seen, now()) {
        Next::Do(step) => step,
        Next::Rest(verdict) => panic!("rest: {verdict:?}"),
    }
}

fn why(seen: &Seen) -> Reason {
    match next(seen, now()) {
        Next::Rest(verdict) => verdict.reason,
        Next::Do(step) => panic!("a step: {step:?}"),
    }
}

#[test]
fn it_is_made_behind_a_finalizer_and_within_the_tenants_bounds() {
    let mut seen = seen();
    assert_eq!(why(&seen), Reason::Available);
    seen.memory = Memory::default();
    seen.ram = Some(InRam::default());
    assert_eq!(step(&seen), Step::Create(text("ots:Get*"), marker().append_to("")));
    seen.finalizer = false;
    assert_eq!(step(&seen), Step::AddFinalizer);
    seen.tenant = Ok(grants(""));
    assert_eq!(why(&seen), Reason::DocumentNotAllowed);
    seen.tenant = Ok(wide());
    seen.spec.policy_name = Some("mine".to_owned());
    assert_eq!(why(&seen), Reason::NameNotAllowed);
    seen.spec.statements = None;
    seen.spec.document_json = Some("{}".to_owned());
    assert_eq!(why(&seen), Reason::DocumentInvalid);
    seen.paused = true;
    seen.spec.document_json = Some(text("ots:Get*"));
    assert_eq!(why(&seen), Reason::NameNotAllowed, "nothing is told of a name that is not the tenant's, paused or not");
    seen.spec.policy_name = None;
    assert_eq!(why(&seen), Reason::Paused);
}

#[test]
fn another_meaning_is_another_version_and_another_spelling_is_not() {
    let mut seen = seen();
    policy(&mut seen).document = text("ots:Get*").replace(r#"["ots:Get*"]"#, r#""ots:Get*""#);
    assert_eq!(why(&seen), Reason::Available);
    policy(&mut seen).document = text("ots:*");
    assert_eq!(step(&seen), Step::CreateVersion(text("ots:Get*")), "made wider by hand, or another default version");
    seen.memory.written = Some((crate::digest::hex(&[&text("ots:Get*")]), now()));
    assert_eq!(why(&seen), Reason::Unsettled, "RAM may not show it yet, and each version is one of five");
    seen.memory.written = Some((crate::digest::hex(&[&text("ots:Get*")]), now() - READ_LAG * 2));
    assert!(matches!(step(&seen), Step::CreateVersion(_)));
    seen.tenant = Ok(grants(r#","documents":{"actions":["oss:*"],"resources":["*"]}"#));
    assert_eq!(why(&seen), Reason::DocumentNotAllowed);
    policy(&mut seen).document = text("ots:Get*");
    assert_eq!(why(&seen), Reason::DocumentNotAllowed, "what exists stays, and the object says so");
}

#[test]
fn whose_policy_it_is() {
    let mut other = seen();
    policy(&mut other).create_time = "2027-01-01T00:00:00Z".to_owned();
    assert_eq!(why(&other), Reason::Available, "made again by us after somebody deleted it");
    policy(&mut other).description = "a person's".to_owned();
    assert_eq!(why(&other), Reason::Replaced);
    let mut bare = seen();
    policy(&mut bare).description = "a person's".to_owned();
    assert_eq!(step(&bare), Step::Describe(marker().append_to("")));
    bare.memory = Memory::default();
    assert_eq!(why(&bare), Reason::Foreign);
    bare.deleting = true;
    assert_eq!(step(&bare), Step::RemoveFinalizer, "a foreign one is not touched");
}

#[test]
fn deletion_takes_it_from_ours_and_is_blocked_by_others() {
    let mut seen = seen();
    seen.deleting = true;
    let (ours, other) = (Holder::User("team-a.reader".to_owned()), Holder::Role("admin".to_owned()));
    seen.ram.as_mut().expect("RAM").holders = vec![(other.clone(), false), (ours.clone(), true)];
    assert_eq!(step(&seen), Step::Detach(ours));
    seen.ram.as_mut().expect("RAM").holders = vec![(other, false)];
    assert_eq!(why(&seen), Reason::Blocked);
    seen.ram.as_mut().expect("RAM").holders.clear();
    assert_eq!(step(&seen), Step::Delete);
    seen.ram = Some(InRam::default());
    assert_eq!(step(&seen), Step::RemoveFinalizer);
    seen.memory.create_time = None;
    seen.deletion_time = Some(now());
    assert_eq!(why(&seen), Reason::Deleting, "it may have been made this moment");
}

#[test]
fn retain_leaves_it_without_our_marker() {
    let mut seen = seen();
    seen.deleting = true;
    seen.spec.deletion_policy = UserDeletionPolicy::Retain;
    assert_eq!(step(&seen), Step::Delete, "the tenant denies it");
    seen.tenant = Ok(grants(r#","retain":"Allow""#));
    assert!(matches!(step(&seen), Step::Describe(text) if Marker::parse(&text).1.is_none() && !text.is_empty()));
    policy(&mut seen).description = "left by ram-operator".to_owned();
    assert_eq!(step(&seen), Step::RemoveFinalizer);
}

/// A policy that somebody made by hand, in a tenant that lets it be adopted.
fn by_hand() -> Seen {
    let mut seen = seen();
    seen.memory = Memory::default();
    seen.finalizer = false;
    seen.policy_name = "legacy-a".to_owned();
    seen.spec.policy_name = Some("legacy-a".to_owned());
    seen.spec.adoption = Adoption::IfUnowned;
    seen.spec.deletion_policy = UserDeletionPolicy::Retain;
    policy(&mut seen).description = "by hand".to_owned();
    seen.tenant =
        Ok(grants(r#","documents":{"actions":["ots:*"],"resources":["*"]},"adopt":{"policies":["legacy-*"]}"#));
    seen
}

#[test]
fn a_policy_is_adopted_within_the_tenants_bounds_and_keeps_its_document_at_first() {
    let mut seen = by_hand();
    policy(&mut seen).document = "nobody understands this".to_owned();
    assert_eq!(why(&seen), Reason::AdoptionExceedsTenant);
    policy(&mut seen).document = text("ram:*");
    assert_eq!(why(&seen), Reason::AdoptionExceedsTenant);
    policy(&mut seen).document = text("ots:Put*");
    assert_eq!(step(&seen), Step::RecordAdoption);
    seen.memory.adoption.noted = Some(now());
    assert_eq!(step(&seen), Step::AddFinalizer);
    seen.finalizer = true;
    assert_eq!(step(&seen), Step::Describe(marker().append_to("by hand")));
    policy(&mut seen).description = marker().append_to("by hand");
    seen.memory.create_time = Some(MADE.to_owned());
    assert_eq!(why(&seen), Reason::AdoptionPending);
    assert_eq!(pending(&seen), ["the document that it has"]);
    seen.memory.adoption.accepted = Some(now());
    assert_eq!(step(&seen), Step::CreateVersion(text("ots:Get*")));
    seen.deleting = true;
    assert_eq!(step(&seen), Step::Describe("by hand".to_owned()), "what was there before stays");
    seen.deleting = false;
    seen.memory = Memory::default();
    policy(&mut seen).description = "by hand".to_owned();
    seen.spec.policy_name = Some("admins".to_owned());
    assert_eq!(why(&seen), Reason::AdoptionNotAllowed);
}

#[test]
fn a_policy_that_others_have_a_say_in_is_not_taken() {
    let mut seen = by_hand();
    policy(&mut seen).document = text("ots:Put*");
    seen.elsewhere = Elsewhere::Owned;
    assert_eq!(why(&seen), Reason::OwnedElsewhere);
    let earlier = Marker { uid: "ffffffff".to_owned(), ..marker() };
    policy(&mut seen).description = earlier.append_to("by hand");
    seen.elsewhere = Elsewhere::Left;
    assert_eq!(step(&seen), Step::RecordAdoption);
    seen.spec.adoption = Adoption::Never;
    assert_eq!(why(&seen), Reason::Foreign);
    seen.elsewhere = Elsewhere::Nothing;
    assert_eq!(step(&seen), Step::AddFinalizer, "as an object that came back");
    seen.tenant = Err(Verdict::new(Reason::NotATenant));
    assert_eq!(why(&seen), Reason::NotATenant, "it may have been adopted");
}

#[test]
fn a_policy_is_observed_and_planned_without_a_step() {
    let mut seen = by_hand();
    seen.spec.management = Management::Observe;
    seen.spec.statements = None;
    assert!(sees(&seen));
    assert_eq!(why(&seen), Reason::Observed, "no document is asked for");
    seen.spec.document_json = Some(text("ots:Put*"));
    let Next::Rest(verdict) = next(&seen, now()) else { panic!("a step") };
    assert_eq!(verdict.drift.as_deref(), Some("the document"));
    let mut seen = by_hand();
    policy(&mut seen).document = text("ots:Put*");
    let preview = crate::plan::preview::preview(&seen, now());
    assert_eq!(preview.lines, ["UpdatePolicyDescription legacy-a"]);
    assert!(
        matches!(preview.next, Next::Rest(verdict) if verdict.detail.as_deref().is_some_and(|d| d.contains("AdoptionPending")))
    );
}
