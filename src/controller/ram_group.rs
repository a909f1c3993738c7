//! RamGroup: looks at RAM and the cluster, and carries out the plan's steps.

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
use super::ram_policy::still_in_use;
use super::references::{Referred, references};
use super::status;
use super::tenancy;
use crate::api::{
    Adoption, FINALIZER, LeftKind, LeftOver, Management, Observed, PolicyKind, RamGroup, RamGroupStatus, RamPolicy,
    UserDeletionPolicy, annotation,
};
use crate::plan::adoption::{self, Adopting, may_be};
use crate::plan::attachments::{Documents, References, shown};
use crate::plan::document::Document;
use crate::plan::marker::Marker;
use crate::plan::names::generated;
use crate::plan::ownership::Elsewhere;
use crate::plan::preview::{Foresee, Preview, preview};
use crate::plan::ram_group::{InRam, Memory, Seen, Step, next, pending, sees};
use crate::plan::tenant::{Grants, Thing};
use crate::plan::{Extra, Next, Reason, Verdict};
use crate::ram::{self, Class, Lane, PolicyRef};

/// Members that the status shows.
const SHOWN: usize = 100;

impl Kind for RamGroup {
    const KIND: &'static str = "RamGroup";
    const REQUESTS: &'static [&'static str] = &[annotation::ACCEPT_ADOPTION];
    type Status = RamGroupStatus;

    fn api(client: Client, namespace: Option<&str>) -> Api<Self> {
        Api::namespaced(client, namespace.unwrap_or("default"))
    }
    fn status(&self) -> Option<&RamGroupStatus> {
        self.status.as_ref()
    }
    fn status_mut(&mut self) -> &mut Option<RamGroupStatus> {
        &mut self.status
    }
    async fn pass(ctx: &Ctx, key: &ObjectKey, object: Self) -> Passed<Self> {
        let account = match ctx.accounts.get(&ctx.kube, &object.spec.account_ref.name).await {
            Ok(account) => account,
            Err(error) => {
                let facts = object.status.clone().unwrap_or_default();
                let mut pass = GroupPass::new(ctx, key, object, Err(Verdict::new(Reason::AccountNotReady)));
                let (outcome, at_most) = pass.end(Err(error)).await;
                return Passed { at_most, ..Passed::new(pass.object, facts, outcome) };
            }
        };
        let look = account.as_ref().map_or(Duration::from_hours(1), |account| account.look_interval);
        let mut pass = GroupPass::new(ctx, key, object, account);
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

impl Referred for RamGroup {
    const RAM_NAME: &'static str = "/status/groupName";
    const IDENTITY: &'static str = "/status/groupId";
}

/// The lock of a group; no user has such a name.
#[must_use]
pub fn lock_name(group_name: &str) -> String {
    format!("group/{group_name}")
}

fn memory(ctx: &Ctx, object: &RamGroup) -> Memory {
    let stored = object.status.clone().unwrap_or_default();
    Memory {
        adoption: adopting(object, stored.adoption.as_ref(), stored.group_id.is_some(), now(ctx)),
        account_id: stored.account_id,
        group_id: stored.group_id,
        marker_uid: stored.marker_uid,
        create_time: stored.create_time.and_then(|text| text.parse().ok()),
    }
}

#[allow(clippy::struct_excessive_bools, reason = "facts of one pass, each read by name")]
struct GroupPass<'a> {
    ctx: &'a Ctx,
    key: &'a ObjectKey,
    object: RamGroup,
    account: Result<Arc<Account>, Verdict>,
    client: Option<ram::Client>,
    memory: Memory,
    tenant: Option<Result<Grants, Verdict>>,
    references: References,
    ram: Option<InRam>,
    witnessed: bool,
    elsewhere: Elsewhere,
    changed: bool,
    documents: Documents,
    quota_reached: bool,
    /// What would be done, where that is only listed.
    plan: Option<Vec<String>>,
}

