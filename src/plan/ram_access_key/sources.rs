//! From where a key may be used: an ordinary step after the publish, read back with patience.

use jiff::Timestamp;

use super::{Journal, Seen, Stage, Step, after, reason};
use crate::api::{AllowedSources, SourcesSet};
use crate::digest;
use crate::plan::Reason;
use crate::plan::timing::{SOON, SOURCES_LAG};
use crate::ram::KeySources;

/// What the spec asks for, as RAM would hold it.
#[must_use]
pub fn wanted(sources: &AllowedSources) -> KeySources {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    let mut vpcs: Vec<_> = sources.vpcs.iter().map(|vpc| (vpc.id.clone(), sorted(&vpc.cidrs))).collect();
    vpcs.sort();
    KeySources { active: true, public: sorted(&sources.public_cidrs), vpcs }
}

/// What is set, as the journal notes it.
#[must_use]
pub fn noted(id: &str, sources: &KeySources, now: Timestamp) -> SourcesSet {
    let sha256 = digest::hex(&[&format!("{sources:?}")]);
    SourcesSet { access_key_id: id.to_owned(), sha256, time: now.to_string() }
}

/// The published key gets them; an old one got them while it was the published one.
pub(super) fn next(seen: &Seen, journal: &Journal, id: &str, now: Timestamp) -> Stage {
    let Some(sources) = &seen.spec.allowed_sources else { return Ok(None) };
    let wanted = wanted(sources);
    match &seen.sources {
        Some(has) if *has == wanted => Ok(None),
        None => Err(reason(Reason::SourcesPending).about(id).again_in(SOON)),
        Some(_) if asked(journal, id, &wanted, now) => Err(reason(Reason::SourcesPending).about(id).again_in(SOON)),
        Some(_) if seen.paused => Err(reason(Reason::Paused)),
        Some(_) => Ok(Some(Step::SetSources(id.to_owned()))),
    }
}

/// Whether this very thing was asked of RAM so recently that it may not show yet.
fn asked(journal: &Journal, id: &str, wanted: &KeySources, now: Timestamp) -> bool {
    let new = noted(id, wanted, now);
    journal.sources.as_ref().is_some_and(|last| {
        let time: Option<Timestamp> = last.time.parse().ok();
        last.access_key_id == new.access_key_id
            && last.sha256 == new.sha256
            && time.is_some_and(|time| now <= after(time, SOURCES_LAG))
    })
}
