//! Names of objects, made from names in RAM.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest;

/// Names of objects become values of labels.
const LIMIT: usize = 63;
/// Characters of a hash in a name.
const HASH: usize = 10;

/// The object's name for each name in RAM: the same in lower case where that is a name, with a hash where two would meet.
pub fn of_objects<'a>(in_ram: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, String> {
    let all: BTreeSet<&str> = in_ram.into_iter().collect();
    let mut takers: BTreeMap<String, usize> = BTreeMap::new();
    for name in &all {
        // Whoever may end with a hash takes that name as well, so that nobody else gets it.
        for candidate in [plain(name), hashed(name)] {
            let count = takers.entry(candidate).or_default();
            *count = count.saturating_add(1);
        }
    }
    let chosen = |name: &'a str| {
        let plain = plain(name);
        let alone = takers.get(&plain) == Some(&1);
        (name, if alone { plain } else { hashed(name) })
    };
    all.into_iter().map(chosen).collect()
}

/// A DNS subdomain, as names of objects are; that of a name without letters and digits, or of a long one, ends in its hash.
fn plain(name: &str) -> String {
    let fitting = fitting(name);
    if fitting.is_empty() || fitting.len() > LIMIT { hashed(name) } else { fitting }
}

fn hashed(name: &str) -> String {
    let hash: String = digest::hex(&[name]).chars().take(HASH).collect();
    let kept: String = fitting(name).chars().take(LIMIT.saturating_sub(HASH + 1)).collect();
    match kept.trim_end_matches(['-', '.']) {
        "" => format!("ram-{hash}"),
        kept => format!("{kept}-{hash}"),
    }
}

fn fitting(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' { c } else { '-' };
    let replaced: String = lower.chars().map(plain).collect();
    let labels: Vec<&str> = replaced.split('.').map(|label| label.trim_matches('-')).collect();
    labels.into_iter().filter(|label| !label.is_empty()).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(in_ram: &[&str]) -> Vec<String> {
        of_objects(in_ram.iter().copied()).into_values().collect()
    }

    #[test]
    fn a_name_is_kept_where_it_can() {
        for (in_ram, name) in [
            ("reader", "reader"),
            ("Team-A.Reader", "team-a.reader"),
            ("legacy_reader", "legacy-reader"),
            (".reader_", "reader"),
            ("a._.b", "a.b"),
            ("a..b-", "a.b"),
            ("a@b", "a-b"),
            ("007", "007"),
        ] {
            assert_eq!(names(&[in_ram]), [name], "{in_ram}");
        }
    }

    #[test]
    fn what_has_no_name_or_a_long_one_gets_a_hash() {
        let nameless = names(&["___"]);
        assert!(nameless[0].starts_with("ram-") && nameless[0].len() == 14, "{nameless:?}");
        let long = names(&[&"x".repeat(64), &"x".repeat(128)]);
        assert!(long.iter().all(|name| name.len() == 63) && long[0] != long[1], "{long:?}");
        assert_eq!(names(&[&"x".repeat(63)]), ["x".repeat(63)]);
        let dotted = names(&[&format!("{}.{}", "x".repeat(51), "y".repeat(20))]);
        assert!(dotted[0].starts_with(&format!("{}-", "x".repeat(51))), "{dotted:?}");
    }

    #[test]
    fn where_two_would_meet_both_get_a_hash() {
        let all = of_objects(["a-b", "a_b", "A-B", "c"]);
        let different: BTreeSet<&String> = all.values().collect();
        assert_eq!((different.len(), all["c"].as_str()), (4, "c"));
        assert!(all.iter().filter(|(name, _)| **name != "c").all(|(_, object)| object.len() == 14), "{all:?}");
        // Also with one that is called like another one with its hash.
        let meets = all["a_b"].clone();
        let more = of_objects(["a-b", "a_b", meets.as_str()]);
        let different: BTreeSet<&String> = more.values().collect();
        assert_eq!(different.len(), 3, "{more:?}");
    }
}