impl<'a> GroupPass<'a> {
    fn new(ctx: &'a Ctx, key: &'a ObjectKey, object: RamGroup, account: Result<Arc<Account>, Verdict>) -> Self {
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
            references: References::new(),
            ram: None,
            witnessed: false,
            elsewhere: Elsewhere::Nothing,
            changed: true,
            documents: Documents::new(),
            quota_reached: false,
            plan: None,
        }
    }

    /// Waits for the group's lock; what was read before somebody else let go of it is read again.
    async fn lock(&mut self) -> Result<Option<OwnedMutexGuard<()>>, Error> {
        let Ok(account) = &self.account else { return Ok(None) };
        let (guard, waited) = self.ctx.locks.take(&account.view.account_id, &lock_name(&self.group_name())).await;
        if waited {
            let api = RamGroup::api(self.ctx.kube.clone(), self.key.namespace());
            self.object = api.get_opt(&self.key.name).await?.ok_or(Error::Gone)?;
            self.memory = memory(self.ctx, &self.object);
            self.ctx.echoes.wrote(self.key, self.object.resource_version().as_deref());
        }
        Ok(Some(guard))
    }

    fn deleting(&self) -> bool {
        self.object.meta().deletion_timestamp.is_some()
    }

    fn group_name(&self) -> String {
        let known = self.object.status.as_ref().and_then(|status| status.group_name.clone());
        let prefix = self.account.as_ref().map_or("", |account| account.view.prefix.as_str());
        known
            .or_else(|| self.object.spec.group_name.clone())
            .unwrap_or_else(|| generated(prefix, &self.key.namespace, &self.key.name))
    }

    fn marker(&self) -> Option<Marker> {
        let account = self.account.as_ref().ok()?;
        let uid = self.object.uid().unwrap_or_default();
        let owner = &account.view.owner_id;
        Some(Marker::for_kind(RamGroup::KIND, owner, &self.key.namespace, &self.key.name, &uid))
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
            group_name: self.group_name(),
            spec: self.object.spec.clone(),
            memory: self.memory.clone(),
            marker: self.marker(),
            account: self.account.as_ref().map(|account| account.view.clone()).map_err(Clone::clone),
            tenant: self.tenant.clone().unwrap_or_else(|| Err(Verdict::new(Reason::NotATenant))),
            ram: self.ram.clone(),
            witnessed: self.witnessed,
            elsewhere: self.elsewhere,
            references: self.references.clone(),
            documents: self.documents.clone(),
            quota_reached: self.quota_reached,
        }
    }

    async fn observe_cluster(&mut self) -> Result<(), Error> {
        let namespace = tenancy::namespace(self.ctx, &self.key.namespace).await?;
        let account = &self.object.spec.account_ref.name;
        let has = self.memory.group_id.is_some();
        let grants = tenancy::grants(self.ctx, account, &namespace, &self.object, has, |limits| limits.groups).await?;
        self.tenant = Some(grants);
        if let Ok(account) = &self.account {
            let policies = self.object.spec.policies.iter().flatten();
            let names = policies.filter(|policy| policy.kind == PolicyKind::RamPolicy).map(|p| p.name.as_str());
            self.references = references::<RamPolicy>(self.ctx, self.key, &account.view.account_id, names).await?;
        }
        Ok(())
    }

    async fn observe_ram(&mut self) -> Result<(), Error> {
        let name = self.group_name();
        let client = self.client()?.clone();
        let mut seen = InRam { group: client.group(&name).await?, ..InRam::default() };
        let (known, marker) = (self.memory.group_id.as_deref(), self.marker());
        let observes = self.object.spec.management == Management::Observe;
        let ours = |group: &ram::Group| {
            observes
                || known.is_none_or(|id| id == group.id)
                || marker.as_ref().is_some_and(|marker| marker.ends(&group.comments))
        };
        if seen.group.as_ref().is_some_and(ours) {
            let (policies, members) =
                futures::join!(client.list_policies_for_group(&name), client.list_users_for_group(&name));
            seen.policies = policies?.into_iter().map(|attached| attached.policy).collect();
            seen.members = members?.into_iter().map(|member| (member, false)).collect();
            if self.deleting() {
                let owner = self.account.as_ref().map_or("", |account| account.view.owner_id.as_str());
                mark_ours(&client, owner, &mut seen.members).await?;
            }
        }
        self.witnessed |= seen.group.is_some();
        self.ram = Some(seen);
        Ok(())
    }

    /// What other objects say of a group that this one does not know.
    async fn look_elsewhere(&self) -> Result<Elsewhere, Error> {
        let group = self.ram.as_ref().and_then(|ram| ram.group.as_ref());
        let (Ok(account), Some(group), Some(ours), None) = (&self.account, group, self.marker(), &self.memory.group_id)
        else {
            return Ok(Elsewhere::Nothing);
        };
        let spec = &self.object.spec;
        let found = Found {
            account_id: &account.view.account_id,
            text: &group.comments,
            ours: &ours,
            adopts: spec.adoption == Adoption::IfUnowned && spec.management != Management::Observe && !self.deleting(),
            owned: &[("groupId", group.id.as_str())],
            ordered: ("leftOver.ramName", group.name.as_str()),
        };
        elsewhere::look(self.ctx, &self.object, &found).await
    }

    /// Found again after its status was lost, written before a crash, or made again after somebody deleted it.
    fn recognise(&mut self) {
        let group = self.ram.as_ref().and_then(|ram| ram.group.as_ref());
        if let (Some(group), Some(ours), Elsewhere::Nothing) = (group, self.marker(), self.elsewhere)
            && let Some(marker) = Marker::parse(&group.comments).1.filter(|marker| marker.same_object(&ours))
        {
            let lost = self.memory.group_id.is_none();
            if marker == ours {
                self.memory.group_id = Some(group.id.clone());
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
        may_be(grants, Thing::Group, spec.group_name.as_deref(), spec.adoption)
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

    /// Leaves the rest to a RamRevocation, and goes. A group that was made here and is to stay keeps its marker then; one that was adopted must
    /// not, or an object made again under that name would take it for its own making.
    async fn hand_over(&mut self) -> Result<(), Error> {
        let may_be = self.memory.group_id.is_none() && self.may_be_adopted();
        self.memory.adoption = self.memory.adoption.recognised(may_be, now(self.ctx));
        let retains = self.retains();
        if !retains || self.memory.adoption.adopted() {
            let left = LeftOver {
                kind: LeftKind::RamGroup,
                namespace: self.key.namespace.clone(),
                name: self.key.name.clone(),
                uid: self.object.uid().unwrap_or_default(),
                account_id: self.memory.account_id.clone(),
                ram_name: self.group_name(),
                identity: self.memory.group_id.clone(),
                deletion_policy: if retains { UserDeletionPolicy::Retain } else { UserDeletionPolicy::Delete },
            };
            let account = self.object.spec.account_ref.name.clone();
            leave(self.ctx, &self.object, account, Left::Over(left)).await?;
        }
        set_finalizer(self.ctx, self.key, &mut self.object, false).await
    }

    fn facts(&self) -> RamGroupStatus {
        let mut status = self.object.status.clone().unwrap_or_default();
        status.plan = listed(status.plan.take(), self.plan.as_ref(), self.object.spec.management);
        self.forget_sight(&mut status);
        let (Ok(account), Some(ram)) = (&self.account, &self.ram) else { return status };
        let Some(group) = &ram.group else { return status };
        if Some(&group.id) != self.memory.group_id.as_ref() {
            if sees(&self.seen()) {
                status.observed = Some(Observed { id: Some(group.id.clone()), create_time: None });
                holdings(&mut status, ram, group);
            }
            return status;
        }
        status.account_id = Some(account.view.account_id.clone());
        status.group_id = Some(group.id.clone());
        status.create_time = self.memory.create_time.map(|time| time.to_string());
        status.marker_uid.clone_from(&self.memory.marker_uid);
        status.adoption = adoption_status(self.memory.adoption);
        holdings(&mut status, ram, group);
        status
    }

    /// What was shown of somebody else's group goes when it may not be seen any more, and before it is shown anew.
    fn forget_sight(&self, status: &mut RamGroupStatus) {
        let denied = self.tenant.is_some() && !sees(&self.seen());
        if (denied || self.ram.is_some()) && status.observed.take().is_some() {
            status.group_name = None;
            status.policies = None;
            status.member_count = None;
            status.members = None;
        }
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

    async fn create(&mut self, comments: &str) -> Result<(), Error> {
        let group = match self.client()?.create_group(&self.group_name(), comments).await {
            // Somebody was faster: the next look finds out whose it is.
            Err(error) if error.class() == Class::Exists => return Err(Error::Unsettled),
            // RAM may take no dots, which every generated name has.
            Err(error) if name_refused(&error) => {
                return Err(Verdict::new(Reason::NameRefused).about(self.group_name()).into());
            }
            other => other?,
        };
        self.memory = Memory {
            account_id: self.account.as_ref().ok().map(|account| account.view.account_id.clone()),
            group_id: Some(group.id),
            marker_uid: self.marker().map(|marker| marker.uid),
            create_time: Some(self.now()),
            // Whatever was adopted under this name is gone.
            adoption: Adopting { noted: None, ..self.memory.adoption },
        };
        Ok(())
    }

    async fn comment(&mut self, comments: &str) -> Result<(), Error> {
        let name = self.group_name();
        self.client()?.update_group(&name, comments).await?;
        if self.memory.group_id.is_none() {
            let message = format!("Group {name} was taken over. Nothing is taken from it until that is accepted.");
            note(self.ctx, &self.object, EventType::Normal, "Adopted", message).await;
        }
        let group = self.ram.as_ref().and_then(|ram| ram.group.as_ref());
        self.memory.group_id = group.map(|group| group.id.clone());
        self.memory.marker_uid = self.marker().map(|marker| marker.uid);
        Ok(())
    }

    async fn attach(&mut self, policy: &PolicyRef) -> Result<(), Error> {
        match self.client()?.attach_policy_to_group(&self.group_name(), policy).await {
            Err(error) if error.code().is_some_and(|code| code.starts_with("EntityNotExist.Policy")) => {
                Err(Verdict::new(Reason::PolicyNotFound).about(policy.to_string()).into())
            }
            Err(error) if error.class() == Class::Quota => {
                self.quota_reached = true;
                Ok(())
            }
            other => Ok(other?),
        }
    }

    async fn finish(&mut self) -> Result<(), Error> {
        let name = self.group_name();
        let stays = self.ram.as_ref().is_some_and(|ram| ram.group.is_some()) && self.retains();
        let (reason, message) = if stays {
            ("Retained", format!("Group {name} is left in RAM, without our marker."))
        } else {
            ("Removed", format!("Group {name} of this object is not in RAM any more."))
        };
        note(self.ctx, &self.object, EventType::Normal, reason, message).await;
        set_finalizer(self.ctx, self.key, &mut self.object, false).await
    }
}

fn name_refused(error: &ram::Error) -> bool {
    error.class() == Class::Invalid && error.code().is_some_and(|code| code.contains("GroupName"))
}

/// What a group is called, and what it holds.
fn holdings(status: &mut RamGroupStatus, ram: &InRam, group: &ram::Group) {
    status.group_name = Some(group.name.clone());
    let mut policies: Vec<_> = ram.policies.iter().map(shown).collect();
    policies.sort();
    status.policies = Some(policies);
    let mut members: Vec<_> = ram.members.iter().map(|(name, _)| name.clone()).collect();
    status.member_count = Some(i64::try_from(members.len()).unwrap_or(i64::MAX));
    members.sort();
    members.truncate(SHOWN);
    status.members = Some(members).filter(|members| !members.is_empty());
}

/// Finds out which members the installation `owner` made. One that went since it was listed is in no group any more.
pub async fn mark_ours(client: &ram::Client, owner: &str, members: &mut Vec<(String, bool)>) -> Result<(), Error> {
    let mut found = Vec::new();
    for (name, _) in std::mem::take(members) {
        let Some(user) = client.get_user(&name).await? else { continue };
        let ours = Marker::parse(&user.comments).1.is_some_and(|marker| marker.owner_id == owner);
        found.push((name, ours));
    }
    *members = found;
    Ok(())
}

/// The document of a policy, if somebody can understand it.
pub async fn document_of(client: &ram::Client, policy: &PolicyRef) -> Result<Option<Document>, Error> {
    let text = client.policy_document(policy).await?;
    Ok(text.and_then(|text| Document::parse(&text).ok()))
}

impl Pass for GroupPass<'_> {
    type Step = Step;

    async fn observe(&mut self) -> Result<(), Error> {
        if self.tenant.is_none() {
            self.observe_cluster().await?;
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

    fn only_looks(step: &Step) -> bool {
        Seen::only_looks(step)
    }

    async fn act(&mut self, step: Step) -> Result<(), Error> {
        let ours =
            matches!(step, Step::AddFinalizer | Step::RemoveFinalizer | Step::RecordAdoption | Step::LookAtPolicy(_));
        if !ours && !self.ctx.lease.holds() {
            return Err(Error::NotLeader);
        }
        self.changed |= !matches!(step, Step::AddFinalizer | Step::LookAtPolicy(_));
        let name = self.group_name();
        match step {
            Step::AddFinalizer => set_finalizer(self.ctx, self.key, &mut self.object, true).await,
            Step::RemoveFinalizer => self.finish().await,
            Step::RecordAdoption => self.record_adoption().await,
            Step::Create(comments) => self.create(&comments).await,
            Step::Comment(comments) => self.comment(&comments).await,
            Step::AttachPolicy(policy) => self.attach(&policy).await,
            Step::DetachPolicy(policy) => {
                self.client()?.detach_policy_from_group(&name, &policy).await?;
                self.quota_reached = false;
                Ok(())
            }
            Step::LookAtPolicy(policy) => {
                let document = document_of(self.client()?, &policy).await?;
                self.documents.insert(policy, document);
                Ok(())
            }
            Step::RemoveMember(member) => Ok(self.client()?.remove_user_from_group(&member, &name).await?),
            Step::Delete => still_in_use(self.client()?.delete_group(&name).await),
        }
    }
}
