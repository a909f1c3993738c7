//! `/healthz`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Whether the operator is ready, why not if it is not, and whether it stands by for another replica. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Standing>);

#[derive(Debug)]
struct Standing {
    answer: RwLock<Result<(), String>>,
    standby: AtomicBool,
}

impl Default for Standing {
    fn default() -> Self {
        Self { answer: RwLock::new(Err("starting".to_owned())), standby: AtomicBool::new(false) }
    }
}

impl Readiness {
    /// Replaces the answer.
    pub fn set(&self, answer: Result<(), String>) {
        *self.0.answer.write().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// The answer now.
    pub fn get(&self) -> Result<(), String> {
        self.0.answer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether another replica works. A standby is as ready as that one: it lacks nothing.
    pub fn set_standby(&self, standby: bool) {
        self.0.standby.store(standby, Ordering::Relaxed);
    }

    fn word(&self) -> &'static str {
        if self.0.standby.load(Ordering::Relaxed) { "standby\n" } else { "ok\n" }
    }
}

#[derive(Clone)]
struct Shared {
    readiness: Readiness,
    metrics: Metrics,
}

/// Listens on `address`.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers until `stop`.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: Metrics,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(text))
        .with_state(Shared { readiness, metrics });
    axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn readyz(State(shared): State<Shared>) -> impl IntoResponse {
    match shared.readiness.get() {
        Ok(()) => (StatusCode::OK, shared.readiness.word().to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

async fn text(State(shared): State<Shared>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], shared.metrics.text())
}
