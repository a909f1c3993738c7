//! One kube-rs controller for each kind, and what wakes whom.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::controller::{Action, Config, Controller, Error as RunError};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Client, Resource, ResourceExt};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::drive::{Ctx, Kind, ObjectKey, forget_gone, reconcile};
use super::error::Error;
use crate::api::{RamAccessKey, RamAccount, RamGroup, RamPolicy, RamRevocation, RamTenant, RamUser, SECRET_LABEL};

type Meta<K> = PartialObjectMeta<K>;

/// How long a deleted object that nothing held may still be counted.
const SWEEP: Duration = Duration::from_secs(5);

/// Runs all controllers until `ctx.stopping`; running passes end first.
pub async fn run(ctx: Arc<Ctx>, watches: Client) {
    futures::join!(
        accounts(&ctx, &watches),
        tenants(&ctx, &watches),
        tenant_changes(&ctx, &watches),
        users(&ctx, &watches),
        keys(&ctx, &watches),
        policies(&ctx, &watches),
        groups(&ctx, &watches),
        revocations(&ctx, &watches),
    );
}

fn accounts(ctx: &Arc<Ctx>, watches: &Client) -> impl Future<Output = ()> + use<> {
    let mut controller = base::<RamAccount>(ctx, Api::all(watches.clone()));
    let own = std::iter::once(&ctx.settings.namespace);
    for namespace in own.chain(&ctx.settings.credentials_namespaces) {
        let secrets: Api<Meta<Secret>> = Api::namespaced(watches.clone(), namespace);
        let waking = Arc::clone(ctx);
        controller = controller.watches(secrets, watcher::Config::default(), move |secret: Meta<Secret>| {
            wake::<RamAccount>(&waking, "Secret", &secret)
        });
    }
    let woken = woken(ctx, &ctx.wake_accounts, RamAccount::KIND);
    drain(controller.reconcile_all_on(woken), Arc::clone(ctx))
}

fn tenants(ctx: &Arc<Ctx>, watches: &Client) -> impl Future<Output = ()> + use<> {
    let controller = base::<RamTenant>(ctx, Api::all(watches.clone()));
    // One that came or went may overlap with others.
    drain(controller.reconcile_all_on(woken(ctx, &ctx.wake_all, RamTenant::KIND)), Arc::clone(ctx))
}

/// A tenant that came, went or changed its spec decides anew what everybody may have; one whose status changed does not.
async fn tenant_changes(ctx: &Arc<Ctx>, watches: &Client) {
    let mut generations = HashMap::new();
    let tenants: Api<Meta<RamTenant>> = Api::all(watches.clone());
    let events = watcher::watcher(tenants, ctx.settings.watched()).default_backoff();
    let mut events = pin!(events.take_until(ctx.stopping.cancelled()));
    while let Some(event) = events.next().await {
        let moved = match event {
            Ok(Event::Apply(tenant) | Event::InitApply(tenant)) => {
                let uid = tenant.meta().uid.clone().unwrap_or_default();
                let now = (tenant.meta().generation, tenant.meta().deletion_timestamp.is_some());
                generations.insert(uid, now) != Some(now)
            }
            Ok(Event::Delete(_)) => true,
            Ok(Event::Init | Event::InitDone) => false,
            Err(error) => {
                ctx.metrics.watch_failed(RamTenant::KIND);
                warn!(%error, "the watch of tenants failed; it is started again");
                false
            }
        };
        if moved {
            ctx.wake_all.send_modify(|n| *n += 1);
        }
    }
}

fn users(ctx: &Arc<Ctx>, watches: &Client) -> impl Future<Output = ()> + use<> {
    let (by_key, by_policy, by_group) = (Arc::clone(ctx), Arc::clone(ctx), Arc::clone(ctx));
    let keys: Api<Meta<RamAccessKey>> = Api::all(watches.clone());
    let policies: Api<Meta<RamPolicy>> = Api::all(watches.clone());
    let groups: Api<Meta<RamGroup>> = Api::all(watches.clone());
    let controller = base::<RamUser>(ctx, Api::all(watches.clone()))
        .watches(keys, ctx.settings.watched(), move |key: Meta<RamAccessKey>| {
            wake::<RamUser>(&by_key, RamAccessKey::KIND, &key)
        })
        .watches(policies, ctx.settings.watched(), move |policy: Meta<RamPolicy>| {
            wake::<RamUser>(&by_policy, RamPolicy::KIND, &policy)
        })
        .watches(groups, ctx.settings.watched(), move |group: Meta<RamGroup>| {
            wake::<RamUser>(&by_group, RamGroup::KIND, &group)
        });
    let controller = with_namespaces(ctx, watches, controller)
        .reconcile_all_on(woken(ctx, &ctx.wake_all, RamUser::KIND))
        .reconcile_all_on(rung(&ctx.wake_poked_users));
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
    let controller =
        with_namespaces(ctx, watches, controller).reconcile_all_on(woken(ctx, &ctx.wake_all, RamAccessKey::KIND));
    drain(controller, Arc::clone(ctx))
}

