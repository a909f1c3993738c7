//! Console log-ons: their passwords, what the account asks of a password, and whether one lets a person in.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::rules::Rules;
use super::state::{Account, token};

/// Passwords remembered of a user, the one in force included: as many as PasswordReusePrevention can ask for.
const REMEMBERED: usize = 24;
const LONGEST: usize = 32;
/// After too many wrong passwords nobody is let in for this time.
const LOCKED: SignedDuration = SignedDuration::from_hours(1);
/// The passwords that InterceptRiskPasswordOnApi knows to have leaked.
const LEAKED: [&str; 3] = ["Password123!", "P@ssw0rd2024", "Admin@123456"];

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Hides a text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself.
    pub fn plain(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What becomes of an attempt to log on to the console with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logon {
    /// The person is in.
    In,
    /// The password is right and has to be changed at once.
    MustChangePassword,
    /// The password is right, and an MFA device has to be bound at once.
    MustBindMfa,
    /// The password is right, and a code of the bound MFA device is asked for.
    NeedsCode,
    /// The password is right, and the code is not one of the bound MFA device, or was used before.
    WrongCode,
    /// The user has no login profile.
    NoProfile,
    /// The Status of the login profile is Inactive.
    Disabled,
    /// There were as many wrong passwords as MaxLoginAttemps allows, less than an hour ago.
    Locked,
    /// The password is another one.
    WrongPassword,
    /// The password is right, but the person did not change it within InitialPasswordAge.
    InitialPasswordExpired,
    /// The password is right, but older than MaxPasswordAge, and HardExpire leaves it to an administrator.
    PasswordExpired,
}

impl Logon {
    /// Whether the password is right and not expired, whatever else is asked for.
    pub fn accepts(self) -> bool {
        matches!(self, Self::In | Self::MustChangePassword | Self::MustBindMfa | Self::NeedsCode)
    }
}

/// The console log-on of a user.
#[derive(Clone, Debug)]
pub struct LoginProfile {
    pub active: bool,
    pub reset_required: bool,
    pub mfa_required: bool,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub last_login: Option<Timestamp>,
    /// Since when the password is an initial one, which the person has yet to change.
    pub initial: Option<Timestamp>,
    /// When the password was set.
    changed: Timestamp,
    /// The last one is in force; none if there never was one.
    passwords: Vec<Hidden>,
    failures: i64,
    locked: Option<Timestamp>,
}

impl LoginProfile {
    /// One that is active, asks for nothing and has no password yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            active: true,
            reset_required: false,
            mfa_required: false,
            created: now,
            updated: now,
            last_login: None,
            initial: None,
            changed: now,
            passwords: Vec::new(),
            failures: 0,
            locked: None,
        }
    }

    /// Sets the password, without checks; an initial one has to be changed by the person.
    pub fn set_password(&mut self, password: &str, initial: bool, now: Timestamp) {
        if !self.has_password(password) {
            self.passwords.push(Hidden::new(password));
        }
        let forgotten = self.passwords.len().saturating_sub(REMEMBERED);
        self.passwords.drain(..forgotten);
        self.initial = initial.then_some(now);
        self.changed = now;
        self.updated = now;
        self.failures = 0;
        self.locked = None;
    }

    /// Enables or disables the log-on. The time of an initial password begins anew when it is enabled.
    pub fn set_active(&mut self, active: bool, now: Timestamp) {
        if active && !self.active {
            self.initial = self.initial.map(|_| now);
        }
        self.active = active;
        self.updated = now;
    }

    /// Whether this is the password in force.
    pub fn has_password(&self, text: &str) -> bool {
        self.passwords.last().is_some_and(|password| password.plain() == text)
    }

    /// Whether PasswordReusePrevention forbids a password; the one in force may be left out of account.
    pub fn used_lately(&self, text: &str, policy: &Rules, in_force_counts: bool) -> bool {
        let last = usize::try_from(policy.number("PasswordReusePrevention")).unwrap_or_default();
        let mut lately = self.passwords.iter().rev().take(last).skip(usize::from(!in_force_counts));
        lately.any(|password| password.plain() == text)
    }

    /// PasswordStatus of IMS.
    pub fn password_status(&self, policy: &Rules, now: Timestamp) -> &'static str {
        match self.initial {
            None => "NotInitial",
            Some(since) if aged(since, policy.number("InitialPasswordAge"), now) => "InitialExpired",
            Some(_) => "InitialValid",
        }
    }

    /// Whether the password is right and may still be used. Counts the wrong ones.
    fn attempt(&mut self, password: &str, policy: &Rules, now: Timestamp) -> Result<(), Logon> {
        if !self.active {
            return Err(Logon::Disabled);
        }
        if self.locked.is_some_and(|since| now.duration_since(since) < LOCKED) {
            return Err(Logon::Locked);
        }
        if !self.has_password(password) {
            self.failed(policy.number("MaxLoginAttemps"), now);
            return Err(Logon::WrongPassword);
        }
        self.failures = 0;
        self.locked = None;
        if self.password_status(policy, now) == "InitialExpired" {
            return Err(Logon::InitialPasswordExpired);
        }
        if policy.flag("HardExpire") && self.outlived(policy, now) {
            return Err(Logon::PasswordExpired);
        }
        Ok(())
    }

    fn failed(&mut self, allowed: i64, now: Timestamp) {
        self.failures += 1;
        if allowed > 0 && self.failures >= allowed {
            self.failures = 0;
            self.locked = Some(now);
        }
    }

    fn outlived(&self, policy: &Rules, now: Timestamp) -> bool {
        aged(self.changed, policy.number("MaxPasswordAge"), now)
    }
}

