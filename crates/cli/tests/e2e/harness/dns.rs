//! A DNS client (RFC 1035) that asks one server one question, without the host's resolver.

use super::wait::{PATIENCE, until};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// The type of IPv4 addresses.
pub(crate) const A: u16 = 1;

/// The type of IPv6 addresses (RFC 3596).
pub(crate) const AAAA: u16 = 28;

const HEADER: usize = 12;

/// The addresses of a type that a server knows for a name, of which there has to be one at least.
#[track_caller]
pub(crate) fn addresses(server: Ipv4Addr, name: &str, kind: u16) -> Vec<IpAddr> {
    until("a name is known", PATIENCE, || {
        let answer = ask(server, name, kind).map_err(|error| error.to_string())?;
        match answers(&answer, kind) {
            Some(addresses) if !addresses.is_empty() => Ok(addresses),
            _ => Err(format!("{name} at {server}: {answer:?}")),
        }
    })
}

fn ask(server: Ipv4Addr, name: &str, kind: u16) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.connect(SocketAddr::from((server, 53)))?;
    // Recursion desired, one question.
    let mut question = vec![0x76, 0x6e, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).unwrap());
        question.extend(label.bytes());
    }
    question.push(0);
    question.extend(kind.to_be_bytes());
    question.extend([0, 1]);
    socket.send(&question)?;
    let mut answer = vec![0; 512];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

/// The addresses in an answer; `None` where it is cut short.
fn answers(answer: &[u8], kind: u16) -> Option<Vec<IpAddr>> {
    let count = u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]);
    let mut rest = after_name(answer.get(HEADER..)?)?.get(4..)?;
    let mut addresses = Vec::new();
    for _ in 0..count {
        rest = after_name(rest)?;
        let found = u16::from_be_bytes([*rest.first()?, *rest.get(1)?]);
        let length = usize::from(u16::from_be_bytes([*rest.get(8)?, *rest.get(9)?]));
        let data = rest.get(10..10 + length)?;
        match found {
            A if kind == A => {
                addresses.push(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into())
            }
            AAAA if kind == AAAA => {
                addresses.push(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into())
            }
            _ => {}
        }
        rest = rest.get(10 + length..)?;
    }
    Some(addresses)
}

/// What is behind a name, which ends with an empty label or a pointer to another name.
fn after_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        match *rest.first()? {
            0 => return rest.get(1..),
            pointer if pointer >= 0xc0 => return rest.get(2..),
            length => rest = rest.get(1 + usize::from(length)..)?,
        }
    }
}
