//! A pass over the RamRevocation that a RamUser left.

use std::collections::{BTreeMap, BTreeSet};

use ram_operator::api;
use ram_operator::plan::{Next, Reason, Verdict, ram_revocation as plan};

use super::facts;
use super::invariants;
use super::world::{Bound, Mark, Order, User, Who, World};
use crate::names::{ACCOUNT, MAX_STEPS, NAMESPACE, USER, USER_NAME, ts, uid_name, user_id};
use crate::process::{EFFECT, Fail, GO, LAST, Mode, OVER, Outcome, Stepped};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    AddFinalizer,
    Finish,
    DisableLogin,
    DeleteLogin,
    Unbind,
    DeleteDevice(Bound),
    DeleteUser,
}

impl Act {
    fn of(step: &plan::Step) -> Self {
        use plan::Step;
        match step {
            Step::AddFinalizer => Self::AddFinalizer,
            Step::Finish => Self::Finish,
            Step::DisableLogin => Self::DisableLogin,
            Step::DeleteLogin => Self::DeleteLogin,
            Step::UnbindMfa => Self::Unbind,
            Step::DeleteMfaDevice(serial) => Self::DeleteDevice(facts::bound(serial)),
            Step::DeleteUser => Self::DeleteUser,
            _ => panic!("not asked for in the model: {step:?}"),
        }
    }