/// Whether so many days have passed since then; never, if there are none.
fn aged(since: Timestamp, days: i64, now: Timestamp) -> bool {
    days > 0 && now.duration_since(since) >= SignedDuration::from_hours(24 * days)
}

/// A password that every policy accepts and a scan for leaks recognises.
pub fn password() -> String {
    format!("s3cr3t-{}Zz9!", token(16))
}

/// A class of characters.
type Class = fn(&u8) -> bool;

/// Whether a password of that user satisfies the account's password policy.
pub fn strong(policy: &Rules, user_name: &str, password: &str) -> bool {
    let at_least = |name: &str| usize::try_from(policy.number(name)).unwrap_or_default();
    let classes: [(&str, Class); 4] = [
        ("RequireLowercaseCharacters", u8::is_ascii_lowercase),
        ("RequireUppercaseCharacters", u8::is_ascii_uppercase),
        ("RequireNumbers", u8::is_ascii_digit),
        ("RequireSymbols", u8::is_ascii_punctuation),
    ];
    let has = |class: Class| password.as_bytes().iter().any(class);
    let different: BTreeSet<u8> = password.bytes().collect();
    let names_user = password.to_lowercase().contains(&user_name.to_lowercase());
    (at_least("MinimumPasswordLength")..=LONGEST).contains(&password.len())
        && password.bytes().all(|byte| byte.is_ascii_graphic())
        && classes.into_iter().all(|(rule, class)| !policy.flag(rule) || has(class))
        && different.len() >= at_least("MinimumPasswordDifferentCharacter")
        && !(policy.flag("PasswordNotContainUserName") && names_user)
        && !(policy.flag("InterceptRiskPasswordOnApi") && LEAKED.contains(&password))
}

impl Account {
    /// Remembers a password among all that is secret.
    pub fn keep_secret(&mut self, password: &str) {
        if !self.secrets.iter().any(|secret| secret == password) {
            self.secrets.push(password.to_owned());
        }
    }

    /// Tries a password on the console.
    pub fn log_on(&mut self, user_id: &str, password: &str, now: Timestamp) -> Logon {
        let (policy, for_all) = (&self.rules.passwords, self.rules.mfa_for_all());
        let Some(user) = self.users.get_mut(user_id) else {
            return Logon::NoProfile;
        };
        let Some(profile) = user.login_profile.as_mut() else {
            return Logon::NoProfile;
        };
        if let Err(refused) = profile.attempt(password, policy, now) {
            return refused;
        }
        if user.mfa_device.is_some() {
            Logon::NeedsCode
        } else if profile.mfa_required || for_all {
            Logon::MustBindMfa
        } else if profile.reset_required || profile.outlived(policy, now) {
            Logon::MustChangePassword
        } else {
            profile.last_login = Some(now);
            Logon::In
        }
    }

    /// Tries a password on the console, and then a code of the user's MFA device.
    pub fn log_on_with_code(&mut self, user_id: &str, password: &str, code: &str, now: Timestamp) -> Logon {
        match self.log_on(user_id, password, now) {
            Logon::NeedsCode => {}
            other => return other,
        }
        let serial = self.users.get(user_id).and_then(|user| user.mfa_device.clone());
        let right = match serial {
            Some(serial) => self.device_mut(&serial).is_some_and(|device| device.takes_one(code, now)),
            None => false,
        };
        let profile = self.users.get_mut(user_id).and_then(|user| user.login_profile.as_mut());
        match profile {
            Some(profile) if right && profile.reset_required => Logon::MustChangePassword,
            Some(profile) if right => {
                profile.last_login = Some(now);
                Logon::In
            }
            _ => Logon::WrongCode,
        }
    }
}
