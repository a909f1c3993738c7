//! What follows from a step on a RAM user, without taking it.

use jiff::Timestamp;

use super::super::Next;
use super::super::preview::Foresee;
use super::{InRam, LoginChange, LoginMemory, Memory, PasswordSeen, SeedSeen, Seen, Step};
use crate::api::{LoginState, MfaPhase};
use crate::ram::{LoginProfile, MfaInfo, MfaKind, NewUser, User, UserChanges};

impl Foresee for Seen {
    type Step = Step;

    fn next(&self, now: Timestamp) -> Next<Step> {
        super::next(self, now)
    }

    fn after(&self, step: &Step) -> Option<Self> {
        let mut seen = self.clone();
        match step {
            Step::AddFinalizer => seen.finalizer = true,
            Step::RecordAdoption => seen.memory.adoption.noted = Some(Timestamp::UNIX_EPOCH),
            Step::RecordGone => {
                seen.memory = Memory { adoption: self.memory.adoption, ..Memory::default() };
                seen.memory.account_id.clone_from(&self.memory.account_id);
            }
            Step::CreateUser(new) => seen.made(new),
            Step::UpdateUser(changes) => seen.changed(changes)?,
            Step::AttachPolicy(policy) => seen.ram.as_mut()?.policies.push(policy.clone()),
            Step::DetachPolicy(policy) => {
                seen.quota_reached = false;
                seen.ram.as_mut()?.policies.retain(|has| !has.same_as(policy));
            }
            Step::JoinGroup(group) => seen.ram.as_mut()?.groups.push(group.clone()),
            Step::LeaveGroup(group) => {
                seen.groups_full = false;
                seen.ram.as_mut()?.groups.retain(|has| !has.eq_ignore_ascii_case(group));
            }
            Step::RecordLogin(state) => seen.memory.login.get_or_insert_default().state = *state,
            Step::RecordPassword(seal) => {
                let none = seen.ram.as_ref().is_some_and(|ram| ram.login.is_none());
                let login = seen.memory.login.get_or_insert_default();
                login.giving = Some(seal.clone());
                login.state = if none { LoginState::Absent } else { login.state };
            }
            Step::RecordReset => {
                let first = seen.memory.login.is_none();
                seen.reset.accepted.clone_from(&self.reset.asked);
                if first {
                    seen.reset.done.clone_from(&self.reset.asked);
                }
            }
            Step::WritePassword => seen.password = PasswordSeen::There(seen.foreseen_seal()),
            Step::CreateLogin(change) | Step::ChangeLogin(change) => seen.logged_on(change)?,
            Step::DeleteLogin => seen.ram.as_mut()?.login = None,
            Step::RecordMfa(phase) => seen.memory.mfa.get_or_insert_default().phase = *phase,
            Step::RecordMfaReset => {
                seen.mfa.reset.accepted.clone_from(&self.mfa.reset.asked);
                seen.memory.mfa.get_or_insert_default().phase = MfaPhase::Leaving;
            }
            Step::ClaimSeedSecret => (seen.mfa.claimed, seen.mfa.seed) = (true, SeedSeen::Empty),
            Step::MakeMfaDevice => (seen.mfa.made, seen.mfa.seed) = (true, SeedSeen::There),
            Step::BindMfa => seen.bound()?,
            Step::UnbindMfa => {
                seen.mfa.unbound = true;
                seen.ram.as_mut()?.mfa = None;
            }
            Step::DeleteMfaDevice(_) => seen.mfa.deleted = true,
            // What else there is has an end of its own, or depends on what RAM answers.
            _ => return None,
        }
        Some(seen)
    }

    fn only_looks(step: &Step) -> bool {
        matches!(step, Step::LookAtPolicy(_) | Step::LookAtGroup(_))
    }

