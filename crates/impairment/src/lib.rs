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
//! # Ok::<(), vnflab_impairment::SettingError>(())
//! ```

#![forbid(unsafe_code)]

mod chance;
pub mod effect;
pub mod error;
pub mod profile;
pub mod said;
pub mod settings;
pub mod spec;
pub mod unit;
mod value;

pub use chance::Chance;
pub use error::{FileError, SettingError, SettingProblem};
pub use profile::{PROFILES, Profile, ProfileName, Profiles};
pub use said::Said;
pub use settings::{KEYS, SettingKey, Settings};
pub use spec::{Action, Change, Impairment, MarkovSpec, MarkovState, Rule, SpecProblem};
pub use value::ValueError;
