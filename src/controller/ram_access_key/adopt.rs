//! A pair that a person has already: read from its Secret, proved, and published as it is.
//!
//! Nothing can be lost by that, whatever dies when: the pair stays where it was until it is published, and one that is published is explained
//! by its proof.

use k8s_openapi::api::core::v1::Secret;
use kube::runtime::events::EventType;
use secrecy::SecretString;

use super::super::drive::note;
use super::super::error::Error;
use super::KeyPass;
use crate::api::{AdoptFrom, LOGIN_LABEL, MFA_LABEL, SECRET_LABEL};
use crate::plan::ram_access_key::{PairSeen, SecretSeen};
use crate::plan::ram_account::looks_like_key_id;
use crate::ram::{KeyPair, Proof};

/// The pair that was found, and what of it the plan may see.
pub(super) struct Found {
    /// For the plan.
    pub(super) seen: PairSeen,
    secret: Option<SecretString>,
}

impl Found {
    fn without(seen: PairSeen) -> Self {
        Self { seen, secret: None }
    }

    fn proof(&self) -> Option<&Proof> {
        match &self.seen {
            PairSeen::There { proof, .. } => proof.as_ref(),
            _ => None,
        }
    }

    fn pair(&self) -> Option<KeyPair> {
        match (&self.seen, &self.secret) {
            (PairSeen::There { id, .. }, Some(secret)) => {
                Some(KeyPair { id: id.clone(), secret: secret.clone(), create_time: None })
            }
            _ => None,
        }
    }
}

impl KeyPass<'_> {
    /// Reads the pair as long as nothing is published. The output itself is not read twice: what is written over it rests on the version
    /// that the pair was read from.
    pub(super) async fn look_at_pair(&mut self) -> Result<(), Error> {
        let Some(from) = self.object.spec.secret.adopt_from.clone() else { return Ok(()) };
        let published = self.journal.access_key_id.is_some() || matches!(self.read(None), SecretSeen::Ours(_));
        if published || self.deleting() {
            return Ok(());
        }
        let found = if from.name == self.secret_name() {
            match &self.stored {
                Some(stored) if taken(stored) => Found::without(PairSeen::Taken),
                stored => find(stored.as_ref(), &from),
            }
        } else {
            find(self.secrets().get_opt(&from.name).await?.as_ref(), &from)
        };
        self.found = Some(found);
        Ok(())
    }

    fn pair_found(&self) -> Result<KeyPair, Error> {
        self.found.as_ref().and_then(Found::pair).ok_or(Error::Unsettled)
    }

    /// Asks RAM whose the pair is.
    pub(super) async fn prove_pair(&mut self) -> Result<(), Error> {
        let answer = self.client()?.prove(&self.pair_found()?).await?;
        if let Some(Found { seen: PairSeen::There { proof, .. }, .. }) = &mut self.found {
            *proof = Some(answer);
        }
        Ok(())
    }

    /// Publishes the pair. Its key was proved and listed in this pass.
    pub(super) async fn adopt_key(&mut self, id: &str) -> Result<(), Error> {
        let pair = self.pair_found()?;
        let proof = self.found.as_ref().and_then(Found::proof).cloned();
        self.publish_adopted(&pair).await?;
        // What this pass did itself, it knows without another look.
        if let Some(proof) = proof {
            self.proofs.insert(pair.id, proof);
        }
        let message = format!("AccessKey {id} is adopted, and published in the Secret {}.", self.secret_name());
        note(self.ctx, &self.object, EventType::Normal, "KeyAdopted", message).await;
        Ok(())
    }
}

/// What a Secret holds where the spec says that a pair is.
fn find(stored: Option<&Secret>, from: &AdoptFrom) -> Found {
    match stored.ok_or(PairSeen::Missing).and_then(|stored| read(stored, from)) {
        Ok((id, secret)) => Found { seen: PairSeen::There { id, proof: None }, secret: Some(secret) },
        Err(seen) => Found::without(seen),
    }
}

fn read(stored: &Secret, from: &AdoptFrom) -> Result<(String, SecretString), PairSeen> {
    let text = |key: &str| {
        let bytes = stored.data.as_ref().and_then(|data| data.get(key));
        // A file often ends in a line end.
        let text = bytes.and_then(|bytes| std::str::from_utf8(&bytes.0).ok()).map(str::trim);
        text.filter(|text| !text.is_empty()).ok_or_else(|| PairSeen::Lacks(key.to_owned()))
    };
    let (id, secret) = (text(&from.access_key_id_key)?, text(&from.access_key_secret_key)?);
    if is_key_id(id) && !swapped(id, secret) {
        Ok((id.to_owned(), SecretString::from(secret)))
    } else {
        Err(PairSeen::NoId)
    }
}

