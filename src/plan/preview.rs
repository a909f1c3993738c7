//! What a plan would do, step after step, with nothing done: each step is applied to what was seen.

use std::fmt::Debug;

use jiff::Timestamp;

use super::{Next, Reason, Verdict};

/// Steps that are listed.
const LISTED: usize = 50;
/// Steps that are followed, listed or not.
const FOLLOWED: usize = 100;
/// Characters of a listed step.
const LENGTH: usize = 200;

/// What a pass knows, if what follows from a step can be told without taking it.
pub trait Foresee: Clone {
    /// Effects.
    type Step: Clone + PartialEq + Debug;

    /// What to do next.
    fn next(&self, now: Timestamp) -> Next<Self::Step>;
    /// What would be seen after a step; `None`: nobody knows.
    fn after(&self, step: &Self::Step) -> Option<Self>;
    /// Whether a step only reads.
    fn only_looks(step: &Self::Step) -> bool;
    /// A step that writes to RAM or to a Secret, in words without anything secret; `None`: it does neither.
    fn line(&self, step: &Self::Step) -> Option<String>;
}

/// What would be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview<S> {
    /// The steps that would be taken, in order.
    pub lines: Vec<String>,
    /// What to do now: a step that only reads, or nothing.
    pub next: Next<S>,
}

/// Follows the plan until it rests, or until it takes a look to know more.
#[must_use]
pub fn preview<T: Foresee>(seen: &T, now: Timestamp) -> Preview<T::Step> {
    let mut lines = Vec::new();
    let (mut seen, mut last) = (seen.clone(), None);
    for _ in 0..FOLLOWED {
        let step = match seen.next(now) {
            Next::Rest(verdict) => return at_rest(lines, verdict),
            Next::Do(step) if T::only_looks(&step) => return Preview { lines, next: Next::Do(step) },
            Next::Do(step) => step,
        };
        // The same again: it does not follow from what is known.
        if last.as_ref() == Some(&step) {
            break;
        }
        lines.extend(seen.line(&step).map(|line| line.chars().take(LENGTH).collect::<String>()));
        if lines.len() >= LISTED {
            break;
        }
        match seen.after(&step) {
            Some(after) => seen = after,
            None => break,
        }
        last = Some(step);
    }
    let verdict = planned(&format!("at least {}", would(&lines)));
    Preview { lines, next: Next::Rest(verdict) }
}

fn at_rest<S>(lines: Vec<String>, verdict: Verdict) -> Preview<S> {
    if lines.is_empty() {
        return Preview { lines, next: Next::Rest(verdict) };
    }
    let then = match verdict.reason {
        Reason::Available => String::new(),
        reason => {
            let detail = verdict.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("; then it would say {}{detail}", reason.name())
        }
    };
    let planned = Verdict { drift: verdict.drift, ..planned(&format!("{}{then}", would(&lines))) };
    Preview { lines, next: Next::Rest(planned) }
}

fn would(lines: &[String]) -> String {
    match lines.len() {
        1 => "1 step would be taken".to_owned(),
        n => format!("{n} steps would be taken"),
    }
}

fn planned(what: &str) -> Verdict {
    Verdict::new(Reason::Planned).about(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up to an end; looks once at a number.
    #[derive(Clone)]
    struct Count {
        at: u32,
        end: u32,
        look_at: Option<u32>,
        blind: bool,
    }

    impl Foresee for Count {
        type Step = u32;

        fn next(&self, _: Timestamp) -> Next<u32> {
            if self.at == self.end { Next::rest(Reason::Available) } else { Next::Do(self.at) }
        }
        fn after(&self, _: &u32) -> Option<Self> {
            (!self.blind).then(|| Self { at: self.at + 1, ..self.clone() })
        }
        fn only_looks(step: &u32) -> bool {
            *step == 1000
        }
        fn line(&self, step: &u32) -> Option<String> {
            (self.look_at != Some(*step)).then(|| "x".repeat(300))
        }
    }

    fn count(at: u32, end: u32) -> Count {
        Count { at, end, look_at: None, blind: false }
    }

    fn told(seen: &Count) -> (usize, Option<Verdict>) {
        let preview = preview(seen, Timestamp::UNIX_EPOCH);
        let verdict = match preview.next {
            Next::Rest(verdict) => Some(verdict),
            Next::Do(_) => None,
        };
        (preview.lines.len(), verdict)
    }

    #[test]
    fn steps_are_listed_until_the_plan_rests() {
        let (lines, verdict) = told(&count(0, 3));
        assert_eq!(lines, 3);
        assert_eq!(verdict.expect("rest"), planned("3 steps would be taken"));
        assert_eq!(told(&count(3, 3)), (0, Some(Verdict::new(Reason::Available))));
        let unlisted = Count { look_at: Some(0), ..count(0, 1) };
        assert_eq!(told(&unlisted), (0, Some(Verdict::new(Reason::Available))));
    }

    #[test]
    fn what_is_listed_is_bounded() {
        let preview = preview(&count(0, 80), Timestamp::UNIX_EPOCH);
        assert_eq!(preview.lines.len(), LISTED);
        assert!(preview.lines.iter().all(|line| line.chars().count() == LENGTH));
    }

    #[test]
    fn a_look_is_asked_for_and_what_is_blind_ends_the_list() {
        assert_eq!(told(&count(999, 2000)), (1, None));
        let (lines, verdict) = told(&Count { blind: true, ..count(0, 3) });
        assert_eq!(lines, 1);
        assert_eq!(verdict.expect("rest"), planned("at least 1 step would be taken"));
    }
}
