//! The world of one RamUser with log-on to the console and an MFA device, and without keys.

use ram_operator::api::{LoginState, MfaPhase};

use super::pass::UserPass;
use super::revocation::OrderPass;
use crate::names::READ_LAG;
use crate::process::{Mode, Outcome, Stepped};
use crate::search::{Cfg, Clock, Model, Moves, Pass, fingerprint};

/// A password that the person chose, or that was there before.
pub const OWN: u8 = 250;
/// A text that somebody wrote into a Secret.
pub const RUBBISH: u8 = 251;
/// Nothing depends on how long something is over that is over for so long.
const OLD: i64 = 2 * READ_LAG;

/// Who did something last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Ours,
    /// Ours, but decided long before.
    Late,
    Person,
}

/// What the user's comments end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    None,
    /// Our marker, with this uid.
    Ours(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    pub password: u8,
    pub on: bool,
    /// Who turned it off, if it is off.
    pub off_by: Option<Who>,
}

/// The MFA device that a user has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    Ours,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct User {
    pub id: u8,
    pub mark: Mark,
    pub made: i64,
    pub login: Option<Profile>,
    pub mfa: Option<Bound>,
    /// Made by whoever was frozen before.
    pub late: bool,
}

/// The virtual device of our name: RAM has one at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    pub seed: u8,
    /// Its seed was in the Secret.
    pub published: bool,
    pub late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ram {
    pub user: Option<User>,
    pub device: Option<Device>,
}

/// A Secret, with a password or a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sec {
    /// It carries our label.
    pub marked: bool,
    pub text: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Login {
    NotManaged,
    Enabled,
    Disabled,
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mfa {
    NotManaged,
    Operator,
    User,
    Absent,
}

/// What the spec asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Want {
    pub login: Login,
    /// The password is read from a Secret of the person's.
    pub secret_ref: bool,
    pub mfa: Mfa,
    pub suspended: bool,
    pub adopt: bool,
    pub retain: bool,
}

/// How far a request by annotation has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Progress {
    pub accepted: Option<u8>,
    pub done: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Enabled,
    Disabled,
    Absent,
}

impl State {
    pub fn of(state: LoginState) -> Self {
        match state {
            LoginState::Enabled => Self::Enabled,
            LoginState::Disabled => Self::Disabled,
            LoginState::Absent => Self::Absent,
        }
    }

    pub fn real(self) -> LoginState {
        match self {
            Self::Enabled => LoginState::Enabled,
            Self::Disabled => LoginState::Disabled,
            Self::Absent => LoginState::Absent,
        }
    }
}

/// What the status remembers of the log-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoginNote {
    pub state: State,
    pub time: Option<i64>,
    /// The password under the seal.
    pub seal: Option<u8>,
    /// The password that was about to be given; inside, nothing: one of some.
    pub giving: Option<Option<u8>>,
}

impl Default for LoginNote {
    fn default() -> Self {
        Self { state: State::Enabled, time: None, seal: None, giving: None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Leaving,
    Issued,
    Bound,
    Absent,
}

impl Phase {
    pub fn of(phase: MfaPhase) -> Self {
        match phase {
            MfaPhase::Leaving => Self::Leaving,
            MfaPhase::Issued => Self::Issued,
            MfaPhase::Bound => Self::Bound,
            MfaPhase::Absent => Self::Absent,
        }
    }

    pub fn real(self) -> MfaPhase {
        match self {
            Self::Leaving => MfaPhase::Leaving,
            Self::Issued => MfaPhase::Issued,
            Self::Bound => MfaPhase::Bound,
            Self::Absent => MfaPhase::Absent,
        }
    }
}

/// What the status remembers of the MFA device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MfaNote {
    pub phase: Phase,
    pub device: Option<Bound>,
    pub since: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status {
    /// RAM's `UserId`.
    pub known: Option<u8>,
    pub marker_uid: Option<u8>,
    pub made: Option<i64>,
    pub login: Option<LoginNote>,
    pub reset: Progress,
    pub mfa: Option<MfaNote>,
    pub reset_mfa: Progress,
    pub adopted: bool,
    pub accepted: bool,
}

/// The RamUser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Obj {
    pub uid: u8,
    pub deleting: Option<i64>,
    pub finalizer: bool,
    pub want: Want,
    /// Annotations.
    pub reset: Option<u8>,
    pub reset_mfa: Option<u8>,
    pub accept: bool,
    pub status: Status,
}

impl Obj {
    pub fn new(uid: u8, want: Want) -> Self {
        Self {
            uid,
            deleting: None,
            finalizer: false,
            want,
            reset: None,
            reset_mfa: None,
            accept: false,
            status: Status::default(),
        }
    }
}

/// A RamRevocation that the RamUser left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    pub uid: u8,
    pub user_id: Option<u8>,
    pub login: bool,
    pub mfa: bool,
    pub finalizer: bool,
}

