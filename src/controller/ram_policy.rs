//! RamPolicy: looks at RAM and the cluster, and carries out the plan's steps.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::Api;
use kube::runtime::events::EventType;
use kube::{Client, Resource, ResourceExt};
use tokio::sync::OwnedMutexGuard;

use super::accounts::Account;
use super::drive::{Ctx, Kind, ObjectKey, Pass, Passed, drive, note, now, paused, set_finalizer};
use super::elsewhere::{self, Found};
use super::error::Error;
use super::hand_over::{Left, Patience, leave, patience};
use super::management::{adopting, adoption_status, listed};
use super::references::Referred;
use super::status;
use super::tenancy;
use crate::api::{
    Adoption, AttachedTo, FINALIZER, LeftKind, LeftOver, Management, Observed, RamPolicy, RamPolicyStatus,
    UserDeletionPolicy, Written, annotation,
};
use crate::digest;
use crate::plan::adoption::{self, Adopting, may_be};
use crate::plan::marker::Marker;
use crate::plan::names::policy_name as generated;
use crate::plan::ownership::{Elsewhere, Known, Ownership, ownership};
use crate::plan::preview::{Preview, preview};
use crate::plan::ram_policy::{Holder, InRam, Memory, Policy, Seen, Step, next, pending, sees};
use crate::plan::tenant::{Grants, Thing};
use crate::plan::{Extra, Next, Reason, Verdict};
use crate::ram::{self, Class, Lane, PolicyDetail, PolicyEntities, PolicyRef, PolicyType};

/// Names of each kind that the status shows.
const SHOWN: usize = 50;

impl Kind for RamPolicy {
    const KIND: &'static str = "RamPolicy";
    const REQUESTS: &'static [&'static str] = &[annotation::ACCEPT_ADOPTION];
    type Status = RamPolicyStatus;

    fn api(client: Client, namespace: Option<&str>) -> Api<Self> {
        Api::namespaced(client, namespace.unwrap_or("default"))
    }
    fn status(&self) -> Option<&RamPolicyStatus> {
        self.status.as_ref()
    }
    fn status_mut(&mut self) -> &mut Option<RamPolicyStatus> {
        &mut self.status
    }
    async fn pass(ctx: &Ctx, key: &ObjectKey, object: Self) -> Passed<Self> {
        let account = match ctx.accounts.get(&ctx.kube, &object.spec.account_ref.name).await {
            Ok(account) => account,
            Err(error) => {
                let facts = object.status.clone().unwrap_or_default();
                let mut pass = PolicyPass::new(ctx, key, object, Err(Verdict::new(Reason::AccountNotReady)));
                let (outcome, at_most) = pass.end(Err(error)).await;
                return Passed { at_most, ..Passed::new(pass.object, facts, outcome) };
            }
        };
        let look = account.as_ref().map_or(Duration::from_hours(1), |account| account.look_interval);
        let mut pass = PolicyPass::new(ctx, key, object, account);
        let (outcome, at_most) = match pass.lock().await {
            Ok(_guard) => {
                let outcome = drive(ctx, &mut pass).await;
                pass.end(outcome).await
            }
            Err(error) => pass.end(Err(error)).await,
        };
        let (facts, extra) = (pass.facts(), pass.extra());
        Passed { extra, look, at_most, ..Passed::new(pass.object, facts, outcome) }
    }
}

impl Referred for RamPolicy {
    const RAM_NAME: &'static str = "/status/policyName";
    const IDENTITY: &'static str = "/status/createTime";
}

/// The lock of a policy; no user has such a name.
#[must_use]
pub fn lock_name(policy_name: &str) -> String {
    format!("policy/{policy_name}")
}

/// A custom policy by name.
#[must_use]
pub fn custom(name: &str) -> PolicyRef {
    PolicyRef { kind: PolicyType::Custom, name: name.to_owned() }
}

fn memory(ctx: &Ctx, object: &RamPolicy) -> Memory {
    let stored = object.status.clone().unwrap_or_default();
    let written = stored.written.and_then(|written| Some((written.sha256, written.time.parse().ok()?)));
    Memory {
        adoption: adopting(object, stored.adoption.as_ref(), stored.create_time.is_some(), now(ctx)),
        account_id: stored.account_id,
        create_time: stored.create_time,
        marker_uid: stored.marker_uid,
        written,
    }
}

