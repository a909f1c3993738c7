//! The user's MFA device: made and handed over once, and replaced only when somebody asks for that.
//!
//! RAM shows a seed once, in the answer that makes its device. So a seed in our Secret is always that of the device of our name: it is cleared before
//! a device is deleted or made, and whoever made one that was deleted since cannot write its seed any more.

use jiff::Timestamp;

use super::super::mfa_device::{Away, away};
use super::super::timing::{LATER, SOON};
use super::super::{Reason, Verdict, unpaused};
use super::live::{granted, rest};
use super::login::Reset;
use super::{InRam, Memory, Seen, Step};
use crate::api::{MfaBinder, MfaPhase, MfaState, RamUserSpec, UserState, VirtualMfa};
use crate::ram::MfaInfo;

/// What the status remembers of the MFA device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MfaMemory {
    /// How far it has come.
    pub phase: MfaPhase,
    /// The device.
    pub serial_number: Option<String>,
    /// Since when it is so.
    pub since: Option<Timestamp>,
}

/// The Secret for the seed, without the seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeedSeen {
    /// There is none.
    #[default]
    Absent,
    /// It is somebody else's.
    Foreign,
    /// It is ours and has no seed.
    Empty,
    /// It has the seed of the device of our name.
    There,
}

/// What a pass knows of MFA devices beside what RAM shows.
#[allow(clippy::struct_excessive_bools, reason = "facts of one pass, each read by name")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MfaFacts {
    /// The serial number of the device that is made here; empty while the account cannot be used.
    pub serial: String,
    /// The Secret for its seed; read when the user has no device.
    pub seed: SeedSeen,
    /// The annotation `reset-mfa`.
    pub reset: Reset,
    /// What the status remembers came about so recently that what RAM shows may be from before.
    pub fresh: bool,
    /// RAM refused to give the user another device, so that the one that it shows is no old one.
    pub confirmed: bool,
    /// This pass has taken the device from the user.
    pub unbound: bool,
    /// This pass has cleared the Secret for the seed.
    pub claimed: bool,
    /// This pass has made a device and written its seed.
    pub made: bool,
    /// RAM has a device of our name already.
    pub exists: bool,
    /// This pass has deleted the device of our name, or found that it need not.
    pub deleted: bool,
    /// It could not be deleted: another user has it.
    pub held: bool,
    /// A virtual device that this pass took from the user.
    pub loose: Option<String>,
}

/// Whether a device may have been made here.
#[must_use]
pub fn has_device(spec: &RamUserSpec, memory: &Memory) -> bool {
    spec.virtual_mfa.is_some() || memory.mfa.is_some()
}

/// Whether the request of `reset-mfa` that was taken up is complete, since this is how far the device has come.
#[must_use]
pub fn complete(phase: MfaPhase, wanted: &VirtualMfa) -> bool {
    match phase {
        MfaPhase::Leaving => false,
        MfaPhase::Issued => wanted.bind == MfaBinder::User,
        MfaPhase::Bound | MfaPhase::Absent => true,
    }
}

/// Whether the device that RAM shows may be one from before what was done here this moment: then it tells nothing of what there is now.
#[must_use]
pub fn may_be_gone(memory: Option<&MfaMemory>, facts: &MfaFacts, device: &MfaInfo) -> bool {
    let Some(known) = memory.filter(|_| facts.fresh && !facts.confirmed) else { return false };
    match known.phase {
        // There was none when another one was made.
        MfaPhase::Issued => true,
        MfaPhase::Bound => !known.serial_number.as_deref().is_some_and(|serial| is(device, serial)),
        MfaPhase::Leaving | MfaPhase::Absent => false,
    }
}

/// Whether `reset-mfa` was asked for while the user had this device. Another one, which it has bound since, stays.
#[must_use]
pub fn replaced(memory: Option<&MfaMemory>, facts: &MfaFacts, device: &MfaInfo) -> bool {
    let leaving = memory.filter(|mfa| mfa.phase == MfaPhase::Leaving && facts.reset.open());
    let it = |mfa: &MfaMemory| mfa.serial_number.as_deref().is_none_or(|serial| is(device, serial));
    leaving.is_some_and(|mfa| facts.fresh || it(mfa))
}

fn is(device: &MfaInfo, serial: &str) -> bool {
    device.serial_number.eq_ignore_ascii_case(serial)
}

