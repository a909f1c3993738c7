//! A pass over the RamRevocation of a policy or group that its object left.

use ram_operator::api::{LeftKind, LeftOver, UserDeletionPolicy};
use ram_operator::plan::ram_revocation::{LeftInRam, LeftSeen, LeftStep, left};
use ram_operator::plan::{Next, Reason, Verdict};

use super::invariants;
use super::pass::Act;
use super::world::{Kind, Left, Thing, World, age, age_thing};
use super::{group, policy};
use crate::key_process::account_view;
use crate::names::{ACCOUNT, MAX_STEPS, NAMESPACE, ts, uid_name};
use crate::process::{EFFECT, Fail, GO, LAST, Mode, OVER, Outcome, Stepped};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeftAct {
    AddFinalizer,
    Finish,
    Take(Act),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Read,
    Look,
    Act(LeftAct),
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeftPass {
    kind: Kind,
    pub uid: u8,
    pub at: At,
    left: Option<Left>,
    account: bool,
    read: bool,
    thing: Option<Thing>,
    taken_back: bool,
    changed: bool,
    last: Option<LeftAct>,
    steps: u8,
    pub lease: bool,
    pub outcome: Option<Outcome>,
    pub was_frozen: bool,
}

impl LeftPass {
    pub fn new(kind: Kind, uid: u8) -> Self {
        Self {
            kind,
            uid,
            at: At::Read,
            left: None,
            account: false,
            read: false,
            thing: None,
            taken_back: false,
            changed: true,
            last: None,
            steps: 0,
            lease: true,
            outcome: None,
            was_frozen: false,
        }
    }

    pub fn age(&mut self, now: i64) {
        if let Some(left) = &mut self.left {
            age(&mut left.created, now);
            if let Some(made) = &mut left.made {
                age(made, now);
            }
        }
        age_thing(&mut self.thing, now);
        self.steps = self.steps.min(1);
    }

    pub fn place(&self) -> String {
        match &self.at {
            At::Act(act) => format!("{act:?}"),
            At::Read => "reading".to_owned(),
            At::Look => "looking".to_owned(),
            At::Ended => "the end".to_owned(),
        }
    }

    pub fn freezable(&self) -> Option<String> {
        match &self.at {
            At::Look if self.steps == 0 => Some("after reading".to_owned()),
            At::Read | At::Look | At::Ended => None,
            At::Act(_) => Some(format!("before {}", self.place())),
        }
    }

    pub fn writes_to_ram(&self) -> bool {
        matches!(self.at, At::Act(LeftAct::Take(_)))
    }

    fn end(&mut self, outcome: Outcome) -> Stepped {
        self.outcome = Some(outcome);
        self.at = At::Ended;
        GO
    }

    pub fn step(&mut self, world: &mut World, mode: Option<Mode>) -> Result<Stepped, String> {
        match self.at {
            At::Read => {
                let Some(left) = world.left.iter().find(|left| left.uid == self.uid) else { return Ok(OVER) };
                (self.left, self.account, self.at) = (Some(*left), world.account, At::Look);
                Ok(GO)
            }
            At::Look => Ok(self.look(world)),
            At::Act(act) => self.act(world, act, mode),
            At::Ended => Ok(OVER),
        }
    }

    fn look(&mut self, world: &World) -> Stepped {
        let Some(order) = self.left else { return OVER };
        if self.steps >= MAX_STEPS {
            return self.end(Outcome::Fail(Fail::Unfinished));
        }
        if self.account && self.changed {
            self.taken_back = world.live().is_some_and(|object| object.uid != order.uid);
            self.thing = world.ram.clone();
            (self.read, self.changed) = (true, false);
        }
        let step = match left(&self.seen(&order), ts(world.clock.now)) {
            Next::Rest(verdict) => return self.end(Outcome::Rest(verdict.reason)),
            Next::Do(LeftStep::AddFinalizer) => LeftAct::AddFinalizer,
            Next::Do(LeftStep::Finish) => LeftAct::Finish,
            Next::Do(LeftStep::Policy(step)) => LeftAct::Take(policy::act(&step)),
            Next::Do(LeftStep::Group(step)) => LeftAct::Take(group::act(&step)),
        };
        if self.last == Some(step) {
            return self.end(Outcome::Fail(Fail::Unsettled));
        }
        self.last = Some(step);
        self.steps += 1;
        if matches!(step, LeftAct::Take(_)) && !self.lease {
            return self.end(Outcome::Fail(Fail::NotLeader));
        }
        self.at = At::Act(step);
        GO
    }

    fn seen(&self, order: &Left) -> LeftSeen {
        let (kind, name, ram_name, identity) = match self.kind {
            Kind::Policy => {
                let made = order.made.map(|made| ts(made).to_string());
                (LeftKind::RamPolicy, policy::NAME, policy::RAM_NAME, made)
            }
            Kind::Group => (LeftKind::RamGroup, group::NAME, group::RAM_NAME, order.known.map(group::id)),
        };
        let thing = self.thing.as_ref();
        let ram = match (thing, self.kind) {
            (None, _) => LeftInRam::Gone,
            (_, Kind::Policy) => LeftInRam::Policy(policy::in_ram(thing, true)),
            (_, Kind::Group) => LeftInRam::Group(group::in_ram(thing, true)),
        };
        LeftSeen {
            finalizer: order.finalizer,
            deleting: false,
            abandoned: false,
            left: LeftOver {
                kind,
                namespace: NAMESPACE.to_owned(),
                name: name.to_owned(),
                uid: uid_name(order.uid),
                account_id: order.known.map(|_| ACCOUNT.to_owned()),
                ram_name: ram_name.to_owned(),
                identity,
                deletion_policy: UserDeletionPolicy::Delete,
            },
            account: if self.account { Ok(account_view()) } else { Err(Verdict::new(Reason::AccountNotReady)) },
            ram: self.read.then_some(ram),
            created: Some(ts(order.created)),
            taken_back: self.taken_back,
        }
    }

    fn act(&mut self, world: &mut World, act: LeftAct, mode: Option<Mode>) -> Result<Stepped, String> {
        match act {
            LeftAct::AddFinalizer => {
                let Some(left) = world.left.iter_mut().find(|left| left.uid == self.uid) else { return Ok(OVER) };
                left.finalizer = true;
                self.left = Some(*left);
                self.at = At::Look;
                Ok(EFFECT)
            }
            LeftAct::Finish => {
                world.left.retain(|left| left.uid != self.uid);
                Ok(LAST)
            }
            LeftAct::Take(step) => {
                self.changed = true;
                if !self.was_frozen {
                    invariants::at_left_write(world, self.uid, step)?;
                }
                self.at = At::Look;
                let lost = matches!(mode, Some(Mode::Lost | Mode::Delay));
                if !lost && !take(world, step) {
                    self.end(Outcome::Fail(Fail::Unsettled));
                }
                if mode.is_some() {
                    self.end(Outcome::Fail(Fail::Ram));
                }
                Ok(EFFECT)
            }
        }
    }
}

/// `false`: RAM says that it is still in use.
fn take(world: &mut World, step: Act) -> bool {
    let Some(mut thing) = world.ram.clone() else { return true };
    world.changes();
    match step {
        Act::Detach(policy) => thing.policies.retain(|has| *has != policy),
        Act::Free => thing.with_ours = false,
        Act::Delete if thing.with_ours || thing.with_others || !thing.policies.is_empty() => return false,
        Act::Delete => {
            world.ram = None;
            return true;
        }
        _ => {}
    }
    world.ram = Some(thing);
    true
}