struct PolicyPass<'a> {
    ctx: &'a Ctx,
    key: &'a ObjectKey,
    object: RamPolicy,
    account: Result<Arc<Account>, Verdict>,
    client: Option<ram::Client>,
    memory: Memory,
    tenant: Option<Result<Grants, Verdict>>,
    ram: Option<InRam>,
    detail: Option<PolicyDetail>,
    entities: PolicyEntities,
    witnessed: bool,
    elsewhere: Elsewhere,
    made_here: bool,
    changed: bool,
    /// What would be done, where that is only listed.
    plan: Option<Vec<String>>,
}

impl<'a> PolicyPass<'a> {
    fn new(ctx: &'a Ctx, key: &'a ObjectKey, object: RamPolicy, account: Result<Arc<Account>, Verdict>) -> Self {
        let lane = if object.meta().deletion_timestamp.is_some() { Lane::TakeAway } else { Lane::Ordinary };
        let client = account.as_ref().ok().map(|account| account.client.in_lane(lane));
        let memory = memory(ctx, &object);
        Self {
            ctx,
            key,
            object,
            account,
            client,
            memory,
            tenant: None,
            ram: None,
            detail: None,
            entities: PolicyEntities::default(),
            witnessed: false,
            elsewhere: Elsewhere::Nothing,
            made_here: false,
            changed: true,
            plan: None,
        }
    }

    /// Waits for the policy's lock; what was read before somebody else let go of it is read again.
    async fn lock(&mut self) -> Result<Option<OwnedMutexGuard<()>>, Error> {
        let Ok(account) = &self.account else { return Ok(None) };
        let (guard, waited) = self.ctx.locks.take(&account.view.account_id, &lock_name(&self.policy_name())).await;
        if waited {
            let api = RamPolicy::api(self.ctx.kube.clone(), self.key.namespace());
            self.object = api.get_opt(&self.key.name).await?.ok_or(Error::Gone)?;
            self.memory = memory(self.ctx, &self.object);
            self.ctx.echoes.wrote(self.key, self.object.resource_version().as_deref());
        }
        Ok(Some(guard))
    }

    fn deleting(&self) -> bool {
        self.object.meta().deletion_timestamp.is_some()
    }

    fn policy_name(&self) -> String {
        let known = self.object.status.as_ref().and_then(|status| status.policy_name.clone());
        let prefix = self.account.as_ref().map_or("", |account| account.view.prefix.as_str());
        known
            .or_else(|| self.object.spec.policy_name.clone())
            .unwrap_or_else(|| generated(prefix, &self.key.namespace, &self.key.name))
    }

    fn marker(&self) -> Option<Marker> {
        let account = self.account.as_ref().ok()?;
        let uid = self.object.uid().unwrap_or_default();
        let owner = &account.view.owner_id;
        Some(Marker::for_kind(RamPolicy::KIND, owner, &self.key.namespace, &self.key.name, &uid))
    }

    fn client(&self) -> Result<&ram::Client, Error> {
        self.client.as_ref().ok_or_else(|| Verdict::new(Reason::AccountNotReady).into())
    }

    fn now(&self) -> Timestamp {
        self.client.as_ref().map_or_else(|| self.ctx.clock.now(), ram::Client::now)
    }

    fn seen(&self) -> Seen {
        Seen {
            deleting: self.deleting(),
            deletion_time: self.object.meta().deletion_timestamp.as_ref().map(|time| time.0),
            finalizer: self.object.finalizers().iter().any(|name| name == FINALIZER),
            paused: paused(&self.object),
            policy_name: self.policy_name(),
            spec: self.object.spec.clone(),
            memory: self.memory.clone(),
            marker: self.marker(),
            account: self.account.as_ref().map(|account| account.view.clone()).map_err(Clone::clone),
            tenant: self.tenant.clone().unwrap_or_else(|| Err(Verdict::new(Reason::NotATenant))),
            ram: self.ram.clone(),
            witnessed: self.witnessed,
            elsewhere: self.elsewhere,
        }
    }

    async fn observe_tenant(&mut self) -> Result<(), Error> {
        let namespace = tenancy::namespace(self.ctx, &self.key.namespace).await?;
        let account = &self.object.spec.account_ref.name;
        let has = self.memory.create_time.is_some();
        let grants =
            tenancy::grants(self.ctx, account, &namespace, &self.object, has, |limits| limits.policies).await?;
        self.tenant = Some(grants);
        Ok(())
    }

