//! What proofs are made with: the program, labs, witnesses, and waiting.

pub(crate) mod dns;
pub(crate) mod guest;
pub(crate) mod host;
pub(crate) mod lab;
pub(crate) mod program;
pub(crate) mod stage;
pub(crate) mod terminal;
pub(crate) mod times;
pub(crate) mod verdict;
pub(crate) mod wait;
pub(crate) mod witness;
