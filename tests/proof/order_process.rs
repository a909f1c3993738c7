//! A pass over a RamRevocation: an order that an object left, or one of a person.

use std::collections::{BTreeMap, BTreeSet};

use ram_operator::api;
use ram_operator::plan::marker::Marker;
use ram_operator::plan::ram_revocation as plan;
use ram_operator::plan::{Next, Reason, Verdict};

use crate::invariants;
use crate::key_process::{account_view, used};
use crate::names::{
    ACCOUNT, MAX_STEPS, MINT_WINDOW, NAMESPACE, OWNER, USER, USER_NAME, key_id, key_name, object_name, object_number,
    ts, uid_name, user_id,
};
use crate::process::{EFFECT, Fail, GO, LAST, Mode, OVER, Outcome, Stepped, Stop};
use crate::world::{Flight, Holder, Listed, Order, Retiring, Shift, Who, Why, World};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    AddFinalizer,
    Finish,
    Disarm(u8),
    Disable(u8),
    Delete(u8),
    Purge(u8),
    LookAtUse(u8),
    NoteStray(u8),
    /// The RamAccessKey that publishes the key.
    Tell(u8),
    DeleteUser,
}

impl Act {
    fn of(step: &plan::Step) -> Self {
        use plan::Step;
        match step {
            Step::AddFinalizer => Self::AddFinalizer,
            Step::Finish => Self::Finish,
            Step::Disarm(name) => Self::Disarm(object_number(name)),
            Step::Disable(id) => Self::Disable(key_id(id)),
            Step::Delete(id) => Self::Delete(key_id(id)),
            Step::Purge(id) => Self::Purge(key_id(id)),
            Step::LookAtUse(id) => Self::LookAtUse(key_id(id)),
            Step::NoteStray(id) => Self::NoteStray(key_id(id)),
            Step::Tell(publisher) => Self::Tell(object_number(&publisher.name)),
            Step::DeleteUser => Self::DeleteUser,
            Step::DisableLogin
            | Step::DeleteLogin
            | Step::DetachPolicy(_)
            | Step::LeaveGroup(_)
            | Step::UnbindMfa
            | Step::Unmark
            | Step::DeleteMfaDevice(_) => {
                panic!("not asked for in the model: {step:?}")
            }
        }
    }

