//! RamTenant: says what it covers. Grants are decided by the passes that need them, not here.

use std::time::Duration;

use kube::api::{Api, ApiResource};
use kube::{Client, ResourceExt};

use super::drive::{Ctx, Kind, ObjectKey, Passed};
use super::error::Error;
use super::tenancy;
use crate::api::{RamAccessKey, RamGroup, RamPolicy, RamTenant, RamTenantStatus, RamUser, TenantUse};
use crate::plan::{Extra, Reason, Verdict};

/// Counts are refreshed this often; they decide nothing.
const LOOK: Duration = Duration::from_mins(1);

impl Kind for RamTenant {
    const KIND: &'static str = "RamTenant";
    type Status = RamTenantStatus;

    fn api(client: Client, _: Option<&str>) -> Api<Self> {
        Api::all(client)
    }
    fn status(&self) -> Option<&RamTenantStatus> {
        self.status.as_ref()
    }
    fn status_mut(&mut self) -> &mut Option<RamTenantStatus> {
        &mut self.status
    }
    async fn pass(ctx: &Ctx, _: &ObjectKey, object: Self) -> Passed<Self> {
        let mut facts = object.status.clone().unwrap_or_default();
        let mut extra = Vec::new();
        let outcome = cover(ctx, &object, &mut facts, &mut extra).await;
        Passed { extra, look: LOOK, ..Passed::new(object, facts, outcome) }
    }
}

async fn cover(
    ctx: &Ctx,
    object: &RamTenant,
    facts: &mut RamTenantStatus,
    extra: &mut Vec<Extra>,
) -> Result<Verdict, Error> {
    let spec = &object.spec;
    let namespaces = tenancy::namespaces(ctx, spec).await?;
    let users = tenancy::objects(ctx, spec, &ApiResource::erase::<RamUser>(&())).await?.len();
    let keys = tenancy::objects(ctx, spec, &ApiResource::erase::<RamAccessKey>(&())).await?.len();
    let policies = tenancy::objects(ctx, spec, &ApiResource::erase::<RamPolicy>(&())).await?.len();
    let groups = tenancy::objects(ctx, spec, &ApiResource::erase::<RamGroup>(&())).await?.len();
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    facts.namespaces = Some(count(namespaces.len()));
    facts.used = Some(TenantUse {
        users: count(users),
        access_keys: count(keys),
        policies: count(policies),
        groups: count(groups),
    });
    let mut overlapping = Vec::new();
    for (name, other) in tenancy::tenants(ctx, &spec.account_ref.name).await? {
        if name != object.name_any() {
            let shared = tenancy::namespaces(ctx, &other).await?.iter().any(|namespace| namespaces.contains(namespace));
            if shared {
                overlapping.push(name);
            }
        }
    }
    if !overlapping.is_empty() {
        let message = format!(
            "RamTenant {} selects a namespace that this one selects too, and such namespaces get nothing new. Change one of the selectors.",
            overlapping.join(", ")
        );
        extra.push(("Overlapping", "Overlapping", message));
    }
    let over =
        |limit: Option<i32>, used: usize| limit.is_some_and(|limit| used >= usize::try_from(limit).unwrap_or_default());
    let limits = &spec.limits;
    let full =
        [(limits.users, users), (limits.access_keys, keys), (limits.policies, policies), (limits.groups, groups)];
    if full.into_iter().any(|(limit, used)| over(limit, used)) {
        let message =
            "As many objects as the limits allow exist; younger ones get nothing. Delete some, or raise the limits.";
        extra.push(("LimitReached", "LimitReached", message.to_owned()));
    }
    let account = ctx.accounts.get(&ctx.kube, &spec.account_ref.name).await?;
    if account.is_err_and(|verdict| verdict.reason == Reason::AccountNotFound) {
        return Ok(Verdict::new(Reason::AccountNotFound)
            .about(format!("RamAccount {}", spec.account_ref.name))
            .again_in(Duration::from_secs(30)));
    }
    Ok(Verdict::new(Reason::Available))
}
