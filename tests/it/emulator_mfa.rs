//! The RAM emulator keeps to what is known of RAM about MFA, and deletes a user who can log on last.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use crate::emulator::{Answer, Client, start, start_with, user};
use crate::emulator_logon::upn;
use crate::support::ram::{BoundBy, DeviceView, Emulator, Options};

const ONE: &str = "s3cr3t-One-1";

/// The code of a step of 30 seconds (RFC 6238).
fn code(seed: &str, step: i64) -> String {
    let five = |letter: u8| if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 };
    let bits: String = seed.bytes().map(|letter| format!("{:05b}", five(letter))).collect();
    let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
    let key: Vec<u8> = bits.as_bytes().chunks_exact(8).map(byte).collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes()[..].to_vec();
    let offset = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

fn step(emulator: &Emulator) -> i64 {
    emulator.clock().now().as_second().div_euclid(30)
}

/// Makes a device: its SerialNumber and seed.
async fn device(client: &Client, name: &str) -> (String, String) {
    let made = client.ram("CreateVirtualMFADevice", &[("VirtualMFADeviceName", name)]).await.ok();
    let text = |field: &str| made["VirtualMFADevice"][field].as_str().unwrap().to_owned();
    (text("SerialNumber"), text("Base32StringSeed"))
}

/// BindMFADevice with the codes of a step and of the next one.
async fn bind(client: &Client, name: &str, (serial, seed): &(String, String), step: i64) -> Answer {
    let (first, second) = (code(seed, step), code(seed, step + 1));
    let params = [
        ("UserName", name),
        ("SerialNumber", serial.as_str()),
        ("AuthenticationCode1", first.as_str()),
        ("AuthenticationCode2", second.as_str()),
    ];
    client.ram("BindMFADevice", &params).await
}