/// A pass over the RamUser, or over one of its orders.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AnyPass {
    User(Box<UserPass>),
    Order(Box<OrderPass>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub clock: Clock,
    pub ram: Ram,
    /// RAM before the last change, and when that was.
    pub before: Option<(Ram, i64)>,
    pub obj: Option<Obj>,
    pub password: Option<Sec>,
    pub seed: Option<Sec>,
    pub orders: Vec<Order>,
    pub frozen: Vec<AnyPass>,
    pub account: bool,
    pub grant: bool,
    pub ns_term: bool,
    /// The spec that is applied again.
    pub applied: Option<Want>,
    /// The next id, uid, password or seed.
    pub next: u8,
    /// Who took the log-on, the user's MFA device and the device of our name away, if they are not there.
    pub login_gone: Option<Who>,
    pub mfa_gone: Option<Who>,
    pub device_gone: Option<Who>,
    /// A person deleted a device of our name at some time.
    pub device_deleted: bool,
    /// A person did not take away the log-on, or the device, or somebody asked for it since.
    pub may_enable: bool,
    pub may_bind: bool,
    /// A person changed what only we are to write, or what was known is lost: the password in the Secret may be another one than RAM's.
    pub muddled: bool,
    /// A person changed the seed.
    pub seed_changed: bool,
    /// The object went while RAM could not be asked, and its user is to stay.
    pub kept: bool,
    /// The object went, and its user stayed as it was.
    pub released: bool,
}

impl World {
    pub fn new(obj: Option<Obj>) -> Self {
        Self {
            clock: Clock::default(),
            ram: Ram { user: None, device: None },
            before: None,
            obj,
            password: None,
            seed: None,
            orders: Vec::new(),
            frozen: Vec::new(),
            account: true,
            grant: true,
            ns_term: false,
            applied: None,
            next: 20,
            login_gone: None,
            mfa_gone: None,
            device_gone: None,
            device_deleted: false,
            may_enable: true,
            may_bind: true,
            muddled: false,
            seed_changed: false,
            kept: false,
            released: false,
        }
    }

    pub fn number(&mut self) -> u8 {
        self.next += 1;
        self.next - 1
    }

    /// RAM is about to change.
    pub fn changes(&mut self) {
        self.before = Some((self.ram, self.clock.now));
    }

    fn lags(&self) -> bool {
        self.before.as_ref().is_some_and(|(_, time)| self.clock.now - time <= READ_LAG)
    }

    /// RAM as a pass sees it.
    pub fn sight(&self, stale: bool) -> Ram {
        match &self.before {
            Some((ram, _)) if stale && self.lags() => *ram,
            _ => self.ram,
        }
    }

    fn user_passes(&mut self) -> impl Iterator<Item = &mut UserPass> {
        self.frozen.iter_mut().filter_map(|pass| match pass {
            AnyPass::User(pass) => Some(&mut **pass),
            AnyPass::Order(_) => None,
        })
    }

