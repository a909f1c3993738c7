//! Replies about AccessKeys, and the document of their network policy in both directions.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::{List, Reply, Text};
use crate::ram::{
    error::plain,
    model::{AccessKey, KeyPair, KeySources, KeyStatus, LastUsed},
};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct KeyRow {
    access_key_id: Text,
    access_key_secret: Text,
    status: Option<KeyStatus>,
    create_date: Text,
}

/// RAM CreateAccessKey.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ram) struct CreatedKey {
    access_key: KeyRow,
}

impl Reply for CreatedKey {
    type Meaning = KeyPair;

    fn meaning(self) -> Option<KeyPair> {
        let row = self.access_key;
        Some(KeyPair {
            id: row.access_key_id.filled()?,
            secret: row.access_key_secret.filled().map(SecretString::from)?,
            create_time: row.create_date.time(),
        })
    }
}

/// RAM ListAccessKeys.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::ram) struct AccessKeys {
    access_keys: List<KeyRow>,
}

impl Reply for AccessKeys {
    type Meaning = Vec<AccessKey>;

    fn meaning(self) -> Option<Vec<AccessKey>> {
        let read = |row: KeyRow| {
            Some(AccessKey {
                id: row.access_key_id.filled()?,
                status: row.status?,
                create_time: row.create_date.time()?,
            })
        };
        self.access_keys.0.into_iter().map(read).collect()
    }
}

/// RAM and IMS GetAccessKeyLastUsed; only IMS names the service.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::ram) struct KeyLastUsed {
    access_key_last_used: LastUsedRow,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct LastUsedRow {
    last_used_date: Text,
    service_name: Text,
}

impl Reply for KeyLastUsed {
    type Meaning = LastUsed;

    /// A date that is there and is none makes the reply unreadable: it must not pass for "never used".
    fn meaning(self) -> Option<LastUsed> {
        let row = self.access_key_last_used;
        let time = row.last_used_date.filled().map(|date| date.parse()).transpose().ok()?;
        // It is shown in status and events, so it has to be a plain name.
        Some(LastUsed { time, service: row.service_name.filled().and_then(|name| plain(&name)) })
    }
}

/// IMS GetAccessKeyInfoInRecycleBin: the UserId of whose it is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ram) struct BinnedKey {
    access_key: BinnedKeyRow,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct BinnedKeyRow {
    user_id: Text,
}

impl Reply for BinnedKey {
    type Meaning = String;

    fn meaning(self) -> Option<String> {
        self.access_key.user_id.filled()
    }
}

/// IMS GetAccessKeyPolicy. The document is JSON in a text; for a key that never had one it is `{}`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::ram) struct KeyPolicy {
    access_key_policy: Text,
}

/// `Version` is of no interest: IMS adds it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Document {
    status: Option<KeyStatus>,
    statements: Option<Vec<Statement>>,
}

#[derive(Deserialize)]
struct Statement {
    #[serde(rename = "Type")]
    network: Network,
    #[serde(default, rename = "Value")]
    value: Text,
    #[serde(rename = "IPList")]
    addresses: Vec<Text>,
}

#[derive(Deserialize)]
enum Network {
    #[serde(rename = "ClassicWhiteList")]
    Public,
    #[serde(rename = "VPCWhiteList")]
    Vpc,
}

impl Reply for KeyPolicy {
    type Meaning = KeySources;

    fn meaning(self) -> Option<KeySources> {
        self.access_key_policy.filled().map_or_else(|| Some(KeySources::default()), |text| sources(&text))
    }
}

/// None for a document with anything in it that is not understood: it must not pass for a wider or a narrower one.
fn sources(document: &str) -> Option<KeySources> {
    // serde would take an array for a struct, too.
    if !document.trim_start().starts_with('{') {
        return None;
    }
    let document: Document = serde_json::from_str(document).ok()?;
    let statements = document.statements.unwrap_or_default();
    if document.status.is_none() && !statements.is_empty() {
        return None;
    }
    let mut sources = KeySources { active: document.status == Some(KeyStatus::Active), ..KeySources::default() };
    for statement in statements {
        let mut addresses: Vec<String> = statement.addresses.into_iter().map(Text::filled).collect::<Option<_>>()?;
        match statement.network {
            Network::Public => sources.public.append(&mut addresses),
            Network::Vpc => {
                addresses.sort();
                sources.vpcs.push((statement.value.filled()?, addresses));
            }
        }
    }
    sources.public.sort();
    sources.vpcs.sort();
    Some(sources)
}

