//! Talking with a device on its serial console.
//!
//! A serial console is a bad partner: it drops characters, is late, mixes log lines into what one
//! types, and starts over when the device reloads. A [`Dialogue`] follows a [`Script`] in spite of
//! that. It does no I/O and has no clock: bytes that came go in, with the time; bytes to send come
//! out, with the time at which to ask again.
//!
//! # Theory of operation
//!
//! A [`Screen`] renders what came as a person would see it. Decisions are made on it alone: on the
//! text in front of the cursor (a prompt), and on the lines since we last said something.
//!
//! A script has *steps*, taken in order, and *answers* to what may be asked at any time. A step
//! says where it is taken (`at` a prompt) and what is typed there. In the beginning, and whenever
//! the expected does not come, the dialogue looks where it is: the first step whose place shows is
//! the one that is taken. So a dialogue that was broken off is simply begun again, and a device
//! that reloads in the middle is logged in to and configured from the first step.
//!
//! A line is typed in slices, and Enter is pressed only when the line stands on the screen behind
//! the prompt, exactly. Where it does not, it is erased and typed anew, slower each time. So a
//! character that was lost costs time and never becomes part of a configuration.
//!
//! For example with the script `at "(?:^|\n)# $" type "hostname r1"`, where the second character is
//! lost on the way:
//!
//! ```text
//!  console        we send                 why
//!  #              hostname r1             the step's place shows
//!  # hstname r1   Ctrl-U                  that is not what was typed
//!  #              host, name,  r1         in smaller slices
//!  # hostname r1  Enter                   it stands there
//! ```
//!
//! What holds: a dialogue ends, at the latest when its time is over; it never presses Enter behind
//! a line that is not as it was meant, unless the console has taken every means to erase it; it
//! holds a bounded part of what came; secrets are marked wherever they are sent.

mod dialogue;
mod ending;
mod flood;
mod pattern;
mod screen;
mod script;
mod typist;

pub use dialogue::{Dialogue, Next, Sent};
pub use ending::{Ending, Failure, Refused};
pub use pattern::{Pattern, PatternError};
pub use screen::Screen;
pub use script::{Answer, Reply, Script, Sending, Step, Timing};
