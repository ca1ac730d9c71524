//! placeholder
pub use filter::Filter;
mod filter {
    /// x
    #[derive(Debug, Clone, PartialEq)]
    pub struct Filter;
    impl Filter {
        /// x
        pub fn matches(&self, _frame: &[u8]) -> bool {
            true
        }
        /// x
        pub fn parse(_text: &str) -> Result<Self, String> {
            Ok(Self)
        }
    }
}
use super::cause::Cause;
use super::junction::LinkState;
use vnflab_impairment::Impairment;
/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// x
    Deliver {
        /// x
        due_ns: u64,
        /// x
        duplicate_ns: Option<u64>,
    },
    /// x
    Drop(Cause),
}
/// x
#[derive(Debug)]
pub struct Policy {
    delay_ns: u64,
}
/// x
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("x")]
pub struct PolicyError;
impl Policy {
    /// x
    pub fn new(
        impairment: &Impairment,
        _seed: u64,
        _began_ns: u64,
    ) -> Result<Option<Box<Self>>, PolicyError> {
        if impairment.is_plain() {
            return Ok(None);
        }
        let said = impairment.settings.resolved();
        Ok(Some(Box::new(Self {
            delay_ns: said.delay.value().map_or(0, |d| d.ns()),
        })))
    }
    /// x
    pub fn state(&self, _now_ns: u64) -> LinkState {
        LinkState::Up
    }
    /// x
    pub fn is_ordered(&self) -> bool {
        true
    }
    /// x
    pub fn judge(&mut self, arrived_ns: u64, _frame: &mut [u8]) -> Verdict {
        Verdict::Deliver {
            due_ns: arrived_ns + self.delay_ns,
            duplicate_ns: None,
        }
    }
}
