//! What other objects say of a thing in RAM that an object does not know as its own: read live, and only where it decides.

use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use serde_json::Value;

use super::drive::{Ctx, Kind};
use super::error::Error;
use crate::api::{RamRevocation, RamRevocationSpec, UserDeletionPolicy};
use crate::plan::marker::Marker;
use crate::plan::ownership::Elsewhere;

/// What RAM has under an object's name, and how other objects name it.
pub struct Found<'a> {
    /// The account's number.
    pub account_id: &'a str,
    /// Its text, with the marker if there is one.
    pub text: &'a str,
    /// The marker of the object that asks.
    pub ours: &'a Marker,
    /// The object may take over what nobody owns.
    pub adopts: bool,
    /// Fields of a status that tell which thing its object owns. Lists can select by the first.
    pub owned: &'a [(&'a str, &'a str)],
    /// The field of a RamRevocation that names it. Lists can select by it.
    pub ordered: (&'a str, &'a str),
}

/// Asks all namespaces, whatever this operator looks at: the marker alone is in the hand of whoever may write to RAM.
pub async fn look<K: Kind>(ctx: &Ctx, own: &K, found: &Found<'_>) -> Result<Elsewhere, Error> {
    match Marker::parse(found.text).1 {
        None if found.adopts => owned::<K>(ctx, own, found).await,
        Some(marker) if marker.same_object(found.ours) && marker.uid != found.ours.uid => {
            left(ctx, own, found, &marker.uid).await
        }
        _ => Ok(Elsewhere::Nothing),
    }
}

/// Whether another object's status says that the thing is its own. Read as plain JSON, so that one that cannot be read hides no other.
async fn owned<K: Kind>(ctx: &Ctx, own: &K, found: &Found<'_>) -> Result<Elsewhere, Error> {
    let Some((field, value)) = found.owned.first() else { return Ok(Elsewhere::Nothing) };
    let params = ListParams::default().fields(&format!("status.{field}={value}"));
    let api: Api<DynamicObject> = Api::all_with(ctx.kube.clone(), &ApiResource::erase::<K>(&()));
    let says = |object: &DynamicObject| {
        let is = |field: &str, value: &str| {
            object.data.pointer(&format!("/status/{field}")).and_then(Value::as_str) == Some(value)
        };
        object.uid() != own.uid()
            && is("accountId", found.account_id)
            && found.owned.iter().all(|(field, value)| is(field, value))
    };
    let all = api.list(&params).await?.items;
    Ok(if all.iter().any(says) { Elsewhere::Owned } else { Elsewhere::Nothing })
}

/// Whether a RamRevocation is to take this marker off.
async fn left<K: Kind>(ctx: &Ctx, own: &K, found: &Found<'_>, uid: &str) -> Result<Elsewhere, Error> {
    let (field, value) = found.ordered;
    let params = ListParams::default().fields(&format!("spec.{field}={value}"));
    let orders = Api::<RamRevocation>::all(ctx.kube.clone()).list(&params).await?.items;
    let (namespace, name) = (own.namespace().unwrap_or_default(), own.name_any());
    let says = orders.iter().any(|order| unmarks(&order.spec, (namespace.as_str(), name.as_str()), uid));
    Ok(if says { Elsewhere::Left } else { Elsewhere::Nothing })
}

/// Whether an order takes the marker with this uid off what an earlier object of a name, in its namespace, had adopted.
fn unmarks(spec: &RamRevocationSpec, of: (&str, &str), uid: &str) -> bool {
    let user = spec.order.as_ref().map(|order| &order.user).is_some_and(|user| {
        let same = (user.namespace.as_str(), user.name.as_str()) == of && user.marker_uid.as_deref() == Some(uid);
        same && user.deletion_policy == UserDeletionPolicy::Retain
    });
    let thing = spec.left_over.as_ref().is_some_and(|left| {
        let same = (left.namespace.as_str(), left.name.as_str()) == of && left.uid.starts_with(uid);
        same && left.deletion_policy == UserDeletionPolicy::Retain
    });
    user || thing
}
