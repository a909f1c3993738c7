//! Breadth-first over everything that may happen, so that the first violation found is a shortest one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use crate::adversary::{Moves, edits, land, moments};
use crate::invariants::{self, Seat, Verdicts};
use crate::names::{HOUR, LATER, READ_LAG};
use crate::process::{Mode, Process};
use crate::world::World;

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

impl Cfg {
    pub fn may(&self, what: &str) -> bool {
        self.moves.contains(&what)
    }
}

/// Micro-steps that a pass can take at most; more is a pass without end.
const LONGEST_PASS: u32 = 400;

/// A pass without interruption.
pub fn run(world: &mut World, cfg: &Cfg, mut pass: Process) -> Result<Process, String> {
    for _ in 0..LONGEST_PASS {
        if pass.step(world, cfg, None)?.done {
            return Ok(pass);
        }
    }
    Err(format!("{}: a pass without end", pass.label()))
}

/// Every way in which a pass can go on, with the adversary's moves in between.
fn expand(
    mut world: World,
    mut pass: Process,
    label: &str,
    moves: &mut Moves,
    cfg: &Cfg,
    thawed: bool,
) -> Result<(), String> {
    let wrong = |why: String| format!("{label}: {why}");
    for turn in 0..LONGEST_PASS {
        if world.budget > 0 {
            interruptions(&world, &pass, label, moves, cfg, thawed && turn == 0)?;
        }
        let place = if world.budget > 0 { pass.place() } else { String::new() };
        let stepped = pass.step(&mut world, cfg, None).map_err(wrong)?;
        if stepped.done {
            moves.push((format!("{label} -> {:?}", pass.outcome()), world));
            return Ok(());
        }
        if stepped.effect && cfg.may("crash") && world.budget > 0 {
            let mut new = world.clone();
            new.budget -= 1;
            moves.push((format!("{label}, crash after {place}"), new));
        }
    }
    Err(format!("{label}: a pass without end"))
}

