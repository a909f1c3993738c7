//! Wiring: clients, readiness, controllers, server, and one token that ends them all.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SelfSubjectRulesReview,
    SelfSubjectRulesReviewSpec,
};
use kube::api::{Api, ApiResource, DynamicObject, ListParams, PostParams};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::{GROUP, RamAccessKey, RamAccount, RamGroup, RamPolicy, RamRevocation, RamTenant, RamUser};
use crate::clock::Clock;
use crate::config::{self, Run};
use crate::controller::accounts::Accounts;
use crate::controller::drive::Ctx;
use crate::controller::echo::{Echoes, Interests};
use crate::controller::locks::UserLocks;
use crate::controller::seal::Seal;
use crate::controller::workers::Workers;
use crate::controller::{Environment, Settings, start};
use crate::lease::{Candidate, Lease, Lost};
use crate::metrics::Metrics;
use crate::server::{self, Readiness};

/// The longest wait for any part of an answer of the cluster's API.
const ANSWER: Duration = Duration::from_secs(10);
/// How often rights and CRDs are looked at while something is missing, and when nothing is.
const CHECKS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No way to the cluster was found.
    #[error("no way to a cluster: {0}. Run it in a pod, or set KUBECONFIG")]
    NoCluster(String),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}. Choose another --listen")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The controllers ended by themselves.
    #[error("the controllers ended unexpectedly; the log says why")]
    Ended,
    /// Another replica may write to RAM now.
    #[error("the lease {name} was lost: {why}. This process ends; started again, it stands by")]
    LeaderLost {
        /// Name of the Lease.
        name: String,
        /// How.
        why: Lost,
    },
}

/// Two clients of one cluster: calls end, watches last.
#[derive(Clone)]
pub struct Clients {
    /// For calls. Nothing is repeated by it, and no answer is waited for longer than ten seconds.
    pub calls: Client,
    /// For watches.
    pub watches: Client,
}

impl Clients {
    /// Both clients for a cluster.
    ///
    /// # Errors
    /// When the configuration has no usable address or certificate.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let fail = |error: kube::Error| Error::NoCluster(error.to_string());
        let mut calls = config.clone();
        // A repeated POST would be taken for somebody else's.
        calls.default_retry = false;
        calls.read_timeout = Some(ANSWER);
        calls.reset_reader_on_write = true;
        Ok(Self {
            calls: Client::try_from(calls).map_err(fail)?,
            watches: Client::try_from(config.clone()).map_err(fail)?,
        })
    }
}

/// Clients for the cluster that the process's surroundings name: a kubeconfig, or the pod's ServiceAccount.
///
/// # Errors
/// When they name none, or one that cannot be used.
pub async fn cluster() -> Result<Clients, Error> {
    let config = Config::infer().await.map_err(|error| Error::NoCluster(error.to_string().replace('\n', " ")))?;
    Clients::new(&config)
}

/// The operator's life: from the process's environment until SIGTERM or SIGINT.
///
/// # Errors
/// When there is no cluster, when the address cannot be listened on, when the lease is lost, or when the controllers end by themselves.
pub async fn operate(flags: Run) -> Result<(), Error> {
    let listener =
        server::bind(flags.listen).await.map_err(|source| Error::Listen { address: flags.listen, source })?;
    let clients = cluster().await?;
    let stop = CancellationToken::new();
    tokio::spawn(signals(stop.clone()));
    Operator::new(clients, flags, config::environment(), Clock::system()).run(listener, stop).await
}

async fn signals(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    info!("shutting down: running passes end first");
    stop.cancel();
}

/// An operator that has not started yet.
pub struct Operator {
    clients: Clients,
    flags: Run,
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
    readiness: Readiness,
}

impl Operator {
    /// An operator for a cluster, with flags, surroundings and clock.
    #[must_use]
    pub fn new(clients: Clients, flags: Run, environment: Environment, clock: Clock) -> Self {
        let settings = Settings {
            namespace: flags.namespace.clone(),
            credentials_namespaces: flags.credentials_namespaces.clone(),
            allow_custom_endpoints: flags.allow_custom_endpoints,
            label_selector: flags.watch_label_selector.clone(),
            hand_over_after: flags.hand_over_after,
            environment,
            budgets: Arc::default(),
        };
        let metrics = Metrics::new(clock.clone());
        Self { clients, flags, settings, clock, metrics, readiness: Readiness::default() }
    }

