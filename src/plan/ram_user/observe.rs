//! A RamUser that only observes: what is there is shown and compared, whoever made it.

use super::super::attachments::{differences, named};
use super::super::tenant::Thing;
use super::super::{Reason, Verdict};
use super::{InRam, Ownership, Seen, whose};
use crate::api::{Attachments, GroupKind, LoginState, Management};
use crate::plan::marker::Marker;
use crate::ram::User;

pub(super) fn next(seen: &Seen) -> Verdict {
    match look(seen) {
        Ok(verdict) | Err(verdict) => verdict,
    }
}

/// Whether somebody else's user may be shown: to observe an administrator must not tell what it has.
#[must_use]
pub fn sees(seen: &Seen) -> bool {
    seen.spec.management == Management::Observe && !seen.deleting && allowed(seen).is_ok()
}

fn allowed(seen: &Seen) -> Result<(), Verdict> {
    let grants = seen.tenant.as_ref().map_err(Clone::clone)?;
    grants.adopts(Thing::User, seen.spec.user_name.as_deref())
}

fn look(seen: &Seen) -> Result<Verdict, Verdict> {
    let account = seen.account.as_ref().map_err(Clone::clone)?;
    account.keeps(seen.memory.account_id.as_ref())?;
    let (Some(ram), Some(marker)) = (&seen.ram, &seen.marker) else {
        return Err(Verdict::new(Reason::AccountNotReady));
    };
    let ours = |user: &User| !matches!(whose(seen, marker, user), Ownership::Not(_));
    // Before anything is told, be it that there is none.
    if !ram.user.as_ref().is_some_and(ours) {
        allowed(seen)?;
    }
    let Some(user) = &ram.user else { return Err(Verdict::new(Reason::NotInRam).about(&seen.user_name)) };
    let mut drift = fields(seen, user);
    if let Some(wanted) = &seen.spec.policies {
        drift.extend(differences(wanted, seen.spec.attachments, &ram.policies, &seen.references));
    }
    drift.extend(groups(seen, ram));
    drift.extend(log_on(seen, ram));
    Ok(Verdict::observed(&drift))
}

/// Names of fields that differ, without what is in them.
fn fields(seen: &Seen, user: &User) -> Vec<String> {
    let spec = &seen.spec;
    let text = Marker::parse(&user.comments).0;
    let all = [
        ("displayName", &spec.display_name, user.display_name.as_str()),
        ("comments", &spec.comments, text),
        ("email", &spec.email, user.email.as_str()),
        ("mobilePhone", &spec.mobile_phone, user.mobile_phone.as_str()),
    ];
    let differ = all.into_iter().filter(|(_, wanted, has)| wanted.as_ref().is_some_and(|wanted| wanted != has));
    differ.map(|(name, ..)| name.to_owned()).collect()
}

fn groups(seen: &Seen, ram: &InRam) -> Vec<String> {
    let Some(wanted) = &seen.spec.groups else { return Vec::new() };
    let resolved = wanted.iter().map(|group| match group.kind {
        GroupKind::Ram => (group.name.as_str(), Some(group.name.as_str())),
        GroupKind::RamGroup => (group.name.as_str(), named(&group.name, &seen.group_references)),
    });
    let resolved: Vec<(&str, Option<&str>)> = resolved.collect();
    let is_in = |name: &str| ram.groups.iter().any(|has| has.eq_ignore_ascii_case(name));
    let missing: Vec<&str> =
        resolved.iter().filter(|(_, name)| !name.is_some_and(is_in)).map(|(shown, _)| *shown).collect();
    let asked = |has: &str| resolved.iter().any(|(_, name)| name.is_some_and(|name| name.eq_ignore_ascii_case(has)));
    let besides = seen.spec.attachments != Attachments::Additive;
    let extra: Vec<&str> = ram.groups.iter().map(String::as_str).filter(|has| besides && !asked(has)).collect();
    let mut all = Vec::new();
    if !missing.is_empty() {
        all.push(format!("groups that it is not in: {}", missing.join(", ")));
    }
    if !extra.is_empty() {
        all.push(format!("groups that it is in besides: {}", extra.join(", ")));
    }
    all
}

fn log_on(seen: &Seen, ram: &InRam) -> Option<String> {
    let wanted = seen.spec.console_login.as_ref()?.state;
    let has = match &ram.login {
        None => LoginState::Absent,
        Some(profile) if profile.enabled == Some(false) => LoginState::Disabled,
        Some(_) => LoginState::Enabled,
    };
    (wanted != has).then(|| format!("log-on to the console is {has:?}"))
}
