//! A real Kubernetes control plane on this machine, without containers: etcd, kube-apiserver and
//! kube-controller-manager, started for one run and gone after it, however the run ends.
//!
//! ```text
//! binaries(&say) -> Cluster::start(&binaries, &say) -> config, kubectl, helm -> dropped: all three stop, their folder goes
//! ```
//!
//! There is no kubelet and no scheduler: pods are created and stay `Pending`. Everything an operator meets is real:
//! CRDs with CEL, RBAC, admission, server-side apply, watches, garbage collection, namespace deletion, tokens.

#![allow(dead_code, reason = "the tests and the playground each use their own part of this module")]

mod access;
mod binaries;
mod error;
mod process;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kube::config::AuthInfo;
use tempfile::TempDir;

use self::access::Access;
pub use self::binaries::{Binaries, binaries};
pub use self::error::Error;
use self::process::Process;

/// Where to say what takes long; [`say`] is the usual one.
pub type Progress<'a> = &'a (dyn Fn(&str) + Sync);

/// How often the cluster is started anew when somebody else took one of its ports between choice and use.
const ATTEMPTS: u32 = 5;

/// How often a start looks whether the servers answer.
const POLL: Duration = Duration::from_millis(100);

/// What an operator and its chart need of kube-controller-manager, and nothing that needs nodes.
const CONTROLLERS: [&str; 8] = [
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "deployment-controller",
    "replicaset-controller",
    "clusterrole-aggregation-controller",
];