    /// What concerns the cluster alone, or only reads.
    fn is_ours(&self) -> bool {
        matches!(self, Self::AddFinalizer | Self::Finish | Self::LookAtUse(_) | Self::NoteStray(_) | Self::Tell(_))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Read,
    Look,
    Act(Act),
    Conclude,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderProcess {
    pub uid: u8,
    pub at: At,
    pub lease: bool,
    account: bool,
    finalizer: bool,
    found: bool,
    /// The uid in the user's marker, if there is the user; its keys.
    ram: Option<(Option<u8>, Vec<Listed>)>,
    listed: Option<i64>,
    live_user: bool,
    claims: Vec<Holder>,
    /// The RamAccessKey that publishes the key, and whether it was told.
    publisher: Option<(u8, bool)>,
    strays: Vec<Retiring>,
    uses: BTreeMap<u8, Option<i64>>,
    purged: BTreeSet<u8>,
    changed: bool,
    last: Option<Act>,
    steps: u8,
    pub outcome: Option<Outcome>,
    pub was_frozen: bool,
}

type Walk = Result<Stepped, Stop>;

impl OrderProcess {
    pub fn new(uid: u8) -> Self {
        Self {
            uid,
            at: At::Read,
            lease: true,
            account: false,
            finalizer: false,
            found: false,
            ram: None,
            listed: None,
            live_user: false,
            claims: Vec::new(),
            publisher: None,
            strays: Vec::new(),
            uses: BTreeMap::new(),
            purged: BTreeSet::new(),
            changed: true,
            last: None,
            steps: 0,
            outcome: None,
            was_frozen: false,
        }
    }

    fn seen(&self, order: &Order) -> plan::Seen {
        let publisher = |(index, told): (u8, bool)| plan::Publisher {
            namespace: NAMESPACE.to_owned(),
            name: object_name(index),
            told,
        };
        plan::Seen {
            finalizer: self.finalizer,
            deleting: false,
            abandoned: false,
            spec: spec(order),
            account: if self.account { Ok(account_view()) } else { Err(Verdict::new(Reason::AccountNotReady)) },
            user_name: None,
            found_before: self.found,
            ram: self.ram.as_ref().map(|(marker, keys)| plan::InRam {
                user: match marker {
                    Some(uid) => plan::Owner::Marked(Marker::of(OWNER, NAMESPACE, USER, &uid_name(*uid))),
                    None => plan::Owner::Gone,
                },
                keys: keys.iter().map(|key| key.real()).collect(),
                policies: Vec::new(),
                groups: Vec::new(),
                login: None,
                mfa: None,
            }),
            listed: self.listed.map(ts),
            live_user: self.live_user,
            claims: self.claims.iter().map(claim).collect(),
            strays: self.strays.iter().map(Retiring::real).collect(),
            // Orders are not given stale lists here.
            created: None,
            deleted: BTreeSet::new(),
            uses: self.uses.iter().map(|(id, time)| (key_name(*id), used(*time))).collect(),
            purged: self.purged.iter().map(|id| key_name(*id)).collect(),
            publisher: self.publisher.map(publisher),
            disable_refused: false,
            mfa_ours: None,
            mfa_loose: None,
        }
    }

    pub fn place(&self) -> String {
        let name = match &self.at {
            At::Act(act) => return format!("{act:?}"),
            At::Read => "reading",
            At::Look => "looking",
            At::Conclude => "writing the status",
        };
        name.to_owned()
    }

    pub fn freezable(&self) -> Option<String> {
        match &self.at {
            At::Look if self.steps == 0 => Some("after reading".to_owned()),
            At::Act(Act::LookAtUse(_)) | At::Read | At::Look | At::Conclude => None,
            At::Act(_) => Some(format!("before {}", self.place())),
        }
    }

    pub fn writes_to_ram(&self) -> bool {
        matches!(self.at, At::Act(Act::Disable(_) | Act::Delete(_) | Act::DeleteUser))
    }

    fn fail(&mut self, fail: Fail) -> Stepped {
        self.outcome = Some(Outcome::Fail(fail));
        self.at = At::Conclude;
        GO
    }

    fn fail_late(&mut self, fail: Fail) -> Stepped {
        self.fail(fail);
        EFFECT
    }

    fn went(&mut self, at: At) -> Stepped {
        self.at = at;
        EFFECT
    }

    fn rest(&mut self, reason: Reason) -> Stepped {
        self.outcome = Some(Outcome::Rest(reason));
        self.at = At::Conclude;
        GO
    }

    pub fn step(&mut self, world: &mut World, mode: Option<Mode>) -> Walk {
        let position = world.orders.iter().position(|order| order.uid == self.uid);
        let stored = position.map(|position| world.orders[position].clone());
        match self.at.clone() {
            At::Read => {
                let order = stored.ok_or(Stop::Gone)?;
                self.strays = order.strays;
                self.finalizer = order.finalizer;
                self.found = order.found;
                self.account = world.account;
                self.at = At::Look;
                Ok(GO)
            }
            At::Look => {
                let order = stored.ok_or(Stop::Gone)?;
                self.look(world, &order)
            }
            At::Act(act) => self.act(world, position, &act, mode),
            At::Conclude => {
                let order = stored.ok_or(Stop::Gone)?;
                let settled = plan::settled(&self.seen(&order), ts(world.now));
                let strays: Vec<Retiring> = settled.iter().map(Retiring::of).collect();
                if strays == order.strays {
                    return Ok(OVER);
                }
                if let Some(position) = position {
                    world.orders[position].strays = strays;
                }
                Ok(LAST)
            }
        }
    }

    fn look(&mut self, world: &World, order: &Order) -> Walk {
        if self.steps >= MAX_STEPS {
            return Ok(self.fail(Fail::Unfinished));
        }
        if self.changed && self.account {
            self.look_at_cluster(world, order);
            self.listed = Some(world.now);
            // A user of the name with another id is not the one that was ordered about.
            let user = world.ram_user.filter(|(id, _)| order.user_id.is_none_or(|known| known == *id));
            let keys = if user.is_some() { world.list(false) } else { Vec::new() };
            self.ram = Some((user.map(|(_, uid)| uid), keys));
            self.changed = false;
        }
        let step = match plan::next(&self.seen(order), ts(world.now)) {
            Next::Rest(verdict) => return Ok(self.rest(verdict.reason)),
            Next::Do(step) => Act::of(&step),
        };
        if self.last.as_ref() == Some(&step) {
            return Ok(self.fail(Fail::Unsettled));
        }
        self.last = Some(step.clone());
        self.steps += 1;
        if !step.is_ours() && !self.lease {
            return Ok(self.fail(Fail::NotLeader));
        }
        invariants::at_order_step(world, order, &step)?;
        self.at = At::Act(step);
        Ok(GO)
    }

    fn look_at_cluster(&mut self, world: &World, order: &Order) {
        let Some(id) = order.person else {
            self.live_user = world.user.as_ref().is_some_and(|user| user.deleting.is_none() && user.uid != order.uid);
            self.claims = world.holders().into_iter().filter(|holder| holder.uid != order.uid).collect();
            if order.user_goes.is_some() {
                for stray in self.claims.iter().flat_map(|claim| &claim.strays) {
                    if !self.strays.iter().any(|known| known.id == stray.id) {
                        self.strays.push(stray.clone());
                    }
                }
            }
            return;
        };
        self.publisher = world.objs.iter().enumerate().find_map(|(index, object)| {
            let object = object.as_ref()?;
            (object.journal.key == Some(id)).then_some((index as u8, object.asked.revoke == Some(id)))
        });
    }

    fn act(&mut self, world: &mut World, position: Option<usize>, act: &Act, mode: Option<Mode>) -> Walk {
        self.changed |= !act.is_ours();
        let now = world.now;
        match act {
            Act::AddFinalizer => {
                let order = &mut world.orders[position.ok_or(Stop::Gone)?];
                order.finalizer = true;
                self.finalizer = true;
                // Found: noted with the finalizer.
                if matches!(self.ram, Some((Some(_), _))) {
                    order.found = true;
                    self.found = true;
                }
                Ok(self.went(At::Look))
            }
            Act::Finish => Ok(self.finish(world, position.ok_or(Stop::Gone)?)),
            Act::LookAtUse(id) => {
                let Some(key) = world.key(*id) else { return Ok(self.fail(Fail::Ram)) };
                self.uses.insert(*id, key.reported(now));
                self.at = At::Look;
                Ok(GO)
            }
            Act::NoteStray(id) => {
                let position = position.ok_or(Stop::Gone)?;
                match self.strays.iter_mut().find(|stray| stray.id == *id) {
                    Some(stray) => stray.disabled = None,
                    None => self.strays.push(Retiring {
                        id: *id,
                        why: Why::Stray,
                        time: now,
                        disabled: None,
                        disarmed: false,
                    }),
                }
                world.orders[position].strays.clone_from(&self.strays);
                Ok(self.went(At::Look))
            }
            Act::Tell(index) => {
                let person = position.and_then(|position| world.orders[position].person);
                let index = usize::from(*index);
                self.publisher = None;
                if let Some(object) = &mut world.objs[index] {
                    object.asked.revoke = person;
                    self.publisher = Some((index as u8, true));
                    world.touch_obj(index);
                }
                Ok(self.went(At::Look))
            }
            Act::Disarm(index) => {
                let keys = self.ram.as_ref().map(|(_, keys)| keys.clone()).unwrap_or_default();
                world.disarm(usize::from(*index), &keys);
                Ok(self.went(At::Look))
            }
            Act::Purge(id) => {
                world.bin.retain(|binned| binned != id);
                self.purged.insert(*id);
                Ok(self.went(At::Look))
            }
            Act::Disable(_) | Act::Delete(_) | Act::DeleteUser => self.write_to_ram(world, act, mode),
        }
    }

    fn write_to_ram(&mut self, world: &mut World, act: &Act, mode: Option<Mode>) -> Walk {
        match mode {
            Some(Mode::Lost) => return Ok(self.fail_late(Fail::Ram)),
            Some(Mode::Delay) => {
                let until = world.now + MINT_WINDOW;
                match act {
                    Act::Delete(id) => world.inflight.push(Flight::Delete { id: *id, until }),
                    Act::Disable(id) => world.inflight.push(Flight::Set { id: *id, active: false, until }),
                    _ => {}
                }
                return Ok(self.fail_late(Fail::Ram));
            }
            Some(Mode::Reply) | None => {}
        }
        let done = match act {
            Act::Disable(id) => world.set_key(*id, false, if self.was_frozen { Who::Late } else { Who::Ours }),
            Act::Delete(id) => {
                world.delete_key(*id, Who::Ours)?;
                true
            }
            _ if !world.keys.is_empty() => return Ok(self.rest(Reason::Blocked)),
            _ => {
                world.ram_user = None;
                world.before = None;
                true
            }
        };
        Ok(if mode == Some(Mode::Reply) || !done { self.fail_late(Fail::Ram) } else { self.went(At::Look) })
    }

    fn finish(&mut self, world: &mut World, position: usize) -> Stepped {
        // What the order leaves disabled, it leaves as it was asked to.
        for id in world.orders[position].disabled.clone() {
            if let Some(key) = world.key_mut(id) {
                key.left = true;
            }
        }
        if world.orders[position].person.is_some() {
            world.orders[position].finalizer = false;
        } else {
            world.orders.remove(position);
        }
        LAST
    }
}

impl Shift for OrderProcess {
    fn shift(&mut self, by: i64) {
        if let Some((_, keys)) = &mut self.ram {
            keys.shift(by);
        }
        self.listed.shift(by);
        self.claims.shift(by);
        self.strays.shift(by);
        for time in self.uses.values_mut() {
            time.shift(by);
        }
        self.steps = self.steps.min(1);
    }
}

fn spec(order: &Order) -> api::RamRevocationSpec {
    api::RamRevocationSpec {
        account_ref: api::AccountRef::default(),
        access_key_id: order.person.map(key_name),
        note: None,
        left_over: None,
        order: order.person.is_none().then(|| api::Order {
            from: "model".to_owned(),
            uid: uid_name(order.uid),
            account_id: Some(ACCOUNT.to_owned()),
            user: api::OrderedUser {
                user_name: USER_NAME.to_owned(),
                user_id: order.user_id.map(user_id),
                namespace: NAMESPACE.to_owned(),
                name: USER.to_owned(),
                marker_uid: order.user_goes.map(uid_name),
                console_login: false,
                virtual_mfa: false,
                not_before: order.not_before.map(|time| ts(time).to_string()),
                deletion_policy: api::UserDeletionPolicy::Delete,
            },
            access_key_ids: order.ids.iter().map(|id| key_name(*id)).collect(),
            // The model's order has them where the real one has its status.
            strays: None,
            disabled_ids: order.disabled.iter().map(|id| key_name(*id)).collect(),
            intents: order.intents.iter().map(|intent| intent.real().write()).collect(),
            purge_from_recycle_bin: order.purge,
        }),
    }
}

fn claim(holder: &Holder) -> plan::Claim {
    plan::Claim {
        name: holder.real_name(),
        deleting: holder.deleting,
        disarmed: holder.disarmed,
        ids: holder.real_ids(),
        strays: holder.strays.iter().map(Retiring::real).collect(),
        intents: holder.real_intents(),
    }
}
