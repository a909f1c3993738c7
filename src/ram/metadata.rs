//! The ECS metadata service: temporary credentials of the instance's RAM role, over plain HTTP on a link-local address.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Url};

use super::{
    credentials::Credential,
    error::{Class, Error},
    transport,
    wire::{self, Reply as _},
};

const ACTION: &str = "EcsMetadata";
/// It answers at once or not at all.
const TIMEOUT: Duration = Duration::from_secs(1);
const CREDENTIALS: &str = "/latest/meta-data/ram/security-credentials/";

/// A client of the metadata service.
pub(super) struct Metadata {
    http: Client,
    base: Url,
}

impl Metadata {
    pub(super) fn new(base: Url) -> Result<Self, Error> {
        let http = transport::client(transport::builder().connect_timeout(TIMEOUT).timeout(TIMEOUT))?;
        Ok(Self { http, base })
    }

    /// Credentials of `role_name`, or of the role that the service names.
    pub(super) async fn credential(&self, role_name: Option<&str>) -> Result<Credential, Error> {
        let token = self.token().await;
        let role = match role_name {
            Some(name) => name.to_owned(),
            None => self.get(CREDENTIALS, token.as_deref()).await?.trim().to_owned(),
        };
        // It becomes part of a path.
        if role.is_empty() || !role.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
            return Err(failed("the metadata service names no RAM role, attach one to the ECS instance"));
        }
        let document = self.get(&format!("{CREDENTIALS}{role}"), token.as_deref()).await?;
        serde_json::from_str::<wire::TemporaryCredential>(&document)
            .ok()
            .filter(wire::TemporaryCredential::is_success)
            .and_then(wire::TemporaryCredential::meaning)
            .ok_or_else(|| failed("the metadata service gave no credentials, check the RAM role of the ECS instance"))
    }

    /// The token of version 2. Without one version 1 is tried, which hardened instances refuse.
    async fn token(&self) -> Option<String> {
        let url = self.base.join("/latest/api/token").ok()?;
        let request = self.http.put(url).header("X-aliyun-ecs-metadata-token-ttl-seconds", "21600");
        text(request).await.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty())
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Result<String, Error> {
        let url = self.base.join(path).map_err(|_| failed("the metadata endpoint is no URL"))?;
        let mut request = self.http.get(url);
        if let Some(token) = token {
            request = request.header("X-aliyun-ecs-metadata-token", token);
        }
        let unreachable =
            "the ECS metadata service does not answer, check that this is an ECS instance with a RAM role";
        text(request).await.ok_or_else(|| failed(unreachable))
    }
}

async fn text(request: RequestBuilder) -> Option<String> {
    let response = request.send().await.ok()?;
    if response.status() != reqwest::StatusCode::OK {
        return None;
    }
    String::from_utf8(transport::body(response).await?).ok()
}

fn failed(note: &'static str) -> Error {
    Error::local(ACTION, Class::Credentials, note)
}
