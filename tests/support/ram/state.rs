//! The account: its users, keys, policies, groups, roles and sessions, and what the emulator keeps beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bin::RecycleBin;
use super::clock::before;
use super::envelope::Refusal;
use super::faults::Faults;
use super::groups::Group;
use super::journal::Journal;
use super::limits::Buckets;
use super::logon::LoginProfile;
use super::mfa::Device;
use super::network::{KeyPolicy, PolicyHistory};
use super::options::{Options, RolePreset, Trust};
use super::policies::Policy;
use super::rules::AccountRules;

/// `count` random decimal digits, at most 30.
pub fn digits(count: u32) -> String {
    let number = Uuid::new_v4().as_u128() % 10_u128.pow(count);
    format!("{number:0width$}", width = usize::try_from(count).expect("a small number"))
}

/// `count` random characters of `0-9a-f`, at most 32.
pub fn token(count: usize) -> String {
    let mut text = Uuid::new_v4().simple().to_string();
    text.truncate(count);
    text
}

/// A secret that a scan for leaks recognises: 30 letters and digits that begin with `s3cr3t`.
pub fn secret() -> String {
    format!("s3cr3t{}", token(24))
}

/// Kind of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyType {
    /// Made by Alibaba Cloud.
    System,
    /// Made in the account.
    Custom,
}

impl PolicyType {
    /// The wire form.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Custom => "Custom",
        }
    }

    /// Reads the wire form.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        match text {
            "System" => Ok(Self::System),
            "Custom" => Ok(Self::Custom),
            _ => Err(Refusal::invalid("PolicyType", "The PolicyType must be System or Custom.")),
        }
    }
}

/// A policy attached to a user, group or role.
#[derive(Clone, Debug)]
pub struct Attachment {
    pub kind: PolicyType,
    /// In the policy's own spelling.
    pub name: String,
    pub date: Timestamp,
}

impl Attachment {
    /// Whether this attaches that policy; names are compared without case.
    pub fn is(&self, kind: PolicyType, name: &str) -> bool {
        self.kind == kind && self.name.eq_ignore_ascii_case(name)
    }
}

/// A RAM user.
#[derive(Clone, Debug)]
pub struct User {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub comments: String,
    pub email: String,
    pub mobile_phone: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Ids, in order of creation.
    pub keys: Vec<String>,
    pub policies: Vec<Attachment>,
    /// Keys of [`Account::groups`] and when the user joined.
    pub groups: Vec<(String, Timestamp)>,
    /// The console log-on.
    pub login_profile: Option<LoginProfile>,
    /// SerialNumber of the bound device.
    pub mfa_device: Option<String>,
    /// When a policy was last detached.
    pub detached: Option<Timestamp>,
    /// When the user last left a group.
    pub left: Option<Timestamp>,
}

/// An AccessKey of a user.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub user_id: String,
    pub active: bool,
    /// The account's first key, which works from the start.
    pub preset: bool,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Uses and the product used, oldest first; only as many as a lag of last-used data needs.
    pub uses: Vec<(Timestamp, &'static str)>,
    /// Network policies.
    pub policies: PolicyHistory,
}

impl Key {
    /// The network policy in force, if one was ever set.
    pub fn policy(&self) -> Option<&KeyPolicy> {
        self.policies.in_force()
    }

    /// The network policy as it was `lag` ago.
    pub fn shown_policy(&self, now: Timestamp, lag: Duration) -> Option<&KeyPolicy> {
        self.policies.shown(now, lag)
    }

    /// Sets the network policy.
    pub fn set_policy(&mut self, policy: KeyPolicy, now: Timestamp, lag: Duration) {
        self.policies.set(policy, now, lag);
    }
}

/// A role.
#[derive(Clone, Debug)]
pub struct Role {
    pub id: String,
    pub name: String,
    pub policies: Vec<Attachment>,
    pub trust: Trust,
    pub external_id: Option<String>,
    pub max_session_duration: i64,
}

/// Temporary credentials of a role.
#[derive(Clone, Debug)]
pub struct Session {
    pub key_id: String,
    pub secret: String,
    pub token: String,
    pub role: String,
    pub role_id: String,
    pub name: String,
    pub expires: Timestamp,
}

/// Who signed a call.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody; only AssumeRoleWithOIDC may be called so.
    Anonymous,
    /// A RAM user, by one of its keys.
    User { user_id: String, key_id: String },
    /// A session of a role.
    Role(Session),
}

