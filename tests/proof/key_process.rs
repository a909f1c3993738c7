//! A pass over a RamAccessKey, as its controller does it, cut at every point where a process can die or freeze.

use std::collections::{BTreeMap, BTreeSet};

use ram_operator::api;
use ram_operator::plan::ram_access_key as plan;
use ram_operator::plan::{AccountView, Next, Reason, Verdict};
use ram_operator::ram::{LastUsed, Proof};

use crate::invariants;
use crate::names::{
    ACCOUNT, MAX_STEPS, MINT_WINDOW, OWNER, PATIENCE, USER, back, intent_name, key_id, key_name, object_name,
    object_number, ts, user_id, user_number,
};
use crate::process::{EFFECT, Fail, GO, LAST, Mode, OVER, Outcome, Stepped, Stop};
use crate::search::Cfg;
use crate::world::{
    Asked, By, Excused, Flight, Holder, Intent, Journal, Listed, NotMade, Order, Policy, Retiring, Sec, Shift, Who,
    Why, World,
};

/// A step of the plan, by numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    AddFinalizer,
    RemoveFinalizer,
    Mint(Option<u8>),
    Republish,
    Prove(u8),
    LookAtUse(u8),
    /// `true`: Inactive.
    RecordState(bool),
    Record,
    Purge(u8),
    Enable(u8),
    Disable(u8),
    Delete(u8),
    AdoptStray(u8, Vec<u8>),
    Release(bool),
}

impl Act {
    fn of(step: &plan::Step) -> Self {
        use plan::Step;
        match step {
            Step::AddFinalizer => Self::AddFinalizer,
            Step::RemoveFinalizer => Self::RemoveFinalizer,
            Step::Mint { replaces } => Self::Mint(replaces.as_deref().map(key_id)),
            Step::Republish => Self::Republish,
            Step::Prove(id) => Self::Prove(key_id(id)),
            Step::LookAtUse(id) => Self::LookAtUse(key_id(id)),
            Step::RecordState(state) => Self::RecordState(*state == api::KeyState::Inactive),
            Step::Record => Self::Record,
            Step::Purge(id) => Self::Purge(key_id(id)),
            Step::Enable(id) => Self::Enable(key_id(id)),
            Step::Disable(id) => Self::Disable(key_id(id)),
            Step::Delete(id) => Self::Delete(key_id(id)),
            Step::AdoptStray { id, fence } => {
                Self::AdoptStray(key_id(id), fence.iter().map(|name| object_number(name)).collect())
            }
            Step::Release { marks } => Self::Release(*marks),
            Step::SetSources(_) | Step::Restart(_) | Step::LookAtRights | Step::ProvePair | Step::AdoptKey(_) => {
                panic!("not asked for in the model: {step:?}")
            }
        }
    }

    /// Whether the controller asks the lease first.
    fn needs_lease(&self) -> bool {
        matches!(self, Self::Mint(_) | Self::Enable(_) | Self::Disable(_) | Self::Delete(_) | Self::Purge(_))
    }
}

