//! The Secret of a key: how it is written, and what one that exists says. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::seal::Sealer;
use crate::api::{Format, GROUP, KeyDeletionPolicy, SECRET_LABEL, SecretOutput, VERSION, Why, annotation};
use crate::digest;
use crate::plan::ram_access_key::{Published, SecretSeen};

const ENV_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const ENV_SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const INI: &str = "credentials";
const CLI_JSON: &str = "config.json";
const CSV: &str = "AccessKey.csv";
/// On a Secret: the labels and annotations that the spec asked for, so that those it no longer asks for can go.
const APPLIED: &str = "ram-operator.dev/applied";

/// Everything that decides a Secret's contents.
pub struct Content<'a> {
    /// Namespace of key and Secret.
    pub namespace: &'a str,
    /// Name of the RamAccessKey.
    pub owner: &'a str,
    /// Its uid.
    pub uid: &'a str,
    /// Where and how.
    pub output: &'a SecretOutput,
    /// Decides whether garbage collection may take the Secret.
    pub deletion_policy: KeyDeletionPolicy,
    /// Id of the key.
    pub id: &'a str,
    /// Its secret.
    pub secret: &'a SecretString,
    /// Its account.
    pub account_id: &'a str,
    /// RAM's `UserId`.
    pub user_id: &'a str,
    /// RAM's `UserName`.
    pub user_name: &'a str,
    /// The name for log-on, where it is known.
    pub user_principal_name: Option<&'a str>,
    /// When it is published.
    pub time: Timestamp,
    /// The intent whose mint it was.
    pub intent: Option<&'a str>,
    /// Keys that it replaced, with times.
    pub retiring: &'a [(String, Timestamp, Why)],
    /// Seals them.
    pub sealer: Option<&'a Sealer>,
}

