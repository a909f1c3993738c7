//! RamAccounts: whose credentials they are, where they come from, and what everybody says while they do not work.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ListParams, PostParams};
use ram_operator::api::annotation;
use ram_operator::controller::Environment;
use ram_operator::plan::marker::default_owner_id;
use ram_operator::ram::{Credential, Source};
use ram_operator::run::Clients;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::operator::{NAMESPACE, Running};
use crate::support::ram::{Emulator, OidcTrust, Options, RolePreset, Trust};
use crate::world::{OPERATOR, World, condition, eventually};

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const ISSUER: &str = "https://oidc.example.com/cluster";
const SUBJECT: &str = "system:serviceaccount:ram-operator:ram-operator";
const AUDIENCE: &str = "sts.aliyuncs.com";

fn message(object: &Value) -> &str {
    condition(object, "Ready").expect("Ready")["message"].as_str().expect("a message")
}

fn stalled(object: &Value) -> bool {
    condition(object, "Stalled").is_some_and(|stalled| stalled["status"] == "True")
}

/// Asks for a look without waiting for its end: one that fails never comes to rest.
async fn ask(world: &World, kind: &str, name: &str) {
    world.annotate(kind, name, annotation::RECONCILE, &format!("ask-{}", Timestamp::now())).await;
}

/// A Secret of the corner's name with exactly these entries.
async fn put_secret(world: &World, namespace: &str, entries: &[(&str, &str)]) {
    let api: Api<Secret> = Api::namespaced(world.admin.clone(), namespace);
    let texts: BTreeMap<String, String> =
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let secret = Secret {
        metadata: ObjectMeta { name: Some(world.name.clone()), ..ObjectMeta::default() },
        string_data: Some(texts),
        ..Secret::default()
    };
    let written = match api.get_opt(&world.name).await.expect("an answer") {
        Some(_) => api.replace(&world.name, &PostParams::default(), &secret).await,
        None => api.create(&PostParams::default(), &secret).await,
    };
    written.expect("written");
}

async fn operator_in(world: &World, environment: Environment) -> Running {
    world.operator_with(world.flags(), environment, |config| Clients::new(&config).expect("clients")).await
}

/// Gives the corner a tenant and a user, and waits until the user works.
async fn prove_usable(world: &World) {
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}})).await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    let name = world.ram_name("reader");
    assert_eq!(
        world.ram.writes(),
        [format!("CreateUser {name}"), format!("AttachPolicyToUser {name} System/AliyunOTSReadOnlyAccess")]
    );
}

/// Calls since the journal was cleared that were not answered with success.
fn refused(world: &World) -> Vec<String> {
    let calls = world.ram.journal();
    calls.iter().filter(|call| call.status != 200).map(|call| format!("{} {:?}", call.action, call.code)).collect()
}

fn called(world: &World, action: &str) -> usize {
    world.ram.journal().iter().filter(|call| call.action == action).count()
}

