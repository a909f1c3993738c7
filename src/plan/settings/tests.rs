use super::*;
use crate::api::{MfaOperation, VerificationType};

const DAY: i64 = 24 * 3600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

fn memory(repairs: i32, second: i64) -> SettingStatus {
    SettingStatus { generation: 1, repairs, time: Some(at(second).to_string()), hash: None }
}

/// Any write.
fn write() -> Step {
    Step::SetPasswordPolicy(PasswordPolicy::default())
}

/// What is next for a part, an hour after time 0.
fn ask(part: &Part, memory: Option<&SettingStatus>) -> Next<Step> {
    next(&Seen { part, memory, generation: 1, paused: false }, at(3600))
}

fn reason(next: &Next<Step>) -> Reason {
    match next {
        Next::Rest(verdict) => verdict.reason,
        Next::Do(step) => panic!("{step:?} where a rest was expected"),
    }
}

fn alias(wanted: &str, change: Permission, has: Option<&str>) -> Part {
    Part::Alias { wanted: wanted.to_owned(), change, has: has.map(str::to_owned) }
}

/// A policy that asks for a length, and RAM with another one and with fields that nobody here manages.
fn passwords() -> Part {
    Part::PasswordPolicy {
        wanted: api::PasswordPolicy { minimum_password_length: Some(12), ..api::PasswordPolicy::default() },
        has: PasswordPolicy {
            minimum_password_length: Some(8),
            require_numbers: Some(true),
            max_login_attempts: Some(5),
            ..PasswordPolicy::default()
        },
    }
}

#[test]
fn an_alias_is_set_where_there_is_none() {
    for change in [Permission::Deny, Permission::Allow] {
        assert_eq!(ask(&alias("acme", change, None), None), Next::Do(Step::SetAlias("acme".to_owned())));
        assert_eq!(reason(&ask(&alias("acme", change, Some("acme")), None)), Reason::Applied);
    }
}

#[test]
fn another_alias_is_replaced_only_where_that_is_allowed() {
    let refused = ask(&alias("acme", Permission::Deny, Some("old")), None);
    let Next::Rest(verdict) = refused else { panic!("{refused:?}") };
    assert_eq!(verdict.reason, Reason::AliasDiffers);
    assert!(verdict.message().contains("it has old, not acme"), "{}", verdict.message());
    let allowed = ask(&alias("acme", Permission::Allow, Some("old")), None);
    assert_eq!(allowed, Next::Do(Step::SetAlias("acme".to_owned())));
}

#[test]
fn what_the_spec_leaves_out_is_sent_as_it_was_read() {
    let whole = PasswordPolicy {
        minimum_password_length: Some(12),
        require_numbers: Some(true),
        max_login_attempts: Some(5),
        ..PasswordPolicy::default()
    };
    assert_eq!(ask(&passwords(), None), Next::Do(Step::SetPasswordPolicy(whole)));
}

#[test]
fn what_is_equal_rests() {
    let wanted = api::PasswordPolicy {
        minimum_password_length: Some(12),
        require_numbers: Some(false),
        ..api::PasswordPolicy::default()
    };
    let has = PasswordPolicy {
        minimum_password_length: Some(12),
        require_numbers: Some(false),
        require_symbols: Some(true),
        ..PasswordPolicy::default()
    };
    assert_eq!(reason(&ask(&Part::PasswordPolicy { wanted, has: has.clone() }, None)), Reason::Applied);
    let nothing = api::PasswordPolicy::default();
    assert_eq!(reason(&ask(&Part::PasswordPolicy { wanted: nothing, has }, None)), Reason::Applied);
}

