//! The client: calls with the operator's own credential, renewed once when RAM refuses it.

use std::{collections::HashSet, fmt, sync::Arc};

use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::{
    budget::{Budget, Lane},
    config::Config,
    credentials::{Credential, Keyring, Source},
    error::{Class, Error},
    sign::Param,
    transport::{Api, Call, Repeat, Transport},
    wire::{Page, Reply},
};

/// Pages of a list beyond which it is taken to have no end: a million items.
const MOST_PAGES: usize = 10_000;

/// A client for RAM, IMS and STS of one account. Cheap to clone; clones share credentials, connections and budget.
#[derive(Clone)]
pub struct Client {
    pub(super) transport: Arc<Transport>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) lane: Lane,
}

impl Client {
    /// A client in the ordinary lane. Checks what can be checked without network, and gives `config.quota_share` to
    /// the budget. A TLS provider must be installed before.
    pub fn new(config: Config, budget: Arc<Budget>) -> Result<Self, Error> {
        if let Source::Static(credential) = &config.source
            && is_empty(credential)
        {
            let note = "the AccessKey pair of the operator is empty";
            return Err(Error::local("Configure", Class::Credentials, note));
        }
        budget.set_quota_share(config.quota_share);
        let transport = Transport::new(&config, budget)?;
        let keyring = Keyring::new(config.source, config.assume_role, config.account_id);
        Ok(Self { transport: Arc::new(transport), keyring: Arc::new(keyring), lane: Lane::Ordinary })
    }

    /// The same client, waiting for the budget in `lane`.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Self {
        Self { lane, ..self.clone() }
    }

    /// RAM's time in whole seconds: the local clock, corrected by the `Date` of RAM's replies where they differ by
    /// more than a second.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.transport.now()
    }

    /// The credential to sign with, obtained or renewed if need be.
    pub(super) async fn credential(&self) -> Result<Credential, Error> {
        self.keyring.credential(&self.transport, self.lane).await
    }

    /// A call that may be sent twice.
    pub(super) async fn call<R: Reply>(
        &self,
        api: Api,
        action: &'static str,
        params: &[Param<'_>],
    ) -> Result<R::Meaning, Error> {
        self.signed::<R>(&Call { api, action, params, repeat: Repeat::Always }).await
    }

    /// A call that is sent again only if it had no effect for certain.
    pub(super) async fn call_carefully<R: Reply>(
        &self,
        api: Api,
        action: &'static str,
        params: &[Param<'_>],
    ) -> Result<R::Meaning, Error> {
        self.signed::<R>(&Call { api, action, params, repeat: Repeat::IfNothingMade }).await
    }

    /// Reads a list page by page, up to 100 items each, until `look` finds something in a page. A list whose pages
    /// come to no end is an error, never a "no".
    pub(super) async fn search<R, T, F>(
        &self,
        api: Api,
        action: &'static str,
        params: &[Param<'_>],
        mut look: impl FnMut(Vec<T>) -> Option<F>,
    ) -> Result<Option<F>, Error>
    where
        R: Reply<Meaning = Page<T>>,
    {
        let mut seen = HashSet::new();
        let mut marker: Option<String> = None;
        loop {
            let mut all = params.to_vec();
            all.push(("MaxItems", "100"));
            all.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let page = self.call::<R>(api, action, &all).await?;
            if let Some(found) = look(page.items) {
                return Ok(Some(found));
            }
            let Some(next) = page.next else {
                return Ok(None);
            };
            if seen.len() >= MOST_PAGES || !seen.insert(next.clone()) {
                return Err(Error::unreadable(action, 200));
            }
            marker = Some(next);
        }
    }

    /// Every item of a list that comes in pages; see [`Client::search`].
    pub(super) async fn list<R, T>(&self, api: Api, action: &'static str, params: &[Param<'_>]) -> Result<Vec<T>, Error>
    where
        R: Reply<Meaning = Page<T>>,
    {
        let mut all = Vec::new();
        let take = |items: Vec<T>| {
            all.extend(items);
            None::<()>
        };
        self.search::<R, T, ()>(api, action, params, take).await?;
        Ok(all)
    }

    async fn signed<R: Reply>(&self, call: &Call<'_>) -> Result<R::Meaning, Error> {
        let credential = self.credential().await?;
        let error = match self.transport.call::<R>(call, Some(&credential), self.lane).await {
            Ok(meaning) => return Ok(meaning),
            Err(error) => error,
        };
        if !self.refused_for_good(&credential, &error).await {
            return Err(error);
        }
        let renewed = self.credential().await?;
        self.transport.call::<R>(call, Some(&renewed), self.lane).await
    }

    /// Whether `error` says that a temporary credential is over and there may be another one; it is forgotten then.
    pub(super) async fn refused_for_good(&self, credential: &Credential, error: &Error) -> bool {
        credential.security_token.is_some()
            && error.asks_for_new_credential()
            && self.keyring.forget(&credential.access_key_id).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("lane", &self.lane).finish_non_exhaustive()
    }
}

fn is_empty(credential: &Credential) -> bool {
    credential.access_key_id.is_empty() || credential.access_key_secret.expose_secret().is_empty()
}

/// The answer, or None if RAM says with one of `codes` that there is no such thing.
pub(super) fn present<T>(answer: Result<T, Error>, codes: &[&str]) -> Result<Option<T>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_one_of(Class::Missing, codes) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The answer, or None if RAM says that there is no such thing. For actions that have one thing which can be absent,
/// and whose codes are not documented.
pub(super) fn there<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.class() == Class::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// The answer; that it is so already, as RAM says with `code`, is done.
pub(super) fn already(answer: Result<(), Error>, code: &str) -> Result<(), Error> {
    match answer {
        Err(error) if error.is_one_of(Class::Exists, &[code]) => Ok(()),
        answer => answer,
    }
}

/// The parameters that have a value, an empty one included.
pub(super) fn given<'a, const N: usize>(
    params: [(&'static str, Option<&'a str>); N],
) -> impl Iterator<Item = Param<'a>> {
    params.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)))
}

