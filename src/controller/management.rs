//! What is adopted, and what is only planned: between status and plan.

use jiff::Timestamp;

use super::drive::{Kind, request};
use crate::api::{AdoptionStatus, Management, annotation};
use crate::plan::adoption::Adopting;

/// What the status remembers of an adoption. Only of a thing that was `known` before this pass does the annotation accept anything: the
/// first pass takes nothing away.
pub fn adopting<K: Kind>(object: &K, stored: Option<&AdoptionStatus>, known: bool, now: Timestamp) -> Adopting {
    let time = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
    let asked = known && request(object, annotation::ACCEPT_ADOPTION).is_some();
    Adopting {
        noted: stored.and_then(|stored| time(&stored.time)),
        accepted: stored.and_then(|stored| time(&stored.accepted_time)).or_else(|| asked.then_some(now)),
    }
}

/// What the status is to remember of it.
#[must_use]
pub fn adoption_status(adopting: Adopting) -> Option<AdoptionStatus> {
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let status = AdoptionStatus { time: text(adopting.noted), accepted_time: text(adopting.accepted) };
    Some(status).filter(|status| *status != AdoptionStatus::default())
}

/// The steps that a status lists: those of this pass, or the last ones where it did not come that far.
#[must_use]
pub fn listed(stored: Option<Vec<String>>, found: Option<&Vec<String>>, management: Management) -> Option<Vec<String>> {
    match found {
        Some(lines) => Some(lines.clone()).filter(|lines| !lines.is_empty()),
        None => stored.filter(|_| management == Management::Plan),
    }
}
