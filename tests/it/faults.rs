//! Trouble on the wire: one counter over all requests of an operator, to RAM and to the API server alike.
//!
//! At a chosen request the process dies, and nothing of it gets any further; or the request alone is struck, and the process goes on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use kube::client::{Body, ClientBuilder, DynBody};
use ram_operator::run::Clients;
use serde_json::json;
use tokio::sync::{Notify, Semaphore};
use tower::{BoxError, Layer, Service};

use crate::support::ram::{Hook, Outcome, Phase};

/// What happens at the chosen request, counted over all requests of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The process dies before the request has any effect.
    Before,
    /// The process dies after its effect, before its reply.
    After,
    /// The process lives, and this happens to the request.
    Struck(Trouble),
}

/// What can happen to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// RAM: `Throttling.User`; API server: 429. No effect.
    Throttled,
    /// 500. No effect.
    Broken,
    /// 503. No effect.
    Down,
    /// The connection is cut before the effect.
    Cut,
    /// The connection is cut after the effect: the reply is lost.
    Lost,
    /// API server: 409 for a write, without effect; RAM: as `Down`.
    Conflict,
    /// No answer for longer than anybody waits. No effect.
    Silent,
}

impl Trouble {
    /// All but the one that takes long.
    pub const QUICK: [Self; 6] = [Self::Throttled, Self::Broken, Self::Down, Self::Cut, Self::Lost, Self::Conflict];
}

/// Longer than any timeout of the operator.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(25);

/// Counts the requests of one operator and strikes at the chosen one.
pub struct Director {
    /// Requests to the API server count if they are about this namespace, or about what is left of it.
    namespace: String,
    at: usize,
    moment: Moment,
    count: AtomicUsize,
    armed: AtomicBool,
    reached: AtomicBool,
    wake: Notify,
}

impl Director {
    pub fn new(namespace: &str, at: usize, moment: Moment) -> Arc<Self> {
        Arc::new(Self {
            namespace: format!("/namespaces/{namespace}/"),
            at,
            moment,
            count: AtomicUsize::new(0),
            armed: AtomicBool::new(true),
            reached: AtomicBool::new(false),
            wake: Notify::new(),
        })
    }

    /// Numbers a request; `true` if it is the chosen one. A read has no effect, so that dying after it is the same as dying before it,
    /// which is tried too: after the effect only writes are numbered.
    fn number(&self, writes: bool) -> bool {
        let counts = writes || self.moment != Moment::After;
        let armed = self.armed.load(Ordering::SeqCst);
        let chosen = armed && counts && self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.at;
        if chosen {
            self.reached.store(true, Ordering::SeqCst);
        }
        chosen
    }

    fn dead(&self) -> bool {
        matches!(self.moment, Moment::Before | Moment::After) && self.reached()
    }

    pub fn reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    /// From now on requests go through: the dead operator is gone, or the scenario is over.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    /// Waits until the chosen request came.
    pub async fn died(&self) {
        loop {
            let woken = self.wake.notified();
            if self.reached() {
                return;
            }
            woken.await;
        }
    }

    /// For the emulator: the same counter.
    pub fn hook(self: &Arc<Self>) -> Hook {
        let director = Arc::clone(self);
        // A call is asked about twice; this remembers which one was chosen.
        let chosen = Arc::new(AtomicUsize::new(0));
        Arc::new(move |call, phase| {
            let (director, chosen) = (Arc::clone(&director), Arc::clone(&chosen));
            Box::pin(async move {
                if !director.armed.load(Ordering::SeqCst) {
                    return Outcome::Go;
                }
                let seq = usize::try_from(call.seq).expect("a small number");
                if phase == Phase::After {
                    if director.dead() {
                        std::future::pending::<()>().await;
                    }
                    let lost = director.moment == Moment::Struck(Trouble::Lost);
                    return if lost && chosen.load(Ordering::SeqCst) == seq { Outcome::Cut } else { Outcome::Go };
                }
                if director.dead() {
                    std::future::pending::<()>().await;
                }
                let writes = !call.action.starts_with("Get") && !call.action.starts_with("List");
                if !director.number(writes) {
                    return Outcome::Go;
                }
                chosen.store(seq, Ordering::SeqCst);
                director.wake.notify_waiters();
                director.strike_ram().await
            })
        })
    }

    async fn strike_ram(&self) -> Outcome {
        let reply = |status, code: &str| Outcome::Reply { status, code: code.to_owned() };
        match self.moment {
            // The effect never comes about: this call hangs for good.
            Moment::Before => std::future::pending().await,
            Moment::After | Moment::Struck(Trouble::Lost) => Outcome::Go,
            Moment::Struck(Trouble::Throttled) => reply(400, "Throttling.User"),
            Moment::Struck(Trouble::Broken) => reply(500, "InternalError"),
            Moment::Struck(Trouble::Down | Trouble::Conflict) => reply(503, "ServiceUnavailable"),
            Moment::Struck(Trouble::Cut) => Outcome::Cut,
            Moment::Struck(Trouble::Silent) => {
                tokio::time::sleep(SILENCE).await;
                Outcome::Cut
            }
        }
    }

