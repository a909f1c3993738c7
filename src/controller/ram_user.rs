//! RamUser: looks at RAM and the cluster, and carries out the plan's steps.

mod mfa;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, PostParams};
use kube::runtime::events::EventType;
use kube::{Client, Resource, ResourceExt};

use super::accounts::Account;
use super::console_login::{Found, find, generate, login_url, write};
use super::drive::{Ctx, Kind, ObjectKey, Pass, Passed, drive, note, now, paused, request, set_finalizer};
use super::elsewhere::{self, Found as FoundInRam};
use super::error::Error;
use super::hand_over::{Left, Patience, leave, patience};
use super::management::{adopting, adoption_status, listed};
use super::ram_group::document_of;
use super::references::references;
use super::secret;
use super::status;
use super::tenancy::{self, NamespaceView};
use super::virtual_mfa::{SeedFound, of_user};
use crate::api::{
    Adoption, ChangeAtLogon, FINALIZER, GroupKind, InventoryKey, KeyOwner, KeyState, LoginState, LoginStatus,
    Management, Observed, Order, OrderedUser, PasswordSource, PolicyKind, RamAccessKey, RamAccessKeyStatus, RamGroup,
    RamPolicy, RamRevocation, RamUser, RamUserStatus, Request, UserDeletionPolicy, UserState, annotation,
};
use crate::plan::adoption::{self, Adopting, may_be};
use crate::plan::attachments::{Documents, References, shown};
use crate::plan::marker::Marker;
use crate::plan::names::generated;
use crate::plan::ownership::Elsewhere;
use crate::plan::preview::{Foresee, Preview, preview};
use crate::plan::ram_access_key::{Intent, Journal, Retiring};
use crate::plan::ram_account::user_usage;
use crate::plan::ram_user::{
    InRam, KeyObject, LoginChange, LoginMemory, Memory, MfaFacts, PasswordSeen, Reset, Seen, Step, grace_ends,
    has_device, judged, managed, next, pending, sees,
};
use crate::plan::tenant::{Grants, Thing};
use crate::plan::timing::{LATER, READ_LAG, after};
use crate::plan::{Extra, Next, Reason, Verdict};
use crate::ram::{self, Class, KeyStatus, Lane, LoginChanges, LoginProfile, PolicyRef};

/// As many groups as the status has room for; RAM lets a user be in no more by default.
const MOST_GROUPS: usize = 50;

impl Kind for RamUser {
    const KIND: &'static str = "RamUser";
    const REQUESTS: &'static [&'static str] =
        &[annotation::RESET_PASSWORD, annotation::RESET_MFA, annotation::ACCEPT_ADOPTION];
    type Status = RamUserStatus;

    fn api(client: Client, namespace: Option<&str>) -> Api<Self> {
        Api::namespaced(client, namespace.unwrap_or("default"))
    }
    fn status(&self) -> Option<&RamUserStatus> {
        self.status.as_ref()
    }
    fn status_mut(&mut self) -> &mut Option<RamUserStatus> {
        &mut self.status
    }
    async fn pass(ctx: &Ctx, key: &ObjectKey, object: Self) -> Passed<Self> {
        let account = match account_of(ctx, &object).await {
            Ok(account) => account,
            Err(error) => {
                let facts = object.status.clone().unwrap_or_default();
                let mut pass = UserPass::new(ctx, key, object, Err(Verdict::new(Reason::AccountNotReady)));
                let (outcome, at_most) = pass.end(Err(error)).await;
                return Passed { at_most, ..Passed::new(pass.object, facts, outcome) };
            }
        };
        let look = account.as_ref().map_or(Duration::from_hours(1), |account| account.look_interval);
        let mut pass = UserPass::new(ctx, key, object, account);
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

/// The account of an object. When accounts change, every object is asked again.
async fn account_of(ctx: &Ctx, object: &RamUser) -> Result<Result<Arc<Account>, Verdict>, Error> {
    let name = &object.spec.account_ref.name;
    ctx.accounts.get(&ctx.kube, name).await
}

/// The name of a RamUser's user in RAM.
#[must_use]
pub fn user_name(object: &RamUser, prefix: &str) -> String {
    let known = object.status.as_ref().and_then(|status| status.user_name.clone());
    known
        .or_else(|| object.spec.user_name.clone())
        .unwrap_or_else(|| generated(prefix, object.namespace().as_deref().unwrap_or_default(), &object.name_any()))
}

fn memory(ctx: &Ctx, object: &RamUser) -> Memory {
    let stored = object.status.clone().unwrap_or_default();
    Memory {
        adoption: adopting(object, stored.adoption.as_ref(), stored.user_id.is_some(), now(ctx)),
        account_id: stored.account_id,
        user_id: stored.user_id,
        marker_uid: stored.marker_uid,
        create_time: stored.create_time.and_then(|text| text.parse().ok()),
        login: stored.console_login.map(|login| LoginMemory {
            state: login.state,
            password_time: login.password_time.and_then(|text| text.parse().ok()),
            password_seal: login.password_seal,
            giving: login.pending_seal,
        }),
        mfa: stored.virtual_mfa.map(mfa::memory),
    }
}

/// How far `reset-password` has come.
fn reset(object: &RamUser) -> Reset {
    let stored = object.status.as_ref().and_then(|status| status.requests.as_ref()?.reset_password.clone());
    let stored = stored.unwrap_or_default();
    Reset { asked: request(object, annotation::RESET_PASSWORD), accepted: stored.accepted, done: stored.done }
}

#[allow(clippy::struct_excessive_bools, reason = "facts of one pass, each read by name")]
struct UserPass<'a> {
    ctx: &'a Ctx,
    key: &'a ObjectKey,
    object: RamUser,
    account: Result<Arc<Account>, Verdict>,
    client: Option<ram::Client>,
    memory: Memory,
    tenant: Option<Result<Grants, Verdict>>,
    namespace: NamespaceView,
    /// What RAM shows; kept up by our own writes while the user is one that this pass made.
    ram: Option<InRam>,
    /// When RAM was read last.
    read_at: Option<Timestamp>,
    made_here: bool,
    /// RAM showed the user in this pass.
    witnessed: bool,
    elsewhere: Elsewhere,
    /// RAM was changed by us, or not looked at yet.
    ram_changed: bool,
    key_objects: Vec<KeyObject>,
    quota_reached: bool,
    references: References,
    group_references: References,
    documents: Documents,
    contents: BTreeMap<String, Option<Vec<PolicyRef>>>,
    groups_full: bool,
    found: Found,
    /// This pass has noted that the password is given, and nothing was open before.
    giving_noted: bool,
    reset: Reset,
    /// RAM refused to disable the log-on.
    disable_refused: bool,
    /// This pass has let the user log on again.
    given_back: bool,
    /// What would be done, where that is only listed.
    plan: Option<Vec<String>>,
    /// What this pass found out and did about MFA devices.
    mfa: MfaFacts,
    seed: SeedFound,
    seed_read: bool,
}

