//! The operator's own credentials: obtained, checked against the account, kept, renewed in time.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::{
    budget::Lane,
    error::{Class, Error},
    transport::{Api, Call, Repeat, Transport},
    wire,
};

/// A temporary credential is renewed when this is left of its life, or half of it, whichever comes later.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_secs(15 * 60);
/// After a failed renewal the old credential is used for this long before the next attempt.
const RENEW_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// STS GetCallerIdentity: who a credential belongs to. It has no parameters.
pub(super) const CALLER_IDENTITY: Call<'static> =
    Call { api: Api::Sts, action: "GetCallerIdentity", params: &[], repeat: Repeat::Always };

/// What a request is signed with.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The AccessKeyId; of a temporary credential it begins with `STS.`.
    pub access_key_id: String,
    /// The AccessKeySecret.
    pub access_key_secret: SecretString,
    /// Present with temporary credentials.
    pub security_token: Option<SecretString>,
    /// When a temporary credential ends, if that is known.
    pub expiration: Option<Timestamp>,
}

/// Where the operator's own credentials come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Given, from a Secret or the environment.
    Static(Credential),
    /// RAM roles for service accounts: STS AssumeRoleWithOIDC with a projected token.
    Rrsa {
        /// The role.
        role_arn: String,
        /// The cluster's OIDC provider in RAM.
        oidc_provider_arn: String,
        /// Where the token is; it rotates, so it is read anew each time.
        token_file: PathBuf,
        /// Shown in the account's audit trail; 2 to 64 characters.
        session_name: String,
    },
    /// The RAM role of the ECS instance, from its metadata service.
    EcsRole {
        /// The role; the metadata service names it if this is absent.
        role_name: Option<String>,
    },
}

/// A role to assume with the source's credentials (STS AssumeRole).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    /// The role.
    pub role_arn: String,
    /// What the role's trust policy may ask for, 2 to 1224 characters.
    pub external_id: Option<String>,
    /// Shown in the account's audit trail; 2 to 64 characters.
    pub session_name: String,
}

/// Hands out the credential in use. One caller renews, the others wait for it.
pub(super) struct Keyring {
    source: Source,
    role: Option<AssumeRole>,
    account_id: Option<String>,
    held: Mutex<Option<Held>>,
}

struct Held {
    credential: Credential,
    /// None: it is kept until RAM refuses it.
    renew_at: Option<Timestamp>,
}

impl Held {
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.renew_at.is_none_or(|at| now < at)
    }

    fn is_alive(&self, now: Timestamp) -> bool {
        self.credential.expiration.is_none_or(|end| now < end)
    }
}

/// When a credential obtained now, with this end, should be renewed.
fn renewal(now: Timestamp, expiration: Timestamp) -> Timestamp {
    let life = expiration.duration_since(now);
    let before = (life / 2).min(RENEW_BEFORE);
    expiration.checked_sub(before).unwrap_or(expiration)
}

impl Keyring {
    pub(super) fn new(source: Source, role: Option<AssumeRole>, account_id: Option<String>) -> Self {
        Self { source, role, account_id, held: Mutex::new(None) }
    }

    /// The credential to sign with. An old one is used while a renewal fails, until it ends; but a renewal that
    /// leads into another account is an error at once.
    pub(super) async fn credential(&self, transport: &Transport, lane: Lane) -> Result<Credential, Error> {
        let mut held = self.held.lock().await;
        let now = transport.now();
        if let Some(fresh) = held.as_ref().filter(|held| held.is_fresh(now)) {
            return Ok(fresh.credential.clone());
        }
        let error = match self.obtain(transport, lane).await {
            Ok(credential) => {
                let now = transport.now();
                let renew_at = self.renews().then_some(credential.expiration).flatten().map(|end| renewal(now, end));
                *held = Some(Held { credential: credential.clone(), renew_at });
                return Ok(credential);
            }
            Err(error) => error.while_obtaining(),
        };
        match held.as_mut().filter(|held| held.is_alive(now)) {
            Some(old) if error.class() != Class::WrongAccount => {
                tracing::warn!(%error, "credentials could not be renewed; the old ones are used until they end");
                old.renew_at = now.checked_add(RENEW_AGAIN).ok();
                Ok(old.credential.clone())
            }
            _ => Err(error),
        }
    }

