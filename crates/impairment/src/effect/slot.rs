//! Delivery in bursts, as of a medium that takes turns.

use super::Word;
use crate::random::{Purpose, Random};
use crate::unit::{Duration, Size};
use crate::value::{Value, ValueError, Words};
use std::fmt;
use std::str::FromStr;

pub(crate) const SLOT: Word = Word {
    name: "slot",
    form: "MIN [MAX] [packets N] [bytes SIZE]",
    example: "5ms 10ms packets 32",
    doc: "Frames are held back and arrive together, in slots that are MIN to MAX apart and take so many frames or bytes at most.",
};

/// Delivery in slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Least time between two slots.
    pub least: Duration,
    /// Most time between two slots.
    pub most: Duration,
    /// Most frames in a slot.
    pub packets: Option<u32>,
    /// Most bytes in a slot; the frame that passes this is the last in it.
    pub bytes: Option<Size>,
}

impl FromStr for Slot {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut words = Words::new(text);
        let least: Duration = words.required("MIN, the time between two slots,")?;
        let mut slot = Self {
            least,
            most: least,
            packets: None,
            bytes: None,
        };
        let mut next = words.word();
        if let Some(word) = next.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
            slot.most = word.parse()?;
            next = words.word();
        }
        while let Some(word) = next {
            match word {
                "packets" if slot.packets.is_none() => {
                    slot.packets = Some(words.number("the number of packets", 1, u32::MAX)?);
                }
                "bytes" if slot.bytes.is_none() => {
                    let bytes: Size = words.required("the number of bytes")?;
                    slot.bytes = Some(bytes);
                }
                word => {
                    return Err(ValueError::Form {
                        expected: "`packets N` or `bytes SIZE`, each once,",
                        found: word.to_owned(),
                    });
                }
            }
            next = words.word();
        }
        if slot.least > slot.most {
            return Err(ValueError::Bounds {
                what: "MIN",
                found: slot.least.to_string(),
                bounds: format!("at most MAX, {}", slot.most),
            });
        }
        Ok(slot)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.least)?;
        if self.most != self.least {
            write!(formatter, " {}", self.most)?;
        }
        if let Some(packets) = self.packets {
            write!(formatter, " packets {packets}")?;
        }
        if let Some(bytes) = self.bytes {
            write!(formatter, " bytes {bytes}")?;
        }
        Ok(())
    }
}

impl Value for Slot {}

/// What puts frames into slots.
///
/// As netem has it: a frame that comes after the last slot waits for a whole interval, and the
/// frames behind it join it until the slot is full; the next slot is an interval later.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    slot: Slot,
    random: Random,
    /// When the current slot is.
    at_ns: u64,
    packets_left: u32,
    bytes_left: u64,
}

impl Slots {
    pub(crate) const fn new(slot: Slot, seed: u64) -> Self {
        Self {
            slot,
            random: Random::new(seed, Purpose::Slot),
            at_ns: 0,
            packets_left: 0,
            bytes_left: 0,
        }
    }

    /// When a frame leaves that would arrive at `due_ns`.
    pub(crate) fn place(&mut self, due_ns: u64, bytes: u64) -> u64 {
        let full = self.packets_left == 0 || self.bytes_left == 0;
        if due_ns > self.at_ns || full {
            self.open(due_ns.max(self.at_ns));
        }
        self.packets_left -= 1;
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.at_ns
    }

    /// Opens a slot an interval after `after_ns`.
    fn open(&mut self, after_ns: u64) {
        let Slot { least, most, .. } = self.slot;
        let mut interval = least.ns();
        if most > least {
            interval += self.random.below(most.ns() - least.ns() + 1);
        }
        self.at_ns = after_ns.saturating_add(interval);
        self.packets_left = self.slot.packets.unwrap_or(u32::MAX);
        self.bytes_left = self.slot.bytes.map_or(u64::MAX, Size::bytes);
    }
}
