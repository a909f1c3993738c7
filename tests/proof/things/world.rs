//! The world of one RamPolicy or one RamGroup.

use super::left::LeftPass;
use super::pass::ThingPass;
use crate::names::READ_LAG;
use crate::process::{Mode, Outcome, Stepped};
use crate::search::{Cfg, Clock, Model, Moves, Pass, fingerprint};

/// A document, or a policy, that the spec may ask for.
pub const ONE: u8 = 1;
pub const TWO: u8 = 2;
/// One that a person puts there: it allows more.
pub const MORE: u8 = 3;
/// One that a person puts there: it denies.
pub const DENY: u8 = 4;
/// Versions that RAM keeps of a policy.
pub const VERSIONS: usize = 5;
/// Nothing depends on how long something is over that is over for so long.
const OLD: i64 = 2 * READ_LAG;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Policy,
    Group,
}

/// What the text of a thing ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    None,
    /// Our marker, with this uid.
    Ours(u8),
}

/// A policy or a group in RAM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Thing {
    pub id: u8,
    pub mark: Mark,
    pub made: i64,
    /// Made by whoever was frozen before.
    pub late: bool,
    /// A policy's documents, the oldest first, and which is in force.
    pub versions: Vec<u8>,
    pub default: usize,
    /// A group's policies.
    pub policies: Vec<u8>,
    /// A user of ours has the policy, or is in the group; one of somebody else's.
    pub with_ours: bool,
    pub with_others: bool,
}

impl Thing {
    pub fn new(id: u8, mark: Mark, made: i64) -> Self {
        Self {
            id,
            mark,
            made,
            late: false,
            versions: Vec::new(),
            default: 0,
            policies: Vec::new(),
            with_ours: false,
            with_others: false,
        }
    }

    /// The document in force.
    pub fn document(&self) -> Option<u8> {
        self.versions.get(self.default).copied()
    }

    /// RAM CreatePolicyVersion: in force at once where that is asked for, and the oldest that is not in force gives way.
    pub fn add_version(&mut self, document: u8, in_force: bool) {
        if self.versions.len() >= VERSIONS {
            let oldest = usize::from(self.default == 0);
            self.versions.remove(oldest);
            self.default -= usize::from(oldest < self.default);
        }
        self.versions.push(document);
        if in_force {
            self.default = self.versions.len() - 1;
        }
    }
}

/// What the spec asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Want {
    /// The document, or the group's only policy.
    pub what: u8,
    pub adopt: bool,
    pub retain: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status {
    /// RAM's id; of a policy, which has none, when it was made.
    pub known: Option<u8>,
    pub made: Option<i64>,
    pub marker_uid: Option<u8>,
    /// The document that was written last, and when.
    pub written: Option<(u8, i64)>,
    pub adopted: bool,
    pub accepted: bool,
}

/// A RamPolicy or a RamGroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Obj {
    pub uid: u8,
    pub deleting: Option<i64>,
    pub finalizer: bool,
    pub want: Want,
    pub accept: bool,
    pub status: Status,
}

impl Obj {
    pub fn new(uid: u8, want: Want) -> Self {
        Self { uid, deleting: None, finalizer: false, want, accept: false, status: Status::default() }
    }
}

/// A RamRevocation of a thing that its object left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    pub uid: u8,
    pub known: Option<u8>,
    pub made: Option<i64>,
    pub finalizer: bool,
    pub created: i64,
}

/// A pass over the object, or over what one left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AnyPass {
    Thing(Box<ThingPass>),
    Left(Box<LeftPass>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub kind: Kind,
    pub clock: Clock,
    pub ram: Option<Thing>,
    /// RAM before the last change, and when that was.
    pub before: Option<(Option<Thing>, i64)>,
    pub obj: Option<Obj>,
    pub left: Vec<Left>,
    pub frozen: Vec<AnyPass>,
    pub account: bool,
    pub grant: bool,
    pub ns_term: bool,
    /// The spec that is applied again.
    pub applied: Want,
    /// The next id or uid.
    pub next: u8,
    /// The object went while RAM could not be asked, and its thing is to stay.
    pub kept: bool,
}

impl World {
    pub fn new(kind: Kind, want: Want) -> Self {
        Self {
            kind,
            clock: Clock::default(),
            ram: None,
            before: None,
            obj: Some(Obj::new(10, want)),
            left: Vec::new(),
            frozen: Vec::new(),
            account: true,
            grant: true,
            ns_term: false,
            applied: want,
            next: 20,
            kept: false,
        }
    }

    pub fn number(&mut self) -> u8 {
        self.next += 1;
        self.next - 1
    }

    /// RAM is about to change.
    pub fn changes(&mut self) {
        self.before = Some((self.ram.clone(), self.clock.now));
    }

    fn lags(&self) -> bool {
        self.before.as_ref().is_some_and(|(_, time)| self.clock.now - time <= READ_LAG)
    }

    /// RAM as a pass sees it.
    pub fn sight(&self, stale: bool) -> Option<Thing> {
        match &self.before {
            Some((thing, _)) if stale && self.lags() => thing.clone(),
            _ => self.ram.clone(),
        }
    }

