//! What a pass reads. Grants, slots and suspects rest on it, so everything is read live.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::super::drive::{Kind, ObjectKey};
use super::super::error::Error;
use super::super::ram_user::{KeyFound, by_id, holders_of, user_name};
use super::super::{status, tenancy};
use super::KeyPass;
use crate::api::{KeyDeletionPolicy, Management, RamUser};
use crate::plan::adoption::rights;
use crate::plan::marker::Marker;
use crate::plan::ram_access_key::{InRam, Ownership, Rights, SecretSeen, Sibling};
use crate::plan::tenant::Grants;
use crate::plan::{Reason, Verdict};

impl KeyPass<'_> {
    pub(super) async fn look(&mut self) -> Result<(), Error> {
        if !self.looked {
            self.look_at_cluster().await?;
        }
        if self.keys_changed && self.may_ask() {
            self.look_at_ram().await?;
            self.keys_changed = false;
        }
        if !self.looked && !self.deleting() {
            self.look_at_workloads().await?;
        }
        self.looked = true;
        self.look_at_sources().await
    }

    /// Read once for each key that is published in this pass; what this pass set itself shows later.
    async fn look_at_sources(&mut self) -> Result<(), Error> {
        if self.object.spec.allowed_sources.is_none() || self.deleting() || self.client.is_none() {
            return Ok(());
        }
        let SecretSeen::Ours(secret) = self.read(None) else { return Ok(()) };
        let Some(id) = secret.id.filter(|id| self.sources_of.as_ref() != Some(id)) else { return Ok(()) };
        let there = self.ram.as_ref().is_some_and(|ram| ram.keys.iter().any(|key| key.id == id));
        if there {
            let (client, principal) = (self.client()?.clone(), self.principal()?);
            self.sources = Some(client.access_key_sources(&principal, &id).await?);
            self.sources_of = Some(id);
        }
        Ok(())
    }

    /// The RamUser names user and account. When it is gone, the journal does.
    pub(super) async fn find_user(&mut self) -> Result<(), Error> {
        let name = &self.object.spec.user_ref.name;
        self.ctx.interests.note(ObjectKey::new(RamUser::KIND, Some(&self.key.namespace), name), self.key);
        self.user = match RamUser::api(self.ctx.kube.clone(), self.key.namespace()).get_opt(name).await {
            // A RamUser that cannot be read says so itself; to its keys it is one that is not ready.
            Err(kube::Error::SerdeError(_)) => return Err(Verdict::new(Reason::UserNotReady).about(name).into()),
            other => other?,
        };
        if let Some(user) = &self.user {
            let subject = ObjectKey::new(RamUser::KIND, Some(&self.key.namespace), name);
            self.ctx.interests.saw(subject, self.key, user.resource_version());
        }
        self.account = match (&self.user, &self.journal.account_id) {
            (Some(user), _) => self.ctx.accounts.get(&self.ctx.kube, &user.spec.account_ref.name).await?,
            (None, Some(id)) => match self.ctx.accounts.by_id(id) {
                Ok(account) => Ok(account),
                Err(_) => return Err(Error::AccountPending(id.clone())),
            },
            (None, None) => Err(Verdict::new(Reason::UserNotFound).about(name)),
        };
        self.client = self.account.as_ref().ok().map(|account| account.client.in_lane(self.lane()));
        let prefix = self.account.as_ref().map_or(String::new(), |account| account.view.prefix.clone());
        // The journal knows under which name the key was made.
        self.user_name =
            self.journal.user_name.clone().or_else(|| self.user.as_ref().map(|user| user_name(user, &prefix)));
        Ok(())
    }

    pub(super) async fn look_at_cluster(&mut self) -> Result<(), Error> {
        self.sealer = Some(self.ctx.seal.open(&self.ctx.kube, &self.ctx.settings.namespace).await?);
        let secret_name = self.secret_name().to_owned();
        let secrets = self.secrets();
        let (namespace, stored, siblings) = futures::join!(
            tenancy::namespace(self.ctx, &self.key.namespace),
            secrets.get_opt(&secret_name),
            self.read_siblings(),
        );
        self.namespace = namespace?;
        self.stored = stored?;
        self.siblings = siblings?;
        let known = |secret: &Secret| secret.resource_version();
        if let Some(stored) = &self.stored {
            self.ctx.echoes.wrote_secret(self.key, known(stored).as_deref());
        }
        self.look_at_pair().await?;
        self.look_at_tenant().await
    }

    async fn look_at_tenant(&mut self) -> Result<(), Error> {
        let Some(user) = &self.user else { return Ok(()) };
        let (account, against) = (user.spec.account_ref.name.clone(), against(user));
        let has = self.journal.access_key_id.is_some();
        let grants =
            tenancy::grants(self.ctx, &account, &self.namespace, &self.object, has, |limits| limits.access_keys)
                .await?;
        self.retain_denied = grants.as_ref().is_ok_and(|grants| grants.retain(true).is_err());
        let retains = self.object.spec.deletion_policy != KeyDeletionPolicy::Delete;
        self.max_age = grants.as_ref().ok().and_then(Grants::max_age);
        let sources = self.object.spec.allowed_sources.as_ref();
        self.grant = grants.and_then(|grants| {
            grants.retain(retains).and_then(|()| grants.sources(sources)).and_then(|()| grants.limit())
        });
        if let Some(reason) = against {
            self.grant = Err(Verdict::new(reason).about(&self.object.spec.user_ref.name));
        }
        Ok(())
    }

    /// Others who have keys of the same user.
    async fn read_siblings(&self) -> Result<Vec<Sibling>, Error> {
        let user = &self.object.spec.user_ref.name;
        let user_name = self.user_name.as_deref().unwrap_or_default();
        let others = holders_of(self.ctx, &self.key.namespace, user, user_name, Some(&self.key.name)).await?;
        let sibling = |found: KeyFound| Sibling {
            name: found.name,
            order: found.order,
            ids: found.ids,
            intents: found.journal.intents,
            interval: found.interval,
        };
        Ok(others.into_iter().map(sibling).collect())
    }

    /// Nothing is asked in another account than the key was made in, nor before there is a user.
    fn may_ask(&self) -> bool {
        let Ok(account) = &self.account else { return false };
        let same = account.view.has(self.journal.account_id.as_ref());
        same && self.user_name.is_some() && self.user_id().is_some()
    }

    pub(super) fn user_id(&self) -> Option<String> {
        let made = self.user.as_ref().and_then(|user| user.status.as_ref()).and_then(|status| status.user_id.clone());
        // While deleting, the user that the key was made on counts, not one that has come since.
        if self.deleting() {
            self.journal.user_id.clone().or(made)
        } else {
            made.or_else(|| self.journal.user_id.clone())
        }
    }

    async fn look_at_ram(&mut self) -> Result<(), Error> {
        let client = self.client()?.clone();
        let name = self.user_name()?.to_owned();
        let known = self.user_id().unwrap_or_default();
        self.listed = Some(self.now());
        // Whose the user is cannot change by what this pass does, so that is read once.
        if let Some(ram) = self.ram.as_mut().filter(|ram| ram.user == Ownership::Ours) {
            ram.keys = client.list_access_keys(&name).await?.unwrap_or_default();
            return Ok(());
        }
        let (user, keys) = futures::join!(client.get_user(&name), client.list_access_keys(&name));
        let (user, keys) = (user?, keys?);
        let ownership = match user {
            Some(user) if user.user_id == known => self.judge(&user.comments),
            // Gone is gone only when a look by id agrees.
            _ => match by_id(&client, &known, &name).await? {
                Some(_) => Ownership::NotOurs,
                None => Ownership::Gone,
            },
        };
        let keys = if ownership == Ownership::Ours { keys.unwrap_or_default() } else { Vec::new() };
        self.ram = Some(InRam { user: ownership, keys });
        Ok(())
    }

    /// Reads what an adopted user may do now. A RamUser that judged something else looks at once.
    pub(super) async fn look_at_rights(&mut self) -> Result<(), Error> {
        let (client, name) = (self.client()?.clone(), self.user_name()?.to_owned());
        let (policies, groups) =
            futures::join!(client.list_policies_for_user(&name), client.list_groups_for_user(&name));
        let policies: Vec<_> = policies?.into_iter().map(|attached| attached.policy).collect();
        self.rights = Some(rights(&policies, &groups?));
        if self.rights_seen() == Rights::Changed {
            let user = &self.object.spec.user_ref.name;
            self.ctx.echoes.poke(&ObjectKey::new(RamUser::KIND, self.key.namespace(), user));
            self.ctx.wake_poked_users.send_modify(|n| *n += 1);
        }
        Ok(())
    }

    pub(super) fn rights_seen(&self) -> Rights {
        let status = self.user.as_ref().and_then(|user| user.status.as_ref());
        let adopted =
            status.and_then(|status| status.adoption.as_ref()).is_some_and(|adoption| adoption.time.is_some());
        match &self.rights {
            _ if !adopted => Rights::Own,
            None => Rights::Unread,
            Some(_) if self.rights == status.and_then(|status| status.judged_rights.clone()) => Rights::Judged,
            Some(_) => Rights::Changed,
        }
    }

    /// The id is the one we know; a marker that is merely missing is drift, somebody else's is not.
    fn judge(&self, comments: &str) -> Ownership {
        let owner = self.account.as_ref().map_or("", |account| account.view.owner_id.as_str());
        let ours = Marker::of(owner, &self.key.namespace, &self.object.spec.user_ref.name, "");
        match Marker::parse(comments).1 {
            Some(marker) if !marker.same_object(&ours) => Ownership::NotOurs,
            _ => Ownership::Ours,
        }
    }
}

/// What of a RamUser stands against granting anything to its keys.
fn against(user: &RamUser) -> Option<Reason> {
    let says = |reason: Reason| {
        status::find(user.status.as_ref(), "Ready").is_some_and(|condition| condition.reason == reason.name())
    };
    match user.spec.management {
        Management::Observe | Management::Plan => Some(Reason::UserNotManaged),
        Management::Manage if unjudged(user) => Some(Reason::UserNotReady),
        Management::Manage => Some(Reason::AdoptionExceedsTenant).filter(|reason| says(*reason)),
    }
}

/// An adopted user whose spec nobody has looked at yet: what it has is judged first. What was seen while it was observed says nothing of that.
pub(super) fn unjudged(user: &RamUser) -> bool {
    let adopted = user.status.as_ref().is_some_and(|status| status.adoption.is_some());
    let judged = status::find(user.status.as_ref(), "Ready").is_some_and(|ready| {
        ready.observed_generation == user.metadata.generation && ready.reason != Reason::Observed.name()
    });
    adopted && !judged
}
