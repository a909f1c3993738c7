//! MFA devices: the Secrets that their seeds are handed over in, and what RAM is told when a device goes.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Resource as _, ResourceExt as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::Error;
use super::qr::png_of;
use crate::api::{GROUP, MFA_LABEL, RamUser, SeedSecret, VERSION, annotation};
use crate::plan::ram_user::SeedSeen;
use crate::plan::{Reason, Verdict};
use crate::ram::{self, Class, MfaInfo, NewMfaDevice};

/// Keys of the Secret.
const SEED: &str = "seed";
const URI: &str = "otpauthUri";
const PICTURE: &str = "qr.png";
const SERIAL: &str = "serialNumber";
const PRINCIPAL: &str = "userPrincipalName";
/// Whose codes an authenticator shows them as.
const ISSUER: &str = "Aliyun";
/// What may stand in a URI as it is (RFC 3986, unreserved).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The Secret for a seed, and what of it the plan may see.
#[derive(Default)]
pub struct SeedFound {
    /// For the plan.
    pub seen: SeedSeen,
    /// For the codes.
    pub seed: Option<SecretString>,
    /// The Secret, as it is stored.
    pub stored: Option<Secret>,
}

/// Reads the Secret for the seed of the device of that serial number.
///
/// # Errors
/// What the cluster answers.
pub async fn find(kube: &Client, user: &RamUser, wanted: &SeedSecret, serial: &str) -> Result<SeedFound, Error> {
    let stored = secrets(kube, user).get_opt(&wanted.name).await?;
    Ok(stored.map_or_else(SeedFound::default, |stored| read(stored, &user.name_any(), serial)))
}

/// What a Secret says.
#[must_use]
pub fn read(stored: Secret, owner: &str, serial: &str) -> SeedFound {
    if !belongs_to(stored.meta(), owner) {
        return SeedFound { seen: SeedSeen::Foreign, ..SeedFound::default() };
    }
    let text = |key: &str| stored.data.as_ref()?.get(key).and_then(|bytes| std::str::from_utf8(&bytes.0).ok());
    let its = text(SERIAL).is_some_and(|other| other.eq_ignore_ascii_case(serial));
    let seed = text(SEED).filter(|seed| its && !seed.is_empty()).map(SecretString::from);
    let sight = if seed.is_some() { SeedSeen::There } else { SeedSeen::Empty };
    SeedFound { seen: sight, seed, stored: Some(stored) }
}

/// Whether the Secret belongs to the RamUser `owner`: by label, and by no other controller.
fn belongs_to(meta: &ObjectMeta, owner: &str) -> bool {
    let label = meta.labels.as_ref().and_then(|labels| labels.get(MFA_LABEL));
    let controller = meta.owner_references.iter().flatten().find(|reference| reference.controller == Some(true));
    label.is_some_and(|label| label == owner) && controller.is_none_or(|reference| is_ours(reference, owner))
}

fn is_ours(reference: &OwnerReference, name: &str) -> bool {
    let group = reference.api_version.split('/').next() == Some(GROUP);
    group && reference.kind == "RamUser" && reference.name == name
}

/// Writes the Secret without a seed, by compare-and-swap. It differs each time, so that whoever read it before cannot write it any more.
///
/// # Errors
/// What the cluster answers.
pub async fn claim(
    kube: &Client,
    user: &RamUser,
    wanted: &SeedSecret,
    stored: Option<&Secret>,
) -> Result<Secret, Error> {
    let secret = over(stored, user, wanted, BTreeMap::new());
    let api = secrets(kube, user);
    let answer = match stored {
        Some(_) => api.replace(&wanted.name, &PostParams::default(), &secret).await,
        None => api.create(&PostParams::default(), &secret).await,
    };
    answer.map_err(refusal)
}

/// Writes the seed of a new device into the Secret that was claimed, if nobody wrote it since.
///
/// # Errors
/// What the cluster answers.
pub async fn publish(
    kube: &Client,
    user: &RamUser,
    wanted: &SeedSecret,
    claimed: &Secret,
    device: &NewMfaDevice,
    principal: &str,
) -> Result<Secret, Error> {
    let secret = over(Some(claimed), user, wanted, contents(device, principal));
    secrets(kube, user).replace(&wanted.name, &PostParams::default(), &secret).await.map_err(refusal)
}

