//! The settings of an account: what differs from the spec is written, unless somebody else keeps changing it back.
//!
//! Each part is read and written as a whole by RAM, so that what the spec leaves out is sent back as it was read.

mod merge;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

use super::reason::Readiness;
use super::timing::{LATER, PEACE, READ_LAG, SOON, SOURCES_LAG};
use super::{Next, Reason, Verdict, unpaused};
use crate::api::{self, Permission, SettingStatus};
use crate::digest;
use crate::ram::{KeySources, PasswordPolicy, SecurityPreference};

/// Changes of somebody else that are undone in a row; the next one stays.
const MOST_REPAIRS: i32 = 2;

/// One part of the settings: what is asked for, and what RAM has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The account's alias.
    Alias {
        /// What is asked for.
        wanted: String,
        /// Whether it may take the place of another one.
        change: Permission,
        /// The one that RAM has.
        has: Option<String>,
    },
    /// The rules for passwords.
    PasswordPolicy {
        /// What is asked for.
        wanted: api::PasswordPolicy,
        /// What RAM has.
        has: PasswordPolicy,
    },
    /// What users may do by themselves.
    SecurityPreference {
        /// What is asked for.
        wanted: api::SecurityPreference,
        /// What RAM has.
        has: SecurityPreference,
    },
    /// From where keys may be used.
    Sources {
        /// What is asked for.
        wanted: KeySources,
        /// What RAM has.
        has: KeySources,
        /// What they mean for the operator; asked for only before they are written.
        reach: Option<Reach>,
    },
}

impl Part {
    /// Its field of `spec.settings`.
    const fn name(&self) -> &'static str {
        match self {
            Self::Alias { .. } => "alias",
            Self::PasswordPolicy { .. } => "passwordPolicy",
            Self::SecurityPreference { .. } => "securityPreference",
            Self::Sources { .. } => "accessKeyAllowedSources",
        }
    }

    /// For how long RAM may show what was before a write.
    const fn lag(&self) -> Duration {
        match self {
            Self::Sources { .. } => SOURCES_LAG,
            _ => READ_LAG,
        }
    }

    /// The hash of what RAM has.
    fn hash(&self) -> Option<String> {
        let step = match self {
            Self::Alias { has, .. } => Step::SetAlias(has.clone()?),
            Self::PasswordPolicy { has, .. } => Step::SetPasswordPolicy(has.clone()),
            Self::SecurityPreference { has, .. } => Step::SetSecurityPreference(has.clone()),
            Self::Sources { has, .. } => Step::SetSources(has.clone()),
        };
        Some(step.hash())
    }
}

/// Whether the sources of the account's keys hold for the operator's own credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// They do not: it signs with a role or a token, or its key has sources in force that are its own.
    Spared,
    /// They do, and from which address RAM sees its calls come is not known here.
    Bound,
}

/// One effect on the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// RAM SetAccountAlias.
    SetAlias(String),
    /// IMS SetPasswordPolicy, with every field that RAM has.
    SetPasswordPolicy(PasswordPolicy),
    /// IMS SetSecurityPreference, with every field that RAM has.
    SetSecurityPreference(SecurityPreference),
    /// IMS GetAccessKeyPolicy of the operator's own key.
    LookAtOwnKey,
    /// IMS SetAccessKeyPolicyForAccount.
    SetSources(KeySources),
}

impl Step {
    /// The hash of what is written: equal for what RAM shows once it shows that.
    fn hash(&self) -> String {
        let text = match self {
            Self::SetSources(sources) => format!("{:?}", sources.meaning()),
            Self::SetSecurityPreference(preference) => {
                let mut sorted = preference.clone();
                for list in [&mut sorted.login_network_masks, &mut sorted.verification_types].into_iter().flatten() {
                    list.sort();
                }
                format!("{sorted:?}")
            }
            step => format!("{step:?}"),
        };
        digest::short(&["setting/", &text], 16)
    }
}

/// What is known of one part.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// What is asked for, and what RAM has.
    pub part: &'a Part,
    /// What the status remembers of it.
    pub memory: Option<&'a SettingStatus>,
    /// The generation of the spec.
    pub generation: i64,
    /// Repairs are stopped.
    pub paused: bool,
}

/// What one part of the settings needs next.
#[must_use]
pub fn next(seen: &Seen<'_>, now: Timestamp) -> Next<Step> {
    match decide(seen, now) {
        Ok(step) => Next::Do(step),
        Err(verdict) => Next::Rest(verdict),
    }
}

fn decide(seen: &Seen<'_>, now: Timestamp) -> Result<Step, Verdict> {
    // What another generation asks for may be what was there before the last write, so that not even that tells anything.
    if current(seen.memory, seen.generation).is_none() {
        shown(seen, seen.part.name(), now)?;
    }
    match seen.part {
        Part::Alias { wanted, has: Some(has), .. } if wanted == has => Err(applied()),
        Part::Alias { wanted, change, has } => {
            shown(seen, "alias", now)?;
            if let (Permission::Deny, Some(has)) = (change, has) {
                return Err(Verdict::new(Reason::AliasDiffers).about(format!("it has {has}, not {wanted}")));
            }
            mendable(seen, "alias", now)?;
            Ok(Step::SetAlias(wanted.clone()))
        }
        Part::PasswordPolicy { wanted, has } => {
            let (whole, fields) = merge::password_policy(wanted, has);
            differs(seen, &fields, now)?;
            Ok(Step::SetPasswordPolicy(whole))
        }
        Part::SecurityPreference { wanted, has } => {
            let (whole, fields) = merge::security_preference(wanted, has);
            differs(seen, &fields, now)?;
            Ok(Step::SetSecurityPreference(whole))
        }
        Part::Sources { wanted, has, .. } if wanted == has => Err(applied()),
        Part::Sources { wanted, reach, .. } => {
            shown(seen, seen.part.name(), now)?;
            mendable(seen, seen.part.name(), now)?;
            match reach {
                None => Ok(Step::LookAtOwnKey),
                Some(Reach::Spared) => Ok(Step::SetSources(wanted.clone())),
                Some(Reach::Bound) => {
                    Err(Verdict::new(Reason::SourcesShutOut).about("its own AccessKey has none of its own in force"))
                }
            }
        }
    }
}

