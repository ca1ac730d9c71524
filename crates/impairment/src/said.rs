//! What was said about one setting.

/// A setting that may have been left open, switched off, or given a value.
///
/// To leave it open and to switch it off are two things: what is left open can come from a
/// profile, what is switched off (`none`) cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Said<T> {
    /// Not a word about it.
    #[default]
    Open,
    /// Switched off, whatever a profile says.
    Off,
    /// Asked for.
    Value(T),
}

/// How a setting is switched off.
pub(crate) const OFF: &str = "none";

impl<T> Said<T> {
    /// The value, if one was given.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Open | Self::Off => None,
        }
    }

    /// Whether nothing was said.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

impl<T> From<T> for Said<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}
