//! Replies: first the envelope, then the payload. What is read here came from outside, so nothing is assumed.
//!
//! Liberal where RAM is known to vary: text may come as a number, a boolean or null, absent text is empty, a list or
//! its wrapper may be absent. Strict where a guess could do harm: a success must carry its RequestId, an object must
//! have its id, a key its status and date, and a field given twice makes a reply unreadable.

use std::{fmt, str::FromStr, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Visitor},
};

use super::{
    credentials::Credential,
    error::{Error, Refusal, plain},
    model::{Identity, ImsUser, Summary, User},
};

mod groups;
mod keys;
mod login;
mod policies;
mod settings;

pub(super) use groups::{GroupMembers, Groups, OneGroup};
pub(super) use keys::{AccessKeys, BinnedKey, CreatedKey, KeyLastUsed, KeyPolicy, key_policy};
pub(super) use login::{CreatedMfaDevice, OneLoginProfile, RamLoginProfile, UserMfa, VirtualMfaDevices};
pub(super) use policies::{AttachedPolicies, CreatedVersion, Entities, OnePolicy, OneVersion, PolicyVersions};
pub(super) use settings::{AccountAlias, OnePasswordPolicy, OneSecurityPreference};

/// The payload of a reply, and what it means.
pub(super) trait Reply: DeserializeOwned {
    type Meaning;

    /// None if something is absent without which the reply is of no use.
    fn meaning(self) -> Option<Self::Meaning>;
}

/// The payload of a successful reply.
pub(super) fn read<R: Reply>(action: &'static str, body: &[u8]) -> Result<R::Meaning, Error> {
    serde_json::from_slice::<R>(body).ok().and_then(R::meaning).ok_or_else(|| Error::unreadable(action, 200))
}

/// The envelope: the RequestId of a success, else the refusal.
pub(super) fn judge(
    action: &'static str,
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Result<String, Error> {
    let Some(envelope) = Envelope::read(body) else {
        return Err(Error::unreadable(action, status));
    };
    if (200..300).contains(&status) {
        return plain(&envelope.request_id.0).ok_or_else(|| Error::unreadable(action, status));
    }
    if envelope.code.0.is_empty() {
        return Err(Error::unreadable(action, status));
    }
    let denied_action = envelope.denied_action();
    let refusal = Refusal { code: envelope.code.0, request_id: envelope.request_id.0, denied_action, retry_after };
    Err(Error::refused(action, status, &refusal))
}

/// Who answered and how. `Message` is left out on purpose.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    #[serde(rename = "Code", alias = "code")]
    code: Text,
    #[serde(rename = "RequestId", alias = "requestId")]
    request_id: Text,
    #[serde(rename = "AccessDeniedDetail", alias = "accessDeniedDetail")]
    access_denied_detail: serde_json::Value,
}

impl Envelope {
    fn read(body: &[u8]) -> Option<Self> {
        // serde would take an array for a struct, too.
        body.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(body).ok()).flatten()
    }

    fn denied_action(&self) -> String {
        let detail = &self.access_denied_detail;
        let action = detail.get("AuthAction").or_else(|| detail.get("authAction"));
        action.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }
}

/// Text that RAM may send as a string, an integer, a boolean or null. No `Debug`: it may be a secret.
#[derive(Default)]
struct Text(String);

impl Text {
    /// The text, if there is any; `-` is how reports of RAM spell nothing.
    fn filled(self) -> Option<String> {
        (!self.0.is_empty() && self.0 != "-").then_some(self.0)
    }

    fn time(&self) -> Option<Timestamp> {
        self.0.parse().ok()
    }

    fn number(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    fn is_true(&self) -> bool {
        self.0.eq_ignore_ascii_case("true")
    }

    /// The number or truth that is there, if there is one. What is there and is none is an error: where the value is
    /// sent back with a change, it must not pass for one that was never set.
    fn optional<T: FromStr>(self) -> Result<Option<T>, T::Err> {
        self.filled().map(|text| text.to_ascii_lowercase().parse::<T>()).transpose()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar).map(Self)
    }
}

