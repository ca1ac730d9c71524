//! What a process asks of the kernel for itself: file descriptors, timers that do not wait for
//! company, and how often it had to make way for others.

use super::check;
use std::io;

/// Raises the limit of open files to what the system allows at most; returns it.
///
/// A wire has a socket for each interface, and the usual limit is 1024.
///
/// # Errors
///
/// When the limit cannot be read or set.
pub fn let_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid rlimit for the kernel to write.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a valid rlimit for the kernel to read.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(limit.rlim_cur)
}

/// Keeps every file that is open now, but for the three of standard input and output, from the
/// programs that this process starts from here on. A process that stays must not hold what the
/// caller of its starter had open: a lock file, or the end of a pipe that somebody reads to its end.
pub fn keep_files_from_children() {
    const FIRST: libc::c_uint = 3;
    let mark = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
    // SAFETY: descriptors are marked and stay open. A kernel without the call (before 5.11) marks
    // none, and children then inherit what they always did.
    unsafe { libc::close_range(FIRST, libc::c_uint::MAX, mark) };
}

/// Asks the kernel not to put off the calling thread's timers; the default is 50 microseconds.
pub fn sharpen_timers() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) };
}

/// How often the calling thread lost its CPU to another although it had work to do.
pub fn preemptions() -> u64 {
    // SAFETY: all zeros is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid rusage for the kernel to write.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    u64::try_from(usage.ru_nivcsw).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::process::Command;

    #[test]
    fn a_child_does_not_inherit_the_files_of_its_parents_parent() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let number = file.as_raw_fd();
        // As a shell's redirection leaves it.
        // SAFETY: the descriptor is open.
        check(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }).unwrap();
        let inherits = || {
            let mut child = Command::new("test");
            child.args(["-e", &format!("/proc/self/fd/{number}")]);
            child.status().unwrap().success()
        };
        assert!(inherits());
        keep_files_from_children();
        assert!(!inherits());
    }
}
