//! Where the published pair stands: explained or not, there or lost.

use jiff::Timestamp;

use super::{Published, SecretSeen, Seen, after};
use crate::api::Why;
use crate::plan::timing::READ_LAG;
use crate::ram::Proof;

/// What the Secret and RAM say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This key is published, and RAM has it.
    Published(String),
    /// This key is published and explained, but a live list lacks it: once is not enough to call it lost.
    Missing(String),
    /// A pair is there that nothing explains yet: ask RAM whose it is.
    Unexplained(String),
    /// No usable pair is published.
    Lost,
    /// The Secret is somebody else's.
    Foreign,
    /// The Secret was published in another account.
    OtherAccount,
}

/// Judges the Secret by journal, intent, proof and RAM's list.
#[must_use]
pub fn standing(seen: &Seen, now: Timestamp) -> Standing {
    let secret = match &seen.secret {
        SecretSeen::Absent => return Standing::Lost,
        SecretSeen::Foreign => return Standing::Foreign,
        SecretSeen::Ours(secret) => secret,
    };
    if let (Some(id), Ok(account)) = (&secret.account_id, &seen.account)
        && *id != account.account_id
        && !noted_here(seen, secret, &account.account_id)
    {
        return Standing::OtherAccount;
    }
    let Some(id) = secret.id.as_deref().filter(|_| secret.intact) else { return Standing::Lost };
    let journal = &seen.journal;
    // A revoked pair is of no use to anybody, whatever RAM shows.
    if journal.is_revoked(id) {
        return Standing::Lost;
    }
    // Whoever may write the Secret can name an open intent in it; a key that was there before it was not made by it.
    let by_intent = journal.intents.iter().any(|intent| {
        secret.intent.as_deref() == Some(&intent.id) && !intent.known_ids.iter().any(|known| known == id)
    });
    // A key that was taken for a stray meanwhile is on its way out, whoever publishes it late.
    let taken = seen.sibling_has(id) || journal.retiring.iter().any(|key| key.id == id && key.why == Why::Stray);
    if journal.access_key_id.as_deref() == Some(id) || (by_intent && !taken) {
        return listed(seen, id, now);
    }
    match seen.proofs.get(id) {
        None if seen.sibling_has(id) => Standing::Lost,
        None => Standing::Unexplained(id.to_owned()),
        Some(Proof::Authentic { user_id: Some(user), .. }) if Some(user) == seen.user_id() && !seen.sibling_has(id) => {
            listed(seen, id, now)
        }
        // RAM knows the pair but not to whom it may say so: its list of our user's keys has it.
        Some(Proof::Authentic { user_id: None, .. }) if seen.key(id).is_some() && !seen.sibling_has(id) => {
            listed(seen, id, now)
        }
        Some(_) => Standing::Lost,
    }
}

/// Our own note wins over an annotation that somebody may have changed.
fn noted_here(seen: &Seen, secret: &Published, account_id: &str) -> bool {
    let journal = &seen.journal;
    journal.account_id.as_deref() == Some(account_id)
        && journal.access_key_id.is_some()
        && journal.access_key_id == secret.id
}

fn listed(seen: &Seen, id: &str, now: Timestamp) -> Standing {
    if seen.key(id).is_some() {
        return Standing::Published(id.to_owned());
    }
    // A new key starts its own count of looks.
    let missing = seen.journal.missing_time.filter(|_| seen.journal.access_key_id.as_deref() == Some(id));
    match missing {
        Some(since) if now > after(since, READ_LAG) => Standing::Lost,
        _ => Standing::Missing(id.to_owned()),
    }
}

impl Seen {
    /// RAM's `UserId` of the key's user, as far as it is known.
    #[must_use]
    pub fn user_id_known(&self) -> Option<String> {
        self.user_id().cloned()
    }

    pub(super) fn user_id(&self) -> Option<&String> {
        match &self.user {
            super::UserSeen::Made { user_id, .. } => Some(user_id),
            _ => self.journal.user_id.as_ref(),
        }
    }
}
