//! The AccessKeys of a user. `UserName` is always sent: without it these actions mean the caller's own keys.

use super::{
    client::{Client, present},
    error::Error,
    model::{AccessKey, KeyStatus, LastUsed},
    transport::Api,
    users::NO_USER,
    wire,
};

impl Client {
    /// The keys of a user, None if there is no such user (RAM ListAccessKeys). Accounts from before the limit may have
    /// users with more than two.
    pub async fn list_access_keys(&self, user_name: &str) -> Result<Option<Vec<AccessKey>>, Error> {
        present(self.call::<wire::AccessKeys>(Api::Ram, "ListAccessKeys", &[("UserName", user_name)]).await, NO_USER)
    }

    /// Enables or disables a key (RAM UpdateAccessKey).
    pub async fn update_access_key(&self, user_name: &str, id: &str, status: KeyStatus) -> Result<(), Error> {
        let params = [("UserName", user_name), ("UserAccessKeyId", id), ("Status", status.as_str())];
        self.call::<wire::Done>(Api::Ram, "UpdateAccessKey", &params).await
    }

    /// Deletes a key (RAM DeleteAccessKey); one that is not there, or no such user, is done.
    pub async fn delete_access_key(&self, user_name: &str, id: &str) -> Result<(), Error> {
        let params = [("UserName", user_name), ("UserAccessKeyId", id)];
        let answer = self.call::<wire::Done>(Api::Ram, "DeleteAccessKey", &params).await;
        present(answer, &["EntityNotExist.User.AccessKey", "EntityNotExist.User", "EntityNotExist"]).map(drop)
    }

    /// When a key was last used (RAM GetAccessKeyLastUsed). What it says lags by about two hours.
    pub async fn access_key_last_used(&self, user_name: &str, id: &str) -> Result<LastUsed, Error> {
        let params = [("UserName", user_name), ("UserAccessKeyId", id)];
        self.call::<wire::KeyLastUsed>(Api::Ram, "GetAccessKeyLastUsed", &params).await
    }
}
