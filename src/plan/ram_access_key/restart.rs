//! Restarts of workloads: once for each target and key, recorded, never repeated.
//!
//! A target that is new in the spec is not restarted: what refers to the Secret started with the pair that is in it.

use super::{Journal, Seen, Step, Workload};
use crate::api::{Restart, RestartTarget};

/// Notes targets that are new, and restarts that an earlier process did without noting it.
pub(super) fn take_note(journal: &mut Journal, seen: &Seen) {
    let wanted = |restart: &Restart| targets(seen).any(|t| t.kind == restart.kind && t.name == restart.name);
    journal.restarts.retain(wanted);
    let Some(id) = journal.access_key_id.clone() else { return };
    for target in targets(seen) {
        let has = match seen.workloads.get(target) {
            Some(Workload::For(has)) => has.clone(),
            // Whether it has to be restarted is known once it may be: from the next key on.
            Some(Workload::Denied) => None,
            Some(Workload::Missing) | None => continue,
        };
        let known = journal.restarts.iter_mut().find(|r| r.kind == target.kind && r.name == target.name);
        match known {
            Some(restart) if has.as_deref() == Some(&id) => restart.access_key_id.clone_from(&id),
            None if has.as_deref().is_none_or(|has| has == id) => journal.restarts.push(Restart {
                kind: target.kind,
                name: target.name.clone(),
                access_key_id: id.clone(),
                time: None,
            }),
            _ => {}
        }
    }
}

/// The next target that was not restarted for the published key.
pub(super) fn next(seen: &Seen, journal: &Journal, id: &str) -> Option<Step> {
    let there = |target: &&RestartTarget| matches!(seen.workloads.get(*target), Some(Workload::For(_)));
    let mut waiting = targets(seen).filter(|target| record(journal, target).is_none_or(|r| r.access_key_id != id));
    waiting.find(there).cloned().map(Step::Restart)
}

/// Whether all targets that can be restarted were, for the published key.
pub(super) fn done(seen: &Seen, journal: &Journal) -> bool {
    let Some(id) = journal.access_key_id.as_deref() else { return false };
    targets(seen).all(|target| {
        record(journal, target).is_some_and(|r| r.access_key_id == id)
            || matches!(seen.workloads.get(target), Some(Workload::Missing | Workload::Denied))
    })
}

/// Targets that could not be restarted, or whose restart somebody took back.
pub(super) fn failures(seen: &Seen, journal: &Journal) -> Vec<String> {
    let Some(id) = journal.access_key_id.as_deref() else { return Vec::new() };
    let failure = |target: &RestartTarget| {
        let name = format!("{:?} {}", target.kind, target.name);
        match seen.workloads.get(target)? {
            Workload::Missing => Some(format!("{name} does not exist")),
            Workload::Denied => {
                Some(format!("{name} may not be patched; the chart's restartTargets.enabled gives the right"))
            }
            Workload::For(has) => {
                let restarted = record(journal, target).is_some_and(|r| r.access_key_id == id && r.time.is_some());
                (restarted && has.as_deref() != Some(id)).then(|| {
                    format!("The annotation on {name} was taken back by somebody else, and is not put there again")
                })
            }
        }
    };
    targets(seen).filter_map(failure).collect()
}

fn targets(seen: &Seen) -> impl Iterator<Item = &RestartTarget> {
    seen.spec.restart_targets.iter().flatten()
}

fn record<'a>(journal: &'a Journal, target: &RestartTarget) -> Option<&'a Restart> {
    journal.restarts.iter().find(|r| r.kind == target.kind && r.name == target.name)
}
