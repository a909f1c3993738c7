//! Follows the `Ready` conditions of all objects of the operator, and tells every change.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::{Client, ResourceExt};
use ram_operator::api::{RamAccessKey, RamAccount, RamGroup, RamPolicy, RamRevocation, RamTenant, RamUser};
use serde_json::Value;

use crate::Outcome;
use crate::voice::Voice;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often the objects are looked at.
const POLL: Duration = Duration::from_millis(200);

/// The objects there are, by label; `true`: ready.
pub type Seen = BTreeMap<String, bool>;

/// The operator's kinds, in the order in which they become ready.
pub fn kinds() -> [ApiResource; 7] {
    [
        ApiResource::erase::<RamAccount>(&()),
        ApiResource::erase::<RamTenant>(&()),
        ApiResource::erase::<RamPolicy>(&()),
        ApiResource::erase::<RamGroup>(&()),
        ApiResource::erase::<RamUser>(&()),
        ApiResource::erase::<RamAccessKey>(&()),
        ApiResource::erase::<RamRevocation>(&()),
    ]
}

/// `RamUser default/reader`, `RamAccount default`.
pub fn label(kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

/// Tells what changes.
pub struct Follower {
    client: Client,
    voice: Voice,
    told: BTreeMap<String, String>,
}

impl Follower {
    /// Nothing told yet.
    pub fn new(client: Client, voice: Voice) -> Self {
        Self { client, voice, told: BTreeMap::new() }
    }

    /// Follows until `done`; gives up after two minutes.
    pub async fn until(&mut self, what: &str, done: impl Fn(&Seen) -> bool) -> Outcome<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            if done(&self.look().await?) {
                return Ok(());
            }
            if Instant::now() > end {
                let lines: Vec<String> = self.told.iter().map(|(label, line)| format!("{label} {line}")).collect();
                let waited = PATIENCE.as_secs();
                return Err(format!("waited {waited} s in vain for {what}:\n{}", lines.join("\n")).into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Follows for good; ends only when the cluster does not answer.
    pub async fn forever(&mut self) -> Outcome<()> {
        loop {
            self.look().await?;
            tokio::time::sleep(POLL).await;
        }
    }

    async fn look(&mut self) -> Outcome<Seen> {
        let mut seen = Seen::new();
        for kind in kinds() {
            let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind);
            let list = match api.list(&ListParams::default()).await {
                Ok(list) => list.items,
                // Whoever plays may uninstall everything.
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    self.note(&format!("CRD {}", kind.plural), "is not installed any more".to_owned());
                    seen.insert(format!("CRD {}", kind.plural), false);
                    continue;
                }
                Err(error) => return Err(format!("cannot list {}: {error}", kind.plural).into()),
            };
            for object in list {
                let label = label(&kind.kind, object.namespace().as_deref(), &object.name_any());
                self.note(&label, stand(&kind.kind, &object));
                seen.insert(label, is_ready(&object));
            }
        }
        let gone: BTreeSet<String> = self.told.keys().filter(|label| !seen.contains_key(*label)).cloned().collect();
        for label in gone {
            self.told.remove(&label);
            self.voice.tell(&format!("{label} is gone"));
        }
        Ok(seen)
    }

    fn note(&mut self, label: &str, line: String) {
        if self.told.get(label) != Some(&line) {
            self.voice.tell(&format!("{label} {line}"));
            self.told.insert(label.to_owned(), line);
        }
    }
}

fn ready(object: &DynamicObject) -> Option<&Value> {
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| text(condition, "/type") == "Ready")
}

fn is_ready(object: &DynamicObject) -> bool {
    ready(object).is_some_and(|ready| {
        let generation = ready.pointer("/observedGeneration").and_then(Value::as_i64);
        text(ready, "/status") == "True" && generation == object.metadata.generation
    })
}

/// How an object stands, in a line.
fn stand(kind: &str, object: &DynamicObject) -> String {
    match ready(object) {
        Some(_) if is_ready(object) => format!("is Ready: {}", facts(kind, &object.data)),
        Some(ready) if object.metadata.deletion_timestamp.is_some() && text(ready, "/status") == "True" => {
            "is being deleted".to_owned()
        }
        Some(ready) if text(ready, "/status") == "True" => "was changed and is looked at".to_owned(),
        Some(ready) => format!("is not Ready: {}: {}", text(ready, "/reason"), text(ready, "/message")),
        None => "has no status yet".to_owned(),
    }
}

fn facts(kind: &str, object: &Value) -> String {
    match kind {
        "RamAccount" => format!("account {}", text(object, "/status/accountId")),
        "RamTenant" => {
            let count = object.pointer("/status/namespaces").and_then(Value::as_i64).unwrap_or_default();
            format!("{count} namespaces")
        }
        "RamUser" => format!("user {} in RAM", text(object, "/status/userName")),
        // Only a person's gets there; one of the operator's goes when it is done.
        "RamRevocation" => format!("AccessKey {} is taken away", text(object, "/spec/accessKeyId")),
        _ => {
            let (id, secret) = (text(object, "/status/accessKeyId"), text(object, "/status/secret/name"));
            format!("AccessKey {id} in the Secret {secret}")
        }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
