//! What a RamAccessKey that has to go leaves to a RamRevocation.

use super::delete::effective;
use super::{Journal, SecretSeen, Seen};
use crate::api::{KeyDeletionPolicy, Order, OrderedUser, Why};

/// The order, without what the controller knows of object and user. `None`: nothing is left to be taken away.
#[must_use]
pub fn order(seen: &Seen, journal: &Journal) -> Option<Order> {
    let published = journal.access_key_id.clone().or_else(|| match &seen.secret {
        SecretSeen::Ours(secret) => secret.id.clone(),
        _ => None,
    });
    let account_id = journal.account_id.clone().or_else(|| match &seen.secret {
        SecretSeen::Ours(secret) => secret.account_id.clone(),
        _ => None,
    });
    let policy = effective(seen);
    let going = journal.retiring.iter().filter(|key| key.why != Why::Stray).map(|key| key.id.clone());
    let strays: Vec<_> = journal.strays().map(super::Retiring::write).collect();
    let going = going.chain(published.clone().filter(|_| policy == KeyDeletionPolicy::Delete));
    let order = Order {
        account_id,
        user: OrderedUser {
            user_name: journal.user_name.clone().unwrap_or_default(),
            user_id: journal.user_id.clone(),
            ..OrderedUser::default()
        },
        access_key_ids: going.collect(),
        disabled_ids: published.into_iter().filter(|_| policy == KeyDeletionPolicy::Disable).collect(),
        strays: Some(strays).filter(|strays| !strays.is_empty()),
        intents: journal.intents.iter().map(super::Intent::write).collect(),
        purge_from_recycle_bin: seen.pace().purge || !journal.revoked.is_empty(),
        ..Order::default()
    };
    let keys = !order.access_key_ids.is_empty() || !order.disabled_ids.is_empty() || order.strays.is_some();
    (keys || !order.intents.is_empty()).then_some(order)
}
