//! The settings of the account about passwords, log-ons and keys: their fields, ranges and defaults.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::envelope::{Product, Refusal};
use super::network::{KeyPolicy, PolicyHistory, is_network};
use super::params::Params;
use super::state::Account;

/// LoginNetworkMasks has at most so many ranges.
const MASKS: usize = 40;
/// LoginNetworkMasks has at most so many characters.
const MASKS_LENGTH: usize = 512;

/// Which API has a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Both,
    Ram,
    Ims,
}

/// What a field may be.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Flag {
        default: bool,
    },
    Number {
        from: i64,
        to: i64,
        default: i64,
    },
    /// One of some numbers; the last one is the default.
    OneOf(&'static [i64]),
    /// One of some words; the first one is the default.
    Word(&'static [&'static str]),
    /// A JSON list of some words; empty by default.
    Words(&'static [&'static str]),
    /// Addresses and ranges joined by `;`; empty by default.
    Masks,
}

/// A field of a settings object.
#[derive(Clone, Copy, Debug)]
struct Field {
    /// Its name; RAM calls one of them otherwise.
    name: &'static str,
    of: In,
    /// The object within the answer's object that holds it; empty: none.
    place: &'static str,
    kind: Kind,
}

const fn flag(of: In, place: &'static str, name: &'static str, default: bool) -> Field {
    Field { name, of, place, kind: Kind::Flag { default } }
}

const fn number(of: In, place: &'static str, name: &'static str, range: (i64, i64), default: i64) -> Field {
    Field { name, of, place, kind: Kind::Number { from: range.0, to: range.1, default } }
}

const fn field(of: In, place: &'static str, name: &'static str, kind: Kind) -> Field {
    Field { name, of, place, kind }
}

static PASSWORD_POLICY: [Field; 13] = [
    number(In::Both, "", "MinimumPasswordLength", (8, 32), 8),
    flag(In::Both, "", "RequireLowercaseCharacters", false),
    flag(In::Both, "", "RequireUppercaseCharacters", false),
    flag(In::Both, "", "RequireNumbers", false),
    flag(In::Both, "", "RequireSymbols", false),
    flag(In::Both, "", "HardExpire", false),
    number(In::Both, "", "MaxPasswordAge", (0, 1095), 0),
    number(In::Both, "", "PasswordReusePrevention", (0, 24), 0),
    number(In::Both, "", "MaxLoginAttemps", (0, 32), 0),
    number(In::Ims, "", "MinimumPasswordDifferentCharacter", (0, 8), 0),
    flag(In::Ims, "", "PasswordNotContainUserName", false),
    number(In::Ims, "", "InitialPasswordAge", (0, 90), 14),
    flag(In::Ims, "", "InterceptRiskPasswordOnApi", false),
];

const LOGIN: &str = "LoginProfilePreference";
const KEYS: &str = "AccessKeyPreference";
const IDLE_DAYS: Kind = Kind::OneOf(&[90, 180, 365, 730]);

static SECURITY_PREFERENCE: [Field; 15] = [
    flag(In::Both, LOGIN, "EnableSaveMFATicket", false),
    flag(In::Both, LOGIN, "AllowUserToChangePassword", true),
    number(In::Both, LOGIN, "LoginSessionDuration", (1, 24), 6),
    field(In::Both, LOGIN, "LoginNetworkMasks", Kind::Masks),
    flag(In::Ims, LOGIN, "AllowUserToLoginWithPasskey", true),
    field(In::Ims, LOGIN, "MFAOperationForLogin", Kind::Word(&["independent", "adaptive", "mandatory"])),
    field(In::Ims, LOGIN, "OperationForRiskLogin", Kind::Word(&["autonomous", "enforceVerify"])),
    flag(In::Both, KEYS, "AllowUserToManageAccessKeys", false),
    flag(In::Ims, KEYS, "AllowUserToManageServiceCredentials", false),
    flag(In::Both, "MFAPreference", "AllowUserToManageMFADevices", true),
    flag(In::Ram, "PublicKeyPreference", "AllowUserToManagePublicKeys", false),
    flag(In::Ims, "PersonalInfoPreference", "AllowUserToManagePersonalDingTalk", true),
    field(In::Ims, "VerificationPreference", "VerificationTypes", Kind::Words(&["sms", "email", "mfa"])),
    field(In::Ims, "MaxIdleDays", "MaxIdleDaysForUsers", IDLE_DAYS),
    field(In::Ims, "MaxIdleDays", "MaxIdleDaysForAccessKeys", IDLE_DAYS),
];

impl Field {
    /// Its name in an API, if that API has it.
    fn name_in(&self, product: Product) -> Option<&'static str> {
        match (product, self.of) {
            (Product::Ims, In::Ram) | (Product::Ram | Product::Sts, In::Ims) => None,
            (Product::Ram | Product::Sts, _) if self.name == "HardExpire" => Some("HardExpiry"),
            _ => Some(self.name),
        }
    }
}

impl Kind {
    fn default(self) -> Value {
        match self {
            Self::Flag { default } => json!(default),
            Self::Number { default, .. } => json!(default),
            Self::OneOf(numbers) => json!(numbers.last()),
            Self::Word(words) => json!(words.first()),
            Self::Words(_) => json!([]),
            Self::Masks => json!(""),
        }
    }

