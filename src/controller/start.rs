//! One kube-rs controller for each kind, and what wakes whom.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::controller::{Action, Config, Controller, Error as RunError};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Client, Resource, ResourceExt};
use tracing::{debug, warn};

use super::drive::{Ctx, Kind, ObjectKey, reconcile};
use super::error::Error;
use crate::api::{RamAccessKey, RamAccount, RamTenant, RamUser, SECRET_LABEL};

type Meta<K> = PartialObjectMeta<K>;

/// Runs all controllers until `ctx.stopping`; running passes end first.
pub async fn run(ctx: Arc<Ctx>, watches: Client) {
    futures::join!(accounts(&ctx, &watches), tenants(&ctx, &watches), users(&ctx, &watches), keys(&ctx, &watches));
}

fn accounts(ctx: &Arc<Ctx>, watches: &Client) -> impl Future<Output = ()> + use<> {
    let secrets: Api<Meta<Secret>> = Api::namespaced(watches.clone(), &ctx.settings.namespace);
    let waking = Arc::clone(ctx);
    let controller = base::<RamAccount>(ctx, Api::all(watches.clone())).watches(
        secrets,
        watcher::Config::default(),
        move |secret: Meta<Secret>| wake::<RamAccount>(&waking, "Secret", &secret),
    );
    drain(controller, Arc::clone(ctx))
}

fn tenants(ctx: &Arc<Ctx>, watches: &Client) -> impl Future<Output = ()> + use<> {
    let generations = Generations::default();
    let waking = Arc::clone(ctx);
    // A tenant that changed, came or went decides anew what everybody may have.
    let tenants: Api<Meta<RamTenant>> = Api::all(watches.clone());
    let controller = base::<RamTenant>(ctx, Api::all(watches.clone())).watches(
        tenants,
        ctx.settings.watched(),
        move |tenant: Meta<RamTenant>| {
            if generations.moved(&tenant) {
                waking.wake_all.send_modify(|n| *n += 1);
            }
            None::<ObjectRef<Meta<RamTenant>>>
        },
    );
    drain(controller, Arc::clone(ctx))
}

fn users(ctx: &Arc<Ctx>, watches: &Client) -> impl Future<Output = ()> + use<> {
    let waking = Arc::clone(ctx);
    let keys: Api<Meta<RamAccessKey>> = Api::all(watches.clone());
    let controller = base::<RamUser>(ctx, Api::all(watches.clone())).watches(
        keys,
        ctx.settings.watched(),
        move |key: Meta<RamAccessKey>| wake::<RamUser>(&waking, RamAccessKey::KIND, &key),
    );
    let controller = with_namespaces(ctx, watches, controller).reconcile_all_on(woken(ctx, RamUser::KIND));
    drain(controller, Arc::clone(ctx))
}

fn keys(ctx: &Arc<Ctx>, watches: &Client) -> impl Future<Output = ()> + use<> {
    let (by_user, by_secret) = (Arc::clone(ctx), Arc::clone(ctx));
    let users: Api<Meta<RamUser>> = Api::all(watches.clone());
    // Metadata only: the data of Secrets is never listed or watched.
    let secrets: Api<Meta<Secret>> = Api::all(watches.clone());
    let controller = base::<RamAccessKey>(ctx, Api::all(watches.clone()))
        .watches(users, ctx.settings.watched(), move |user: Meta<RamUser>| {
            wake::<RamAccessKey>(&by_user, RamUser::KIND, &user)
        })
        .watches(secrets, watcher::Config::default().labels(SECRET_LABEL), move |secret: Meta<Secret>| {
            owner_of(&by_secret, &secret)
        });
    let controller = with_namespaces(ctx, watches, controller).reconcile_all_on(woken(ctx, RamAccessKey::KIND));
    drain(controller, Arc::clone(ctx))
}

fn base<K: Kind>(ctx: &Arc<Ctx>, api: Api<Meta<K>>) -> Controller<Meta<K>> {
    // Passes are bounded by our own places, which keep some for deletions; the controller itself need not.
    let config = Config::default().debounce(Duration::from_millis(50));
    Controller::new(api, ctx.settings.watched())
        .with_config(config)
        .graceful_shutdown_on(ctx.stopping.clone().cancelled_owned())
}

