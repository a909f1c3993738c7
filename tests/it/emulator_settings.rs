//! The RAM emulator keeps to what is known of RAM about the settings of the account.

use std::time::Duration;

use serde_json::{Value, json};

use crate::emulator::{document, keyed, public, start, start_with};
use crate::support::ram::{Options, RolePreset, Trust};

fn alias(text: &str) -> [(&str, &str); 1] {
    [("AccountAlias", text)]
}

fn in_domain(text: &str) -> [(&str, &str); 1] {
    [("DefaultDomainName", text)]
}

#[tokio::test]
async fn aliases_live() {
    let options = Options { taken_aliases: vec!["taken".to_owned()], ..Options::default() };
    let (emulator, client) = start_with(options).await;
    let (long, longer) = ("a".repeat(33), format!("{}.onaliyun.com", "a".repeat(60)));
    client.ram("GetAccountAlias", &[]).await.is(404, "EntityNotExist.AccountAlias");
    client.ram("SetAccountAlias", &alias("acme")).await.ok();
    assert_eq!(client.ram("GetAccountAlias", &[]).await.ok()["AccountAlias"], "acme");
    let domain = client.ims("GetDefaultDomain", &[]).await.ok();
    assert_eq!(domain["DefaultDomainName"], "acme.onaliyun.com");
    client.ims("GetUser", &[("UserPrincipalName", "ram-operator@acme.onaliyun.com")]).await.ok();
    client.ram("SetAccountAlias", &alias("acme")).await.is(409, "EntityAlreadyExists.AccountAlias");
    client.ram("SetAccountAlias", &alias("taken")).await.is(409, "EntityAlreadyExists.AccountAlias");
    client.ram("SetAccountAlias", &[]).await.is(400, "MissingAccountAlias");
    for text in ["ab", long.as_str()] {
        client.ram("SetAccountAlias", &alias(text)).await.is(400, "InvalidParameter.AccountAlias.Length");
    }
    for text in ["Acme", "-acme", "acme-", "ac--me", "ac.me", "ac_me", "äcme"] {
        client.ram("SetAccountAlias", &alias(text)).await.is(400, "InvalidParameter.AccountAlias.Format");
    }
    let answer = client.ims("SetDefaultDomain", &in_domain("ac-me2.onaliyun.com")).await.ok();
    assert_eq!(answer["DefaultDomainName"], "ac-me2.onaliyun.com");
    assert_eq!(emulator.snapshot().settings.alias.as_deref(), Some("ac-me2"));
    for (text, code) in [
        ("example.com", "Format"),
        ("Acme.onaliyun.com", "Format"),
        ("ab.onaliyun.com", "Length"),
        (longer.as_str(), "Length"),
    ] {
        let code = format!("InvalidParameter.DefaultDomainName.{code}");
        client.ims("SetDefaultDomain", &in_domain(text)).await.is(400, &code);
    }
    client.ims("SetDefaultDomain", &in_domain("taken.onaliyun.com")).await.is(409, "EntityAlreadyExists.AccountAlias");
    client.ims("SetDefaultDomain", &[]).await.is(400, "MissingDefaultDomainName");
    client.ram("ClearAccountAlias", &[]).await.ok();
    assert_eq!(emulator.snapshot().settings.alias, None);
    emulator.person().set_alias(Some("acme"));
    let own = format!("{}.onaliyun.com", emulator.account_id());
    client.ims("SetDefaultDomain", &in_domain(&own)).await.ok();
    client.ram("GetAccountAlias", &[]).await.is(404, "EntityNotExist.AccountAlias");
    assert_eq!(
        emulator.writes(),
        [
            "SetAccountAlias acme".to_owned(),
            "SetDefaultDomain ac-me2.onaliyun.com".to_owned(),
            "ClearAccountAlias".to_owned(),
            format!("SetDefaultDomain {own}"),
        ]
    );
}

#[tokio::test]
async fn aliases_may_be_empty_and_set_twice() {
    let options = Options { no_alias_refused: false, same_alias_refused: false, ..Options::default() };
    let (_emulator, client) = start_with(options).await;
    assert_eq!(client.ram("GetAccountAlias", &[]).await.ok()["AccountAlias"], "");
    for _ in 0..2 {
        client.ram("SetAccountAlias", &[("AccountAlias", "acme")]).await.ok();
    }
}