/// A temporary credential has an id too, and is no key of the user.
fn is_key_id(id: &str) -> bool {
    looks_like_key_id(id) && !id.starts_with("STS.")
}

/// Whether the two stand in each other's place. Ids but very old ones begin alike, and a secret must not be sent as one.
fn swapped(id: &str, secret: &str) -> bool {
    const BEGINNING: &str = "LTAI";
    secret.starts_with(BEGINNING) && !id.starts_with(BEGINNING)
}

/// Whether the Secret cannot become ours: it is another object's already, or nobody may change it.
fn taken(stored: &Secret) -> bool {
    let meta = &stored.metadata;
    let ours = [SECRET_LABEL, LOGIN_LABEL, MFA_LABEL];
    let labelled = meta.labels.iter().flatten().any(|(key, _)| ours.contains(&key.as_str()));
    let controlled = meta.owner_references.iter().flatten().any(|owner| owner.controller == Some(true));
    labelled || controlled || stored.immutable == Some(true)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    use super::*;

    fn secret(value: Value) -> Secret {
        serde_json::from_value(value).expect("a Secret")
    }

    fn holding(data: &[(&str, &str)]) -> Secret {
        let bytes = |text: &str| k8s_openapi::ByteString(text.as_bytes().to_vec());
        let data = data.iter().map(|(key, text)| ((*key).to_owned(), bytes(text))).collect();
        Secret { data: Some(data), ..Secret::default() }
    }

    fn from(json: Value) -> AdoptFrom {
        serde_json::from_value(json).expect("a reference")
    }

    const ID: &str = "LTAI5tExampleExample0001";

    #[test]
    fn a_pair_is_found_under_its_names_and_without_the_line_end_of_a_file() {
        let usual = from(json!({"name": "old"}));
        let stored = holding(&[
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", ID),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s3cr3t\n"),
            ("ak", "LTAI5tExampleExample0002"),
            ("sk", "other"),
        ]);
        let pair = find(Some(&stored), &usual).pair().expect("a pair");
        assert_eq!((pair.id.as_str(), pair.secret.expose_secret()), (ID, "s3cr3t"));
        let named = from(json!({"name": "old", "accessKeyIdKey": "ak", "accessKeySecretKey": "sk"}));
        let pair = find(Some(&stored), &named).pair().expect("a pair");
        assert_eq!((pair.id.as_str(), pair.secret.expose_secret()), ("LTAI5tExampleExample0002", "other"));
    }

    #[test]
    fn what_is_no_pair_says_what_it_lacks() {
        let from = from(json!({"name": "old", "accessKeyIdKey": "ak", "accessKeySecretKey": "sk"}));
        let seen = |data: &[(&str, &str)]| find(Some(&holding(data)), &from).seen;
        assert_eq!(find(None, &from).seen, PairSeen::Missing);
        assert_eq!(seen(&[("sk", "s3cr3t")]), PairSeen::Lacks("ak".to_owned()));
        assert_eq!(seen(&[("ak", ID), ("sk", " \n")]), PairSeen::Lacks("sk".to_owned()));
        assert_eq!(seen(&[("ak", "hunter2"), ("sk", "s3cr3t")]), PairSeen::NoId);
        assert_eq!(seen(&[("ak", "STS.NUexampleexample"), ("sk", "s3cr3t")]), PairSeen::NoId);
        assert_eq!(seen(&[("ak", "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3t"), ("sk", ID)]), PairSeen::NoId);
    }

    #[test]
    fn a_secret_of_another_object_or_an_immutable_one_is_not_taken_over() {
        let owner = |controller: bool| json!({"apiVersion": "v1", "kind": "Owner", "name": "o", "uid": "u", "controller": controller});
        for (value, expected) in [
            (json!({"metadata": {"labels": {"team": "a"}}}), false),
            (json!({"metadata": {"ownerReferences": [owner(false)]}}), false),
            (json!({"metadata": {"ownerReferences": [owner(true)]}}), true),
            (json!({"metadata": {"labels": {(SECRET_LABEL): "other"}}}), true),
            (json!({"metadata": {"labels": {(LOGIN_LABEL): "bob"}}}), true),
            (json!({"immutable": true}), true),
        ] {
            assert_eq!(taken(&secret(value.clone())), expected, "{value}");
        }
    }
}
