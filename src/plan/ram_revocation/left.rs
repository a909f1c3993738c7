//! A policy or group that its object left to be taken away.

use jiff::Timestamp;

use super::super::marker::Marker;
use super::super::timing::READ_LAG;
use super::super::{AccountView, Next, Reason, Verdict, ram_group, ram_policy};
use crate::api::{LeftKind, LeftOver, UserDeletionPolicy};

/// One effect on what was left, or on its RamRevocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftStep {
    /// Put our finalizer on the object.
    AddFinalizer,
    /// Everything is done: let the object go.
    Finish,
    /// As a RamPolicy that is being deleted would.
    Policy(ram_policy::Step),
    /// As a RamGroup that is being deleted would.
    Group(ram_group::Step),
}

/// Everything one pass knows.
#[allow(clippy::struct_excessive_bools, reason = "facts of one pass, each read by name")]
#[derive(Clone, Debug)]
pub struct LeftSeen {
    /// Our finalizer is on the object.
    pub finalizer: bool,
    /// The object is being deleted.
    pub deleting: bool,
    /// It was given up by annotation.
    pub abandoned: bool,
    /// What is ordered.
    pub left: LeftOver,
    /// The account, or why it cannot be used.
    pub account: Result<AccountView, Verdict>,
    /// What RAM shows; absent when it could not be asked.
    pub ram: Option<LeftInRam>,
    /// When the order was given.
    pub created: Option<Timestamp>,
    /// An object of that kind, namespace and name lives that did not give the order: it keeps what it finds.
    pub taken_back: bool,
}

/// What RAM shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftInRam {
    /// There is none of that name.
    Gone,
    /// The policy, and who has it.
    Policy(ram_policy::InRam),
    /// The group, what it has and who is in it.
    Group(ram_group::InRam),
}

/// What to do next.
#[must_use]
pub fn left(seen: &LeftSeen, now: Timestamp) -> Next<LeftStep> {
    match decide(seen, now) {
        Ok(step) => Next::Do(step),
        Err(verdict) => Next::Rest(verdict),
    }
}

fn decide(seen: &LeftSeen, now: Timestamp) -> Result<LeftStep, Verdict> {
    let stays = seen.left.deletion_policy == UserDeletionPolicy::Retain;
    // Of what stays, an object that came since owns only what has its own marker.
    if seen.abandoned || (seen.taken_back && !stays) {
        return Ok(LeftStep::Finish);
    }
    if !seen.finalizer && !seen.deleting {
        return Ok(LeftStep::AddFinalizer);
    }
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    if !account.has(seen.left.account_id.as_ref()) {
        return Err(Verdict::new(Reason::WrongAccount).about("the order is for that one"));
    }
    let ram = seen.ram.as_ref().ok_or_else(|| Verdict::new(Reason::AccountNotReady))?;
    let (identity, text) = match ram {
        LeftInRam::Policy(ram_policy::InRam { policy: Some(policy), .. }) => (&policy.create_time, &policy.description),
        LeftInRam::Group(ram_group::InRam { group: Some(group), .. }) => (&group.id, &group.comments),
        _ => return gone(seen, now),
    };
    if !still_left(&seen.left, account, identity, text) {
        return Ok(LeftStep::Finish);
    }
    match ram {
        _ if stays => Ok(unmark(ram).unwrap_or(LeftStep::Finish)),
        LeftInRam::Policy(ram) => ram_policy::take_away(ram).map(LeftStep::Policy),
        LeftInRam::Group(ram) => ram_group::take_away(ram).map(LeftStep::Group),
        LeftInRam::Gone => Ok(LeftStep::Finish),
    }
}

/// Takes our marker off what stays in RAM.
fn unmark(ram: &LeftInRam) -> Option<LeftStep> {
    match ram {
        LeftInRam::Policy(ram) => ram_policy::unmark(ram.policy.as_ref()?).map(LeftStep::Policy),
        LeftInRam::Group(ram) => ram_group::unmark(ram.group.as_ref()?).map(LeftStep::Group),
        LeftInRam::Gone => None,
    }
}

/// What was made shortly before the order was given may not show yet.
fn gone(seen: &LeftSeen, now: Timestamp) -> Result<LeftStep, Verdict> {
    match seen.created.and_then(|time| time.saturating_add(READ_LAG).ok()) {
        Some(sure) if now <= sure && seen.left.identity.is_none() => {
            Err(Verdict::new(Reason::Deleting).about("a second look is to confirm it").again_at(sure, now))
        }
        _ => Ok(LeftStep::Finish),
    }
}

