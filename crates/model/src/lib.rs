//! What a lab is: files, kinds, checks, blueprints and plans.
//!
//! Pure: no I/O, no clock, no environment, no printing. What has to be known of the world comes
//! in as an argument, so that everything here can be tested with plain values.

pub mod allocate;
pub mod blueprint;
pub mod check;
pub mod code;
pub mod day0;
pub mod diagnostic;
pub mod domain_xml;
pub mod expression;
pub mod facts;
pub mod format;
mod hash;
pub mod inventory;
pub mod kind;
pub mod lab;
pub mod lab_check;
pub mod mac;
pub mod name;
pub mod observed;
pub mod plan;
pub mod record;
pub mod resolve;
pub mod script;
pub mod span;
pub mod spec;
pub mod typing;
pub mod worker;
pub mod yaml;
