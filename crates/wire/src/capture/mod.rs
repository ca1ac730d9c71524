//! Captures: from the fabric's copies to a pcapng stream.

pub mod pcapng;

use crate::control::protocol::{CaptureRequest, Reply};
use crate::control::server::{Served, answer};
use std::io;
use std::os::unix::net::UnixStream;
pub(crate) fn stream(
    _served: &Served,
    stream: &mut UnixStream,
    _capture: &CaptureRequest,
) -> io::Result<()> {
    answer(stream, &Reply::<()>::Error("no".to_owned()))
}
