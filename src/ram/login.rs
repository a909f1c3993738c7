//! The login profiles of users: whether and how they log on to the console.
//!
//! IMS is asked for what may concern `Status`, which only it has: log-on can be disabled there with the profile kept.
//! It names a user by UserPrincipalName, so that after a change of the account's domain it says of an old name that
//! there is no such user; this is an error here, never an absent profile. RAM names users without the domain.

use secrecy::ExposeSecret;

use super::{
    client::{Client, given, present, truth},
    error::Error,
    model::{KeyStatus, LoginChanges, LoginProfile},
    sign::Param,
    transport::Api,
    wire,
};

/// What RAM and IMS say when the user has no login profile.
const NO_PROFILE: &str = "EntityNotExist.User.LoginProfile";

impl Client {
    /// The login profile of a user, if it has one (IMS GetLoginProfile, as only IMS tells whether log-on is allowed).
    /// No such user is [`Class::Missing`](super::Class::Missing).
    pub async fn login_profile(&self, user_principal_name: &str) -> Result<Option<LoginProfile>, Error> {
        let params = [("UserPrincipalName", user_principal_name)];
        present(self.call::<wire::OneLoginProfile>(Api::Ims, "GetLoginProfile", &params).await, &[NO_PROFILE])
    }

    /// The same without IMS, by user name (RAM GetLoginProfile), for where IMS cannot be asked. RAM does not know
    /// whether log-on is allowed, nor what became of the first password.
    pub async fn login_profile_without_status(&self, user_name: &str) -> Result<Option<LoginProfile>, Error> {
        let params = [("UserName", user_name)];
        present(self.call::<wire::RamLoginProfile>(Api::Ram, "GetLoginProfile", &params).await, &[NO_PROFILE])
    }

    /// Gives a user a login profile (IMS CreateLoginProfile, as only IMS can make one with log-on disabled); it needs
    /// a password. A user that has one is [`Class::Exists`](super::Class::Exists), a password that the policy forbids
    /// [`Class::Invalid`](super::Class::Invalid). When the answer is lost it is not sent again: look whether the
    /// profile is there.
    pub async fn create_login_profile(&self, user_principal_name: &str, profile: &LoginChanges) -> Result<(), Error> {
        let params = parameters(user_principal_name, profile);
        self.call_carefully::<wire::Done>(Api::Ims, "CreateLoginProfile", &params).await
    }

    /// Changes a login profile (IMS UpdateLoginProfile, as only IMS can enable and disable log-on). When the answer is
    /// lost it is not sent again: the same password a second time may be refused as a repeated one.
    pub async fn update_login_profile(&self, user_principal_name: &str, changes: &LoginChanges) -> Result<(), Error> {
        let params = parameters(user_principal_name, changes);
        self.call_carefully::<wire::Done>(Api::Ims, "UpdateLoginProfile", &params).await
    }

    /// Deletes the login profile of a user (RAM DeleteLoginProfile, by user name, so that no change of the domain can
    /// pass for success); no profile, or no such user, is done.
    pub async fn delete_login_profile(&self, user_name: &str) -> Result<(), Error> {
        let answer = self.call::<wire::Done>(Api::Ram, "DeleteLoginProfile", &[("UserName", user_name)]).await;
        present(answer, &[NO_PROFILE, "EntityNotExist.User"]).map(drop)
    }
}

fn parameters<'a>(user_principal_name: &'a str, changes: &'a LoginChanges) -> Vec<Param<'a>> {
    let mut params = vec![("UserPrincipalName", user_principal_name)];
    params.extend(changes.password.as_ref().map(|password| ("Password", password.expose_secret())));
    params.extend(given([
        ("PasswordResetRequired", changes.password_reset_required.map(truth)),
        ("MFABindRequired", changes.mfa_bind_required.map(truth)),
        ("Status", changes.enabled.map(status)),
    ]));
    params
}

/// IMS has the same two words for log-on as RAM has for keys.
const fn status(enabled: bool) -> &'static str {
    if enabled { KeyStatus::Active.as_str() } else { KeyStatus::Inactive.as_str() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_is_sent() {
        assert_eq!(parameters("svc@acme", &LoginChanges::default()), [("UserPrincipalName", "svc@acme")]);
        let changes = LoginChanges {
            password: Some("hush-hush".into()),
            password_reset_required: Some(true),
            mfa_bind_required: Some(false),
            enabled: Some(false),
        };
        let all = [
            ("UserPrincipalName", "svc@acme"),
            ("Password", "hush-hush"),
            ("PasswordResetRequired", "true"),
            ("MFABindRequired", "false"),
            ("Status", "Inactive"),
        ];
        assert_eq!(parameters("svc@acme", &changes), all);
        let enabling = LoginChanges { enabled: Some(true), ..LoginChanges::default() };
        assert_eq!(parameters("svc@acme", &enabling), [("UserPrincipalName", "svc@acme"), ("Status", "Active")]);
    }
}
