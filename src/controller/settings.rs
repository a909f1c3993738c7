//! The settings of an account: each part is read, and written where it differs. Trouble with one part keeps neither the others nor the account
//! from being used.

use std::time::Duration;

use jiff::Timestamp;

use super::drive::{Ctx, Pass, drive, now, paused};
use super::error::Error;
use super::status;
use crate::api::{self, AllowedSources, Permission, RamAccount, RamAccountStatus, SettingStatus, SettingsStatus};
use crate::plan::ram_access_key::wanted_sources;
use crate::plan::settings::{Part, Reach, Seen, Step, alias_taken, next, rested, summary, written};
use crate::plan::timing::{LATER, READ_LAG};
use crate::plan::{Next, Reason, Standing, Verdict};
use crate::ram::{self, Class};

/// The condition's type.
const TYPE: &str = "SettingsApplied";

/// How the settings stand.
#[derive(Debug, Default)]
pub struct Settled {
    /// The condition, if there are settings to speak of.
    pub standing: Option<Standing>,
    /// When to look again, if sooner than usual.
    pub recheck: Option<Duration>,
}

/// Carries out `spec.settings`, part by part, and keeps what is to be remembered in `facts`.
///
/// # Errors
/// What is no trouble of the settings: the credentials, the lease, the end of the process.
pub async fn settle(
    ctx: &Ctx,
    object: &RamAccount,
    client: &ram::Client,
    facts: &mut RamAccountStatus,
) -> Result<Settled, Error> {
    let Some(settings) = &object.spec.settings else {
        facts.settings = None;
        return Ok(Settled::default());
    };
    let generation = object.metadata.generation.unwrap_or_default();
    let before = status::find(object.status.as_ref(), TYPE);
    let was_applied = before.is_some_and(|c| c.status == "True" && c.observed_generation == Some(generation));
    let parts = Wanted::of(settings);
    let kept = keep(&parts, facts);
    let mut verdicts = Vec::new();
    for part in parts {
        let memory = remembered(part, kept);
        let mut pass = PartPass {
            ctx,
            client,
            wanted: part,
            part: None,
            memory: memory.take(),
            generation,
            paused: paused(object),
            now: now(ctx),
            wrote: false,
        };
        let outcome = drive(ctx, &mut pass).await;
        let verdict = outcome.or_else(|error| trouble(error, was_applied));
        *memory = match &verdict {
            Ok(verdict) => rested(pass.memory.take(), generation, verdict),
            Err(_) => pass.memory.take(),
        };
        // Another alias makes another domain, and that may not show yet.
        let domain_lags = pass.wrote && matches!(part, Wanted::Alias(..));
        verdicts.push(if domain_lags { verdict?.again_in(2 * READ_LAG) } else { verdict? });
    }
    let (reason, message) = summary(&verdicts);
    let recheck = verdicts.iter().filter_map(|verdict| verdict.recheck).min();
    Ok(Settled { standing: Some((TYPE, reason, message)), recheck })
}

/// What is remembered of the parts that are managed; the rest is forgotten.
fn keep<'f>(parts: &[Wanted<'_>], facts: &'f mut RamAccountStatus) -> &'f mut SettingsStatus {
    let mut known = facts.settings.take().unwrap_or_default();
    let kept = facts.settings.insert(SettingsStatus::default());
    for part in parts {
        *remembered(*part, kept) = remembered(*part, &mut known).take();
    }
    kept
}

/// Where the status remembers a part.
fn remembered<'s>(part: Wanted<'_>, status: &'s mut SettingsStatus) -> &'s mut Option<SettingStatus> {
    match part {
        Wanted::Alias(..) => &mut status.alias,
        Wanted::PasswordPolicy(_) => &mut status.password_policy,
        Wanted::SecurityPreference(_) => &mut status.security_preference,
        Wanted::Sources(_) => &mut status.access_key_allowed_sources,
    }
}

/// Trouble that is the settings' own. What passes by itself says nothing new of settings that were as asked for.
fn trouble(error: Error, was_applied: bool) -> Result<Verdict, Error> {
    if matches!(&error, Error::Ram(refused) if matches!(refused.class(), Class::Credentials | Class::WrongAccount)) {
        return Err(error);
    }
    match error.verdict() {
        Some(_) if error.passes_by_itself() && was_applied => Ok(Verdict::new(Reason::Applied).again_in(LATER)),
        Some(verdict) if error.passes_by_itself() => Ok(verdict.again_in(LATER)),
        // A right, a value: the next look is soon enough, and a change of the spec asks at once.
        Some(verdict) => Ok(verdict),
        None => Err(error),
    }
}

