//! Restart targets: an annotation on the pod template, as `kubectl rollout restart` does it.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::events::EventType;
use serde_json::{Value, json};

use super::super::drive::note;
use super::super::error::Error;
use super::KeyPass;
use crate::api::{Restart, RestartTarget, WorkloadKind, annotation};
use crate::plan::names::cut;
use crate::plan::ram_access_key::{Workload, settle};

/// Kubernetes takes 63 characters after the `/` of an annotation's key; `restarted-for.` is fourteen of them.
const LONGEST_NAME: usize = 49;

impl KeyPass<'_> {
    fn workloads_of(&self, kind: WorkloadKind) -> Api<DynamicObject> {
        let resource = match kind {
            WorkloadKind::Deployment => ApiResource::erase::<Deployment>(&()),
            WorkloadKind::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
            WorkloadKind::DaemonSet => ApiResource::erase::<DaemonSet>(&()),
        };
        Api::namespaced_with(self.ctx.kube.clone(), &self.key.namespace, &resource)
    }

    pub(super) async fn look_at_workloads(&mut self) -> Result<(), Error> {
        for target in self.object.spec.restart_targets.clone().unwrap_or_default() {
            let seen = match self.workloads_of(target.kind).get_opt(&target.name).await {
                Ok(Some(found)) => Workload::For(restarted(&found, &self.key.name)),
                Ok(None) => Workload::Missing,
                Err(error) => denied(error)?,
            };
            self.workloads.insert(target, seen);
        }
        Ok(())
    }

    pub(super) async fn restart(&mut self, target: RestartTarget) -> Result<(), Error> {
        let journal = settle(&self.seen(), self.now());
        let Some(id) = journal.access_key_id.clone() else { return Err(Error::Unsettled) };
        let patch = json!({"spec": {"template": {"metadata": {"annotations": {restarted_for(&self.key.name): id}}}}});
        let api = self.workloads_of(target.kind);
        let seen = match api.patch(&target.name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => Workload::For(Some(id.clone())),
            Err(kube::Error::Api(status)) if status.is_not_found() => Workload::Missing,
            Err(error) => denied(error)?,
        };
        if matches!(seen, Workload::For(_)) {
            self.journal = journal;
            self.journal.restarts.retain(|known| known.kind != target.kind || known.name != target.name);
            self.journal.restarts.push(Restart {
                kind: target.kind,
                name: target.name.clone(),
                access_key_id: id.clone(),
                time: Some(self.now().to_string()),
            });
            let message = format!("{:?} {} was restarted for AccessKey {id}.", target.kind, target.name);
            note(self.ctx, &self.object, EventType::Normal, "Restarted", message).await;
        }
        self.workloads.insert(target, seen);
        Ok(())
    }
}

/// The annotation of one RamAccessKey: a pod may use the pairs of several.
#[must_use]
pub fn restarted_for(name: &str) -> String {
    format!("{}{}", annotation::RESTARTED_FOR, cut(name, LONGEST_NAME))
}

fn restarted(object: &DynamicObject, name: &str) -> Option<String> {
    let annotations = object.data.pointer("/spec/template/metadata/annotations")?;
    annotations.get(restarted_for(name)).and_then(Value::as_str).map(str::to_owned)
}

/// A right that is missing, or an admission policy that refuses, is said in a condition; it is no reason to stop.
fn denied(error: kube::Error) -> Result<Workload, Error> {
    match error {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => Ok(Workload::Denied),
        error => Err(error.into()),
    }
}
