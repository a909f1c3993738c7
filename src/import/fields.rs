//! Fields of a manifest, each with what RAM has if the schema takes that; else a note says what is different.

use serde_json::{Map, Value, json};

use crate::plan::marker::Marker;
use crate::ram::{PolicyRef, PolicyType};

/// What begins the marker, which no text of a spec may contain.
const MARKER: &str = "[ram-operator:";

/// Characters of the longest name of an installation in a marker.
const LONGEST_OWNER: usize = 20;

/// Room for a text that the marker follows in RAM.
#[derive(Clone, Copy)]
pub struct Room<'a> {
    /// Bytes that the schema takes.
    pub schema: usize,
    /// Characters that RAM takes, with the marker.
    pub ram: usize,
    /// This installation's name in markers, if it is known.
    pub owner_id: Option<&'a str>,
}

impl Room<'_> {
    /// Characters that RAM may have before the marker.
    fn before_marker(self) -> usize {
        let longest = "x".repeat(LONGEST_OWNER);
        let marker = Marker::of(self.owner_id.unwrap_or(&longest), "", "", "00000000").append_to("");
        // A space stands between them.
        self.ram.saturating_sub(marker.chars().count().saturating_add(1))
    }
}

/// The spec of a manifest, and what is to be said of it in comments above.
pub struct Draft {
    /// The spec.
    pub spec: Map<String, Value>,
    /// A line each.
    pub notes: Vec<String>,
}

impl Draft {
    /// A spec that takes over what nobody owns, and leaves it in RAM whatever becomes of the object.
    pub fn new(account: &str) -> Self {
        let mut draft = Self { spec: Map::new(), notes: Vec::new() };
        if account != "default" {
            draft.put("accountRef", json!({"name": account}));
        }
        draft.put("adoption", json!("IfUnowned"));
        draft.put("deletionPolicy", json!("Retain"));
        draft
    }

    /// Sets a field.
    pub fn put(&mut self, field: &str, value: Value) {
        self.spec.insert(field.to_owned(), value);
    }

    /// Says something in a comment.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// A text that RAM may not have, and that stays as it is in RAM where the schema does not take it.
    pub fn text(&mut self, field: &str, text: &str, fits: fn(&str) -> bool) {
        if text.is_empty() {
            return;
        }
        if fits(text) {
            self.put(field, json!(text));
        } else {
            self.note(format!("`{field}` is left out, since it may not be what RAM has: {text:?}"));
        }
    }

    /// A text that the marker follows in RAM. Where the schema does not take it, it stays as it is in RAM if there is room for both; it is never
    /// cut.
    pub fn marked(&mut self, field: &str, text: &str, room: Room<'_>) {
        let (bytes, characters) = (room.schema, room.before_marker());
        if text.is_empty() {
            return;
        }
        let plain = !text.chars().any(|c| c.is_ascii_control()) && !text.contains(MARKER);
        if plain && text.len() <= bytes {
            self.put(field, json!(text));
        } else if text.chars().count() <= characters {
            self.note(format!("`{field}` is left out, and what RAM has stays before the marker: {text:?}"));
        } else {
            self.note(format!(
                "`{field}` is left out, and the adoption waits (NoRoomForMarker) until RAM has at most {characters} characters, or you put at most {bytes} bytes here. RAM has: {text:?}"
            ));
        }
    }

    /// Policies by RAM name; more than the schema takes stay unmanaged.
    pub fn policies(&mut self, policies: &[PolicyRef]) {
        let mut all: Vec<&PolicyRef> = policies.iter().collect();
        all.sort();
        let system = all.iter().filter(|policy| policy.kind == PolicyType::System).count();
        let custom = all.len().saturating_sub(system);
        if system > 20 || custom > 10 || !all.iter().all(|policy| is_policy_name(&policy.name)) {
            let names = listed(all.iter().map(ToString::to_string));
            self.note(format!("`policies` is left out, since it may not hold all of them: {names}"));
            return;
        }
        let one = |policy: &&PolicyRef| json!({"type": policy.kind.as_str(), "name": policy.name});
        self.put("policies", all.iter().map(one).collect());
    }

    /// Groups by RAM name; more than the schema takes stay unmanaged.
    pub fn groups(&mut self, groups: &[String]) {
        let mut all: Vec<&String> = groups.iter().collect();
        all.sort();
        if all.len() > 10 || !all.iter().all(|name| is_ram_name(name)) {
            let names = listed(all.into_iter().cloned());
            self.note(format!("`groups` is left out, since it may not hold all of them: {names}"));
            return;
        }
        let one = |name: &&String| json!({"type": "Ram", "name": name});
        self.put("groups", all.iter().map(one).collect());
    }
}

/// Text from outside inside a comment: on one line, whatever it holds.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@/".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("{text:?}") }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.map(|name| word(&name)).collect::<Vec<_>>().join(", ")
}

/// Whether it is a name of a user or a group.
pub fn is_ram_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('-')
}

/// Whether it is a name of a policy.
pub fn is_policy_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..=128).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('-')
}

/// Whether it is a `displayName`.
pub fn is_display_name(text: &str) -> bool {
    (1..=128).contains(&text.chars().count()) && !text.chars().any(|c| c.is_ascii_control())
}