impl Content<'_> {
    /// Name of the Secret.
    #[must_use]
    pub fn name(&self) -> &str {
        self.output.name.as_deref().unwrap_or(self.owner)
    }

    /// The Secret to write, over `stored` if there is one: what others put on it stays.
    #[must_use]
    pub fn over(&self, stored: Option<&Secret>) -> Secret {
        let meta = stored.map(|secret| secret.metadata.clone()).unwrap_or_default();
        let applied: BTreeSet<String> = meta
            .annotations
            .as_ref()
            .and_then(|all| all.get(APPLIED))
            .map(|list| list.split(',').map(str::to_owned).collect())
            .unwrap_or_default();
        let mut labels = meta.labels.unwrap_or_default();
        let mut annotations = meta.annotations.unwrap_or_default();
        labels.retain(|key, _| !applied.contains(&format!("label:{key}")));
        annotations.retain(|key, _| !applied.contains(&format!("annotation:{key}")));
        let wanted = self.output.labels.iter().flatten().map(|(k, v)| (k.clone(), v.0.clone()));
        labels.extend(wanted);
        let wanted = self.output.annotations.iter().flatten().map(|(k, v)| (k.clone(), v.0.clone()));
        annotations.extend(wanted);
        labels.insert(SECRET_LABEL.to_owned(), self.owner.to_owned());
        self.mark(&mut annotations);
        let others = meta.owner_references.unwrap_or_default().into_iter().filter(|owner| !is_ours(owner, self.owner));
        let owners: Vec<_> = others.chain(self.owner_reference()).collect();
        Secret {
            metadata: ObjectMeta {
                name: Some(self.name().to_owned()),
                namespace: Some(self.namespace.to_owned()),
                resource_version: meta.resource_version,
                uid: meta.uid,
                finalizers: meta.finalizers,
                labels: Some(labels),
                annotations: Some(annotations),
                owner_references: Some(owners).filter(|owners| !owners.is_empty()),
                ..ObjectMeta::default()
            },
            data: Some(self.data()),
            type_: Some(stored.and_then(|secret| secret.type_.clone()).unwrap_or_else(|| "Opaque".to_owned())),
            ..Secret::default()
        }
    }

    /// Garbage collection may take the Secret only where its key goes too.
    fn owner_reference(&self) -> Option<OwnerReference> {
        (self.deletion_policy == KeyDeletionPolicy::Delete).then(|| OwnerReference {
            api_version: format!("{GROUP}/{VERSION}"),
            kind: "RamAccessKey".to_owned(),
            name: self.owner.to_owned(),
            uid: self.uid.to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(false),
        })
    }

    fn mark(&self, annotations: &mut BTreeMap<String, String>) {
        let labels = self.output.labels.iter().flatten().map(|(key, _)| format!("label:{key}"));
        let others = self.output.annotations.iter().flatten().map(|(key, _)| format!("annotation:{key}"));
        let applied: Vec<String> = labels.chain(others).collect();
        let retiring: Vec<String> = self.retiring.iter().map(marked).collect();
        let retiring = Some(retiring.join(",")).filter(|text| !text.is_empty());
        let seal = retiring.as_ref().zip(self.sealer);
        let seal = seal.map(|(text, sealer)| seal_over(sealer, [self.namespace, self.owner, self.user_id, text]));
        for (key, value) in [
            (annotation::ACCESS_KEY_ID, Some(self.id.to_owned())),
            (annotation::ACCOUNT_ID, Some(self.account_id.to_owned())),
            (annotation::USER_ID, Some(self.user_id.to_owned())),
            (annotation::PUBLISHED_TIME, Some(self.time.to_string())),
            (annotation::INTENT, self.intent.map(str::to_owned)),
            (annotation::RETIRING_SEAL, seal),
            (annotation::RETIRING, retiring),
            (annotation::PAIR_SHA256, Some(pair_sha256(self.id, self.secret))),
            (APPLIED, Some(applied.join(",")).filter(|text| !text.is_empty())),
        ] {
            match value {
                Some(value) => annotations.insert(key.to_owned(), value),
                None => annotations.remove(key),
            };
        }
    }

    fn data(&self) -> BTreeMap<String, ByteString> {
        let (id, secret) = (self.id, self.secret.expose_secret());
        let mut data = BTreeMap::new();
        let mut put = |key: &str, value: String| data.insert(key.to_owned(), ByteString(value.into_bytes()));
        for format in &self.output.formats {
            match format {
                Format::Env => {
                    put(ENV_ID, id.to_owned());
                    put(ENV_SECRET, secret.to_owned())
                }
                Format::Ini => put(
                    INI,
                    format!("[default]\ntype = access_key\naccess_key_id = {id}\naccess_key_secret = {secret}\n"),
                ),
                Format::CliJson => put(CLI_JSON, cli_json(id, secret)),
                Format::Csv => put(CSV, format!("AccessKey ID,AccessKey Secret\n{id},{secret}\n")),
            };
        }
        for (key, template) in self.output.data.iter().flatten() {
            put(key, self.render(&template.0));
        }
        data
    }

    /// Replaces `$(name)`; `$$(` stands for `$(`.
    fn render(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find("$(") {
            let (before, tail) = rest.split_at(at);
            let tail = tail.strip_prefix("$(").unwrap_or_default();
            if let Some(before) = before.strip_suffix('$') {
                text.push_str(before);
                text.push_str("$(");
                rest = tail;
                continue;
            }
            text.push_str(before);
            let (name, after) = tail.split_once(')').unwrap_or((tail, ""));
            text.push_str(self.value(name));
            rest = after;
        }
        text.push_str(rest);
        text
    }

    fn value(&self, name: &str) -> &str {
        match name {
            "accessKeyId" => self.id,
            "accessKeySecret" => self.secret.expose_secret(),
            "userName" => self.user_name,
            "userPrincipalName" => self.user_principal_name.unwrap_or_default(),
            "accountId" => self.account_id,
            // The schema refuses other names.
            _ => "",
        }
    }
}

fn cli_json(id: &str, secret: &str) -> String {
    let file = json!({
        "current": "default",
        "profiles": [{
            "name": "default",
            "mode": "AK",
            "access_key_id": id,
            "access_key_secret": secret,
            "region_id": "cn-hangzhou",
            "output_format": "json",
            "language": "en",
        }],
    });
    file.to_string()
}