/// A part that the spec gives.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Alias(&'a str, Permission),
    PasswordPolicy(&'a api::PasswordPolicy),
    SecurityPreference(&'a api::SecurityPreference),
    Sources(&'a AllowedSources),
}

impl<'a> Wanted<'a> {
    /// All that are given. The sources come last: the others are done if they shut out the operator after all.
    fn of(settings: &'a api::AccountSettings) -> Vec<Self> {
        let alias = settings.alias.as_deref().map(|alias| Self::Alias(alias, settings.alias_change));
        let passwords = settings.password_policy.as_ref().map(Self::PasswordPolicy);
        let preference = settings.security_preference.as_ref().map(Self::SecurityPreference);
        let sources = settings.access_key_allowed_sources.as_ref().map(Self::Sources);
        [alias, passwords, preference, sources].into_iter().flatten().collect()
    }
}

/// One part in one pass.
struct PartPass<'a> {
    ctx: &'a Ctx,
    client: &'a ram::Client,
    wanted: Wanted<'a>,
    /// As it was read since it was written last.
    part: Option<Part>,
    memory: Option<SettingStatus>,
    generation: i64,
    paused: bool,
    now: Timestamp,
    wrote: bool,
}

impl PartPass<'_> {
    async fn read(&self) -> Result<Part, ram::Error> {
        let client = self.client;
        Ok(match self.wanted {
            Wanted::Alias(wanted, change) => {
                Part::Alias { wanted: wanted.to_owned(), change, has: client.account_alias().await? }
            }
            Wanted::PasswordPolicy(wanted) => {
                Part::PasswordPolicy { wanted: wanted.clone(), has: client.get_password_policy().await? }
            }
            Wanted::SecurityPreference(wanted) => {
                Part::SecurityPreference { wanted: wanted.clone(), has: client.get_security_preference().await? }
            }
            Wanted::Sources(wanted) => {
                let has = client.account_access_key_sources().await?;
                Part::Sources { wanted: wanted_sources(wanted), has, reach: None }
            }
        })
    }

    async fn set_alias(&self, alias: &str) -> Result<(), Error> {
        match self.client.set_account_alias(alias).await {
            // An earlier answer may have been lost: then the account itself has it.
            Err(error) if error.class() == Class::Exists => match self.client.account_alias().await? {
                Some(has) if has == alias => Ok(()),
                _ => Err(alias_taken(alias).into()),
            },
            outcome => outcome.map_err(Error::from),
        }
    }

    async fn look_at_own_key(&mut self) -> Result<(), Error> {
        let own = self.client.own_key_sources().await?;
        if let Some(Part::Sources { reach, .. }) = &mut self.part {
            *reach = Some(if own.is_none_or(|own| own.active) { Reach::Spared } else { Reach::Bound });
        }
        Ok(())
    }
}

impl Pass for PartPass<'_> {
    type Step = Step;

    async fn observe(&mut self) -> Result<(), Error> {
        if self.part.is_some() {
            return Ok(());
        }
        match self.read().await {
            Ok(part) => {
                self.part = Some(part);
                Ok(())
            }
            // The same question was answered before the write.
            Err(error)
                if self.wrote
                    && matches!(self.wanted, Wanted::Sources(_))
                    && matches!(error.class(), Class::Denied | Class::Credentials) =>
            {
                let detail = "since they were written, RAM refuses its calls; widen them in RAM";
                Err(Verdict::new(Reason::SourcesShutOut).about(detail).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn next(&self) -> Next<Step> {
        let Some(part) = &self.part else { return Next::rest(Reason::Unsettled) };
        let (memory, generation, paused) = (self.memory.as_ref(), self.generation, self.paused);
        next(&Seen { part, memory, generation, paused }, self.now)
    }

    fn only_looks(step: &Step) -> bool {
        matches!(step, Step::LookAtOwnKey)
    }

    async fn act(&mut self, step: Step) -> Result<(), Error> {
        if !self.ctx.lease.holds() {
            return Err(Error::NotLeader);
        }
        let memory = written(self.memory.as_ref(), self.generation, self.now, &step);
        match step {
            Step::LookAtOwnKey => return self.look_at_own_key().await,
            Step::SetAlias(alias) => self.set_alias(&alias).await?,
            Step::SetPasswordPolicy(policy) => self.client.set_password_policy(&policy).await?,
            Step::SetSecurityPreference(preference) => self.client.set_security_preference(&preference).await?,
            Step::SetSources(sources) => self.client.set_account_access_key_sources(&sources).await?,
        }
        self.memory = Some(memory);
        (self.wrote, self.part) = (true, None);
        Ok(())
    }
}
