//! A RamUser that is wanted.

use super::super::adoption::{marked, placed, told};
use super::super::tenant::{Grants, Thing};
use super::super::timing::{LATER, SOON};
use super::super::{Reason, Verdict, unpaused};
use super::{InRam, Ownership, Seen, Step, adopt, first_active, groups, login, mfa, whose};
use crate::api::{Adoption, LoginState, Management, UserState};
use crate::plan::attachments::{self, Attachment, Wish};
use crate::plan::marker::{COMMENTS_LIMIT, Marker};
use crate::plan::ownership::retaken;
use crate::ram::{NewUser, User, UserChanges};

pub(super) fn next(seen: &Seen) -> Result<Step, Verdict> {
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    account.keeps(seen.memory.account_id.as_ref())?;
    let (Some(ram), Some(marker)) = (&seen.ram, &seen.marker) else {
        return Err(Verdict::new(Reason::AccountNotReady));
    };
    let Some(user) = &ram.user else { return create(seen, ram, marker) };
    match whose(seen, marker, user) {
        Ownership::Not(reason) => {
            tell(seen)?;
            if reason == Reason::Foreign && seen.spec.adoption == Adoption::IfUnowned {
                return adopt::next(seen, ram, user, marker);
            }
            return Err(Verdict::new(reason).about(&user.user_name));
        }
        Ownership::MarkerMissing => retaken(seen.memory.user_id.is_some(), &seen.tenant)?,
        Ownership::Ours => {}
    }
    if !seen.finalizer {
        return Ok(Step::AddFinalizer);
    }
    if let Some(step) = login::take_away(seen, ram).filter(|step| !adopt::waits(seen, step)) {
        return Ok(step);
    }
    if let Some(step) = mfa::take_away(seen, ram) {
        return Ok(step);
    }
    match adopt::still_within(seen, ram) {
        Ok(None) => {}
        Ok(Some(look)) => return Ok(look),
        Err(excess) => return adopt::removal(seen, ram).ok_or(excess),
    }
    if let Some(changes) = changes(seen, user, marker, seen.memory.adoption.adopted())? {
        unpaused(seen.paused)?;
        return Ok(Step::UpdateUser(changes));
    }
    policies(seen, ram)
}

/// What became of a user that this object had is told in any case.
fn tell(seen: &Seen) -> Result<(), Verdict> {
    match &seen.memory.user_id {
        Some(_) => Ok(()),
        None => told(&seen.tenant, Thing::User, seen.spec.user_name.as_deref(), seen.spec.adoption),
    }
}

fn create(seen: &Seen, ram: &InRam, marker: &Marker) -> Result<Step, Verdict> {
    if let Some(name) = &ram.renamed_to {
        return Err(Verdict::new(Reason::UserRenamed).about(format!("it is called {name} now")));
    }
    tell(seen)?;
    unpaused(seen.paused)?;
    seen.account.as_ref().map_err(Clone::clone)?.open()?;
    let spec = &seen.spec;
    let grants = granted(seen)?;
    asked(seen, grants)?;
    let policies = spec.policies.as_deref().unwrap_or_default();
    if let Some(policy) = attachments::judged(policies, &seen.references, &seen.documents, grants)? {
        return Ok(Step::LookAtPolicy(policy));
    }
    if let Some(look) = groups::judged(seen, grants)? {
        return Ok(look);
    }
    if !seen.finalizer {
        return Ok(Step::AddFinalizer);
    }
    // Else, if its answer is lost, the new one would be taken for one that replaced the old one.
    if seen.memory.user_id.is_some() {
        return Ok(Step::RecordGone);
    }
    Ok(Step::CreateUser(NewUser {
        user_name: seen.user_name.clone(),
        display_name: spec.display_name.clone(),
        comments: Some(marker.append_to(spec.comments.as_deref().unwrap_or_default())),
        email: spec.email.clone().filter(|text| !text.is_empty()),
        mobile_phone: spec.mobile_phone.clone().filter(|text| !text.is_empty()),
    }))
}

