//! The world as a value: RAM with one user, the cluster with its objects, and the passes that are frozen in it.

use std::collections::BTreeSet;

use ram_operator::api;
use ram_operator::plan::ram_access_key as plan;
use ram_operator::ram::{AccessKey, KeyStatus};

use crate::names::{
    ACCOUNT, CLOCK, READ_LAG, REPORT, SLOTS, USER_NAME, back, intent_id, intent_name, key_id, key_name, ts, user_id,
    user_number,
};
use crate::process::Process;
use crate::search::{Cfg, fingerprint};

/// Moves every time of a value, so that states are compared by how long ago things were.
pub trait Shift {
    fn shift(&mut self, by: i64);
}

impl Shift for i64 {
    fn shift(&mut self, by: i64) {
        *self += by;
    }
}

impl<T: Shift> Shift for Option<T> {
    fn shift(&mut self, by: i64) {
        if let Some(value) = self {
            value.shift(by);
        }
    }
}

impl<T: Shift> Shift for Vec<T> {
    fn shift(&mut self, by: i64) {
        for value in self {
            value.shift(by);
        }
    }
}

/// Who made a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    Person,
    Object(u8),
}

/// Who disabled a key last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Ours,
    /// Ours, but decided long before.
    Late,
    Person,
}

/// Whether the loss of a key would be a person's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Excused {
    No,
    Unsure,
    Yes,
}

/// A key in RAM, with what the invariants have to know about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub id: u8,
    pub active: bool,
    pub created: i64,
    pub by: By,
    pub not_after: Option<i64>,
    pub used: Option<i64>,
    pub used_before: Option<i64>,
    pub published: bool,
    pub replaced_at: Option<i64>,
    pub disabled_at: Option<i64>,
    pub disabled_by: Option<Who>,
    pub excused: Excused,
    /// Left in RAM as the policy asks.
    pub left: bool,
    pub used_by_person: Option<i64>,
}

impl Key {
    pub fn new(id: u8, now: i64, by: By, not_after: Option<i64>) -> Self {
        Self {
            id,
            active: true,
            created: now,
            by,
            not_after,
            used: None,
            used_before: None,
            published: false,
            replaced_at: None,
            disabled_at: None,
            disabled_by: None,
            excused: Excused::No,
            left: false,
            used_by_person: None,
        }
    }

    pub fn use_it(&mut self, now: i64) {
        if self.used.is_some() && self.used != Some(now) {
            self.used_before = self.used;
        }
        self.used = Some(now);
    }

    /// The last use that RAM reports.
    pub fn reported(&self, now: i64) -> Option<i64> {
        [self.used, self.used_before].into_iter().flatten().find(|time| now >= time + REPORT)
    }

    pub fn foreign(&self) -> bool {
        self.by == By::Person
    }
}

impl Shift for Key {
    fn shift(&mut self, by: i64) {
        self.created.shift(by);
        self.not_after.shift(by);
        self.used.shift(by);
        self.used_before.shift(by);
        self.replaced_at.shift(by);
        self.disabled_at.shift(by);
        self.used_by_person.shift(by);
    }
}

/// A key as a list shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listed {
    pub id: u8,
    pub active: bool,
    pub created: i64,
}

impl Listed {
    pub fn real(self) -> AccessKey {
        AccessKey {
            id: key_name(self.id),
            status: if self.active { KeyStatus::Active } else { KeyStatus::Inactive },
            create_time: ts(self.created),
        }
    }
}

