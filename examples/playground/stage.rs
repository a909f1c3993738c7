//! Where the playground plays: a control plane of its own with the chart installed, or a cluster that is named.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use ram_operator::api::{self, RamAccount};
use ram_operator::clock::Clock;
use ram_operator::config::Run;
use ram_operator::controller::Environment;
use ram_operator::run::Clients;
use serde_json::{Value, json};

use crate::Outcome;
use crate::follow::{kinds, label};
use crate::support::cluster::{self, Cluster};
use crate::support::operator::{self, NAMESPACE, Running};
use crate::voice::Voice;

/// How long a CRD may take from its installation until it is served.
const SERVED: Duration = Duration::from_secs(30);

/// A cluster that is ready for the operator.
pub struct Stage {
    /// With all rights.
    pub client: Client,
    /// How the operator reaches it.
    config: kube::Config,
    place: Place,
}

enum Place {
    Own(Box<Cluster>),
    Given { file: PathBuf, context: Option<String> },
}

impl Stage {
    /// Starts a control plane and installs the chart.
    pub async fn own(voice: Voice) -> Outcome<Self> {
        let binaries = tokio::task::spawn_blocking(|| cluster::binaries(&cluster::say)).await??;
        voice.tell("starting a control plane: etcd, kube-apiserver, kube-controller-manager");
        let own = Cluster::start(&binaries, &cluster::say).await?;
        voice.tell("installing the chart with helm; its pod stays Pending, since there are no nodes here");
        let values = "allowCustomEndpoints=true,restartTargets.enabled=true";
        let installed = operator::install_chart(&own, &["--set", values])?;
        if !installed.status.success() {
            let why = String::from_utf8_lossy(&installed.stderr);
            return Err(format!("helm could not install charts/ram-operator: {}", why.trim()).into());
        }
        let client = Client::try_from(own.admin_config())?;
        let config = own.config_with_token(&operator::token(&client).await?);
        Ok(Self { client, config, place: Place::Own(Box::new(own)) })
    }