/// What takes a device away that may be in wrong hands, whatever else the user lacks.
pub(super) fn take_away(seen: &Seen, ram: &InRam) -> Option<Step> {
    let managed = seen.spec.virtual_mfa.is_some() && seen.spec.state == UserState::Active;
    if !managed || seen.paused || seen.memory.adoption.holds() {
        return None;
    }
    if ram.mfa.is_some() && seen.mfa.reset.news().is_some() {
        return Some(Step::RecordMfaReset);
    }
    // That there is none may be from before it was bound: then it is taken away unseen.
    let absent = seen.spec.virtual_mfa.as_ref().is_some_and(|wanted| wanted.state == MfaState::Absent);
    let goes = match &ram.mfa {
        Some(device) => absent || replaced(seen.memory.mfa.as_ref(), &seen.mfa, device),
        None => seen.mfa.fresh && !seen.mfa.unbound && (absent || seen.mfa.reset.open()),
    };
    (goes && phase(seen) == Some(MfaPhase::Leaving)).then_some(Step::UnbindMfa)
}

/// What to do next about the MFA device; `drift` is what is reported besides.
pub(super) fn next(seen: &Seen, ram: &InRam, drift: &[String]) -> Result<Step, Verdict> {
    let Some(wanted) = seen.spec.virtual_mfa.as_ref().filter(|_| seen.spec.state == UserState::Active) else {
        return Err(rest(seen, drift));
    };
    if seen.mfa.reset.news().is_some() {
        if ram.mfa.is_some() && seen.memory.adoption.holds() {
            return Err(Verdict::new(Reason::AdoptionPending).about("its MFA device would be replaced"));
        }
        return Ok(Step::RecordMfaReset);
    }
    let step = match wanted.state {
        MfaState::Absent => absent(seen, ram)?,
        MfaState::Present => present(seen, ram, wanted)?,
    };
    step.map_or_else(|| Err(settled(seen, ram, drift)), Ok)
}

/// What RAM shows and does not count yet is looked at again.
fn settled(seen: &Seen, ram: &InRam, drift: &[String]) -> Verdict {
    let verdict = rest(seen, drift);
    if ram.mfa.as_ref().is_some_and(|device| old(seen, device)) { verdict.again_in(SOON) } else { verdict }
}

fn old(seen: &Seen, device: &MfaInfo) -> bool {
    may_be_gone(seen.memory.mfa.as_ref(), &seen.mfa, device)
}

fn phase(seen: &Seen) -> Option<MfaPhase> {
    seen.memory.mfa.as_ref().map(|mfa| mfa.phase)
}

/// Noted first, then done: after a crash in between nobody takes our own work for somebody else's.
fn absent(seen: &Seen, ram: &InRam) -> Result<Option<Step>, Verdict> {
    if ram.mfa.is_some() && seen.memory.adoption.holds() {
        return Ok(None);
    }
    let step = match (&ram.mfa, phase(seen)) {
        (_, Some(MfaPhase::Issued | MfaPhase::Bound)) | (Some(_), Some(MfaPhase::Absent)) => {
            Step::RecordMfa(MfaPhase::Leaving)
        }
        (Some(_), _) => Step::UnbindMfa,
        (None, Some(MfaPhase::Absent)) => return Ok(None),
        // Whoever has it may be this user, and not show yet.
        (None, _) if seen.mfa.held => return Err(held(seen)),
        (None, _) if seen.mfa.deleted => return Ok(None),
        (None, _) => Step::DeleteMfaDevice(seen.mfa.serial.clone()),
    };
    unpaused(seen.paused)?;
    Ok(Some(step))
}

fn present(seen: &Seen, ram: &InRam, wanted: &VirtualMfa) -> Result<Option<Step>, Verdict> {
    match (&ram.mfa, phase(seen)) {
        (Some(device), Some(MfaPhase::Leaving))
            if replaced(seen.memory.mfa.as_ref(), &seen.mfa, device) && !seen.memory.adoption.holds() =>
        {
            unpaused(seen.paused)?;
            Ok(Some(Step::UnbindMfa))
        }
        (Some(device), phase) if old(seen, device) => doubtful(seen, wanted, phase),
        // What we took away this moment may still show.
        (Some(_), Some(MfaPhase::Leaving | MfaPhase::Absent)) if seen.mfa.fresh => {
            Err(Verdict::new(Reason::Unsettled).again_in(SOON))
        }
        // Nobody asked for another one: what the user has bound meanwhile stays.
        (Some(device), _) => bound(seen, device),
        (None, Some(MfaPhase::Bound)) => Err(taken(seen)),
        // A Secret that is gone was handed over; one that was cleared was not.
        (None, Some(MfaPhase::Issued)) if wanted.bind == MfaBinder::User && seen.mfa.seed != SeedSeen::Empty => {
            Ok(None)
        }
        (None, phase) => issue(seen, wanted, phase),
    }
}

/// A device that may be gone. Where the operator binds, RAM's answer to that tells how it is.
fn doubtful(seen: &Seen, wanted: &VirtualMfa, phase: Option<MfaPhase>) -> Result<Option<Step>, Verdict> {
    match (phase, wanted.bind) {
        (Some(MfaPhase::Issued), MfaBinder::User) => Ok(None),
        (Some(MfaPhase::Issued), MfaBinder::Operator) if seen.mfa.seed == SeedSeen::There => {
            unpaused(seen.paused)?;
            granted(seen)?;
            Ok(Some(Step::BindMfa))
        }
        _ => Err(Verdict::new(Reason::Unsettled).again_in(SOON)),
    }
}

