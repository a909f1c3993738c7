//! Deletions end: what cannot be taken away soon is left to a RamRevocation, and the object goes.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, ObjectMeta, PostParams};
use kube::runtime::events::EventType;
use serde_json::Value;

use super::drive::{Ctx, Kind, ObjectKey, note};
use super::error::Error;
use crate::api::{
    AccountRef, FINALIZER, LeftOver, Order, RamAccount, RamRevocation, RamRevocationSpec, UserDeletionPolicy,
};
use crate::plan::Verdict;

/// What an object does after a pass.
pub enum Patience {
    /// It tries on. A deletion that did not succeed is handed over in this time.
    Left(Option<Duration>),
    /// Its deletion is handed over now.
    Over,
}

/// Whether a pass left a deletion undone, and whether that has been tried long enough.
pub fn patience<K: Kind>(ctx: &Ctx, key: &ObjectKey, object: &K, outcome: &Result<Verdict, Error>) -> Patience {
    let held = object.finalizers().iter().any(|name| name == FINALIZER);
    if object.meta().deletion_timestamp.is_none() || !held || !unfinished(outcome) {
        return Patience::Left(None);
    }
    let tried = ctx.echoes.deleting_for(key);
    match ctx.settings.hand_over_after.checked_sub(tried) {
        Some(left) if !left.is_zero() => Patience::Left(Some(left)),
        _ => Patience::Over,
    }
}

/// Whether an outcome of a pass says that the deletion is not done and that trying on at once is no use.
fn unfinished(outcome: &Result<Verdict, Error>) -> bool {
    !matches!(outcome, Err(Error::Gone | Error::Stopping | Error::NotLeader | Error::Conflict | Error::Unfinished))
}

/// What is left to a RamRevocation.
pub enum Left {
    /// A user, or keys.
    Order(Box<Order>),
    /// A policy or a group.
    Over(LeftOver),
}

impl Left {
    /// Whether it stays in RAM, without our marker.
    fn stays(&self) -> bool {
        let policy = match self {
            Self::Order(order) => order.user.deletion_policy,
            Self::Over(left) => left.deletion_policy,
        };
        policy == UserDeletionPolicy::Retain
    }
}

/// Leaves the rest to a RamRevocation. Doing so twice leaves one.
pub async fn leave<K: Kind>(ctx: &Ctx, object: &K, account: String, left: Left) -> Result<(), Error> {
    let uid = object.uid().unwrap_or_default();
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let what =
        if left.stays() { "Our marker is taken off what stays in RAM" } else { "What is left in RAM is taken away" };
    let (order, left_over) = match left {
        Left::Order(order) => {
            (Some(Order { from: format!("{}/{namespace}/{name}", K::KIND), uid: uid.clone(), ..*order }), None)
        }
        Left::Over(left) => (None, Some(left)),
    };
    let revocation = RamRevocation {
        metadata: ObjectMeta {
            name: Some(format!("{}-{uid}", K::KIND.to_lowercase())),
            // With a label selector this operator would not see it otherwise.
            labels: ctx.settings.label_selector.as_ref().and(object.meta().labels.clone()),
            ..ObjectMeta::default()
        },
        spec: RamRevocationSpec {
            account_ref: AccountRef { name: account },
            access_key_id: None,
            note: None,
            order,
            left_over,
        },
        status: None,
    };
    match Api::<RamRevocation>::all(ctx.kube.clone()).create(&PostParams::default(), &revocation).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => return Err(error.into()),
    }
    let message = format!("{what} by RamRevocation {}.", revocation.name_any());
    note(ctx, object, EventType::Normal, "HandedOver", message).await;
    Ok(())
}

/// The RamAccount of an account's number, whether it is usable or not.
pub async fn account_of(ctx: &Ctx, account_id: Option<&str>) -> Result<String, Error> {
    let api: Api<DynamicObject> = Api::all_with(ctx.kube.clone(), &ApiResource::erase::<RamAccount>(&()));
    let all = api.list(&ListParams::default()).await?;
    let pinned =
        |object: &DynamicObject| object.data.pointer("/status/accountId").and_then(Value::as_str) == account_id;
    let found = all.into_iter().find(|object| account_id.is_some() && pinned(object));
    Ok(found.map_or_else(|| AccountRef::default().name, |object| object.name_any()))
}
