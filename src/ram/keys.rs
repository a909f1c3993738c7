//! The AccessKeys of a user. `UserName` (RAM) or `UserPrincipalName` (IMS) is always sent: without it these actions
//! mean the caller's own keys.

use super::{
    client::{Client, present, there},
    error::Error,
    model::{AccessKey, ImsUser, KeySources, KeyStatus, LastUsed},
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

    /// When a key was last used, and with which service (IMS GetAccessKeyLastUsed). It lags as
    /// [`Client::access_key_last_used`] does.
    pub async fn access_key_last_used_by_service(
        &self,
        user_principal_name: &str,
        id: &str,
    ) -> Result<LastUsed, Error> {
        let params = [("UserPrincipalName", user_principal_name), ("UserAccessKeyId", id)];
        self.call::<wire::KeyLastUsed>(Api::Ims, "GetAccessKeyLastUsed", &params).await
    }

    /// The user that has a key, None if nobody has it (IMS GetUser). A key in the recycle bin is nobody's.
    pub async fn user_of_access_key(&self, id: &str) -> Result<Option<ImsUser>, Error> {
        there(self.call::<wire::OneImsUser>(Api::Ims, "GetUser", &[("UserAccessKeyId", id)]).await)
    }

    /// Says from where a key may be used (IMS SetAccessKeyPolicy), in place of what was said before.
    /// [`KeySources::default`] lifts all restriction.
    pub async fn set_access_key_sources(
        &self,
        user_principal_name: &str,
        id: &str,
        sources: &KeySources,
    ) -> Result<(), Error> {
        let document = wire::key_policy(sources);
        let params = [
            ("UserPrincipalName", user_principal_name),
            ("UserAccessKeyId", id),
            ("AccessKeyPolicy", document.as_str()),
        ];
        self.call::<wire::Done>(Api::Ims, "SetAccessKeyPolicy", &params).await
    }

    /// From where a key may be used (IMS GetAccessKeyPolicy); the default for a key that nobody restricted. For up to
    /// minutes after a change it may be what was there before.
    pub async fn access_key_sources(&self, user_principal_name: &str, id: &str) -> Result<KeySources, Error> {
        let params = [("UserPrincipalName", user_principal_name), ("UserAccessKeyId", id)];
        let answer = self.call::<wire::KeyPolicy>(Api::Ims, "GetAccessKeyPolicy", &params).await;
        present(answer, &["EntityNotExist.AccessKeyPolicy"]).map(Option::unwrap_or_default)
    }

    /// The UserId of the user whose key is in the recycle bin, None if it is not there (IMS
    /// GetAccessKeyInfoInRecycleBin). A deleted key may stay in it for 30 days, and be restored.
    pub async fn access_key_in_recycle_bin(&self, id: &str) -> Result<Option<String>, Error> {
        let params = [("UserAccessKeyId", id)];
        there(self.call::<wire::BinnedKey>(Api::Ims, "GetAccessKeyInfoInRecycleBin", &params).await)
    }

    /// Deletes a key from the recycle bin, for good (IMS DeleteAccessKeyInRecycleBin); one that is not in it is done.
    pub async fn purge_access_key(&self, user_id: &str, id: &str) -> Result<(), Error> {
        let params = [("UserId", user_id), ("UserAccessKeyId", id)];
        there(self.call::<wire::Done>(Api::Ims, "DeleteAccessKeyInRecycleBin", &params).await).map(drop)
    }
}
