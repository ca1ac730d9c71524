//! The data plane: joins UDP tunnels, TAP devices and interfaces of the host by links and
//! segments, in which frames can be looked at, delayed, lost and led elsewhere while they run.
//!
//! It knows no lab and no libvirt. [`Wire`] runs in the process that uses it; [`control`] serves
//! one as a process of its own.
//!
//! A relay with a delay between two UDP ports:
//!
//! ```no_run
//! use vnflab_impairment::Impairment;
//! use vnflab_wire::{Config, Wire};
//!
//! let mut impairment = Impairment::default();
//! impairment.settings.set("delay", "10ms")?;
//! let a = ("127.0.0.1:31001".parse()?, "127.0.0.1:30001".parse()?);
//! let b = ("127.0.0.1:31002".parse()?, "127.0.0.1:30002".parse()?);
//! let mut wire = Wire::start()?;
//! wire.apply(&Config::relay([a, b], &impairment))?;
//! std::thread::park();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod capture;
pub mod config;
pub mod control;
pub mod core;
pub mod shard;
pub mod sys;
mod vigil;
pub mod wire;

pub use config::{Config, EndConfig, JunctionConfig, JunctionKind};
pub use core::junction::LinkState;
pub use wire::{Wire, WireError};
