//! A test's own corner of the shared cluster: namespaces, account, tenant, emulator and operator.
//!
//! One control plane serves the whole run. Each test labels everything it makes with its own name, and its operator looks only at
//! objects with that label, so that tests run side by side.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event as CoreEvent, Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use ram_operator::api::{RamAccessKey, RamAccount, RamGroup, RamPolicy, RamRevocation, RamTenant, RamUser, annotation};
use ram_operator::clock::Clock;
use ram_operator::config::{Policy, Run};
use ram_operator::controller::Environment;
use ram_operator::least_policy;
use ram_operator::run::Clients;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::oracle;
use crate::support::cluster::{Cluster, binaries, say};
use crate::support::operator::{NAMESPACE, Running, install_chart, token};
use crate::support::ram::{EmuClock, Emulator, Options, Snapshot};

/// How long anything may take that is waited for.
const DEADLINE: Duration = Duration::from_secs(120);

/// The RAM user that the operator is, and the RAM policy that it has.
pub const OPERATOR: &str = "ram-operator";

/// Every kind of ours.
pub const KINDS: [&str; 7] =
    ["RamAccount", "RamTenant", "RamUser", "RamAccessKey", "RamPolicy", "RamGroup", "RamRevocation"];

/// The control plane of this run, with the chart installed.
pub struct Shared {
    pub cluster: Cluster,
    token: String,
}

static SHARED: OnceCell<Shared> = OnceCell::const_new();

/// The control plane; the first test that asks starts it.
pub async fn shared() -> &'static Shared {
    oracle::listen();
    SHARED.get_or_init(start).await
}

async fn start() -> Shared {
    let binaries =
        tokio::task::spawn_blocking(|| binaries(&say)).await.expect("no panic").unwrap_or_else(|e| panic!("{e}"));
    let cluster = Cluster::start(&binaries, &say).await.unwrap_or_else(|e| panic!("{e}"));
    let installed = install_chart(&cluster, &[]).expect("helm runs");
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let admin = Client::try_from(cluster.admin_config()).expect("a client");
    // kubectl keeps for hours what it finds, so that it must not ask before the server tells of all kinds.
    eventually("the server to tell of all kinds", || async {
        let found = cluster.kubectl().args(["api-resources", "--api-group=ram-operator.dev", "-o=name"]).output();
        let found = found.map_err(|e| e.to_string())?;
        let lines = String::from_utf8_lossy(&found.stdout).lines().count();
        if lines == KINDS.len() { Ok(()) } else { Err(format!("{lines} kinds")) }
    })
    .await;
    let token = token(&admin).await.expect("a token");
    Shared { cluster, token }
}

/// A test's corner.
pub struct World {
    /// Its name, in labels and in cluster-scoped names.
    pub name: String,
    pub admin: Client,
    pub ram: Emulator,
    pub clock: EmuClock,
    /// The first namespace, which the tenant selects.
    pub ns: String,
    /// How much had been logged when it began.
    pub logged: oracle::Mark,
}

/// Names of corners that were left clean, and may be used again.
static CLEAN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn unique(test: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let test: String = test.chars().map(|c| if c == '_' { '-' } else { c }).take(24).collect();
    format!("{}-{n}-{}", test.trim_matches('-'), std::process::id())
}

impl World {
    /// A corner with an account whose credentials are in a Secret, and a tenant that allows `AliyunOTS*`.
    pub async fn new(test: &str) -> Self {
        Self::with(test, Options::default()).await
    }

    pub async fn with(test: &str, options: Options) -> Self {
        let world = Self::bare(test, options).await;
        world.furnish().await;
        world
    }

    /// As [`World::new`], in a corner that was left clean by [`World::leave`], if there is one: every operator lists all namespaces, so that
    /// thousands of them would make each start slower than the one before.
    pub async fn again(test: &str) -> Self {
        let clean = CLEAN.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let world = match clean {
            Some(name) => Self::called(name, Options::default()).await,
            None => Self::bare(test, Options::default()).await,
        };
        world.furnish().await;
        world
    }

