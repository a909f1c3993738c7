//! Log-on to the console: what takes it away comes first; a password is given to RAM only when somebody asked for that.

use jiff::Timestamp;

use super::super::timing::{LATER, SOON};
use super::super::{Reason, Verdict, unpaused};
use super::live::granted;
use super::{InRam, Memory, Seen, Step, mfa};
use crate::api::{ConsoleLogin, LoginState, MfaDemand, PasswordSource, RamUserSpec, UserState};
use crate::ram::LoginProfile;

/// What the status remembers of the log-on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginMemory {
    /// What was carried out last.
    pub state: LoginState,
    /// When a password was given to RAM last.
    pub password_time: Option<Timestamp>,
    /// The seal over it.
    pub password_seal: Option<String>,
    /// The seal over one of a person's Secret that was about to be given: whether RAM has it is not known. [`SEVERAL`]: one of some.
    pub giving: Option<String>,
}

/// Stands for the seals of all passwords that may have been given.
const SEVERAL: &str = "";

impl LoginMemory {
    /// Whether RAM has, or may have, another password than the one under this seal.
    fn lacks(&self, seal: &str) -> bool {
        let differs = |known: &String| same_key(known, seal) && known != seal;
        // The answer to one was lost.
        self.giving.is_some() || self.password_seal.as_ref().is_some_and(differs)
    }

    /// Whether log-on was taken away here, or is being made. Then what RAM shows may be how it was before.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.state != LoginState::Enabled
    }

    /// What is to be remembered once RAM shows that the user may log on.
    #[must_use]
    pub fn shown(mut self, password: &PasswordSeen) -> Self {
        let one = self.giving.as_deref().is_some_and(|giving| giving != SEVERAL);
        if self.state == LoginState::Absent && one {
            // There was none, so that this is the one which was made with it.
            self.password_seal = self.giving.take();
        }
        if let (None, PasswordSeen::There(seal)) = (&self.giving, password)
            && self.password_seal.as_ref().is_none_or(|known| !same_key(known, seal))
        {
            // What was there at the first sight counts as given: a password is pushed only when it changes.
            self.password_seal = Some(seal.clone());
        }
        self.state = LoginState::Enabled;
        self
    }
}

/// The password that is to be given to RAM next, without the password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PasswordSeen {
    /// There is none where it should be.
    #[default]
    Absent,
    /// The Secret for a generated one is somebody else's.
    Foreign,
    /// The seal over it.
    There(String),
}

/// How far the annotation `reset-password` has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reset {
    /// Its value.
    pub asked: Option<String>,
    /// The value that was taken up last.
    pub accepted: Option<String>,
    /// The value whose work is complete.
    pub done: Option<String>,
}

impl Reset {
    /// A value that was not taken up yet.
    #[must_use]
    pub fn news(&self) -> Option<&String> {
        self.asked.as_ref().filter(|value| self.accepted.as_ref() != Some(*value))
    }

    /// Whether a value was taken up whose work is not complete.
    #[must_use]
    pub fn open(&self) -> bool {
        self.accepted.is_some() && self.accepted != self.done
    }
}

/// A change of a log-on; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginChange {
    /// Whether the password that was seen is given to RAM.
    pub password: bool,
    /// Whether log-on is allowed.
    pub enabled: Option<bool>,
    /// Whether it needs an MFA device.
    pub mfa: Option<bool>,
}

/// What is to be for now: a suspended user does not log on.
fn effective(seen: &Seen, login: &ConsoleLogin) -> LoginState {
    match login.state {
        LoginState::Enabled if seen.spec.state == UserState::Suspended => LoginState::Disabled,
        state => state,
    }
}

/// Whether the log-on is this object's business when it goes.
#[must_use]
pub fn managed(spec: &RamUserSpec, memory: &Memory) -> bool {
    spec.console_login.is_some() || memory.login.is_some()
}

fn may_log_on(profile: &LoginProfile) -> bool {
    profile.enabled != Some(false)
}

