//! Transport keys and libp2p peer ids: two spellings of one Ed25519 public key.
//!
//! The peer id of an Ed25519 key is the identity multihash of the key's protobuf, so each can be
//! computed from the other. Peers with keys of another kind are not Kith's and have no
//! [`TransportKey`].

use kith_crdt::crypto::secret::Secret;
use kith_crdt::ids::TransportKey;
use libp2p::PeerId;
use libp2p::identity::Keypair;

/// Multihash code 0 (identity), 36 bytes; protobuf: field 1 (key type) = 1 (Ed25519), field 2
/// (key), 32 bytes.
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The peer id of a transport key.
pub(super) fn peer_id(key: &TransportKey) -> PeerId {
    let bytes = [&PREFIX[..], key.as_bytes()].concat();
    PeerId::from_bytes(&bytes).expect("an identity multihash of 36 bytes is a peer id")
}

/// The transport key of a peer id, if it is an Ed25519 key.
pub(super) fn transport_key(peer: &PeerId) -> Option<TransportKey> {
    TransportKey::from_slice(peer.to_bytes().strip_prefix(&PREFIX)?)
}

/// The key pair of a seed.
pub(super) fn keypair(seed: &Secret) -> Keypair {
    Keypair::ed25519_from_bytes(*seed.expose()).expect("any 32 bytes are an Ed25519 seed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_crdt::crypto::sign::SecretKey;

    #[test]
    fn a_key_and_its_peer_id_are_computed_from_each_other() {
        let seed = Secret::new([7; 32]);
        let key = TransportKey(SecretKey::from_seed(&seed).public());
        let peer = keypair(&seed).public().to_peer_id();
        assert_eq!(peer_id(&key), peer);
        assert_eq!(transport_key(&peer), Some(key));
    }

    #[test]
    fn a_peer_id_that_is_only_a_hash_has_no_transport_key() {
        let hashed = PeerId::from_bytes(&[&[0x12, 0x20][..], &[9; 32]].concat()).unwrap();
        assert_eq!(transport_key(&hashed), None);
    }
}
