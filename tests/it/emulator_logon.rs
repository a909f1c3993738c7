//! The RAM emulator keeps to what is known of RAM about console log-ons and their passwords.

use std::time::Duration;

use serde_json::json;

use crate::emulator::{ims_later, keyed, start, start_with, user};
use crate::support::ram::{Emulator, Logon, Options, RolePreset, Trust};

const ONE: &str = "s3cr3t-One-1";
const TWO: &str = "s3cr3t-Two-2";
const THREE: &str = "s3cr3t-Three-3";
const DAY: u64 = 24 * 3600;

/// UserPrincipalName of a user in the domain of the account's number.
pub(crate) fn upn(emulator: &Emulator, name: &str) -> String {
    format!("{name}@{}.onaliyun.com", emulator.account_id())
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * DAY)
}

#[tokio::test]
async fn ram_login_profiles_live() {
    let (emulator, client) = start().await;
    let person = emulator.person();
    person.create_user("a", "");
    for action in ["GetLoginProfile", "UpdateLoginProfile", "DeleteLoginProfile"] {
        client.ram(action, &user("a")).await.is(404, "EntityNotExist.User.LoginProfile");
    }
    assert_eq!(person.logs_on("a", ONE), Logon::NoProfile);
    let wishes = [("UserName", "a"), ("Password", ONE), ("PasswordResetRequired", "true")];
    let made = client.ram("CreateLoginProfile", &wishes).await;
    assert!(!made.text.contains("s3cr3t"));
    let made = made.ok()["LoginProfile"].clone();
    let whole = json!({"UserName": "a", "PasswordResetRequired": true, "MFABindRequired": false, "CreateDate": made["CreateDate"]});
    assert_eq!(made, whole);
    assert!(made["CreateDate"].as_str().unwrap().ends_with('Z'));
    client.ram("CreateLoginProfile", &wishes).await.is(409, "EntityAlreadyExists.User.LoginProfile");
    assert_eq!(client.ram("GetLoginProfile", &user("a")).await.ok()["LoginProfile"], whole);
    assert_eq!(person.logs_on("a", ONE), Logon::MustChangePassword);
    assert_eq!(person.logs_on("a", TWO), Logon::WrongPassword);
    assert_eq!(client.ram("GetUser", &user("a")).await.ok()["User"]["LastLoginDate"], "");

    let changes = [("UserName", "A"), ("Password", TWO), ("PasswordResetRequired", "false")];
    assert!(client.ram("UpdateLoginProfile", &changes).await.ok().get("LoginProfile").is_none());
    assert!(person.password_is("a", TWO) && !person.password_is("a", ONE));
    assert_eq!(person.logs_on("a", TWO), Logon::In);
    assert!(client.ram("GetUser", &user("a")).await.ok()["User"]["LastLoginDate"].as_str().unwrap().ends_with('Z'));
    client.ram("UpdateLoginProfile", &[("UserName", "a"), ("MFABindRequired", "true")]).await.ok();
    assert_eq!(person.logs_on("a", TWO), Logon::MustBindMfa);
    let logon = emulator.snapshot().users["a"].logon.clone().unwrap();
    assert!(logon.active && logon.mfa_required && !logon.reset_required && logon.last_login.is_some());

    client.ram("DeleteLoginProfile", &user("a")).await.ok();
    client.ram("DeleteLoginProfile", &user("a")).await.is(404, "EntityNotExist.User.LoginProfile");
    assert_eq!(emulator.snapshot().users["a"].logon, None);
    assert_eq!(
        emulator.writes(),
        ["CreateLoginProfile a", "UpdateLoginProfile a", "UpdateLoginProfile a", "DeleteLoginProfile a"]
    );
    for password in [ONE, TWO] {
        assert!(emulator.secrets().iter().any(|secret| secret == password));
    }
    assert!(!format!("{:?}", emulator.journal()).contains("s3cr3t"));
    assert!(!format!("{:?}", emulator.snapshot()).contains("s3cr3t"));
}