impl<'a> UserPass<'a> {
    fn new(ctx: &'a Ctx, key: &'a ObjectKey, object: RamUser, account: Result<Arc<Account>, Verdict>) -> Self {
        let lane = if object.meta().deletion_timestamp.is_some() { Lane::TakeAway } else { Lane::Ordinary };
        let client = account.as_ref().ok().map(|account| account.client.in_lane(lane));
        let memory = memory(ctx, &object);
        let reset = reset(&object);
        let mfa = MfaFacts { reset: mfa::reset(&object), ..MfaFacts::default() };
        Self {
            ctx,
            key,
            object,
            account,
            client,
            memory,
            tenant: None,
            namespace: NamespaceView::default(),
            ram: None,
            read_at: None,
            made_here: false,
            witnessed: false,
            elsewhere: Elsewhere::Nothing,
            ram_changed: true,
            key_objects: Vec::new(),
            quota_reached: false,
            references: References::new(),
            group_references: References::new(),
            documents: Documents::new(),
            contents: BTreeMap::new(),
            groups_full: false,
            found: Found::default(),
            giving_noted: false,
            reset,
            disable_refused: false,
            given_back: false,
            plan: None,
            mfa,
            seed: SeedFound::default(),
            seed_read: false,
        }
    }

    /// Waits for the RAM user's lock; what was read before somebody else let go of it is read again.
    async fn lock(&mut self) -> Result<Option<tokio::sync::OwnedMutexGuard<()>>, Error> {
        let Ok(account) = &self.account else { return Ok(None) };
        let (guard, waited) = self.ctx.locks.take(&account.view.account_id, &self.user_name()).await;
        if waited {
            let api = RamUser::api(self.ctx.kube.clone(), self.key.namespace());
            self.object = api.get_opt(&self.key.name).await?.ok_or(Error::Gone)?;
            self.memory = memory(self.ctx, &self.object);
            self.reset = reset(&self.object);
            self.mfa.reset = mfa::reset(&self.object);
            self.ctx.echoes.wrote(self.key, self.object.resource_version().as_deref());
        }
        Ok(Some(guard))
    }

    fn deleting(&self) -> bool {
        self.object.meta().deletion_timestamp.is_some()
    }

    fn prefix(&self) -> &str {
        self.account.as_ref().map_or("", |account| account.view.prefix.as_str())
    }

    fn user_name(&self) -> String {
        user_name(&self.object, self.prefix())
    }

    fn marker(&self) -> Option<Marker> {
        let account = self.account.as_ref().ok()?;
        let uid = self.object.uid().unwrap_or_default();
        Some(Marker::of(&account.view.owner_id, &self.key.namespace, &self.key.name, &uid))
    }

    fn client(&self) -> Result<&ram::Client, Error> {
        self.client.as_ref().ok_or_else(|| Verdict::new(Reason::AccountNotReady).into())
    }

    fn seen(&self) -> Seen {
        Seen {
            deleting: self.deleting(),
            deletion_time: self.object.meta().deletion_timestamp.as_ref().map(|time| time.0),
            finalizer: self.object.finalizers().iter().any(|name| name == FINALIZER),
            paused: paused(&self.object),
            spec: self.object.spec.clone(),
            memory: self.memory.clone(),
            user_name: self.user_name(),
            marker: self.marker(),
            account: self.account.as_ref().map(|account| account.view.clone()).map_err(Clone::clone),
            tenant: self.tenant.clone().unwrap_or_else(|| Err(Verdict::new(Reason::NotATenant))),
            ram: self.ram.clone(),
            witnessed: self.witnessed,
            elsewhere: self.elsewhere,
            key_objects: self.key_objects.clone(),
            quota_reached: self.quota_reached,
            references: self.references.clone(),
            group_references: self.group_references.clone(),
            documents: self.documents.clone(),
            contents: self.contents.clone(),
            groups_full: self.groups_full,
            password: self.found.seen.clone(),
            reset: self.reset.clone(),
            login_fresh: self.login_fresh(),
            disable_refused: self.disable_refused,
            mfa: self.mfa_facts(),
        }
    }

    fn now(&self) -> Timestamp {
        self.client.as_ref().map_or_else(|| self.ctx.clock.now(), ram::Client::now)
    }

    async fn observe_tenant(&mut self) -> Result<(), Error> {
        self.namespace = tenancy::namespace(self.ctx, &self.key.namespace).await?;
        let account = &self.object.spec.account_ref.name;
        let has = self.memory.user_id.is_some();
        self.tenant =
            Some(tenancy::grants(self.ctx, account, &self.namespace, &self.object, has, |limits| limits.users).await?);
        if let (Ok(account), false) = (&self.account, self.deleting()) {
            let (id, spec) = (&account.view.account_id, &self.object.spec);
            let policies = spec.policies.iter().flatten().filter(|policy| policy.kind == PolicyKind::RamPolicy);
            let groups = spec.groups.iter().flatten().filter(|group| group.kind == GroupKind::RamGroup);
            let names = policies.map(|policy| policy.name.as_str());
            self.references = references::<RamPolicy>(self.ctx, self.key, id, names).await?;
            let names = groups.map(|group| group.name.as_str());
            self.group_references = references::<RamGroup>(self.ctx, self.key, id, names).await?;
        }
        Ok(())
    }

