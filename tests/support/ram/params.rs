//! Parameters of a call, from the query string and a form body.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::envelope::Refusal;

/// Everything but the unreserved characters `A-Z a-z 0-9 - _ . ~` is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Parameters that never enter the journal.
const SECRET: [&str; 9] = [
    "AccessKeySecret",
    "AuthenticationCode1",
    "AuthenticationCode2",
    "NewPassword",
    "OIDCToken",
    "OldPassword",
    "Password",
    "SecurityToken",
    "Signature",
];

/// Percent-encoding as both signature versions want it.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The parameters by name; of a name given twice the last value counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads a query string or form body; `None` if it is not UTF-8.
    pub fn parse(text: &str) -> Option<Self> {
        let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8().ok().map(Cow::into_owned);
        text.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name)?, decode(value)?))
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Both sets as one.
    pub fn and(&self, other: &Self) -> Self {
        let mut all = self.0.clone();
        all.extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        Self(all)
    }

    /// The value, which may be empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value if it is there and not empty.
    pub fn some(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The value, or the refusal `Missing<Name>`.
    pub fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.some(name)
            .ok_or_else(|| Refusal::new(400, format!("Missing{name}"), format!("{name} is mandatory for this action.")))
    }

    /// `name=value` joined with `&`, encoded, in byte order of the names, without `except`.
    pub fn canonical(&self, except: &str) -> String {
        let pairs: Vec<_> = self
            .0
            .iter()
            .filter(|(name, _)| *name != except)
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        pairs.join("&")
    }

    /// What may be shown of the parameters.
    pub fn public(&self) -> BTreeMap<String, String> {
        self.0
            .iter()
            .filter(|(name, _)| !SECRET.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Params {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}
