//! RamAccount: asks its credentials who they are before anybody uses them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, ObjectMeta};
use kube::{Client, Resource, ResourceExt};
use serde_json::Value;

use super::accounts::Account;
use super::console_login::login_url;
use super::credentials::{Access, quota_share};
use super::drive::{Ctx, Kind, ObjectKey, Passed, set_finalizer};
use super::error::Error;
use super::settings::settle;
use crate::api::{self, RamAccessKey, RamAccount, RamAccountStatus, RamGroup, RamPolicy, RamRevocation, RamUser};
use crate::plan::marker::default_owner_id;
use crate::plan::ram_account::{Answered, alias_in, judge, nearly_out, usage};
use crate::plan::{AccountView, Extra, Reason, Standing, Verdict};
use crate::ram::{self, Budget, Class};

impl Kind for RamAccount {
    const KIND: &'static str = "RamAccount";
    type Status = RamAccountStatus;

    fn api(client: Client, _: Option<&str>) -> Api<Self> {
        Api::all(client)
    }
    fn status(&self) -> Option<&RamAccountStatus> {
        self.status.as_ref()
    }
    fn status_mut(&mut self) -> &mut Option<RamAccountStatus> {
        &mut self.status
    }
    async fn pass(ctx: &Ctx, key: &ObjectKey, object: Self) -> Passed<Self> {
        pass(ctx, key, object).await
    }
    fn forget(ctx: &Ctx, key: &ObjectKey) {
        ctx.settings.budgets.forget(&key.name);
        if ctx.accounts.remove(&key.name) {
            ctx.wake_accounts.send_modify(|n| *n += 1);
            ctx.wake_all.send_modify(|n| *n += 1);
        }
    }
}

async fn pass(ctx: &Ctx, key: &ObjectKey, mut object: RamAccount) -> Passed<RamAccount> {
    let look = object.spec.look_interval.duration().unwrap_or(Duration::from_hours(1));
    let mut facts = object.status.clone().unwrap_or_default();
    let mut standing = Vec::new();
    let outcome = judge_account(ctx, key, &mut object, &mut facts, &mut standing, look).await;
    publish(ctx, &key.name, &outcome);
    let extra = quota_low(&facts);
    let outcome = outcome.map(|(_, verdict)| verdict);
    Passed { extra, standing, look, ..Passed::new(object, facts, outcome) }
}

/// Tells everybody whether the account can be used. Trouble that passes by itself changes nothing: credentials that were checked
/// before stay in use, and without any the account counts as not looked at yet.
fn publish(ctx: &Ctx, name: &str, outcome: &Result<(Arc<Account>, Verdict), Error>) {
    let usable = match outcome {
        Ok((account, _)) => Ok(Arc::clone(account)),
        Err(Error::Gone) => return,
        Err(error) if error.passes_by_itself() => return,
        Err(error) => Err(error.verdict().unwrap_or_else(|| Verdict::new(Reason::AccountNotReady))),
    };
    if ctx.accounts.put(name, usable) {
        ctx.wake_all.send_modify(|n| *n += 1);
    }
}

fn quota_low(facts: &RamAccountStatus) -> Vec<Extra> {
    let low = facts.usage.as_ref().map(nearly_out).unwrap_or_default();
    if low.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "Nine tenths or more of what the account may have are in use, of: {}. Delete some, or have the quota raised.",
        low.join(", ")
    );
    vec![("QuotaLow", "QuotaLow", message)]
}

