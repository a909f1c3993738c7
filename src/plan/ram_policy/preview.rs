//! What follows from a step on a policy, without taking it.

use jiff::Timestamp;

use super::super::Next;
use super::super::preview::Foresee;
use super::{InRam, Policy, Seen, Step};

impl Foresee for Seen {
    type Step = Step;

    fn next(&self, now: Timestamp) -> Next<Step> {
        super::next(self, now)
    }

    fn after(&self, step: &Step) -> Option<Self> {
        let mut seen = self.clone();
        match step {
            Step::AddFinalizer => seen.finalizer = true,
            Step::RecordAdoption => seen.memory.adoption.noted = Some(Timestamp::UNIX_EPOCH),
            Step::Create(document, description) => {
                let policy =
                    Policy { create_time: String::new(), description: description.clone(), document: document.clone() };
                seen.ram = Some(InRam { policy: Some(policy), ..InRam::default() });
                seen.owned()?;
            }
            Step::Describe(description) => {
                seen.ram.as_mut()?.policy.as_mut()?.description.clone_from(description);
                seen.owned()?;
            }
            Step::CreateVersion(document) => seen.ram.as_mut()?.policy.as_mut()?.document.clone_from(document),
            Step::RemoveFinalizer | Step::Detach(_) | Step::Delete => return None,
        }
        Some(seen)
    }

    fn only_looks(_: &Step) -> bool {
        false
    }

    fn line(&self, step: &Step) -> Option<String> {
        let name = &self.policy_name;
        let line = match step {
            Step::Create(..) => format!("CreatePolicy {name}"),
            Step::Describe(_) => format!("UpdatePolicyDescription {name}"),
            Step::CreateVersion(_) => format!("CreatePolicyVersion {name}"),
            Step::Detach(_) => format!("detach {name}"),
            Step::Delete => format!("DeletePolicy {name}"),
            Step::AddFinalizer | Step::RemoveFinalizer | Step::RecordAdoption => return None,
        };
        Some(line)
    }
}

impl Seen {
    /// Its marker was written.
    fn owned(&mut self) -> Option<()> {
        self.memory.create_time = Some(self.ram.as_ref()?.policy.as_ref()?.create_time.clone());
        self.memory.marker_uid = self.marker.as_ref().map(|marker| marker.uid.clone());
        Some(())
    }
}
