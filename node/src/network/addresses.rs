//! Multiaddresses as text, bounded, without the peer id at their end.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

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

/// The socket address that a multiaddress means, if it means a TCP port of an IP address.
pub(super) fn socket(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let host: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match (parts.next()?, parts.next(), parts.next()) {
        (Protocol::Tcp(port), None | Some(Protocol::P2p(_)), None) => Some((host, port).into()),
        _ => None,
    }
}

/// A TCP port of a host that is known by its name.
pub(super) struct Named {
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether an IP address of the host will do.
    pub(super) fits: fn(&IpAddr) -> bool,
}

/// What a multiaddress means that names its host.
pub(super) fn named(address: &Multiaddr) -> Option<Named> {
    let mut parts = address.iter();
    let (host, fits): (_, fn(&IpAddr) -> bool) = match parts.next()? {
        Protocol::Dns(host) => (host, |_| true),
        Protocol::Dns4(host) => (host, IpAddr::is_ipv4),
        Protocol::Dns6(host) => (host, IpAddr::is_ipv6),
        _ => return None,
    };
    match (parts.next()?, parts.next(), parts.next()) {
        (Protocol::Tcp(port), None | Some(Protocol::P2p(_)), None) => {
            let host = host.into_owned();
            Some(Named { host, port, fits })
        }
        _ => None,
    }
}

/// The same address with an IP address in the place of its host.
pub(super) fn at(address: &Multiaddr, host: IpAddr) -> Multiaddr {
    let rest = address.iter().skip(1);
    std::iter::once(Protocol::from(host)).chain(rest).collect()
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
    fn a_host_is_an_address_or_a_name() {
        let ip4 = address("/ip4/127.0.0.1/tcp/9");
        assert_eq!(socket(&ip4), Some(([127, 0, 0, 1], 9).into()));
        assert!(named(&ip4).is_none());
        for (text, v4, v6) in [
            ("/dns/kith.example/tcp/9", true, true),
            ("/dns4/kith.example/tcp/9", true, false),
            ("/dns6/kith.example/tcp/9", false, true),
        ] {
            let Named { host, port, fits } = named(&address(text)).expect(text);
            assert_eq!((host.as_str(), port), ("kith.example", 9));
            let (local4, local6) = ([127, 0, 0, 1].into(), Ipv6Addr::LOCALHOST.into());
            assert_eq!((fits(&local4), fits(&local6)), (v4, v6), "{text}");
        }
        for text in [
            "/ip4/127.0.0.1/udp/9",
            "/dnsaddr/kith.example",
            "/dns4/x/udp/9",
        ] {
            let neither = address(text);
            assert!(
                socket(&neither).is_none() && named(&neither).is_none(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_found_host_takes_the_place_of_its_name() {
        let peer = PeerId::random();
        let named = address(&format!("/dns4/kith.example/tcp/9/p2p/{peer}"));
        let found = at(&named, [192, 0, 2, 1].into());
        assert_eq!(found, address(&format!("/ip4/192.0.2.1/tcp/9/p2p/{peer}")));
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
