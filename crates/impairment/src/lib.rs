//! What a link can be asked to do to frames.
//!
//! Twice: as words ([`Settings`]: typed values with a textual form, for flags, files and the
//! wire's protocol), and as machines that judge frames. Each effect has one file below [`effect`]
//! that holds both, and one line in the table of [`settings`].
//!
//! Pure: no I/O, no clock, no threads. Files that a setting names are read by the caller and
//! attached; time and seed are arguments.
//!
//! ```
//! use vnflab_impairment::Settings;
//!
//! let mut settings = Settings::default();
//! settings.set("delay", "20ms")?;
//! settings.set("loss", "1% 25%")?;
//! assert_eq!(
//!     settings.entries(),
//!     [("loss", "1% 25%".to_owned()), ("delay", "20ms".to_owned())]
//! );
//!
//! // The machine: this frame arrives at 5 s, by whatever clock, and is due 20 ms later.
//! let mut judge = vnflab_impairment::Judge::new(&settings, 1);
//! let verdict = judge.judge(5_000_000_000, &mut [0; 60]);
//! let expected = vnflab_impairment::Verdict::Deliver {
//!     due_ns: 5_020_000_000,
//!     duplicate: None,
//! };
//! assert_eq!(verdict, expected);
//! # Ok::<(), vnflab_impairment::SettingError>(())
//! ```

#![forbid(unsafe_code)]

mod bottleneck;
mod cause;
mod chain;
mod chance;
pub mod effect;
pub mod error;
mod judge;
pub mod profile;
mod random;
pub mod said;
pub mod settings;
pub mod spec;
mod timeline;
pub mod unit;
mod value;

pub use cause::Cause;
pub use chain::MarkovSwitch;
pub use chance::Chance;
pub use error::{FileError, SettingError, SettingProblem};
pub use judge::{Backlog, Judge, Verdict};
pub use profile::{PROFILES, Profile, ProfileName, Profiles};
pub use said::Said;
pub use settings::{KEYS, SettingKey, Settings};
pub use spec::{Action, Change, Impairment, MarkovSpec, MarkovState, Rule, SpecProblem};
pub use timeline::Timeline;
pub use value::ValueError;
