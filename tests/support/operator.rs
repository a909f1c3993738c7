//! The product as it runs in a cluster: installed by its chart, with the rights of the chart's ServiceAccount.

#![allow(dead_code, reason = "the tests and the playground each use their own part of this module")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::{Api, PostParams};
use ram_operator::clock::Clock;
use ram_operator::config::Run;
use ram_operator::controller::Environment;
use ram_operator::run::{Clients, Operator};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;

/// The operator's namespace, and the name of its release and ServiceAccount.
pub const NAMESPACE: &str = "ram-operator";

/// Installs the chart with `helm install` and further `arguments`.
pub fn install_chart(cluster: &Cluster, arguments: &[&str]) -> std::io::Result<Output> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/ram-operator");
    cluster
        .helm()
        .args(["upgrade", "--install", "ram-operator"])
        .arg(chart)
        .args(["--namespace", NAMESPACE, "--create-namespace"])
        .args(arguments)
        .output()
}

/// A token of the chart's ServiceAccount, good for a day.
pub async fn token(admin: &Client) -> Result<String, kube::Error> {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), NAMESPACE);
    let request = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(86_400), ..TokenRequestSpec::default() },
        ..TokenRequest::default()
    };
    let answer = accounts.create_token_request("ram-operator", &PostParams::default(), &request).await?;
    Ok(answer.status.map(|status| status.token).unwrap_or_default())
}

/// A running operator, on threads of its own: it can be stopped as by SIGTERM, or killed as by SIGKILL.
pub struct Running {
    runtime: Option<Runtime>,
    stop: CancellationToken,
    ended: Option<tokio::task::JoinHandle<Result<(), ram_operator::run::Error>>>,
    /// Where `/healthz`, `/readyz` and `/metrics` are.
    pub address: SocketAddr,
}

impl Running {
    /// Starts the product's own code path.
    pub fn start(clients: impl FnOnce() -> Clients, flags: Run, environment: Environment, clock: Clock) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let stop = CancellationToken::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let address = listener.local_addr().expect("an address");
        let entered = runtime.enter();
        let listener = TcpListener::from_std(listener).expect("a listener");
        let operator = Operator::new(clients(), flags, environment, clock);
        let ended = runtime.spawn(operator.run(listener, stop.clone()));
        drop(entered);
        Self { runtime: Some(runtime), stop, ended: Some(ended), address }
    }

    /// As SIGTERM: running passes end first.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(ended) = self.ended.take() {
            ended.await.expect("the operator does not panic").expect("the operator ends well");
        }
    }

    /// As SIGKILL: nothing that runs gets any further.
    pub fn kill(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shut_down();
    }
}