#[tokio::test]
async fn ims_login_profiles_live() {
    let (emulator, client) = start().await;
    let person = emulator.person();
    person.create_user("a", "");
    let name = upn(&emulator, "a");
    let upn = ("UserPrincipalName", name.as_str());
    client.ims("GetLoginProfile", &[upn]).await.is(404, "EntityNotExist.User.LoginProfile");
    let made = client.ims("CreateLoginProfile", &[upn, ("Password", ONE), ("Status", "Inactive")]).await;
    assert!(!made.text.contains("s3cr3t"));
    let made = made.ok()["LoginProfile"].clone();
    let whole = json!({
        "UserPrincipalName": name,
        "Status": "Inactive",
        "PasswordResetRequired": false,
        "MFABindRequired": false,
        "PasswordStatus": "InitialValid",
        "UpdateDate": made["UpdateDate"],
    });
    assert_eq!(made, whole);
    client.ims("CreateLoginProfile", &[upn, ("Password", ONE)]).await.is(409, "EntityAlreadyExists.User.LoginProfile");
    assert_eq!(person.logs_on("a", ONE), Logon::Disabled);
    let updated = client.ims("UpdateLoginProfile", &[upn, ("Status", "Active")]).await.ok();
    assert_eq!(
        (&updated["LoginProfile"]["Status"], &updated["LoginProfile"]["AutoDisableLoginStatus"]),
        (&json!("Active"), &json!("true"))
    );
    assert!(updated["LoginProfile"].get("LastLoginTime").is_none());
    let got = client.ims("GetLoginProfile", &[upn]).await.ok()["LoginProfile"].clone();
    assert_eq!((&got["LastLoginTime"], &got["AutoDisableLoginStatus"]), (&json!(""), &json!("true")));
    assert_eq!(person.logs_on("a", ONE), Logon::In);
    let got = client.ims("GetLoginProfile", &[upn]).await.ok()["LoginProfile"].clone();
    assert!(got["LastLoginTime"].as_str().unwrap().ends_with('Z'));
    person.idle_out_login_profile("a");
    assert_eq!(client.ims("GetLoginProfile", &[upn]).await.ok()["LoginProfile"]["Status"], "Inactive");
    // RAM sees the same log-on, without its status.
    assert!(client.ram("GetLoginProfile", &user("a")).await.ok()["LoginProfile"].get("Status").is_none());
    client.ims("DeleteLoginProfile", &[upn]).await.ok();
    client.ims("DeleteLoginProfile", &[upn]).await.is(404, "EntityNotExist.User.LoginProfile");
    assert_eq!(
        emulator.writes(),
        ["CreateLoginProfile a Inactive", "UpdateLoginProfile a Active", "DeleteLoginProfile a"]
    );
}

#[tokio::test]
async fn login_profiles_are_checked() {
    let (emulator, client) = start().await;
    emulator.person().create_user("a", "");
    let name = upn(&emulator, "a");
    let long = "n".repeat(65);
    for action in ["CreateLoginProfile", "GetLoginProfile", "UpdateLoginProfile", "DeleteLoginProfile"] {
        let call = async |name: &str| client.ram(action, &[("UserName", name), ("Password", ONE)]).await;
        call("").await.is(400, "MissingUserName");
        call("a b").await.is(400, "InvalidParameter.UserName.InvalidChars");
        call(&long).await.is(400, "InvalidParameter.UserName.Length");
        call("b").await.is(404, "EntityNotExist.User");
        client.ims(action, &[("Password", ONE)]).await.is(400, "MissingUserPrincipalName");
        let elsewhere = [("UserPrincipalName", "a@other.onaliyun.com"), ("Password", ONE)];
        client.ims(action, &elsewhere).await.is(404, "EntityNotExist.User");
    }
    client.ram("CreateLoginProfile", &user("a")).await.is(400, "MissingPassword");
    let too_long = format!("s3cr3t-{}", "x".repeat(26));
    for weak in ["short", "1234567", "with space", "umläut-pass", too_long.as_str()] {
        client
            .ram("CreateLoginProfile", &[("UserName", "a"), ("Password", weak)])
            .await
            .is(400, "InvalidParameter.Password.TooWeak");
    }
    for flag in ["PasswordResetRequired", "MFABindRequired"] {
        client
            .ram("CreateLoginProfile", &[("UserName", "a"), ("Password", ONE), (flag, "yes")])
            .await
            .is(400, &format!("InvalidParameter.{flag}.Format"));
    }
    client
        .ims("CreateLoginProfile", &[("UserPrincipalName", &name), ("Password", ONE), ("Status", "Sleeping")])
        .await
        .is(400, "InvalidParameter.Status");
    assert_eq!(emulator.snapshot().users["a"].logon, None);
    client.ram("CreateLoginProfile", &[("UserName", "a"), ("Password", ONE)]).await.ok();
    client
        .ram("UpdateLoginProfile", &[("UserName", "a"), ("Password", "short")])
        .await
        .is(400, "InvalidParameter.Password.TooWeak");
    assert!(emulator.person().password_is("a", ONE));
    assert!(!emulator.secrets().iter().any(|secret| secret == "short"));
}