/// What takes the log-on away, whatever the tenant says and pauses stop.
pub(super) fn take_away(seen: &Seen, ram: &InRam) -> Option<Step> {
    let profile = ram.login.as_ref()?;
    let login = seen.spec.console_login.as_ref()?;
    match effective(seen, login) {
        LoginState::Absent => Some(remove(seen)),
        LoginState::Disabled if may_log_on(profile) => Some(disable(seen)),
        _ => None,
    }
}

/// Noted first, then done: after a crash in between nobody takes our own work for somebody else's.
fn disable(seen: &Seen) -> Step {
    if noted(seen, LoginState::Disabled) { off(seen) } else { Step::RecordLogin(LoginState::Disabled) }
}

/// Nobody knows the password that RAM may ask for with it. What takes access away waits for none: the log-on is deleted then.
pub(super) fn off(seen: &Seen) -> Step {
    if seen.disable_refused {
        Step::DeleteLogin
    } else {
        Step::ChangeLogin(LoginChange { enabled: Some(false), ..LoginChange::default() })
    }
}

/// As [`disable`].
fn remove(seen: &Seen) -> Step {
    if noted(seen, LoginState::Absent) { Step::DeleteLogin } else { Step::RecordLogin(LoginState::Absent) }
}

fn noted(seen: &Seen, state: LoginState) -> bool {
    seen.memory.login.as_ref().is_some_and(|login| login.state == state)
}

/// What to do next about the log-on; `drift` is what is reported besides.
pub(super) fn next(seen: &Seen, ram: &InRam, drift: &[String]) -> Result<Step, Verdict> {
    let Some(login) = &seen.spec.console_login else { return mfa::next(seen, ram, drift) };
    if seen.reset.news().is_some() {
        return Ok(Step::RecordReset);
    }
    if effective(seen, login) != LoginState::Enabled {
        return mfa::next(seen, ram, drift);
    }
    match &ram.login {
        None => create(seen, login),
        Some(profile) => keep(seen, login, profile)?.map_or_else(|| mfa::next(seen, ram, drift), Ok),
    }
}

fn create(seen: &Seen, login: &ConsoleLogin) -> Result<Step, Verdict> {
    let was_there = seen.memory.login.as_ref().is_some_and(|login| login.state == LoginState::Enabled);
    if was_there && !seen.reset.open() {
        return Err(taken(seen));
    }
    allowed(seen)?;
    ready(seen, login, was_there || had(seen))?.map_or_else(
        || {
            let mfa = (login.mfa == MfaDemand::Required).then_some(true);
            Ok(Step::CreateLogin(LoginChange { password: true, enabled: Some(true), mfa }))
        },
        Ok,
    )
}

/// Whether the password that is there was given to a log-on that is gone: it was handed over, maybe long ago.
fn had(seen: &Seen) -> bool {
    let away = seen.memory.login.as_ref().filter(|login| login.state != LoginState::Enabled);
    match (away.and_then(|login| login.password_seal.as_ref()), &seen.password) {
        (Some(known), PasswordSeen::There(seal)) => known == seal,
        _ => false,
    }
}

