//! What a person does by hand about console log-ons, MFA devices and the settings of the account.

use jiff::Timestamp;

use super::envelope::Product;
use super::logon::{LoginProfile, Logon, password};
use super::mfa::BoundBy;
use super::network::KeyPolicy;
use super::params::Params;
use super::person::{Person, id_of};

impl Person {
    fn edit_profile(&self, user: &str, edit: impl FnOnce(&mut LoginProfile, Timestamp)) {
        self.edit(|account, now| {
            let id = id_of(account, user);
            let profile = account.users.get_mut(&id).and_then(|user| user.login_profile.as_mut());
            edit(profile.unwrap_or_else(|| panic!("{user} has no login profile")), now);
        });
    }

    /// Gives a user a console log-on, or a new one, with an initial password that asks for nothing more.
    pub fn create_login_profile(&self, user: &str, password: &str) {
        self.edit(|account, now| {
            let id = id_of(account, user);
            account.keep_secret(password);
            let mut profile = LoginProfile::new(now);
            profile.set_password(password, true, now);
            account.users.get_mut(&id).expect("a user has an entry by id").login_profile = Some(profile);
        });
    }

    /// As [`Person::create_login_profile`], with a random password, which it returns.
    pub fn give_login_profile(&self, user: &str) -> String {
        let password = password();
        self.create_login_profile(user, &password);
        password
    }

    /// Takes the console log-on of a user away.
    pub fn take_login_profile(&self, user: &str) {
        self.edit(|account, _| {
            let id = id_of(account, user);
            account.users.get_mut(&id).expect("a user has an entry by id").login_profile = None;
        });
    }

    /// Enables or disables the console log-on of a user.
    pub fn set_login_profile_status(&self, user: &str, active: bool) {
        self.edit_profile(user, |profile, now| profile.set_active(active, now));
    }

    /// Disables the console log-on of a user as RAM itself does, the day after it was not used for as long as MaxIdleDaysForUsers.
    pub fn idle_out_login_profile(&self, user: &str) {
        self.set_login_profile_status(user, false);
    }

    /// Sets whether the user has to change the password when next logging on.
    pub fn set_password_reset_required(&self, user: &str, required: bool) {
        self.edit_profile(user, |profile, now| {
            profile.reset_required = required;
            profile.updated = now;
        });
    }

    /// Sets whether the user has to bind an MFA device when next logging on.
    pub fn set_mfa_bind_required(&self, user: &str, required: bool) {
        self.edit_profile(user, |profile, now| {
            profile.mfa_required = required;
            profile.updated = now;
        });
    }

    /// Sets the password of a user as an administrator does, as an initial one.
    pub fn reset_password(&self, user: &str, password: &str) {
        self.edit(|account, _| account.keep_secret(password));
        self.edit_profile(user, |profile, now| profile.set_password(password, true, now));
    }

    /// Sets the password of a user as that user does.
    pub fn change_password(&self, user: &str, password: &str) {
        self.edit(|account, _| account.keep_secret(password));
        self.edit_profile(user, |profile, now| {
            profile.set_password(password, false, now);
            profile.reset_required = false;
        });
    }

    /// Whether this is the password of a user; nothing else is looked at, and nothing counted.
    pub fn password_is(&self, user: &str, password: &str) -> bool {
        let state = self.0.state();
        let user = state.account.user_named(user).unwrap_or_else(|| panic!("there is no user {user}"));
        user.login_profile.as_ref().is_some_and(|profile| profile.has_password(password))
    }

    /// Tries to log on to the console with a password. It counts as a log-on, or as a wrong attempt.
    pub fn logs_on(&self, user: &str, password: &str) -> Logon {
        self.edit(|account, now| {
            let id = id_of(account, user);
            account.log_on(&id, password, now)
        })
    }

    /// As [`Person::logs_on`], and then with a code of the MFA device.
    pub fn logs_on_with_code(&self, user: &str, password: &str, code: &str) -> Logon {
        self.edit(|account, now| {
            let id = id_of(account, user);
            account.log_on_with_code(&id, password, code, now)
        })
    }

    /// Makes a virtual MFA device that is nobody's, and returns its SerialNumber and seed.
    pub fn create_mfa_device(&self, name: &str) -> (String, String) {
        self.edit(|account, now| {
            assert!(account.device(&account.serial(name)).is_none(), "there is a device {name} already");
            let device = account.add_device(name, now);
            (device.serial, device.seed.plain().to_owned())
        })
    }

    /// Deletes a virtual MFA device, bound or not.
    pub fn delete_mfa_device(&self, serial: &str) {
        self.edit(|account, _| {
            let device = account.remove_device(serial).unwrap_or_else(|| panic!("there is no device {serial}"));
            if let Some(binding) = device.bound {
                account.unbind(&binding.user_id);
            }
        });
    }

    /// Binds a virtual MFA device to a user, in place of one it may have.
    pub fn bind_mfa(&self, user: &str, serial: &str) {
        self.edit(|account, now| {
            let id = id_of(account, user);
            let device = account.device(serial).unwrap_or_else(|| panic!("there is no device {serial}"));
            assert!(device.bound.is_none(), "{serial} is bound already");
            account.unbind(&id);
            account.bind(serial, &id, BoundBy::Person, now);
        });
    }

    /// Binds a virtual MFA device of the user's name, which is made if need be, and returns its SerialNumber.
    pub fn give_mfa(&self, user: &str) -> String {
        let serial = self.edit(|account, now| {
            let serial = account.serial(user);
            let there = account.device(&serial).map(|device| device.serial.clone());
            there.unwrap_or_else(|| account.add_device(user, now).serial)
        });
        self.bind_mfa(user, &serial);
        serial
    }

    /// Unbinds the MFA device of a user; a virtual one stays.
    pub fn take_mfa(&self, user: &str) {
        let serial = self.edit(|account, _| {
            let id = id_of(account, user);
            account.unbind(&id)
        });
        assert!(serial.is_some(), "{user} has no MFA device");
    }

    /// Sets fields of the password policy, by their names in IMS; the others keep their values.
    pub fn set_password_policy<const N: usize>(&self, fields: [(&str, &str); N]) {
        let params = Params::from(fields);
        self.edit(|account, _| {
            let changed = account.rules.passwords.changed(Product::Ims, &params, false);
            account.rules.passwords = changed.expect("a password policy");
        });
    }

    /// Sets fields of the security preference, by their names in IMS; the others keep their values.
    pub fn set_security_preference<const N: usize>(&self, fields: [(&str, &str); N]) {
        let params = Params::from(fields);
        self.edit(|account, _| {
            let changed = account.rules.preference.changed(Product::Ims, &params, false);
            account.rules.preference = changed.expect("a security preference");
        });
    }

    /// Sets the network policy of all keys that have none of their own. Panics if IMS would refuse the document for its form.
    pub fn set_account_key_policy(&self, document: &str) {
        let policy = KeyPolicy::read(document).expect("a network policy");
        let lag = self.0.options.key_policy_lag;
        self.edit(|account, now| account.rules.key_policy.set(policy, now, lag));
    }
}
