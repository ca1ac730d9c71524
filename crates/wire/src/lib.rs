//! x
#![warn(missing_docs)]
pub mod config;
pub mod core;
pub mod shard;
pub mod sys;
pub mod wire;
pub use config::Config;
pub use wire::Wire;