async fn judge_account(
    ctx: &Ctx,
    key: &ObjectKey,
    object: &mut RamAccount,
    facts: &mut RamAccountStatus,
    standing: &mut Vec<Standing>,
    look: Duration,
) -> Result<(Arc<Account>, Verdict), Error> {
    let dependents = match object.meta().deletion_timestamp {
        Some(_) => leave(ctx, key, object).await?,
        None => String::new(),
    };
    if object.meta().deletion_timestamp.is_none() && !object.finalizers().iter().any(|name| name == api::FINALIZER) {
        // Kept while objects depend on it: without the account they could not be taken away.
        set_finalizer(ctx, key, object, true).await?;
    }
    let owner_id = owner_id(ctx, object, facts).await?;
    facts.owner_id = Some(owner_id.clone());
    let (client, fingerprint) = client(ctx, key, object, facts).await?;
    let identity = client.caller_identity().await?;
    let older = older(ctx, object, &identity.account_id).await?;
    judge(&Answered {
        wanted: object.spec.account_id.as_deref(),
        pinned: facts.account_id.as_deref(),
        answered: &identity.account_id,
        older: older.as_deref(),
    })?;
    facts.account_id = Some(identity.account_id.clone());
    facts.caller_arn = Some(identity.arn);
    // Before the domain is read: another alias makes another domain.
    let recheck = if object.meta().deletion_timestamp.is_some() {
        None
    } else {
        let settled = settle(ctx, object, &client, facts).await?;
        standing.extend(settled.standing);
        settled.recheck
    };
    extras(&client, facts).await?;
    let view = AccountView {
        account_id: identity.account_id,
        owner_id,
        prefix: object.spec.user_name_prefix.clone().unwrap_or_default(),
        default_domain: facts.default_domain.clone(),
        leaving: object.meta().deletion_timestamp.is_some(),
    };
    let verdict = match object.meta().deletion_timestamp {
        Some(_) => Verdict::new(Reason::InUse).about(dependents).again_in(Duration::from_secs(5)),
        None => Verdict { recheck, ..Verdict::new(Reason::Available) },
    };
    let per_user = facts.usage.as_ref().and_then(|usage| usage.per_user.clone()).unwrap_or_default();
    Ok((Arc::new(Account { view, client, look_interval: look, fingerprint, per_user }), verdict))
}

