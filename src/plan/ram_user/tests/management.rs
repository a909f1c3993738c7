//! Adoption, observation and previews of a user.

use super::*;
use crate::api::Adoption;
use crate::plan::adoption::{pending as condition, rights};
use crate::plan::preview::preview;

const ADOPT: &str = r#","adopt":{"users":["legacy-a-*"]}"#;

/// A user that somebody made by hand, with one policy that is asked for, in a tenant that lets it be adopted.
fn by_hand() -> Seen {
    let mut seen = seen();
    seen.memory = Memory::default();
    seen.finalizer = false;
    seen.user_name = "legacy-a-reader".to_owned();
    seen.spec.user_name = Some(seen.user_name.clone());
    seen.spec.deletion_policy = UserDeletionPolicy::Retain;
    seen.spec.adoption = Adoption::IfUnowned;
    let found = User { user_name: seen.user_name.clone(), ..user("made by hand") };
    ram(&mut seen).user = Some(found);
    with_tenant(&mut seen, ADOPT);
    seen
}

/// The same one after it was adopted.
fn adopted() -> Seen {
    let mut seen = by_hand();
    seen.finalizer = true;
    seen.memory.adoption.noted = Some(Timestamp::UNIX_EPOCH);
    seen.memory.user_id = Some(ID.to_owned());
    ram(&mut seen).user.as_mut().expect("a user").comments = marker().append_to("made by hand");
    seen
}

#[test]
fn what_nobody_owns_is_noted_and_then_marked_and_keeps_its_text() {
    let mut seen = by_hand();
    assert_eq!(step(&seen), Step::RecordAdoption);
    seen.memory.adoption.noted = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(step(&seen), Step::AddFinalizer);
    seen.finalizer = true;
    let changes = UserChanges { comments: Some(marker().append_to("made by hand")), ..UserChanges::default() };
    assert_eq!(step(&seen), Step::UpdateUser(changes));
    seen.spec.comments = Some("declared".to_owned());
    assert!(matches!(step(&seen), Step::UpdateUser(c) if c.comments == Some(marker().append_to("declared"))));
    seen.spec.comments = None;
    ram(&mut seen).user.as_mut().expect("a user").comments = "x".repeat(100);
    assert_eq!(reason(&seen), Reason::NoRoomForMarker);
    assert_eq!(reason(&adopted()), Reason::Available);
}

#[test]
fn what_another_object_owns_is_not_adopted_whatever_became_of_its_marker() {
    let mut seen = by_hand();
    seen.elsewhere = Elsewhere::Owned;
    assert_eq!(reason(&seen), Reason::OwnedElsewhere);
    seen.memory.adoption.noted = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(reason(&seen), Reason::OwnedElsewhere, "whoever noted it first");
}

#[test]
fn what_an_earlier_object_left_is_taken_back_only_where_a_tenant_tells_what_it_was() {
    let mut seen = seen();
    let earlier = Marker { uid: "ffffffff".to_owned(), ..marker() };
    ram(&mut seen).user = Some(user(&earlier.append_to("by hand")));
    seen.memory = Memory::default();
    assert!(matches!(step(&seen), Step::UpdateUser(_)));
    seen.tenant = Err(Verdict::new(Reason::NotATenant));
    for finalizer in [true, false] {
        seen.finalizer = finalizer;
        assert_eq!(reason(&seen), Reason::NotATenant);
    }
    seen.finalizer = true;
    seen.memory.user_id = Some(ID.to_owned());
    assert!(matches!(step(&seen), Step::UpdateUser(_)), "it knows its own");
    // A RamRevocation is to take that marker off: it is nobody's.
    let mut left = by_hand();
    ram(&mut left).user.as_mut().expect("a user").comments = earlier.append_to("by hand");
    left.elsewhere = Elsewhere::Left;
    assert_eq!(step(&left), Step::RecordAdoption);
    left.spec.adoption = Adoption::Never;
    assert_eq!(reason(&left), Reason::Foreign);
    (left.deleting, left.finalizer) = (true, true);
    assert_eq!(step(&left), Step::RemoveFinalizer);
}