    async fn observe_ram(&mut self) -> Result<(), Error> {
        let name = self.user_name();
        let client = self.client()?.clone();
        self.read_at = Some(self.now());
        let user = client.get_user(&name).await?;
        let mut seen = InRam { user, ..InRam::default() };
        if let Some(user) = &seen.user {
            // Nothing more is read of a user that turns out to be somebody else's, unless that is what is asked for.
            let known = self.memory.user_id.as_deref().is_none_or(|id| id == user.user_id);
            if known || self.object.spec.management == Management::Observe {
                let (policies, keys) =
                    futures::join!(client.list_policies_for_user(&name), client.list_access_keys(&name));
                seen.policies = policies?.into_iter().map(|attached| attached.policy).collect();
                seen.keys = keys?.unwrap_or_default();
                if managed(&self.object.spec, &self.memory) {
                    seen.login = self.read_login(&client, &name).await?;
                    if self.given_back && seen.login.as_ref().is_some_and(|login| login.enabled == Some(true)) {
                        let login = self.memory.login.take().unwrap_or_default();
                        self.memory.login = Some(login.shown(&self.found.seen));
                    }
                }
                if self.deleting() || self.object.spec.groups.is_some() || self.made_elsewhere() {
                    seen.groups = client.list_groups_for_user(&name).await?;
                }
                if self.deleting() || self.object.spec.virtual_mfa.is_some() {
                    // A deletion disarms first, and needs no right for that which it needs only for the end.
                    let needed = has_device(&self.object.spec, &self.memory) && !self.deleting();
                    seen.mfa = of_user(&client, &name, needed).await?;
                }
            }
        }
        let known = self.memory.user_id.as_deref();
        if let Some(id) = known.filter(|id| seen.user.as_ref().is_none_or(|user| user.user_id != *id)) {
            seen.renamed_to = by_id(&client, id, &name).await?;
        }
        self.witnessed |= seen.user.is_some();
        self.ram = Some(seen);
        Ok(())
    }

    /// Whether the user may be of somebody else's making, so that all that it has counts.
    fn made_elsewhere(&self) -> bool {
        let spec = &self.object.spec;
        let asked = spec.management == Management::Observe || spec.adoption == Adoption::IfUnowned;
        asked || self.memory.adoption.adopted() || (self.memory.user_id.is_none() && self.may_be_adopted())
    }

    /// What other objects say of a user that this one does not know.
    async fn look_elsewhere(&self) -> Result<Elsewhere, Error> {
        let user = self.ram.as_ref().and_then(|ram| ram.user.as_ref());
        let (Ok(account), Some(user), Some(ours), None) = (&self.account, user, self.marker(), &self.memory.user_id)
        else {
            return Ok(Elsewhere::Nothing);
        };
        let spec = &self.object.spec;
        let found = FoundInRam {
            account_id: &account.view.account_id,
            text: &user.comments,
            ours: &ours,
            adopts: spec.adoption == Adoption::IfUnowned && spec.management != Management::Observe && !self.deleting(),
            owned: &[("userId", user.user_id.as_str())],
            ordered: ("order.user.userName", user.user_name.as_str()),
        };
        elsewhere::look(self.ctx, &self.object, &found).await
    }

    /// Whether what has our marker may have been adopted.
    fn may_be_adopted(&self) -> bool {
        let spec = &self.object.spec;
        let grants = self.tenant.as_ref().and_then(|tenant| tenant.as_ref().ok());
        may_be(grants, Thing::User, spec.user_name.as_deref(), spec.adoption)
    }

    /// IMS tells whether log-on is allowed; where it cannot name the user, RAM tells at least whether there is one.
    async fn read_login(&self, client: &ram::Client, name: &str) -> Result<Option<LoginProfile>, Error> {
        match self.principal(name) {
            Some(principal) => Ok(client.login_profile(&principal).await?),
            None => Ok(client.login_profile_without_status(name).await?),
        }
    }

    fn login_fresh(&self) -> bool {
        let given = self.memory.login.as_ref().and_then(|login| login.password_time);
        let read = self.read_at.unwrap_or_else(|| self.now());
        given.is_some_and(|time| read <= after(time, READ_LAG))
    }

    fn domain(&self) -> Option<&str> {
        self.account.as_ref().ok()?.view.default_domain.as_deref()
    }

    fn principal(&self, name: &str) -> Option<String> {
        self.domain().map(|domain| format!("{name}@{domain}"))
    }

    /// The password is looked at only where it may have to be given to RAM.
    async fn observe_password(&mut self) -> Result<(), Error> {
        let login = self.object.spec.console_login.as_ref().filter(|login| login.state == LoginState::Enabled);
        let Some(initial) = login.and_then(|login| login.initial_password.as_ref()).filter(|_| !self.deleting()) else {
            return Ok(());
        };
        let sealer = self.ctx.seal.open(&self.ctx.kube, &self.ctx.settings.namespace).await?;
        self.found = find(&self.ctx.kube, &self.object, initial, sealer).await?;
        Ok(())
    }

    /// RamAccessKeys tell whose the keys are; without keys nobody has to ask, unless the user is to go.
    async fn observe_keys(&mut self) -> Result<(), Error> {
        if !self.deleting() && self.ram.as_ref().is_none_or(|ram| ram.keys.is_empty()) {
            return Ok(());
        }
        let found = holders_of(self.ctx, &self.key.namespace, &self.key.name, &self.user_name(), None).await?;
        self.key_objects = found.into_iter().map(|found| self.key_object(found)).collect();
        Ok(())
    }

