//! A pass over the RamUser, as its controller does it, cut at every point where a process can die or freeze.

use ram_operator::plan::{Next, Reason, ram_user as plan};

use super::facts;
use super::invariants;
use super::world::{
    Bound, Device, LoginNote, Mark, MfaNote, Obj, Order, Phase, Profile, Sec, State, Status, User, Who, World, age,
    age_obj,
};
use crate::names::{MAX_STEPS, PATIENCE, READ_LAG, ts};
use crate::process::{EFFECT, Fail, GO, LAST, Mode, OVER, Outcome, Stepped, Stop};

/// A step of the plan, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    AddFinalizer,
    RemoveFinalizer,
    RecordAdoption,
    RecordGone,
    CreateUser,
    /// UpdateUser: comments with our marker, or without one.
    Mark(bool),
    RecordLogin(State),
    /// The password that is about to be given; nothing: one of some.
    RecordPassword(Option<u8>),
    RecordReset,
    WritePassword,
    Log {
        create: bool,
        password: bool,
        enabled: Option<bool>,
    },
    DeleteLogin,
    RecordMfa(Phase),
    RecordMfaReset,
    ClaimSeed,
    MakeDevice,
    /// The second half of making a device: its seed goes into the Secret.
    PublishSeed(u8),
    Bind,
    Unbind,
    DeleteDevice(Bound),
    DeleteUser,
}

impl Act {
    fn of(step: &plan::Step) -> Self {
        use plan::Step;
        match step {
            Step::AddFinalizer => Self::AddFinalizer,
            Step::RemoveFinalizer => Self::RemoveFinalizer,
            Step::RecordAdoption => Self::RecordAdoption,
            Step::RecordGone => Self::RecordGone,
            Step::CreateUser(_) => Self::CreateUser,
            Step::UpdateUser(changes) => Self::Mark(facts::is_marked(changes.comments.as_deref().unwrap_or_default())),
            Step::RecordLogin(state) => Self::RecordLogin(State::of(*state)),
            Step::RecordPassword(seal) => Self::RecordPassword(facts::sealed(seal)),
            Step::RecordReset => Self::RecordReset,
            Step::WritePassword => Self::WritePassword,
            Step::CreateLogin(change) => Self::Log { create: true, password: change.password, enabled: change.enabled },
            Step::ChangeLogin(change) => {
                Self::Log { create: false, password: change.password, enabled: change.enabled }
            }
            Step::DeleteLogin => Self::DeleteLogin,
            Step::RecordMfa(phase) => Self::RecordMfa(Phase::of(*phase)),
            Step::RecordMfaReset => Self::RecordMfaReset,
            Step::ClaimSeedSecret => Self::ClaimSeed,
            Step::MakeMfaDevice => Self::MakeDevice,
            Step::BindMfa => Self::Bind,
            Step::UnbindMfa => Self::Unbind,
            Step::DeleteMfaDevice(serial) => Self::DeleteDevice(facts::bound(serial)),
            Step::DeleteUser => Self::DeleteUser,
            Step::AttachPolicy(_)
            | Step::DetachPolicy(_)
            | Step::LookAtPolicy(_)
            | Step::LookAtGroup(_)
            | Step::JoinGroup(_)
            | Step::LeaveGroup(_)
            | Step::Disarm(_)
            | Step::DisableKey(_)
            | Step::DeleteKey(_)
            | Step::HandOver(_) => panic!("not asked for in the model: {step:?}"),
        }
    }

