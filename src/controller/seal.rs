//! A seal over what the operator writes where others may write too, so that it can tell its own words from theirs.
//!
//! The key is random, made once, and kept in a Secret of the operator's own namespace. Without it nothing is lost that RAM and the status
//! still say: what is not sealed is not believed.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;
use tokio::sync::OnceCell;

use super::error::Error;

/// Name of the Secret.
const NAME: &str = "ram-operator-seal";
/// The one key in it.
const KEY: &str = "key";
/// Bytes of a key.
const LENGTH: usize = 32;

/// The seal of this installation; its key is read when it is first needed.
#[derive(Debug, Default)]
pub struct Seal(OnceCell<Sealer>);

/// Sets and checks seals.
#[derive(Debug)]
pub struct Sealer(SecretBox<[u8; LENGTH]>);

impl Seal {
    /// Reads the key from `namespace`, or makes one there.
    ///
    /// # Errors
    /// What the cluster answers.
    pub async fn open(&self, kube: &Client, namespace: &str) -> Result<&Sealer, Error> {
        let load = || async {
            let api = Api::<Secret>::namespaced(kube.clone(), namespace);
            if let Some(found) = api.get_opt(NAME).await?.as_ref().and_then(key_in) {
                return Ok(found);
            }
            match api.create(&PostParams::default(), &fresh()).await {
                Ok(made) => key_in(&made).ok_or(Error::Unsettled),
                // Somebody else made it this moment, or left one that is no key.
                Err(kube::Error::Api(status)) if status.is_already_exists() => {
                    api.get_opt(NAME).await?.as_ref().and_then(key_in).ok_or(Error::Unsettled)
                }
                Err(error) => Err(error.into()),
            }
        };
        self.0.get_or_try_init(load).await
    }
}

impl Sealer {
    /// A seal over all parts, in Base64 for URLs.
    ///
    /// It begins with a name of the key and a `.`, so that a seal under another key is not taken for one over other words.
    #[must_use]
    pub fn over(&self, parts: &[&str]) -> String {
        let name: String = self.mac(&["name of the key"]).chars().take(6).collect();
        format!("{name}.{}", self.mac(parts))
    }

    fn mac(&self, parts: &[&str]) -> String {
        use base64::Engine as _;
        use base64::prelude::BASE64_URL_SAFE_NO_PAD;
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else { return String::new() };
        for part in parts {
            // The length keeps two parts apart from one.
            mac.update(&u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
            mac.update(part.as_bytes());
        }
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

fn key_in(secret: &Secret) -> Option<Sealer> {
    let bytes: [u8; LENGTH] = secret.data.as_ref()?.get(KEY)?.0.as_slice().try_into().ok()?;
    Some(Sealer(SecretBox::new(Box::new(bytes))))
}

fn fresh() -> Secret {
    let bytes: Vec<u8> = (0..2).flat_map(|_| uuid::Uuid::new_v4().into_bytes()).collect();
    Secret {
        metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(bytes))])),
        ..Secret::default()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn sealer(byte: u8) -> Sealer {
        Sealer(SecretBox::new(Box::new([byte; LENGTH])))
    }

    #[test]
    fn a_seal_is_for_one_key_and_these_parts() {
        let seal = sealer(1).over(&["a", "bc"]);
        assert_eq!(seal, sealer(1).over(&["a", "bc"]));
        for other in [sealer(2).over(&["a", "bc"]), sealer(1).over(&["ab", "c"]), sealer(1).over(&["abc"])] {
            assert_ne!(seal, other);
        }
        assert_eq!(key_in(&fresh()).map(|sealer| sealer.over(&[]).len()), Some(50));
        assert!(!format!("{:?}", sealer(7)).contains('7'));
    }
}