fn applied() -> Verdict {
    Verdict::new(Reason::Applied)
}

/// Fields of a group differ, and may be written.
fn differs(seen: &Seen<'_>, fields: &[&'static str], now: Timestamp) -> Result<(), Verdict> {
    if fields.is_empty() {
        return Err(applied());
    }
    let names: Vec<String> = fields.iter().map(|field| format!("{}.{field}", seen.part.name())).collect();
    let names = names.join(", ");
    shown(seen, &names, now)?;
    mendable(seen, &names, now)
}

/// What was written this shortly before may not show yet, whichever generation asked for it. Once that very thing shows, it does.
fn shown(seen: &Seen<'_>, what: &str, now: Timestamp) -> Result<(), Verdict> {
    let Some(memory) = seen.memory else { return Ok(()) };
    let shows = memory.hash.is_some() && memory.hash == seen.part.hash();
    if !shows && time(memory).is_some_and(|last| within(last, seen.part.lag(), now)) {
        return Err(Verdict::new(Reason::Unsettled).about(what).again_in(6 * SOON));
    }
    Ok(())
}

/// Another account has the alias: it is asked for again, in case that it becomes free.
#[must_use]
pub fn alias_taken(alias: &str) -> Verdict {
    Verdict::new(Reason::AliasTaken).about(alias).again_in(LATER)
}

/// A difference is mended, unless somebody else has made it too often. Two that disagree must not go on for ever.
fn mendable(seen: &Seen<'_>, what: &str, now: Timestamp) -> Result<(), Verdict> {
    let contested = current(seen.memory, seen.generation)
        .is_some_and(|memory| memory.repairs > MOST_REPAIRS || in_a_row(memory, now) >= MOST_REPAIRS);
    if contested {
        return Err(Verdict::new(Reason::SettingsContested).about(what));
    }
    unpaused(seen.paused)
}

/// What was remembered under this generation of the spec. Another generation begins anew.
fn current(memory: Option<&SettingStatus>, generation: i64) -> Option<&SettingStatus> {
    memory.filter(|memory| memory.generation == generation)
}

fn time(memory: &SettingStatus) -> Option<Timestamp> {
    memory.time.as_ref()?.parse().ok()
}

fn within(last: Timestamp, span: Duration, now: Timestamp) -> bool {
    now <= last.saturating_add(span).unwrap_or(Timestamp::MAX)
}

/// Repairs that followed one another without a long time of peace.
fn in_a_row(memory: &SettingStatus, now: Timestamp) -> i32 {
    let peace = time(memory).is_some_and(|last| !within(last, PEACE, now));
    if peace { 0 } else { memory.repairs }
}

/// What is to be remembered of a part that was just written by this step.
#[must_use]
pub fn written(memory: Option<&SettingStatus>, generation: i64, now: Timestamp, step: &Step) -> SettingStatus {
    // The first write under a generation carries the spec out; a further one undoes what somebody else did.
    let repairs = current(memory, generation).map_or(0, |memory| in_a_row(memory, now).saturating_add(1));
    SettingStatus { generation, repairs, time: Some(now.to_string()), hash: Some(step.hash()) }
}

/// What is to be remembered of a part that came to rest.
#[must_use]
pub fn rested(memory: Option<SettingStatus>, generation: i64, verdict: &Verdict) -> Option<SettingStatus> {
    match (verdict.reason, memory) {
        (Reason::Applied, Some(memory)) if memory.generation == generation => Some(memory),
        // When it was written last still tells for how long that may not show.
        (Reason::Applied, memory) => Some(SettingStatus { generation, repairs: 0, ..memory.unwrap_or_default() }),
        // It stays contested, however long that lasts.
        (Reason::SettingsContested, Some(memory)) => {
            Some(SettingStatus { repairs: MOST_REPAIRS.saturating_add(1), ..memory })
        }
        (_, memory) => memory,
    }
}

/// One condition for all parts: the reason of the worst, and what is to be said of each that is not as asked for.
#[must_use]
pub fn summary(parts: &[Verdict]) -> (Reason, String) {
    let troubles: Vec<&Verdict> = parts.iter().filter(|part| part.reason != Reason::Applied).collect();
    let worst = troubles.iter().find(|part| part.reason.readiness() != Readiness::Unknown).or(troubles.first());
    match worst {
        Some(worst) => {
            let messages: Vec<String> = troubles.iter().map(|part| part.message()).collect();
            (worst.reason, messages.join(" "))
        }
        None => (Reason::Applied, applied().message()),
    }
}