/// Everything that belongs to the account.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: String,
    pub alias: Option<String>,
    fold_names: bool,
    /// What is deleted goes into the bin.
    recycles: bool,
    pub bin: RecycleBin,
    /// By UserId.
    pub users: BTreeMap<String, User>,
    by_name: BTreeMap<String, String>,
    /// By AccessKeyId.
    pub keys: HashMap<String, Key>,
    /// By name as [`Account::fold`] returns it.
    pub groups: BTreeMap<String, Group>,
    /// By type and lower-case name.
    pub policies: BTreeMap<(PolicyType, String), Policy>,
    /// By lower-case name.
    pub roles: BTreeMap<String, Role>,
    /// By temporary AccessKeyId.
    pub sessions: HashMap<String, Session>,
    /// Virtual MFA devices, by SerialNumber as [`Account::fold`] returns it.
    pub devices: BTreeMap<String, Device>,
    pub rules: AccountRules,
    /// Everything secret that was ever made.
    pub secrets: Vec<String>,
    /// Keys in order of creation, the preset one excepted; the first has number 1.
    pub key_numbers: HashMap<String, usize>,
}

impl Account {
    fn new(options: &Options, now: Timestamp) -> Self {
        let mut account = Self {
            id: options.account_id.clone(),
            alias: options.alias.clone(),
            fold_names: options.case_insensitive_names,
            recycles: options.recycle_bin,
            bin: RecycleBin::default(),
            users: BTreeMap::new(),
            by_name: BTreeMap::new(),
            keys: HashMap::new(),
            groups: BTreeMap::new(),
            policies: system_policies(now),
            roles: BTreeMap::new(),
            sessions: HashMap::new(),
            devices: BTreeMap::new(),
            rules: AccountRules::default(),
            secrets: Vec::new(),
            key_numbers: HashMap::new(),
        };
        for role in &options.roles {
            account.add_role(role, now);
        }
        if let Some(name) = options.ecs_role.as_ref().filter(|name| !account.roles.contains_key(&name.to_lowercase())) {
            account.add_role(&RolePreset::new(name, Trust::Ecs), now);
        }
        account
    }

    /// The default domain, the part of a UserPrincipalName after the `@`.
    pub fn domain(&self) -> String {
        format!("{}.onaliyun.com", self.alias.as_ref().unwrap_or(&self.id))
    }

    /// UserPrincipalName of a user.
    pub fn upn(&self, user: &User) -> String {
        format!("{}@{}", user.name, self.domain())
    }

    /// A user or group name in the form in which names are compared.
    pub fn fold(&self, name: &str) -> String {
        if self.fold_names { name.to_lowercase() } else { name.to_owned() }
    }

    /// The user of that name.
    pub fn user_named(&self, name: &str) -> Option<&User> {
        self.users.get(self.by_name.get(&self.fold(name))?)
    }

    /// All users, by name.
    pub fn users_by_name(&self) -> impl Iterator<Item = (&String, &User)> {
        self.by_name.iter().filter_map(|(name, id)| Some((name, self.users.get(id)?)))
    }

    /// Makes a user without checks.
    pub fn add_user(&mut self, name: &str, now: Timestamp) -> &mut User {
        let id = format!("2{}", digits(17));
        self.by_name.insert(self.fold(name), id.clone());
        self.users.entry(id.clone()).or_insert_with(|| User {
            id,
            name: name.to_owned(),
            display_name: String::new(),
            comments: String::new(),
            email: String::new(),
            mobile_phone: String::new(),
            created: now,
            updated: now,
            keys: Vec::new(),
            policies: Vec::new(),
            groups: Vec::new(),
            login_profile: None,
            mfa_device: None,
            detached: None,
            left: None,
        })
    }

    /// Gives a user another name without checks.
    pub fn rename_user(&mut self, id: &str, name: &str) {
        let folded = self.fold(name);
        if let Some(user) = self.users.get_mut(id) {
            self.by_name.retain(|_, owner| owner != id);
            self.by_name.insert(folded, id.to_owned());
            name.clone_into(&mut user.name);
        }
    }

    /// Takes a user away with everything of it.
    pub fn remove_user(&mut self, id: &str, now: Timestamp) {
        self.unbind(id);
        if let Some(mut user) = self.users.remove(id) {
            self.by_name.retain(|_, owner| owner != id);
            for key in std::mem::take(&mut user.keys) {
                self.remove_key(&key, now);
            }
            if self.recycles {
                self.bin.add_user(user, now);
            }
        }
    }

