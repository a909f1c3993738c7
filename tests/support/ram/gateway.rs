//! The path of a call: hook, faults, signature, source, permission, rate, effect and journal, hook.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::actions::{self, Ask, Run};
use super::envelope::{Format, Product, Refusal};
use super::faults::{CallInfo, FaultKind, Hook, Outcome, Phase};
use super::journal::{self, Call};
use super::options::Options;
use super::permissions;
use super::state::{Caller, State};
use super::verify::{self, Wire};

/// A call as it was read, not yet believed.
#[derive(Debug)]
pub struct Request {
    pub wire: Wire,
    pub product: Option<Product>,
    pub action: String,
    pub format: Format,
    /// Value of the header `host`.
    pub host: String,
    /// Why the gateway does not even look at it.
    pub broken: Option<Refusal>,
}

/// What goes back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
    pub retry_after: Option<u64>,
}

/// The connection is closed without a reply.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
pub struct Cut;

/// The emulator without its listener.
pub struct Gateway {
    pub options: Options,
    pub first_key: (String, String),
    pub hook: Mutex<Option<Hook>>,
    state: Mutex<State>,
    arrived: AtomicU64,
}

impl Gateway {
    pub fn new(options: Options) -> Self {
        let pair = || (format!("LTAI{}", super::state::token(20).to_uppercase()), super::state::secret());
        let first_key = options.access_key.clone().unwrap_or_else(pair);
        let state = State::new(&options, first_key.clone(), options.clock.now());
        Self { options, first_key, hook: Mutex::new(None), state: Mutex::new(state), arrived: AtomicU64::new(0) }
    }

    /// The state, locked. Never held over an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one call.
    pub async fn answer(&self, request: &Request) -> Result<Reply, Cut> {
        let seq = self.arrived.fetch_add(1, Ordering::SeqCst) + 1;
        let user = journal::user_param(&request.wire.params);
        match self.ask_hook(seq, request, Phase::Before).await {
            Outcome::Go => {}
            Outcome::Cut => return Err(self.cut_before(seq, request)),
            Outcome::Reply { status, code } => return Ok(self.refuse(seq, request, &injected(status, code))),
        }
        let (latency, fault) = self.state().faults.strike(&request.action, user.as_deref());
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let cut_after = match fault {
            None | Some(FaultKind::Latency(_)) => false,
            Some(FaultKind::CutAfter) => true,
            Some(FaultKind::CutBefore) => return Err(self.cut_before(seq, request)),
            Some(FaultKind::Status { status, code }) => return Ok(self.refuse(seq, request, &injected(status, code))),
            Some(FaultKind::Throttle { retry_after }) => {
                return Ok(self.refuse(seq, request, &Refusal { retry_after, ..self.throttled() }));
            }
            Some(FaultKind::Garbage) => {
                self.note(self.entry(seq, request, 200, None));
                let body = "<!DOCTYPE html><html><body>Welcome to the network. Please log in.</body></html>".to_owned();
                return Ok(Reply { status: 200, content_type: "text/html", body, retry_after: None });
            }
        };
        let reply = match self.perform(seq, request) {
            Ok(payload) => success(request, payload),
            Err(refusal) => failure(request, &refusal),
        };
        let after = if cut_after { Outcome::Cut } else { self.ask_hook(seq, request, Phase::After).await };
        self.send(seq, request, reply, after)
    }

    /// The reply, or what the hook wants in its place; corrects the journal in the second case.
    fn send(&self, seq: u64, request: &Request, reply: Reply, after: Outcome) -> Result<Reply, Cut> {
        let mut state = self.state();
        let entry = state.journal.entry(seq);
        match after {
            Outcome::Go => Ok(reply),
            Outcome::Cut => {
                if let Some(entry) = entry {
                    entry.replied = false;
                }
                Err(Cut)
            }
            Outcome::Reply { status, code } => {
                if let Some(entry) = entry {
                    entry.status = status;
                    entry.code = Some(code.clone());
                }
                Ok(failure(request, &injected(status, code)))
            }
        }
    }

    async fn ask_hook(&self, seq: u64, request: &Request, phase: Phase) -> Outcome {
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(hook) = hook else {
            return Outcome::Go;
        };
        let info = CallInfo {
            seq,
            product: request.product,
            action: request.action.clone(),
            params: request.wire.params.public(),
            user: journal::user_param(&request.wire.params),
        };
        hook(info, phase).await
    }