    fn is_of_ram(self) -> bool {
        !matches!(self, Self::AddFinalizer | Self::Finish)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Read,
    Look,
    Act(Act),
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderPass {
    pub uid: u8,
    pub at: At,
    order: Option<Order>,
    account: bool,
    read: bool,
    user: Option<User>,
    live_user: bool,
    device_deleted: bool,
    loose: Option<Bound>,
    changed: bool,
    last: Option<Act>,
    steps: u8,
    pub lease: bool,
    pub outcome: Option<Outcome>,
    pub was_frozen: bool,
}

impl OrderPass {
    pub fn new(uid: u8) -> Self {
        Self {
            uid,
            at: At::Read,
            order: None,
            account: false,
            read: false,
            user: None,
            live_user: false,
            device_deleted: false,
            loose: None,
            changed: true,
            last: None,
            steps: 0,
            lease: true,
            outcome: None,
            was_frozen: false,
        }
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
        matches!(self.at, At::Act(act) if act.is_of_ram())
    }

    fn end(&mut self, outcome: Outcome) -> Stepped {
        self.outcome = Some(outcome);
        self.at = At::Ended;
        GO
    }

    fn went(&mut self) -> Stepped {
        self.at = At::Look;
        EFFECT
    }

    pub fn step(&mut self, world: &mut World, mode: Option<Mode>) -> Result<Stepped, String> {
        match self.at {
            At::Read => {
                let Some(order) = world.orders.iter().find(|order| order.uid == self.uid) else { return Ok(OVER) };
                (self.order, self.account, self.at) = (Some(*order), world.account, At::Look);
                Ok(GO)
            }
            At::Look => Ok(self.look(world)),
            At::Act(act) => self.act(world, act, mode),
            At::Ended => Ok(OVER),
        }
    }

    fn look(&mut self, world: &World) -> Stepped {
        let Some(order) = self.order else { return OVER };
        if self.steps >= MAX_STEPS {
            return self.end(Outcome::Fail(Fail::Unfinished));
        }
        if self.changed && self.account {
            // A user of the name with another id is not the one that was ordered about.
            self.user = world.ram.user.filter(|user| order.user_id.is_none_or(|known| known == user.id));
            self.live_user = world.live().is_some_and(|object| object.uid != order.uid);
            (self.read, self.changed) = (true, false);
        }
        let step = match plan::next(&self.seen(&order), ts(world.clock.now)) {
            Next::Rest(verdict) => return self.end(Outcome::Rest(verdict.reason)),
            Next::Do(step) => Act::of(&step),
        };
        if self.last == Some(step) {
            return self.end(Outcome::Fail(Fail::Unsettled));
        }
        self.last = Some(step);
        self.steps += 1;
        if step.is_of_ram() && !self.lease {
            return self.end(Outcome::Fail(Fail::NotLeader));
        }
        self.at = At::Act(step);
        GO
    }

    fn seen(&self, order: &Order) -> plan::Seen {
        let serial = (order.mfa && self.account && !self.device_deleted).then(facts::serial);
        plan::Seen {
            finalizer: order.finalizer,
            deleting: false,
            abandoned: false,
            spec: spec(order),
            account: if self.account { Ok(facts::account_view()) } else { Err(Verdict::new(Reason::AccountNotReady)) },
            user_name: Some(USER_NAME.to_owned()),
            found_before: false,
            disable_refused: false,
            ram: self.read.then(|| self.in_ram(order)),
            listed: None,
            live_user: self.live_user,
            claims: Vec::new(),
            strays: Vec::new(),
            created: None,
            deleted: BTreeSet::new(),
            uses: BTreeMap::new(),
            purged: BTreeSet::new(),
            publisher: None,
            mfa_ours: serial,
            mfa_loose: self.loose.map(|bound| facts::device(bound).serial_number),
        }
    }

    fn in_ram(&self, order: &Order) -> plan::InRam {
        let marked = self.user.filter(|user| user.mark != Mark::None);
        plan::InRam {
            user: match self.user.map(|user| user.mark) {
                None => plan::Owner::Gone,
                Some(Mark::None) => plan::Owner::NotOurs,
                Some(Mark::Ours(uid)) => plan::Owner::Marked(facts::marker(uid)),
            },
            keys: Vec::new(),
            policies: Vec::new(),
            login: marked.and_then(|user| user.login).filter(|_| order.login).map(facts::profile),
            groups: Vec::new(),
            mfa: marked.and_then(|user| user.mfa).map(facts::device),
        }
    }

    fn act(&mut self, world: &mut World, act: Act, mode: Option<Mode>) -> Result<Stepped, String> {
        self.changed |= act.is_of_ram();
        match act {
            Act::AddFinalizer => {
                let Some(order) = world.orders.iter_mut().find(|order| order.uid == self.uid) else {
                    return Ok(OVER);
                };
                order.finalizer = true;
                self.order = Some(*order);
                Ok(self.went())
            }
            Act::Finish => {
                world.orders.retain(|order| order.uid != self.uid);
                Ok(LAST)
            }
            _ => {
                if !self.was_frozen {
                    invariants::at_order_write(world, self.uid, act)?;
                }
                if matches!(mode, Some(Mode::Lost | Mode::Delay)) {
                    self.end(Outcome::Fail(Fail::Ram));
                    return Ok(EFFECT);
                }
                self.write_to_ram(world, act);
                if mode.is_some() {
                    self.end(Outcome::Fail(Fail::Ram));
                }
                Ok(EFFECT)
            }
        }
    }

    fn write_to_ram(&mut self, world: &mut World, act: Act) {
        let who = if self.was_frozen { Who::Late } else { Who::Ours };
        self.at = At::Look;
        world.changes();
        let user = world.ram.user.as_mut();
        match act {
            Act::DisableLogin => {
                if let Some(profile) = user.and_then(|user| user.login.as_mut()) {
                    (profile.on, profile.off_by) = (false, Some(who));
                }
            }
            Act::DeleteLogin => {
                if let Some(user) = user {
                    user.login = None;
                    world.login_gone = Some(who);
                }
            }
            Act::Unbind => {
                if let Some(user) = user {
                    user.mfa = None;
                    world.mfa_gone = Some(who);
                }
                self.loose = self.user.and_then(|user| user.mfa);
            }
            Act::DeleteDevice(which) => self.delete_device(world, which, who),
            Act::DeleteUser => self.delete_user(world),
            Act::AddFinalizer | Act::Finish => {}
        }
    }

    fn delete_device(&mut self, world: &mut World, which: Bound, who: Who) {
        let in_use = world.is_bound();
        if which == Bound::Ours && !in_use && world.ram.device.take().is_some() {
            world.device_gone = Some(who);
        }
        if self.loose == Some(which) {
            self.loose = None;
        }
        self.device_deleted |= which == Bound::Ours;
    }

    fn delete_user(&mut self, world: &mut World) {
        let id = self.user.map(|user| user.id);
        let Some(user) = world.ram.user.filter(|user| Some(user.id) == id) else { return };
        if user.login.is_some() || user.mfa.is_some() {
            self.end(Outcome::Rest(Reason::Blocked));
            return;
        }
        world.ram.user = None;
    }
}

fn spec(order: &Order) -> api::RamRevocationSpec {
    api::RamRevocationSpec {
        account_ref: api::AccountRef::default(),
        access_key_id: None,
        note: None,
        left_over: None,
        order: Some(api::Order {
            from: "model".to_owned(),
            uid: uid_name(order.uid),
            account_id: Some(ACCOUNT.to_owned()),
            user: api::OrderedUser {
                user_name: USER_NAME.to_owned(),
                user_id: order.user_id.map(user_id),
                namespace: NAMESPACE.to_owned(),
                name: USER.to_owned(),
                marker_uid: Some(uid_name(order.uid)),
                console_login: order.login,
                virtual_mfa: order.mfa,
                not_before: None,
                deletion_policy: api::UserDeletionPolicy::Delete,
            },
            access_key_ids: Vec::new(),
            strays: None,
            disabled_ids: Vec::new(),
            intents: Vec::new(),
            purge_from_recycle_bin: false,
        }),
    }
}
