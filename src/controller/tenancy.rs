//! Reads which tenant a namespace belongs to. Live, since it decides grants.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, ObjectMeta};
use kube::{Resource, ResourceExt};

use super::drive::Ctx;
use super::error::Error;
use crate::api::{Limits, NamespaceSelector, RamTenant, RamTenantSpec, Requirement, SelectorOperator};
use crate::plan::Verdict;
use crate::plan::tenant::{Counted, Grants, inside, select};

/// A namespace as grants need to know it.
#[derive(Clone, Debug, Default)]
pub struct NamespaceView {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// It is being deleted.
    pub terminating: bool,
}

/// Reads a namespace.
pub async fn namespace(ctx: &Ctx, name: &str) -> Result<NamespaceView, Error> {
    let found = Api::<Namespace>::all(ctx.kube.clone()).get_metadata_opt(name).await?;
    Ok(found.map_or_else(NamespaceView::default, |namespace| NamespaceView {
        terminating: namespace.meta().deletion_timestamp.is_some(),
        labels: namespace.metadata.labels.unwrap_or_default(),
    }))
}

/// Every tenant of an account. One that cannot be read selects nothing and stops nobody.
pub async fn tenants(ctx: &Ctx, account: &str) -> Result<Vec<(String, RamTenantSpec)>, Error> {
    let api: Api<DynamicObject> = Api::all_with(ctx.kube.clone(), &ApiResource::erase::<RamTenant>(&()));
    let list = api.list(&ctx.settings.selected()).await?;
    let read = |object: DynamicObject| {
        let name = object.name_any();
        let spec: RamTenantSpec = serde_json::from_value(object.data.get("spec")?.clone()).ok()?;
        (object.metadata.deletion_timestamp.is_none() && spec.account_ref.name == account).then_some((name, spec))
    };
    Ok(list.into_iter().filter_map(read).collect())
}

/// What the tenant of `namespace` grants to an object. `has` says that the object has its user or key already.
pub async fn grants<K>(
    ctx: &Ctx,
    account: &str,
    namespace: &NamespaceView,
    object: &K,
    has: bool,
    limit: impl FnOnce(&Limits) -> Option<i32>,
) -> Result<Result<Grants, Verdict>, Error>
where
    K: Resource<DynamicType = ()>,
{
    let tenants = tenants(ctx, account).await?;
    let tenant = match select(&tenants, &namespace.labels) {
        Ok((_, spec)) => spec,
        Err(verdict) if verdict.detail.is_none() => {
            let name = object.meta().namespace.clone().unwrap_or_default();
            return Ok(Err(verdict.about(format!("namespace {name}, RamAccount {account}"))));
        }
        Err(verdict) => return Ok(Err(verdict)),
    };
    let inside = match limit(&tenant.limits) {
        Some(limit) if !has => inside_limit(ctx, tenant, object, limit).await?,
        _ => true,
    };
    Ok(Ok(Grants::of(tenant, inside)))
}

async fn inside_limit<K>(ctx: &Ctx, tenant: &RamTenantSpec, object: &K, limit: i32) -> Result<bool, Error>
where
    K: Resource<DynamicType = ()>,
{
    let all = objects(ctx, tenant, &ApiResource::erase::<K>(&())).await?;
    let object = counted(object.meta(), false);
    Ok(inside(usize::try_from(limit).unwrap_or_default(), &object, &all))
}

fn counted(meta: &ObjectMeta, has: bool) -> Counted {
    let created = meta.creation_timestamp.as_ref().map(|time| time.0.as_second()).unwrap_or_default();
    Counted { created, uid: meta.uid.clone().unwrap_or_default(), has }
}

/// Every object of a kind in the tenant's namespaces.
pub async fn objects(ctx: &Ctx, tenant: &RamTenantSpec, kind: &ApiResource) -> Result<Vec<Counted>, Error> {
    let names: BTreeSet<String> = namespaces(ctx, tenant).await?.into_iter().collect();
    let api: Api<DynamicObject> = Api::all_with(ctx.kube.clone(), kind);
    let list = api.list(&ctx.settings.selected()).await?;
    let inside = list.into_iter().filter(|o| o.namespace().is_some_and(|namespace| names.contains(&namespace)));
    let has = |object: &DynamicObject| {
        ["/status/userId", "/status/accessKeyId", "/status/createTime", "/status/groupId"]
            .iter()
            .any(|path| object.data.pointer(path).is_some())
    };
    // A key's status has the user's id from its first intent on, which counts as having one.
    Ok(inside.map(|object| counted(&object.metadata, has(&object))).collect())
}

/// Names of the namespaces that a tenant selects.
pub async fn namespaces(ctx: &Ctx, tenant: &RamTenantSpec) -> Result<Vec<String>, Error> {
    let params = ListParams::default().labels(&label_selector(&tenant.namespace_selector));
    let list = Api::<Namespace>::all(ctx.kube.clone()).list_metadata(&params).await?;
    Ok(list.into_iter().map(|namespace| namespace.name_any()).collect())
}

fn label_selector(selector: &NamespaceSelector) -> String {
    let labels = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}={}", value.0));
    let expressions = selector.match_expressions.iter().flatten().map(expression);
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}

fn expression(requirement: &Requirement) -> String {
    let values = || requirement.values.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(",");
    match requirement.operator {
        SelectorOperator::In => format!("{} in ({})", requirement.key, values()),
        SelectorOperator::NotIn => format!("{} notin ({})", requirement.key, values()),
        SelectorOperator::Exists => requirement.key.clone(),
        SelectorOperator::DoesNotExist => format!("!{}", requirement.key),
    }
}
