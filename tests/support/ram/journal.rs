//! What was called, in the order in which it took effect.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::envelope::Product;
use super::network::KeyPolicy;
use super::params::Params;
use super::state::Account;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Number of the call in order of arrival, from 1.
    pub seq: u64,
    /// API called, if its version is known.
    pub product: Option<Product>,
    /// Action called.
    pub action: String,
    /// Parameters without secrets.
    pub params: BTreeMap<String, String>,
    /// AccessKeyId the call claims, or `anonymous`.
    pub caller: String,
    /// HTTP status decided on; 0 if the connection was cut before the call was looked at.
    pub status: u16,
    /// Error code.
    pub code: Option<String>,
    /// A writing action that succeeded.
    pub effect: bool,
    /// The reply was sent; `false` if the connection was cut.
    pub replied: bool,
    /// When, by the emulator's clock.
    pub time: Timestamp,
}

/// The calls and, of the effective ones, a line each.
#[derive(Debug, Default)]
pub struct Journal {
    /// All calls.
    pub calls: Vec<Call>,
    /// The writes.
    pub writes: Vec<String>,
}

impl Journal {
    /// The entry of a call that is already there.
    pub fn entry(&mut self, seq: u64) -> Option<&mut Call> {
        self.calls.iter_mut().rev().find(|call| call.seq == seq)
    }
}

/// `<Action> <objects>` of a write, with names as RAM spells them and key ids as `#<number>`; to be made before the effect.
pub fn line(account: &Account, action: &str, params: &Params) -> String {
    let mut words = vec![action.to_owned()];
    if let Some(id) = params.some("UserAccessKeyId") {
        words.push(account.key_numbers.get(id).map_or_else(|| id.to_owned(), |number| format!("#{number}")));
        words.extend(params.some("Status").map(str::to_owned));
        words.extend(key_policy(params));
        return words.join(" ");
    }
    words.extend(user(account, params));
    words.extend(params.some("GroupName").map(str::to_owned));
    // An action without a PolicyType is about a custom policy.
    let kind = params.some("PolicyType").unwrap_or("Custom");
    words.extend(params.some("PolicyName").map(|name| format!("{kind}/{name}")));
    words.extend(params.some("VersionId").map(str::to_owned));
    words.extend(settings(params));
    words.join(" ")
}

/// Device, status, name of the account or its network policy.
fn settings(params: &Params) -> Vec<String> {
    let device = params.some("SerialNumber").and_then(|serial| serial.rsplit('/').next());
    let named = ["VirtualMFADeviceName", "Status", "AccountAlias", "DefaultDomainName"];
    let words = device.into_iter().chain(named.into_iter().filter_map(|name| params.some(name)));
    words.map(str::to_owned).chain(key_policy(params)).collect()
}

fn key_policy(params: &Params) -> Option<String> {
    Some(KeyPolicy::read(params.some("AccessKeyPolicy")?).ok()?.to_string())
}

fn user(account: &Account, params: &Params) -> Option<String> {
    if let Some(id) = params.some("UserId") {
        let user = account.users.get(id).or_else(|| account.bin.user_even_late(id));
        return Some(user.map_or_else(|| id.to_owned(), |user| user.name.clone()));
    }
    let name = user_param(params)?;
    Some(account.user_named(&name).map_or(name, |user| user.name.clone()))
}

/// UserName, or UserPrincipalName before the `@`.
pub fn user_param(params: &Params) -> Option<String> {
    let principal = || Some(params.some("UserPrincipalName")?.split('@').next()?.to_owned());
    params.some("UserName").map(str::to_owned).or_else(principal)
}
