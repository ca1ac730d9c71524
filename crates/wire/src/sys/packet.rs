//! An interface of the host as an end, by a packet socket.

use super::arena::Arena;
use super::clock::{Clock, Stamp};
use super::port::{SendReport, send_singly};
use super::tap::write_name;
use super::udp::{own, receive_one};
use super::{check, check_size};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// All protocols, in network byte order.
const ALL_PROTOCOLS: u16 = (libc::ETH_P_ALL as u16).to_be();

/// Option of packet sockets that leaves out what the host itself sends (Linux 4.20).
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

/// A packet socket on an interface in promiscuous mode.
///
/// It sees what arrives at the interface and sends out of it; what the host itself sends there is
/// left out. VLAN tags that the card takes off are not put back.
pub struct PacketPort {
    socket: OwnedFd,
}

impl PacketPort {
    /// Opens an interface.
    ///
    /// # Errors
    ///
    /// When there is no such interface, or the right (`CAP_NET_RAW`) is missing.
    pub fn open(interface: &str) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // Without a protocol nothing is received before the socket is bound to its interface.
        // SAFETY: socket() takes integers.
        let socket = own(check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?);
        let index = index_of(&socket, interface)?;
        let port = Self { socket };
        port.set(libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1_i32)?;
        // SAFETY: all zeros is a valid address; the fields that count follow.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ALL_PROTOCOLS;
        address.sll_ifindex = index;
        // SAFETY: `address` is readable for the size that is given.
        check(unsafe {
            libc::bind(
                port.descriptor(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        })?;
        let membership = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        port.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)?;
        Ok(port)
    }

    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
        // SAFETY: `value` is readable for the size of its type, which the option expects.
        check(unsafe {
            libc::setsockopt(
                self.descriptor(),
                level,
                option,
                std::ptr::from_ref(value).cast(),
                size_of::<T>() as libc::socklen_t,
            )
        })
        .map(drop)
    }

    /// The file descriptor, to wait for.
    pub fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    pub(super) fn receive(&mut self, arena: &mut Arena, clock: Option<Clock>) -> io::Result<()> {
        let stamp: Option<Stamp> = clock.map(|_| Clock::now());
        let socket = self.descriptor();
        arena.receive_singly(|slot| receive_one(socket, slot), stamp)
    }

    pub(super) fn send<'a>(&mut self, frames: impl Iterator<Item = &'a [u8]>) -> SendReport {
        let socket = self.descriptor();
        send_singly(frames, |frame| {
            // SAFETY: `frame` is readable for its length.
            check_size(unsafe {
                libc::send(
                    socket,
                    frame.as_ptr().cast(),
                    frame.len(),
                    libc::MSG_DONTWAIT,
                )
            })
        })
    }
}

fn index_of(socket: &OwnedFd, interface: &str) -> io::Result<libc::c_int> {
    // SAFETY: all zeros is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    write_name(&mut request, interface)?;
    // SAFETY: `request` is a valid ifreq for the kernel to read and write.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFINDEX, &raw mut request) })?;
    // SAFETY: the call has filled the index.
    Ok(unsafe { request.ifr_ifru.ifru_ifindex })
}