/// Ids that calls of RAM and IMS were signed with since the journal was cleared.
fn signers(world: &World) -> Vec<String> {
    let calls = world.ram.journal();
    let mut ids: Vec<String> = calls
        .iter()
        .filter(|call| !call.action.starts_with("AssumeRole") && call.action != "GetCallerIdentity")
        .map(|call| call.caller.clone())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_says_who_it_is() {
    let world = World::new("acc_status").await;
    let operator = world.operator().await;
    let account = world.available("RamAccount", &world.name).await;
    let (status, id) = (&account["status"], world.ram.account_id());
    assert_eq!(status["accountId"], json!(id));
    assert_eq!(status["ownerId"], json!("test"));
    assert_eq!(status["callerArn"], json!(format!("acs:ram::{id}:user/ram-operator")));
    assert_eq!(status["defaultDomain"], json!(format!("{id}.onaliyun.com")));
    assert_eq!(status["loginUrl"], json!(format!("https://signin.aliyun.com/{id}.onaliyun.com/login.htm")));
    let used = |used: i64, quota: i64| json!({"used": used, "quota": quota});
    assert_eq!(
        status["usage"],
        json!({
            "users": used(1, 5000),
            "groups": used(0, 300),
            // The operator's own.
            "policies": used(1, 1500),
            "virtualMfaDevices": used(0, 5000),
            "perUser": {"accessKeys": 2, "groups": 10, "systemPolicies": 20, "customPolicies": 10},
        })
    );
    assert!(!stalled(&account) && condition(&account, "QuotaLow").is_none());
    // Another look finds nothing new and says nothing.
    world.reconcile("RamAccount", &world.name).await;
    let events = eventually("the event", || async {
        let all = Api::<Event>::namespaced(world.admin.clone(), "default").list(&ListParams::default()).await;
        let about = |event: &Event| {
            let regarding = event.regarding.clone().unwrap_or_default();
            regarding.kind.as_deref() == Some("RamAccount") && regarding.name.as_ref() == Some(&world.name)
        };
        let found: Vec<Event> = all.map_err(|e| e.to_string())?.into_iter().filter(about).collect();
        if found.is_empty() { Err("none yet".to_owned()) } else { Ok(found) }
    })
    .await;
    let reasons: Vec<_> = events.iter().map(|event| (event.reason.as_deref(), event.series.is_some())).collect();
    assert_eq!(reasons, [(Some("Available"), false)]);
    assert!(world.writes().is_empty());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// What the condition `QuotaLow` names, at a look; empty without it.
async fn low(world: &World) -> String {
    world.reconcile("RamAccount", &world.name).await;
    let object = world.dynamic("RamAccount", None).get(&world.name).await.expect("there").data;
    let low = condition(&object, "QuotaLow").map(|found| (found["status"].clone(), found["message"].clone()));
    let Some((status, message)) = low else { return String::new() };
    let message = message.as_str().expect("a message");
    assert!(status == "True" && message.ends_with("Delete some, or have the quota raised."), "{status} {message}");
    message.split("of: ").nth(1).and_then(|rest| rest.split('.').next()).expect("what is low").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn little_room_in_a_quota_is_told_and_every_user_shows_its_own() {
    let options = Options { users_quota: 10, groups_quota: 10, policies_quota: 10, ..Options::default() };
    let world = World::with("acc_low", options).await;
    let operator = world.operator().await;
    world.user("reader", json!({"groups": []})).await;
    world.available("RamUser", "reader").await;
    // With the operator's own user and policy there are nine or ten of each in the end.
    let person = world.ram.person();
    let names: Vec<String> = (0..8).map(|n| format!("n{n}")).collect();
    for name in &names[..6] {
        person.create_user(name, "");
    }
    assert_eq!(low(&world).await, "");
    person.create_user(&names[6], "");
    assert_eq!(low(&world).await, "RAM users");
    person.create_group("more");
    for name in &names {
        person.create_group(name);
        person.create_custom_policy(name, r#"{"Version":"1","Statement":[]}"#);
    }
    assert_eq!(low(&world).await, "RAM users, groups, custom policies");
    person.delete_user_by_force(&names[6]);
    person.delete_group("more");
    assert_eq!(low(&world).await, "custom policies");
    person.delete_custom_policy(&names[0]);
    assert_eq!(low(&world).await, "");

    let user = world.ram_name("reader");
    person.create_key(&user);
    person.attach(&user, "Custom", &names[1]);
    world.user("reader", json!({"groups": [], "attachments": "Additive"})).await;
    world.available("RamUser", "reader").await;
    world.reconcile("RamUser", "reader").await;
    let object = world.available("RamUser", "reader").await;
    let used = |used: i64, quota: i64| json!({"used": used, "quota": quota});
    let wanted = json!({
        "accessKeys": used(1, 2), "groups": used(0, 10), "systemPolicies": used(1, 20), "customPolicies": used(1, 10),
    });
    assert_eq!(object["status"]["usage"], wanted);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_owner_id_the_cluster_gives_one() {
    let world = World::bare("acc_owner", Options::default()).await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    world.account(json!({"ownerId": null})).await;
    let operator = world.operator().await;
    let account = world.available("RamAccount", &world.name).await;
    let system = Api::<Namespace>::all(world.admin.clone()).get("kube-system").await.expect("kube-system");
    let wanted = default_owner_id(&system.metadata.uid.expect("a uid"));
    assert_eq!(account["status"]["ownerId"], json!(wanted));
    let hex = wanted.strip_prefix("k-").expect("k-");
    assert!(hex.len() == 12 && hex.chars().all(|c| c.is_ascii_hexdigit()), "{wanted}");
    prove_usable(&world).await;
    let snapshot = world.ram.snapshot();
    let user = &snapshot.users[&world.ram_name("reader")];
    assert!(user.comments.contains(&wanted), "{}", user.comments);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_missing_or_damaged_are_named_and_sent_nowhere() {
    let world = World::bare("acc_secret", Options::default()).await;
    let (id, secret) = world.ram.access_key();
    world.account(json!({})).await;
    let operator = world.operator().await;
    let name = world.name.clone();
    let missing = world.ready("RamAccount", &name, "False", "CredentialsNotFound").await;
    assert!(message(&missing).contains(&format!("Secret {NAMESPACE}/{name}")), "{}", message(&missing));
    assert!(!stalled(&missing));

    // A Secret of another shape is not enough.
    put_secret(&world, NAMESPACE, &[(ID, &id)]).await;
    eventually("the missing entry to be named", || async {
        let account = world.ready("RamAccount", &name, "False", "CredentialsNotFound").await;
        let text = message(&account).to_owned();
        if text.contains(&format!("key {SECRET} in Secret {NAMESPACE}/{name}")) { Ok(()) } else { Err(text) }
    })
    .await;

    // What does not look like an id may be a password: it is neither sent nor shown.
    put_secret(&world, NAMESPACE, &[(ID, "hunter2"), (SECRET, &secret)]).await;
    let invalid = world.ready("RamAccount", &name, "False", "CredentialsInvalid").await;
    assert!(message(&invalid).contains(ID) && !message(&invalid).contains("hunter2"), "{}", message(&invalid));
    assert!(world.ram.journal().is_empty(), "{:?}", world.ram.journal());

    put_secret(&world, NAMESPACE, &[(ID, &id), (SECRET, "not-the-secret-of-this-key")]).await;
    eventually("the wrong secret to be refused", || async {
        let account = world.ready("RamAccount", &name, "False", "CredentialsInvalid").await;
        let text = message(&account).to_owned();
        if text.contains("SignatureDoesNotMatch") && text.contains("Put a working AccessKey pair") {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;

    // The right pair heals it by the watch alone.
    put_secret(&world, NAMESPACE, &[(ID, &id), (SECRET, &secret)]).await;
    world.available("RamAccount", &name).await;
    prove_usable(&world).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_found_when_it_comes() {
    let world = World::bare("acc_watch", Options::default()).await;
    world.account(json!({})).await;
    let operator = world.operator().await;
    world.ready("RamAccount", &world.name, "False", "CredentialsNotFound").await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    world.available("RamAccount", &world.name).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_key_of_the_operator_shows_everywhere_and_heals() {
    let world = World::new("acc_disabled").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.writes();
    world.ram.person().disable_caller_key();
    // RAM tells nobody: a look finds it.
    ask(&world, "RamAccount", &world.name).await;
    let account = world.ready("RamAccount", &world.name, "False", "CredentialsInvalid").await;
    assert!(message(&account).contains("InvalidAccessKeyId.Inactive"), "{}", message(&account));
    let user = world.ready("RamUser", "reader", "False", "AccountNotReady").await;
    assert!(message(&user).contains(&format!("RamAccount {} says CredentialsInvalid", world.name)));
    assert!(message(&user).contains("See its conditions."));
    world.ram.person().enable_caller_key();
    ask(&world, "RamAccount", &world.name).await;
    world.available("RamAccount", &world.name).await;
    world.available("RamUser", "reader").await;
    assert!(world.writes().is_empty());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_another_account_than_asked_for_are_not_used() {
    let world = World::bare("acc_wanted", Options::default()).await;
    let pair = world.ram.access_key();
    let right =
        Emulator::start(Options { access_key: Some(pair.clone()), clock: world.clock.clone(), ..Options::default() })
            .await;
    world.credentials(&pair.0, &pair.1).await;
    let wanted = right.account_id();
    world.account(json!({"accountId": wanted})).await;
    let operator = world.operator().await;
    let refused = world.ready("RamAccount", &world.name, "False", "WrongAccount").await;
    assert!(stalled(&refused));
    assert!(message(&refused).contains("Give the RamAccount the credentials"), "{}", message(&refused));
    // Nothing is pinned by a wrong answer.
    assert!(refused["status"]["accountId"].is_null());
    let url = right.url();
    world.account(json!({"accountId": wanted, "endpoints": {"ram": url, "ims": url, "sts": url}})).await;
    let account = world.available("RamAccount", &world.name).await;
    assert!(!stalled(&account));
    assert_eq!(account["status"]["accountId"], json!(wanted));
    assert!(world.writes().is_empty() && right.writes().is_empty());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_and_nothing_counts_as_gone_in_another_account() {
    let world = World::new("acc_pinned").await;
    let other = Emulator::start(Options {
        access_key: Some(world.ram.access_key()),
        clock: world.clock.clone(),
        ..Options::default()
    })
    .await;
    let operator = world.operator().await;
    for user in ["reader", "leaver"] {
        world.user(user, json!({})).await;
        world.available("RamUser", user).await;
    }
    for key in ["stays", "leaves"] {
        world.key(key, "reader", json!({})).await;
        world.available("RamAccessKey", key).await;
    }
    let before = world.ram.snapshot();
    world.writes();

    // Same key id, another account behind the endpoints.
    let url = other.url();
    world.account(json!({"endpoints": {"ram": url, "ims": url, "sts": url}})).await;
    let account = world.ready("RamAccount", &world.name, "False", "WrongAccount").await;
    assert!(stalled(&account));
    assert_eq!(account["status"]["accountId"], json!(world.ram.account_id()));
    for (kind, name) in [("RamUser", "reader"), ("RamUser", "leaver"), ("RamAccessKey", "stays")] {
        let object = world.ready(kind, name, "False", "WrongAccount").await;
        assert!(stalled(&object), "{kind} {name}");
        assert!(message(&object).contains("nothing is written until then"), "{}", message(&object));
    }
    // Changes, deletions and newcomers all wait.
    world.user("reader", json!({"comments": "changed meanwhile"})).await;
    world.user("newcomer", json!({})).await;
    world.delete("RamUser", "leaver").await;
    world.delete("RamAccessKey", "leaves").await;
    for (kind, name) in
        [("RamUser", "reader"), ("RamUser", "newcomer"), ("RamUser", "leaver"), ("RamAccessKey", "leaves")]
    {
        world.ready(kind, name, "False", "WrongAccount").await;
    }
    assert!(world.writes().is_empty() && other.writes().is_empty());
    assert_eq!(world.ram.snapshot().users.len(), before.users.len());

    world.account(json!({})).await;
    let account = world.available("RamAccount", &world.name).await;
    assert!(!stalled(&account));
    world.gone("RamAccessKey", "leaves").await;
    world.gone("RamUser", "leaver").await;
    for (kind, name) in [("RamUser", "reader"), ("RamUser", "newcomer"), ("RamAccessKey", "stays")] {
        assert!(!stalled(&world.available(kind, name).await), "{kind} {name}");
    }
    assert!(other.writes().is_empty());
    let after = world.ram.snapshot();
    assert!(!after.users.contains_key(&world.ram_name("leaver")));
    assert_eq!(after.users[&world.ram_name("reader")].keys.len(), 1);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_number_has_one_ram_account() {
    let world = World::new("acc_twice").await;
    let operator = world.operator().await;
    let elder = world.available("RamAccount", &world.name).await;
    let object = world.dynamic("RamAccount", None).get(&world.name).await.expect("the account");
    let born = object.metadata.creation_timestamp.expect("a time").0.as_second();
    // The age is told in whole seconds.
    eventually("a later second", || async {
        let now = Timestamp::now().as_second();
        if now > born { Ok(()) } else { Err("the same second") }
    })
    .await;
    let younger = format!("{}-b", world.name);
    let spec = elder["spec"].clone();
    world.apply(json!({"kind": "RamAccount", "metadata": {"name": younger}, "spec": spec})).await;
    let refused = world.ready("RamAccount", &younger, "False", "AccountAlreadyManaged").await;
    assert!(stalled(&refused));
    assert!(message(&refused).contains(&format!("RamAccount {}", world.name)), "{}", message(&refused));
    assert!(message(&refused).contains("Use that one, and delete this one."));
    world.delete("RamAccount", &world.name).await;
    world.gone("RamAccount", &world.name).await;
    // Nobody watches other accounts: the next look finds that the number is free.
    world.reconcile("RamAccount", &younger).await;
    assert!(!stalled(&world.available("RamAccount", &younger).await));
    assert!(world.writes().is_empty());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_elsewhere_need_the_flag() {
    let world = World::new("acc_endpoint").await;
    let strict = ram_operator::config::Run { allow_custom_endpoints: false, ..world.flags() };
    let operator =
        world.operator_with(strict, Environment::default(), |config| Clients::new(&config).expect("clients")).await;
    let refused = world.ready("RamAccount", &world.name, "False", "EndpointRefused").await;
    assert!(stalled(&refused));
    assert!(message(&refused).contains(&world.ram.url()), "{}", message(&refused));
    assert!(message(&refused).contains("--allow-custom-endpoints"));
    assert!(world.ram.journal().is_empty());
    operator.stop().await;
    let operator = world.operator().await;
    assert!(!stalled(&world.available("RamAccount", &world.name).await));
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_from_other_namespaces_need_the_flag() {
    let world = World::bare("acc_namespace", Options::default()).await;
    let (id, secret) = world.ram.access_key();
    put_secret(&world, &world.ns, &[(ID, &id), (SECRET, &secret)]).await;
    world.account(json!({"credentials": {"secret": {"namespace": world.ns}}})).await;
    let operator = world.operator().await;
    let refused = world.ready("RamAccount", &world.name, "False", "CredentialsRefused").await;
    assert!(stalled(&refused));
    let flag = format!("--credentials-namespace={}", world.ns);
    assert!(message(&refused).contains(&flag), "{}", message(&refused));
    assert!(world.ram.journal().is_empty());
    operator.stop().await;
    let generous = ram_operator::config::Run { credentials_namespaces: vec![world.ns.clone()], ..world.flags() };
    let operator =
        world.operator_with(generous, Environment::default(), |config| Clients::new(&config).expect("clients")).await;
    assert!(!stalled(&world.available("RamAccount", &world.name).await));
    prove_usable(&world).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_from_the_environment() {
    let world = World::bare("acc_environment", Options::default()).await;
    world.account(json!({"credentials": {"source": "Environment", "secret": null}})).await;
    let operator = world.operator().await;
    let missing = world.ready("RamAccount", &world.name, "False", "CredentialsNotFound").await;
    assert!(message(&missing).contains(ID) && message(&missing).contains(SECRET), "{}", message(&missing));
    operator.stop().await;
    let (id, secret) = world.ram.access_key();
    let credential = Credential {
        access_key_id: id,
        access_key_secret: SecretString::from(secret),
        security_token: None,
        expiration: None,
    };
    let operator = operator_in(&world, Environment { credential: Some(credential), ..Environment::default() }).await;
    world.available("RamAccount", &world.name).await;
    prove_usable(&world).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

/// A token as a cluster issues it; the emulator looks at its claims only.
fn oidc_token(world: &World, life: SignedDuration) -> String {
    let now = world.clock.now();
    let claims = json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE],
        "iat": now.as_second(), "exp": (now + life).as_second(),
    });
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&json!({"alg": "RS256"})), part(&claims), BASE64_URL_SAFE_NO_PAD.encode("signature"))
}

fn write_token(file: &Path, token: &str) {
    std::fs::write(file, format!("{token}\n")).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_from_the_service_accounts_token() {
    let options = Options::default();
    let provider_arn = format!("acs:ram::{}:oidc-provider/cluster", options.account_id);
    let trust = OidcTrust {
        provider_arn: provider_arn.clone(),
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        subject: SUBJECT.to_owned(),
        tokens: Vec::new(),
    };
    let roles = vec![RolePreset::new("ram-operator", Trust::Oidc(trust))];
    let world = World::bare("acc_rrsa", Options { roles, ..options }).await;
    world.account(json!({"credentials": {"source": "Rrsa", "secret": null}})).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    write_token(&file, &oidc_token(&world, SignedDuration::from_mins(30)));
    let source = Source::Rrsa {
        role_arn: format!("acs:ram::{}:role/ram-operator", world.ram.account_id()),
        oidc_provider_arn: provider_arn,
        token_file: file.clone(),
        session_name: "ram-operator".to_owned(),
    };
    let operator = operator_in(&world, Environment { rrsa: Some(source), ..Environment::default() }).await;
    let account = world.available("RamAccount", &world.name).await;
    let arn = format!("acs:ram::{}:assumed-role/ram-operator/ram-operator", world.ram.account_id());
    assert_eq!(account["status"]["callerArn"], json!(arn));
    prove_usable(&world).await;
    world.writes();

    // Token and session are over; the file has been rotated meanwhile, as the kubelet does.
    write_token(&file, &oidc_token(&world, SignedDuration::from_mins(90)));
    world.clock.advance(Duration::from_hours(1));
    // No watch sees RAM's time pass: a look is asked for.
    world.reconcile("RamUser", "reader").await;
    world.available("RamUser", "reader").await;
    assert_eq!(called(&world, "AssumeRoleWithOIDC"), 1);
    assert_eq!(refused(&world), Vec::<String>::new());

    // The rotation has stopped.
    world.clock.advance(Duration::from_hours(2));
    ask(&world, "RamAccount", &world.name).await;
    let expired = world.ready("RamAccount", &world.name, "False", "CredentialsInvalid").await;
    assert!(message(&expired).contains("AuthenticationFail.OIDCToken.Expired"), "{}", message(&expired));
    world.ready("RamUser", "reader", "False", "AccountNotReady").await;
    write_token(&file, &oidc_token(&world, SignedDuration::from_hours(1)));
    ask(&world, "RamAccount", &world.name).await;
    world.available("RamAccount", &world.name).await;
    world.available("RamUser", "reader").await;
    assert!(world.writes().is_empty());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_from_the_nodes_role() {
    let options = Options {
        roles: vec![RolePreset::new("node-role", Trust::Ecs)],
        ecs_role: Some("node-role".to_owned()),
        // As on hardened instances; others are in `account_settings`.
        metadata_v1: false,
        ..Options::default()
    };
    let world = World::bare("acc_ecs", options).await;
    world.account(json!({"credentials": {"source": "EcsRole", "secret": null}})).await;
    let operator = world.operator().await;
    let account = world.available("RamAccount", &world.name).await;
    let arn = account["status"]["callerArn"].as_str().expect("an ARN");
    assert!(arn.contains(":assumed-role/node-role/"), "{arn}");
    prove_usable(&world).await;
    let before = signers(&world);
    assert_eq!(before.len(), 1, "{before:?}");
    world.writes();
    // Ten minutes before the session ends it has been renewed: nothing is ever refused.
    world.clock.advance(Duration::from_mins(350));
    world.reconcile("RamUser", "reader").await;
    let after = signers(&world);
    assert!(after.len() == 1 && after != before, "{before:?} {after:?}");
    assert_eq!(refused(&world), Vec::<String>::new());
    world.available("RamUser", "reader").await;
    assert!(world.writes().is_empty());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_on_top_of_a_secret() {
    let role = RolePreset {
        external_id: Some("external-1".to_owned()),
        ..RolePreset::new("ram-operator-role", Trust::Account)
    };
    let world = World::bare("acc_assume", Options { roles: vec![role], ..Options::default() }).await;
    // The printed policy is the role's; whoever assumes it needs this right.
    world.ram.person().attach(OPERATOR, "System", "AliyunSTSAssumeRoleAccess");
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    let role_arn = format!("acs:ram::{}:role/ram-operator-role", world.ram.account_id());
    world.account(json!({"credentials": {"assumeRole": {"roleArn": role_arn}}})).await;
    let operator = world.operator().await;
    let denied = world.ready("RamAccount", &world.name, "False", "AccessDenied").await;
    assert!(message(&denied).contains("AssumeRole"), "{}", message(&denied));
    world.account(json!({"credentials": {"assumeRole": {"roleArn": role_arn, "externalId": "external-1"}}})).await;
    let account = world.available("RamAccount", &world.name).await;
    let arn = format!("acs:ram::{}:assumed-role/ram-operator-role/ram-operator", world.ram.account_id());
    assert_eq!(account["status"]["callerArn"], json!(arn));
    prove_usable(&world).await;
    world.writes();
    // Renewed before its hour is over, not because of a refusal.
    world.clock.advance(Duration::from_mins(50));
    world.reconcile("RamUser", "reader").await;
    assert_eq!(called(&world, "AssumeRole"), 1);
    // And after it was left alone for too long.
    world.clock.advance(Duration::from_hours(2));
    world.reconcile("RamUser", "reader").await;
    assert_eq!(called(&world, "AssumeRole"), 2);
    assert_eq!(refused(&world), Vec::<String>::new());
    world.available("RamUser", "reader").await;
    assert!(world.writes().is_empty());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_own_key_is_rotated_without_a_restart() {
    let world = World::new("acc_rotate").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    let (old, _) = world.ram.access_key();
    let (id, secret) = world.ram.person().create_key("ram-operator");
    world.credentials(&id, &secret).await;
    eventually("the new key to be asked about", || async {
        let seen = world.ram.journal().iter().any(|call| call.caller == id);
        if seen { Ok(()) } else { Err("not yet") }
    })
    .await;
    // That look has ended when the next one has.
    world.reconcile("RamAccount", &world.name).await;
    world.ram.person().delete_key(&old);
    world.writes();
    world.user("writer", json!({})).await;
    world.available("RamUser", "writer").await;
    world.reconcile("RamUser", "reader").await;
    world.reconcile("RamAccount", &world.name).await;
    assert!(world.ram.journal().iter().all(|call| call.caller == id), "{:?}", world.ram.journal());
    let name = world.ram_name("writer");
    assert_eq!(
        world.writes(),
        [format!("CreateUser {name}"), format!("AttachPolicyToUser {name} System/AliyunOTSReadOnlyAccess")]
    );
    world.available("RamUser", "reader").await;
    world.available("RamAccount", &world.name).await;
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_in_use_stays_until_its_users_are_gone() {
    let world = World::new("acc_delete").await;
    let operator = world.operator().await;
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    // Settings that are no part of the account's identity may change.
    world.account(json!({"lookInterval": "10m", "quotaShare": 50})).await;
    world.available("RamAccount", &world.name).await;
    world.writes();
    world.delete("RamAccount", &world.name).await;
    let waiting = world.ready("RamAccount", &world.name, "False", "InUse").await;
    assert!(message(&waiting).contains(&format!("RamUsers {}/reader", world.ns)), "{}", message(&waiting));
    assert!(message(&waiting).contains("Delete the objects"));
    // Nobody else moves in.
    world.user("late", json!({})).await;
    let late = world.ready("RamUser", "late", "False", "AccountLeaving").await;
    assert!(message(&late).contains("create the RamAccount again") && !stalled(&late), "{}", message(&late));
    assert!(world.writes().is_empty());
    world.delete("RamUser", "late").await;
    world.gone("RamUser", "late").await;
    world.delete("RamUser", "reader").await;
    world.gone("RamUser", "reader").await;
    let name = world.ram_name("reader");
    assert_eq!(
        world.writes(),
        [format!("DetachPolicyFromUser {name} System/AliyunOTSReadOnlyAccess"), format!("DeleteUser {name}")]
    );
    world.gone("RamAccount", &world.name).await;
    assert!(world.writes().is_empty());
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_waits_for_its_account() {
    let world = World::bare("acc_later", Options::default()).await;
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    world.tenant(json!({"attach": {"system": ["AliyunOTS*"]}})).await;
    world.user("reader", json!({})).await;
    let operator = world.operator().await;
    let waiting = world.ready("RamUser", "reader", "False", "AccountNotFound").await;
    assert!(message(&waiting).contains(&format!("RamAccount {}", world.name)), "{}", message(&waiting));
    assert!(message(&waiting).contains("Create it") && !stalled(&waiting));
    assert!(world.ram.journal().is_empty());
    world.account(json!({})).await;
    world.available("RamUser", "reader").await;
    let name = world.ram_name("reader");
    assert_eq!(
        world.writes(),
        [format!("CreateUser {name}"), format!("AttachPolicyToUser {name} System/AliyunOTSReadOnlyAccess")]
    );
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
