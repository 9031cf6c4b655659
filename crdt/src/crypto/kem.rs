//! HPKE (RFC 9180) base mode with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305: suite 1.
//!
//! X-Wing joins X25519 and ML-KEM-768 (draft-ietf-hpke-pq), so that what is sealed here stays
//! sealed if either of them falls. Keys made here serve one exchange; none is ever stored.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;

/// The number of this suite on the wire.
pub const SUITE: u16 = 1;
/// Bytes of a public key.
pub const PUBLIC_LEN: usize = 1216;
/// Bytes of an encapsulated key.
pub const ENCAPSULATED_LEN: usize = 1120;

type PublicKey = <XWing as Kem>::PublicKey;
type PrivateKey = <XWing as Kem>::PrivateKey;
type EncappedKey = <XWing as Kem>::EncappedKey;

/// Sealing or opening failed: a malformed key, another context, or altered bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the encapsulated seal does not hold")]
pub struct KemError;

/// A key pair for one exchange. It is consumed by opening and destroyed with it.
pub struct KemKey {
    private: PrivateKey,
    public: Vec<u8>,
}

impl KemKey {
    /// Draws a fresh key pair.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let (private, public) = XWing::gen_keypair_with_rng(rng);
        Self {
            private,
            public: public.to_bytes().to_vec(),
        }
    }

    /// The public half, [`PUBLIC_LEN`] bytes.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// Opens what [`seal`] made for this key's public half.
    ///
    /// # Errors
    /// [`KemError`] if key, `info`, `associated` or a single bit differ.
    pub fn open(
        &self,
        encapsulated: &[u8],
        info: &[u8],
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, KemError> {
        let encapsulated = EncappedKey::from_bytes(encapsulated).map_err(|_| KemError)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeR::Base,
            &self.private,
            &encapsulated,
            info,
            sealed,
            associated,
        )
        .map_err(|_| KemError)
    }
}

impl std::fmt::Debug for KemKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KemKey(…)")
    }
}

/// Seals `plain` to a public key and returns the encapsulated key and the sealed bytes.
///
/// # Errors
/// [`KemError`] if `public` is not a public key.
pub fn seal(
    public: &[u8],
    info: &[u8],
    associated: &[u8],
    plain: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, Vec<u8>), KemError> {
    let public = PublicKey::from_bytes(public).map_err(|_| KemError)?;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        XWing,
    >(&OpModeS::Base, &public, info, plain, associated, rng)
    .map_err(|_| KemError)?;
    Ok((encapsulated.to_bytes().to_vec(), sealed))
}