impl Shift for Listed {
    fn shift(&mut self, by: i64) {
        self.created.shift(by);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Intent {
    pub id: u8,
    pub time: i64,
    pub not_after: i64,
    pub known: Vec<u8>,
    pub replaces: Option<u8>,
}

impl Intent {
    pub fn real(&self) -> plan::Intent {
        plan::Intent {
            id: intent_name(self.id),
            time: ts(self.time),
            not_after: ts(self.not_after),
            known_ids: self.known.iter().map(|id| key_name(*id)).collect(),
            replaces: self.replaces.map(key_name),
        }
    }

    pub fn of(intent: &plan::Intent) -> Self {
        Self {
            id: intent_id(&intent.id),
            time: back(intent.time),
            not_after: back(intent.not_after),
            known: intent.known_ids.iter().map(|id| key_id(id)).collect(),
            replaces: intent.replaces.as_deref().map(key_id),
        }
    }

    /// Whether a key of this age may come from it.
    pub fn covers(&self, created: i64) -> bool {
        self.time - CLOCK <= created && created <= self.not_after + CLOCK
    }
}

impl Shift for Intent {
    fn shift(&mut self, by: i64) {
        self.time.shift(by);
        self.not_after.shift(by);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    Replaced,
    Stray,
    Revoked,
}

impl Why {
    pub fn real(self) -> api::Why {
        match self {
            Self::Replaced => api::Why::Replaced,
            Self::Stray => api::Why::Stray,
            Self::Revoked => api::Why::Revoked,
        }
    }

    fn of(why: api::Why) -> Self {
        match why {
            api::Why::Replaced => Self::Replaced,
            api::Why::Stray => Self::Stray,
            api::Why::Revoked => Self::Revoked,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Retiring {
    pub id: u8,
    pub why: Why,
    pub time: i64,
    pub disabled: Option<i64>,
    pub disarmed: bool,
}

impl Retiring {
    pub fn real(&self) -> plan::Retiring {
        let mut key = plan::Retiring::new(&key_name(self.id), self.why.real(), ts(self.time));
        key.disabled_time = self.disabled.map(ts);
        key.disarmed = self.disarmed;
        key
    }

    pub fn of(key: &plan::Retiring) -> Self {
        Self {
            id: key_id(&key.id),
            why: Why::of(key.why),
            time: back(key.time),
            disabled: key.disabled_time.map(back),
            disarmed: key.disarmed,
        }
    }
}

impl Shift for Retiring {
    fn shift(&mut self, by: i64) {
        self.time.shift(by);
        self.disabled.shift(by);
    }
}

/// How far a request by annotation has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Progress {
    pub accepted: Option<u8>,
    pub done: Option<u8>,
    pub key: Option<u8>,
    pub refused: Option<u8>,
}

impl Progress {
    fn real(&self) -> plan::Progress {
        plan::Progress {
            accepted: self.accepted.map(key_name),
            done: self.done.map(key_name),
            key: self.key.map(key_name),
            refused: self.refused.map(key_name),
        }
    }

    fn of(progress: &plan::Progress) -> Self {
        Self {
            accepted: progress.accepted.as_deref().map(key_id),
            done: progress.done.as_deref().map(key_id),
            key: progress.key.as_deref().map(key_id),
            refused: progress.refused.as_deref().map(key_id),
        }
    }
}

/// The journal in a RamAccessKey's status. What follows from the rest is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Journal {
    /// RAM's `UserId` of the user that the key was made on.
    pub made: Option<u8>,
    pub key: Option<u8>,
    /// `Some(true)`: Inactive.
    pub inactive: Option<bool>,
    pub created: Option<i64>,
    pub published: Option<i64>,
    pub proved: bool,
    pub missing: Option<i64>,
    pub retiring: Vec<Retiring>,
    pub intents: Vec<Intent>,
    pub revoked: Vec<u8>,
    pub rotate: Progress,
    pub revoke: Progress,
    pub restore: Progress,
}

impl Journal {
    pub fn real(&self) -> plan::Journal {
        let state = |inactive| if inactive { api::KeyState::Inactive } else { api::KeyState::Active };
        plan::Journal {
            account_id: self.made.map(|_| ACCOUNT.to_owned()),
            user_id: self.made.map(user_id),
            user_name: self.made.map(|_| USER_NAME.to_owned()),
            access_key_id: self.key.map(key_name),
            state: self.inactive.map(state),
            create_time: self.created.map(ts),
            published_time: self.published.map(ts),
            proved_time: self.proved.then(|| ts(0)),
            missing_time: self.missing.map(ts),
            retiring: self.retiring.iter().map(Retiring::real).collect(),
            intents: self.intents.iter().map(Intent::real).collect(),
            revoked: self.revoked.iter().map(|id| (key_name(*id), ts(0))).collect(),
            requests: plan::KeyRequests {
                rotate: self.rotate.real(),
                revoke: self.revoke.real(),
                restore: self.restore.real(),
            },
            ..plan::Journal::default()
        }
    }

    pub fn of(journal: &plan::Journal) -> Self {
        Self {
            made: journal.user_id.as_deref().map(user_number),
            key: journal.access_key_id.as_deref().map(key_id),
            inactive: journal.state.map(|state| state == api::KeyState::Inactive),
            created: journal.create_time.map(back),
            published: journal.published_time.map(back),
            proved: journal.proved_time.is_some(),
            missing: journal.missing_time.map(back),
            retiring: journal.retiring.iter().map(Retiring::of).collect(),
            intents: journal.intents.iter().map(Intent::of).collect(),
            revoked: journal.revoked.iter().map(|(id, _)| key_id(id)).collect(),
            rotate: Progress::of(&journal.requests.rotate),
            revoke: Progress::of(&journal.requests.revoke),
            restore: Progress::of(&journal.requests.restore),
        }
    }

    pub fn ids(&self) -> Vec<u8> {
        self.key.into_iter().chain(self.retiring.iter().map(|key| key.id)).collect()
    }

    pub fn strays(&self) -> Vec<Retiring> {
        self.retiring.iter().filter(|key| key.why == Why::Stray).cloned().collect()
    }

    pub fn is_revoked(&self, id: u8) -> bool {
        self.revoked.contains(&id)
    }
}

impl Shift for Journal {
    fn shift(&mut self, by: i64) {
        self.created.shift(by);
        self.published.shift(by);
        self.missing.shift(by);
        self.retiring.shift(by);
        self.intents.shift(by);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sec {
    pub id: u8,
    pub intact: bool,
    pub intent: u8,
    pub retiring: Vec<(u8, i64, Why)>,
    pub time: i64,
    pub owned: bool,
    pub uid: u8,
    /// It carries our label and annotations.
    pub marked: bool,
}

impl Shift for Sec {
    fn shift(&mut self, by: i64) {
        self.time.shift(by);
        for (_, time, _) in &mut self.retiring {
            time.shift(by);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    Delete,
    Disable,
    Retain,
}

/// Requests by annotation; `rotate` is a number that grows, the others are ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Asked {
    pub rotate: Option<u8>,
    pub revoke: Option<u8>,
    pub restore: Option<u8>,
}

/// A RamAccessKey.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Obj {
    pub uid: u8,
    pub deleting: Option<i64>,
    pub finalizer: bool,
    pub inactive: bool,
    pub interval: Option<i64>,
    pub policy: Policy,
    pub asked: Asked,
    pub journal: Journal,
}

impl Obj {
    pub fn new(uid: u8, interval: Option<i64>, policy: Policy) -> Self {
        Self {
            uid,
            deleting: None,
            finalizer: false,
            inactive: false,
            interval,
            policy,
            asked: Asked::default(),
            journal: Journal::default(),
        }
    }
}

impl Shift for Obj {
    fn shift(&mut self, by: i64) {
        self.deleting.shift(by);
        self.journal.shift(by);
    }
}

/// The RamUser.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Usr {
    pub uid: u8,
    pub deleting: Option<i64>,
    pub finalizer: bool,
    pub suspended: bool,
    pub grace: i64,
    pub known: Option<u8>,
    pub marker_uid: Option<u8>,
    pub made_time: Option<i64>,
    pub ready: bool,
}

impl Usr {
    pub fn new(uid: u8) -> Self {
        Self {
            uid,
            deleting: None,
            finalizer: false,
            suspended: false,
            grace: 0,
            known: None,
            marker_uid: None,
            made_time: None,
            ready: false,
        }
    }
}

impl Shift for Usr {
    fn shift(&mut self, by: i64) {
        self.deleting.shift(by);
        self.made_time.shift(by);
    }
}

/// A RamRevocation: of a person by key id, or left by an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Order {
    /// Of the object that left it.
    pub uid: u8,
    pub person: Option<u8>,
    pub user_id: Option<u8>,
    pub ids: Vec<u8>,
    pub disabled: Vec<u8>,
    pub intents: Vec<Intent>,
    pub purge: bool,
    pub user_goes: Option<u8>,
    pub not_before: Option<i64>,
    pub finalizer: bool,
    pub strays: Vec<Retiring>,
    pub found: bool,
}

impl Shift for Order {
    fn shift(&mut self, by: i64) {
        self.intents.shift(by);
        self.not_before.shift(by);
        self.strays.shift(by);
    }
}

/// A request on its way to RAM whose sender has given up waiting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Flight {
    Mint { uid: u8, intent: u8, not_after: i64 },
    Set { id: u8, active: bool, until: i64 },
    Delete { id: u8, until: i64 },
}

impl Shift for Flight {
    fn shift(&mut self, by: i64) {
        match self {
            Self::Mint { not_after: until, .. } | Self::Set { until, .. } | Self::Delete { until, .. } => {
                until.shift(by);
            }
        }
    }
}

/// Why a mint made nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMade {
    Expired,
    NoUser,
    Quota,
}

/// Whoever has keys of the user: a RamAccessKey, or an order that one left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The index of the object, or the uid of the order.
    pub name: u8,
    pub order: bool,
    pub deleting: bool,
    pub uid: u8,
    pub interval: bool,
    pub disarmed: bool,
    pub ids: Vec<u8>,
    /// Those of them that may be a person's.
    pub strays: Vec<Retiring>,
    pub intents: Vec<Intent>,
}

impl Holder {
    pub fn own_ids(&self) -> impl Iterator<Item = u8> {
        self.ids.iter().copied().filter(|id| !self.strays.iter().any(|stray| stray.id == *id))
    }