/// Whether it is an `email`.
pub fn is_email(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && !part.chars().any(|c| c == '@' || c.is_ascii_whitespace() || c.is_ascii_control())
    };
    text.chars().count() <= 128 && text.split_once('@').is_some_and(|(name, host)| part(name) && part(host))
}

/// Whether it is a `mobilePhone`.
pub fn is_phone(text: &str) -> bool {
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    text.split_once('-').is_some_and(|(country, number)| {
        (1..=4).contains(&country.len()) && (4..=20).contains(&number.len()) && digits(country) && digits(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::adoption::marked;

    #[test]
    fn what_does_not_fit_is_told_and_left_alone() {
        let mut draft = Draft::new("default");
        draft.text("displayName", "Reader", is_display_name);
        draft.text("email", "", is_email);
        draft.text("mobilePhone", "86-\n1", is_phone);
        let spec = json!({"adoption": "IfUnowned", "deletionPolicy": "Retain", "displayName": "Reader"});
        assert_eq!(Value::Object(draft.spec), spec);
        assert_eq!(draft.notes, ["`mobilePhone` is left out, since it may not be what RAM has: \"86-\\n1\""]);
    }

    #[test]
    fn a_text_before_the_marker_is_never_cut() {
        // With this name a marker has 51 characters.
        let room = Room { schema: 56, ram: 128, owner_id: Some("prod") };
        let (stays, waits) = ("stays before the marker", "NoRoomForMarker");
        for (text, put, says) in [
            (String::new(), false, None),
            ("reads".to_owned(), true, None),
            ("two\nlines".to_owned(), false, Some(stays)),
            ("x [ram-operator:a:b:c]".to_owned(), false, Some(stays)),
            ("x".repeat(56), true, None),
            ("x".repeat(57), false, Some(stays)),
            ("x".repeat(76), false, Some(stays)),
            ("x".repeat(77), false, Some(waits)),
            ("\u{4e2d}".repeat(18), true, None),
            ("\u{4e2d}".repeat(19), false, Some(stays)),
        ] {
            let mut draft = Draft::new("default");
            draft.marked("comments", &text, room);
            assert_eq!(draft.spec.get("comments"), put.then(|| json!(text)).as_ref(), "{text}");
            let told = draft.notes.iter().all(|note| says.is_some_and(|says| note.contains(says)));
            assert!(told && draft.notes.len() == usize::from(says.is_some()), "{text}: {:?}", draft.notes);
            // The plan says the same of what is left out.
            let marker = Marker::of("prod", "team-a", "reader", "0a1b2c3d-1111");
            let kept = marked(&marker, None, Some(&text), room.ram);
            assert_eq!(kept.ok(), (says != Some(waits)).then(|| marker.append_to(&text)), "{text}");
        }
        // An installation whose name is not known may have the longest one.
        assert_eq!(Room { owner_id: None, ..room }.before_marker(), 60);
    }

    #[test]
    fn lists_are_sorted_and_too_much_is_not_managed() {
        let policy = |kind, name: &str| PolicyRef { kind, name: name.to_owned() };
        let mut draft = Draft::new("other");
        draft.policies(&[policy(PolicyType::Custom, "a"), policy(PolicyType::System, "b")]);
        draft.groups(&["b".to_owned(), "a".to_owned()]);
        assert_eq!(draft.spec["accountRef"], json!({"name": "other"}));
        assert_eq!(draft.spec["policies"], json!([{"type": "System", "name": "b"}, {"type": "Custom", "name": "a"}]));
        assert_eq!(draft.spec["groups"], json!([{"type": "Ram", "name": "a"}, {"type": "Ram", "name": "b"}]));
        let mut full = Draft::new("default");
        full.policies(&(0..11).map(|n| policy(PolicyType::Custom, &format!("p{n}"))).collect::<Vec<_>>());
        full.groups(&["a b".to_owned()]);
        assert_eq!((full.spec.get("policies"), full.spec.get("groups")), (None, None));
        assert!(full.notes[0].contains("Custom/p0, Custom/p1, Custom/p10, Custom/p2"), "{:?}", full.notes);
        assert!(full.notes[1].ends_with("\"a b\""), "{:?}", full.notes);
    }

    #[test]
    fn texts_are_judged_as_the_schema_does() {
        assert!(is_ram_name("_a.b-C9") && !is_ram_name("-a") && !is_ram_name("a@b") && !is_ram_name(""));
        assert!(is_policy_name("a-B9") && !is_policy_name("a.b") && !is_policy_name("-a"));
        assert!(is_email("a@b.c") && !is_email("a@b@c") && !is_email("@b") && !is_email("a b@c"));
        assert!(is_phone("86-18600008888") && !is_phone("8613") && !is_phone("86-123") && !is_phone("86-1860000x"));
        assert!(is_display_name("\u{4e2d} a") && !is_display_name("a\u{7f}") && !is_display_name(&"x".repeat(129)));
    }

    #[test]
    fn a_comment_stays_on_its_line() {
        for text in ["a\nb", "a\u{2028}b", "a\u{85}b", "a\r"] {
            assert!(word(text).chars().all(|c| !c.is_control() && c != '\u{2028}'), "{text:?}");
        }
        assert_eq!((word("a.b-c_d@e"), word("")), ("a.b-c_d@e".to_owned(), "\"\"".to_owned()));
    }
}
