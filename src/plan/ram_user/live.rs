//! A RamUser that is wanted.

use super::super::tenant::Grants;
use super::super::timing::{LATER, SOON};
use super::super::{AccountView, Reason, Verdict};
use super::{InRam, Ownership, Seen, Step, first_active, ownership, policy_attachment, policy_ref};
use crate::api::{Attachments, PolicyAttachment, UserDeletionPolicy, UserState};
use crate::plan::marker::Marker;
use crate::ram::{NewUser, PolicyRef, User, UserChanges};

pub(super) fn next(seen: &Seen) -> Result<Step, Verdict> {
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    same_account(seen, account)?;
    let (Some(ram), Some(marker)) = (&seen.ram, &seen.marker) else {
        return Err(Verdict::new(Reason::AccountNotReady));
    };
    let Some(user) = &ram.user else { return create(seen, ram, marker) };
    match ownership(&seen.memory, marker, user) {
        Ownership::Not(reason) => return Err(Verdict::new(reason).about(&user.user_name)),
        Ownership::Ours | Ownership::MarkerMissing if !seen.finalizer => return Ok(Step::AddFinalizer),
        Ownership::Ours | Ownership::MarkerMissing => {}
    }
    if let Some(changes) = changes(seen, user, marker) {
        unpaused(seen)?;
        return Ok(Step::UpdateUser(changes));
    }
    policies(seen, ram)
}

/// An object keeps the account it was made in; another one under the same name is never written to.
pub(super) fn same_account(seen: &Seen, account: &AccountView) -> Result<(), Verdict> {
    match &seen.memory.account_id {
        Some(id) if *id != account.account_id => {
            Err(Verdict::new(Reason::WrongAccount).about(format!("it was made in account {id}")))
        }
        _ => Ok(()),
    }
}

fn unpaused(seen: &Seen) -> Result<(), Verdict> {
    if seen.paused { Err(Verdict::new(Reason::Paused)) } else { Ok(()) }
}

fn create(seen: &Seen, ram: &InRam, marker: &Marker) -> Result<Step, Verdict> {
    if let Some(name) = &ram.renamed_to {
        return Err(Verdict::new(Reason::UserRenamed).about(format!("it is called {name} now")));
    }
    unpaused(seen)?;
    seen.account.as_ref().map_err(Clone::clone)?.open()?;
    let spec = &seen.spec;
    granted(seen)?.policies(spec.policies.iter().flatten())?;
    if !seen.finalizer {
        return Ok(Step::AddFinalizer);
    }
    Ok(Step::CreateUser(NewUser {
        user_name: seen.user_name.clone(),
        display_name: spec.display_name.clone(),
        comments: Some(marker.append_to(spec.comments.as_deref().unwrap_or_default())),
        email: spec.email.clone().filter(|text| !text.is_empty()),
        mobile_phone: spec.mobile_phone.clone().filter(|text| !text.is_empty()),
    }))
}

/// The tenant's word on everything but policies.
fn granted(seen: &Seen) -> Result<&Grants, Verdict> {
    let grants = seen.tenant.as_ref().map_err(Clone::clone)?;
    grants.user_name(seen.spec.user_name.as_deref())?;
    grants.retain(seen.spec.deletion_policy == UserDeletionPolicy::Retain)?;
    grants.limit()?;
    Ok(grants)
}

fn changes(seen: &Seen, user: &User, marker: &Marker) -> Option<UserChanges> {
    let spec = &seen.spec;
    let differs = |wanted: &Option<String>, has: &str| wanted.clone().filter(|wanted| wanted != has);
    // Comments hold the marker, so they are always managed; absent text means none.
    let comments = marker.append_to(spec.comments.as_deref().unwrap_or_default());
    let changes = UserChanges {
        user_name: None,
        display_name: differs(&spec.display_name, &user.display_name),
        comments: differs(&Some(comments), &user.comments),
        email: differs(&spec.email, &user.email),
        mobile_phone: differs(&spec.mobile_phone, &user.mobile_phone),
    };
    (changes != UserChanges::default()).then_some(changes)
}

fn policies(seen: &Seen, ram: &InRam) -> Result<Step, Verdict> {
    let Some(wanted) = &seen.spec.policies else { return Err(rest(seen, &[])) };
    let missing: Vec<&PolicyAttachment> = wanted.iter().filter(|w| !attached(ram, &policy_ref(w))).collect();
    if let Some(first) = missing.first() {
        unpaused(seen)?;
        // All of them are asked for before the first is attached: nothing is left half done.
        granted(seen)?.policies(missing.iter().copied())?;
        // At the quota an unwanted policy has to go first.
        if !seen.quota_reached {
            return Ok(Step::AttachPolicy(policy_ref(first)));
        }
    }
    let extra = ram.policies.iter().filter(|has| !wanted.iter().any(|w| policy_ref(w).same_as(has)));
    let mut drift = Vec::new();
    for policy in extra {
        match (seen.spec.attachments, seen.deny_only.get(policy)) {
            (Attachments::Additive, _) => {}
            (Attachments::Report, _) | (Attachments::Exclusive, Some(true)) => drift.push(policy.clone()),
            (Attachments::Exclusive, None) => return Ok(Step::LookAtPolicy(policy.clone())),
            (Attachments::Exclusive, Some(false)) if seen.paused => return Err(Verdict::new(Reason::Paused)),
            (Attachments::Exclusive, Some(false)) => return Ok(Step::DetachPolicy(policy.clone())),
        }
    }
    match missing.first() {
        Some(first) => Err(Verdict::new(Reason::QuotaReached)
            .about(format!("AttachPolicyToUser answered LimitExceeded.User.Policy for {}", first.name))),
        None => Err(rest(seen, &drift)),
    }
}

/// The RamAccessKeys disable their keys themselves, so that they know whose work that is.
fn suspended(seen: &Seen) -> Verdict {
    let keys = seen.ram.as_ref().map_or(&[][..], |ram| &ram.keys);
    let verdict = Verdict::new(Reason::Suspended);
    match first_active(keys, |id| seen.key_is_ours(id)) {
        Some(key) => verdict.about(format!("{} is still to be disabled", key.id)).again_in(SOON),
        None => verdict,
    }
}

fn attached(ram: &InRam, policy: &PolicyRef) -> bool {
    ram.policies.iter().any(|has| has.same_as(policy))
}

fn rest(seen: &Seen, drift: &[PolicyRef]) -> Verdict {
    // What exists stays when the tenant is gone; the object says so.
    let mut verdict = match granted(seen) {
        Ok(grants) => match grants.policies(seen.spec.policies.iter().flatten()) {
            Ok(()) if seen.spec.state == UserState::Suspended => suspended(seen),
            Ok(()) => Verdict::new(Reason::Available),
            Err(refused) => refused,
        },
        Err(refused) => refused.again_in(LATER),
    };
    if !drift.is_empty() {
        let names: Vec<String> = drift.iter().map(|p| format!("{:?} {}", policy_attachment(p).kind, p.name)).collect();
        verdict.drift = Some(format!("policies attached by somebody else: {}", names.join(", ")));
    }
    verdict
}
