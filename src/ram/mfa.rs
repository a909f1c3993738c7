//! MFA devices: virtual ones of the account, and the one that a user may have.
//!
//! RAM is asked by name; but for the list, which only IMS gives in pages.

use secrecy::{ExposeSecret, SecretString};

use super::{
    client::{Client, present},
    error::Error,
    model::{MfaInfo, NewMfaDevice, VirtualMfaDevice},
    transport::Api,
    wire,
};

const LIST: &str = "ListVirtualMFADevices";
/// What RAM says when the user has no MFA device.
const NO_MFA: &str = "EntityNotExist.User.MFADevice";

impl Client {
    /// Makes a virtual MFA device (RAM CreateVirtualMFADevice) that is bound to nobody. Its seed is in this one answer
    /// and can never be read again, so it is sent again only after a refusal that made nothing. When the answer is
    /// lost, the device that is there is of no use: delete it and make another. A name that is taken is
    /// [`Class::Exists`](super::Class::Exists).
    ///
    /// `name`: letters, digits and `-`, 1 to 64.
    pub async fn create_virtual_mfa_device(&self, name: &str) -> Result<NewMfaDevice, Error> {
        let params = [("VirtualMFADeviceName", name)];
        self.call_carefully::<wire::CreatedMfaDevice>(Api::Ram, "CreateVirtualMFADevice", &params).await
    }

    /// The virtual MFA devices of the account (IMS ListVirtualMFADevices, page by page, which RAM does not offer).
    pub async fn virtual_mfa_devices(&self) -> Result<Vec<VirtualMfaDevice>, Error> {
        self.list::<wire::VirtualMfaDevices, VirtualMfaDevice>(Api::Ims, LIST, &[]).await
    }

    /// The virtual MFA device with that serial number, if there is one. There is no action for a single one, so it is
    /// looked for in the list (IMS ListVirtualMFADevices, page by page).
    pub async fn virtual_mfa_device(&self, serial_number: &str) -> Result<Option<VirtualMfaDevice>, Error> {
        let its = |devices: Vec<VirtualMfaDevice>| devices.into_iter().find(|it| it.serial_number == serial_number);
        self.search::<wire::VirtualMfaDevices, VirtualMfaDevice, VirtualMfaDevice>(Api::Ims, LIST, &[], its).await
    }

    /// Deletes a virtual MFA device (RAM DeleteVirtualMFADevice); one that is not there is deleted. One that is bound
    /// is [`Class::InUse`](super::Class::InUse).
    pub async fn delete_virtual_mfa_device(&self, serial_number: &str) -> Result<(), Error> {
        let params = [("SerialNumber", serial_number)];
        let answer = self.call::<wire::Done>(Api::Ram, "DeleteVirtualMFADevice", &params).await;
        present(answer, &["EntityNotExist.VirtualMFADevice"]).map(drop)
    }

    /// Binds a virtual MFA device to a user (RAM BindMFADevice), proved by two of its codes that follow one another;
    /// see [`consecutive_codes`](super::consecutive_codes). Wrong codes are [`Class::Invalid`](super::Class::Invalid);
    /// a user that has a device, and a device that has a user, are [`Class::Exists`](super::Class::Exists). When the
    /// answer is lost it is not sent again: look what the user has.
    pub async fn bind_mfa_device(
        &self,
        user_name: &str,
        serial_number: &str,
        codes: &[SecretString; 2],
    ) -> Result<(), Error> {
        let [first, second] = codes;
        let params = [
            ("UserName", user_name),
            ("SerialNumber", serial_number),
            ("AuthenticationCode1", first.expose_secret()),
            ("AuthenticationCode2", second.expose_secret()),
        ];
        self.call_carefully::<wire::Done>(Api::Ram, "BindMFADevice", &params).await
    }

    /// Takes a user's MFA device away (RAM UnbindMFADevice); no device, or no such user, is done. A virtual device is
    /// still there then.
    pub async fn unbind_mfa_device(&self, user_name: &str) -> Result<(), Error> {
        let answer = self.call::<wire::Done>(Api::Ram, "UnbindMFADevice", &[("UserName", user_name)]).await;
        present(answer, &[NO_MFA, "EntityNotExist.User"]).map(drop)
    }

    /// The MFA device of a user, if it has one (RAM GetUserMFAInfo, which tells the kind as IMS does). No such user is
    /// [`Class::Missing`](super::Class::Missing).
    pub async fn user_mfa(&self, user_name: &str) -> Result<Option<MfaInfo>, Error> {
        let answer = self.call::<wire::UserMfa>(Api::Ram, "GetUserMFAInfo", &[("UserName", user_name)]).await;
        present(answer, &[NO_MFA]).map(Option::flatten)
    }
}
