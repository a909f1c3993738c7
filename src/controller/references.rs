//! Where references to objects of the same namespace lead.

use kube::Resource as _;
use kube::api::{Api, ApiResource, DynamicObject};
use serde_json::Value;

use super::drive::{Ctx, Kind, ObjectKey};
use super::error::Error;
use crate::plan::attachments::{Reference, References};

/// A kind that others refer to by its object's name.
pub trait Referred: Kind {
    /// Where its status has the name in RAM.
    const RAM_NAME: &'static str;
    /// Where its status tells what it owns in RAM: a thing that is only observed serves nobody.
    const IDENTITY: &'static str;
}

/// Reads each object that is named; a change of any wakes `watcher`.
///
/// Read as plain JSON: one that this version cannot read is not ready, which is no reason to fail.
pub async fn references<K: Referred>(
    ctx: &Ctx,
    watcher: &ObjectKey,
    account_id: &str,
    names: impl Iterator<Item = &str>,
) -> Result<References, Error> {
    let resource = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.kube.clone(), &watcher.namespace, &resource);
    let mut all = References::new();
    for name in names {
        // Before the read, so that no change falls between.
        ctx.interests.note(ObjectKey::new(K::KIND, watcher.namespace(), name), watcher);
        let reference =
            api.get_opt(name).await?.map_or(Reference::Missing, |object| leads_to::<K>(&object, account_id));
        all.insert(name.to_owned(), reference);
    }
    Ok(all)
}

fn leads_to<K: Referred>(object: &DynamicObject, account_id: &str) -> Reference {
    let text = |path: &str| object.data.pointer(path).and_then(Value::as_str);
    let here = text("/status/accountId") == Some(account_id) && object.meta().deletion_timestamp.is_none();
    let owned = text(K::IDENTITY).is_some();
    match text(K::RAM_NAME).filter(|_| here && owned) {
        Some(name) => Reference::Named(name.to_owned()),
        None => Reference::Pending,
    }
}
