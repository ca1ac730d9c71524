//! What happens to frames between their ends: without sockets, clocks or threads.

pub mod cause;
pub mod counters;
pub mod fabric;
pub mod junction;
pub mod lane;
pub mod policy;
pub mod pool;
pub mod table;
pub mod watch;
pub mod wheel;

/// Names an end. Numbers are small: they are positions in a list.
pub type EndId = u32;

/// Names a link or segment, in the same way.
pub type JunctionId = u32;
