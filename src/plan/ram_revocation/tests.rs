use std::time::Duration;

use super::*;
use crate::api::{AccountRef, OrderedUser, Why};
use crate::plan::timing::{MINT_WINDOW, PUBLISH_BOUND, READ_LAG, STRAY_QUIET};

const KEY: &str = "LTAIordered00000001";

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

fn marker(uid: &str) -> Marker {
    Marker::of("prod", "team-a", "reader", uid)
}

fn key(id: &str, status: KeyStatus) -> AccessKey {
    AccessKey { id: id.to_owned(), status, create_time: now() - Duration::from_hours(24) }
}

/// An order of a RamUser that is gone, for the user and one key.
fn order() -> Order {
    Order {
        from: "RamUser/team-a/reader".to_owned(),
        uid: "0a1b2c3d-1".to_owned(),
        account_id: Some("1".to_owned()),
        user: OrderedUser {
            user_name: "team-a.reader".to_owned(),
            user_id: Some("2".to_owned()),
            namespace: "team-a".to_owned(),
            name: "reader".to_owned(),
            marker_uid: Some("0a1b2c3d".to_owned()),
            console_login: false,
            virtual_mfa: false,
            not_before: None,
            deletion_policy: UserDeletionPolicy::Delete,
        },
        access_key_ids: vec![KEY.to_owned()],
        ..Order::default()
    }
}

