//! Captures: from the fabric's copies to a pcapng stream, and back to frames.
//!
//! [`pcapng`] writes the format and [`blocks`] reads it; both are pure. `stream` is what serves a
//! capture over the control socket.

pub mod blocks;
pub mod pcapng;
mod stream;

pub(crate) use stream::stream;
