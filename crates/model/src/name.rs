//! Names of labs and nodes.
//!
//! A name becomes a libvirt domain name, a host name and a file name, so it must be valid as all
//! three: ASCII letters, digits and inner hyphens, at most 63 (RFC 1123, section 2.1). The dot
//! stays free for us: `LAB.NODE` names a domain without ambiguity.

use std::fmt;

/// Longest name in bytes: one label of a host name (RFC 1035, section 2.3.4).
pub const NAME_LIMIT: usize = 63;

/// A valid name of a lab or a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a name cannot be empty")]
    Empty,
    /// Longer than [`NAME_LIMIT`].
    #[error("a name has at most {NAME_LIMIT} characters, this one has {0}")]
    Long(usize),
    /// A character that a host name cannot have.
    #[error("a name cannot contain `{}`", .0.escape_debug())]
    Character(char),
    /// A hyphen at either end.
    #[error("a name cannot begin or end with a hyphen")]
    Hyphen,
}

impl Name {
    /// Takes a text that is valid as a name.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or has a character that one of its uses forbids.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(bad) = text
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && *c != '-')
        {
            return Err(NameError::Character(bad));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(NameError::Hyphen);
        }
        if text.len() > NAME_LIMIT {
            return Err(NameError::Long(text.len()));
        }
        Ok(Self(text))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_host_name_is_a_name() {
        for good in ["r1", "R1", "leaf-1", "0", &"a".repeat(63)] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-r1",
            "r1-",
            "r1.x",
            "r_1",
            "r 1",
            "ä",
            "../x",
            &"a".repeat(64),
        ] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
    }
}