    /// The object was written: whoever read it before cannot write it any more.
    pub fn touch(&mut self) {
        for pass in &mut self.frozen {
            if let AnyPass::Thing(pass) = pass {
                pass.fresh = false;
            }
        }
    }

    pub fn remove_obj(&mut self) {
        self.obj = None;
        self.touch();
    }

    pub fn live(&self) -> Option<&Obj> {
        self.obj.as_ref().filter(|object| object.deleting.is_none())
    }
}

pub fn age(time: &mut i64, now: i64) {
    *time = (*time - now).max(-OLD);
}

pub fn age_thing(thing: &mut Option<Thing>, now: i64) {
    if let Some(thing) = thing {
        age(&mut thing.made, now);
    }
}

pub fn age_status(status: &mut Status, now: i64) {
    let written = status.written.as_mut().map(|(_, time)| time);
    for time in [status.made.as_mut(), written].into_iter().flatten() {
        age(time, now);
    }
}

pub fn age_obj(object: &mut Obj, now: i64) {
    if let Some(time) = &mut object.deleting {
        age(time, now);
    }
    age_status(&mut object.status, now);
}

impl Model for World {
    type Pass = AnyPass;

    fn clock(&self) -> Clock {
        self.clock
    }

    fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    fn core(&self, cfg: &Cfg) -> u128 {
        let (mut world, now) = (self.clone(), self.clock.now);
        age_thing(&mut world.ram, now);
        world.before = world.before.filter(|_| cfg.stale && self.lags());
        if let Some((thing, time)) = &mut world.before {
            age_thing(thing, now);
            age(time, now);
        }
        if let Some(object) = &mut world.obj {
            age_obj(object, now);
        }
        for left in &mut world.left {
            age(&mut left.created, now);
            if let Some(made) = &mut left.made {
                age(made, now);
            }
        }
        for pass in &mut world.frozen {
            match pass {
                AnyPass::Thing(pass) => pass.age(now),
                AnyPass::Left(pass) => pass.age(now),
            }
        }
        (world.clock, world.next) = (Clock::default(), 0);
        fingerprint(&world)
    }

    fn frozen(&self) -> &[AnyPass] {
        &self.frozen
    }

    fn frozen_mut(&mut self) -> &mut Vec<AnyPass> {
        &mut self.frozen
    }

    fn passes(&self, _: &Cfg) -> Vec<AnyPass> {
        let thing = self.obj.iter().map(|_| AnyPass::Thing(Box::new(ThingPass::new(self.kind, false))));
        let left = self.left.iter().map(|left| AnyPass::Left(Box::new(LeftPass::new(self.kind, left.uid))));
        thing.chain(left).collect()
    }

    fn stale_passes(&self, _: &Cfg) -> Vec<AnyPass> {
        let thing = self.obj.iter().filter(|_| self.lags());
        thing.map(|_| AnyPass::Thing(Box::new(ThingPass::new(self.kind, true)))).collect()
    }

    fn edits(&self, cfg: &Cfg) -> Result<Moves<Self>, String> {
        Ok(super::adversary::edits(self, cfg))
    }

    fn moments(&self, _: &Cfg) -> Vec<i64> {
        super::adversary::moments(self)
    }

    fn check(&self) -> Result<(), String> {
        super::invariants::check(self)
    }

    fn calm(&mut self) {
        self.account = true;
        self.grant = true;
    }

    fn good(&self, last: &[AnyPass]) -> Option<String> {
        super::invariants::good(self, last)
    }
}

impl Pass<World> for AnyPass {
    fn step(&mut self, world: &mut World, _: &Cfg, mode: Option<Mode>) -> Result<Stepped, String> {
        match self {
            Self::Thing(pass) => pass.step(world, mode),
            Self::Left(pass) => pass.step(world, mode),
        }
    }

    fn label(&self) -> String {
        match self {
            Self::Thing(_) => "object".to_owned(),
            Self::Left(pass) => format!("order{}", pass.uid),
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Thing(pass) => pass.place(),
            Self::Left(pass) => pass.place(),
        }
    }

    fn freezable(&self) -> Option<String> {
        match self {
            Self::Thing(pass) => pass.freezable(),
            Self::Left(pass) => pass.freezable(),
        }
    }

    fn writes_to_ram(&self) -> bool {
        match self {
            Self::Thing(pass) => pass.writes_to_ram(),
            Self::Left(pass) => pass.writes_to_ram(),
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Thing(pass) => pass.outcome,
            Self::Left(pass) => pass.outcome,
        }
    }

    fn was_frozen(&self) -> bool {
        match self {
            Self::Thing(pass) => pass.was_frozen,
            Self::Left(pass) => pass.was_frozen,
        }
    }

    fn freeze(&mut self) {
        match self {
            Self::Thing(pass) => pass.was_frozen = true,
            Self::Left(pass) => pass.was_frozen = true,
        }
    }

    fn unlease(&mut self) {
        match self {
            Self::Thing(pass) => pass.lease = false,
            Self::Left(pass) => pass.lease = false,
        }
    }
}
