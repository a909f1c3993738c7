//! The tour: from `kubectl apply` to a working pair, and away again.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use ram_operator::clock::Clock;
use ram_operator::ram::{Budget, Client, Config, Credential, Endpoints, Source};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::Outcome;
use crate::follow::Follower;
use crate::stage::{Stage, named};
use crate::support::ram::Emulator;
use crate::voice::Voice;

/// What people copy is what is shown.
const QUICKSTART: &str = include_str!("../quickstart.yaml");
/// The Secret that the quickstart's RamAccount names.
const CREDENTIALS: &str = "alibaba-credentials";
/// Where the quickstart's RamAccessKey publishes.
const NAMESPACE: &str = "default";
const SECRET: &str = "reader";

const TO_TRY: &str = r#"
kubectl get ram -A                          # everything of the operator
kubectl describe ramak reader               # conditions and events
kubectl explain ramuser.spec                # the manual
kubectl get secret reader -o yaml

kubectl annotate ramu reader ram-operator.dev/paused=true --overwrite    # grants and repairs rest
kubectl patch ramu reader --type=merge -p '{"spec":{"policies":[{"type":"System","name":"AliyunOTSFullAccess"}]}}'
kubectl annotate ramu reader ram-operator.dev/paused-        # now the policies change in RAM

kubectl annotate ramak reader ram-operator.dev/rotate=$(date +%s) --overwrite    # a new pair
kubectl get ramak reader -o yaml            # status.retiring says when, and who still uses it
kubectl apply -f examples/tenant-team.yaml  # the namespace team-a, for the other examples
kubectl delete namespace team-a             # after some of them: it goes, and RAM is clean"#;

/// A run through the quickstart.
pub struct Tour<'a> {
    stage: &'a Stage,
    ram: &'a Emulator,
    voice: Voice,
    follower: Follower,
    objects: Vec<Value>,
}

impl<'a> Tour<'a> {
    /// Reads the quickstart and points its RamAccount at the emulator.
    pub fn new(stage: &'a Stage, ram: &'a Emulator, voice: Voice) -> Outcome<Self> {
        let follower = Follower::new(stage.client.clone(), voice);
        Ok(Self { stage, ram, voice, follower, objects: objects(&ram.url())? })
    }

    /// The whole tour; `stays`: then everything is there again to play with, until Ctrl-C.
    pub async fn run(&mut self, stays: bool) -> Outcome<()> {
        self.stage.credentials(CREDENTIALS, &self.ram.access_key()).await?;
        self.voice
            .tell("applying examples/quickstart.yaml, with the RamAccount's endpoints pointed at the emulated RAM");
        self.come().await?;
        self.show()?;
        self.count();
        self.prove().await?;
        self.go().await?;
        if stays { self.invite().await } else { Ok(()) }
    }

    /// Takes the quickstart's objects away.
    pub async fn leave(&mut self) -> Outcome<()> {
        for object in self.objects.iter().rev() {
            self.stage.delete(object).await?;
        }
        let labels: Vec<String> = self.objects.iter().map(named).collect();
        let gone = "the objects of the quickstart to go";
        self.follower.until(gone, |seen| labels.iter().all(|label| !seen.contains_key(label))).await
    }

    async fn come(&mut self) -> Outcome<()> {
        for object in &self.objects {
            self.stage.apply(object).await?;
        }
        let labels: Vec<String> = self.objects.iter().map(named).collect();
        let ready = "everything to be Ready";
        self.follower.until(ready, |seen| labels.iter().all(|label| seen.get(label) == Some(&true))).await
    }

    fn show(&self) -> Outcome<()> {
        for arguments in ["get ramacc,ramtenant", "get ramu,ramak,secret -n default"] {
            self.voice.tell(&format!("kubectl {arguments}"));
            let output = self.stage.kubectl().args(arguments.split(' ')).output();
            let output = output.map_err(|error| format!("kubectl does not run: {error}. Put it into PATH"))?;
            if !output.status.success() {
                let why = String::from_utf8_lossy(&output.stderr);
                return Err(format!("kubectl {arguments}: {}", why.trim()).into());
            }
            self.voice.show(&String::from_utf8_lossy(&output.stdout));
        }
        Ok(())
    }

