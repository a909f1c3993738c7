//! One loop for all kinds: look, ask the plan, carry out one step, look again; then say how it stands.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, DynamicObject, PartialObjectMeta, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span, warn};

use super::Settings;
use super::accounts::Accounts;
use super::echo::{Echoes, Interests};
use super::error::Error;
use super::locks::UserLocks;
use super::seal::Seal;
use super::status::{self, conditions};
use super::workers::Workers;
use crate::api::{self, RamAccount, Request, Requests, Status, annotation};
use crate::clock::Clock;
use crate::digest;
use crate::lease::Lease;
use crate::metrics::Metrics;
use crate::plan::preview::Preview;
use crate::plan::reason::Readiness;
use crate::plan::timing::LATER;
use crate::plan::{Extra, Next, Reason, Standing, Verdict};
use crate::ram::Class;

/// Steps of one pass; after that the object waits its turn again.
const MAX_STEPS: usize = 16;
/// Looks of one pass that steps ask for: ten groups with thirty policies each, and their documents.
const MAX_LOOKS: usize = 400;
/// Failures in a row before a passing trouble is shown in a condition.
const PATIENCE: u32 = 3;

/// Bytes that the value of a request may have: it is copied into the status.
pub const LONGEST_REQUEST: usize = 256;

/// What every pass shares.
pub struct Ctx {
    /// The cluster's API, with a bounded wait for every answer.
    pub kube: Client,
    /// Usable accounts.
    pub accounts: Accounts,
    /// One lock for each RAM user.
    pub locks: UserLocks,
    /// Which events deserve a pass.
    pub echoes: Echoes,
    /// Who depends on what.
    pub interests: Interests,
    /// Bounds passes at a time.
    pub workers: Workers,
    /// Seals what others may write too.
    pub seal: Seal,
    /// Publishes events.
    pub recorder: Recorder,
    /// Counts.
    pub metrics: Metrics,
    /// Whether this replica may write.
    pub lease: Lease,
    /// Local time.
    pub clock: Clock,
    /// Flags.
    pub settings: Settings,
    /// Cancelled when the process is to end.
    pub stopping: CancellationToken,
    /// Wakes users and keys when an account or a tenant changed.
    pub wake_all: tokio::sync::watch::Sender<u64>,
    /// Wakes accounts: one of them went, or its credentials were refused.
    pub wake_accounts: tokio::sync::watch::Sender<u64>,
    /// Wakes users that were poked.
    pub wake_poked_users: tokio::sync::watch::Sender<u64>,
}

/// Names an object of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// Names an object.
    #[must_use]
    pub fn new(kind: &'static str, namespace: Option<&str>, name: &str) -> Self {
        Self { kind, namespace: namespace.unwrap_or_default().to_owned(), name: name.to_owned() }
    }

    /// The namespace, if the kind has one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str()).filter(|namespace| !namespace.is_empty())
    }
}

/// A kind that is driven.
pub trait Kind:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Its name in Kubernetes.
    const KIND: &'static str;
    /// Annotations under our prefix that mean something on it, beside those that do on every kind.
    const REQUESTS: &'static [&'static str] = &[];
    /// Its status.
    type Status: Status + Send + Sync;

    /// Its API in `namespace`.
    fn api(client: Client, namespace: Option<&str>) -> Api<Self>;
    /// The stored status.
    fn status(&self) -> Option<&Self::Status>;
    /// The stored status, to be replaced.
    fn status_mut(&mut self) -> &mut Option<Self::Status>;
    /// One pass: looks and acts until the plan rests.
    fn pass(ctx: &Ctx, key: &ObjectKey, object: Self) -> impl Future<Output = Passed<Self>> + Send;
    /// The object is gone.
    fn forget(_ctx: &Ctx, _key: &ObjectKey) {}
    /// The CRD itself is being deleted: nothing may be lost by that. Keeps in the cluster what would go with the object.
    fn keep(_ctx: &Ctx, _key: &ObjectKey, _object: &Self) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }
}

/// How a pass ended.
pub struct Passed<K: Kind> {
    /// The object as stored last.
    pub object: K,
    /// The status with everything but conditions and requests.
    pub facts: K::Status,
    /// Conditions beside those that every kind has: type, reason, message.
    pub extra: Vec<Extra>,
    /// Conditions beside those that every kind has, which may be false too: type, reason, message.
    pub standing: Vec<Standing>,
    /// The plan's verdict, or what ended the pass early.
    pub outcome: Result<Verdict, Error>,
    /// When to look again at rest.
    pub look: Duration,
    /// When to look again at the latest, whatever the outcome.
    pub at_most: Option<Duration>,
}

