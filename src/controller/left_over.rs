//! RamRevocation of a policy or group that its object left behind: it is deleted, or stays without our marker.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject};
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use tokio::sync::OwnedMutexGuard;

use super::accounts::Account;
use super::drive::{Ctx, ObjectKey, Pass, Passed, drive, note, request, set_finalizer};
use super::error::Error;
use super::ram_group::mark_ours;
use super::ram_policy::{as_policy, custom, detach, holders, still_in_use};
use super::{ram_group, ram_policy};
use crate::api::{FINALIZER, LeftKind, LeftOver, RamGroup, RamPolicy, RamRevocation, UserDeletionPolicy, annotation};
use crate::plan::ram_revocation::{LeftInRam, LeftSeen, LeftStep, left};
use crate::plan::{Next, Reason, Verdict, ram_group as group_plan, ram_policy as policy_plan};
use crate::ram::{self, Lane, PolicyEntities};

/// One pass over a RamRevocation that is about `over`.
pub async fn pass(ctx: &Ctx, key: &ObjectKey, object: RamRevocation, over: LeftOver) -> Passed<RamRevocation> {
    let created = object.meta().creation_timestamp.as_ref().map(|time| time.0);
    let account = Err(Verdict::new(Reason::AccountNotReady));
    let mut pass =
        LeftPass { ctx, key, object, over, account, client: None, ram: None, taken_back: false, changed: true };
    let outcome = match pass.lock().await {
        Ok(_guard) => drive(ctx, &mut pass).await,
        Err(error) => Err(error),
    };
    ctx.metrics.revocation(key, created);
    let facts = pass.object.status.clone().unwrap_or_default();
    Passed { look: Duration::from_mins(2), ..Passed::new(pass.object, facts, outcome) }
}

struct LeftPass<'a> {
    ctx: &'a Ctx,
    key: &'a ObjectKey,
    object: RamRevocation,
    over: LeftOver,
    account: Result<Arc<Account>, Verdict>,
    client: Option<ram::Client>,
    ram: Option<LeftInRam>,
    taken_back: bool,
    changed: bool,
}