    /// Takes the cluster of a kubeconfig and installs the CRDs.
    pub async fn given(file: &Path, context: Option<&str>, voice: Voice) -> Outcome<Self> {
        let failed = |error: &dyn std::fmt::Display| format!("--kubeconfig {}: {error}", file.display());
        let kubeconfig = Kubeconfig::read_from(file).map_err(|error| failed(&error))?;
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let config =
            kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(&error))?;
        let client = Client::try_from(config.clone())?;
        voice.tell(&format!("using the cluster {}", config.cluster_url));
        let place = Place::Given { file: file.to_owned(), context: context.map(str::to_owned) };
        let stage = Self { client, config, place };
        stage.nobody_else().await?;
        stage.install_crds(voice).await?;
        Ok(stage)
    }

    /// Whether the cluster goes when the playground ends.
    pub fn is_own(&self) -> bool {
        matches!(self.place, Place::Own(_))
    }

    /// The operator, in this process. In a cluster of our own it has the rights of the chart's ServiceAccount.
    pub fn operator(&self) -> Running {
        let flags = Run { namespace: NAMESPACE.to_owned(), allow_custom_endpoints: true, ..Run::default() };
        let clients = || Clients::new(&self.config).expect("a configuration that was used before");
        Running::start(clients, flags, Environment::default(), Clock::system())
    }

    /// kubectl for this cluster.
    pub fn kubectl(&self) -> Command {
        match &self.place {
            Place::Own(own) => own.kubectl(),
            Place::Given { file, context } => {
                let mut kubectl = Command::new("kubectl");
                kubectl.arg("--kubeconfig").arg(file);
                if let Some(context) = context {
                    kubectl.arg("--context").arg(context);
                }
                kubectl
            }
        }
    }

    /// What a shell needs to reach this cluster.
    pub fn exports(&self) -> String {
        match &self.place {
            Place::Own(own) => {
                let kubectl = own.kubectl();
                let folder = Path::new(kubectl.get_program()).parent().map(Path::to_owned).unwrap_or_default();
                format!("export KUBECONFIG={}\nexport PATH={}:$PATH", own.kubeconfig().display(), folder.display())
            }
            Place::Given { file, context } => {
                let context = context.as_ref().map(|name| format!("\n# and kubectl --context {name} below"));
                format!("export KUBECONFIG={}{}", file.display(), context.unwrap_or_default())
            }
        }
    }

    /// The operator's own pair, as an administrator would store it.
    pub async fn credentials(&self, name: &str, pair: &(String, String)) -> Outcome<()> {
        let (id, secret) = pair;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        let body = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "stringData": {"ALIBABA_CLOUD_ACCESS_KEY_ID": id, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret},
        });
        let how = how();
        let made = Api::<Namespace>::all(self.client.clone()).patch(NAMESPACE, &how, &Patch::Apply(namespace)).await;
        made.map_err(|error| format!("cannot make the namespace {NAMESPACE}: {error}"))?;
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), NAMESPACE);
        let stored = secrets.patch(name, &how, &Patch::Apply(body)).await;
        stored.map_err(|error| format!("cannot store the Secret {NAMESPACE}/{name}: {error}"))?;
        Ok(())
    }

    /// Server-side apply; waits for a CRD that was installed just now.
    pub async fn apply(&self, object: &Value) -> Outcome<()> {
        let (api, name) = self.find(object)?;
        let end = Instant::now() + SERVED;
        loop {
            match api.patch(&name, &how(), &Patch::Apply(object)).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.is_not_found() && Instant::now() < end => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) => return Err(format!("cannot apply {}: {error}", named(object)).into()),
            }
        }
    }

    /// Asks for the deletion of an object; one that is not there is done.
    pub async fn delete(&self, object: &Value) -> Outcome<()> {
        let (api, name) = self.find(object)?;
        match api.delete(&name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(format!("cannot delete {}: {error}", named(object)).into()),
        }
    }

    fn find(&self, object: &Value) -> Outcome<(Api<DynamicObject>, String)> {
        let [kind, name] = ["/kind", "/metadata/name"].map(|path| text(object, path).unwrap_or_default());
        let known = kinds().into_iter().chain([ApiResource::erase::<Namespace>(&())]);
        let resource = known.into_iter().find(|resource| resource.kind == kind);
        let resource = resource.ok_or_else(|| format!("an example holds an unknown kind: {kind}"))?;
        let api = match text(object, "/metadata/namespace") {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        Ok((api, name.to_owned()))
    }

    /// Two operators on one cluster would take each other's objects.
    async fn nobody_else(&self) -> Outcome<()> {
        match Api::<RamAccount>::all(self.client.clone()).list_metadata(&ListParams::default().limit(1)).await {
            Ok(list) if list.items.is_empty() => Ok(()),
            Ok(_) => Err("this cluster has RamAccounts already. Use another one, or delete them first".into()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => {
                Err(format!("the cluster does not answer: {error}. Check the kubeconfig and its context").into())
            }
        }
    }

    async fn install_crds(&self, voice: Voice) -> Outcome<()> {
        voice.tell("installing the CRDs");
        let stored: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for crd in api::crds()? {
            let name = text(&crd, "/metadata/name").unwrap_or_default();
            let applied = stored.patch(name, &how(), &Patch::Apply(&crd)).await;
            applied.map_err(|error| {
                format!("cannot install the CRD {name}: {error}. The kubeconfig needs the rights of an administrator")
            })?;
        }
        Ok(())
    }
}

/// Our name as field manager; what an earlier run left is taken over.
fn how() -> PatchParams {
    PatchParams::apply("playground").force()
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

/// `RamUser default/reader`, of an object as JSON.
pub fn named(object: &Value) -> String {
    let kind = text(object, "/kind").unwrap_or_default();
    label(kind, text(object, "/metadata/namespace"), text(object, "/metadata/name").unwrap_or_default())
}
