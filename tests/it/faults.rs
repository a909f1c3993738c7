//! Trouble on the wire: one counter over all requests of an operator, to RAM and to the API server alike.
//!
//! At a chosen request the process dies: nothing of it gets any further. Either the request has had no effect yet, or it has had its
//! effect and nobody hears the reply.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use kube::client::{Body, ClientBuilder};
use ram_operator::run::Clients;
use tokio::sync::{Notify, Semaphore};
use tower::{Layer, Service};

use crate::support::ram::{Hook, Outcome, Phase};

/// When the process dies, counted over all its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the request has any effect.
    Before,
    /// After its effect, before its reply.
    After,
}

/// Counts the requests of one operator and ends it at the chosen one.
pub struct Director {
    /// Requests to the API server count if they are about this namespace.
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

    /// Numbers a request; `true` if it is the last one of this process. A read has no effect, so that dying after it is the same as
    /// dying before it, which is tried too: after the effect only writes are numbered.
    fn number(&self, writes: bool) -> bool {
        (writes || self.moment == Moment::Before) && self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.at
    }

    fn dead(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    pub fn reached(&self) -> bool {
        self.dead()
    }

    fn die(&self) {
        self.reached.store(true, Ordering::SeqCst);
        self.wake.notify_waiters();
    }

    /// From now on requests go through: the dead operator is gone.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    /// Waits until the chosen request came.
    pub async fn died(&self) {
        loop {
            let woken = self.wake.notified();
            if self.dead() {
                return;
            }
            woken.await;
        }
    }

    /// For the emulator: the same counter.
    pub fn hook(self: &Arc<Self>) -> Hook {
        let director = Arc::clone(self);
        Arc::new(move |call, phase| {
            let director = Arc::clone(&director);
            Box::pin(async move {
                if !director.armed.load(Ordering::SeqCst) {
                    return Outcome::Go;
                }
                match phase {
                    Phase::Before => {
                        if director.dead() {
                            std::future::pending::<()>().await;
                        }
                        let writes = !call.action.starts_with("Get") && !call.action.starts_with("List");
                        if director.number(writes) {
                            director.die();
                            match director.moment {
                                // The effect never comes about: this call hangs for good.
                                Moment::Before => std::future::pending::<()>().await,
                                Moment::After => {}
                            }
                        }
                    }
                    Phase::After if director.dead() => std::future::pending::<()>().await,
                    Phase::After => {}
                }
                Outcome::Go
            })
        })
    }

    /// Clients whose calls are counted; watches are not, they change nothing.
    pub fn clients(self: &Arc<Self>, config: &kube::Config) -> Clients {
        let plain = Clients::new(config).expect("clients");
        let mut calls = config.clone();
        calls.default_retry = false;
        let layer = Counting(Arc::clone(self));
        let calls = ClientBuilder::try_from(calls).expect("a client").with_layer(&layer).build();
        Clients { calls, watches: plain.watches }
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

impl<S, R> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let director = Arc::clone(&self.director);
        // Counted is what is about users, keys and Secrets; accounts, tenants, rights and events are not part of a mint.
        let path = request.uri().path();
        let counted = path.contains(&director.namespace) && !path.contains("events.k8s.io");
        let writes = request.method() != Method::GET;
        if director.dead() {
            return Box::pin(std::future::pending());
        }
        let last = counted && director.number(writes);
        if last && director.moment == Moment::Before {
            director.die();
            return Box::pin(std::future::pending());
        }
        let effect = self.inner.call(request);
        Box::pin(async move {
            let reply = effect.await;
            if last {
                director.die();
            }
            if director.dead() {
                std::future::pending::<()>().await;
            }
            reply
        })
    }
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
