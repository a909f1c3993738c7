//! Whose a thing in RAM is: what RAM calls it says that it is the same one, the marker in its text says for which object it was made.

use jiff::Timestamp;

use super::marker::Marker;
use super::tenant::Grants;
use super::timing::{READ_LAG, after};
use super::{Reason, Verdict};

/// What the status remembers of the thing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// What tells it from another one of its name: RAM's id, or when it was made.
    pub identity: Option<&'a str>,
    /// The start of the uid in the marker that we wrote last.
    pub marker_uid: Option<&'a str>,
    /// What other objects say, where nothing is remembered.
    pub elsewhere: Elsewhere,
}

/// What other objects say of a thing that an object does not know as its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Elsewhere {
    /// Nothing, or nobody asked.
    #[default]
    Nothing,
    /// Another object's status says that it is its own: somebody took the marker off, and that object did not look since.
    Owned,
    /// A RamRevocation takes off the marker that it still has: an earlier object of the name left it in RAM.
    Left,
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
        None if known.elsewhere == Elsewhere::Owned => Ownership::Not(Reason::OwnedElsewhere),
        None => Ownership::Not(Reason::Foreign),
        Some(marker) if !marker.same_object(ours) => Ownership::Not(Reason::OwnedElsewhere),
        Some(marker) if marker.uid == ours.uid => Ownership::Ours,
        // We wrote our uid before and it was changed back: two objects believe that they are this one.
        Some(_) if known.marker_uid == Some(&ours.uid) => Ownership::Not(Reason::Contested),
        Some(_) if known.identity.is_none() && known.elsewhere == Elsewhere::Left => Ownership::Not(Reason::Foreign),
        Some(_) => Ownership::MarkerMissing,
    }
}

/// Whether what carries the marker of an earlier object of the name may be taken back: whether that one had adopted it, so that it has to stay,
/// only the `tenant` can tell. Nothing is asked where the thing is `known`.
///
/// # Errors
/// Why there is no tenant.
pub fn retaken(known: bool, tenant: &Result<Grants, Verdict>) -> Result<(), Verdict> {
    match tenant {
        Err(none) if !known => Err(none.clone()),
        _ => Ok(()),
    }
}

/// As [`ownership`], for what holds nothing that another of its name would lose: one that carries our whole marker was made by
/// us in the place of one that somebody deleted.
#[must_use]
pub fn ownership_by_marker(known: Known<'_>, ours: &Marker, identity: &str, text: &str) -> Ownership {
    if ours.ends(text) { Ownership::Ours } else { ownership(known, ours, identity, text) }
}

/// Whether what RAM does not show is really gone: what was `made` this shortly before may not show yet, unless RAM showed it
/// before in this pass.
///
/// # Errors
/// When it takes another look to know.
pub fn surely_gone(made: Option<Timestamp>, witnessed: bool, now: Timestamp) -> Result<(), Verdict> {
    match made.map(|time| after(time, READ_LAG)) {
        Some(sure) if now <= sure && !witnessed => Err(Verdict::new(Reason::Deleting).again_at(sure, now)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_counts_where_nothing_is_remembered() {
        let ours = Marker::of("prod", "team-a", "reader", "0a1b2c3d-1111");
        let earlier = Marker { uid: "ffffffff".to_owned(), ..ours.clone() }.append_to("by hand");
        let judge = |identity, elsewhere, text: &str| {
            ownership(Known { identity, marker_uid: None, elsewhere }, &ours, "1", text)
        };
        for (identity, elsewhere, text, expected) in [
            (None, Elsewhere::Nothing, "by hand", Ownership::Not(Reason::Foreign)),
            (None, Elsewhere::Owned, "by hand", Ownership::Not(Reason::OwnedElsewhere)),
            (Some("1"), Elsewhere::Owned, "by hand", Ownership::MarkerMissing),
            (None, Elsewhere::Nothing, earlier.as_str(), Ownership::MarkerMissing),
            (None, Elsewhere::Left, earlier.as_str(), Ownership::Not(Reason::Foreign)),
            (Some("1"), Elsewhere::Left, earlier.as_str(), Ownership::MarkerMissing),
        ] {
            assert_eq!(judge(identity, elsewhere, text), expected, "{identity:?} {elsewhere:?} {text}");
        }
        assert_eq!(judge(None, Elsewhere::Left, &ours.append_to("")), Ownership::Ours);
    }
}
