//! Names of RAM users, and globs over names.

use crate::digest;

/// RAM's limit of `UserName`.
const USER_NAME_LIMIT: usize = 64;

/// The generated name of a user: `<prefix><namespace>.<name>`, cut with a hash when longer than RAM allows.
///
/// Namespaces have no dot, so two objects never share a name.
#[must_use]
pub fn generated(prefix: &str, namespace: &str, name: &str) -> String {
    cut(&format!("{prefix}{namespace}.{name}"), USER_NAME_LIMIT)
}

/// A name of `limit` characters at most: a longer one ends in a hash of the whole.
#[must_use]
pub fn cut(name: &str, limit: usize) -> String {
    if name.len() <= limit {
        return name.to_owned();
    }
    // Lower-case hex keeps names apart that RAM compares without regard to case.
    let hash: String = digest::hex(&[name]).chars().take(16).collect();
    let kept: String = name.chars().take(limit.saturating_sub(hash.len() + 1)).collect();
    format!("{kept}-{hash}")
}

/// Whether `name` fits one of `globs`: `*` stands for any characters, `?` for one; case is ignored as RAM does.
#[must_use]
pub fn allowed(globs: Option<&Vec<String>>, name: &str) -> bool {
    globs.is_some_and(|globs| globs.iter().any(|glob| fits(glob, name)))
}

/// Whether `name` fits `glob`.
#[must_use]
pub fn fits(glob: &str, name: &str) -> bool {
    fn walk(glob: &[u8], name: &[u8]) -> bool {
        match (glob.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) if walk(rest, name) => true,
            (Some((b'*', _)), Some((_, left))) => walk(glob, left),
            (Some((g, rest)), Some((n, left))) if *g == b'?' || g == n => walk(rest, left),
            _ => false,
        }
    }
    // Runs of stars are one star, which also bounds the walk.
    let mut pattern = glob.to_ascii_lowercase();
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    walk(pattern.as_bytes(), name.to_ascii_lowercase().as_bytes())
}

/// A short, stable name for an intent: the instant and the object, hashed.
#[must_use]
pub fn intent_id(uid: &str, nonce: &str) -> String {
    digest::short(&[uid, "/", nonce], 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_to_the_limit_and_stay_apart() {
        let (a, b) = (generated("p-", "team", &"x".repeat(80)), generated("p-", "team", &"x".repeat(81)));
        assert_eq!((a.len(), b.len()), (64, 64));
        assert_ne!(a, b);
        assert_eq!(generated("p-", "team", "reader"), "p-team.reader");
    }

    #[test]
    fn globs() {
        for (glob, name, fit) in [
            ("AliyunOTS*", "AliyunOTSReadOnlyAccess", true),
            ("aliyunots*", "AliyunOTSReadOnlyAccess", true),
            ("*", "", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a*c", "abcb", false),
            ("a**b*", "axxbyy", true),
            ("prod-team-a.*", "prod-team-ab.x", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(glob, name), fit, "{glob} {name}");
        }
        assert!(!allowed(None, "a"));
    }
}
