//! The account: who we are in it, its quotas, its domain.

use super::{
    client::Client,
    credentials::CALLER_IDENTITY,
    error::Error,
    model::{Identity, Summary},
    transport::Api,
    wire,
};

impl Client {
    /// Who the operator's own credential belongs to (STS GetCallerIdentity); always asked, never remembered.
    pub async fn caller_identity(&self) -> Result<Identity, Error> {
        self.call::<wire::CallerIdentity>(CALLER_IDENTITY.api, CALLER_IDENTITY.action, &[]).await
    }

    /// Counts and quotas (IMS GetAccountSummary).
    pub async fn account_summary(&self) -> Result<Summary, Error> {
        self.call::<wire::AccountSummary>(Api::Ims, "GetAccountSummary", &[]).await
    }

    /// What stands behind the `@` of every UserPrincipalName (IMS GetDefaultDomain).
    pub async fn default_domain(&self) -> Result<String, Error> {
        self.call::<wire::DefaultDomain>(Api::Ims, "GetDefaultDomain", &[]).await
    }
}