/// Whether it is the one that was left, and no object has taken it back, which writes its own uid.
fn still_left(left: &LeftOver, account: &AccountView, identity: &str, text: &str) -> bool {
    let kind = match left.kind {
        LeftKind::RamPolicy => "RamPolicy",
        LeftKind::RamGroup => "RamGroup",
    };
    let ours = Marker::for_kind(kind, &account.owner_id, &left.namespace, &left.name, &left.uid);
    left.identity.as_ref().is_none_or(|known| known == identity) && ours.ends(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram::Group;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("a time")
    }

    fn group(id: &str, uid: &str, members: &[(&str, bool)]) -> LeftInRam {
        let comments = Marker::for_kind("RamGroup", "prod", "team-a", "readers", uid).append_to("");
        let group = Group { id: id.to_owned(), name: "team-a.readers".to_owned(), comments };
        let members = members.iter().map(|(name, ours)| ((*name).to_owned(), *ours)).collect();
        LeftInRam::Group(ram_group::InRam { group: Some(group), policies: Vec::new(), members })
    }

    fn seen(ram: LeftInRam) -> LeftSeen {
        LeftSeen {
            finalizer: true,
            deleting: false,
            abandoned: false,
            left: LeftOver {
                kind: LeftKind::RamGroup,
                namespace: "team-a".to_owned(),
                name: "readers".to_owned(),
                uid: "0a1b2c3d-1111".to_owned(),
                account_id: Some("1".to_owned()),
                ram_name: "team-a.readers".to_owned(),
                identity: Some("g-1".to_owned()),
                deletion_policy: UserDeletionPolicy::Delete,
            },
            account: Ok(AccountView {
                account_id: "1".to_owned(),
                owner_id: "prod".to_owned(),
                prefix: String::new(),
                default_domain: None,
                leaving: false,
            }),
            ram: Some(ram),
            created: Some(now()),
            taken_back: false,
        }
    }

    #[test]
    fn what_stays_loses_our_marker_and_nothing_else() {
        let uid = "0a1b2c3d-1111";
        let stays = |ram| {
            let mut seen = seen(ram);
            seen.left.deletion_policy = UserDeletionPolicy::Retain;
            seen
        };
        let unmarked = Next::Do(LeftStep::Group(ram_group::Step::Comment(String::new())));
        let mut marked = stays(group("g-1", uid, &[("team-a.reader", true), ("alice", false)]));
        assert_eq!(left(&marked, now()), unmarked);
        marked.taken_back = true;
        assert_eq!(left(&marked, now()), unmarked, "an object that came since owns it only by its own marker");
        for other in [group("g-1", "ffffffff-2", &[]), group("g-2", uid, &[]), LeftInRam::Gone] {
            assert_eq!(left(&stays(other), now()), Next::Do(LeftStep::Finish));
        }
        let policy = ram_policy::Policy {
            description: Marker::for_kind("RamPolicy", "prod", "team-a", "readers", uid).append_to("by hand"),
            ..ram_policy::Policy::default()
        };
        let mut seen = stays(LeftInRam::Policy(ram_policy::InRam { policy: Some(policy), holders: Vec::new() }));
        (seen.left.kind, seen.left.identity) = (LeftKind::RamPolicy, None);
        let described = ram_policy::Step::Describe("by hand".to_owned());
        assert_eq!(left(&seen, now()), Next::Do(LeftStep::Policy(described)));
    }

    #[test]
    fn what_was_left_goes_and_what_was_taken_back_stays() {
        let uid = "0a1b2c3d-1111";
        let finish = Next::Do(LeftStep::Finish);
        assert_eq!(left(&seen(group("g-1", uid, &[])), now()), Next::Do(LeftStep::Group(ram_group::Step::Delete)));
        let blocked = left(&seen(group("g-1", uid, &[("alice", false)])), now());
        assert!(matches!(blocked, Next::Rest(verdict) if verdict.reason == Reason::Blocked));
        assert_eq!(left(&seen(group("g-1", "ffffffff-2", &[])), now()), finish, "an object took it back");
        assert_eq!(left(&seen(group("g-2", uid, &[])), now()), finish, "another one of the name");
        assert_eq!(left(&seen(LeftInRam::Gone), now()), finish);
        let mut unknown = seen(LeftInRam::Gone);
        unknown.left.identity = None;
        assert!(matches!(left(&unknown, now()), Next::Rest(_)), "it may have been made this moment");
        unknown.abandoned = true;
        assert_eq!(left(&unknown, now()), finish);
        let mut back = seen(group("g-1", uid, &[]));
        back.taken_back = true;
        assert_eq!(left(&back, now()), finish, "whatever a read that lags behind shows");
        let mut elsewhere = seen(group("g-1", uid, &[]));
        elsewhere.left.account_id = Some("2".to_owned());
        assert!(matches!(left(&elsewhere, now()), Next::Rest(verdict) if verdict.reason == Reason::WrongAccount));
    }
}