impl LeftPass<'_> {
    /// Finds the account, and waits for the lock of the policy or group.
    async fn lock(&mut self) -> Result<Option<OwnedMutexGuard<()>>, Error> {
        let name = self.object.spec.account_ref.name.clone();
        self.account = self.ctx.accounts.get(&self.ctx.kube, &name).await?;
        let Ok(account) = self.account.clone() else { return Ok(None) };
        self.client = Some(account.client.in_lane(Lane::TakeAway));
        let name = match self.over.kind {
            LeftKind::RamPolicy => ram_policy::lock_name(&self.over.ram_name),
            LeftKind::RamGroup => ram_group::lock_name(&self.over.ram_name),
        };
        let (guard, _) = self.ctx.locks.take(&account.view.account_id, &name).await;
        Ok(Some(guard))
    }

    fn client(&self) -> Result<&ram::Client, Error> {
        self.client.as_ref().ok_or_else(|| Verdict::new(Reason::AccountNotReady).into())
    }

    fn now(&self) -> Timestamp {
        self.client.as_ref().map_or_else(|| self.ctx.clock.now(), ram::Client::now)
    }

    fn owner(&self) -> &str {
        self.account.as_ref().map_or("", |account| account.view.owner_id.as_str())
    }

    /// Whether another object has its place.
    async fn lives_again(&self) -> Result<bool, Error> {
        let resource = match self.over.kind {
            LeftKind::RamPolicy => ApiResource::erase::<RamPolicy>(&()),
            LeftKind::RamGroup => ApiResource::erase::<RamGroup>(&()),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.ctx.kube.clone(), &self.over.namespace, &resource);
        let found = api.get_metadata_opt(&self.over.name).await?;
        Ok(found.is_some_and(|object| {
            object.meta().deletion_timestamp.is_none() && object.uid().as_deref() != Some(&self.over.uid)
        }))
    }

    /// Whether only our marker goes: nobody has to be asked who has it.
    fn stays(&self) -> bool {
        self.over.deletion_policy == UserDeletionPolicy::Retain
    }

    async fn look_at_policy(&self) -> Result<LeftInRam, Error> {
        let client = self.client()?;
        let policy = custom(&self.over.ram_name);
        let Some(detail) = client.policy(&policy).await? else { return Ok(LeftInRam::Gone) };
        let attached = !self.stays() && detail.attachment_count != Some(0);
        let entities =
            if attached { client.list_entities_for_policy(&policy).await? } else { PolicyEntities::default() };
        let holders = holders(client, self.owner(), &entities).await?;
        Ok(LeftInRam::Policy(policy_plan::InRam { policy: Some(as_policy(&detail)), holders }))
    }

    async fn look_at_group(&self) -> Result<LeftInRam, Error> {
        let (client, name) = (self.client()?, &self.over.ram_name);
        let Some(group) = client.group(name).await? else { return Ok(LeftInRam::Gone) };
        if self.stays() {
            return Ok(LeftInRam::Group(group_plan::InRam { group: Some(group), ..group_plan::InRam::default() }));
        }
        let (policies, members) =
            futures::join!(client.list_policies_for_group(name), client.list_users_for_group(name));
        let policies = policies?.into_iter().map(|attached| attached.policy).collect();
        let mut members: Vec<_> = members?.into_iter().map(|member| (member, false)).collect();
        mark_ours(client, self.owner(), &mut members).await?;
        Ok(LeftInRam::Group(group_plan::InRam { group: Some(group), policies, members }))
    }

    async fn on_policy(&self, step: policy_plan::Step) -> Result<(), Error> {
        let (client, name) = (self.client()?, &self.over.ram_name);
        match step {
            policy_plan::Step::Describe(text) => Ok(client.update_policy_description(name, &text).await?),
            policy_plan::Step::Detach(holder) => detach(client, &holder, &custom(name)).await,
            policy_plan::Step::Delete => still_in_use(client.delete_policy(name).await),
            _ => Ok(()),
        }
    }

    async fn on_group(&self, step: group_plan::Step) -> Result<(), Error> {
        let (client, name) = (self.client()?, &self.over.ram_name);
        match step {
            group_plan::Step::Comment(text) => Ok(client.update_group(name, &text).await?),
            group_plan::Step::DetachPolicy(policy) => Ok(client.detach_policy_from_group(name, &policy).await?),
            group_plan::Step::RemoveMember(member) => Ok(client.remove_user_from_group(&member, name).await?),
            group_plan::Step::Delete => still_in_use(client.delete_group(name).await),
            _ => Ok(()),
        }
    }

    async fn finish(&mut self) -> Result<(), Error> {
        let (type_, reason, message) = match request(&self.object, annotation::ABANDON) {
            Some(_) => (EventType::Warning, "Abandoned", "The order was given up.".to_owned()),
            None => (
                EventType::Normal,
                "Revoked",
                "What was ordered is taken away, belongs to somebody again, or stays without our marker.".to_owned(),
            ),
        };
        note(self.ctx, &self.object, type_, reason, message).await;
        if self.object.meta().deletion_timestamp.is_none() {
            let api = Api::<RamRevocation>::all(self.ctx.kube.clone());
            match api.delete(&self.key.name, &DeleteParams::default()).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.is_not_found() => return Err(Error::Gone),
                Err(error) => return Err(error.into()),
            }
            self.object = api.get_opt(&self.key.name).await?.ok_or(Error::Gone)?;
        }
        set_finalizer(self.ctx, self.key, &mut self.object, false).await?;
        Err(Error::Gone)
    }
}

impl Pass for LeftPass<'_> {
    type Step = LeftStep;

    async fn observe(&mut self) -> Result<(), Error> {
        let here = self.account.as_ref().is_ok_and(|account| account.view.has(self.over.account_id.as_ref()));
        if here && self.changed {
            self.taken_back = self.lives_again().await?;
            self.ram = Some(match self.over.kind {
                LeftKind::RamPolicy => self.look_at_policy().await?,
                LeftKind::RamGroup => self.look_at_group().await?,
            });
            self.changed = false;
        }
        Ok(())
    }

    fn next(&self) -> Next<LeftStep> {
        let created = self.object.meta().creation_timestamp.as_ref().map(|time| time.0);
        left(
            &LeftSeen {
                finalizer: self.object.finalizers().iter().any(|name| name == FINALIZER),
                deleting: self.object.meta().deletion_timestamp.is_some(),
                abandoned: request(&self.object, annotation::ABANDON).is_some(),
                left: self.over.clone(),
                account: self.account.as_ref().map(|account| account.view.clone()).map_err(Clone::clone),
                ram: self.ram.clone(),
                created,
                taken_back: self.taken_back,
            },
            self.now(),
        )
    }

    async fn act(&mut self, step: LeftStep) -> Result<(), Error> {
        let ours = matches!(step, LeftStep::AddFinalizer | LeftStep::Finish);
        if !ours && !self.ctx.lease.holds() {
            return Err(Error::NotLeader);
        }
        self.changed |= !ours;
        match step {
            LeftStep::AddFinalizer => set_finalizer(self.ctx, self.key, &mut self.object, true).await,
            LeftStep::Finish => self.finish().await,
            LeftStep::Policy(step) => self.on_policy(step).await,
            LeftStep::Group(step) => self.on_group(step).await,
        }
    }
}