    /// A corner with nothing but a namespace and an emulator.
    pub async fn bare(test: &str, options: Options) -> Self {
        let world = Self::called(unique(test), options).await;
        world.namespace(&world.ns, json!({"ram-test": world.name})).await;
        world
    }

    /// A corner of this name, with an emulator.
    async fn called(name: String, options: Options) -> Self {
        let shared = shared().await;
        let admin = Client::try_from(shared.cluster.admin_config()).expect("a client");
        let clock = options.clock.clone();
        let logged = oracle::Mark::here();
        let roles: Vec<String> = options.roles.iter().map(|role| role.name.clone()).collect();
        let ram = Emulator::start(options).await;
        let ns = name.clone();
        let world = Self { name, admin, ram, clock, ns, logged };
        world.rights(&least_policy::document(&world.every_feature()), &roles);
        world
    }

    /// Account and tenant as usual.
    async fn furnish(&self) {
        let (id, secret) = self.ram.access_key();
        self.credentials(&id, &secret).await;
        self.account(json!({})).await;
        self.tenant(json!({"attach": {"system": ["AliyunOTS*"], "custom": ["shared-*"]}})).await;
    }

    /// Leaves the corner clean, for somebody else. No operator of it may run any more.
    pub async fn leave(self) {
        match self.clear().await {
            Ok(()) => CLEAN.lock().unwrap_or_else(PoisonError::into_inner).push(self.name.clone()),
            // It stays as it is, as the corners of most tests do.
            Err(error) => println!("corner {} is not used again: {error}", self.name),
        }
    }

    /// Takes everything away that a test puts into its first namespace and beside it, but for the credentials: they are written anew.
    async fn clear(&self) -> Result<(), kube::Error> {
        let (ours, now, all) =
            (ListParams::default().labels(&self.label()), DeleteParams::default(), ListParams::default());
        for kind in KINDS {
            for found in self.dynamic(kind, None).list_metadata(&ours).await? {
                let name = found.metadata.name.unwrap_or_default();
                let held = found.metadata.finalizers.is_some_and(|finalizers| !finalizers.is_empty());
                self.take_off(kind, &name, held).await?;
            }
        }
        let (admin, ns) = (&self.admin, self.ns.as_str());
        self.secrets().delete_collection(&now, &all).await?;
        Api::<Deployment>::namespaced(admin.clone(), ns).delete_collection(&now, &all).await?;
        Api::<RoleBinding>::namespaced(admin.clone(), ns).delete_collection(&now, &all).await?;
        Api::<Role>::namespaced(admin.clone(), ns).delete_collection(&now, &all).await?;
        Api::<CoreEvent>::namespaced(admin.clone(), ns).delete_collection(&now, &all).await?;
        // Events about account and tenant.
        let about = ListParams::default().fields(&format!("involvedObject.name={}", self.name));
        Api::<CoreEvent>::namespaced(admin.clone(), "default").delete_collection(&now, &about).await?;
        Ok(())
    }

    /// Deletes an object whose finalizers nobody is left to see to.
    async fn take_off(&self, kind: &str, name: &str, held: bool) -> Result<(), kube::Error> {
        let api = self.of_kind(kind);
        if held {
            let patch = json!({"metadata": {"finalizers": null}});
            api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        }
        match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Flags of `ram-operator policy` for everything that this version does, and for what tests attach.
    pub fn every_feature(&self) -> Policy {
        Policy {
            account: self.ram.account_id(),
            user_name_prefix: String::new(),
            attach_system: vec!["*".to_owned()],
            attach_custom: vec!["shared-*".to_owned()],
            policies: true,
            console_login: true,
            import: true,
            virtual_mfa: true,
            groups: true,
            settings: true,
        }
    }

    /// Gives the operator's RAM user, and these roles, the rights of a document and no others.
    pub fn rights(&self, document: &Value, roles: &[String]) {
        let person = self.ram.person();
        person.create_custom_policy(OPERATOR, &document.to_string());
        person.attach(OPERATOR, "Custom", OPERATOR);
        for more in ["AliyunRAMFullAccess", "AliyunSTSAssumeRoleAccess"] {
            person.detach(OPERATOR, "System", more);
        }
        for role in roles {
            person.attach_to_role(role, "Custom", OPERATOR);
            person.detach_from_role(role, "System", "AliyunRAMFullAccess");
        }
    }

    /// The RAM account, without the policy that is the operator's own.
    pub fn in_ram(&self) -> Snapshot {
        let mut snapshot = self.ram.snapshot();
        snapshot.policies.remove(OPERATOR);
        snapshot
    }

    pub async fn namespace(&self, name: &str, labels: Value) {
        let namespace =
            serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).expect("a namespace");
        Api::<Namespace>::all(self.admin.clone()).create(&PostParams::default(), &namespace).await.expect("made");
    }

