//! Passes of any kind, one micro-step at a time.

use ram_operator::plan::Reason;

use crate::key_process::KeyProcess;
use crate::order_process::OrderProcess;
use crate::search::{Cfg, Pass};
use crate::user_process::UserProcess;
use crate::world::{Shift, World};

/// What happens to one request to RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It never arrives.
    Lost,
    /// It has its effect, and its reply is lost.
    Reply,
    /// It arrives later, when its sender has given up.
    Delay,
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Rest(Reason),
    Fail(Fail),
}

/// An error of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fail {
    Conflict,
    NotLeader,
    Unfinished,
    Unsettled,
    Ram,
    Refused,
    Dead,
    AccountPending,
}

impl Outcome {
    /// Whether a deletion that ends like this is handed over when it has been tried long enough.
    pub fn unfinished(self) -> bool {
        !matches!(self, Self::Fail(Fail::Conflict | Fail::NotLeader | Fail::Unfinished))
    }
}

/// What stops a pass at once.
pub enum Stop {
    /// Its object is gone.
    Gone,
    /// An invariant does not hold.
    Wrong(String),
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Self::Wrong(message)
    }
}

/// Whether the pass is over, and whether something outside of it has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stepped {
    pub done: bool,
    pub effect: bool,
}

pub const GO: Stepped = Stepped { done: false, effect: false };
pub const EFFECT: Stepped = Stepped { done: false, effect: true };
pub const OVER: Stepped = Stepped { done: true, effect: false };
pub const LAST: Stepped = Stepped { done: true, effect: true };

/// A pass over one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    Key(Box<KeyProcess>),
    User(Box<UserProcess>),
    Order(Box<OrderProcess>),
}

impl Process {
    pub fn key(index: usize, stale: bool) -> Self {
        Self::Key(Box::new(KeyProcess::new(index, stale)))
    }

    pub fn user() -> Self {
        Self::User(Box::new(UserProcess::new()))
    }

    pub fn order(uid: u8) -> Self {
        Self::Order(Box::new(OrderProcess::new(uid)))
    }

    /// The last moment at which a signed mint that this pass holds is accepted.
    pub fn mint_until(&self) -> Option<i64> {
        match self {
            Self::Key(process) => process.mint_until(),
            Self::User(_) | Self::Order(_) => None,
        }
    }
}

impl Pass<World> for Process {
    fn step(&mut self, world: &mut World, cfg: &Cfg, mode: Option<Mode>) -> Result<Stepped, String> {
        let stepped = match self {
            Self::Key(process) => process.step(world, cfg, mode),
            Self::User(process) => process.step(world, mode),
            Self::Order(process) => process.step(world, mode),
        };
        match stepped {
            Ok(stepped) => Ok(stepped),
            Err(Stop::Gone) => Ok(OVER),
            Err(Stop::Wrong(message)) => Err(message),
        }
    }

    fn label(&self) -> String {
        match self {
            Self::Key(process) => format!("key{}", process.i),
            Self::User(_) => "user".to_owned(),
            Self::Order(process) => format!("order{}", process.uid),
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Key(process) => process.place(),
            Self::User(process) => process.place(),
            Self::Order(process) => process.place(),
        }
    }

    fn freezable(&self) -> Option<String> {
        match self {
            Self::Key(process) => process.freezable(),
            Self::User(process) => process.freezable(),
            Self::Order(process) => process.freezable(),
        }
    }

    fn writes_to_ram(&self) -> bool {
        match self {
            Self::Key(process) => process.writes_to_ram(),
            Self::User(process) => process.writes_to_ram(),
            Self::Order(process) => process.writes_to_ram(),
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Key(process) => process.outcome,
            Self::User(process) => process.outcome,
            Self::Order(process) => process.outcome,
        }
    }

    fn was_frozen(&self) -> bool {
        match self {
            Self::Key(process) => process.was_frozen,
            Self::User(process) => process.was_frozen,
            Self::Order(process) => process.was_frozen,
        }
    }

    fn freeze(&mut self) {
        match self {
            Self::Key(process) => process.was_frozen = true,
            Self::User(process) => process.was_frozen = true,
            Self::Order(process) => process.was_frozen = true,
        }
    }

    fn unlease(&mut self) {
        match self {
            Self::Key(process) => process.lease = false,
            Self::User(process) => process.lease = false,
            Self::Order(process) => process.lease = false,
        }
    }
}

impl Shift for Process {
    fn shift(&mut self, by: i64) {
        match self {
            Self::Key(process) => process.shift(by),
            Self::User(process) => process.shift(by),
            Self::Order(process) => process.shift(by),
        }
    }
}
