//! Passwords for log-on to the console: made here or read from a Secret, and known to the plan by a seal only.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Resource as _, ResourceExt as _};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::Error;
use super::seal::Sealer;
use crate::api::{GROUP, InitialPassword, LOGIN_LABEL, PasswordSource, RamUser, VERSION};
use crate::plan::ram_user::PasswordSeen;
use crate::ram::PasswordPolicy;

/// The key of a password in its Secret.
const PASSWORD: &str = "password";
/// Characters of a generated password, if the account's policy does not ask for more.
const LENGTH: usize = 20;
/// RAM takes no longer one.
const LONGEST: usize = 32;

/// A password that was read, and what of it the plan may see.
#[derive(Default)]
pub struct Found {
    /// For the plan.
    pub seen: PasswordSeen,
    /// For RAM.
    pub password: Option<SecretString>,
    /// The Secret of a generated one, as it is stored.
    pub stored: Option<Secret>,
}

/// Reads the password that is to be given to RAM next.
///
/// # Errors
/// What the cluster answers.
pub async fn find(kube: &Client, user: &RamUser, initial: &InitialPassword, sealer: &Sealer) -> Result<Found, Error> {
    let namespace = user.namespace().unwrap_or_default();
    let api = Api::<Secret>::namespaced(kube.clone(), &namespace);
    let (name, key) = match (&initial.secret, &initial.secret_ref) {
        (Some(secret), _) => (secret.name.as_str(), PASSWORD),
        (None, Some(reference)) => (reference.name.as_str(), reference.key.as_str()),
        (None, None) => return Ok(Found::default()),
    };
    let Some(stored) = api.get_opt(name).await? else { return Ok(Found::default()) };
    if initial.source == PasswordSource::Generate && stored.labels().get(LOGIN_LABEL) != Some(&user.name_any()) {
        return Ok(Found { seen: PasswordSeen::Foreign, ..Found::default() });
    }
    let text = stored.data.as_ref().and_then(|data| data.get(key));
    let password = text.and_then(|bytes| std::str::from_utf8(&bytes.0).ok()).map(str::trim_end).map(SecretString::from);
    let password = password.filter(|password| !password.expose_secret().is_empty());
    let seen =
        password.as_ref().map_or(PasswordSeen::Absent, |password| PasswordSeen::There(seal(sealer, user, password)));
    Ok(Found { seen, password, stored: Some(stored) })
}

/// The seal over a user's password.
fn seal(sealer: &Sealer, user: &RamUser, password: &SecretString) -> String {
    let namespace = user.namespace().unwrap_or_default();
    sealer.over(&["password", &namespace, &user.name_any(), password.expose_secret()])
}

/// Writes a new password to its Secret, before RAM gets it. By compare-and-swap: of two writers one fails.
///
/// # Errors
/// What the cluster answers.
pub async fn write(
    kube: &Client,
    user: &RamUser,
    name: &str,
    stored: Option<&Secret>,
    password: &SecretString,
    logon: (&str, &str),
) -> Result<(), Error> {
    let api = Api::<Secret>::namespaced(kube.clone(), &user.namespace().unwrap_or_default());
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    let owner = OwnerReference {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "RamUser".to_owned(),
        name: user.name_any(),
        uid: user.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(false),
    };
    let mut secret = stored.cloned().unwrap_or_else(|| Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        ..Secret::default()
    });
    secret.metadata.managed_fields = None;
    secret.labels_mut().insert(LOGIN_LABEL.to_owned(), user.name_any());
    secret.meta_mut().owner_references = Some(vec![owner]);
    secret.data = Some(BTreeMap::from([
        ("userPrincipalName".to_owned(), text(logon.0)),
        ("loginUrl".to_owned(), text(logon.1)),
        (PASSWORD.to_owned(), text(password.expose_secret())),
    ]));
    match stored {
        Some(_) => api.replace(name, &PostParams::default(), &secret).await?,
        None => api.create(&PostParams::default(), &secret).await?,
    };
    Ok(())
}

/// Where users of a domain log on.
#[must_use]
pub fn login_url(domain: &str) -> String {
    format!("https://signin.aliyun.com/{domain}/login.htm")
}

/// A random password with characters of every class, as long as the policy asks for.
#[must_use]
pub fn generate(policy: &PasswordPolicy) -> SecretString {
    let least = policy.minimum_password_length.and_then(|least| usize::try_from(least).ok()).unwrap_or_default();
    let length = least.clamp(LENGTH, LONGEST);
    // Without those that people take for one another.
    let classes: [&[u8]; 4] = [b"abcdefghijkmnpqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"!@#%*-_=+"];
    let mut random = Random::default();
    let mut all: Vec<u8> = classes.iter().filter_map(|class| random.of(class)).collect();
    let every: Vec<u8> = classes.concat();
    while all.len() < length {
        all.extend(random.of(&every));
    }
    // The first four are not always of the same classes.
    for place in (1..all.len()).rev() {
        let other = random.below(place + 1);
        all.swap(place, other);
    }
    SecretString::from(all.into_iter().map(char::from).collect::<String>())
}

/// Random numbers of the system, a few at a time.
#[derive(Default)]
struct Random(Vec<u8>);

impl Random {
    /// Below `bound`, which is at most 256; without bias.
    fn below(&mut self, bound: usize) -> usize {
        let bound = bound.clamp(1, 256);
        let fair = 256 - 256 % bound;
        loop {
            let Some(byte) = self.0.pop() else {
                // Version 4 has six bits that are not random: its outer bytes are.
                let bytes = uuid::Uuid::new_v4().into_bytes();
                self.0.extend(bytes.iter().enumerate().filter(|(n, _)| ![6, 8].contains(n)).map(|(_, byte)| *byte));
                continue;
            };
            if usize::from(byte) < fair {
                return usize::from(byte) % bound;
            }
        }
    }

    fn of(&mut self, class: &[u8]) -> Option<u8> {
        let n = self.below(class.len());
        class.get(n).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_password_has_every_class_and_the_length_asked_for() {
        for least in [None, Some(8), Some(32)] {
            let policy = PasswordPolicy { minimum_password_length: least, ..PasswordPolicy::default() };
            let (one, other) = (generate(&policy), generate(&policy));
            assert_ne!(one.expose_secret(), other.expose_secret());
            let text = one.expose_secret();
            assert_eq!(text.len(), if least == Some(32) { 32 } else { LENGTH });
            let has = |class: fn(&u8) -> bool| text.as_bytes().iter().any(class);
            assert!(has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit));
            assert!(has(u8::is_ascii_punctuation));
        }
    }

    #[test]
    fn a_draw_is_below_its_bound() {
        let mut random = Random::default();
        assert!((0..2000).all(|n| random.below(n % 300) < (n % 300).clamp(1, 256)));
    }
}
