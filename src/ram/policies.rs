//! Policies attached to users. Only RAM has them.

use super::{
    client::{Client, present},
    error::{Class, Error},
    model::{AttachedPolicy, PolicyRef},
    sign::Param,
    transport::Api,
    wire,
};

impl Client {
    /// The policies attached to a user directly, not those of its groups (RAM ListPoliciesForUser).
    pub async fn list_policies_for_user(&self, user_name: &str) -> Result<Vec<AttachedPolicy>, Error> {
        self.call::<wire::AttachedPolicies>(Api::Ram, "ListPoliciesForUser", &[("UserName", user_name)]).await
    }

    /// Attaches a policy (RAM AttachPolicyToUser); one that is attached already is done.
    pub async fn attach_policy_to_user(&self, user_name: &str, policy: &PolicyRef) -> Result<(), Error> {
        match self.call::<wire::Done>(Api::Ram, "AttachPolicyToUser", &attachment(user_name, policy)).await {
            Err(error) if error.is_one_of(Class::Exists, &["EntityAlreadyExists.User.Policy"]) => Ok(()),
            answer => answer,
        }
    }

    /// Detaches a policy (RAM DetachPolicyFromUser); one that is not attached, or does not exist, is done.
    pub async fn detach_policy_from_user(&self, user_name: &str, policy: &PolicyRef) -> Result<(), Error> {
        let answer = self.call::<wire::Done>(Api::Ram, "DetachPolicyFromUser", &attachment(user_name, policy)).await;
        present(answer, &["EntityNotExist.User.Policy", "EntityNotExist.Policy"]).map(drop)
    }

    /// The document of a policy's default version as JSON text, if there is such a policy (RAM GetPolicy).
    pub async fn policy_document(&self, policy: &PolicyRef) -> Result<Option<String>, Error> {
        let answer = self.call::<wire::OnePolicy>(Api::Ram, "GetPolicy", &named(policy)).await;
        present(answer, &["EntityNotExist.Policy"])
    }
}

fn named(policy: &PolicyRef) -> [Param<'_>; 2] {
    [("PolicyType", policy.kind.as_str()), ("PolicyName", policy.name.as_str())]
}

fn attachment<'a>(user_name: &'a str, policy: &'a PolicyRef) -> [Param<'a>; 3] {
    let [kind, name] = named(policy);
    [("UserName", user_name), kind, name]
}