/// The next micro-step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Read,
    Cluster,
    Ram,
    Act(Act),
    /// The mint is signed at this time; which key it replaces.
    Intend(i64, Option<u8>),
    Send(Intent),
    Publish(Intent, u8),
    Undo(Intent, u8, u8),
    Ended,
    LeaveOrder,
    /// Before the finalizer goes with the order.
    Release(bool),
    Unfinalize,
    Conclude,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserFacts {
    Missing,
    Unmade,
    Made { id: u8, ready: bool, deleting: bool, suspended: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proved {
    /// The RAM user that it belongs to.
    Authentic(u8),
    Inactive,
    NotYet,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyProcess {
    pub i: usize,
    pub at: At,
    pub uid: u8,
    pub deleting: Option<i64>,
    finalizer: bool,
    pub inactive: bool,
    interval: Option<i64>,
    policy: Policy,
    asked: Asked,
    journal: Journal,
    /// Nobody has written the object since it was read.
    pub fresh: bool,
    pub user: UserFacts,
    known: Option<u8>,
    account: bool,
    pub secret: Option<Sec>,
    pub secret_fresh: bool,
    siblings: Option<Vec<Holder>>,
    pub grant: bool,
    ns: bool,
    /// Whether the user is ours (else it is gone), and its keys.
    ram: Option<(bool, Vec<Listed>)>,
    listed: Option<i64>,
    proofs: BTreeMap<u8, Proved>,
    uses: BTreeMap<u8, Option<i64>>,
    purged: BTreeSet<u8>,
    deleted: BTreeSet<u8>,
    enabled: BTreeSet<u8>,
    looked: bool,
    keys_changed: bool,
    last: Option<Act>,
    steps: u8,
    pub lease: bool,
    pub outcome: Option<Outcome>,
    stale: bool,
    pub was_frozen: bool,
}

type Walk = Result<Stepped, Stop>;

impl KeyProcess {
    pub fn new(i: usize, stale: bool) -> Self {
        Self {
            i,
            at: At::Read,
            uid: 0,
            deleting: None,
            finalizer: false,
            inactive: false,
            interval: None,
            policy: Policy::Delete,
            asked: Asked::default(),
            journal: Journal::default(),
            fresh: false,
            user: UserFacts::Missing,
            known: None,
            account: false,
            secret: None,
            secret_fresh: false,
            siblings: None,
            grant: false,
            ns: false,
            ram: None,
            listed: None,
            proofs: BTreeMap::new(),
            uses: BTreeMap::new(),
            purged: BTreeSet::new(),
            deleted: BTreeSet::new(),
            enabled: BTreeSet::new(),
            looked: false,
            keys_changed: true,
            last: None,
            steps: 0,
            lease: true,
            outcome: None,
            stale,
            was_frozen: false,
        }
    }

    /// What the plan is asked about.
    pub fn seen(&self, cfg: &Cfg) -> plan::Seen {
        plan::Seen {
            name: object_name(self.i as u8),
            deleting: self.deleting.is_some(),
            namespace_terminating: self.ns,
            finalizer: self.finalizer,
            paused: false,
            spec: self.spec(cfg),
            asked: plan::Asked {
                rotate: self.asked.rotate.map(key_name),
                revoke: self.asked.revoke.map(key_name),
                restore: self.asked.restore.map(key_name),
            },
            journal: self.journal.real(),
            account: self.account_view(),
            grant: if self.grant { Ok(()) } else { Err(Verdict::new(Reason::NotATenant)) },
            retain_denied: false,
            max_age: None,
            user: self.user_seen(),
            rights: plan::Rights::Own,
            ram: self.ram.as_ref().map(|(ours, keys)| plan::InRam {
                user: if *ours { plan::Ownership::Ours } else { plan::Ownership::Gone },
                keys: keys.iter().map(|key| key.real()).collect(),
            }),
            listed: self.listed.map(ts),
            deleted: self.deleted.iter().map(|id| key_name(*id)).collect(),
            enabled: self.enabled.iter().map(|id| key_name(*id)).collect(),
            secret: self.secret_seen(),
            to_adopt: None,
            siblings: self.siblings.iter().flatten().map(sibling).collect(),
            proofs: self.proofs.iter().map(|(id, proof)| (key_name(*id), real_proof(*proof))).collect(),
            uses: self.uses.iter().map(|(id, time)| (key_name(*id), used(*time))).collect(),
            sources: None,
            purged: self.purged.iter().map(|id| key_name(*id)).collect(),
            workloads: BTreeMap::new(),
        }
    }

    fn spec(&self, cfg: &Cfg) -> api::RamAccessKeySpec {
        let span = |seconds: i64| api::Span(format!("{seconds}s"));
        api::RamAccessKeySpec {
            user_ref: api::UserRef { name: USER.to_owned() },
            state: if self.inactive { api::KeyState::Inactive } else { api::KeyState::Active },
            secret: api::SecretOutput::default(),
            rotation: api::Rotation {
                interval: self.interval.map(span),
                overlap: span(cfg.overlap),
                max_overlap: cfg.max_overlap.map(span),
                quarantine: span(cfg.quarantine),
                purge_from_recycle_bin: false,
            },
            allowed_sources: None,
            restart_targets: None,
            deletion_policy: match self.policy {
                Policy::Delete => api::KeyDeletionPolicy::Delete,
                Policy::Disable => api::KeyDeletionPolicy::Disable,
                Policy::Retain => api::KeyDeletionPolicy::Retain,
            },
        }
    }

    fn account_view(&self) -> Result<AccountView, Verdict> {
        match self.user {
            _ if self.account => Ok(account_view()),
            UserFacts::Missing => Err(Verdict::new(Reason::UserNotFound)),
            UserFacts::Unmade | UserFacts::Made { .. } => Err(Verdict::new(Reason::AccountNotReady)),
        }
    }

    fn user_seen(&self) -> plan::UserSeen {
        match self.user {
            UserFacts::Missing => plan::UserSeen::Missing,
            UserFacts::Unmade => plan::UserSeen::Unmade,
            UserFacts::Made { id, ready, deleting, suspended } => {
                plan::UserSeen::Made { user_id: user_id(id), ready, deleting, suspended, stays: false }
            }
        }
    }

    fn secret_seen(&self) -> plan::SecretSeen {
        let Some(secret) = &self.secret else { return plan::SecretSeen::Absent };
        if !secret.marked {
            return plan::SecretSeen::Foreign;
        }
        let wanted = secret.owned == (self.policy == Policy::Delete) && secret.uid == self.uid;
        plan::SecretSeen::Ours(plan::Published {
            id: Some(key_name(secret.id)),
            intact: secret.intact,
            account_id: Some(ACCOUNT.to_owned()),
            time: Some(ts(secret.time)),
            intent: Some(intent_name(secret.intent)),
            retiring: secret.retiring.iter().map(|(id, time, why)| (key_name(*id), ts(*time), why.real())).collect(),
            up_to_date: !secret.intact || wanted,
            owned: secret.owned,
        })
    }

    pub fn settled(&self, cfg: &Cfg, now: i64) -> Journal {
        Journal::of(&plan::settle(&self.seen(cfg), ts(now)))
    }

    /// The keys that the pass knows of.
    pub fn keys(&self) -> &[Listed] {
        self.ram.as_ref().map_or(&[][..], |(_, keys)| keys.as_slice())
    }

    pub fn has_finalizer(&self) -> bool {
        self.finalizer
    }

    pub fn place(&self) -> String {
        let name = match &self.at {
            At::Act(act) => return format!("{act:?}"),
            At::Read => "reading",
            At::Cluster => "looking at the cluster",
            At::Ram => "looking at RAM",
            At::Intend(..) => "the intent",
            At::Send(_) => "CreateAccessKey",
            At::Publish(..) => "the publish",
            At::Undo(..) => "taking the key back",
            At::Ended => "the end",
            At::LeaveOrder => "leaving the order",
            At::Release(_) => "releasing the Secret",
            At::Unfinalize => "taking the finalizer off",
            At::Conclude => "writing the status",
        };
        name.to_owned()
    }

    pub fn freezable(&self) -> Option<String> {
        match &self.at {
            At::Cluster => Some("after reading".to_owned()),
            At::Ram if !self.looked => Some("after reading".to_owned()),
            At::Act(Act::LookAtUse(_) | Act::Prove(_)) | At::Read | At::Ram | At::Ended => None,
            At::Act(_)
            | At::Intend(..)
            | At::Send(_)
            | At::Publish(..)
            | At::Undo(..)
            | At::LeaveOrder
            | At::Release(_)
            | At::Unfinalize
            | At::Conclude => Some(format!("before {}", self.place())),
        }
    }

    pub fn writes_to_ram(&self) -> bool {
        matches!(self.at, At::Send(_) | At::Act(Act::Disable(_) | Act::Enable(_) | Act::Delete(_) | Act::Purge(_)))
    }

    pub fn mint_until(&self) -> Option<i64> {
        match &self.at {
            At::Send(intent) => Some(intent.not_after),
            _ => None,
        }
    }

    fn fail(&mut self, fail: Fail) -> Stepped {
        self.outcome = Some(Outcome::Fail(fail));
        self.at = At::Ended;
        GO
    }

    /// As `fail`, after something was changed.
    fn fail_late(&mut self, fail: Fail) -> Stepped {
        self.fail(fail);
        EFFECT
    }

    fn go(&mut self, at: At) -> Stepped {
        self.at = at;
        GO
    }

    fn went(&mut self, at: At) -> Stepped {
        self.at = at;
        EFFECT
    }

    /// Writes the journal by compare-and-swap; `false`: somebody else wrote the object.
    fn write_journal(&mut self, world: &mut World, journal: Journal) -> Result<bool, Stop> {
        let object = world.object(self.i, self.uid).ok_or(Stop::Gone)?;
        if !self.fresh {
            return Ok(false);
        }
        if object.journal != journal {
            world.write_journal(self.i, &journal);
        }
        self.journal = journal;
        Ok(true)
    }

    pub fn step(&mut self, world: &mut World, cfg: &Cfg, mode: Option<Mode>) -> Walk {
        match self.at.clone() {
            At::Read => Ok(self.read(world)),
            At::Cluster => {
                self.look_at_cluster(world);
                Ok(self.go(At::Ram))
            }
            At::Ram => self.look_at_ram(world, cfg),
            At::Act(act) => self.act(world, cfg, act, mode),
            At::Intend(time, replaces) => self.intend(world, cfg, time, replaces),
            At::Send(intent) => self.send(world, &intent, mode),
            At::Publish(intent, id) => self.publish(world, cfg, intent, id),
            At::Undo(intent, id, stage) => self.undo(world, intent, id, stage),
            At::Ended => {
                let unfinished = self.outcome.is_some_and(Outcome::unfinished);
                let tried = self.deleting.is_some_and(|since| world.now - since >= PATIENCE);
                if tried && self.finalizer && unfinished {
                    if !self.looked && self.siblings.is_none() {
                        self.look_at_cluster(world);
                    }
                    return Ok(self.go(At::LeaveOrder));
                }
                Ok(self.go(At::Conclude))
            }
            At::LeaveOrder => Ok(self.leave_order(world, cfg)),
            At::Release(marks) => Ok(self.release(world, marks, At::Unfinalize)),
            At::Unfinalize => Ok(self.drop_finalizer(world)),
            At::Conclude => {
                let journal = if self.looked { self.settled(cfg, world.now) } else { self.journal.clone() };
                let differs = world.object(self.i, self.uid).is_some_and(|object| object.journal != journal);
                if differs && self.fresh {
                    world.write_journal(self.i, &journal);
                    return Ok(LAST);
                }
                Ok(OVER)
            }
        }
    }

    fn read(&mut self, world: &World) -> Stepped {
        let Some(object) = &world.objs[self.i] else { return OVER };
        self.uid = object.uid;
        self.deleting = object.deleting;
        self.finalizer = object.finalizer;
        self.inactive = object.inactive;
        self.interval = object.interval;
        self.policy = object.policy;
        self.asked = object.asked;
        self.journal = object.journal.clone();
        self.fresh = true;
        self.user = match &world.user {
            None => UserFacts::Missing,
            Some(user) => match user.known {
                Some(id) => UserFacts::Made {
                    id,
                    ready: user.ready,
                    deleting: user.deleting.is_some(),
                    suspended: user.suspended,
                },
                None if user.deleting.is_some() => {
                    UserFacts::Made { id: 0, ready: false, deleting: true, suspended: user.suspended }
                }
                None => UserFacts::Unmade,
            },
        };
        let made = world.user.as_ref().and_then(|user| user.known);
        let noted = self.journal.made;
        self.known = if self.deleting.is_some() { noted.or(made) } else { made.or(noted) };
        self.account = world.account && (world.user.is_some() || noted.is_some());
        // Without its RamUser a key knows its account by number only, and waits for it.
        if world.user.is_none() && noted.is_some() && !world.account {
            return self.fail(Fail::AccountPending);
        }
        self.go(At::Cluster)
    }

    fn look_at_cluster(&mut self, world: &World) {
        self.secret.clone_from(&world.secrets[self.i]);
        self.secret_fresh = true;
        let others = world.holders().into_iter().filter(|holder| holder.order || usize::from(holder.name) != self.i);
        self.siblings = Some(others.collect());
        self.grant = world.grant;
        self.ns = world.ns_term;
    }

    fn look_at_ram(&mut self, world: &World, cfg: &Cfg) -> Walk {
        if self.steps >= MAX_STEPS {
            return Ok(self.fail(Fail::Unfinished));
        }
        let named = self.user != UserFacts::Missing || self.journal.made.is_some();
        if self.keys_changed && self.account && self.known.is_some() && named {
            let ours =
                matches!(self.ram, Some((true, _))) || world.ram_user.is_some_and(|(id, _)| Some(id) == self.known);
            let keys = if ours { world.list(self.stale) } else { Vec::new() };
            self.ram = Some((ours, keys));
            self.keys_changed = false;
            self.listed = Some(world.now);
        }
        self.looked = true;
        let seen = self.seen(cfg);
        let step = match plan::next(&seen, ts(world.now)) {
            Next::Rest(verdict) => {
                self.outcome = Some(Outcome::Rest(verdict.reason));
                return Ok(self.go(At::Ended));
            }
            Next::Do(step) => Act::of(&step),
        };
        if self.last.as_ref() == Some(&step) {
            return Ok(self.fail(Fail::Unsettled));
        }
        self.last = Some(step.clone());
        self.steps += 1;
        if step.needs_lease() && !self.lease {
            return Ok(self.fail(Fail::NotLeader));
        }
        invariants::at_key_step(self, world, cfg, &step)?;
        let Act::Mint(replaces) = step else { return Ok(self.go(At::Act(step))) };
        // The dry run.
        let stored = world.secrets[self.i].is_some();
        match &self.secret {
            None if stored => Ok(self.fail(Fail::Refused)),
            None if world.ns_term => Ok(self.fail(Fail::Refused)),
            Some(_) if !stored || !self.secret_fresh => Ok(self.fail(Fail::Conflict)),
            _ => Ok(self.go(At::Intend(world.now, replaces))),
        }
    }

    fn intend(&mut self, world: &mut World, cfg: &Cfg, time: i64, replaces: Option<u8>) -> Walk {
        let not_after = time + MINT_WINDOW;
        let seen = self.seen(cfg);
        let settled = plan::settle(&seen, ts(world.now));
        let open: Vec<u8> = plan::suspects(&seen, &settled).into_iter().map(|key| key_id(&key.id)).collect();
        let known = self.keys().iter().map(|key| key.id).filter(|id| !open.contains(id)).collect();
        let intent = Intent { id: world.next_intent, time, not_after, known, replaces };
        world.next_intent += 1;
        let mut journal = Journal::of(&settled);
        journal.intents.push(intent.clone());
        journal.made = seen.user_id_known().as_deref().map(user_number);
        if !self.write_journal(world, journal)? {
            return Ok(self.fail(Fail::Conflict));
        }
        world.windows.push((time, not_after));
        if !self.lease {
            return Ok(self.fail_late(Fail::NotLeader));
        }
        Ok(self.went(At::Send(intent)))
    }

    fn send(&mut self, world: &mut World, intent: &Intent, mode: Option<Mode>) -> Walk {
        match mode {
            Some(Mode::Lost) => return Ok(self.fail_late(Fail::Ram)),
            Some(Mode::Delay) => {
                let flight = Flight::Mint { uid: self.uid, intent: intent.id, not_after: intent.not_after };
                world.inflight.push(flight);
                return Ok(self.fail_late(Fail::Ram));
            }
            Some(Mode::Reply) | None => {}
        }
        let made = world.mint(intent.not_after, self.uid, intent.id);
        if mode == Some(Mode::Reply) {
            return Ok(self.fail_late(Fail::Ram));
        }
        match made {
            Ok(id) => Ok(self.went(At::Publish(intent.clone(), id))),
            Err(why) => {
                let closed = self.close(world, intent.id)?;
                Ok(match why {
                    _ if !closed => self.fail_late(Fail::Conflict),
                    NotMade::Quota => {
                        self.outcome = Some(Outcome::Rest(Reason::NoFreeSlot));
                        self.went(At::Ended)
                    }
                    NotMade::Expired | NotMade::NoUser => self.fail_late(Fail::Ram),
                })
            }
        }
    }

    fn close(&mut self, world: &mut World, intent: u8) -> Result<bool, Stop> {
        let mut journal = self.journal.clone();
        journal.intents.retain(|open| open.id != intent);
        self.write_journal(world, journal)
    }

    /// Asks RAM with a pair, which counts as a use.
    fn prove(world: &mut World, id: u8) -> Proved {
        let (now, user) = (world.now, world.ram_user.map_or(0, |(id, _)| id));
        match world.key_mut(id) {
            None => Proved::NotYet,
            Some(key) if key.active => {
                key.use_it(now);
                Proved::Authentic(user)
            }
            Some(_) => Proved::Inactive,
        }
    }

    fn publish(&mut self, world: &mut World, cfg: &Cfg, intent: Intent, id: u8) -> Walk {
        let now = world.now;
        let proof = Self::prove(world, id);
        if proof == Proved::Inactive {
            // A dead pair replaces nothing.
            self.keys_changed = true;
            return Ok(self.fail_late(Fail::Dead));
        }
        let journal = self.settled(cfg, now);
        let why = |id: u8| if journal.revoked.contains(&id) { Why::Revoked } else { Why::Replaced };
        let replaced = intent.replaces.iter().map(|old| (*old, now, why(*old)));
        let retiring = replaced.chain(journal.retiring.iter().map(|key| (key.id, key.time, key.why))).collect();
        let current = world.secrets[self.i].clone();
        if self.secret.is_none() {
            if current.is_some() {
                return Ok(self.fail_late(Fail::Conflict));
            }
            if world.ns_term {
                return Ok(self.went(At::Undo(intent, id, 0)));
            }
        } else if current.is_none() || !self.secret_fresh {
            return Ok(self.fail_late(Fail::Conflict));
        }
        invariants::at_publish(self.i, world, current.as_ref(), id)?;
        let new = Sec {
            id,
            intact: true,
            intent: intent.id,
            retiring,
            time: now,
            owned: self.policy == Policy::Delete,
            uid: self.uid,
            marked: true,
        };
        world.copies[self.i] = current;
        world.secrets[self.i] = Some(new.clone());
        world.touch_secret(self.i);
        self.secret = Some(new);
        self.secret_fresh = true;
        for key in &mut world.keys {
            if key.id == id {
                key.replaced_at = None;
                key.excused = Excused::No;
            } else if key.published && key.by == By::Object(self.uid) && key.replaced_at.is_none() {
                key.replaced_at = Some(now);
            }
        }
        world.collect_garbage();
        let created = world.key(id).map_or(now, |key| key.created);
        if let Some((_, keys)) = &mut self.ram {
            keys.push(Listed { id, active: true, created });
        }
        if let Proved::Authentic(_) = proof {
            self.proofs.insert(id, proof);
        }
        Ok(self.went(At::Ram))
    }

    fn undo(&mut self, world: &mut World, intent: Intent, id: u8, stage: u8) -> Walk {
        match stage {
            0 => {
                world.set_key(id, false, Who::Ours);
                Ok(self.went(At::Undo(intent, id, 1)))
            }
            1 => {
                world.delete_key(id, Who::Ours)?;
                Ok(self.went(At::Undo(intent, id, 2)))
            }
            _ => {
                self.close(world, intent.id)?;
                Ok(self.fail_late(Fail::Refused))
            }
        }
    }

    /// Leaves what is left in RAM to a RamRevocation.
    fn leave_order(&mut self, world: &mut World, cfg: &Cfg) -> Stepped {
        let seen = self.seen(cfg);
        let journal = plan::settle(&seen, ts(world.now));
        if let Some(order) = plan::order(&seen, &journal)
            && world.left_orders.insert(self.uid)
        {
            world.orders.push(Order {
                uid: self.uid,
                user_id: order.user.user_id.as_deref().map(user_number).or(self.known),
                ids: order.access_key_ids.iter().map(|id| key_id(id)).collect(),
                disabled: order.disabled_ids.iter().map(|id| key_id(id)).collect(),
                intents: order.intents.iter().map(|intent| Intent::of(&plan::Intent::read(intent))).collect(),
                purge: order.purge_from_recycle_bin,
                strays: journal.strays().map(Retiring::of).collect(),
                ..Order::default()
            });
        }
        match plan::released(&seen) {
            Some(marks) if self.secret.is_some() => self.went(At::Release(marks)),
            _ => self.went(At::Unfinalize),
        }
    }

    fn release(&mut self, world: &mut World, marks: bool, then: At) -> Stepped {
        let stored = if self.secret_fresh { world.secrets[self.i].as_mut() } else { None };
        let Some(stored) = stored else { return self.fail_late(Fail::Conflict) };
        stored.owned = false;
        if marks {
            stored.marked = false;
        }
        let stored = stored.clone();
        if marks && let Some(key) = world.key_mut(stored.id) {
            key.left = true;
        }
        world.touch_secret(self.i);
        self.secret = Some(stored);
        self.went(then)
    }

    fn drop_finalizer(&mut self, world: &mut World) -> Stepped {
        let Some(object) = world.object(self.i, self.uid) else { return OVER };
        if !self.fresh {
            self.outcome = Some(Outcome::Fail(Fail::Conflict));
            return self.go(At::Conclude);
        }
        if object.policy != Policy::Delete {
            let published = object.journal.key;
            let stored = world.secrets[self.i].as_ref().map(|secret| secret.id);
            for id in published.into_iter().chain(stored) {
                if let Some(key) = world.key_mut(id) {
                    key.left = true;
                }
            }
        }
        world.objs[self.i] = None;
        world.touch_obj(self.i);
        world.collect_garbage();
        LAST
    }

    fn act(&mut self, world: &mut World, cfg: &Cfg, act: Act, mode: Option<Mode>) -> Walk {
        match act {
            Act::AddFinalizer => {
                world.object(self.i, self.uid).ok_or(Stop::Gone)?;
                if !self.fresh {
                    return Ok(self.fail(Fail::Conflict));
                }
                if let Some(object) = &mut world.objs[self.i] {
                    object.finalizer = true;
                }
                world.touch_obj(self.i);
                self.finalizer = true;
                Ok(self.went(At::Ram))
            }
            Act::RemoveFinalizer => Ok(self.drop_finalizer(world)),
            Act::Republish => Ok(self.republish(world)),
            Act::Prove(id) => {
                let proof = Self::prove(world, id);
                self.proofs.insert(id, proof);
                Ok(self.go(At::Ram))
            }
            Act::LookAtUse(id) => {
                let Some(key) = world.key(id) else { return Ok(self.fail(Fail::Ram)) };
                self.uses.insert(id, key.reported(world.now));
                Ok(self.go(At::Ram))
            }
            Act::Record => {
                let journal = self.settled(cfg, world.now);
                self.record(world, journal)
            }
            Act::RecordState(inactive) => self.record_state(world, cfg, inactive),
            Act::Enable(id) => Ok(self.set_key(world, id, true, mode)),
            Act::Disable(id) => Ok(self.set_key(world, id, false, mode)),
            Act::Delete(id) => self.delete_key(world, id, mode),
            Act::Purge(id) => {
                if matches!(mode, Some(Mode::Lost | Mode::Delay)) {
                    return Ok(self.fail_late(Fail::Ram));
                }
                world.bin.retain(|binned| *binned != id);
                if mode == Some(Mode::Reply) {
                    return Ok(self.fail_late(Fail::Ram));
                }
                self.purged.insert(id);
                Ok(self.went(At::Ram))
            }
            Act::AdoptStray(id, fence) => self.adopt_stray(world, cfg, id, &fence),
            Act::Release(marks) => Ok(self.release(world, marks, At::Ram)),
            Act::Mint(_) => panic!("a mint has steps of its own"),
        }
    }

    fn republish(&mut self, world: &mut World) -> Stepped {
        let (owned, uid) = (self.policy == Policy::Delete, self.uid);
        let stored = if self.secret_fresh { world.secrets[self.i].as_mut() } else { None };
        let Some(stored) = stored else { return self.fail(Fail::Conflict) };
        stored.owned = owned;
        stored.uid = uid;
        self.secret = Some(stored.clone());
        world.touch_secret(self.i);
        world.collect_garbage();
        self.went(At::Ram)
    }

    fn record(&mut self, world: &mut World, journal: Journal) -> Walk {
        Ok(if self.write_journal(world, journal)? { self.went(At::Ram) } else { self.fail(Fail::Conflict) })
    }

    fn record_state(&mut self, world: &mut World, cfg: &Cfg, inactive: bool) -> Walk {
        let seen = self.seen(cfg);
        let mut journal = plan::settle(&seen, ts(world.now));
        if inactive {
            journal.disarm(seen.ram.as_ref().map_or(&[][..], |ram| &ram.keys));
        } else {
            journal.rearm(ts(world.now));
        }
        self.record(world, Journal::of(&journal))
    }

    fn set_key(&mut self, world: &mut World, id: u8, active: bool, mode: Option<Mode>) -> Stepped {
        let now = world.now;
        match mode {
            Some(Mode::Lost) => return self.fail_late(Fail::Ram),
            Some(Mode::Delay) => {
                world.inflight.push(Flight::Set { id, active, until: now + MINT_WINDOW });
                return self.fail_late(Fail::Ram);
            }
            Some(Mode::Reply) | None => {}
        }
        let found = world.set_key(id, active, if self.was_frozen { Who::Late } else { Who::Ours });
        if active {
            self.enabled.insert(id);
        } else {
            self.enabled.remove(&id);
        }
        if active
            && !self.was_frozen
            && let Some(key) = world.key_mut(id)
            && key.replaced_at.is_some()
        {
            key.replaced_at = Some(now);
        }
        if mode == Some(Mode::Reply) || !found {
            return self.fail_late(Fail::Ram);
        }
        self.keys_changed = true;
        self.went(At::Ram)
    }

    fn delete_key(&mut self, world: &mut World, id: u8, mode: Option<Mode>) -> Walk {
        match mode {
            Some(Mode::Lost) => return Ok(self.fail_late(Fail::Ram)),
            Some(Mode::Delay) => {
                world.inflight.push(Flight::Delete { id, until: world.now + MINT_WINDOW });
                return Ok(self.fail_late(Fail::Ram));
            }
            Some(Mode::Reply) | None => {}
        }
        world.delete_key(id, Who::Ours)?;
        if mode == Some(Mode::Reply) {
            return Ok(self.fail_late(Fail::Ram));
        }
        self.keys_changed = true;
        self.deleted.insert(id);
        Ok(self.went(At::Ram))
    }

    /// Moves every Secret that a late publisher could still write, then notes the key as ours.
    fn adopt_stray(&mut self, world: &mut World, cfg: &Cfg, id: u8, fence: &[u8]) -> Walk {
        for owner in fence {
            let owner = usize::from(*owner);
            let ours = world.secrets[owner].as_ref().is_some_and(|secret| secret.marked);
            if ours {
                // Published since this pass read the Secret: it is no stray.
                if world.secrets[owner].as_ref().is_some_and(|secret| secret.intact && secret.id == id) {
                    return Ok(self.fail(Fail::Unsettled));
                }
                world.touch_secret(owner);
                if owner == self.i {
                    // The fence reads the Secret as it is now.
                    self.secret.clone_from(&world.secrets[owner]);
                    self.secret_fresh = true;
                }
            }
        }
        let settled = plan::settle(&self.seen(cfg), ts(world.now));
        let suspect = self.keys().iter().find(|key| key.id == id).map(|key| key.real());
        let holding =
            settled.intents.iter().filter(|intent| suspect.as_ref().is_none_or(|key| plan::in_window(intent, key)));
        let end = plan::window_end(holding).map_or(world.now, back);
        let mut journal = Journal::of(&settled);
        journal.retiring.push(Retiring { id, why: Why::Stray, time: end, disabled: None, disarmed: false });
        if !self.write_journal(world, journal)? {
            return Ok(self.fail_late(Fail::Conflict));
        }
        Ok(self.went(At::Ram))
    }
}

impl Shift for KeyProcess {
    fn shift(&mut self, by: i64) {
        self.deleting.shift(by);
        self.journal.shift(by);
        self.secret.shift(by);
        self.siblings.shift(by);
        self.listed.shift(by);
        if let Some((_, keys)) = &mut self.ram {
            keys.shift(by);
        }
        for time in self.uses.values_mut() {
            time.shift(by);
        }
        match &mut self.at {
            At::Intend(time, _) => time.shift(by),
            At::Send(intent) | At::Publish(intent, _) | At::Undo(intent, ..) => intent.shift(by),
            _ => {}
        }
        self.steps = 0;
    }
}

pub fn account_view() -> AccountView {
    AccountView {
        account_id: ACCOUNT.to_owned(),
        owner_id: OWNER.to_owned(),
        prefix: String::new(),
        default_domain: None,
        leaving: false,
    }
}

pub fn used(time: Option<i64>) -> LastUsed {
    LastUsed { time: time.map(ts), service: None }
}

fn real_proof(proof: Proved) -> Proof {
    match proof {
        Proved::Authentic(user) => {
            Proof::Authentic { account_id: Some(ACCOUNT.to_owned()), user_id: Some(user_id(user)) }
        }
        Proved::Inactive => Proof::Inactive,
        Proved::NotYet => Proof::NotYet,
    }
}

fn sibling(holder: &Holder) -> plan::Sibling {
    plan::Sibling {
        name: holder.real_name(),
        order: holder.order,
        ids: holder.real_ids(),
        intents: holder.real_intents(),
        interval: holder.interval,
    }
}
