//! A pass over a RamPolicy or a RamGroup, as their controllers do it, cut at every point where a process can die or freeze.

use std::collections::BTreeSet;

use ram_operator::plan::adoption::Adopting;
use ram_operator::plan::tenant::Grants;
use ram_operator::plan::{Next, Reason, Verdict};

use super::invariants;
use super::world::{Kind, Left, Mark, Obj, Status, Thing, World, age_obj, age_status, age_thing};
use super::{group, policy};
use crate::names::{MAX_STEPS, PATIENCE, ts};
use crate::process::{EFFECT, Fail, GO, LAST, Mode, OVER, Outcome, Stepped, Stop};

/// A step of a plan, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    AddFinalizer,
    RemoveFinalizer,
    RecordAdoption,
    Create,
    /// Another text: with our marker, or without one.
    Mark(bool),
    /// A policy gets another document.
    Version(u8),
    /// The document of a policy is read.
    Look(u8),
    /// A group gets a policy, or loses it.
    Attach(u8),
    Detach(u8),
    /// The policy is taken from our user, or that user from the group.
    Free,
    Delete,
}

impl Act {
    pub fn is_of_ram(self) -> bool {
        !matches!(self, Self::AddFinalizer | Self::RemoveFinalizer | Self::RecordAdoption | Self::Look(_))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Read,
    Look,
    Act(Act),
    Ended,
    LeaveOrder,
    Unfinalize,
    Conclude,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ThingPass {
    pub kind: Kind,
    pub at: At,
    pub stale: bool,
    /// As it was read, with what this pass wrote to it.
    pub object: Option<Obj>,
    pub fresh: bool,
    pub memory: Status,
    pub account: bool,
    pub grant: Option<bool>,
    /// RAM was looked at.
    pub read: bool,
    pub thing: Option<Thing>,
    pub witnessed: bool,
    /// Policies whose documents were read.
    pub looked: BTreeSet<u8>,
    made_here: bool,
    changed: bool,
    last: Option<Act>,
    steps: u8,
    pub lease: bool,
    pub outcome: Option<Outcome>,
    pub was_frozen: bool,
}

type Walk = Result<Stepped, Stop>;

impl ThingPass {
    pub fn new(kind: Kind, stale: bool) -> Self {
        Self {
            kind,
            at: At::Read,
            stale,
            object: None,
            fresh: false,
            memory: Status::default(),
            account: false,
            grant: None,
            read: false,
            thing: None,
            witnessed: false,
            looked: BTreeSet::new(),
            made_here: false,
            changed: true,
            last: None,
            steps: 0,
            lease: true,
            outcome: None,
            was_frozen: false,
        }
    }

    /// Times become ages, so that states are compared by how long ago things were.
    pub fn age(&mut self, now: i64) {
        if let Some(object) = &mut self.object {
            age_obj(object, now);
        }
        age_status(&mut self.memory, now);
        age_thing(&mut self.thing, now);
        self.steps = self.steps.min(1);
    }

    pub fn place(&self) -> String {
        let name = match &self.at {
            At::Act(act) => return format!("{act:?}"),
            At::Read => "reading",
            At::Look => "looking",
            At::Ended => "the end",
            At::LeaveOrder => "leaving the order",
            At::Unfinalize => "taking the finalizer off",
            At::Conclude => "writing the status",
        };
        name.to_owned()
    }

    pub fn freezable(&self) -> Option<String> {
        match &self.at {
            At::Look if self.steps == 0 => Some("after reading".to_owned()),
            At::Act(Act::Look(_)) | At::Read | At::Look | At::Ended => None,
            At::Act(_) | At::LeaveOrder | At::Unfinalize | At::Conclude => Some(format!("before {}", self.place())),
        }
    }

    pub fn writes_to_ram(&self) -> bool {
        matches!(self.at, At::Act(act) if act.is_of_ram())
    }

    /// The object as this pass knows it.
    pub fn obj(&self) -> &Obj {
        self.object.as_ref().expect("an object that was read")
    }

    pub fn deleting(&self) -> bool {
        self.obj().deleting.is_some()
    }

    /// What the tenant grants, or why there is none.
    pub fn tenant(&self) -> Result<Grants, Verdict> {
        if self.grant == Some(true) { Ok(super::grants()) } else { Err(Verdict::new(Reason::NotATenant)) }
    }

    pub fn adopting(&self) -> Adopting {
        let time = |noted: bool| noted.then(|| ts(0));
        Adopting { noted: time(self.memory.adopted), accepted: time(self.memory.accepted) }
    }

    /// Whether what is in RAM stays there.
    pub fn retains(&self) -> bool {
        self.adopting().stays(super::deletion_policy(self.obj().want), self.tenant().as_ref().ok())
    }

    fn go(&mut self, at: At) -> Stepped {
        self.at = at;
        GO
    }

    fn went(&mut self, at: At) -> Stepped {
        self.at = at;
        EFFECT
    }

    fn end(&mut self, outcome: Outcome) -> Stepped {
        self.outcome = Some(outcome);
        self.go(At::Ended)
    }

    fn fail(&mut self, fail: Fail) -> Stepped {
        self.end(Outcome::Fail(fail))
    }

    pub fn step(&mut self, world: &mut World, mode: Option<Mode>) -> Result<Stepped, String> {
        let stepped = match self.at {
            At::Read => Ok(self.start(world)),
            At::Look => Ok(self.look(world)),
            At::Act(act) => self.act(world, act, mode),
            At::Ended => Ok(self.ended(world)),
            At::LeaveOrder => Ok(self.leave_order(world)),
            At::Unfinalize => Ok(self.drop_finalizer(world)),
            At::Conclude => Ok(self.conclude(world)),
        };
        match stepped {
            Ok(stepped) => Ok(stepped),
            Err(Stop::Gone) => Ok(OVER),
            Err(Stop::Wrong(message)) => Err(message),
        }
    }

    fn start(&mut self, world: &World) -> Stepped {
        let Some(object) = world.obj else { return OVER };
        self.memory = object.status;
        // Only of a thing that was known before this pass.
        self.memory.accepted |= object.accept && object.status.known.is_some();
        self.object = Some(object);
        self.fresh = true;
        self.account = world.account;
        self.go(At::Look)
    }

    fn look(&mut self, world: &World) -> Stepped {
        if self.steps >= MAX_STEPS {
            return self.fail(Fail::Unfinished);
        }
        self.observe(world);
        let next = match self.kind {
            Kind::Policy => policy::next(self, world.clock.now),
            Kind::Group => group::next(self, world.clock.now),
        };
        let step = match next {
            Next::Rest(verdict) => return self.end(Outcome::Rest(verdict.reason)),
            Next::Do(step) => step,
        };
        if self.last == Some(step) {
            return self.fail(Fail::Unsettled);
        }
        self.last = Some(step);
        self.steps += u8::from(!matches!(step, Act::Look(_)));
        if step.is_of_ram() && !self.lease {
            return self.fail(Fail::NotLeader);
        }
        self.go(At::Act(step))
    }

    fn observe(&mut self, world: &World) {
        self.grant.get_or_insert(world.grant);
        if self.account && self.changed {
            self.thing = world.sight(self.stale);
            self.witnessed |= self.thing.is_some();
            (self.read, self.changed) = (true, false);
        }
        self.recognise();
    }

    /// Found again after its status was lost, written before a crash, or made again after somebody deleted it.
    fn recognise(&mut self) {
        let uid = self.obj().uid;
        let Some((id, made, mark)) = self.thing.as_ref().map(|thing| (thing.id, thing.made, thing.mark)) else {
            return;
        };
        let Mark::Ours(marked) = mark else { return };
        let lost = self.memory.known.is_none() && !self.made_here;
        if marked == uid {
            if self.kind == Kind::Policy {
                self.memory.made = Some(made);
            }
            self.memory.known = Some(id);
            self.memory.marker_uid = Some(uid);
        }
        if lost {
            self.memory.adopted |= super::may_be_adopted(self);
        }
    }

    fn act(&mut self, world: &mut World, act: Act, mode: Option<Mode>) -> Walk {
        self.changed |= !matches!(act, Act::AddFinalizer | Act::Look(_));
        match act {
            Act::AddFinalizer => self.change_obj(world, |object| object.finalizer = true),
            Act::RemoveFinalizer => Ok(self.drop_finalizer(world)),
            Act::RecordAdoption => {
                let walk = self.change_obj(world, |object| object.status.adopted = true)?;
                self.memory.adopted = true;
                Ok(walk)
            }
            Act::Look(policy) => {
                self.looked.insert(policy);
                Ok(self.go(At::Look))
            }
            _ => {
                invariants::at_write(self, world, act)?;
                if matches!(mode, Some(Mode::Lost | Mode::Delay)) {
                    self.fail(Fail::Ram);
                    return Ok(EFFECT);
                }
                // What it learns from the reply may be lost with it.
                let before = self.memory;
                let stepped = self.write_to_ram(world, act);
                if mode.is_none() {
                    return Ok(stepped);
                }
                self.memory = before;
                self.fail(Fail::Ram);
                Ok(EFFECT)
            }
        }
    }

    /// Writes to the object by compare-and-swap.
    fn change_obj(&mut self, world: &mut World, change: impl FnOnce(&mut Obj)) -> Walk {
        let uid = self.obj().uid;
        let stored = world.obj.as_mut().filter(|object| object.uid == uid).ok_or(Stop::Gone)?;
        if !self.fresh {
            return Ok(self.fail(Fail::Conflict));
        }
        change(stored);
        self.object = Some(*stored);
        world.touch();
        Ok(self.went(At::Look))
    }

    fn write_to_ram(&mut self, world: &mut World, act: Act) -> Stepped {
        if act == Act::Create {
            return self.create(world);
        }
        let Some(mut thing) = world.ram.clone() else {
            // What is gone can be taken away; nothing else can be done to it.
            let done = matches!(act, Act::Detach(_) | Act::Free | Act::Delete);
            return if done { self.went(At::Look) } else { self.fail(Fail::Ram) };
        };
        world.changes();
        if act == Act::Delete {
            if thing.with_ours || thing.with_others || !thing.policies.is_empty() {
                return self.fail(Fail::Unsettled);
            }
            world.ram = None;
            return self.went(At::Look);
        }
        let (uid, now) = (self.obj().uid, world.clock.now);
        match act {
            Act::Mark(on) => {
                thing.mark = if on { Mark::Ours(uid) } else { Mark::None };
                thing.late |= on && self.was_frozen;
                let seen = self.thing.as_ref();
                self.memory.known = seen.map(|thing| thing.id);
                if self.kind == Kind::Policy {
                    self.memory.made = seen.map(|thing| thing.made);
                }
                self.memory.marker_uid = Some(uid);
            }
            Act::Version(document) => {
                thing.add_version(document, true);
                self.memory.written = Some((document, now));
            }
            Act::Attach(policy) if !thing.policies.contains(&policy) => thing.policies.push(policy),
            Act::Detach(policy) => thing.policies.retain(|has| *has != policy),
            Act::Free => thing.with_ours = false,
            _ => {}
        }
        world.ram = Some(thing);
        self.went(At::Look)
    }

    fn create(&mut self, world: &mut World) -> Stepped {
        if world.ram.is_some() {
            return self.fail(Fail::Unsettled);
        }
        world.changes();
        let object = *self.obj();
        let mut thing = Thing::new(world.number(), Mark::Ours(object.uid), world.clock.now);
        thing.late = self.was_frozen;
        match self.kind {
            Kind::Policy => {
                thing.versions.push(object.want.what);
                self.made_here = true;
            }
            Kind::Group => {
                self.memory.known = Some(thing.id);
                self.memory.made = Some(thing.made);
                self.memory.marker_uid = Some(object.uid);
            }
        }
        self.memory.adopted = false;
        world.ram = Some(thing);
        self.went(At::Look)
    }

    fn ended(&mut self, world: &World) -> Stepped {
        let unfinished = self.outcome.is_some_and(Outcome::unfinished);
        let tried = self.obj().deleting.is_some_and(|since| world.clock.now - since >= PATIENCE);
        if tried && self.obj().finalizer && unfinished {
            return self.go(if self.retains() { At::Unfinalize } else { At::LeaveOrder });
        }
        self.go(At::Conclude)
    }

    fn leave_order(&mut self, world: &mut World) -> Stepped {
        let uid = self.obj().uid;
        if !world.left.iter().any(|left| left.uid == uid) {
            let Status { known, made, .. } = self.memory;
            world.left.push(Left { uid, known, made, finalizer: false, created: world.clock.now });
        }
        self.went(At::Unfinalize)
    }

    fn drop_finalizer(&mut self, world: &mut World) -> Stepped {
        let uid = self.obj().uid;
        if world.obj.is_none_or(|object| object.uid != uid) {
            return OVER;
        }
        if !self.fresh {
            self.outcome = Some(Outcome::Fail(Fail::Conflict));
            return self.go(At::Conclude);
        }
        world.kept |= self.at == At::Unfinalize && self.retains();
        world.remove_obj();
        LAST
    }

    /// The status as the facts of this pass make it.
    fn status(&self) -> Status {
        let stored = self.obj().status;
        let Some(thing) = self.thing.as_ref().filter(|_| self.account && self.read) else { return stored };
        let ours = match self.kind {
            Kind::Policy => policy::is_ours(self, thing),
            Kind::Group => self.memory.known == Some(thing.id),
        };
        if ours { self.memory } else { stored }
    }

    fn conclude(&mut self, world: &mut World) -> Stepped {
        let status = self.status();
        if status == self.obj().status {
            return OVER;
        }
        match self.change_obj(world, |object| object.status = status) {
            Ok(_) if self.at == At::Look => LAST,
            Ok(_) | Err(_) => OVER,
        }
    }
}
