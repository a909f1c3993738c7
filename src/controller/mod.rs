//! Where RAM and the cluster meet: looks at both, asks the plan, and carries out its steps.

pub mod accounts;
pub mod console_login;
pub mod credentials;
pub mod drive;
pub mod echo;
pub mod elsewhere;
pub mod error;
pub mod hand_over;
pub mod left_over;
pub mod locks;
pub mod management;
pub mod qr;
pub mod ram_access_key;
pub mod ram_account;
pub mod ram_group;
pub mod ram_policy;
pub mod ram_revocation;
pub mod ram_tenant;
pub mod ram_user;
pub mod references;
pub mod seal;
pub mod secret;
pub mod settings;
pub mod start;
pub mod status;
pub mod tenancy;
pub mod virtual_mfa;
pub mod workers;

use std::sync::Arc;

use kube::api::ListParams;
use kube::runtime::watcher;

use crate::ram::{Credential, Source};

/// Flags and surroundings that passes depend on.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The operator's own namespace.
    pub namespace: String,
    /// Further namespaces that credentials may come from.
    pub credentials_namespaces: Vec<String>,
    /// Endpoints outside aliyuncs.com and without TLS may be used.
    pub allow_custom_endpoints: bool,
    /// Only objects with these labels are looked at.
    pub label_selector: Option<String>,
    /// How long a deletion is tried before the rest is left to a RamRevocation.
    pub hand_over_after: std::time::Duration,
    /// Credentials from the operator's surroundings.
    pub environment: Environment,
    /// Rates of calls, by RamAccount.
    pub budgets: Arc<ram_account::Budgets>,
}

/// What the process's environment offers as credentials.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// An AccessKey pair.
    pub credential: Option<Credential>,
    /// AssumeRoleWithOIDC with the ServiceAccount's token.
    pub rrsa: Option<Source>,
    /// Name of the node's role, if it is not to be asked for.
    pub ecs_role: Option<String>,
}

impl Settings {
    /// Parameters of a list of our objects.
    #[must_use]
    pub fn selected(&self) -> ListParams {
        match &self.label_selector {
            Some(selector) => ListParams::default().labels(selector),
            None => ListParams::default(),
        }
    }

    /// Parameters of a watch of our objects.
    #[must_use]
    pub fn watched(&self) -> watcher::Config {
        match &self.label_selector {
            Some(selector) => watcher::Config::default().labels(selector),
            None => watcher::Config::default(),
        }
    }
}
