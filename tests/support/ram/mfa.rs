//! Virtual MFA devices: their seeds, their codes (RFC 6238: SHA-1, 30 seconds, 6 digits) and whose they are.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;
use uuid::Uuid;

use super::logon::Hidden;
use super::state::Account;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// How the seeds begin, so that a scan for leaks recognises them; the rest is random.
const BEGINNING: &str = "S3CR3T";
/// Characters of a seed.
const SEED_LENGTH: usize = 64;
/// Seconds of a code.
const STEP: i64 = 30;
/// A code may be this many steps off the account's clock.
const SKEW: i64 = 2;

/// A virtual MFA device.
#[derive(Clone, Debug)]
pub struct Device {
    pub serial: String,
    /// Base32.
    pub seed: Hidden,
    pub created: Timestamp,
    pub bound: Option<Binding>,
    /// The latest step whose code was used.
    used: i64,
}

/// Whose a device is.
#[derive(Clone, Debug)]
pub struct Binding {
    pub user_id: String,
    pub since: Timestamp,
    pub by: BoundBy,
}

/// Who bound a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundBy {
    /// A call, signed with this AccessKeyId.
    Call(String),
    /// A person, by hand.
    Person,
}

impl Device {
    /// Whether these are two consecutive codes of about now, later than all that were used; they are used then.
    pub fn takes(&mut self, first: &str, second: &str, now: Timestamp) -> bool {
        let (used, seed, step) = (self.used, self.seed.plain(), now.as_second().div_euclid(STEP));
        let fits = |step: &i64| *step > used && code(seed, *step) == first && code(seed, *step + 1) == second;
        let found = if first == second { None } else { (step - SKEW..step + SKEW).find(fits) };
        if let Some(step) = found {
            self.used = step + 1;
        }
        found.is_some()
    }

    /// Whether this is a code of about now, later than all that were used; it is used then.
    pub fn takes_one(&mut self, text: &str, now: Timestamp) -> bool {
        let (used, seed, step) = (self.used, self.seed.plain(), now.as_second().div_euclid(STEP));
        let found = (step - SKEW..=step + SKEW).find(|step| *step > used && code(seed, *step) == text);
        self.used = found.unwrap_or(used);
        found.is_some()
    }
}

/// The code of a step.
fn code(seed: &str, step: i64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(&decoded(seed)).expect("HMAC takes keys of any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let digest: &[u8] = &digest[..];
    let offset = usize::from(digest[19] & 0x0f);
    let number = digest[offset..offset + 4].iter().fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// The bytes of a seed.
fn decoded(seed: &str) -> Vec<u8> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0_u32);
    for character in seed.bytes() {
        let value = BASE32.iter().position(|other| *other == character).expect("a seed is Base32");
        held = (held << 5) | u32::try_from(value).expect("less than 32");
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits).expect("eight bits"));
            held &= (1 << bits) - 1;
        }
    }
    bytes
}

/// A new seed.
fn seed() -> String {
    let random = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    let rest = random.iter().flat_map(Uuid::as_bytes).map(|byte| char::from(BASE32[usize::from(*byte % 32)]));
    BEGINNING.chars().chain(rest).take(SEED_LENGTH).collect()
}

impl Account {
    /// SerialNumber of the device of that name.
    pub fn serial(&self, name: &str) -> String {
        format!("acs:ram::{}:mfa/{name}", self.id)
    }

    /// The device of that SerialNumber.
    pub fn device(&self, serial: &str) -> Option<&Device> {
        self.devices.get(&self.fold(serial))
    }

    /// As [`Account::device`], to change it.
    pub fn device_mut(&mut self, serial: &str) -> Option<&mut Device> {
        let key = self.fold(serial);
        self.devices.get_mut(&key)
    }

    /// Makes a device without checks.
    pub fn add_device(&mut self, name: &str, now: Timestamp) -> Device {
        let seed = seed();
        let device =
            Device { serial: self.serial(name), seed: Hidden::new(&seed), created: now, bound: None, used: i64::MIN };
        self.secrets.push(seed);
        self.devices.insert(self.fold(&device.serial), device.clone());
        device
    }

    /// Takes a device away, without a look at whose it is.
    pub fn remove_device(&mut self, serial: &str) -> Option<Device> {
        let key = self.fold(serial);
        self.devices.remove(&key)
    }

    /// Binds a device to a user without checks.
    pub fn bind(&mut self, serial: &str, user_id: &str, by: BoundBy, now: Timestamp) {
        let key = self.fold(serial);
        if let (Some(device), Some(user)) = (self.devices.get_mut(&key), self.users.get_mut(user_id)) {
            device.bound = Some(Binding { user_id: user_id.to_owned(), since: now, by });
            user.mfa_device = Some(device.serial.clone());
        }
    }

    /// Unbinds the device of a user and returns its SerialNumber, if there is one.
    pub fn unbind(&mut self, user_id: &str) -> Option<String> {
        let serial = self.users.get_mut(user_id)?.mfa_device.take()?;
        if let Some(device) = self.device_mut(&serial) {
            device.bound = None;
        }
        Some(serial)
    }
}
