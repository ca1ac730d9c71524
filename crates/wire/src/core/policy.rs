//! placeholder
pub use filter::Filter;
mod filter {
    /// x
    #[derive(Debug, Clone, PartialEq)]
    pub struct Filter;
    impl Filter {
        /// x
        pub fn matches(&self, _frame: &[u8]) -> bool { true }
    }
}
use super::cause::Cause;
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
pub struct Policy { delay_ns: u64 }
impl Policy {
    /// x
    pub fn delay(delay_ns: u64) -> Self { Self { delay_ns } }
    /// x
    pub fn is_ordered(&self) -> bool { true }
    /// x
    pub fn judge(&mut self, arrived_ns: u64, _frame: &mut [u8]) -> Verdict {
        Verdict::Deliver { due_ns: arrived_ns + self.delay_ns, duplicate_ns: None }
    }
}