#[test]
fn every_field_of_both_groups_reaches_ram() {
    let wanted = api::PasswordPolicy {
        minimum_password_length: Some(32),
        require_lowercase_characters: Some(true),
        require_uppercase_characters: Some(true),
        require_numbers: Some(true),
        require_symbols: Some(true),
        hard_expire: Some(true),
        max_password_age: Some(1095),
        password_reuse_prevention: Some(24),
        max_login_attempts: Some(32),
        minimum_password_different_character: Some(8),
        password_not_contain_user_name: Some(true),
        initial_password_age: Some(90),
        intercept_risk_password_on_api: Some(true),
    };
    let (whole, fields) = merge::password_policy(&wanted, &PasswordPolicy::default());
    assert_eq!(fields.len(), 13);
    assert_eq!(merge::password_policy(&wanted, &whole), (whole, Vec::new()));
    let wanted = api::SecurityPreference {
        enable_save_mfa_ticket: Some(false),
        allow_user_to_change_password: Some(true),
        login_session_duration: Some(8),
        login_network_masks: Some(vec!["203.0.113.0/24".to_owned()]),
        allow_user_to_login_with_passkey: Some(false),
        mfa_operation_for_login: Some(MfaOperation::Mandatory),
        allow_user_to_manage_access_keys: Some(false),
        allow_user_to_manage_service_credentials: Some(false),
        allow_user_to_manage_mfa_devices: Some(true),
        allow_user_to_manage_personal_ding_talk: Some(false),
        verification_types: Some(vec![VerificationType::Sms, VerificationType::Email]),
        max_idle_days_for_users: Some(90),
        max_idle_days_for_access_keys: Some(180),
    };
    // What the spec has no field for stays.
    let has = SecurityPreference {
        operation_for_risk_login: Some("enforceVerify".to_owned()),
        ..SecurityPreference::default()
    };
    let (whole, fields) = merge::security_preference(&wanted, &has);
    assert_eq!(fields.len(), 13);
    assert_eq!(whole.mfa_operation_for_login.as_deref(), Some("mandatory"));
    assert_eq!(whole.operation_for_risk_login, has.operation_for_risk_login);
    assert_eq!(merge::security_preference(&wanted, &whole), (whole, Vec::new()));
}

#[test]
fn lists_are_compared_by_what_they_mean() {
    let texts = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let wanted = api::SecurityPreference {
        login_network_masks: texts(&["203.0.113.7/24", "2001:DB8::1/128"]),
        verification_types: Some(vec![VerificationType::Email, VerificationType::Sms]),
        ..api::SecurityPreference::default()
    };
    let same = SecurityPreference {
        login_network_masks: texts(&["2001:db8::1", "203.0.113.0/24"]),
        verification_types: texts(&["sms", "email"]),
        ..SecurityPreference::default()
    };
    // RAM's own spelling stays.
    assert_eq!(merge::security_preference(&wanted, &same), (same.clone(), Vec::new()));
    let none = api::SecurityPreference {
        login_network_masks: Some(Vec::new()),
        verification_types: Some(Vec::new()),
        ..api::SecurityPreference::default()
    };
    let (whole, fields) = merge::security_preference(&none, &same);
    assert_eq!(fields, ["loginNetworkMasks", "verificationTypes"]);
    assert_eq!((whole.login_network_masks, whole.verification_types), (texts(&[]), texts(&[])));
    // No list at all is an empty one.
    let (_, fields) = merge::security_preference(&none, &SecurityPreference::default());
    assert!(fields.is_empty());
}

#[test]
fn the_third_change_in_a_row_is_contested_until_the_spec_changes() {
    // The first write carries the spec out, the next two undo what somebody else did.
    let mut known: Option<SettingStatus> = None;
    for (n, repairs) in [0, 1, 2].into_iter().enumerate() {
        let now = at(i64::try_from(n).expect("small") * 3600);
        let seen = Seen { part: &passwords(), memory: known.as_ref(), generation: 1, paused: false };
        assert!(matches!(next(&seen, now), Next::Do(Step::SetPasswordPolicy(_))), "write {n}");
        let after = written(known.as_ref(), 1, now, &write());
        assert_eq!((after.repairs, after.generation), (repairs, 1));
        known = rested(Some(after), 1, &Verdict::new(Reason::Applied));
    }
    let seen = Seen { part: &passwords(), memory: known.as_ref(), generation: 1, paused: false };
    let Next::Rest(verdict) = next(&seen, at(3 * 3600)) else { panic!("written a third time") };
    assert_eq!(verdict.reason, Reason::SettingsContested);
    assert!(verdict.message().contains("passwordPolicy.minimumPasswordLength"), "{}", verdict.message());
    // However long it lasts.
    let known = rested(known, 1, &verdict);
    let seen = Seen { part: &passwords(), memory: known.as_ref(), generation: 1, paused: false };
    assert_eq!(reason(&next(&seen, at(100 * DAY))), Reason::SettingsContested);
    // Another generation begins anew.
    let seen = Seen { generation: 2, ..seen };
    assert!(matches!(next(&seen, at(100 * DAY)), Next::Do(_)));
    assert_eq!(written(known.as_ref(), 2, at(100 * DAY), &write()).repairs, 0);
}