#[tokio::test]
async fn an_update_may_need_a_password_and_ims_none() {
    let (emulator, client) = start_with(Options {
        login_profile_update_needs_password: true,
        ims_password_required: false,
        ..Options::default()
    })
    .await;
    let person = emulator.person();
    person.create_user("a", "");
    let name = upn(&emulator, "a");
    client.ims("CreateLoginProfile", &[("UserPrincipalName", &name)]).await.ok();
    assert_eq!(person.logs_on("a", ""), Logon::WrongPassword);
    let required = [("UserName", "a"), ("PasswordResetRequired", "true"), ("Password", ONE)];
    client.ram("UpdateLoginProfile", &required[..2]).await.is(400, "InvalidParameter.Password.TooWeak");
    client.ram("UpdateLoginProfile", &required).await.ok();
    assert_eq!(person.logs_on("a", ONE), Logon::MustChangePassword);
    drop(emulator);

    let (emulator, client) = start().await;
    emulator.person().create_user("a", "");
    let name = upn(&emulator, "a");
    client.ims("CreateLoginProfile", &[("UserPrincipalName", &name)]).await.is(400, "MissingPassword");
}

#[tokio::test]
async fn the_password_policy_decides() {
    let (emulator, client) = start().await;
    let person = emulator.person();
    person.create_user("reader", "");
    let refused = [
        ("MinimumPasswordLength", "12", "Abcdef-1234"),
        ("RequireLowercaseCharacters", "true", "ABCDEF-12345"),
        ("RequireUppercaseCharacters", "true", "abcdef-12345"),
        ("RequireNumbers", "true", "Abcdef-ghijk"),
        ("RequireSymbols", "true", "Abcdef012345"),
        ("MinimumPasswordDifferentCharacter", "5", "abcdabcdabcd"),
        ("PasswordNotContainUserName", "true", "my-Reader-012"),
        ("InterceptRiskPasswordOnApi", "true", "Password123!"),
    ];
    for (field, value, password) in refused {
        let profile = [("UserName", "reader"), ("Password", password)];
        client.ims("SetPasswordPolicy", &[(field, value)]).await.ok();
        client.ram("CreateLoginProfile", &profile).await.is(400, "InvalidParameter.Password.TooWeak");
        client.ims("SetPasswordPolicy", &[]).await.ok();
        client.ram("CreateLoginProfile", &profile).await.ok();
        client.ram("DeleteLoginProfile", &user("reader")).await.ok();
    }
    person.set_password_policy(refused.map(|(field, value, _)| (field, value)));
    client.ram("CreateLoginProfile", &[("UserName", "reader"), ("Password", "s3cr3t-Strong1")]).await.ok();
}