    async fn observe_ram(&mut self) -> Result<(), Error> {
        let client = self.client()?.clone();
        let policy = custom(&self.policy_name());
        self.detail = client.policy(&policy).await?;
        let attached = self.detail.as_ref().is_some_and(|detail| detail.attachment_count != Some(0));
        self.entities =
            if attached { client.list_entities_for_policy(&policy).await? } else { PolicyEntities::default() };
        let holders = if self.deleting() { self.holders(&client).await? } else { Vec::new() };
        self.witnessed |= self.detail.is_some();
        self.ram = Some(InRam { policy: self.detail.as_ref().map(as_policy), holders });
        Ok(())
    }

    async fn holders(&self, client: &ram::Client) -> Result<Vec<(Holder, bool)>, Error> {
        let owner = self.account.as_ref().map_or("", |account| account.view.owner_id.as_str());
        holders(client, owner, &self.entities).await
    }

    /// What other objects say of a policy that this one does not know.
    async fn look_elsewhere(&self) -> Result<Elsewhere, Error> {
        let (Ok(account), Some(detail), Some(ours), None) =
            (&self.account, &self.detail, self.marker(), &self.memory.create_time)
        else {
            return Ok(Elsewhere::Nothing);
        };
        let (spec, policy) = (&self.object.spec, as_policy(detail));
        let found = Found {
            account_id: &account.view.account_id,
            text: &policy.description,
            ours: &ours,
            adopts: spec.adoption == Adoption::IfUnowned && spec.management != Management::Observe && !self.deleting(),
            owned: &[("policyName", detail.policy.name.as_str()), ("createTime", policy.create_time.as_str())],
            ordered: ("leftOver.ramName", detail.policy.name.as_str()),
        };
        elsewhere::look(self.ctx, &self.object, &found).await
    }

    /// Found again after its status was lost, written before a crash, or made again after somebody deleted it.
    fn recognise(&mut self) {
        if let (Some(detail), Some(ours), Elsewhere::Nothing) = (&self.detail, self.marker(), self.elsewhere)
            && let Some(marker) = Marker::parse(&detail.description).1.filter(|marker| marker.same_object(&ours))
        {
            // One that this pass made shows here first, too.
            let lost = self.memory.create_time.is_none() && !self.made_here;
            if marker == ours {
                self.memory.create_time = Some(as_policy(detail).create_time);
                self.memory.marker_uid = Some(ours.uid);
            }
            if lost {
                self.memory.adoption = self.memory.adoption.recognised(self.may_be_adopted(), now(self.ctx));
            }
        }
    }

    /// Whether what has our marker may have been adopted.
    fn may_be_adopted(&self) -> bool {
        let spec = &self.object.spec;
        let grants = self.tenant.as_ref().and_then(|tenant| tenant.as_ref().ok());
        may_be(grants, Thing::Policy, spec.policy_name.as_deref(), spec.adoption)
    }

    /// Whether what is in RAM stays there.
    fn retains(&self) -> bool {
        let tenant = self.tenant.as_ref().and_then(|tenant| tenant.as_ref().ok());
        self.memory.adoption.stays(self.object.spec.deletion_policy, tenant)
    }

    /// A deletion that does not succeed soon is handed over.
    async fn end(&mut self, outcome: Result<Verdict, Error>) -> (Result<Verdict, Error>, Option<Duration>) {
        match patience(self.ctx, self.key, &self.object, &outcome) {
            Patience::Left(left) => (outcome, left),
            Patience::Over => (self.hand_over().await.and(Err(Error::Gone)), None),
        }
    }

    /// Leaves the rest to a RamRevocation, and goes. A policy that was made here and is to stay keeps its marker then; one that was adopted must
    /// not, or an object made again under that name would take it for its own making.
    async fn hand_over(&mut self) -> Result<(), Error> {
        let may_be = self.memory.create_time.is_none() && self.may_be_adopted();
        self.memory.adoption = self.memory.adoption.recognised(may_be, now(self.ctx));
        let retains = self.retains();
        if !retains || self.memory.adoption.adopted() {
            let left = LeftOver {
                kind: LeftKind::RamPolicy,
                namespace: self.key.namespace.clone(),
                name: self.key.name.clone(),
                uid: self.object.uid().unwrap_or_default(),
                account_id: self.memory.account_id.clone(),
                ram_name: self.policy_name(),
                identity: self.memory.create_time.clone(),
                deletion_policy: if retains { UserDeletionPolicy::Retain } else { UserDeletionPolicy::Delete },
            };
            let account = self.object.spec.account_ref.name.clone();
            leave(self.ctx, &self.object, account, Left::Over(left)).await?;
        }
        set_finalizer(self.ctx, self.key, &mut self.object, false).await
    }