    /// The object was written: whoever read it before cannot write it any more.
    pub fn touch_obj(&mut self) {
        self.user_passes().for_each(|pass| pass.fresh = false);
    }

    pub fn touch_password(&mut self) {
        self.user_passes().for_each(|pass| pass.password_fresh = false);
    }

    pub fn touch_seed(&mut self) {
        self.user_passes().for_each(|pass| pass.seed_fresh = false);
    }

    /// The object is gone, and its Secrets go with it.
    pub fn remove_obj(&mut self) {
        self.obj = None;
        self.touch_obj();
        self.password = self.password.filter(|secret| !secret.marked);
        self.seed = self.seed.filter(|secret| !secret.marked);
        self.touch_password();
        self.touch_seed();
    }

    pub fn live(&self) -> Option<&Obj> {
        self.obj.as_ref().filter(|object| object.deleting.is_none())
    }

    /// Whether the device of our name has a user.
    pub fn is_bound(&self) -> bool {
        self.ram.user.is_some_and(|user| user.mfa == Some(Bound::Ours))
    }
}

pub fn age(time: &mut i64, now: i64) {
    *time = (*time - now).max(-OLD);
}

fn age_ram(ram: &mut Ram, now: i64) {
    if let Some(user) = &mut ram.user {
        age(&mut user.made, now);
    }
}

fn age_status(status: &mut Status, now: i64) {
    let login = status.login.as_mut().and_then(|note| note.time.as_mut());
    let mfa = status.mfa.as_mut().and_then(|note| note.since.as_mut());
    for time in [status.made.as_mut(), login, mfa].into_iter().flatten() {
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
        age_ram(&mut world.ram, now);
        world.before = world.before.filter(|_| cfg.stale && self.lags());
        if let Some((ram, time)) = &mut world.before {
            age_ram(ram, now);
            age(time, now);
        }
        if let Some(object) = &mut world.obj {
            age_obj(object, now);
        }
        for pass in &mut world.frozen {
            if let AnyPass::User(pass) = pass {
                pass.age(now);
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
        let user = self.obj.iter().map(|_| AnyPass::User(Box::new(UserPass::new(false))));
        let orders = self.orders.iter().map(|order| AnyPass::Order(Box::new(OrderPass::new(order.uid))));
        user.chain(orders).collect()
    }

    fn stale_passes(&self, _: &Cfg) -> Vec<AnyPass> {
        let user = self.obj.iter().filter(|_| self.lags());
        user.map(|_| AnyPass::User(Box::new(UserPass::new(true)))).collect()
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
            Self::User(pass) => pass.step(world, mode),
            Self::Order(pass) => pass.step(world, mode),
        }
    }

    fn label(&self) -> String {
        match self {
            Self::User(_) => "user".to_owned(),
            Self::Order(pass) => format!("order{}", pass.uid),
        }
    }

    fn place(&self) -> String {
        match self {
            Self::User(pass) => pass.place(),
            Self::Order(pass) => pass.place(),
        }
    }

    fn freezable(&self) -> Option<String> {
        match self {
            Self::User(pass) => pass.freezable(),
            Self::Order(pass) => pass.freezable(),
        }
    }

    fn writes_to_ram(&self) -> bool {
        match self {
            Self::User(pass) => pass.writes_to_ram(),
            Self::Order(pass) => pass.writes_to_ram(),
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::User(pass) => pass.outcome,
            Self::Order(pass) => pass.outcome,
        }
    }

    fn was_frozen(&self) -> bool {
        match self {
            Self::User(pass) => pass.was_frozen,
            Self::Order(pass) => pass.was_frozen,
        }
    }

    fn freeze(&mut self) {
        match self {
            Self::User(pass) => pass.was_frozen = true,
            Self::Order(pass) => pass.was_frozen = true,
        }
    }

    fn unlease(&mut self) {
        match self {
            Self::User(pass) => pass.lease = false,
            Self::Order(pass) => pass.lease = false,
        }
    }
}
