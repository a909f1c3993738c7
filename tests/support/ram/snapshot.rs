//! The account as plain data, for assertions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::policy_views::{GroupView, PolicyView, attached, groups, policies};
use super::snapshot_logon::{DeviceView, LogonView, SettingsView};
use super::state::{Account, User};

/// The account at one moment, without lag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// By UserName.
    pub users: BTreeMap<String, UserView>,
    /// By GroupName.
    pub groups: BTreeMap<String, GroupView>,
    /// The custom policies, by PolicyName.
    pub policies: BTreeMap<String, PolicyView>,
    /// Virtual MFA devices, by SerialNumber.
    pub devices: BTreeMap<String, DeviceView>,
    pub settings: SettingsView,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView {
    pub user_id: String,
    pub display_name: String,
    pub comments: String,
    pub email: String,
    pub mobile_phone: String,
    pub create_time: Timestamp,
    /// `<PolicyType>/<PolicyName>` of the direct attachments, sorted.
    pub policies: Vec<String>,
    /// GroupNames, sorted.
    pub groups: Vec<String>,
    /// In order of creation.
    pub keys: Vec<KeyView>,
    /// Whether there is a console log-on.
    pub login_profile: bool,
    /// What is to be seen of the console log-on.
    pub logon: Option<LogonView>,
    /// Whether an MFA device is bound.
    pub mfa_device: bool,
}

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyView {
    pub id: String,
    pub active: bool,
    pub create_time: Timestamp,
    pub last_used: Option<Timestamp>,
    /// Document of the network policy in force, if one was ever set.
    pub policy: Option<String>,
}

impl Snapshot {
    /// Copies what is to be seen.
    pub fn of(account: &Account) -> Self {
        Self {
            users: account.users.values().map(|user| (user.name.clone(), view(account, user))).collect(),
            groups: groups(account),
            policies: policies(account),
            devices: DeviceView::all(account),
            settings: SettingsView::of(account),
        }
    }

    /// All keys of all users but the account's first user.
    pub fn minted_keys(&self) -> impl Iterator<Item = (&String, &KeyView)> {
        let others = self.users.iter().filter(|(name, _)| *name != "ram-operator");
        others.flat_map(|(name, user)| user.keys.iter().map(move |key| (name, key)))
    }
}

fn view(account: &Account, user: &User) -> UserView {
    let mut groups: Vec<_> =
        user.groups.iter().filter_map(|(key, _)| Some(account.groups.get(key)?.name.clone())).collect();
    groups.sort_unstable();
    let keys = user.keys.iter().filter_map(|id| account.keys.get(id)).map(|key| KeyView {
        id: key.id.clone(),
        active: key.active,
        create_time: key.created,
        last_used: key.uses.last().map(|(time, _)| *time),
        policy: key.policy().map(|policy| policy.document.clone()),
    });
    UserView {
        user_id: user.id.clone(),
        display_name: user.display_name.clone(),
        comments: user.comments.clone(),
        email: user.email.clone(),
        mobile_phone: user.mobile_phone.clone(),
        create_time: user.created,
        policies: attached(&user.policies),
        groups,
        keys: keys.collect(),
        login_profile: user.login_profile.is_some(),
        logon: user.login_profile.as_ref().map(LogonView::of),
        mfa_device: user.mfa_device.is_some(),
    }
}
