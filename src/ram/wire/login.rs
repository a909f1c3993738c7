//! Replies about login profiles and MFA devices.

use secrecy::SecretString;
use serde::Deserialize;

use super::{List, Page, Reply, Text};
use crate::ram::{
    error::plain,
    model::{
        KeyStatus, LoginProfile, MfaInfo, MfaKind, MfaUser, NewMfaDevice, PasswordStatus, VirtualMfaDevice, name_in,
    },
};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct LoginRow {
    status: Option<KeyStatus>,
    password_reset_required: Text,
    #[serde(rename = "MFABindRequired")]
    mfa_bind_required: Text,
    password_status: Text,
}

impl LoginRow {
    /// A flag that is absent is not set; one that is no truth makes the reply unreadable.
    fn profile(self, enabled: Option<bool>) -> Option<LoginProfile> {
        Some(LoginProfile {
            enabled,
            password_reset_required: self.password_reset_required.optional::<bool>().ok()?.unwrap_or(false),
            mfa_bind_required: self.mfa_bind_required.optional::<bool>().ok()?.unwrap_or(false),
            password_status: match self.password_status.0.as_str() {
                "NotInitial" => Some(PasswordStatus::NotInitial),
                "InitialValid" => Some(PasswordStatus::InitialValid),
                "InitialExpired" => Some(PasswordStatus::InitialExpired),
                _ => None,
            },
        })
    }
}

/// IMS GetLoginProfile.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ram) struct OneLoginProfile {
    login_profile: LoginRow,
}

impl Reply for OneLoginProfile {
    type Meaning = LoginProfile;

    /// Whether log-on is allowed is never guessed.
    fn meaning(self) -> Option<LoginProfile> {
        let enabled = match self.login_profile.status? {
            KeyStatus::Active => true,
            KeyStatus::Inactive => false,
        };
        self.login_profile.profile(Some(enabled))
    }
}

/// RAM GetLoginProfile, which has no `Status`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ram) struct RamLoginProfile {
    login_profile: LoginRow,
}

impl Reply for RamLoginProfile {
    type Meaning = LoginProfile;

    fn meaning(self) -> Option<LoginProfile> {
        self.login_profile.profile(None)
    }
}

/// RAM CreateVirtualMFADevice.
#[derive(Deserialize)]
pub(in crate::ram) struct CreatedMfaDevice {
    #[serde(rename = "VirtualMFADevice")]
    device: NewDeviceRow,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NewDeviceRow {
    serial_number: Text,
    base32_string_seed: Text,
    #[serde(rename = "QRCodePNG")]
    qr_code_png: Text,
}

impl Reply for CreatedMfaDevice {
    type Meaning = NewMfaDevice;

