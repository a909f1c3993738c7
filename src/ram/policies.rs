//! Policies, their versions, and what they are attached to. Only RAM has them.
//!
//! Only custom policies can be changed, so that what changes one takes a name, and what reads one a [`PolicyRef`].

use super::{
    client::{Client, already, given, present},
    error::Error,
    model::{AttachedPolicy, PolicyDetail, PolicyEntities, PolicyRef, PolicyVersion},
    sign::Param,
    transport::Api,
    wire,
};

/// What RAM says when there is no such policy.
const NO_POLICY: &str = "EntityNotExist.Policy";
/// What RAM says when the policy has no such version.
const NO_VERSION: &str = "EntityNotExist.Policy.Version";

impl Client {
    /// The policies attached to a user directly, not those of its groups (RAM ListPoliciesForUser).
    pub async fn list_policies_for_user(&self, user_name: &str) -> Result<Vec<AttachedPolicy>, Error> {
        self.call::<wire::AttachedPolicies>(Api::Ram, "ListPoliciesForUser", &[("UserName", user_name)]).await
    }

    /// The policies attached to a group (RAM ListPoliciesForGroup).
    pub async fn list_policies_for_group(&self, group_name: &str) -> Result<Vec<AttachedPolicy>, Error> {
        self.call::<wire::AttachedPolicies>(Api::Ram, "ListPoliciesForGroup", &[("GroupName", group_name)]).await
    }

    /// Attaches a policy (RAM AttachPolicyToUser); one that is attached already is done.
    pub async fn attach_policy_to_user(&self, user_name: &str, policy: &PolicyRef) -> Result<(), Error> {
        let params = attachment(("UserName", user_name), policy);
        let answer = self.call::<wire::Done>(Api::Ram, "AttachPolicyToUser", &params).await;
        already(answer, "EntityAlreadyExists.User.Policy")
    }

    /// Attaches a policy (RAM AttachPolicyToGroup); one that is attached already is done.
    pub async fn attach_policy_to_group(&self, group_name: &str, policy: &PolicyRef) -> Result<(), Error> {
        let params = attachment(("GroupName", group_name), policy);
        let answer = self.call::<wire::Done>(Api::Ram, "AttachPolicyToGroup", &params).await;
        already(answer, "EntityAlreadyExists.Group.Policy")
    }

    /// Detaches a policy (RAM DetachPolicyFromUser); one that is not attached, or does not exist, is done.
    pub async fn detach_policy_from_user(&self, user_name: &str, policy: &PolicyRef) -> Result<(), Error> {
        let params = attachment(("UserName", user_name), policy);
        let answer = self.call::<wire::Done>(Api::Ram, "DetachPolicyFromUser", &params).await;
        present(answer, &["EntityNotExist.User.Policy", NO_POLICY]).map(drop)
    }

    /// Detaches a policy (RAM DetachPolicyFromGroup); one that is not attached, or does not exist, or no such group,
    /// is done.
    pub async fn detach_policy_from_group(&self, group_name: &str, policy: &PolicyRef) -> Result<(), Error> {
        let params = attachment(("GroupName", group_name), policy);
        let answer = self.call::<wire::Done>(Api::Ram, "DetachPolicyFromGroup", &params).await;
        present(answer, &["EntityNotExist.Group.Policy", NO_POLICY, "EntityNotExist.Group"]).map(drop)
    }

    /// The policy with the document in force, if there is such a policy (RAM GetPolicy).
    pub async fn policy(&self, policy: &PolicyRef) -> Result<Option<PolicyDetail>, Error> {
        present(self.call::<wire::OnePolicy>(Api::Ram, "GetPolicy", &named(policy)).await, &[NO_POLICY])
    }

    /// The document of a policy's default version as JSON text, if there is such a policy (RAM GetPolicy).
    pub async fn policy_document(&self, policy: &PolicyRef) -> Result<Option<String>, Error> {
        Ok(self.policy(policy).await?.map(|policy| policy.document))
    }

    /// Makes a custom policy (RAM CreatePolicy); no description if `description` is empty. A name that is taken is
    /// [`Class::Exists`](super::Class::Exists), a document that RAM does not accept
    /// [`Class::Invalid`](super::Class::Invalid). When the answer is lost it is not sent again: look whether the policy
    /// is there.
    pub async fn create_policy(&self, name: &str, document: &str, description: &str) -> Result<(), Error> {
        let description = Some(description).filter(|description| !description.is_empty());
        let mut params = vec![("PolicyName", name), ("PolicyDocument", document)];
        params.extend(given([("Description", description)]));
        self.call_carefully::<wire::Done>(Api::Ram, "CreatePolicy", &params).await
    }

