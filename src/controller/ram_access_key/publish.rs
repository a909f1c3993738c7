//! Writing the Secret: by POST where none was seen, else by PUT with the resourceVersion that was seen. Never by force.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Error as KubeError, ResourceExt};
use secrecy::SecretString;

use super::super::error::Error;
use super::super::secret::{self, Content};
use super::KeyPass;
use crate::api::{Why, annotation};
use crate::plan::ram_access_key::{Intent, SecretSeen, allowed, settle};
use crate::plan::timing::SOON;
use crate::plan::{Reason, Verdict};
use crate::ram::KeyPair;

/// Writes that may follow an unclear outcome.
const ATTEMPTS: u32 = 5;

/// Why a pair was not published.
pub(super) enum Refused {
    /// It never will be: no right, no room, or not a Secret that this cluster takes.
    ForGood(Error),
    /// Somebody else wrote the Secret, or nobody can tell: the pair is left to the rule for strays.
    Unclear(Error),
}

impl KeyPass<'_> {
    /// The Secret as it would be written now with the pair that it holds.
    pub(super) fn wanted(&self) -> Option<Secret> {
        let stored = self.stored.as_ref()?;
        let (id, secret) = secret::pair(stored)?;
        let SecretSeen::Ours(published) = self.read(None) else { return None };
        // A mark that was lost is written again.
        let noted = self.journal.published_time.or(self.journal.create_time);
        let time = published.time.or(noted).unwrap_or_else(|| self.now());
        self.compose(&id, &secret, time, published.intent.as_deref(), &published.retiring)
    }

    fn compose(
        &self,
        id: &str,
        secret: &SecretString,
        time: jiff::Timestamp,
        intent: Option<&str>,
        retiring: &[(String, jiff::Timestamp, Why)],
    ) -> Option<Secret> {
        let account = self.account.as_ref().ok()?;
        let user_name = self.user_name.as_deref()?;
        let domain = account.view.default_domain.as_ref();
        let principal = domain.map(|domain| format!("{user_name}@{domain}"));
        let user_id = self.user_id()?;
        let uid = self.object.uid().unwrap_or_default();
        let content = Content {
            namespace: &self.key.namespace,
            owner: &self.key.name,
            uid: &uid,
            output: &self.object.spec.secret,
            // What a deletion would do now decides whether garbage collection may take the Secret.
            deletion_policy: allowed(self.object.spec.deletion_policy, self.retain_denied),
            id,
            secret,
            account_id: &account.view.account_id,
            user_id: &user_id,
            user_name,
            user_principal_name: principal.as_deref(),
            time,
            intent,
            retiring,
            sealer: self.sealer,
        };
        Some(content.over(self.stored.as_ref()))
    }

    fn not_ready(&self) -> Error {
        Verdict::new(Reason::UserNotReady).about(&self.object.spec.user_ref.name).into()
    }

    /// The dry run before a mint, by the verb that the real write will use.
    pub(super) async fn rehearse(&self) -> Result<(), Error> {
        if self.stored.as_ref().is_some_and(|stored| stored.metadata.deletion_timestamp.is_some()) {
            let what = format!("Secret {} is being deleted", self.secret_name());
            return Err(Verdict::new(Reason::SecretRefused).about(what).again_in(SOON).into());
        }
        let pair = Self::stand_in();
        let secret = self.compose(&pair.id, &pair.secret, self.now(), None, &[]).ok_or_else(|| self.not_ready())?;
        let params = PostParams { dry_run: true, ..PostParams::default() };
        match self.write(&secret, &params).await {
            Ok(_) => Ok(()),
            Err(KubeError::Api(status)) if status.is_already_exists() => {
                Err(Verdict::new(Reason::SecretConflict).about(self.secret_name()).into())
            }
            Err(error) if definite(&error) => Err(refusal(&error)),
            Err(error) => Err(error.into()),
        }
    }

    async fn write(&self, secret: &Secret, params: &PostParams) -> Result<Secret, KubeError> {
        let api = self.secrets();
        match &self.stored {
            None => api.create(params, secret).await,
            Some(_) => api.replace(&secret.name_any(), params, secret).await,
        }
    }

    pub(super) async fn publish(&mut self, pair: &KeyPair, intent: &Intent) -> Result<(), Refused> {
        let now = self.now();
        let journal = settle(&self.seen(), now);
        let why = |id: &String| if journal.is_revoked(id) { Why::Revoked } else { Why::Replaced };
        let replaced = intent.replaces.iter().map(|id| (id.clone(), now, why(id)));
        let earlier = journal.retiring.iter().map(|key| (key.id.clone(), key.time, key.why));
        let retiring: Vec<_> = replaced.chain(earlier).collect();
        let composed = self.compose(&pair.id, &pair.secret, now, Some(&intent.id), &retiring);
        let secret = composed.ok_or_else(|| Refused::Unclear(self.not_ready()))?;
        let mut pause = Duration::from_millis(200);
        for attempt in 1.. {
            let error = match self.write(&secret, &PostParams::default()).await {
                Ok(written) => {
                    self.remember(written);
                    return Ok(());
                }
                Err(error) if definite(&error) => return Err(Refused::ForGood(refusal(&error))),
                Err(error) => error,
            };
            if self.was_written(&intent.id).await {
                return Ok(());
            }
            // A precondition that failed will fail again; anything else is tried on.
            if matches!(&error, KubeError::Api(status) if [404, 409].contains(&status.code)) || attempt >= ATTEMPTS {
                return Err(Refused::Unclear(error.into()));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Refused::Unclear(Error::Unsettled))
    }

    /// After an unclear outcome: whether the Secret holds what was sent.
    async fn was_written(&mut self, intent: &str) -> bool {
        let Ok(Some(found)) = self.secrets().get_opt(self.secret_name()).await else { return false };
        let ours = found.annotations().get(annotation::INTENT).is_some_and(|id| id == intent);
        if ours {
            self.remember(found);
        }
        ours
    }

    pub(super) async fn republish(&mut self) -> Result<(), Error> {
        let Some(secret) = self.wanted() else { return Err(Error::Unsettled) };
        self.put(&secret).await
    }

    /// Publishes a pair that was in RAM before, without an intent: nothing is made.
    pub(super) async fn publish_adopted(&mut self, pair: &KeyPair) -> Result<(), Error> {
        let now = self.now();
        let journal = settle(&self.seen(), now);
        let retiring: Vec<_> = journal.retiring.iter().map(|key| (key.id.clone(), key.time, key.why)).collect();
        let composed = self.compose(&pair.id, &pair.secret, now, None, &retiring);
        let secret = composed.ok_or_else(|| self.not_ready())?;
        self.put(&secret).await
    }

    /// Writes the Secret once; after an unclear outcome the next pass sees what became of it.
    async fn put(&mut self, secret: &Secret) -> Result<(), Error> {
        match self.write(secret, &PostParams::default()).await {
            Ok(written) => {
                self.remember(written);
                Ok(())
            }
            Err(KubeError::Api(status)) if status.is_already_exists() => {
                Err(Verdict::new(Reason::SecretConflict).about(self.secret_name()).into())
            }
            Err(error) if definite(&error) => Err(refusal(&error)),
            Err(error) => Err(error.into()),
        }
    }
}