/// The document for IMS SetAccessKeyPolicy. IMS wants addresses in every statement, so one about none is left out.
pub(in crate::ram) fn key_policy(sources: &KeySources) -> String {
    let status = if sources.active { KeyStatus::Active } else { KeyStatus::Inactive };
    let public = (!sources.public.is_empty()).then(|| json!({ "Type": "ClassicWhiteList", "IPList": sources.public }));
    let vpcs = sources.vpcs.iter().filter(|(_, addresses)| !addresses.is_empty());
    let vpcs = vpcs.map(|(id, addresses)| json!({ "Type": "VPCWhiteList", "Value": id, "IPList": addresses }));
    let statements: Vec<_> = public.into_iter().chain(vpcs).collect();
    json!({ "Version": 1, "Status": status.as_str(), "Statements": statements }).to_string()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::super::read;
    use super::*;

    const LAST_USED: &str = "GetAccessKeyLastUsed";
    const POLICY: &str = "GetAccessKeyPolicy";

    #[test]
    fn keys_are_read() {
        let body = br#"{"AccessKeys":{"AccessKey":[{"AccessKeyId":"LTAI1","Status":"Inactive","CreateDate":"2024-05-06T07:08:09Z"}]}}"#;
        let keys = read::<AccessKeys>("ListAccessKeys", body).unwrap();
        assert_eq!(keys[0].status, KeyStatus::Inactive);
        let body =
            br#"{"AccessKey":{"AccessKeyId":"LTAI1","AccessKeySecret":12345,"Status":"Active","CreateDate":""}}"#;
        let pair = read::<CreatedKey>("CreateAccessKey", body).unwrap();
        assert_eq!((pair.secret.expose_secret(), pair.create_time), ("12345", None));
    }

    #[test]
    fn keys_without_identity_status_or_date_are_unreadable() {
        let keys = [
            r#"{"AccessKeyId":"","Status":"Active","CreateDate":"2024-05-06T07:08:09Z"}"#,
            r#"{"AccessKeyId":"LTAI1","Status":"Novel","CreateDate":"2024-05-06T07:08:09Z"}"#,
            r#"{"AccessKeyId":"LTAI1","CreateDate":"2024-05-06T07:08:09Z"}"#,
            r#"{"AccessKeyId":"LTAI1","Status":"Active","CreateDate":"yesterday"}"#,
        ];
        for key in keys {
            let body = format!(r#"{{"AccessKeys":{{"AccessKey":[{key}]}}}}"#);
            assert!(read::<AccessKeys>("ListAccessKeys", body.as_bytes()).is_err(), "{body}");
        }
        for body in [r#"{"AccessKey":{"AccessKeyId":"LTAI1"}}"#, r#"{"AccessKey":{"AccessKeySecret":"x"}}"#, "{}"] {
            assert!(read::<CreatedKey>("CreateAccessKey", body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn never_used_has_three_spellings_and_a_bad_date_is_none_of_them() {
        let last = |row: &str| read::<KeyLastUsed>(LAST_USED, format!(r#"{{"AccessKeyLastUsed":{row}}}"#).as_bytes());
        for row in [
            "{}",
            r#"{"LastUsedDate":"","ServiceName":""}"#,
            r#"{"LastUsedDate":"-","ServiceName":"-"}"#,
            r#"{"LastUsedDate":null,"ServiceName":null}"#,
        ] {
            assert_eq!(last(row).unwrap(), LastUsed::default(), "{row}");
        }
        let used = last(r#"{"LastUsedDate":"2024-05-06T07:08:09Z","ServiceName":"Sts"}"#).unwrap();
        assert_eq!(used.time, Some("2024-05-06T07:08:09Z".parse().unwrap()));
        assert_eq!(used.service.as_deref(), Some("Sts"));
        for row in [r#"{"LastUsedDate":"soon"}"#, r#"{"LastUsedDate":{}}"#, r#"{"LastUsedDate":0}"#] {
            assert!(last(row).is_err(), "{row}");
        }
    }

    #[test]
    fn a_service_is_a_plain_name_or_none() {
        for name in ["two words", "<b>", r"\u001b[31m", &"x".repeat(81)] {
            let row = format!(r#"{{"LastUsedDate":"2024-05-06T07:08:09Z","ServiceName":"{name}"}}"#);
            let body = format!(r#"{{"AccessKeyLastUsed":{row}}}"#);
            let used = read::<KeyLastUsed>(LAST_USED, body.as_bytes()).unwrap();
            assert!(used.time.is_some() && used.service.is_none(), "{name}");
        }
    }

    #[test]
    fn a_key_in_the_recycle_bin_has_an_owner() {
        let read = |body: &str| read::<BinnedKey>("GetAccessKeyInfoInRecycleBin", body.as_bytes());
        let body = r#"{"AccessKey":{"UserId":212345678901234567,"UserRecycled":true,"AccessKeyId":"LTAI1"}}"#;
        assert_eq!(read(body).unwrap(), "212345678901234567");
        for body in [
            "{}",
            r#"{"AccessKey":null}"#,
            r#"{"AccessKey":{}}"#,
            r#"{"AccessKey":{"UserId":""}}"#,
            r#"{"AccessKey":{"UserId":["1"]}}"#,
            r#"{"AccessKey":{"UserId":"1","UserId":"2"}}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    /// The reply around a document.
    fn policy(document: &str) -> Option<KeySources> {
        let body = json!({ "AccessKeyId": "LTAI1", "AccessKeyPolicy": document }).to_string();
        read::<KeyPolicy>(POLICY, body.as_bytes()).ok()
    }

    fn some_sources() -> KeySources {
        let text = str::to_owned;
        KeySources {
            active: true,
            public: ["192.0.2.10", "198.51.100.0/24"].map(text).to_vec(),
            vpcs: vec![
                ("vpc-a".to_owned(), ["10.0.0.0/8", "fd00::/8"].map(text).to_vec()),
                ("vpc-b".to_owned(), vec!["10.1.0.1".to_owned()]),
            ],
        }
    }

    #[test]
    fn a_network_policy_comes_back_as_it_was_sent() {
        for sources in [KeySources::default(), some_sources(), KeySources { active: true, ..KeySources::default() }] {
            let read = policy(&key_policy(&sources)).unwrap();
            assert_eq!(format!("{read:?}"), format!("{sources:?}"));
        }
        assert_eq!(
            key_policy(&KeySources::default()),
            r#"{"Statements":[],"Status":"Inactive","Version":1}"#,
            "IMS takes this for none"
        );
    }

    #[test]
    fn order_and_version_of_a_network_policy_do_not_count() {
        let document = r#"{"Status":"Active","Novel":{},"Statements":[
            {"Type":"VPCWhiteList","Value":"vpc-b","IPList":["10.1.0.1"]},
            {"IPList":["198.51.100.0/24"],"Type":"ClassicWhiteList","Value":null},
            {"Type":"VPCWhiteList","Value":"vpc-a","IPList":["fd00::/8","10.0.0.0/8"]},
            {"Type":"ClassicWhiteList","Value":"","IPList":["192.0.2.10"]}]}"#;
        assert_eq!(format!("{:?}", policy(document).unwrap()), format!("{:?}", some_sources()));
    }

    #[test]
    fn no_network_policy_has_several_spellings() {
        for document in ["", "{}", " {}", r#"{"Version":1}"#, r#"{"Status":"Inactive","Statements":null}"#] {
            assert_eq!(policy(document), Some(KeySources::default()), "{document}");
        }
        for body in ["{}", r#"{"AccessKeyPolicy":null}"#] {
            assert_eq!(read::<KeyPolicy>(POLICY, body.as_bytes()).unwrap(), KeySources::default(), "{body}");
        }
    }

    #[test]
    fn hostile_network_policies_are_unreadable() {
        let nested = format!(r#"{{"Statements":{}"#, "[".repeat(10_000));
        for document in [
            "Active",
            "null",
            "[]",
            r#"["Active",[]]"#,
            "{",
            "{}{}",
            &nested,
            r#"{"Status":"active","Statements":[]}"#,
            r#"{"Status":true}"#,
            r#"{"Status":"Active","Status":"Inactive"}"#,
            r#"{"Status":"Active","Statements":{}}"#,
            r#"{"Status":"Active","Statements":[{}]}"#,
            r#"{"Status":"Active","Statements":[null]}"#,
            r#"{"Statements":[{"Type":"ClassicWhiteList","IPList":["192.0.2.10"]}]}"#,
            r#"{"Status":"Active","Statements":[{"Type":"ClassicWhiteList"}]}"#,
            r#"{"Status":"Active","Statements":[{"Type":"ClassicWhiteList","IPList":null}]}"#,
            r#"{"Status":"Active","Statements":[{"Type":"ClassicWhiteList","IPList":"192.0.2.10"}]}"#,
            r#"{"Status":"Active","Statements":[{"Type":"ClassicWhiteList","IPList":[""]}]}"#,
            r#"{"Status":"Active","Statements":[{"Type":"ClassicWhiteList","IPList":[["192.0.2.10"]]}]}"#,
            r#"{"Status":"Active","Statements":[{"Type":"NovelList","IPList":["192.0.2.10"]}]}"#,
            r#"{"Status":"Active","Statements":[{"Type":"VPCWhiteList","IPList":["192.0.2.10"]}]}"#,
            r#"{"Status":"Active","Statements":[{"Type":"VPCWhiteList","Value":"","IPList":["192.0.2.10"]}]}"#,
        ] {
            assert_eq!(policy(document), None, "{document}");
        }
        for body in [r#"{"AccessKeyPolicy":{}}"#, r#"{"AccessKeyPolicy":[]}"#, r#"{"AccessKeyPolicy":7}"#] {
            assert!(read::<KeyPolicy>(POLICY, body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn statements_about_no_address_are_not_sent() {
        let sources = KeySources { active: true, public: Vec::new(), vpcs: vec![("vpc-a".to_owned(), Vec::new())] };
        assert_eq!(key_policy(&sources), r#"{"Statements":[],"Status":"Active","Version":1}"#);
    }
}