    /// Gives a custom policy another description, 1 to 1024 characters (RAM UpdatePolicyDescription).
    pub async fn update_policy_description(&self, name: &str, description: &str) -> Result<(), Error> {
        let params = [("PolicyName", name), ("NewDescription", description)];
        self.call::<wire::Done>(Api::Ram, "UpdatePolicyDescription", &params).await
    }

    /// Deletes a custom policy with all its versions (RAM DeletePolicy); one that is not there is deleted. Nothing of
    /// use goes with it: a version is only ever the policy's own, and while a user, group or role has the policy it is
    /// [`Class::InUse`](super::Class::InUse) all the same, for a while also with those it was just detached from.
    pub async fn delete_policy(&self, name: &str) -> Result<(), Error> {
        let params = [("PolicyName", name), ("CascadingDelete", "true")];
        present(self.call::<wire::Done>(Api::Ram, "DeletePolicy", &params).await, &[NO_POLICY]).map(drop)
    }

    /// Gives a custom policy another document, which is in force at once, and tells the new version's id (RAM
    /// CreatePolicyVersion). Where there are as many versions as may be, the oldest that is not in force goes. Every
    /// call makes a version, so when the answer is lost it is not sent again: look which document is in force.
    pub async fn create_policy_version(&self, name: &str, document: &str) -> Result<String, Error> {
        let params = [
            ("PolicyName", name),
            ("PolicyDocument", document),
            ("SetAsDefault", "true"),
            ("RotateStrategy", "DeleteOldestNonDefaultVersionWhenLimitExceeded"),
        ];
        self.call_carefully::<wire::CreatedVersion>(Api::Ram, "CreatePolicyVersion", &params).await
    }

    /// The versions of a policy (RAM ListPolicyVersions), without their documents. No such policy is
    /// [`Class::Missing`](super::Class::Missing).
    pub async fn list_policy_versions(&self, policy: &PolicyRef) -> Result<Vec<PolicyVersion>, Error> {
        self.call::<wire::PolicyVersions>(Api::Ram, "ListPolicyVersions", &named(policy)).await
    }

    /// The document of a version as JSON text, if there is such a policy and it has that version (RAM
    /// GetPolicyVersion).
    pub async fn policy_version(&self, policy: &PolicyRef, id: &str) -> Result<Option<String>, Error> {
        let [kind, name] = named(policy);
        let params = [kind, name, ("VersionId", id)];
        present(self.call::<wire::OneVersion>(Api::Ram, "GetPolicyVersion", &params).await, &[NO_VERSION, NO_POLICY])
    }

    /// Deletes a version of a custom policy (RAM DeletePolicyVersion); one that is not there, or no such policy, is
    /// done. The one in force is [`Class::InUse`](super::Class::InUse).
    pub async fn delete_policy_version(&self, name: &str, id: &str) -> Result<(), Error> {
        let params = [("PolicyName", name), ("VersionId", id)];
        let answer = self.call::<wire::Done>(Api::Ram, "DeletePolicyVersion", &params).await;
        present(answer, &[NO_VERSION, NO_POLICY]).map(drop)
    }

    /// Puts a version of a custom policy in force (RAM SetDefaultPolicyVersion).
    pub async fn set_default_policy_version(&self, name: &str, id: &str) -> Result<(), Error> {
        let params = [("PolicyName", name), ("VersionId", id)];
        self.call::<wire::Done>(Api::Ram, "SetDefaultPolicyVersion", &params).await
    }

    /// All that have a policy (RAM ListEntitiesForPolicy). No such policy is [`Class::Missing`](super::Class::Missing).
    pub async fn list_entities_for_policy(&self, policy: &PolicyRef) -> Result<PolicyEntities, Error> {
        self.call::<wire::Entities>(Api::Ram, "ListEntitiesForPolicy", &named(policy)).await
    }
}

fn named(policy: &PolicyRef) -> [Param<'_>; 2] {
    [("PolicyType", policy.kind.as_str()), ("PolicyName", policy.name.as_str())]
}

fn attachment<'a>(whom: Param<'a>, policy: &'a PolicyRef) -> [Param<'a>; 3] {
    let [kind, name] = named(policy);
    [whom, kind, name]
}
