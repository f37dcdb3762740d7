//! The certificate authority of a cluster.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::super::Account;

/// PKCS#8 (RFC 8410) of an Ed25519 key, before its 32 bytes.
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Draws a key and makes a CA certificate of it: PEM, in base64, as
/// `certificateAuthority.data` has it. Ed25519, because its signatures follow from
/// key and content alone: the same seed gives the same certificate.
///
/// # Errors
/// The certificate library's, in words.
pub(super) fn authority(account: &mut Account) -> Result<String, rcgen::Error> {
    let secret = hex::decode(account.draw_hex(64)).unwrap_or_default();
    let key = KeyPair::try_from([&ED25519_PKCS8[..], &secret].concat())?;
    let created = i64::try_from(account.now_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    let year = i32::from(created.to_zoned_datetime(jiff::tz::TimeZone::UTC).year());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "kubernetes");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
    params.not_before = rcgen::date_time_ymd(year, 1, 1);
    params.not_after = rcgen::date_time_ymd(year + 10, 1, 1);
    Ok(STANDARD.encode(params.self_signed(&key)?.pem()))
}