#[tokio::test]
async fn users_change_their_passwords() {
    let options = Options { roles: vec![RolePreset::new("operator", Trust::Account)], ..Options::default() };
    let (emulator, client) = start_with(options).await;
    let person = emulator.person();
    let (name, id, secret) = keyed(&emulator, "a");
    let own = client.with(&id, &secret, None);
    let change = [("OldPassword", ONE), ("NewPassword", TWO)];
    own.ram("ChangePassword", &change).await.is(404, "EntityNotExist.User.LoginProfile");
    person.create_login_profile("a", ONE);
    person.set_password_reset_required("a", true);
    own.ram("ChangePassword", &change[1..]).await.is(400, "MissingOldPassword");
    own.ram("ChangePassword", &change[..1]).await.is(400, "MissingNewPassword");
    own.ram("ChangePassword", &[("OldPassword", THREE), change[1]])
        .await
        .is(400, "InvalidParameter.OldPassword.Incorrect");
    own.ram("ChangePassword", &[change[0], ("NewPassword", "weak")])
        .await
        .is(400, "InvalidParameter.NewPassword.TooWeak");
    person.set_password_policy([("PasswordReusePrevention", "2")]);
    own.ram("ChangePassword", &[change[0], ("NewPassword", ONE)])
        .await
        .is(400, "InvalidParameter.NewPassword.ReusePrevention");
    own.ram("ChangePassword", &change).await.ok();
    assert_eq!(person.logs_on("a", TWO), Logon::In);
    let got = client.ims("GetLoginProfile", &[("UserPrincipalName", &name)]).await.ok();
    assert_eq!(got["LoginProfile"]["PasswordStatus"], "NotInitial");
    own.ims("ChangePassword", &[("OldPassword", TWO), ("NewPassword", ONE)])
        .await
        .is(400, "InvalidParameter.NewPassword.ReusePrevention");
    own.ims("ChangePassword", &[("OldPassword", TWO), ("NewPassword", THREE)]).await.ok();
    own.ims("ChangePassword", &[("OldPassword", THREE), ("NewPassword", ONE)]).await.ok();

    person.set_security_preference([("AllowUserToChangePassword", "false")]);
    own.ram("ChangePassword", &change).await.is(403, "NoPermission");
    let arn = format!("acs:ram::{}:role/operator", emulator.account_id());
    let session = client.sts("AssumeRole", &[("RoleArn", &arn), ("RoleSessionName", "test")]).await.ok();
    let text = |name: &str| session["Credentials"][name].as_str().unwrap().to_owned();
    let session = client.with(&text("AccessKeyId"), &text("AccessKeySecret"), Some(&text("SecurityToken")));
    session.ram("ChangePassword", &change).await.is(400, "NotSupport.Account");
    assert_eq!(emulator.writes(), ["ChangePassword"; 3]);
    assert!(!format!("{:?}", emulator.journal()).contains("s3cr3t"));
}

#[tokio::test]
async fn used_passwords_may_be_refused() {
    for same_password_refused in [true, false] {
        let (emulator, client) = start_with(Options { same_password_refused, ..Options::default() }).await;
        let person = emulator.person();
        person.create_user("a", "");
        person.create_login_profile("a", ONE);
        let set =
            async |password: &str| client.ram("UpdateLoginProfile", &[("UserName", "a"), ("Password", password)]).await;
        set(ONE).await.ok();
        person.set_password_policy([("PasswordReusePrevention", "2")]);
        set(TWO).await.ok();
        if same_password_refused {
            set(TWO).await.is(400, "InvalidParameter.Password.ReusePrevention");
        } else {
            set(TWO).await.ok();
            set(TWO).await.ok();
            set(THREE).await.ok();
            set(TWO).await.is(400, "InvalidParameter.Password.ReusePrevention");
            continue;
        }
        set(ONE).await.is(400, "InvalidParameter.Password.ReusePrevention");
        set(THREE).await.ok();
        set(ONE).await.ok();
    }
}

