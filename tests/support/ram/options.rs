//! What can be chosen about the emulated account when the emulator starts.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::clock::EmuClock;
use super::state::digits;

/// How GetAccessKeyLastUsed says that a key was never used. RAM's own form is not documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeverForm {
    /// The field is left out.
    Absent,
    /// The field is an empty string.
    Empty,
    /// The field is `-`, as in RAM's credential report.
    Dash,
}

/// Who may assume a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Every RAM user of the account that may call AssumeRole.
    Account,
    /// An ECS instance, by the metadata service.
    Ecs,
    /// The holder of a token of an OIDC provider.
    Oidc(OidcTrust),
}

/// The conditions of a trust policy on an OIDC provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OidcTrust {
    /// ARN of the provider, `acs:ram::<account>:oidc-provider/<name>`.
    pub provider_arn: String,
    /// Value of the claim `iss`.
    pub issuer: String,
    /// A value of the claim `aud`.
    pub audience: String,
    /// Value of the claim `sub`.
    pub subject: String,
    /// Tokens accepted as they are, without a look at their claims.
    pub tokens: Vec<String>,
}

/// A role that exists from the start or is made by a [`Person`](super::Person).
#[derive(Clone, Debug)]
pub struct RolePreset {
    /// RoleName.
    pub name: String,
    /// Names of system policies attached to the role.
    pub policies: Vec<String>,
    /// Who may assume it.
    pub trust: Trust,
    /// The ExternalId that AssumeRole has to name.
    pub external_id: Option<String>,
    /// MaxSessionDuration in seconds.
    pub max_session_duration: i64,
}

impl RolePreset {
    /// A role with full rights on RAM and sessions of up to an hour.
    pub fn new(name: impl Into<String>, trust: Trust) -> Self {
        Self {
            name: name.into(),
            policies: vec!["AliyunRAMFullAccess".to_owned()],
            trust,
            external_id: None,
            max_session_duration: 3600,
        }
    }
}

