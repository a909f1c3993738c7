mod management;

use std::time::Duration;

use super::*;
use crate::api::{Attachments, GroupKind, GroupMembership, PolicyAttachment, PolicyKind, UserDeletionPolicy};
use crate::plan::Reason;
use crate::plan::attachments::Reference;
use crate::plan::document::Document;
use crate::ram::PolicyType;

const ID: &str = "212345678901234567";

fn marker() -> Marker {
    Marker::of("prod", "team-a", "reader", "0a1b2c3d-1111")
}

pub(super) fn account() -> AccountView {
    AccountView {
        account_id: "1234567890123456".to_owned(),
        owner_id: "prod".to_owned(),
        prefix: String::new(),
        default_domain: None,
        leaving: false,
    }
}

fn grants() -> Grants {
    let spec = serde_json::from_str(r#"{"namespaceSelector":{},"attach":{"system":["AliyunOTS*"]}}"#).expect("a spec");
    Grants::of(&spec, true)
}

fn user(comments: &str) -> User {
    User {
        user_id: ID.to_owned(),
        user_name: "team-a.reader".to_owned(),
        display_name: String::new(),
        comments: comments.to_owned(),
        email: String::new(),
        mobile_phone: String::new(),
        create_time: None,
    }
}

fn policy(name: &str) -> PolicyRef {
    PolicyRef { kind: PolicyType::System, name: name.to_owned() }
}

fn document(effect: &str) -> Option<Document> {
    let text = format!(r#"{{"Version":"1","Statement":[{{"Effect":"{effect}","Action":"ots:*","Resource":"*"}}]}}"#);
    Document::parse(&text).ok()
}

/// A RamUser that is there, with one policy.
pub(super) fn seen() -> Seen {
    let spec = serde_json::from_str(r#"{"policies":[{"type":"System","name":"AliyunOTSReadOnlyAccess"}]}"#);
    Seen {
        deleting: false,
        deletion_time: None,
        finalizer: true,
        paused: false,
        spec: spec.expect("a spec"),
        memory: Memory {
            account_id: None,
            user_id: Some(ID.to_owned()),
            marker_uid: Some("0a1b2c3d".to_owned()),
            create_time: None,
            login: None,
            adoption: Adopting::default(),
            mfa: None,
        },
        user_name: "team-a.reader".to_owned(),
        marker: Some(marker()),
        account: Ok(account()),
        tenant: Ok(grants()),
        ram: Some(InRam {
            user: Some(user(&marker().append_to(""))),
            policies: vec![policy("AliyunOTSReadOnlyAccess")],
            ..InRam::default()
        }),
        witnessed: false,
        elsewhere: Elsewhere::Nothing,
        key_objects: Vec::new(),
        quota_reached: false,
        references: BTreeMap::new(),
        group_references: BTreeMap::new(),
        documents: BTreeMap::new(),
        contents: BTreeMap::new(),
        groups_full: false,
        password: PasswordSeen::Absent,
        reset: Reset::default(),
        login_fresh: false,
        disable_refused: false,
        mfa: MfaFacts::default(),
    }
}

fn intent() -> Intent {
    let time = Timestamp::UNIX_EPOCH - Duration::from_mins(5);
    Intent { id: "i".to_owned(), time, not_after: time, known_ids: Vec::new(), replaces: None }
}

pub(super) fn ram(seen: &mut Seen) -> &mut InRam {
    seen.ram.as_mut().expect("RAM was seen")
}

pub(super) fn reason(seen: &Seen) -> Reason {
    match next(seen, Timestamp::UNIX_EPOCH) {
        Next::Rest(verdict) => verdict.reason,
        Next::Do(step) => panic!("a step: {step:?}"),
    }
}

pub(super) fn step(seen: &Seen) -> Step {
    match next(seen, Timestamp::UNIX_EPOCH) {
        Next::Do(step) => step,
        Next::Rest(verdict) => panic!("rest: {verdict:?}"),
    }
}

#[test]
fn an_unchanged_world_asks_for_nothing() {
    assert_eq!(reason(&seen()), Reason::Available);
}

#[test]
fn policy_names_differ_in_case_only_by_spelling() {
    let mut seen = seen();
    ram(&mut seen).policies = vec![policy("aliyunotsREADONLYaccess")];
    assert_eq!(reason(&seen), Reason::Available);
}

#[test]
fn a_user_is_made_only_behind_a_finalizer_and_a_whole_grant() {
    let mut seen = seen();
    seen.memory = Memory::default();
    *ram(&mut seen) = InRam::default();
    seen.finalizer = false;
    assert_eq!(step(&seen), Step::AddFinalizer);
    seen.finalizer = true;
    assert!(matches!(step(&seen), Step::CreateUser(new) if new.comments == Some(marker().append_to(""))));
    seen.memory.user_id = Some(ID.to_owned());
    assert_eq!(step(&seen), Step::RecordGone, "before another one is made in its place");
    seen.memory.user_id = None;
    seen.spec
        .policies
        .as_mut()
        .expect("some")
        .push(PolicyAttachment { kind: PolicyKind::System, name: "AdministratorAccess".to_owned() });
    assert_eq!(reason(&seen), Reason::PolicyNotAllowed);
    seen.tenant = Err(Verdict::new(Reason::NotATenant));
    assert_eq!(reason(&seen), Reason::NotATenant);
}

#[test]
fn whose_user_it_is() {
    let other = Marker { owner_id: "test".to_owned(), ..marker() };
    let restored = Marker { uid: "ffffffff".to_owned(), ..marker() };
    for (comments, known, wrote, expected) in [
        ("a person's", false, false, Err(Reason::Foreign)),
        ("a person's", true, true, Ok(())),
        (other.append_to("").as_str(), false, false, Err(Reason::OwnedElsewhere)),
        (other.append_to("").as_str(), true, true, Err(Reason::OwnedElsewhere)),
        (restored.append_to("").as_str(), false, false, Ok(())),
        (restored.append_to("").as_str(), true, true, Err(Reason::Contested)),
    ] {
        let mut seen = seen();
        seen.memory.user_id = known.then(|| ID.to_owned());
        seen.memory.marker_uid = wrote.then(|| marker().uid);
        ram(&mut seen).user = Some(user(comments));
        match expected {
            Err(expected) => assert_eq!(reason(&seen), expected, "{comments}"),
            Ok(()) => assert!(matches!(step(&seen), Step::UpdateUser(_)), "{comments}"),
        }
    }
    let mut seen = seen();
    seen.memory.user_id = Some("299999999999999999".to_owned());
    assert_eq!(reason(&seen), Reason::Replaced);
    // Of a name that the tenant does not list the same is said whether there is a user or not, paused or not.
    seen.memory = Memory::default();
    seen.spec.user_name = Some("boss".to_owned());
    let named = |comments: &str| User { user_name: "boss".to_owned(), ..user(comments) };
    for found in [None, Some(named("a person's")), Some(named(&other.append_to("")))] {
        ram(&mut seen).user = found;
        for paused in [false, true] {
            seen.paused = paused;
            assert_eq!(reason(&seen), Reason::NameNotAllowed);
        }
    }
}

#[test]
fn added_policies_go_but_a_deny_stays_and_is_reported() {
    let mut seen = seen();
    ram(&mut seen).policies.push(policy("AdministratorAccess"));
    assert_eq!(step(&seen), Step::LookAtPolicy(policy("AdministratorAccess")));
    seen.documents.insert(policy("AdministratorAccess"), document("Allow"));
    assert_eq!(step(&seen), Step::DetachPolicy(policy("AdministratorAccess")));
    seen.documents.insert(policy("AdministratorAccess"), document("Deny"));
    assert!(
        matches!(next(&seen, Timestamp::UNIX_EPOCH), Next::Rest(v) if v.reason == Reason::Available && v.drift.is_some())
    );
    seen.documents.clear();
    seen.spec.attachments = Attachments::Additive;
    assert!(matches!(next(&seen, Timestamp::UNIX_EPOCH), Next::Rest(v) if v.drift.is_none()));
    seen.spec.attachments = Attachments::Report;
    assert!(matches!(next(&seen, Timestamp::UNIX_EPOCH), Next::Rest(v) if v.drift.is_some()));
}

#[test]
fn at_the_quota_an_unwanted_policy_makes_room() {
    let mut seen = seen();
    ram(&mut seen).policies = vec![policy("AliyunOTSFullAccess")];
    assert_eq!(step(&seen), Step::AttachPolicy(policy("AliyunOTSReadOnlyAccess")));
    seen.quota_reached = true;
    assert_eq!(step(&seen), Step::LookAtPolicy(policy("AliyunOTSFullAccess")));
    seen.documents.insert(policy("AliyunOTSFullAccess"), None);
    assert_eq!(step(&seen), Step::DetachPolicy(policy("AliyunOTSFullAccess")));
    ram(&mut seen).policies.clear();
    assert_eq!(reason(&seen), Reason::QuotaReached, "nothing makes room");
}

#[test]
fn a_paused_object_grants_and_repairs_nothing() {
    let mut seen = seen();
    seen.paused = true;
    assert_eq!(reason(&seen), Reason::Available);
    ram(&mut seen).policies.clear();
    assert_eq!(reason(&seen), Reason::Paused);
    *ram(&mut seen) = InRam::default();
    assert_eq!(reason(&seen), Reason::Paused);
}

#[test]
fn another_account_under_the_same_name_is_never_written_to() {
    let mut seen = seen();
    seen.memory.account_id = Some("9999999999999999".to_owned());
    ram(&mut seen).user = None;
    assert_eq!(reason(&seen), Reason::WrongAccount);
    seen.deleting = true;
    assert_eq!(reason(&seen), Reason::WrongAccount);
}

#[test]
fn deletion_disarms_waits_and_takes_away_in_order() {
    let mut seen = seen();
    seen.deleting = true;
    let key = |id: &str, status| AccessKey { id: id.to_owned(), status, create_time: Timestamp::UNIX_EPOCH };
    ram(&mut seen).keys = vec![key("LTAIours", KeyStatus::Active)];
    ram(&mut seen).groups = vec!["readers".to_owned()];
    let object =
        KeyObject { name: "k".to_owned(), deleting: true, ids: vec!["LTAIours".to_owned()], ..KeyObject::default() };
    seen.key_objects = vec![object];
    assert_eq!(step(&seen), Step::DisableKey("LTAIours".to_owned()));
    ram(&mut seen).keys = vec![key("LTAIours", KeyStatus::Inactive)];
    assert_eq!(reason(&seen), Reason::WaitingForKeys);
    seen.key_objects.iter_mut().for_each(|o| o.deleting = false);
    seen.key_objects.iter_mut().for_each(|o| o.intents = vec![intent()]);
    assert_eq!(reason(&seen), Reason::AwaitingWindow);
    seen.key_objects.iter_mut().for_each(|o| o.intents.clear());
    assert_eq!(step(&seen), Step::DeleteKey("LTAIours".to_owned()));
    ram(&mut seen).keys = vec![key("LTAIperson", KeyStatus::Active)];
    assert_eq!(reason(&seen), Reason::Blocked);
    ram(&mut seen).keys.clear();
    assert!(matches!(step(&seen), Step::DetachPolicy(_)));
    ram(&mut seen).policies.clear();
    assert_eq!(step(&seen), Step::LeaveGroup("readers".to_owned()));
    ram(&mut seen).groups.clear();
    assert_eq!(step(&seen), Step::DeleteUser);
    ram(&mut seen).user = None;
    assert_eq!(step(&seen), Step::RemoveFinalizer);
    seen.memory.create_time = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(reason(&seen), Reason::Deleting, "what was made this moment may not show yet");
    seen.witnessed = true;
    assert_eq!(step(&seen), Step::RemoveFinalizer);
}

#[test]
fn deletion_waits_for_keys_that_may_be_a_persons() {
    let mut seen = seen();
    seen.deleting = true;
    let key = |status| AccessKey { id: "LTAIstray".to_owned(), status, create_time: Timestamp::UNIX_EPOCH };
    let ids = vec!["LTAIstray".to_owned()];
    seen.key_objects = vec![KeyObject { name: "k".to_owned(), strays: ids.clone(), ids, ..KeyObject::default() }];
    for status in [KeyStatus::Active, KeyStatus::Inactive] {
        ram(&mut seen).keys = vec![key(status)];
        assert_eq!(reason(&seen), Reason::Deleting);
    }
    seen.key_objects[0].strays.clear();
    assert_eq!(step(&seen), Step::DeleteKey("LTAIstray".to_owned()));
}

#[test]
fn deletion_touches_nothing_that_is_not_ours() {
    let mut seen = seen();
    seen.deleting = true;
    seen.memory = Memory::default();
    ram(&mut seen).user = Some(user("a person's"));
    assert_eq!(step(&seen), Step::RemoveFinalizer);
    ram(&mut seen).renamed_to = Some("elsewhere".to_owned());
    assert_eq!(reason(&seen), Reason::UserRenamed);
}

#[test]
fn retain_leaves_the_user_without_our_marker_if_the_tenant_allows_it() {
    let mut seen = seen();
    seen.deleting = true;
    seen.spec.deletion_policy = UserDeletionPolicy::Retain;
    assert!(matches!(step(&seen), Step::DetachPolicy(_)), "the tenant denies it");
    seen.tenant = Err(Verdict::new(Reason::NotATenant));
    assert!(matches!(step(&seen), Step::UpdateUser(changes) if changes.comments.as_deref() == Some("")));
    ram(&mut seen).user = Some(user(""));
    assert_eq!(step(&seen), Step::RemoveFinalizer);
}

fn join(seen: &mut Seen, kind: GroupKind, name: &str) {
    seen.spec.groups = Some(vec![GroupMembership { kind, name: name.to_owned() }]);
}

fn with_tenant(seen: &mut Seen, more: &str) {
    let text =
        format!(r#"{{"namespaceSelector":{{}},"attach":{{"system":["AliyunOTS*"],"groups":["readers"]}}{more}}}"#);
    seen.tenant = Ok(Grants::of(&serde_json::from_str(&text).expect("a spec"), true));
}

#[test]
fn a_group_is_joined_only_if_all_that_it_holds_may_be_had() {
    let mut seen = seen();
    join(&mut seen, GroupKind::Ram, "admins");
    with_tenant(&mut seen, "");
    assert_eq!(reason(&seen), Reason::GroupNotAllowed);
    join(&mut seen, GroupKind::Ram, "readers");
    assert_eq!(step(&seen), Step::LookAtGroup("readers".to_owned()));
    seen.contents.insert("readers".to_owned(), None);
    assert_eq!(reason(&seen), Reason::GroupNotFound);
    let custom = PolicyRef { kind: PolicyType::Custom, name: "everything".to_owned() };
    seen.contents.insert("readers".to_owned(), Some(vec![policy("AliyunOTSFullAccess"), custom.clone()]));
    assert_eq!(step(&seen), Step::LookAtPolicy(custom.clone()));
    for (found, fits) in [(None, false), (document("Deny"), true), (document("Allow"), false)] {
        seen.documents.insert(custom.clone(), found);
        if fits {
            assert_eq!(step(&seen), Step::JoinGroup("readers".to_owned()));
        } else {
            assert_eq!(reason(&seen), Reason::GroupExceedsTenant);
        }
    }
    with_tenant(&mut seen, r#","documents":{"actions":["ots:*"],"resources":["*"]}"#);
    assert_eq!(step(&seen), Step::JoinGroup("readers".to_owned()));
    // Before the user is made, too.
    let mut new = Seen { memory: Memory::default(), ram: Some(InRam::default()), ..seen.clone() };
    assert!(matches!(step(&new), Step::CreateUser(_)));
    with_tenant(&mut new, "");
    assert_eq!(reason(&new), Reason::GroupExceedsTenant);
    new.contents.insert("readers".to_owned(), None);
    assert!(matches!(step(&new), Step::CreateUser(_)), "a group that is to come is waited for");
    new.contents.clear();
    assert_eq!(step(&new), Step::LookAtGroup("readers".to_owned()));
    seen.groups_full = true;
    assert_eq!(reason(&seen), Reason::QuotaReached);
    ram(&mut seen).groups = vec!["Readers".to_owned()];
    assert_eq!(reason(&seen), Reason::Available, "names differ in case only by spelling");
}

#[test]
fn groups_that_somebody_else_added_go_or_are_reported_and_absent_means_not_managed() {
    let mut seen = seen();
    ram(&mut seen).groups = vec!["others".to_owned()];
    assert_eq!(reason(&seen), Reason::Available);
    seen.spec.groups = Some(Vec::new());
    assert_eq!(step(&seen), Step::LeaveGroup("others".to_owned()));
    seen.paused = true;
    assert_eq!(reason(&seen), Reason::Paused);
    seen.paused = false;
    seen.spec.attachments = Attachments::Report;
    assert!(
        matches!(next(&seen, Timestamp::UNIX_EPOCH), Next::Rest(v) if v.drift.as_ref().is_some_and(|d| d.contains("others")))
    );
    // What is too much stays until it is known what there is to be.
    seen.spec.attachments = Attachments::Exclusive;
    join(&mut seen, GroupKind::RamGroup, "team");
    assert_eq!(reason(&seen), Reason::GroupNotReady);
    seen.group_references.insert("team".to_owned(), Reference::Named("others".to_owned()));
    assert_eq!(reason(&seen), Reason::Available);
}

#[test]
fn a_policy_of_the_namespace_is_attached_by_what_it_says() {
    let mut seen = seen();
    let wanted = PolicyAttachment { kind: PolicyKind::RamPolicy, name: "sensors".to_owned() };
    seen.spec.policies.as_mut().expect("some").push(wanted);
    assert_eq!(reason(&seen), Reason::PolicyNotReady);
    seen.references.insert("sensors".to_owned(), Reference::Named("team-a-sensors-0".to_owned()));
    assert_eq!(reason(&seen), Reason::PolicyNotAllowed, "the tenant has no documents");
    with_tenant(&mut seen, r#","documents":{"actions":["ots:*"],"resources":["*"]}"#);
    let found = PolicyRef { kind: PolicyType::Custom, name: "team-a-sensors-0".to_owned() };
    assert_eq!(step(&seen), Step::LookAtPolicy(found.clone()));
    seen.documents.insert(found.clone(), None);
    assert_eq!(reason(&seen), Reason::DocumentNotAllowed);
    seen.documents.insert(found.clone(), document("Allow"));
    assert_eq!(step(&seen), Step::AttachPolicy(found.clone()));
    let mut new = Seen { memory: Memory::default(), ram: Some(InRam::default()), ..seen.clone() };
    assert!(matches!(step(&new), Step::CreateUser(_)));
    with_tenant(&mut seen, r#","documents":{"actions":["ots:Get*"],"resources":["*"]}"#);
    assert_eq!(reason(&seen), Reason::DocumentNotAllowed);
    new.tenant.clone_from(&seen.tenant);
    assert_eq!(reason(&new), Reason::DocumentNotAllowed, "not even the user is made");
    new.documents.clear();
    assert_eq!(step(&new), Step::LookAtPolicy(found));
}

fn login(seen: &mut Seen, text: &str) {
    seen.spec.console_login = Some(serde_json::from_str(text).expect("a log-on"));
}

fn profile(enabled: bool) -> crate::ram::LoginProfile {
    crate::ram::LoginProfile {
        enabled: Some(enabled),
        password_reset_required: false,
        mfa_bind_required: false,
        password_status: None,
    }
}

fn carried_out(state: LoginState) -> LoginMemory {
    LoginMemory { state, password_time: None, password_seal: Some("k.old".to_owned()), giving: None }
}

const GENERATE: &str = r#"{"initialPassword":{"source":"Generate","secret":{"name":"first"}}}"#;
const FROM_SECRET: &str = r#"{"initialPassword":{"source":"SecretRef","secretRef":{"name":"s","key":"k"}}}"#;

/// A RamUser whose tenant allows log-on, in an account whose domain is known.
fn with_login(text: &str) -> Seen {
    let mut seen = seen();
    login(&mut seen, text);
    with_tenant(&mut seen, r#","consoleLogin":"Allow""#);
    seen.account = Ok(AccountView { default_domain: Some("1.onaliyun.com".to_owned()), ..account() });
    seen
}

#[test]
fn a_password_is_written_to_its_secret_before_ram_gets_it_and_only_within_the_grant() {
    let mut seen = with_login(GENERATE);
    assert_eq!(step(&seen), Step::WritePassword);
    seen.password = PasswordSeen::Foreign;
    assert_eq!(reason(&seen), Reason::SecretConflict);
    seen.password = PasswordSeen::There("k.new".to_owned());
    note_password(&mut seen);
    assert_eq!(step(&seen), create_with_password());
    seen.paused = true;
    assert_eq!(reason(&seen), Reason::Paused);
    seen.paused = false;
    with_tenant(&mut seen, "");
    assert_eq!(reason(&seen), Reason::ConsoleLoginNotAllowed);
    let new = Seen { memory: Memory::default(), ram: Some(InRam::default()), ..seen.clone() };
    assert_eq!(reason(&new), Reason::ConsoleLoginNotAllowed, "not even the user is made");
    with_tenant(&mut seen, r#","consoleLogin":"Allow""#);
    seen.account = Ok(account());
    assert_eq!(reason(&seen), Reason::DomainUnknown);
    let seen = with_login(FROM_SECRET);
    assert_eq!(reason(&seen), Reason::PasswordNotFound);
}

#[test]
fn a_password_is_pushed_when_it_changes_or_is_asked_for_and_never_else() {
    let mut seen = with_login(FROM_SECRET);
    ram(&mut seen).login = Some(profile(true));
    seen.password = PasswordSeen::There("k.new".to_owned());
    assert_eq!(reason(&seen), Reason::Available, "nobody knows what RAM has");
    seen.memory.login = Some(carried_out(LoginState::Enabled));
    assert_eq!(step(&seen), Step::RecordPassword("k.new".to_owned()));
    seen.memory.login = Some(giving("k.new", LoginState::Enabled));
    let push = LoginChange { password: true, ..LoginChange::default() };
    assert_eq!(step(&seen), Step::ChangeLogin(push));
    seen.memory.login = Some(carried_out(LoginState::Enabled));
    seen.password = PasswordSeen::There("k.old".to_owned());
    assert_eq!(reason(&seen), Reason::Available);
    seen.password = PasswordSeen::There("other.old".to_owned());
    assert_eq!(reason(&seen), Reason::Available, "the key of the seals was lost: nothing is pushed for that");
    let mut seen = with_login(GENERATE);
    ram(&mut seen).login = Some(profile(true));
    seen.memory.login = Some(carried_out(LoginState::Enabled));
    assert_eq!(reason(&seen), Reason::Available, "handed over");
    seen.reset.asked = Some("1".to_owned());
    assert_eq!(step(&seen), Step::RecordReset);
    seen.reset.accepted = Some("1".to_owned());
    assert_eq!(step(&seen), Step::WritePassword);
    seen.password = PasswordSeen::There("k.old".to_owned());
    assert_eq!(step(&seen), Step::WritePassword, "the one that RAM has is none");
    seen.password = PasswordSeen::There("k.new".to_owned());
    note_password(&mut seen);
    assert_eq!(step(&seen), Step::ChangeLogin(LoginChange { password: true, enabled: Some(true), mfa: None }));
    seen.reset.done = Some("1".to_owned());
    seen.memory.login = Some(carried_out(LoginState::Enabled));
    assert_eq!(reason(&seen), Reason::Available);
}

/// Carries out the step that notes a password before it is given.
fn note_password(seen: &mut Seen) {
    let Step::RecordPassword(seal) = step(seen) else { panic!("{:?}", step(seen)) };
    let none = ram(seen).login.is_none();
    let login = seen.memory.login.get_or_insert_default();
    login.giving = Some(seal);
    if none {
        login.state = LoginState::Absent;
    }
}

/// The memory of a password that was about to be given.
fn giving(seal: &str, state: LoginState) -> LoginMemory {
    LoginMemory { giving: Some(seal.to_owned()), ..carried_out(state) }
}

#[test]
fn a_log_on_whose_answer_is_lost_has_the_password_of_the_secret_in_the_end() {
    let mut seen = with_login(FROM_SECRET);
    seen.password = PasswordSeen::There("k.one".to_owned());
    assert_eq!(step(&seen), Step::RecordPassword("k.one".to_owned()), "before RAM is told");
    let noted = LoginMemory { password_seal: None, ..giving("k.one", LoginState::Absent) };
    seen.memory.login = Some(noted.clone());
    assert!(matches!(step(&seen), Step::CreateLogin(change) if change.password));
    // It was made, and the Secret is as it was.
    ram(&mut seen).login = Some(profile(true));
    let again = LoginChange { password: true, enabled: Some(true), mfa: None };
    assert_eq!(step(&seen), Step::ChangeLogin(again), "what is shown may be from before");
    // The Secret is gone meanwhile: what was made with it has that one.
    seen.password = PasswordSeen::Absent;
    let back = LoginChange { enabled: Some(true), ..LoginChange::default() };
    assert_eq!(step(&seen), Step::ChangeLogin(back));
    let settled = noted.clone().shown(&seen.password);
    assert_eq!((settled.password_seal.as_deref(), settled.giving), (Some("k.one"), None));
    // Another text meanwhile: whichever RAM has, it gets this one.
    seen.password = PasswordSeen::There("k.two".to_owned());
    assert_eq!(step(&seen), Step::RecordPassword(String::new()));
    for several in [giving("", LoginState::Enabled), giving("", LoginState::Absent)] {
        for text in ["k.one", "k.two"] {
            seen.password = PasswordSeen::There(text.to_owned());
            seen.memory.login = Some(several.clone());
            assert!(matches!(step(&seen), Step::ChangeLogin(change) if change.password), "{text}");
        }
    }
    // Where RAM does not show it yet, either.
    seen.memory.login = Some(noted);
    ram(&mut seen).login = None;
    assert_eq!(step(&seen), Step::RecordPassword(String::new()));
}

#[test]
fn a_change_whose_answer_is_lost_is_made_again_also_back_to_the_former_text() {
    let mut seen = with_login(FROM_SECRET);
    ram(&mut seen).login = Some(profile(true));
    for state in [LoginState::Enabled, LoginState::Disabled] {
        seen.memory.login = Some(giving("k.new", state));
        seen.password = PasswordSeen::There("k.new".to_owned());
        assert!(matches!(step(&seen), Step::ChangeLogin(change) if change.password));
        seen.password = PasswordSeen::There("k.old".to_owned());
        assert_eq!(step(&seen), Step::RecordPassword(String::new()));
    }
    // One that was made here, too: its Secret may be gone, and another one in its place, by the time that the log-on shows.
    let mut seen = with_login(GENERATE);
    seen.password = PasswordSeen::There("k.one".to_owned());
    note_password(&mut seen);
    ram(&mut seen).login = Some(profile(true));
    seen.password = PasswordSeen::There("k.two".to_owned());
    note_password(&mut seen);
    assert_eq!(seen.memory.login.as_ref().and_then(|login| login.giving.as_deref()), Some(""));
    assert!(matches!(step(&seen), Step::ChangeLogin(change) if change.password));
}

#[test]
fn what_others_took_away_stays_so_and_what_we_took_away_comes_back() {
    for (profile, state) in [(None, LoginState::Enabled), (Some(profile(false)), LoginState::Enabled)] {
        let mut seen = with_login(GENERATE);
        ram(&mut seen).login = profile;
        seen.memory.login = Some(carried_out(state));
        assert_eq!(reason(&seen), Reason::LoginTakenOutside);
    }
    let mut seen = with_login(GENERATE);
    ram(&mut seen).login = Some(profile(false));
    seen.memory.login = Some(carried_out(LoginState::Disabled));
    let enable = LoginChange { enabled: Some(true), ..LoginChange::default() };
    assert_eq!(step(&seen), Step::ChangeLogin(enable.clone()));
    for state in [LoginState::Disabled, LoginState::Absent] {
        ram(&mut seen).login = Some(profile(true));
        seen.memory.login = Some(carried_out(state));
        assert_eq!(step(&seen), Step::ChangeLogin(enable.clone()), "it may show as it was before");
    }
}

#[test]
fn log_on_is_taken_away_first_and_without_a_tenant() {
    let off = LoginChange { enabled: Some(false), ..LoginChange::default() };
    for suspended in [false, true] {
        let mut seen = with_login(GENERATE);
        if suspended {
            seen.spec.state = crate::api::UserState::Suspended;
        } else {
            login(&mut seen, r#"{"state":"Disabled"}"#);
        }
        seen.tenant = Err(Verdict::new(Reason::NotATenant));
        seen.paused = true;
        ram(&mut seen).login = Some(profile(true));
        assert_eq!(step(&seen), Step::RecordLogin(LoginState::Disabled), "so that it is known for our own work");
        seen.memory.login = Some(carried_out(LoginState::Disabled));
        assert_eq!(step(&seen), Step::ChangeLogin(off.clone()));
        seen.disable_refused = true;
        assert_eq!(step(&seen), Step::DeleteLogin, "it waits for no password");
    }
    let mut seen = with_login(r#"{"state":"Absent"}"#);
    ram(&mut seen).login = Some(profile(true));
    assert_eq!(step(&seen), Step::RecordLogin(LoginState::Absent), "the same");
    seen.memory.login = Some(carried_out(LoginState::Absent));
    assert_eq!(step(&seen), Step::DeleteLogin);
    seen.deleting = true;
    seen.deletion_time = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(step(&seen), Step::ChangeLogin(off));
    seen.disable_refused = true;
    ram(&mut seen).login = Some(profile(true));
    seen.spec.deletion_grace_period = serde_json::from_str("\"1h\"").expect("a duration");
    assert_eq!(step(&seen), Step::DeleteLogin, "before a grace period is waited for");
    ram(&mut seen).login = None;
    assert!(matches!(step(&seen), Step::HandOver(_)));
    seen.disable_refused = false;
    seen.spec.deletion_grace_period = serde_json::from_str("\"0s\"").expect("a duration");
    ram(&mut seen).login = Some(profile(false));
    assert_eq!(step(&seen), Step::DeleteLogin);
}

#[test]
fn a_log_on_that_went_by_a_suspension_comes_back_with_another_password() {
    for (text, there, wanted) in [
        (GENERATE, "k.old", Step::WritePassword),
        (GENERATE, "k.new", Step::RecordPassword("k.new".to_owned())),
        // Nobody knows whether it is another one.
        (GENERATE, "other.old", Step::RecordPassword("other.old".to_owned())),
        (FROM_SECRET, "k.old", Step::RecordPassword("k.old".to_owned())),
    ] {
        let mut seen = with_login(text);
        seen.memory.login = Some(carried_out(LoginState::Disabled));
        seen.password = PasswordSeen::There(there.to_owned());
        assert_eq!(step(&seen), wanted, "{text} {there}");
    }
}

fn create_with_password() -> Step {
    Step::CreateLogin(LoginChange { password: true, enabled: Some(true), mfa: None })
}

#[test]
fn a_demand_for_mfa_is_put_back() {
    let mut seen = with_login(&GENERATE.replacen('{', r#"{"mfa":"Required","#, 1));
    ram(&mut seen).login = Some(profile(true));
    assert_eq!(step(&seen), Step::ChangeLogin(LoginChange { mfa: Some(true), ..LoginChange::default() }));
    // With a password that is given anyhow, for where RAM takes no change without one.
    seen.memory.login = Some(carried_out(LoginState::Enabled));
    seen.password = PasswordSeen::There("k.new".to_owned());
    seen.reset.accepted = Some("1".to_owned());
    let all = LoginChange { password: true, enabled: Some(true), mfa: Some(true) };
    note_password(&mut seen);
    assert_eq!(step(&seen), Step::ChangeLogin(all));
    seen.memory.login = Some(carried_out(LoginState::Enabled));
    seen.reset.accepted = None;
    ram(&mut seen).login = Some(crate::ram::LoginProfile { mfa_bind_required: true, ..profile(true) });
    assert_eq!(reason(&seen), Reason::Available);
}