    fn is_of_ram(self) -> bool {
        matches!(
            self,
            Self::CreateUser
                | Self::Mark(_)
                | Self::Log { .. }
                | Self::DeleteLogin
                | Self::MakeDevice
                | Self::Bind
                | Self::Unbind
                | Self::DeleteDevice(_)
                | Self::DeleteUser
        )
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

/// What a Secret said when it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Found {
    pub there: bool,
    pub foreign: bool,
    pub text: Option<u8>,
}

impl Found {
    /// `any`: the Secret is a person's in any case.
    fn of(secret: Option<Sec>, any: bool) -> Self {
        match secret {
            None => Self::default(),
            Some(secret) if secret.marked || any => Self { there: true, foreign: false, text: secret.text },
            Some(_) => Self { there: true, foreign: true, text: None },
        }
    }
}

/// What this pass did about MFA devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Deeds {
    pub claimed: bool,
    pub made: bool,
    pub exists: bool,
    pub deleted: bool,
    pub held: bool,
    pub loose: Option<Bound>,
    pub confirmed: bool,
    pub unbound: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserPass {
    pub at: At,
    stale: bool,
    /// As it was read, with what this pass wrote to it.
    pub object: Option<Obj>,
    pub fresh: bool,
    pub memory: Status,
    pub account: bool,
    pub grant: Option<bool>,
    /// RAM was looked at.
    pub read: bool,
    pub user: Option<User>,
    changed: bool,
    made_here: bool,
    pub witnessed: bool,
    pub password: Found,
    pub password_fresh: bool,
    pub seed: Found,
    pub seed_fresh: bool,
    seed_read: bool,
    pub deeds: Deeds,
    /// It has let the user log on again.
    given_back: bool,
    last: Option<Act>,
    steps: u8,
    pub lease: bool,
    pub outcome: Option<Outcome>,
    pub was_frozen: bool,
}

type Walk = Result<Stepped, Stop>;

impl UserPass {
    pub fn new(stale: bool) -> Self {
        Self {
            at: At::Read,
            stale,
            object: None,
            fresh: false,
            memory: Status::default(),
            account: false,
            grant: None,
            read: false,
            user: None,
            changed: true,
            made_here: false,
            witnessed: false,
            password: Found::default(),
            password_fresh: false,
            seed: Found::default(),
            seed_fresh: false,
            seed_read: false,
            deeds: Deeds::default(),
            given_back: false,
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
            let mut remembered = Obj { status: self.memory, ..*object };
            age_obj(&mut remembered, now);
            self.memory = remembered.status;
            age_obj(object, now);
        }
        if let Some(user) = &mut self.user {
            age(&mut user.made, now);
        }
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
            At::Read | At::Look | At::Ended => None,
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

    /// Whose work it is.
    fn who(&self) -> Who {
        if self.was_frozen { Who::Late } else { Who::Ours }
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

    fn fail_late(&mut self, fail: Fail) -> Stepped {
        self.fail(fail);
        EFFECT
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
        // Only of a user that was known before this pass.
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
        if let Err(fail) = self.observe(world) {
            return self.fail(fail);
        }
        let step = match plan::next(&facts::seen(self, world.clock.now), ts(world.clock.now)) {
            Next::Rest(verdict) => return self.end(Outcome::Rest(verdict.reason)),
            Next::Do(step) => Act::of(&step),
        };
        if self.last == Some(step) {
            return self.fail(Fail::Unsettled);
        }
        self.last = Some(step);
        self.steps += 1;
        if step.is_of_ram() && !self.lease {
            return self.fail(Fail::NotLeader);
        }
        self.go(At::Act(step))
    }

    fn observe(&mut self, world: &World) -> Result<(), Fail> {
        if self.grant.is_none() {
            self.grant = Some(world.grant);
            self.read_password(world);
        }
        if self.account && self.changed && !self.made_here {
            self.read_ram(world)?;
            self.changed = false;
        }
        if self.account {
            self.read_seed(world);
        }
        // Found again after its status was lost, or written before a crash; or by an object that was made again.
        let uid = self.obj().uid;
        if let (None, Some(User { id, mark: Mark::Ours(marked), .. })) = (self.memory.known, self.user) {
            if marked == uid {
                self.memory.known = Some(id);
                self.memory.marker_uid = Some(uid);
            }
            self.memory.adopted |= facts::may_be_adopted(self);
        }
        Ok(())
    }

    fn read_ram(&mut self, world: &World) -> Result<(), Fail> {
        let known = self.memory.known;
        let mut user = world.sight(self.stale).user;
        self.witnessed |= user.is_some();
        if let Some(user) = &mut user {
            let ours = known.is_none_or(|id| id == user.id);
            user.login = user.login.filter(|_| ours && facts::manages_login(self));
            user.mfa = user.mfa.filter(|_| ours && (self.deleting() || facts::manages_mfa(self)));
        }
        let is = |user: Option<User>| user.is_some_and(|user| Some(user.id) == known);
        // By its id it is found all the same.
        if known.is_some() && !is(user) && is(world.ram.user) {
            return Err(Fail::Unsettled);
        }
        if self.given_back && user.and_then(|user| user.login).is_some_and(|profile| profile.on) {
            self.memory.login = Some(facts::shown(self.memory.login.unwrap_or_default(), self.password));
        }
        (self.user, self.read) = (user, true);
        Ok(())
    }

    fn read_password(&mut self, world: &World) {
        if !self.deleting() && facts::wants_password(self) {
            self.password = Found::of(world.password, self.obj().want.secret_ref);
            self.password_fresh = true;
        }
    }

    /// The Secret is looked at only where its seed may be needed.
    fn read_seed(&mut self, world: &World) {
        let leaving = self.memory.mfa.is_some_and(|note| note.phase == Phase::Leaving);
        let bound = self.user.is_some_and(|user| user.mfa.is_some());
        let needed = (self.read && !bound) || leaving;
        if facts::wants_device(self) && needed && !self.seed_read && !self.deleting() {
            self.seed = Found::of(world.seed, false);
            (self.seed_fresh, self.seed_read) = (true, true);
        }
    }

    fn act(&mut self, world: &mut World, act: Act, mode: Option<Mode>) -> Walk {
        self.changed |= act != Act::AddFinalizer;
        match act {
            Act::AddFinalizer => self.add_finalizer(world),
            Act::RemoveFinalizer => Ok(self.drop_finalizer(world)),
            Act::RecordAdoption => {
                let walk = self.note(world, |status| status.adopted = true)?;
                self.memory.adopted = true;
                Ok(walk)
            }
            Act::RecordGone => {
                let accepted = self.memory.accepted;
                let walk = self.note(world, |status| {
                    let (reset, reset_mfa) = (status.reset, status.reset_mfa);
                    // A password that was handed over is not given to another user.
                    let seal =
                        |note: LoginNote| LoginNote { state: State::Absent, seal: note.seal, ..LoginNote::default() };
                    let login = status.login.map(seal);
                    *status = Status { reset, reset_mfa, accepted, login, ..Status::default() };
                })?;
                (self.memory.known, self.memory.marker_uid, self.memory.made) = (None, None, None);
                self.memory.adopted = false;
                Ok(walk)
            }
            Act::RecordLogin(state) => {
                self.note(world, |status| status.login.get_or_insert_with(LoginNote::default).state = state)
            }
            Act::RecordPassword(text) => {
                let none = self.user.is_some_and(|user| user.login.is_none());
                self.note(world, |status| {
                    let login = status.login.get_or_insert_with(LoginNote::default);
                    login.giving = Some(text);
                    if none {
                        login.state = State::Absent;
                    }
                })
            }
            Act::RecordReset => {
                let (asked, first) = (self.obj().reset, self.memory.login.is_none());
                self.note(world, |status| {
                    status.reset.accepted = asked;
                    if first {
                        status.reset.done = asked;
                    }
                })
            }
            Act::RecordMfa(phase) => self.record_mfa(world, phase),
            Act::RecordMfaReset => self.record_mfa_reset(world),
            Act::WritePassword => Ok(self.write_password(world)),
            Act::ClaimSeed => Ok(self.claim_seed(world)),
            Act::PublishSeed(seed) => self.publish_seed(world, seed),
            _ => {
                invariants::at_write(self, world, act)?;
                match mode {
                    Some(Mode::Lost | Mode::Delay) => Ok(self.fail_late(Fail::Ram)),
                    Some(Mode::Reply) => {
                        // What it learns from the reply is lost with it.
                        let before = (self.memory, self.deeds, self.user);
                        self.write_to_ram(world, act)?;
                        (self.memory, self.deeds, self.user) = before;
                        Ok(self.fail_late(Fail::Ram))
                    }
                    None => self.write_to_ram(world, act),
                }
            }
        }
    }

    fn write_to_ram(&mut self, world: &mut World, act: Act) -> Walk {
        match act {
            Act::CreateUser => Ok(self.create_user(world)),
            Act::Mark(on) => Ok(self.mark(world, on)),
            Act::Log { create, password, enabled } => Ok(self.log(world, create, password, enabled)),
            Act::DeleteLogin => Ok(self.delete_login(world)),
            Act::MakeDevice => Ok(self.make_device(world)),
            Act::Bind => self.bind(world),
            Act::Unbind => Ok(self.unbind(world)),
            Act::DeleteDevice(which) => Ok(self.delete_device(world, which)),
            Act::DeleteUser => Ok(self.delete_user(world)),
            _ => panic!("{act:?} is none of RAM's"),
        }
    }

    fn add_finalizer(&mut self, world: &mut World) -> Walk {
        let uid = self.obj().uid;
        let stored = world.obj.as_mut().filter(|object| object.uid == uid).ok_or(Stop::Gone)?;
        if !self.fresh {
            return Ok(self.fail(Fail::Conflict));
        }
        stored.finalizer = true;
        self.object = Some(*stored);
        world.touch_obj();
        Ok(self.went(At::Look))
    }

    /// Writes the status by compare-and-swap; `false`: a conflict.
    fn write_status(&mut self, world: &mut World, status: Status) -> Result<bool, Stop> {
        let uid = self.obj().uid;
        let stored = world.obj.as_mut().filter(|object| object.uid == uid).ok_or(Stop::Gone)?;
        if !self.fresh {
            return Ok(false);
        }
        stored.status = status;
        self.object = Some(*stored);
        world.touch_obj();
        Ok(true)
    }

    /// Notes something in the status before the first effect of it, with what was carried out before.
    fn note(&mut self, world: &mut World, change: impl FnOnce(&mut Status)) -> Walk {
        let mut status = facts::status(self, world.clock.now);
        change(&mut status);
        if !self.write_status(world, status)? {
            return Ok(self.fail(Fail::Conflict));
        }
        (self.memory.login, self.memory.mfa) = (status.login, status.mfa);
        (self.memory.reset, self.memory.reset_mfa) = (status.reset, status.reset_mfa);
        Ok(self.went(At::Look))
    }

    fn record_mfa(&mut self, world: &mut World, phase: Phase) -> Walk {
        let now = world.clock.now;
        self.note(world, |status| {
            let device = status.mfa.and_then(|note| note.device);
            let device = if phase == Phase::Issued { Some(Bound::Ours) } else { device };
            status.mfa = Some(MfaNote { phase, device, since: Some(now) });
        })
    }

    fn record_mfa_reset(&mut self, world: &mut World) -> Walk {
        let (now, asked) = (world.clock.now, self.obj().reset_mfa);
        let nothing = self.memory.mfa.is_none() || !facts::wants_device(self);
        let shown = self.user.and_then(|user| user.mfa);
        self.note(world, |status| {
            status.reset_mfa.accepted = asked;
            if nothing {
                status.reset_mfa.done = asked;
            } else {
                let device = shown.or(status.mfa.and_then(|note| note.device));
                status.mfa = Some(MfaNote { phase: Phase::Leaving, device, since: Some(now) });
            }
        })
    }

    /// Whether a Secret that was read as `found` can be written now: by compare-and-swap.
    fn swaps(found: Found, fresh: bool, stored: Option<Sec>) -> Result<(), Fail> {
        match (found.there, stored) {
            (false, None) => Ok(()),
            (true, Some(_)) if fresh => Ok(()),
            (true, Some(_)) => Err(Fail::Conflict),
            _ => Err(Fail::Unsettled),
        }
    }

    fn write_password(&mut self, world: &mut World) -> Stepped {
        if let Err(fail) = Self::swaps(self.password, self.password_fresh, world.password) {
            return self.fail(fail);
        }
        let text = world.number();
        world.password = Some(Sec { marked: true, text: Some(text) });
        world.muddled |= self.was_frozen;
        world.touch_password();
        self.read_password(world);
        self.went(At::Look)
    }

    fn claim_seed(&mut self, world: &mut World) -> Stepped {
        if let Err(fail) = Self::swaps(self.seed, self.seed_fresh, world.seed) {
            return self.fail(fail);
        }
        world.seed = Some(Sec { marked: true, text: None });
        world.touch_seed();
        self.seed = Found::of(world.seed, false);
        self.seed_fresh = true;
        self.deeds.claimed = true;
        self.went(At::Look)
    }

    fn publish_seed(&mut self, world: &mut World, seed: u8) -> Walk {
        if let Err(fail) = Self::swaps(self.seed, self.seed_fresh, world.seed) {
            return Ok(self.fail(fail));
        }
        invariants::at_seed(world, seed)?;
        world.seed = Some(Sec { marked: true, text: Some(seed) });
        world.seed_changed = false;
        world.touch_seed();
        if let Some(device) = world.ram.device.as_mut().filter(|device| device.seed == seed) {
            device.published = true;
        }
        self.seed = Found::of(world.seed, false);
        self.deeds.made = true;
        Ok(self.went(At::Look))
    }

    fn create_user(&mut self, world: &mut World) -> Stepped {
        if world.ram.user.is_some() {
            return self.fail(Fail::Unsettled);
        }
        world.changes();
        let (id, uid, now) = (world.number(), self.obj().uid, world.clock.now);
        let late = self.was_frozen;
        let user = User { id, mark: Mark::Ours(uid), made: now, login: None, mfa: None, late };
        world.ram.user = Some(user);
        // It never had what somebody could have taken away.
        (world.login_gone, world.mfa_gone) = (None, None);
        self.memory.known = Some(id);
        self.memory.marker_uid = Some(uid);
        self.memory.made = Some(now);
        (self.memory.login, self.memory.mfa, self.memory.adopted) = (None, None, false);
        (self.user, self.read, self.made_here) = (Some(user), true, true);
        self.went(At::Look)
    }

    fn mark(&mut self, world: &mut World, on: bool) -> Stepped {
        let uid = self.obj().uid;
        let Some(mut user) = world.ram.user else { return self.fail(Fail::Ram) };
        world.changes();
        user.mark = if on { Mark::Ours(uid) } else { Mark::None };
        user.late |= on && self.was_frozen;
        world.ram.user = Some(user);
        self.memory.known = self.user.map(|user| user.id);
        self.memory.marker_uid = Some(uid);
        self.went(At::Look)
    }

    fn log(&mut self, world: &mut World, create: bool, password: bool, enabled: Option<bool>) -> Stepped {
        let Some(mut user) = world.ram.user else { return self.fail(Fail::Ram) };
        let text = self.password.text.filter(|_| password);
        let mut profile = match (create, user.login) {
            (true, Some(_)) => return self.fail(Fail::Unsettled),
            (false, None) => return self.fail(Fail::Ram),
            (true, None) => Profile { password: text.unwrap_or(OWN_NONE), on: true, off_by: None },
            (false, Some(profile)) => profile,
        };
        world.changes();
        profile.password = text.unwrap_or(profile.password);
        profile.on = enabled.unwrap_or(profile.on);
        if enabled.is_some() {
            profile.off_by = enabled.filter(|on| !on).map(|_| self.who());
        }
        user.login = Some(profile);
        world.ram.user = Some(user);
        world.login_gone = None;
        world.muddled |= password && self.was_frozen;
        if password {
            let (time, seal) = (Some(world.clock.now), self.password.text);
            let note = LoginNote { state: State::Enabled, time, seal, giving: None };
            self.memory.login = Some(note);
            self.memory.reset.done = self.memory.reset.accepted;
        } else if enabled == Some(true) {
            self.given_back = true;
        }
        self.made_here = false;
        self.went(At::Look)
    }

    fn delete_login(&mut self, world: &mut World) -> Stepped {
        if let Some(mut user) = world.ram.user.filter(|user| user.login.is_some()) {
            world.changes();
            user.login = None;
            world.ram.user = Some(user);
            world.login_gone = Some(self.who());
        }
        self.went(At::Look)
    }

    fn make_device(&mut self, world: &mut World) -> Stepped {
        if !self.seed.there {
            return self.fail(Fail::Unsettled);
        }
        if world.ram.device.is_some() {
            if self.deeds.deleted {
                return self.fail(Fail::Unsettled);
            }
            self.deeds.exists = true;
            return self.went(At::Look);
        }
        world.changes();
        let seed = world.number();
        world.ram.device = Some(Device { seed, published: false, late: self.was_frozen });
        world.device_gone = None;
        self.deeds.deleted = false;
        self.went(At::Act(Act::PublishSeed(seed)))
    }

    fn bind(&mut self, world: &mut World) -> Walk {
        let Some(device) = world.ram.device else {
            let fresh = facts::mfa_fresh(self, world.clock.now);
            return if fresh { Ok(self.fail(Fail::Unsettled)) } else { self.record_mfa(world, Phase::Leaving) };
        };
        let Some(mut user) = world.ram.user else { return Ok(self.fail(Fail::Ram)) };
        if user.mfa.is_some() {
            let shown = self.user.and_then(|user| user.mfa);
            if shown != Some(Bound::Ours) {
                return Ok(self.fail(Fail::Unsettled));
            }
            self.deeds.confirmed = true;
            return Ok(self.went(At::Look));
        }
        if self.seed.text != Some(device.seed) {
            return Ok(self.end(Outcome::Rest(Reason::MfaCodesRefused)));
        }
        world.changes();
        user.mfa = Some(Bound::Ours);
        world.ram.user = Some(user);
        world.mfa_gone = None;
        let now = world.clock.now;
        self.memory.mfa = Some(MfaNote { phase: Phase::Bound, device: Some(Bound::Ours), since: Some(now) });
        self.made_here = false;
        Ok(self.went(At::Look))
    }

    fn unbind(&mut self, world: &mut World) -> Stepped {
        if let Some(mut user) = world.ram.user.filter(|user| user.mfa.is_some()) {
            world.changes();
            user.mfa = None;
            world.ram.user = Some(user);
            world.mfa_gone = Some(self.who());
        }
        self.deeds.unbound = true;
        if let Some(bound) = self.user.and_then(|user| user.mfa) {
            self.deeds.loose = Some(bound);
        }
        self.went(At::Look)
    }

    fn delete_device(&mut self, world: &mut World, which: Bound) -> Stepped {
        let (ours, loose) = (which == Bound::Ours, self.deeds.loose == Some(which));
        let in_use = ours && world.is_bound();
        if in_use && loose {
            return self.fail(Fail::Unsettled);
        }
        if ours && !in_use && world.ram.device.is_some() {
            world.changes();
            world.ram.device = None;
            world.device_gone = Some(self.who());
        }
        if loose {
            self.deeds.loose = None;
        }
        if ours {
            self.deeds.deleted = true;
            self.deeds.held = in_use;
        }
        self.went(At::Look)
    }

    fn delete_user(&mut self, world: &mut World) -> Stepped {
        let id = self.user.map(|user| user.id);
        let there = world.ram.user.filter(|user| Some(user.id) == id);
        if there.is_some_and(|user| user.login.is_some() || user.mfa.is_some()) {
            return self.end(Outcome::Rest(Reason::Blocked));
        }
        if there.is_some() {
            world.changes();
            world.ram.user = None;
        }
        self.went(At::Look)
    }

    fn ended(&mut self, world: &World) -> Stepped {
        let unfinished = self.outcome.is_some_and(Outcome::unfinished);
        let tried = self.obj().deleting.is_some_and(|since| world.clock.now - since >= PATIENCE);
        if tried && self.obj().finalizer && unfinished {
            return self.go(if facts::retains(self) { At::Unfinalize } else { At::LeaveOrder });
        }
        self.go(At::Conclude)
    }

    fn leave_order(&mut self, world: &mut World) -> Stepped {
        let uid = self.obj().uid;
        if !world.orders.iter().any(|order| order.uid == uid) {
            world.orders.push(Order {
                uid,
                user_id: self.memory.known,
                login: facts::manages_login(self),
                mfa: facts::may_have_device(self),
                finalizer: false,
            });
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
        world.kept |= self.at == At::Unfinalize && facts::retains(self);
        world.released |= facts::retains(self);
        world.remove_obj();
        LAST
    }

    fn conclude(&mut self, world: &mut World) -> Stepped {
        let status = facts::status(self, world.clock.now);
        if status == self.obj().status {
            return OVER;
        }
        match self.write_status(world, status) {
            Ok(true) => LAST,
            Ok(false) | Err(_) => OVER,
        }
    }
}

/// A log-on that was made without a password.
const OWN_NONE: u8 = 0;

/// Whether something is so young that RAM may not show it yet.
pub fn is_fresh(time: Option<i64>, now: i64) -> bool {
    time.is_some_and(|time| now <= time + READ_LAG)
}
