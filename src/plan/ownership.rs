//! Whose a thing in RAM is: what RAM calls it says that it is the same one, the marker in its text says for which object it was made.

use super::Reason;
use super::marker::Marker;

/// What the status remembers of the thing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// What tells it from another one of its name: RAM's id, or when it was made.
    pub identity: Option<&'a str>,
    /// The start of the uid in the marker that we wrote last.
    pub marker_uid: Option<&'a str>,
}

/// What an object turns out to be to the thing of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Its owner.
    Ours,
    /// Its owner, but the marker has to be written: it is missing or names an earlier uid of the object.
    MarkerMissing,
    /// Nothing: the thing is somebody else's.
    Not(Reason),
}

/// Judges a thing by its identity and by the text that ends in the marker.
#[must_use]
pub fn ownership(known: Known<'_>, ours: &Marker, identity: &str, text: &str) -> Ownership {
    if known.identity.is_some_and(|id| id != identity) {
        return Ownership::Not(Reason::Replaced);
    }
    match Marker::parse(text).1 {
        None if known.identity.is_some() => Ownership::MarkerMissing,
        None => Ownership::Not(Reason::Foreign),
        Some(marker) if !marker.same_object(ours) => Ownership::Not(Reason::OwnedElsewhere),
        Some(marker) if marker.uid == ours.uid => Ownership::Ours,
        // We wrote our uid before and it was changed back: two objects believe that they are this one.
        Some(_) if known.marker_uid == Some(&ours.uid) => Ownership::Not(Reason::Contested),
        Some(_) => Ownership::MarkerMissing,
    }
}
