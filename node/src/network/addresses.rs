//! Multiaddresses as text, bounded, without the peer id at their end.

use std::net::Ipv6Addr;

use kith_crdt::limits::{ADDRESS_MAX, ADDRESSES_MAX};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// An address as the engine sees it: without a `/p2p` suffix.
pub(super) fn text(address: &Multiaddr) -> String {
    split(address.clone()).0.to_string()
}

/// An address and the peer id at its end, if there is one.
pub(super) fn split(mut address: Multiaddr) -> (Multiaddr, Option<PeerId>) {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => {
            address.pop();
            (address, Some(peer))
        }
        _ => (address, None),
    }
}

/// Reads what is to be dialled: the first eight that are addresses at all.
pub(super) fn parse(addresses: &[String]) -> Vec<Multiaddr> {
    addresses
        .iter()
        .filter(|text| text.len() <= ADDRESS_MAX)
        .filter_map(|text| text.parse().ok())
        .take(ADDRESSES_MAX)
        .collect()
}

/// The first eight addresses that a peer at `from` can be reached at, of those it claims. An
/// address of the loopback interface counts only if the peer is there.
pub(super) fn reachable<'a>(
    claimed: impl IntoIterator<Item = &'a Multiaddr>,
    from: Option<&Multiaddr>,
) -> Vec<String> {
    let near = from.is_some_and(is_loopback);
    claimed
        .into_iter()
        .filter(|address| is_dialable(address) && (near || !is_loopback(address)))
        .map(text)
        .filter(|text| text.len() <= ADDRESS_MAX)
        .take(ADDRESSES_MAX)
        .collect()
}

/// Whether this is a TCP port of one machine. IPv6 addresses that hold on one link only are not:
/// they mean nothing without the interface.
fn is_dialable(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        Some(Protocol::Ip6(ip)) => {
            !ip.is_unspecified() && !ip.is_multicast() && !ip.is_unicast_link_local()
        }
        _ => false,
    };
    let port = matches!(parts.next(), Some(Protocol::Tcp(port)) if port != 0);
    host && port && matches!(parts.next(), None | Some(Protocol::P2p(_))) && parts.next().is_none()
}

/// Whether this is an address of the loopback interface.
fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip == Ipv6Addr::LOCALHOST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_peer_id_at_the_end_is_not_shown() {
        let peer = PeerId::random();
        let whole = address(&format!("/ip4/192.0.2.1/tcp/4001/p2p/{peer}"));
        assert_eq!(text(&whole), "/ip4/192.0.2.1/tcp/4001");
        assert_eq!(split(whole).1, Some(peer));
    }

    #[test]
    fn claims_that_lead_nowhere_are_left_out() {
        let good = ["/ip4/192.0.2.1/tcp/1", "/ip6/2001:db8::1/tcp/2"];
        let bad = [
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/192.0.2.1/tcp/0",
            "/ip4/192.0.2.1/udp/1",
            "/ip4/192.0.2.1/tcp/1/ws",
            "/ip6/fe80::1/tcp/1",
            "/ip4/255.255.255.255/tcp/1",
            "/dns4/example.org/tcp/1",
        ];
        let claimed: Vec<_> = good.iter().chain(&bad).map(|text| address(text)).collect();
        assert_eq!(reachable(&claimed, None), good);
    }

    #[test]
    fn loopback_addresses_count_for_peers_on_the_same_machine() {
        let claimed = [address("/ip4/127.0.0.1/tcp/1"), address("/ip6/::1/tcp/1")];
        assert!(reachable(&claimed, Some(&address("/ip4/192.0.2.1/tcp/9"))).is_empty());
        assert_eq!(
            reachable(&claimed, Some(&address("/ip4/127.0.0.1/tcp/9"))).len(),
            2
        );
    }

    #[test]
    fn a_long_list_is_cut() {
        let texts: Vec<String> = (1..100)
            .map(|port| format!("/ip4/192.0.2.1/tcp/{port}"))
            .collect();
        let claimed: Vec<_> = texts.iter().map(|text| address(text)).collect();
        assert_eq!(reachable(&claimed, None), texts[..ADDRESSES_MAX]);
        assert_eq!(parse(&texts).len(), ADDRESSES_MAX);
        assert!(parse(&["no address".into(), "/ip4/".repeat(100)]).is_empty());
    }
}
