//! An emulator of Alibaba Cloud RAM: RAM 2015-05-01, IMS 2019-08-15, STS 2015-04-01 and the ECS metadata service on one listener.
//!
//! It speaks HTTP, checks both signature versions, and is as strict as RAM about names, quotas and the order of deletion. It knows nothing of the
//! client it tests. A call takes this way:
//!
//! `listener` reads it -> hook ([`Phase::Before`]) -> injected faults -> signature, source, permission, rate, effect and journal entry under one lock
//! -> hook ([`Phase::After`]) -> reply.
//!
//! The actions are functions from the account and the parameters to an answer (`actions`). What RAM does not document can be chosen by
//! [`Options`].
#![allow(dead_code, unused_imports, reason = "each program that includes the emulator uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a wrong test may end at once"
)]

mod actions;
mod bin;
mod clock;
mod document;
mod envelope;
mod faults;
mod gateway;
mod groups;
mod journal;
mod limits;
mod listener;
mod logon;
mod metadata;
mod mfa;
mod network;
mod options;
mod params;
mod permissions;
mod person;
mod person_logon;
mod person_policies;
mod policies;
mod policy_views;
mod rules;
mod snapshot;
mod snapshot_logon;
mod state;
pub mod verify;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::clock::EmuClock;
pub use self::envelope::Product;
pub use self::faults::{CallInfo, Fault, FaultKind, Hook, Outcome, Phase};
pub use self::journal::Call;
pub use self::logon::Logon;
pub use self::mfa::BoundBy;
pub use self::options::{NeverForm, OidcTrust, Options, RolePreset, Trust};
pub use self::params::Params;
pub use self::person::Person;
pub use self::policy_views::{GroupView, PolicyView, VersionView};
pub use self::snapshot::{KeyView, Snapshot, UserView};
pub use self::snapshot_logon::{DeviceView, LogonView, SettingsView};

use self::gateway::Gateway;

/// A running emulator. Dropping it closes the listener, all connections, and all calls that have not taken effect.
pub struct Emulator {
    gateway: Arc<Gateway>,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Emulator {
    /// Starts on a free port of 127.0.0.1. Panics if there is none.
    pub async fn start(options: Options) -> Self {
        Self::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options).await.expect("a free port on 127.0.0.1")
    }

    /// Starts on an address.
    pub async fn listen(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let gateway = Arc::new(Gateway::new(options));
        let stop = CancellationToken::new();
        tokio::spawn(listener::accept(listener, gateway.clone(), stop.clone()));
        Ok(Self { gateway, address, stop })
    }

    /// `http://<address>:<port>`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Number of the account.
    pub fn account_id(&self) -> String {
        self.gateway.options.account_id.clone()
    }

    /// Id and secret of the account's first key, of the RAM user `ram-operator`, which may do everything in RAM and call AssumeRole unless
    /// a [`Person`] changes its policies.
    pub fn access_key(&self) -> (String, String) {
        self.gateway.first_key.clone()
    }

    /// The clock of the account.
    pub fn clock(&self) -> EmuClock {
        self.gateway.options.clock.clone()
    }

    /// All calls, in the order in which they took effect or were refused.
    pub fn journal(&self) -> Vec<Call> {
        self.gateway.state().journal.calls.clone()
    }

    /// The writes that succeeded, a line each: `AttachPolicyToUser team-a.reader System/AliyunOTSReadOnlyAccess`, `CreateAccessKey
    /// team-a.reader`, `UpdateAccessKey #1 Inactive`, `SetAccessKeyPolicy #1 Active 192.0.2.0/24 vpc-a:10.0.0.0/8`, with keys numbered in
    /// order of creation.
    pub fn writes(&self) -> Vec<String> {
        self.gateway.state().journal.writes.clone()
    }

    /// Forgets the calls and writes so far; the numbers of keys and calls go on.
    pub fn clear_journal(&self) {
        self.gateway.state().journal = journal::Journal::default();
    }

    /// Everything secret that was preset or ever made, for a scan: secrets of keys, passwords, seeds of MFA devices, tokens.
    pub fn secrets(&self) -> Vec<String> {
        self.gateway.state().account.secrets.clone()
    }

    /// Somebody who edits the account by hand.
    pub fn person(&self) -> Person {
        Person(self.gateway.clone())
    }

    /// The account as it is.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.gateway.state().account)
    }

    /// Adds a fault and returns its id.
    pub fn fault(&self, fault: Fault) -> usize {
        self.gateway.state().faults.add(fault)
    }

    /// Takes one fault away.
    pub fn remove_fault(&self, id: usize) {
        self.gateway.state().faults.remove(id);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.gateway.state().faults.clear();
    }

    /// Sets or removes the hook. Calls that wait for the old one go on waiting for it.
    pub fn set_hook(&self, hook: Option<Hook>) {
        *self.gateway.hook.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// Makes reads of RAM and IMS show the account as it was so long ago, by the emulator's clock, but not as it was before this setting.
    pub fn set_read_lag(&self, lag: Duration) {
        self.gateway.state().set_read_lag(lag);
    }

    /// Makes a new key unknown (`InvalidAccessKeyId.NotFound`) for this time after its creation.
    pub fn set_new_key_refused_for(&self, time: Duration) {
        self.gateway.state().settings.new_key_refused_for = time;
    }

    /// Makes DeleteUser conflict for this time after a policy was detached or a group was left.
    pub fn set_delete_conflict_for(&self, time: Duration) {
        self.gateway.state().settings.delete_conflict_for = time;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
