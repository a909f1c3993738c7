use super::tests::{account, ram, reason, seen, step};
use super::*;
use crate::api::{PolicyAttachment, PolicyKind, UserState, VirtualMfa};
use crate::plan::Reason;
use crate::ram::MfaKind;

const OURS: &str = "acs:ram::1234567890123456:mfa/ram-operator-0";
const OTHER: &str = "acs:ram::1234567890123456:mfa/phone";

fn wanted(text: &str) -> VirtualMfa {
    serde_json::from_str(text).expect("an MFA device")
}

fn device(serial: &str) -> MfaInfo {
    MfaInfo { serial_number: serial.to_owned(), kind: MfaKind::Virtual }
}

/// A RamUser that is to have a device, in an account whose domain is known.
fn with_mfa(bind: &str) -> Seen {
    let mut seen = seen();
    let text = format!(r#"{{"secret":{{"name":"reader-mfa"}},"bind":"{bind}"}}"#);
    seen.spec.virtual_mfa = Some(wanted(&text));
    seen.account = Ok(AccountView { default_domain: Some("1.onaliyun.com".to_owned()), ..account() });
    seen.mfa.serial = OURS.to_owned();
    seen
}

fn remember(seen: &mut Seen, phase: MfaPhase, serial: &str) {
    seen.memory.mfa = Some(MfaMemory { phase, serial_number: Some(serial.to_owned()), since: None });
}

#[test]
fn a_seed_is_in_its_secret_before_the_device_is_bound() {
    let mut seen = with_mfa("Operator");
    assert_eq!(step(&seen), Step::ClaimSeedSecret);
    (seen.mfa.claimed, seen.mfa.seed) = (true, SeedSeen::Empty);
    assert_eq!(step(&seen), Step::MakeMfaDevice);
    (seen.mfa.made, seen.mfa.seed) = (true, SeedSeen::There);
    assert_eq!(step(&seen), Step::RecordMfa(MfaPhase::Issued), "noted, so that a missing Secret is no lost seed");
    remember(&mut seen, MfaPhase::Issued, OURS);
    assert_eq!(step(&seen), Step::BindMfa);
    ram(&mut seen).mfa = Some(device(OURS));
    seen.mfa.seed = SeedSeen::Absent;
    assert_eq!(reason(&seen), Reason::Available, "handed over");
}

#[test]
fn a_device_for_the_person_to_bind_is_handed_over_and_left_alone() {
    let mut seen = with_mfa("User");
    seen.mfa.seed = SeedSeen::There;
    assert_eq!(step(&seen), Step::ClaimSeedSecret, "without a note it may be the seed of a device that is gone");
    seen.mfa.made = true;
    assert_eq!(step(&seen), Step::RecordMfa(MfaPhase::Issued));
    remember(&mut seen, MfaPhase::Issued, OURS);
    for seed in [SeedSeen::There, SeedSeen::Absent] {
        seen.mfa.seed = seed;
        assert_eq!(reason(&seen), Reason::Available);
    }
    ram(&mut seen).mfa = Some(device(OURS));
    assert_eq!(reason(&seen), Reason::Available);
}

#[test]
fn a_device_whose_seed_was_lost_makes_room_for_another_unless_somebody_has_it() {
    let mut seen = with_mfa("Operator");
    (seen.mfa.claimed, seen.mfa.seed, seen.mfa.exists) = (true, SeedSeen::Empty, true);
    assert_eq!(step(&seen), Step::DeleteMfaDevice(OURS.to_owned()));
    seen.mfa.deleted = true;
    assert_eq!(step(&seen), Step::MakeMfaDevice);
    seen.mfa.held = true;
    assert_eq!(reason(&seen), Reason::MfaDeviceHeld);
    // Before it was ever bound, a seed that is gone is lost.
    let mut seen = with_mfa("Operator");
    remember(&mut seen, MfaPhase::Issued, OURS);
    assert_eq!(step(&seen), Step::ClaimSeedSecret);
}

#[test]
fn nothing_is_made_where_the_secret_is_somebody_elses_or_nothing_may_be_granted() {
    let mut seen = with_mfa("Operator");
    seen.mfa.seed = SeedSeen::Foreign;
    assert_eq!(reason(&seen), Reason::SecretConflict);
    seen.mfa.seed = SeedSeen::Absent;
    seen.paused = true;
    assert_eq!(reason(&seen), Reason::Paused);
    seen.paused = false;
    seen.account = Ok(account());
    assert_eq!(reason(&seen), Reason::DomainUnknown);
    let mut seen = with_mfa("Operator");
    seen.tenant = Err(Verdict::new(Reason::NotATenant));
    assert_eq!(reason(&seen), Reason::NotATenant);
    let mut seen = with_mfa("Operator");
    seen.spec.state = UserState::Suspended;
    assert_eq!(reason(&seen), Reason::Suspended);
}

#[test]
fn a_device_of_the_users_own_will_do_and_ours_is_not_left_beside_it() {
    for bind in ["Operator", "User"] {
        let mut seen = with_mfa(bind);
        ram(&mut seen).mfa = Some(device(OTHER));
        assert_eq!(step(&seen), Step::DeleteMfaDevice(OURS.to_owned()));
        seen.mfa.deleted = true;
        assert_eq!(reason(&seen), Reason::Available);
        seen.mfa.deleted = false;
        remember(&mut seen, MfaPhase::Bound, OTHER);
        assert_eq!(reason(&seen), Reason::Available, "it was looked after before");
        remember(&mut seen, MfaPhase::Bound, OURS);
        assert_eq!(step(&seen), Step::DeleteMfaDevice(OURS.to_owned()), "the user has changed the device");
    }
}

#[test]
fn a_device_that_others_took_away_stays_so_until_another_one_is_asked_for() {
    let mut seen = with_mfa("Operator");
    remember(&mut seen, MfaPhase::Bound, OURS);
    seen.mfa.fresh = true;
    assert_eq!(reason(&seen), Reason::Unsettled, "it may not show yet");
    seen.mfa.fresh = false;
    // The old seed is of no use.
    seen.mfa.seed = SeedSeen::There;
    assert_eq!(reason(&seen), Reason::MfaTakenOutside);
    seen.mfa.reset.asked = Some("1".to_owned());
    assert_eq!(step(&seen), Step::RecordMfaReset);
    seen.mfa.reset.accepted = Some("1".to_owned());
    remember(&mut seen, MfaPhase::Leaving, OURS);
    assert_eq!(step(&seen), Step::ClaimSeedSecret);
}

#[test]
fn a_reset_unbinds_first_and_trusts_no_older_seed() {
    for serial in [OURS, OTHER] {
        let mut seen = with_mfa("Operator");
        remember(&mut seen, MfaPhase::Leaving, serial);
        seen.mfa.reset.accepted = Some("1".to_owned());
        seen.mfa.seed = SeedSeen::There;
        ram(&mut seen).mfa = Some(device(serial));
        seen.paused = true;
        assert_eq!(reason(&seen), Reason::Paused);
        seen.paused = false;
        assert_eq!(step(&seen), Step::UnbindMfa);
        ram(&mut seen).mfa = None;
        assert_eq!(step(&seen), Step::ClaimSeedSecret);
        (seen.mfa.claimed, seen.mfa.seed) = (true, SeedSeen::Empty);
        assert_eq!(step(&seen), Step::DeleteMfaDevice(OURS.to_owned()));
        seen.mfa.deleted = true;
        assert_eq!(step(&seen), Step::MakeMfaDevice);
        (seen.mfa.made, seen.mfa.seed) = (true, SeedSeen::There);
        assert_eq!(step(&seen), Step::RecordMfa(MfaPhase::Issued));
    }
}

#[test]
fn what_the_user_binds_while_ours_is_lost_stays() {
    let mut seen = with_mfa("Operator");
    remember(&mut seen, MfaPhase::Leaving, OURS);
    ram(&mut seen).mfa = Some(device(OTHER));
    seen.mfa.fresh = true;
    assert_eq!(reason(&seen), Reason::Unsettled, "it may be the one that was taken away");
    seen.mfa.fresh = false;
    assert_eq!(step(&seen), Step::DeleteMfaDevice(OURS.to_owned()));
    seen.mfa.deleted = true;
    assert_eq!(reason(&seen), Reason::Available, "nobody asked for another one");
}

#[test]
fn a_device_goes_with_its_object_although_the_user_is_gone() {
    let mut seen = with_mfa("User");
    seen.deleting = true;
    ram(&mut seen).user = None;
    seen.witnessed = true;
    assert_eq!(step(&seen), Step::DeleteMfaDevice(OURS.to_owned()));
    seen.mfa.deleted = true;
    assert_eq!(step(&seen), Step::RemoveFinalizer);
}

#[test]
fn absent_takes_away_whatever_there_is_and_notes_it_first() {
    let mut seen = with_mfa("Operator");
    seen.spec.virtual_mfa = Some(wanted(r#"{"state":"Absent"}"#));
    ram(&mut seen).mfa = Some(device(OURS));
    remember(&mut seen, MfaPhase::Bound, OURS);
    seen.paused = true;
    assert_eq!(reason(&seen), Reason::Paused);
    seen.paused = false;
    assert_eq!(step(&seen), Step::RecordMfa(MfaPhase::Leaving), "so that it is known for our own work");
    ram(&mut seen).mfa = None;
    assert_eq!(step(&seen), Step::RecordMfa(MfaPhase::Leaving), "nobody has bound it yet");
    ram(&mut seen).mfa = Some(device(OURS));
    remember(&mut seen, MfaPhase::Leaving, OURS);
    assert_eq!(step(&seen), Step::UnbindMfa);
    ram(&mut seen).mfa = None;
    assert_eq!(step(&seen), Step::DeleteMfaDevice(OURS.to_owned()));
    seen.mfa.deleted = true;
    assert_eq!(reason(&seen), Reason::Available);
    (seen.mfa.deleted, seen.memory.mfa) = (false, Some(MfaMemory { phase: MfaPhase::Absent, ..MfaMemory::default() }));
    assert_eq!(reason(&seen), Reason::Available);
    ram(&mut seen).mfa = Some(device(OTHER));
    assert_eq!(step(&seen), Step::RecordMfa(MfaPhase::Leaving), "bound by hand it goes again");
    // A seed from before is nobody's.
    ram(&mut seen).mfa = None;
    seen.spec = with_mfa("Operator").spec;
    seen.mfa.seed = SeedSeen::There;
    assert_eq!(step(&seen), Step::RecordMfa(MfaPhase::Leaving), "there may be a device again");
    remember(&mut seen, MfaPhase::Leaving, OURS);
    assert_eq!(step(&seen), Step::ClaimSeedSecret);
}

#[test]
fn not_managed_any_more_it_is_left_alone() {
    let mut seen = with_mfa("Operator");
    seen.spec.virtual_mfa = None;
    remember(&mut seen, MfaPhase::Bound, OURS);
    assert_eq!(reason(&seen), Reason::Available);
    seen.mfa.reset.asked = Some("1".to_owned());
    assert_eq!(reason(&seen), Reason::Available);
}

#[test]
fn a_user_goes_after_its_devices() {
    let mut seen = with_mfa("Operator");
    seen.deleting = true;
    ram(&mut seen).policies.clear();
    ram(&mut seen).mfa = Some(device(OTHER));
    assert_eq!(step(&seen), Step::UnbindMfa);
    ram(&mut seen).mfa = None;
    seen.mfa.loose = Some(OTHER.to_owned());
    assert_eq!(step(&seen), Step::DeleteMfaDevice(OTHER.to_owned()));
    seen.mfa.loose = None;
    assert_eq!(step(&seen), Step::DeleteMfaDevice(OURS.to_owned()));
    seen.mfa.deleted = true;
    assert_eq!(step(&seen), Step::DeleteUser);
    // Never managed: what hangs on the user goes all the same, and nothing else is looked for.
    (seen.spec.virtual_mfa, seen.mfa.deleted) = (None, false);
    assert_eq!(step(&seen), Step::DeleteUser);
    ram(&mut seen).mfa = Some(device(OTHER));
    assert_eq!(step(&seen), Step::UnbindMfa);
    seen.spec.deletion_policy = crate::api::UserDeletionPolicy::Retain;
    seen.tenant = Err(Verdict::new(Reason::NotATenant));
    assert!(matches!(step(&seen), Step::UpdateUser(_)), "the user keeps its device");
}

#[test]
fn a_request_is_done_when_the_device_is_where_the_spec_wants_it() {
    let (operator, user) = (with_mfa("Operator"), with_mfa("User"));
    let done = |seen: &Seen, phase| seen.spec.virtual_mfa.as_ref().is_some_and(|mfa| complete(phase, mfa));
    assert!(!done(&operator, MfaPhase::Issued) && done(&user, MfaPhase::Issued));
    for seen in [&operator, &user] {
        assert!(done(seen, MfaPhase::Bound) && done(seen, MfaPhase::Absent) && !done(seen, MfaPhase::Leaving));
    }
}

#[test]
fn a_secret_that_is_ready_for_a_seed_is_not_written_again() {
    let mut seen = with_mfa("Operator");
    seen.mfa.seed = SeedSeen::Empty;
    assert_eq!(step(&seen), Step::MakeMfaDevice, "RAM may have refused it before, and may again");
    seen.mfa.exists = true;
    assert_eq!(step(&seen), Step::ClaimSeedSecret, "who made that device is shut out before it goes");
}

#[test]
fn a_device_in_wrong_hands_goes_whatever_else_is_wrong() {
    let mut seen = with_mfa("Operator");
    remember(&mut seen, MfaPhase::Bound, OURS);
    ram(&mut seen).mfa = Some(device(OURS));
    seen.spec.policies = Some(vec![PolicyAttachment { kind: PolicyKind::RamPolicy, name: "missing".to_owned() }]);
    assert_eq!(reason(&seen), Reason::PolicyNotReady);
    seen.mfa.reset.asked = Some("1".to_owned());
    assert_eq!(step(&seen), Step::RecordMfaReset);
    seen.mfa.reset.accepted = Some("1".to_owned());
    remember(&mut seen, MfaPhase::Leaving, OURS);
    assert_eq!(step(&seen), Step::UnbindMfa);
    ram(&mut seen).mfa = None;
    assert_eq!(reason(&seen), Reason::PolicyNotReady, "another one waits its turn");
}

#[test]
fn a_device_that_shows_just_after_another_one_was_made_is_an_old_one() {
    for serial in [OURS, OTHER] {
        let mut seen = with_mfa("Operator");
        remember(&mut seen, MfaPhase::Issued, OURS);
        (seen.mfa.fresh, seen.mfa.seed) = (true, SeedSeen::There);
        ram(&mut seen).mfa = Some(device(serial));
        assert_eq!(step(&seen), Step::BindMfa, "RAM's answer tells how it is");
        seen.paused = true;
        assert_eq!(reason(&seen), Reason::Paused);
        (seen.paused, seen.mfa.seed) = (false, SeedSeen::Absent);
        assert_eq!(reason(&seen), Reason::Unsettled, "nor is its seed lost");
        // The person binds in its own time; until the device shows for sure it is looked at again.
        let mut seen = Seen { mfa: seen.mfa, ..with_mfa("User") };
        remember(&mut seen, MfaPhase::Issued, OURS);
        ram(&mut seen).mfa = Some(device(serial));
        let Next::Rest(verdict) = next(&seen, Timestamp::UNIX_EPOCH) else { panic!("a step") };
        assert_eq!((verdict.reason, verdict.recheck.is_some()), (Reason::Available, true), "{serial}");
    }
}

#[test]
fn what_ram_has_confirmed_or_shows_after_a_while_counts() {
    let mut seen = with_mfa("Operator");
    remember(&mut seen, MfaPhase::Issued, OURS);
    (seen.mfa.fresh, seen.mfa.confirmed) = (true, true);
    ram(&mut seen).mfa = Some(device(OURS));
    assert_eq!(reason(&seen), Reason::Available, "it was bound, and the answer was lost");
    (seen.mfa.fresh, seen.mfa.confirmed) = (false, false);
    assert_eq!(reason(&seen), Reason::Available);
    ram(&mut seen).mfa = Some(device(OTHER));
    assert_eq!(step(&seen), Step::DeleteMfaDevice(OURS.to_owned()));
    // After a bind, the one that was there before may show.
    remember(&mut seen, MfaPhase::Bound, OURS);
    seen.mfa.fresh = true;
    assert_eq!(reason(&seen), Reason::Unsettled);
    ram(&mut seen).mfa = Some(device(OURS));
    assert_eq!(reason(&seen), Reason::Available);
}

#[test]
fn a_device_that_does_not_show_yet_is_taken_away_unseen() {
    let mut seen = with_mfa("Operator");
    remember(&mut seen, MfaPhase::Leaving, OTHER);
    seen.mfa.fresh = true;
    seen.mfa.reset.accepted = Some("1".to_owned());
    assert_eq!(step(&seen), Step::UnbindMfa);
    seen.mfa.unbound = true;
    assert_eq!(step(&seen), Step::ClaimSeedSecret);
    (seen.mfa.claimed, seen.mfa.deleted, seen.mfa.held) = (true, true, true);
    assert_eq!(reason(&seen), Reason::Unsettled, "whoever has it may be this user");
    seen.mfa.fresh = false;
    assert_eq!(reason(&seen), Reason::MfaDeviceHeld);
    // Where there is to be none, it is not over because none shows.
    for phase in [MfaPhase::Issued, MfaPhase::Bound] {
        let mut seen = with_mfa("Operator");
        seen.spec.virtual_mfa = Some(wanted(r#"{"state":"Absent"}"#));
        remember(&mut seen, phase, OURS);
        seen.mfa.fresh = true;
        assert_eq!(step(&seen), Step::RecordMfa(MfaPhase::Leaving));
        remember(&mut seen, MfaPhase::Leaving, OURS);
        assert_eq!(step(&seen), Step::UnbindMfa);
        seen.mfa.unbound = true;
        assert_eq!(step(&seen), Step::DeleteMfaDevice(OURS.to_owned()));
    }
}
