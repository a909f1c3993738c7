mod adopt;

use std::time::Duration;

use super::*;
use crate::api::{KeyDeletionPolicy, Why};
use crate::plan::timing::{
    CLOCK_TOLERANCE, LATER, MINT_WINDOW, OVERLAP, PROOF_PATIENCE, PUBLISH_BOUND, QUARANTINE, READ_LAG, STRAY_QUIET,
};

const ID: &str = "LTAIpublished";
const USER: &str = "212345678901234567";

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

fn ago(wait: Duration) -> Timestamp {
    now() - wait
}

fn key(id: &str, status: KeyStatus, create_time: Timestamp) -> AccessKey {
    AccessKey { id: id.to_owned(), status, create_time }
}

fn intent(id: &str, time: Timestamp) -> Intent {
    Intent { id: id.to_owned(), time, not_after: time + MINT_WINDOW, known_ids: Vec::new(), replaces: None }
}

fn retiring(id: &str, why: Why, time: Timestamp, disabled_time: Option<Timestamp>) -> Retiring {
    let mut key = Retiring { disabled_time, ..Retiring::new(id, why, time) };
    key.next_time = super::retire::due(&key, &super::Pace::of(&crate::api::Rotation::default()));
    key
}

fn authentic() -> Proof {
    Proof::Authentic { account_id: Some("1".to_owned()), user_id: Some(USER.to_owned()) }
}

