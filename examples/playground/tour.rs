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
const TEAM: &str = include_str!("../tablestore-team.yaml");
/// The person who leaves the team.
const DANA: &str = "RamUser tablestore/dana";
/// The Secret that both RamAccounts name.
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

/// A run through the quickstart, and through the story of a team.
pub struct Tour<'a> {
    stage: &'a Stage,
    ram: &'a Emulator,
    voice: Voice,
    follower: Follower,
    quickstart: Vec<Value>,
    team: Vec<Value>,
}

impl<'a> Tour<'a> {
    /// Reads both examples and points their RamAccount at the emulator.
    pub fn new(stage: &'a Stage, ram: &'a Emulator, voice: Voice) -> Outcome<Self> {
        let follower = Follower::new(stage.client.clone(), voice);
        let [quickstart, team] = [QUICKSTART, TEAM].map(|text| objects(text, &ram.url()));
        Ok(Self { stage, ram, voice, follower, quickstart: quickstart?, team: team? })
    }

    /// The whole tour; `stays`: then everything is there again to play with, until Ctrl-C.
    pub async fn run(&mut self, stays: bool) -> Outcome<()> {
        self.stage.credentials(CREDENTIALS, &self.ram.access_key()).await?;
        self.voice
            .tell("applying examples/quickstart.yaml, with the RamAccount's endpoints pointed at the emulated RAM");
        self.come(&self.quickstart.clone()).await?;
        self.show(&["get ramacc,ramtenant", "get ramu,ramak,secret -n default"])?;
        self.count();
        self.prove().await?;
        self.voice.tell("deleting the RamAccessKey and the RamUser");
        self.go(&self.quickstart.clone()).await?;
        self.story().await?;
        if stays { self.invite().await } else { Ok(()) }
    }

    /// A team is set up, one of it leaves, and the rest goes.
    async fn story(&mut self) -> Outcome<()> {
        self.voice.tell("applying examples/tablestore-team.yaml: the account's settings, a team with a policy and a group, Dana who logs on, a service");
        self.come(&self.team.clone()).await?;
        self.show(&["get rampol,ramgrp,ramu,secret -n tablestore", "get ramu,ramak,secret -n tablestore-ingest"])?;
        self.count();
        self.voice.tell("Dana leaves: deleting her RamUser");
        let dana: Vec<Value> = self.team.iter().filter(|object| named(object) == DANA).cloned().collect();
        self.delete(&dana).await?;
        let snapshot = self.ram.snapshot();
        let hers: Vec<&String> = snapshot.users.keys().filter(|name| name.ends_with(".dana")).collect();
        if !hers.is_empty() || !snapshot.devices.is_empty() {
            return Err(format!("RAM still has {hers:?} or an MFA device: please report this").into());
        }
        self.voice.tell("her log-on, MFA device, membership and user are gone; the service goes on");
        self.go(&self.team.clone()).await
    }

    /// Takes all objects away.
    pub async fn leave(&mut self) -> Outcome<()> {
        let all: Vec<&Value> = self.team.iter().chain(&self.quickstart).collect();
        for object in all.iter().rev() {
            self.stage.delete(object).await?;
        }
        let labels: Vec<String> = all.into_iter().map(named).collect();
        let gone = "the objects of the examples to go";
        self.follower.until(gone, |seen| labels.iter().all(|label| !seen.contains_key(label))).await
    }

    async fn come(&mut self, objects: &[Value]) -> Outcome<()> {
        for object in objects {
            self.stage.apply(object).await?;
        }
        let ours = objects.iter().filter(|object| object.pointer("/kind") != Some(&json!("Namespace")));
        let labels: Vec<String> = ours.map(named).collect();
        let ready = "everything to be Ready";
        self.follower.until(ready, |seen| labels.iter().all(|label| seen.get(label) == Some(&true))).await
    }

    fn show(&self, commands: &[&str]) -> Outcome<()> {
        for arguments in commands {
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

    /// Deletes objects in namespaces, from the last to the first, and waits until they are gone.
    async fn delete(&mut self, objects: &[Value]) -> Outcome<()> {
        let namespaced: Vec<&Value> =
            objects.iter().rev().filter(|object| object.pointer("/metadata/namespace").is_some()).collect();
        for object in &namespaced {
            self.stage.delete(object).await?;
        }
        let labels: Vec<String> = namespaced.into_iter().map(named).collect();
        let gone = format!("{} to go", labels.join(", "));
        self.follower.until(&gone, |seen| labels.iter().all(|label| !seen.contains_key(label))).await
    }

    /// Deletes what an example has in namespaces, and sees that nothing of it is left in RAM.
    async fn go(&mut self, objects: &[Value]) -> Outcome<()> {
        self.delete(objects).await?;

        let snapshot = self.ram.snapshot();
        let keys = snapshot.minted_keys().count();
        // The operator's own user is the only one that was there before.
        let users: Vec<String> = snapshot.users.keys().filter(|name| *name != "ram-operator").cloned().collect();
        let others = snapshot.groups.len() + snapshot.policies.len() + snapshot.devices.len();
        if keys > 0 || others > 0 || !users.is_empty() {
            let users = users.join(", ");
            return Err(format!(
                "RAM still has {keys} keys, {others} groups, policies and MFA devices, and the users {users}: please report this"
            )
            .into());
        }
        self.voice.tell("RAM is clean: no key, no user, no group and no policy is left of them");
        Ok(())
    }

    /// Puts everything back, and follows it while somebody plays.
    async fn invite(&mut self) -> Outcome<()> {
        // For the examples that attach it.
        let read = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ots:Get*","Resource":"*"}]}"#;
        self.ram.person().create_custom_policy("shared-sensors", read);
        self.voice.tell("applying the quickstart again, for you to play with");
        self.come(&self.quickstart.clone()).await?;
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

/// An example's documents, with the endpoints at `url`.
fn objects(text: &str, url: &str) -> Outcome<Vec<Value>> {
    let mut objects: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| format!("an example cannot be read: {error}"))?;
    for object in &mut objects {
        if object.pointer("/kind") == Some(&json!("RamAccount"))
            && let Some(spec) = object.pointer_mut("/spec").and_then(Value::as_object_mut)
        {
            spec.insert("endpoints".to_owned(), json!({"ram": url, "ims": url, "sts": url}));
        }
    }
    Ok(objects)
}
