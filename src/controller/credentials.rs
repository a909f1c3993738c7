//! How to reach an account: where its APIs are and what signs the calls, as its RamAccount says. For the operator's passes and for `import`.

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use secrecy::{ExposeSecret, SecretString};

use super::Settings;
use super::drive::ObjectKey;
use super::error::Error;
use crate::api::{self, CredentialSecret, CredentialSource, Credentials, RamAccountSpec};
use crate::clock::Clock;
use crate::digest;
use crate::plan::ram_account::{endpoint_is_public, looks_like_key_id};
use crate::plan::{Reason, Verdict};
use crate::ram::{self, Credential, Endpoints, Observer, Source};

/// How to reach an account. Nobody has signed anything with it yet.
pub struct Access {
    /// Where the APIs are.
    pub endpoints: Endpoints,
    /// What signs.
    pub source: Source,
    /// Changes when the credential does.
    pub mark: String,
}

impl Access {
    /// Finds it. `reading` is told of the Secret before it is read.
    ///
    /// # Errors
    /// What is missing or not allowed, as a verdict; what the cluster answers.
    pub async fn find(
        kube: &Client,
        settings: &Settings,
        spec: &RamAccountSpec,
        reading: impl FnOnce(ObjectKey),
    ) -> Result<Self, Error> {
        let endpoints = endpoints(settings, spec.endpoints.as_ref())?;
        let (source, mark) = source(kube, settings, &spec.credentials, reading).await?;
        Ok(Self { endpoints, source, mark })
    }

    /// What a client for the account of this number is made from.
    #[must_use]
    pub fn config(
        self,
        spec: &RamAccountSpec,
        account_id: Option<String>,
        settings: &Settings,
        clock: Clock,
        observer: Observer,
    ) -> ram::Config {
        let assume_role = spec.credentials.assume_role.as_ref().map(|role| ram::AssumeRole {
            role_arn: role.role_arn.clone(),
            external_id: role.external_id.clone(),
            session_name: "ram-operator".to_owned(),
        });
        ram::Config {
            endpoints: self.endpoints,
            source: self.source,
            assume_role,
            account_id,
            quota_share: quota_share(spec),
            clock,
            observer,
            allow_http: settings.allow_custom_endpoints,
        }
    }
}

/// Percent of RAM's published rates that may be used.
#[must_use]
pub fn quota_share(spec: &RamAccountSpec) -> u8 {
    u8::try_from(spec.quota_share).unwrap_or(50)
}

fn endpoints(settings: &Settings, wanted: Option<&api::Endpoints>) -> Result<Endpoints, Error> {
    let mut endpoints = Endpoints::default();
    let wanted = wanted.cloned().unwrap_or_default();
    for (field, url) in [
        (&mut endpoints.ram, wanted.ram),
        (&mut endpoints.ims, wanted.ims),
        (&mut endpoints.sts, wanted.sts),
        (&mut endpoints.metadata, wanted.metadata),
    ] {
        let Some(url) = url else { continue };
        if !settings.allow_custom_endpoints && !endpoint_is_public(&url) {
            return Err(Verdict::new(Reason::EndpointRefused).about(url).into());
        }
        url.trim_end_matches('/').clone_into(field);
    }
    Ok(endpoints)
}

/// Where the credentials come from, and a mark that changes when they do.
async fn source(
    kube: &Client,
    settings: &Settings,
    wanted: &Credentials,
    reading: impl FnOnce(ObjectKey),
) -> Result<(Source, String), Error> {
    let environment = &settings.environment;
    let missing = |what: &str| Error::from(Verdict::new(Reason::CredentialsNotFound).about(what));
    match wanted.source {
        CredentialSource::Secret => {
            let reference = wanted.secret.as_ref().ok_or_else(|| missing("spec.credentials.secret"))?;
            let credential = from_secret(kube, settings, reference, reading).await?;
            let mark = mark(&credential);
            Ok((Source::Static(credential), mark))
        }
        CredentialSource::Environment => {
            let credential = environment.credential.clone().ok_or_else(|| {
                missing("the operator's environment variables ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET")
            })?;
            Ok((Source::Static(credential), "environment".to_owned()))
        }
        CredentialSource::Rrsa => {
            let source = environment.rrsa.clone().ok_or_else(|| {
                missing("the operator's environment variables ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE")
            })?;
            Ok((source, "rrsa".to_owned()))
        }
        CredentialSource::EcsRole => {
            Ok((Source::EcsRole { role_name: environment.ecs_role.clone() }, "ecs".to_owned()))
        }
    }
}

fn mark(credential: &Credential) -> String {
    let token = credential.security_token.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    digest::hex(&[&credential.access_key_id, credential.access_key_secret.expose_secret(), token])
}

async fn from_secret(
    kube: &Client,
    settings: &Settings,
    reference: &CredentialSecret,
    reading: impl FnOnce(ObjectKey),
) -> Result<Credential, Error> {
    let own = &settings.namespace;
    let namespace = reference.namespace.as_ref().unwrap_or(own);
    if namespace != own && !settings.credentials_namespaces.contains(namespace) {
        let detail = format!("Secret {}/{} needs --credentials-namespace={namespace}", namespace, reference.name);
        return Err(Verdict::new(Reason::CredentialsRefused).about(detail).into());
    }
    reading(ObjectKey::new("Secret", Some(namespace), &reference.name));
    let found = Api::<Secret>::namespaced(kube.clone(), namespace).get_opt(&reference.name).await?;
    let not_found = |what: String| Error::from(Verdict::new(Reason::CredentialsNotFound).about(what));
    let secret = found.ok_or_else(|| not_found(format!("Secret {namespace}/{}", reference.name)))?;
    let text = |field: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(field));
        bytes
            .and_then(|bytes| String::from_utf8(bytes.0.clone()).ok())
            .map(|text| text.trim().to_owned())
            .filter(|t| !t.is_empty())
    };
    let need = |field: &str| {
        text(field).ok_or_else(|| not_found(format!("key {field} in Secret {namespace}/{}", reference.name)))
    };
    let access_key_id = need(&reference.access_key_id_key)?;
    if !looks_like_key_id(&access_key_id) {
        let detail = format!(
            "key {} of Secret {namespace}/{} holds no AccessKey id",
            reference.access_key_id_key, reference.name
        );
        return Err(Verdict::new(Reason::CredentialsInvalid).about(detail).into());
    }
    Ok(Credential {
        access_key_id,
        access_key_secret: SecretString::from(need(&reference.access_key_secret_key)?),
        security_token: text(&reference.security_token_key).map(SecretString::from),
        expiration: None,
    })
}
