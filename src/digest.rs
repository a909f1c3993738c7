//! SHA-256, in the two spellings that this program writes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Lower-case hex over all parts, one after the other.
#[must_use]
pub fn hex(parts: &[&str]) -> String {
    let mut text = String::with_capacity(64);
    for byte in sha256(parts) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The first `bytes` of it in Base64 for URLs: 16 make 22 characters.
#[must_use]
pub fn short(parts: &[&str], bytes: usize) -> String {
    let digest = sha256(parts);
    BASE64_URL_SAFE_NO_PAD.encode(digest.get(..bytes).unwrap_or(&digest))
}

fn sha256(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_digest() {
        assert_eq!(hex(&["a", "bc"]), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(short(&["abc"], 16).len(), 22);
    }
}