    fn line(&self, step: &Step) -> Option<String> {
        let name = &self.user_name;
        let line = match step {
            Step::CreateUser(_) => format!("CreateUser {name}"),
            Step::UpdateUser(_) => format!("UpdateUser {name}"),
            Step::AttachPolicy(policy) => format!("AttachPolicyToUser {policy}"),
            Step::DetachPolicy(policy) => format!("DetachPolicyFromUser {policy}"),
            Step::JoinGroup(group) => format!("AddUserToGroup {group}"),
            Step::LeaveGroup(group) => format!("RemoveUserFromGroup {group}"),
            Step::DisableKey(id) => format!("UpdateAccessKey {id} Inactive"),
            Step::DeleteKey(id) => format!("DeleteAccessKey {id}"),
            Step::WritePassword => format!("write the Secret {}", self.password_secret()),
            Step::CreateLogin(_) => format!("CreateLoginProfile {name}"),
            Step::ChangeLogin(_) => format!("UpdateLoginProfile {name}"),
            Step::DeleteLogin => format!("DeleteLoginProfile {name}"),
            Step::ClaimSeedSecret => format!("write the Secret {}", self.seed_secret()),
            Step::MakeMfaDevice => format!("CreateVirtualMFADevice {}", self.mfa.serial),
            Step::BindMfa => format!("BindMFADevice {name}"),
            Step::UnbindMfa => format!("UnbindMFADevice {name}"),
            Step::DeleteMfaDevice(serial) => format!("DeleteVirtualMFADevice {serial}"),
            Step::DeleteUser => format!("DeleteUser {name}"),
            Step::AddFinalizer
            | Step::RemoveFinalizer
            | Step::LookAtPolicy(_)
            | Step::LookAtGroup(_)
            | Step::Disarm(_)
            | Step::RecordAdoption
            | Step::RecordGone
            | Step::RecordLogin(_)
            | Step::RecordPassword(_)
            | Step::RecordReset
            | Step::RecordMfa(_)
            | Step::RecordMfaReset
            | Step::HandOver(_) => return None,
        };
        Some(line)
    }
}

impl Seen {
    /// A user that was just made has nothing. Its id is not known before.
    fn made(&mut self, new: &NewUser) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let user = User {
            user_id: String::new(),
            user_name: new.user_name.clone(),
            display_name: text(&new.display_name),
            comments: text(&new.comments),
            email: text(&new.email),
            mobile_phone: text(&new.mobile_phone),
            create_time: None,
        };
        self.memory.user_id = Some(String::new());
        self.memory.marker_uid = self.marker.as_ref().map(|marker| marker.uid.clone());
        self.ram = Some(InRam { user: Some(user), ..InRam::default() });
    }

    fn changed(&mut self, changes: &UserChanges) -> Option<()> {
        let user = self.ram.as_mut()?.user.as_mut()?;
        let texts = [
            (&changes.display_name, &mut user.display_name),
            (&changes.comments, &mut user.comments),
            (&changes.email, &mut user.email),
            (&changes.mobile_phone, &mut user.mobile_phone),
        ];
        for (change, text) in texts {
            if let Some(change) = change {
                text.clone_from(change);
            }
        }
        if changes.comments.is_some() {
            self.memory.user_id = Some(user.user_id.clone());
            self.memory.marker_uid = self.marker.as_ref().map(|marker| marker.uid.clone());
        }
        Some(())
    }

    fn logged_on(&mut self, change: &LoginChange) -> Option<()> {
        let login = self.ram.as_mut()?.login.get_or_insert(LoginProfile {
            enabled: None,
            password_reset_required: false,
            mfa_bind_required: false,
            password_status: None,
        });
        login.enabled = change.enabled.or(login.enabled);
        login.mfa_bind_required = change.mfa.unwrap_or(login.mfa_bind_required);
        if change.password {
            let seal = match &self.password {
                PasswordSeen::There(seal) => Some(seal.clone()),
                _ => None,
            };
            let time = Some(Timestamp::UNIX_EPOCH);
            self.memory.login = Some(LoginMemory {
                state: LoginState::Enabled,
                password_time: time,
                password_seal: seal,
                giving: None,
            });
            self.reset.done.clone_from(&self.reset.accepted);
        } else if change.enabled == Some(true) {
            self.memory.login.get_or_insert_default().state = LoginState::Enabled;
        }
        Some(())
    }

    /// The device of our name is the user's.
    fn bound(&mut self) -> Option<()> {
        let device = MfaInfo { serial_number: self.mfa.serial.clone(), kind: MfaKind::Virtual };
        self.ram.as_mut()?.mfa = Some(device);
        let memory = self.memory.mfa.get_or_insert_default();
        memory.phase = MfaPhase::Bound;
        memory.serial_number = Some(self.mfa.serial.clone());
        Some(())
    }

    fn seed_secret(&self) -> &str {
        let secret = self.spec.virtual_mfa.as_ref().and_then(|mfa| mfa.secret.as_ref());
        secret.map(|secret| secret.name.as_str()).unwrap_or_default()
    }

    /// Another text than the one before, under the same key.
    fn foreseen_seal(&self) -> String {
        let known = self.memory.login.as_ref().and_then(|login| login.password_seal.as_deref()).unwrap_or_default();
        format!("{}.foreseen", known.split('.').next().unwrap_or_default())
    }

    fn password_secret(&self) -> &str {
        let initial = self.spec.console_login.as_ref().and_then(|login| login.initial_password.as_ref());
        initial.and_then(|initial| initial.secret.as_ref()).map_or("", |secret| secret.name.as_str())
    }
}
