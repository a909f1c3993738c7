//! What a client is made from.

use std::sync::Arc;

use super::credentials::{AssumeRole, Source};
use crate::clock::Clock;

/// Told of every request: the action, and `ok` or the label of the error's class.
pub type Observer = Arc<dyn Fn(&'static str, &'static str) + Send + Sync>;

/// Base URLs, each with scheme and host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// RAM `2015-05-01`; one endpoint for all regions.
    pub ram: String,
    /// IMS `2019-08-15`; one endpoint for all regions.
    pub ims: String,
    /// STS `2015-04-01`; a regional host near the cluster answers faster.
    pub sts: String,
    /// ECS instance metadata, plain HTTP by its nature; asked only for [`Source::EcsRole`].
    pub metadata: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            ram: "https://ram.aliyuncs.com".to_owned(),
            ims: "https://ims.aliyuncs.com".to_owned(),
            sts: "https://sts.aliyuncs.com".to_owned(),
            metadata: "http://100.100.100.200".to_owned(),
        }
    }
}

/// Everything a [`Client`](super::Client) needs to know.
#[derive(Clone)]
pub struct Config {
    /// Where RAM, IMS, STS and the metadata service are.
    pub endpoints: Endpoints,
    /// Where the operator's own credentials come from.
    pub source: Source,
    /// A role to assume with them.
    pub assume_role: Option<AssumeRole>,
    /// The account the credentials must belong to. Without it any account is accepted.
    pub account_id: Option<String>,
    /// Percent of RAM's published rates that may be used, 1 to 100.
    pub quota_share: u8,
    /// The local clock; the distance to RAM's is learnt from its replies.
    pub clock: Clock,
    /// Told of every request.
    pub observer: Observer,
    /// Accept endpoints with `http://`. For emulators and private gateways only.
    pub allow_http: bool,
}