/// Hex SHA-256 over id, newline and secret.
fn pair_sha256(id: &str, secret: &SecretString) -> String {
    digest::hex(&[id, "\n", secret.expose_secret()])
}

fn is_ours(owner: &OwnerReference, name: &str) -> bool {
    owner.kind == "RamAccessKey" && owner.name == name && owner.api_version.starts_with("ram-operator.dev/")
}

/// Whether the Secret belongs to the RamAccessKey `owner`: by label, and by no other controller.
#[must_use]
pub fn belongs_to(meta: &ObjectMeta, owner: &str) -> bool {
    let label = meta.labels.as_ref().and_then(|labels| labels.get(SECRET_LABEL));
    let controller = meta.owner_references.iter().flatten().find(|reference| reference.controller == Some(true));
    label.is_some_and(|label| label == owner) && controller.is_none_or(|reference| is_ours(reference, owner))
}

/// The pair in a Secret of ours, from whichever form still holds it whole.
pub fn pair(secret: &Secret) -> Option<(String, SecretString)> {
    let annotations = secret.metadata.annotations.as_ref()?;
    let (id, hash) = (annotations.get(annotation::ACCESS_KEY_ID)?, annotations.get(annotation::PAIR_SHA256)?);
    let data = secret.data.as_ref()?;
    let text = |key: &str| data.get(key).and_then(|bytes| std::str::from_utf8(&bytes.0).ok());
    let env = text(ENV_SECRET).map(str::to_owned);
    let ini = text(INI).and_then(|file| {
        let line = file.lines().find_map(|line| line.strip_prefix("access_key_secret"));
        line.and_then(|line| line.split_once('=')).map(|(_, value)| value.trim().to_owned())
    });
    let cli = text(CLI_JSON).and_then(|file| {
        let file: Value = serde_json::from_str(file).ok()?;
        file.pointer("/profiles/0/access_key_secret").and_then(Value::as_str).map(str::to_owned)
    });
    let csv = text(CSV).and_then(|file| file.lines().nth(1)?.split_once(',').map(|(_, value)| value.trim().to_owned()));
    let candidates = [env, ini, cli, csv].into_iter().flatten().map(SecretString::from);
    candidates.into_iter().find(|secret| pair_sha256(id, secret) == *hash).map(|secret| (id.clone(), secret))
}

/// What a Secret says to the plan; `wanted` is what would be written now, when that can be told.
#[must_use]
pub fn read(stored: Option<&Secret>, owner: &str, wanted: Option<&Secret>, sealer: Option<&Sealer>) -> SecretSeen {
    let Some(stored) = stored else { return SecretSeen::Absent };
    if !belongs_to(&stored.metadata, owner) {
        return SecretSeen::Foreign;
    }
    let meta = &stored.metadata;
    let mark = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key)).cloned();
    let user_id = mark(annotation::USER_ID).unwrap_or_default();
    // Whoever may write the Secret could name keys that are not ours.
    let genuine = |text: &String| {
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let seals = sealer.map(|sealer| seal_over(sealer, [namespace, owner, &user_id, text]));
        seals.is_some() && seals == mark(annotation::RETIRING_SEAL)
    };
    let names = mark(annotation::RETIRING).filter(genuine).unwrap_or_default();
    SecretSeen::Ours(Published {
        id: mark(annotation::ACCESS_KEY_ID),
        intact: pair(stored).is_some(),
        account_id: mark(annotation::ACCOUNT_ID),
        time: mark(annotation::PUBLISHED_TIME).and_then(|text| text.parse().ok()),
        intent: mark(annotation::INTENT),
        retiring: retiring(&names),
        up_to_date: wanted.is_none_or(|wanted| same(stored, wanted)),
        owned: meta.owner_references.iter().flatten().any(|reference| is_ours(reference, owner)),
    })
}

/// The seal over [`annotation::RETIRING`]: of a namespace, a RamAccessKey in it, a RAM user's id, and the text.
fn seal_over(sealer: &Sealer, [namespace, owner, user_id, retiring]: [&str; 4]) -> String {
    sealer.over(&["retiring", namespace, owner, user_id, retiring])
}

