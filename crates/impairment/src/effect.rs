//! The effects that a link can have on frames, one file each: setting and machine.

pub mod corrupt;
pub mod delay;
pub mod distribution;
pub mod duplicate;
pub mod loss;
pub mod mtu;
pub mod queue;
pub mod rate;
pub mod reorder;
pub mod slot;
pub mod trace;

/// What help and documentation say of one key.
pub(crate) struct Word {
    pub(crate) name: &'static str,
    pub(crate) form: &'static str,
    pub(crate) example: &'static str,
    pub(crate) doc: &'static str,
}
