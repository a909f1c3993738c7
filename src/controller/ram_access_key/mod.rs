//! RamAccessKey: looks at RAM, Secret and siblings, and carries out the plan's steps.

mod adopt;
mod mint;
mod observe;
mod publish;
mod restart;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PostParams};
use kube::runtime::events::EventType;
use kube::{Client, Resource, ResourceExt};
use tokio::sync::OwnedMutexGuard;

use self::adopt::Found;
use self::observe::unjudged;
use super::accounts::Account;
use super::drive::{Ctx, Kind, ObjectKey, Pass, Passed, drive, note, now, paused, request, set_finalizer};
use super::error::Error;
use super::hand_over::{Left, Patience, account_of, leave, patience};
use super::management::adopting;
use super::ram_revocation::purge;
use super::seal::Sealer;
use super::secret;
use super::status;
use super::tenancy::NamespaceView;
use crate::api::{
    Binding, FINALIZER, KeyDeletionPolicy, KeyState, Management, RamAccessKey, RamAccessKeyStatus, RamUser,
    RestartTarget, UserDeletionPolicy, UserState, Why, annotation,
};
use crate::plan::ram_access_key::{
    Asked, InRam, Journal, Retiring, SecretSeen, Seen, Sibling, Step, UserSeen, Workload, in_window, next,
    noted_sources, notes, order, released, retain_refused, settle, wanted_sources, window_end,
};
use crate::plan::{Extra, Next, Reason, Verdict};
use crate::ram::{self, Class, KeyPair, KeySources, KeyStatus, Lane, LastUsed, Proof};

/// Why `Retain` acts as `Disable`.
const NO_PAIR_STAYS: &str = "The pair cannot stay in use: its Secret is missing, damaged or about to go with its namespace. The key is disabled instead.";