    pub fn real_name(&self) -> String {
        if self.order { crate::names::order_name(self.name) } else { crate::names::object_name(self.name) }
    }

    pub fn real_ids(&self) -> Vec<String> {
        self.ids.iter().map(|id| key_name(*id)).collect()
    }

    pub fn real_intents(&self) -> Vec<plan::Intent> {
        self.intents.iter().map(Intent::real).collect()
    }
}

impl Shift for Holder {
    fn shift(&mut self, by: i64) {
        self.strays.shift(by);
        self.intents.shift(by);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub now: i64,
    pub keys: Vec<Key>,
    /// `UserId`, and the uid in the marker.
    pub ram_user: Option<(u8, u8)>,
    pub bin: Vec<u8>,
    /// The list before the last change, and when that was.
    pub before: Option<(Vec<Listed>, i64)>,
    pub inflight: Vec<Flight>,
    pub objs: Vec<Option<Obj>>,
    pub secrets: Vec<Option<Sec>>,
    /// The Secret before the last publish, which somebody may put back.
    pub copies: Vec<Option<Sec>>,
    pub user: Option<Usr>,
    pub orders: Vec<Order>,
    pub frozen: Vec<Process>,
    pub account: bool,
    pub grant: bool,
    pub ns_term: bool,
    pub next_key: u8,
    pub next_intent: u8,
    pub next_uid: u8,
    /// Windows of every mint there was.
    pub windows: Vec<(i64, i64)>,
    /// Intents whose status was lost.
    pub lost_intents: BTreeSet<u8>,
    /// Uids whose order was left before.
    pub left_orders: BTreeSet<u8>,
    /// Keys that a person deleted.
    pub person_deleted: BTreeSet<u8>,
    /// Moves that the adversary has left.
    pub budget: u8,
    /// Leaps in time that are left.
    pub times: u8,
}

impl World {
    pub fn key(&self, id: u8) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    pub fn key_mut(&mut self, id: u8) -> Option<&mut Key> {
        self.keys.iter_mut().find(|key| key.id == id)
    }