#[tokio::test]
async fn password_policies_live() {
    for password_policy_resets in [true, false] {
        let (emulator, client) = start_with(Options { password_policy_resets, ..Options::default() }).await;
        let mut ram = json!({
            "MinimumPasswordLength": 8,
            "RequireLowercaseCharacters": false,
            "RequireUppercaseCharacters": false,
            "RequireNumbers": false,
            "RequireSymbols": false,
            "HardExpiry": false,
            "MaxPasswordAge": 0,
            "PasswordReusePrevention": 0,
            "MaxLoginAttemps": 0,
        });
        let mut ims = json!({
            "MinimumPasswordLength": 8,
            "RequireLowercaseCharacters": false,
            "RequireUppercaseCharacters": false,
            "RequireNumbers": false,
            "RequireSymbols": false,
            "HardExpire": false,
            "MaxPasswordAge": 0,
            "PasswordReusePrevention": 0,
            "MaxLoginAttemps": 0,
            "MinimumPasswordDifferentCharacter": 0,
            "PasswordNotContainUserName": false,
            "InitialPasswordAge": 14,
            "InterceptRiskPasswordOnApi": false,
        });
        assert_eq!(client.ram("GetPasswordPolicy", &[]).await.ok()["PasswordPolicy"], ram);
        assert_eq!(client.ims("GetPasswordPolicy", &[]).await.ok()["PasswordPolicy"], ims);
        // The other API's name is no name, and fields of IMS alone are kept by RAM.
        let set =
            [("MaxPasswordAge", "1095"), ("HardExpire", "true"), ("HardExpiry", "false"), ("InitialPasswordAge", "90")];
        let answer = client.ims("SetPasswordPolicy", &set).await.ok();
        ims["MaxPasswordAge"] = json!(1095);
        ims["HardExpire"] = json!(true);
        ims["InitialPasswordAge"] = json!(90);
        assert_eq!(answer["PasswordPolicy"], ims);
        let set = [("RequireSymbols", "true"), ("HardExpiry", "true"), ("InitialPasswordAge", "1")];
        let answer = client.ram("SetPasswordPolicy", &set).await.ok();
        ram["RequireSymbols"] = json!(true);
        ram["HardExpiry"] = json!(true);
        ram["MaxPasswordAge"] = json!(if password_policy_resets { 0 } else { 1095 });
        assert_eq!(answer["PasswordPolicy"], ram);
        assert_eq!(emulator.snapshot().settings.password_policy["InitialPasswordAge"], 90);
        emulator.person().set_password_policy([("MaxLoginAttemps", "5")]);
        let policy = client.ims("GetPasswordPolicy", &[]).await.ok()["PasswordPolicy"].clone();
        assert_eq!((&policy["MaxLoginAttemps"], &policy["RequireSymbols"]), (&json!(5), &json!(true)));
        assert_eq!(emulator.writes(), ["SetPasswordPolicy"; 2]);
    }
}