/// Any device of the user will do. If it is not ours, ours may be left over.
fn bound(seen: &Seen, device: &MfaInfo) -> Result<Option<Step>, Verdict> {
    let known = seen.memory.mfa.as_ref().filter(|mfa| mfa.phase == MfaPhase::Bound);
    let known = known.and_then(|mfa| mfa.serial_number.as_deref()).is_some_and(|serial| is(device, serial));
    if known || is(device, &seen.mfa.serial) || seen.mfa.deleted {
        return Ok(None);
    }
    unpaused(seen.paused)?;
    Ok(Some(Step::DeleteMfaDevice(seen.mfa.serial.clone())))
}

/// What was bound this moment may not show yet.
fn taken(seen: &Seen) -> Verdict {
    if seen.mfa.fresh {
        return Verdict::new(Reason::Unsettled).again_in(SOON);
    }
    Verdict::new(Reason::MfaTakenOutside).again_in(LATER)
}

/// A device for a user that has none: with the seed that is there, or a new one.
fn issue(seen: &Seen, wanted: &VirtualMfa, phase: Option<MfaPhase>) -> Result<Option<Step>, Verdict> {
    unpaused(seen.paused)?;
    granted(seen)?;
    // Its serial number is that of every device made here: only a note says that the seed is of the one that is there now.
    let trusted = seen.mfa.made || phase == Some(MfaPhase::Issued);
    if trusted && seen.mfa.seed == SeedSeen::There {
        return Ok(match (phase, wanted.bind) {
            (Some(MfaPhase::Issued), MfaBinder::Operator) => Some(Step::BindMfa),
            (Some(MfaPhase::Issued), MfaBinder::User) => None,
            _ => Some(Step::RecordMfa(MfaPhase::Issued)),
        });
    }
    make(seen, wanted, phase).map(Some)
}

/// The Secret is tried, and an old seed cleared from it, before there is a device; a device whose seed is lost makes room for another.
fn make(seen: &Seen, wanted: &VirtualMfa, phase: Option<MfaPhase>) -> Result<Step, Verdict> {
    let facts = &seen.mfa;
    if facts.seed == SeedSeen::Foreign {
        let name = wanted.secret.as_ref().map(|secret| secret.name.clone()).unwrap_or_default();
        return Err(Verdict::new(Reason::SecretConflict).about(name));
    }
    if facts.held {
        return Err(held(seen));
    }
    // The Secret names the user as it logs on.
    if seen.account.as_ref().is_ok_and(|account| account.default_domain.is_none()) {
        return Err(Verdict::new(Reason::DomainUnknown).again_in(LATER));
    }
    if phase == Some(MfaPhase::Absent) {
        // Noted before there is a device again: it is looked for when it is to go.
        return Ok(Step::RecordMfa(MfaPhase::Leaving));
    }
    let old = facts.exists || phase == Some(MfaPhase::Leaving);
    // An empty one was tried before, and is written only in the state that was read; whoever made a device that goes is shut out first.
    if !facts.claimed && (old || facts.seed != SeedSeen::Empty) {
        return Ok(Step::ClaimSeedSecret);
    }
    if old && !facts.deleted {
        return Ok(Step::DeleteMfaDevice(facts.serial.clone()));
    }
    Ok(Step::MakeMfaDevice)
}

/// The device of our name could not be deleted, since a user has it: it may be this one, and not show yet.
fn held(seen: &Seen) -> Verdict {
    if seen.mfa.fresh {
        return Verdict::new(Reason::Unsettled).again_in(SOON);
    }
    Verdict::new(Reason::MfaDeviceHeld).about(&seen.mfa.serial).again_in(LATER)
}

/// What goes before the user can be deleted.
pub(super) fn leave(seen: &Seen, ram: &InRam) -> Option<Step> {
    match away(ram.mfa.as_ref(), seen.mfa.loose.as_ref(), ours(seen))? {
        Away::Unbind => Some(Step::UnbindMfa),
        Away::Delete(serial) => Some(Step::DeleteMfaDevice(serial)),
    }
}

/// What is left where the user is gone: a device outlives it.
pub(super) fn left_over(seen: &Seen) -> Option<Step> {
    ours(seen).cloned().map(Step::DeleteMfaDevice)
}

/// The device that may have been made here and was not deleted in this pass.
fn ours(seen: &Seen) -> Option<&String> {
    let made = has_device(&seen.spec, &seen.memory) && !seen.mfa.deleted;
    Some(&seen.mfa.serial).filter(|serial| made && !serial.is_empty())
}