    pub fn object(&self, index: usize, uid: u8) -> Option<&Obj> {
        self.objs[index].as_ref().filter(|object| object.uid == uid)
    }

    pub fn listing(&self) -> Vec<Listed> {
        self.keys.iter().map(|key| Listed { id: key.id, active: key.active, created: key.created }).collect()
    }

    /// The list that a pass gets.
    pub fn list(&self, stale: bool) -> Vec<Listed> {
        match &self.before {
            Some((list, time)) if stale && self.now - time <= READ_LAG => list.clone(),
            _ => self.listing(),
        }
    }

    pub fn changed(&mut self) {
        self.before = Some((self.listing(), self.now));
    }

    pub fn touch_obj(&mut self, index: usize) {
        for process in &mut self.frozen {
            if let Process::Key(process) = process
                && process.i == index
            {
                process.fresh = false;
            }
        }
    }

    pub fn touch_secret(&mut self, index: usize) {
        for process in &mut self.frozen {
            if let Process::Key(process) = process
                && process.i == index
            {
                process.secret_fresh = false;
            }
        }
    }

    pub fn touch_user(&mut self) {
        for process in &mut self.frozen {
            if let Process::User(process) = process {
                process.fresh = false;
            }
        }
    }

    /// The cluster's garbage collection.
    pub fn collect_garbage(&mut self) {
        for index in 0..self.secrets.len() {
            let orphan = self.secrets[index]
                .as_ref()
                .is_some_and(|secret| secret.owned && self.object(index, secret.uid).is_none());
            if orphan {
                self.secrets[index] = None;
                self.touch_secret(index);
            }
        }
    }

