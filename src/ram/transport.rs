//! One signed request, and the rules by which it may be repeated.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::{
    Client, ClientBuilder, Response, Url,
    header::{CONTENT_TYPE, DATE, HeaderMap},
    redirect::Policy,
};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{
    budget::{Budget, Lane},
    config::{Config, Observer},
    credentials::Credential,
    error::{Class, Error},
    metadata::Metadata,
    sign::{self, Param},
    wire::{self, Reply},
};
use crate::clock::Clock;

/// No reply of RAM comes near it.
const BODY_LIMIT: usize = 1024 * 1024;
/// RAM may ask for a longer rest, but not inside a call.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a call is repeated at most.
const REPEATS: u32 = 2;

/// The API that an action belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    Ram,
    Ims,
    Sts,
}

impl Api {
    pub(super) const fn version(self) -> &'static str {
        match self {
            Self::Ram => "2015-05-01",
            Self::Ims => "2019-08-15",
            Self::Sts => "2015-04-01",
        }
    }
}

/// When a failed call may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Reads, and writes that come to the same twice.
    Always,
    /// Writes whose second time would be taken for a conflict: only if the first had no effect for certain.
    IfNothingMade,
}

/// A request but for its signature.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub api: Api,
    pub action: &'static str,
    pub params: &'a [Param<'a>],
    pub repeat: Repeat,
}

/// The way to RAM, IMS and STS of one account.
pub(super) struct Transport {
    ram: Url,
    ims: Url,
    sts: Url,
    /// For calls that may be repeated: kept connections save a TLS handshake a call, and the few requests that a stale
    /// one loses are sent again.
    pooled: Client,
    /// For all others: on a fresh connection nothing is lost, or repeated by the pool, for a connection's age.
    fresh: Client,
    metadata: Metadata,
    clock: Clock,
    /// RAM's clock less ours, in seconds.
    skew: AtomicI64,
    observer: Observer,
    budget: Arc<Budget>,
}