struct Scalar;

impl Visitor<'_> for Scalar {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an integer, a boolean or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<String, E> {
        Ok(text)
    }

    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<String, E> {
        Ok(truth.to_string())
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok(String::new())
    }
}

/// A list in the wrapper that mirrors RAM's XML: `{"Users": {"User": [..]}}`.
struct List<T>(Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrapper: Option<Wrapper<T>> = Option::deserialize(deserializer)?;
        Ok(Self(wrapper.and_then(|wrapper| wrapper.items).unwrap_or_default()))
    }
}

#[derive(Deserialize)]
struct Wrapper<T> {
    #[serde(
        rename = "User",
        alias = "AccessKey",
        alias = "Policy",
        alias = "PolicyVersion",
        alias = "Group",
        alias = "Role",
        alias = "VirtualMFADevice"
    )]
    items: Option<Vec<T>>,
}

/// A reply that says nothing but that it was done.
#[derive(Deserialize)]
pub(super) struct Done {}

impl Reply for Done {
    type Meaning = ();

    fn meaning(self) -> Option<()> {
        Some(())
    }
}

/// STS GetCallerIdentity.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct CallerIdentity {
    account_id: Text,
    arn: Text,
    user_id: Text,
}

impl Reply for CallerIdentity {
    type Meaning = Identity;

    fn meaning(self) -> Option<Identity> {
        Some(Identity { account_id: self.account_id.filled()?, arn: self.arn.0, user_id: self.user_id.filled() })
    }
}

/// STS AssumeRole and AssumeRoleWithOIDC.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumedRole {
    credentials: TemporaryCredential,
}

/// Temporary credentials, of STS and of the ECS metadata service.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct TemporaryCredential {
    code: Text,
    access_key_id: Text,
    access_key_secret: Text,
    security_token: Text,
    expiration: Text,
}

impl TemporaryCredential {
    /// Whether the ECS metadata service calls it a success; STS has no such field in it.
    pub(super) fn is_success(&self) -> bool {
        self.code.0 == "Success"
    }
}

impl Reply for TemporaryCredential {
    type Meaning = Credential;

    fn meaning(self) -> Option<Credential> {
        Some(Credential {
            access_key_id: self.access_key_id.filled()?,
            access_key_secret: self.access_key_secret.filled().map(SecretString::from)?,
            security_token: Some(self.security_token.filled().map(SecretString::from)?),
            expiration: Some(self.expiration.time()?),
        })
    }
}

impl Reply for AssumedRole {
    type Meaning = Credential;

    fn meaning(self) -> Option<Credential> {
        self.credentials.meaning()
    }
}

/// IMS GetAccountSummary.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AccountSummary {
    summary_map: SummaryMap,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct SummaryMap {
    users: Text,
    users_quota: Text,
    groups: Text,
    groups_quota: Text,
    policies: Text,
    policies_quota: Text,
    #[serde(rename = "MFADevices")]
    mfa_devices: Text,
    #[serde(rename = "VirtualMFADevicesQuota")]
    virtual_mfa_devices_quota: Text,
    groups_per_user_quota: Text,
    access_keys_per_user_quota: Text,
    attached_policies_per_user_quota: Text,
    attached_system_policies_per_user_quota: Text,
}

impl Reply for AccountSummary {
    type Meaning = Summary;

    fn meaning(self) -> Option<Summary> {
        let map = self.summary_map;
        Some(Summary {
            users: map.users.number()?,
            users_quota: map.users_quota.number()?,
            groups: map.groups.number(),
            groups_quota: map.groups_quota.number(),
            policies: map.policies.number(),
            policies_quota: map.policies_quota.number(),
            mfa_devices: map.mfa_devices.number(),
            virtual_mfa_devices_quota: map.virtual_mfa_devices_quota.number(),
            groups_per_user_quota: map.groups_per_user_quota.number(),
            access_keys_per_user_quota: map.access_keys_per_user_quota.number(),
            attached_policies_per_user_quota: map.attached_policies_per_user_quota.number(),
            attached_system_policies_per_user_quota: map.attached_system_policies_per_user_quota.number(),
        })
    }
}

