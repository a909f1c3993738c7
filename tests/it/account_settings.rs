//! The settings of an account: set up, kept, contested, refused; and what is not asked for stays.

use std::time::Duration;

use futures::StreamExt as _;
use ram_operator::api::annotation;
use serde_json::{Value, json};

use crate::emulator::public;
use crate::rotation::{assert_says, assert_without, no_writes};
use crate::support::ram::{Fault, FaultKind, Options, RolePreset, Trust};
use crate::world::{OPERATOR, World, condition, eventually, merge};

const TYPE: &str = "SettingsApplied";

/// The RamAccount of a corner, with these settings.
async fn set(world: &World, settings: Value) {
    world.account(json!({ "settings": settings })).await;
}

async fn stored(world: &World) -> Value {
    world.dynamic("RamAccount", None).get(&world.name).await.expect("there").data
}

async fn looked(world: &World) -> Value {
    world.reconcile("RamAccount", &world.name).await;
    stored(world).await
}

/// Waits until the condition has this status and reason for the spec as it is. The account itself is never the worse for it.
async fn stands(world: &World, status: &str, reason: &str) -> Value {
    let api = world.dynamic("RamAccount", None);
    let object = eventually(&format!("the settings to be {status}/{reason}"), || async {
        let object = api.get(&world.name).await.map_err(|e| e.to_string())?;
        let stands = condition(&object.data, TYPE).ok_or_else(|| object.data["status"].to_string())?;
        let current = stands["observedGeneration"].as_i64() == object.metadata.generation;
        let fits = stands["status"] == status && stands["reason"] == reason;
        if fits && current { Ok(object.data.clone()) } else { Err(stands.to_string()) }
    })
    .await;
    assert_eq!(condition(&object, "Ready").expect("Ready")["status"], "True");
    object
}

/// How often an action was called since the journal was cleared.
fn called(world: &World, action: &str) -> usize {
    world.ram.journal().iter().filter(|call| call.action == action).count()
}

/// Gives the operator's own key sources of its own, from which it calls.
pub fn give_own_sources(world: &World) {
    world.ram.person().set_key_policy(&world.ram.access_key().0, &public(&["127.0.0.1"]));
}

/// Long enough for what was written to show, and for somebody else to come.
fn later(world: &World) {
    world.clock.advance(Duration::from_mins(10));
}

fn everything() -> Value {
    json!({
        "alias": "acme",
        "passwordPolicy": {
            "minimumPasswordLength": 12,
            "requireLowercaseCharacters": true,
            "requireUppercaseCharacters": true,
            "requireNumbers": true,
            "requireSymbols": true,
            "hardExpire": true,
            "maxPasswordAge": 90,
            "passwordReusePrevention": 5,
            "maxLoginAttempts": 6,
            "minimumPasswordDifferentCharacter": 4,
            "passwordNotContainUserName": true,
            "initialPasswordAge": 3,
            "interceptRiskPasswordOnApi": true,
        },
        "securityPreference": {
            "enableSaveMfaTicket": true,
            "allowUserToChangePassword": false,
            "loginSessionDuration": 8,
            "loginNetworkMasks": ["203.0.113.0/24", "2001:db8::/32"],
            "allowUserToLoginWithPasskey": false,
            "mfaOperationForLogin": "Mandatory",
            "allowUserToManageAccessKeys": true,
            "allowUserToManageServiceCredentials": true,
            "allowUserToManageMfaDevices": false,
            "allowUserToManagePersonalDingTalk": false,
            "verificationTypes": ["Email", "Sms"],
            "maxIdleDaysForUsers": 180,
            "maxIdleDaysForAccessKeys": 90,
        },
        "accessKeyAllowedSources": {
            "publicCidrs": ["198.51.100.0/24", "192.0.2.10"],
            "vpcs": [{"id": "vpc-a", "cidrs": ["10.0.0.0/8"]}],
        },
    })
}