    /// A status was written: from now on its keys count as published.
    pub fn noted(&mut self, index: usize) {
        let Some(object) = &self.objs[index] else { return };
        let (uid, published, ids, now) = (object.uid, object.journal.key, object.journal.ids(), self.now);
        let in_secret = self.secrets[index].as_ref().map(|secret| (secret.id, secret.time));
        for key in self.keys.iter_mut().filter(|key| !key.foreign()) {
            if Some(key.id) == published {
                key.published = true;
                match in_secret {
                    // Noted late: another pair took its place meanwhile.
                    Some((id, time)) if id != key.id => key.replaced_at = key.replaced_at.or(Some(time)),
                    _ => key.replaced_at = None,
                }
            } else if key.published && key.by == By::Object(uid) && key.replaced_at.is_none() {
                key.replaced_at = Some(now);
            }
            if ids.contains(&key.id) && key.excused == Excused::Unsure {
                key.excused = Excused::No;
            }
        }
    }

    pub fn write_journal(&mut self, index: usize, journal: &Journal) {
        if let Some(object) = &mut self.objs[index] {
            object.journal = journal.clone();
        }
        self.noted(index);
        self.touch_obj(index);
    }

    /// RAM CreateAccessKey.
    pub fn mint(&mut self, not_after: i64, uid: u8, intent: u8) -> Result<u8, NotMade> {
        if self.now > not_after {
            return Err(NotMade::Expired);
        }
        if self.ram_user.is_none() {
            return Err(NotMade::NoUser);
        }
        if self.keys.len() >= SLOTS {
            return Err(NotMade::Quota);
        }
        self.changed();
        let mut key = Key::new(self.next_key, self.now, By::Object(uid), Some(not_after));
        self.next_key += 1;
        if self.lost_intents.contains(&intent) {
            key.excused = Excused::Yes;
        }
        let id = key.id;
        self.keys.push(key);
        Ok(id)
    }

    /// RAM UpdateAccessKey; `false`: there is no such key.
    pub fn set_key(&mut self, id: u8, active: bool, who: Who) -> bool {
        let now = self.now;
        let Some(key) = self.key(id) else { return false };
        if key.active == active {
            return true;
        }
        self.changed();
        if let Some(key) = self.key_mut(id) {
            key.active = active;
            if active {
                if who == Who::Ours {
                    key.disabled_at = None;
                }
                key.disabled_by = None;
            } else {
                // Without a status nobody can prove any more whose a disabled pair is.
                if key.excused == Excused::Unsure {
                    key.excused = Excused::Yes;
                }
                if who == Who::Ours || key.disabled_at.is_none() {
                    key.disabled_at = Some(now);
                }
                key.disabled_by = Some(who);
            }
        }
        true
    }