/// Freezes the pass here, or does something to its next request to RAM.
fn interruptions(
    world: &World,
    pass: &Process,
    label: &str,
    moves: &mut Moves,
    cfg: &Cfg,
    just_thawed: bool,
) -> Result<(), String> {
    if cfg.may("freeze")
        && world.frozen.len() < 2
        && !just_thawed
        && let Some(place) = pass.freezable()
    {
        let (mut new, mut frozen) = (world.clone(), pass.clone());
        new.budget -= 1;
        frozen.freeze();
        new.frozen.push(frozen);
        moves.push((format!("{label}, frozen {place}"), new));
    }
    if !pass.writes_to_ram() {
        return Ok(());
    }
    for mode in cfg.modes {
        let (mut new, mut pass) = (world.clone(), pass.clone());
        new.budget -= 1;
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

/// A pass over each object that has something to be looked at.
fn passes(world: &World, cfg: &Cfg) -> Vec<Process> {
    let objects = (0..world.objs.len()).filter(|index| world.objs[*index].is_some());
    let mut all: Vec<Process> = objects.map(|index| Process::key(index, false)).collect();
    if cfg.user_pass && world.user.is_some() {
        all.push(Process::user());
    }
    let open = world.orders.iter().filter(|order| order.person.is_none() || order.finalizer || !order.found);
    all.extend(open.map(|order| Process::order(order.uid)));
    all
}

/// Whoever is frozen finds another leader when it wakes up.
fn unlease(world: &mut World) {
    for process in &mut world.frozen {
        process.unlease();
    }
}

fn successors(world: &World, cfg: &Cfg) -> Result<Moves, String> {
    let mut moves = Moves::new();
    for pass in passes(world, cfg) {
        let mut new = world.clone();
        unlease(&mut new);
        let label = pass.label();
        expand(new, pass, &label, &mut moves, cfg, false)?;
    }
    let lagging = world.before.as_ref().is_some_and(|(_, time)| world.now - time <= READ_LAG);
    if cfg.stale && world.budget > 0 && lagging {
        for index in (0..world.objs.len()).filter(|index| world.objs[*index].is_some()) {
            let mut new = world.clone();
            new.budget -= 1;
            unlease(&mut new);
            let label = format!("key{index} (stale list)");
            expand(new, Process::key(index, true), &label, &mut moves, cfg, false)?;
        }
    }
    for index in 0..world.frozen.len() {
        let mut new = world.clone();
        let pass = new.frozen.remove(index);
        let label = format!("thaw {}", pass.label());
        let thawed = pass.was_frozen();
        expand(new, pass, &label, &mut moves, cfg, thawed)?;
    }
    for index in 0..world.inflight.len() {
        let mut new = world.clone();
        let label = land(&mut new, index)?;
        moves.push((label, new));
    }
    if world.budget > 0 {
        moves.extend(edits(world, cfg)?);
    }
    if world.times > 0
        && let Some(next) = moments(world, cfg).first()
    {
        let mut new = world.clone();
        new.now = *next;
        new.times -= 1;
        unlease(&mut new);
        moves.push((format!("time +{}", next - world.now), new));
    }
    Ok(moves)
}

/// The adversary stops: everything has to come to rest as it should be. `known`: states from which it does.
fn fair(start: &World, cfg: &Cfg, known: &mut HashSet<u128>) -> Result<(), String> {
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
        let verdicts = round(&mut world, cfg, &mut trail)?;
        if world.core(cfg) != core {
            rounds += 1;
            if rounds > 12 {
                return Err(told("no rest", &trail));
            }
            continue;
        }
        let Some(why) = invariants::good(&world, &verdicts) else { break };
        (rounds, leaps) = (0, leaps + 1);
        if leaps > 60 {
            return Err(told(&format!("no end: {why}"), &trail));
        }
        match moments(&world, cfg).first() {
            Some(next) => world.now = *next,
            None => {
                world.now += LATER;
                world.before = None;
                if world.core(cfg) == core {
                    return Err(told(&format!("stuck for good: {why}"), &trail));
                }
            }
        }
        trail.push(format!("time {}", world.now - start.now));
    }
    known.extend(seen);
    Ok(())
}

fn told(what: &str, trail: &[String]) -> String {
    let from = trail.len().saturating_sub(14);
    format!("in the fair run: {what} | {}", trail[from..].join(" | "))
}

/// Frozen passes end, requests arrive, and everything that is asked for can be had.
fn calm(world: &mut World, cfg: &Cfg) -> Result<(), String> {
    world.budget = 0;
    while let Some(mut pass) = world.frozen.pop() {
        pass.unlease();
        run(world, cfg, pass)?;
    }
    while !world.inflight.is_empty() {
        land(world, 0)?;
    }
    world.account = true;
    world.grant = true;
    if let Some(user) = &mut world.user
        && user.deleting.is_none()
    {
        user.suspended = false;
    }
    for object in world.objs.iter_mut().flatten() {
        object.inactive = false;
        object.interval = None;
    }
    Ok(())
}

/// One pass over each object.
fn round(world: &mut World, cfg: &Cfg, trail: &mut Vec<String>) -> Result<Verdicts, String> {
    let mut verdicts = Verdicts::new();
    for pass in passes(world, cfg) {
        let label = pass.label();
        let pass = run(world, cfg, pass).map_err(|why| told(&format!("{label}: {why}"), trail))?;
        trail.push(format!("{label} -> {:?}", pass.outcome()));
        match &pass {
            Process::Key(key) => drop(verdicts.insert(Seat::Key(key.i), key.outcome)),
            Process::Order(order) => drop(verdicts.insert(Seat::Order(order.uid), order.outcome)),
            Process::User(_) => {}
        }
        invariants::check(world).map_err(|why| told(&why, trail))?;
    }
    Ok(verdicts)
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
#[derive(Default)]
struct Book {
    best: HashMap<u128, Vec<(u8, u8)>>,
    /// The entry before, and what led on from there.
    ways: Vec<(usize, Box<str>, u32)>,
    queue: VecDeque<(World, usize)>,
}

impl Book {
    /// Takes a state in unless it was seen with as many moves left; `Some(true)`: it was never seen.
    fn enter(&mut self, core: u128, world: World, from: usize, label: &str) -> bool {
        let left = (world.budget, world.times);
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
pub fn search(cfg: &Cfg, mut start: World) -> Result<Report, String> {
    start.budget = cfg.budget;
    start.times = cfg.times;
    let begun = Instant::now();
    let mut report = Report::default();
    let mut known = HashSet::new();
    let mut book = Book::default();
    book.enter(start.core(cfg), start, 0, "start");
    while let Some((world, entry)) = book.queue.pop_front() {
        let moves = successors(&world, cfg).map_err(|why| book.path(entry, &[&why]))?;
        for (label, new) in moves {
            report.transitions += 1;
            invariants::check(&new).map_err(|why| book.path(entry, &[&label, &why]))?;
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
