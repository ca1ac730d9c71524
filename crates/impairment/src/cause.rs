//! Why a frame was dropped.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a frame was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The model of loss.
    Loss,
    /// The queue was full.
    Queue,
    /// Random early detection.
    Red,
    /// The queue's wait was too long for too long.
    Codel,
    /// Longer than the MTU.
    Mtu,
    /// A rule that drops all it matches.
    Rule,
    /// The link is cut.
    Down,
}

impl Cause {
    /// Every cause; a cause's place here is its number as `usize`.
    pub const ALL: [Self; 7] = [
        Self::Loss,
        Self::Queue,
        Self::Red,
        Self::Codel,
        Self::Mtu,
        Self::Rule,
        Self::Down,
    ];

    /// Its word in JSON, metrics and captures. It never changes.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Queue => "queue",
            Self::Red => "red",
            Self::Codel => "codel",
            Self::Mtu => "mtu",
            Self::Rule => "rule",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_in_order() {
        for (index, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, index);
            let json = serde_json::to_string(&cause).unwrap();
            assert_eq!(json, format!("\"{cause}\""));
        }
    }
}