/// An entry of [`annotation::RETIRING`].
fn marked((id, time, why): &(String, Timestamp, Why)) -> String {
    match why {
        Why::Replaced => format!("{id}@{time}"),
        Why::Stray => format!("{id}@{time}@Stray"),
        Why::Revoked => format!("{id}@{time}@Revoked"),
    }
}

fn retiring(text: &str) -> Vec<(String, Timestamp, Why)> {
    let entry = |entry: &str| {
        let mut parts = entry.split('@');
        let (id, time) = (parts.next()?, parts.next()?);
        let why = match parts.next() {
            Some("Stray") => Why::Stray,
            Some("Revoked") => Why::Revoked,
            _ => Why::Replaced,
        };
        Some((id.to_owned(), time.parse().ok()?, why))
    };
    text.split(',').filter_map(entry).collect()
}

fn same(stored: &Secret, wanted: &Secret) -> bool {
    let (has, wants) = (&stored.metadata, &wanted.metadata);
    let owners = |meta: &ObjectMeta| meta.owner_references.clone().unwrap_or_default();
    stored.data == wanted.data
        && has.labels == wants.labels
        && has.annotations == wants.annotations
        && owners(has) == owners(wants)
}

/// A Secret whose pair stays: without the owner reference, and without our marks if it is in use without us.
#[must_use]
pub fn released(stored: &Secret, owner: &str, marks: bool) -> Secret {
    let mut secret = stored.clone();
    secret.metadata.managed_fields = None;
    if let Some(owners) = &mut secret.metadata.owner_references {
        owners.retain(|reference| !is_ours(reference, owner));
    }
    if marks {
        let ours = |key: &String| key.starts_with("ram-operator.dev/");
        if let Some(labels) = &mut secret.metadata.labels {
            labels.retain(|key, _| !ours(key));
        }
        if let Some(annotations) = &mut secret.metadata.annotations {
            annotations.retain(|key, _| !ours(key));
        }
    }
    secret
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt as _;

    use super::super::seal::tests::sealer;
    use super::*;

    fn output(json: &str) -> SecretOutput {
        serde_json::from_str(json).expect("an output")
    }

    fn content<'a>(output: &'a SecretOutput, secret: &'a SecretString) -> Content<'a> {
        Content {
            namespace: "team-a",
            owner: "reader",
            uid: "uid-1",
            output,
            deletion_policy: KeyDeletionPolicy::Delete,
            id: "LTAI0001",
            secret,
            account_id: "1234567890123456",
            user_id: "2",
            user_name: "team-a.reader",
            user_principal_name: Some("team-a.reader@x.onaliyun.com"),
            time: Timestamp::UNIX_EPOCH,
            intent: Some("intent-1"),
            retiring: &[],
            sealer: None,
        }
    }

    fn text<'a>(secret: &'a Secret, key: &str) -> &'a str {
        std::str::from_utf8(&secret.data.as_ref().expect("data")[key].0).expect("text")
    }

    #[test]
    fn the_pair_is_found_in_every_format() {
        let secret = SecretString::from("s3cr3t");
        for format in ["Env", "Ini", "CliJson", "Csv"] {
            let output = output(&format!(r#"{{"formats":["{format}"]}}"#));
            let written = content(&output, &secret).over(None);
            let (id, found) = pair(&written).expect(format);
            assert_eq!((id.as_str(), found.expose_secret()), ("LTAI0001", "s3cr3t"), "{format}");
            assert!(
                matches!(read(Some(&written), "reader", Some(&written), None), SecretSeen::Ours(p) if p.intact && p.up_to_date)
            );
        }
    }

    #[test]
    fn a_changed_pair_is_damaged() {
        let (output, secret) = (output(r#"{"formats":["Env"]}"#), SecretString::from("s3cr3t"));
        let mut written = content(&output, &secret).over(None);
        written.data.as_mut().expect("data").insert(ENV_SECRET.to_owned(), ByteString(b"other".to_vec()));
        assert!(matches!(read(Some(&written), "reader", None, None), SecretSeen::Ours(p) if !p.intact));
    }

    #[test]
    fn templates() {
        let output = output(
            r#"{"formats":["Env"],"data":{"a":"id=$(accessKeyId) $$(x) $5 $(userName)","b":"$$$","c":"$(userPrincipalName)/$(accountId)/$(accessKeySecret)"}}"#,
        );
        let secret = SecretString::from("s3cr3t");
        let written = content(&output, &secret).over(None);
        assert_eq!(text(&written, "a"), "id=LTAI0001 $(x) $5 team-a.reader");
        assert_eq!(text(&written, "b"), "$$$");
        assert_eq!(text(&written, "c"), "team-a.reader@x.onaliyun.com/1234567890123456/s3cr3t");
    }

    #[test]
    fn what_others_put_on_the_secret_stays_and_what_the_spec_dropped_goes() {
        let secret = SecretString::from("s3cr3t");
        let first = output(r#"{"formats":["Env"],"labels":{"team":"a"},"annotations":{"note":"x"}}"#);
        let mut stored = content(&first, &secret).over(None);
        stored.metadata.labels.as_mut().expect("labels").insert("other".to_owned(), "kept".to_owned());
        let second = output(r#"{"formats":["Env"]}"#);
        let wanted = content(&second, &secret).over(Some(&stored));
        let labels = wanted.metadata.labels.clone().expect("labels");
        assert_eq!(labels.keys().collect::<Vec<_>>(), ["other", SECRET_LABEL]);
        assert!(!wanted.metadata.annotations.as_ref().expect("annotations").contains_key("note"));
        assert!(!same(&stored, &wanted));
        assert!(same(&wanted, &content(&second, &secret).over(Some(&wanted))));
    }

    #[test]
    fn only_our_own_secret_is_ours() {
        let (output, secret) = (output(r#"{"formats":["Env"]}"#), SecretString::from("s3cr3t"));
        let mut written = content(&output, &secret).over(None);
        assert!(belongs_to(&written.metadata, "reader"));
        assert!(!belongs_to(&written.metadata, "other"));
        written.metadata.owner_references.as_mut().expect("owner")[0].kind = "Deployment".to_owned();
        assert!(!belongs_to(&written.metadata, "reader"));
        written.metadata.labels = None;
        assert!(!belongs_to(&written.metadata, "reader"));
    }

    #[test]
    fn garbage_collection_may_take_it_only_where_the_key_goes_too() {
        let (output, secret) = (output(r#"{"formats":["Env"]}"#), SecretString::from("s3cr3t"));
        let owned = content(&output, &secret).over(None);
        let kept =
            Content { deletion_policy: KeyDeletionPolicy::Retain, ..content(&output, &secret) }.over(Some(&owned));
        assert!(owned.metadata.owner_references.is_some() && kept.metadata.owner_references.is_none());
        let free = released(&kept, "reader", true);
        assert!(matches!(read(Some(&free), "reader", None, None), SecretSeen::Foreign));
    }

    #[test]
    fn only_sealed_keys_on_their_way_out_are_believed() {
        let (ours, other) = (sealer(1), sealer(2));
        let (output, secret) = (SecretOutput::default(), SecretString::from("secret".to_owned()));
        let retiring = [("LTAIold".to_owned(), Timestamp::UNIX_EPOCH, Why::Stray)];
        let content = Content { retiring: &retiring, sealer: Some(&ours), ..content(&output, &secret) };
        let written = content.over(None);
        let believed = |secret: &Secret, sealer| match read(Some(secret), "reader", None, sealer) {
            SecretSeen::Ours(published) => published.retiring,
            _ => panic!("it is ours"),
        };
        assert_eq!(believed(&written, Some(&ours)), retiring);
        assert!(believed(&written, Some(&other)).is_empty() && believed(&written, None).is_empty());
        let mut forged = written.clone();
        forged.annotations_mut().insert(annotation::RETIRING.to_owned(), "LTAIforeign@1970-01-01T00:00:00Z".to_owned());
        assert!(believed(&forged, Some(&ours)).is_empty());
        let mut elsewhere = written;
        elsewhere.metadata.namespace = Some("team-b".to_owned());
        assert!(believed(&elsewhere, Some(&ours)).is_empty());
    }
}
