//! Frames that arrive with a flipped bit.

use super::Word;
use crate::chance::{self, Dice};
use crate::error::SettingProblem;
use crate::random::{Purpose, Random};
use crate::settings::Settings;

pub(crate) const CORRUPT: Word = Word {
    name: "corrupt",
    form: "PERCENT [CORRELATION]",
    example: "0.1%",
    doc: "How many frames have one bit flipped, anywhere in the frame.",
};

pub(crate) fn check(settings: &Settings, found: &mut Vec<SettingProblem>) {
    chance::check(CORRUPT.name, settings.corrupt.value(), found);
}

/// What flips bits.
#[derive(Debug, Clone)]
pub(crate) struct Flips {
    dice: Dice,
    place: Random,
}

impl Flips {
    /// `None` if no bit is ever flipped.
    pub(crate) fn new(chance: &chance::Chance, seed: u64) -> Option<Self> {
        Some(Self {
            dice: Dice::new(chance, seed, Purpose::Corrupt)?,
            place: Random::new(seed, Purpose::CorruptBit),
        })
    }

    /// Whether this frame is to be changed.
    pub(crate) fn event(&mut self) -> bool {
        self.dice.event()
    }

    /// Flips one bit of the frame, unless it is empty.
    pub(crate) fn flip(&mut self, frame: &mut [u8]) {
        let bits = u64::try_from(frame.len()).unwrap_or_default() * 8;
        let bit = self.place.below(bits);
        if let Some(byte) = usize::try_from(bit / 8)
            .ok()
            .and_then(|at| frame.get_mut(at))
        {
            *byte ^= 1 << (bit % 8);
        }
    }
}