#[test]
fn changes_far_apart_are_not_in_a_row() {
    let known = memory(2, 0);
    let seen = Seen { part: &passwords(), memory: Some(&known), generation: 1, paused: false };
    assert_eq!(reason(&next(&seen, at(6 * DAY))), Reason::SettingsContested);
    assert!(matches!(next(&seen, at(8 * DAY)), Next::Do(_)));
    assert_eq!(written(Some(&known), 1, at(8 * DAY), &write()).repairs, 1);
}

#[test]
fn what_was_found_as_asked_for_is_remembered_too() {
    let applied = Verdict::new(Reason::Applied);
    let found = rested(None, 1, &applied).expect("remembered");
    assert_eq!(found, SettingStatus { generation: 1, ..SettingStatus::default() });
    // Whoever changes it after that is undone for the first time.
    assert_eq!(written(Some(&found), 1, at(0), &write()).repairs, 1);
    let other = rested(Some(memory(2, 0)), 2, &applied);
    assert_eq!(other, Some(SettingStatus { generation: 2, ..memory(0, 0) }), "when it was written is not forgotten");
    // Trouble is no news of what RAM has.
    let denied = Verdict::new(Reason::AccessDenied);
    assert_eq!(rested(Some(memory(1, 0)), 2, &denied), Some(memory(1, 0)));
    assert_eq!(rested(None, 1, &denied), None);
}

#[test]
fn what_was_just_written_may_not_show_yet() {
    let just = memory(0, 3590);
    assert_eq!(reason(&ask(&passwords(), Some(&just))), Reason::Unsettled);
    // Another alias that shows is the former one.
    assert_eq!(reason(&ask(&alias("acme", Permission::Deny, Some("old")), Some(&just))), Reason::Unsettled);
    let sources = |second| {
        let part = Part::Sources {
            wanted: KeySources { active: true, public: vec!["203.0.113.7".to_owned()], vpcs: Vec::new() },
            has: KeySources::default(),
            reach: Some(Reach::Spared),
        };
        ask(&part, Some(&memory(0, second)))
    };
    // Sources of keys need minutes.
    assert_eq!(reason(&sources(3600 - 240)), Reason::Unsettled);
    assert!(matches!(sources(3600 - 360), Next::Do(Step::SetSources(_))));
    assert!(matches!(ask(&passwords(), Some(&memory(0, 3600 - 240))), Next::Do(_)));
}

/// What is next for the password policy that asks for `wanted` and is shown with `has`, under generation 2 and with the memory of a write of
/// `wrote` under generation 1, so many seconds before.
fn changed(wanted: i64, has: i64, wrote: i64, before: i64) -> Next<Step> {
    let policy = |length| PasswordPolicy { minimum_password_length: Some(length), ..PasswordPolicy::default() };
    let known = written(None, 1, at(3600 - before), &Step::SetPasswordPolicy(policy(wrote)));
    let wanted = api::PasswordPolicy { minimum_password_length: Some(wanted), ..api::PasswordPolicy::default() };
    let part = Part::PasswordPolicy { wanted, has: policy(has) };
    next(&Seen { part: &part, memory: Some(&known), generation: 2, paused: false }, at(3600))
}

#[test]
fn a_change_of_the_spec_waits_until_the_last_write_shows() {
    // 8 was there, 12 was written, and 14 is asked for now.
    assert_eq!(
        reason(&changed(14, 8, 12, 10)),
        Reason::Unsettled,
        "what else was written would be sent back as it was"
    );
    assert!(matches!(changed(14, 12, 12, 10), Next::Do(Step::SetPasswordPolicy(_))), "it shows");
    assert!(matches!(changed(14, 8, 12, 90), Next::Do(Step::SetPasswordPolicy(_))), "somebody else set it back");
    // Back to what was there: it only looks as if nothing were to be done.
    assert_eq!(reason(&changed(8, 8, 12, 10)), Reason::Unsettled);
    assert!(matches!(changed(8, 12, 12, 10), Next::Do(Step::SetPasswordPolicy(_))));
    assert_eq!(reason(&changed(12, 12, 12, 10)), Reason::Applied);
    // Nor is that forgotten by a generation that changes something else.
    let known = rested(Some(written(None, 1, at(3590), &write())), 2, &Verdict::new(Reason::Applied));
    let seen = Seen { part: &passwords(), memory: known.as_ref(), generation: 3, paused: false };
    assert_eq!(reason(&next(&seen, at(3600))), Reason::Unsettled);
}

