//! A client for Alibaba Cloud RAM that knows no Kubernetes.
//!
//! Three APIs act on one set of objects: RAM (`2015-05-01`, keyed by user name), IMS (`2019-08-15`, keyed by UserId or
//! UserPrincipalName) and STS (`2015-04-01`, who am I, temporary credentials). [`Client`] has one method for each action
//! needed.
//!
//! ```text
//! Client::get_user ──> credential (cached, renewed, checked against the account)
//!                  ──> budget     (a token of the action, in the client's lane)
//!                  ──> sign       (every attempt anew: V1, HMAC-SHA1, all in the form body)
//!                  ──> POST       (no redirect, no repetition below this module)
//!                  ──> wire       (envelope, then payload) ──> value or Error with a Class
//! ```
//!
//! Secrets, passwords, seeds and codes travel in form bodies only and are never in `Debug`, `Display`, logs or errors.
//! RAM's `Message` is not even read: for a bad signature it echoes the request's parameters.
//!
//! A TLS provider must have been installed (`rustls::crypto::CryptoProvider::install_default`) before
//! [`Client::new`] is called.

mod account;
mod budget;
mod client;
mod config;
mod credentials;
mod error;
mod groups;
mod keys;
mod login;
mod metadata;
mod mfa;
mod mint;
mod model;
mod policies;
mod settings;
mod sign;
mod totp;
mod transport;
mod users;
mod wire;

pub use budget::{Budget, Lane};
pub use client::Client;
pub use config::{Config, Endpoints, Observer};
pub use credentials::{AssumeRole, Credential, Source};
pub use error::{Class, Error};
pub use mint::SignedMint;
pub use model::{
    AccessKey, AttachedPolicy, Group, Identity, ImsUser, KeyPair, KeySources, KeyStatus, LastUsed, LoginChanges,
    LoginProfile, MfaInfo, MfaKind, MfaUser, NewMfaDevice, NewUser, PasswordPolicy, PasswordStatus, PolicyDetail,
    PolicyEntities, PolicyRef, PolicyType, PolicyVersion, Proof, SecurityPreference, Summary, User, UserChanges,
    VirtualMfaDevice,
};
pub use totp::consecutive_codes;