/// Choices about the emulated account. Where RAM's behaviour is not documented, the default is the strict one.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a documented or open question about RAM with two answers")]
pub struct Options {
    /// Number of the account. Default: 16 random digits.
    pub account_id: String,
    /// Account alias; without one the default domain is `<account id>.onaliyun.com`.
    pub alias: Option<String>,
    /// Id and secret of the first key. Default: a random pair.
    pub access_key: Option<(String, String)>,
    /// The clock of the account.
    pub clock: EmuClock,
    /// Enforce RAM's published call rates. Default: no.
    pub rates: bool,
    /// HTTP status of throttled calls: 400 is documented, 429 is seen elsewhere.
    pub throttle_status: u16,
    /// A page has at most this many items, whatever MaxItems asks for. Default: RAM's own limit of 1000.
    pub page_size_limit: usize,
    /// Users per account. Default 5000.
    pub users_quota: i64,
    /// AccessKeys per user, disabled ones included. Default 2.
    pub keys_per_user: usize,
    /// Groups per user. Default 10.
    pub groups_per_user: usize,
    /// System policies attached to one user. Default 20.
    pub system_policies_per_user: usize,
    /// Custom policies attached to one user. Default 10.
    pub custom_policies_per_user: usize,
    /// Groups per account. Default 300.
    pub groups_quota: usize,
    /// System policies attached to one group. Default 20.
    pub system_policies_per_group: usize,
    /// Custom policies attached to one group. Default 10.
    pub custom_policies_per_group: usize,
    /// A new group may have `.` and `_` in its name. Default: yes. Older documentation says no.
    pub dotted_group_names: bool,
    /// Custom policies per account. Default 1500.
    pub policies_quota: usize,
    /// The size of a policy document is counted in bytes. Default: yes. Else in characters.
    pub policy_size_in_bytes: bool,
    /// A statement may have NotAction for Action and NotResource for Resource. Default: no, that is malformed.
    pub not_action_allowed: bool,
    /// A new version of a policy gets the lowest number that is free. Default: no, it gets one that the policy never had.
    pub version_numbers_reused: bool,
    /// Code (with status 409) of DeletePolicy for a policy that a role has. RAM's own code is not documented. Default:
    /// `DeleteConflict.Role.Policy`; by the pattern of the others it would be `DeleteConflict.Policy.Role`.
    pub role_conflict_code: String,
    /// DeletePolicy and DeleteGroup conflict for this time after the last call that detached the policy, or took a policy or a user from the
    /// group. Default: none.
    pub delete_conflict_lag: Duration,
    /// Form of a date of last use that is not there. Default: absent.
    pub last_used_never: NeverForm,
    /// Use of a key shows in GetAccessKeyLastUsed after this time (RAM: about two hours). Default: at once.
    pub last_used_lag: Duration,
    /// DeleteAccessKey takes a key that is Active. Default: yes, as other clients of RAM rely on it.
    pub active_key_may_be_deleted: bool,
    /// IMS DeleteUser takes everything of the user with it. Default: no, it refuses like RAM's.
    pub ims_delete_cascades: bool,
    /// What is deleted goes into the recycle bin, as it does in the console. Default: yes. Else it is gone, and the bin always empty.
    pub recycle_bin: bool,
    /// Rules of one network policy of a key. Default 8.
    pub key_policy_statements: usize,
    /// Addresses and ranges of one network policy of a key. Default 50.
    pub key_policy_addresses: usize,
    /// GetAccessKeyPolicy shows the document that was there before for this time after SetAccessKeyPolicy. Default: none. The policy is in
    /// force at once, whatever is shown.
    pub key_policy_lag: Duration,
    /// GetAccessKeyPolicy shows a document in another order than it was sent in, and addresses in their shortest form. Default: as sent.
    pub key_policy_rewritten: bool,
    /// A network policy of a key that is Inactive replaces the account's as well. Default: no, then the account's is in force.
    pub inactive_key_policy_replaces: bool,
    /// Where every call comes from, as network policies of keys see it: a public address. Default: 127.0.0.1.
    pub source_address: IpAddr,
    /// Code (with status 403) for a call whose key may not be used from there. RAM's own code is not documented. Default:
    /// `Forbidden.AccessKeyPolicy`.
    pub source_refusal_code: String,
    /// The source of a call is looked at before its signature. Default: no, after it.
    pub source_checked_first: bool,
    /// User and group names that differ only in case are the same. Default: yes.
    pub case_insensitive_names: bool,
    /// A user name may begin with a hyphen. Default: no.
    pub leading_hyphen_allowed: bool,
    /// IMS CreateLoginProfile needs a password. Default: yes.
    pub ims_password_required: bool,
    /// UpdateLoginProfile without a password is refused, as too weak. Default: no, the password is an optional parameter.
    pub login_profile_update_needs_password: bool,
    /// A password set by UpdateLoginProfile is an initial one, which the person has to change in time. Default: yes.
    pub updated_password_is_initial: bool,
    /// Under PasswordReusePrevention, UpdateLoginProfile refuses the password that is in force. Default: yes.
    pub same_password_refused: bool,
    /// SetPasswordPolicy takes fields that are not sent back to their defaults. Default: yes, else they keep their values.
    pub password_policy_resets: bool,
    /// Virtual MFA devices per account. Default 5000.
    pub virtual_mfa_devices_quota: usize,
    /// Unbinding a virtual MFA device deletes it. Default: no.
    pub unbind_deletes_device: bool,
    /// IMS GetUserMFAInfo answers 404 for a user without a device, as RAM's does. Default: no, it answers IsMFAEnable: false.
    pub ims_mfa_info_refused: bool,
    /// GetAccountAlias answers 404 while there is no alias. Default: yes, else it answers an empty one.
    pub no_alias_refused: bool,
    /// SetAccountAlias refuses the alias that the account has. Default: yes.
    pub same_alias_refused: bool,
    /// Aliases of other accounts.
    pub taken_aliases: Vec<String>,
    /// Optional texts that are not set are returned as empty strings (else left out). Default: yes.
    pub empty_fields: bool,
    /// A V3 call that names no format gets JSON. Default: no, it gets XML.
    pub v3_json_by_default: bool,
    /// Roles that exist from the start.
    pub roles: Vec<RolePreset>,
    /// Name of the role that the instance metadata service hands out. Default: none, the service answers 404.
    pub ecs_role: Option<String>,
    /// The metadata service answers without a token (version 1). Default: yes.
    pub metadata_v1: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            account_id: format!("1{}", digits(15)),
            alias: None,
            access_key: None,
            clock: EmuClock::system(),
            rates: false,
            throttle_status: 400,
            page_size_limit: 1000,
            users_quota: 5000,
            keys_per_user: 2,
            groups_per_user: 10,
            system_policies_per_user: 20,
            custom_policies_per_user: 10,
            groups_quota: 300,
            system_policies_per_group: 20,
            custom_policies_per_group: 10,
            dotted_group_names: true,
            policies_quota: 1500,
            policy_size_in_bytes: true,
            not_action_allowed: false,
            version_numbers_reused: false,
            role_conflict_code: "DeleteConflict.Role.Policy".to_owned(),
            delete_conflict_lag: Duration::ZERO,
            last_used_never: NeverForm::Absent,
            last_used_lag: Duration::ZERO,
            active_key_may_be_deleted: true,
            ims_delete_cascades: false,
            recycle_bin: true,
            key_policy_statements: 8,
            key_policy_addresses: 50,
            key_policy_lag: Duration::ZERO,
            key_policy_rewritten: false,
            inactive_key_policy_replaces: false,
            source_address: Ipv4Addr::LOCALHOST.into(),
            source_refusal_code: "Forbidden.AccessKeyPolicy".to_owned(),
            source_checked_first: false,
            case_insensitive_names: true,
            leading_hyphen_allowed: false,
            ims_password_required: true,
            login_profile_update_needs_password: false,
            updated_password_is_initial: true,
            same_password_refused: true,
            password_policy_resets: true,
            virtual_mfa_devices_quota: 5000,
            unbind_deletes_device: false,
            ims_mfa_info_refused: false,
            no_alias_refused: true,
            same_alias_refused: true,
            taken_aliases: Vec::new(),
            empty_fields: true,
            v3_json_by_default: false,
            roles: Vec::new(),
            ecs_role: None,
            metadata_v1: true,
        }
    }
}
