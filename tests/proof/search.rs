//! Breadth-first over everything that may happen, so that the first violation found is a shortest one.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Instant;

use crate::names::{HOUR, LATER};
use crate::process::{Mode, Outcome, Stepped};

/// What is searched, and how far.
#[derive(Clone, Debug)]
pub struct Cfg {
    pub name: &'static str,
    pub overlap: i64,
    pub max_overlap: Option<i64>,
    pub quarantine: i64,
    /// Lists may lag.
    pub stale: bool,
    /// The Secret before the last publish is kept, to be put back.
    pub copy: bool,
    /// The RamUser has passes of its own.
    pub user_pass: bool,
    pub moves: &'static [&'static str],
    pub modes: &'static [Mode],
    pub budget: u8,
    pub times: u8,
    /// From so many of a hundred states the fair run is tried.
    pub fair: u8,
}

impl Default for Cfg {
    fn default() -> Self {
        Self {
            name: "",
            overlap: 4 * HOUR,
            max_overlap: None,
            quarantine: 5 * HOUR,
            stale: false,
            copy: false,
            user_pass: false,
            moves: &[],
            modes: &[Mode::Lost, Mode::Reply, Mode::Delay],
            budget: 1,
            times: 6,
            fair: 100,
        }
    }
}

/// What the adversary and time have done and may still do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Clock {
    pub now: i64,
    /// Moves that the adversary has left.
    pub budget: u8,
    /// Leaps in time that are left.
    pub times: u8,
}

/// Worlds to go on with, and what led to each.
pub type Moves<M> = Vec<(String, M)>;

/// Gathers what an adversary may do in a world, each at the price of one move.
pub struct Edits<'a, M: Model> {
    pub world: &'a M,
    pub moves: Moves<M>,
    cfg: &'a Cfg,
}

impl<'a, M: Model> Edits<'a, M> {
    pub fn new(world: &'a M, cfg: &'a Cfg) -> Self {
        Self { world, moves: Moves::new(), cfg }
    }

    /// One move, if it is among those of the search and there is something to do.
    pub fn add(&mut self, name: &str, label: &str, can: bool, change: impl FnOnce(&mut M)) {
        if can && self.cfg.may(name) {
            let mut new = self.world.moved();
            change(&mut new);
            self.moves.push((label.to_owned(), new));
        }
    }
}

/// A part of the world in small, as a value.
pub trait Model: Clone {
    type Pass: Pass<Self>;

    fn clock(&self) -> Clock;
    fn set_clock(&mut self, clock: Clock);
    /// The state without what cannot matter any more: two worlds with the same core go on alike.
    fn core(&self, cfg: &Cfg) -> u128;
    fn frozen(&self) -> &[Self::Pass];
    fn frozen_mut(&mut self) -> &mut Vec<Self::Pass>;
    /// A pass over each object that has something to be looked at.
    fn passes(&self, cfg: &Cfg) -> Vec<Self::Pass>;
    /// Passes that read RAM as it was a moment ago, if it was another one then.
    fn stale_passes(&self, cfg: &Cfg) -> Vec<Self::Pass>;
    /// Everything that somebody outside may do now, each at the price of one move.
    fn edits(&self, cfg: &Cfg) -> Result<Moves<Self>, String>;
    /// Requests on their way whose senders have given up.
    fn inflight(&self) -> usize {
        0
    }
    /// One of them arrives.
    fn land(&mut self, _index: usize) -> Result<String, String> {
        Ok(String::new())
    }
    /// The moments ahead at which something may become due, the next one first.
    fn moments(&self, cfg: &Cfg) -> Vec<i64>;
    /// What must hold in every state.
    fn check(&self) -> Result<(), String>;
    /// Everything that is asked for can be had.
    fn calm(&mut self);
    /// Nothing when the world is at rest as it should be, else what is not; `last` are the passes of the last round.
    fn good(&self, last: &[Self::Pass]) -> Option<String>;

    /// A copy of the world with one move less.
    fn moved(&self) -> Self {
        let (mut new, mut clock) = (self.clone(), self.clock());
        clock.budget -= 1;
        new.set_clock(clock);
        new
    }
}

/// A pass over one object, one micro-step at a time.
pub trait Pass<M>: Clone {
    fn step(&mut self, world: &mut M, cfg: &Cfg, mode: Option<Mode>) -> Result<Stepped, String>;
    fn label(&self) -> String;
    /// Where it is, in words.
    fn place(&self) -> String;
    /// Where it would freeze now, if it can.
    fn freezable(&self) -> Option<String>;
    /// Whether the next step is a write to RAM.
    fn writes_to_ram(&self) -> bool;
    fn outcome(&self) -> Option<Outcome>;
    fn was_frozen(&self) -> bool;
    fn freeze(&mut self);
    /// Another leader is there.
    fn unlease(&mut self);
}

/// Two hashes of a value.
pub fn fingerprint(value: &impl Hash) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        value.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (half(1) << 64) | half(2)
}

impl Cfg {
    pub fn may(&self, what: &str) -> bool {
        self.moves.contains(&what)
    }
}