impl Kind for RamAccessKey {
    const KIND: &'static str = "RamAccessKey";
    const REQUESTS: &'static [&'static str] = &[annotation::ROTATE, annotation::REVOKE, annotation::RESTORE];
    type Status = RamAccessKeyStatus;

    fn api(client: Client, namespace: Option<&str>) -> Api<Self> {
        Api::namespaced(client, namespace.unwrap_or("default"))
    }
    fn status(&self) -> Option<&RamAccessKeyStatus> {
        self.status.as_ref()
    }
    fn status_mut(&mut self) -> &mut Option<RamAccessKeyStatus> {
        &mut self.status
    }
    async fn keep(ctx: &Ctx, key: &ObjectKey, object: &Self) -> Result<(), Error> {
        let name = object.spec.secret.name.as_deref().unwrap_or(&key.name);
        let api = Api::<Secret>::namespaced(ctx.kube.clone(), &key.namespace);
        match api.get_opt(name).await? {
            Some(stored) if secret::belongs_to(&stored.metadata, &key.name) => {
                let kept = secret::released(&stored, &key.name, false);
                api.replace(name, &PostParams::default(), &kept).await?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
    async fn pass(ctx: &Ctx, key: &ObjectKey, object: Self) -> Passed<Self> {
        let mut pass = KeyPass::new(ctx, key, object);
        let (outcome, at_most) = pass.run().await;
        let (facts, extra) = pass.tell();
        ctx.metrics.key_age(key, facts.create_time.as_deref());
        let look = pass.account.as_ref().map_or(Duration::from_hours(1), |account| account.look_interval);
        Passed { extra, look, at_most, ..Passed::new(pass.object, facts, outcome) }
    }
}

/// One pass over one RamAccessKey. What this pass wrote itself is known and not read again.
struct KeyPass<'a> {
    ctx: &'a Ctx,
    key: &'a ObjectKey,
    object: RamAccessKey,
    account: Result<Arc<Account>, Verdict>,
    client: Option<ram::Client>,
    /// The RamUser; `None` until it was read, or if there is none.
    user: Option<RamUser>,
    user_name: Option<String>,
    namespace: NamespaceView,
    grant: Result<(), Verdict>,
    retain_denied: bool,
    max_age: Option<Duration>,
    stored: Option<Secret>,
    /// The pair that is to be adopted.
    found: Option<Found>,
    sealer: Option<&'a Sealer>,
    siblings: Vec<Sibling>,
    ram: Option<InRam>,
    journal: Journal,
    proofs: BTreeMap<String, Proof>,
    uses: BTreeMap<String, LastUsed>,
    /// What an adopted user may do, read just before a mint.
    rights: Option<String>,
    sources: Option<KeySources>,
    /// The key that `sources` was read for.
    sources_of: Option<String>,
    purged: BTreeSet<String>,
    deleted: BTreeSet<String>,
    enabled: BTreeSet<String>,
    /// When the list of keys was asked for.
    listed: Option<Timestamp>,
    workloads: BTreeMap<RestartTarget, Workload>,
    /// The cluster's side was read.
    looked: bool,
    /// The list of keys was changed by us and has to be read again.
    keys_changed: bool,
}

impl<'a> KeyPass<'a> {
    fn new(ctx: &'a Ctx, key: &'a ObjectKey, object: RamAccessKey) -> Self {
        let journal = object.status.as_ref().map(Journal::read).unwrap_or_default();
        Self {
            ctx,
            key,
            object,
            account: Err(Verdict::new(Reason::UserNotFound)),
            client: None,
            user: None,
            user_name: None,
            namespace: NamespaceView::default(),
            grant: Ok(()),
            retain_denied: false,
            max_age: None,
            stored: None,
            found: None,
            sealer: None,
            siblings: Vec::new(),
            ram: None,
            journal,
            proofs: BTreeMap::new(),
            uses: BTreeMap::new(),
            rights: None,
            sources: None,
            sources_of: None,
            purged: BTreeSet::new(),
            deleted: BTreeSet::new(),
            enabled: BTreeSet::new(),
            listed: None,
            workloads: BTreeMap::new(),
            looked: false,
            keys_changed: true,
        }
    }

    fn deleting(&self) -> bool {
        self.object.meta().deletion_timestamp.is_some()
    }

    /// Looks and acts until the plan rests; a deletion that does not succeed soon is handed over.
    async fn run(&mut self) -> (Result<Verdict, Error>, Option<Duration>) {
        // The lock is kept until the order is written.
        let (_guard, outcome) = match self.lock().await {
            Ok(guard) => (guard, drive(self.ctx, self).await),
            Err(error) => (None, Err(error)),
        };
        match patience(self.ctx, self.key, &self.object, &outcome) {
            Patience::Left(left) => (outcome, left),
            Patience::Over => (self.hand_over().await, None),
        }
    }

    /// Leaves what is left in RAM to a RamRevocation, and goes.
    async fn hand_over(&mut self) -> Result<Verdict, Error> {
        if !self.looked {
            self.look_at_cluster().await?;
        }
        let seen = self.seen();
        let journal = settle(&seen, self.now());
        if let Some(mut order) = order(&seen, &journal) {
            let account = match &self.user {
                Some(user) => user.spec.account_ref.name.clone(),
                None => account_of(self.ctx, order.account_id.as_deref()).await?,
            };
            if order.user.user_name.is_empty() {
                order.user.user_name = self.user_name.clone().unwrap_or_default();
            }
            order.user.user_id = order.user.user_id.or_else(|| self.user_id());
            order.user.namespace.clone_from(&self.key.namespace);
            order.user.name.clone_from(&self.object.spec.user_ref.name);
            leave(self.ctx, &self.object, account, Left::Order(Box::new(order))).await?;
            if retain_refused(&seen) {
                note(self.ctx, &self.object, EventType::Warning, "RetainRefused", NO_PAIR_STAYS.to_owned()).await;
            }
        }
        if let Some(marks) = released(&seen) {
            self.release(marks).await?;
        }
        set_finalizer(self.ctx, self.key, &mut self.object, false).await?;
        Err(Error::Gone)
    }

    /// What the Secret says; `wanted` is what would be written now.
    fn read(&self, wanted: Option<&Secret>) -> SecretSeen {
        secret::read(self.stored.as_ref(), &self.key.name, wanted, self.sealer)
    }

    fn asked(&self) -> Asked {
        let value = |key: &str| request(&self.object, key);
        Asked {
            rotate: value(annotation::ROTATE),
            revoke: value(annotation::REVOKE),
            restore: value(annotation::RESTORE),
        }
    }

    /// Finds user and account, and waits for the RAM user's lock.
    async fn lock(&mut self) -> Result<Option<OwnedMutexGuard<()>>, Error> {
        self.find_user().await?;
        let (Ok(account), Some(name)) = (&self.account, &self.user_name) else { return Ok(None) };
        let (guard, waited) = self.ctx.locks.take(&account.view.account_id, name).await;
        if waited {
            let api = RamAccessKey::api(self.ctx.kube.clone(), self.key.namespace());
            self.object = api.get_opt(&self.key.name).await?.ok_or(Error::Gone)?;
            self.ctx.echoes.wrote(self.key, self.object.resource_version().as_deref());
            self.journal = self.object.status.as_ref().map(Journal::read).unwrap_or_default();
            self.find_user().await?;
        }
        Ok(Some(guard))
    }

    fn client(&self) -> Result<&ram::Client, Error> {
        self.client.as_ref().ok_or_else(|| Verdict::new(Reason::AccountNotReady).into())
    }

    fn user_name(&self) -> Result<&str, Error> {
        self.user_name.as_deref().ok_or_else(|| Verdict::new(Reason::UserNotReady).into())
    }

    fn lane(&self) -> Lane {
        if self.deleting() { Lane::TakeAway } else { Lane::Ordinary }
    }

    fn now(&self) -> Timestamp {
        let now = self.client.as_ref().map_or_else(|| self.ctx.clock.now(), ram::Client::now);
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    fn secret_name(&self) -> &str {
        self.object.spec.secret.name.as_deref().unwrap_or(&self.key.name)
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.ctx.kube.clone(), &self.key.namespace)
    }

    fn seen(&self) -> Seen {
        let wanted = self.wanted();
        Seen {
            name: self.key.name.clone(),
            deleting: self.deleting(),
            namespace_terminating: self.namespace.terminating,
            finalizer: self.object.finalizers().iter().any(|name| name == FINALIZER),
            paused: paused(&self.object),
            spec: self.object.spec.clone(),
            asked: self.asked(),
            journal: self.journal.clone(),
            account: self.account.as_ref().map(|account| account.view.clone()).map_err(Clone::clone),
            grant: self.grant.clone(),
            retain_denied: self.retain_denied,
            max_age: self.max_age,
            user: self.user_seen(),
            rights: self.rights_seen(),
            ram: self.ram.clone(),
            listed: self.listed,
            deleted: self.deleted.clone(),
            enabled: self.enabled.clone(),
            secret: self.read(wanted.as_ref()),
            to_adopt: self.found.as_ref().map(|found| found.seen.clone()),
            siblings: self.siblings.clone(),
            proofs: self.proofs.clone(),
            uses: self.uses.clone(),
            sources: self.sources.clone(),
            purged: self.purged.clone(),
            workloads: self.workloads.clone(),
        }
    }

    fn user_seen(&self) -> UserSeen {
        let Some(user) = &self.user else { return UserSeen::Missing };
        let status = user.status.as_ref();
        let ready = status::find(status, "Ready").is_some_and(|c| c.status == "True") && !unjudged(user);
        // A RamUser that is not managed now changes nothing: what is disabled stays so, and the rest in use.
        let suspended = match user.spec.management {
            Management::Manage => user.spec.state == UserState::Suspended,
            Management::Observe | Management::Plan => {
                self.journal.state == Some(KeyState::Inactive) && self.object.spec.state == KeyState::Active
            }
        };
        let deleting = user.meta().deletion_timestamp.is_some();
        let known = status.is_some_and(|status| status.user_id.is_some());
        let adoption = adopting(user, status.and_then(|status| status.adoption.as_ref()), known, now(self.ctx));
        let allowed = adoption.adopted() || !self.retain_denied;
        let stays = adoption.holds() || (user.spec.deletion_policy == UserDeletionPolicy::Retain && allowed);
        match status.and_then(|status| status.user_id.clone()) {
            Some(user_id) => UserSeen::Made { user_id, ready, deleting, suspended, stays },
            None if deleting => UserSeen::Made { user_id: String::new(), ready: false, deleting, suspended, stays },
            None => UserSeen::Unmade,
        }
    }

    /// The status without conditions, and the conditions beside `Ready`.
    fn tell(&self) -> (RamAccessKeyStatus, Vec<Extra>) {
        if !self.looked {
            return (self.facts(&self.journal), Vec::new());
        }
        let (seen, now) = (self.seen(), self.now());
        let journal = settle(&seen, now);
        (self.facts(&journal), notes(&seen, &journal, now))
    }

    fn facts(&self, journal: &Journal) -> RamAccessKeyStatus {
        let mut status = self.object.status.clone().unwrap_or_default();
        journal.write(&mut status);
        if journal.access_key_id.is_some() {
            if let Some(name) = &self.user_name {
                status.user_name = Some(name.clone());
            }
            let binding = Binding { name: self.secret_name().to_owned() };
            status.secret = Some(binding.clone());
            status.binding = Some(binding);
        }
        status
    }

    /// Writes the journal now, by compare-and-swap; conditions stay as they are.
    async fn write_journal(&mut self, journal: Journal) -> Result<(), Error> {
        let mut wanted = self.object.status.clone().unwrap_or_default();
        journal.write(&mut wanted);
        status::write(self.ctx, self.key, &mut self.object, wanted).await?;
        self.journal = journal;
        Ok(())
    }

    async fn record(&mut self) -> Result<(), Error> {
        let journal = settle(&self.seen(), self.now());
        self.write_journal(journal).await
    }

    /// Deletes a key from the recycle bin, where IMS offers it.
    async fn purge(&mut self, id: String) -> Result<(), Error> {
        purge(self.client()?, &id).await?;
        self.purged.insert(id);
        Ok(())
    }

    /// IMS names users by principal name, which needs the default domain.
    fn principal(&self) -> Result<String, Error> {
        let domain = self.account.as_ref().ok().and_then(|account| account.view.default_domain.clone());
        let domain = domain.ok_or_else(|| Error::from(Verdict::new(Reason::PrincipalNameUnknown)))?;
        Ok(format!("{}@{domain}", self.user_name()?))
    }

    async fn set_sources(&mut self, id: &str) -> Result<(), Error> {
        let Some(wanted) = self.object.spec.allowed_sources.as_ref().map(wanted_sources) else { return Ok(()) };
        let (client, principal) = (self.client()?.clone(), self.principal()?);
        client.set_access_key_sources(&principal, id, &wanted).await?;
        // RAM shows what was set only after a while: a later look decides, and until then nobody sets it again.
        let journal =
            Journal { sources: Some(noted_sources(id, &wanted, self.now())), ..settle(&self.seen(), self.now()) };
        self.sources_of = None;
        self.write_journal(journal).await
    }

    async fn record_state(&mut self, state: KeyState) -> Result<(), Error> {
        let mut journal = settle(&self.seen(), self.now());
        match state {
            KeyState::Inactive => journal.disarm(self.ram.as_ref().map_or(&[][..], |ram| &ram.keys)),
            KeyState::Active => journal.rearm(self.now()),
        }
        self.write_journal(journal).await
    }

    /// Asks RAM whose the published pair is, and by that whether it works.
    async fn prove(&mut self, id: String) -> Result<(), Error> {
        let pair = self.stored.as_ref().and_then(secret::pair);
        let (_, secret) = pair.ok_or_else(|| Verdict::new(Reason::Unproven).about(&id))?;
        let proof = self.client()?.prove(&KeyPair { id: id.clone(), secret, create_time: None }).await?;
        self.proofs.insert(id, proof);
        Ok(())
    }

    async fn look_at_use(&mut self, id: String) -> Result<(), Error> {
        let (client, name) = (self.client()?.clone(), self.user_name()?.to_owned());
        // IMS names the service too. Without it, or without its right, RAM knows the time.
        let by_service = match self.principal() {
            Ok(principal) => match client.access_key_last_used_by_service(&principal, &id).await {
                Err(error) if matches!(error.class(), Class::Denied | Class::Invalid) => None,
                other => Some(other?),
            },
            Err(_) => None,
        };
        let used = match by_service {
            Some(used) => used,
            None => client.access_key_last_used(&name, &id).await?,
        };
        self.uses.insert(id, used);
        Ok(())
    }

    async fn set_key(&mut self, id: &str, status: KeyStatus) -> Result<(), Error> {
        self.client()?.update_access_key(self.user_name()?, id, status).await?;
        self.keys_changed = true;
        match status {
            KeyStatus::Active => self.enabled.insert(id.to_owned()),
            KeyStatus::Inactive => self.enabled.remove(id),
        };
        let (reason, message) = match status {
            KeyStatus::Active => ("KeyEnabled", format!("AccessKey {id} was enabled.")),
            KeyStatus::Inactive => ("KeyDisabled", format!("AccessKey {id} was disabled.")),
        };
        note(self.ctx, &self.object, EventType::Normal, reason, message).await;
        Ok(())
    }

    async fn delete_key(&mut self, id: &str) -> Result<(), Error> {
        self.client()?.delete_access_key(self.user_name()?, id).await?;
        self.keys_changed = true;
        self.deleted.insert(id.to_owned());
        note(self.ctx, &self.object, EventType::Normal, "KeyDeleted", format!("AccessKey {id} was deleted.")).await;
        Ok(())
    }

    /// First moves every Secret that a late publisher could still write, so that its precondition fails; then takes the key as ours.
    async fn adopt_stray(&mut self, id: String, fence: Vec<String>) -> Result<(), Error> {
        for owner in fence {
            self.fence(&owner, &id).await?;
        }
        let mut journal = settle(&self.seen(), self.now());
        let suspect = self.ram.iter().flat_map(|ram| &ram.keys).find(|key| key.id == id);
        let holding = journal.intents.iter().filter(|intent| suspect.is_none_or(|key| in_window(intent, key)));
        let end = window_end(holding).unwrap_or_else(|| self.now());
        journal.retiring.push(Retiring::new(&id, Why::Stray, end));
        self.write_journal(journal).await?;
        let message = format!(
            "AccessKey {id} comes from a mint whose answer was lost. It is disabled now and deleted in three hours, unless it turns out to be in use."
        );
        note(self.ctx, &self.object, EventType::Warning, "StrayFound", message).await;
        Ok(())
    }

    async fn fence(&mut self, owner: &str, suspect: &str) -> Result<(), Error> {
        let name =
            if owner == self.key.name { Some(self.secret_name().to_owned()) } else { self.secret_of(owner).await? };
        let Some(name) = name else { return Ok(()) };
        let api = self.secrets();
        let Some(mut stored) = api.get_opt(&name).await? else { return Ok(()) };
        if !secret::belongs_to(&stored.metadata, owner) {
            return Ok(());
        }
        // Published since this pass read the Secret: it is no stray. A pair that is damaged is of no use to anybody.
        if secret::pair(&stored).is_some_and(|(id, _)| id == suspect) {
            return Err(Error::Unsettled);
        }
        stored.metadata.managed_fields = None;
        stored.annotations_mut().insert(annotation::FENCED_TIME.to_owned(), self.now().to_string());
        let written = api.replace(&name, &PostParams::default(), &stored).await?;
        if owner == self.key.name {
            self.remember(written);
        }
        Ok(())
    }

    async fn secret_of(&self, owner: &str) -> Result<Option<String>, Error> {
        let api = RamAccessKey::api(self.ctx.kube.clone(), self.key.namespace());
        let sibling = api.get_opt(owner).await?;
        Ok(sibling.map(|sibling| sibling.spec.secret.name.clone().unwrap_or_else(|| sibling.name_any())))
    }

    fn remember(&mut self, written: Secret) {
        self.ctx.echoes.wrote_secret(self.key, written.metadata.resource_version.as_deref());
        self.stored = Some(written);
    }

    /// Lets the Secret stay when the object goes.
    async fn release(&mut self, marks: bool) -> Result<(), Error> {
        let Some(stored) = &self.stored else { return Ok(()) };
        let wanted = secret::released(stored, &self.key.name, marks);
        let written = self.secrets().replace(&wanted.name_any(), &PostParams::default(), &wanted).await?;
        self.remember(written);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        let asked = self.object.spec.deletion_policy;
        let id = self.journal.access_key_id.clone().unwrap_or_default();
        let (type_, reason, message) = match asked {
            KeyDeletionPolicy::Delete => {
                (EventType::Normal, "Removed", "All keys of this object are deleted.".to_owned())
            }
            _ if self.retain_denied => {
                let message = "All keys of this object are deleted: the tenant denies to leave one.".to_owned();
                (EventType::Warning, "RetainRefused", message)
            }
            _ => {
                let stays = self.ram.as_ref().and_then(|ram| ram.keys.iter().find(|key| key.id == id));
                match stays {
                    Some(_) if retain_refused(&self.seen()) => {
                        (EventType::Warning, "RetainRefused", NO_PAIR_STAYS.to_owned())
                    }
                    Some(key) => {
                        (EventType::Normal, "Retained", format!("AccessKey {id} is left in RAM, {}.", key.status))
                    }
                    None => (EventType::Normal, "Removed", "No key of this object is left in RAM.".to_owned()),
                }
            }
        };
        note(self.ctx, &self.object, type_, reason, message).await;
        set_finalizer(self.ctx, self.key, &mut self.object, false).await
    }
}

impl Pass for KeyPass<'_> {
    type Step = Step;

    async fn observe(&mut self) -> Result<(), Error> {
        self.look().await
    }

    fn next(&self) -> Next<Step> {
        next(&self.seen(), self.now())
    }

    async fn act(&mut self, step: Step) -> Result<(), Error> {
        let writes = matches!(
            step,
            Step::Mint { .. }
                | Step::AdoptKey(_)
                | Step::Enable(_)
                | Step::Disable(_)
                | Step::Delete(_)
                | Step::Purge(_)
                | Step::SetSources(_)
        );
        if writes && !self.ctx.lease.holds() {
            return Err(Error::NotLeader);
        }
        match step {
            Step::AddFinalizer => set_finalizer(self.ctx, self.key, &mut self.object, true).await,
            Step::RemoveFinalizer => self.finish().await,
            Step::Mint { replaces } => self.mint(replaces).await,
            Step::ProvePair => self.prove_pair().await,
            Step::AdoptKey(id) => self.adopt_key(&id).await,
            Step::Republish => self.republish().await,
            Step::Prove(id) => self.prove(id).await,
            Step::LookAtUse(id) => self.look_at_use(id).await,
            Step::LookAtRights => self.look_at_rights().await,
            Step::RecordState(state) => self.record_state(state).await,
            Step::Record => self.record().await,
            Step::Purge(id) => self.purge(id).await,
            Step::SetSources(id) => self.set_sources(&id).await,
            Step::Restart(target) => self.restart(target).await,
            Step::Enable(id) => self.set_key(&id, KeyStatus::Active).await,
            Step::Disable(id) => self.set_key(&id, KeyStatus::Inactive).await,
            Step::Delete(id) => self.delete_key(&id).await,
            Step::AdoptStray { id, fence } => self.adopt_stray(id, fence).await,
            Step::Release { marks } => self.release(marks).await,
        }
    }
}
