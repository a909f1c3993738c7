//! A pass over the RamUser.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ram_operator::plan::adoption::Adopting;
use ram_operator::plan::marker::Marker;
use ram_operator::plan::ownership::Elsewhere;
use ram_operator::plan::ram_user as plan;
use ram_operator::plan::tenant::Grants;
use ram_operator::plan::{Next, Reason, Verdict};
use ram_operator::ram::User;
use serde_json::json;

use crate::key_process::account_view;
use crate::names::{
    ACCOUNT, MAX_STEPS, NAMESPACE, OWNER, PATIENCE, USER, USER_NAME, back, key_id, key_name, object_number, ts,
    uid_name, user_id,
};
use crate::process::{EFFECT, Fail, GO, LAST, Mode, OVER, Outcome, Stepped, Stop};
use crate::world::{Holder, Listed, Order, Shift, Who, World};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    AddFinalizer,
    RemoveFinalizer,
    RecordGone,
    CreateUser,
    UpdateUser,
    Disarm(u8),
    DisableKey(u8),
    DeleteKey(u8),
    DeleteUser,
    HandOver(i64),
}

impl Act {
    fn of(step: &plan::Step) -> Self {
        use plan::Step;
        match step {
            Step::AddFinalizer => Self::AddFinalizer,
            Step::RemoveFinalizer => Self::RemoveFinalizer,
            Step::RecordGone => Self::RecordGone,
            Step::CreateUser(_) => Self::CreateUser,
            Step::UpdateUser(_) => Self::UpdateUser,
            Step::Disarm(name) => Self::Disarm(object_number(name)),
            Step::DisableKey(id) => Self::DisableKey(key_id(id)),
            Step::DeleteKey(id) => Self::DeleteKey(key_id(id)),
            Step::DeleteUser => Self::DeleteUser,
            Step::HandOver(time) => Self::HandOver(back(*time)),
            Step::AttachPolicy(_)
            | Step::DetachPolicy(_)
            | Step::LookAtPolicy(_)
            | Step::LookAtGroup(_)
            | Step::JoinGroup(_)
            | Step::LeaveGroup(_)
            | Step::RecordAdoption
            | Step::RecordLogin(_)
            | Step::RecordPassword(_)
            | Step::RecordReset
            | Step::WritePassword
            | Step::CreateLogin(_)
            | Step::ChangeLogin(_)
            | Step::DeleteLogin
            | Step::RecordMfa(_)
            | Step::RecordMfaReset
            | Step::ClaimSeedSecret
            | Step::MakeMfaDevice
            | Step::BindMfa
            | Step::UnbindMfa
            | Step::DeleteMfaDevice(_) => {
                panic!("not asked for in the model: {step:?}")
            }
        }
    }

