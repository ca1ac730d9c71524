//! Frames that arrive with a flipped bit.

use super::Word;
use crate::chance;
use crate::error::SettingProblem;
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
