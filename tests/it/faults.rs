//! Trouble on the wire: one counter over all requests of an operator, to RAM and to the API server alike.
//!
//! At a chosen request the process dies, and nothing of it gets any further; or the request alone is struck, and the process goes on.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use kube::client::{Body, ClientBuilder, DynBody};
use ram_operator::run::Clients;
use serde_json::json;
use tokio::sync::{Notify, Semaphore};
use tower::{BoxError, Layer, Service};

use crate::support::ram::{Hook, Outcome, Phase};
use crate::world::World;

/// What happens at the chosen request, counted over all requests of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The process dies before the request has any effect.
    Before,
    /// The process dies after its effect, before its reply.
    After,
    /// The process lives, and this happens to the request.
    Struck(Trouble),
    /// Nothing happens: requests are only counted.
    Never,
}

impl Moment {
    /// As [`Moment::word`] writes it.
    pub fn read(word: &str) -> Self {
        let troubles = Trouble::QUICK.into_iter().chain([Trouble::Silent]).map(Self::Struck);
        let mut all = [Self::Before, Self::After, Self::Never].into_iter().chain(troubles);
        all.find(|moment| moment.word() == word).unwrap_or_else(|| panic!("no moment {word}"))
    }

    /// In one word.
    pub fn word(self) -> String {
        match self {
            Self::Struck(trouble) => format!("{trouble:?}"),
            other => format!("{other:?}"),
        }
    }
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
const SILENCE: Duration = Duration::from_secs(25);

/// Counts the requests of one operator and strikes at the chosen one, once it is armed.
pub struct Director {
    /// Requests to the API server count if their path has one of these: the namespace, what is left of it, perhaps the account.
    about: Vec<String>,
    at: usize,
    moment: Moment,
    /// All requests, and the writes among them.
    counts: (AtomicUsize, AtomicUsize),
    armed: AtomicBool,
    reached: AtomicBool,
    /// The chosen request has had what effect it has.
    over: AtomicBool,
    wake: Notify,
    /// Requests to the API server that wait for their reply, counted or not.
    busy: AtomicUsize,
    /// When a request began or ended last.
    last: Mutex<Instant>,
}

impl Director {
    /// For the operator of a corner. The account is part of few scenarios: elsewhere it would only blur the numbers.
    pub fn new(world: &World, account: bool, at: usize, moment: Moment) -> Arc<Self> {
        let mut about = vec![format!("/namespaces/{}/", world.ns), "/ramrevocations".to_owned()];
        about.extend(account.then(|| format!("/ramaccounts/{}", world.name)));
        Arc::new(Self {
            about,
            at,
            moment,
            counts: (AtomicUsize::new(0), AtomicUsize::new(0)),
            armed: AtomicBool::new(false),
            reached: AtomicBool::new(false),
            over: AtomicBool::new(false),
            wake: Notify::new(),
            busy: AtomicUsize::new(0),
            last: Mutex::new(Instant::now()),
        })
    }

    /// For an operator that nothing happens to.
    pub fn idle(world: &World) -> Arc<Self> {
        Self::new(world, false, 0, Moment::Never)
    }

    /// Numbers a request; `true` if it is the chosen one. A read has no effect, so that dying after it is the same as dying before it,
    /// which is tried too: after the effect only writes are numbered.
    fn number(&self, writes: bool) -> bool {
        if !self.armed.load(Ordering::SeqCst) {
            return false;
        }
        let of_all = self.counts.0.fetch_add(1, Ordering::SeqCst) + 1;
        let of_writes = writes.then(|| self.counts.1.fetch_add(1, Ordering::SeqCst) + 1);
        let chosen = match self.moment {
            Moment::Never => false,
            Moment::After => of_writes == Some(self.at),
            Moment::Before | Moment::Struck(_) => of_all == self.at,
        };
        if chosen {
            self.reached.store(true, Ordering::SeqCst);
        }
        chosen
    }