    pub fn label(&self) -> String {
        format!("ram-test={}", self.name)
    }

    /// Puts the operator's own pair into a Secret of its namespace.
    pub async fn credentials(&self, id: &str, secret: &str) {
        let body = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": self.name, "namespace": NAMESPACE},
            "stringData": {"ALIBABA_CLOUD_ACCESS_KEY_ID": id, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret},
        });
        let api: Api<Secret> = Api::namespaced(self.admin.clone(), NAMESPACE);
        api.patch(&self.name, &PatchParams::apply("test").force(), &Patch::Apply(body)).await.expect("applied");
    }

    /// The RamAccount of this corner; `more` is merged over the usual spec.
    pub async fn account(&self, more: Value) {
        let url = self.ram.url();
        let mut spec = json!({
            "credentials": {"source": "Secret", "secret": {"name": self.name}},
            "endpoints": {"ram": url, "ims": url, "sts": url, "metadata": url},
            "ownerId": "test",
            "quotaShare": 100,
        });
        merge(&mut spec, more);
        self.apply(json!({"kind": "RamAccount", "metadata": {"name": self.name}, "spec": spec})).await;
    }

    /// The RamTenant of this corner; `more` is merged over the usual spec.
    pub async fn tenant(&self, more: Value) {
        let mut spec = json!({
            "accountRef": {"name": self.name},
            "namespaceSelector": {"matchLabels": {"ram-test": self.name}},
        });
        merge(&mut spec, more);
        self.apply(json!({"kind": "RamTenant", "metadata": {"name": self.name}, "spec": spec})).await;
    }

    pub fn user_object(&self, name: &str, more: Value) -> Value {
        let mut spec = json!({
            "accountRef": {"name": self.name},
            "policies": [{"type": "System", "name": "AliyunOTSReadOnlyAccess"}],
        });
        merge(&mut spec, more);
        json!({"kind": "RamUser", "metadata": {"name": name, "namespace": self.ns}, "spec": spec})
    }

    pub fn key_object(&self, name: &str, user: &str, more: Value) -> Value {
        let mut spec = json!({"userRef": {"name": user}});
        merge(&mut spec, more);
        json!({"kind": "RamAccessKey", "metadata": {"name": name, "namespace": self.ns}, "spec": spec})
    }

    pub async fn user(&self, name: &str, more: Value) {
        self.apply(self.user_object(name, more)).await;
    }

    pub async fn key(&self, name: &str, user: &str, more: Value) {
        self.apply(self.key_object(name, user, more)).await;
    }

    /// Applies an object of ours, labelled for this corner.
    pub async fn apply(&self, object: Value) {
        self.try_apply(object).await.expect("applied");
    }

    pub async fn try_apply(&self, mut object: Value) -> Result<DynamicObject, kube::Error> {
        object["apiVersion"] = json!("ram-operator.dev/v1alpha1");
        object["metadata"]["labels"]["ram-test"] = json!(self.name);
        let kind = object["kind"].as_str().expect("a kind").to_owned();
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let namespace = object["metadata"]["namespace"].as_str().map(str::to_owned);
        let api = self.dynamic(&kind, namespace.as_deref());
        api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await
    }

    pub fn dynamic(&self, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = match kind {
            "RamAccount" => ApiResource::erase::<RamAccount>(&()),
            "RamTenant" => ApiResource::erase::<RamTenant>(&()),
            "RamUser" => ApiResource::erase::<RamUser>(&()),
            "RamPolicy" => ApiResource::erase::<RamPolicy>(&()),
            "RamGroup" => ApiResource::erase::<RamGroup>(&()),
            "RamAccessKey" => ApiResource::erase::<RamAccessKey>(&()),
            "RamRevocation" => ApiResource::erase::<RamRevocation>(&()),
            other => panic!("no kind of ours: {other}"),
        };
        match namespace {
            Some(namespace) => Api::namespaced_with(self.admin.clone(), namespace, &resource),
            None => Api::all_with(self.admin.clone(), &resource),
        }
    }

    pub fn users(&self) -> Api<RamUser> {
        Api::namespaced(self.admin.clone(), &self.ns)
    }

    pub fn keys(&self) -> Api<RamAccessKey> {
        Api::namespaced(self.admin.clone(), &self.ns)
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.admin.clone(), &self.ns)
    }

    pub fn flags(&self) -> Run {
        Run {
            namespace: NAMESPACE.to_owned(),
            allow_custom_endpoints: true,
            watch_label_selector: Some(self.label()),
            // Tests of hand-overs choose a short time; others see deletions through to their end.
            hand_over_after: Duration::from_hours(1),
            ..Run::default()
        }
    }

    /// An operator for this corner, with the rights of the chart.
    pub async fn operator(&self) -> Running {
        self.operator_with(self.flags(), Environment::default(), |config| Clients::new(&config).expect("clients")).await
    }

    pub async fn operator_with(
        &self,
        flags: Run,
        environment: Environment,
        clients: impl FnOnce(kube::Config) -> Clients,
    ) -> Running {
        let shared = shared().await;
        let config = shared.cluster.config_with_token(&shared.token);
        let clock = self.clock.clone();
        Running::start(|| clients(config), flags, environment, Clock::from_fn(move || clock.now()))
    }

    /// Waits until `Ready` of an object has this status and reason.
    pub async fn ready(&self, kind: &str, name: &str, status: &str, reason: &str) -> Value {
        let namespaced = !matches!(kind, "RamAccount" | "RamTenant" | "RamRevocation");
        let api = self.dynamic(kind, namespaced.then_some(self.ns.as_str()));
        let wanted = (status, reason);
        eventually(&format!("{kind} {name} to be Ready={status}/{reason}"), || async {
            let object = api.get_opt(name).await.ok().flatten().ok_or("not there")?;
            let ready = condition(&object.data, "Ready").ok_or("no Ready")?;
            let seen = (ready["status"].as_str().unwrap_or(""), ready["reason"].as_str().unwrap_or(""));
            let current = ready["observedGeneration"].as_i64() == object.metadata.generation;
            if seen == wanted && current { Ok(object.data.clone()) } else { Err(format!("{ready}")) }
        })
        .await
    }

    pub async fn available(&self, kind: &str, name: &str) -> Value {
        self.ready(kind, name, "True", "Available").await
    }

    /// Waits until an object is gone.
    pub async fn gone(&self, kind: &str, name: &str) {
        let namespaced = !matches!(kind, "RamAccount" | "RamTenant" | "RamRevocation");
        let api = self.dynamic(kind, namespaced.then_some(self.ns.as_str()));
        eventually(&format!("{kind} {name} to be gone"), || async {
            match api.get_opt(name).await {
                Ok(None) => Ok(()),
                Ok(Some(object)) => Err(format!("{}", object.data["status"]["conditions"])),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
    }

    pub async fn delete(&self, kind: &str, name: &str) {
        let namespaced = !matches!(kind, "RamAccount" | "RamTenant" | "RamRevocation");
        let api = self.dynamic(kind, namespaced.then_some(self.ns.as_str()));
        api.delete(name, &DeleteParams::default()).await.expect("deletion asked for");
    }

    /// Asks for a pass by annotation and waits until it came to rest.
    pub async fn reconcile(&self, kind: &str, name: &str) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let value = format!("r{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.annotate(kind, name, annotation::RECONCILE, &value).await;
        let namespaced = !matches!(kind, "RamAccount" | "RamTenant" | "RamRevocation");
        let api = self.dynamic(kind, namespaced.then_some(self.ns.as_str()));
        eventually(&format!("{kind} {name} to have done request {value}"), || async {
            let object = api.get_opt(name).await.map_err(|e| e.to_string())?.ok_or("gone")?;
            let done = &object.data["status"]["requests"]["reconcile"]["done"];
            if done == &json!(value) { Ok(()) } else { Err(object.data["status"].to_string()) }
        })
        .await;
    }

    /// Asks for a pass by annotation, without waiting; an object that is gone needs none.
    pub async fn poke(&self, kind: &str, name: &str) {
        let value = uuid::Uuid::new_v4().to_string();
        let patch = json!({"metadata": {"annotations": {annotation::RECONCILE: value}}});
        let _ = self.of_kind(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
    }

    /// The API of a kind, in this corner's namespace if it has one.
    fn of_kind(&self, kind: &str) -> Api<DynamicObject> {
        let namespaced = !matches!(kind, "RamAccount" | "RamTenant" | "RamRevocation");
        self.dynamic(kind, namespaced.then_some(self.ns.as_str()))
    }

    pub async fn annotate(&self, kind: &str, name: &str, key: &str, value: &str) {
        let api = self.of_kind(kind);
        let patch = json!({"metadata": {"annotations": {key: value}}});
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("annotated");
    }

    /// The published pair of a key.
    pub async fn pair(&self, secret: &str) -> (String, String) {
        let secret = self.secrets().get(secret).await.expect("a Secret");
        let text = |key: &str| String::from_utf8(secret.data.as_ref().expect("data")[key].0.clone()).expect("text");
        (text("ALIBABA_CLOUD_ACCESS_KEY_ID"), text("ALIBABA_CLOUD_ACCESS_KEY_SECRET"))
    }

    /// The emulator's writes since the last call.
    pub fn writes(&self) -> Vec<String> {
        let writes = self.ram.writes();
        self.ram.clear_journal();
        writes
    }

    /// Ids and states of the keys that RAM has for a user.
    pub fn keys_in_ram(&self, user: &str) -> BTreeMap<String, bool> {
        let snapshot = self.ram.snapshot();
        snapshot.users.get(user).map(|u| u.keys.iter().map(|k| (k.id.clone(), k.active)).collect()).unwrap_or_default()
    }

    pub fn ram_name(&self, user: &str) -> String {
        format!("{}.{user}", self.ns)
    }

    /// The last word of every test: no secret anywhere but in Secrets.
    pub async fn examine(&self, operator: Option<&Running>) {
        let secrets = self.ram.secrets();
        oracle::examine_log(&self.logged, &secrets);
        for kind in KINDS {
            let list =
                self.dynamic(kind, None).list(&ListParams::default().labels(&self.label())).await.expect("a list");
            for object in list {
                oracle::examine(kind, &serde_json::to_string(&object).expect("JSON"), &secrets);
            }
        }
        self.examine_namespaces(&secrets).await;
        for call in self.ram.journal() {
            oracle::examine("a call's parameters", &format!("{:?}", call.params), &secrets);
        }
        if let Some(operator) = operator {
            let text = reqwest::get(format!("http://{}/metrics", operator.address))
                .await
                .expect("an answer")
                .text()
                .await
                .expect("text");
            oracle::examine("the metrics", &text, &secrets);
        }
    }

    /// Looks through what the operator writes beside its own kinds: events, Leases, workloads that it restarts, the metadata of Secrets.
    async fn examine_namespaces(&self, secrets: &[String]) {
        let (events, leases) = (ApiResource::erase::<Event>(&()), ApiResource::erase::<Lease>(&()));
        let more = [
            ApiResource::erase::<ConfigMap>(&()),
            ApiResource::erase::<Deployment>(&()),
            ApiResource::erase::<StatefulSet>(&()),
            ApiResource::erase::<DaemonSet>(&()),
        ];
        let namespaces = self.namespaces().await;
        // What has no namespace has its events in `default`.
        let mut places = vec![("default", &events), (NAMESPACE, &events), (NAMESPACE, &leases), (NAMESPACE, &more[0])];
        for namespace in &namespaces {
            places.extend([&events, &leases].into_iter().chain(&more).map(|kind| (namespace.as_str(), kind)));
        }
        join_all(places.into_iter().map(|(namespace, kind)| async move {
            let api: Api<DynamicObject> = Api::namespaced_with(self.admin.clone(), namespace, kind);
            for object in api.list(&ListParams::default()).await.expect("a list") {
                oracle::examine(&kind.kind, &serde_json::to_string(&object).expect("JSON"), secrets);
            }
        }))
        .await;
        for namespace in &namespaces {
            let api: Api<Secret> = Api::namespaced(self.admin.clone(), namespace);
            for secret in api.list_metadata(&ListParams::default()).await.expect("a list") {
                let text = serde_json::to_string(&secret.metadata).expect("JSON");
                oracle::examine("a Secret's metadata", &text, secrets);
            }
        }
    }

    /// The namespaces of this corner: its first, and those that a test made beside it.
    async fn namespaces(&self) -> Vec<String> {
        let all =
            Api::<Namespace>::all(self.admin.clone()).list_metadata(&ListParams::default()).await.expect("a list");
        let beside = format!("{}-", self.ns);
        let names = all.iter().filter(|namespace| {
            let name = namespace.name_any();
            name == self.ns || name.starts_with(&beside) || namespace.labels().get("ram-test") == Some(&self.name)
        });
        names.map(ResourceExt::name_any).collect()
    }

    pub async fn events(&self, object: &str) -> Vec<String> {
        let events =
            Api::<Event>::namespaced(self.admin.clone(), &self.ns).list(&ListParams::default()).await.expect("a list");
        let of = |event: &Event| event.regarding.as_ref().and_then(|r| r.name.clone()).as_deref() == Some(object);
        events.iter().filter(|e| of(e)).filter_map(|e| e.reason.clone()).collect()
    }

    /// Everything of ours in the cluster, by name and resourceVersion: equal twice means nobody wrote.
    pub async fn versions(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for kind in KINDS {
            let list =
                self.dynamic(kind, None).list(&ListParams::default().labels(&self.label())).await.expect("a list");
            for object in list {
                all.insert(format!("{kind}/{}", object.name_any()), object.resource_version().unwrap_or_default());
            }
        }
        for secret in self.secrets().list(&ListParams::default()).await.expect("a list") {
            all.insert(format!("Secret/{}", secret.name_any()), secret.resource_version().unwrap_or_default());
        }
        all
    }
}

/// A condition of an object's status.
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

/// Waits until `attempt` succeeds; fails with its last word after the deadline.
pub async fn eventually<T, E: ToString, F: Future<Output = Result<T, E>>>(what: &str, attempt: impl FnMut() -> F) -> T {
    eventually_within(DEADLINE, what, attempt).await
}

/// As [`eventually`], with a deadline of its own.
pub async fn eventually_within<T, E: ToString, F: Future<Output = Result<T, E>>>(
    limit: Duration,
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> T {
    let end = Instant::now() + limit;
    // Many tests wait at a time; asking ever more seldom leaves the machine to what they wait for.
    let mut pause = Duration::from_millis(30);
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(why) if Instant::now() > end => panic!("waited in vain for {what}: {}", why.to_string()),
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 5 / 4).min(Duration::from_millis(300));
    }
}

/// Merges `more` over `base`, as a JSON merge patch does.
pub fn merge(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                if value.is_null() {
                    base.remove(&key);
                } else {
                    merge(base.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (base, more) => *base = more,
    }
}