fn contents(device: &NewMfaDevice, principal: &str) -> BTreeMap<String, ByteString> {
    let uri = otpauth_uri(principal, &device.seed);
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    let mut data = BTreeMap::from([
        (SEED.to_owned(), text(device.seed.expose_secret())),
        (URI.to_owned(), text(uri.expose_secret())),
        (SERIAL.to_owned(), text(&device.serial_number)),
        (PRINCIPAL.to_owned(), text(principal)),
    ]);
    data.extend(png_of(uri.expose_secret()).map(|picture| (PICTURE.to_owned(), ByteString(picture))));
    data
}

/// What an authenticator reads from a QR code.
fn otpauth_uri(principal: &str, seed: &SecretString) -> SecretString {
    let principal = utf8_percent_encode(principal, ENCODED);
    let seed = utf8_percent_encode(seed.expose_secret(), ENCODED);
    SecretString::from(format!("otpauth://totp/{ISSUER}:{principal}?secret={seed}&issuer={ISSUER}"))
}

/// The Secret to write, over `stored` if there is one: labels and annotations of others stay.
fn over(stored: Option<&Secret>, user: &RamUser, wanted: &SeedSecret, data: BTreeMap<String, ByteString>) -> Secret {
    let owner = user.name_any();
    let mut secret = stored.cloned().unwrap_or_else(|| Secret {
        metadata: ObjectMeta { name: Some(wanted.name.clone()), ..ObjectMeta::default() },
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    });
    secret.metadata.managed_fields = None;
    let labels = wanted.labels.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone()));
    secret.labels_mut().extend(labels);
    secret.labels_mut().insert(MFA_LABEL.to_owned(), owner.clone());
    let annotations = wanted.annotations.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone()));
    secret.annotations_mut().extend(annotations);
    secret.annotations_mut().insert(annotation::SEED_WRITE.to_owned(), uuid::Uuid::new_v4().to_string());
    secret.owner_references_mut().retain(|reference| !is_ours(reference, &owner));
    secret.owner_references_mut().push(OwnerReference {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "RamUser".to_owned(),
        name: owner,
        uid: user.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(false),
    });
    secret.data = Some(data).filter(|data| !data.is_empty());
    secret
}

fn secrets(kube: &Client, user: &RamUser) -> Api<Secret> {
    Api::namespaced(kube.clone(), &user.namespace().unwrap_or_default())
}

/// Code and reason only: a webhook may repeat the Secret's data in its message.
fn refusal(error: kube::Error) -> Error {
    match &error {
        // Somebody made it, or deleted it, this moment.
        kube::Error::Api(status) if status.is_already_exists() || status.is_not_found() => Error::Unsettled,
        kube::Error::Api(status) if [403, 413, 422].contains(&status.code) => {
            Verdict::new(Reason::SecretRefused).about(format!("{} {}", status.code, status.reason)).into()
        }
        _ => error.into(),
    }
}

/// The MFA device of a user. Unless it is `needed` the right to ask may be missing; RAM says then whether the user can be deleted.
///
/// # Errors
/// What RAM answers.
pub async fn of_user(client: &ram::Client, user_name: &str, needed: bool) -> Result<Option<MfaInfo>, Error> {
    match client.user_mfa(user_name).await {
        Err(error) if error.class() == Class::Denied && !needed => {
            tracing::warn!(%error, user_name, "whether the user has an MFA device is not known");
            Ok(None)
        }
        other => Ok(other?),
    }
}

