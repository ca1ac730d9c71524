//! Numbers that follow from names, the same on every machine and in every version.

use sha2::{Digest, Sha256};

/// A number that is spread evenly and follows from the words alone.
pub(crate) fn spread(words: &[&str]) -> u64 {
    let digest = digest(words);
    u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

/// 128 bits that follow from the words alone.
pub(crate) fn spread_wide(words: &[&str]) -> [u8; 16] {
    digest(words)[..16]
        .try_into()
        .expect("a digest has 32 bytes")
}

fn digest(words: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for word in words {
        // The length keeps `ab`, `c` apart from `a`, `bc`.
        hasher.update((word.len() as u64).to_be_bytes());
        hasher.update(word);
    }
    hasher.finalize().into()
}

/// SHA-256 in hex.
pub(crate) fn hex_digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    digest
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}
