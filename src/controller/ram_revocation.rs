//! RamRevocation: looks at RAM and at whoever may still have the keys, and carries out the plan's steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::events::EventType;
use kube::{Client, Resource, ResourceExt};
use serde_json::json;
use tokio::sync::OwnedMutexGuard;

use super::accounts::Account;
use super::drive::{Ctx, Kind, ObjectKey, Pass, Passed, drive, note, request, set_finalizer};
use super::error::Error;
use super::ram_user::{KeyFound, by_id, delete_user, holders_of, note_disarmed};
use super::status;
use super::virtual_mfa::{delete_device, of_user};
use crate::api::{FINALIZER, KeyState, RamAccessKey, RamRevocation, RamRevocationStatus, RamUser, Why, annotation};
use crate::plan::marker::Marker;
use crate::plan::mfa_device;
use crate::plan::ram_access_key::Retiring;
use crate::plan::ram_revocation::{Claim, InRam, Owner, Publisher, Seen, Step, next, settled, wants_user};
use crate::plan::{Next, Reason, Verdict};
use crate::ram::{self, Class, KeyStatus, Lane, LastUsed, LoginChanges, MfaKind, UserChanges};

impl Kind for RamRevocation {
    const KIND: &'static str = "RamRevocation";
    const REQUESTS: &'static [&'static str] = &[annotation::ABANDON];
    type Status = RamRevocationStatus;

    fn api(client: Client, _: Option<&str>) -> Api<Self> {
        Api::all(client)
    }
    fn status(&self) -> Option<&RamRevocationStatus> {
        self.status.as_ref()
    }
    fn status_mut(&mut self) -> &mut Option<RamRevocationStatus> {
        &mut self.status
    }
    async fn pass(ctx: &Ctx, key: &ObjectKey, object: Self) -> Passed<Self> {
        if let Some(over) = object.spec.left_over.clone() {
            return super::left_over::pass(ctx, key, object, over).await;
        }
        let created = object.meta().creation_timestamp.as_ref().map(|time| time.0);
        let mut pass = RevocationPass::new(ctx, key, object);
        let outcome = match pass.lock().await {
            Ok(_guard) => drive(ctx, &mut pass).await,
            Err(error) => Err(error),
        };
        let done = matches!(&outcome, Ok(verdict) if verdict.reason == Reason::Revoked);
        ctx.metrics.revocation(key, created.filter(|_| !done));
        let facts = pass.facts();
        // What is still to be taken away is asked about more often than what is at rest.
        Passed { look: Duration::from_mins(2), ..Passed::new(pass.object, facts, outcome) }
    }
}

#[allow(clippy::struct_excessive_bools, reason = "facts of one pass, each read by name")]
struct RevocationPass<'a> {
    ctx: &'a Ctx,
    key: &'a ObjectKey,
    object: RamRevocation,
    account: Result<Arc<Account>, Verdict>,
    client: Option<ram::Client>,
    /// RAM's `UserName` and `UserId`, as far as they are known.
    user: (Option<String>, Option<String>),
    /// What stands before the marker in the user's comments.
    text: String,
    ram: Option<InRam>,
    listed: Option<Timestamp>,
    live_user: bool,
    claims: Vec<Claim>,
    publisher: Option<Publisher>,
    strays: Vec<Retiring>,
    uses: BTreeMap<String, LastUsed>,
    deleted: BTreeSet<String>,
    purged: BTreeSet<String>,
    /// RAM refused to disable the log-on.
    disable_refused: bool,
    /// A virtual MFA device that this pass took from the user.
    mfa_loose: Option<String>,
    /// The one that was made here is deleted.
    mfa_deleted: bool,
    changed: bool,
}

impl<'a> RevocationPass<'a> {
    fn new(ctx: &'a Ctx, key: &'a ObjectKey, object: RamRevocation) -> Self {
        let known = object.status.clone().unwrap_or_default();
        let order = object.spec.order.as_ref().map(|order| &order.user);
        let user = (
            known.user_name.or_else(|| order.map(|user| user.user_name.clone())).filter(|name| !name.is_empty()),
            known.user_id.or_else(|| order.and_then(|user| user.user_id.clone())),
        );
        let mut strays: Vec<Retiring> = known.strays.iter().flatten().map(Retiring::read).collect();
        let left = object.spec.order.iter().flat_map(|order| order.strays.iter().flatten());
        add(&mut strays, left.map(Retiring::read));
        Self {
            ctx,
            key,
            object,
            account: Err(Verdict::new(Reason::AccountNotReady)),
            client: None,
            user,
            text: String::new(),
            ram: None,
            listed: None,
            live_user: false,
            claims: Vec::new(),
            publisher: None,
            strays,
            uses: BTreeMap::new(),
            deleted: BTreeSet::new(),
            purged: BTreeSet::new(),
            disable_refused: false,
            mfa_loose: None,
            mfa_deleted: false,
            changed: true,
        }
    }

