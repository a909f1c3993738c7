//! Keys, their RamUser and their orders, as a model to search.

use crate::adversary::{Moves, edits, land, moments};
use crate::invariants::{self, Seat, Verdicts};
use crate::names::READ_LAG;
use crate::process::Process;
use crate::search::{Cfg, Clock, Model};
use crate::world::World;

impl World {
    /// Objects that exist.
    fn objects(&self) -> impl Iterator<Item = usize> {
        (0..self.objs.len()).filter(move |index| self.objs[*index].is_some())
    }
}

impl Model for World {
    type Pass = Process;

    fn clock(&self) -> Clock {
        Clock { now: self.now, budget: self.budget, times: self.times }
    }

    fn set_clock(&mut self, clock: Clock) {
        (self.now, self.budget, self.times) = (clock.now, clock.budget, clock.times);
    }

    fn core(&self, cfg: &Cfg) -> u128 {
        World::core(self, cfg)
    }

    fn frozen(&self) -> &[Process] {
        &self.frozen
    }

    fn frozen_mut(&mut self) -> &mut Vec<Process> {
        &mut self.frozen
    }

    fn passes(&self, cfg: &Cfg) -> Vec<Process> {
        let mut all: Vec<Process> = self.objects().map(|index| Process::key(index, false)).collect();
        if cfg.user_pass && self.user.is_some() {
            all.push(Process::user());
        }
        let open = self.orders.iter().filter(|order| order.person.is_none() || order.finalizer || !order.found);
        all.extend(open.map(|order| Process::order(order.uid)));
        all
    }

    fn stale_passes(&self, _: &Cfg) -> Vec<Process> {
        match &self.before {
            Some((_, time)) if self.now - time <= READ_LAG => {
                self.objects().map(|index| Process::key(index, true)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn edits(&self, cfg: &Cfg) -> Result<Moves, String> {
        edits(self, cfg)
    }

    fn inflight(&self) -> usize {
        self.inflight.len()
    }

    fn land(&mut self, index: usize) -> Result<String, String> {
        land(self, index)
    }

    fn moments(&self, cfg: &Cfg) -> Vec<i64> {
        moments(self, cfg)
    }

    fn check(&self) -> Result<(), String> {
        invariants::check(self)
    }

    fn calm(&mut self) {
        self.account = true;
        self.grant = true;
        if let Some(user) = &mut self.user
            && user.deleting.is_none()
        {
            user.suspended = false;
        }
        for object in self.objs.iter_mut().flatten() {
            object.inactive = false;
            object.interval = None;
        }
    }

    fn good(&self, last: &[Process]) -> Option<String> {
        let mut verdicts = Verdicts::new();
        for pass in last {
            match pass {
                Process::Key(key) => drop(verdicts.insert(Seat::Key(key.i), key.outcome)),
                Process::Order(order) => drop(verdicts.insert(Seat::Order(order.uid), order.outcome)),
                Process::User(_) => {}
            }
        }
        invariants::good(self, &verdicts)
    }
}
