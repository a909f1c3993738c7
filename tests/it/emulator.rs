//! The RAM emulator keeps to what is known of RAM. Its client here signs by itself and shares no code with it.
#![allow(clippy::too_many_lines, reason = "a scenario is read from top to bottom")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::support::ram::{
    CallInfo, Emulator, Fault, FaultKind, Hook, NeverForm, OidcTrust, Options, Outcome, Params, Phase, RolePreset,
    Trust, verify,
};

const RAM: &str = "2015-05-01";
const IMS: &str = "2019-08-15";
const STS: &str = "2015-04-01";
pub(crate) type Pairs<'a> = &'a [(&'a str, &'a str)];
type PairVec<'a> = Vec<(&'a str, &'a str)>;

const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// ---- a small client ----

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
    secret: String,
    token: Option<String>,
}

/// A V3 request; everything may be changed before and after it is signed.
#[derive(Clone)]
struct Raw {
    method: &'static str,
    query: String,
    body: String,
    headers: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json
    }

    pub(crate) fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.json["Code"].as_str().unwrap_or_default()), (status, code), "{}", self.text);
    }
}

impl Client {
    fn of(emulator: &Emulator) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let (key, secret) = emulator.access_key();
        Self { http, url: emulator.url(), key, secret, token: None }
    }

    pub(crate) fn with(&self, key: &str, secret: &str, token: Option<&str>) -> Self {
        Self { key: key.to_owned(), secret: secret.to_owned(), token: token.map(str::to_owned), ..self.clone() }
    }

    pub(crate) async fn ram(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        self.try_call(RAM, action, params).await.unwrap()
    }

    pub(crate) async fn ims(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        self.try_call(IMS, action, params).await.unwrap()
    }

    pub(crate) async fn sts(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        self.try_call(STS, action, params).await.unwrap()
    }

    /// V3, POST, form body.
    async fn try_call(&self, version: &str, action: &str, params: &[(&str, &str)]) -> reqwest::Result<Answer> {
        let mut raw = self.v3(version, action, Timestamp::now());
        raw.body = pairs(params);
        raw.headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        self.sign(&mut raw);
        self.send(&raw).await
    }

    fn v3(&self, version: &str, action: &str, time: Timestamp) -> Raw {
        let mut headers = BTreeMap::from(
            [
                ("host", self.url.trim_start_matches("http://").to_owned()),
                ("accept", "application/json".to_owned()),
                ("x-acs-action", action.to_owned()),
                ("x-acs-version", version.to_owned()),
                ("x-acs-date", iso(time)),
                ("x-acs-signature-nonce", nonce()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if let Some(token) = &self.token {
            headers.insert("x-acs-accesskey-id".to_owned(), self.key.clone());
            headers.insert("x-acs-security-token".to_owned(), token.clone());
        }
        Raw { method: "POST", query: String::new(), body: String::new(), headers }
    }

    fn sign(&self, raw: &mut Raw) {
        raw.headers.remove("authorization");
        let payload = sha256(raw.body.as_bytes());
        raw.headers.insert("x-acs-content-sha256".to_owned(), payload.clone());
        let lines = raw.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect::<Vec<_>>().concat();
        let names = raw.headers.keys().cloned().collect::<Vec<_>>().join(";");
        let canonical = format!("{}\n/\n{}\n{lines}\n{names}\n{payload}", raw.method, raw.query);
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(format!("ACS3-HMAC-SHA256\n{}", sha256(canonical.as_bytes())).as_bytes());
        let signature = hex(&mac.finalize().into_bytes()[..]);
        let authorization =
            format!("ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}", self.key);
        raw.headers.insert("authorization".to_owned(), authorization);
    }

    async fn send(&self, raw: &Raw) -> reqwest::Result<Answer> {
        let mut request = self.http.request(raw.method.parse().unwrap(), format!("{}/?{}", self.url, raw.query));
        for (name, value) in raw.headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        answer(request.body(raw.body.clone())).await
    }

    fn v1(&self, version: &str, action: &str, time: Timestamp) -> BTreeMap<String, String> {
        let mut params = BTreeMap::from(
            [
                ("Action", action.to_owned()),
                ("Version", version.to_owned()),
                ("Format", "JSON".to_owned()),
                ("AccessKeyId", self.key.clone()),
                ("SignatureMethod", "HMAC-SHA1".to_owned()),
                ("SignatureVersion", "1.0".to_owned()),
                ("SignatureNonce", nonce()),
                ("Timestamp", iso(time)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if let Some(token) = &self.token {
            params.insert("SecurityToken".to_owned(), token.clone());
        }
        params
    }

    fn sign_v1(&self, method: &str, params: &mut BTreeMap<String, String>) {
        let text = format!("{method}&%2F&{}", percent(&form(params)));
        let mut mac = Hmac::<Sha1>::new_from_slice(format!("{}&", self.secret).as_bytes()).unwrap();
        mac.update(text.as_bytes());
        params.insert("Signature".to_owned(), STANDARD.encode(&mac.finalize().into_bytes()[..]));
    }

    async fn get_v1(&self, params: &BTreeMap<String, String>) -> Answer {
        answer(self.http.get(format!("{}/?{}", self.url, form(params)))).await.unwrap()
    }

    async fn post_v1(&self, query: &BTreeMap<String, String>, body: &BTreeMap<String, String>) -> Answer {
        let request = self.http.post(format!("{}/?{}", self.url, form(query)));
        answer(request.header("content-type", "application/x-www-form-urlencoded").body(form(body))).await.unwrap()
    }
}

async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = String::from_utf8(response.bytes().await?.to_vec()).unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer { status, headers, text, json })
}

fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn nonce() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn percent(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    encoded.collect::<Vec<_>>().concat()
}

fn form(params: &BTreeMap<String, String>) -> String {
    params.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect::<Vec<_>>().join("&")
}

fn pairs(params: &[(&str, &str)]) -> String {
    form(&params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

pub(crate) fn user(name: &str) -> [(&str, &str); 1] {
    [("UserName", name)]
}

pub(crate) async fn start() -> (Emulator, Client) {
    start_with(Options::default()).await
}

pub(crate) async fn start_with(options: Options) -> (Emulator, Client) {
    let emulator = Emulator::start(options).await;
    let client = Client::of(&emulator);
    (emulator, client)
}

async fn mint(client: &Client, name: &str) -> (String, String) {
    let key = client.ram("CreateAccessKey", &user(name)).await.ok()["AccessKey"].clone();
    let text = |field: &str| key[field].as_str().unwrap().to_owned();
    (text("AccessKeyId"), text("AccessKeySecret"))
}

// ---- signatures ----

const USER_NAME: (&str, &str) = ("UserName", "svc-orders.reader_01");
const VERSION: (&str, &str) = ("Version", "2015-05-01");

#[test]
fn v1_vectors() {
    let doc = Params::from([
        ("AccessKeyId", "testid"),
        ("Action", "CreateUser"),
        ("Format", "JSON"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", "6a6e0ca6-4557-11e5-86a2-b8e8563dc8d2"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", "2015-08-18T03:15:45Z"),
        ("UserName", "test"),
        VERSION,
    ]);
    let text = verify::string_to_sign_v1("GET", &doc);
    assert_eq!(
        text,
        "GET&%2F&AccessKeyId%3Dtestid%26Action%3DCreateUser%26Format%3DJSON%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D\
         6a6e0ca6-4557-11e5-86a2-b8e8563dc8d2%26SignatureVersion%3D1.0%26Timestamp%3D2015-08-18T03%253A15%253A45Z%26UserName%3Dtest%26Version%3D\
         2015-05-01"
    );
    assert_eq!(verify::signature_v1("testsecret", &text), "kRA2cnpJVacIhDMzXnoNZG9tDCI=");

    let nonce = "3f2504e0-4f89-11d3-9a0c-0305e82c33";
    let vectors: [(Pairs<'_>, &str, &str, &str); 4] = [
        (
            &[
                ("Action", "CreateUser"),
                ("Comments", "k8s: ns/app *+~ 用户 & 100%"),
                ("DisplayName", "Orders reader"),
                ("SignatureNonce", "01"),
                ("SignatureType", ""),
            ],
            "JSON",
            "2024-05-06T07:08:09Z",
            "+jQEeg9Pg0l0m5GyD8XO7yXko9U=",
        ),
        (
            &[
                ("Action", "CreateAccessKey"),
                ("SecurityToken", "CAIS/token+with/special=chars=="),
                ("SignatureNonce", "02"),
                ("SignatureType", ""),
            ],
            "JSON",
            "2024-05-06T07:08:10Z",
            "bhNs/TY7/r60OCC37YF4SYNd578=",
        ),
        (
            &[
                ("Action", "AttachPolicyToUser"),
                ("PolicyName", "AliyunOTSReadOnlyAccess"),
                ("PolicyType", "System"),
                ("SignatureNonce", "03"),
                ("SignatureType", ""),
            ],
            "JSON",
            "2024-05-06T07:08:11Z",
            "MOZhwryQRYTa079Btwfzl1dlNrU=",
        ),
        (
            &[("Action", "ListAccessKeys"), ("SignatureNonce", "")],
            "json",
            "2024-05-06T07:08:12Z",
            "/WfqQ8N1a2FSIHYyMfHo0Yn6tQ4=",
        ),
    ];
    for (own, format, time, signature) in vectors {
        let common = Params::from([
            ("AccessKeyId", "testAccessKeyId01"),
            ("Format", format),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("Timestamp", time),
            USER_NAME,
            VERSION,
        ]);
        let own = own.iter().map(|(name, value)| match (*name, *value) {
            ("SignatureNonce", "") => ((*name).to_owned(), "0123456789abcdef0123456789abcdef".to_owned()),
            ("SignatureNonce", tail) => ((*name).to_owned(), format!("{nonce}{tail}")),
            (name, value) => (name.to_owned(), value.to_owned()),
        });
        let all = common.and(&Params::parse(&form(&own.collect())).unwrap());
        let text = verify::string_to_sign_v1("POST", &all);
        assert_eq!(verify::signature_v1("testAccessKeySecret01", &text), signature, "{text}");
    }
}

fn v3_signature(query: &Params, headers: &[(&str, &str)], hash: &str, secret: &str) -> (String, String) {
    let mut all: BTreeMap<String, String> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.insert("x-acs-content-sha256".to_owned(), hash.to_owned());
    let signed = all.keys().cloned().collect::<Vec<_>>().join(";");
    let text = verify::string_to_sign_v3(&verify::canonical_request_v3("POST", query, &all, &signed, hash));
    (text.lines().nth(1).unwrap().to_owned(), verify::signature_v3(secret, &text))
}

#[test]
fn v3_published_vector() {
    let query =
        Params::from([("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"), ("RegionId", "cn-shanghai")]);
    let headers = [
        ("host", "ecs.cn-shanghai.aliyuncs.com"),
        ("x-acs-action", "RunInstances"),
        ("x-acs-date", "2023-10-26T10:22:32Z"),
        ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
        ("x-acs-version", "2014-05-26"),
    ];
    let (hash, signature) = v3_signature(&query, &headers, EMPTY_SHA256, "YourAccessKeySecret");
    assert_eq!(hash, "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259");
    assert_eq!(signature, "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0");
}

#[test]
fn v3_vectors() {
    let ram = [("host", "ram.aliyuncs.com"), ("x-acs-version", "2015-05-01")];
    let sdk = [("accept", "application/json"), ("user-agent", "ram-operator-test/1.0")];
    let body = "PolicyName=AliyunOTSReadOnlyAccess&PolicyType=System&UserName=svc-orders.reader_01";
    let vectors: [(Params, PairVec<'_>, String, &str, &str); 4] = [
        (
            Params::from([USER_NAME, ("DisplayName", "Orders reader"), ("Comments", "k8s: ns/app *+~ 用户 & 100%")]),
            [
                &ram[..],
                &sdk,
                &[
                    ("x-acs-action", "CreateUser"),
                    ("x-acs-date", "2024-05-06T07:08:09Z"),
                    ("x-acs-signature-nonce", "0123456789abcdef0123456789abcdef"),
                ],
            ]
            .concat(),
            EMPTY_SHA256.to_owned(),
            "3dd60fa6fa04d196353f877c3573e427f2b33a93647d257319bc3fe9ad555711",
            "260ac7af74b6d57b73686468de2d458899fd8d4d37ca39c52a64d7db0a03a99f",
        ),
        (
            Params::from([USER_NAME]),
            [
                &ram[..],
                &sdk,
                &[
                    ("x-acs-action", "CreateAccessKey"),
                    ("x-acs-date", "2024-05-06T07:08:10Z"),
                    ("x-acs-signature-nonce", "0123456789abcdef0123456789abcde0"),
                    ("x-acs-accesskey-id", "testAccessKeyId01"),
                    ("x-acs-security-token", "CAIS/token+with/special=chars=="),
                ],
            ]
            .concat(),
            EMPTY_SHA256.to_owned(),
            "18cb5e7b12f64a1aa8632235c3f9b160da942e08fe4f7a9f50b9089108895e35",
            "d99596b7de65841ceee9db3e05110e18c36eaeb5a87a9b94195986cbbf0270f1",
        ),
        (
            Params::default(),
            [
                &ram[..],
                &[
                    ("content-type", "application/x-www-form-urlencoded"),
                    ("x-acs-action", "AttachPolicyToUser"),
                    ("x-acs-date", "2024-05-06T07:08:11Z"),
                    ("x-acs-signature-nonce", "0123456789abcdef0123456789abcde1"),
                ],
            ]
            .concat(),
            verify::sha256_hex(body.as_bytes()),
            "e645a10a791a8a784659269517299e3766737f33c42d5b3da3bab89faabb6a9d",
            "26105a6c5d71af880e379db1167f084d20b5e4204d3af61b3129dec2629a7ef0",
        ),
        (
            Params::from([
                ("ResourceType", "user"),
                ("ResourcePrincipalName.1", "svc-orders.reader_01@example.onaliyun.com"),
                ("Tag.1.Key", "managed-by"),
                ("Tag.1.Value", "ram-operator"),
                ("Tag.2.Key", "k8s-uid"),
                ("Tag.2.Value", "11111111-2222-3333-4444-555555555555"),
            ]),
            vec![
                ("host", "ims.aliyuncs.com"),
                ("x-acs-version", "2019-08-15"),
                ("x-acs-action", "TagResources"),
                ("x-acs-date", "2024-05-06T07:08:12Z"),
                ("x-acs-signature-nonce", "0123456789abcdef0123456789abcde2"),
                ("accept", "application/json"),
            ],
            EMPTY_SHA256.to_owned(),
            "57d44aa0ae6ad9454f547ff24e8f41fc2a09a81765c5136e9db1ce64570871e0",
            "a92dd0febbf75693fac2a1a2c6ccf40480e5025f2e4777ca0d8725531a8a51e2",
        ),
    ];
    for (query, headers, body_hash, hash, signature) in vectors {
        assert_eq!(
            v3_signature(&query, &headers, &body_hash, "testAccessKeySecret01"),
            (hash.to_owned(), signature.to_owned())
        );
    }
}

#[tokio::test]
async fn both_signatures_work_with_parameters_anywhere() {
    let (_emulator, client) = start().await;
    let name = "svc *+~ 用户 & 100%";
    let own = || BTreeMap::from([("UserName".to_owned(), "a".to_owned()), ("Comments".to_owned(), name.to_owned())]);

    let mut all = client.v1(RAM, "CreateUser", Timestamp::now());
    all.extend(own());
    client.sign_v1("GET", &mut all);
    assert_eq!(client.get_v1(&all).await.ok()["User"]["Comments"], name);

    let mut all = client.v1(RAM, "UpdateUser", Timestamp::now());
    all.insert("UserName".to_owned(), "a".to_owned());
    all.insert("NewComments".to_owned(), "b".to_owned());
    client.sign_v1("POST", &mut all);
    let body = BTreeMap::from([("NewComments".to_owned(), all.remove("NewComments").unwrap())]);
    assert_eq!(client.post_v1(&all, &body).await.ok()["User"]["Comments"], "b");

    let mut raw = client.v3(RAM, "GetUser", Timestamp::now());
    raw.query = pairs(&user("A"));
    client.sign(&mut raw);
    assert_eq!(client.send(&raw).await.unwrap().ok()["User"]["UserName"], "a");

    let mut raw = client.v3(RAM, "GetUser", Timestamp::now());
    raw.method = "GET";
    raw.query = pairs(&user("a"));
    client.sign(&mut raw);
    client.send(&raw).await.unwrap().ok();
    client.ram("DeleteUser", &user("a")).await.ok();
}

#[tokio::test]
async fn v1_refusals() {
    type Change = (&'static str, Option<&'static str>);
    let (_emulator, client) = start().await;
    // Changed before the signature is made.
    let before: [(Change, u16, &str); 13] = [
        (("AccessKeyId", None), 400, "MissingAccessKeyId"),
        (("SignatureMethod", None), 400, "MissingSignatureMethod"),
        (("SignatureMethod", Some("HMAC-MD5")), 400, "InvalidSignatureMethod"),
        (("SignatureVersion", Some("2.0")), 400, "IncompleteSignature"),
        (("SignatureNonce", None), 400, "MissingSignatureNonce"),
        (("Timestamp", None), 400, "MissingTimestamp"),
        (("Timestamp", Some("2024-05-06 07:08:09")), 400, "InvalidTimeStamp.Format"),
        (("Timestamp", Some("2024-05-06T07:08:09Z")), 400, "InvalidTimeStamp.Expired"),
        (("AccessKeyId", Some("LTAInobody")), 404, "InvalidAccessKeyId.NotFound"),
        (("SecurityToken", Some("x")), 400, "InvalidSecurityToken.MismatchWithAccessKey"),
        (("Action", Some("MakeCoffee")), 404, "InvalidApi.NotFound"),
        (("Action", Some("createuser")), 404, "InvalidApi.NotFound"),
        (("Version", Some("2016-01-01")), 404, "InvalidApi.NotFound"),
    ];
    for ((name, value), status, code) in before {
        let mut params = client.v1(RAM, "ListUsers", Timestamp::now());
        params.remove(name);
        params.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        client.sign_v1("GET", &mut params);
        client.get_v1(&params).await.is(status, code);
    }
    for name in ["Action", "Version", "Signature"] {
        let mut params = client.v1(RAM, "ListUsers", Timestamp::now());
        client.sign_v1("GET", &mut params);
        params.remove(name);
        client.get_v1(&params).await.is(400, &format!("Missing{name}"));
    }
    // Changed after it.
    let mut params = client.v1(RAM, "ListUsers", Timestamp::now());
    client.sign_v1("GET", &mut params);
    params.insert("MaxItems".to_owned(), "1".to_owned());
    let refused = client.get_v1(&params).await;
    refused.is(400, "SignatureDoesNotMatch");
    let message = refused.json["Message"].as_str().unwrap();
    assert!(message.contains("server string to sign is:GET&%2F&AccessKeyId%3D"), "{message}");
    let mut params = client.v1(RAM, "ListUsers", Timestamp::now());
    client.with(&client.key, "wrong", None).sign_v1("GET", &mut params);
    client.get_v1(&params).await.is(400, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn v3_refusals() {
    let (_emulator, client) = start().await;
    let fresh = || client.v3(RAM, "ListUsers", Timestamp::now());
    let set = |raw: &mut Raw, name: &str, value: &str| drop(raw.headers.insert(name.to_owned(), value.to_owned()));

    // Headers left out or changed before the signature is made.
    let before: [(&str, Option<&str>, u16, &str); 6] = [
        ("x-acs-version", None, 400, "MissingVersion"),
        ("x-acs-date", None, 400, "MissingTimestamp"),
        ("x-acs-date", Some("yesterday"), 400, "InvalidTimeStamp.Format"),
        ("x-acs-date", Some("2024-05-06T07:08:09Z"), 400, "InvalidTimeStamp.Expired"),
        ("x-acs-signature-nonce", None, 400, "MissingSignatureNonce"),
        ("x-acs-security-token", Some("x"), 400, "IncompleteSignature"),
    ];
    for (name, value, status, code) in before {
        let mut raw = fresh();
        raw.headers.remove(name);
        if let Some(value) = value {
            set(&mut raw, name, value);
        }
        client.sign(&mut raw);
        client.send(&raw).await.unwrap().is(status, code);
    }
    // Headers changed after it.
    for name in ["x-acs-date", "accept", "x-acs-content-sha256"] {
        let mut raw = fresh();
        client.sign(&mut raw);
        let value = if name == "x-acs-date" {
            iso(Timestamp::now() + SignedDuration::from_mins(1))
        } else {
            "text/json".to_owned()
        };
        set(&mut raw, name, &value);
        let refused = client.send(&raw).await.unwrap();
        assert!(refused.text.contains("SignatureDoesNotMatch"), "{name}: {}", refused.text);
    }
    // Headers that are there and not signed.
    for (name, value) in [("x-acs-extra", "1"), ("content-type", "application/x-www-form-urlencoded")] {
        let mut raw = fresh();
        client.sign(&mut raw);
        set(&mut raw, name, value);
        client.send(&raw).await.unwrap().is(400, "IncompleteSignature");
    }
    for (authorization, code) in [
        (None, "IncompleteSignature"),
        (Some("ACS3-HMAC-SHA256"), "IncompleteSignature"),
        (Some("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host"), "IncompleteSignature"),
        (Some("ACS3-HMAC-SM3 Credential=a,SignedHeaders=host,Signature=00"), "InvalidSignatureMethod"),
        (Some("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=00"), "IncompleteSignature"),
    ] {
        let mut raw = fresh();
        client.sign(&mut raw);
        raw.headers.remove("authorization");
        if let Some(value) = authorization {
            set(&mut raw, "authorization", value);
        }
        client.send(&raw).await.unwrap().is(400, code);
    }
    // A body that is not the signed one.
    let mut raw = fresh();
    client.sign(&mut raw);
    "MaxItems=1".clone_into(&mut raw.body);
    client.send(&raw).await.unwrap().is(400, "SignatureDoesNotMatch");
    client.with("LTAInobody", "x", None).ram("ListUsers", &[]).await.is(404, "InvalidAccessKeyId.NotFound");
    client.with(&client.key, "wrong", None).ram("ListUsers", &[]).await.is(400, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn window_and_nonces() {
    let (emulator, client) = start().await;
    for (minutes, accepted) in [(14, true), (16, false), (-14, true), (-16, false)] {
        let mut raw = client.v3(RAM, "ListUsers", Timestamp::now() + SignedDuration::from_mins(minutes));
        client.sign(&mut raw);
        let answer = client.send(&raw).await.unwrap();
        if accepted { drop(answer.ok()) } else { answer.is(400, "InvalidTimeStamp.Expired") }
    }
    let mut raw = client.v3(RAM, "ListUsers", Timestamp::now());
    client.sign(&mut raw);
    client.send(&raw).await.unwrap().ok();
    client.send(&raw).await.unwrap().is(400, "SignatureNonceUsed");
    let mut params = client.v1(RAM, "ListUsers", Timestamp::now());
    client.sign_v1("GET", &mut params);
    client.get_v1(&params).await.ok();
    client.get_v1(&params).await.is(400, "SignatureNonceUsed");

    emulator.clock().advance(Duration::from_secs(16 * 60));
    client.send(&raw).await.unwrap().is(400, "InvalidTimeStamp.Expired");
    emulator.clock().set_skew(SignedDuration::from_mins(-16));
    let answer = client.ram("ListUsers", &[]).await;
    let date = answer.headers["date"].to_str().unwrap().to_owned();
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(&date).unwrap();
    assert!(date.duration_since(Timestamp::now()).abs() < SignedDuration::from_mins(1));
    answer.ok();
}

/// The classic Python SDK signs in its parameters and names the action in headers as well.
#[tokio::test]
async fn v1_parameters_beside_the_headers_of_v3() {
    let (_emulator, client) = start().await;
    let mut params = client.v1(RAM, "ListUsers", Timestamp::now());
    params.insert("SignatureType".to_owned(), String::new());
    client.sign_v1("POST", &mut params);
    let headers = [("x-acs-action", "ListUsers"), ("x-acs-version", RAM)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let raw = Raw { method: "POST", query: form(&params), body: String::new(), headers };
    client.send(&raw).await.unwrap().ok();
}

// ---- envelopes and sizes ----

#[tokio::test]
async fn xml_is_the_default_and_json_is_asked_for() {
    let (_emulator, client) = start().await;
    client.ram("CreateUser", &[("UserName", "a"), ("Comments", "<&>")]).await.ok();
    for (format, json) in [(None, false), (Some("xml"), false), (Some("json"), true), (Some("JSON"), true)] {
        let mut params = client.v1(RAM, "ListUsers", Timestamp::now());
        params.remove("Format");
        params.extend(format.map(|format| ("Format".to_owned(), format.to_owned())));
        client.sign_v1("GET", &mut params);
        let answer = client.get_v1(&params).await;
        assert_eq!((answer.status, answer.json.is_object()), (200, json), "{format:?}: {}", answer.text);
        if !json {
            assert!(
                answer.text.contains("<ListUsersResponse>")
                    && answer.text.contains("<Comments>&lt;&amp;&gt;</Comments>"),
                "{}",
                answer.text
            );
            assert_eq!(answer.text.matches("<User>").count(), 2);
        }
    }
    let mut raw = client.v3(RAM, "GetUser", Timestamp::now());
    raw.headers.remove("accept");
    raw.query = pairs(&user("nobody"));
    client.sign(&mut raw);
    let answer = client.send(&raw).await.unwrap();
    assert!(
        answer.status == 404
            && answer.text.contains("<Error>")
            && answer.text.contains("<Code>EntityNotExist.User</Code>"),
        "{}",
        answer.text
    );
    let mut params = client.v1(RAM, "ListUsers", Timestamp::now());
    params.insert("Format".to_owned(), "YAML".to_owned());
    client.sign_v1("GET", &mut params);
    let answer = client.get_v1(&params).await;
    assert!(answer.status == 400 && answer.text.contains("InvalidParameter.Format"), "{}", answer.text);
}

#[tokio::test]
async fn error_envelope() {
    let (emulator, client) = start().await;
    let answer = client.ram("GetUser", &user("nobody")).await;
    answer.is(404, "EntityNotExist.User");
    assert_eq!(answer.json["HostId"], emulator.url().trim_start_matches("http://"));
    let id = answer.json["RequestId"].as_str().unwrap();
    assert_eq!(id, id.to_uppercase());
    assert!(uuid::Uuid::parse_str(id).is_ok());
    assert!(answer.json["Recommend"].as_str().unwrap().contains("q=EntityNotExist.User&product=Ram"));
}

#[tokio::test]
async fn sizes() {
    let (_emulator, client) = start().await;
    let mut params = client.v1(RAM, "ListUsers", Timestamp::now());
    params.insert("Padding".to_owned(), "x".repeat(4096));
    client.sign_v1("GET", &mut params);
    assert_eq!(client.get_v1(&params).await.status, 414);
    let mut raw = client.v3(RAM, "ListUsers", Timestamp::now());
    raw.body = "x".repeat(10 * 1024 * 1024 + 1);
    client.sign(&mut raw);
    assert_eq!(client.send(&raw).await.unwrap().status, 413);
}

// ---- users ----

#[tokio::test]
async fn users_live() {
    let (emulator, client) = start().await;
    let made = client
        .ram("CreateUser", &[("UserName", "team-a.reader"), ("DisplayName", "Reader"), ("Comments", "c")])
        .await
        .ok();
    let id = made["User"]["UserId"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 18);
    assert!(made["User"].get("UpdateDate").is_none());
    client.ram("CreateUser", &user("TEAM-A.reader")).await.is(409, "EntityAlreadyExists.User");
    client.ram("CreateUser", &user("other")).await.ok();
    client
        .ram("UpdateUser", &[("UserName", "other"), ("NewUserName", "Team-a.reader")])
        .await
        .is(409, "EntityAlreadyExists.User");
    client
        .ram("UpdateUser", &[("UserName", "team-a.reader"), ("NewUserName", "writer"), ("NewComments", "")])
        .await
        .ok();
    let got = client.ram("GetUser", &user("writer")).await.ok();
    assert_eq!(
        (&got["User"]["UserId"], &got["User"]["Comments"], &got["User"]["DisplayName"]),
        (&json!(id), &json!(""), &json!("Reader"))
    );
    client.ram("GetUser", &user("team-a.reader")).await.is(404, "EntityNotExist.User");
    client.ram("DeleteUser", &user("writer")).await.ok();
    client.ram("DeleteUser", &user("writer")).await.is(404, "EntityNotExist.User");
    assert_eq!(
        emulator.writes(),
        ["CreateUser team-a.reader", "CreateUser other", "UpdateUser team-a.reader", "DeleteUser writer"]
    );
}

#[tokio::test]
async fn names_and_texts() {
    let (_emulator, client) = start().await;
    let (long_name, long_text) = ("n".repeat(65), "用".repeat(129));
    let refused: [(Pairs<'_>, &str); 10] = [
        (&[], "MissingUserName"),
        (&[("UserName", "")], "MissingUserName"),
        (&[("UserName", &long_name)], "InvalidParameter.UserName.Length"),
        (&[("UserName", "a b")], "InvalidParameter.UserName.InvalidChars"),
        (&[("UserName", "a@b")], "InvalidParameter.UserName.InvalidChars"),
        (&[("UserName", "-a")], "InvalidParameter.UserName.InvalidChars"),
        (&[("UserName", "a"), ("DisplayName", &long_text)], "InvalidParameter.DisplayName.Length"),
        (&[("UserName", "a"), ("Comments", &long_text)], "InvalidParameter.Comments.Length"),
        (&[("UserName", "a"), ("Email", "nowhere")], "InvalidParameter.Email.Format"),
        (&[("UserName", "a"), ("MobilePhone", "123")], "InvalidParameter.MobilePhone.Format"),
    ];
    for (params, code) in refused {
        client.ram("CreateUser", params).await.is(400, code);
    }
    let comments = "用".repeat(128);
    client
        .ram(
            "CreateUser",
            &[("UserName", &"n".repeat(64)), ("Comments", &comments), ("MobilePhone", "86-1"), ("Email", "a@b.c")],
        )
        .await
        .ok();
    client
        .ram("UpdateUser", &[("UserName", "ram-operator"), ("NewComments", &long_text)])
        .await
        .is(400, "InvalidParameter.NewComments.Length");
}

#[tokio::test]
async fn user_names_may_begin_with_a_hyphen() {
    let (_emulator, client) = start_with(Options { leading_hyphen_allowed: true, ..Options::default() }).await;
    client.ram("CreateUser", &[("UserName", "-a")]).await.ok();
    client.ram("UpdateUser", &[("UserName", "-a"), ("NewUserName", "-b")]).await.ok();
    client.ram("GetUser", &user("-b")).await.ok();
}

#[tokio::test]
async fn pages() {
    let (emulator, client) = start_with(Options { page_size_limit: 2, ..Options::default() }).await;
    for name in ["a", "b", "c", "d"] {
        emulator.person().create_user(name, "");
    }
    for (version, shown) in [(RAM, "UserName"), (IMS, "UserPrincipalName")] {
        let (mut names, mut marker, mut count) = (Vec::new(), String::new(), 0);
        loop {
            let params: &[(&str, &str)] = &[("MaxItems", "100"), ("Marker", &marker)];
            let page = client.try_call(version, "ListUsers", params).await.unwrap().ok();
            let users = page["Users"]["User"].as_array().unwrap();
            names.extend(users.iter().map(|user| user[shown].as_str().unwrap().split('@').next().unwrap().to_owned()));
            count += 1;
            if page["IsTruncated"] == json!(false) {
                assert!(page.get("Marker").is_none());
                break;
            }
            page["Marker"].as_str().unwrap().clone_into(&mut marker);
        }
        assert_eq!((names.join(" ").as_str(), count), ("a b c d ram-operator", 3));
    }
    client.ram("ListUsers", &[("Marker", "made-up")]).await.is(400, "InvalidParameter.Marker");
    client.ram("ListUsers", &[("MaxItems", "0")]).await.is(400, "InvalidParameter.MaxItems");
    client.ram("ListUsers", &[("MaxItems", "1001")]).await.is(400, "InvalidParameter.MaxItems");
    let policies = client.ram("ListPolicies", &[("PolicyType", "System"), ("MaxItems", "1")]).await.ok();
    assert_eq!(policies["Policies"]["Policy"].as_array().unwrap().len(), 1);
    assert_eq!(policies["IsTruncated"], true);
}

#[tokio::test]
async fn quotas() {
    let (emulator, client) =
        start_with(Options { users_quota: 2, system_policies_per_user: 1, ..Options::default() }).await;
    client.ram("CreateUser", &user("a")).await.ok();
    client.ram("CreateUser", &user("b")).await.is(409, "LimitExceeded.User");
    let policy = |name| [("UserName", "a"), ("PolicyType", "System"), ("PolicyName", name)];
    client.ram("AttachPolicyToUser", &policy("AliyunOTSReadOnlyAccess")).await.ok();
    client.ram("AttachPolicyToUser", &policy("AliyunOTSFullAccess")).await.is(409, "LimitExceeded.User.Policy");
    let summary = client.ims("GetAccountSummary", &[]).await.ok();
    assert_eq!((&summary["SummaryMap"]["Users"], &summary["SummaryMap"]["UsersQuota"]), (&json!(2), &json!(2)));
    assert_eq!(summary["SummaryMap"]["AccessKeysPerUserQuota"], 2);
    drop(emulator);
}

#[tokio::test]
async fn a_user_is_deleted_last() {
    let (emulator, client) = start().await;
    let person = emulator.person();
    person.create_user("a", "");
    person.add_to_group("a", "readers");
    let (key, _) = person.create_key("a");
    person.give_login_profile("a");
    person.give_mfa("a");
    person.attach("a", "System", "AliyunOTSReadOnlyAccess");
    let conflict = |what: &str| format!("DeleteConflict.User.{what}");
    client.ram("DeleteUser", &user("a")).await.is(409, &conflict("Group"));
    client.ram("RemoveUserFromGroup", &[("UserName", "a"), ("GroupName", "readers")]).await.ok();
    client.ram("DeleteUser", &user("a")).await.is(409, &conflict("AccessKey"));
    client.ram("DeleteAccessKey", &[("UserName", "a"), ("UserAccessKeyId", &key)]).await.ok();
    client.ram("DeleteUser", &user("a")).await.is(409, &conflict("LoginProfile"));
    person.take_login_profile("a");
    client.ram("DeleteUser", &user("a")).await.is(409, &conflict("MFADevice"));
    person.take_mfa("a");
    client.ram("DeleteUser", &user("a")).await.is(409, &conflict("Policy"));
    emulator.set_delete_conflict_for(Duration::from_secs(30));
    let policy = [("UserName", "a"), ("PolicyType", "System"), ("PolicyName", "aliyunotsreadonlyaccess")];
    client.ram("DetachPolicyFromUser", &policy).await.ok();
    client.ram("DetachPolicyFromUser", &policy).await.is(404, "EntityNotExist.User.Policy");
    client.ram("DeleteUser", &user("a")).await.is(409, &conflict("Group"));
    emulator.clock().advance(Duration::from_secs(31));
    client.ram("DeleteUser", &user("a")).await.ok();
    assert_eq!(
        emulator.writes(),
        [
            "RemoveUserFromGroup a readers",
            "DeleteAccessKey #1",
            "DetachPolicyFromUser a System/aliyunotsreadonlyaccess",
            "DeleteUser a",
        ]
    );
}

// ---- keys ----

#[tokio::test]
async fn keys_live() {
    let (emulator, client) = start().await;
    client.ram("CreateUser", &user("a")).await.ok();
    let (id, secret) = mint(&client, "a").await;
    assert!(id.starts_with("LTAI") && id.len() == 24 && secret.starts_with("s3cr3t") && secret.len() == 30);
    mint(&client, "a").await;
    client.ram("CreateAccessKey", &user("a")).await.is(409, "LimitExceeded.User.AccessKey");

    let own = client.with(&id, &secret, None);
    let identity = own.sts("GetCallerIdentity", &[]).await.ok();
    assert_eq!(identity["Arn"], format!("acs:ram::{}:user/a", emulator.account_id()));
    assert_eq!(identity["IdentityType"], "RAMUser");
    own.ram("ListUsers", &[]).await.is(403, "NoPermission");

    let key = |more: &[(&'static str, &'static str)]| {
        let mut all = vec![("UserName", "a"), ("UserAccessKeyId", id.as_str())];
        all.extend(more.iter().copied());
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let call = async |action: &str, params: Vec<(String, String)>| {
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        client.ram(action, &params).await
    };
    call("UpdateAccessKey", key(&[("Status", "Sleeping")])).await.is(400, "InvalidParameter.Status");
    call("UpdateAccessKey", key(&[("Status", "Inactive")])).await.ok();
    call("UpdateAccessKey", key(&[("Status", "Inactive")])).await.ok();
    own.sts("GetCallerIdentity", &[]).await.is(400, "InvalidAccessKeyId.Inactive");
    let listed = client.ram("ListAccessKeys", &user("a")).await;
    assert!(emulator.secrets().iter().all(|secret| !listed.text.contains(secret)));
    let listed = listed.ok();
    assert_eq!(listed["AccessKeys"]["AccessKey"][0]["Status"], "Inactive");
    call("DeleteAccessKey", key(&[])).await.ok();
    call("DeleteAccessKey", key(&[])).await.is(404, "EntityNotExist.User.AccessKey");
    own.sts("GetCallerIdentity", &[]).await.is(404, "InvalidAccessKeyId.NotFound");
    assert!(emulator.secrets().contains(&secret));
    let foreign = [("UserName", "ram-operator"), ("UserAccessKeyId", id.as_str())];
    client.ram("DeleteAccessKey", &foreign).await.is(404, "EntityNotExist.User.AccessKey");
    // Without a user, a key is made for the caller.
    client.ram("CreateAccessKey", &[]).await.ok();
    assert_eq!(emulator.snapshot().users["ram-operator"].keys.len(), 2);
    let first = emulator.writes().into_iter().filter(|line| line.contains("AccessKey")).collect::<Vec<_>>();
    assert_eq!(
        first,
        [
            "CreateAccessKey a",
            "CreateAccessKey a",
            "UpdateAccessKey #1 Inactive",
            "UpdateAccessKey #1 Inactive",
            "DeleteAccessKey #1",
            "CreateAccessKey"
        ]
    );
}

#[tokio::test]
async fn no_secret_is_shown_twice_or_journalled() {
    let (emulator, client) = start().await;
    client.ram("CreateUser", &user("a")).await.ok();
    let (id, secret) = mint(&client, "a").await;
    for (version, action) in [
        (RAM, "ListAccessKeys"),
        (RAM, "GetUser"),
        (RAM, "ListUsers"),
        (IMS, "ListUsers"),
        (RAM, "GetAccessKeyLastUsed"),
    ] {
        let answer = client.try_call(version, action, &[("UserName", "a"), ("UserAccessKeyId", &id)]).await.unwrap();
        assert!(!answer.text.contains("s3cr3t"), "{action}: {}", answer.text);
    }
    client.ram("GetUser", &[("UserName", "a"), ("Password", &secret), ("SecurityToken", &secret)]).await.ok();
    assert!(!format!("{:?}", emulator.journal()).contains("s3cr3t"));
}

#[tokio::test]
async fn last_use() {
    for (form, shown) in [(NeverForm::Absent, None), (NeverForm::Empty, Some("")), (NeverForm::Dash, Some("-"))] {
        let (emulator, client) = start_with(Options {
            last_used_never: form,
            last_used_lag: Duration::from_secs(7200),
            ..Options::default()
        })
        .await;
        emulator.person().create_user("a", "");
        let (id, secret) = emulator.person().create_key("a");
        let params = [("UserName", "a"), ("UserAccessKeyId", id.as_str())];
        let last = |answer: Answer| answer.ok()["AccessKeyLastUsed"]["LastUsedDate"].as_str().map(str::to_owned);
        assert_eq!(last(client.ram("GetAccessKeyLastUsed", &params).await).as_deref(), shown);
        client.with(&id, &secret, None).sts("GetCallerIdentity", &[]).await.ok();
        assert_eq!(last(client.ram("GetAccessKeyLastUsed", &params).await).as_deref(), shown);
        emulator.clock().advance(Duration::from_secs(7201));
        let mut raw = client.v3(IMS, "GetAccessKeyLastUsed", emulator.clock().now());
        raw.query = pairs(&[
            ("UserAccessKeyId", &id),
            ("UserPrincipalName", &format!("a@{}.onaliyun.com", emulator.account_id())),
        ]);
        client.sign(&mut raw);
        let answer = client.send(&raw).await.unwrap().ok();
        assert_eq!(answer["AccessKeyLastUsed"]["ServiceName"], "Sts");
        assert!(answer["AccessKeyLastUsed"]["LastUsedDate"].as_str().unwrap().ends_with('Z'));
    }
}

#[tokio::test]
async fn an_active_key_may_be_kept_from_deletion() {
    let (emulator, client) = start_with(Options { active_key_may_be_deleted: false, ..Options::default() }).await;
    emulator.person().create_user("a", "");
    let (id, _) = emulator.person().create_key("a");
    let params = [("UserName", "a"), ("UserAccessKeyId", id.as_str())];
    client.ram("DeleteAccessKey", &params).await.is(409, "DeleteConflict.User.AccessKey");
    emulator.person().set_key_status(&id, false);
    client.ram("DeleteAccessKey", &params).await.ok();
}

#[tokio::test]
async fn a_new_key_may_be_unknown_for_a_while() {
    let (emulator, client) = start().await;
    emulator.set_new_key_refused_for(Duration::from_secs(20));
    client.ram("CreateUser", &user("a")).await.ok();
    let (id, secret) = mint(&client, "a").await;
    let own = client.with(&id, &secret, None);
    own.sts("GetCallerIdentity", &[]).await.is(404, "InvalidAccessKeyId.NotFound");
    emulator.clock().advance(Duration::from_secs(21));
    own.sts("GetCallerIdentity", &[]).await.ok();
    emulator.person().disable_caller_key();
    client.ram("ListUsers", &[]).await.is(400, "InvalidAccessKeyId.Inactive");
}

// ---- two views, policies, groups ----

#[tokio::test]
async fn ims_and_ram_agree() {
    let (emulator, client) = start().await;
    let made = client.ram("CreateUser", &user("a")).await.ok();
    let id = made["User"]["UserId"].as_str().unwrap();
    let (key, _) = mint(&client, "a").await;
    let domain = client.ims("GetDefaultDomain", &[]).await.ok()["DefaultDomainName"].as_str().unwrap().to_owned();
    assert_eq!(domain, format!("{}.onaliyun.com", emulator.account_id()));
    let upn = format!("a@{domain}");
    for by in [("UserId", id), ("UserPrincipalName", upn.as_str()), ("UserAccessKeyId", key.as_str())] {
        let user = client.ims("GetUser", &[by]).await.ok();
        assert_eq!((&user["User"]["UserId"], &user["User"]["UserPrincipalName"]), (&json!(id), &json!(upn)), "{by:?}");
    }
    client.ims("GetUser", &[]).await.is(400, "MissingParameter");
    client.ims("GetUser", &[("UserId", id), ("UserPrincipalName", &upn)]).await.is(400, "InvalidParameter");
    client.ims("GetUser", &[("UserPrincipalName", "a@other.onaliyun.com")]).await.is(404, "EntityNotExist.User");
    let keys = client.ims("ListAccessKeys", &[("UserPrincipalName", &upn)]).await.ok();
    assert_eq!(keys["AccessKeys"]["AccessKey"][0]["AccessKeyId"], key);
    assert!(keys["AccessKeys"]["AccessKey"][0]["UpdateDate"].is_string());
    client.ram("GetAccountAlias", &[]).await.is(404, "EntityNotExist.AccountAlias");
    emulator.person().set_alias(Some("acme"));
    client.ims("GetUser", &[("UserPrincipalName", &upn)]).await.is(404, "EntityNotExist.User");
    client.ims("GetUser", &[("UserPrincipalName", "a@acme.onaliyun.com")]).await.ok();
    client.ims("DeleteUser", &[("UserId", id)]).await.is(409, "DeleteConflict.User.AccessKey");
    emulator.person().delete_key(&key);
    client.ims("DeleteUser", &[("UserId", id)]).await.ok();
    client.ram("GetUser", &user("a")).await.is(404, "EntityNotExist.User");
    assert_eq!(emulator.writes().last().unwrap(), "DeleteUser a");
    client.ims("AttachPolicyToUser", &[]).await.is(404, "InvalidApi.NotFound");
}

#[tokio::test]
async fn policies() {
    let (emulator, client) = start().await;
    emulator.person().create_user("a", "");
    let policy = |kind, name| [("UserName", "a"), ("PolicyType", kind), ("PolicyName", name)];
    client.ram("AttachPolicyToUser", &policy("Magic", "x")).await.is(400, "InvalidParameter.PolicyType");
    client
        .ram("AttachPolicyToUser", &policy("System", "a.b"))
        .await
        .is(400, "InvalidParameter.PolicyName.InvalidChars");
    client.ram("AttachPolicyToUser", &policy("System", "NoSuchAccess")).await.is(404, "EntityNotExist.Policy");
    client.ram("AttachPolicyToUser", &policy("Custom", "AliyunOTSFullAccess")).await.is(404, "EntityNotExist.Policy");
    client.ram("AttachPolicyToUser", &policy("System", "aliyunotsreadonlyaccess")).await.ok();
    client
        .ram("AttachPolicyToUser", &policy("System", "AliyunOTSReadOnlyAccess"))
        .await
        .is(409, "EntityAlreadyExists.User.Policy");
    let listed = client.ram("ListPoliciesForUser", &user("a")).await.ok();
    assert_eq!(listed["Policies"]["Policy"][0]["PolicyName"], "AliyunOTSReadOnlyAccess");
    assert_eq!(emulator.snapshot().users["a"].policies, ["System/AliyunOTSReadOnlyAccess"]);
    emulator.person().create_custom_policy("mine", r#"{"Version":"1","Statement":[]}"#);
    client.ram("AttachPolicyToUser", &policy("Custom", "mine")).await.ok();
    let got = client.ram("GetPolicy", &policy("Custom", "mine")).await.ok();
    assert_eq!(got["Policy"]["AttachmentCount"], 1);
    assert_eq!(got["DefaultPolicyVersion"]["PolicyDocument"], r#"{"Version":"1","Statement":[]}"#);
    let entities = client.ram("ListEntitiesForPolicy", &policy("Custom", "mine")).await.ok();
    assert_eq!(entities["Users"]["User"][0]["UserName"], "a");
    assert_eq!(entities["Groups"]["Group"], json!([]));
    client.ram("DetachPolicyFromUser", &policy("Custom", "mine")).await.ok();
    client.ram("DetachPolicyFromUser", &policy("Custom", "mine")).await.is(404, "EntityNotExist.User.Policy");
}

#[tokio::test]
async fn groups() {
    let (emulator, client) = start().await;
    let person = emulator.person();
    person.create_user("a", "");
    person.create_group("readers");
    person.attach_to_group("readers", "System", "AliyunRAMReadOnlyAccess");
    let member = [("UserName", "a"), ("GroupName", "readers")];
    client.ram("AddUserToGroup", &[("UserName", "a"), ("GroupName", "writers")]).await.is(404, "EntityNotExist.Group");
    client.ram("AddUserToGroup", &member).await.ok();
    client.ram("AddUserToGroup", &member).await.is(409, "EntityAlreadyExists.User.Group");
    let group = &member[1..];
    assert_eq!(client.ram("GetGroup", group).await.ok()["Group"]["GroupName"], "readers");
    assert_eq!(client.ram("ListGroups", &[]).await.ok()["Groups"]["Group"][0]["GroupName"], "readers");
    assert_eq!(client.ram("ListUsersForGroup", group).await.ok()["Users"]["User"][0]["UserName"], "a");
    assert_eq!(client.ram("ListGroupsForUser", &user("a")).await.ok()["Groups"]["Group"][0]["GroupName"], "readers");
    assert_eq!(client.ram("ListPoliciesForGroup", group).await.ok()["Policies"]["Policy"][0]["PolicyType"], "System");
    // A member has what the group has.
    let (id, secret) = person.create_key("a");
    let own = client.with(&id, &secret, None);
    own.ram("ListUsers", &[]).await.ok();
    own.ram("CreateUser", &user("b")).await.is(403, "NoPermission");
    client.ram("RemoveUserFromGroup", &member).await.ok();
    client.ram("RemoveUserFromGroup", &member).await.is(404, "EntityNotExist.User.Group");
}

#[tokio::test]
async fn permissions() {
    let (emulator, client) = start().await;
    emulator.person().deny("ram:CreateUser");
    let refused = client.ram("CreateUser", &user("a")).await;
    refused.is(403, "NoPermission");
    assert_eq!(refused.json["AccessDeniedDetail"]["AuthAction"], "ram:CreateUser");
    assert_eq!(refused.json["AccessDeniedDetail"]["NoPermissionType"], "ExplicitDeny");
    emulator.person().deny("GetCallerIdentity");
    client.sts("GetCallerIdentity", &[]).await.is(403, "Forbidden.AccessDenied");
    emulator.person().allow("CreateUser");
    client.ram("CreateUser", &user("a")).await.ok();
    let (id, secret) = mint(&client, "a").await;
    let refused = client.with(&id, &secret, None).ram("ListUsers", &[]).await;
    assert_eq!(refused.json["AccessDeniedDetail"]["NoPermissionType"], "ImplicitDeny");
    emulator.person().attach("a", "System", "AdministratorAccess");
    client.with(&id, &secret, None).ram("ListUsers", &[]).await.ok();
}

// ---- STS ----

#[tokio::test]
async fn assume_role() {
    let options = Options {
        roles: vec![RolePreset { external_id: Some("x1".to_owned()), ..RolePreset::new("operator", Trust::Account) }],
        ..Options::default()
    };
    let (emulator, client) = start_with(options).await;
    let arn = format!("acs:ram::{}:role/operator", emulator.account_id());
    let params =
        [("RoleArn", arn.as_str()), ("RoleSessionName", "test"), ("ExternalId", "x1"), ("DurationSeconds", "900")];
    client.sts("AssumeRole", &params[..2]).await.is(403, "NoPermission");
    client.sts("AssumeRole", &[params[0], ("RoleSessionName", "t")]).await.is(400, "InvalidParameter.RoleSessionName");
    client.sts("AssumeRole", &[("RoleArn", "operator"), params[1]]).await.is(400, "InvalidParameter.RoleArn");
    client
        .sts("AssumeRole", &[params[0], params[1], ("DurationSeconds", "7200")])
        .await
        .is(400, "InvalidParameter.DurationSeconds");
    let absent = format!("acs:ram::{}:role/nobody", emulator.account_id());
    client.sts("AssumeRole", &[("RoleArn", &absent), params[1]]).await.is(404, "EntityNotExist.Role");
    let answer = client.sts("AssumeRole", &params).await.ok();
    let text = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
    let (id, secret, token) = (text("AccessKeyId"), text("AccessKeySecret"), text("SecurityToken"));
    assert!(emulator.secrets().contains(&token) && emulator.secrets().contains(&secret));

    let session = client.with(&id, &secret, Some(&token));
    let identity = session.sts("GetCallerIdentity", &[]).await.ok();
    assert_eq!(identity["Arn"], format!("acs:ram::{}:assumed-role/operator/test", emulator.account_id()));
    assert_eq!(identity["IdentityType"], "AssumedRoleUser");
    session.ram("ListUsers", &[]).await.ok();
    let mut params = session.v1(RAM, "ListUsers", Timestamp::now());
    session.sign_v1("GET", &mut params);
    session.get_v1(&params).await.ok();
    client.with(&id, &secret, None).ram("ListUsers", &[]).await.is(400, "MissingSecurityToken");
    client.with(&id, &secret, Some("broken")).ram("ListUsers", &[]).await.is(400, "InvalidSecurityToken.Malformed");
    client
        .with(&client.key, &client.secret, Some(&token))
        .ram("ListUsers", &[])
        .await
        .is(400, "InvalidSecurityToken.MismatchWithAccessKey");
    let mut raw = session.v3(RAM, "ListUsers", Timestamp::now());
    emulator.clock().advance(Duration::from_secs(14 * 60));
    emulator.clock().set_skew(SignedDuration::from_mins(2));
    raw.headers.insert("x-acs-date".to_owned(), iso(emulator.clock().now()));
    session.sign(&mut raw);
    session.send(&raw).await.unwrap().is(400, "InvalidSecurityToken.Expired");
}

#[tokio::test]
async fn assume_role_with_oidc() {
    let mut options = Options::default();
    let provider = format!("acs:ram::{}:oidc-provider/ack", options.account_id);
    let trust = OidcTrust {
        provider_arn: provider.clone(),
        issuer: "https://issuer".to_owned(),
        audience: "sts.aliyuncs.com".to_owned(),
        subject: "system:serviceaccount:ns:sa".to_owned(),
        tokens: vec!["plain-token".to_owned()],
    };
    options.roles.push(RolePreset::new("pod", Trust::Oidc(trust)));
    let (emulator, client) = start_with(options).await;
    let arn = format!("acs:ram::{}:role/pod", emulator.account_id());
    let time = Timestamp::now();
    let query =
        pairs(&[("Action", "AssumeRoleWithOIDC"), ("Version", STS), ("Format", "JSON"), ("Timestamp", &iso(time))]);
    let jwt = |iss: &str, aud: &Value, sub: &str, exp: i64| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({"alg": "none"})), part(&json!({"iss": iss, "aud": aud, "sub": sub, "exp": exp})))
    };
    let call = async |token: &str, provider: &str| {
        let body = pairs(&[
            ("RoleArn", &arn),
            ("OIDCProviderArn", provider),
            ("OIDCToken", token),
            ("RoleSessionName", "test"),
        ]);
        let request = client
            .http
            .post(format!("{}/?{query}", client.url))
            .header("content-type", "application/x-www-form-urlencoded");
        answer(request.body(body)).await.unwrap()
    };
    let (now, aud, sub) = (time.as_second(), json!("sts.aliyuncs.com"), "system:serviceaccount:ns:sa");
    call("plain-token", &provider).await.ok();
    let good = call(&jwt("https://issuer", &json!(["a", "sts.aliyuncs.com"]), sub, now + 60), &provider).await.ok();
    assert_eq!(good["OIDCTokenInfo"]["Subject"], sub);
    let text = |name: &str| good["Credentials"][name].as_str().unwrap().to_owned();
    client
        .with(&text("AccessKeyId"), &text("AccessKeySecret"), Some(&text("SecurityToken")))
        .ram("ListUsers", &[])
        .await
        .ok();
    call("nonsense", &provider).await.is(400, "AuthenticationFail.OIDCToken.Invalid");
    call(&jwt("https://other", &aud, sub, now + 60), &provider).await.is(400, "AuthenticationFail.OIDCToken.Invalid");
    call(&jwt("https://issuer", &json!("other"), sub, now + 60), &provider)
        .await
        .is(400, "AuthenticationFail.OIDCToken.Invalid");
    call(&jwt("https://issuer", &aud, "system:serviceaccount:ns:other", now + 60), &provider)
        .await
        .is(403, "AuthenticationFail.NoPermission");
    call(&jwt("https://issuer", &aud, sub, now - 1), &provider).await.is(400, "AuthenticationFail.OIDCToken.Expired");
    call("plain-token", "acs:ram::1:oidc-provider/other").await.is(404, "EntityNotExist.OIDCProvider");
    assert!(!format!("{:?}", emulator.journal()).contains("plain-token"));
    assert_eq!(emulator.journal()[0].caller, "anonymous");
}

#[tokio::test]
async fn metadata_service() {
    let (emulator, client) =
        start_with(Options { ecs_role: Some("node".to_owned()), metadata_v1: false, ..Options::default() }).await;
    let roles = format!("{}/latest/meta-data/ram/security-credentials/", emulator.url());
    assert_eq!(client.http.get(&roles).send().await.unwrap().status(), 403);
    let token = client
        .http
        .put(format!("{}/latest/api/token", emulator.url()))
        .header("X-aliyun-ecs-metadata-token-ttl-seconds", "60");
    let token = String::from_utf8(token.send().await.unwrap().bytes().await.unwrap().to_vec()).unwrap();
    let get =
        async |url: String| answer(client.http.get(url).header("X-aliyun-ecs-metadata-token", &token)).await.unwrap();
    assert_eq!(get(roles.clone()).await.text, "node");
    let got = get(format!("{roles}node")).await.ok();
    assert_eq!(got["Code"], "Success");
    let text = |name: &str| got[name].as_str().unwrap().to_owned();
    client
        .with(&text("AccessKeyId"), &text("AccessKeySecret"), Some(&text("SecurityToken")))
        .ram("ListUsers", &[])
        .await
        .ok();
    assert_eq!(get(format!("{roles}other")).await.status, 404);
    emulator.clock().advance(Duration::from_secs(61));
    assert_eq!(get(roles).await.status, 403);
}

// ---- faults, hook, lag, rates ----

#[tokio::test]
async fn faults() {
    let (emulator, client) = start().await;
    let throttle = FaultKind::Throttle { retry_after: Some(2) };
    emulator.fault(Fault::on("CreateUser", throttle).user("a").skip(1).times(1));
    client.ram("CreateUser", &user("b")).await.ok();
    client.ram("CreateUser", &user("a")).await.ok();
    let throttled = client.ram("CreateUser", &user("a")).await;
    throttled.is(400, "Throttling.User");
    assert_eq!(throttled.headers["x-acs-retry-after"], "2");
    client.ram("CreateUser", &user("a")).await.is(409, "EntityAlreadyExists.User");

    let id =
        emulator.fault(Fault::everywhere(FaultKind::Status { status: 503, code: "ServiceUnavailable".to_owned() }));
    client.ims("ListUsers", &[]).await.is(503, "ServiceUnavailable");
    emulator.remove_fault(id);
    emulator.fault(Fault::on("CreateUser", FaultKind::CutBefore).times(1));
    assert!(client.try_call(RAM, "CreateUser", &user("c")).await.is_err());
    assert!(!emulator.snapshot().users.contains_key("c"));
    emulator.fault(Fault::on("CreateUser", FaultKind::CutAfter).times(1));
    assert!(client.try_call(RAM, "CreateUser", &user("c")).await.is_err());
    assert!(emulator.snapshot().users.contains_key("c"));
    emulator.fault(Fault::on("ListUsers", FaultKind::Garbage));
    let garbage = client.ram("ListUsers", &[]).await;
    assert!(garbage.status == 200 && garbage.text.contains("<html>"));
    emulator.clear_faults();
    let started = std::time::Instant::now();
    emulator.fault(Fault::everywhere(FaultKind::Latency(Duration::from_millis(30))));
    client.ram("ListUsers", &[]).await.ok();
    assert!(started.elapsed() >= Duration::from_millis(30));

    let cuts: Vec<_> =
        emulator.journal().into_iter().filter(|call| !call.replied).map(|call| (call.status, call.effect)).collect();
    assert_eq!(cuts, [(0, false), (200, true)]);
    assert_eq!(emulator.writes(), ["CreateUser b", "CreateUser a", "CreateUser c"]);
}

/// A hook that holds calls of an action before they are looked at; it says when one has come and lets one go when told to.
fn holding(action: &'static str) -> (Hook, Arc<Notify>, Arc<Notify>) {
    let (come, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (arrived, released) = (come.clone(), go.clone());
    let hook: Hook = Arc::new(move |call: CallInfo, phase: Phase| -> BoxFuture<'static, Outcome> {
        let (arrived, released) = (arrived.clone(), released.clone());
        Box::pin(async move {
            if call.action == action && phase == Phase::Before {
                arrived.notify_one();
                released.notified().await;
            }
            Outcome::Go
        })
    });
    (hook, come, go)
}

#[tokio::test]
async fn a_held_call_takes_effect_late_or_never() {
    let (emulator, client) = start().await;
    let (hook, come, go) = holding("CreateUser");
    emulator.set_hook(Some(hook));
    let held = |name: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.try_call(RAM, "CreateUser", &user(name)).await })
    };
    // The client hangs up; the call takes effect all the same.
    let call = held("late");
    come.notified().await;
    call.abort();
    assert!(call.await.is_err());
    assert!(!emulator.snapshot().users.contains_key("late"));
    go.notify_one();
    let there = async {
        while !emulator.snapshot().users.contains_key("late") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), there).await.unwrap();
    // Held for longer than a signature lives, it is refused.
    let call = held("never");
    come.notified().await;
    emulator.clock().advance(Duration::from_secs(16 * 60));
    go.notify_one();
    call.await.unwrap().unwrap().is(400, "InvalidTimeStamp.Expired");
    assert!(!emulator.snapshot().users.contains_key("never"));
}

#[tokio::test]
async fn a_hook_can_answer_after_the_effect() {
    let (emulator, client) = start().await;
    let hook: Hook = Arc::new(|_: CallInfo, phase: Phase| -> BoxFuture<'static, Outcome> {
        Box::pin(async move {
            match phase {
                Phase::Before => Outcome::Go,
                Phase::After => Outcome::Reply { status: 500, code: "InternalError".to_owned() },
            }
        })
    });
    emulator.set_hook(Some(hook));
    client.ram("CreateUser", &user("a")).await.is(500, "InternalError");
    emulator.set_hook(None);
    client.ram("CreateUser", &user("a")).await.is(409, "EntityAlreadyExists.User");
    let first = &emulator.journal()[0];
    assert_eq!((first.seq, first.status, first.effect, first.replied), (1, 500, true, true));
}

#[tokio::test]
async fn reads_may_lag() {
    let (emulator, client) = start().await;
    emulator.set_read_lag(Duration::from_secs(10));
    client.ram("CreateUser", &user("a")).await.ok();
    client.ram("GetUser", &user("a")).await.is(404, "EntityNotExist.User");
    client.ram("CreateUser", &user("a")).await.is(409, "EntityAlreadyExists.User");
    emulator.clock().advance(Duration::from_secs(6));
    mint(&client, "a").await;
    emulator.clock().advance(Duration::from_secs(6));
    let keys = client.ram("ListAccessKeys", &user("a")).await.ok();
    assert_eq!(keys["AccessKeys"]["AccessKey"], json!([]));
    emulator.clock().advance(Duration::from_secs(6));
    let keys = client.ram("ListAccessKeys", &user("a")).await.ok();
    assert_eq!(keys["AccessKeys"]["AccessKey"].as_array().unwrap().len(), 1);
    emulator.person().delete_user_by_force("a");
    client.ram("GetUser", &user("a")).await.ok();
    emulator.set_read_lag(Duration::ZERO);
    client.ram("GetUser", &user("a")).await.is(404, "EntityNotExist.User");
}

#[tokio::test]
async fn rates() {
    let (emulator, client) = start_with(Options { rates: true, throttle_status: 429, ..Options::default() }).await;
    emulator.person().create_user("a", "");
    let policy = [("UserName", "a"), ("PolicyType", "System"), ("PolicyName", "AliyunOTSFullAccess")];
    // Ten a second, and the clock is set back before each call, so that a slow machine has no second either.
    let (start, mut refused) = (Timestamp::now(), 0);
    for _ in 0..50 {
        emulator.clock().set_skew(start.duration_since(Timestamp::now()));
        let answer = client.ram("DetachPolicyFromUser", &policy).await;
        if answer.status == 429 {
            answer.is(429, "Throttling.User");
            refused += 1;
        }
    }
    assert!(refused > 0);
    emulator.clock().advance(Duration::from_secs(2));
    client.ram("DetachPolicyFromUser", &policy).await.is(404, "EntityNotExist.User.Policy");
}

// ---- keys by UserPrincipalName ----

/// Makes a user with a key: its UserPrincipalName, and the id and secret of the key.
pub(crate) fn keyed(emulator: &Emulator, name: &str) -> (String, String, String) {
    emulator.person().create_user(name, "");
    let (id, secret) = emulator.person().create_key(name);
    (format!("{name}@{}.onaliyun.com", emulator.account_id()), id, secret)
}

#[tokio::test]
async fn ims_keys_live() {
    let (emulator, client) = start().await;
    let (upn, id, secret) = keyed(&emulator, "a");
    let key = [("UserPrincipalName", upn.as_str()), ("UserAccessKeyId", id.as_str())];
    client.ims("UpdateAccessKey", &[key[0], key[1], ("Status", "Inactive")]).await.ok();
    client.with(&id, &secret, None).sts("GetCallerIdentity", &[]).await.is(400, "InvalidAccessKeyId.Inactive");
    let listed = client.ims("ListAccessKeys", &key[..1]).await.ok();
    assert_eq!(listed["AccessKeys"]["AccessKey"][0]["Status"], "Inactive");
    client
        .ims("DeleteAccessKey", &[("UserPrincipalName", "a@other.onaliyun.com"), key[1]])
        .await
        .is(404, "EntityNotExist.User");
    client.ims("DeleteAccessKey", &key).await.ok();
    client.ims("DeleteAccessKey", &key).await.is(404, "EntityNotExist.User.AccessKey");
    client.ims("GetUser", &key[1..]).await.is(404, "EntityNotExist.User.AccessKey");
    assert_eq!(emulator.writes(), ["UpdateAccessKey #1 Inactive", "DeleteAccessKey #1"]);
}

#[tokio::test]
async fn ims_names_the_service_of_the_last_use() {
    for (form, never) in [
        (NeverForm::Absent, json!({})),
        (NeverForm::Empty, json!({"LastUsedDate": "", "ServiceName": ""})),
        (NeverForm::Dash, json!({"LastUsedDate": "-", "ServiceName": "-"})),
    ] {
        let (emulator, client) = start_with(Options { last_used_never: form, ..Options::default() }).await;
        let (upn, id, _) = keyed(&emulator, "a");
        let key = [("UserPrincipalName", upn.as_str()), ("UserAccessKeyId", id.as_str())];
        assert_eq!(client.ims("GetAccessKeyLastUsed", &key).await.ok()["AccessKeyLastUsed"], never);
        emulator.person().use_key(&id);
        let used = client.ims("GetAccessKeyLastUsed", &key).await.ok();
        assert_eq!(used["AccessKeyLastUsed"]["ServiceName"], "Ots");
        let used = client.ram("GetAccessKeyLastUsed", &[("UserName", "a"), key[1]]).await.ok();
        assert!(used["AccessKeyLastUsed"]["LastUsedDate"].as_str().unwrap().ends_with('Z'));
        assert!(used["AccessKeyLastUsed"].get("ServiceName").is_none());
    }
}

#[tokio::test]
async fn an_idle_key_is_disabled_by_ram_itself() {
    let (emulator, client) = start().await;
    let (upn, id, _) = keyed(&emulator, "a");
    emulator.clock().advance(Duration::from_secs(10));
    emulator.person().idle_out(&id);
    let keys = client.ims("ListAccessKeys", &[("UserPrincipalName", &upn)]).await.ok();
    let key = &keys["AccessKeys"]["AccessKey"][0];
    assert_eq!(key["Status"], "Inactive");
    assert_ne!(key["UpdateDate"], key["CreateDate"]);
    assert_eq!(emulator.writes(), Vec::<String>::new());
}

// ---- network policies of keys ----

/// A document without Version.
pub(crate) fn document(status: &str, statements: &Value) -> String {
    json!({"Status": status, "Statements": statements}).to_string()
}

/// A document that lets these public addresses in.
pub(crate) fn public(addresses: &[&str]) -> String {
    document("Active", &json!([{"Type": "ClassicWhiteList", "IPList": addresses}]))
}

async fn set_policy(client: &Client, upn: &str, id: &str, document: &str) -> Answer {
    let params = [("UserPrincipalName", upn), ("UserAccessKeyId", id), ("AccessKeyPolicy", document)];
    client.ims("SetAccessKeyPolicy", &params).await
}

async fn get_policy(client: &Client, upn: &str, id: &str) -> Value {
    let params = [("UserPrincipalName", upn), ("UserAccessKeyId", id)];
    let answer = client.ims("GetAccessKeyPolicy", &params).await.ok();
    assert_eq!(answer["AccessKeyId"], id);
    serde_json::from_str(answer["AccessKeyPolicy"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn key_policies_live() {
    let (emulator, client) = start().await;
    let (upn, id, _) = keyed(&emulator, "a");
    assert_eq!(get_policy(&client, &upn, &id).await, json!({}));
    assert_eq!(emulator.person().key_policy(&id), None);

    let statements = json!([
        {"Type": "ClassicWhiteList", "IPList": ["127.0.0.1", "2001:db8::1"]},
        {"Type": "VPCWhiteList", "Value": "vpc-a", "IPList": ["10.0.0.0/8"]},
        {"Type": "VPCWhiteList", "Value": "AllowAllVPC", "IPList": ["::/0", "0.0.0.0/0"]},
    ]);
    let whole = json!({"Version": 1, "Status": "Active", "Statements": statements});
    let answer = set_policy(&client, &upn, &id, &document("Active", &statements)).await.ok();
    assert_eq!((&answer["AccessKeyId"], &answer["AccessKeyPolicy"]), (&json!(id), &json!(whole.to_string())));
    assert_eq!(get_policy(&client, &upn, &id).await, whole);
    assert_eq!(emulator.snapshot().users["a"].keys[0].policy, Some(whole.to_string()));
    let none = r#"{"Statements":[],"Status":"Inactive","Version":1}"#;
    set_policy(&client, &upn, &id, none).await.ok();
    assert_eq!(emulator.person().key_policy(&id).as_deref(), Some(none));

    // Without a user the caller's own keys are meant.
    let own = client.key.clone();
    let params = [("UserAccessKeyId", own.as_str()), ("AccessKeyPolicy", none)];
    client.ims("SetAccessKeyPolicy", &params).await.ok();
    assert_eq!(client.ims("GetAccessKeyPolicy", &params[..1]).await.ok()["AccessKeyPolicy"], none);
    client
        .ims("SetAccessKeyPolicy", &[("UserAccessKeyId", &id), params[1]])
        .await
        .is(404, "EntityNotExist.User.AccessKey");
    set_policy(&client, &upn, &own, none).await.is(404, "EntityNotExist.User.AccessKey");
    set_policy(&client, "a@other.onaliyun.com", &id, none).await.is(404, "EntityNotExist.User");
    client.ims("SetAccessKeyPolicy", &params[1..]).await.is(400, "MissingUserAccessKeyId");
    client.ims("SetAccessKeyPolicy", &params[..1]).await.is(400, "MissingAccessKeyPolicy");
    client.ram("SetAccessKeyPolicy", &params).await.is(404, "InvalidApi.NotFound");
    assert_eq!(
        emulator.writes(),
        [
            "SetAccessKeyPolicy #1 Active 127.0.0.1,2001:db8::1 vpc-a:10.0.0.0/8 AllowAllVPC:::/0,0.0.0.0/0".to_owned(),
            "SetAccessKeyPolicy #1 Inactive".to_owned(),
            format!("SetAccessKeyPolicy {own} Inactive"),
        ]
    );
}

#[tokio::test]
async fn key_policies_are_checked() {
    let (emulator, client) = start().await;
    let (upn, id, _) = keyed(&emulator, "a");
    let one = |statement: Value| document("Active", &json!([statement]));
    let classic = |list: Value| one(json!({"Type": "ClassicWhiteList", "IPList": list}));
    let vpc = |value: Value, list: Value| one(json!({"Type": "VPCWhiteList", "Value": value, "IPList": list}));
    let mut refused: Vec<String> = [
        "nonsense",
        "null",
        "[]",
        "{}",
        r#"{"Version":1}"#,
        r#"{"Status":"Active"}"#,
        r#"{"Statements":[]}"#,
        r#"{"Status":"active","Statements":[]}"#,
        r#"{"Status":"Active","Statements":null}"#,
        r#"{"Status":"Active","Statements":{}}"#,
        r#"{"Status":"Active","Statements":[null]}"#,
        r#"{"Status":"Active","Statements":[{}]}"#,
        r#"{"Status":"Active","Statements":[],"Version":2}"#,
        r#"{"Status":"Active","Statements":[],"Version":"1"}"#,
        r#"{"Status":"Active","Statements":[],"Effect":"Deny"}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    refused.extend([
        one(json!({"Type": "BlackList", "IPList": ["192.0.2.10"]})),
        one(json!({"IPList": ["192.0.2.10"]})),
        one(json!({"Type": "ClassicWhiteList"})),
        one(json!({"Type": "ClassicWhiteList", "Value": "vpc-a1", "IPList": ["192.0.2.10"]})),
        one(json!({"Type": "ClassicWhiteList", "IPList": ["192.0.2.10"], "Effect": "Deny"})),
        one(json!({"Type": "VPCWhiteList", "IPList": ["10.0.0.0/8"]})),
        classic(json!(null)),
        classic(json!([])),
        classic(json!("192.0.2.10")),
        classic(json!([7])),
        vpc(json!(""), json!(["10.0.0.0/8"])),
        vpc(json!("vpc-"), json!(["10.0.0.0/8"])),
        vpc(json!("net-a1"), json!(["10.0.0.0/8"])),
        vpc(json!("AllowAllVPC"), json!(["0.0.0.0/0"])),
        vpc(json!("AllowAllVPC"), json!(["10.0.0.0/8", "::/0"])),
    ]);
    let wrong = ["", "example.com", "192.0.2.256", " 192.0.2.1", "192.0.2.1/33", "::1/129", "::1/-1", "::1/", "::/8/8"];
    refused.extend(wrong.map(|address| public(&["192.0.2.10", address])));
    for document in refused {
        let answer = set_policy(&client, &upn, &id, &document).await;
        assert_eq!(answer.json["Code"], "InvalidParameter.AccessKeyPolicy", "{document}: {}", answer.text);
        assert_eq!(answer.status, 400, "{document}");
    }

    let statement = json!({"Type": "ClassicWhiteList", "IPList": ["192.0.2.10"]});
    set_policy(&client, &upn, &id, &document("Inactive", &json!(vec![statement.clone(); 9])))
        .await
        .is(409, "LimitExceeded.AccessKeyPolicy.Condition");
    set_policy(&client, &upn, &id, &public(&["192.0.2.10"; 51])).await.is(409, "LimitExceeded.AccessKeyPolicy.IPItem");
    assert_eq!(emulator.writes(), Vec::<String>::new());
    assert_eq!(get_policy(&client, &upn, &id).await, json!({}));
    let accepted = [
        document("Inactive", &json!(vec![statement; 8])),
        public(&["192.0.2.10"; 50]),
        public(&["192.0.2.10/32", "0.0.0.0/0", "10.1.2.3/8", "::1", "2001:DB8::/48", "::/0"]),
        document("Active", &json!([])),
        vpc(json!("vpc-bp1234567890abcdef"), json!(["172.16.0.0/16", "fd00::/8"])),
    ];
    for document in accepted {
        set_policy(&client, &upn, &id, &document).await.ok();
    }
}

#[tokio::test]
async fn a_key_policy_may_show_late_and_is_in_force_at_once() {
    let (emulator, client) =
        start_with(Options { key_policy_lag: Duration::from_secs(60), ..Options::default() }).await;
    let (upn, id, secret) = keyed(&emulator, "a");
    let own = client.with(&id, &secret, None);
    let shown = async || get_policy(&client, &upn, &id).await["Statements"][0]["IPList"][0].clone();
    set_policy(&client, &upn, &id, &public(&["192.0.2.10"])).await.ok();
    assert_eq!(get_policy(&client, &upn, &id).await, json!({}));
    own.sts("GetCallerIdentity", &[]).await.is(403, "Forbidden.AccessKeyPolicy");
    emulator.clock().advance(Duration::from_secs(61));
    assert_eq!(shown().await, "192.0.2.10");
    set_policy(&client, &upn, &id, &public(&["192.0.2.11"])).await.ok();
    emulator.clock().advance(Duration::from_secs(30));
    set_policy(&client, &upn, &id, &public(&["127.0.0.1"])).await.ok();
    own.sts("GetCallerIdentity", &[]).await.ok();
    assert_eq!(shown().await, "192.0.2.10");
    emulator.clock().advance(Duration::from_secs(31));
    assert_eq!(shown().await, "192.0.2.11");
    emulator.clock().advance(Duration::from_secs(30));
    assert_eq!(shown().await, "127.0.0.1");
}

#[tokio::test]
async fn a_key_policy_may_be_shown_in_other_words() {
    let (emulator, client) = start_with(Options { key_policy_rewritten: true, ..Options::default() }).await;
    let (upn, id, _) = keyed(&emulator, "a");
    let statements = json!([
        {"Type": "ClassicWhiteList", "IPList": ["192.0.2.10/32", "2001:DB8:0::1/64"]},
        {"Type": "VPCWhiteList", "Value": "vpc-a1", "IPList": ["10.1.2.3/8"]},
    ]);
    set_policy(&client, &upn, &id, &document("Active", &statements)).await.ok();
    let rewritten = json!([
        {"Type": "VPCWhiteList", "Value": "vpc-a1", "IPList": ["10.0.0.0/8"]},
        {"Type": "ClassicWhiteList", "IPList": ["2001:db8::/64", "192.0.2.10"]},
    ]);
    let whole = json!({"Version": 1, "Status": "Active", "Statements": rewritten});
    assert_eq!(get_policy(&client, &upn, &id).await, whole);
}

#[tokio::test]
async fn a_key_policy_keeps_others_out() {
    let (emulator, client) = start().await;
    let (upn, id, secret) = keyed(&emulator, "a");
    let own = client.with(&id, &secret, None);
    let vpc = json!([{"Type": "VPCWhiteList", "Value": "AllowAllVPC", "IPList": ["0.0.0.0/0", "::/0"]}]);
    let elsewhere = json!([{"Type": "ClassicWhiteList", "IPList": ["192.0.2.0/24"]}]);
    for (document, in_force) in [
        (public(&["192.0.2.0/24", "::/0"]), true),
        (public(&["192.0.2.0/24", "127.0.0.1"]), false),
        (document("Active", &vpc), true),
        (public(&["126.0.0.0/7"]), false),
        (document("Active", &json!([])), true),
        (document("Inactive", &elsewhere), false),
        (document("Active", &elsewhere), true),
        (public(&["0.0.0.0/0"]), false),
    ] {
        set_policy(&client, &upn, &id, &document).await.ok();
        let answer = own.sts("GetCallerIdentity", &[]).await;
        assert_eq!(answer.status, if in_force { 403 } else { 200 }, "{document}: {}", answer.text);
        if in_force {
            answer.is(403, "Forbidden.AccessKeyPolicy");
            client.with(&id, "wrong", None).sts("GetCallerIdentity", &[]).await.is(400, "SignatureDoesNotMatch");
        }
    }
    // Nobody else is concerned.
    client.ram("ListUsers", &[]).await.ok();
}

#[tokio::test]
async fn source_and_refusal_can_be_chosen() {
    let options = Options {
        source_address: "2001:db8::7".parse().unwrap(),
        source_refusal_code: "NoPermission".to_owned(),
        source_checked_first: true,
        roles: vec![RolePreset::new("operator", Trust::Account)],
        ..Options::default()
    };
    let (emulator, client) = start_with(options).await;
    let (upn, id, secret) = keyed(&emulator, "a");
    let own = client.with(&id, &secret, None);
    let wrong = client.with(&id, "wrong", None);
    set_policy(&client, &upn, &id, &public(&["0.0.0.0/0", "2001:db8:1::/48"])).await.ok();
    own.sts("GetCallerIdentity", &[]).await.is(403, "NoPermission");
    wrong.sts("GetCallerIdentity", &[]).await.is(403, "NoPermission");
    set_policy(&client, &upn, &id, &public(&["2001:db8::/48"])).await.ok();
    own.sts("GetCallerIdentity", &[]).await.ok();
    wrong.sts("GetCallerIdentity", &[]).await.is(400, "SignatureDoesNotMatch");

    // A person can lock the operator out; temporary credentials have no such policy.
    let arn = format!("acs:ram::{}:role/operator", emulator.account_id());
    let session = client.sts("AssumeRole", &[("RoleArn", &arn), ("RoleSessionName", "test")]).await.ok();
    let text = |name: &str| session["Credentials"][name].as_str().unwrap().to_owned();
    let session = client.with(&text("AccessKeyId"), &text("AccessKeySecret"), Some(&text("SecurityToken")));
    emulator.person().set_key_policy(&client.key, &public(&["192.0.2.10"]));
    client.ram("ListUsers", &[]).await.is(403, "NoPermission");
    session.ram("ListUsers", &[]).await.ok();
    emulator.person().set_key_policy(&client.key, &document("Inactive", &json!([])));
    client.ram("ListUsers", &[]).await.ok();
}

// ---- the recycle bin ----

/// A call of IMS at the time of the emulator's clock, which was moved.
pub(crate) async fn ims_later(emulator: &Emulator, client: &Client, action: &str, params: Pairs<'_>) -> Answer {
    let mut raw = client.v3(IMS, action, emulator.clock().now());
    raw.query = pairs(params);
    client.sign(&mut raw);
    client.send(&raw).await.unwrap()
}

/// Ids of the keys of a user in the bin.
fn binned(listed: &Value) -> Vec<&str> {
    let keys = listed["AccessKeys"]["AccessKey"].as_array().unwrap();
    keys.iter().map(|key| key["AccessKeyId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn deleted_keys_go_into_the_bin() {
    let (emulator, client) = start().await;
    let (upn, id, secret) = keyed(&emulator, "a");
    keyed(&emulator, "b");
    let (user_id, other_id) = {
        let users = emulator.snapshot().users;
        (users["a"].user_id.clone(), users["b"].user_id.clone())
    };
    let of_user = [("UserId", user_id.as_str())];
    let key = [of_user[0], ("UserAccessKeyId", id.as_str())];
    assert_eq!(binned(&client.ims("ListAccessKeysInRecycleBin", &of_user).await.ok()), Vec::<&str>::new());
    client.ims("GetAccessKeyInfoInRecycleBin", &key[1..]).await.is(404, "EntityNotExist.User.AccessKey");
    client.ram("DeleteAccessKey", &[("UserName", "a"), key[1]]).await.ok();
    assert_eq!(emulator.person().in_recycle_bin(), [id.as_str()]);
    client.with(&id, &secret, None).sts("GetCallerIdentity", &[]).await.is(404, "InvalidAccessKeyId.NotFound");
    client.ims("GetUser", &key[1..]).await.is(404, "EntityNotExist.User.AccessKey");
    let listed = client.ims("ListAccessKeysInRecycleBin", &of_user).await;
    assert!(!listed.text.contains("s3cr3t"), "{}", listed.text);
    assert_eq!(binned(&listed.ok()), [id.as_str()]);
    let info = client.ims("GetAccessKeyInfoInRecycleBin", &key[1..]).await.ok()["AccessKey"].clone();
    assert_eq!((&info["AccessKeyId"], &info["UserId"]), (&json!(id), &json!(user_id)));
    assert_eq!((&info["UserPrincipalName"], &info["UserRecycled"]), (&json!(upn), &json!(false)));
    let date = |field: &str| info[field].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(date("DeleteDate").duration_since(date("RecycleDate")), SignedDuration::from_hours(30 * 24));

    // Back, disabled, and only into a free slot.
    let (second, _) = emulator.person().create_key("a");
    let (third, _) = emulator.person().create_key("a");
    client.ims("RestoreAccessKeyFromRecycleBin", &key).await.is(409, "LimitExceeded.User.AccessKey");
    client.ram("DeleteAccessKey", &[("UserName", "a"), ("UserAccessKeyId", &third)]).await.ok();
    client
        .ims("RestoreAccessKeyFromRecycleBin", &[("UserId", &other_id), key[1]])
        .await
        .is(404, "EntityNotExist.User.AccessKey");
    client.ims("RestoreAccessKeyFromRecycleBin", &key[1..]).await.is(400, "MissingUserId");
    client.ims("RestoreAccessKeyFromRecycleBin", &key).await.ok();
    client.ims("RestoreAccessKeyFromRecycleBin", &key).await.is(404, "EntityNotExist.User.AccessKey");
    let keys: Vec<_> = emulator.snapshot().users["a"].keys.iter().map(|key| (key.id.clone(), key.active)).collect();
    assert_eq!(keys, [(id.clone(), false), (second, true)]);
    client.with(&id, &secret, None).sts("GetCallerIdentity", &[]).await.is(400, "InvalidAccessKeyId.Inactive");

    // For good.
    client.ims("DeleteAccessKeyInRecycleBin", &key).await.is(404, "EntityNotExist.User.AccessKey");
    client.ram("DeleteAccessKey", &[("UserName", "a"), key[1]]).await.ok();
    assert_eq!(binned(&client.ims("ListAccessKeysInRecycleBin", &of_user).await.ok()), [third.as_str(), id.as_str()]);
    client
        .ims("DeleteAccessKeyInRecycleBin", &[("UserId", &other_id), key[1]])
        .await
        .is(404, "EntityNotExist.User.AccessKey");
    client.ims("DeleteAccessKeyInRecycleBin", &key).await.ok();
    client.ims("DeleteAccessKeyInRecycleBin", &key).await.is(404, "EntityNotExist.User.AccessKey");
    client.ims("GetAccessKeyInfoInRecycleBin", &key[1..]).await.is(404, "EntityNotExist.User.AccessKey");
    client.ram("DeleteAccessKeyInRecycleBin", &key).await.is(404, "InvalidApi.NotFound");
    assert_eq!(emulator.person().in_recycle_bin(), [third]);
    assert_eq!(
        emulator.writes(),
        [
            "DeleteAccessKey #1",
            "DeleteAccessKey #4",
            "RestoreAccessKeyFromRecycleBin #1",
            "DeleteAccessKey #1",
            "DeleteAccessKeyInRecycleBin #1",
        ]
    );
}

#[tokio::test]
async fn the_bin_keeps_three_keys_of_a_user_for_thirty_days() {
    let (emulator, client) = start().await;
    let person = emulator.person();
    let (_, other, _) = keyed(&emulator, "b");
    person.delete_key(&other);
    person.create_user("a", "");
    let keys: Vec<String> = (0..4).map(|_| person.create_key("a").0).collect();
    keys.iter().for_each(|key| person.delete_key(key));
    assert_eq!(person.in_recycle_bin(), [other.as_str(), &keys[1], &keys[2], &keys[3]]);
    person.restore_key(&keys[1]);
    person.purge_key(&keys[2]);
    assert_eq!(person.in_recycle_bin(), [other.as_str(), &keys[3]]);
    assert_eq!(emulator.snapshot().users["a"].keys[0].id, keys[1]);

    let info = [("UserAccessKeyId", keys[3].as_str())];
    emulator.clock().advance(Duration::from_secs(30 * 24 * 3600 - 60));
    ims_later(&emulator, &client, "GetAccessKeyInfoInRecycleBin", &info).await.ok();
    emulator.clock().advance(Duration::from_secs(61));
    ims_later(&emulator, &client, "GetAccessKeyInfoInRecycleBin", &info).await.is(404, "EntityNotExist.User.AccessKey");
    assert_eq!(person.in_recycle_bin(), Vec::<String>::new());
}

#[tokio::test]
async fn deleted_users_go_into_the_bin_with_their_keys() {
    let options = Options { ims_delete_cascades: true, page_size_limit: 1, ..Options::default() };
    let (emulator, client) = start_with(options).await;
    let (upn, id, _) = keyed(&emulator, "a");
    let (upn_b, _, _) = keyed(&emulator, "b");
    let user_id = emulator.snapshot().users["a"].user_id.clone();
    let by_id = [("UserId", user_id.as_str())];
    let by_key = [("UserAccessKeyId", id.as_str())];
    client.ims("GetUserInRecycleBin", &by_id).await.is(404, "EntityNotExist.User");
    client.ims("DeleteUser", &[("UserPrincipalName", &upn)]).await.ok();
    client.ims("DeleteUser", &[("UserPrincipalName", &upn_b)]).await.ok();
    assert_eq!(emulator.person().in_recycle_bin().len(), 2);
    assert!(emulator.person().users_in_recycle_bin().contains(&user_id));
    client.ims("GetUser", &by_id).await.is(404, "EntityNotExist.User");
    for by in [by_id[0], by_key[0]] {
        let user = client.ims("GetUserInRecycleBin", &[by]).await.ok()["User"].clone();
        assert_eq!((&user["UserId"], &user["UserPrincipalName"]), (&json!(user_id), &json!(upn)));
    }
    client.ims("GetUserInRecycleBin", &[]).await.is(400, "MissingParameter");
    client.ims("GetUserInRecycleBin", &[by_id[0], by_key[0]]).await.is(400, "InvalidParameter");
    let info = client.ims("GetAccessKeyInfoInRecycleBin", &by_key).await.ok();
    assert_eq!((&info["AccessKey"]["UserRecycled"], &info["AccessKey"]["UserId"]), (&json!(true), &json!(user_id)));
    client.ims("RestoreAccessKeyFromRecycleBin", &[by_id[0], by_key[0]]).await.is(404, "EntityNotExist.User");

    let first = client.ims("ListUsersInRecycleBin", &[]).await.ok();
    assert_eq!(first["IsTruncated"], true);
    let next = [("Marker", first["Marker"].as_str().unwrap())];
    let second = client.ims("ListUsersInRecycleBin", &next).await.ok();
    assert_eq!(second["IsTruncated"], false);
    let mut names = [&first, &second].map(|page| page["Users"]["User"][0]["UserPrincipalName"].as_str().unwrap());
    names.sort_unstable();
    assert_eq!(names, [upn.as_str(), upn_b.as_str()]);
    let filter = format!("UserPrincipalName eq {upn}");
    let found = client.ims("ListUsersInRecycleBin", &[("Filter", &filter)]).await.ok();
    assert_eq!((&found["Users"]["User"][0]["UserId"], &found["IsTruncated"]), (&json!(user_id), &json!(false)));
    client.ims("ListUsersInRecycleBin", &[("Filter", "DisplayName eq a")]).await.is(400, "InvalidParameter.Filter");

    // The name is free.
    client.ram("CreateUser", &user("a")).await.ok();
    client.ims("DeleteUserInRecycleBin", &by_id).await.ok();
    client.ims("DeleteUserInRecycleBin", &by_id).await.is(404, "EntityNotExist.User");
    client.ims("GetAccessKeyInfoInRecycleBin", &by_key).await.is(404, "EntityNotExist.User.AccessKey");
    assert_eq!(emulator.person().users_in_recycle_bin().len(), 1);
    client.ram("GetUser", &user("a")).await.ok();
    assert_eq!(emulator.writes(), ["DeleteUser a", "DeleteUser b", "CreateUser a", "DeleteUserInRecycleBin a"]);
}

#[tokio::test]
async fn there_may_be_no_bin() {
    let (emulator, client) = start_with(Options { recycle_bin: false, ..Options::default() }).await;
    let person = emulator.person();
    let (_, id, _) = keyed(&emulator, "a");
    let user_id = emulator.snapshot().users["a"].user_id.clone();
    let key = [("UserId", user_id.as_str()), ("UserAccessKeyId", id.as_str())];
    client.ram("DeleteAccessKey", &[("UserName", "a"), key[1]]).await.ok();
    let (by_hand, _) = person.create_key("a");
    person.delete_key(&by_hand);
    person.create_key("a");
    person.delete_user_by_force("a");
    assert_eq!(person.in_recycle_bin(), Vec::<String>::new());
    assert_eq!(person.users_in_recycle_bin(), Vec::<String>::new());
    assert_eq!(binned(&client.ims("ListAccessKeysInRecycleBin", &key[..1]).await.ok()), Vec::<&str>::new());
    assert_eq!(client.ims("ListUsersInRecycleBin", &[]).await.ok()["Users"]["User"], json!([]));
    let no_key = "EntityNotExist.User.AccessKey";
    client.ims("GetAccessKeyInfoInRecycleBin", &key[1..]).await.is(404, no_key);
    client.ims("DeleteAccessKeyInRecycleBin", &key).await.is(404, no_key);
    client.ims("RestoreAccessKeyFromRecycleBin", &key).await.is(404, no_key);
    client.ims("GetUserInRecycleBin", &key[..1]).await.is(404, "EntityNotExist.User");
    client.ims("DeleteUserInRecycleBin", &key[..1]).await.is(404, "EntityNotExist.User");
}