fn seen(order: Option<Order>) -> Seen {
    Seen {
        finalizer: true,
        deleting: false,
        abandoned: false,
        spec: RamRevocationSpec {
            account_ref: AccountRef::default(),
            access_key_id: order.is_none().then(|| KEY.to_owned()),
            note: None,
            left_over: None,
            order,
        },
        account: Ok(AccountView {
            account_id: "1".to_owned(),
            owner_id: "prod".to_owned(),
            prefix: String::new(),
            default_domain: None,
            leaving: false,
        }),
        user_name: Some("team-a.reader".to_owned()),
        found_before: true,
        ram: Some(InRam {
            user: Owner::Marked(marker("0a1b2c3d-1")),
            keys: vec![key(KEY, KeyStatus::Active)],
            policies: vec![PolicyRef { kind: crate::ram::PolicyType::System, name: "P".to_owned() }],
            groups: vec!["g".to_owned()],
            login: None,
            mfa: None,
        }),
        listed: None,
        live_user: false,
        claims: Vec::new(),
        strays: Vec::new(),
        created: None,
        deleted: BTreeSet::new(),
        uses: BTreeMap::new(),
        purged: BTreeSet::new(),
        publisher: None,
        disable_refused: false,
        mfa_ours: None,
        mfa_loose: None,
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
fn an_order_takes_away_in_the_order_that_ram_asks_for() {
    let mut seen = seen(Some(order()));
    seen.finalizer = false;
    assert_eq!(step(&seen), Step::AddFinalizer);
    seen.finalizer = true;
    assert_eq!(step(&seen), Step::Disable(KEY.to_owned()));
    ram(&mut seen).keys = vec![key(KEY, KeyStatus::Inactive)];
    assert_eq!(step(&seen), Step::Delete(KEY.to_owned()));
    ram(&mut seen).keys = vec![key("LTAIforeign", KeyStatus::Active)];
    assert_eq!(why(&seen), Reason::Blocked);
    ram(&mut seen).keys.clear();
    assert!(matches!(step(&seen), Step::DetachPolicy(_)));
    ram(&mut seen).policies.clear();
    assert_eq!(step(&seen), Step::LeaveGroup("g".to_owned()));
    ram(&mut seen).groups.clear();
    let (ours, others) = ("acs:ram::1:mfa/ours".to_owned(), "acs:ram::1:mfa/others".to_owned());
    let device = crate::ram::MfaInfo { serial_number: others.clone(), kind: crate::ram::MfaKind::Virtual };
    ram(&mut seen).mfa = Some(device);
    seen.mfa_ours = Some(ours.clone());
    assert_eq!(step(&seen), Step::UnbindMfa);
    ram(&mut seen).mfa = None;
    seen.mfa_loose = Some(others.clone());
    assert_eq!(step(&seen), Step::DeleteMfaDevice(others));
    seen.mfa_loose = None;
    assert_eq!(step(&seen), Step::DeleteMfaDevice(ours));
    seen.mfa_ours = None;
    assert_eq!(step(&seen), Step::DeleteUser);
    ram(&mut seen).user = Owner::Gone;
    assert_eq!(step(&seen), Step::Finish);
}

#[test]
fn a_log_on_that_cannot_be_disabled_is_deleted_before_anything_is_waited_for() {
    let mut order = order();
    order.user.not_before = Some((now() + Duration::from_hours(1)).to_string());
    let mut seen = seen(Some(order));
    let account = seen.account.as_mut().expect("an account");
    account.default_domain = Some("1.onaliyun.com".to_owned());
    ram(&mut seen).keys.clear();
    let profile = crate::ram::LoginProfile {
        enabled: Some(true),
        password_reset_required: false,
        mfa_bind_required: false,
        password_status: None,
    };
    ram(&mut seen).login = Some(profile);
    assert_eq!(step(&seen), Step::DisableLogin);
    seen.disable_refused = true;
    assert_eq!(step(&seen), Step::DeleteLogin);
    ram(&mut seen).login = None;
    assert_eq!(why(&seen), Reason::GracePeriod);
}

#[test]
fn an_order_is_void_for_a_user_that_an_object_took_back() {
    let mut taken = seen(Some(order()));
    taken.live_user = true;
    ram(&mut taken).keys.clear();
    assert_eq!(step(&taken), Step::Finish);
    taken.live_user = false;
    ram(&mut taken).user = Owner::Marked(marker("ffffffff-2"));
    assert_eq!(step(&taken), Step::Finish);
    // Its keys go all the same, but not those that a RamAccessKey has which stayed.
    ram(&mut taken).keys = vec![key(KEY, KeyStatus::Inactive)];
    assert_eq!(step(&taken), Step::Delete(KEY.to_owned()));
    taken.claims = vec![Claim { name: "k".to_owned(), ids: vec![KEY.to_owned()], ..Claim::default() }];
    assert_eq!(step(&taken), Step::Finish);
}

#[test]
fn an_order_about_a_user_that_stays_takes_our_marker_off_and_nothing_else() {
    let mut order = Order { access_key_ids: Vec::new(), ..order() };
    order.user.deletion_policy = UserDeletionPolicy::Retain;
    assert!(!wants_user(&order));
    let mut left = seen(Some(order));
    assert_eq!(step(&left), Step::Unmark, "whatever it has");
    left.live_user = true;
    assert_eq!(step(&left), Step::Unmark, "an object that came since owns it only by its own marker");
    left.claims = vec![Claim { name: "k".to_owned(), deleting: true, ..Claim::default() }];
    assert_eq!(why(&left), Reason::WaitingForKeys, "whoever takes keys away asks whose the user is");
    left.claims.clear();
    let others = Owner::Marked(Marker::of("prod", "team-b", "reader", "0a1b2c3d-1"));
    for user in [Owner::Marked(marker("ffffffff-2")), others, Owner::NotOurs, Owner::Gone] {
        ram(&mut left).user = user;
        assert_eq!(step(&left), Step::Finish);
    }
}

#[test]
fn an_order_touches_nobody_elses_user() {
    let mut other = seen(Some(order()));
    ram(&mut other).user = Owner::NotOurs;
    assert_eq!(why(&other), Reason::UserNotOwned);
    ram(&mut other).user = Owner::Marked(Marker::of("prod", "team-b", "reader", "0a1b2c3d-1"));
    assert_eq!(why(&other), Reason::UserNotOwned);
    let mut account = seen(Some(Order { account_id: Some("9".to_owned()), ..order() }));
    assert_eq!(why(&account), Reason::WrongAccount);
    account.abandoned = true;
    assert_eq!(step(&account), Step::Finish);
}

#[test]
fn a_grace_period_keeps_user_and_keys_disarmed() {
    let mut grace = order();
    grace.user.not_before = Some((now() + Duration::from_hours(1)).to_string());
    let mut seen = seen(Some(grace));
    seen.claims = vec![Claim { name: "k".to_owned(), ids: vec![KEY.to_owned()], ..Claim::default() }];
    assert_eq!(step(&seen), Step::Disarm("k".to_owned()), "it may come back");
    seen.claims[0].disarmed = true;
    assert_eq!(step(&seen), Step::Disable(KEY.to_owned()));
    ram(&mut seen).keys = vec![key(KEY, KeyStatus::Inactive)];
    assert_eq!(why(&seen), Reason::GracePeriod);
}

#[test]
fn a_key_from_an_open_window_is_disabled_and_deleted_after_its_quiet_time() {
    let sent = now() - MINT_WINDOW - PUBLISH_BOUND - READ_LAG - Duration::from_secs(5);
    let intent = Intent {
        id: "i".to_owned(),
        time: sent,
        not_after: sent + MINT_WINDOW,
        known_ids: vec!["LTAIknown".to_owned()],
        replaces: None,
    };
    let mut seen = seen(Some(Order { intents: vec![intent.write()], access_key_ids: Vec::new(), ..order() }));
    let made = |id: &str, status| AccessKey { id: id.to_owned(), status, create_time: sent + Duration::from_mins(1) };
    ram(&mut seen).keys = vec![made("LTAIknown", KeyStatus::Inactive), made("LTAIstray", KeyStatus::Active)];
    assert_eq!(step(&seen), Step::LookAtUse("LTAIstray".to_owned()));
    seen.uses.insert("LTAIstray".to_owned(), LastUsed::default());
    assert_eq!(step(&seen), Step::NoteStray("LTAIstray".to_owned()));
    seen.strays = vec![Retiring::new("LTAIstray", Why::Stray, now())];
    assert_eq!(step(&seen), Step::Disable("LTAIstray".to_owned()));
    ram(&mut seen).keys.remove(0);
    ram(&mut seen).keys = vec![made("LTAIstray", KeyStatus::Inactive)];
    assert_eq!(why(&seen), Reason::Deleting);
    seen.strays[0].disabled_time = Some(now() - STRAY_QUIET - Duration::from_secs(1));
    assert_eq!(step(&seen), Step::Delete("LTAIstray".to_owned()));
    // Enabled by somebody, it has a whole quiet time before it, which is noted first.
    ram(&mut seen).keys = vec![made("LTAIstray", KeyStatus::Active)];
    assert_eq!(step(&seen), Step::NoteStray("LTAIstray".to_owned()));
    assert_eq!(settled(&seen, now())[0].disabled_time, None);
    ram(&mut seen).keys = vec![made("LTAIstray", KeyStatus::Inactive)];
    seen.uses.insert("LTAIstray".to_owned(), LastUsed { time: Some(now() + Duration::from_secs(1)), service: None });
    assert!(settled(&seen, now()).is_empty(), "a key in use is foreign");
}

#[test]
fn what_ram_showed_before_the_end_of_a_window_says_nothing_of_the_window() {
    let end = now() - Duration::from_secs(5);
    let sent = end - READ_LAG - PUBLISH_BOUND - MINT_WINDOW;
    let not_after = sent + MINT_WINDOW;
    let intent = Intent { id: "i".to_owned(), time: sent, not_after, known_ids: Vec::new(), replaces: None };
    let mut user = order().user;
    user.marker_uid = None;
    let order = Order { intents: vec![intent.write()], access_key_ids: Vec::new(), user, ..order() };
    let mut seen = seen(Some(order));
    ram(&mut seen).keys.clear();
    seen.listed = Some(end);
    assert_eq!(why(&seen), Reason::AwaitingWindow, "the pass froze after its look");
    seen.listed = Some(end + Duration::from_secs(1));
    assert_eq!(step(&seen), Step::Finish);
}

#[test]
fn a_stray_of_a_claim_waits_for_its_quiet_time_before_the_user_goes() {
    let mut seen = seen(Some(Order { access_key_ids: Vec::new(), ..order() }));
    let disabled = Some(now() - Duration::from_mins(1));
    let stray = Retiring { disabled_time: disabled, ..Retiring::new(KEY, Why::Stray, now() - Duration::from_mins(2)) };
    ram(&mut seen).keys = vec![key(KEY, KeyStatus::Inactive)];
    let strays = vec![stray.clone()];
    seen.claims = vec![Claim { name: "k".to_owned(), ids: vec![KEY.to_owned()], strays, ..Claim::default() }];
    seen.strays = vec![stray];
    assert_eq!(why(&seen), Reason::Deleting);
    // It was used: it is foreign, whatever the claim still says.
    seen.uses.insert(KEY.to_owned(), LastUsed { time: Some(now()), service: None });
    assert_eq!(why(&seen), Reason::Blocked);
}

#[test]
fn a_person_revokes_by_id_what_this_installation_made() {
    let mut seen = seen(None);
    seen.finalizer = false;
    assert_eq!(step(&seen), Step::AddFinalizer);
    seen.finalizer = true;
    assert_eq!(step(&seen), Step::Disable(KEY.to_owned()));
    ram(&mut seen).keys = vec![key(KEY, KeyStatus::Inactive)];
    let publisher = Publisher { namespace: "team-a".to_owned(), name: "k".to_owned(), told: false };
    seen.publisher = Some(publisher.clone());
    assert_eq!(step(&seen), Step::Tell(publisher.clone()));
    seen.publisher = Some(Publisher { told: true, ..publisher });
    assert_eq!(why(&seen), Reason::AwaitingReplacement);
    seen.publisher = None;
    assert_eq!(step(&seen), Step::Delete(KEY.to_owned()));
    ram(&mut seen).keys.clear();
    assert_eq!(step(&seen), Step::Purge(KEY.to_owned()));
    seen.purged.insert(KEY.to_owned());
    assert_eq!(step(&seen), Step::Finish);
    seen.finalizer = false;
    assert_eq!(why(&seen), Reason::Revoked);
}

#[test]
fn a_person_cannot_revoke_what_is_not_ours() {
    let mut other = seen(None);
    for user in [Owner::NotOurs, Owner::Marked(Marker::of("other", "team-a", "reader", "0a1b2c3d-1"))] {
        ram(&mut other).user = user;
        assert_eq!(why(&other), Reason::RevokeRefused);
    }
    ram(&mut other).user = Owner::Gone;
    other.found_before = false;
    assert_eq!(why(&other), Reason::KeyNotFound);
}