fn assert_everything(world: &World) {
    let settings = world.ram.snapshot().settings;
    assert_eq!(settings.alias.as_deref(), Some("acme"));
    let passwords = json!({
        "MinimumPasswordLength": 12,
        "RequireLowercaseCharacters": true,
        "RequireUppercaseCharacters": true,
        "RequireNumbers": true,
        "RequireSymbols": true,
        "HardExpire": true,
        "MaxPasswordAge": 90,
        "PasswordReusePrevention": 5,
        "MaxLoginAttemps": 6,
        "MinimumPasswordDifferentCharacter": 4,
        "PasswordNotContainUserName": true,
        "InitialPasswordAge": 3,
        "InterceptRiskPasswordOnApi": true,
    });
    assert_eq!(settings.password_policy, passwords);
    let preference = json!({
        "LoginProfilePreference": {
            "EnableSaveMFATicket": true,
            "AllowUserToChangePassword": false,
            "LoginSessionDuration": 8,
            "LoginNetworkMasks": "203.0.113.0/24;2001:db8::/32",
            "AllowUserToLoginWithPasskey": false,
            "MFAOperationForLogin": "mandatory",
            "EnforceMFAForLogin": true,
            "OperationForRiskLogin": "autonomous",
        },
        "AccessKeyPreference": {"AllowUserToManageAccessKeys": true, "AllowUserToManageServiceCredentials": true},
        "MFAPreference": {"AllowUserToManageMFADevices": false},
        "PersonalInfoPreference": {"AllowUserToManagePersonalDingTalk": false},
        "VerificationPreference": {"VerificationTypes": ["email", "sms"]},
        "MaxIdleDays": {"MaxIdleDaysForUsers": 180, "MaxIdleDaysForAccessKeys": 90},
    });
    assert_eq!(settings.security_preference, preference);
    let sources: Value = serde_json::from_str(&settings.key_policy.expect("sources")).expect("JSON");
    assert_eq!(sources["Status"], "Active");
}

