//! What follows from a step on a group, without taking it.

use jiff::Timestamp;

use super::super::Next;
use super::super::preview::Foresee;
use super::{InRam, Seen, Step};
use crate::ram::Group;

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
            Step::Create(comments) => {
                let group = Group { id: String::new(), name: self.group_name.clone(), comments: comments.clone() };
                seen.ram = Some(InRam { group: Some(group), ..InRam::default() });
                seen.owned()?;
            }
            Step::Comment(comments) => {
                seen.ram.as_mut()?.group.as_mut()?.comments.clone_from(comments);
                seen.owned()?;
            }
            Step::AttachPolicy(policy) => seen.ram.as_mut()?.policies.push(policy.clone()),
            Step::DetachPolicy(policy) => {
                seen.quota_reached = false;
                seen.ram.as_mut()?.policies.retain(|has| !has.same_as(policy));
            }
            Step::RemoveFinalizer | Step::LookAtPolicy(_) | Step::RemoveMember(_) | Step::Delete => return None,
        }
        Some(seen)
    }

    fn only_looks(step: &Step) -> bool {
        matches!(step, Step::LookAtPolicy(_))
    }

    fn line(&self, step: &Step) -> Option<String> {
        let name = &self.group_name;
        let line = match step {
            Step::Create(_) => format!("CreateGroup {name}"),
            Step::Comment(_) => format!("UpdateGroup {name}"),
            Step::AttachPolicy(policy) => format!("AttachPolicyToGroup {policy}"),
            Step::DetachPolicy(policy) => format!("DetachPolicyFromGroup {policy}"),
            Step::RemoveMember(member) => format!("RemoveUserFromGroup {member}"),
            Step::Delete => format!("DeleteGroup {name}"),
            Step::AddFinalizer | Step::RemoveFinalizer | Step::RecordAdoption | Step::LookAtPolicy(_) => return None,
        };
        Some(line)
    }
}

impl Seen {
    /// Its marker was written.
    fn owned(&mut self) -> Option<()> {
        self.memory.group_id = Some(self.ram.as_ref()?.group.as_ref()?.id.clone());
        self.memory.marker_uid = self.marker.as_ref().map(|marker| marker.uid.clone());
        Some(())
    }
}