    fn key_object(&self, found: KeyFound) -> KeyObject {
        self.ctx.interests.note(found.subject, self.key);
        KeyObject {
            deleting: found.deleting,
            strays: found.journal.strays().map(|key| key.id.clone()).collect(),
            ids: found.ids,
            disarmed: found.journal.state == Some(KeyState::Inactive),
            intents: found.journal.intents,
            name: found.name,
        }
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
            Patience::Over => (self.hand_over(grace_ends(&self.seen())).await.and(Err(Error::Gone)), None),
        }
    }

    /// Leaves what is left in RAM to a RamRevocation, and goes. A user that was made here and is to stay keeps its marker then; one that was
    /// adopted must not, or an object made again under that name would take it for its own making.
    async fn hand_over(&mut self, not_before: Option<Timestamp>) -> Result<(), Error> {
        let may_be = self.memory.user_id.is_none() && self.may_be_adopted();
        self.memory.adoption = self.memory.adoption.recognised(may_be, now(self.ctx));
        let order = match (self.retains(), self.memory.adoption.adopted()) {
            (true, true) => Some(self.unmarking()),
            (true, false) => None,
            (false, _) => Some(self.taking_away(not_before).await?),
        };
        if let Some(order) = order {
            let account = self.object.spec.account_ref.name.clone();
            leave(self.ctx, &self.object, account, Left::Order(Box::new(order))).await?;
        }
        set_finalizer(self.ctx, self.key, &mut self.object, false).await
    }

    /// An order to delete the user with its keys.
    async fn taking_away(&self, not_before: Option<Timestamp>) -> Result<Order, Error> {
        let found = holders_of(self.ctx, &self.key.namespace, &self.key.name, &self.user_name(), None).await?;
        let strays: Vec<_> = found.iter().flat_map(|found| found.journal.strays()).map(Retiring::write).collect();
        let objects: Vec<KeyObject> = found.into_iter().map(|found| self.key_object(found)).collect();
        Ok(Order {
            account_id: self.memory.account_id.clone(),
            user: OrderedUser {
                console_login: managed(&self.object.spec, &self.memory),
                virtual_mfa: has_device(&self.object.spec, &self.memory),
                not_before: not_before.map(|time| time.to_string()),
                ..self.ordered()
            },
            access_key_ids: objects.iter().flat_map(KeyObject::own_ids).cloned().collect(),
            strays: Some(strays).filter(|strays| !strays.is_empty()),
            intents: objects.iter().flat_map(|object| &object.intents).map(Intent::write).collect(),
            ..Order::default()
        })
    }

    /// An order to take the marker off, and nothing else.
    fn unmarking(&self) -> Order {
        Order {
            account_id: self.memory.account_id.clone(),
            user: OrderedUser { deletion_policy: UserDeletionPolicy::Retain, ..self.ordered() },
            ..Order::default()
        }
    }

    /// The user as orders name it.
    fn ordered(&self) -> OrderedUser {
        OrderedUser {
            user_name: self.user_name(),
            user_id: self.memory.user_id.clone(),
            namespace: self.key.namespace.clone(),
            name: self.key.name.clone(),
            marker_uid: Some(self.object.uid().unwrap_or_default().chars().take(8).collect()),
            ..OrderedUser::default()
        }
    }

    fn facts(&self) -> RamUserStatus {
        let mut status = self.object.status.clone().unwrap_or_default();
        status.plan = listed(status.plan.take(), self.plan.as_ref(), self.object.spec.management);
        self.forget_sight(&mut status);
        let (Ok(account), Some(ram)) = (&self.account, &self.ram) else { return status };
        let Some(user) = &ram.user else { return status };
        if Some(&user.user_id) != self.memory.user_id.as_ref() {
            if sees(&self.seen()) {
                let create_time = user.create_time.map(|time| time.to_string());
                status.observed = Some(Observed { id: Some(user.user_id.clone()), create_time });
                self.holdings(&mut status, account, ram, user);
            }
            return status;
        }
        status.account_id = Some(account.view.account_id.clone());
        status.user_id = Some(user.user_id.clone());
        status.create_time = user.create_time.map(|time| time.to_string());
        status.marker_uid.clone_from(&self.memory.marker_uid);
        status.adoption = adoption_status(self.memory.adoption);
        status.judged_rights = judged(&self.seen(), status.judged_rights.take());
        self.holdings(&mut status, account, ram, user);
        self.login_facts(&mut status, ram);
        self.mfa_status(&mut status, ram);
        status
    }

    /// What was shown of somebody else's user goes when it may not be seen any more, and before it is shown anew.
    fn forget_sight(&self, status: &mut RamUserStatus) {
        let denied = self.tenant.is_some() && !sees(&self.seen());
        if (denied || self.ram.is_some()) && status.observed.take().is_some() {
            status.user_name = None;
            status.user_principal_name = None;
            status.policies = None;
            status.groups = None;
            status.access_keys = None;
            status.usage = None;
        }
    }

    /// What a user is called, and what it has.
    fn holdings(&self, status: &mut RamUserStatus, account: &Account, ram: &InRam, user: &ram::User) {
        status.user_name = Some(user.user_name.clone());
        let domain = account.view.default_domain.as_ref();
        status.user_principal_name = domain.map(|domain| format!("{}@{domain}", user.user_name));
        let mut policies: Vec<_> = ram.policies.iter().map(shown).collect();
        policies.sort();
        status.policies = Some(policies);
        let mut groups = ram.groups.clone();
        groups.sort();
        let spec = &self.object.spec;
        let told = spec.groups.is_some() || spec.management == Management::Observe || self.memory.adoption.adopted();
        let in_groups = told.then_some(groups.len());
        status.usage = user_usage(&account.per_user, ram.keys.len(), &ram.policies, in_groups);
        groups.truncate(MOST_GROUPS);
        status.groups = told.then_some(groups);
        let mut keys: Vec<_> = ram.keys.iter().map(|key| self.inventory(key)).collect();
        keys.sort_by(|a, b| a.id.cmp(&b.id));
        status.access_keys = Some(keys).filter(|keys| !keys.is_empty());
    }

    /// Conditions beside those that every kind has.
    fn extra(&self) -> Vec<Extra> {
        if self.deleting() {
            return Vec::new();
        }
        adoption::pending(&pending(&self.seen())).into_iter().collect()
    }

    fn login_facts(&self, status: &mut RamUserStatus, ram: &InRam) {
        let wanted = self.object.spec.console_login.as_ref();
        // What a suspension is turning off may still show as it was.
        let suspended = self.object.spec.state == UserState::Suspended;
        status.login_url = wanted.and_then(|_| self.domain()).map(login_url);
        let mut login = self.memory.login.clone();
        match (wanted.map(|login| login.state), &ram.login) {
            // What we took away may still show; it is noted when it is given back.
            (Some(LoginState::Enabled), Some(profile))
                if profile.enabled == Some(true)
                    && !suspended
                    && login.as_ref().is_none_or(|login| !login.is_off()) =>
            {
                login = Some(login.unwrap_or_default().shown(&self.found.seen));
            }
            (Some(LoginState::Absent), None) => {
                let password_seal = login.and_then(|login| login.password_seal);
                login = Some(LoginMemory { state: LoginState::Absent, password_seal, ..LoginMemory::default() });
            }
            _ => {}
        }
        status.console_login = login.map(|login| LoginStatus {
            state: login.state,
            password_time: login.password_time.map(|time| time.to_string()),
            password_seal: login.password_seal,
            pending_seal: login.giving,
        });
        let Reset { accepted, done, .. } = self.reset.clone();
        if accepted.is_some() {
            let requests = status.requests.get_or_insert_default();
            requests.reset_password = Some(Request { accepted, done, ..Request::default() });
        }
    }

    /// Notes something in the status before the first effect of it.
    async fn note_in_status(&mut self, change: impl FnOnce(&mut RamUserStatus)) -> Result<(), Error> {
        // With what was carried out in this pass and is not in the status yet.
        let mut facts = self.facts();
        change(&mut facts);
        status::write(self.ctx, self.key, &mut self.object, facts).await?;
        let Memory { login, mfa, .. } = memory(self.ctx, &self.object);
        (self.memory.login, self.memory.mfa) = (login, mfa);
        self.reset = reset(&self.object);
        self.mfa.reset = mfa::reset(&self.object);
        Ok(())
    }

    async fn record_adoption(&mut self) -> Result<(), Error> {
        let adoption = Adopting { noted: Some(now(self.ctx)), ..self.memory.adoption };
        self.note_in_status(|status| status.adoption = adoption_status(adoption)).await?;
        self.memory.adoption = adoption;
        Ok(())
    }

    /// What was known of the user that is gone says nothing of another one.
    async fn record_gone(&mut self) -> Result<(), Error> {
        let adoption = Adopting { noted: None, ..self.memory.adoption };
        self.note_in_status(|status| {
            status.user_id = None;
            status.marker_uid = None;
            status.create_time = None;
            // A password that was handed over is not given to another user.
            if let Some(login) = &mut status.console_login {
                *login = LoginStatus {
                    state: LoginState::Absent,
                    password_seal: login.password_seal.take(),
                    password_time: None,
                    pending_seal: None,
                };
            }
            status.virtual_mfa = None;
            status.adoption = adoption_status(adoption);
        })
        .await?;
        let login = self.memory.login.take();
        self.memory = Memory { account_id: self.memory.account_id.take(), adoption, login, ..Memory::default() };
        Ok(())
    }

    async fn record_login(&mut self, state: LoginState) -> Result<(), Error> {
        self.note_in_status(|status| status.console_login.get_or_insert_default().state = state).await
    }

    async fn record_password(&mut self, seal: String) -> Result<(), Error> {
        let none = self.ram.as_ref().is_some_and(|ram| ram.login.is_none());
        self.giving_noted = self.memory.login.as_ref().is_none_or(|login| login.giving.is_none());
        self.note_in_status(|status| {
            let login = status.console_login.get_or_insert_default();
            login.pending_seal = Some(seal);
            if none {
                login.state = LoginState::Absent;
            }
        })
        .await
    }

    /// Whether this very password was given before, and the answer was lost.
    fn tried(&self) -> bool {
        let open = self.memory.login.as_ref().and_then(|login| login.giving.as_ref());
        let same = matches!((&self.found.seen, open), (PasswordSeen::There(seal), Some(open)) if seal == open);
        same && !self.giving_noted
    }

    /// A value that is there when the log-on was never carried out may be long done.
    async fn record_reset(&mut self) -> Result<(), Error> {
        let (asked, first) = (self.reset.asked.clone(), self.memory.login.is_none());
        self.note_in_status(|status| {
            let requests = status.requests.get_or_insert_default();
            let request = requests.reset_password.get_or_insert_default();
            request.accepted.clone_from(&asked);
            if first {
                request.done = asked;
            }
        })
        .await
    }

    async fn write_password(&mut self) -> Result<(), Error> {
        let policy = self.client()?.get_password_policy().await?;
        let name = self.user_name();
        let login = self.object.spec.console_login.as_ref();
        let secret = login.and_then(|login| login.initial_password.as_ref()?.secret.as_ref()).map(|s| s.name.clone());
        let (Some(secret), Some(principal), Some(domain)) = (secret, self.principal(&name), self.domain()) else {
            return Err(Verdict::new(Reason::DomainUnknown).into());
        };
        let (password, url) = (generate(&policy), login_url(domain));
        let stored = self.found.stored.as_ref();
        match write(&self.ctx.kube, &self.object, &secret, stored, &password, (&principal, &url)).await {
            Err(Error::Kube(error)) if matches!(&*error, kube::Error::Api(s) if s.is_already_exists()) => {
                return Err(Error::Unsettled);
            }
            outcome => outcome?,
        }
        self.observe_password().await
    }

    /// Creates or changes the log-on; with a password it is given away only here.
    async fn log_on(&mut self, change: LoginChange, create: bool) -> Result<(), Error> {
        let name = self.user_name();
        let principal = self.principal(&name).ok_or_else(|| Verdict::new(Reason::DomainUnknown))?;
        let initial = self.object.spec.console_login.as_ref().and_then(|login| login.initial_password.as_ref());
        let generated = initial.is_some_and(|initial| initial.source == PasswordSource::Generate);
        let must_change = initial.is_none_or(|initial| initial.change_at_logon == ChangeAtLogon::Required);
        let changes = LoginChanges {
            password: self.found.password.clone().filter(|_| change.password),
            password_reset_required: change.password.then_some(must_change),
            mfa_bind_required: change.mfa,
            enabled: change.enabled,
        };
        // A generated one is no old one of somebody's.
        let tried = generated || self.tried();
        let client = self.client()?;
        let answer = if create {
            client.create_login_profile(&principal, &changes).await
        } else {
            client.update_login_profile(&principal, &changes).await
        };
        if let Err(error) = &answer
            && change.password
            && self.giving_noted
            && error.proves_nothing_made()
            && let Some(login) = &mut self.memory.login
        {
            login.giving = None;
        }
        match answer {
            Err(error) if error.class() == Class::Exists => return Err(Error::Unsettled),
            // It was given before, and the answer was lost.
            Err(error) if tried && !create && error.code().is_some_and(|code| code.contains("ReusePrevention")) => {}
            Err(error) if change.password && error.code().is_some_and(|code| code.contains("Password")) => {
                return Err(Verdict::new(Reason::PasswordRefused)
                    .about(error.code().unwrap_or_default().to_owned())
                    .into());
            }
            Err(error) if !change.password && error.may_ask_for_password() => {
                return self.refused(&change, &error);
            }
            outcome => outcome?,
        }
        if change.password {
            let now = self.now();
            let login = self.memory.login.get_or_insert_default();
            login.state = LoginState::Enabled;
            login.password_time = Timestamp::from_second(now.as_second()).ok();
            login.password_seal = match &self.found.seen {
                PasswordSeen::There(seal) => Some(seal.clone()),
                _ => None,
            };
            login.giving = None;
            self.reset.done.clone_from(&self.reset.accepted);
            let message = format!("User {name} has a new password for log-on to the console.");
            note(self.ctx, &self.object, EventType::Normal, "PasswordGiven", message).await;
        } else if change.enabled == Some(true) {
            self.given_back = true;
        }
        // What was read when the user was made does not show this.
        self.made_here = false;
        Ok(())
    }

    /// RAM takes no change of a log-on without a new password: what takes it away is done without, the rest needs a person.
    fn refused(&mut self, change: &LoginChange, error: &ram::Error) -> Result<(), Error> {
        if change.enabled == Some(false) {
            self.disable_refused = true;
            return Ok(());
        }
        let code = error.code().unwrap_or_default().to_owned();
        Err(Verdict::new(Reason::PasswordNeeded).about(code).again_in(LATER).into())
    }

    async fn delete_login(&mut self) -> Result<(), Error> {
        let name = self.user_name();
        self.client()?.delete_login_profile(&name).await?;
        if self.disable_refused {
            let message = format!(
                "The log-on of user {name} was deleted, since RAM refuses to disable it without a new password. Enabled again, it gets a first password."
            );
            note(self.ctx, &self.object, EventType::Warning, "LogOnDeleted", message).await;
        }
        Ok(())
    }

    fn inventory(&self, key: &ram::AccessKey) -> InventoryKey {
        let owner = self.key_objects.iter().find(|object| object.ids.contains(&key.id));
        let open =
            self.key_objects.iter().any(|object| object.open_until().is_some_and(|until| key.create_time <= until));
        InventoryKey {
            id: key.id.clone(),
            state: match key.status {
                KeyStatus::Active => KeyState::Active,
                KeyStatus::Inactive => KeyState::Inactive,
            },
            create_time: key.create_time.to_string(),
            owner: match owner {
                Some(_) => KeyOwner::RamAccessKey,
                None if open => KeyOwner::Undecided,
                None => KeyOwner::Foreign,
            },
            access_key: owner.map(|object| object.name.clone()),
        }
    }

    async fn create(&mut self, user: ram::NewUser) -> Result<(), Error> {
        let created = match self.client()?.create_user(&user).await {
            // Somebody was faster: the next look finds out whose it is.
            Err(error) if error.class() == Class::Exists => return Err(Error::Unsettled),
            other => other?,
        };
        self.memory = Memory {
            account_id: self.account.as_ref().ok().map(|account| account.view.account_id.clone()),
            user_id: Some(created.user_id.clone()),
            marker_uid: self.marker().map(|marker| marker.uid),
            create_time: created.create_time,
            login: None,
            // Whatever was adopted under this name is gone.
            adoption: Adopting { noted: None, ..self.memory.adoption },
            mfa: None,
        };
        // A user that was made this moment has nothing: no look is needed to know that.
        let made = ram::User { comments: user.comments.clone().unwrap_or_default(), ..created };
        self.ram = Some(InRam { user: Some(made), ..InRam::default() });
        self.made_here = true;
        Ok(())
    }

    async fn update(&mut self, changes: &ram::UserChanges) -> Result<(), Error> {
        let name = self.user_name();
        self.client()?.update_user(&name, changes).await?;
        if changes.comments.is_none() {
            return Ok(());
        }
        if self.memory.user_id.is_none() {
            let message = format!("User {name} was taken over. Nothing is taken from it until that is accepted.");
            note(self.ctx, &self.object, EventType::Normal, "Adopted", message).await;
        }
        self.memory.user_id = self.ram.as_ref().and_then(|ram| ram.user.as_ref()).map(|user| user.user_id.clone());
        self.memory.marker_uid = self.marker().map(|marker| marker.uid);
        Ok(())
    }

    async fn attach(&mut self, policy: PolicyRef) -> Result<(), Error> {
        match self.client()?.attach_policy_to_user(&self.user_name(), &policy).await {
            Ok(()) => {}
            Err(error) if error.code().is_some_and(|code| code.starts_with("EntityNotExist.Policy")) => {
                return Err(Verdict::new(Reason::PolicyNotFound).about(policy.to_string()).into());
            }
            Err(error) if error.class() == Class::Quota => {
                self.quota_reached = true;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        if self.made_here
            && let Some(ram) = &mut self.ram
        {
            ram.policies.push(policy);
        }
        Ok(())
    }

    async fn look_at_group(&mut self, group: String) -> Result<(), Error> {
        let held = match self.client()?.list_policies_for_group(&group).await {
            Ok(attached) => Some(attached.into_iter().map(|attached| attached.policy).collect()),
            Err(error) if error.class() == Class::Missing => None,
            Err(error) => return Err(error.into()),
        };
        self.contents.insert(group, held);
        Ok(())
    }

    async fn join(&mut self, group: String) -> Result<(), Error> {
        match self.client()?.add_user_to_group(&self.user_name(), &group).await {
            Ok(()) => {}
            Err(error) if error.code() == Some("EntityNotExist.Group") => {
                return Err(Verdict::new(Reason::GroupNotFound).about(group).into());
            }
            Err(error) if error.class() == Class::Quota => {
                self.groups_full = true;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        if self.made_here
            && let Some(ram) = &mut self.ram
        {
            ram.groups.push(group);
        }
        Ok(())
    }

    async fn delete(&self) -> Result<(), Error> {
        let user = self.ram.as_ref().and_then(|ram| ram.user.as_ref());
        delete_user(self.client()?, user.map_or("", |user| user.user_id.as_str()), &self.user_name()).await
    }

    async fn finish(&mut self) -> Result<(), Error> {
        let (ctx, key) = (self.ctx, self.key);
        let name = self.user_name();
        let stays = self.ram.as_ref().is_some_and(|ram| ram.user.is_some());
        let (reason, message) = if stays && self.retains() {
            ("Retained", format!("User {name} is left in RAM, without our marker."))
        } else {
            ("Removed", format!("User {name} of this object is not in RAM any more."))
        };
        note(ctx, &self.object, EventType::Normal, reason, message).await;
        set_finalizer(ctx, key, &mut self.object, false).await
    }
}

/// Deletes a user that has nothing more, as far as we know.
pub async fn delete_user(client: &ram::Client, id: &str, name: &str) -> Result<(), Error> {
    // By id first: a user of the same name that somebody made meanwhile is not touched.
    let outcome = match client.delete_user_by_id(id).await {
        Err(error) if matches!(error.class(), Class::Denied | Class::Invalid) => client.delete_user(name).await,
        other => other,
    };
    match outcome {
        Err(error) if error.class() == Class::InUse => {
            let what = error.code().and_then(|code| code.rsplit_once('.')).map_or("something", |(_, what)| what);
            Err(Verdict::new(Reason::Blocked)
                .about(format!("RAM says it still has: {what}"))
                .again_in(Duration::from_secs(30))
                .into())
        }
        other => Ok(other?),
    }
}

/// Who has keys of a user: a RamAccessKey, or a RamRevocation that has what one left.
pub struct KeyFound {
    /// Its name.
    pub name: String,
    /// The object itself, for who waits for it.
    pub subject: ObjectKey,
    /// It is a RamRevocation.
    pub order: bool,
    /// It is being deleted, or is a RamRevocation.
    pub deleting: bool,
    /// Its uid.
    pub uid: Option<String>,
    /// It has a rotation interval.
    pub interval: bool,
    /// What its status remembers.
    pub journal: Journal,
    /// Every key it has: by its status, by its Secret, by its order.
    pub ids: Vec<String>,
}

/// Who has keys of a user. A spec that this version cannot read is no reason to overlook what the status remembers;
/// a status that it cannot read is one to stop. Secrets are looked at too: a key may be published and not yet noted.
///
/// `but` is the RamAccessKey that asks: it knows its own.
pub async fn holders_of(
    ctx: &Ctx,
    namespace: &str,
    user: &str,
    user_name: &str,
    but: Option<&str>,
) -> Result<Vec<KeyFound>, Error> {
    let kind = ApiResource::erase::<RamAccessKey>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.kube.clone(), namespace, &kind);
    let list = api.list(&ListParams::default().fields(&format!("spec.userRef.name={user}"))).await?;
    let mut all = Vec::new();
    for object in list.into_iter().filter(|object| but != Some(object.name_any().as_str())) {
        let status = object.data.get("status").cloned().map(serde_json::from_value::<RamAccessKeyStatus>);
        let status = status.transpose().map_err(kube::Error::SerdeError)?;
        let name = object.name_any();
        let secret = object.data.pointer("/spec/secret/name").and_then(|name| name.as_str());
        let journal = status.as_ref().map(Journal::read).unwrap_or_default();
        let mut ids: Vec<String> = journal.ids().map(str::to_owned).collect();
        let published = published_id(ctx, namespace, secret.unwrap_or(&name), &name).await?;
        ids.extend(published.filter(|id| !ids.contains(id)).into_iter().collect::<Vec<_>>());
        all.push(KeyFound {
            order: false,
            deleting: object.metadata.deletion_timestamp.is_some(),
            uid: object.uid(),
            interval: object.data.pointer("/spec/rotation/interval").is_some(),
            subject: ObjectKey::new(RamAccessKey::KIND, Some(namespace), &name),
            name,
            journal,
            ids,
        });
    }
    all.extend(orders_of(ctx, namespace, user, user_name).await?);
    Ok(all)
}

/// The id in the Secret of a RamAccessKey, if the Secret is its own.
async fn published_id(ctx: &Ctx, namespace: &str, secret: &str, owner: &str) -> Result<Option<String>, Error> {
    let found = Api::<Secret>::namespaced(ctx.kube.clone(), namespace).get_metadata_opt(secret).await?;
    let ours = found.filter(|secret| secret::belongs_to(secret.meta(), owner));
    Ok(ours.and_then(|secret| secret.metadata.annotations?.remove(annotation::ACCESS_KEY_ID)))
}

/// RamRevocations for a user, with the keys and open mints that they are about.
async fn orders_of(ctx: &Ctx, namespace: &str, user: &str, user_name: &str) -> Result<Vec<KeyFound>, Error> {
    let params = ListParams::default().fields(&format!("spec.order.user.userName={user_name}"));
    let list = Api::<RamRevocation>::all(ctx.kube.clone()).list(&params).await?;
    let found = |object: RamRevocation| {
        let subject = ObjectKey::new(RamRevocation::KIND, None, &object.name_any());
        let name = format!("RamRevocation {}", subject.name);
        let order = object.spec.order.filter(|order| order.user.namespace == namespace && order.user.name == user)?;
        let strays = object.status.and_then(|status| status.strays).unwrap_or_default();
        let strays = strays.into_iter().chain(order.strays.into_iter().flatten());
        let ids = order.access_key_ids.into_iter().chain(order.disabled_ids).chain(strays.map(|key| key.id));
        Some(KeyFound {
            name,
            subject,
            order: true,
            deleting: true,
            uid: Some(order.uid),
            interval: false,
            journal: Journal { intents: order.intents.iter().map(Intent::read).collect(), ..Journal::default() },
            ids: ids.collect(),
        })
    };
    Ok(list.into_iter().filter_map(found).collect())
}

/// Notes in the status of a RamAccessKey that its keys are disabled by us.
pub async fn note_disarmed(ctx: &Ctx, namespace: &str, name: &str, keys: &[ram::AccessKey]) -> Result<(), Error> {
    let api = RamAccessKey::api(ctx.kube.clone(), Some(namespace));
    let Some(mut object) = api.get_opt(name).await? else { return Ok(()) };
    let mut status = object.status.clone().unwrap_or_default();
    let mut journal = Journal::read(&status);
    journal.disarm(keys);
    journal.write(&mut status);
    object.status = Some(status);
    object.metadata.managed_fields = None;
    api.replace_status(name, &PostParams::default(), &object).await?;
    Ok(())
}

/// Where the user with `id` is now that a look at `name` did not show it. Gone is gone only when IMS, or the whole list,
/// agrees; a user that has that very name was not shown yet by the first look.
pub async fn by_id(client: &ram::Client, id: &str, name: &str) -> Result<Option<String>, Error> {
    let found = match client.user_by_id(id).await {
        Ok(found) => found.map(|user| user.user_name().to_owned()),
        Err(error) if matches!(error.class(), Class::Denied | Class::Invalid | Class::Transient) => {
            client.user_name_by_listing(id).await?
        }
        Err(error) => return Err(error.into()),
    };
    if found.as_deref() == Some(name) { Err(Error::Unsettled) } else { Ok(found) }
}

impl Pass for UserPass<'_> {
    type Step = Step;

    async fn observe(&mut self) -> Result<(), Error> {
        if self.tenant.is_none() {
            self.observe_tenant().await?;
            self.observe_password().await?;
        }
        let here = self.account.as_ref().is_ok_and(|account| account.view.has(self.memory.account_id.as_ref()));
        if here && self.ram_changed && !self.made_here {
            self.observe_ram().await?;
            self.observe_keys().await?;
            self.elsewhere = self.look_elsewhere().await?;
            self.ram_changed = false;
        }
        if here {
            self.observe_seed().await?;
        }
        // Found again after its status was lost, or written before a crash; or by an object that was made again.
        if let (Some(ram), Some(ours), None, Elsewhere::Nothing) =
            (&self.ram, self.marker(), &self.memory.user_id, self.elsewhere)
            && let Some(user) = &ram.user
            && let Some(marker) = Marker::parse(&user.comments).1.filter(|marker| marker.same_object(&ours))
        {
            if marker == ours {
                self.memory.user_id = Some(user.user_id.clone());
                self.memory.marker_uid = Some(ours.uid);
            }
            self.memory.adoption = self.memory.adoption.recognised(self.may_be_adopted(), now(self.ctx));
        }
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
        let name = self.user_name();
        let looks = Self::only_looks(&step);
        if !looks
            && !matches!(
                step,
                Step::AddFinalizer
                    | Step::RemoveFinalizer
                    | Step::HandOver(_)
                    | Step::RecordAdoption
                    | Step::RecordGone
                    | Step::RecordLogin(_)
                    | Step::RecordPassword(_)
                    | Step::RecordReset
                    | Step::WritePassword
                    | Step::RecordMfa(_)
                    | Step::RecordMfaReset
                    | Step::ClaimSeedSecret
            )
            && !self.ctx.lease.holds()
        {
            return Err(Error::NotLeader);
        }
        self.ram_changed |= !looks && step != Step::AddFinalizer;
        match step {
            Step::AddFinalizer => set_finalizer(self.ctx, self.key, &mut self.object, true).await,
            Step::RemoveFinalizer => self.finish().await,
            Step::RecordAdoption => self.record_adoption().await,
            Step::RecordGone => self.record_gone().await,
            Step::CreateUser(user) => self.create(user).await,
            Step::UpdateUser(changes) => self.update(&changes).await,
            Step::AttachPolicy(policy) => self.attach(policy).await,
            Step::DetachPolicy(policy) => {
                self.client()?.detach_policy_from_user(&name, &policy).await?;
                self.quota_reached = false;
                Ok(())
            }
            Step::LookAtPolicy(policy) => {
                let document = document_of(self.client()?, &policy).await?;
                self.documents.insert(policy, document);
                Ok(())
            }
            Step::RecordLogin(state) => self.record_login(state).await,
            Step::RecordPassword(seal) => self.record_password(seal).await,
            Step::RecordReset => self.record_reset().await,
            Step::WritePassword => self.write_password().await,
            Step::CreateLogin(change) => self.log_on(change, true).await,
            Step::ChangeLogin(change) => self.log_on(change, false).await,
            Step::DeleteLogin => self.delete_login().await,
            Step::RecordMfa(phase) => self.record_mfa(phase).await,
            Step::RecordMfaReset => self.record_mfa_reset().await,
            Step::ClaimSeedSecret => self.claim_seed_secret().await,
            Step::MakeMfaDevice => self.make_device().await,
            Step::BindMfa => self.bind_device().await,
            Step::UnbindMfa => self.unbind_device().await,
            Step::DeleteMfaDevice(serial) => self.delete_device(&serial).await,
            Step::LookAtGroup(group) => self.look_at_group(group).await,
            Step::JoinGroup(group) => self.join(group).await,
            Step::Disarm(owner) => {
                let keys = self.ram.as_ref().map(|ram| ram.keys.clone()).unwrap_or_default();
                note_disarmed(self.ctx, &self.key.namespace, &owner, &keys).await
            }
            Step::DisableKey(id) => Ok(self.client()?.update_access_key(&name, &id, KeyStatus::Inactive).await?),
            Step::DeleteKey(id) => Ok(self.client()?.delete_access_key(&name, &id).await?),
            Step::LeaveGroup(group) => {
                self.client()?.remove_user_from_group(&name, &group).await?;
                self.groups_full = false;
                Ok(())
            }
            Step::DeleteUser => self.delete().await,
            Step::HandOver(not_before) => {
                self.hand_over(Some(not_before)).await?;
                Err(Error::Gone)
            }
        }
    }
}
