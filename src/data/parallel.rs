//! The same work on many things, on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::jupyter::Progress;
use crate::jupyter::check_interrupt;
use crate::{Error, Result};

/// What `each` returns for the numbers below `count`, in order; `what` names the work for the reader.
///
/// The first error, or the stop button, ends it.
pub(super) fn on_all_cores<T: Send>(
    what: &str,
    count: usize,
    each: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let progress = Mutex::new(Progress::new(what, count as u64));
    let work = || -> Result<Vec<(usize, T)>> {
        let mut done = vec![];
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                return Ok(done);
            }
            // The first error stops all threads.
            let made = check_interrupt().and_then(|()| each(i));
            done.push((i, made.inspect_err(|_| next.store(count, Ordering::Relaxed))?));
            progress.lock().unwrap_or_else(PoisonError::into_inner).advance(1);
        }
    };
    let mut all = thread::scope(|scope| -> Result<Vec<(usize, T)>> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, work);
        // This thread is one of them, should the system start no other.
        let threads: Vec<_> = (1..cores).map_while(|i| spawn(i).ok()).collect();
        let mut all = work()?;
        for thread in threads {
            let failed = |_| {
                let todo = "look for a panic in the output above, and report it";
                Err(Error::invalid(what, "a thread panicked", "a thread that ends", todo))
            };
            all.extend(thread.join().unwrap_or_else(failed)?);
        }
        Ok(all)
    })?;
    all.sort_by_key(|(i, _)| *i);
    Ok(all.into_iter().map(|(_, made)| made).collect())
}