/// What RAM's documentation leaves open about settings, both ways.
fn ways() -> Vec<(&'static str, Options)> {
    let with = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        options
    };
    vec![
        ("set_as_is", Options::default()),
        ("set_keeps", with(|o| o.password_policy_resets = false)),
        ("set_no_alias", with(|o| o.no_alias_refused = false)),
        ("set_twice", with(|o| o.same_alias_refused = false)),
        ("set_rewritten", with(|o| o.key_policy_rewritten = true)),
        ("set_inactive", with(|o| o.inactive_key_policy_replaces = true)),
        ("set_no_empty", with(|o| o.empty_fields = false)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_set_up_once_whichever_way_ram_does_it() {
    let lives = ways().into_iter().map(|(name, options)| async move {
        let outcome = tokio::spawn(set_up(name, options)).await;
        outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
    });
    futures::stream::iter(lives).buffer_unordered(4).collect::<Vec<()>>().await;
}

async fn set_up(name: &str, options: Options) {
    let world = World::with(name, options).await;
    give_own_sources(&world);
    let operator = world.operator().await;
    set(&world, everything()).await;
    let account = stands(&world, "True", "Applied").await;
    assert_eq!(
        world.writes(),
        [
            "SetAccountAlias acme",
            "SetPasswordPolicy",
            "SetSecurityPreference",
            "SetAccessKeyPolicyForAccount Active 192.0.2.10,198.51.100.0/24 vpc-a:10.0.0.0/8",
        ]
    );
    assert_everything(&world);
    // The domain is read after the alias was set.
    let status = &account["status"];
    assert_eq!(status["alias"], "acme");
    assert_eq!(status["defaultDomain"], "acme.onaliyun.com");
    assert_eq!(status["loginUrl"], "https://signin.aliyun.com/acme.onaliyun.com/login.htm");
    for part in ["alias", "passwordPolicy", "securityPreference", "accessKeyAllowedSources"] {
        assert_eq!(status["settings"][part]["repairs"], 0, "{part}");
    }
    // At rest: one read for each part, no write, and nothing new to say.
    for _ in 0..2 {
        later(&world);
        looked(&world).await;
        for action in ["GetAccountAlias", "GetPasswordPolicy", "GetSecurityPreference", "GetAccessKeyPolicyForAccount"]
        {
            assert!(called(&world, action) > 0, "{action}");
        }
        assert_eq!(called(&world, "GetAccessKeyPolicy"), 0);
        no_writes(&world);
    }
    // Users have the new domain.
    world.user("reader", json!({})).await;
    let user = world.available("RamUser", "reader").await;
    let principal = user["status"]["userPrincipalName"].as_str().expect("a name");
    assert!(principal.ends_with("@acme.onaliyun.com"), "{principal}");
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_asked_for_stays_as_it_is() {
    for password_policy_resets in [true, false] {
        let world = World::with("set_absent", Options { password_policy_resets, ..Options::default() }).await;
        let person = world.ram.person();
        person.set_password_policy([("MaxLoginAttemps", "5"), ("HardExpire", "true"), ("InitialPasswordAge", "30")]);
        person.set_security_preference([
            ("LoginSessionDuration", "12"),
            ("LoginNetworkMasks", "192.0.2.0/24;198.51.100.7"),
            ("VerificationTypes", r#"["sms"]"#),
            ("OperationForRiskLogin", "enforceVerify"),
        ]);
        person.set_alias(Some("handmade"));
        let before = world.ram.snapshot().settings;
        let operator = world.operator().await;
        set(
            &world,
            json!({
                "passwordPolicy": {"minimumPasswordLength": 14},
                "securityPreference": {"allowUserToManageAccessKeys": true},
            }),
        )
        .await;
        let account = stands(&world, "True", "Applied").await;
        // It is shown, and not managed.
        assert_eq!(account["status"]["alias"], "handmade");
        assert_eq!(called(&world, "GetAccountAlias") + called(&world, "GetAccessKeyPolicyForAccount"), 0);
        assert_eq!(world.writes(), ["SetPasswordPolicy", "SetSecurityPreference"]);
        let mut wanted = before.clone();
        wanted.password_policy["MinimumPasswordLength"] = json!(14);
        wanted.security_preference["AccessKeyPreference"]["AllowUserToManageAccessKeys"] = json!(true);
        assert_eq!(world.ram.snapshot().settings, wanted);

        // Whoever changes something else goes on doing so.
        later(&world);
        person.set_password_policy([("MaxLoginAttemps", "7")]);
        person.set_security_preference([("LoginSessionDuration", "3")]);
        looked(&world).await;
        no_writes(&world);

        // No settings: nothing is said, read or written, and everything stays. So it does when the account's object goes.
        let mut wanted = world.ram.snapshot().settings;
        world.account(json!({})).await;
        let account = looked(&world).await;
        assert_without(&account, TYPE);
        assert!(account["status"]["settings"].is_null(), "{}", account["status"]);
        world.writes();
        looked(&world).await;
        assert_eq!(called(&world, "GetPasswordPolicy") + called(&world, "GetSecurityPreference"), 0);
        assert_eq!(world.ram.snapshot().settings, wanted);
        set(&world, json!({"passwordPolicy": {"minimumPasswordLength": 16}})).await;
        stands(&world, "True", "Applied").await;
        world.writes();
        world.delete("RamAccount", &world.name).await;
        world.gone("RamAccount", &world.name).await;
        no_writes(&world);
        wanted.password_policy["MinimumPasswordLength"] = json!(16);
        assert_eq!(world.ram.snapshot().settings, wanted);
        world.examine(Some(&operator)).await;
        operator.stop().await;
    }
}

/// Somebody weakens the password policy.
fn weaken(world: &World) {
    later(world);
    world.ram.person().set_password_policy([("MinimumPasswordLength", "8")]);
}

fn length(world: &World) -> Value {
    world.ram.snapshot().settings.password_policy["MinimumPasswordLength"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_repaired_twice_in_a_row_and_then_contested() {
    let world = World::new("set_drift").await;
    let operator = world.operator().await;
    let policy = |length: i64| json!({"passwordPolicy": {"minimumPasswordLength": length, "requireNumbers": true}});
    set(&world, policy(12)).await;
    stands(&world, "True", "Applied").await;
    world.writes();
    for repairs in 1..=2 {
        weaken(&world);
        let account = looked(&world).await;
        assert_eq!(world.writes(), ["SetPasswordPolicy"]);
        assert_eq!(length(&world), 12);
        assert_eq!(account["status"]["settings"]["passwordPolicy"]["repairs"], repairs);
        stands(&world, "True", "Applied").await;
    }
    weaken(&world);
    looked(&world).await;
    let account = stands(&world, "False", "SettingsContested").await;
    assert_says(&account, TYPE, &["passwordPolicy.minimumPasswordLength", "any change of the spec tries again"]);
    let message = condition(&account, TYPE).expect("told")["message"].to_string();
    assert!(!message.contains("requireNumbers"), "{message}");
    // It stays so, however long it takes, and the operator can be another one meanwhile.
    operator.stop().await;
    let operator = world.operator().await;
    world.clock.advance(Duration::from_hours(24 * 30));
    looked(&world).await;
    stands(&world, "False", "SettingsContested").await;
    assert_eq!(length(&world), 8);
    no_writes(&world);
    // The accounts' users go on.
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.writes();

    set(&world, policy(13)).await;
    stands(&world, "True", "Applied").await;
    assert_eq!(world.writes(), ["SetPasswordPolicy"]);
    assert_eq!(length(&world), 13);
    // Once in a while is no contest.
    for _ in 0..4 {
        world.clock.advance(Duration::from_hours(24 * 8));
        weaken(&world);
        looked(&world).await;
        stands(&world, "True", "Applied").await;
        assert_eq!(world.writes(), ["SetPasswordPolicy"]);
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_repairs_of_settings() {
    let world = World::new("set_paused").await;
    let operator = world.operator().await;
    set(&world, json!({"passwordPolicy": {"minimumPasswordLength": 12}})).await;
    stands(&world, "True", "Applied").await;
    world.writes();
    weaken(&world);
    world.annotate("RamAccount", &world.name, annotation::PAUSED, "true").await;
    stands(&world, "False", "Paused").await;
    no_writes(&world);
    world.annotate("RamAccount", &world.name, annotation::PAUSED, "false").await;
    stands(&world, "True", "Applied").await;
    assert_eq!(world.writes(), ["SetPasswordPolicy"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_alias_gives_way_only_where_the_spec_says_so() {
    let world = World::with("set_alias", Options { alias: Some("old".to_owned()), ..Options::default() }).await;
    let operator = world.operator().await;
    set(&world, json!({"alias": "acme"})).await;
    let account = stands(&world, "False", "AliasDiffers").await;
    assert_says(&account, TYPE, &["it has old, not acme", "settings.aliasChange to Allow"]);
    assert_eq!(account["status"]["alias"], "old");
    no_writes(&world);
    world.user("reader", json!({})).await;
    let user = world.available("RamUser", "reader").await;
    assert!(user["status"]["userPrincipalName"].as_str().is_some_and(|name| name.ends_with("@old.onaliyun.com")));
    world.writes();

    set(&world, json!({"alias": "acme", "aliasChange": "Allow"})).await;
    let account = stands(&world, "True", "Applied").await;
    assert_eq!(world.writes(), ["SetAccountAlias acme"]);
    assert_eq!(
        (&account["status"]["alias"], &account["status"]["defaultDomain"]),
        (&json!("acme"), &json!("acme.onaliyun.com"))
    );
    eventually("the user's new name", || async {
        let user = world.dynamic("RamUser", Some(&world.ns)).get("reader").await.map_err(|e| e.to_string())?;
        let name = user.data["status"]["userPrincipalName"].as_str().unwrap_or_default().to_owned();
        if name.ends_with("@acme.onaliyun.com") { Ok(()) } else { Err(name) }
    })
    .await;

    // Cleared by hand it is drift, with and without the right to replace another one.
    for change in ["Allow", "Deny"] {
        set(&world, json!({"alias": "acme", "aliasChange": change})).await;
        stands(&world, "True", "Applied").await;
        world.writes();
        later(&world);
        world.ram.person().set_alias(None);
        looked(&world).await;
        assert_eq!(world.writes(), ["SetAccountAlias acme"], "{change}");
    }
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_another_account_has_is_told_and_hinders_nothing_else() {
    let options = Options { taken_aliases: vec!["taken".to_owned()], ..Options::default() };
    let world = World::with("set_taken", options).await;
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    let alias = |alias: &str| json!({"alias": alias, "passwordPolicy": {"minimumPasswordLength": 12}});
    set(&world, alias("taken")).await;
    let account = stands(&world, "False", "AliasTaken").await;
    assert_says(&account, TYPE, &["taken", "Choose another settings.alias"]);
    // Asked for once a look, not more.
    assert_eq!(called(&world, "SetAccountAlias"), 1);
    assert_eq!(world.writes(), ["SetPasswordPolicy"]);
    set(&world, alias("free")).await;
    stands(&world, "True", "Applied").await;
    assert_eq!(world.writes(), ["SetAccountAlias free"]);
    // One that becomes free is had at another look.
    let taken = FaultKind::Status { status: 409, code: "EntityAlreadyExists.AccountAlias".to_owned() };
    let fault = world.ram.fault(Fault::on("SetAccountAlias", taken));
    let mut later = alias("later");
    later["aliasChange"] = json!("Allow");
    set(&world, later).await;
    stands(&world, "False", "AliasTaken").await;
    world.ram.remove_fault(fault);
    looked(&world).await;
    stands(&world, "True", "Applied").await;
    assert_eq!(world.writes(), ["SetAccountAlias later"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_whose_answer_is_lost_is_not_set_twice() {
    for same_alias_refused in [true, false] {
        let world = World::with("set_lost", Options { same_alias_refused, ..Options::default() }).await;
        let operator = world.operator().await;
        world.available("RamAccount", &world.name).await;
        world.ram.fault(Fault::on("SetAccountAlias", FaultKind::CutAfter).times(1));
        set(&world, json!({"alias": "acme"})).await;
        stands(&world, "False", "RamUnavailable").await;
        looked(&world).await;
        stands(&world, "True", "Applied").await;
        assert_eq!(world.writes(), ["SetAccountAlias acme"]);
        // Trouble that passes says nothing new of settings that are as asked for.
        let busy = FaultKind::Status { status: 503, code: "ServiceUnavailable".to_owned() };
        let fault = world.ram.fault(Fault::on("GetAccountAlias", busy));
        looked(&world).await;
        stands(&world, "True", "Applied").await;
        world.ram.remove_fault(fault);
        world.examine(Some(&operator)).await;
        operator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_spec_waits_until_the_last_write_shows() {
    let world = World::new("set_lag").await;
    let operator = world.operator().await;
    let length = |length: i64| json!({"passwordPolicy": {"minimumPasswordLength": length}});
    set(&world, length(12)).await;
    stands(&world, "True", "Applied").await;
    later(&world);
    world.writes();
    world.ram.set_read_lag(Duration::from_secs(50));
    set(&world, length(14)).await;
    stands(&world, "Unknown", "Unsettled").await;
    // What was there before shows still, and now it is asked for again: nothing is applied by that, and nothing is drift.
    set(&world, length(12)).await;
    stands(&world, "Unknown", "Unsettled").await;
    assert_eq!(world.writes(), ["SetPasswordPolicy"]);
    later(&world);
    looked(&world).await;
    assert_eq!(world.writes(), ["SetPasswordPolicy"]);
    later(&world);
    looked(&world).await;
    let account = stands(&world, "True", "Applied").await;
    assert_eq!(account["status"]["settings"]["passwordPolicy"]["repairs"], 0);
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_ram_refuses_is_told() {
    let world = World::new("set_refused").await;
    let operator = world.operator().await;
    // More than 512 characters together, which the schema cannot count.
    let masks: Vec<String> = (0..30).map(|n| format!("2001:db8:1234:{}::/64", 5000 + n)).collect();
    set(&world, json!({"alias": "acme", "securityPreference": {"loginNetworkMasks": masks}})).await;
    let account = stands(&world, "False", "RequestRefused").await;
    let said = "SetSecurityPreference answered InvalidParameter.LoginNetworkMasks.Range";
    assert_says(&account, TYPE, &[said, "Correct what the detail names"]);
    assert_eq!(world.writes(), ["SetAccountAlias acme"]);
    set(&world, json!({"alias": "acme", "securityPreference": {"loginNetworkMasks": masks[..5]}})).await;
    stands(&world, "True", "Applied").await;
    assert_eq!(world.writes(), ["SetSecurityPreference"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_named_and_asked_for_once_a_look() {
    let world = World::new("set_denied").await;
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    world.writes();
    world.ram.person().deny("SetPasswordPolicy");
    world.ram.person().deny("GetSecurityPreference");
    let settings = json!({
        "alias": "acme",
        "passwordPolicy": {"minimumPasswordLength": 12},
        "securityPreference": {"loginSessionDuration": 8},
    });
    set(&world, settings).await;
    let account = stands(&world, "False", "AccessDenied").await;
    assert_says(&account, TYPE, &["ram:SetPasswordPolicy", "ram:GetSecurityPreference", "Grant it"]);
    for action in ["SetPasswordPolicy", "GetSecurityPreference"] {
        assert_eq!(called(&world, action), 1, "{action}");
    }
    assert_eq!(world.writes(), ["SetAccountAlias acme"]);
    // Users go on.
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.writes();
    world.ram.person().allow("SetPasswordPolicy");
    world.ram.person().allow("GetSecurityPreference");
    looked(&world).await;
    stands(&world, "True", "Applied").await;
    assert_eq!(world.writes(), ["SetPasswordPolicy", "SetSecurityPreference"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

fn sources(cidrs: &[&str]) -> Value {
    json!({"accessKeyAllowedSources": {"publicCidrs": cidrs}})
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_could_shut_out_the_operator_are_not_written() {
    let world = World::new("set_shut_out").await;
    let operator = world.operator().await;
    // Even the right one is a guess: nobody tells from where RAM sees the calls come.
    set(&world, sources(&["127.0.0.1"])).await;
    let account = stands(&world, "False", "SourcesShutOut").await;
    assert_says(&account, TYPE, &["its own AccessKey has none of its own", "Give the operator a role"]);
    // Sources that are not in force count for nothing.
    let (own, _) = world.ram.access_key();
    let idle = crate::emulator::document("Inactive", &json!([{"Type": "ClassicWhiteList", "IPList": ["127.0.0.1"]}]));
    world.ram.person().set_key_policy(&own, &idle);
    looked(&world).await;
    stands(&world, "False", "SourcesShutOut").await;
    no_writes(&world);

    // With sources of its own it may be told to keep out everybody else.
    give_own_sources(&world);
    set(&world, sources(&["192.0.2.0/24"])).await;
    stands(&world, "True", "Applied").await;
    assert_eq!(world.writes(), ["SetAccessKeyPolicyForAccount Active 192.0.2.0/24"]);
    world.user("reader", json!({})).await;
    world.available("RamUser", "reader").await;
    world.writes();

    // Drift.
    later(&world);
    world.ram.person().set_account_key_policy(&public(&["0.0.0.0/0"]));
    looked(&world).await;
    assert_eq!(world.writes(), ["SetAccessKeyPolicyForAccount Active 192.0.2.0/24"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_show_late_are_written_once() {
    let options = Options { key_policy_lag: Duration::from_secs(120), ..Options::default() };
    let world = World::with("set_late", options).await;
    give_own_sources(&world);
    // Those of the own key have to show, too.
    later(&world);
    let operator = world.operator().await;
    set(&world, sources(&["192.0.2.0/24"])).await;
    stands(&world, "Unknown", "Unsettled").await;
    looked(&world).await;
    assert_eq!(world.writes(), ["SetAccessKeyPolicyForAccount Active 192.0.2.0/24"]);
    world.clock.advance(Duration::from_secs(121));
    looked(&world).await;
    stands(&world, "True", "Applied").await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_after_the_write_is_told_for_what_it_is() {
    let world = World::new("set_locked").await;
    give_own_sources(&world);
    let operator = world.operator().await;
    world.available("RamAccount", &world.name).await;
    let refusal = FaultKind::Status { status: 403, code: "Forbidden.AccessKeyPolicy".to_owned() };
    world.ram.fault(Fault::on("GetAccessKeyPolicyForAccount", refusal).skip(1).times(1));
    set(&world, sources(&["192.0.2.0/24"])).await;
    let account = stands(&world, "False", "SourcesShutOut").await;
    assert_says(&account, TYPE, &["since they were written"]);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_do_not_hold_for_roles_but_for_the_pair_that_assumes_one() {
    let options = Options {
        roles: vec![RolePreset::new("node-role", Trust::Ecs), RolePreset::new("operator", Trust::Account)],
        ecs_role: Some("node-role".to_owned()),
        ..Options::default()
    };
    let world = World::bare("set_roles", options).await;
    world.ram.person().attach(OPERATOR, "System", "AliyunSTSAssumeRoleAccess");
    let (id, secret) = world.ram.access_key();
    world.credentials(&id, &secret).await;
    let operator = world.operator().await;
    let role = format!("acs:ram::{}:role/operator", world.ram.account_id());
    let mut assumed = json!({"credentials": {"assumeRole": {"roleArn": role}}});
    merge(&mut assumed, json!({ "settings": sources(&["192.0.2.0/24"]) }));
    world.account(assumed).await;
    stands(&world, "False", "SourcesShutOut").await;
    no_writes(&world);
    let node = json!({"credentials": {"source": "EcsRole", "secret": null}, "settings": sources(&["192.0.2.0/24"])});
    world.account(node).await;
    stands(&world, "True", "Applied").await;
    assert_eq!(world.writes(), ["SetAccessKeyPolicyForAccount Active 192.0.2.0/24"]);
    looked(&world).await;
    no_writes(&world);
    world.examine(Some(&operator)).await;
    operator.stop().await;
}