    /// Clients whose calls are counted; watches are not, they change nothing.
    pub fn clients(self: &Arc<Self>, config: &kube::Config) -> Clients {
        let plain = Clients::new(config).expect("clients");
        let mut calls = config.clone();
        calls.default_retry = false;
        calls.read_timeout = Some(std::time::Duration::from_secs(10));
        let layer = Counting(Arc::clone(self));
        let calls = ClientBuilder::try_from(calls).expect("a client").with_layer(&layer).build();
        Clients { calls, watches: plain.watches }
    }

    /// Counted is what is about users, keys, Secrets and revocations; accounts, tenants, rights and events are not part of a mint.
    fn counts(&self, request: &Request<Body>) -> bool {
        let path = request.uri().path();
        let about = path.contains(&self.namespace) || path.contains("/ramrevocations");
        about && !path.contains("events.k8s.io")
    }
}

#[derive(Clone)]
struct Counting(Arc<Director>);

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;
    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, director: Arc::clone(&self.0) }
    }
}

#[derive(Clone)]
struct Counted<S> {
    inner: S,
    director: Arc<Director>,
}

type Reply = Result<Response<Box<DynBody>>, BoxError>;

impl<S> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Box<DynBody>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let director = Arc::clone(&self.director);
        let writes = request.method() != Method::GET;
        if director.dead() {
            return Box::pin(std::future::pending());
        }
        let chosen = director.counts(&request) && director.number(writes);
        if !chosen {
            let effect = self.inner.call(request);
            return Box::pin(async move {
                let reply = effect.await;
                if director.dead() {
                    std::future::pending::<()>().await;
                }
                reply
            });
        }
        director.wake.notify_waiters();
        match director.moment {
            Moment::Before => Box::pin(std::future::pending()),
            Moment::After => {
                let effect = self.inner.call(request);
                Box::pin(async move {
                    let _ = effect.await;
                    std::future::pending().await
                })
            }
            Moment::Struck(Trouble::Lost) => {
                let effect = self.inner.call(request);
                Box::pin(async move {
                    let _ = effect.await;
                    Err("the connection was lost".into())
                })
            }
            Moment::Struck(Trouble::Conflict) if !writes => Box::pin(self.inner.call(request)),
            Moment::Struck(trouble) => Box::pin(instead(trouble)),
        }
    }
}

/// What the client gets instead of an effect.
async fn instead(trouble: Trouble) -> Reply {
    let (code, reason) = match trouble {
        Trouble::Throttled => (429, "TooManyRequests"),
        Trouble::Broken => (500, "InternalError"),
        Trouble::Conflict => (409, "Conflict"),
        Trouble::Cut => return Err("the connection was cut".into()),
        Trouble::Silent => {
            tokio::time::sleep(SILENCE).await;
            return Err("no answer".into());
        }
        Trouble::Down | Trouble::Lost => (503, "ServiceUnavailable"),
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "struck", "reason": reason, "code": code,
    });
    let body = Full::new(Bytes::from(status.to_string())).map_err(BoxError::from);
    let body: Box<DynBody> = Box::new(body);
    Ok(Response::builder().status(code).header("content-type", "application/json").body(body).expect("a response"))
}

/// Holds the first request of a kind to the API server until it is let go.
pub struct Gate {
    method: &'static str,
    path: &'static str,
    /// A request with this in its query is let through.
    but: &'static str,
    first: AtomicBool,
    came: Semaphore,
    go: Semaphore,
}

impl Gate {
    pub fn new(method: &'static str, path: &'static str, but: &'static str) -> Arc<Self> {
        let first = AtomicBool::new(true);
        Arc::new(Self { method, path, but, first, came: Semaphore::new(0), go: Semaphore::new(0) })
    }

    /// Waits until the request came.
    pub async fn came(&self) {
        self.came.acquire().await.expect("open").forget();
    }

    /// Lets it go.
    pub fn open(&self) {
        self.go.add_permits(1);
    }

    fn holds(&self, request: &Request<Body>) -> bool {
        request.method().as_str() == self.method
            && request.uri().path().ends_with(self.path)
            && !request.uri().query().is_some_and(|query| query.contains(self.but))
            && self.first.swap(false, Ordering::SeqCst)
    }

    /// Clients whose calls pass this gate.
    pub fn clients(self: &Arc<Self>, config: &kube::Config) -> Clients {
        let plain = Clients::new(config).expect("clients");
        let mut calls = config.clone();
        calls.default_retry = false;
        let gate = Arc::clone(self);
        let hold = tower::filter::AsyncFilterLayer::new(move |request: Request<Body>| {
            let gate = Arc::clone(&gate);
            async move {
                if gate.holds(&request) {
                    gate.came.add_permits(1);
                    gate.go.acquire().await.expect("open").forget();
                }
                Ok::<_, tower::BoxError>(request)
            }
        });
        let calls = ClientBuilder::try_from(calls).expect("a client");
        // The filter asks for a service that can be cloned.
        let buffer = tower::buffer::BufferLayer::new(1024);
        let calls = calls.with_layer(&buffer).with_layer(&hold).build();
        Clients { calls, watches: plain.watches }
    }
}