fn policies(ctx: &Arc<Ctx>, watches: &Client) -> impl Future<Output = ()> + use<> {
    let controller = base::<RamPolicy>(ctx, Api::all(watches.clone()));
    let controller =
        with_namespaces(ctx, watches, controller).reconcile_all_on(woken(ctx, &ctx.wake_all, RamPolicy::KIND));
    drain(controller, Arc::clone(ctx))
}

fn groups(ctx: &Arc<Ctx>, watches: &Client) -> impl Future<Output = ()> + use<> {
    let waking = Arc::clone(ctx);
    let policies: Api<Meta<RamPolicy>> = Api::all(watches.clone());
    let controller = base::<RamGroup>(ctx, Api::all(watches.clone())).watches(
        policies,
        ctx.settings.watched(),
        move |policy: Meta<RamPolicy>| wake::<RamGroup>(&waking, RamPolicy::KIND, &policy),
    );
    let controller =
        with_namespaces(ctx, watches, controller).reconcile_all_on(woken(ctx, &ctx.wake_all, RamGroup::KIND));
    drain(controller, Arc::clone(ctx))
}

fn revocations(ctx: &Arc<Ctx>, watches: &Client) -> impl Future<Output = ()> + use<> {
    let (by_user, by_key, by_order) = (Arc::clone(ctx), Arc::clone(ctx), Arc::clone(ctx));
    let users: Api<Meta<RamUser>> = Api::all(watches.clone());
    let keys: Api<Meta<RamAccessKey>> = Api::all(watches.clone());
    // A user goes after its keys: its order waits for theirs.
    let orders: Api<Meta<RamRevocation>> = Api::all(watches.clone());
    let controller = base::<RamRevocation>(ctx, Api::all(watches.clone()))
        .watches(users, ctx.settings.watched(), move |user: Meta<RamUser>| {
            wake::<RamRevocation>(&by_user, RamUser::KIND, &user)
        })
        .watches(keys, ctx.settings.watched(), move |key: Meta<RamAccessKey>| {
            wake::<RamRevocation>(&by_key, RamAccessKey::KIND, &key)
        })
        .watches(orders, ctx.settings.watched(), move |order: Meta<RamRevocation>| {
            wake::<RamRevocation>(&by_order, RamRevocation::KIND, &order)
        });
    drain(controller.reconcile_all_on(woken(ctx, &ctx.wake_all, RamRevocation::KIND)), Arc::clone(ctx))
}

fn base<K: Kind>(ctx: &Arc<Ctx>, api: Api<Meta<K>>) -> Controller<Meta<K>> {
    // Passes are bounded by our own places, which keep some for deletions; the controller itself need not.
    let config = Config::default().debounce(Duration::from_millis(50));
    Controller::new(api, ctx.settings.watched())
        .with_config(config)
        .graceful_shutdown_on(ctx.stopping.clone().cancelled_owned())
}

async fn drain<K: Kind>(controller: Controller<Meta<K>>, ctx: Arc<Ctx>) {
    let sweeping = sweep(controller.store(), Arc::clone(&ctx));
    let metrics = Arc::clone(&ctx);
    let running =
        controller.run(reconcile::<K>, |_, error: &Error, _| Action::requeue(error.wait(2)), ctx).for_each(|outcome| {
            match outcome {
                Ok(_) | Err(RunError::ObjectNotFound(_)) => {}
                Err(RunError::ReconcilerFailed(error, object)) => debug!(%error, %object, "pass failed"),
                Err(error) => {
                    metrics.metrics.watch_failed(K::KIND);
                    warn!(kind = K::KIND, error = error.to_string(), "a watch failed; it is started again");
                }
            }
            futures::future::ready(())
        });
    tokio::select! {
        () = running => {}
        () = sweeping => {}
    }
}

/// A controller hears nothing of objects that are deleted while nothing holds them: they are forgotten when the store lacks them.
async fn sweep<K: Kind>(store: Store<Meta<K>>, ctx: Arc<Ctx>) {
    if store.wait_until_ready().await.is_err() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(SWEEP).await;
        forget_gone::<K>(&ctx, |key| store.get(&reference::<K>(key)).is_some());
    }
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

/// Fires when `bell` rings: then every object of `kind` is asked again.
fn woken(
    ctx: &Arc<Ctx>,
    bell: &watch::Sender<u64>,
    kind: &'static str,
) -> impl futures::Stream<Item = ()> + Send + Sync + use<> {
    let receiver = bell.subscribe();
    let ctx = Arc::clone(ctx);
    futures::stream::unfold((receiver, ctx), move |(mut receiver, ctx)| async move {
        receiver.changed().await.ok()?;
        ctx.echoes.poke_all(kind);
        Some(((), (receiver, ctx)))
    })
}

/// Fires when `bell` rings: whoever was poked is asked again, and everybody else goes on resting.
fn rung(bell: &watch::Sender<u64>) -> impl futures::Stream<Item = ()> + Send + use<> {
    futures::stream::unfold(bell.subscribe(), |mut receiver| async move {
        receiver.changed().await.ok()?;
        Some(((), receiver))
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