    fn facts(&self) -> RamPolicyStatus {
        let mut status = self.object.status.clone().unwrap_or_default();
        status.plan = listed(status.plan.take(), self.plan.as_ref(), self.object.spec.management);
        self.forget_sight(&mut status);
        let (Ok(account), Some(detail), Some(ours)) = (&self.account, &self.detail, self.marker()) else {
            return status;
        };
        let policy = as_policy(detail);
        let Memory { create_time, marker_uid, .. } = &self.memory;
        let known =
            Known { identity: create_time.as_deref(), marker_uid: marker_uid.as_deref(), elsewhere: self.elsewhere };
        if known.identity.is_none()
            || matches!(ownership(known, &ours, &policy.create_time, &policy.description), Ownership::Not(_))
        {
            if sees(&self.seen()) {
                let create_time = Some(policy.create_time).filter(|time| !time.is_empty());
                status.observed = Some(Observed { id: None, create_time });
                self.holdings(&mut status, detail);
            }
            return status;
        }
        status.account_id = Some(account.view.account_id.clone());
        status.create_time.clone_from(&self.memory.create_time);
        status.marker_uid.clone_from(&self.memory.marker_uid);
        let written = self.memory.written.clone();
        status.written = written.map(|(sha256, time)| Written { sha256, time: time.to_string() });
        status.adoption = adoption_status(self.memory.adoption);
        self.holdings(&mut status, detail);
        status
    }

    /// What was shown of somebody else's policy goes when it may not be seen any more, and before it is shown anew.
    fn forget_sight(&self, status: &mut RamPolicyStatus) {
        let denied = self.tenant.is_some() && !sees(&self.seen());
        if (denied || self.ram.is_some()) && status.observed.take().is_some() {
            status.policy_name = None;
            status.version = None;
            status.attachment_count = None;
            status.attached_to = None;
        }
    }

    /// What a policy is called, and who has it.
    fn holdings(&self, status: &mut RamPolicyStatus, detail: &PolicyDetail) {
        status.policy_name = Some(detail.policy.name.clone());
        status.version = Some(detail.default_version.clone());
        let PolicyEntities { users, groups, roles } = &self.entities;
        let count = users.len() + groups.len() + roles.len();
        status.attachment_count = Some(i64::try_from(count).unwrap_or(i64::MAX));
        let shown = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort();
            names.truncate(SHOWN);
            Some(names).filter(|names| !names.is_empty())
        };
        let attached = AttachedTo { users: shown(users), groups: shown(groups), roles: shown(roles) };
        status.attached_to = Some(attached).filter(|attached| *attached != AttachedTo::default());
    }

    /// Conditions beside those that every kind has.
    fn extra(&self) -> Vec<Extra> {
        if self.deleting() {
            return Vec::new();
        }
        adoption::pending(&pending(&self.seen())).into_iter().collect()
    }

    async fn record_adoption(&mut self) -> Result<(), Error> {
        let adoption = Adopting { noted: Some(now(self.ctx)), ..self.memory.adoption };
        let mut facts = self.object.status.clone().unwrap_or_default();
        facts.adoption = adoption_status(adoption);
        status::write(self.ctx, self.key, &mut self.object, facts).await?;
        self.memory.adoption = adoption;
        Ok(())
    }

    async fn create(&mut self, document: &str, description: &str) -> Result<(), Error> {
        match self.client()?.create_policy(&self.policy_name(), document, description).await {
            // Somebody was faster: the next look finds out whose it is.
            Err(error) if error.class() == Class::Exists => return Err(Error::Unsettled),
            other => other?,
        }
        self.made_here = true;
        // Whatever was adopted under this name is gone.
        self.memory.adoption.noted = None;
        Ok(())
    }

    async fn create_version(&mut self, document: &str) -> Result<(), Error> {
        let name = self.policy_name();
        let outcome = self.client()?.create_policy_version(&name, document).await;
        let now = self.now();
        // It may be there all the same: until it would show, none is made again.
        let lost = |error: &ram::Error| !error.proves_nothing_made();
        if outcome.as_ref().err().is_none_or(lost) {
            let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
            self.memory.written = Some((digest::hex(&[document]), now));
        }
        outcome?;
        let message = format!("Policy {name} has another document in force.");
        note(self.ctx, &self.object, EventType::Normal, "DocumentChanged", message).await;
        Ok(())
    }

    async fn describe(&mut self, description: &str) -> Result<(), Error> {
        let name = self.policy_name();
        self.client()?.update_policy_description(&name, description).await?;
        if self.memory.create_time.is_none() {
            let message = format!("Policy {name} was taken over. Its document stays until that is accepted.");
            note(self.ctx, &self.object, EventType::Normal, "Adopted", message).await;
        }
        self.memory.create_time = self.detail.as_ref().map(|detail| as_policy(detail).create_time);
        self.memory.marker_uid = self.marker().map(|marker| marker.uid);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        let name = self.policy_name();
        let stays = self.detail.is_some() && self.retains();
        let (reason, message) = if stays {
            ("Retained", format!("Policy {name} is left in RAM, without our marker."))
        } else {
            ("Removed", format!("Policy {name} of this object is not in RAM any more."))
        };
        note(self.ctx, &self.object, EventType::Normal, reason, message).await;
        set_finalizer(self.ctx, self.key, &mut self.object, false).await
    }
}

