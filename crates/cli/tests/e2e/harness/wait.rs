//! Waiting for events, never for time to pass.

use std::time::{Duration, Instant};

/// How long libvirt, QEMU or a guest's daemon may take to do what it was told. A hundred times
/// what an idle machine needs: tests run beside compilers.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How long all VMs of a lab may take to boot, and protocols to converge after that.
pub(crate) const BOOT_PATIENCE: Duration = Duration::from_secs(480);

/// Least time between two looks, where nothing tells of the event. A look that took longer is
/// followed by as much rest: the guests need the processors that it is waited with.
const INTERVAL: Duration = Duration::from_millis(200);

/// Most time between two looks.
const REST_LIMIT: Duration = Duration::from_secs(2);

/// Looks again and again until something is found; panics with the last reason when it is not
/// found in time.
pub(crate) fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> T {
    let end = Instant::now() + patience;
    loop {
        let began = Instant::now();
        match look() {
            Ok(found) => return found,
            Err(reason) if Instant::now() >= end => {
                panic!(
                    "{what}: not within {} s; last: {reason}",
                    patience.as_secs()
                )
            }
            Err(_) => std::thread::sleep(began.elapsed().clamp(INTERVAL, REST_LIMIT)),
        }
    }
}

/// Runs a function for each item at the same time, and gives the results in the items' order.
/// A panic in one of them is a panic here.
pub(crate) fn at_once<I: Sync, T: Send>(items: &[I], run: impl Fn(&I) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = items
            .iter()
            .map(|item| scope.spawn(move || run(item)))
            .collect();
        let results = threads.into_iter().map(|thread| thread.join());
        results
            .map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