/// What is nice to know; an operator without the right to it works all the same.
async fn extras(client: &ram::Client, facts: &mut RamAccountStatus) -> Result<(), Error> {
    let optional = |error: &ram::Error| !matches!(error.class(), Class::WrongAccount | Class::Credentials);
    match client.default_domain().await {
        Ok(domain) => {
            facts.login_url = Some(login_url(&domain));
            facts.alias = alias_in(&domain, facts.account_id.as_deref().unwrap_or_default());
            facts.default_domain = Some(domain);
        }
        Err(error) if optional(&error) => {}
        Err(error) => return Err(error.into()),
    }
    match client.account_summary().await {
        Ok(summary) => facts.usage = Some(usage(&summary)),
        Err(error) if optional(&error) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// An account goes only when nothing depends on it. Until then it stays in use: its users need it for their own deletion.
async fn leave(ctx: &Ctx, key: &ObjectKey, object: &mut RamAccount) -> Result<String, Error> {
    let params = ctx.settings.selected().fields(&format!("spec.accountRef.name={}", key.name)).limit(10);
    for (kind, words) in [
        (ApiResource::erase::<RamUser>(&()), "RamUsers"),
        (ApiResource::erase::<RamPolicy>(&()), "RamPolicies"),
        (ApiResource::erase::<RamGroup>(&()), "RamGroups"),
        (ApiResource::erase::<RamRevocation>(&()), "RamRevocations"),
    ] {
        let api: Api<DynamicObject> = Api::all_with(ctx.kube.clone(), &kind);
        let found = api.list_metadata(&params).await?;
        let names: Vec<String> = found.iter().map(|object| place(&object.metadata)).collect();
        if !names.is_empty() {
            return Ok(format!("{words} {}", names.join(", ")));
        }
    }
    let keys = keys_left(ctx, object).await?;
    if !keys.is_empty() {
        return Ok(format!("RamAccessKeys {}", keys.join(", ")));
    }
    set_finalizer(ctx, key, object, false).await?;
    Err(Error::Gone)
}

/// Name and namespace of an object.
fn place(meta: &ObjectMeta) -> String {
    let name = meta.name.as_deref().unwrap_or_default();
    meta.namespace.as_ref().map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

/// RamAccessKeys that may have a key in the account though their RamUser is gone. They name the account in their status only.
async fn keys_left(ctx: &Ctx, object: &RamAccount) -> Result<Vec<String>, Error> {
    let Some(account_id) = object.status.as_ref().and_then(|status| status.account_id.as_deref()) else {
        return Ok(Vec::new());
    };
    let api: Api<DynamicObject> = Api::all_with(ctx.kube.clone(), &ApiResource::erase::<RamAccessKey>(&()));
    let here = |key: &DynamicObject| {
        key.data.pointer("/status/accountId").and_then(Value::as_str) == Some(account_id)
            && key.finalizers().iter().any(|name| name == api::FINALIZER)
    };
    let all = api.list(&ctx.settings.selected()).await?;
    Ok(all.iter().filter(|key| here(key)).take(10).map(|key| place(&key.metadata)).collect())
}

async fn owner_id(ctx: &Ctx, object: &RamAccount, facts: &RamAccountStatus) -> Result<String, Error> {
    if let Some(id) = object.spec.owner_id.as_ref().or(facts.owner_id.as_ref()) {
        return Ok(id.clone());
    }
    let namespace = Api::<Namespace>::all(ctx.kube.clone()).get_metadata("kube-system").await?;
    Ok(default_owner_id(namespace.metadata.uid.as_deref().unwrap_or_default()))
}

/// The name of an older RamAccount that is in charge of the same number.
async fn older(ctx: &Ctx, object: &RamAccount, account_id: &str) -> Result<Option<String>, Error> {
    // Read field by field: an account that this version cannot read stops nobody else.
    let age = |meta: &ObjectMeta| (meta.creation_timestamp.as_ref().map(|time| time.0), meta.uid.clone());
    let api: Api<DynamicObject> = Api::all_with(ctx.kube.clone(), &ApiResource::erase::<RamAccount>(&()));
    let other = api.list(&ListParams::default()).await?.into_iter().find(|other| {
        let pinned = other.data.pointer("/status/accountId").and_then(Value::as_str);
        other.metadata.uid != object.metadata.uid
            && pinned == Some(account_id)
            && age(&other.metadata) < age(object.meta())
    });
    Ok(other.map(|other| other.name_any()))
}

/// A client for the account's credentials: the one in use while nothing changed, else a new one that is checked first.
async fn client(
    ctx: &Ctx,
    key: &ObjectKey,
    object: &RamAccount,
    facts: &RamAccountStatus,
) -> Result<(ram::Client, String), Error> {
    let spec = &object.spec;
    let noted = |secret| ctx.interests.note(secret, key);
    let access = Access::find(&ctx.kube, &ctx.settings, spec, noted).await?;
    let pinned = facts.account_id.clone().or_else(|| spec.account_id.clone());
    let share = quota_share(spec);
    let fingerprint = format!("{:?} {:?} {pinned:?} {share} {}", access.endpoints, spec.credentials, access.mark);
    if let Ok(account) = ctx.accounts.find(&key.name)
        && account.fingerprint == fingerprint
    {
        return Ok((account.client.clone(), fingerprint));
    }
    let config = access.config(spec, pinned, &ctx.settings, ctx.clock.clone(), ctx.metrics.observer());
    let budget = ctx.settings.budgets.of(&key.name, share);
    Ok((ram::Client::new(config, budget)?, fingerprint))
}

/// Budgets outlive clients: a new credential of the same account has no tokens of its own.
#[derive(Debug, Default)]
pub struct Budgets(Mutex<HashMap<String, Arc<Budget>>>);

impl Budgets {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Budget>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, name: &str, share: u8) -> Arc<Budget> {
        Arc::clone(self.lock().entry(name.to_owned()).or_insert_with(|| Arc::new(Budget::new(share))))
    }

    fn forget(&self, name: &str) {
        self.lock().remove(name);
    }
}