    /// Finds account and user, and waits for the RAM user's lock.
    async fn lock(&mut self) -> Result<Option<OwnedMutexGuard<()>>, Error> {
        let name = self.object.spec.account_ref.name.clone();
        self.account = self.ctx.accounts.get(&self.ctx.kube, &name).await?;
        let Ok(account) = self.account.clone() else { return Ok(None) };
        let client = account.client.in_lane(Lane::TakeAway);
        self.client = Some(client.clone());
        if let (None, Some(id)) = (&self.user.0, &self.object.spec.access_key_id)
            && let Some(found) = client.user_of_access_key(id).await?
        {
            self.user = (Some(found.user_name().to_owned()), Some(found.user_id.clone()));
        }
        let Some(user) = &self.user.0 else { return Ok(None) };
        let (guard, _) = self.ctx.locks.take(&account.view.account_id, user).await;
        Ok(Some(guard))
    }

    fn client(&self) -> Result<&ram::Client, Error> {
        self.client.as_ref().ok_or_else(|| Verdict::new(Reason::AccountNotReady).into())
    }

    fn user_name(&self) -> Result<&str, Error> {
        self.user.0.as_deref().ok_or_else(|| Verdict::new(Reason::KeyNotFound).into())
    }

    fn now(&self) -> Timestamp {
        let now = self.client.as_ref().map_or_else(|| self.ctx.clock.now(), ram::Client::now);
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    fn seen(&self) -> Seen {
        Seen {
            finalizer: self.object.finalizers().iter().any(|name| name == FINALIZER),
            deleting: self.object.meta().deletion_timestamp.is_some(),
            abandoned: request(&self.object, annotation::ABANDON).is_some(),
            spec: self.object.spec.clone(),
            account: self.account.as_ref().map(|account| account.view.clone()).map_err(Clone::clone),
            user_name: self.user.0.clone(),
            found_before: self.object.status.as_ref().is_some_and(|status| status.user_id.is_some()),
            ram: self.ram.clone(),
            listed: self.listed,
            live_user: self.live_user,
            claims: self.claims.clone(),
            strays: self.strays.clone(),
            created: self.object.meta().creation_timestamp.as_ref().map(|time| time.0),
            deleted: self.deleted.clone(),
            uses: self.uses.clone(),
            purged: self.purged.clone(),
            publisher: self.publisher.clone(),
            disable_refused: self.disable_refused,
            mfa_ours: self.mfa_ours().filter(|_| !self.mfa_deleted),
            mfa_loose: self.mfa_loose.clone(),
        }
    }

    fn facts(&self) -> RamRevocationStatus {
        let mut status = self.object.status.clone().unwrap_or_default();
        // Whose key it is: for those who ask because they do not know.
        status.user_name.clone_from(&self.user.0);
        if let (Ok(account), Some(ram)) = (&self.account, &self.ram)
            && matches!(ram.user, Owner::Marked(_))
        {
            status.account_id = Some(account.view.account_id.clone());
            status.user_id.clone_from(&self.user.1);
        }
        let strays: Vec<_> = settled(&self.seen(), self.now()).iter().map(Retiring::write).collect();
        status.strays = Some(strays).filter(|strays| !strays.is_empty());
        status
    }

    async fn look_at_cluster(&mut self) -> Result<(), Error> {
        match &self.object.spec.order {
            Some(order) => {
                let (namespace, name, uid) = (order.user.namespace.clone(), order.user.name.clone(), order.uid.clone());
                let user = RamUser::api(self.ctx.kube.clone(), Some(&namespace)).get_metadata_opt(&name).await?;
                self.live_user =
                    user.is_some_and(|u| u.meta().deletion_timestamp.is_none() && u.uid().as_deref() != Some(&uid));
                self.ctx.interests.note(ObjectKey::new(RamUser::KIND, Some(&namespace), &name), self.key);
                let found = holders_of(self.ctx, &namespace, &name, &order.user.user_name, None).await?;
                let others = found.into_iter().filter(|found| found.uid.as_deref() != Some(&uid));
                self.claims = others.map(|found| self.claim(found)).collect();
                // Nobody waits for these when the user is to go with them.
                if wants_user(order) {
                    add(&mut self.strays, self.claims.iter().flat_map(|claim| claim.strays.clone()));
                }
            }
            None => self.publisher = self.publisher_of().await?,
        }
        Ok(())
    }

    fn claim(&self, found: KeyFound) -> Claim {
        self.ctx.interests.note(found.subject, self.key);
        Claim {
            deleting: found.deleting,
            disarmed: found.journal.state == Some(KeyState::Inactive),
            strays: found.journal.strays().cloned().collect(),
            ids: found.ids,
            intents: found.journal.intents,
            name: found.name,
        }
    }

    /// The RamAccessKey that publishes the key which a person named.
    async fn publisher_of(&self) -> Result<Option<Publisher>, Error> {
        let Some(id) = &self.object.spec.access_key_id else { return Ok(None) };
        let params = ListParams::default().fields(&format!("status.accessKeyId={id}"));
        let found = Api::<RamAccessKey>::all(self.ctx.kube.clone()).list_metadata(&params).await?;
        for key in &found.items {
            let subject = ObjectKey::new(RamAccessKey::KIND, key.namespace().as_deref(), &key.name_any());
            self.ctx.interests.note(subject, self.key);
        }
        Ok(found.items.first().map(|key| Publisher {
            namespace: key.namespace().unwrap_or_default(),
            name: key.name_any(),
            told: key.annotations().get(annotation::REVOKE).is_some_and(|value| value.starts_with(id.as_str())),
        }))
    }

    async fn look_at_ram(&mut self) -> Result<(), Error> {
        let client = self.client()?.clone();
        self.listed = Some(self.now());
        let Some(name) = self.user.0.clone() else {
            self.ram = Some(InRam::default());
            return Ok(());
        };
        let (user, keys) = futures::join!(client.get_user(&name), client.list_access_keys(&name));
        let (user, keys) = (user?, keys?.unwrap_or_default());
        let known = self.user.1.clone();
        let user = match user {
            Some(user) if known.as_ref().is_none_or(|id| *id == user.user_id) => match Marker::parse(&user.comments) {
                (text, Some(marker)) => {
                    text.clone_into(&mut self.text);
                    self.user.1 = Some(user.user_id);
                    Owner::Marked(marker)
                }
                (_, None) => Owner::NotOurs,
            },
            _ => match known {
                Some(id) if by_id(&client, &id, &name).await?.is_some() => Owner::NotOurs,
                _ => Owner::Gone,
            },
        };
        let mut seen = InRam { user, ..InRam::default() };
        if matches!(seen.user, Owner::Marked(_)) {
            seen.keys = keys;
            if self.object.spec.order.as_ref().is_some_and(wants_user) {
                let (policies, groups) =
                    futures::join!(client.list_policies_for_user(&name), client.list_groups_for_user(&name));
                seen.policies = policies?.into_iter().map(|attached| attached.policy).collect();
                seen.groups = groups?;
                seen.mfa = of_user(&client, &name, false).await?;
            }
        }
        if matches!(seen.user, Owner::Marked(_))
            && self.object.spec.order.as_ref().is_some_and(|o| wants_user(o) && o.user.console_login)
        {
            seen.login = match self.principal(&name) {
                Some(principal) => client.login_profile(&principal).await?,
                None => client.login_profile_without_status(&name).await?,
            };
        }
        self.ram = Some(seen);
        Ok(())
    }

    /// Serial number of the MFA device that may have been made for the user.
    fn mfa_ours(&self) -> Option<String> {
        let user = &self.object.spec.order.as_ref().filter(|order| order.user.virtual_mfa)?.user;
        let view = &self.account.as_ref().ok()?.view;
        let name = mfa_device::name(&view.owner_id, &user.namespace, &user.name);
        Some(mfa_device::serial(&view.account_id, &name))
    }

    /// A refusal stops nothing: the log-on is deleted then.
    async fn disable_login(&mut self) -> Result<(), Error> {
        let name = self.user_name()?.to_owned();
        let principal = self.principal(&name).ok_or_else(|| Verdict::new(Reason::DomainUnknown))?;
        let changes = LoginChanges { enabled: Some(false), ..LoginChanges::default() };
        match self.client()?.update_login_profile(&principal, &changes).await {
            Err(error) if error.may_ask_for_password() => {
                tracing::warn!(%error, "the log-on cannot be disabled and is deleted");
                self.disable_refused = true;
                Ok(())
            }
            other => Ok(other?),
        }
    }

    async fn unbind_mfa(&mut self) -> Result<(), Error> {
        self.client()?.unbind_mfa_device(self.user_name()?).await?;
        let has = self.ram.as_ref().and_then(|ram| ram.mfa.clone());
        self.mfa_loose = has.filter(|device| device.kind == MfaKind::Virtual).map(|device| device.serial_number);
        Ok(())
    }

    /// The user stays, and is nobody's from now on.
    async fn unmark(&self) -> Result<(), Error> {
        let changes = UserChanges { comments: Some(self.text.clone()), ..UserChanges::default() };
        self.client()?.update_user(self.user_name()?, &changes).await?;
        Ok(())
    }

    async fn delete_mfa_device(&mut self, serial: &str) -> Result<(), Error> {
        let is = |other: Option<&String>| other.is_some_and(|other| other.eq_ignore_ascii_case(serial));
        let (ours, loose) = (is(self.mfa_ours().as_ref()), is(self.mfa_loose.as_ref()));
        delete_device(self.client()?, serial, ours, loose).await?;
        self.mfa_deleted |= ours;
        if loose {
            self.mfa_loose = None;
        }
        Ok(())
    }

    fn principal(&self, name: &str) -> Option<String> {
        let domain = self.account.as_ref().ok()?.view.default_domain.as_ref()?;
        Some(format!("{name}@{domain}"))
    }

    /// Deletes a key from the recycle bin where IMS offers it; an account without it has nothing to purge.
    async fn purge(&mut self, id: String) -> Result<(), Error> {
        purge(self.client()?, &id).await?;
        self.purged.insert(id);
        Ok(())
    }

    /// Written before the key is disabled, so that nobody takes that for a person's work.
    async fn note_stray(&mut self, id: String) -> Result<(), Error> {
        match self.strays.iter_mut().find(|stray| stray.id == id) {
            Some(stray) => stray.disabled_time = None,
            None => self.strays.push(Retiring::new(&id, Why::Stray, self.now())),
        }
        let facts = self.facts();
        status::write(self.ctx, self.key, &mut self.object, facts).await?;
        let message = format!(
            "AccessKey {id} comes from a mint whose answer was lost. It is disabled now and deleted in three hours, unless it turns out to be in use."
        );
        note(self.ctx, &self.object, EventType::Warning, "StrayFound", message).await;
        Ok(())
    }

    async fn tell(&mut self, publisher: Publisher) -> Result<(), Error> {
        let id = self.object.spec.access_key_id.clone().unwrap_or_default();
        let patch = json!({ "metadata": { "annotations": { annotation::REVOKE: id } } });
        let api = RamAccessKey::api(self.ctx.kube.clone(), Some(&publisher.namespace));
        match api.patch_metadata(&publisher.name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => self.publisher = Some(Publisher { told: true, ..publisher }),
            Err(kube::Error::Api(status)) if status.is_not_found() => self.publisher = None,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        let given_up = request(&self.object, annotation::ABANDON);
        let abandoned = given_up.is_some();
        let (type_, reason, message) = match given_up {
            Some(why) => (EventType::Warning, "Abandoned", format!("The order was given up: {}", short(&why))),
            None => (EventType::Normal, "Revoked", "Everything that was ordered is taken away.".to_owned()),
        };
        note(self.ctx, &self.object, type_, reason, message).await;
        let goes = self.object.spec.order.is_some() || abandoned;
        if goes && self.object.meta().deletion_timestamp.is_none() {
            let api = RamRevocation::api(self.ctx.kube.clone(), None);
            match api.delete(&self.key.name, &DeleteParams::default()).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.is_not_found() => return Err(Error::Gone),
                Err(error) => return Err(error.into()),
            }
            self.object = api.get_opt(&self.key.name).await?.ok_or(Error::Gone)?;
        }
        set_finalizer(self.ctx, self.key, &mut self.object, false).await?;
        if self.object.meta().deletion_timestamp.is_some() { Err(Error::Gone) } else { Ok(()) }
    }
}

/// Deletes a key from IMS' recycle bin, if it is there and IMS lets us.
pub async fn purge(client: &ram::Client, id: &str) -> Result<(), Error> {
    let unavailable = |error: &ram::Error| matches!(error.class(), Class::Denied | Class::Invalid | Class::Missing);
    let user = match client.access_key_in_recycle_bin(id).await {
        Ok(user) => user,
        Err(error) if unavailable(&error) => {
            tracing::warn!(%error, id, "the recycle bin is not offered; nothing was deleted from it");
            None
        }
        Err(error) => return Err(error.into()),
    };
    match user {
        Some(user) => match client.purge_access_key(&user, id).await {
            Err(error) if unavailable(&error) => {
                tracing::warn!(%error, id, "the key stays in the recycle bin");
                Ok(())
            }
            other => Ok(other?),
        },
        None => Ok(()),
    }
}

/// Adds strays that are not known yet.
fn add(strays: &mut Vec<Retiring>, more: impl Iterator<Item = Retiring>) {
    for stray in more {
        if !strays.iter().any(|known| known.id == stray.id) {
            strays.push(stray);
        }
    }
}

fn short(why: &str) -> String {
    why.chars().filter(|c| !c.is_control()).take(200).collect()
}

impl Pass for RevocationPass<'_> {
    type Step = Step;

