//! Frames that arrive twice.

use super::Word;
use crate::chance;
use crate::error::SettingProblem;
use crate::settings::Settings;

pub(crate) const DUPLICATE: Word = Word {
    name: "duplicate",
    form: "PERCENT [CORRELATION]",
    example: "1%",
    doc: "How many frames arrive twice. The copy goes through queue and delay as a frame of its own.",
};

pub(crate) fn check(settings: &Settings, found: &mut Vec<SettingProblem>) {
    chance::check(DUPLICATE.name, settings.duplicate.value(), found);
}