    fn count(&self) {
        let mut reads: BTreeMap<String, usize> = BTreeMap::new();
        for call in self.ram.journal().into_iter().filter(|call| !call.effect) {
            *reads.entry(call.action).or_default() += 1;
        }
        let writes = self.ram.writes();
        let total: usize = reads.values().sum();
        self.voice.tell(&format!("RAM was written to {} times and read {total} times so far", writes.len()));
        self.voice.show(&writes.join("\n"));
        let reads: Vec<String> = reads.iter().map(|(action, count)| format!("{count} x {action}")).collect();
        self.voice.show(&reads.join(", "));
    }

    /// Signs a call with what the Secret holds, as a workload would.
    async fn prove(&self) -> Outcome<()> {
        let secrets: Api<Secret> = Api::namespaced(self.stage.client.clone(), NAMESPACE);
        let secret = secrets.get(SECRET).await;
        let secret = secret.map_err(|error| format!("cannot read the Secret {NAMESPACE}/{SECRET}: {error}"))?;
        let data = secret.data.unwrap_or_default();
        let text = |key: &str| {
            let text = data.get(key).and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
            text.ok_or_else(|| format!("the Secret {NAMESPACE}/{SECRET} has no {key}"))
        };
        let pair = Credential {
            access_key_id: text("ALIBABA_CLOUD_ACCESS_KEY_ID")?,
            access_key_secret: SecretString::from(text("ALIBABA_CLOUD_ACCESS_KEY_SECRET")?),
            security_token: None,
            expiration: None,
        };
        let url = self.ram.url();
        let config = Config {
            endpoints: Endpoints { ram: url.clone(), ims: url.clone(), sts: url.clone(), metadata: url },
            source: Source::Static(pair),
            assume_role: None,
            account_id: None,
            quota_share: 100,
            clock: Clock::system(),
            observer: Arc::new(|_, _| ()),
            allow_http: true,
        };
        let identity = Client::new(config, Arc::new(Budget::new(100)))?.caller_identity().await?;
        self.voice.tell(&format!("GetCallerIdentity, signed with the pair in the Secret, says {}", identity.arn));
        Ok(())
    }

    /// Deletes key and user, and sees that nothing of them is left in RAM.
    async fn go(&mut self) -> Outcome<()> {
        self.voice.tell("deleting the RamAccessKey and the RamUser");
        let namespaced: Vec<Value> = self
            .objects
            .iter()
            .rev()
            .filter(|object| object.pointer("/metadata/namespace").is_some())
            .cloned()
            .collect();
        for object in &namespaced {
            self.stage.delete(object).await?;
        }
        let labels: Vec<String> = namespaced.iter().map(named).collect();
        let gone = "RamAccessKey and RamUser to go";
        self.follower.until(gone, |seen| labels.iter().all(|label| !seen.contains_key(label))).await?;

        let snapshot = self.ram.snapshot();
        let keys = snapshot.minted_keys().count();
        // The operator's own user is the only one that was there before.
        let users: Vec<String> = snapshot.users.keys().filter(|name| *name != "ram-operator").cloned().collect();
        if keys > 0 || !users.is_empty() {
            let users = users.join(", ");
            return Err(format!("RAM still has {keys} keys, and the users {users}: please report this").into());
        }
        self.voice.tell("RAM is clean: no key and no user is left of them");
        Ok(())
    }

    /// Puts everything back, and follows it while somebody plays.
    async fn invite(&mut self) -> Outcome<()> {
        // For the examples that attach it.
        let read = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:Get*","Resource":"*"}]}"#;
        self.ram.person().create_custom_policy("shared-sensors", read);
        self.voice.tell("applying the quickstart again, for you to play with");
        self.come().await?;
        self.voice.tell("in another terminal:");
        self.voice.show(&format!("{}\n{TO_TRY}", self.stage.exports()));
        let (id, secret) = self.ram.access_key();
        self.voice.tell(&format!(
            "any client of Alibaba Cloud RAM can act as the account's administrator at {}: AccessKey {id}, secret {secret}",
            self.ram.url()
        ));
        self.voice.tell("what changes is told here; Ctrl-C ends everything");
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => Ok(pressed?),
            ended = self.follower.forever() => ended,
        }
    }
}

/// The quickstart's documents, with the endpoints at `url`.
fn objects(url: &str) -> Outcome<Vec<Value>> {
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(QUICKSTART)
        .map_err(|error| format!("examples/quickstart.yaml cannot be read: {error}"))?;
    for object in &mut objects {
        if object.pointer("/kind") == Some(&json!("RamAccount"))
            && let Some(spec) = object.pointer_mut("/spec").and_then(Value::as_object_mut)
        {
            spec.insert("endpoints".to_owned(), json!({"ram": url, "ims": url, "sts": url}));
        }
    }
    Ok(objects)
}