#[test]
fn rights_are_remembered_only_when_all_of_them_are_within_the_tenants_grant() {
    let mut seen = adopted();
    let before = Some("before".to_owned());
    let known = judged(&seen, None);
    assert_eq!(known, Some(rights(&ram(&mut seen).policies, &[])));
    let admin = policy("AdministratorAccess");
    ram(&mut seen).policies.push(admin.clone());
    assert_eq!(judged(&seen, before.clone()), before, "nobody looked at it yet");
    seen.documents.insert(admin.clone(), document("Allow"));
    assert_eq!(judged(&seen, before.clone()), None);
    seen.memory.adoption.accepted = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(judged(&seen, before.clone()), None, "it is to go, and is still there");
    seen.documents.insert(admin, document("Deny"));
    assert!(judged(&seen, None).is_some_and(|rights| Some(rights) != known));
    ram(&mut seen).groups.push("admins".to_owned());
    assert_eq!(judged(&seen, before.clone()), None);
    ram(&mut seen).groups.clear();
    seen.tenant = Err(Verdict::new(Reason::NotATenant));
    assert_eq!(judged(&seen, before.clone()), None);
    let mut made = super::seen();
    assert_eq!(judged(&made, before), None, "nobody asks of a user that was made here");
    made.memory.adoption.accepted = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(judged(&made, None), None);
}

