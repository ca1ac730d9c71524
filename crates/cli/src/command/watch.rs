//! Showing something once, or again and again until Ctrl-C.

use crate::error::CommandError;
use crate::render::Screen;
use crate::terminal::StopSignals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::time::Duration;

/// Time between two looks: what people notice, and little work for libvirt.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shows once, or until Ctrl-C.
pub(super) fn show(
    screen: &Screen,
    watch: bool,
    show: impl Fn(&Screen) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    if !watch {
        return show(screen);
    }
    let stop = StopSignals::listen()?;
    let screen = screen.repeating();
    loop {
        screen.next_frame()?;
        show(&screen)?;
        if waited_for_stop(&stop, INTERVAL) {
            return Ok(());
        }
    }
}

/// Whether the signal came within the time.
fn waited_for_stop(stop: &StopSignals, time: Duration) -> bool {
    let timeout = Timespec::try_from(time).expect("a second or less fits");
    let mut descriptors = [PollFd::new(stop, PollFlags::IN)];
    // A signal that interrupts the wait has been written to the descriptor by then.
    let _ = poll(&mut descriptors, Some(&timeout));
    !descriptors[0].revents().is_empty()
}
