//! pcap filter expressions, compiled and matched on Ethernet frames.
//!
//! A [`Filter`] is an expression in the language of pcap-filter(7), the one that `tcpdump` and
//! Wireshark's capture filters speak. It decides about bytes; it opens nothing and looks nothing
//! up.
//!
//! ```
//! use vnflab_filter::Filter;
//!
//! let filter = Filter::parse("arp or ip proto 89")?;
//! let mut frame = [0_u8; 60];
//! frame[12..14].copy_from_slice(&[0x08, 0x06]);
//! assert!(filter.matches(&frame));
//! assert!(!filter.matches(&frame[..13]));
//! # Ok::<(), vnflab_filter::FilterError>(())
//! ```
//!
//! # The language
//!
//! It is what libpcap 1.10 understands of Ethernet frames that are read from a file, with the same
//! answers, also for short frames: a test that has to look beyond the end of the frame rejects the
//! frame, whatever stands around it, `not` included.
//!
//! - `host`, `net` (with `/bits` or `mask`), `port`, `portrange`, each with `src`, `dst`,
//!   `src or dst`, `src and dst`; `proto` with `ether`, `ip`, `ip6`, `iso`, `isis`.
//! - `ether`, `ip`, `ip6`, `arp`, `rarp`, `tcp`, `udp`, `sctp`, `icmp`, `icmp6`, `igmp`, `igrp`,
//!   `pim`, `vrrp`, `carp`, `ah`, `esp`, `stp`, `iso`, `clnp`, `esis`, `isis` and its PDUs (`l1`,
//!   `l2`, `iih`, `lsp`, `snp`, `csnp`, `psnp`), `llc`, and the LAN protocols of old.
//! - `vlan`, `mpls`, `pppoes`, each with a number or without, behind which everything to their
//!   right looks, also across `or`; `pppoed`.
//! - `broadcast`, `multicast`, `less`, `greater`, `len`, and arithmetic over bytes of headers with
//!   the names of ICMP types and TCP flags.
//! - `and`, `or`, `not`, `&&`, `||`, `!`, parentheses, and qualifiers that carry over:
//!   `tcp port 80 or 443`. As ever, `and` and `or` bind equally strongly.
//! - The empty expression matches every frame.
//!
//! What differs: libpcap's optimizer leaves out tests that cannot change the answer any more, so
//! `tcpdump` matches a few frames of which a field is cut off that a filter does not match, as
//! `tcpdump -O` does not. Names of hosts and networks are not looked up; ports, IP protocols and EtherTypes
//! have the names of a table of our own, on every host the same; a port's name may stand behind any
//! transport. An expression that no frame can match is a filter as any other. `ip broadcast` knows
//! no netmasks, so it is 255.255.255.255 and 0.0.0.0.
//!
//! What is not there: `gateway`, `protochain`, `inbound`, `outbound`, `ifindex`, `byte`, `geneve`
//! and the types behind `llc`, and the words of other link layers. They are refused by name.

mod arithmetic;
mod assembler;
mod cursor;
mod endpoint;
mod error;
mod layers;
mod name;
mod operand;
mod parse;
mod primitive;
mod program;
mod token;
mod word;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use error::FilterError;
use program::Program;

/// How long an expression may be, in bytes. Programs that write filters stay far below; what is
/// longer is a mistake, and memory is bounded by it.
pub const MAX_LENGTH: usize = 4096;
/// How deep parentheses, brackets and signs may be nested: reading recurses.
pub const MAX_DEPTH: usize = 64;
/// How many primitives an expression may have. It bounds what a frame can cost.
pub const MAX_PRIMITIVES: usize = 512;

/// A filter expression that was read and compiled.
///
/// Two filters are equal when their texts are. A clone shares the program.
#[derive(Clone)]
pub struct Filter {
    text: Arc<str>,
    program: Arc<Program>,
}

impl Filter {
    /// Reads and compiles an expression.
    ///
    /// # Errors
    ///
    /// A [`FilterError`] says where the text is no expression, or is beyond [`MAX_LENGTH`],
    /// [`MAX_DEPTH`] or [`MAX_PRIMITIVES`].
    pub fn parse(text: &str) -> Result<Filter, FilterError> {
        Ok(Filter {
            program: Arc::new(parse::program(text)?),
            text: text.into(),
        })
    }

    /// Whether an Ethernet frame, without its checksum, matches. It allocates nothing.
    pub fn matches(&self, frame: &[u8]) -> bool {
        self.program.accepts(frame)
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Filter, FilterError> {
        Filter::parse(text)
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Filter) -> bool {
        self.text == other.text
    }
}

impl Eq for Filter {}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.text).finish()
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Filter, D::Error> {
        let text = String::deserialize(deserializer)?;
        Filter::parse(&text).map_err(de::Error::custom)
    }
}