    /// Reads the value of a parameter.
    fn read(self, param: &str, text: &str) -> Result<Value, Refusal> {
        let number = || text.parse::<i64>().map_err(|_| malformed(param, "a whole number"));
        match self {
            Self::Flag { .. } => boolean(param, text).map(Value::from),
            Self::Number { from, to, .. } => {
                let number = number()?;
                let fits = (from..=to).contains(&number);
                if fits { Ok(json!(number)) } else { Err(out_of_range(param, &format!("from {from} to {to}"))) }
            }
            Self::OneOf(numbers) => {
                let number = number()?;
                let fits = numbers.contains(&number);
                if fits { Ok(json!(number)) } else { Err(out_of_range(param, &format!("one of {numbers:?}"))) }
            }
            Self::Word(words) => {
                if words.contains(&text) {
                    return Ok(json!(text));
                }
                Err(malformed(param, &words.join(" or ")))
            }
            Self::Words(words) => {
                let list = serde_json::from_str::<Vec<String>>(text).ok();
                let list = list.filter(|list| list.iter().all(|word| words.contains(&word.as_str())));
                list.map(Value::from).ok_or_else(|| malformed(param, &format!("a JSON list of {}", words.join(", "))))
            }
            Self::Masks => masks(param, text),
        }
    }
}

/// Reads a boolean, as RAM writes it.
pub fn boolean(param: &str, text: &str) -> Result<bool, Refusal> {
    text.parse().map_err(|_| malformed(param, "true or false"))
}

fn masks(param: &str, text: &str) -> Result<Value, Refusal> {
    if text.len() > MASKS_LENGTH || text.split(';').count() > MASKS {
        return Err(out_of_range(param, &format!("at most {MASKS} ranges in {MASKS_LENGTH} characters")));
    }
    if text.split(';').all(is_network) {
        return Ok(json!(text));
    }
    Err(malformed(param, "addresses and ranges joined by ;"))
}

fn malformed(param: &str, form: &str) -> Refusal {
    Refusal::invalid(&format!("{param}.Format"), &format!("The {param} must be {form}."))
}

fn out_of_range(param: &str, range: &str) -> Refusal {
    Refusal::invalid(&format!("{param}.Range"), &format!("The {param} must be {range}."))
}

/// A settings object: all its fields with their values.
#[derive(Clone, Debug)]
pub struct Rules {
    fields: &'static [Field],
    /// By the field's own name.
    values: BTreeMap<&'static str, Value>,
}

impl Rules {
    fn defaults(fields: &'static [Field]) -> Self {
        Self { fields, values: fields.iter().map(|field| (field.name, field.kind.default())).collect() }
    }

    /// What a call makes of it: a field that is not sent keeps its value or falls back to its default. Those that the API lacks keep theirs.
    pub fn changed(&self, product: Product, params: &Params, resets: bool) -> Result<Self, Refusal> {
        let mut changed = self.clone();
        for field in self.fields {
            let Some(name) = field.name_in(product) else {
                continue;
            };
            if let Some(text) = params.some(name) {
                changed.values.insert(field.name, field.kind.read(name, text)?);
            } else if resets {
                changed.values.insert(field.name, field.kind.default());
            }
        }
        Ok(changed)
    }

    /// The object as an API shows it.
    pub fn shown(&self, product: Product) -> Value {
        let mut shown = Map::new();
        for field in self.fields {
            let (Some(name), Some(value)) = (field.name_in(product), self.values.get(field.name)) else {
                continue;
            };
            if field.place.is_empty() {
                shown.insert(name.to_owned(), value.clone());
            } else {
                let inner = shown.entry(field.place).or_insert_with(|| json!({}));
                inner[name] = json!(value);
            }
        }
        Value::Object(shown)
    }

    fn value(&self, name: &str) -> &Value {
        self.values.get(name).unwrap_or_else(|| panic!("there is no field {name}"))
    }

    /// A field that is a boolean.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name).as_bool().expect("a boolean")
    }

    /// A field that is a number.
    pub fn number(&self, name: &str) -> i64 {
        self.value(name).as_i64().expect("a number")
    }
}

/// The account's settings beside its name.
#[derive(Clone, Debug)]
pub struct AccountRules {
    /// The password policy.
    pub passwords: Rules,
    /// The security preference.
    pub preference: Rules,
    /// The network policy of all keys that have none of their own.
    pub key_policy: PolicyHistory,
}

impl Default for AccountRules {
    fn default() -> Self {
        Self {
            passwords: Rules::defaults(&PASSWORD_POLICY),
            preference: Rules::defaults(&SECURITY_PREFERENCE),
            key_policy: PolicyHistory::default(),
        }
    }
}

impl AccountRules {
    /// Whether every user has to log on with MFA.
    pub fn mfa_for_all(&self) -> bool {
        self.preference.value("MFAOperationForLogin") == "mandatory"
    }

    /// Sets MFAOperationForLogin as EnforceMFAForLogin, its forerunner, says.
    pub fn enforce_mfa(&mut self, enforced: bool) {
        let operation = if enforced { "mandatory" } else { "independent" };
        self.preference.values.insert("MFAOperationForLogin", json!(operation));
    }

    /// The security preference as an API shows it, in IMS with EnforceMFAForLogin.
    pub fn preference_shown(&self, product: Product) -> Value {
        let mut shown = self.preference.shown(product);
        if product == Product::Ims {
            shown[LOGIN]["EnforceMFAForLogin"] = json!(self.mfa_for_all());
        }
        shown
    }
}

impl Account {
    /// The network policy that decides where a long-lived key may be used: its own or the account's.
    pub fn network_policy(&self, key_id: &str, inactive_replaces: bool) -> Option<&KeyPolicy> {
        let own = self.keys.get(key_id)?.policy();
        own.filter(|policy| policy.active || inactive_replaces).or_else(|| self.rules.key_policy.in_force())
    }
}
