//! The accounts that can be used now, as the RamAccount controller left them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kube::api::Api;

use super::error::Error;
use crate::api::{RamAccount, UserQuotas};
use crate::plan::{AccountView, Reason, Verdict};
use crate::ram::Client;

/// An account in use.
#[derive(Clone, Debug)]
pub struct Account {
    /// What plans need to know of it.
    pub view: AccountView,
    /// Its API.
    pub client: Client,
    /// Each object is looked at once in this time.
    pub look_interval: Duration,
    /// Changes when credentials or endpoints do.
    pub fingerprint: String,
    /// What one RAM user may have, as the account said last. Nobody acts on it, so that a change of it wakes nobody.
    pub per_user: UserQuotas,
}

/// Accounts by the name of their RamAccount.
#[derive(Debug, Default)]
pub struct Accounts(RwLock<HashMap<String, Result<Arc<Account>, Verdict>>>);

impl Accounts {
    /// The account `name`, or why it cannot be used.
    pub fn find(&self, name: &str) -> Result<Arc<Account>, Verdict> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match all.get(name) {
            Some(Ok(account)) => Ok(Arc::clone(account)),
            Some(Err(verdict)) => Err(unusable(name, verdict)),
            None => Err(Verdict::new(Reason::AccountNotFound).about(format!("RamAccount {name}"))),
        }
    }

    /// The account with this number, whatever its RamAccount is called.
    pub fn by_id(&self, account_id: &str) -> Result<Arc<Account>, Verdict> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = all.values().filter_map(|account| account.as_ref().ok()).find(|a| a.view.account_id == account_id);
        found
            .map(Arc::clone)
            .ok_or_else(|| Verdict::new(Reason::AccountNotReady).about(format!("account {account_id}")))
    }

    /// The account `name`, or why it cannot be used. One that was not looked at yet is no reason to speak ill of its objects.
    pub async fn get(&self, kube: &kube::Client, name: &str) -> Result<Result<Arc<Account>, Verdict>, Error> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(name);
        if !known && Api::<RamAccount>::all(kube.clone()).get_metadata_opt(name).await?.is_some() {
            return Err(Error::AccountPending(name.to_owned()));
        }
        Ok(self.find(name))
    }

    /// Replaces what is known of `name`. Returns whether that changes anything for those who depend on it.
    pub fn put(&self, name: &str, account: Result<Arc<Account>, Verdict>) -> bool {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let same = match (all.get(name), &account) {
            (Some(Ok(before)), Ok(after)) => before.view == after.view && before.fingerprint == after.fingerprint,
            (Some(Err(before)), Err(after)) => before.reason == after.reason,
            _ => false,
        };
        all.insert(name.to_owned(), account);
        !same
    }

    /// Forgets `name`.
    pub fn remove(&self, name: &str) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }
}

/// A wrong account is said on every object, since nothing is written until a person puts it right.
fn unusable(name: &str, verdict: &Verdict) -> Verdict {
    match verdict.reason {
        Reason::WrongAccount => verdict.clone(),
        reason => Verdict::new(Reason::AccountNotReady).about(format!("RamAccount {name} says {}", reason.name())),
    }
}
