//! The envelope of every stored value: format, checksum, JSON.

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// The format that this version writes. A newer one is refused, an older one is read.
/// 2: imported objects (`claimed`, `pinned`; the records `adopted` and `pinned`). A value of
/// format 1 has none of them, which reads as: ours, nothing pinned.
pub(crate) const FORMAT: u32 = 2;

const CHECKSUM: usize = 8;

/// Why a value cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    TooNew(u32),
    Damaged(String),
}

fn checksum(payload: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::digest(payload);
    let mut sum = [0; CHECKSUM];
    sum.copy_from_slice(&digest[..CHECKSUM]);
    sum
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let payload = serde_json::to_vec(value)?;
    let mut bytes = Vec::with_capacity(payload.len() + 4 + CHECKSUM);
    bytes.extend_from_slice(&FORMAT.to_be_bytes());
    bytes.extend_from_slice(&checksum(&payload));
    bytes.extend_from_slice(&payload);
    Ok(bytes)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let damaged = |reason: &str| DecodeError::Damaged(reason.to_owned());
    let (format, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| damaged("it is cut short"))?;
    let (sum, payload) = rest.split_first_chunk::<CHECKSUM>().ok_or_else(|| damaged("it is cut short"))?;
    let format = u32::from_be_bytes(*format);
    if format > FORMAT {
        return Err(DecodeError::TooNew(format));
    }
    if checksum(payload) != *sum {
        return Err(damaged("its checksum is wrong"));
    }
    serde_json::from_slice(payload)
        .map_err(|error| DecodeError::Damaged(format!("it does not have the right shape: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_flipped_bit_shows() {
        let bytes = encode(&vec!["a", "b"]).unwrap();
        assert_eq!(decode::<Vec<String>>(&bytes).unwrap(), ["a", "b"]);
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            let result = decode::<Vec<String>>(&flipped);
            // Bits of the format number that make it smaller say nothing by themselves.
            assert!(result.is_err() || at / 8 < 4, "bit {at}: {result:?}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut bytes = encode(&1).unwrap();
        bytes[..4].copy_from_slice(&9u32.to_be_bytes());
        assert_eq!(decode::<u32>(&bytes), Err(DecodeError::TooNew(9)));
    }
}