/// A RamAccessKey at rest: published a day ago, proved, known to RAM.
fn seen() -> Seen {
    let made = ago(Duration::from_hours(24));
    let published = Published {
        id: Some(ID.to_owned()),
        intact: true,
        account_id: Some("1".to_owned()),
        time: Some(made),
        intent: Some("first".to_owned()),
        retiring: Vec::new(),
        up_to_date: true,
        owned: true,
    };
    Seen {
        name: "ingest".to_owned(),
        deleting: false,
        namespace_terminating: false,
        finalizer: true,
        paused: false,
        spec: serde_json::from_str(r#"{"userRef":{"name":"reader"}}"#).expect("a spec"),
        asked: Asked::default(),
        journal: Journal {
            account_id: Some("1".to_owned()),
            user_id: Some(USER.to_owned()),
            user_name: Some("team-a.reader".to_owned()),
            access_key_id: Some(ID.to_owned()),
            state: Some(KeyState::Active),
            create_time: Some(made),
            published_time: Some(made),
            proved_time: Some(made),
            ..Journal::default()
        },
        account: Ok(AccountView {
            account_id: "1".to_owned(),
            owner_id: "prod".to_owned(),
            prefix: String::new(),
            default_domain: None,
            leaving: false,
        }),
        grant: Ok(()),
        retain_denied: false,
        max_age: None,
        user: UserSeen::Made { user_id: USER.to_owned(), ready: true, deleting: false, suspended: false, stays: false },
        rights: Rights::Own,
        ram: Some(InRam { user: Ownership::Ours, keys: vec![key(ID, KeyStatus::Active, made)] }),
        listed: None,
        deleted: BTreeSet::new(),
        enabled: BTreeSet::new(),
        secret: SecretSeen::Ours(published),
        to_adopt: None,
        siblings: Vec::new(),
        proofs: BTreeMap::new(),
        uses: BTreeMap::new(),
        sources: None,
        purged: BTreeSet::new(),
        workloads: BTreeMap::new(),
    }
}

/// Nothing made yet.
fn fresh() -> Seen {
    let mut seen = seen();
    seen.journal = Journal::default();
    seen.secret = SecretSeen::Absent;
    keys(&mut seen).clear();
    seen
}

fn keys(seen: &mut Seen) -> &mut Vec<AccessKey> {
    &mut seen.ram.as_mut().expect("RAM was seen").keys
}

fn published(seen: &mut Seen) -> &mut Published {
    match &mut seen.secret {
        SecretSeen::Ours(published) => published,
        other => panic!("not ours: {other:?}"),
    }
}

fn step(seen: &Seen) -> Step {
    match next(seen, now()) {
        Next::Do(step) => step,
        Next::Rest(verdict) => panic!("rest: {verdict:?}"),
    }
}

fn rest(seen: &Seen) -> Verdict {
    match next(seen, now()) {
        Next::Rest(verdict) => verdict,
        Next::Do(step) => panic!("a step: {step:?}"),
    }
}

fn used(seen: &mut Seen, id: &str, time: Option<Timestamp>) {
    seen.uses.insert(id.to_owned(), LastUsed { time, service: None });
}

#[test]
fn an_unchanged_world_asks_for_nothing_and_changes_nothing() {
    let seen = seen();
    assert_eq!(rest(&seen).reason, Reason::Available);
    assert_eq!(settle(&seen, now()), seen.journal);
}

#[test]
fn the_bound_on_proof_and_publish_covers_the_timeouts_it_stands_for() {
    // One request to RAM (connect 5 s, answer 15 s) may end after the patience; five writes of the Secret and as many
    // reads wait ten seconds each, with pauses of 0.2 to 3.2 seconds between them.
    let writes = Duration::from_secs(10 * 10) + Duration::from_millis(200 * 31);
    let bound = Duration::from_secs(20) + PROOF_PATIENCE + Duration::from_secs(20) + writes;
    assert!(PUBLISH_BOUND >= bound, "{bound:?}");
}

#[test]
fn the_first_key_is_minted_behind_a_finalizer_for_a_ready_user_within_the_tenants_grant() {
    let mut seen = fresh();
    assert_eq!(step(&seen), Step::Mint { replaces: None });
    seen.finalizer = false;
    assert_eq!(step(&seen), Step::AddFinalizer);
    seen.grant = Err(Verdict::new(Reason::NotATenant));
    assert_eq!(rest(&seen).reason, Reason::NotATenant);
    seen.grant = Ok(());
    seen.user =
        UserSeen::Made { user_id: USER.to_owned(), ready: false, deleting: false, suspended: false, stays: false };
    assert_eq!(rest(&seen).reason, Reason::UserNotReady);
    seen.ram = Some(InRam { user: Ownership::NotOurs, keys: Vec::new() });
    assert_eq!(rest(&seen).reason, Reason::UserNotOwned);
}

#[test]
fn a_key_of_an_adopted_user_is_minted_only_with_the_rights_that_were_judged() {
    let mut seen = fresh();
    seen.rights = Rights::Unread;
    assert_eq!(step(&seen), Step::LookAtRights);
    seen.rights = Rights::Judged;
    assert_eq!(step(&seen), Step::Mint { replaces: None });
    seen.rights = Rights::Changed;
    assert_eq!((rest(&seen).reason, rest(&seen).recheck), (Reason::UserNotReady, Some(LATER)));
    // Neither is room made for it.
    seen.journal.retiring = vec![retiring("LTAIold", Why::Replaced, ago(OVERLAP), Some(now()))];
    keys(&mut seen).push(key("LTAIold", KeyStatus::Inactive, ago(OVERLAP)));
    keys(&mut seen).push(key("LTAIforeign", KeyStatus::Active, ago(OVERLAP)));
    assert_eq!(rest(&seen).reason, Reason::UserNotReady);
    seen.rights = Rights::Unread;
    assert_eq!(step(&seen), Step::LookAtRights);
    // Where there can be none, nobody asks.
    keys(&mut seen)[0] = key("LTAIother", KeyStatus::Active, ago(OVERLAP));
    seen.journal.retiring.clear();
    assert_eq!(rest(&seen).reason, Reason::NoFreeSlot);
}

#[test]
fn a_pair_of_an_adopted_user_is_replaced_only_with_the_rights_that_were_judged() {
    let mut seen = seen();
    seen.rights = Rights::Unread;
    assert_eq!(rest(&seen).reason, Reason::Available, "none is due: nothing is read");
    seen.asked.rotate = Some("a".to_owned());
    seen.journal = settle(&seen, now());
    assert_eq!(step(&seen), Step::LookAtRights);
    seen.rights = Rights::Judged;
    assert_eq!(step(&seen), Step::Mint { replaces: Some(ID.to_owned()) });
    seen.rights = Rights::Changed;
    assert_eq!((rest(&seen).reason, rest(&seen).recheck), (Reason::Available, Some(READ_LAG)), "the pair still works");
    let notes = notes(&seen, &settle(&seen, now()), now());
    assert_eq!(notes.iter().map(|note| (note.0, note.1)).collect::<Vec<_>>(), [("RotationBlocked", "UserNotReady")]);
}

#[test]
fn what_is_published_by_our_intent_is_recorded_and_closes_that_intent_only() {
    let mut seen = seen();
    seen.journal = Journal {
        intents: vec![intent("first", ago(Duration::from_secs(9))), intent("other", now())],
        ..Journal::default()
    };
    seen.proofs.insert(ID.to_owned(), authentic());
    assert_eq!(rest(&seen).reason, Reason::Available);
    let journal = settle(&seen, now());
    assert_eq!(journal.access_key_id.as_deref(), Some(ID));
    assert_eq!(journal.intents.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["other"]);
    assert_eq!(journal.proved_time, Some(now()));
}

#[test]
fn lost_status_is_rebuilt_by_proof_and_nothing_is_minted() {
    let mut seen = seen();
    seen.journal = Journal::default();
    published(&mut seen).retiring = vec![("LTAIold".to_owned(), ago(Duration::from_hours(1)), Why::Replaced)];
    keys(&mut seen).push(key("LTAIold", KeyStatus::Active, ago(Duration::from_hours(50))));
    assert_eq!(step(&seen), Step::Prove(ID.to_owned()));
    seen.proofs.insert(ID.to_owned(), authentic());
    assert_eq!(rest(&seen).reason, Reason::Available);
    let journal = settle(&seen, now());
    assert_eq!(journal.access_key_id.as_deref(), Some(ID));
    assert_eq!(journal.retiring.iter().map(|k| k.id.as_str()).collect::<Vec<_>>(), ["LTAIold"]);
}

#[test]
fn a_pair_of_somebody_else_in_our_secret_is_not_taken_for_ours() {
    let mut seen = seen();
    seen.journal.access_key_id = None;
    let other = Proof::Authentic { account_id: None, user_id: Some("299999999999999999".to_owned()) };
    for proof in [other, Proof::NotYet, Proof::Inactive] {
        seen.proofs.insert(ID.to_owned(), proof);
        assert_eq!(step(&seen), Step::Mint { replaces: None });
    }
    // RAM knows the pair and says no more: then its list of our user's keys decides.
    seen.proofs.insert(ID.to_owned(), Proof::Authentic { account_id: None, user_id: None });
    assert_eq!(standing(&seen, now()), Standing::Published(ID.to_owned()));
    keys(&mut seen)[0].id = "LTAIother".to_owned();
    assert_eq!(standing(&seen, now()), Standing::Lost);
    keys(&mut seen)[0].id = ID.to_owned();
    // A sibling's pair, copied into our Secret.
    seen.proofs.clear();
    seen.siblings = vec![Sibling { name: "other".to_owned(), ids: vec![ID.to_owned()], ..Sibling::default() }];
    assert_eq!(step(&seen), Step::Mint { replaces: None });
}

#[test]
fn a_lost_or_damaged_pair_is_replaced_and_the_old_key_retired() {
    for damage in [SecretSeen::Absent, SecretSeen::Ours(Published { intact: false, ..Published::default() })] {
        let mut seen = seen();
        seen.secret = damage;
        assert_eq!(step(&seen), Step::Mint { replaces: Some(ID.to_owned()) });
    }
    let mut seen = seen();
    seen.journal.intents =
        vec![Intent { replaces: Some(ID.to_owned()), ..intent("second", ago(Duration::from_secs(5))) }];
    *published(&mut seen) = Published {
        id: Some("LTAInew".to_owned()),
        intent: Some("second".to_owned()),
        time: Some(now()),
        retiring: vec![(ID.to_owned(), now(), Why::Replaced)],
        ..published(&mut seen).clone()
    };
    keys(&mut seen).push(key("LTAInew", KeyStatus::Active, now()));
    let journal = settle(&seen, now());
    assert_eq!(journal.retiring, [retiring(ID, Why::Replaced, now(), None)]);
    assert_eq!(step(&seen), Step::Prove("LTAInew".to_owned()), "nothing is retired before the new pair is proved");
}

#[test]
fn a_key_missing_from_one_list_is_not_lost_yet() {
    let mut seen = seen();
    keys(&mut seen).clear();
    assert_eq!(rest(&seen).reason, Reason::KeyMissing);
    let journal = settle(&seen, now());
    assert_eq!(journal.missing_time, Some(now()));
    seen.journal.missing_time = Some(ago(READ_LAG));
    assert_eq!(rest(&seen).reason, Reason::KeyMissing);
    seen.journal.missing_time = Some(ago(READ_LAG + Duration::from_secs(1)));
    assert_eq!(step(&seen), Step::Mint { replaces: None });
}

#[test]
fn a_replaced_key_overlaps_then_rests_disabled_then_goes() {
    let mut seen = seen();
    let old = |disabled| vec![retiring("LTAIold", Why::Replaced, ago(OVERLAP + Duration::from_secs(1)), disabled)];
    keys(&mut seen).push(key("LTAIold", KeyStatus::Active, ago(OVERLAP * 3)));
    seen.journal.retiring = vec![retiring("LTAIold", Why::Replaced, ago(OVERLAP), None)];
    assert_eq!(rest(&seen).reason, Reason::Available, "the overlap is not over");
    seen.journal.retiring = old(None);
    assert_eq!(step(&seen), Step::LookAtUse("LTAIold".to_owned()));
    used(&mut seen, "LTAIold", Some(ago(Duration::from_hours(26))));
    assert_eq!(rest(&seen).reason, Reason::Available, "it was used recently");
    used(&mut seen, "LTAIold", Some(ago(Duration::from_hours(28))));
    assert_eq!(step(&seen), Step::Disable("LTAIold".to_owned()));
    used(&mut seen, "LTAIold", None);
    assert_eq!(step(&seen), Step::Disable("LTAIold".to_owned()));
    keys(&mut seen)[1].status = KeyStatus::Inactive;
    let mut noted = old(Some(now()));
    noted[0].last_use = LastUse::Never;
    assert_eq!(settle(&seen, now()).retiring, noted);
    seen.journal.retiring = old(Some(ago(QUARANTINE)));
    assert_eq!(rest(&seen).reason, Reason::Available);
    seen.journal.retiring = old(Some(ago(QUARANTINE + Duration::from_secs(1))));
    assert_eq!(step(&seen), Step::Delete("LTAIold".to_owned()));
}

#[test]
fn nothing_is_retired_while_the_new_pair_is_unproven() {
    let mut seen = seen();
    keys(&mut seen).push(key("LTAIold", KeyStatus::Active, ago(OVERLAP * 3)));
    seen.journal.retiring = vec![retiring("LTAIold", Why::Replaced, ago(OVERLAP * 2), None)];
    seen.journal.proved_time = None;
    seen.proofs.insert(ID.to_owned(), Proof::NotYet);
    assert_eq!(rest(&seen).reason, Reason::Unproven);
}

#[test]
fn a_stray_waits_for_every_window_is_fenced_disabled_and_deleted() {
    let mut seen = seen();
    let sent = ago(MINT_WINDOW + PUBLISH_BOUND);
    keys(&mut seen).push(key("LTAIstray", KeyStatus::Active, sent + Duration::from_secs(1)));
    seen.journal.intents = vec![intent("lost", sent)];
    assert_eq!(rest(&seen).reason, Reason::Available, "the bound on proof and publish is not over");
    assert_eq!(settle(&seen, now()).intents.len(), 1, "an intent with a suspect stays open");
    seen.journal.intents = vec![intent("lost", sent - Duration::from_secs(1))];
    // A sibling's mint may have made it just as well: its window counts, and its Secret is fenced too.
    seen.siblings =
        vec![Sibling { name: "sibling".to_owned(), intents: vec![intent("theirs", sent)], ..Sibling::default() }];
    assert_eq!(rest(&seen).reason, Reason::Available);
    seen.siblings[0].intents = vec![intent("theirs", sent - Duration::from_secs(1))];
    assert_eq!(step(&seen), Step::LookAtUse("LTAIstray".to_owned()));
    used(&mut seen, "LTAIstray", None);
    let fence = vec!["sibling".to_owned(), "ingest".to_owned()];
    assert_eq!(step(&seen), Step::AdoptStray { id: "LTAIstray".to_owned(), fence });
    let stray = |disabled| vec![retiring("LTAIstray", Why::Stray, ago(Duration::from_secs(1)), disabled)];
    seen.journal.retiring = stray(None);
    assert_eq!(step(&seen), Step::Disable("LTAIstray".to_owned()));
    keys(&mut seen)[1].status = KeyStatus::Inactive;
    seen.journal.retiring = stray(Some(ago(STRAY_QUIET)));
    assert_eq!(rest(&seen).reason, Reason::Available);
    seen.journal.retiring = stray(Some(ago(STRAY_QUIET + Duration::from_secs(1))));
    seen.uses.clear();
    assert_eq!(step(&seen), Step::LookAtUse("LTAIstray".to_owned()));
    used(&mut seen, "LTAIstray", Some(ago(STRAY_QUIET * 2)));
    assert_eq!(step(&seen), Step::Delete("LTAIstray".to_owned()));
    used(&mut seen, "LTAIstray", Some(now()));
    assert_eq!(rest(&seen).reason, Reason::Available, "somebody uses it: it is foreign now");
    assert!(settle(&seen, now()).retiring.is_empty());
}

#[test]
fn a_stray_that_somebody_enabled_has_a_whole_quiet_time_before_it() {
    let mut seen = seen();
    keys(&mut seen).push(key("LTAIstray", KeyStatus::Active, ago(Duration::from_hours(9))));
    let long_ago = ago(STRAY_QUIET * 2);
    seen.journal.retiring = vec![retiring("LTAIstray", Why::Stray, long_ago, Some(long_ago))];
    for deleting in [false, true] {
        seen.deleting = deleting;
        assert_eq!(step(&seen), Step::Record, "noted before it is disabled, so that a crash forgets nothing");
        assert_eq!(settle(&seen, now()).retiring[0].disabled_time, None);
    }
}

#[test]
fn a_stray_is_left_behind_and_published_as_what_it_is() {
    let mut seen = seen();
    keys(&mut seen).push(key("LTAIstray", KeyStatus::Inactive, ago(Duration::from_hours(9))));
    let since = ago(Duration::from_mins(5));
    seen.journal.retiring = vec![retiring("LTAIstray", Why::Stray, since, Some(since))];
    let order = order(&seen, &seen.journal).expect("an order");
    assert_eq!(order.access_key_ids, [ID]);
    assert_eq!(order.strays.expect("strays")[0].id, "LTAIstray");
    // The status was lost, and the Secret says what it was.
    seen.journal = Journal::default();
    published(&mut seen).retiring = vec![("LTAIstray".to_owned(), since, Why::Stray)];
    seen.proofs.insert(ID.to_owned(), authentic());
    let journal = settle(&seen, now());
    assert_eq!((journal.retiring[0].why, journal.retiring[0].disabled_time), (Why::Stray, Some(now())));
}

#[test]
fn a_tenants_bound_on_age_is_not_evaded_by_long_waits_or_hidden_by_what_is_in_the_way() {
    let day = Duration::from_hours(24);
    let mut seen = seen();
    seen.max_age = Some(day * 8);
    seen.spec.rotation.overlap = crate::api::Span("9999d".to_owned());
    assert_eq!((seen.pace().overlap, seen.pace().quarantine), (day * 4, day * 2));
    keys(&mut seen)[0].create_time = ago(day * 9);
    assert!(matches!(step(&seen), Step::Mint { .. }));
    seen.paused = true;
    assert_eq!(rest(&seen).reason, Reason::TooOld);
    // Wanted already, as every pair some time before its bound, and not too old yet.
    keys(&mut seen)[0].create_time = ago(day * 8);
    assert_eq!(rest(&seen).reason, Reason::Available);
}

#[test]
fn a_rotation_that_is_asked_for_while_the_keys_rest_says_why_it_waits() {
    for user in [false, true] {
        let mut seen = seen();
        seen.asked.rotate = Some("1".to_owned());
        seen.journal = settle(&seen, now());
        if user {
            let UserSeen::Made { suspended, .. } = &mut seen.user else { panic!("made") };
            *suspended = true;
        } else {
            seen.spec.state = KeyState::Inactive;
        }
        let note = notes(&seen, &settle(&seen, now()), now()).into_iter().next().expect("a note");
        assert_eq!((note.0, note.1), ("RotationBlocked", if user { "UserSuspended" } else { "Inactive" }));
    }
}

#[test]
fn our_own_note_of_the_account_wins_over_the_secrets() {
    let mut seen = seen();
    *published(&mut seen) =
        Published { account_id: Some("9".to_owned()), up_to_date: false, ..published(&mut seen).clone() };
    assert_eq!(step(&seen), Step::Republish);
    seen.journal = Journal::default();
    assert_eq!(rest(&seen).reason, Reason::WrongAccount);
}

#[test]
fn a_secret_that_names_an_open_intent_makes_no_key_from_before_it_ours() {
    let mut seen = fresh();
    keys(&mut seen).push(key("LTAIforeign", KeyStatus::Active, ago(OVERLAP)));
    seen.secret = SecretSeen::Ours(Published {
        id: Some("LTAIforeign".to_owned()),
        intact: true,
        intent: Some("open".to_owned()),
        ..Published::default()
    });
    seen.journal.intents = vec![intent("open", now())];
    assert_eq!(standing(&seen, now()), Standing::Published("LTAIforeign".to_owned()));
    seen.journal.intents[0].known_ids = vec!["LTAIforeign".to_owned()];
    assert_eq!(standing(&seen, now()), Standing::Unexplained("LTAIforeign".to_owned()));
    seen.proofs.insert("LTAIforeign".to_owned(), Proof::NotYet);
    assert_eq!(standing(&seen, now()), Standing::Lost);
}

#[test]
fn a_key_that_somebody_waits_for_is_not_deleted_and_a_restore_that_failed_says_so() {
    let mut seen = seen();
    keys(&mut seen).push(key("LTAIold", KeyStatus::Inactive, ago(OVERLAP * 9)));
    let long_ago = ago(QUARANTINE * 2);
    seen.journal.retiring = vec![retiring("LTAIold", Why::Replaced, long_ago, Some(long_ago))];
    seen.journal.requests.restore =
        Progress { accepted: Some("LTAIold".to_owned()), key: Some("LTAIold".to_owned()), ..Progress::default() };
    seen.asked.restore = Some("LTAIold".to_owned());
    seen.paused = true;
    used(&mut seen, "LTAIold", None);
    assert_eq!(rest(&seen).reason, Reason::Available);
    keys(&mut seen).pop();
    let journal = settle(&seen, now());
    assert_ne!(journal.requests.restore.done.as_deref(), Some("LTAIold"));
    assert!(notes(&seen, &journal, now()).iter().any(|note| note.1 == "Deleted"));
}

#[test]
fn a_stray_makes_room_for_a_lost_pair() {
    let mut seen = seen();
    seen.secret = SecretSeen::Absent;
    keys(&mut seen).push(key("LTAIstray", KeyStatus::Active, ago(Duration::from_hours(1))));
    seen.journal.retiring = vec![retiring("LTAIstray", Why::Stray, ago(Duration::from_secs(1)), None)];
    assert_eq!(step(&seen), Step::Disable("LTAIstray".to_owned()));
    keys(&mut seen)[1].status = KeyStatus::Inactive;
    // A person may have made it, and RAM tells of a use hours later: it is not cut short.
    used(&mut seen, ID, Some(now()));
    assert_eq!(rest(&seen).reason, Reason::NoFreeSlot);
    let quiet = ago(STRAY_QUIET + Duration::from_secs(1));
    seen.journal.retiring = vec![retiring("LTAIstray", Why::Stray, quiet, Some(quiet))];
    used(&mut seen, "LTAIstray", None);
    assert_eq!(step(&seen), Step::Delete("LTAIstray".to_owned()));
    keys(&mut seen).pop();
    assert_eq!(step(&seen), Step::Mint { replaces: Some(ID.to_owned()) });
}

#[test]
fn a_suspect_in_use_becomes_foreign_and_its_intent_closes() {
    let mut seen = seen();
    let sent = ago(MINT_WINDOW + PUBLISH_BOUND + Duration::from_secs(5));
    keys(&mut seen).push(key("LTAIstray", KeyStatus::Active, sent));
    seen.journal.intents = vec![intent("lost", sent)];
    used(&mut seen, "LTAIstray", Some(now()));
    assert_eq!(rest(&seen).reason, Reason::Available);
    assert!(settle(&seen, now()).intents.is_empty());
}

#[test]
fn keys_known_before_or_made_outside_every_window_are_no_suspects() {
    let mut seen = seen();
    let sent = ago(Duration::from_hours(1));
    let known = Intent { known_ids: vec!["LTAIknown".to_owned()], ..intent("lost", sent) };
    seen.journal.intents = vec![known];
    keys(&mut seen).push(key("LTAIknown", KeyStatus::Active, sent));
    keys(&mut seen).push(key("LTAIearlier", KeyStatus::Active, sent - CLOCK_TOLERANCE - Duration::from_secs(1)));
    keys(&mut seen).push(key(
        "LTAIlater",
        KeyStatus::Active,
        sent + MINT_WINDOW + CLOCK_TOLERANCE + Duration::from_secs(1),
    ));
    assert!(suspects(&seen, &seen.journal).is_empty());
    assert!(settle(&seen, now()).intents.is_empty(), "closed: the window is over and there is no suspect");
    seen.journal.intents = vec![intent("open", ago(MINT_WINDOW))];
    assert_eq!(settle(&seen, now()).intents.len(), 1, "a list read this soon may lack the key");
}

#[test]
fn two_slots_make_room_in_order_and_never_by_a_foreign_key() {
    let mut seen = seen();
    seen.secret = SecretSeen::Absent;
    keys(&mut seen).push(key("LTAIforeign", KeyStatus::Active, ago(OVERLAP)));
    assert_eq!(step(&seen), Step::LookAtUse(ID.to_owned()));
    used(&mut seen, ID, Some(ago(Duration::from_hours(1))));
    assert_eq!(rest(&seen).reason, Reason::NoFreeSlot);
    used(&mut seen, ID, None);
    assert_eq!(rest(&seen).reason, Reason::NoFreeSlot, "it is a day old, so that no use is no sign");
    keys(&mut seen)[0].create_time = ago(OVERLAP * 2);
    assert_eq!(step(&seen), Step::Disable(ID.to_owned()));
    keys(&mut seen)[0].status = KeyStatus::Inactive;
    assert_eq!(step(&seen), Step::Delete(ID.to_owned()));
    // A key in quarantine gives way first.
    keys(&mut seen)[1] = key("LTAIold", KeyStatus::Inactive, ago(OVERLAP * 3));
    seen.journal.retiring = vec![retiring("LTAIold", Why::Replaced, ago(OVERLAP), Some(now()))];
    assert_eq!(step(&seen), Step::Delete("LTAIold".to_owned()));
    // Both foreign.
    let mut seen = fresh();
    *keys(&mut seen) = vec![key("LTAIa", KeyStatus::Inactive, now()), key("LTAIb", KeyStatus::Active, now())];
    assert_eq!(rest(&seen).reason, Reason::NoFreeSlot);
}

#[test]
fn open_intents_do_not_stop_a_mint_until_there_are_four() {
    let mut seen = fresh();
    seen.journal.intents = (0..3).map(|n| intent(&format!("i{n}"), now())).collect();
    assert_eq!(step(&seen), Step::Mint { replaces: None });
    seen.journal.intents.push(intent("i3", now()));
    assert_eq!(rest(&seen).reason, Reason::IntentsFull);
}

#[test]
fn state_is_noted_before_it_is_carried_out_and_only_our_own_doing_is_undone() {
    let mut seen = seen();
    seen.spec.state = KeyState::Inactive;
    assert_eq!(step(&seen), Step::RecordState(KeyState::Inactive));
    seen.journal.state = Some(KeyState::Inactive);
    assert_eq!(step(&seen), Step::Disable(ID.to_owned()));
    keys(&mut seen)[0].status = KeyStatus::Inactive;
    assert_eq!(rest(&seen).reason, Reason::Inactive);
    seen.spec.state = KeyState::Active;
    assert_eq!(step(&seen), Step::Enable(ID.to_owned()));
    keys(&mut seen)[0].status = KeyStatus::Active;
    assert_eq!(step(&seen), Step::Enable(ID.to_owned()), "the list may be from before it was disabled");
    seen.enabled.insert(ID.to_owned());
    assert_eq!(step(&seen), Step::RecordState(KeyState::Active));
    seen.enabled.clear();
    seen.journal.state = Some(KeyState::Active);
    keys(&mut seen)[0].status = KeyStatus::Inactive;
    assert_eq!(rest(&seen).reason, Reason::DisabledOutside);
    let mut lost = seen.clone();
    lost.secret = SecretSeen::Absent;
    lost.spec.state = KeyState::Inactive;
    assert_eq!(rest(&lost).reason, Reason::Inactive, "no key is minted for an object that is to have none in use");
}

#[test]
fn deletion_disables_deletes_verifies_and_lets_go() {
    let mut seen = seen();
    seen.deleting = true;
    assert_eq!(step(&seen), Step::Disable(ID.to_owned()));
    keys(&mut seen)[0].status = KeyStatus::Inactive;
    assert_eq!(step(&seen), Step::Delete(ID.to_owned()));
    keys(&mut seen).clear();
    assert_eq!(step(&seen), Step::RemoveFinalizer);
    let mut never = fresh();
    never.deleting = true;
    never.account = Err(Verdict::new(Reason::AccountNotFound));
    assert_eq!(step(&never), Step::RemoveFinalizer, "nothing was ever made");
    let mut unreachable = self::seen();
    unreachable.deleting = true;
    unreachable.account = Err(Verdict::new(Reason::AccountNotReady));
    assert_eq!(rest(&unreachable).reason, Reason::AccountNotReady);
}

#[test]
fn deletion_waits_for_the_window_of_a_mint_without_an_answer() {
    let mut seen = fresh();
    seen.deleting = true;
    seen.journal.intents = vec![intent("lost", now())];
    assert_eq!(rest(&seen).reason, Reason::AwaitingWindow);
    let sent = ago(MINT_WINDOW + READ_LAG + Duration::from_secs(1));
    seen.journal.intents = vec![intent("lost", sent)];
    assert_eq!(step(&seen), Step::RemoveFinalizer, "a list after the window shows no suspect");
    keys(&mut seen).push(key("LTAIstray", KeyStatus::Active, sent));
    assert_eq!(rest(&seen).reason, Reason::AwaitingWindow);
}

#[test]
fn deletion_policies() {
    let with = |policy| {
        let mut seen = seen();
        seen.deleting = true;
        seen.spec.deletion_policy = policy;
        seen
    };
    let mut retain = with(KeyDeletionPolicy::Retain);
    assert_eq!(step(&retain), Step::Release { marks: true });
    assert!(!retain_refused(&retain));
    retain.secret = SecretSeen::Foreign;
    assert_eq!(step(&retain), Step::RemoveFinalizer, "released in an earlier step");
    assert!(!retain_refused(&retain));
    retain.secret = SecretSeen::Absent;
    assert!(retain_refused(&retain), "nobody has the pair");
    let mut retain = with(KeyDeletionPolicy::Retain);
    retain.namespace_terminating = true;
    assert_eq!(step(&retain), Step::Disable(ID.to_owned()), "the Secret goes with the namespace");
    assert!(retain_refused(&retain));
    let mut retain = with(KeyDeletionPolicy::Retain);
    retain.retain_denied = true;
    keys(&mut retain)[0].status = KeyStatus::Inactive;
    assert_eq!(step(&retain), Step::Delete(ID.to_owned()), "the tenant denies it");
    assert!(!retain_refused(&retain), "that is another refusal");
    let mut disable = with(KeyDeletionPolicy::Disable);
    assert_eq!(step(&disable), Step::Disable(ID.to_owned()));
    keys(&mut disable)[0].status = KeyStatus::Inactive;
    assert_eq!(step(&disable), Step::Release { marks: false });
    published(&mut disable).owned = false;
    assert_eq!(step(&disable), Step::RemoveFinalizer);
    // A replaced key is never left behind.
    let mut retain = with(KeyDeletionPolicy::Retain);
    keys(&mut retain).push(key("LTAIold", KeyStatus::Active, ago(OVERLAP)));
    retain.journal.retiring = vec![retiring("LTAIold", Why::Replaced, now(), None)];
    assert_eq!(step(&retain), Step::Disable("LTAIold".to_owned()));
}

#[test]
fn a_paused_object_mints_enables_and_rewrites_nothing_but_retires() {
    let mut seen = seen();
    seen.paused = true;
    assert_eq!(rest(&seen).reason, Reason::Available);
    published(&mut seen).up_to_date = false;
    assert_eq!(rest(&seen).reason, Reason::Paused);
    seen.secret = SecretSeen::Absent;
    assert_eq!(rest(&seen).reason, Reason::Paused);
    let mut seen = self::seen();
    seen.paused = true;
    keys(&mut seen).push(key("LTAIold", KeyStatus::Inactive, ago(OVERLAP)));
    seen.journal.retiring = vec![retiring("LTAIold", Why::Replaced, ago(OVERLAP), Some(ago(QUARANTINE * 2)))];
    assert_eq!(step(&seen), Step::Delete("LTAIold".to_owned()));
}

#[test]
fn other_peoples_secrets_and_accounts_stop_everything() {
    let mut seen = seen();
    seen.secret = SecretSeen::Foreign;
    assert_eq!(rest(&seen).reason, Reason::SecretConflict);
    let mut seen = self::seen();
    published(&mut seen).account_id = Some("2".to_owned());
    seen.journal = Journal::default();
    assert_eq!(rest(&seen).reason, Reason::WrongAccount);
    let mut seen = self::seen();
    seen.journal.account_id = Some("2".to_owned());
    assert_eq!(rest(&seen).reason, Reason::WrongAccount);
    seen.deleting = true;
    assert_eq!(rest(&seen).reason, Reason::WrongAccount);
}

#[test]
fn a_journal_survives_the_status() {
    let mut seen = seen();
    seen.journal.intents =
        vec![Intent { known_ids: vec!["a".to_owned()], replaces: Some("b".to_owned()), ..intent("i", now()) }];
    seen.journal.retiring = vec![retiring("c", Why::Stray, now(), Some(now()))];
    seen.journal.missing_time = Some(now());
    let mut status = crate::api::RamAccessKeyStatus::default();
    seen.journal.write(&mut status);
    assert_eq!(Journal::read(&status), seen.journal);
}

#[test]
fn a_pair_is_replaced_at_its_interval_into_the_free_slot() {
    let mut seen = seen();
    let rotate = Step::Mint { replaces: Some(ID.to_owned()) };
    seen.spec.rotation.interval = Some(crate::api::Span("30d".to_owned()));
    assert_eq!(rest(&seen).reason, Reason::Available);
    let due = settle(&seen, now()).next_rotation.expect("a time");
    let age = due.duration_since(seen.journal.create_time.expect("made")).as_hours();
    assert!((27 * 24..=30 * 24).contains(&age), "spread by a tenth at most: {age} hours");
    let old = ago(Duration::from_hours(24 * 31));
    seen.journal.create_time = Some(old);
    keys(&mut seen)[0].create_time = old;
    assert_eq!(step(&seen), rotate);
    seen.spec.rotation.interval = None;
    assert_eq!(rest(&seen).reason, Reason::Available);
    seen.max_age = Some(Duration::from_hours(24 * 30));
    assert_eq!(step(&seen), rotate, "the tenant's bound holds unasked");
    for (block, reason) in [
        ((|s: &mut Seen| s.paused = true) as fn(&mut Seen), "Paused"),
        (|s| s.grant = Err(Verdict::new(Reason::NotATenant)), "NotATenant"),
        (|s| keys(s).push(key("LTAIforeign", KeyStatus::Active, now())), "NoFreeSlot"),
        (|s| s.journal.intents = vec![intent("open", now())], "AwaitingWindow"),
    ] {
        let mut blocked = seen.clone();
        block(&mut blocked);
        let Next::Rest(_) = next(&blocked, now()) else { panic!("{reason}: a step") };
        let notes = notes(&blocked, &settle(&blocked, now()), now());
        assert_eq!(notes.iter().map(|note| (note.0, note.1)).collect::<Vec<_>>(), [("RotationBlocked", reason)]);
    }
}

#[test]
fn a_rotation_on_request_is_noted_first_and_done_once() {
    let mut seen = seen();
    seen.asked.rotate = Some("a".to_owned());
    assert_eq!(step(&seen), Step::Record);
    seen.journal = settle(&seen, now());
    assert_eq!(seen.journal.requests.rotate.key.as_deref(), Some(ID));
    assert_eq!(step(&seen), Step::Mint { replaces: Some(ID.to_owned()) });
    // Taken away meanwhile: it goes on.
    seen.asked.rotate = None;
    assert_eq!(step(&seen), Step::Mint { replaces: Some(ID.to_owned()) });
    let journal = &mut seen.journal;
    journal.access_key_id = Some("LTAInew".to_owned());
    journal.retiring = vec![retiring(ID, Why::Replaced, now(), None)];
    keys(&mut seen).push(key("LTAInew", KeyStatus::Active, now()));
    published(&mut seen).id = Some("LTAInew".to_owned());
    let done = settle(&seen, now());
    assert_eq!(done.requests.rotate.done.as_deref(), Some("a"));
    seen.journal = done;
    seen.asked.rotate = Some("a".to_owned());
    assert_eq!(rest(&seen).reason, Reason::Available, "the same value starts nothing");
    // One that is there when the object is first seen is only noted.
    let mut first = fresh();
    first.asked.rotate = Some("old".to_owned());
    first.asked.restore = Some("LTAIany".to_owned());
    let noted = settle(&first, now()).requests;
    assert_eq!((noted.rotate.done.as_deref(), noted.restore.done.as_deref()), (Some("old"), Some("LTAIany")));
}

#[test]
fn a_revoked_key_is_disabled_first_then_replaced_then_deleted_and_purged() {
    let mut seen = seen();
    seen.asked.revoke = Some(ID.to_owned());
    seen.paused = true;
    assert_eq!(step(&seen), Step::Record);
    seen.journal = settle(&seen, now());
    assert_eq!(step(&seen), Step::Disable(ID.to_owned()), "whatever else is stopped");
    keys(&mut seen)[0].status = KeyStatus::Inactive;
    assert_eq!(rest(&seen).reason, Reason::Paused);
    seen.paused = false;
    assert_eq!(step(&seen), Step::Mint { replaces: Some(ID.to_owned()) });
    // Both slots taken: the revoked one is the first to go.
    keys(&mut seen).push(key("LTAIforeign", KeyStatus::Active, now()));
    assert_eq!(step(&seen), Step::Delete(ID.to_owned()));
    keys(&mut seen).pop();
    seen.journal.access_key_id = Some("LTAInew".to_owned());
    seen.journal.retiring = vec![retiring(ID, Why::Revoked, now(), Some(now()))];
    keys(&mut seen).push(key("LTAInew", KeyStatus::Active, now()));
    published(&mut seen).id = Some("LTAInew".to_owned());
    assert_eq!(step(&seen), Step::Delete(ID.to_owned()), "without any wait");
    keys(&mut seen).remove(0);
    seen.deleted.insert(ID.to_owned());
    assert_eq!(step(&seen), Step::Purge(ID.to_owned()));
    assert!(settle(&seen, now()).requests.revoke.done.is_none());
    seen.purged.insert(ID.to_owned());
    let journal = settle(&seen, now());
    assert_eq!(journal.requests.revoke.done.as_deref(), Some(ID));
    assert!(journal.retiring.is_empty());
    seen.asked.revoke = Some("LTAIsomebody".to_owned());
    assert_eq!(rest(&seen).reason, Reason::Available);
    assert_eq!(notes(&seen, &settle(&seen, now()), now())[0].0, "RevokeRefused");
}

#[test]
fn a_key_in_quarantine_can_be_restored_beside_the_new_one() {
    let mut seen = seen();
    keys(&mut seen).push(key("LTAIold", KeyStatus::Inactive, ago(OVERLAP * 9)));
    seen.journal.retiring = vec![retiring("LTAIold", Why::Replaced, ago(OVERLAP * 2), Some(ago(OVERLAP)))];
    seen.asked.restore = Some("LTAIold".to_owned());
    assert_eq!(step(&seen), Step::Record);
    seen.journal = settle(&seen, now());
    assert_eq!(step(&seen), Step::Enable("LTAIold".to_owned()));
    keys(&mut seen)[1].status = KeyStatus::Active;
    let journal = settle(&seen, now());
    assert_eq!(journal.requests.restore.done.as_deref(), Some("LTAIold"));
    assert_eq!((journal.retiring[0].time, journal.retiring[0].disabled_time), (now(), None), "its overlap begins anew");
    seen.journal = journal;
    seen.asked.restore = Some("LTAInone".to_owned());
    assert_eq!(rest(&seen).reason, Reason::Available);
    assert_eq!(notes(&seen, &settle(&seen, now()), now())[0].0, "RestoreRefused");
}

#[test]
fn nothing_is_restored_while_paused_or_without_a_grant() {
    let mut quarantined = seen();
    keys(&mut quarantined).push(key("LTAIold", KeyStatus::Inactive, ago(OVERLAP * 9)));
    quarantined.journal.retiring = vec![retiring("LTAIold", Why::Replaced, ago(OVERLAP * 2), Some(ago(OVERLAP)))];
    quarantined.asked.restore = Some("LTAIold".to_owned());
    let mut published = seen();
    keys(&mut published)[0].status = KeyStatus::Inactive;
    published.asked.restore = Some(ID.to_owned());
    for (mut seen, id) in [(quarantined, "LTAIold"), (published, ID)] {
        seen.journal = settle(&seen, now());
        assert_eq!(step(&seen), Step::Enable(id.to_owned()));
        let refusals: [(bool, Result<(), Verdict>); 2] = [(true, Ok(())), (false, Err(reason(Reason::NotATenant)))];
        for ((paused, grant), name) in refusals.into_iter().zip(["Paused", "NotATenant"]) {
            (seen.paused, seen.grant) = (paused, grant);
            assert_ne!(next(&seen, now()), Next::Do(Step::Enable(id.to_owned())), "{name}");
            let journal = settle(&seen, now());
            let refused = notes(&seen, &journal, now()).into_iter().find(|note| note.0 == "RestoreRefused");
            assert_eq!(refused.map(|note| note.1), Some(name));
            assert_eq!(journal.requests.restore.open(), Some(id), "it waits");
        }
    }
}

#[test]
fn an_old_key_that_is_used_stays_until_the_longest_overlap() {
    let mut seen = seen();
    keys(&mut seen).push(key("LTAIold", KeyStatus::Active, ago(OVERLAP * 9)));
    seen.journal.retiring = vec![retiring("LTAIold", Why::Replaced, ago(OVERLAP * 2), None)];
    used(&mut seen, "LTAIold", Some(ago(Duration::from_hours(5))));
    let Next::Rest(_) = next(&seen, now()) else { panic!("a key in use is left alone") };
    let settled = settle(&seen, now());
    assert_eq!(notes(&seen, &settled, now())[0].1, "StillUsed");
    assert!(matches!(&settled.retiring[0].last_use, LastUse::Day(day) if day.len() == 10));
    seen.spec.rotation.max_overlap = Some(crate::api::Span("47h".to_owned()));
    assert_eq!(step(&seen), Step::Disable("LTAIold".to_owned()));
}

#[test]
fn targets_are_restarted_once_for_each_key_and_not_for_the_first() {
    let mut seen = seen();
    let target = RestartTarget { kind: crate::api::WorkloadKind::Deployment, name: "web".to_owned() };
    seen.spec.restart_targets = Some(vec![target.clone()]);
    seen.workloads.insert(target.clone(), Workload::For(None));
    assert_eq!(rest(&seen).reason, Reason::Available, "a target that is new is not restarted");
    seen.journal = settle(&seen, now());
    assert_eq!(seen.journal.restarts[0].access_key_id, ID);
    seen.journal.access_key_id = Some("LTAInew".to_owned());
    keys(&mut seen).push(key("LTAInew", KeyStatus::Active, now()));
    published(&mut seen).id = Some("LTAInew".to_owned());
    assert_eq!(step(&seen), Step::Restart(target.clone()));
    seen.workloads.insert(target.clone(), Workload::For(Some("LTAInew".to_owned())));
    assert_eq!(
        settle(&seen, now()).restarts[0].access_key_id,
        "LTAInew",
        "done by a process that died before it noted it"
    );
    seen.journal.restarts[0].access_key_id = "LTAInew".to_owned();
    seen.journal.restarts[0].time = Some(now().to_string());
    seen.workloads.insert(target.clone(), Workload::For(None));
    assert_eq!(rest(&seen).reason, Reason::Available, "taken back by hand: not repeated");
    assert_eq!(notes(&seen, &settle(&seen, now()), now())[0].0, "RestartFailed");
}

#[test]
fn a_suspended_user_has_no_key_in_use_and_gets_back_what_it_had() {
    let mut seen = seen();
    let user =
        |suspended| UserSeen::Made { user_id: USER.to_owned(), ready: true, deleting: false, suspended, stays: false };
    seen.user = user(true);
    assert_eq!(step(&seen), Step::RecordState(KeyState::Inactive));
    seen.journal.state = Some(KeyState::Inactive);
    assert_eq!(step(&seen), Step::Disable(ID.to_owned()));
    keys(&mut seen)[0].status = KeyStatus::Inactive;
    assert_eq!(rest(&seen).reason, Reason::UserSuspended);
    seen.user = user(false);
    assert_eq!(step(&seen), Step::Enable(ID.to_owned()));
}

#[test]
fn sources_are_set_once_and_read_back_with_patience() {
    let mut seen = seen();
    let sources: crate::api::AllowedSources =
        serde_json::from_str(r#"{"publicCidrs":["203.0.113.0/24"],"vpcs":[]}"#).expect("sources");
    seen.spec.allowed_sources = Some(sources.clone());
    seen.sources = Some(KeySources::default());
    assert_eq!(step(&seen), Step::SetSources(ID.to_owned()));
    seen.journal.sources = Some(noted_sources(ID, &wanted_sources(&sources), now()));
    assert_eq!(rest(&seen).reason, Reason::SourcesPending);
    seen.sources = Some(wanted_sources(&sources));
    assert_eq!(rest(&seen).reason, Reason::Available);
}

#[test]
fn two_keys_of_one_user_do_not_rotate() {
    let mut seen = fresh();
    seen.siblings = vec![Sibling { name: "first".to_owned(), ids: vec!["LTAIfirst".to_owned()], ..Sibling::default() }];
    assert_eq!(step(&seen), Step::Mint { replaces: None });
    seen.spec.rotation.interval = Some(crate::api::Span("30d".to_owned()));
    assert_eq!(rest(&seen).reason, Reason::NoSlotForRotation);
}

#[test]
fn a_user_that_is_not_managed_gets_no_key_and_keeps_those_it_has() {
    let mut seen = fresh();
    seen.grant = Err(Verdict::new(Reason::UserNotManaged));
    assert_eq!(rest(&seen).reason, Reason::UserNotManaged);
    seen.user = UserSeen::Unmade;
    assert_eq!(rest(&seen).reason, Reason::UserNotManaged, "it never makes one");
    seen.grant = Ok(());
    assert_eq!(rest(&seen).reason, Reason::UserNotReady);
    let mut has = self::seen();
    has.grant = Err(Verdict::new(Reason::UserNotManaged));
    assert_eq!(rest(&has).reason, Reason::UserNotManaged, "without a step");
}