impl<K: Kind> Passed<K> {
    /// A pass without more conditions, looked at again in an hour.
    pub fn new(object: K, facts: K::Status, outcome: Result<Verdict, Error>) -> Self {
        let (extra, standing) = (Vec::new(), Vec::new());
        Self { object, facts, extra, standing, outcome, look: Duration::from_hours(1), at_most: None }
    }
}

/// A pass as the loop sees it.
pub trait Pass: Send {
    /// Effects.
    type Step: Clone + PartialEq + Debug + Send + Sync;

    /// Reads what the plan needs; no writes.
    fn observe(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Asks the plan.
    fn next(&self) -> Next<Self::Step>;
    /// Where steps are listed and not carried out: what would be done. Steps that only read are carried out all the same.
    fn preview(&self) -> Option<Preview<Self::Step>> {
        None
    }
    /// Keeps the list for the status.
    fn list(&mut self, _lines: Vec<String>) {}
    /// Whether a step only reads, so that it does not count among the steps of a pass.
    fn only_looks(_step: &Self::Step) -> bool {
        false
    }
    /// Carries out one step.
    fn act(&mut self, step: Self::Step) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Looks and acts until the plan rests.
pub async fn drive<P: Pass>(ctx: &Ctx, pass: &mut P) -> Result<Verdict, Error> {
    let mut last: Option<P::Step> = None;
    let (mut steps, mut looks) = (0, 0);
    while steps < MAX_STEPS && looks < MAX_LOOKS {
        pass.observe().await?;
        let next = match pass.preview() {
            None => pass.next(),
            Some(Preview { lines, next }) => {
                pass.list(lines);
                next
            }
        };
        let step = match next {
            Next::Rest(verdict) => return Ok(verdict),
            Next::Do(step) if last.as_ref() == Some(&step) => return Err(Error::Unsettled),
            Next::Do(step) => step,
        };
        if ctx.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        tracing::debug!(?step, "act");
        if P::only_looks(&step) {
            looks += 1;
        } else {
            steps += 1;
        }
        pass.act(step.clone()).await?;
        last = Some(step);
    }
    Err(Error::Unfinished)
}

/// Entry of the kube-rs controller: one event or due time of one object.
pub async fn reconcile<K: Kind>(trigger: Arc<PartialObjectMeta<K>>, ctx: Arc<Ctx>) -> Result<Action, Error> {
    let key = ObjectKey::new(K::KIND, trigger.namespace().as_deref(), &trigger.name_any());
    if let Some(left) = ctx.echoes.still_resting(&key, trigger.resource_version().as_deref()) {
        return Ok(Action::requeue(left));
    }
    let deleting = trigger.meta().deletion_timestamp.is_some();
    let _permit = ctx.workers.permit(deleting).await;
    if ctx.stopping.is_cancelled() {
        return Ok(Action::await_change());
    }
    let span = info_span!("pass", kind = K::KIND, namespace = key.namespace, object = key.name);
    // Boxed, so that thousands of objects that wait for a permit cost little.
    Box::pin(once::<K>(&ctx, &key).instrument(span)).await
}

async fn once<K: Kind>(ctx: &Ctx, key: &ObjectKey) -> Result<Action, Error> {
    let api = K::api(ctx.kube.clone(), key.namespace());
    let object = match api.get_opt(&key.name).await {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(forget::<K>(ctx, key)),
        Err(kube::Error::SerdeError(error)) => return unreadable::<K>(ctx, key, &error.to_string()).await,
        Err(error) => return Ok(retry(ctx, key, &error.into())),
    };
    ctx.echoes.begin(key, object.meta().resource_version.as_deref());
    if object.meta().deletion_timestamp.is_some() && object.finalizers().iter().any(|name| name == api::FINALIZER) {
        match crd_terminating::<K>(ctx).await {
            Ok(false) => {}
            Ok(true) => return let_go(ctx, key, object).await,
            Err(error) => {
                let facts = object.status().cloned().unwrap_or_default();
                return conclude(ctx, key, Passed::new(object, facts, Err(error))).await;
            }
        }
    }
    let started = tokio::time::Instant::now();
    let passed = K::pass(ctx, key, object).await;
    let label = passed.outcome.as_ref().map_or_else(Error::label, |_| "ok");
    ctx.metrics.reconciled(K::KIND, label, started.elapsed());
    conclude(ctx, key, passed).await
}

/// Whether the kind itself is being deleted, which is no order against RAM: it says nothing of this one object.
async fn crd_terminating<K: Kind>(ctx: &Ctx) -> Result<bool, Error> {
    let name = format!("{}.{}", K::plural(&()), api::GROUP);
    let crd = Api::<CustomResourceDefinition>::all(ctx.kube.clone()).get_metadata_opt(&name).await?;
    Ok(crd.is_none_or(|crd| crd.metadata.deletion_timestamp.is_some()))
}

/// Forgets objects that are gone without a pass of their own, since nothing held them.
pub fn forget_gone<K: Kind>(ctx: &Ctx, there: impl Fn(&ObjectKey) -> bool) {
    for key in ctx.echoes.keys(K::KIND).into_iter().filter(|key| !there(key)) {
        forget::<K>(ctx, &key);
    }
}

/// Lets an object of a terminating kind go: RAM and Secrets stay as they are.
async fn let_go<K: Kind>(ctx: &Ctx, key: &ObjectKey, mut object: K) -> Result<Action, Error> {
    warn!(kind = K::KIND, "the CRD is being deleted: RAM and Secrets stay as they are");
    let outcome = match K::keep(ctx, key, &object).await {
        Ok(()) => set_finalizer(ctx, key, &mut object, false).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) | Err(Error::Gone) => Ok(forget::<K>(ctx, key)),
        Err(error) => Ok(retry(ctx, key, &error)),
    }
}

fn forget<K: Kind>(ctx: &Ctx, key: &ObjectKey) -> Action {
    ctx.echoes.forget(key);
    ctx.interests.forget(key);
    ctx.metrics.forget(key);
    K::forget(ctx, key);
    Action::await_change()
}

fn retry(ctx: &Ctx, key: &ObjectKey, error: &Error) -> Action {
    let failures = ctx.echoes.count(key, true);
    warn!(kind = key.kind, namespace = key.namespace, object = key.name, %error, "pass failed");
    Action::requeue(jitter(error.wait(failures)))
}

/// Writes the status if it differs, publishes an event if `Ready` changed, and says when to look again.
async fn conclude<K: Kind>(ctx: &Ctx, key: &ObjectKey, passed: Passed<K>) -> Result<Action, Error> {
    let Passed { mut object, facts, mut extra, standing, outcome, look, at_most } = passed;
    extra.extend(unknown_annotations(&object).map(|message| ("UnknownAnnotation", "UnknownAnnotation", message)));
    let failed = outcome.is_err();
    let failures = ctx.echoes.count(key, failed);
    if let Err(error) = &outcome {
        report(error, failures);
        if K::KIND != RamAccount::KIND && matches!(error, Error::Ram(error) if error.class() == Class::Credentials) {
            ctx.wake_accounts.send_modify(|n| *n += 1);
        }
        if matches!(error, Error::Gone) {
            return Ok(forget::<K>(ctx, key));
        }
    }
    let verdict = match &outcome {
        Ok(verdict) => Some(verdict.clone()),
        Err(error) => shown(error, failures, &object),
    };
    let mut wait = match &outcome {
        Ok(verdict) => {
            // What is not as it should be may heal by a change that nobody tells us of.
            let usual = if verdict.reason.readiness() == Readiness::Yes { look } else { look.min(LATER) };
            verdict.recheck.map_or_else(|| spread(usual), |recheck| recheck.min(spread(usual)))
        }
        Err(error) => jitter(error.wait(failures)),
    };
    wait = at_most.map_or(wait, |most| wait.min(most));
    let before = status::find(object.status(), "Ready").cloned();
    let told: Vec<_> = object.status().map(|status| status.conditions().to_vec()).unwrap_or_default();
    let next = compose(ctx, &object, facts, (&extra, &standing), verdict.as_ref(), !failed);
    match status::write(ctx, key, &mut object, next).await {
        Ok(changed) => {
            let after = status::find(object.status(), "Ready");
            ctx.metrics.object(key, after.is_some_and(|c| c.status == "True"));
            if changed && let (Some(verdict), Some(after)) = (&verdict, after) {
                let same = before.is_some_and(|b| b.status == after.status && b.reason == after.reason);
                if !same {
                    announce(ctx, &object, verdict).await;
                }
            }
            if changed && verdict.is_some() {
                tell(ctx, &object, &told, (&extra, &standing)).await;
            }
        }
        Err(Error::Gone) => return Ok(forget::<K>(ctx, key)),
        Err(error) => {
            report(&error, failures);
            wait = wait.min(jitter(error.wait(failures)));
        }
    }
    if !ctx.echoes.end(key, wait) {
        wait = Duration::ZERO;
    }
    Ok(Action::requeue(wait))
}

/// Conditions beside those that every kind has: those that are true, and those that are there in any case.
type Beside<'a> = (&'a [Extra], &'a [Standing]);

/// An event for each of them that was not `told` before.
async fn tell<K: Kind>(ctx: &Ctx, object: &K, told: &[Condition], (extra, standing): Beside<'_>) {
    for (type_, reason, message) in extra {
        if !told.iter().any(|c| c.type_ == *type_ && c.status == "True" && c.reason == *reason) {
            note(ctx, object, EventType::Warning, reason, message.clone()).await;
        }
    }
    for (type_, reason, message) in standing {
        if !told.iter().any(|c| c.type_ == *type_ && c.reason == reason.name()) {
            note(ctx, object, event_type(*reason), reason.name(), message.clone()).await;
        }
    }
}

fn event_type(reason: Reason) -> EventType {
    if reason.is_trouble() { EventType::Warning } else { EventType::Normal }
}

fn report(error: &Error, failures: u32) {
    match error {
        Error::Verdict(_) | Error::Conflict | Error::Unfinished | Error::Stopping | Error::Gone | Error::NotLeader => {
            tracing::debug!(%error, "pass ended early");
        }
        error => warn!(%error, failures, "pass failed"),
    }
}

/// A passing trouble shows only if it lasts, and never takes `Ready` from an object whose spec is carried out.
fn shown<K: Kind>(error: &Error, failures: u32, object: &K) -> Option<Verdict> {
    if error.passes_by_itself() {
        let ready = status::find(object.status(), "Ready");
        let current = ready.is_some_and(|c| c.status == "True" && c.observed_generation == object.meta().generation);
        if failures < PATIENCE || current {
            return None;
        }
    }
    error.verdict()
}

fn compose<K: Kind>(
    ctx: &Ctx,
    object: &K,
    mut facts: K::Status,
    (extra, standing): Beside<'_>,
    verdict: Option<&Verdict>,
    complete: bool,
) -> K::Status {
    let generation = object.meta().generation;
    let previous: Vec<_> = object.status().map(|s| s.conditions().to_vec()).unwrap_or_default();
    let now = ctx.clock.now();
    match verdict {
        Some(verdict) => {
            let mut all = conditions(&previous, verdict, paused(object), generation, now);
            for (type_, reason, message) in extra {
                all.push(status::condition(&previous, type_, "True", reason, message.clone(), generation, now));
            }
            for (type_, reason, message) in standing {
                let (status, reason) = (status::truth(reason.readiness()), reason.name());
                all.push(status::condition(&previous, type_, status, reason, message.clone(), generation, now));
            }
            facts.set_conditions(all, generation);
        }
        None if previous.is_empty() => {
            let verdict = Verdict::new(Reason::Unsettled);
            facts.set_conditions(conditions(&previous, &verdict, paused(object), generation, now), None);
        }
        None => {
            let observed = previous.first().and_then(|c| c.observed_generation);
            facts.set_conditions(previous, observed);
        }
    }
    let known = facts.requests().cloned();
    facts.set_requests(requests(object, known, complete));
    facts
}

/// Takes up the annotation `reconcile`: accepted by any pass, done by one that came to rest.
fn requests<K: Kind>(object: &K, known: Option<Requests>, complete: bool) -> Option<Requests> {
    let Some(value) = &request(object, annotation::RECONCILE) else { return known };
    let mut all = known.clone().unwrap_or_default();
    let before = all.reconcile.take().unwrap_or_default();
    if before.done.as_ref() == Some(value) {
        return known;
    }
    let done = if complete { Some(value.clone()) } else { before.done };
    all.reconcile = Some(Request { accepted: Some(value.clone()), done, ..Request::default() });
    Some(all)
}

/// Annotations that are not read, or not as they were meant: somebody would wait for them in vain.
fn unknown_annotations<K: Kind>(object: &K) -> Option<String> {
    let known = |key: &str| [annotation::RECONCILE, annotation::PAUSED].contains(&key) || K::REQUESTS.contains(&key);
    let ours = |key: &str| key.strip_prefix(api::GROUP).is_some_and(|rest| rest.starts_with('/'));
    let wrong = |(key, value): (&String, &String)| match key.as_str() {
        key if !ours(key) => None,
        key if !known(key) => Some(format!("{key} means nothing on a {}", K::KIND)),
        annotation::PAUSED if !["true", "false", ""].contains(&value.to_ascii_lowercase().as_str()) => {
            Some(format!("{key} means something only as true"))
        }
        annotation::PAUSED => None,
        key if value.len() > LONGEST_REQUEST => {
            Some(format!("{key} is longer than {LONGEST_REQUEST} bytes and is not read"))
        }
        key if value.trim().is_empty() => Some(format!("{key} is empty and is not read")),
        _ => None,
    };
    let all: Vec<String> = object.annotations().iter().filter_map(wrong).collect();
    (!all.is_empty()).then(|| format!("{}. Correct or remove what is wrong.", all.join("; ")))
}

/// A request that can be read: it has visible text, and not too much of it.
#[must_use]
pub fn request<K: Resource>(object: &K, key: &str) -> Option<String> {
    let value = object.meta().annotations.as_ref()?.get(key)?;
    (value.len() <= LONGEST_REQUEST && !value.trim().is_empty()).then(|| value.clone())
}

/// Whether grants and repairs are stopped.
pub fn paused<K: Resource>(object: &K) -> bool {
    object
        .meta()
        .annotations
        .as_ref()
        .and_then(|all| all.get(annotation::PAUSED))
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// An event on the object. Best effort: a terminating namespace refuses it, which is no reason to fail.
pub async fn announce<K: Kind>(ctx: &Ctx, object: &K, verdict: &Verdict) {
    note(ctx, object, event_type(verdict.reason), verdict.reason.name(), verdict.message()).await;
}

/// Publishes any event.
pub async fn note<K: Kind>(ctx: &Ctx, object: &K, type_: EventType, reason: &str, message: String) {
    info!(reason, message, "event");
    // Events of one action are counted as one with the first note: another note is another action.
    let action = format!("{reason}-{}", digest::short(&[&message], 6));
    let event = Event { type_, reason: reason.to_owned(), note: Some(message), action, secondary: None };
    if let Err(error) = ctx.recorder.publish(&event, &object.object_ref(&())).await {
        tracing::debug!(%error, "event not published");
    }
}

/// An object that this version cannot read stops nobody else and says so itself.
async fn unreadable<K: Kind>(ctx: &Ctx, key: &ObjectKey, why: &str) -> Result<Action, Error> {
    warn!(kind = key.kind, namespace = key.namespace, object = key.name, why, "the stored object cannot be read");
    ctx.metrics.reconciled(K::KIND, "unreadable", Duration::ZERO);
    ctx.metrics.object(key, false);
    let resource = kube::api::ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = match key.namespace() {
        Some(namespace) => Api::namespaced_with(ctx.kube.clone(), namespace, &resource),
        None => Api::all_with(ctx.kube.clone(), &resource),
    };
    let Some(object) = api.get_opt(&key.name).await? else { return Ok(forget::<K>(ctx, key)) };
    let verdict = Verdict::new(Reason::InvalidSpec);
    let stored = object.data.pointer("/status/conditions").cloned().unwrap_or_default();
    let previous: Vec<_> = serde_json::from_value(stored).unwrap_or_default();
    let wanted = conditions(&previous, &verdict, false, object.metadata.generation, ctx.clock.now());
    if wanted != previous {
        let patch = json!({
            "metadata": { "resourceVersion": object.metadata.resource_version },
            "status": { "conditions": wanted },
        });
        api.patch_status(&key.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    }
    Ok(Action::requeue(jitter(LATER)))
}

/// Adds or removes our finalizer by compare-and-swap.
pub async fn set_finalizer<K: Kind>(ctx: &Ctx, key: &ObjectKey, object: &mut K, on: bool) -> Result<(), Error> {
    let mut finalizers = object.finalizers().to_vec();
    finalizers.retain(|name| name != api::FINALIZER);
    if on {
        finalizers.push(api::FINALIZER.to_owned());
    }
    let patch = json!({ "metadata": { "resourceVersion": object.resource_version(), "finalizers": finalizers } });
    let api = K::api(ctx.kube.clone(), key.namespace());
    match api.patch(&key.name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(stored) => {
            ctx.echoes.wrote(key, stored.meta().resource_version.as_deref());
            *object = stored;
            if on || !object.finalizers().is_empty() { Ok(()) } else { Err(Error::Gone) }
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Err(Error::Gone),
        Err(error) => Err(error.into()),
    }
}

/// Spreads looks by a tenth, so that objects created together are not looked at together for ever.
fn spread(look: Duration) -> Duration {
    look.mul_f64(0.95 + 0.1 * fraction())
}

/// Between half and the whole of `wait`.
fn jitter(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + 0.5 * fraction())
}

fn fraction() -> f64 {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// Time by the operator's own clock, in whole seconds as the API stores it.
pub fn now(ctx: &Ctx) -> Timestamp {
    let now = ctx.clock.now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