#[tokio::test]
async fn passwords_expire() {
    for updated_password_is_initial in [true, false] {
        let (emulator, client) = start_with(Options { updated_password_is_initial, ..Options::default() }).await;
        let person = emulator.person();
        person.create_user("a", "");
        let name = upn(&emulator, "a");
        let upn = ("UserPrincipalName", name.as_str());
        let status = async || {
            let got = ims_later(&emulator, &client, "GetLoginProfile", &[upn]).await.ok();
            got["LoginProfile"]["PasswordStatus"].as_str().unwrap().to_owned()
        };
        client.ram("CreateLoginProfile", &[("UserName", "a"), ("Password", ONE)]).await.ok();
        assert_eq!(status().await, "InitialValid");
        emulator.clock().advance(days(14));
        assert_eq!(status().await, "InitialExpired");
        assert_eq!(person.logs_on("a", ONE), Logon::InitialPasswordExpired);
        person.set_password_policy([("InitialPasswordAge", "0")]);
        assert_eq!(status().await, "InitialValid");
        assert!(person.logs_on("a", ONE).accepts());
        person.set_password_policy([("InitialPasswordAge", "14")]);
        // Enabling the log-on begins the time anew.
        person.set_login_profile_status("a", false);
        person.set_login_profile_status("a", true);
        assert_eq!(status().await, "InitialValid");

        person.change_password("a", TWO);
        assert_eq!(status().await, "NotInitial");
        ims_later(&emulator, &client, "UpdateLoginProfile", &[upn, ("Password", THREE)]).await.ok();
        assert_eq!(status().await, if updated_password_is_initial { "InitialValid" } else { "NotInitial" });
        person.change_password("a", TWO);

        person.set_password_policy([("MaxPasswordAge", "90")]);
        emulator.clock().advance(days(89));
        assert_eq!(person.logs_on("a", TWO), Logon::In);
        emulator.clock().advance(days(1));
        assert_eq!(person.logs_on("a", TWO), Logon::MustChangePassword);
        person.set_password_policy([("HardExpire", "true")]);
        assert_eq!(person.logs_on("a", TWO), Logon::PasswordExpired);
        person.reset_password("a", THREE);
        assert_eq!(person.logs_on("a", THREE), Logon::In);
    }
}

#[tokio::test]
async fn wrong_passwords_lock_for_an_hour() {
    let (emulator, _client) = start().await;
    let person = emulator.person();
    person.create_user("a", "");
    let password = person.give_login_profile("a");
    assert!(password.starts_with("s3cr3t") && emulator.secrets().contains(&password));
    person.set_password_policy([("MaxLoginAttemps", "2")]);
    assert_eq!(person.logs_on("a", "no"), Logon::WrongPassword);
    assert_eq!(person.logs_on("a", &password), Logon::In);
    assert_eq!(person.logs_on("a", "no"), Logon::WrongPassword);
    assert_eq!(person.logs_on("a", "no"), Logon::WrongPassword);
    assert_eq!(person.logs_on("a", &password), Logon::Locked);
    emulator.clock().advance(Duration::from_secs(3600));
    assert_eq!(person.logs_on("a", &password), Logon::In);
}

#[tokio::test]
async fn the_account_may_ask_for_mfa() {
    let (emulator, client) = start().await;
    let person = emulator.person();
    for name in ["a", "b"] {
        person.create_user(name, "");
    }
    client.ims("SetSecurityPreference", &[("MFAOperationForLogin", "mandatory")]).await.ok();
    let made = client.ram("CreateLoginProfile", &[("UserName", "a"), ("Password", ONE)]).await.ok();
    assert_eq!(made["LoginProfile"]["MFABindRequired"], true);
    person.create_login_profile("b", ONE);
    assert_eq!(person.logs_on("b", ONE), Logon::MustBindMfa);
    person.set_security_preference([("MFAOperationForLogin", "adaptive")]);
    assert_eq!((person.logs_on("a", ONE), person.logs_on("b", ONE)), (Logon::MustBindMfa, Logon::In));
    person.give_mfa("a");
    assert_eq!(person.logs_on("a", ONE), Logon::NeedsCode);
    person.take_mfa("a");
    person.set_mfa_bind_required("a", false);
    assert_eq!(person.logs_on("a", ONE), Logon::In);
}