/// The tenant's word on everything but policies and groups.
pub(super) fn granted(seen: &Seen) -> Result<&Grants, Verdict> {
    let grants = seen.tenant.as_ref().map_err(Clone::clone)?;
    let spec = &seen.spec;
    let adopted = seen.memory.adoption.adopted() && seen.ram.as_ref().is_some_and(|ram| ram.user.is_some());
    placed(grants, Thing::User, spec.user_name.as_deref(), adopted, spec.deletion_policy)?;
    grants.limit()?;
    Ok(grants)
}

/// The tenant's word on all that the spec asks for, before the first of it is written: nothing is left half done.
pub(super) fn asked(seen: &Seen, grants: &Grants) -> Result<(), Verdict> {
    grants.policies(seen.spec.policies.iter().flatten())?;
    groups::allowed(seen, grants)?;
    match &seen.spec.console_login {
        Some(login) if login.state == LoginState::Enabled => grants.console_login(),
        _ => Ok(()),
    }
}

/// What differs; an `adopted` user keeps the text that it has, unless there is another one.
pub(super) fn changes(
    seen: &Seen,
    user: &User,
    marker: &Marker,
    adopted: bool,
) -> Result<Option<UserChanges>, Verdict> {
    let spec = &seen.spec;
    let differs = |wanted: &Option<String>, has: &str| wanted.clone().filter(|wanted| wanted != has);
    // Comments hold the marker, so they are always managed; absent text means none, or that of a user that was adopted.
    let has = adopted.then_some(user.comments.as_str());
    let comments = marked(marker, spec.comments.as_deref(), has, COMMENTS_LIMIT)?;
    let changes = UserChanges {
        user_name: None,
        display_name: differs(&spec.display_name, &user.display_name),
        comments: differs(&Some(comments), &user.comments),
        email: differs(&spec.email, &user.email),
        mobile_phone: differs(&spec.mobile_phone, &user.mobile_phone),
    };
    Ok((changes != UserChanges::default()).then_some(changes))
}

fn policies(seen: &Seen, ram: &InRam) -> Result<Step, Verdict> {
    let Some(wish) = wish(seen, ram) else { return groups::next(seen, ram, Vec::new()) };
    match attachments::next(&wish)? {
        Attachment::Attach(policy) => Ok(Step::AttachPolicy(policy)),
        Attachment::Detach(policy) => Ok(Step::DetachPolicy(policy)),
        Attachment::Look(policy) => Ok(Step::LookAtPolicy(policy)),
        Attachment::Settled(drift) if drift.is_empty() => groups::next(seen, ram, Vec::new()),
        Attachment::Settled(drift) => {
            let drift = format!("policies attached by somebody else: {}", attachments::listed(&drift));
            groups::next(seen, ram, vec![drift])
        }
    }
}

/// What is to become of the policies, if they are managed.
pub(super) fn wish<'a>(seen: &'a Seen, ram: &'a InRam) -> Option<Wish<'a>> {
    Some(Wish {
        wanted: seen.spec.policies.as_ref()?,
        rest: seen.spec.attachments,
        has: &ram.policies,
        references: &seen.references,
        documents: &seen.documents,
        paused: seen.paused,
        quota_reached: seen.quota_reached,
        held: seen.memory.adoption.holds(),
        grants: granted(seen),
    })
}

/// The RamAccessKeys disable their keys themselves, so that they know whose work that is.
fn suspended(seen: &Seen) -> Verdict {
    let keys = seen.ram.as_ref().map_or(&[][..], |ram| &ram.keys);
    let verdict = Verdict::new(Reason::Suspended);
    match first_active(keys, |id| seen.key_is_ours(id)) {
        // Who only plans has nobody disable it.
        Some(key) if seen.spec.management == Management::Plan => verdict.about(format!("{} is in use", key.id)),
        Some(key) => verdict.about(format!("{} is still to be disabled", key.id)).again_in(SOON),
        None => verdict,
    }
}

/// What exists stays when the tenant is gone; the object says so.
pub(super) fn rest(seen: &Seen, drift: &[String]) -> Verdict {
    let mut verdict = match granted(seen).map(|grants| asked(seen, grants)) {
        Ok(Ok(())) if seen.spec.state == UserState::Suspended => suspended(seen),
        Ok(Ok(())) => Verdict::new(Reason::Available),
        Ok(Err(refused)) => refused,
        Err(refused) => refused.again_in(LATER),
    };
    if !drift.is_empty() {
        verdict.drift = Some(drift.join("; "));
    }
    verdict
}