/// A truth as a parameter's value.
pub(super) const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        ram::{Endpoints, error::Refusal},
    };

    fn config(secret: &str) -> Config {
        Config {
            endpoints: Endpoints::default(),
            source: Source::Static(Credential {
                access_key_id: "LTAI1".to_owned(),
                access_key_secret: secret.into(),
                security_token: None,
                expiration: None,
            }),
            assume_role: None,
            account_id: None,
            quota_share: 50,
            clock: Clock::from_fn(|| Timestamp::UNIX_EPOCH),
            observer: Arc::new(|_, _| ()),
            allow_http: false,
        }
    }

    fn client(config: Config) -> Result<Client, Error> {
        // Another test may have been first; either way there is one now.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::new(config, Arc::new(Budget::new(50)))
    }

    #[test]
    fn debug_shows_no_secret() {
        let client = client(config("hush-hush")).unwrap().in_lane(Lane::TakeAway);
        assert_eq!(format!("{client:?}"), "Client { lane: TakeAway, .. }");
        assert_eq!(client.now(), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn bad_configurations_are_refused_without_network() {
        assert_eq!(client(config("")).unwrap_err().class(), Class::Credentials);
        let mut plain = config("hush-hush");
        "http://ram.aliyuncs.com".clone_into(&mut plain.endpoints.ram);
        assert_eq!(client(plain).unwrap_err().class(), Class::Invalid);
    }

    fn refused(status: u16, code: &str) -> Result<(), Error> {
        Err(Error::refused("GetUser", status, &Refusal { code: code.to_owned(), ..Refusal::default() }))
    }

    #[test]
    fn absence_needs_its_code() {
        assert_eq!(present(refused(404, "EntityNotExist.User"), &["EntityNotExist.User"]).unwrap(), None);
        assert!(present(refused(404, "EntityNotExist.Group"), &["EntityNotExist.User"]).is_err());
        assert!(present(Err::<(), _>(Error::unreadable("GetUser", 404)), &["EntityNotExist.User"]).is_err());
    }

    #[test]
    fn absence_is_told_by_every_code_that_says_so_and_no_other() {
        for code in ["EntityNotExist", "EntityNotExist.User.AccessKey", "EntityNotExist.AccessKey"] {
            assert_eq!(there(refused(404, code)).unwrap(), None, "{code}");
        }
        for code in ["InvalidApi.NotFound", "InvalidAccessKeyId.NotFound", "NoPermission", "<html>"] {
            assert!(there(refused(404, code)).is_err(), "{code}");
        }
        assert!(there(Err::<(), _>(Error::unreadable("GetUser", 404))).is_err());
        let refusal = Refusal { code: "EntityNotExist.Role".to_owned(), ..Refusal::default() };
        let obtaining = Error::refused("AssumeRole", 404, &refusal).while_obtaining();
        assert!(there(Err::<(), _>(obtaining)).is_err());
    }

    #[test]
    fn what_is_so_already_is_done_and_nothing_else_is() {
        let code = "EntityAlreadyExists.User.Group";
        assert!(already(Ok(()), code).is_ok());
        assert!(already(refused(409, code), code).is_ok());
        for other in ["EntityAlreadyExists.User", "EntityAlreadyExists.Group", "LimitExceeded.User.Group", "<html>"] {
            assert!(already(refused(409, other), code).is_err(), "{other}");
        }
        assert!(already(Err(Error::unreadable("AddUserToGroup", 409)), code).is_err());
    }

    #[test]
    fn an_empty_text_is_sent_and_an_absent_one_is_not() {
        let params: Vec<Param<'_>> = given([("A", None), ("B", Some("")), ("C", Some("x"))]).collect();
        assert_eq!(params, [("B", ""), ("C", "x")]);
    }
}
