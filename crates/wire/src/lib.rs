//! x
#![warn(missing_docs)]
pub mod core;
pub mod shard;
pub mod sys;