    /// RAM refused the temporary credential with this id: it is not used again. Whether there can be another one.
    pub(super) async fn forget(&self, access_key_id: &str) -> bool {
        if !self.renews() {
            return false;
        }
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.credential.access_key_id == access_key_id) {
            *held = None;
        }
        true
    }

    /// The long-lived pair that everything begins with, if there is one.
    pub(super) fn long_lived(&self) -> Option<&Credential> {
        match &self.source {
            Source::Static(credential) if credential.security_token.is_none() => Some(credential),
            Source::Static(_) | Source::Rrsa { .. } | Source::EcsRole { .. } => None,
        }
    }

    /// Whether asking again can give another credential.
    fn renews(&self) -> bool {
        self.role.is_some() || !matches!(self.source, Source::Static(_))
    }

    /// A new credential, known to work and to belong to the account.
    async fn obtain(&self, transport: &Transport, lane: Lane) -> Result<Credential, Error> {
        let own = self.source.credential(transport, lane).await?;
        let credential = match &self.role {
            Some(role) => role.assume(&own, transport, lane).await?,
            None => own,
        };
        let identity = transport.call::<wire::CallerIdentity>(&CALLER_IDENTITY, Some(&credential), lane).await?;
        if self.account_id.as_ref().is_some_and(|pinned| *pinned != identity.account_id) {
            let note = "the operator's own credentials belong to another account than the pinned one";
            return Err(Error::local(CALLER_IDENTITY.action, Class::WrongAccount, note));
        }
        Ok(credential)
    }
}

impl Source {
    async fn credential(&self, transport: &Transport, lane: Lane) -> Result<Credential, Error> {
        match self {
            Self::Static(credential) => Ok(credential.clone()),
            Self::EcsRole { role_name } => transport.metadata().credential(role_name.as_deref()).await,
            Self::Rrsa { role_arn, oidc_provider_arn, token_file, session_name } => {
                let action = "AssumeRoleWithOIDC";
                let token = tokio::fs::read_to_string(token_file).await.map(SecretString::from).map_err(|_| {
                    Error::local(
                        action,
                        Class::Credentials,
                        "the OIDC token file cannot be read, check that it is mounted",
                    )
                })?;
                let params = [
                    ("RoleArn", role_arn.as_str()),
                    ("OIDCProviderArn", oidc_provider_arn.as_str()),
                    ("OIDCToken", token.expose_secret().trim()),
                    ("RoleSessionName", session_name.as_str()),
                ];
                let call = Call { api: Api::Sts, action, params: &params, repeat: Repeat::Always };
                transport.call::<wire::AssumedRole>(&call, None, lane).await
            }
        }
    }
}

impl AssumeRole {
    async fn assume(&self, own: &Credential, transport: &Transport, lane: Lane) -> Result<Credential, Error> {
        let mut params = vec![("RoleArn", self.role_arn.as_str()), ("RoleSessionName", self.session_name.as_str())];
        params.extend(self.external_id.as_deref().map(|id| ("ExternalId", id)));
        let call = Call { api: Api::Sts, action: "AssumeRole", params: &params, repeat: Repeat::Always };
        transport.call::<wire::AssumedRole>(&call, Some(own), lane).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn renewed_at_fifteen_minutes_or_half_life_whichever_is_later() {
        assert_eq!(renewal(at(0), at(6 * 3600)), at(6 * 3600 - 900));
        assert_eq!(renewal(at(0), at(3600)), at(2700));
        assert_eq!(renewal(at(0), at(1800)), at(900));
        assert_eq!(renewal(at(0), at(900)), at(450));
        // Already over: at once.
        assert!(renewal(at(100), at(50)) <= at(100));
    }

    #[test]
    fn only_a_given_pair_without_a_token_lives_long() {
        let credential = |token: Option<&str>| Credential {
            access_key_id: "LTAI1".to_owned(),
            access_key_secret: "hush-secret".into(),
            security_token: token.map(Into::into),
            expiration: None,
        };
        let long_lived = |source: Source, role: Option<AssumeRole>| {
            Keyring::new(source, role, None).long_lived().map(|pair| pair.access_key_id.clone())
        };
        let role = AssumeRole { role_arn: "a".to_owned(), external_id: None, session_name: "s".to_owned() };
        // A role on top is assumed with the pair.
        for role in [None, Some(role)] {
            assert_eq!(long_lived(Source::Static(credential(None)), role.clone()).as_deref(), Some("LTAI1"));
            assert_eq!(long_lived(Source::Static(credential(Some("hush-token"))), role.clone()), None);
            assert_eq!(long_lived(Source::EcsRole { role_name: None }, role), None);
        }
    }

    #[test]
    fn nothing_here_shows_a_secret() {
        let credential = Credential {
            access_key_id: "STS.1".to_owned(),
            access_key_secret: "hush-secret".into(),
            security_token: Some("hush-token".into()),
            expiration: None,
        };
        let shown = format!("{credential:?} {:?}", Source::Static(credential.clone()));
        assert!(shown.contains("STS.1") && !shown.contains("hush"), "{shown}");
    }
}