/// A policy as its plan sees it.
#[must_use]
pub fn as_policy(detail: &PolicyDetail) -> Policy {
    Policy {
        create_time: detail.create_time.map(|time| time.to_string()).unwrap_or_default(),
        description: detail.description.clone(),
        document: detail.document.clone(),
    }
}

/// Who has a policy, and whether the installation `owner` made that user or group. One that went since it was listed has nothing any more.
pub async fn holders(
    client: &ram::Client,
    owner: &str,
    entities: &PolicyEntities,
) -> Result<Vec<(Holder, bool)>, Error> {
    let ours = |text: &str| Marker::parse(text).1.is_some_and(|marker| marker.owner_id == owner);
    let mut all = Vec::new();
    for name in &entities.users {
        let user = client.get_user(name).await?;
        all.extend(user.map(|user| (Holder::User(name.clone()), ours(&user.comments))));
    }
    for name in &entities.groups {
        let group = client.group(name).await?;
        all.extend(group.map(|group| (Holder::Group(name.clone()), ours(&group.comments))));
    }
    all.extend(entities.roles.iter().map(|name| (Holder::Role(name.clone()), false)));
    Ok(all)
}

/// Takes a policy from whoever has it.
pub async fn detach(client: &ram::Client, holder: &Holder, policy: &PolicyRef) -> Result<(), Error> {
    match holder {
        Holder::User(name) => client.detach_policy_from_user(name, policy).await?,
        Holder::Group(name) => client.detach_policy_from_group(name, policy).await?,
        Holder::Role(_) => {}
    }
    Ok(())
}

/// RAM says that something hangs on it which a look did not show, as it does for a while after that was taken away.
pub fn still_in_use(outcome: Result<(), ram::Error>) -> Result<(), Error> {
    match outcome {
        Err(error) if error.class() == Class::InUse => Err(Error::Unsettled),
        other => Ok(other?),
    }
}

impl Pass for PolicyPass<'_> {
    type Step = Step;

    async fn observe(&mut self) -> Result<(), Error> {
        if self.tenant.is_none() {
            self.observe_tenant().await?;
        }
        let here = self.account.as_ref().is_ok_and(|account| account.view.has(self.memory.account_id.as_ref()));
        if here && self.changed {
            self.observe_ram().await?;
            self.elsewhere = self.look_elsewhere().await?;
            self.changed = false;
        }
        self.recognise();
        Ok(())
    }

    fn next(&self) -> Next<Step> {
        next(&self.seen(), self.now())
    }

    fn preview(&self) -> Option<Preview<Step>> {
        let planned = self.object.spec.management == Management::Plan && !self.deleting();
        planned.then(|| preview(&self.seen(), self.now()))
    }

    fn list(&mut self, lines: Vec<String>) {
        self.plan = Some(lines);
    }

    async fn act(&mut self, step: Step) -> Result<(), Error> {
        let ours = matches!(step, Step::AddFinalizer | Step::RemoveFinalizer | Step::RecordAdoption);
        if !ours && !self.ctx.lease.holds() {
            return Err(Error::NotLeader);
        }
        self.changed |= !matches!(step, Step::AddFinalizer);
        let name = self.policy_name();
        match step {
            Step::AddFinalizer => set_finalizer(self.ctx, self.key, &mut self.object, true).await,
            Step::RemoveFinalizer => self.finish().await,
            Step::RecordAdoption => self.record_adoption().await,
            Step::Create(document, description) => self.create(&document, &description).await,
            Step::Describe(description) => self.describe(&description).await,
            Step::CreateVersion(document) => self.create_version(&document).await,
            Step::Detach(holder) => detach(self.client()?, &holder, &custom(&name)).await,
            Step::Delete => still_in_use(self.client()?.delete_policy(&name).await),
        }
    }
}