impl Transport {
    pub(super) fn new(config: &Config, budget: Arc<Budget>) -> Result<Self, Error> {
        let builder = || builder().https_only(!config.allow_http);
        Ok(Self {
            ram: endpoint(&config.endpoints.ram, config.allow_http)?,
            ims: endpoint(&config.endpoints.ims, config.allow_http)?,
            sts: endpoint(&config.endpoints.sts, config.allow_http)?,
            pooled: client(builder())?,
            fresh: client(builder().pool_max_idle_per_host(0))?,
            metadata: Metadata::new(endpoint(&config.endpoints.metadata, true)?)?,
            clock: config.clock.clone(),
            skew: AtomicI64::new(0),
            observer: Arc::clone(&config.observer),
            budget,
        })
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// RAM's time, in whole seconds.
    pub(super) fn now(&self) -> Timestamp {
        let local = self.clock.now();
        let second = local.as_second().saturating_add(self.skew.load(Ordering::Relaxed));
        Timestamp::from_second(second).unwrap_or(local)
    }

    /// Takes a token from the budget.
    pub(super) async fn admit(&self, action: &'static str, lane: Lane) -> Result<(), Error> {
        self.budget.acquire(action, lane).await.map_err(|wait| {
            (self.observer)(action, Class::Busy.label());
            Error::busy(action, wait)
        })
    }

    /// Sends `call` and, where its rule and the error allow it, sends it again; each time with a token of the budget
    /// and a new signature.
    pub(super) async fn call<R: Reply>(
        &self,
        call: &Call<'_>,
        credential: Option<&Credential>,
        lane: Lane,
    ) -> Result<R::Meaning, Error> {
        let mut repeated = 0;
        loop {
            self.admit(call.action, lane).await?;
            let error = match self.once::<R>(call, credential).await {
                Ok(meaning) => return Ok(meaning),
                Err(error) => error,
            };
            let Some(pause) = pause(call.repeat, repeated, &error, jitter()) else {
                return Err(error);
            };
            tokio::time::sleep(pause).await;
            repeated += 1;
        }
    }

    /// Sends `call` once, without a token.
    pub(super) async fn once<R: Reply>(
        &self,
        call: &Call<'_>,
        credential: Option<&Credential>,
    ) -> Result<R::Meaning, Error> {
        let body = Self::sign(call, credential, self.now());
        let http = match call.repeat {
            Repeat::Always => &self.pooled,
            Repeat::IfNothingMade => &self.fresh,
        };
        self.observed::<R>(http, call.api, call.action, &body).await
    }

    /// Signs `call` as of `timestamp`.
    pub(super) fn sign(call: &Call<'_>, credential: Option<&Credential>, timestamp: Timestamp) -> SecretString {
        let nonce = Uuid::new_v4().to_string();
        sign::form(call.action, call.api.version(), call.params, credential, &nonce, timestamp)
    }

    /// Sends a signed body on a connection of its own: exactly one request.
    pub(super) async fn send_fresh<R: Reply>(
        &self,
        api: Api,
        action: &'static str,
        body: &SecretString,
    ) -> Result<R::Meaning, Error> {
        self.observed::<R>(&self.fresh, api, action, body).await
    }

    async fn observed<R: Reply>(
        &self,
        http: &Client,
        api: Api,
        action: &'static str,
        body: &SecretString,
    ) -> Result<R::Meaning, Error> {
        let started = Instant::now();
        let outcome = self.exchange(http, api, action, body).await;
        let request_id = outcome
            .as_ref()
            .map_or_else(Error::request_id, |(request_id, _)| Some(request_id.as_str()))
            .unwrap_or_default()
            .to_owned();
        let outcome = outcome.and_then(|(_, reply)| wire::read::<R>(action, &reply));
        let label = outcome.as_ref().map_or_else(|error| error.class().label(), |_| "ok");
        tracing::debug!(action, outcome = label, request_id, elapsed = ?started.elapsed(), "asked RAM");
        (self.observer)(action, label);
        if label == Class::Throttled.label() {
            self.budget.slow_down(action);
        }
        outcome
    }

    /// One request: the RequestId and the body of a success.
    async fn exchange(
        &self,
        http: &Client,
        api: Api,
        action: &'static str,
        body: &SecretString,
    ) -> Result<(String, Vec<u8>), Error> {
        let url = match api {
            Api::Ram => &self.ram,
            Api::Ims => &self.ims,
            Api::Sts => &self.sts,
        };
        let request = http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.expose_secret().to_owned());
        let response = request.send().await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                Error::no_connection(action)
            } else {
                Error::no_answer(action)
            }
        })?;
        self.learn_time(response.headers());
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let Some(reply) = self::body(response).await else {
            return Err(Error::unreadable(action, status));
        };
        wire::judge(action, status, retry_after, &reply).map(|request_id| (request_id, reply))
    }

    fn learn_time(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(skew) = date.and_then(|date| skew(date, self.clock.now())) {
            self.skew.store(skew, Ordering::Relaxed);
        }
    }
}

/// RAM's clock less ours, from the `Date` of a reply. It has whole seconds, so a distance of one means nothing.
fn skew(date: &str, local: Timestamp) -> Option<i64> {
    let remote = DateTimeParser::new().parse_timestamp(date).ok()?;
    let skew = remote.as_second().saturating_sub(local.as_second());
    Some(if skew.unsigned_abs() > 1 { skew } else { 0 })
}

/// `x-acs-retry-after`: a positive integer, taken for seconds, as that is the longer wait.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds =
        headers.get("x-acs-retry-after")?.to_str().ok()?.trim().parse::<u64>().ok().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// The rest before a call is sent again, or None if it is not. `jitter` spreads callers that failed together.
fn pause(repeat: Repeat, repeated: u32, error: &Error, jitter: u8) -> Option<Duration> {
    let worth_it = match error.class() {
        Class::Throttled | Class::Transient => repeated < REPEATS,
        // The refusal's own Date has just taught the difference; if that did not help, nothing will.
        Class::Clock => repeated < 1,
        Class::Busy
        | Class::Credentials
        | Class::WrongAccount
        | Class::Denied
        | Class::Missing
        | Class::Exists
        | Class::InUse
        | Class::Quota
        | Class::Invalid => false,
    };
    let allowed = repeat == Repeat::Always || error.proves_nothing_made();
    let backoff = Duration::from_millis(500) * 2_u32.saturating_pow(repeated.min(8));
    let spread = backoff.mul_f64(f64::from(jitter) / 256.0);
    (worth_it && allowed).then(|| (backoff + spread).max(error.retry_after().unwrap_or_default()).min(LONGEST_PAUSE))
}

fn jitter() -> u8 {
    let [byte, ..] = Uuid::new_v4().into_bytes();
    byte
}

/// HTTP as RAM needs it: no redirect, no proxy and no repetition that would send a signed form elsewhere or twice.
pub(super) fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("ram-operator/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(15))
}