async fn drain<K: Kind>(controller: Controller<Meta<K>>, ctx: Arc<Ctx>) {
    let metrics = Arc::clone(&ctx);
    controller
        .run(reconcile::<K>, |_, error: &Error, _| Action::requeue(error.wait(2)), ctx)
        .for_each(|outcome| {
            match outcome {
                Ok(_) | Err(RunError::ObjectNotFound(_)) => {}
                Err(RunError::ReconcilerFailed(error, object)) => debug!(%error, %object, "pass failed"),
                Err(error) => {
                    metrics.metrics.watch_failed(K::KIND);
                    warn!(kind = K::KIND, error = error.to_string(), "a watch failed; it is started again");
                }
            }
            futures::future::ready(())
        })
        .await;
}

fn subject<K: Resource<DynamicType = ()>>(kind: &'static str, object: &K) -> ObjectKey {
    ObjectKey::new(kind, object.namespace().as_deref(), &object.name_any())
}

/// Everybody of kind `K` who looked at `object`, and has not seen this version of it.
fn wake<K: Kind>(ctx: &Ctx, kind: &'static str, object: &impl Resource<DynamicType = ()>) -> Vec<ObjectRef<Meta<K>>> {
    let subject = subject(kind, object);
    // A deletion carries the last version; it is always news.
    let version = object.meta().resource_version.as_deref().filter(|_| object.meta().deletion_timestamp.is_none());
    let watchers = ctx.interests.of(&subject, K::KIND, version);
    for watcher in &watchers {
        ctx.echoes.poke(watcher);
    }
    watchers.iter().map(reference).collect()
}

fn reference<K: Kind>(key: &ObjectKey) -> ObjectRef<Meta<K>> {
    let reference = ObjectRef::new(&key.name);
    match key.namespace() {
        Some(namespace) => reference.within(namespace),
        None => reference,
    }
}

/// The RamAccessKey of a Secret that somebody else changed.
fn owner_of(ctx: &Ctx, secret: &Meta<Secret>) -> Option<ObjectRef<Meta<RamAccessKey>>> {
    let owner = secret.labels().get(SECRET_LABEL)?;
    let key = ObjectKey::new(RamAccessKey::KIND, secret.namespace().as_deref(), owner);
    if secret.meta().deletion_timestamp.is_none() && ctx.echoes.knows_secret(&key, secret.resource_version().as_deref())
    {
        return None;
    }
    ctx.echoes.poke(&key);
    Some(reference(&key))
}

/// Fires when an account or a tenant changed: then every object is asked again.
fn woken(ctx: &Arc<Ctx>, kind: &'static str) -> impl futures::Stream<Item = ()> + Send + Sync + use<> {
    let receiver = ctx.wake_all.subscribe();
    let ctx = Arc::clone(ctx);
    futures::stream::unfold((receiver, ctx), move |(mut receiver, ctx)| async move {
        receiver.changed().await.ok()?;
        ctx.echoes.poke_all(kind);
        Some(((), (receiver, ctx)))
    })
}

/// A namespace whose labels change belongs to another tenant, or to none.
fn with_namespaces<K: Kind>(ctx: &Arc<Ctx>, watches: &Client, controller: Controller<Meta<K>>) -> Controller<Meta<K>> {
    let namespaces: Api<Meta<Namespace>> = Api::all(watches.clone());
    let store = controller.store();
    let waking = Arc::clone(ctx);
    let seen: Mutex<HashMap<String, String>> = Mutex::default();
    controller.watches(namespaces, watcher::Config::default(), move |namespace: Meta<Namespace>| {
        let name = namespace.name_any();
        let now = format!("{:?} {}", namespace.labels(), namespace.meta().deletion_timestamp.is_some());
        let before = seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), now.clone());
        if before.is_none_or(|before| before == now) {
            return Vec::new();
        }
        let inside = store.state().into_iter().filter(|object| object.namespace().as_deref() == Some(&name));
        let keys: Vec<ObjectKey> = inside.map(|object| subject(K::KIND, &*object)).collect();
        for key in &keys {
            waking.echoes.poke(key);
        }
        keys.iter().map(reference).collect()
    })
}

/// Tells a change of a spec from one of a status.
#[derive(Default)]
struct Generations(Mutex<HashMap<String, (Option<i64>, bool)>>);

impl Generations {
    fn moved<K: Resource>(&self, object: &K) -> bool {
        let meta = object.meta();
        let uid = meta.uid.clone().unwrap_or_default();
        let now = (meta.generation, meta.deletion_timestamp.is_some());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(uid, now) != Some(now)
    }
}