/// Writes a line to this process's standard error at once. (The test harness keeps what `eprintln!` writes to itself.)
pub fn say(line: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// A running control plane. Dropping it stops the programs and waits until they have ended.
///
/// It holds no client and is bound to no runtime: each test makes a client of its own from a config.
pub struct Cluster {
    /// In the order in which they stop: each is gone before what it talks to.
    _processes: [Process; 3],
    config: kube::Config,
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    helm: PathBuf,
    /// Home of kubectl and helm: caches, temporary files.
    home: PathBuf,
    /// Dropped last: removes what the programs' own folders leave.
    _root: TempDir,
}

impl Cluster {
    /// Starts the three programs on free loopback ports and waits until they answer, usually for 3 to 8 seconds.
    pub async fn start(binaries: &Binaries, progress: Progress<'_>) -> Result<Self, Error> {
        let mut attempt = 1;
        loop {
            match Self::start_once(binaries).await {
                Err(Error::Ended { log, .. }) if attempt < ATTEMPTS && log.contains("address already in use") => {
                    progress("a port of the control plane was taken meanwhile: starting it again on others");
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn start_once(binaries: &Binaries) -> Result<Self, Error> {
        // kube needs a TLS provider; an error only says that this process has one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let began = Instant::now();
        let root = tempfile::Builder::new()
            .prefix("ram-operator-cluster-")
            .tempdir()
            .map_err(Error::io("cannot make a folder for the control plane in", &std::env::temp_dir()))?;
        let [clients, peers, secure] = free_ports()?;
        let access = Access::write(root.path(), secure)?;

        let etcd = start_etcd(binaries, root.path(), clients, peers)?;
        let apiserver = start_apiserver(binaries, &access, clients)?;
        let certificate = access.certificate(|| still_starting(began, &[&apiserver, &etcd])).await?;
        let config = access.admit(&certificate).await?;
        let mut trial = config.clone();
        trial.default_retry = false;
        let client = kube::Client::try_from(trial).map_err(Error::client)?;
        answers(&client, "/readyz", began, &[&apiserver, &etcd]).await?;

        let controllers = start_controllers(binaries, root.path(), &access)?;
        // Made by a controller: once it is there, controllers run.
        let account = "/api/v1/namespaces/default/serviceaccounts/default";
        answers(&client, account, began, &[&controllers, &apiserver, &etcd]).await?;

        Ok(Self {
            _processes: [controllers, apiserver, etcd],
            config,
            kubeconfig: access.kubeconfig(),
            kubectl: binaries.kubectl.clone(),
            helm: binaries.helm.clone(),
            home: access.home,
            _root: root,
        })
    }

    /// How to reach the cluster as its administrator (`system:masters`).
    #[must_use]
    pub fn admin_config(&self) -> kube::Config {
        self.config.clone()
    }

    /// How to reach the cluster with this bearer token and its rights only.
    #[must_use]
    pub fn config_with_token(&self, token: &str) -> kube::Config {
        let mut config = self.config.clone();
        config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        config
    }

    /// The administrator's kubeconfig file.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// kubectl as the administrator. Nothing of the person's own configuration reaches it.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        self.client(&self.kubectl)
    }

    /// helm as the administrator, with caches and repositories of its own.
    #[must_use]
    pub fn helm(&self) -> Command {
        let mut helm = self.client(&self.helm);
        for (name, folder) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        {
            helm.env(name, self.home.join("helm").join(folder));
        }
        helm
    }

    fn client(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("KUBECONFIG", &self.kubeconfig).env("HOME", &self.home).env("TMPDIR", &self.home);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// Applies YAML documents as the administrator, server-side, as field manager `kubectl`.
    pub fn apply_yaml(&self, text: &str) -> Result<(), Error> {
        let failed = |source| Error::Io { doing: "cannot run kubectl".to_owned(), source };
        let mut kubectl = self
            .kubectl()
            .args(["apply", "--server-side", "--filename=-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        // A kubectl that ends early says why on its standard error, which tells more than the broken pipe.
        let written = kubectl.stdin.take().map_or(Ok(()), |mut input| input.write_all(text.as_bytes()));
        let output = kubectl.wait_with_output().map_err(failed)?;
        if !output.status.success() {
            return Err(Error::Apply(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        written.map_err(failed)
    }

    /// Stops the cluster now rather than at the end of its scope.
    pub fn stop(self) {
        drop(self);
    }
}

fn start_etcd(binaries: &Binaries, root: &Path, clients: u16, peers: u16) -> Result<Process, Error> {
    let folder = root.join("etcd");
    let clients = format!("http://127.0.0.1:{clients}");
    let peers = format!("http://127.0.0.1:{peers}");
    let mut etcd = Command::new(&binaries.etcd);
    etcd.arg("--name=test")
        .arg(flag("--data-dir", &folder.join("data")))
        .arg(format!("--listen-client-urls={clients}"))
        .arg(format!("--advertise-client-urls={clients}"))
        .arg(format!("--listen-peer-urls={peers}"))
        .arg(format!("--initial-advertise-peer-urls={peers}"))
        .arg(format!("--initial-cluster=test={peers}"))
        // Nothing outlives the run, so nothing has to survive a power cut.
        .args(["--unsafe-no-fsync", "--log-level=warn"]);
    Process::start("etcd", &folder, &etcd)
}

fn start_apiserver(binaries: &Binaries, access: &Access, etcd: u16) -> Result<Process, Error> {
    let mut apiserver = Command::new(&binaries.kube_apiserver);
    apiserver
        .arg(format!("--etcd-servers=http://127.0.0.1:{etcd}"))
        .arg(format!("--secure-port={}", access.port))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        // A loopback address is no valid endpoint of the `kubernetes` service, and nobody uses that service here.
        .args(["--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24"])
        .arg(flag("--cert-dir", &access.certificates()))
        .arg(flag("--token-auth-file", &access.tokens()))
        .arg("--authorization-mode=RBAC")
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .arg(flag("--service-account-key-file", &access.service_account_key()))
        .arg(flag("--service-account-signing-key-file", &access.service_account_key()))
        // Many tests at once share one server.
        .args(["--max-requests-inflight=800", "--max-mutating-requests-inflight=400"]);
    Process::start("kube-apiserver", &access.folder, &apiserver)
}

fn start_controllers(binaries: &Binaries, root: &Path, access: &Access) -> Result<Process, Error> {
    let mut controllers = Command::new(&binaries.kube_controller_manager);
    controllers
        .arg(flag("--kubeconfig", &access.kubeconfig()))
        .arg(format!("--controllers={}", CONTROLLERS.join(",")))
        .arg(flag("--service-account-private-key-file", &access.service_account_key()))
        .args(["--leader-elect=false", "--secure-port=0"])
        // The usual 20 a second would make the namespaces of parallel tests wait for each other.
        .args(["--kube-api-qps=300", "--kube-api-burst=600"]);
    Process::start("kube-controller-manager", &root.join("kube-controller-manager"), &controllers)
}

/// Waits until an authorised GET of `path` succeeds.
async fn answers(client: &kube::Client, path: &str, began: Instant, processes: &[&Process]) -> Result<(), Error> {
    loop {
        let request = http::Request::get(path).body(Vec::new()).map_err(Error::client)?;
        let reply = tokio::time::timeout(Duration::from_secs(5), client.request_text(request)).await;
        if matches!(reply, Ok(Ok(_))) {
            return Ok(());
        }
        still_starting(began, processes)?;
        tokio::time::sleep(POLL).await;
    }
}

fn still_starting(began: Instant, processes: &[&Process]) -> Result<(), Error> {
    processes.iter().try_for_each(|process| process.still_starting(began))
}

/// `--name=path`, whatever bytes the path has.
fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push("=");
    flag.push(path);
    flag
}

/// Loopback ports that are free now; all are held until the last is known, so they differ.
fn free_ports<const N: usize>() -> Result<[u16; N], Error> {
    let failed = |source| Error::Io { doing: "cannot find a free port on 127.0.0.1".to_owned(), source };
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        *port = listener.local_addr().map_err(failed)?.port();
        held.push(listener);
    }
    Ok(ports)
}