    fn needs_lease(&self) -> bool {
        !matches!(self, Self::AddFinalizer | Self::RemoveFinalizer | Self::RecordGone | Self::HandOver(_))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Read,
    Look,
    Act(Act),
    Ended,
    /// The user is deleted no sooner than this.
    LeaveOrder(Option<i64>),
    Unfinalize,
    Conclude,
}

/// What RAM showed: `UserId` and uid in the marker, and the keys.
type InRam = (Option<(u8, u8)>, Vec<Listed>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserProcess {
    pub at: At,
    uid: u8,
    deleting: Option<i64>,
    finalizer: bool,
    suspended: bool,
    grace: i64,
    known: Option<u8>,
    marker_uid: Option<u8>,
    made_time: Option<i64>,
    pub fresh: bool,
    account: bool,
    grant: Option<bool>,
    ram: Option<InRam>,
    changed: bool,
    made_here: bool,
    witnessed: bool,
    holders: Vec<Holder>,
    last: Option<Act>,
    steps: u8,
    pub lease: bool,
    pub outcome: Option<Outcome>,
    pub was_frozen: bool,
}

type Walk = Result<Stepped, Stop>;

impl UserProcess {
    pub fn new() -> Self {
        Self {
            at: At::Read,
            uid: 0,
            deleting: None,
            finalizer: false,
            suspended: false,
            grace: 0,
            known: None,
            marker_uid: None,
            made_time: None,
            fresh: false,
            account: false,
            grant: None,
            ram: None,
            changed: true,
            made_here: false,
            witnessed: false,
            holders: Vec::new(),
            last: None,
            steps: 0,
            lease: true,
            outcome: None,
            was_frozen: false,
        }
    }

    fn seen(&self) -> plan::Seen {
        let spec = json!({
            "state": if self.suspended { "Suspended" } else { "Active" },
            "deletionGracePeriod": format!("{}s", self.grace),
        });
        plan::Seen {
            deleting: self.deleting.is_some(),
            deletion_time: self.deleting.map(ts),
            finalizer: self.finalizer,
            paused: false,
            spec: serde_json::from_value(spec).expect("a spec"),
            memory: plan::Memory {
                account_id: self.known.map(|_| ACCOUNT.to_owned()),
                user_id: self.known.map(user_id),
                marker_uid: self.marker_uid.map(uid_name),
                create_time: self.made_time.map(ts),
                login: None,
                adoption: Adopting::default(),
                mfa: None,
            },
            user_name: USER_NAME.to_owned(),
            marker: self.account.then(|| marker(self.uid)),
            account: if self.account { Ok(account_view()) } else { Err(Verdict::new(Reason::AccountNotReady)) },
            tenant: if self.grant == Some(true) { Ok(grants()) } else { Err(Verdict::new(Reason::NotATenant)) },
            ram: self.ram.as_ref().map(|(user, keys)| plan::InRam {
                user: user.map(|(id, uid)| real_user(id, uid)),
                renamed_to: None,
                policies: Vec::new(),
                keys: keys.iter().map(|key| key.real()).collect(),
                groups: Vec::new(),
                login: None,
                mfa: None,
            }),
            witnessed: self.witnessed,
            elsewhere: Elsewhere::Nothing,
            key_objects: self.holders.iter().map(key_object).collect(),
            quota_reached: false,
            references: BTreeMap::new(),
            group_references: BTreeMap::new(),
            documents: BTreeMap::new(),
            contents: BTreeMap::new(),
            groups_full: false,
            password: plan::PasswordSeen::Absent,
            reset: plan::Reset::default(),
            login_fresh: false,
            disable_refused: false,
            mfa: plan::MfaFacts::default(),
        }
    }

    pub fn place(&self) -> String {
        let name = match &self.at {
            At::Act(act) => return format!("{act:?}"),
            At::Read => "reading",
            At::Look => "looking",
            At::Ended => "the end",
            At::LeaveOrder(_) => "leaving the order",
            At::Unfinalize => "taking the finalizer off",
            At::Conclude => "writing the status",
        };
        name.to_owned()
    }

    pub fn freezable(&self) -> Option<String> {
        match &self.at {
            At::Look if self.steps == 0 => Some("after reading".to_owned()),
            At::Read | At::Look | At::Ended => None,
            At::Act(_) | At::LeaveOrder(_) | At::Unfinalize | At::Conclude => Some(format!("before {}", self.place())),
        }
    }

    pub fn writes_to_ram(&self) -> bool {
        let At::Act(act) = &self.at else { return false };
        matches!(act, Act::CreateUser | Act::UpdateUser | Act::DisableKey(_) | Act::DeleteKey(_) | Act::DeleteUser)
    }

    fn fail(&mut self, fail: Fail) -> Stepped {
        self.outcome = Some(Outcome::Fail(fail));
        self.at = At::Ended;
        GO
    }

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

    pub fn step(&mut self, world: &mut World, mode: Option<Mode>) -> Walk {
        match self.at.clone() {
            At::Read => Ok(self.read(world)),
            At::Look => Ok(self.look(world)),
            At::Act(act) => self.act(world, &act, mode),
            At::Ended => {
                let unfinished = self.outcome.is_some_and(Outcome::unfinished);
                let tried = self.deleting.is_some_and(|since| world.now - since >= PATIENCE);
                if tried && self.finalizer && unfinished {
                    let end = plan::grace_ends(&self.seen()).map(back);
                    return Ok(self.go(At::LeaveOrder(end)));
                }
                Ok(self.go(At::Conclude))
            }
            At::LeaveOrder(not_before) => Ok(self.leave_order(world, not_before)),
            At::Unfinalize => Ok(self.drop_finalizer(world)),
            At::Conclude => Ok(self.conclude(world)),
        }
    }

    fn read(&mut self, world: &World) -> Stepped {
        let Some(user) = &world.user else { return OVER };
        self.uid = user.uid;
        self.deleting = user.deleting;
        self.finalizer = user.finalizer;
        self.suspended = user.suspended;
        self.grace = user.grace;
        self.known = user.known;
        self.marker_uid = user.marker_uid;
        self.made_time = user.made_time;
        self.fresh = true;
        self.account = world.account;
        self.go(At::Look)
    }

    fn look(&mut self, world: &World) -> Stepped {
        if self.steps >= MAX_STEPS {
            return self.fail(Fail::Unfinished);
        }
        self.grant.get_or_insert(world.grant);
        if self.account && self.changed && !self.made_here {
            let user = world.ram_user;
            let ours = user.is_some_and(|(id, _)| self.known.is_none_or(|known| known == id));
            let keys = if ours { world.list(false) } else { Vec::new() };
            self.witnessed |= user.is_some();
            if self.deleting.is_some() || !keys.is_empty() {
                self.holders = world.holders();
            }
            self.ram = Some((user, keys));
            self.changed = false;
        }
        // Found again after its status was lost, or written before a crash.
        if let (Some((Some((id, uid)), _)), None) = (&self.ram, self.known)
            && *uid == self.uid
        {
            self.known = Some(*id);
            self.marker_uid = Some(*uid);
        }
        let step = match plan::next(&self.seen(), ts(world.now)) {
            Next::Rest(verdict) => {
                self.outcome = Some(Outcome::Rest(verdict.reason));
                return self.go(At::Ended);
            }
            Next::Do(step) => Act::of(&step),
        };
        if self.last.as_ref() == Some(&step) {
            return self.fail(Fail::Unsettled);
        }
        self.last = Some(step.clone());
        self.steps += 1;
        if step.needs_lease() && !self.lease {
            return self.fail(Fail::NotLeader);
        }
        self.go(At::Act(step))
    }

    fn act(&mut self, world: &mut World, act: &Act, mode: Option<Mode>) -> Walk {
        self.changed |= *act != Act::AddFinalizer;
        match act {
            Act::AddFinalizer => {
                let user = world.user.as_mut().filter(|user| user.uid == self.uid).ok_or(Stop::Gone)?;
                if !self.fresh {
                    return Ok(self.fail(Fail::Conflict));
                }
                user.finalizer = true;
                world.touch_user();
                self.finalizer = true;
                return Ok(self.went(At::Look));
            }
            Act::RemoveFinalizer => return Ok(self.drop_finalizer(world)),
            Act::RecordGone => {
                let user = world.user.as_mut().filter(|user| user.uid == self.uid).ok_or(Stop::Gone)?;
                if !self.fresh {
                    return Ok(self.fail(Fail::Conflict));
                }
                (user.known, user.marker_uid, user.made_time) = (None, None, None);
                (self.known, self.marker_uid, self.made_time) = (None, None, None);
                world.touch_user();
                return Ok(self.went(At::Look));
            }
            Act::HandOver(end) => return Ok(self.go(At::LeaveOrder(Some(*end)))),
            Act::Disarm(index) => {
                let keys = self.ram.as_ref().map(|(_, keys)| keys.clone()).unwrap_or_default();
                world.disarm(usize::from(*index), &keys);
                return Ok(self.went(At::Look));
            }
            _ => {}
        }
        if matches!(mode, Some(Mode::Lost | Mode::Delay)) {
            return Ok(self.fail_late(Fail::Ram));
        }
        self.write_to_ram(world, act, mode == Some(Mode::Reply))
    }

    fn write_to_ram(&mut self, world: &mut World, act: &Act, reply_lost: bool) -> Walk {
        match act {
            Act::CreateUser => {
                if world.ram_user.is_some() {
                    return Ok(self.fail(Fail::Unsettled));
                }
                let made = (world.next_uid, self.uid);
                world.next_uid += 1;
                world.ram_user = Some(made);
                world.keys.clear();
                world.before = None;
                if !reply_lost {
                    self.known = Some(made.0);
                    self.marker_uid = Some(self.uid);
                    self.made_time = Some(world.now);
                    self.ram = Some((Some(made), Vec::new()));
                    self.made_here = true;
                }
            }
            Act::UpdateUser => {
                let Some((id, _)) = world.ram_user else { return Ok(self.fail(Fail::Ram)) };
                world.ram_user = Some((id, self.uid));
                if !reply_lost {
                    self.known = self.ram.as_ref().and_then(|(user, _)| user.map(|(id, _)| id));
                    self.marker_uid = Some(self.uid);
                }
            }
            Act::DisableKey(id) | Act::DeleteKey(id) => {
                if world.key(*id).is_some_and(|key| key.foreign()) {
                    return Err(format!("the RamUser touches the foreign key {id}").into());
                }
                if self.deleting.is_none() {
                    return Err(format!("a RamUser that stays touches the key {id}").into());
                }
                if matches!(act, Act::DeleteKey(_)) {
                    world.delete_key(*id, Who::Ours)?;
                } else if !world.set_key(*id, false, if self.was_frozen { Who::Late } else { Who::Ours }) {
                    return Ok(self.fail(Fail::Ram));
                }
            }
            Act::DeleteUser => {
                if !world.keys.is_empty() {
                    self.outcome = Some(Outcome::Rest(Reason::Blocked));
                    return Ok(self.go(At::Ended));
                }
                world.ram_user = None;
                world.before = None;
            }
            Act::AddFinalizer | Act::RemoveFinalizer | Act::RecordGone | Act::Disarm(_) | Act::HandOver(_) => {
                panic!("{act:?} is none of RAM's")
            }
        }
        Ok(if reply_lost { self.fail_late(Fail::Ram) } else { self.went(At::Look) })
    }

    fn leave_order(&mut self, world: &mut World, not_before: Option<i64>) -> Stepped {
        let holders = world.holders();
        if world.left_orders.insert(self.uid) {
            world.orders.push(Order {
                uid: self.uid,
                user_id: self.known,
                ids: holders.iter().flat_map(Holder::own_ids).collect(),
                strays: holders.iter().flat_map(|holder| holder.strays.clone()).collect(),
                intents: holders.iter().flat_map(|holder| holder.intents.clone()).collect(),
                user_goes: Some(self.uid),
                not_before,
                ..Order::default()
            });
        }
        self.went(At::Unfinalize)
    }

    fn drop_finalizer(&mut self, world: &mut World) -> Stepped {
        if world.user.as_ref().is_none_or(|user| user.uid != self.uid) {
            return OVER;
        }
        if !self.fresh {
            self.outcome = Some(Outcome::Fail(Fail::Conflict));
            return self.go(At::Conclude);
        }
        world.user = None;
        world.touch_user();
        LAST
    }

    fn conclude(&mut self, world: &mut World) -> Stepped {
        let Some(user) = world.user.as_ref().filter(|user| user.uid == self.uid && self.fresh) else { return OVER };
        let mut wanted = user.clone();
        let shown = self.ram.as_ref().and_then(|(user, _)| user.map(|(id, _)| id));
        if self.account && shown.is_some() && shown == self.known {
            wanted.known = self.known;
            wanted.marker_uid = self.marker_uid;
            wanted.made_time = self.made_time;
        }
        if let Some(Outcome::Rest(reason)) = self.outcome {
            wanted.ready = reason == Reason::Available;
        }
        if wanted == *user {
            return OVER;
        }
        world.user = Some(wanted);
        world.touch_user();
        LAST
    }
}

impl Shift for UserProcess {
    fn shift(&mut self, by: i64) {
        self.deleting.shift(by);
        self.made_time.shift(by);
        if let Some((_, keys)) = &mut self.ram {
            keys.shift(by);
        }
        self.holders.shift(by);
        match &mut self.at {
            At::LeaveOrder(time) => time.shift(by),
            At::Act(Act::HandOver(time)) => time.shift(by),
            _ => {}
        }
        if let Some(Act::HandOver(time)) = &mut self.last {
            time.shift(by);
        }
        self.steps = self.steps.min(1);
    }
}

fn marker(uid: u8) -> Marker {
    Marker::of(OWNER, NAMESPACE, USER, &uid_name(uid))
}

fn real_user(id: u8, uid: u8) -> User {
    User {
        user_id: user_id(id),
        user_name: USER_NAME.to_owned(),
        display_name: String::new(),
        comments: marker(uid).append_to(""),
        email: String::new(),
        mobile_phone: String::new(),
        create_time: None,
    }
}

fn grants() -> Grants {
    static GRANTS: OnceLock<Grants> = OnceLock::new();
    let made = GRANTS.get_or_init(|| {
        let spec = serde_json::from_value(json!({ "namespaceSelector": {} })).expect("a spec");
        Grants::of(&spec, true)
    });
    made.clone()
}

fn key_object(holder: &Holder) -> plan::KeyObject {
    plan::KeyObject {
        name: holder.real_name(),
        deleting: holder.deleting,
        ids: holder.real_ids(),
        strays: holder.strays.iter().map(|key| key_name(key.id)).collect(),
        intents: holder.real_intents(),
        disarmed: holder.disarmed,
    }
}