    /// Runs until `stop` is cancelled; running passes end first.
    ///
    /// # Errors
    /// When the lease is lost, or when the controllers end by themselves.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) -> Result<(), Error> {
        let last = CancellationToken::new();
        let serving = tokio::spawn(server::serve(listener, self.readiness.clone(), self.metrics.clone(), last.clone()));
        let outcome = self.control(&stop).await;
        last.cancel();
        let _ = serving.await;
        outcome
    }

    async fn control(&self, stop: &CancellationToken) -> Result<(), Error> {
        info!(version = env!("CARGO_PKG_VERSION"), "ram-operator starts");
        self.readiness.set_standby(self.flags.leader_elect);
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = self.until_ready() => {}
        }
        info!("ready");
        if self.flags.leader_elect { self.stand(stop).await } else { self.lead(Lease::always(), stop).await }
    }

    /// Stands by until the lease is held, leads, and gives the lease back when nothing writes to RAM any more. Its loss ends everything where
    /// it stands, as a crash would: another replica may be at work already.
    async fn stand(&self, stop: &CancellationToken) -> Result<(), Error> {
        let flags = &self.flags;
        let candidate =
            Candidate::new(self.clients.calls.clone(), &flags.namespace, &flags.lease_name, flags.lease_duration);
        let elected = tokio::select! {
            elected = candidate.elected(stop) => elected,
            () = self.keep_checking() => None,
        };
        let Some(mut term) = elected else { return Ok(()) };
        self.readiness.set_standby(false);
        let lease = term.lease();
        let outcome = tokio::select! {
            why = term.lost() => return Err(Error::LeaderLost { name: flags.lease_name.clone(), why }),
            outcome = self.lead(lease, stop) => outcome,
        };
        term.resign().await;
        outcome
    }

    async fn lead(&self, lease: Lease, stop: &CancellationToken) -> Result<(), Error> {
        self.metrics.lead(true);
        let ctx = Arc::new(self.context(lease, stop));
        tokio::select! {
            // Boxed: all controllers are in it.
            () = Box::pin(start::run(Arc::clone(&ctx), self.clients.watches.clone())) => {}
            // A controller whose first list never came does not end by itself; nothing is lost by leaving it.
            () = last_pass(&ctx) => {}
            () = self.keep_checking() => {}
        }
        self.metrics.lead(false);
        if stop.is_cancelled() { Ok(()) } else { Err(Error::Ended) }
    }

    fn context(&self, lease: Lease, stop: &CancellationToken) -> Ctx {
        let reporter = Reporter { controller: "ram-operator".to_owned(), instance: std::env::var("HOSTNAME").ok() };
        Ctx {
            kube: self.clients.calls.clone(),
            accounts: Accounts::default(),
            locks: UserLocks::default(),
            echoes: Echoes::default(),
            interests: Interests::default(),
            workers: Workers::new(self.flags.workers),
            seal: Seal::default(),
            recorder: Recorder::new(self.clients.calls.clone(), reporter),
            metrics: self.metrics.clone(),
            lease,
            clock: self.clock.clone(),
            settings: self.settings.clone(),
            stopping: stop.clone(),
            wake_all: tokio::sync::watch::Sender::new(0),
            wake_accounts: tokio::sync::watch::Sender::new(0),
            wake_poked_users: tokio::sync::watch::Sender::new(0),
        }
    }

    /// Missing CRDs or rights are no reason to die: they may come.
    async fn until_ready(&self) {
        let mut said = String::new();
        loop {
            let answer = missing(&self.clients.calls, &self.flags).await;
            self.readiness.set(answer.clone());
            match answer {
                Ok(()) => return,
                Err(why) if why != said => {
                    warn!(why, "not ready");
                    said = why;
                }
                Err(_) => {}
            }
            tokio::time::sleep(CHECKS.0).await;
        }
    }

    async fn keep_checking(&self) {
        loop {
            let wait = if self.readiness.get().is_ok() { CHECKS.1 } else { CHECKS.0 };
            tokio::time::sleep(wait).await;
            let answer = missing(&self.clients.calls, &self.flags).await;
            if let Err(why) = &answer {
                warn!(why, "not ready");
            }
            self.readiness.set(answer);
        }
    }
}

async fn last_pass(ctx: &Ctx) {
    ctx.stopping.cancelled().await;
    ctx.workers.drained().await;
}

/// What is missing for the operator to work: CRDs first, then rights.
async fn missing(client: &Client, flags: &Run) -> Result<(), String> {
    let kinds = [
        ApiResource::erase::<RamAccount>(&()),
        ApiResource::erase::<RamTenant>(&()),
        ApiResource::erase::<RamUser>(&()),
        ApiResource::erase::<RamAccessKey>(&()),
        ApiResource::erase::<RamPolicy>(&()),
        ApiResource::erase::<RamGroup>(&()),
        ApiResource::erase::<RamRevocation>(&()),
    ];
    for kind in &kinds {
        listed(client, kind, flags).await?;
    }
    let rules = rules(client, &flags.namespace).await?;
    for right in rights(flags).into_iter().filter(|right| !covered(&rules, right)) {
        // The list of rules may be incomplete; the question about one right is not.
        if !allowed(client, &right).await? {
            return Err(lacking(&right));
        }
    }
    Ok(())
}