    /// RAM DeleteAccessKey.
    pub fn delete_key(&mut self, id: u8, who: Who) -> Result<(), String> {
        let Some(key) = self.key(id) else { return Ok(()) };
        let active = key.active;
        if who == Who::Ours {
            for (index, object) in self.objs.iter().enumerate() {
                let (Some(object), Some(secret)) = (object, &self.secrets[index]) else { continue };
                let in_use = secret.intact && secret.id == id && active;
                let wanted = object.deleting.is_none() && !object.inactive && !object.journal.is_revoked(id);
                if in_use && wanted && !self.user_off() && !self.person_ordered(id) {
                    return Err(format!("published key {id} is deleted"));
                }
            }
        }
        if who == Who::Person {
            self.person_deleted.insert(id);
        }
        self.changed();
        self.keys.retain(|key| key.id != id);
        self.bin.push(id);
        Ok(())
    }

    /// No key of the user is to be in use.
    pub fn user_off(&self) -> bool {
        self.user.as_ref().is_none_or(|user| user.deleting.is_some() || user.suspended)
    }

    pub fn person_ordered(&self, id: u8) -> bool {
        self.orders.iter().any(|order| order.person == Some(id))
    }

    /// Everybody who has keys of the user, in the cluster's own words.
    pub fn holders(&self) -> Vec<Holder> {
        let mut all = Vec::new();
        for (index, object) in self.objs.iter().enumerate() {
            let Some(object) = object else { continue };
            let mut ids = object.journal.ids();
            if let Some(secret) = self.secrets[index].as_ref().filter(|secret| secret.marked)
                && !ids.contains(&secret.id)
            {
                ids.push(secret.id);
            }
            all.push(Holder {
                name: index as u8,
                order: false,
                deleting: object.deleting.is_some(),
                uid: object.uid,
                interval: object.interval.is_some(),
                disarmed: object.journal.inactive == Some(true),
                ids,
                strays: object.journal.strays(),
                intents: object.journal.intents.clone(),
            });
        }
        for order in self.orders.iter().filter(|order| order.person.is_none()) {
            let strays = order.strays.iter().map(|key| key.id);
            all.push(Holder {
                name: order.uid,
                order: true,
                deleting: true,
                uid: order.uid,
                interval: false,
                disarmed: false,
                ids: order.ids.iter().chain(&order.disabled).copied().chain(strays).collect(),
                strays: Vec::new(),
                intents: order.intents.clone(),
            });
        }
        all
    }

    /// Notes in a status that its keys are disabled by us, as RamUser and RamRevocation do.
    pub fn disarm(&mut self, index: usize, keys: &[Listed]) {
        let Some(object) = &self.objs[index] else { return };
        let mut journal = object.journal.real();
        let keys: Vec<AccessKey> = keys.iter().map(|key| key.real()).collect();
        journal.disarm(&keys);
        self.write_journal(index, &Journal::of(&journal));
    }

    /// The state without what cannot matter any more: two worlds with the same core go on alike.
    pub fn core(&self, cfg: &Cfg) -> u128 {
        let mut world = self.clone();
        let by = -world.now;
        world.keys.shift(by);
        world.inflight.shift(by);
        world.objs.shift(by);
        world.secrets.shift(by);
        world.user.shift(by);
        world.orders.shift(by);
        for process in &mut world.frozen {
            process.shift(by);
        }
        if cfg.copy {
            world.copies.shift(by);
        } else {
            world.copies.clear();
        }
        world.before = world.before.filter(|(_, time)| cfg.stale && self.now - time <= READ_LAG);
        if let Some((list, time)) = &mut world.before {
            list.shift(by);
            time.shift(by);
        }
        world.windows.clear();
        world.left_orders.clear();
        world.person_deleted.clear();
        (world.now, world.next_key, world.next_intent, world.next_uid) = (0, 0, 0, 0);
        (world.budget, world.times) = (0, 0);
        fingerprint(&world)
    }
}
