//! The user's MFA device: what a pass knows of it, and the plan's steps about it.

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::events::EventType;

use super::super::drive::{note, request};
use super::super::error::Error;
use super::super::virtual_mfa::{claim, delete_device, find, publish, read};
use super::UserPass;
use crate::api::{MfaPhase, MfaState, RamUser, RamUserStatus, Request, SeedSecret, VirtualMfaStatus, annotation};
use crate::plan::mfa_device;
use crate::plan::ram_user::{InRam, MfaFacts, MfaMemory, Reset, complete, may_be_gone, replaced};
use crate::plan::timing::{LATER, READ_LAG, after};
use crate::plan::{Reason, Verdict};
use crate::ram::{self, Class, MfaInfo, MfaKind};

/// What the status remembers.
pub(super) fn memory(stored: VirtualMfaStatus) -> MfaMemory {
    MfaMemory {
        phase: stored.state,
        serial_number: stored.serial_number,
        since: stored.since_time.and_then(|text| text.parse().ok()),
    }
}

/// How far `reset-mfa` has come.
pub(super) fn reset(object: &RamUser) -> Reset {
    let stored = object.status.as_ref().and_then(|status| status.requests.as_ref()?.reset_mfa.clone());
    let stored = stored.unwrap_or_default();
    Reset { asked: request(object, annotation::RESET_MFA), accepted: stored.accepted, done: stored.done }
}

