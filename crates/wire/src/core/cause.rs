//! Why a frame did not get through.

use serde::{Deserialize, Serialize};

macro_rules! causes {
    ($($variant:ident = $word:literal, $doc:literal;)*) => {
        /// Why a frame was dropped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Cause {
            $(#[doc = $doc] $variant,)*
        }

        impl Cause {
            /// All of them. Their order is that of the counters: new ones are added at the end.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for people and JSON.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $doc,)*
                }
            }
        }
    };
}

causes! {
    Loss = "loss", "The impairment's loss took it.";
    Rule = "rule", "A rule with a filter said to drop it.";
    Queue = "queue", "The queue before the rate limit was full.";
    Red = "red", "RED dropped it before the queue was full.";
    Codel = "codel", "CoDel dropped it because the queue was slow for too long.";
    Mtu = "mtu", "It was longer than the link's MTU.";
    Down = "down", "The link was down.";
    Unconnected = "unconnected", "Its interface is in no link or segment.";
    Memory = "memory", "It had to wait, and the memory for waiting frames was full.";
    Empty = "empty", "An empty datagram, which would end the receiving of QEMU's socket for good.";
    Short = "short", "Shorter than an Ethernet header: a switch has nothing to go by.";
    Refused = "refused", "Nobody listens at the other end of the tunnel.";
    Unreachable = "unreachable", "The host at the other end cannot be reached.";
    SendFull = "send-full", "The kernel's send queue was full.";
    TooLong = "too-long", "Longer than what can be sent to that end.";
    SendFailed = "send-failed", "The kernel did not send it, for a reason that has no name here.";
    Removed = "removed", "Its link was taken away while it waited.";
}

impl Cause {
    /// Number of causes.
    pub const COUNT: usize = Self::ALL.len();

    /// Position in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_positions() {
        for (position, cause) in Cause::ALL.iter().enumerate() {
            assert_eq!(cause.index(), position, "{}", cause.word());
        }
    }
}
