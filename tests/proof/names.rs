//! Small numbers in the model, real names and times in what the plan sees.

use jiff::Timestamp;
use ram_operator::plan::timing;

pub const MIN: i64 = 60;
pub const HOUR: i64 = 60 * MIN;
pub const DAY: i64 = 24 * HOUR;

pub const MINT_WINDOW: i64 = timing::MINT_WINDOW.as_secs() as i64;
pub const CLOCK: i64 = timing::CLOCK_TOLERANCE.as_secs() as i64;
pub const READ_LAG: i64 = timing::READ_LAG.as_secs() as i64;
pub const PUBLISH_BOUND: i64 = timing::PUBLISH_BOUND.as_secs() as i64;
pub const USE_LAG: i64 = timing::USE_LAG.as_secs() as i64;
pub const STRAY_QUIET: i64 = timing::STRAY_QUIET.as_secs() as i64;
pub const LATER: i64 = timing::LATER.as_secs() as i64;
/// RAM reports a use after this time.
pub const REPORT: i64 = 2 * HOUR;
/// A deletion that does not succeed is handed over after this time.
pub const PATIENCE: i64 = 30;
pub const SLOTS: usize = timing::KEYS_PER_USER;
pub const MAX_INTENTS: usize = timing::MAX_INTENTS;
/// Steps that one pass may take.
pub const MAX_STEPS: u8 = 16;

pub const ACCOUNT: &str = "1";
pub const OWNER: &str = "prod";
pub const NAMESPACE: &str = "team-a";
pub const USER: &str = "reader";
pub const USER_NAME: &str = "team-a.reader";

/// The instant at which every world begins.
const BASE: i64 = 1_800_000_000;

pub fn ts(time: i64) -> Timestamp {
    Timestamp::from_second(BASE + time).expect("a time")
}

pub fn back(time: Timestamp) -> i64 {
    time.as_second() - BASE
}

fn number(name: &str, prefix: &str) -> u8 {
    let digits = name.strip_prefix(prefix).and_then(|digits| digits.parse().ok());
    digits.unwrap_or_else(|| panic!("{name} does not begin with {prefix}"))
}

/// The name of a key; the values of requests by annotation look the same.
pub fn key_name(id: u8) -> String {
    format!("LTAIk{id}")
}

pub fn key_id(name: &str) -> u8 {
    number(name, "LTAIk")
}

pub fn intent_name(id: u8) -> String {
    format!("intent{id}")
}

pub fn intent_id(name: &str) -> u8 {
    number(name, "intent")
}

/// RAM's `UserId`; 0 stands for none.
pub fn user_id(id: u8) -> String {
    if id == 0 { String::new() } else { format!("user{id}") }
}

pub fn user_number(name: &str) -> u8 {
    if name.is_empty() { 0 } else { number(name, "user") }
}

/// The uid of an object: eight characters, as markers have them.
pub fn uid_name(uid: u8) -> String {
    format!("uid{uid:05}")
}

pub fn object_name(index: u8) -> String {
    format!("key{index}")
}

pub fn object_number(name: &str) -> u8 {
    number(name, "key")
}

pub fn order_name(uid: u8) -> String {
    format!("order{uid}")
}
