//! Times, their median, and how they are written.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Anything that makes the bench end early.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long something takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<(Duration, T), Error> {
    let began = Instant::now();
    let result = work()?;
    Ok((began.elapsed(), result))
}

/// What became of some rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The middle one: a single slow round, when somebody else used the machine, does not count.
    pub(crate) median: Duration,
    /// The shortest one: the least that the work takes, whoever else is there.
    pub(crate) best: Duration,
}

impl Times {
    pub(crate) fn of(mut rounds: Vec<Duration>) -> Self {
        rounds.sort();
        Self {
            median: rounds.get(rounds.len() / 2).copied().unwrap_or_default(),
            best: rounds.first().copied().unwrap_or_default(),
        }
    }
}

/// Runs a command to its end without its output.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let message = String::from_utf8_lossy(&output.stderr);
            Err(format!("{command:?} failed:\n{message}").into())
        }
    }
}

/// The wall time of a command, over some rounds.
pub(crate) fn command_time(
    rounds: usize,
    mut command: impl FnMut() -> Command,
) -> Result<Times, Error> {
    let times: Result<Vec<Duration>, Error> = (0..rounds)
        .map(|_| Ok(timed(|| run(&mut command()))?.0))
        .collect();
    Ok(Times::of(times?))
}

/// Seconds for what takes long, milliseconds for all else.
pub(crate) fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds => format!("{:.2} ms", seconds * 1000.0),
    }
}