/// Deletes a virtual device unless somebody has it; says whether it is gone. `loose`: this pass took it from a user.
///
/// # Errors
/// What RAM answers.
pub async fn delete_device(client: &ram::Client, serial: &str, ours: bool, loose: bool) -> Result<bool, Error> {
    match client.delete_virtual_mfa_device(serial).await {
        Ok(()) => Ok(true),
        Err(error) if error.class() == Class::InUse && loose => Err(Error::Unsettled),
        Err(error) if error.class() == Class::InUse => Ok(false),
        // It belongs to nobody and is of no use; nothing waits for it.
        Err(error) if error.class() == Class::Denied && !ours => {
            tracing::warn!(%error, serial, "the MFA device of a user that goes is left unbound");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SERIAL_NUMBER: &str = "acs:ram::1:mfa/ram-operator-0";

    fn user() -> RamUser {
        let metadata = json!({"name": "bob", "namespace": "team-a", "uid": "u-1"});
        serde_json::from_value(json!({
            "apiVersion": "ram-operator.dev/v1alpha1", "kind": "RamUser", "metadata": metadata, "spec": {},
        }))
        .expect("a RamUser")
    }

    fn wanted() -> SeedSecret {
        let labels = json!({"team": "a"});
        serde_json::from_value(json!({"name": "bob-mfa", "labels": labels, "annotations": {"note": "x y"}}))
            .expect("one")
    }

    fn device() -> NewMfaDevice {
        NewMfaDevice {
            serial_number: SERIAL_NUMBER.to_owned(),
            seed: "GEZDGNBVGY3TQOJQ".into(),
            qr_code_png: SecretString::from(String::new()),
        }
    }

    #[test]
    fn a_claim_has_no_seed_and_differs_each_time() {
        let claim = over(None, &user(), &wanted(), BTreeMap::new());
        assert_eq!(claim.name_any(), "bob-mfa");
        assert_eq!((claim.type_.as_deref(), &claim.data), (Some("Opaque"), &None));
        assert_eq!((claim.labels()["team"].as_str(), claim.labels()[MFA_LABEL].as_str()), ("a", "bob"));
        assert_eq!(claim.annotations()["note"], "x y");
        let again = over(Some(&claim), &user(), &wanted(), BTreeMap::new());
        assert_ne!(claim, again);
        assert_eq!(again.owner_references().len(), 1);
        assert_eq!(read(claim, "bob", SERIAL_NUMBER).seen, SeedSeen::Empty);
    }

    #[test]
    fn a_seed_is_read_only_of_its_device_and_from_our_own_secret() {
        let secret = over(None, &user(), &wanted(), contents(&device(), "bob@1.onaliyun.com"));
        let found = read(secret.clone(), "bob", &SERIAL_NUMBER.to_ascii_uppercase());
        assert_eq!(found.seen, SeedSeen::There);
        assert_eq!(found.seed.expect("a seed").expose_secret(), "GEZDGNBVGY3TQOJQ");
        assert_eq!(read(secret.clone(), "bob", "acs:ram::1:mfa/other").seen, SeedSeen::Empty);
        assert_eq!(read(secret.clone(), "alice", SERIAL_NUMBER).seen, SeedSeen::Foreign);
        let mut taken = secret.clone();
        taken.owner_references_mut().iter_mut().for_each(|owner| owner.kind = "Other".to_owned());
        assert_eq!(read(taken, "bob", SERIAL_NUMBER).seen, SeedSeen::Foreign);
        let mut unmarked = secret;
        unmarked.labels_mut().remove(MFA_LABEL);
        assert_eq!(read(unmarked, "bob", SERIAL_NUMBER).seen, SeedSeen::Foreign);
    }

    #[test]
    fn the_secret_holds_what_an_authenticator_reads() {
        let data = contents(&device(), "bob@1.onaliyun.com");
        let text = |key: &str| String::from_utf8_lossy(&data[key].0).into_owned();
        assert_eq!((text(SERIAL).as_str(), text(PRINCIPAL).as_str()), (SERIAL_NUMBER, "bob@1.onaliyun.com"));
        let uri = "otpauth://totp/Aliyun:bob%401.onaliyun.com?secret=GEZDGNBVGY3TQOJQ&issuer=Aliyun";
        assert_eq!(text(URI), uri);
        assert!(data[PICTURE].0.starts_with(b"\x89PNG"));
        assert_eq!(data.len(), 5);
    }
}