/// IMS GetDefaultDomain.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct DefaultDomain {
    default_domain_name: Text,
}

impl Reply for DefaultDomain {
    type Meaning = String;

    fn meaning(self) -> Option<String> {
        self.default_domain_name.filled()
    }
}

/// RAM CreateUser, GetUser and UpdateUser.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneUser {
    user: UserRow,
}

/// IMS GetUser.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneImsUser {
    user: UserRow,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct UserRow {
    user_id: Text,
    user_name: Text,
    user_principal_name: Text,
    display_name: Text,
    comments: Text,
    email: Text,
    mobile_phone: Text,
    create_date: Text,
}

impl UserRow {
    fn user(self) -> Option<User> {
        Some(User {
            user_id: self.user_id.filled()?,
            user_name: self.user_name.filled()?,
            display_name: self.display_name.0,
            comments: self.comments.0,
            email: self.email.0,
            mobile_phone: self.mobile_phone.0,
            create_time: self.create_date.time(),
        })
    }
}

impl Reply for OneUser {
    type Meaning = User;

    fn meaning(self) -> Option<User> {
        self.user.user()
    }
}

impl Reply for OneImsUser {
    type Meaning = ImsUser;

    fn meaning(self) -> Option<ImsUser> {
        let row = self.user;
        Some(ImsUser {
            user_id: row.user_id.filled()?,
            user_principal_name: row.user_principal_name.filled()?,
            display_name: row.display_name.0,
            comments: row.comments.0,
            create_time: row.create_date.time(),
        })
    }
}

/// RAM ListUsers, one page.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct UserPage {
    users: List<UserRow>,
    is_truncated: Text,
    marker: Text,
}

/// A page of a list, and whether there is another one and where.
pub(super) struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// None if there is another page and the reply does not say where.
    fn new(items: Vec<T>, is_truncated: &Text, marker: Text) -> Option<Self> {
        let next = if is_truncated.is_true() { Some(marker.filled()?) } else { None };
        Some(Self { items, next })
    }
}

impl Reply for UserPage {
    type Meaning = Page<User>;

