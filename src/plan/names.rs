//! Names of RAM users, and globs over names.

use std::collections::BTreeSet;

use crate::digest;

/// RAM's limit of `UserName`.
const USER_NAME_LIMIT: usize = 64;
/// RAM's limit of `PolicyName`.
const POLICY_NAME_LIMIT: usize = 128;

/// The generated name of a user: `<prefix><namespace>.<name>`, cut with a hash when longer than RAM allows.
///
/// Namespaces have no dot, so two objects never share a name.
#[must_use]
pub fn generated(prefix: &str, namespace: &str, name: &str) -> String {
    cut(&format!("{prefix}{namespace}.{name}"), USER_NAME_LIMIT)
}

/// The generated name of a policy: `<prefix><namespace>-<name>-<hash>`. Names of policies have no dot, so that the hash keeps them apart.
#[must_use]
pub fn policy_name(prefix: &str, namespace: &str, name: &str) -> String {
    let hash: String = digest::hex(&[namespace, "/", name]).chars().take(10).collect();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let readable: String = format!("{prefix}{namespace}-{name}").chars().map(plain).collect();
    let kept: String = readable.chars().take(POLICY_NAME_LIMIT.saturating_sub(hash.len() + 1)).collect();
    format!("{kept}-{hash}")
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

/// Whether `outer` fits every text that `inner` fits; both are globs, and case counts.
///
/// Reads `inner` once with all places in `outer` that may have been reached. A wildcard of `inner` may stand for a character that is nowhere
/// in `outer`, which only a wildcard of `outer` fits: what holds for that one holds for all.
#[must_use]
pub fn covers(outer: &str, inner: &str) -> bool {
    let (outer, inner): (Vec<char>, Vec<char>) = (outer.chars().collect(), inner.chars().collect());
    let mut open = vec![(0_usize, spread(&outer, BTreeSet::from([0])))];
    let mut seen = BTreeSet::new();
    while let Some((at, places)) = open.pop() {
        if places.is_empty() {
            return false;
        }
        if !seen.insert((at, places.clone())) {
            continue;
        }
        let next = at.saturating_add(1);
        match inner.get(at) {
            None if places.contains(&outer.len()) => {}
            None => return false,
            Some('*') => {
                open.push((at, read(&outer, &places, None)));
                open.push((next, places));
            }
            Some('?') => open.push((next, read(&outer, &places, None))),
            Some(c) => open.push((next, read(&outer, &places, Some(*c)))),
        }
    }
    true
}

/// Places in a glob after one more character; `None` is one that the glob does not name.
fn read(glob: &[char], places: &BTreeSet<usize>, character: Option<char>) -> BTreeSet<usize> {
    let after = |place: &usize| match glob.get(*place) {
        Some('*') => Some(*place),
        Some('?') => Some(place.saturating_add(1)),
        Some(c) if Some(*c) == character => Some(place.saturating_add(1)),
        _ => None,
    };
    spread(glob, places.iter().filter_map(after).collect())
}

/// A star may also stand for nothing.
fn spread(glob: &[char], mut places: BTreeSet<usize>) -> BTreeSet<usize> {
    for (place, c) in glob.iter().enumerate() {
        if *c == '*' && places.contains(&place) {
            places.insert(place.saturating_add(1));
        }
    }
    places
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
    fn policies_of_two_objects_never_share_a_name() {
        assert_ne!(policy_name("", "a", "b-c"), policy_name("", "a-b", "c"));
        assert_ne!(policy_name("", "a", "b.c"), policy_name("", "a", "b-c"));
        let long = policy_name("prod.", "team", &"x".repeat(253));
        assert_eq!(long.len(), 128);
        assert!(long.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{long}");
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

    #[test]
    fn one_glob_covers_another() {
        for (outer, inner, covered) in [
            ("*", "*", true),
            ("*", "", true),
            ("", "", true),
            ("", "*", false),
            ("a*", "a*", true),
            ("a*", "ab*c?", true),
            ("a*", "*", false),
            ("a*", "?b", false),
            ("?*", "*", false),
            ("?*", "*?", true),
            ("*a*", "*ba*", true),
            ("*ab*", "*a*b*", false),
            ("*a*b*", "*ab*", true),
            ("a?c", "abc", true),
            ("a?c", "a*c", false),
            ("*/team-a-*", "x/team-a-*/y", true),
            ("ots:*", "o*s:*", false),
        ] {
            assert_eq!(covers(outer, inner), covered, "{outer} {inner}");
        }
        assert!(!covers(&"*a".repeat(60), &"*b".repeat(60)), "ends in time");
    }
}
