//! The codes that a virtual MFA device shows: RFC 6238 with SHA-1, steps of 30 s and six digits, from a seed in Base32.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha1::Sha1;

/// How long a code is shown, in seconds.
const STEP: i64 = 30;

/// Two codes that follow one another, as BindMFADevice asks for: that of the step before `at`, and that of the step
/// which `at` is in. Neither is of the future, and who checks codes commonly accepts those of the step before its own:
/// both are good until the step of `at` ends. So take RAM's time ([`Client::now`](super::Client::now)), send the codes
/// at once, and take new ones for each attempt.
///
/// None if the seed is no Base32, or empty, or `at` is before 1970-01-01T00:00:30Z.
#[must_use]
pub fn consecutive_codes(seed: &SecretString, at: Timestamp) -> Option<[SecretString; 2]> {
    let key = base32(seed.expose_secret())?;
    let step = u64::try_from(at.as_second().div_euclid(STEP)).ok()?;
    Some([code(&key, step.checked_sub(1)?)?, code(&key, step)?])
}

/// The code of the step with that number, counted from 1970-01-01T00:00:00Z (RFC 4226, 5.3).
fn code(key: &[u8], step: u64) -> Option<SecretString> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).ok()?;
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let digest = digest.as_slice();
    let offset = usize::from(digest.last()? & 0x0f);
    let four: [u8; 4] = digest.get(offset..offset + 4)?.try_into().ok()?;
    let number = (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000;
    Some(format!("{number:06}").into())
}

/// The bytes that Base32 (RFC 4648, in either case, with or without padding) stands for, if it is that and not empty.
/// Bits left over, fewer than a byte, are dropped.
fn base32(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut bits, mut count) = (0_u32, 0_u32);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter.to_ascii_uppercase() {
            upper @ b'A'..=b'Z' => upper - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5) | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            bytes.push(byte);
            bits &= (1_u32 << count) - 1;
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the RFC's vectors: `12345678901234567890`.
    const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn codes(seed: &str, second: i64) -> Option<[String; 2]> {
        let at = Timestamp::from_second(second).unwrap();
        consecutive_codes(&seed.into(), at).map(|codes| codes.map(|code| code.expose_secret().to_owned()))
    }

    #[test]
    fn the_vectors_of_the_rfc() {
        // RFC 6238, appendix B, the last six of eight digits.
        for (second, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(codes(SEED, second).unwrap()[1], expected, "{second}");
        }
        // RFC 4226, appendix D: the codes of the first counters.
        assert_eq!(codes(SEED, 30).unwrap(), ["755224", "287082"]);
        assert_eq!(codes(SEED, 60).unwrap(), ["287082", "359152"]);
    }

    #[test]
    fn codes_follow_one_another() {
        let [_, current] = codes(SEED, 1_234_567_890).unwrap();
        let [before, _] = codes(SEED, 1_234_567_890 + STEP).unwrap();
        assert_eq!(current, before);
        // All seconds of a step have the same codes.
        assert_eq!(codes(SEED, 1_234_567_919), codes(SEED, 1_234_567_890));
        assert_ne!(codes(SEED, 1_234_567_920), codes(SEED, 1_234_567_890));
        assert_eq!((codes(SEED, 29), codes(SEED, -31)), (None, None));
    }

    #[test]
    fn a_seed_may_be_in_any_case_and_padded_and_must_be_base32() {
        let lower = SEED.to_ascii_lowercase();
        assert_eq!(codes(&lower, 59), codes(SEED, 59));
        for (text, bytes) in [
            ("MY======", "f"),
            ("MZXQ====", "fo"),
            ("MZXW6===", "foo"),
            ("MZXW6YQ=", "foob"),
            ("MZXW6YTB", "fooba"),
            ("mzxw6ytboi", "foobar"),
        ] {
            assert_eq!(base32(text).unwrap().as_slice(), bytes.as_bytes(), "{text}");
        }
        for text in ["", "=", "A", "MZXW 6YTB", "MZXW1", "MZXW8", "MZ=XW6YTB", "MZXW-6YTB", "Ünlesbar", "\u{0}"] {
            assert!(base32(text).is_none(), "{text:?}");
        }
    }
}