    /// Makes a key for a user that exists; a pair given is the account's preset one.
    pub fn add_key(&mut self, user_id: &str, pair: Option<(String, String)>, now: Timestamp) -> Key {
        let preset = pair.is_some();
        let (id, secret) = pair.unwrap_or_else(|| (format!("LTAI{}", token(20).to_uppercase()), secret()));
        let key = Key {
            id: id.clone(),
            secret: secret.clone(),
            user_id: user_id.to_owned(),
            active: true,
            preset,
            created: now,
            updated: now,
            uses: Vec::new(),
            policies: PolicyHistory::default(),
        };
        self.secrets.push(secret);
        if !preset {
            self.key_numbers.insert(id.clone(), self.key_numbers.len() + 1);
        }
        if let Some(user) = self.users.get_mut(user_id) {
            user.keys.push(id.clone());
        }
        self.keys.insert(id, key.clone());
        key
    }

    /// Takes a key away.
    pub fn remove_key(&mut self, id: &str, now: Timestamp) {
        if let Some(mut key) = self.keys.remove(id) {
            if let Some(user) = self.users.get_mut(&key.user_id) {
                user.keys.retain(|other| other != id);
            }
            if self.recycles {
                key.active = false;
                self.bin.add_key(key, now);
            }
        }
    }

    /// Brings a key back from the recycle bin, disabled and without a look at quotas; `false` if it is not there or its user is gone.
    pub fn restore_key(&mut self, id: &str, now: Timestamp) -> bool {
        let Some(owner) = self.bin.key(id, now).map(|key| key.what.user_id.clone()) else {
            return false;
        };
        let Some(user) = self.users.get_mut(&owner) else {
            return false;
        };
        let Some(key) = self.bin.take_key(id) else {
            return false;
        };
        let younger = |other: &String| self.keys.get(other).is_some_and(|other| other.created > key.created);
        let place = user.keys.iter().position(younger).unwrap_or(user.keys.len());
        user.keys.insert(place, id.to_owned());
        self.keys.insert(id.to_owned(), Key { updated: now, ..key });
        true
    }

    /// The policy of that type and name, in any case.
    pub fn policy(&self, kind: PolicyType, name: &str) -> Option<&Policy> {
        self.policies.get(&(kind, name.to_lowercase()))
    }

    /// Makes or replaces a role.
    pub fn add_role(&mut self, preset: &RolePreset, now: Timestamp) {
        let attach = |name: &String| Attachment { kind: PolicyType::System, name: name.clone(), date: now };
        let role = Role {
            id: format!("3{}", digits(17)),
            name: preset.name.clone(),
            policies: preset.policies.iter().map(attach).collect(),
            trust: preset.trust.clone(),
            external_id: preset.external_id.clone(),
            max_session_duration: preset.max_session_duration,
        };
        if let Trust::Oidc(trust) = &preset.trust {
            self.secrets.extend(trust.tokens.iter().cloned());
        }
        self.roles.insert(preset.name.to_lowercase(), role);
    }

    /// Makes temporary credentials.
    pub fn add_session(&mut self, role: &Role, name: &str, expires: Timestamp) -> Session {
        let session = Session {
            key_id: format!("STS.{}", token(25).to_uppercase()),
            secret: secret(),
            token: format!("CAIS{}+{}/=", secret(), secret()),
            role: role.name.clone(),
            role_id: role.id.clone(),
            name: name.to_owned(),
            expires,
        };
        self.secrets.extend([session.secret.clone(), session.token.clone()]);
        self.sessions.insert(session.key_id.clone(), session.clone());
        session
    }

    /// The policies that decide what a caller may do: its own and those of its groups.
    pub fn policies_of(&self, caller: &Caller) -> Vec<&Attachment> {
        match caller {
            Caller::Anonymous => Vec::new(),
            Caller::Role(session) => self
                .roles
                .get(&session.role.to_lowercase())
                .map_or_else(Vec::new, |role| role.policies.iter().collect()),
            Caller::User { user_id, .. } => self.users.get(user_id).map_or_else(Vec::new, |user| {
                let joined = user.groups.iter().filter_map(|(group, _)| self.groups.get(group));
                user.policies.iter().chain(joined.flat_map(|group| &group.policies)).collect()
            }),
        }
    }
}

/// Settings that change while the emulator runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub read_lag: Duration,
    pub new_key_refused_for: Duration,
    pub delete_conflict_for: Duration,
}

/// Everything behind the one lock.
#[derive(Debug)]
pub struct State {
    pub account: Account,
    pub settings: Settings,
    /// How the account was after each write, oldest first; kept only while reads lag.
    past: VecDeque<(Timestamp, Account)>,
    pub nonces: HashSet<String>,
    pub nonce_times: VecDeque<(Timestamp, String)>,
    pub metadata_tokens: HashMap<String, Timestamp>,
    pub buckets: Buckets,
    pub faults: Faults,
    pub journal: Journal,
    /// Actions refused to everybody.
    pub denied: BTreeSet<String>,
}