/// Whether a kind is there, and may be listed.
async fn listed(client: &Client, kind: &ApiResource, flags: &Run) -> Result<(), String> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), kind);
    let mut params = ListParams::default().limit(1);
    if let Some(selector) = &flags.watch_label_selector {
        params = params.labels(selector);
    }
    match api.list_metadata(&params).await {
        Ok(_) => Ok(()),
        // A group that nobody serves is answered in plain text, so that only the code tells.
        Err(kube::Error::Api(status)) if status.code == 404 => Err(format!(
            "the CRD {}.{GROUP} is not installed; install the chart with crds.install=true, or apply what ram-operator crds prints",
            kind.plural
        )),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            Err(format!("the right to list {}.{GROUP} is missing; the chart's ClusterRole has it", kind.plural))
        }
        Err(kube::Error::Api(status)) if status.code == 400 && flags.watch_label_selector.is_some() => {
            Err("the cluster's API does not understand --watch-label-selector".to_owned())
        }
        Err(kube::Error::Api(status)) if status.code == 401 => {
            Err("the cluster's API does not accept the operator's credentials".to_owned())
        }
        Err(_) => Err("the cluster's API does not answer".to_owned()),
    }
}

fn lacking(right: &ResourceAttributes) -> String {
    let (verb, resource) = (right.verb.as_deref().unwrap_or_default(), right.resource.as_deref().unwrap_or_default());
    let sub = right.subresource.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
    match &right.namespace {
        None => format!("the right to {verb} {resource}{sub} is missing; the chart's ClusterRole has it"),
        Some(namespace) => format!(
            "the right to {verb} {resource}{sub} in the namespace {namespace} is missing; the chart's Role has it for the name that it sets"
        ),
    }
}

/// What this ServiceAccount may do, in one question.
async fn rules(client: &Client, namespace: &str) -> Result<Vec<ResourceRule>, String> {
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) },
        ..SelfSubjectRulesReview::default()
    };
    let answer = Api::<SelfSubjectRulesReview>::all(client.clone()).create(&PostParams::default(), &review).await;
    let answer = answer.map_err(|_| "the cluster's API does not answer".to_owned())?;
    Ok(answer.status.map(|status| status.resource_rules).unwrap_or_default())
}

fn covered(rules: &[ResourceRule], right: &ResourceAttributes) -> bool {
    let has = |list: Option<&Vec<String>>, word: &str| {
        list.is_some_and(|list| list.iter().any(|item| item == "*" || item == word))
    };
    let resource = match (&right.resource, &right.subresource) {
        (Some(resource), Some(sub)) => format!("{resource}/{sub}"),
        (Some(resource), None) => resource.clone(),
        (None, _) => return false,
    };
    // A rule with names gives the right for these only.
    let named = |names: &Vec<String>| names.is_empty() || right.name.as_ref().is_some_and(|name| names.contains(name));
    rules.iter().any(|rule| {
        rule.resource_names.as_ref().is_none_or(named)
            && has(Some(&rule.verbs), right.verb.as_deref().unwrap_or_default())
            && has(rule.api_groups.as_ref(), right.group.as_deref().unwrap_or_default())
            && has(rule.resources.as_ref(), &resource)
    })
}

fn rights(flags: &Run) -> Vec<ResourceAttributes> {
    let own = |resource: &str, subresource: Option<&str>, verb: &str| ResourceAttributes {
        group: Some(GROUP.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: subresource.map(str::to_owned),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let core =
        |resource: &str, verb: &str| ResourceAttributes { group: Some(String::new()), ..own(resource, None, verb) };
    let mut all = Vec::new();
    for resource in
        ["ramaccounts", "ramtenants", "ramusers", "ramaccesskeys", "rampolicies", "ramgroups", "ramrevocations"]
    {
        all.extend(["get", "watch", "patch"].map(|verb| own(resource, None, verb)));
        all.extend(["update", "patch"].map(|verb| own(resource, Some("status"), verb)));
    }
    all.extend(["create", "delete"].map(|verb| own("ramrevocations", None, verb)));
    all.extend(["get", "list", "watch", "create", "update"].map(|verb| core("secrets", verb)));
    all.extend(["get", "list", "watch"].map(|verb| core("namespaces", verb)));
    // Without it nobody could tell a deleted object from a deleted kind.
    all.extend(
        ["ramaccounts", "ramtenants", "ramusers", "ramaccesskeys", "rampolicies", "ramgroups", "ramrevocations"].map(
            |plural| ResourceAttributes {
                group: Some("apiextensions.k8s.io".to_owned()),
                name: Some(format!("{plural}.{GROUP}")),
                ..own("customresourcedefinitions", None, "get")
            },
        ),
    );
    if flags.leader_elect {
        all.extend(lease_rights(flags));
    }
    all
}

fn lease_rights(flags: &Run) -> [ResourceAttributes; 3] {
    ["get", "create", "update"].map(|verb| ResourceAttributes {
        group: Some("coordination.k8s.io".to_owned()),
        resource: Some("leases".to_owned()),
        namespace: Some(flags.namespace.clone()),
        // What is created has no name yet when it is asked about.
        name: (verb != "create").then(|| flags.lease_name.clone()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    })
}

async fn allowed(client: &Client, right: &ResourceAttributes) -> Result<bool, String> {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(right.clone()), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let answer = Api::<SelfSubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &review).await;
    let answer = answer.map_err(|_| "the cluster's API does not answer".to_owned())?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
