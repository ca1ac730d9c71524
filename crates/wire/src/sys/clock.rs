//! Clocks: the one that timers run on, and the one that the kernel stamps arrivals with.

use std::time::Duration;

/// A point in time on the monotonic clock, in nanoseconds.
pub type Stamp = u64;

/// Reads both clocks together, so that a stamp of one can be told on the other.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// What has to be added to the monotonic clock to get the time of day, in nanoseconds.
    offset_ns: i128,
}

impl Clock {
    /// Looks at both clocks.
    pub fn read() -> Self {
        Self {
            offset_ns: i128::from(read(libc::CLOCK_REALTIME)) - i128::from(Self::now()),
        }
    }

    /// The monotonic clock, in nanoseconds.
    pub fn now() -> Stamp {
        read(libc::CLOCK_MONOTONIC)
    }

    /// The time of day, in nanoseconds since 1970.
    pub fn time_of_day() -> u64 {
        read(libc::CLOCK_REALTIME)
    }

    /// A time of day as a point on the monotonic clock.
    pub fn to_monotonic(self, time_of_day_ns: u64) -> Stamp {
        u64::try_from(i128::from(time_of_day_ns) - self.offset_ns).unwrap_or(0)
    }

    /// A point on the monotonic clock as a time of day.
    pub fn to_time_of_day(self, stamp: Stamp) -> u64 {
        u64::try_from(i128::from(stamp) + self.offset_ns).unwrap_or(0)
    }
}

/// CPU time that the calling thread has used, in nanoseconds.
pub fn cpu_time_of_thread_ns() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec for the kernel to write, and the clocks exist on Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    to_ns(&time)
}

/// A timespec in nanoseconds; times before 1970 count as 1970.
pub(super) fn to_ns(time: &libc::timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

/// A duration as a timespec.
pub(super) fn to_timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(duration.subsec_nanos()),
    }
}
