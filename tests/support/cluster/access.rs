//! What opens the API server of one cluster: made for it, and gone with it.

use std::fs;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use super::{Error, POLL};

/// Keys, the administrator's token and kubeconfig.
pub(super) struct Access {
    /// The API server's own folder, which goes when it stops.
    pub(super) folder: PathBuf,
    /// Home of kubectl and helm.
    pub(super) home: PathBuf,
    token: String,
    /// Where the API server listens.
    pub(super) port: u16,
}

impl Access {
    pub(super) fn write(root: &Path, port: u16) -> Result<Self, Error> {
        let folder = root.join("kube-apiserver");
        let access = Self { home: folder.join("home"), folder, token: uuid::Uuid::new_v4().simple().to_string(), port };
        fs::create_dir_all(&access.home).map_err(Error::io("cannot create", &access.home))?;
        write(&access.service_account_key(), &signing_key())?;
        write(&access.tokens(), &format!("{},admin,admin,\"system:masters\"\n", access.token))?;
        Ok(access)
    }

    pub(super) fn service_account_key(&self) -> PathBuf {
        self.folder.join("service-account.pem")
    }

    pub(super) fn tokens(&self) -> PathBuf {
        self.folder.join("tokens.csv")
    }

    pub(super) fn certificates(&self) -> PathBuf {
        self.folder.join("certificates")
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.home.join("kubeconfig")
    }

    /// The certificate that kube-apiserver makes for itself when it starts, with its issuer (PEM).
    ///
    /// Looks until it is there or `going_on` fails.
    pub(super) async fn certificate(&self, going_on: impl Fn() -> Result<(), Error>) -> Result<String, Error> {
        let path = self.certificates().join("apiserver.crt");
        loop {
            if let Ok(pem) = fs::read_to_string(&path)
                && pem.trim_end().ends_with("-----END CERTIFICATE-----")
            {
                return Ok(pem);
            }
            going_on()?;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Writes the administrator's kubeconfig and reads it as kube does.
    pub(super) async fn admit(&self, certificate: &str) -> Result<kube::Config, Error> {
        let server = format!("https://127.0.0.1:{}", self.port);
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {
                "server": server,
                "certificate-authority-data": BASE64_STANDARD.encode(certificate),
            }}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        })
        .to_string();
        write(&self.kubeconfig(), &text)?;
        let kubeconfig = Kubeconfig::from_yaml(&text).map_err(Error::client)?;
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .map_err(Error::client)?;
        // kube takes it from HTTPS_PROXY, for loopback too.
        config.proxy_url = None;
        Ok(config)
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::io("cannot write", path))
}

/// A key that signs service account tokens: any 32 random bytes are a private key on P-256 (SEC 1; the public key is optional).
fn signing_key() -> String {
    let mut der = vec![0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
    der.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
    der.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
    der.extend_from_slice(&[0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
    format!("-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n", BASE64_STANDARD.encode(der))
}