/// What a log-on that is there needs; nothing: what comes after it is next.
fn keep(seen: &Seen, login: &ConsoleLogin, profile: &LoginProfile) -> Result<Option<Step>, Verdict> {
    let memory = seen.memory.login.as_ref();
    // Put back together with a password, for where RAM takes no change without one.
    let mfa = (login.mfa == MfaDemand::Required && !profile.mfa_bind_required).then_some(true);
    if seen.reset.open() {
        allowed(seen)?;
        let change = LoginChange { password: true, enabled: Some(true), mfa };
        return Ok(Some(ready(seen, login, true)?.unwrap_or(Step::ChangeLogin(change))));
    }
    // What we took away is given back whatever is shown: that may be how it was before.
    let away = memory.is_some_and(LoginMemory::is_off);
    let enabled = (away || !may_log_on(profile)).then_some(true);
    if enabled.is_some() && memory.is_some_and(|login| login.state == LoginState::Enabled) {
        return Err(taken(seen));
    }
    // One that was made here is given once, whatever becomes of its Secret: but it has to have been given.
    let from_secret = login.initial_password.as_ref().is_some_and(|p| p.source == PasswordSource::SecretRef);
    if let (Some(memory), PasswordSeen::There(seal)) = (memory, &seen.password)
        && (from_secret || memory.giving.is_some())
        && memory.lacks(seal)
    {
        allowed(seen)?;
        let push = LoginChange { password: true, enabled, mfa };
        return Ok(Some(giving(seen, seal).unwrap_or(Step::ChangeLogin(push))));
    }
    if enabled.is_some() {
        allowed(seen)?;
        return Ok(Some(Step::ChangeLogin(LoginChange { enabled, ..LoginChange::default() })));
    }
    if mfa.is_some() {
        unpaused(seen.paused)?;
        return Ok(Some(Step::ChangeLogin(LoginChange { mfa, ..LoginChange::default() })));
    }
    Ok(None)
}

/// What was given this moment may not show yet.
fn taken(seen: &Seen) -> Verdict {
    if seen.login_fresh {
        return Verdict::new(Reason::Unsettled).again_in(SOON);
    }
    Verdict::new(Reason::LoginTakenOutside).again_in(LATER)
}

/// To let somebody log on is a grant.
fn allowed(seen: &Seen) -> Result<(), Verdict> {
    unpaused(seen.paused)?;
    granted(seen)?.console_login()?;
    match seen.account.as_ref().ok().and_then(|account| account.default_domain.as_ref()) {
        Some(_) => Ok(()),
        None => Err(Verdict::new(Reason::DomainUnknown).again_in(LATER)),
    }
}

/// What has to be done before there is a password to give; one that RAM has already is `used`.
fn ready(seen: &Seen, login: &ConsoleLogin, again: bool) -> Result<Option<Step>, Verdict> {
    let Some(initial) = &login.initial_password else { return Err(Verdict::new(Reason::PasswordNotFound)) };
    let known = seen.memory.login.as_ref().and_then(|login| login.password_seal.as_ref());
    match (initial.source, &seen.password) {
        (PasswordSource::Generate, PasswordSeen::Foreign) => {
            let name = initial.secret.as_ref().map(|secret| secret.name.clone()).unwrap_or_default();
            Err(Verdict::new(Reason::SecretConflict).about(name))
        }
        (PasswordSource::Generate, PasswordSeen::Absent) => Ok(Some(Step::WritePassword)),
        // Asked for another one, the one that RAM has is none.
        (PasswordSource::Generate, PasswordSeen::There(seal))
            if again && known.is_some_and(|known| known == seal || !same_key(known, seal)) =>
        {
            Ok(Some(Step::WritePassword))
        }
        (_, PasswordSeen::There(seal)) => Ok(giving(seen, seal)),
        (PasswordSource::SecretRef, _) => {
            let named = initial.secret_ref.as_ref().map(|r| format!("{} in Secret {}", r.key, r.name));
            Err(Verdict::new(Reason::PasswordNotFound).about(named.unwrap_or_default()).again_in(LATER))
        }
    }
}

/// Noted first, then given: the answer may be lost, and the Secret may have another text by the time that anybody looks again.
fn giving(seen: &Seen, seal: &str) -> Option<Step> {
    let open = seen.memory.login.as_ref().and_then(|login| login.giving.as_deref());
    let noted = if open.is_none_or(|open| open == seal) { seal } else { SEVERAL };
    (open != Some(noted)).then(|| Step::RecordPassword(noted.to_owned()))
}

/// Whether both seals are under one key: if it was lost, another seal says nothing of the text.
fn same_key(one: &str, other: &str) -> bool {
    one.split('.').next() == other.split('.').next()
}
