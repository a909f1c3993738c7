//! Console log-ons, MFA devices and settings of the account as plain data, for assertions. No secret is among it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::envelope::Product;
use super::logon::LoginProfile;
use super::mfa::{BoundBy, Device};
use super::state::Account;

/// The console log-on of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogonView {
    /// Whether the Status is Active.
    pub active: bool,
    pub reset_required: bool,
    pub mfa_required: bool,
    /// Since when the password is an initial one, if the person has not changed it.
    pub initial: Option<Timestamp>,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub last_login: Option<Timestamp>,
}

impl LogonView {
    /// Copies what is to be seen.
    pub fn of(profile: &LoginProfile) -> Self {
        Self {
            active: profile.active,
            reset_required: profile.reset_required,
            mfa_required: profile.mfa_required,
            initial: profile.initial,
            create_time: profile.created,
            update_time: profile.updated,
            last_login: profile.last_login,
        }
    }
}

/// A virtual MFA device without its seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// UserName of the user it is bound to.
    pub user: Option<String>,
    /// Who bound it, if it is bound.
    pub bound_by: Option<BoundBy>,
}

impl DeviceView {
    /// All devices of the account, by SerialNumber.
    pub fn all(account: &Account) -> BTreeMap<String, Self> {
        let view = |device: &Device| {
            let user = device.bound.as_ref().and_then(|binding| account.users.get(&binding.user_id));
            Self {
                user: user.map(|user| user.name.clone()),
                bound_by: device.bound.as_ref().map(|binding| binding.by.clone()),
            }
        };
        account.devices.values().map(|device| (device.serial.clone(), view(device))).collect()
    }
}

/// The settings of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsView {
    pub alias: Option<String>,
    /// As IMS shows it.
    pub password_policy: Value,
    /// As IMS shows it.
    pub security_preference: Value,
    /// Document of the network policy of all keys, if one was ever set.
    pub key_policy: Option<String>,
}

impl SettingsView {
    /// Copies what is to be seen.
    pub fn of(account: &Account) -> Self {
        Self {
            alias: account.alias.clone(),
            password_policy: account.rules.passwords.shown(Product::Ims),
            security_preference: account.rules.preference_shown(Product::Ims),
            key_policy: account.rules.key_policy.in_force().map(|policy| policy.document.clone()),
        }
    }
}
