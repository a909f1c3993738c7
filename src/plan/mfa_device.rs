//! Virtual MFA devices in RAM: what those are called that are made here, and how one goes with its user.

use crate::digest;
use crate::ram::MfaInfo;

/// How the names of our devices begin.
const PREFIX: &str = "ram-operator-";

/// The name of the device of a RamUser. It depends on nothing that changes, so that of two that make it one is refused by RAM.
///
/// Lower-case hex keeps names apart that RAM compares without regard to case.
#[must_use]
pub fn name(owner_id: &str, namespace: &str, name: &str) -> String {
    let hash: String = digest::hex(&["mfa/", owner_id, "/", namespace, "/", name]).chars().take(40).collect();
    format!("{PREFIX}{hash}")
}

/// RAM's `SerialNumber` of the device of that name.
#[must_use]
pub fn serial(account_id: &str, name: &str) -> String {
    format!("acs:ram::{account_id}:mfa/{name}")
}

/// How an MFA device goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Away {
    /// It is taken from the user.
    Unbind,
    /// The device of this serial number, which nobody has, is deleted.
    Delete(String),
}

/// What to do about MFA devices before their user can be deleted, if anything: RAM lets no user go that has one.
///
/// `loose` is a virtual device that this pass took from the user, `ours` the one that may have been made here.
#[must_use]
pub fn away(has: Option<&MfaInfo>, loose: Option<&String>, ours: Option<&String>) -> Option<Away> {
    if has.is_some() {
        return Some(Away::Unbind);
    }
    loose.or(ours).map(|serial| Away::Delete(serial.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram::MfaKind;

    #[test]
    fn names_fit_and_stay_apart() {
        let one = name("prod", "team-a", "reader");
        assert_eq!(one.len(), 53);
        assert!(one.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{one}");
        assert_eq!(one, name("prod", "team-a", "reader"));
        for other in [name("test", "team-a", "reader"), name("prod", "team-b", "reader"), name("prod", "team-a", "x")] {
            assert_ne!(one, other);
        }
        assert_eq!(serial("1", &one), format!("acs:ram::1:mfa/{one}"));
    }

    #[test]
    fn a_device_is_unbound_before_it_is_deleted() {
        let (ours, other) = ("acs:ram::1:mfa/ours".to_owned(), "acs:ram::1:mfa/other".to_owned());
        let has = MfaInfo { serial_number: other.clone(), kind: MfaKind::Virtual };
        assert_eq!(away(Some(&has), None, Some(&ours)), Some(Away::Unbind));
        assert_eq!(away(None, Some(&other), Some(&ours)), Some(Away::Delete(other)));
        assert_eq!(away(None, None, Some(&ours)), Some(Away::Delete(ours)));
        assert_eq!(away(None, None, None), None);
    }
}
