//! The network policy of a key, or of all keys of the account: from which addresses they may be used.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::clock::before;
use super::envelope::Refusal;
use super::options::Options;

/// The `Value` that stands for every VPC; its addresses are then [`EVERYWHERE`].
const ANY_VPC: &str = "AllowAllVPC";
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// A policy in good order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Whether it is in force.
    pub active: bool,
    /// As IMS shows it.
    pub document: String,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// The VPC whose requests it lets in; without one it is about the public network.
    vpc: Option<String>,
    networks: Vec<Network>,
}

/// A range of addresses, or one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Network {
    base: IpAddr,
    prefix: u32,
}

impl KeyPolicy {
    /// Reads a document, as strictly as IMS describes it.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let mut fields = match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => fields,
            _ => return Err(malformed("is no JSON object")),
        };
        if *fields.entry("Version").or_insert_with(|| json!(1)) != json!(1) {
            return Err(malformed("has a Version other than 1"));
        }
        only(&fields, &["Version", "Status", "Statements"])?;
        let active = match fields.get("Status").and_then(Value::as_str) {
            Some("Active") => true,
            Some("Inactive") => false,
            _ => return Err(malformed("has no Status, Active or Inactive")),
        };
        let Some(Value::Array(statements)) = fields.get("Statements") else {
            return Err(malformed("has no list of Statements, which may be empty"));
        };
        let rules = statements.iter().map(rule).collect::<Result<_, _>>()?;
        Ok(Self { active, rules, document: Value::Object(fields).to_string() })
    }

    /// Whether it has no more rules and addresses than the account allows.
    pub fn within_quotas(&self, options: &Options) -> Result<(), Refusal> {
        if self.rules.len() > options.key_policy_statements {
            return Err(Refusal::limit("AccessKeyPolicy.Condition"));
        }
        let addresses: usize = self.rules.iter().map(|rule| rule.networks.len()).sum();
        if addresses > options.key_policy_addresses {
            return Err(Refusal::limit("AccessKeyPolicy.IPItem"));
        }
        Ok(())
    }

    /// The same policy in other words: everything in reverse order, and addresses in their shortest form.
    pub fn rewritten(self) -> Self {
        let statement = |rule: &Rule| {
            let addresses: Vec<String> = rule.networks.iter().rev().map(ToString::to_string).collect();
            match &rule.vpc {
                None => json!({"Type": "ClassicWhiteList", "IPList": addresses}),
                Some(vpc) => json!({"Type": "VPCWhiteList", "Value": vpc, "IPList": addresses}),
            }
        };
        let statements: Vec<Value> = self.rules.iter().rev().map(statement).collect();
        let document = json!({"Version": 1, "Status": self.status(), "Statements": statements}).to_string();
        Self { document, ..self }
    }

    /// Whether a request from this public address may use the key.
    pub fn lets_in(&self, source: IpAddr) -> bool {
        let mut public = self.rules.iter().filter(|rule| rule.vpc.is_none()).flat_map(|rule| &rule.networks);
        !self.active || public.any(|network| network.contains(source))
    }

    fn status(&self) -> &'static str {
        if self.active { "Active" } else { "Inactive" }
    }
}

/// Network policies and when they were set, oldest first; only as many as a lag of them needs.
#[derive(Clone, Debug, Default)]
pub struct PolicyHistory(Vec<(Timestamp, KeyPolicy)>);

impl PolicyHistory {
    /// The policy in force, if one was ever set.
    pub fn in_force(&self) -> Option<&KeyPolicy> {
        self.0.last().map(|(_, policy)| policy)
    }

    /// The policy as it was `lag` ago.
    pub fn shown(&self, now: Timestamp, lag: Duration) -> Option<&KeyPolicy> {
        let shown = before(now, lag);
        self.0.iter().rev().find(|(time, _)| lag.is_zero() || *time <= shown).map(|(_, policy)| policy)
    }

    /// Sets the policy.
    pub fn set(&mut self, policy: KeyPolicy, now: Timestamp, lag: Duration) {
        let shown = before(now, lag);
        let visible = self.0.partition_point(|(time, _)| *time <= shown);
        self.0.drain(..visible.saturating_sub(1));
        self.0.push((now, policy));
    }
}

/// Whether this is an address or a range of addresses, of IPv4 or IPv6.
pub fn is_network(text: &str) -> bool {
    Network::read(text).is_some()
}

/// `Active 192.0.2.10,198.51.100.0/24 vpc-a:10.0.0.0/8`.
impl fmt::Display for KeyPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status())?;
        for rule in &self.rules {
            let addresses: Vec<String> = rule.networks.iter().map(ToString::to_string).collect();
            let vpc = rule.vpc.as_ref().map(|vpc| format!("{vpc}:")).unwrap_or_default();
            write!(f, " {vpc}{}", addresses.join(","))?;
        }
        Ok(())
    }
}

fn malformed(what: &str) -> Refusal {
    Refusal::invalid("AccessKeyPolicy", &format!("The AccessKeyPolicy {what}."))
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(malformed(&format!("has an unknown field: {name}"))),
        None => Ok(()),
    }
}

fn rule(statement: &Value) -> Result<Rule, Refusal> {
    let Value::Object(fields) = statement else {
        return Err(malformed("has a statement that is no object"));
    };
    only(fields, &["Type", "Value", "IPList"])?;
    let value = fields.get("Value");
    let vpc = match (fields.get("Type").and_then(Value::as_str), value.and_then(Value::as_str)) {
        (Some("ClassicWhiteList"), _) if value.is_none() => None,
        (Some("ClassicWhiteList"), _) => return Err(malformed("has a Value in a ClassicWhiteList")),
        (Some("VPCWhiteList"), Some(vpc)) if vpc == ANY_VPC || is_vpc(vpc) => Some(vpc.to_owned()),
        (Some("VPCWhiteList"), _) => return Err(malformed("has no id of a VPC in the Value of a VPCWhiteList")),
        _ => return Err(malformed("has a Type other than ClassicWhiteList and VPCWhiteList")),
    };
    let Some(Value::Array(list)) = fields.get("IPList").filter(|list| **list != json!([])) else {
        return Err(malformed("has a statement without IPList"));
    };
    let network = |item: &Value| item.as_str().and_then(Network::read);
    let networks: Option<Vec<Network>> = list.iter().map(network).collect();
    let networks = networks.ok_or_else(|| malformed("has neither address nor range in an IPList"))?;
    if vpc.as_deref() == Some(ANY_VPC) {
        let named: BTreeSet<String> = networks.iter().map(ToString::to_string).collect();
        if named != BTreeSet::from(EVERYWHERE.map(str::to_owned)) {
            return Err(malformed("must have the IPList 0.0.0.0/0 and ::/0 for AllowAllVPC"));
        }
    }
    Ok(Rule { vpc, networks })
}

fn is_vpc(text: &str) -> bool {
    let id = text.strip_prefix("vpc-").unwrap_or_default();
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Network {
    /// Reads `<address>` or `<address>/<prefix>`, of IPv4 or IPv6.
    fn read(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let prefix = match prefix {
            None => bits(address),
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        (prefix <= bits(address)).then(|| Self { base: first(address, prefix), prefix })
    }

    fn contains(&self, address: IpAddr) -> bool {
        bits(address) == bits(self.base) && first(address, self.prefix) == self.base
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == bits(self.base) {
            return fmt::Display::fmt(&self.base, f);
        }
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first address of the range of that prefix that `address` is in. The prefix fits the address.
fn first(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from_bits(address.to_bits() & u32::MAX.checked_shl(32 - prefix).unwrap_or(0)).into()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)).into()
        }
    }
}