pub(super) fn client(builder: ClientBuilder) -> Result<Client, Error> {
    let note = "the HTTP client cannot be set up, check that the image holds CA certificates";
    builder.build().map_err(|_| Error::local("Configure", Class::Invalid, note))
}

fn endpoint(text: &str, allow_http: bool) -> Result<Url, Error> {
    let refused = |note| Error::local("Configure", Class::Invalid, note);
    let url = Url::parse(text).map_err(|_| refused("an endpoint is no URL, give scheme and host"))?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !url.has_host() || !plain {
        return Err(refused("an endpoint must be scheme, host and port and nothing else"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_http => Ok(url),
        _ => Err(refused("an endpoint must begin with https://; plain http needs a flag of the operator")),
    }
}

/// The whole body, or None if it breaks off or is too long.
pub(super) async fn body(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;
    use crate::ram::error::Refusal;

    fn refused(status: u16, code: &str, retry_after: Option<Duration>) -> Error {
        Error::refused("CreateUser", status, &Refusal { code: code.to_owned(), retry_after, ..Refusal::default() })
    }

    #[test]
    fn skew_is_learnt_beyond_a_second() {
        let local = "2024-05-06T07:08:09.9Z".parse().unwrap();
        assert_eq!(skew("Mon, 06 May 2024 07:08:09 GMT", local), Some(0));
        assert_eq!(skew("Mon, 06 May 2024 07:08:10 GMT", local), Some(0));
        assert_eq!(skew("Mon, 06 May 2024 07:08:11 GMT", local), Some(2));
        assert_eq!(skew("Mon, 06 May 2024 07:06:09 GMT", local), Some(-120));
        assert_eq!(skew("yesterday", local), None);
    }

    #[test]
    fn retry_after_is_a_positive_number_up_to_five_seconds() {
        for (value, expected) in [("3", Some(3)), ("600", Some(5)), ("0", None), ("-1", None), ("soon", None)] {
            let headers =
                HeaderMap::from_iter([("x-acs-retry-after".parse().unwrap(), HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_sent_again() {
        let throttled = refused(400, "Throttling.User", None);
        let lost = Error::no_answer("CreateUser");
        let nonce = refused(400, "SignatureNonceUsed", None);
        for error in [&throttled, &lost, &nonce] {
            assert!(pause(Repeat::Always, 0, error, 0).is_some(), "{error}");
            assert!(pause(Repeat::Always, 1, error, 0).is_some(), "{error}");
            assert!(pause(Repeat::Always, 2, error, 0).is_none(), "{error}");
        }
        assert!(pause(Repeat::IfNothingMade, 0, &throttled, 0).is_some());
        assert!(pause(Repeat::IfNothingMade, 0, &lost, 0).is_none());
        assert!(pause(Repeat::IfNothingMade, 0, &nonce, 0).is_none());
        let clock = refused(400, "InvalidTimeStamp.Expired", None);
        assert!(pause(Repeat::Always, 0, &clock, 0).is_some());
        assert!(pause(Repeat::Always, 1, &clock, 0).is_none());
        for code in ["NoPermission", "EntityNotExist.User", "LimitExceeded.User", "InvalidParameter"] {
            assert!(pause(Repeat::Always, 0, &refused(400, code, None), 0).is_none(), "{code}");
        }
    }

    #[test]
    fn pauses_grow_spread_and_obey() {
        let error = refused(400, "Throttling", None);
        assert_eq!(pause(Repeat::Always, 0, &error, 0), Some(Duration::from_millis(500)));
        assert_eq!(pause(Repeat::Always, 0, &error, 128), Some(Duration::from_millis(750)));
        assert_eq!(pause(Repeat::Always, 1, &error, 0), Some(Duration::from_secs(1)));
        let error = refused(400, "Throttling", Some(Duration::from_secs(3)));
        assert_eq!(pause(Repeat::Always, 0, &error, 0), Some(Duration::from_secs(3)));
    }

    #[test]
    fn endpoints_are_scheme_and_host() {
        assert!(endpoint("https://ram.aliyuncs.com", false).is_ok());
        assert!(endpoint("http://127.0.0.1:8080", true).is_ok());
        assert!(endpoint("http://127.0.0.1:8080", false).is_err());
        for text in ["", "ram.aliyuncs.com", "ftp://x", "https://a:b@x", "https://x/?q=1", "https://x/#f"] {
            assert!(endpoint(text, true).is_err(), "{text}");
        }
    }
}