    fn meaning(self) -> Option<Page<User>> {
        let users = self.users.0.into_iter().map(UserRow::user).collect::<Option<_>>()?;
        Page::new(users, &self.is_truncated, self.marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram::Class;

    fn refused(status: u16, body: &str) -> Error {
        judge("GetUser", status, None, body.as_bytes()).unwrap_err()
    }

    #[allow(clippy::unnecessary_wraps, reason = "compared with optional times")]
    fn time(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn refusal_is_read_in_both_spellings() {
        let upper = r#"{"RequestId":"R-1","HostId":"ram.aliyuncs.com","Code":"EntityNotExist.User","Message":"hush"}"#;
        let lower = r#"{"requestId":"R-1","code":"EntityNotExist.User","message":"hush"}"#;
        for body in [upper, lower] {
            let error = refused(404, body);
            assert_eq!(error.code(), Some("EntityNotExist.User"));
            assert_eq!(error.request_id(), Some("R-1"));
            assert_eq!(error.class(), Class::Missing);
            assert_eq!(error.status(), Some(404));
            assert!(!format!("{error} {error:?}").contains("hush"));
        }
    }

    #[test]
    fn denied_action_is_read_in_both_spellings() {
        for name in ["AuthAction", "authAction"] {
            let body =
                format!(r#"{{"Code":"NoPermission","AccessDeniedDetail":{{"{name}":"ram:GetUser","PolicyType":7}}}}"#);
            assert_eq!(refused(403, &body).denied_action(), Some("ram:GetUser"));
        }
        for detail in ["null", "7", "[]", "{}", r#""text""#, r#"{"AuthAction":7}"#] {
            let body = format!(r#"{{"Code":"NoPermission","AccessDeniedDetail":{detail}}}"#);
            assert_eq!(refused(403, &body).denied_action(), None, "{detail}");
            assert_eq!(refused(403, &body).code(), Some("NoPermission"), "{detail}");
        }
    }

    #[test]
    fn hostile_envelopes_are_unreadable() {
        let nested = format!("{{\"Code\":\"NoPermission\",\"AccessDeniedDetail\":{}", "[".repeat(10_000));
        let bodies: [&[u8]; 12] = [
            b"",
            b"{",
            b"null",
            b"[]",
            b"[\"NoPermission\",\"R-1\",null]",
            b"<html><body>404 Not Found</body></html>",
            b"{\"Code\":\"NoPermission\"",
            b"{\"Code\":\"NoPermission\",\"Code\":\"EntityNotExist.User\"}",
            b"{\"Code\":\"NoPermission\",\"code\":\"EntityNotExist.User\"}",
            b"{\"Code\":\"No\xff\xfePermission\"}",
            b"{\"Code\":{\"Code\":\"NoPermission\"}}",
            nested.as_bytes(),
        ];
        for body in bodies {
            for status in [200, 403, 404] {
                let error = judge("GetUser", status, None, body).unwrap_err();
                assert_eq!(error.code(), None, "{}", String::from_utf8_lossy(body));
                assert_eq!(error.class(), Class::Transient);
                assert!(!error.proves_nothing_made());
            }
        }
    }

    #[test]
    fn code_may_be_a_number() {
        assert_eq!(refused(400, r#"{"Code":404}"#).code(), Some("404"));
        assert_eq!(refused(400, r#"{"Code":null}"#).code(), None);
    }

    #[test]
    fn success_needs_its_request_id() {
        assert_eq!(judge("GetUser", 200, None, br#"{"RequestId":"R-1"}"#).unwrap(), "R-1");
        for body in ["{}", r#"{"RequestId":""}"#, r#"{"RequestId":"<b>"}"#] {
            assert_eq!(refused(200, body).class(), Class::Transient);
        }
    }

    #[test]
    fn user_is_read_with_what_there_is() {
        let body = br#"{"RequestId":"R-1","User":{"UserId":212345678901234567,"UserName":"svc","Comments":null,"CreateDate":"2024-05-06T07:08:09Z","Novel":{"a":[1.5]}}}"#;
        let user = read::<OneUser>("GetUser", body).unwrap();
        assert_eq!(user.user_id, "212345678901234567");
        assert_eq!((user.comments.as_str(), user.email.as_str()), ("", ""));
        assert_eq!(user.create_time, time("2024-05-06T07:08:09Z"));
    }

    #[test]
    fn objects_without_identity_are_unreadable() {
        let users =
            ["{}", r#"{"User":{}}"#, r#"{"User":{"UserName":"svc"}}"#, r#"{"User":{"UserId":1e30,"UserName":"svc"}}"#];
        for body in users.into_iter().chain([r#"{"User":{"UserId":"1","UserId":"2","UserName":"svc"}}"#]) {
            assert!(read::<OneUser>("GetUser", body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn lists_may_lack_their_wrapper() {
        for body in [
            "{}",
            r#"{"AccessKeys":null}"#,
            r#"{"AccessKeys":{}}"#,
            r#"{"AccessKeys":{"AccessKey":null}}"#,
            r#"{"AccessKeys":{"AccessKey":[]}}"#,
        ] {
            assert!(read::<AccessKeys>("ListAccessKeys", body.as_bytes()).unwrap().is_empty(), "{body}");
        }
        for body in [
            r#"{"AccessKeys":7}"#,
            r#"{"AccessKeys":{"AccessKey":{}}}"#,
            r#"{"AccessKeys":{"AccessKey":[],"AccessKey":[]}}"#,
        ] {
            assert!(read::<AccessKeys>("ListAccessKeys", body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn pages_need_a_marker_while_truncated() {
        let page = |body: &str| read::<UserPage>("ListUsers", body.as_bytes());
        let row = r#"{"UserId":"1","UserName":"svc","Comments":"reads","Email":"a@b"}"#;
        let last = page(&format!(r#"{{"Users":{{"User":[{row}]}},"IsTruncated":false,"Marker":"m"}}"#)).unwrap();
        let texts = |user: &User| [&user.user_id, &user.user_name, &user.comments, &user.email].map(Clone::clone);
        assert_eq!(last.items.iter().map(texts).collect::<Vec<_>>(), [["1", "svc", "reads", "a@b"]]);
        assert_eq!(last.next, None);
        assert_eq!(page(r#"{"IsTruncated":"true","Marker":7}"#).unwrap().next.as_deref(), Some("7"));
        assert!(page(r#"{"IsTruncated":true}"#).is_err());
        assert!(page(r#"{"Users":{"User":[{"UserName":"svc"}]}}"#).is_err());
        assert!(page(r#"{"Users":{"User":[{"UserId":"1"}]}}"#).is_err());
    }

    #[test]
    fn an_optional_value_is_there_or_not_and_never_guessed() {
        let number = |text: &str| Text(text.to_owned()).optional::<i64>();
        assert_eq!((number("12"), number("")), (Ok(Some(12)), Ok(None)));
        assert!(["twelve", "1.5", " 1", "0x10", "99999999999999999999"].iter().all(|text| number(text).is_err()));
        let truth = |text: &str| Text(text.to_owned()).optional::<bool>();
        assert_eq!((truth("True"), truth("false"), truth("-")), (Ok(Some(true)), Ok(Some(false)), Ok(None)));
        assert!(["yes", "1", "nil"].iter().all(|text| truth(text).is_err()));
    }

    #[test]
    fn summary_takes_numbers_and_numeric_text() {
        let body = br#"{"SummaryMap":{"Users":12,"UsersQuota":"5000","AccessKeysPerUserQuota":2,"MFADevices":1,"Novel":[],
            "VirtualMFADevicesQuota":5000,"Groups":3,"GroupsQuota":300,"Policies":4,"PoliciesQuota":1500,"GroupsPerUserQuota":10}}"#;
        let summary = read::<AccountSummary>("GetAccountSummary", body).unwrap();
        assert_eq!((summary.users, summary.users_quota), (12, 5000));
        assert_eq!(summary.access_keys_per_user_quota, Some(2));
        assert_eq!(summary.attached_policies_per_user_quota, None);
        assert_eq!((summary.mfa_devices, summary.virtual_mfa_devices_quota), (Some(1), Some(5000)));
        assert_eq!(
            (summary.groups, summary.groups_quota, summary.groups_per_user_quota),
            (Some(3), Some(300), Some(10))
        );
        assert_eq!((summary.policies, summary.policies_quota), (Some(4), Some(1500)));
        assert!(
            read::<AccountSummary>("GetAccountSummary", br#"{"SummaryMap":{"Users":"many","UsersQuota":1}}"#).is_err()
        );
    }

    #[test]
    fn temporary_credentials_must_be_whole() {
        let body = br#"{"Credentials":{"AccessKeyId":"STS.1","AccessKeySecret":"hush","SecurityToken":"hush-too","Expiration":"2024-05-06T07:08:09Z"}}"#;
        let credential = read::<AssumedRole>("AssumeRole", body).unwrap();
        assert_eq!(credential.expiration, time("2024-05-06T07:08:09Z"));
        assert!(!format!("{credential:?}").contains("hush"));
        let without_end =
            br#"{"Credentials":{"AccessKeyId":"STS.1","AccessKeySecret":"hush","SecurityToken":"hush-too"}}"#;
        assert!(read::<AssumedRole>("AssumeRole", without_end).is_err());
    }
}
