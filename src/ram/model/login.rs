//! How a user logs on to the console: the password's profile and the second factor.

use secrecy::SecretString;

/// How a user logs on with a password. The password itself is never shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginProfile {
    /// Whether log-on is allowed (IMS `Status`). Absent when RAM was asked, which does not know it.
    pub enabled: Option<bool>,
    /// Whether the next log-on has to set another password.
    pub password_reset_required: bool,
    /// Whether log-on needs an MFA device. Settings of the account may force it.
    pub mfa_bind_required: bool,
    /// What became of the first password. Absent when RAM was asked, and for a state that is not known.
    pub password_status: Option<PasswordStatus>,
}

/// What became of the password that was given to a user first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PasswordStatus {
    /// The user has set another one (`NotInitial`).
    NotInitial,
    /// It is still the first one, and may be used (`InitialValid`).
    InitialValid,
    /// It is still the first one, and was not changed in time (`InitialExpired`).
    InitialExpired,
}

/// What a login profile is to be. What is `None` is not sent: a new profile gets RAM's default for it, an old one
/// keeps what it has.
#[derive(Clone, Debug, Default)]
pub struct LoginChanges {
    /// The password. RAM checks it against the password policy.
    pub password: Option<SecretString>,
    /// Whether the next log-on has to set another one.
    pub password_reset_required: Option<bool>,
    /// Whether log-on needs an MFA device.
    pub mfa_bind_required: Option<bool>,
    /// Whether log-on is allowed; IMS only.
    pub enabled: Option<bool>,
}

/// A new virtual MFA device, with the seed that RAM shows this once.
#[derive(Clone, Debug)]
pub struct NewMfaDevice {
    /// `acs:ram::<account>:mfa/<name>`.
    pub serial_number: String,
    /// The TOTP secret in Base32.
    pub seed: SecretString,
    /// The same as a QR code: a PNG in Base64. Empty if RAM gave none.
    pub qr_code_png: SecretString,
}

/// A virtual MFA device of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualMfaDevice {
    /// `acs:ram::<account>:mfa/<name>`.
    pub serial_number: String,
    /// Whose it is; absent while it is bound to nobody.
    pub bound_to: Option<MfaUser>,
}

/// Whom an MFA device is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaUser {
    /// The UserId.
    pub id: String,
    /// The name in RAM: what stands before the `@` of the UserPrincipalName. Empty if IMS gave none.
    pub name: String,
}

/// The MFA device that a user has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaInfo {
    /// `acs:ram::<account>:mfa/<name>` for a virtual device.
    pub serial_number: String,
    /// What it is.
    pub kind: MfaKind,
}

/// What an MFA device is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MfaKind {
    /// A virtual device, which shows TOTP codes (`VMFA`).
    Virtual,
    /// A security key (`U2F`).
    SecurityKey,
    /// Something else, in RAM's own word; empty if that was no plain word.
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_seeds_do_not_show() {
        let changes = LoginChanges { password: Some("hush-hush".into()), ..LoginChanges::default() };
        let device = NewMfaDevice {
            serial_number: "acs:ram::1:mfa/x".to_owned(),
            seed: "hush-seed".into(),
            qr_code_png: "hush-png".into(),
        };
        let shown = format!("{changes:?} {device:?}");
        assert!(!shown.contains("hush"), "{shown}");
    }
}
