//! The marker at the end of a user's or group's `Comments`, or of a policy's `Description`: for which object it was made.
//!
//! `[ram-operator:<ownerId>:<hash of kind/namespace/name>:<start of the object's uid>]`, at most 70 bytes.

use crate::digest;

const OPEN: &str = "[ram-operator:";
/// Characters that RAM takes as `Comments`.
pub const COMMENTS_LIMIT: usize = 128;
/// Characters that RAM takes as the `Description` of a policy.
pub const DESCRIPTION_LIMIT: usize = 1024;

/// Whose user it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The installation.
    pub owner_id: String,
    /// The object, by hash: 22 characters.
    pub hash: String,
    /// The start of the object's uid: 8 characters.
    pub uid: String,
}

impl Marker {
    /// The marker of the RamUser `namespace`/`name` with `uid`.
    #[must_use]
    pub fn of(owner_id: &str, namespace: &str, name: &str, uid: &str) -> Self {
        Self::for_kind("RamUser", owner_id, namespace, name, uid)
    }

    /// The marker of an object of a kind.
    #[must_use]
    pub fn for_kind(kind: &str, owner_id: &str, namespace: &str, name: &str, uid: &str) -> Self {
        let hash = hash(kind, namespace, name);
        Self { owner_id: owner_id.to_owned(), hash, uid: uid.chars().take(8).collect() }
    }

    /// Splits `Comments` into the text before the marker and the marker, if it ends in one.
    #[must_use]
    pub fn parse(comments: &str) -> (&str, Option<Self>) {
        let Some((text, rest)) = comments.rsplit_once(OPEN) else { return (comments, None) };
        let parsed = rest.strip_suffix(']').and_then(|inner| {
            let mut parts = inner.split(':');
            let (owner_id, hash, uid) = (parts.next()?, parts.next()?, parts.next()?);
            let whole = parts.next().is_none() && !owner_id.is_empty() && hash.len() == 22 && uid.len() == 8;
            whole.then(|| Self { owner_id: owner_id.to_owned(), hash: hash.to_owned(), uid: uid.to_owned() })
        });
        match parsed {
            Some(marker) => (text.strip_suffix(' ').unwrap_or(text), Some(marker)),
            None => (comments, None),
        }
    }

    /// `Comments` with `text` before this marker.
    #[must_use]
    pub fn append_to(&self, text: &str) -> String {
        let marker = format!("{OPEN}{}:{}:{}]", self.owner_id, self.hash, self.uid);
        if text.is_empty() { marker } else { format!("{text} {marker}") }
    }

    /// Whether `comments` end in this very marker, uid and all.
    #[must_use]
    pub fn ends(&self, comments: &str) -> bool {
        Self::parse(comments).1.as_ref() == Some(self)
    }

    /// Whether both name the same installation and object, whatever the uid.
    #[must_use]
    pub fn same_object(&self, other: &Self) -> bool {
        self.owner_id == other.owner_id && self.hash == other.hash
    }
}

fn hash(kind: &str, namespace: &str, name: &str) -> String {
    digest::short(&[kind, "/", namespace, "/", name], 16)
}

/// This installation's name when none is given: from the uid of the namespace kube-system.
#[must_use]
pub fn default_owner_id(kube_system_uid: &str) -> String {
    let hex: String = kube_system_uid.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    format!("k-{}", hex.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_marker_and_the_longest_text_fit_into_comments() {
        let marker = Marker::of(&"o".repeat(20), "team-a", "reader", "0a1b2c3d-0000");
        let comments = marker.append_to(&"t".repeat(56));
        assert!(comments.len() <= COMMENTS_LIMIT, "{} bytes", comments.len());
        assert_eq!(Marker::parse(&comments), ("t".repeat(56).as_str(), Some(marker)));
    }

    #[test]
    fn only_a_whole_marker_at_the_end_counts() {
        let marker = Marker::of("prod", "a", "b", "12345678-9");
        let whole = marker.append_to("x");
        for broken in [format!("{whole} "), whole.replace(']', ""), "[ram-operator:a:b:c]".to_owned(), String::new()] {
            assert_eq!(Marker::parse(&broken), (broken.as_str(), None), "{broken}");
        }
    }

    #[test]
    fn two_names_never_share_a_hash_by_joining() {
        assert_ne!(hash("RamUser", "a", "b-c"), hash("RamUser", "a-b", "c"));
        assert_ne!(hash("RamUser", "a", "b"), hash("RamGroup", "a", "b"));
    }

    #[test]
    fn default_owner_ids_fit_the_schema() {
        let id = default_owner_id("3F2504E0-4f89-11d3-9a0c-0305e82c3301");
        assert_eq!(id, "k-3f2504e04f89");
    }
}
