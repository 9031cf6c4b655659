//! A wire with an ear: a TCP relay on loopback that keeps every byte that passes.
//!
//! It is the network a test gives two nodes, not Kith's own circuit relay.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A relay to one node. It lives as long as the test.
pub struct Relay {
    address: String,
    recorded: Arc<Recorded>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

/// What has passed towards the target, and what has passed back.
type Recorded = [Mutex<Vec<u8>>; 2];

impl Relay {
    /// Listens on loopback and passes everything on to `target`, a multiaddress
    /// such as `/ip4/127.0.0.1/tcp/4001/p2p/…`.
    ///
    /// # Panics
    ///
    /// If `target` has no TCP port or nothing can listen.
    pub fn to(target: &str) -> Self {
        let port = tcp_port(target).unwrap_or_else(|| panic!("no TCP port in {target}"));
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let own = listener.local_addr().expect("it is bound").port();
        let relay = Self {
            address: with_tcp_port(target, own),
            recorded: Arc::default(),
            open: Arc::default(),
        };
        let (recorded, open) = (Arc::clone(&relay.recorded), Arc::clone(&relay.open));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A target that is gone closes the connection, as a network would.
                let _ = splice(stream, port, &recorded, &open);
            }
        });
        relay
    }

    /// Returns the multiaddress under which the target is reached through here.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns every byte that has passed: those towards the target, then those
    /// back.
    pub fn recorded(&self) -> [Vec<u8>; 2] {
        self.recorded.each_ref().map(|way| lock(way).clone())
    }

    /// Returns how many bytes have passed: towards the target, and back.
    pub fn passed(&self) -> [usize; 2] {
        self.recorded.each_ref().map(|way| lock(way).len())
    }

    /// Cuts every connection that is open; new ones are accepted again.
    pub fn cut(&self) {
        for stream in lock(&self.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn splice(
    near: TcpStream,
    port: u16,
    recorded: &Arc<Recorded>,
    open: &Mutex<Vec<TcpStream>>,
) -> io::Result<()> {
    let far = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    for (way, (from, to)) in [(&near, &far), (&far, &near)].into_iter().enumerate() {
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let recorded = Arc::clone(recorded);
        thread::spawn(move || pass(from, to, &recorded[way]));
    }
    lock(open).extend([near, far]);
    Ok(())
}

/// Copies one direction until either end closes, then closes both.
fn pass(mut from: TcpStream, mut to: TcpStream, recorded: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        lock(recorded).extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tcp_port(address: &str) -> Option<u16> {
    let (_, after) = address.split_once("/tcp/")?;
    after.split('/').next()?.parse().ok()
}

fn with_tcp_port(address: &str, port: u16) -> String {
    let parts = address.split_once("/tcp/").map(|(before, after)| {
        let rest = after.split_once('/').map(|(_, rest)| format!("/{rest}"));
        (before, rest.unwrap_or_default())
    });
    let (before, rest) = parts.expect("the port was found there");
    format!("{before}/tcp/{port}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_on_and_remembers_both_ways() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let relay = Relay::to(&format!("/ip4/127.0.0.1/tcp/{port}/p2p/12D3"));
        let echo = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = [0; 5];
            stream.read_exact(&mut heard).unwrap();
            stream.write_all(b"answer").unwrap();
            heard
        });

        let own = tcp_port(relay.address()).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, own)).unwrap();
        stream.write_all(b"asked").unwrap();
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).unwrap();

        assert_eq!((&echo.join().unwrap(), &answer), (b"asked", b"answer"));
        assert_eq!(relay.recorded(), [b"asked".to_vec(), b"answer".to_vec()]);
        assert!(relay.address().ends_with("/p2p/12D3"));
    }
}
