//! The mint protocol: no key is made that could be lost, whatever dies when.
//!
//! 1. finalizer, tenant, slots and ownership were checked by the plan on live reads; budget is taken here
//! 2. dry run of the Secret's write: missing rights, a quota or a foreign Secret show before a key exists
//! 3. the request is signed; RAM refuses it 15 minutes later
//! 4. the intent goes into the status, by compare-and-swap
//! 5. the request is sent, once
//! 6. the pair is proved, with patience
//! 7. the Secret is written on the condition that nothing changed since 2

use std::time::Duration;

use kube::runtime::events::EventType;
use secrecy::SecretString;
use tokio::time::Instant;

use super::super::drive::note;
use super::super::error::Error;
use super::KeyPass;
use super::publish::Refused;
use crate::plan::names::intent_id;
use crate::plan::ram_access_key::{Intent, settle, suspects};
use crate::plan::timing::PROOF_PATIENCE;
use crate::plan::{Reason, Verdict};
use crate::ram::{AccessKey, Class, KeyPair, KeyStatus, Proof};

impl KeyPass<'_> {
    pub(super) async fn mint(&mut self, replaces: Option<String>) -> Result<(), Error> {
        let client = self.client()?.clone();
        let user_name = self.user_name()?.to_owned();
        client.reserve_mint().await?;
        self.rehearse().await?;
        let signed = client.sign_create_access_key(&user_name).await?;
        let intent = self.intend(signed.timestamp, signed.not_after, replaces).await?;
        if !self.ctx.lease.holds() {
            return Err(Error::NotLeader);
        }
        let pair = match client.send_mint(signed).await {
            Ok(pair) => pair,
            Err(error) if error.proves_nothing_made() => {
                self.close(&intent.id).await?;
                return Err(match error.class() {
                    Class::Quota => Verdict::new(Reason::NoFreeSlot).about("RAM says so").into(),
                    _ => error.into(),
                });
            }
            Err(error) => return Err(error.into()),
        };
        let proof = self.prove_patiently(&pair).await;
        if proof == Some(Proof::Inactive) {
            // Somebody took it out of use already, such as a leader that took it for a stray: a dead pair replaces nothing.
            self.keys_changed = true;
            return Err(Error::Unsettled);
        }
        match self.publish(&pair, &intent).await {
            Ok(()) => {
                let instead = intent.replaces.as_ref().map(|old| format!(" in place of {old}")).unwrap_or_default();
                let message =
                    format!("AccessKey {} is published in the Secret {}{instead}.", pair.id, self.secret_name());
                note(self.ctx, &self.object, EventType::Normal, "Published", message).await;
                self.note_minted(pair, proof);
                Ok(())
            }
            Err(Refused::ForGood(error)) => {
                self.undo(&pair, &intent).await?;
                Err(error)
            }
            Err(Refused::Unclear(error)) => Err(error),
        }
    }

    /// Writes the note without which no request is sent.
    async fn intend(
        &mut self,
        time: jiff::Timestamp,
        not_after: jiff::Timestamp,
        replaces: Option<String>,
    ) -> Result<Intent, Error> {
        let seen = self.seen();
        let mut journal = settle(&seen, self.now());
        let open: Vec<String> = suspects(&seen, &journal).into_iter().map(|key| key.id.clone()).collect();
        let keys = self.ram.iter().flat_map(|ram| &ram.keys).map(|key| key.id.clone());
        let uid = self.object.metadata.uid.clone().unwrap_or_default();
        let intent = Intent {
            id: intent_id(&uid, &uuid::Uuid::new_v4().to_string()),
            // Whole seconds as the API stores them: the start rounded down, the end up.
            time: whole(time, 0),
            not_after: whole(not_after, 1),
            known_ids: keys.filter(|id| !open.contains(id)).collect(),
            replaces,
        };
        journal.intents.push(intent.clone());
        journal.account_id = self.account.as_ref().ok().map(|account| account.view.account_id.clone());
        journal.user_id = seen.user_id_known();
        journal.user_name.clone_from(&self.user_name);
        self.write_journal(journal).await?;
        Ok(intent)
    }

    /// Only the sender may do this, and only on an answer that proves that nothing was made.
    pub(super) async fn close(&mut self, intent: &str) -> Result<(), Error> {
        let mut journal = self.journal.clone();
        journal.intents.retain(|open| open.id != intent);
        self.write_journal(journal).await
    }

    /// Asks with the new pair until RAM knows it. Shutting down cuts this short: the pair is published all the same.
    async fn prove_patiently(&self, pair: &KeyPair) -> Option<Proof> {
        let client = self.client().ok()?;
        let deadline = Instant::now() + PROOF_PATIENCE;
        let mut pause = Duration::from_millis(200);
        loop {
            let proof = client.prove_reserved(pair).await;
            match proof {
                Ok(proof @ (Proof::Authentic { .. } | Proof::Inactive)) => return Some(proof),
                _ if Instant::now() + pause >= deadline => return None,
                _ => {}
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.ctx.stopping.cancelled() => return None,
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// What this pass did itself, it knows without another look.
    fn note_minted(&mut self, pair: KeyPair, proof: Option<Proof>) {
        let create_time = pair.create_time.unwrap_or_else(|| self.now());
        if let Some(ram) = &mut self.ram {
            ram.keys.push(AccessKey { id: pair.id.clone(), status: KeyStatus::Active, create_time });
        }
        if let Some(proof) = proof {
            self.proofs.insert(pair.id, proof);
        }
    }

    /// The Secret is refused for good, so the pair can never be published: take it back.
    async fn undo(&mut self, pair: &KeyPair, intent: &Intent) -> Result<(), Error> {
        self.keys_changed = true;
        let client = self.client()?.clone();
        let user_name = self.user_name()?.to_owned();
        client.update_access_key(&user_name, &pair.id, KeyStatus::Inactive).await?;
        client.delete_access_key(&user_name, &pair.id).await?;
        self.close(&intent.id).await
    }

    /// A placeholder pair, for the dry run: longer than any that RAM makes, so that a Secret which has room for it has room for the real one.
    pub(super) fn stand_in() -> KeyPair {
        KeyPair { id: "LTAI-dry-run".repeat(3), secret: SecretString::from("dry-run-".repeat(8)), create_time: None }
    }
}

fn whole(time: jiff::Timestamp, add: i64) -> jiff::Timestamp {
    let second = time.as_second();
    let up = if time.subsec_nanosecond() > 0 { add } else { 0 };
    jiff::Timestamp::from_second(second.saturating_add(up)).unwrap_or(time)
}