    async fn observe(&mut self) -> Result<(), Error> {
        if !self.changed || self.account.is_err() {
            return Ok(());
        }
        let ordered = self.object.spec.order.as_ref().and_then(|order| order.account_id.as_ref());
        if self.account.as_ref().is_ok_and(|account| account.view.has(ordered)) {
            self.look_at_cluster().await?;
            self.look_at_ram().await?;
            self.changed = false;
        }
        Ok(())
    }

    fn next(&self) -> Next<Step> {
        next(&self.seen(), self.now())
    }

    async fn act(&mut self, step: Step) -> Result<(), Error> {
        let ours =
            matches!(step, Step::AddFinalizer | Step::Finish | Step::LookAtUse(_) | Step::NoteStray(_) | Step::Tell(_));
        if !ours && !self.ctx.lease.holds() {
            return Err(Error::NotLeader);
        }
        self.changed |= !ours;
        match step {
            Step::AddFinalizer => {
                // Found: noted with the finalizer, so that a key that is gone later is known to have been there.
                set_finalizer(self.ctx, self.key, &mut self.object, true).await?;
                let facts = self.facts();
                status::write(self.ctx, self.key, &mut self.object, facts).await.map(drop)
            }
            Step::Finish => self.finish().await,
            Step::Disarm(owner) => {
                let namespace = self.object.spec.order.as_ref().map(|order| order.user.namespace.clone());
                let keys = self.ram.as_ref().map(|ram| ram.keys.clone()).unwrap_or_default();
                note_disarmed(self.ctx, &namespace.unwrap_or_default(), &owner, &keys).await
            }
            Step::Disable(id) => {
                self.client()?.update_access_key(self.user_name()?, &id, KeyStatus::Inactive).await?;
                note(self.ctx, &self.object, EventType::Normal, "KeyDisabled", format!("AccessKey {id} was disabled."))
                    .await;
                Ok(())
            }
            Step::Delete(id) => {
                self.client()?.delete_access_key(self.user_name()?, &id).await?;
                self.deleted.insert(id.clone());
                note(self.ctx, &self.object, EventType::Normal, "KeyDeleted", format!("AccessKey {id} was deleted."))
                    .await;
                Ok(())
            }
            Step::Purge(id) => self.purge(id).await,
            Step::LookAtUse(id) => {
                let used = self.client()?.access_key_last_used(self.user_name()?, &id).await?;
                self.uses.insert(id, used);
                Ok(())
            }
            Step::NoteStray(id) => self.note_stray(id).await,
            Step::Tell(publisher) => self.tell(publisher).await,
            Step::Unmark => self.unmark().await,
            Step::DetachPolicy(policy) => {
                Ok(self.client()?.detach_policy_from_user(self.user_name()?, &policy).await?)
            }
            Step::DisableLogin => self.disable_login().await,
            Step::DeleteLogin => Ok(self.client()?.delete_login_profile(self.user_name()?).await?),
            Step::LeaveGroup(group) => Ok(self.client()?.remove_user_from_group(self.user_name()?, &group).await?),
            Step::UnbindMfa => self.unbind_mfa().await,
            Step::DeleteMfaDevice(serial) => self.delete_mfa_device(&serial).await,
            Step::DeleteUser => {
                delete_user(self.client()?, self.user.1.as_deref().unwrap_or_default(), self.user_name()?).await
            }
        }
    }
}