    /// Effect and journal entry as one.
    fn perform(&self, seq: u64, request: &Request) -> Result<Value, Refusal> {
        let mut state = self.state();
        let now = self.options.clock.now();
        let line = journal::line(&state.account, &request.action, &request.wire.params);
        let result = self.run(&mut state, request, now);
        let mut entry = match &result {
            Ok(_) => self.entry(seq, request, 200, None),
            Err(refusal) => self.entry(seq, request, refusal.status, Some(refusal.code.clone())),
        };
        entry.time = now;
        if let Ok((_, true)) = result {
            entry.effect = true;
            state.changed(now);
            state.journal.writes.push(line);
        }
        state.journal.calls.push(entry);
        result.map(|(payload, _)| payload)
    }

    /// The payload, and whether it comes from a write.
    fn run(&self, state: &mut State, request: &Request, now: Timestamp) -> Result<(Value, bool), Refusal> {
        if let Some(refusal) = &request.broken {
            return Err(refusal.clone());
        }
        let product = request.product.ok_or_else(Refusal::no_such_action)?;
        let run = actions::find(product, &request.action).ok_or_else(Refusal::no_such_action)?;
        let claimed = verify::claimed_key(&request.wire);
        if let Some(key_id) = claimed.as_ref().filter(|_| self.options.source_checked_first) {
            self.source_allowed(state, key_id)?;
        }
        let caller = if request.action == "AssumeRoleWithOIDC" && claimed.is_none() {
            verify::verify_anonymous(state, &request.wire, now)?
        } else {
            verify::verify(state, &request.wire, now)?
        };
        if let Caller::User { key_id, .. } = &caller {
            self.source_allowed(state, key_id)?;
        }
        state.used(&caller, product.code(), now, self.options.last_used_lag);
        permissions::check(state, product, &request.action, &request.wire.params, &caller)?;
        if self.options.rates && product != Product::Sts && !state.buckets.take(product, &request.action, now) {
            return Err(self.throttled());
        }
        let ask = Ask {
            product,
            action: &request.action,
            params: &request.wire.params,
            caller: &caller,
            now,
            options: &self.options,
            conflict_for: state.settings.delete_conflict_for,
        };
        match run {
            Run::Read(read) => Ok((read(state.seen(now), &ask)?, false)),
            Run::Write(write) => Ok((write(&mut state.account, &ask)?, true)),
            Run::Session(session) => Ok((session(&mut state.account, &ask)?, false)),
        }
    }

    /// Whether a key may be used from where all calls come from. Temporary credentials have no network policy.
    fn source_allowed(&self, state: &State, key_id: &str) -> Result<(), Refusal> {
        let policy = state.account.network_policy(key_id, self.options.inactive_key_policy_replaces);
        if policy.is_none_or(|policy| policy.lets_in(self.options.source_address)) {
            return Ok(());
        }
        let message = "The AccessKey may not be used from this source.";
        Err(Refusal::new(403, self.options.source_refusal_code.clone(), message))
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(self.options.throttle_status, "Throttling.User", "Request was denied due to user flow control.")
    }

    fn refuse(&self, seq: u64, request: &Request, refusal: &Refusal) -> Reply {
        self.note(self.entry(seq, request, refusal.status, Some(refusal.code.clone())));
        failure(request, refusal)
    }

    fn cut_before(&self, seq: u64, request: &Request) -> Cut {
        let entry = Call { replied: false, ..self.entry(seq, request, 0, None) };
        self.note(entry);
        Cut
    }

    fn entry(&self, seq: u64, request: &Request, status: u16, code: Option<String>) -> Call {
        Call {
            seq,
            product: request.product,
            action: request.action.clone(),
            params: request.wire.params.public(),
            caller: verify::claimed_key(&request.wire).unwrap_or_else(|| "anonymous".to_owned()),
            status,
            code,
            effect: false,
            replied: true,
            time: self.options.clock.now(),
        }
    }

    fn note(&self, entry: Call) {
        self.state().journal.calls.push(entry);
    }
}

fn injected(status: u16, code: String) -> Refusal {
    Refusal::new(status, code, "This answer was injected.")
}

fn request_id() -> String {
    Uuid::new_v4().to_string().to_uppercase()
}

fn success(request: &Request, payload: Value) -> Reply {
    let body = request.format.success(&request.action, &request_id(), payload);
    Reply { status: 200, content_type: request.format.content_type(), body, retry_after: None }
}

fn failure(request: &Request, refusal: &Refusal) -> Reply {
    let body = request.format.failure(request.product, &request.host, &request_id(), refusal);
    Reply {
        status: refusal.status,
        content_type: request.format.content_type(),
        body,
        retry_after: refusal.retry_after,
    }
}