/// Micro-steps that a pass can take at most; more is a pass without end.
const LONGEST_PASS: u32 = 400;

/// A pass without interruption.
pub fn run<M: Model>(world: &mut M, cfg: &Cfg, mut pass: M::Pass) -> Result<M::Pass, String> {
    for _ in 0..LONGEST_PASS {
        if pass.step(world, cfg, None)?.done {
            return Ok(pass);
        }
    }
    Err(format!("{}: a pass without end", pass.label()))
}

fn has_moves<M: Model>(world: &M) -> bool {
    world.clock().budget > 0
}

/// Every way in which a pass can go on, with the adversary's moves in between.
fn expand<M: Model>(
    mut world: M,
    mut pass: M::Pass,
    label: &str,
    moves: &mut Moves<M>,
    cfg: &Cfg,
    thawed: bool,
) -> Result<(), String> {
    let wrong = |why: String| format!("{label}: {why}");
    for turn in 0..LONGEST_PASS {
        if has_moves(&world) {
            interruptions(&world, &pass, label, moves, cfg, thawed && turn == 0)?;
        }
        let place = if has_moves(&world) { pass.place() } else { String::new() };
        let stepped = pass.step(&mut world, cfg, None).map_err(wrong)?;
        if stepped.done {
            moves.push((format!("{label} -> {:?}", pass.outcome()), world));
            return Ok(());
        }
        if stepped.effect && cfg.may("crash") && has_moves(&world) {
            moves.push((format!("{label}, crash after {place}"), world.moved()));
        }
    }
    Err(format!("{label}: a pass without end"))
}

/// Freezes the pass here, or does something to its next request to RAM.
fn interruptions<M: Model>(
    world: &M,
    pass: &M::Pass,
    label: &str,
    moves: &mut Moves<M>,
    cfg: &Cfg,
    just_thawed: bool,
) -> Result<(), String> {
    if cfg.may("freeze")
        && world.frozen().len() < 2
        && !just_thawed
        && let Some(place) = pass.freezable()
    {
        let (mut new, mut frozen) = (world.moved(), pass.clone());
        frozen.freeze();
        new.frozen_mut().push(frozen);
        moves.push((format!("{label}, frozen {place}"), new));
    }
    if !pass.writes_to_ram() {
        return Ok(());
    }
    for mode in cfg.modes {
        let (mut new, mut pass) = (world.moved(), pass.clone());
        let label = format!("{label}, {mode:?} {}", pass.place());
        let stepped = pass.step(&mut new, cfg, Some(*mode)).map_err(|why| format!("{label}: {why}"))?;
        if stepped.done {
            moves.push((label, new));
        } else {
            expand(new, pass, &label, moves, cfg, false)?;
        }
    }
    Ok(())
}

/// Whoever is frozen finds another leader when it wakes up.
fn unlease<M: Model>(world: &mut M) {
    for pass in world.frozen_mut() {
        pass.unlease();
    }
}

fn successors<M: Model>(world: &M, cfg: &Cfg) -> Result<Moves<M>, String> {
    let mut moves = Moves::new();
    for pass in world.passes(cfg) {
        let mut new = world.clone();
        unlease(&mut new);
        let label = pass.label();
        expand(new, pass, &label, &mut moves, cfg, false)?;
    }
    if cfg.stale && has_moves(world) {
        for pass in world.stale_passes(cfg) {
            let mut new = world.moved();
            unlease(&mut new);
            let label = format!("{} (stale list)", pass.label());
            expand(new, pass, &label, &mut moves, cfg, false)?;
        }
    }
    for index in 0..world.frozen().len() {
        let mut new = world.clone();
        let pass = new.frozen_mut().remove(index);
        let label = format!("thaw {}", pass.label());
        let thawed = pass.was_frozen();
        expand(new, pass, &label, &mut moves, cfg, thawed)?;
    }
    for index in 0..world.inflight() {
        let mut new = world.clone();
        let label = new.land(index)?;
        moves.push((label, new));
    }
    if has_moves(world) {
        moves.extend(world.edits(cfg)?);
    }
    let clock = world.clock();
    if clock.times > 0
        && let Some(next) = world.moments(cfg).first()
    {
        let mut new = world.clone();
        new.set_clock(Clock { now: *next, times: clock.times - 1, ..clock });
        unlease(&mut new);
        moves.push((format!("time +{}", next - clock.now), new));
    }
    Ok(moves)
}

