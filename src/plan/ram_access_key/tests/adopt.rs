//! A pair that exists already is taken over, or it is said why not.

use super::*;
use crate::api::Span;

const OLD: &str = "LTAIbyhand0000000001";

fn there(proof: Option<Proof>) -> PairSeen {
    PairSeen::There { id: OLD.to_owned(), proof }
}

fn of(account: &str, user: Option<&str>) -> Proof {
    Proof::Authentic { account_id: Some(account.to_owned()), user_id: user.map(str::to_owned) }
}

/// Nothing published, and a key from long ago whose pair is in the Secret `old`.
fn adopting() -> Seen {
    let mut seen = fresh();
    seen.spec.secret = serde_json::from_str(r#"{"formats":["Env"],"adoptFrom":{"name":"old"}}"#).expect("an output");
    keys(&mut seen).push(key(OLD, KeyStatus::Active, ago(Duration::from_hours(24 * 100))));
    seen.to_adopt = Some(there(None));
    seen
}

/// The Secret as it is once the pair is published.
fn publish(seen: &mut Seen) {
    seen.secret = SecretSeen::Ours(Published {
        id: Some(OLD.to_owned()),
        intact: true,
        account_id: Some("1".to_owned()),
        time: Some(now()),
        intent: None,
        retiring: Vec::new(),
        up_to_date: true,
        owned: true,
    });
}

#[test]
fn a_pair_is_proved_then_published_and_from_then_on_a_key_like_any_other() {
    let mut seen = adopting();
    seen.finalizer = false;
    assert_eq!(step(&seen), Step::ProvePair);
    seen.to_adopt = Some(there(Some(authentic())));
    assert_eq!(step(&seen), Step::AddFinalizer);
    seen.finalizer = true;
    assert_eq!(step(&seen), Step::AdoptKey(OLD.to_owned()));

    publish(&mut seen);
    seen.proofs.insert(OLD.to_owned(), authentic());
    assert_eq!(rest(&seen).reason, Reason::Available);
    seen.journal = settle(&seen, now());
    assert_eq!(seen.journal.access_key_id.as_deref(), Some(OLD));
    assert_eq!(seen.journal.create_time, Some(ago(Duration::from_hours(24 * 100))), "RAM's list knows how old it is");
    assert_eq!((seen.journal.published_time, seen.journal.proved_time), (Some(now()), Some(now())));
    assert!(seen.journal.retiring.is_empty() && seen.journal.intents.is_empty());

    // Older than its interval, it is replaced at once; and so it is where the tenant bounds its age.
    seen.spec.rotation.interval = Some(Span("30d".to_owned()));
    assert_eq!(step(&seen), Step::Mint { replaces: Some(OLD.to_owned()) });
    seen.spec.rotation.interval = None;
    seen.max_age = Some(Duration::from_hours(24 * 90));
    assert_eq!(step(&seen), Step::Mint { replaces: Some(OLD.to_owned()) });
    seen.deleting = true;
    assert_eq!(step(&seen), Step::Disable(OLD.to_owned()));
}

#[test]
fn what_died_between_the_publish_and_the_status_is_explained_by_proof() {
    let mut seen = adopting();
    // Not even a mint without an answer makes a stray of it.
    seen.journal.intents = vec![intent("lost", ago(Duration::from_mins(1)))];
    keys(&mut seen)[0].create_time = ago(Duration::from_secs(30));
    assert_eq!(suspects(&seen, &seen.journal).len(), 1);
    publish(&mut seen);
    seen.to_adopt = None;
    assert_eq!(step(&seen), Step::Prove(OLD.to_owned()));
    assert!(suspects(&seen, &seen.journal).is_empty());
    seen.proofs.insert(OLD.to_owned(), authentic());
    assert_eq!(rest(&seen).reason, Reason::Available);
    assert_eq!(settle(&seen, now()).access_key_id.as_deref(), Some(OLD));
    // Deleted in this state, it goes as a key of ours.
    seen.proofs.clear();
    seen.deleting = true;
    assert_eq!(step(&seen), Step::Prove(OLD.to_owned()));
    seen.proofs.insert(OLD.to_owned(), authentic());
    assert_eq!(step(&seen), Step::Disable(OLD.to_owned()));
}

#[test]
fn while_it_cannot_be_had_nothing_is_made() {
    let nobodys = Proof::Authentic { account_id: None, user_id: None };
    for (to_adopt, reason, says) in [
        (Some(PairSeen::Missing), Reason::PairNotFound, "Secret old"),
        (Some(PairSeen::Lacks("ak".to_owned())), Reason::PairNotFound, "key ak in Secret old"),
        (Some(PairSeen::NoId), Reason::PairInvalid, "key ALIBABA_CLOUD_ACCESS_KEY_ID of Secret old"),
        (Some(PairSeen::Taken), Reason::SecretNotAdoptable, "old"),
        (Some(there(Some(Proof::NotYet))), Reason::PairRefused, "Secret old"),
        (Some(there(Some(nobodys))), Reason::PairRefused, "whose it is"),
        (Some(there(Some(of("2", Some(USER))))), Reason::PairOfAnotherAccount, "Secret old"),
        (Some(there(Some(of("1", Some("299999999999999999"))))), Reason::PairOfAnotherUser, "Secret old"),
        // The account itself, or a role.
        (Some(there(Some(of("1", None)))), Reason::PairOfAnotherUser, "Secret old"),
        (Some(there(Some(Proof::Inactive))), Reason::PairDisabled, "Secret old"),
        (None, Reason::Unsettled, ""),
    ] {
        let mut seen = adopting();
        seen.finalizer = false;
        seen.to_adopt = to_adopt;
        let verdict = rest(&seen);
        assert_eq!(verdict.reason, reason, "{:?}", seen.to_adopt);
        assert!(verdict.detail.unwrap_or_default().contains(says), "{:?}", seen.to_adopt);
        assert_eq!(settle(&seen, now()), seen.journal);
    }
    // RAM's list is looked at before anybody is asked.
    let mut seen = adopting();
    keys(&mut seen)[0].status = KeyStatus::Inactive;
    assert_eq!(rest(&seen).reason, Reason::PairDisabled);
    // What lags is waited for.
    let mut seen = adopting();
    keys(&mut seen).clear();
    seen.to_adopt = Some(there(Some(authentic())));
    assert_eq!(rest(&seen).reason, Reason::Unsettled);
    keys(&mut seen).push(key(OLD, KeyStatus::Active, ago(Duration::from_secs(9))));
    seen.to_adopt = Some(there(Some(Proof::NotYet)));
    assert_eq!(rest(&seen).reason, Reason::Unsettled);
    // Without the reference a key is made.
    seen.spec.secret.adopt_from = None;
    assert_eq!(step(&seen), Step::Mint { replaces: None });
    // Another object's key is not even asked about.
    let mut seen = adopting();
    for (order, says) in [(false, "RamAccessKey other"), (true, "other")] {
        let ids = vec![OLD.to_owned()];
        seen.siblings = vec![Sibling { name: "other".to_owned(), order, ids, ..Sibling::default() }];
        let verdict = rest(&seen);
        assert_eq!((verdict.reason, verdict.detail.as_deref()), (Reason::PairHeld, Some(says)));
    }
}

#[test]
fn a_secret_taken_for_the_id_is_named_nowhere() {
    for proof in [Proof::NotYet, Proof::Inactive, of("2", None), of("1", None)] {
        let mut seen = adopting();
        keys(&mut seen).clear();
        seen.to_adopt = Some(there(Some(proof)));
        assert!(!rest(&seen).message().contains(OLD), "{:?}", seen.to_adopt);
    }
}

#[test]
fn an_adoption_is_a_grant() {
    let mut seen = adopting();
    seen.to_adopt = Some(there(Some(authentic())));
    seen.grant = Err(Verdict::new(Reason::LimitReached));
    assert_eq!(rest(&seen).reason, Reason::LimitReached);
    seen.grant = Ok(());
    seen.paused = true;
    assert_eq!(rest(&seen).reason, Reason::Paused);
    seen.paused = false;
    seen.spec.state = KeyState::Inactive;
    assert_eq!(rest(&seen).reason, Reason::Inactive);
    seen.spec.state = KeyState::Active;
    let user =
        |ready, suspended| UserSeen::Made { user_id: USER.to_owned(), ready, deleting: false, suspended, stays: false };
    seen.user = user(false, false);
    assert_eq!(rest(&seen).reason, Reason::UserNotReady);
    seen.user = user(true, true);
    assert_eq!(rest(&seen).reason, Reason::UserSuspended);
    seen.user = user(true, false);
    // It needs both slots to rotate, as a minted one does; but none to begin with.
    keys(&mut seen).push(key("LTAIother", KeyStatus::Active, ago(Duration::from_hours(9))));
    seen.siblings = vec![Sibling { name: "other".to_owned(), ids: vec!["LTAIother".to_owned()], ..Sibling::default() }];
    assert_eq!(step(&seen), Step::AdoptKey(OLD.to_owned()));
    seen.spec.rotation.interval = Some(Span("30d".to_owned()));
    assert_eq!(rest(&seen).reason, Reason::NoSlotForRotation);
    seen.ram = Some(InRam { user: Ownership::NotOurs, keys: Vec::new() });
    assert_eq!(rest(&seen).reason, Reason::UserNotOwned);
}

#[test]
fn a_secret_of_somebody_else_is_taken_over_only_if_it_is_the_one_that_is_named() {
    let mut seen = adopting();
    seen.secret = SecretSeen::Foreign;
    assert_eq!(rest(&seen).reason, Reason::SecretConflict);
    seen.spec.secret.name = Some("old".to_owned());
    assert_eq!(step(&seen), Step::ProvePair);
    seen.to_adopt = Some(there(Some(of("2", None))));
    assert_eq!(rest(&seen).reason, Reason::PairOfAnotherAccount);
    seen.to_adopt = Some(there(Some(authentic())));
    assert_eq!(step(&seen), Step::AdoptKey(OLD.to_owned()));
    // Deleted before it happened, the object leaves everything as it is.
    seen.deleting = true;
    assert_eq!(step(&seen), Step::RemoveFinalizer);
}

#[test]
fn once_something_is_published_the_reference_does_nothing() {
    let mut has = seen();
    has.spec.secret.adopt_from = adopting().spec.secret.adopt_from;
    assert_eq!(rest(&has).reason, Reason::Available);
    // The Secret is lost: a new key is made, not the old one had again.
    has.secret = SecretSeen::Absent;
    has.to_adopt = Some(there(Some(authentic())));
    assert_eq!(step(&has), Step::Mint { replaces: Some(ID.to_owned()) });
    // A Secret of ours with a dead pair was published too, even if the status was lost.
    let mut lost = adopting();
    publish(&mut lost);
    lost.to_adopt = None;
    keys(&mut lost).clear();
    lost.proofs.insert(OLD.to_owned(), Proof::NotYet);
    assert_eq!(step(&lost), Step::Mint { replaces: None });
}
