//! Which points of a scenario are tried, and what is counted.

use std::time::Instant;

use futures::StreamExt as _;
use tokio::sync::Semaphore;

use super::Scenario;
use super::point::{Outcome, point};
use crate::faults::{Moment, Trouble};

/// Points of one sweep that wait for a place at a time.
const WIDTH: usize = 16;
/// Worlds of all sweeps at a time: with more, the API server is so slow that everything waits for it.
static PLACES: Semaphore = Semaphore::const_new(10);
/// Beside these, worlds that mostly wait for an answer that does not come.
static SILENT: Semaphore = Semaphore::const_new(6);

/// How many of the requests of a scenario the quick part tries.
#[derive(Clone, Copy, Debug)]
pub enum Quick {
    /// The process dies at every one; every fourth is struck.
    Whole,
    /// One in so many, from this one on. After the effect, writes alone are tried: they are few, so that it is one in half as many.
    Every(usize, usize),
}

impl Quick {
    fn points(self, requests: usize, writes: usize) -> Vec<(usize, Moment)> {
        let (stride, from) = match self {
            Self::Whole => (1, 1),
            Self::Every(stride, from) => (stride, from),
        };
        let half = stride.div_ceil(2);
        let (died, lost) = ((from..=requests).step_by(stride), (1 + from % half..=writes).step_by(half));
        // Other requests than those at which it dies, and one trouble after the other.
        let every = stride.max(4);
        let struck = (1 + (from + every / 2) % every..=requests).step_by(every);
        let troubles = Trouble::QUICK.into_iter().cycle().skip(from % Trouble::QUICK.len());
        let died = died.map(|n| (n, Moment::Before));
        let lost = lost.map(|n| (n, Moment::After));
        died.chain(lost).chain(struck.zip(troubles.map(Moment::Struck))).collect()
    }
}

/// Every request and every moment. Requests are counted once, and another time there may be a few more.
fn everything(requests: usize, writes: usize) -> Vec<(usize, Moment)> {
    let troubles = Trouble::QUICK.into_iter().chain([Trouble::Silent]).map(Moment::Struck);
    let moments: Vec<Moment> = [Moment::Before, Moment::After].into_iter().chain(troubles).collect();
    let more = |n: usize| n + n / 10 + 1;
    let last = |moment: Moment| if moment == Moment::After { more(writes) } else { more(requests) };
    // By request: silent ones, which take long, wait beside others.
    let at = |n: usize| moments.iter().filter(move |moment| n <= last(**moment)).map(move |moment| (n, *moment));
    (1..=more(requests)).flat_map(at).collect()
}

/// Tries the points of a scenario, many at a time.
pub async fn sweep<S: Scenario>(scenario: S) {
    let began = Instant::now();
    let whole = attempt(scenario, 0, Moment::Never).await;
    let (requests, writes) = (whole.requests, whole.writes);
    assert!(requests >= 5 && writes >= 2, "{scenario:?}: only {requests} requests, {writes} writes");
    let long = std::env::var("PROOF").is_ok_and(|proof| proof == "long");
    let points = if long { everything(requests, writes) } else { S::QUICK.points(requests, writes) };
    let planned = points.len();
    let attempts = points.into_iter().map(|(n, moment)| async move { (moment, attempt(scenario, n, moment).await) });
    let tried: Vec<(Moment, Outcome)> = futures::stream::iter(attempts).buffer_unordered(WIDTH).collect().await;
    let reached = |is: fn(Moment) -> bool| tried.iter().filter(|(m, outcome)| is(*m) && outcome.reached).count();
    let before = reached(|moment| moment == Moment::Before);
    let after = reached(|moment| moment == Moment::After);
    let struck = reached(|moment| matches!(moment, Moment::Struck(_)));
    println!(
        "{scenario:?}: {requests} requests, {writes} of them writes; died at {before} requests before their effect, at {after} writes after \
         it; {struck} requests struck; strays left 0, foreign things touched 0, humans needed 0; {} s",
        began.elapsed().as_secs()
    );
    // Passes of several objects run side by side, so that their number differs a little; not by half.
    assert!(2 * (before + after + struck) >= planned, "{scenario:?}: {before}, {after}, {struck} of {planned} reached");
}

async fn attempt<S: Scenario>(scenario: S, n: usize, moment: Moment) -> Outcome {
    let places = if moment == Moment::Struck(Trouble::Silent) { &SILENT } else { &PLACES };
    let _place = places.acquire().await.expect("never closed");
    let outcome = tokio::spawn(point(scenario, n, moment)).await;
    outcome.unwrap_or_else(|error| panic!("CRASH={scenario:?}:{n}:{}: {error}", moment.word()))
}

#[test]
fn the_quick_part_spreads_its_points() {
    let moments = |points: &[(usize, Moment)], is: fn(Moment) -> bool| -> Vec<usize> {
        points.iter().filter(|(_, moment)| is(*moment)).map(|(n, _)| *n).collect()
    };
    let whole = Quick::Whole.points(9, 3);
    assert_eq!(moments(&whole, |m| m == Moment::Before), (1..=9).collect::<Vec<_>>());
    assert_eq!(moments(&whole, |m| m == Moment::After), [1, 2, 3]);
    assert_eq!(moments(&whole, |m| matches!(m, Moment::Struck(_))), [4, 8]);
    let some = Quick::Every(6, 2).points(20, 8);
    assert_eq!(moments(&some, |m| m == Moment::Before), [2, 8, 14, 20]);
    assert_eq!(moments(&some, |m| m == Moment::After), [3, 6]);
    assert_eq!(moments(&some, |m| matches!(m, Moment::Struck(_))), [6, 12, 18]);
    let all = everything(10, 4);
    assert_eq!(all.len(), 8 * 12 + 5, "eight moments at twelve requests, and after five writes");
}