#[tokio::test]
async fn settings_are_checked() {
    let (emulator, client) = start().await;
    for (field, value, code) in [
        ("MinimumPasswordLength", "7", "Range"),
        ("MinimumPasswordLength", "33", "Range"),
        ("MinimumPasswordLength", "many", "Format"),
        ("MaxPasswordAge", "1096", "Range"),
        ("MaxPasswordAge", "-1", "Range"),
        ("PasswordReusePrevention", "25", "Range"),
        ("MaxLoginAttemps", "33", "Range"),
        ("RequireNumbers", "1", "Format"),
        ("HardExpiry", "True", "Format"),
    ] {
        let code = format!("InvalidParameter.{field}.{code}");
        client.ram("SetPasswordPolicy", &[(field, value)]).await.is(400, &code);
    }
    for (field, value, code) in [
        ("MinimumPasswordDifferentCharacter", "9", "Range"),
        ("InitialPasswordAge", "91", "Range"),
        ("PasswordNotContainUserName", "no", "Format"),
        ("HardExpire", "no", "Format"),
        ("InterceptRiskPasswordOnApi", "no", "Format"),
    ] {
        let code = format!("InvalidParameter.{field}.{code}");
        client.ims("SetPasswordPolicy", &[(field, value)]).await.is(400, &code);
    }
    let (many, long) = (["192.0.2.1"; 41].join(";"), ["2001:db8:1234:5678::/64"; 23].join(";"));
    for (field, value, code) in [
        ("LoginSessionDuration", "0", "Range"),
        ("LoginSessionDuration", "25", "Range"),
        ("LoginNetworkMasks", "192.0.2.1,192.0.2.2", "Format"),
        ("LoginNetworkMasks", "192.0.2.1;", "Format"),
        ("LoginNetworkMasks", many.as_str(), "Range"),
        ("LoginNetworkMasks", long.as_str(), "Range"),
        ("EnableSaveMFATicket", "1", "Format"),
        ("MFAOperationForLogin", "always", "Format"),
        ("EnforceMFAForLogin", "always", "Format"),
        ("OperationForRiskLogin", "none", "Format"),
        ("VerificationTypes", "sms", "Format"),
        ("VerificationTypes", r#"["fax"]"#, "Format"),
        ("MaxIdleDaysForUsers", "91", "Range"),
        ("MaxIdleDaysForAccessKeys", "0", "Range"),
    ] {
        let code = format!("InvalidParameter.{field}.{code}");
        client.ims("SetSecurityPreference", &[(field, value)]).await.is(400, &code);
    }
    assert_eq!(emulator.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn security_preferences_live() {
    let (emulator, client) = start().await;
    let ram = json!({
        "LoginProfilePreference": {
            "EnableSaveMFATicket": false,
            "AllowUserToChangePassword": true,
            "LoginSessionDuration": 6,
            "LoginNetworkMasks": "",
        },
        "AccessKeyPreference": {"AllowUserToManageAccessKeys": false},
        "MFAPreference": {"AllowUserToManageMFADevices": true},
        "PublicKeyPreference": {"AllowUserToManagePublicKeys": false},
    });
    let fresh = json!({
        "LoginProfilePreference": {
            "EnableSaveMFATicket": false,
            "AllowUserToChangePassword": true,
            "LoginSessionDuration": 6,
            "LoginNetworkMasks": "",
            "AllowUserToLoginWithPasskey": true,
            "MFAOperationForLogin": "independent",
            "EnforceMFAForLogin": false,
            "OperationForRiskLogin": "autonomous",
        },
        "AccessKeyPreference": {"AllowUserToManageAccessKeys": false, "AllowUserToManageServiceCredentials": false},
        "MFAPreference": {"AllowUserToManageMFADevices": true},
        "PersonalInfoPreference": {"AllowUserToManagePersonalDingTalk": true},
        "VerificationPreference": {"VerificationTypes": []},
        "MaxIdleDays": {"MaxIdleDaysForUsers": 730, "MaxIdleDaysForAccessKeys": 730},
    });
    let get = async || client.ims("GetSecurityPreference", &[]).await.ok()["SecurityPreference"].clone();
    assert_eq!(client.ram("GetSecurityPreference", &[]).await.ok()["SecurityPreference"], ram);
    assert_eq!(get().await, fresh);

    let all = [
        ("EnableSaveMFATicket", "true"),
        ("AllowUserToChangePassword", "false"),
        ("LoginSessionDuration", "24"),
        ("LoginNetworkMasks", "192.0.2.0/24;2001:db8::/32;198.51.100.7"),
        ("AllowUserToLoginWithPasskey", "false"),
        ("MFAOperationForLogin", "adaptive"),
        ("EnforceMFAForLogin", "true"),
        ("OperationForRiskLogin", "enforceVerify"),
        ("AllowUserToManageAccessKeys", "true"),
        ("AllowUserToManageServiceCredentials", "true"),
        ("AllowUserToManageMFADevices", "false"),
        ("AllowUserToManagePersonalDingTalk", "false"),
        ("VerificationTypes", r#"["sms","email"]"#),
        ("MaxIdleDaysForUsers", "90"),
        ("MaxIdleDaysForAccessKeys", "180"),
    ];
    let whole = json!({
        "LoginProfilePreference": {
            "EnableSaveMFATicket": true,
            "AllowUserToChangePassword": false,
            "LoginSessionDuration": 24,
            "LoginNetworkMasks": "192.0.2.0/24;2001:db8::/32;198.51.100.7",
            "AllowUserToLoginWithPasskey": false,
            "MFAOperationForLogin": "adaptive",
            "EnforceMFAForLogin": false,
            "OperationForRiskLogin": "enforceVerify",
        },
        "AccessKeyPreference": {"AllowUserToManageAccessKeys": true, "AllowUserToManageServiceCredentials": true},
        "MFAPreference": {"AllowUserToManageMFADevices": false},
        "PersonalInfoPreference": {"AllowUserToManagePersonalDingTalk": false},
        "VerificationPreference": {"VerificationTypes": ["sms", "email"]},
        "MaxIdleDays": {"MaxIdleDaysForUsers": 90, "MaxIdleDaysForAccessKeys": 180},
    });
    assert_eq!(client.ims("SetSecurityPreference", &all).await.ok()["SecurityPreference"], whole);
    assert_eq!(emulator.snapshot().settings.security_preference, whole);

    // What is not sent falls back: through RAM only what RAM has.
    let answer = client.ram("SetSecurityPreference", &[("AllowUserToManagePublicKeys", "true")]).await.ok();
    let answer = &answer["SecurityPreference"];
    assert_eq!(answer["PublicKeyPreference"]["AllowUserToManagePublicKeys"], true);
    assert_eq!(answer["LoginProfilePreference"], ram["LoginProfilePreference"]);
    let now = get().await;
    assert_eq!(now["MaxIdleDays"], whole["MaxIdleDays"]);
    assert_eq!(now["LoginProfilePreference"]["LoginNetworkMasks"], "");
    client.ims("SetSecurityPreference", &[]).await.ok();
    assert_eq!(get().await, fresh);

    // The forerunner of MFAOperationForLogin.
    client.ims("SetSecurityPreference", &[("EnforceMFAForLogin", "true")]).await.ok();
    let login = get().await["LoginProfilePreference"].clone();
    assert_eq!((&login["MFAOperationForLogin"], &login["EnforceMFAForLogin"]), (&json!("mandatory"), &json!(true)));
    emulator.person().set_security_preference([("LoginSessionDuration", "1")]);
    let login = get().await["LoginProfilePreference"].clone();
    assert_eq!((&login["LoginSessionDuration"], &login["EnforceMFAForLogin"]), (&json!(1), &json!(true)));
}

#[tokio::test]
async fn a_key_policy_of_the_account() {
    for inactive_key_policy_replaces in [false, true] {
        let options = Options {
            inactive_key_policy_replaces,
            roles: vec![RolePreset::new("operator", Trust::Account)],
            ..Options::default()
        };
        let (emulator, client) = start_with(options).await;
        let person = emulator.person();
        let (_, id, secret) = keyed(&emulator, "a");
        let own = client.with(&id, &secret, None);
        let arn = format!("acs:ram::{}:role/operator", emulator.account_id());
        let session = client.sts("AssumeRole", &[("RoleArn", &arn), ("RoleSessionName", "test")]).await.ok();
        let text = |name: &str| session["Credentials"][name].as_str().unwrap().to_owned();
        let session = client.with(&text("AccessKeyId"), &text("AccessKeySecret"), Some(&text("SecurityToken")));
        assert_eq!(client.ims("GetAccessKeyPolicyForAccount", &[]).await.ok()["AccessKeyPolicy"], "{}");
        assert_eq!(emulator.snapshot().settings.key_policy, None);

        let elsewhere = public(&["192.0.2.0/24"]);
        let set = async |text: &str| client.ims("SetAccessKeyPolicyForAccount", &[("AccessKeyPolicy", text)]).await;
        client.ims("SetAccessKeyPolicyForAccount", &[]).await.is(400, "MissingAccessKeyPolicy");
        set("{}").await.is(400, "InvalidParameter.AccessKeyPolicy");
        set(&public(&["192.0.2.10"; 51])).await.is(409, "LimitExceeded.AccessKeyPolicy.IPItem");
        client.ram("SetAccessKeyPolicyForAccount", &[]).await.is(404, "InvalidApi.NotFound");

        // Our own key has a policy of its own, in place of the account's.
        person.set_key_policy(&id, &public(&["127.0.0.1"]));
        let answer = set(&elsewhere).await.ok();
        let shown: Value = serde_json::from_str(answer["AccessKeyPolicy"].as_str().unwrap()).unwrap();
        assert_eq!(shown["Version"], 1);
        own.sts("GetCallerIdentity", &[]).await.ok();
        client.sts("GetCallerIdentity", &[]).await.is(403, "Forbidden.AccessKeyPolicy");
        let got = session.ims("GetAccessKeyPolicyForAccount", &[]).await.ok();
        assert_eq!(got["AccessKeyPolicy"], answer["AccessKeyPolicy"]);
        assert_eq!(emulator.snapshot().settings.key_policy.as_deref(), answer["AccessKeyPolicy"].as_str());

        person.set_key_policy(&id, &document("Inactive", &json!([])));
        let answer = own.sts("GetCallerIdentity", &[]).await;
        if inactive_key_policy_replaces {
            answer.ok();
        } else {
            answer.is(403, "Forbidden.AccessKeyPolicy");
        }
        person.set_account_key_policy(&document("Inactive", &json!([])));
        client.sts("GetCallerIdentity", &[]).await.ok();
        assert_eq!(emulator.writes(), ["SetAccessKeyPolicyForAccount Active 192.0.2.0/24"]);
    }
}

#[tokio::test]
async fn a_key_policy_of_the_account_may_show_late() {
    let (emulator, client) =
        start_with(Options { key_policy_lag: Duration::from_secs(60), ..Options::default() }).await;
    let policy = public(&["127.0.0.1"]);
    client.ims("SetAccessKeyPolicyForAccount", &[("AccessKeyPolicy", &policy)]).await.ok();
    assert_eq!(client.ims("GetAccessKeyPolicyForAccount", &[]).await.ok()["AccessKeyPolicy"], "{}");
    emulator.clock().advance(Duration::from_secs(61));
    let shown = client.ims("GetAccessKeyPolicyForAccount", &[]).await.ok();
    assert_ne!(shown["AccessKeyPolicy"], "{}");
}