/// The adversary stops: everything has to come to rest as it should be. `known`: states from which it does.
fn fair<M: Model>(start: &M, cfg: &Cfg, known: &mut HashSet<u128>) -> Result<(), String> {
    let mut world = start.clone();
    let mut trail: Vec<String> = Vec::new();
    calm(&mut world, cfg)?;
    let mut seen = HashSet::new();
    let (mut rounds, mut leaps) = (0, 0);
    loop {
        let core = world.core(cfg);
        if known.contains(&core) {
            break;
        }
        if !seen.insert(core) {
            return Err(told("a cycle", &trail));
        }
        let last = round(&mut world, cfg, &mut trail)?;
        if world.core(cfg) != core {
            rounds += 1;
            if rounds > 12 {
                return Err(told("no rest", &trail));
            }
            continue;
        }
        let Some(why) = world.good(&last) else { break };
        (rounds, leaps) = (0, leaps + 1);
        if leaps > 60 {
            return Err(told(&format!("no end: {why}"), &trail));
        }
        let clock = world.clock();
        match world.moments(cfg).first() {
            Some(next) => world.set_clock(Clock { now: *next, ..clock }),
            None => {
                world.set_clock(Clock { now: clock.now + LATER, ..clock });
                if world.core(cfg) == core {
                    return Err(told(&format!("stuck for good: {why}"), &trail));
                }
            }
        }
        trail.push(format!("time {}", world.clock().now - start.clock().now));
    }
    known.extend(seen);
    Ok(())
}

fn told(what: &str, trail: &[String]) -> String {
    let from = trail.len().saturating_sub(14);
    format!("in the fair run: {what} | {}", trail[from..].join(" | "))
}

/// Frozen passes end, requests arrive, and everything that is asked for can be had.
fn calm<M: Model>(world: &mut M, cfg: &Cfg) -> Result<(), String> {
    let clock = world.clock();
    world.set_clock(Clock { budget: 0, ..clock });
    while let Some(mut pass) = world.frozen_mut().pop() {
        pass.unlease();
        run(world, cfg, pass)?;
    }
    while world.inflight() > 0 {
        world.land(0)?;
    }
    world.calm();
    Ok(())
}

/// One pass over each object.
fn round<M: Model>(world: &mut M, cfg: &Cfg, trail: &mut Vec<String>) -> Result<Vec<M::Pass>, String> {
    let mut done = Vec::new();
    for pass in world.passes(cfg) {
        let label = pass.label();
        let pass = run(world, cfg, pass).map_err(|why| told(&format!("{label}: {why}"), trail))?;
        trail.push(format!("{label} -> {:?}", pass.outcome()));
        done.push(pass);
        world.check().map_err(|why| told(&why, trail))?;
    }
    Ok(done)
}

/// What a search came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    pub states: usize,
    pub transitions: usize,
    pub depth: usize,
    pub fair_runs: usize,
}

/// States seen with the moves that were left then, and by which way each was reached.
struct Book<M> {
    best: HashMap<u128, Vec<(u8, u8)>>,
    /// The entry before, and what led on from there.
    ways: Vec<(usize, Box<str>, u32)>,
    queue: VecDeque<(M, usize)>,
}

impl<M: Model> Book<M> {
    fn new() -> Self {
        Self { best: HashMap::new(), ways: Vec::new(), queue: VecDeque::new() }
    }

    /// Takes a state in unless it was seen with as many moves left; `Some(true)`: it was never seen.
    fn enter(&mut self, core: u128, world: M, from: usize, label: &str) -> bool {
        let left = (world.clock().budget, world.clock().times);
        let depth = self.ways.get(from).map_or(0, |way| way.2 + 1);
        let before = self.best.entry(core).or_default();
        if before.iter().any(|seen| seen.0 >= left.0 && seen.1 >= left.1) {
            return false;
        }
        let new = before.is_empty();
        before.push(left);
        self.ways.push((from, label.into(), depth));
        self.queue.push_back((world, self.ways.len() - 1));
        new
    }

    /// The moves that led to an entry, one a line.
    fn path(&self, entry: usize, last: &[&str]) -> String {
        let mut lines: Vec<&str> = last.iter().rev().copied().collect();
        let mut at = entry;
        while at != 0 {
            lines.push(&self.ways[at].1);
            at = self.ways[at].0;
        }
        lines.reverse();
        lines.join("\n  ")
    }
}

/// Searches everything that can be reached; the first violation is an error with its path.
pub fn search<M: Model>(cfg: &Cfg, mut start: M) -> Result<Report, String> {
    start.set_clock(Clock { budget: cfg.budget, times: cfg.times, ..start.clock() });
    let begun = Instant::now();
    let mut report = Report::default();
    let mut known = HashSet::new();
    let mut book = Book::new();
    book.enter(start.core(cfg), start, 0, "start");
    while let Some((world, entry)) = book.queue.pop_front() {
        let moves = successors(&world, cfg).map_err(|why| book.path(entry, &[&why]))?;
        for (label, new) in moves {
            report.transitions += 1;
            new.check().map_err(|why| book.path(entry, &[&label, &why]))?;
            let core = new.core(cfg);
            let fair_too = !book.best.contains_key(&core) && core % 100 < u128::from(cfg.fair);
            if fair_too {
                report.fair_runs += 1;
                fair(&new, cfg, &mut known).map_err(|why| book.path(entry, &[&label, &why]))?;
            }
            book.enter(core, new, entry, &label);
        }
        report.depth = report.depth.max(book.ways[entry].2 as usize);
    }
    report.states = book.best.len();
    println!("{}: {report:?}, {:.1} seconds", cfg.name, begun.elapsed().as_secs_f64());
    Ok(report)
}
