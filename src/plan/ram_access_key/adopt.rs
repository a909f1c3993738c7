//! A pair that a person has already: taken over as it is, once, in place of the first mint.
//!
//! Nothing is written to RAM for it, and no key is made as long as it cannot be had. Once the Secret is written the pair is a published one
//! like any other: a pass that dies before it notes that finds an unexplained pair, which its proof explains.

use jiff::Timestamp;

use super::{Journal, PairSeen, SecretSeen, Seen, Step, after, reason, rights};
use crate::api::AdoptFrom;
use crate::plan::timing::{READ_LAG, SOON};
use crate::plan::{Reason, Verdict};
use crate::ram::{KeyStatus, Proof};

/// Where the pair is, as long as one is to be adopted: nothing was ever published for this object.
pub(super) fn wanted<'a>(seen: &'a Seen, journal: &Journal) -> Option<&'a AdoptFrom> {
    let published = journal.access_key_id.is_some() || matches!(seen.secret, SecretSeen::Ours(_));
    seen.spec.secret.adopt_from.as_ref().filter(|_| !published)
}

/// Whether the Secret of somebody else that stands where ours is to be is the one to adopt: naming it is the consent.
pub(super) fn in_place(seen: &Seen, journal: &Journal, output: &str) -> bool {
    wanted(seen, journal).is_some_and(|from| from.name == output)
}

/// Judges the pair, and takes it over if it is the user's own.
pub(super) fn next(seen: &Seen, from: &AdoptFrom, now: Timestamp) -> Result<Step, Verdict> {
    let (id, proof) = given(seen, from)?;
    // The id is not named before RAM says that it is one: somebody may have taken the secret for it.
    let here = || format!("Secret {}", from.name);
    if let Some(holder) = holder(seen, id) {
        return Err(reason(Reason::PairHeld).about(holder));
    }
    if seen.is(id, KeyStatus::Inactive) {
        return Err(reason(Reason::PairDisabled).about(id));
    }
    let Some(proof) = proof else { return Ok(Step::ProvePair) };
    match proof {
        Proof::Inactive => return Err(reason(Reason::PairDisabled).about(here())),
        // A new key may be refused for a while.
        Proof::NotYet if young(seen, id, now) => return Err(reason(Reason::Unsettled).about(id).again_in(SOON)),
        Proof::NotYet => return Err(reason(Reason::PairRefused).about(format!("RAM does not accept it; {}", here()))),
        Proof::Authentic { account_id: None, .. } => {
            return Err(reason(Reason::PairRefused).about(format!("RAM does not say whose it is; {}", here())));
        }
        Proof::Authentic { account_id: Some(account), .. } if !in_account(seen, account) => {
            return Err(reason(Reason::PairOfAnotherAccount).about(here()));
        }
        Proof::Authentic { user_id, .. } if user_id.is_none() || user_id.as_ref() != seen.user_id() => {
            return Err(reason(Reason::PairOfAnotherUser).about(here()));
        }
        Proof::Authentic { .. } => {}
    }
    if seen.key(id).is_none() {
        // The list lags behind the proof.
        return Err(reason(Reason::Unsettled).about(id).again_in(SOON));
    }
    if !seen.finalizer {
        return Ok(Step::AddFinalizer);
    }
    Ok(rights::judged(seen)?.unwrap_or_else(|| Step::AdoptKey(id.to_owned())))
}

/// The pair that the Secret holds, and what RAM said of it.
fn given<'a>(seen: &'a Seen, from: &AdoptFrom) -> Result<(&'a str, Option<&'a Proof>), Verdict> {
    // Nobody tells of a change there, since what is not ours is not watched.
    let again = 6 * SOON;
    match &seen.to_adopt {
        Some(PairSeen::There { id, proof }) => Ok((id.as_str(), proof.as_ref())),
        Some(PairSeen::Taken) => Err(reason(Reason::SecretNotAdoptable).about(&from.name).again_in(again)),
        Some(PairSeen::Missing) => {
            Err(reason(Reason::PairNotFound).about(format!("Secret {}", from.name)).again_in(again))
        }
        Some(PairSeen::Lacks(key)) => {
            Err(reason(Reason::PairNotFound).about(format!("key {key} in Secret {}", from.name)).again_in(again))
        }
        Some(PairSeen::NoId) => {
            let what = format!("key {} of Secret {} holds no AccessKey id", from.access_key_id_key, from.name);
            Err(reason(Reason::PairInvalid).about(what).again_in(again))
        }
        None => Err(reason(Reason::Unsettled).again_in(SOON)),
    }
}

/// Who has the key already.
fn holder(seen: &Seen, id: &str) -> Option<String> {
    let holder = seen.siblings.iter().find(|sibling| sibling.ids.iter().any(|own| own == id))?;
    Some(if holder.order { holder.name.clone() } else { format!("RamAccessKey {}", holder.name) })
}

fn in_account(seen: &Seen, id: &str) -> bool {
    seen.account.as_ref().is_ok_and(|account| account.account_id == id)
}

fn young(seen: &Seen, id: &str, now: Timestamp) -> bool {
    seen.key(id).is_some_and(|key| now <= after(key.create_time, READ_LAG))
}