impl UserPass<'_> {
    pub(super) fn mfa_facts(&self) -> MfaFacts {
        MfaFacts { serial: self.serial(), seed: self.seed.seen, fresh: self.mfa_fresh(), ..self.mfa.clone() }
    }

    /// The name of the device that is made here.
    fn device_name(&self) -> Option<String> {
        let account = self.account.as_ref().ok()?;
        Some(mfa_device::name(&account.view.owner_id, &self.key.namespace, &self.key.name))
    }

    fn serial(&self) -> String {
        let account = self.account.as_ref().map_or("", |account| account.view.account_id.as_str());
        self.device_name().map(|name| mfa_device::serial(account, &name)).unwrap_or_default()
    }

    /// Whether RAM was read so shortly after what the status remembers that it may not show that.
    fn mfa_fresh(&self) -> bool {
        let since = self.memory.mfa.as_ref().and_then(|mfa| mfa.since);
        let read = self.read_at.unwrap_or_else(|| self.now());
        since.is_some_and(|time| read <= after(time, READ_LAG))
    }

    /// Where the seed of a device goes.
    fn seed_secret(&self) -> Option<&SeedSecret> {
        let wanted = self.object.spec.virtual_mfa.as_ref().filter(|mfa| mfa.state == MfaState::Present)?;
        wanted.secret.as_ref()
    }

    /// The Secret is looked at only where its seed may be needed: once a device is bound, nothing is asked of it.
    pub(super) async fn observe_seed(&mut self) -> Result<(), Error> {
        let phase = self.memory.mfa.as_ref().map(|mfa| mfa.phase);
        // A device that shows may be one from before.
        let underway = matches!(phase, Some(MfaPhase::Leaving | MfaPhase::Issued));
        let needed = self.ram.as_ref().is_some_and(|ram| ram.mfa.is_none()) || underway;
        let Some(secret) = self.seed_secret().filter(|_| needed && !self.seed_read && !self.deleting()) else {
            return Ok(());
        };
        let found = find(&self.ctx.kube, &self.object, secret, &self.serial()).await?;
        self.seed = found;
        self.seed_read = true;
        Ok(())
    }

    pub(super) async fn record_mfa(&mut self, phase: MfaPhase) -> Result<(), Error> {
        let (serial, since) = (self.serial(), self.second());
        self.note_in_status(|status| {
            let mfa = status.virtual_mfa.get_or_insert_default();
            mfa.state = phase;
            mfa.since_time = since.map(|time| time.to_string());
            if phase == MfaPhase::Issued {
                mfa.serial_number = Some(serial);
            }
        })
        .await?;
        if phase == MfaPhase::Issued {
            let (name, secret) = (self.user_name(), self.seed_secret().map(|secret| secret.name.clone()));
            let secret = secret.unwrap_or_default();
            let message = format!("The seed of a new MFA device for user {name} is in Secret {secret}.");
            note(self.ctx, &self.object, EventType::Normal, "MfaIssued", message).await;
        }
        Ok(())
    }

    /// A value that is there when the device was never carried out may be long done, and where there is to be no device there is none to replace.
    pub(super) async fn record_mfa_reset(&mut self) -> Result<(), Error> {
        let (asked, since) = (self.mfa.reset.asked.clone(), self.second());
        let nothing = self.memory.mfa.is_none() || self.seed_secret().is_none();
        let shown = self.ram.as_ref().and_then(|ram| ram.mfa.as_ref()).map(|device| device.serial_number.clone());
        self.note_in_status(|status| {
            let requests = status.requests.get_or_insert_default();
            let request = requests.reset_mfa.get_or_insert_default();
            request.accepted.clone_from(&asked);
            if nothing {
                request.done = asked;
            } else {
                let mfa = status.virtual_mfa.get_or_insert_default();
                mfa.state = MfaPhase::Leaving;
                mfa.serial_number = shown.or(mfa.serial_number.take());
                mfa.since_time = since.map(|time| time.to_string());
            }
        })
        .await
    }

    pub(super) async fn claim_seed_secret(&mut self) -> Result<(), Error> {
        let Some(secret) = self.seed_secret() else { return Err(Error::Unsettled) };
        let stored = claim(&self.ctx.kube, &self.object, secret, self.seed.stored.as_ref()).await?;
        self.seed = read(stored, &self.object.name_any(), &self.serial());
        self.mfa.claimed = true;
        Ok(())
    }

    /// The seed is in this one answer: it is in the Secret before anything else happens.
    pub(super) async fn make_device(&mut self) -> Result<(), Error> {
        let principal = self.principal(&self.user_name()).ok_or_else(|| Verdict::new(Reason::DomainUnknown))?;
        let (Some(secret), Some(claimed), Some(name)) =
            (self.seed_secret(), self.seed.stored.as_ref(), self.device_name())
        else {
            return Err(Error::Unsettled);
        };
        let device = match self.client()?.create_virtual_mfa_device(&name).await {
            Err(error) if error.class() == Class::Exists && self.mfa.deleted => return Err(Error::Unsettled),
            // Its seed was lost on the way to the Secret, or somebody made it by hand.
            Err(error) if error.class() == Class::Exists => {
                self.mfa.exists = true;
                return Ok(());
            }
            other => other?,
        };
        let stored = publish(&self.ctx.kube, &self.object, secret, claimed, &device, &principal).await?;
        self.seed = read(stored, &self.object.name_any(), &self.serial());
        (self.mfa.made, self.mfa.deleted) = (true, false);
        Ok(())
    }

    pub(super) async fn bind_device(&mut self) -> Result<(), Error> {
        let (name, serial) = (self.user_name(), self.serial());
        // RAM's own time: its clock judges the codes.
        let codes = self.seed.seed.as_ref().and_then(|seed| ram::consecutive_codes(seed, self.now()));
        let codes = codes.ok_or_else(codes_refused)?;
        if let Err(error) = self.client()?.bind_mfa_device(&name, &serial, &codes).await {
            return self.not_bound(error, serial).await;
        }
        self.memory.mfa = Some(MfaMemory { phase: MfaPhase::Bound, serial_number: Some(serial), since: self.second() });
        // What was read when the user was made does not show this.
        self.made_here = false;
        let message = format!("User {name} has an MFA device.");
        note(self.ctx, &self.object, EventType::Normal, "MfaBound", message).await;
        Ok(())
    }

    /// What RAM's refusal to bind tells of the devices that there are.
    async fn not_bound(&mut self, error: ram::Error, serial: String) -> Result<(), Error> {
        let shown = self.ram.as_ref().and_then(|ram| ram.mfa.as_ref());
        let its_own = shown.is_some_and(|device| device.serial_number.eq_ignore_ascii_case(&serial));
        match error.code() {
            Some("CheckAuthenticationCodeFail") => Err(codes_refused()),
            // It was bound before, and the answer was lost.
            Some("EntityAlreadyExists.User.MFADevice" | "EntityAlreadyExists.VirtualMFADevice.User") if its_own => {
                self.mfa.confirmed = true;
                Ok(())
            }
            // It may be this user's, and not show yet.
            Some("EntityAlreadyExists.VirtualMFADevice.User") if self.mfa_fresh() => Err(Error::Unsettled),
            Some("EntityAlreadyExists.VirtualMFADevice.User") => {
                Err(Verdict::new(Reason::MfaDeviceHeld).about(serial).again_in(LATER).into())
            }
            // Nobody ever had the device, so that another one may take its place.
            Some("EntityNotExist.VirtualMFADevice") if !self.mfa_fresh() => self.record_mfa(MfaPhase::Leaving).await,
            // The user has one, or the device is young: RAM does not show it yet.
            Some("EntityNotExist.VirtualMFADevice" | "EntityAlreadyExists.User.MFADevice") => Err(Error::Unsettled),
            _ => Err(error.into()),
        }
    }

    pub(super) async fn unbind_device(&mut self) -> Result<(), Error> {
        let name = self.user_name();
        let has = self.ram.as_ref().and_then(|ram| ram.mfa.clone());
        self.client()?.unbind_mfa_device(&name).await?;
        self.mfa.unbound = true;
        let Some(device) = has else { return Ok(()) };
        self.mfa.loose = Some(device.serial_number).filter(|_| device.kind == MfaKind::Virtual);
        let message = format!("The MFA device of user {name} was taken away.");
        note(self.ctx, &self.object, EventType::Normal, "MfaUnbound", message).await;
        Ok(())
    }

    pub(super) async fn delete_device(&mut self, serial: &str) -> Result<(), Error> {
        let ours = serial.eq_ignore_ascii_case(&self.serial());
        let loose = self.mfa.loose.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(serial));
        let gone = delete_device(self.client()?, serial, ours, loose).await?;
        if loose {
            self.mfa.loose = None;
        }
        if ours {
            self.mfa.deleted = true;
            self.mfa.held = !gone;
        }
        Ok(())
    }

    pub(super) fn mfa_status(&self, status: &mut RamUserStatus, ram: &InRam) {
        let mfa = self.carried_out(ram);
        let wanted = self.object.spec.virtual_mfa.as_ref();
        let Reset { accepted, mut done, .. } = self.mfa.reset.clone();
        if wanted.zip(mfa.as_ref()).is_some_and(|(wanted, mfa)| complete(mfa.phase, wanted)) {
            done.clone_from(&accepted);
        }
        status.virtual_mfa = mfa.map(|mfa| VirtualMfaStatus {
            state: mfa.phase,
            serial_number: mfa.serial_number,
            since_time: mfa.since.map(|time| time.to_string()),
        });
        if accepted.is_some() {
            let requests = status.requests.get_or_insert_default();
            requests.reset_mfa = Some(Request { accepted, done, ..Request::default() });
        }
    }

    /// How far it has come, as RAM shows it now.
    fn carried_out(&self, ram: &InRam) -> Option<MfaMemory> {
        let known = self.memory.mfa.clone();
        let wanted = self.object.spec.virtual_mfa.as_ref().map(|mfa| mfa.state);
        let phase = known.as_ref().map(|mfa| mfa.phase);
        let (phase, serial_number) = match (wanted, &ram.mfa) {
            (Some(MfaState::Present), Some(device))
                if !self.was_taken_away(device)
                    && !may_be_gone(known.as_ref(), &self.mfa_facts(), device)
                    && self.is_news(device) =>
            {
                (MfaPhase::Bound, Some(device.serial_number.clone()))
            }
            (Some(MfaState::Absent), None) if phase != Some(MfaPhase::Absent) && self.mfa.deleted && !self.mfa.held => {
                (MfaPhase::Absent, None)
            }
            _ => return known,
        };
        Some(MfaMemory { phase, serial_number, since: self.second() })
    }

    /// Whether what RAM shows may be a device that we take away, or took away this moment.
    fn was_taken_away(&self, device: &MfaInfo) -> bool {
        let known = self.memory.mfa.as_ref();
        match known.map(|mfa| mfa.phase) {
            Some(MfaPhase::Leaving) => replaced(known, &self.mfa_facts(), device) || self.mfa_fresh(),
            Some(MfaPhase::Absent) => self.mfa_fresh(),
            _ => false,
        }
    }

    /// Whether the status does not know yet that the user has this device, and ours is not left over beside it.
    fn is_news(&self, device: &MfaInfo) -> bool {
        let bound = self.memory.mfa.as_ref().filter(|mfa| mfa.phase == MfaPhase::Bound);
        let serial = bound.and_then(|mfa| mfa.serial_number.as_deref()).unwrap_or_default();
        let is = |serial: &str| device.serial_number.eq_ignore_ascii_case(serial);
        !is(serial) && (is(&self.serial()) || self.mfa.deleted)
    }

    /// Now, as the status can hold it.
    fn second(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.now().as_second()).ok()
    }
}

fn codes_refused() -> Error {
    Verdict::new(Reason::MfaCodesRefused).again_in(LATER).into()
}