#[test]
fn a_write_shows_however_ram_spells_it() {
    let sources = |public: &str| KeySources { active: true, public: vec![public.to_owned()], vpcs: Vec::new() };
    let known = written(None, 1, at(3590), &Step::SetSources(sources("2001:DB8::1/128")));
    let part = |has| Part::Sources { wanted: sources("203.0.113.7"), has, reach: Some(Reach::Spared) };
    let ask = |part: &Part| next(&Seen { part, memory: Some(&known), generation: 2, paused: false }, at(3600));
    assert_eq!(ask(&part(sources("2001:db8::1"))), Next::Do(Step::SetSources(sources("203.0.113.7"))));
    assert_eq!(reason(&ask(&part(sources("203.0.113.9")))), Reason::Unsettled);
    let known = written(None, 1, at(3590), &Step::SetAlias("old".to_owned()));
    let next = |has| {
        let part = alias("acme", Permission::Allow, has);
        next(&Seen { part: &part, memory: Some(&known), generation: 2, paused: false }, at(3600))
    };
    assert_eq!(next(Some("old")), Next::Do(Step::SetAlias("acme".to_owned())));
    assert_eq!(reason(&next(None)), Reason::Unsettled);
}

#[test]
fn an_alias_that_is_taken_is_asked_for_again() {
    let verdict = alias_taken("acme");
    assert_eq!((verdict.reason, verdict.recheck), (Reason::AliasTaken, Some(LATER)));
}

#[test]
fn sources_are_written_only_when_they_cannot_shut_out_the_operator() {
    let wanted = KeySources { active: true, public: vec!["203.0.113.0/24".to_owned()], vpcs: Vec::new() };
    let part =
        |reach| Part::Sources { wanted: wanted.clone(), has: KeySources { active: false, ..wanted.clone() }, reach };
    assert_eq!(ask(&part(None), None), Next::Do(Step::LookAtOwnKey));
    assert_eq!(ask(&part(Some(Reach::Spared)), None), Next::Do(Step::SetSources(wanted.clone())));
    assert_eq!(reason(&ask(&part(Some(Reach::Bound)), None)), Reason::SourcesShutOut);
    // Nobody asks where nothing is to be written.
    let has = KeySources { public: vec!["203.0.113.9/24".to_owned()], ..wanted.clone() };
    let same = Part::Sources { wanted: wanted.clone(), has, reach: None };
    assert_eq!(reason(&ask(&same, None)), Reason::Applied);
}

#[test]
fn a_pause_stops_writes_and_no_looks() {
    let paused = |part: &Part| reason(&next(&Seen { part, memory: None, generation: 1, paused: true }, at(0)));
    assert_eq!(paused(&passwords()), Reason::Paused);
    assert_eq!(paused(&alias("acme", Permission::Allow, Some("old"))), Reason::Paused);
    assert_eq!(paused(&alias("acme", Permission::Deny, Some("acme"))), Reason::Applied);
}

#[test]
fn one_condition_speaks_of_every_part() {
    let of = |reasons: &[Reason]| summary(&reasons.iter().map(|reason| Verdict::new(*reason)).collect::<Vec<_>>());
    assert_eq!(of(&[]).0, Reason::Applied);
    assert_eq!(of(&[Reason::Applied, Reason::Applied]).0, Reason::Applied);
    let (reason, message) = of(&[Reason::Unsettled, Reason::Applied, Reason::AliasTaken, Reason::AccessDenied]);
    assert_eq!(reason, Reason::AliasTaken);
    for other in [Reason::Unsettled, Reason::AliasTaken, Reason::AccessDenied] {
        assert!(message.contains(other.meaning()), "{message}");
    }
    assert!(!message.contains(Reason::Applied.meaning()), "{message}");
    assert_eq!(of(&[Reason::Applied, Reason::Unsettled]).0, Reason::Unsettled);
}
