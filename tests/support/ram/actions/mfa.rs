//! Virtual MFA devices, in the views of RAM and IMS. Only the answer that makes a device holds its seed.

use serde_json::{Value, json};

use super::super::clock::iso;
use super::super::envelope::{Answer, Product, Refusal};
use super::super::limits;
use super::super::mfa::{BoundBy, Device};
use super::super::state::{Account, Caller, User};
use super::{Ask, page, user_of, user_or_caller};

/// A picture of one pixel. It stands for the picture of the seed.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// CreateVirtualMFADevice: the one answer that holds the seed.
pub fn create_virtual_mfa_device(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let name = ask.params.required("VirtualMFADeviceName")?;
    let others = if ask.product == Product::Ims { "-" } else { ".-" };
    limits::name("VirtualMFADeviceName", name, 64, others)?;
    if account.device(&account.serial(name)).is_some() {
        return Err(Refusal::exists("VirtualMFADevice", name));
    }
    if account.devices.len() >= ask.options.virtual_mfa_devices_quota {
        return Err(Refusal::limit("VirtualMFADevice"));
    }
    let device = account.add_device(name, ask.now);
    let shown = json!({"SerialNumber": device.serial, "Base32StringSeed": device.seed.plain(), "QRCodePNG": PICTURE});
    Ok(json!({"VirtualMFADevice": shown}))
}

/// ListVirtualMFADevices, by SerialNumber; only IMS cuts it into pages.
pub fn list_virtual_mfa_devices(account: &Account, ask: &Ask<'_>) -> Answer {
    let devices = account.devices.iter().map(|(key, device)| (key.clone(), object(account, ask, device)));
    if ask.product == Product::Ims {
        return Ok(page(ask, 100, 100, devices)?.answer("VirtualMFADevices", "VirtualMFADevice"));
    }
    let devices: Vec<Value> = devices.map(|(_, device)| device).collect();
    Ok(json!({"VirtualMFADevices": {"VirtualMFADevice": devices}}))
}

/// DeleteVirtualMFADevice of one that is nobody's.
pub fn delete_virtual_mfa_device(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let serial = ask.params.required("SerialNumber")?;
    if device_of(account, serial)?.bound.is_some() {
        return Err(Refusal::conflict("VirtualMFADevice.User"));
    }
    account.remove_device(serial);
    Ok(json!({}))
}

/// BindMFADevice, with two consecutive codes of the device.
pub fn bind_mfa_device(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let user = user_of(account, ask)?;
    let serial = ask.params.required("SerialNumber")?;
    let (first, second) = (code(ask, "AuthenticationCode1")?, code(ask, "AuthenticationCode2")?);
    let device = device_of(account, serial)?;
    if user.mfa_device.is_some() {
        return Err(Refusal::exists("User.MFADevice", &user.name));
    }
    if device.bound.is_some() {
        return Err(Refusal::exists("VirtualMFADevice.User", serial));
    }
    let id = user.id.clone();
    let right = account.device_mut(serial).is_some_and(|device| device.takes(first, second, ask.now));
    if !right {
        let message = "These are not two consecutive codes of the device.";
        return Err(Refusal::new(403, "CheckAuthenticationCodeFail", message));
    }
    account.bind(serial, &id, BoundBy::Call(caller_key(ask)), ask.now);
    Ok(json!({}))
}

/// UnbindMFADevice.
pub fn unbind_mfa_device(account: &mut Account, ask: &Ask<'_>) -> Answer {
    let serial = unbound(account, ask)?;
    Ok(json!({"MFADevice": {"SerialNumber": serial}}))
}

/// IMS DisableVirtualMFA: as UnbindMFADevice, with an empty answer.
pub fn disable_virtual_mfa(account: &mut Account, ask: &Ask<'_>) -> Answer {
    unbound(account, ask)?;
    Ok(json!({}))
}

/// GetUserMFAInfo; in IMS the caller's without a user.
pub fn get_user_mfa_info(account: &Account, ask: &Ask<'_>) -> Answer {
    if ask.product != Product::Ims {
        return Ok(json!({"MFADevice": info(bound_to(user_of(account, ask)?)?)}));
    }
    let user = user_or_caller(account, ask)?;
    if user.mfa_device.is_none() && !ask.options.ims_mfa_info_refused {
        return Ok(json!({"IsMFAEnable": false}));
    }
    Ok(json!({"IsMFAEnable": true, "MFADevice": info(bound_to(user)?)}))
}

/// Takes the device of the called user from it, and away if the options say so.
fn unbound(account: &mut Account, ask: &Ask<'_>) -> Result<String, Refusal> {
    let user = user_of(account, ask)?;
    let (serial, id) = (bound_to(user)?.to_owned(), user.id.clone());
    account.unbind(&id);
    if ask.options.unbind_deletes_device {
        account.remove_device(&serial);
    }
    Ok(serial)
}

fn bound_to(user: &User) -> Result<&str, Refusal> {
    user.mfa_device.as_deref().ok_or_else(|| Refusal::absent("User.MFADevice", &user.name))
}

fn device_of<'a>(account: &'a Account, serial: &str) -> Result<&'a Device, Refusal> {
    account.device(serial).ok_or_else(|| Refusal::absent("VirtualMFADevice", serial))
}

/// A parameter that is a code, right or wrong.
fn code<'a>(ask: &Ask<'a>, param: &str) -> Result<&'a str, Refusal> {
    let code = ask.params.required(param)?;
    if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(code);
    }
    Err(Refusal::invalid("AuthenticationCode.Format", &format!("The {param} must have 6 digits.")))
}

fn caller_key(ask: &Ask<'_>) -> String {
    match ask.caller {
        Caller::Anonymous => String::new(),
        Caller::User { key_id, .. } => key_id.clone(),
        Caller::Role(session) => session.key_id.clone(),
    }
}

fn info(serial: &str) -> Value {
    json!({"SerialNumber": serial, "Type": "VMFA"})
}

/// A device in a list: with the user it is bound to, and never with its seed.
fn object(account: &Account, ask: &Ask<'_>, device: &Device) -> Value {
    let mut shown = json!({"SerialNumber": device.serial});
    let Some(binding) = &device.bound else {
        return shown;
    };
    shown["ActivateDate"] = json!(iso(binding.since));
    if let Some(user) = account.users.get(&binding.user_id) {
        let mut owner = json!({"UserId": user.id, "DisplayName": user.display_name});
        match ask.product {
            Product::Ims => owner["UserPrincipalName"] = json!(account.upn(user)),
            Product::Ram | Product::Sts => owner["UserName"] = json!(user.name),
        }
        shown["User"] = owner;
    }
    shown
}