impl State {
    /// A fresh account with its first user and key.
    pub fn new(options: &Options, first_key: (String, String), now: Timestamp) -> Self {
        let mut account = Account::new(options, now);
        let user = account.add_user("ram-operator", now);
        for name in ["AliyunRAMFullAccess", "AliyunSTSAssumeRoleAccess"] {
            user.policies.push(Attachment { kind: PolicyType::System, name: name.to_owned(), date: now });
        }
        let id = user.id.clone();
        account.add_key(&id, Some(first_key), now);
        Self {
            account,
            settings: Settings::default(),
            past: VecDeque::new(),
            nonces: HashSet::new(),
            nonce_times: VecDeque::new(),
            metadata_tokens: HashMap::new(),
            buckets: Buckets::default(),
            faults: Faults::default(),
            journal: Journal::default(),
            denied: BTreeSet::new(),
        }
    }

    /// Makes reads show the account as it was `lag` ago, but never as it was before this call.
    pub fn set_read_lag(&mut self, lag: Duration) {
        self.settings.read_lag = lag;
        self.past.clear();
        if !lag.is_zero() {
            self.past.push_back((Timestamp::MIN, self.account.clone()));
        }
    }

    /// To be called after every write.
    pub fn changed(&mut self, now: Timestamp) {
        if !self.settings.read_lag.is_zero() {
            self.past.push_back((now, self.account.clone()));
        }
    }

    /// The account as a read sees it.
    pub fn seen(&mut self, now: Timestamp) -> &Account {
        let shown = before(now, self.settings.read_lag);
        while self.past.get(1).is_some_and(|(time, _)| *time <= shown) {
            self.past.pop_front();
        }
        self.past.front().map_or(&self.account, |(_, account)| account)
    }

    /// Notes the use of a key.
    pub fn used(&mut self, caller: &Caller, product: &'static str, now: Timestamp, lag: Duration) {
        let Caller::User { key_id, .. } = caller else {
            return;
        };
        if let Some(key) = self.account.keys.get_mut(key_id) {
            let shown = before(now, lag);
            let visible = key.uses.partition_point(|(time, _)| *time <= shown);
            key.uses.drain(..visible.saturating_sub(1));
            let again = |(time, other): &(Timestamp, &'static str)| {
                *other == product && now.duration_since(*time) < SignedDuration::from_secs(1)
            };
            if lag.is_zero() || !key.uses.last().is_some_and(again) {
                key.uses.push((now, product));
            }
        }
    }
}

/// The system policies that exist in every account, with documents in RAM's grammar.
fn system_policies(now: Timestamp) -> BTreeMap<(PolicyType, String), Policy> {
    let ots_read = [
        "ots:BatchGet*",
        "ots:Describe*",
        "ots:Get*",
        "ots:List*",
        "ots:Consume*",
        "ots:Search",
        "ots:ComputeSplitPointsBySize",
    ];
    let ots_write = ["ots:Create*", "ots:Insert*", "ots:Put*", "ots:Update*", "ots:Delete*", "ots:BatchWrite*"];
    let policies: [(&str, &str, Value); 10] = [
        ("AdministratorAccess", "Provides full access to Alibaba Cloud services and resources.", json!("*")),
        ("AliyunOSSFullAccess", "Provides full access to Object Storage Service.", json!(["oss:*"])),
        (
            "AliyunOSSReadOnlyAccess",
            "Provides read-only access to Object Storage Service.",
            json!(["oss:Get*", "oss:List*"]),
        ),
        ("AliyunOTSFullAccess", "Provides full access to Tablestore.", json!(["ots:*"])),
        ("AliyunOTSReadOnlyAccess", "Provides read-only access to Tablestore.", json!(ots_read)),
        ("AliyunOTSWriteOnlyAccess", "Provides write-only access to Tablestore.", json!(ots_write)),
        ("AliyunRAMFullAccess", "Provides full access to Resource Access Management.", json!(["ram:*", "ims:*"])),
        (
            "AliyunRAMReadOnlyAccess",
            "Provides read-only access to Resource Access Management.",
            json!(["ram:Get*", "ram:List*"]),
        ),
        ("AliyunSTSAssumeRoleAccess", "Provides access to the AssumeRole action of STS.", json!(["sts:AssumeRole"])),
        (
            "ReadOnlyAccess",
            "Provides read-only access to Alibaba Cloud services and resources.",
            json!(["*:Get*", "*:List*", "*:Describe*"]),
        ),
    ];
    let policy = |(name, description, action): (&str, &str, Value)| {
        let document = json!({"Version": "1", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]});
        let policy = Policy::new(PolicyType::System, name, description, &document.to_string(), now);
        (policy.key(), policy)
    };
    policies.into_iter().map(policy).collect()
}
