//! Who is on a console: the client that QEMU serves, from the kernel's table of TCP sockets.
//!
//! Only this host's table is read, so a console of another host has no occupant here. The table
//! is a snapshot: whoever connects after the look is found by the missing greeting instead.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest command line that is shown; the first words say who it is.
const COMMAND_LIMIT: usize = 80;

/// The state of an established connection in `/proc/net/tcp` (`TCP_ESTABLISHED` of the kernel's
/// `tcp_states.h`).
const ESTABLISHED: u8 = 1;

/// A client of a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occupant {
    /// A process of this host.
    Process {
        /// Its id.
        pid: u32,
        /// Its command line, shortened.
        command: String,
    },
    /// Somebody whose process cannot be seen: of another user, or on another host.
    Address(SocketAddr),
    /// Somebody of whom nothing is known.
    Unknown,
}

impl fmt::Display for Occupant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { pid, command } => write!(formatter, "`{command}` (pid {pid})"),
            Self::Address(address) => write!(
                formatter,
                "a client at {address} whose process cannot be seen from here"
            ),
            Self::Unknown => formatter.write_str("another client"),
        }
    }
}

/// One row of the kernel's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    local: SocketAddr,
    remote: SocketAddr,
    state: u8,
    /// 0 for a connection that the server has not accepted yet.
    inode: u64,
}

/// The client that the server at `address` serves, if there is one.
///
/// # Errors
///
/// When the kernel's table cannot be read.
pub fn find(address: SocketAddr) -> io::Result<Option<Occupant>> {
    find_other(address, None)
}

/// As [`find`], not counting the connection that comes from `own`.
///
/// # Errors
///
/// When the kernel's table cannot be read.
pub fn find_other(address: SocketAddr, own: Option<SocketAddr>) -> io::Result<Option<Occupant>> {
    let rows = rows()?;
    let served = served_client(&rows, address).filter(|served| Some(served.remote) != own);
    let Some(served) = served else {
        return Ok(None);
    };
    let its_own_end = |row: &&Row| row.local == served.remote && row.remote == served.local;
    let process = rows
        .iter()
        .find(|row| its_own_end(row) && row.inode != 0)
        .and_then(|row| process_of_socket(row.inode));
    Ok(Some(process.unwrap_or(Occupant::Address(served.remote))))
}

/// The server's end of the connection that was accepted; those in the backlog have no inode yet.
fn served_client(rows: &[Row], address: SocketAddr) -> Option<Row> {
    rows.iter()
        .find(|row| is_of(row.local, address) && row.state == ESTABLISHED && row.inode != 0)
        .copied()
}

/// Whether a connection's own address is that of a server: one that listens on all addresses
/// has connections on each of them, and on all of IPv6 those of IPv4 too.
fn is_of(local: SocketAddr, server: SocketAddr) -> bool {
    if !server.ip().is_unspecified() {
        return local == server;
    }
    local.port() == server.port() && (server.is_ipv6() || local.is_ipv4())
}

fn rows() -> io::Result<Vec<Row>> {
    let mut text = fs::read_to_string("/proc/net/tcp")?;
    // A kernel without IPv6 has no such table.
    text += &fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    Ok(text.lines().filter_map(parse_row).collect())
}

fn parse_row(line: &str) -> Option<Row> {
    let mut fields = line.split_whitespace().skip(1);
    let local = parse_address(fields.next()?)?;
    let remote = parse_address(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    // Queues, timer, retransmissions, user and timeout stand between.
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Row {
        local,
        remote,
        state,
        inode,
    })
}

/// Reads `0100007F:1389`: the address as 32-bit words of this machine's byte order, the port in
/// hex.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Option<Vec<[u8; 4]>> = address
        .as_bytes()
        .chunks(8)
        .map(|word| {
            let word = std::str::from_utf8(word).ok()?;
            Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
        })
        .collect();
    let ip = match *words?.as_slice() {
        [word] => IpAddr::V4(Ipv4Addr::from(word)),
        [a, b, c, d] => {
            let bytes: Vec<u8> = [a, b, c, d].concat();
            let bytes: [u8; 16] = bytes.try_into().ok()?;
            // A client of IPv4 at a server of IPv6 has its own end in the table of IPv4.
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The process that holds a socket, as far as we may look into processes.
fn process_of_socket(inode: u64) -> Option<Occupant> {
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?;
    let pid = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| holds(*pid, &wanted))?;
    Some(Occupant::Process {
        pid,
        command: command_of(pid),
    })
}

fn holds(pid: u32, wanted: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        fs::read_link(descriptor.path()).is_ok_and(|target| target.as_os_str() == wanted)
    })
}

fn command_of(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    let mut words = line.trim().splitn(2, ' ');
    let program = words.next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or(program);
    let whole = format!("{program} {}", words.next().unwrap_or_default());
    // Whatever a process calls itself, it cannot paint on our terminal.
    let whole: String = whole
        .trim()
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    match whole.char_indices().nth(COMMAND_LIMIT) {
        Some((cut, _)) => format!("{}...", &whole[..cut]),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Laid out as the kernel does on a little-endian machine: the listener, the client that was
    /// accepted, one in the backlog, and the two clients' own ends.
    #[cfg(target_endian = "little")]
    const TABLE: &str = "  \
sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1000 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1389 0100007F:9C42 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:1389 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 1001 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:9C40 0100007F:1389 01 00000000:00000000 00:00000000 00000000  1000        0 1002 1 0000000000000000 20 4 30 10 -1
   4: 0100007F:9C42 0100007F:1389 01 00000000:00000000 00:00000000 00000000  1000        0 1003 1 0000000000000000 20 4 30 10 -1
";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_accepted_client_is_told_from_those_that_wait() {
        let rows: Vec<Row> = TABLE.lines().skip(1).filter_map(parse_row).collect();
        assert_eq!(rows.len(), 5);
        let address: SocketAddr = "127.0.0.1:5001".parse().unwrap();
        let client = served_client(&rows, address).unwrap().remote;
        assert_eq!(client, "127.0.0.1:40000".parse().unwrap());
        for everywhere in ["0.0.0.0:5001", "[::]:5001"] {
            let served = served_client(&rows, everywhere.parse().unwrap()).unwrap();
            assert_eq!((served.local, served.remote), (address, client));
        }
        let other = "127.0.0.1:5002".parse().unwrap();
        assert_eq!(served_client(&rows, other), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn both_families_of_addresses_are_read() {
        let four = parse_address("0302017F:1389").unwrap();
        assert_eq!(four, "127.1.2.3:5001".parse().unwrap());
        let six = parse_address("00000000000000000000000001000000:1389").unwrap();
        assert_eq!(six, "[::1]:5001".parse().unwrap());
        assert_eq!(parse_address("xyz:1"), None);
    }
}