#[test]
fn nothing_is_adopted_without_being_asked_for_and_allowed() {
    let mut seen = by_hand();
    seen.spec.adoption = Adoption::Never;
    assert_eq!(reason(&seen), Reason::Foreign);
    seen.spec.adoption = Adoption::IfUnowned;
    with_tenant(&mut seen, r#","names":{"users":["legacy-a-*"]}"#);
    assert_eq!(reason(&seen), Reason::AdoptionNotAllowed, "a name that may be given is not one that may be taken");
    with_tenant(&mut seen, r#","adopt":{"users":["legacy-b-*"]}"#);
    assert_eq!(reason(&seen), Reason::AdoptionNotAllowed);
    with_tenant(&mut seen, ADOPT);
    seen.paused = true;
    assert_eq!(reason(&seen), Reason::Paused);
    seen.paused = false;
    let others = Marker::of("other", "team-a", "reader", "0a1b2c3d-1111");
    ram(&mut seen).user.as_mut().expect("a user").comments = others.append_to("");
    assert_eq!(reason(&seen), Reason::OwnedElsewhere);
    seen.tenant = Err(Verdict::new(Reason::NotATenant));
    ram(&mut seen).user.as_mut().expect("a user").comments = String::new();
    assert_eq!(reason(&seen), Reason::NotATenant);
}

#[test]
fn who_has_more_than_the_tenant_allows_is_not_adopted() {
    let admin = policy("AdministratorAccess");
    for seen in [by_hand(), adopted()] {
        let mut seen = seen;
        ram(&mut seen).policies.push(admin.clone());
        assert_eq!(step(&seen), Step::LookAtPolicy(admin.clone()));
        seen.documents.insert(admin.clone(), document("Allow"));
        assert_eq!(reason(&seen), Reason::AdoptionExceedsTenant);
        seen.documents.insert(admin.clone(), document("Deny"));
        assert!(!matches!(next(&seen, Timestamp::UNIX_EPOCH), Next::Rest(v) if v.reason != Reason::Available));
        ram(&mut seen).policies.pop();
        ram(&mut seen).groups.push("admins".to_owned());
        assert_eq!(reason(&seen), Reason::AdoptionExceedsTenant, "a group that the tenant does not list");
    }
}

#[test]
fn groups_of_a_user_to_be_adopted_are_judged_by_what_they_hold() {
    let mut seen = by_hand();
    let tenant = r#"{"namespaceSelector":{},"attach":{"system":["AliyunOTS*"],"groups":["readers"]},"adopt":{"users":["legacy-a-*"]}}"#;
    seen.tenant = Ok(Grants::of(&serde_json::from_str(tenant).expect("a spec"), true));
    ram(&mut seen).groups.push("readers".to_owned());
    assert_eq!(step(&seen), Step::LookAtGroup("readers".to_owned()));
    seen.contents.insert("readers".to_owned(), Some(vec![policy("AliyunOTSFullAccess")]));
    assert_eq!(step(&seen), Step::RecordAdoption);
    let admin = policy("AdministratorAccess");
    seen.contents.insert("readers".to_owned(), Some(vec![admin.clone()]));
    seen.documents.insert(admin, document("Allow"));
    assert_eq!(reason(&seen), Reason::AdoptionExceedsTenant);
}

#[test]
fn nothing_is_taken_away_before_that_is_accepted() {
    let mut seen = adopted();
    let extra = policy("AliyunOTSFullAccess");
    ram(&mut seen).policies.push(extra.clone());
    assert_eq!(step(&seen), Step::LookAtPolicy(extra.clone()));
    seen.documents.insert(extra.clone(), document("Allow"));
    assert_eq!(reason(&seen), Reason::Available);
    assert_eq!(pending(&seen), ["policy System/AliyunOTSFullAccess"]);
    assert!(condition(&pending(&seen)).is_some());
    seen.spec.attachments = Attachments::Report;
    assert!(pending(&seen).is_empty(), "it stays anyway");
    seen.spec.attachments = Attachments::Exclusive;
    seen.memory.adoption.accepted = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(step(&seen), Step::DetachPolicy(extra));
    assert!(pending(&seen).is_empty());
}

#[test]
fn what_is_asked_for_and_too_much_is_judged_too_and_the_rest_goes_all_the_same() {
    let mut seen = adopted();
    seen.memory.adoption.accepted = Some(Timestamp::UNIX_EPOCH);
    let admin = policy("AdministratorAccess");
    seen.documents.insert(admin.clone(), document("Allow"));
    ram(&mut seen).policies.push(admin.clone());
    assert_eq!(step(&seen), Step::DetachPolicy(admin.clone()));
    // Somebody put the user into a group that it may not be in: what may be taken away is.
    ram(&mut seen).groups.push("admins".to_owned());
    assert_eq!(step(&seen), Step::DetachPolicy(admin.clone()));
    seen.paused = true;
    assert_eq!(reason(&seen), Reason::AdoptionExceedsTenant);
    seen.paused = false;
    ram(&mut seen).groups.clear();
    // To name it in the spec is no way to keep it.
    seen.spec.policies = Some(vec![PolicyAttachment { kind: PolicyKind::System, name: admin.name.clone() }]);
    ram(&mut seen).policies = vec![admin];
    assert_eq!(reason(&seen), Reason::AdoptionExceedsTenant);
    seen.spec.policies = Some(Vec::new());
    seen.spec.groups = Some(vec![GroupMembership { kind: GroupKind::Ram, name: "admins".to_owned() }]);
    ram(&mut seen).policies.clear();
    ram(&mut seen).groups.push("admins".to_owned());
    assert_eq!(reason(&seen), Reason::AdoptionExceedsTenant);
}

#[test]
fn what_is_missing_is_attached_and_groups_and_log_on_wait_too() {
    let mut seen = adopted();
    ram(&mut seen).policies.clear();
    assert_eq!(step(&seen), Step::AttachPolicy(policy("AliyunOTSReadOnlyAccess")));
    seen.spec.policies = None;
    seen.spec.groups = Some(Vec::new());
    let tenant = r#"{"namespaceSelector":{},"attach":{"groups":["readers"]},"adopt":{"users":["legacy-a-*"]}}"#;
    seen.tenant = Ok(Grants::of(&serde_json::from_str(tenant).expect("a spec"), true));
    ram(&mut seen).groups.push("readers".to_owned());
    seen.contents.insert("readers".to_owned(), Some(Vec::new()));
    login(&mut seen, r#"{"state":"Absent"}"#);
    ram(&mut seen).login = Some(profile(true));
    assert_eq!(reason(&seen), Reason::Available);
    assert_eq!(pending(&seen), ["group readers", "log-on to the console"]);
    // To disable it takes nothing away for good; where that is refused it waits as well.
    login(&mut seen, r#"{"state":"Disabled"}"#);
    seen.memory.login = Some(carried_out(LoginState::Disabled));
    assert_eq!(pending(&seen), ["group readers"]);
    assert!(matches!(step(&seen), Step::ChangeLogin(_)));
    seen.disable_refused = true;
    assert_eq!(reason(&seen), Reason::Available);
    assert_eq!(pending(&seen), ["group readers", "log-on to the console"]);
    seen.disable_refused = false;
    login(&mut seen, r#"{"state":"Absent"}"#);
    seen.memory.adoption.accepted = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(step(&seen), Step::RecordLogin(LoginState::Absent));
    seen.memory.login = Some(LoginMemory { state: LoginState::Absent, ..LoginMemory::default() });
    assert_eq!(step(&seen), Step::DeleteLogin);
    ram(&mut seen).login = None;
    assert_eq!(step(&seen), Step::LeaveGroup("readers".to_owned()));
}

#[test]
fn an_adopted_user_stays_when_its_object_goes() {
    let mut seen = adopted();
    seen.deleting = true;
    seen.spec.deletion_policy = UserDeletionPolicy::Delete;
    let release = UserChanges { comments: Some("made by hand".to_owned()), ..UserChanges::default() };
    assert_eq!(step(&seen), Step::UpdateUser(release.clone()), "nothing was accepted");
    seen.memory.adoption.accepted = Some(Timestamp::UNIX_EPOCH);
    assert!(matches!(step(&seen), Step::DetachPolicy(_)));
    seen.spec.deletion_policy = UserDeletionPolicy::Retain;
    assert_eq!(step(&seen), Step::UpdateUser(release), "whatever the tenant says of retain");
}

#[test]
fn an_observed_user_is_compared_and_never_written_to() {
    let mut seen = by_hand();
    seen.spec.adoption = Adoption::Never;
    seen.spec.management = Management::Observe;
    assert!(sees(&seen));
    assert_eq!(reason(&seen), Reason::Observed);
    seen.spec.display_name = Some("Reader".to_owned());
    seen.spec.groups = Some(vec![GroupMembership { kind: GroupKind::Ram, name: "readers".to_owned() }]);
    ram(&mut seen).policies = vec![policy("AdministratorAccess")];
    let Next::Rest(verdict) = next(&seen, Timestamp::UNIX_EPOCH) else { panic!("a step") };
    let drift = verdict.drift.expect("drift");
    for word in [
        "displayName",
        "not attached: System AliyunOTSReadOnlyAccess",
        "besides: System AdministratorAccess",
        "not in: readers",
    ] {
        assert!(drift.contains(word), "{word} is not in {drift}");
    }
    ram(&mut seen).user = None;
    assert_eq!(reason(&seen), Reason::NotInRam);
    with_tenant(&mut seen, "");
    assert_eq!(reason(&seen), Reason::AdoptionNotAllowed, "not even that there is none");
    assert!(!sees(&seen));
    seen.deleting = true;
    assert_eq!(reason(&seen), Reason::Deleting);
}

#[test]
fn what_was_written_is_taken_away_whatever_the_lever() {
    for management in [Management::Observe, Management::Plan] {
        let mut seen = seen();
        seen.spec.management = management;
        seen.deleting = true;
        assert!(matches!(step(&seen), Step::DetachPolicy(_)), "{management:?}");
        seen.finalizer = false;
        assert_eq!(reason(&seen), Reason::Deleting, "{management:?}");
    }
}

fn planned(seen: &Seen) -> (Vec<String>, Verdict) {
    let preview = preview(seen, Timestamp::UNIX_EPOCH);
    match preview.next {
        Next::Rest(verdict) => (preview.lines, verdict),
        Next::Do(step) => panic!("a look: {step:?}"),
    }
}

#[test]
fn a_preview_lists_every_step_to_the_end() {
    let mut seen = with_login(GENERATE);
    seen.memory = Memory::default();
    seen.finalizer = false;
    *ram(&mut seen) = InRam::default();
    let (lines, verdict) = planned(&seen);
    assert_eq!(
        lines,
        [
            "CreateUser team-a.reader",
            "AttachPolicyToUser System/AliyunOTSReadOnlyAccess",
            "write the Secret first",
            "CreateLoginProfile team-a.reader",
        ]
    );
    assert_eq!((verdict.reason, verdict.detail.as_deref()), (Reason::Planned, Some("4 steps would be taken")));
}

#[test]
fn a_preview_says_where_the_plan_would_stop_and_asks_for_looks() {
    let mut seen = seen();
    assert_eq!(planned(&seen), (Vec::new(), Verdict::new(Reason::Available)));
    ram(&mut seen).user.as_mut().expect("a user").comments = String::new();
    seen.spec
        .policies
        .as_mut()
        .expect("some")
        .push(PolicyAttachment { kind: PolicyKind::System, name: "AdministratorAccess".to_owned() });
    let (lines, verdict) = planned(&seen);
    assert_eq!(lines, ["UpdateUser team-a.reader"]);
    assert!(verdict.detail.expect("detail").contains("PolicyNotAllowed (System AdministratorAccess)"));
    let extra = policy("AliyunOTSFullAccess");
    seen.spec.policies.as_mut().expect("some").pop();
    ram(&mut seen).policies.push(extra.clone());
    assert_eq!(preview(&seen, Timestamp::UNIX_EPOCH).next, Next::Do(Step::LookAtPolicy(extra.clone())));
    seen.documents.insert(extra, document("Allow"));
    let (lines, _) = planned(&seen);
    assert_eq!(lines, ["UpdateUser team-a.reader", "DetachPolicyFromUser System/AliyunOTSFullAccess"]);
}

#[test]
fn a_preview_of_an_adoption_and_of_another_password() {
    let mut seen = by_hand();
    ram(&mut seen).policies.clear();
    let (lines, _) = planned(&seen);
    assert_eq!(lines, ["UpdateUser legacy-a-reader", "AttachPolicyToUser System/AliyunOTSReadOnlyAccess"]);
    let mut seen = with_login(GENERATE);
    ram(&mut seen).login = Some(profile(true));
    seen.memory.login = Some(carried_out(LoginState::Enabled));
    seen.password = PasswordSeen::There("k.old".to_owned());
    seen.reset.asked = Some("1".to_owned());
    let (lines, verdict) = planned(&seen);
    assert_eq!(lines, ["write the Secret first", "UpdateLoginProfile team-a.reader"]);
    assert_eq!(verdict.detail.as_deref(), Some("2 steps would be taken"));
}