    fn meaning(self) -> Option<NewMfaDevice> {
        Some(NewMfaDevice {
            serial_number: self.device.serial_number.filled()?,
            seed: self.device.base32_string_seed.filled().map(SecretString::from)?,
            qr_code_png: self.device.qr_code_png.0.into(),
        })
    }
}

/// IMS ListVirtualMFADevices, one page.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::ram) struct VirtualMfaDevices {
    #[serde(rename = "VirtualMFADevices")]
    devices: List<DeviceRow>,
    is_truncated: Text,
    marker: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DeviceRow {
    serial_number: Text,
    user: Option<BoundRow>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct BoundRow {
    user_id: Text,
    user_principal_name: Text,
}

impl DeviceRow {
    /// A user that has a name and no id makes it unreadable: it must not pass for a device that is free.
    fn device(self) -> Option<VirtualMfaDevice> {
        let serial_number = self.serial_number.filled()?;
        let user = self.user.unwrap_or_default();
        let bound_to = match (user.user_id.filled(), user.user_principal_name.filled()) {
            (Some(id), name) => Some(MfaUser { id, name: name_in(&name.unwrap_or_default()).to_owned() }),
            (None, None) => None,
            (None, Some(_)) => return None,
        };
        Some(VirtualMfaDevice { serial_number, bound_to })
    }
}

impl Reply for VirtualMfaDevices {
    type Meaning = Page<VirtualMfaDevice>;

    fn meaning(self) -> Option<Page<VirtualMfaDevice>> {
        let devices = self.devices.0.into_iter().map(DeviceRow::device).collect::<Option<_>>()?;
        Page::new(devices, &self.is_truncated, self.marker)
    }
}

/// RAM GetUserMFAInfo. A reply without a device says that there is none.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::ram) struct UserMfa {
    #[serde(rename = "MFADevice")]
    device: Option<MfaRow>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct MfaRow {
    serial_number: Text,
    r#type: Text,
}

impl Reply for UserMfa {
    type Meaning = Option<MfaInfo>;

    fn meaning(self) -> Option<Self::Meaning> {
        let row = self.device.unwrap_or_default();
        match (row.serial_number.filled(), row.r#type.filled()) {
            (None, None) => Some(None),
            (None, Some(_)) => None,
            (Some(serial_number), word) => {
                let kind = kind(&serial_number, word.as_deref());
                Some(Some(MfaInfo { serial_number, kind }))
            }
        }
    }
}

/// What a device is, by RAM's word; where that is absent, by the serial number, which for a virtual device is its ARN.
fn kind(serial_number: &str, word: Option<&str>) -> MfaKind {
    let is_arn = serial_number.starts_with("acs:ram:") && serial_number.contains(":mfa/");
    match word {
        Some("VMFA") => MfaKind::Virtual,
        None if is_arn => MfaKind::Virtual,
        Some("U2F") => MfaKind::SecurityKey,
        // It is shown, so it has to be a plain word.
        other => MfaKind::Other(other.and_then(plain).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::super::read;
    use super::*;
    use crate::ram::Error;

    const SERIAL: &str = "acs:ram::1:mfa/svc";

    fn ims(row: &str) -> Option<LoginProfile> {
        read::<OneLoginProfile>("GetLoginProfile", format!(r#"{{"LoginProfile":{row}}}"#).as_bytes()).ok()
    }

    fn ram(row: &str) -> Option<LoginProfile> {
        read::<RamLoginProfile>("GetLoginProfile", format!(r#"{{"LoginProfile":{row}}}"#).as_bytes()).ok()
    }

    #[test]
    fn a_login_profile_is_read_with_what_there_is() {
        let row = r#"{"UserPrincipalName":"svc@acme","Status":"Inactive","PasswordResetRequired":true,
            "MFABindRequired":"True","PasswordStatus":"InitialExpired","LastLoginTime":"","Novel":{"a":[1.5]}}"#;
        let profile = LoginProfile {
            enabled: Some(false),
            password_reset_required: true,
            mfa_bind_required: true,
            password_status: Some(PasswordStatus::InitialExpired),
        };
        assert_eq!(ims(row), Some(profile));
        let bare = LoginProfile {
            enabled: Some(true),
            password_reset_required: false,
            mfa_bind_required: false,
            password_status: None,
        };
        assert_eq!(ims(r#"{"Status":"Active","MFABindRequired":null,"PasswordStatus":"Novel"}"#), Some(bare.clone()));
        assert_eq!(ram(r#"{"UserName":"svc","CreateDate":""}"#), Some(LoginProfile { enabled: None, ..bare }));
    }

    #[test]
    fn hostile_login_profiles_are_unreadable() {
        for row in [
            "null",
            "7",
            r#"{"Status":"Active","MFABindRequired":"perhaps"}"#,
            r#"{"Status":"Active","PasswordResetRequired":1}"#,
            r#"{"Status":"Active","PasswordResetRequired":{}}"#,
            r#"{"Status":"Active","MFABindRequired":true,"MFABindRequired":false}"#,
        ] {
            assert_eq!((ims(row), ram(row)), (None, None), "{row}");
        }
        for row in ["{}", r#"{"Status":""}"#, r#"{"Status":true}"#, r#"{"Status":"active"}"#, r#"{"Status":"freeze"}"#]
        {
            assert_eq!(ims(row), None, "{row}");
        }
        assert!(read::<RamLoginProfile>("GetLoginProfile", b"{}").is_err());
    }

    #[test]
    fn a_new_device_needs_its_seed() {
        let read = |body: &str| read::<CreatedMfaDevice>("CreateVirtualMFADevice", body.as_bytes());
        let body = format!(
            r#"{{"VirtualMFADevice":{{"SerialNumber":"{SERIAL}","Base32StringSeed":"HUSHSEED","QRCodePNG":"HUSHPNG="}}}}"#
        );
        let device = read(&body).unwrap();
        assert_eq!((device.serial_number.as_str(), device.seed.expose_secret()), (SERIAL, "HUSHSEED"));
        assert_eq!(device.qr_code_png.expose_secret(), "HUSHPNG=");
        assert!(!format!("{device:?}").contains("HUSH"));
        let body = r#"{"VirtualMFADevice":{"SerialNumber":"s","Base32StringSeed":"HUSHSEED"}}"#;
        assert_eq!(read(body).unwrap().qr_code_png.expose_secret(), "");
        for body in [
            "{}",
            r#"{"VirtualMFADevice":null}"#,
            r#"{"VirtualMFADevice":{"SerialNumber":"s"}}"#,
            r#"{"VirtualMFADevice":{"SerialNumber":"s","Base32StringSeed":""}}"#,
            r#"{"VirtualMFADevice":{"Base32StringSeed":"HUSHSEED"}}"#,
            r#"{"VirtualMFADevice":{"SerialNumber":"s","Base32StringSeed":["HUSHSEED"]}}"#,
        ] {
            let error = read(body).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("HUSH"), "{body}");
        }
    }

    fn page(rows: &str) -> Option<Vec<VirtualMfaDevice>> {
        let body = format!(r#"{{"VirtualMFADevices":{{"VirtualMFADevice":[{rows}]}},"IsTruncated":false}}"#);
        read::<VirtualMfaDevices>("ListVirtualMFADevices", body.as_bytes()).ok().map(|page| page.items)
    }

    #[test]
    fn devices_are_free_or_bound() {
        let device = |bound_to| VirtualMfaDevice { serial_number: SERIAL.to_owned(), bound_to };
        for user in ["", r#","User":null"#, r#","User":{}"#, r#","User":{"UserId":"","UserPrincipalName":""}"#] {
            let row = format!(r#"{{"SerialNumber":"{SERIAL}"{user}}}"#);
            assert_eq!(page(&row), Some(vec![device(None)]), "{row}");
        }
        let user = |name: &str| Some(MfaUser { id: "21".to_owned(), name: name.to_owned() });
        let row = format!(
            r#"{{"SerialNumber":"{SERIAL}","ActivateDate":"","User":{{"UserId":21,"UserPrincipalName":"svc@acme"}}}}"#
        );
        assert_eq!(page(&row), Some(vec![device(user("svc"))]));
        let row = format!(r#"{{"SerialNumber":"{SERIAL}","User":{{"UserId":"21"}}}}"#);
        assert_eq!(page(&row), Some(vec![device(user(""))]));
    }

    #[test]
    fn hostile_devices_are_unreadable() {
        for row in [
            "{}",
            "null",
            r#"{"SerialNumber":""}"#,
            r#"{"SerialNumber":"s","User":7}"#,
            r#"{"SerialNumber":"s","User":{"UserPrincipalName":"svc@acme"}}"#,
            r#"{"SerialNumber":"s","User":{"UserId":["1"]}}"#,
            r#"{"SerialNumber":"s","SerialNumber":"t"}"#,
        ] {
            assert_eq!(page(row), None, "{row}");
        }
        assert!(read::<VirtualMfaDevices>("ListVirtualMFADevices", br#"{"IsTruncated":true}"#).is_err());
    }

    fn mfa(body: &str) -> Result<Option<MfaInfo>, Error> {
        read::<UserMfa>("GetUserMFAInfo", body.as_bytes())
    }

    #[test]
    fn a_device_of_a_user_is_of_a_kind() {
        for (serial, word, kind) in [
            (SERIAL, r#""VMFA""#, MfaKind::Virtual),
            (SERIAL, "null", MfaKind::Virtual),
            ("k1", r#""U2F""#, MfaKind::SecurityKey),
            ("k1", r#""PASSKEY""#, MfaKind::Other("PASSKEY".to_owned())),
            ("k1", r#""two words""#, MfaKind::Other(String::new())),
            ("k1", "null", MfaKind::Other(String::new())),
        ] {
            let info = MfaInfo { serial_number: serial.to_owned(), kind };
            let body = format!(r#"{{"MFADevice":{{"SerialNumber":"{serial}","Type":{word}}}}}"#);
            assert_eq!(mfa(&body).unwrap(), Some(info), "{body}");
        }
    }

    #[test]
    fn no_device_has_several_spellings() {
        for body in ["{}", r#"{"MFADevice":null}"#, r#"{"MFADevice":{}}"#, r#"{"MFADevice":{"SerialNumber":"-"}}"#] {
            assert_eq!(mfa(body).unwrap(), None, "{body}");
        }
        for body in [r#"{"MFADevice":7}"#, r#"{"MFADevice":{"Type":"VMFA"}}"#, r#"{"MFADevice":{"SerialNumber":{}}}"#] {
            assert!(mfa(body).is_err(), "{body}");
        }
    }
}