    /// How many requests were numbered, and how many of them were writes.
    pub fn counted(&self) -> (usize, usize) {
        (self.counts.0.load(Ordering::SeqCst), self.counts.1.load(Ordering::SeqCst))
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn resting_for(&self) -> Duration {
        match self.busy.load(Ordering::SeqCst) {
            0 => self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// Waits until the operator asks nobody anything for this long, from now on; no longer than `most`.
    pub async fn quiet(&self, long: Duration, most: Duration) {
        let began = Instant::now();
        while self.resting_for().min(began.elapsed()) < long && began.elapsed() < most {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn dead(&self) -> bool {
        matches!(self.moment, Moment::Before | Moment::After) && self.reached()
    }

    pub fn reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    /// From now on requests are numbered, and the chosen one is struck.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// From now on requests go through: the dead operator is gone, or the scenario is over.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    /// Tells who waits for it that the chosen request came. One whose process dies after its effect has had it by then.
    fn toll(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.wake.notify_waiters();
    }

    /// Waits until the chosen request came, and had its effect if it is to have one.
    pub async fn died(&self) {
        loop {
            let woken = self.wake.notified();
            if self.over.load(Ordering::SeqCst) {
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
            director.touch();
            Box::pin(async move {
                if !director.armed.load(Ordering::SeqCst) {
                    return Outcome::Go;
                }
                let seq = usize::try_from(call.seq).expect("a small number");
                if phase == Phase::After {
                    let last = chosen.load(Ordering::SeqCst) == seq;
                    if director.dead() {
                        if last {
                            director.toll();
                        }
                        std::future::pending::<()>().await;
                    }
                    let lost = director.moment == Moment::Struck(Trouble::Lost);
                    return if lost && last { Outcome::Cut } else { Outcome::Go };
                }
                if director.dead() {
                    std::future::pending::<()>().await;
                }
                let writes = !call.action.starts_with("Get") && !call.action.starts_with("List");
                if !director.number(writes) {
                    return Outcome::Go;
                }
                chosen.store(seq, Ordering::SeqCst);
                if director.moment != Moment::After {
                    director.toll();
                }
                director.strike_ram().await
            })
        })
    }

    async fn strike_ram(&self) -> Outcome {
        let reply = |status, code: &str| Outcome::Reply { status, code: code.to_owned() };
        match self.moment {
            // The effect never comes about: this call hangs for good.
            Moment::Before => std::future::pending().await,
            Moment::After | Moment::Never | Moment::Struck(Trouble::Lost) => Outcome::Go,
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
        calls.read_timeout = Some(Duration::from_secs(10));
        calls.reset_reader_on_write = true;
        let layer = Counting(Arc::clone(self));
        let calls = ClientBuilder::try_from(calls).expect("a client").with_layer(&layer).build();
        Clients { calls, watches: plain.watches }
    }

    /// Counted is what is about users, keys, Secrets and revocations; tenants, rights and events are not part of a mint.
    fn counts(&self, request: &Request<Body>) -> bool {
        let path = request.uri().path();
        self.about.iter().any(|about| path.contains(about)) && !path.contains("events.k8s.io")
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

type Replying = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A request that waits for its reply, or whose operator is gone before that.
struct Busy(Arc<Director>);

impl Busy {
    fn begin(director: &Arc<Director>) -> Self {
        director.busy.fetch_add(1, Ordering::SeqCst);
        director.touch();
        Self(Arc::clone(director))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
        self.0.touch();
    }
}

impl<S> Counted<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>,
    S::Future: Send + 'static,
{
    fn direct(&mut self, request: Request<Body>) -> Replying {
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
        let moment = director.moment;
        if moment != Moment::After {
            director.toll();
        }
        match moment {
            Moment::Before => Box::pin(std::future::pending()),
            Moment::After => {
                let effect = self.inner.call(request);
                Box::pin(async move {
                    let _ = effect.await;
                    director.toll();
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
            Moment::Never => Box::pin(self.inner.call(request)),
            Moment::Struck(Trouble::Conflict) if !writes => Box::pin(self.inner.call(request)),
            Moment::Struck(trouble) => Box::pin(instead(trouble)),
        }
    }
}

impl<S> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Box<DynBody>>;
    type Error = BoxError;
    type Future = Replying;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Replying {
        let busy = Busy::begin(&self.director);
        let reply = self.direct(request);
        Box::pin(async move {
            let reply = reply.await;
            drop(busy);
            reply
        })
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
