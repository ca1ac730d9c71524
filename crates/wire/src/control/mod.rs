//! Speaking to a running wire over a unix socket.
//!
//! One JSON object a line: a [`protocol::Request`] goes in, a [`protocol::Reply`] comes out, in
//! the order of the requests. The socket belongs to its user alone (0600, in a folder of 0700).

pub mod change;
pub mod client;
mod folder;
mod probe;
pub mod protocol;
pub mod server;

pub use client::{CaptureStream, Client, ClientError};
pub use folder::Folder;
pub use server::{ServeError, serve};