#[test]
fn codes_of_the_standard() {
    let seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    for (time, shown) in
        [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
    {
        assert_eq!(code(seed, time / 30), shown);
    }
}

#[tokio::test]
async fn devices_live() {
    let (emulator, client) = start().await;
    emulator.person().create_user("a", "");
    let serial = format!("acs:ram::{}:mfa/phone.1", emulator.account_id());
    let made = client.ram("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "phone.1")]).await.ok();
    let made = &made["VirtualMFADevice"];
    assert_eq!(made["SerialNumber"], serial);
    let seed = made["Base32StringSeed"].as_str().unwrap().to_owned();
    assert!(seed.len() == 64 && seed.starts_with("S3CR3T") && emulator.secrets().contains(&seed));
    assert!(seed.bytes().all(|byte| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".contains(&byte)));
    assert!(made["QRCodePNG"].as_str().unwrap().starts_with("iVBORw0KGgo"));
    client
        .ims("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "phone.1")])
        .await
        .is(400, "InvalidParameter.VirtualMFADeviceName.InvalidChars");
    client.ims("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "phone-2")]).await.ok();
    client
        .ims("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "PHONE-2")])
        .await
        .is(409, "EntityAlreadyExists.VirtualMFADevice");
    client.ram("CreateVirtualMFADevice", &[]).await.is(400, "MissingVirtualMFADeviceName");
    client
        .ram("CreateVirtualMFADevice", &[("VirtualMFADeviceName", &"n".repeat(65))])
        .await
        .is(400, "InvalidParameter.VirtualMFADeviceName.Length");

    let phone = (serial.clone(), seed.clone());
    bind(&client, "a", &phone, step(&emulator)).await.ok();
    let listed = client.ram("ListVirtualMFADevices", &[]).await;
    assert!(!listed.text.contains(&seed));
    let listed = listed.ok()["VirtualMFADevices"]["VirtualMFADevice"].clone();
    let id = emulator.snapshot().users["a"].user_id.clone();
    let owner = json!({"UserId": id, "UserName": "a", "DisplayName": ""});
    assert_eq!(listed[1], json!({"SerialNumber": serial, "ActivateDate": listed[1]["ActivateDate"], "User": owner}));
    assert_eq!(listed[0], json!({"SerialNumber": serial.replace("phone.1", "phone-2")}));
    let page = client.ims("ListVirtualMFADevices", &[("MaxItems", "1")]).await.ok();
    let marker = page["Marker"].as_str().unwrap();
    let page = client.ims("ListVirtualMFADevices", &[("Marker", marker)]).await.ok();
    assert_eq!(page["IsTruncated"], false);
    assert_eq!(page["VirtualMFADevices"]["VirtualMFADevice"][0]["User"]["UserPrincipalName"], upn(&emulator, "a"));
    client.ims("ListVirtualMFADevices", &[("MaxItems", "101")]).await.is(400, "InvalidParameter.MaxItems");
    let summary = client.ims("GetAccountSummary", &[]).await.ok()["SummaryMap"].clone();
    assert_eq!((&summary["MFADevices"], &summary["MFADevicesInUse"]), (&json!(2), &json!(1)));

    let named = [("SerialNumber", serial.as_str())];
    client.ram("DeleteVirtualMFADevice", &named).await.is(409, "DeleteConflict.VirtualMFADevice.User");
    let unbound = client.ram("UnbindMFADevice", &user("a")).await.ok();
    assert_eq!(unbound["MFADevice"], json!({"SerialNumber": serial}));
    client.ram("DeleteVirtualMFADevice", &named).await.ok();
    client.ims("DeleteVirtualMFADevice", &named).await.is(404, "EntityNotExist.VirtualMFADevice");
    client.ims("DeleteVirtualMFADevice", &[]).await.is(400, "MissingSerialNumber");
    assert_eq!(
        emulator.writes(),
        [
            "CreateVirtualMFADevice phone.1",
            "CreateVirtualMFADevice phone-2",
            "BindMFADevice a phone.1",
            "UnbindMFADevice a",
            "DeleteVirtualMFADevice phone.1",
        ]
    );
    assert!(!format!("{:?}{:?}", emulator.journal(), emulator.snapshot()).contains(&seed));
}

#[tokio::test]
async fn codes_are_checked() {
    let (emulator, client) = start().await;
    let person = emulator.person();
    for name in ["a", "b"] {
        person.create_user(name, "");
    }
    let (phone, other) = (device(&client, "phone").await, device(&client, "other").await);
    let now = step(&emulator);
    for malformed in ["12345", "1234567", "12345a", "１２３４５６"] {
        let params = [
            ("UserName", "a"),
            ("SerialNumber", phone.0.as_str()),
            ("AuthenticationCode1", "123456"),
            ("AuthenticationCode2", malformed),
        ];
        client.ram("BindMFADevice", &params).await.is(400, "InvalidParameter.AuthenticationCode.Format");
        client.ram("BindMFADevice", &params[..3]).await.is(400, "MissingAuthenticationCode2");
        client.ram("BindMFADevice", &params[..1]).await.is(400, "MissingSerialNumber");
    }
    for (first, second) in [(now, now), (now + 1, now), (now - 1, now + 1), (now - 5, now - 4), (now + 4, now + 5)] {
        let (first, second) = (code(&phone.1, first), code(&phone.1, second));
        let params = [
            ("UserName", "a"),
            ("SerialNumber", phone.0.as_str()),
            ("AuthenticationCode1", first.as_str()),
            ("AuthenticationCode2", second.as_str()),
        ];
        client.ram("BindMFADevice", &params).await.is(403, "CheckAuthenticationCodeFail");
    }
    let foreign = (phone.0.clone(), other.1.clone());
    bind(&client, "a", &foreign, now).await.is(403, "CheckAuthenticationCodeFail");
    bind(&client, "c", &phone, now).await.is(404, "EntityNotExist.User");
    let absent = (format!("{}x", phone.0), phone.1.clone());
    bind(&client, "a", &absent, now).await.is(404, "EntityNotExist.VirtualMFADevice");

    // The code before and the one of now will do as well as the one of now and the next.
    bind(&client, "a", &phone, now - 1).await.ok();
    bind(&client, "a", &other, now).await.is(409, "EntityAlreadyExists.User.MFADevice");
    bind(&client, "b", &phone, now + 1).await.is(409, "EntityAlreadyExists.VirtualMFADevice.User");
    // What was used is used up, also after unbinding, and for another user.
    client.ram("UnbindMFADevice", &user("a")).await.ok();
    bind(&client, "b", &phone, now - 1).await.is(403, "CheckAuthenticationCodeFail");
    bind(&client, "b", &phone, now).await.is(403, "CheckAuthenticationCodeFail");
    emulator.clock().advance(Duration::from_secs(60));
    bind(&client, "b", &phone, step(&emulator)).await.ok();
    let key = client.ram("ListAccessKeys", &[]).await.ok()["AccessKeys"]["AccessKey"][0]["AccessKeyId"].clone();
    let by = BoundBy::Call(key.as_str().unwrap().to_owned());
    let devices = emulator.snapshot().devices;
    assert_eq!(devices[&phone.0], DeviceView { user: Some("b".to_owned()), bound_by: Some(by) });
    assert_eq!(devices[&other.0], DeviceView { user: None, bound_by: None });
    let told = |name: &str| emulator.journal().iter().any(|call| call.params.contains_key(name));
    assert!(told("SerialNumber") && !told("AuthenticationCode1") && !told("AuthenticationCode2"));
}

#[tokio::test]
async fn mfa_of_a_user() {
    for ims_mfa_info_refused in [false, true] {
        let (emulator, client) = start_with(Options { ims_mfa_info_refused, ..Options::default() }).await;
        let person = emulator.person();
        person.create_user("a", "");
        let name = upn(&emulator, "a");
        let upn = [("UserPrincipalName", name.as_str())];
        client.ram("GetUserMFAInfo", &user("a")).await.is(404, "EntityNotExist.User.MFADevice");
        let nobody: &[(&str, &str)] = &[];
        for params in [&upn[..], nobody] {
            let info = client.ims("GetUserMFAInfo", params).await;
            if ims_mfa_info_refused {
                info.is(404, "EntityNotExist.User.MFADevice");
            } else {
                let info = info.ok();
                assert_eq!((&info["IsMFAEnable"], info.get("MFADevice")), (&json!(false), None));
            }
        }
        let serial = person.give_mfa("a");
        let shown = json!({"SerialNumber": serial, "Type": "VMFA"});
        assert_eq!(client.ram("GetUserMFAInfo", &user("a")).await.ok()["MFADevice"], shown);
        let info = client.ims("GetUserMFAInfo", &upn).await.ok();
        assert_eq!((&info["IsMFAEnable"], &info["MFADevice"]), (&json!(true), &shown));
        assert!(emulator.snapshot().users["a"].mfa_device);
        let by_hand = DeviceView { user: Some("a".to_owned()), bound_by: Some(BoundBy::Person) };
        assert_eq!(emulator.snapshot().devices[&serial], by_hand);

        client.ram("DisableVirtualMFA", &user("a")).await.is(404, "InvalidApi.NotFound");
        client.ims("DisableVirtualMFA", &upn).await.ok();
        for action in ["DisableVirtualMFA", "UnbindMFADevice"] {
            client.ims(action, &upn).await.is(404, "EntityNotExist.User.MFADevice");
            client.ims(action, &[]).await.is(400, "MissingUserPrincipalName");
            client.ims(action, &[("UserPrincipalName", "a@other.onaliyun.com")]).await.is(404, "EntityNotExist.User");
        }
        client.ram("UnbindMFADevice", &user("a b")).await.is(400, "InvalidParameter.UserName.InvalidChars");
        client.ram("GetUserMFAInfo", &user("b")).await.is(404, "EntityNotExist.User");
        client.ram("GetUserMFAInfo", &[]).await.is(400, "MissingUserName");
    }
}

#[tokio::test]
async fn unbinding_may_delete_and_devices_may_run_out() {
    for unbind_deletes_device in [false, true] {
        let options = Options { unbind_deletes_device, virtual_mfa_devices_quota: 1, ..Options::default() };
        let (emulator, client) = start_with(options).await;
        let person = emulator.person();
        person.create_user("a", "");
        let (serial, seed) = person.create_mfa_device("phone");
        assert!(emulator.secrets().contains(&seed));
        client
            .ram("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "other")])
            .await
            .is(409, "LimitExceeded.VirtualMFADevice");
        person.bind_mfa("a", &serial);
        client.ram("UnbindMFADevice", &user("a")).await.ok();
        assert_eq!(emulator.snapshot().devices.contains_key(&serial), !unbind_deletes_device);
        assert!(!emulator.snapshot().users["a"].mfa_device);
        if !unbind_deletes_device {
            person.bind_mfa("a", &serial);
            person.delete_mfa_device(&serial);
            assert!(!emulator.snapshot().users["a"].mfa_device);
        }
    }
}

#[tokio::test]
async fn a_user_who_logs_on_is_deleted_last() {
    for ims_delete_cascades in [false, true] {
        let (emulator, client) = start_with(Options { ims_delete_cascades, ..Options::default() }).await;
        let person = emulator.person();
        person.create_user("a", "");
        let name = upn(&emulator, "a");
        let upn = [("UserPrincipalName", name.as_str())];
        person.give_login_profile("a");
        let serial = person.give_mfa("a");
        let refused = async |code: &str| {
            client.ram("DeleteUser", &user("a")).await.is(409, code);
            if !ims_delete_cascades {
                client.ims("DeleteUser", &upn).await.is(409, code);
            }
        };
        refused("DeleteConflict.User.LoginProfile").await;
        client.ram("DeleteLoginProfile", &user("a")).await.ok();
        refused("DeleteConflict.User.MFADevice").await;
        if ims_delete_cascades {
            client.ims("DeleteUser", &upn).await.ok();
            assert_eq!(emulator.snapshot().devices[&serial], DeviceView { user: None, bound_by: None });
        } else {
            client.ims("UnbindMFADevice", &upn).await.ok();
            client.ram("DeleteUser", &user("a")).await.ok();
        }
        client.ram("DeleteVirtualMFADevice", &[("SerialNumber", &serial)]).await.ok();
    }
}

#[tokio::test]
async fn reads_of_log_on_and_mfa_may_lag() {
    let (emulator, client) = start().await;
    emulator.person().create_user("a", "");
    emulator.set_read_lag(Duration::from_secs(10));
    client.ram("CreateLoginProfile", &[("UserName", "a"), ("Password", ONE)]).await.ok();
    let phone = device(&client, "phone").await;
    bind(&client, "a", &phone, step(&emulator)).await.ok();
    client.ims("SetPasswordPolicy", &[("MinimumPasswordLength", "20")]).await.ok();
    let length = |answer: Value| answer["PasswordPolicy"]["MinimumPasswordLength"].clone();
    client.ram("GetLoginProfile", &user("a")).await.is(404, "EntityNotExist.User.LoginProfile");
    client.ram("GetUserMFAInfo", &user("a")).await.is(404, "EntityNotExist.User.MFADevice");
    assert_eq!(length(client.ram("GetPasswordPolicy", &[]).await.ok()), 8);
    emulator.clock().advance(Duration::from_secs(11));
    client.ram("GetLoginProfile", &user("a")).await.ok();
    client.ram("GetUserMFAInfo", &user("a")).await.ok();
    assert_eq!(length(client.ram("GetPasswordPolicy", &[]).await.ok()), 20);
    client.ram("DeleteLoginProfile", &user("a")).await.ok();
    client.ram("UnbindMFADevice", &user("a")).await.ok();
    client.ram("GetLoginProfile", &user("a")).await.ok();
    client.ram("GetUserMFAInfo", &user("a")).await.ok();
}
