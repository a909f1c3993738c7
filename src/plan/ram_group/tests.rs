use super::*;
use crate::api::UserDeletionPolicy;
use crate::plan::document::Document;
use crate::ram::PolicyType;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

fn marker() -> Marker {
    Marker::for_kind("RamGroup", "prod", "team-a", "readers", "0a1b2c3d-1111")
}

fn policy() -> PolicyRef {
    PolicyRef { kind: PolicyType::System, name: "AliyunOTSReadOnlyAccess".to_owned() }
}

/// A RamGroup that is there, with one policy and one member.
fn seen() -> Seen {
    let spec = r#"{"policies":[{"type":"System","name":"AliyunOTSReadOnlyAccess"}]}"#;
    let tenant = r#"{"namespaceSelector":{},"attach":{"system":["AliyunOTS*"]}}"#;
    Seen {
        deleting: false,
        deletion_time: None,
        finalizer: true,
        paused: false,
        group_name: "team-a.readers".to_owned(),
        spec: serde_json::from_str(spec).expect("a spec"),
        memory: Memory {
            group_id: Some("g-1".to_owned()),
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
        tenant: Ok(Grants::of(&serde_json::from_str(tenant).expect("a spec"), true)),
        ram: Some(InRam {
            group: Some(Group {
                id: "g-1".to_owned(),
                name: "team-a.readers".to_owned(),
                comments: marker().append_to(""),
            }),
            policies: vec![policy()],
            members: vec![("team-a.reader".to_owned(), true)],
        }),
        witnessed: false,
        elsewhere: Elsewhere::Nothing,
        references: References::new(),
        documents: Documents::new(),
        quota_reached: false,
    }
}

fn ram(seen: &mut Seen) -> &mut InRam {
    seen.ram.as_mut().expect("RAM was seen")
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
fn it_is_made_and_filled_within_the_tenants_grant() {
    let mut seen = seen();
    assert_eq!(why(&seen), Reason::Available);
    ram(&mut seen).policies.clear();
    assert_eq!(step(&seen), Step::AttachPolicy(policy()));
    seen.memory = Memory::default();
    seen.ram = Some(InRam::default());
    assert_eq!(step(&seen), Step::Create(marker().append_to("")));
    seen.spec.policies.as_mut().expect("some")[0].name = "AdministratorAccess".to_owned();
    assert_eq!(why(&seen), Reason::PolicyNotAllowed);
    seen.spec.group_name = Some("admins".to_owned());
    assert_eq!(why(&seen), Reason::NameNotAllowed);
}

#[test]
fn a_group_of_another_id_is_not_touched() {
    let mut seen = seen();
    seen.memory.group_id = Some("g-2".to_owned());
    assert_eq!(why(&seen), Reason::Available, "made again by us after somebody deleted it");
    ram(&mut seen).group.as_mut().expect("a group").comments = "a person's".to_owned();
    assert_eq!(why(&seen), Reason::Replaced);
    seen.deleting = true;
    assert_eq!(step(&seen), Step::RemoveFinalizer);
}

#[test]
fn deletion_takes_rights_first_then_members_of_ours() {
    let mut seen = seen();
    seen.deleting = true;
    assert_eq!(step(&seen), Step::DetachPolicy(policy()));
    ram(&mut seen).policies.clear();
    ram(&mut seen).members.push(("alice".to_owned(), false));
    assert_eq!(step(&seen), Step::RemoveMember("team-a.reader".to_owned()));
    ram(&mut seen).members.remove(0);
    assert_eq!(why(&seen), Reason::Blocked);
    ram(&mut seen).members.clear();
    assert_eq!(step(&seen), Step::Delete);
    seen.ram = Some(InRam::default());
    assert_eq!(step(&seen), Step::RemoveFinalizer);
}

/// A group that somebody made by hand, in a tenant that lets it be adopted.
fn by_hand() -> Seen {
    let mut seen = seen();
    seen.memory = Memory::default();
    seen.finalizer = false;
    seen.group_name = "legacy-a".to_owned();
    seen.spec.group_name = Some("legacy-a".to_owned());
    seen.spec.adoption = Adoption::IfUnowned;
    seen.spec.deletion_policy = UserDeletionPolicy::Retain;
    ram(&mut seen).group.as_mut().expect("a group").comments = "by hand".to_owned();
    let tenant = r#"{"namespaceSelector":{},"attach":{"system":["AliyunOTS*"]},"adopt":{"groups":["legacy-*"]}}"#;
    seen.tenant = Ok(Grants::of(&serde_json::from_str(tenant).expect("a spec"), true));
    seen
}

fn document(effect: &str) -> Option<Document> {
    let text = format!(r#"{{"Version":"1","Statement":[{{"Effect":"{effect}","Action":"*","Resource":"*"}}]}}"#);
    Document::parse(&text).ok()
}

#[test]
fn a_group_is_adopted_within_the_tenants_bounds_and_loses_nothing_at_first() {
    let mut seen = by_hand();
    let admin = PolicyRef { kind: PolicyType::System, name: "AdministratorAccess".to_owned() };
    ram(&mut seen).policies.push(admin.clone());
    assert_eq!(step(&seen), Step::LookAtPolicy(admin.clone()));
    seen.documents.insert(admin.clone(), document("Allow"));
    assert_eq!(why(&seen), Reason::AdoptionExceedsTenant);
    ram(&mut seen).policies.pop();
    assert_eq!(step(&seen), Step::RecordAdoption);
    seen.memory.adoption.noted = Some(now());
    assert_eq!(step(&seen), Step::AddFinalizer);
    seen.finalizer = true;
    assert_eq!(step(&seen), Step::Comment(marker().append_to("by hand")));
    ram(&mut seen).group.as_mut().expect("a group").comments = marker().append_to("by hand");
    seen.memory.group_id = Some("g-1".to_owned());
    seen.spec.policies = Some(Vec::new());
    seen.documents.insert(policy(), document("Allow"));
    assert_eq!(why(&seen), Reason::Available);
    assert_eq!(pending(&seen), ["policy System/AliyunOTSReadOnlyAccess"]);
    seen.memory.adoption.accepted = Some(now());
    assert_eq!(step(&seen), Step::DetachPolicy(policy()));
    seen.deleting = true;
    assert_eq!(step(&seen), Step::Comment("by hand".to_owned()), "what was there before stays");
    seen.deleting = false;
    seen.memory = Memory::default();
    ram(&mut seen).group.as_mut().expect("a group").comments = "by hand".to_owned();
    seen.spec.group_name = Some("admins".to_owned());
    assert_eq!(why(&seen), Reason::AdoptionNotAllowed);
    seen.spec.adoption = Adoption::Never;
    assert_eq!(why(&seen), Reason::NameNotAllowed, "not even that there is one");
    seen.spec.group_name = Some("legacy-a".to_owned());
    assert_eq!(why(&seen), Reason::Foreign);
}

#[test]
fn a_group_that_others_have_a_say_in_is_not_taken() {
    let mut seen = by_hand();
    seen.elsewhere = Elsewhere::Owned;
    assert_eq!(why(&seen), Reason::OwnedElsewhere);
    let earlier = Marker { uid: "ffffffff".to_owned(), ..marker() };
    ram(&mut seen).group.as_mut().expect("a group").comments = earlier.append_to("by hand");
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
fn a_group_is_observed_and_planned_without_a_step() {
    let mut seen = by_hand();
    seen.spec.management = Management::Observe;
    assert!(sees(&seen));
    assert_eq!(why(&seen), Reason::Observed);
    seen.spec.group_name = Some("admins".to_owned());
    assert!(!sees(&seen));
    assert_eq!(why(&seen), Reason::AdoptionNotAllowed);
    let mut seen = by_hand();
    seen.ram = Some(InRam::default());
    seen.spec.adoption = Adoption::Never;
    let tenant = r#"{"namespaceSelector":{},"attach":{"system":["AliyunOTS*"]},"names":{"groups":["legacy-*"]},"retain":"Allow"}"#;
    seen.tenant = Ok(Grants::of(&serde_json::from_str(tenant).expect("a spec"), true));
    let preview = crate::plan::preview::preview(&seen, now());
    assert_eq!(preview.lines, ["CreateGroup legacy-a", "AttachPolicyToGroup System/AliyunOTSReadOnlyAccess"]);
    assert!(matches!(preview.next, Next::Rest(verdict) if verdict.reason == Reason::Planned));
}