/// A 4xx that no repetition can change. 404 is none: a replaced Secret that is gone is a precondition that failed.
fn definite(error: &KubeError) -> bool {
    matches!(error, KubeError::Api(status) if (400..500).contains(&status.code) && ![404, 408, 409, 429].contains(&status.code))
}

/// Says what kind of refusal it is. The server's own words stay out: a webhook may repeat the Secret's data in them.
fn refusal(error: &KubeError) -> Error {
    let KubeError::Api(status) = error else { return Error::Unsettled };
    let text = &status.message;
    let what = if text.contains("exceeded quota") {
        "a ResourceQuota is used up".to_owned()
    } else if text.contains("is being terminated") {
        "the namespace is being deleted".to_owned()
    } else if text.contains("admission webhook") || text.contains("ValidatingAdmissionPolicy") {
        "an admission policy refuses it".to_owned()
    } else if text.contains("cannot create resource") || text.contains("cannot update resource") {
        "the operator lacks the right to write Secrets".to_owned()
    } else if text.contains("immutable") {
        "the Secret that exists is immutable; delete it".to_owned()
    } else if status.code == 422 || status.code == 413 {
        "its contents are not accepted, such as their size of at most 1 MiB; see secret.data".to_owned()
    } else {
        format!("{} {}", status.code, status.reason)
    };
    Verdict::new(Reason::SecretRefused).about(what).into()
}
