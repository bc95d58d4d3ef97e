//! `cargo d2l setup`: everything that makes a notebook's first cell run in seconds. One file a step.
//!
//! Each step leaves a stamp that records its inputs, so that a second set-up repeats only the steps whose
//! inputs have changed.

pub mod cargo;
pub mod cuda;
pub mod disk;
pub mod environment;
pub mod kernel;
pub mod kernelspec;
pub mod patches;
pub mod python;
pub mod python_packages;
pub mod stamp;
pub mod torch_version;
pub mod warm_build;
pub mod weights;
pub mod wheels;
pub mod wrapper;

use std::fs;

use anyhow::{Context, Result, bail};
use cuda::Processor;

use crate::output;
use crate::project::Project;
use crate::steps::Steps;

/// kernel.json and Cargo's configuration are UTF-8, and so must be the paths in them.
const NOT_UTF8: &str = "the name of a folder is not UTF-8; rename it, or install elsewhere";

const FIRST_TIME: &str = "\
Setting up, which takes about eight minutes on two cores. If it is interrupted, run it again: what was finished is
not repeated, and packages are not downloaded twice.";

/// Sets the project up. `processor` is what the reader has said this time.
pub fn setup(project: &Project, processor: Option<Processor>) -> Result<()> {
    let steps = Steps::default();
    fs::create_dir_all(project.kernel_folders())
        .with_context(|| format!("cannot write to {}", project.root.display()))?;
    let lock = project.path("target/setup.lock");
    let lock =
        fs::File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
    wait_for_another(&lock, lock.try_lock())?;

    if !warm_build::is_there(project) {
        output::note(FIRST_TIME);
    }
    environment::make(project, &steps)?;
    let processor = cuda::remembered(project, processor)?;
    let with_cuda = cuda::is_wanted(project, processor);
    std::thread::scope(|scope| {
        let kernel = scope.spawn(|| kernel::build(project, &steps));
        let rest = libtorch_and_notebooks(project, &steps, with_cuda);
        rest.and(joined(kernel))
    })?;
    kernelspec::write(project)?;
    warm_build::make(project, &steps)
}

/// First libtorch's CPU half; then one part downloads while the other compiles.
fn libtorch_and_notebooks(project: &Project, steps: &Steps, with_cuda: bool) -> Result<()> {
    python_packages::install_libtorch(project, steps)?;
    std::thread::scope(|scope| {
        let compiled = scope.spawn(|| {
            wrapper::compile(project, steps)?;
            warm_build::compile_dependencies(project, steps)
        });
        let packages = python_packages::install_notebooks(project, steps)
            .and_then(|()| weights::convert(project, steps))
            .and_then(|()| match with_cuda {
                true => python_packages::install_whole_torch(project, steps),
                false => Ok(()),
            });
        packages.and(joined(compiled))
    })
}

fn joined(step: std::thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    step.join().unwrap_or_else(|_| bail!("a step of the set-up panicked"))
}

/// Waits for another set-up to end; `first` is the result of a first attempt to take the lock.
fn wait_for_another(lock: &fs::File, first: Result<(), fs::TryLockError>) -> Result<()> {
    match first {
        Err(fs::TryLockError::WouldBlock) => {
            output::note("Another set-up is running here; waiting for it ...");
            lock.lock().context("cannot wait for another set-up")
        }
        // The file system has no locks: continue without one.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second set-up waits for the first one's lock.
    #[test]
    fn two_set_ups_go_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let open = || fs::File::create(folder.path().join("setup.lock")).unwrap();
        let (first, second) = (open(), open());
        wait_for_another(&first, first.try_lock()).unwrap();
        let looked = second.try_lock();
        assert!(matches!(looked, Err(fs::TryLockError::WouldBlock)));
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                wait_for_another(&second, looked).unwrap();
                assert!(done.load(std::sync::atomic::Ordering::SeqCst), "it did not wait");
            });
            std::thread::sleep(std::time::Duration::from_millis(50));
            done.store(true, std::sync::atomic::Ordering::SeqCst);
            first.unlock().unwrap();
        });
        assert!(first.try_lock().is_err(), "the second one has it now");
    }

    /// NFS without its lock service, some FUSE and 9p mounts: locking is not supported there. That is
    /// no sign of another set-up, and waiting would fail, too.
    #[test]
    fn a_file_system_without_locks_is_set_up_without_one() {
        use std::io::{Error, ErrorKind};
        let folder = tempfile::tempdir().unwrap();
        let open = || fs::File::create(folder.path().join("setup.lock")).unwrap();
        let file = open();
        for kind in [
            ErrorKind::Unsupported,
            ErrorKind::PermissionDenied,
            ErrorKind::InvalidInput,
            ErrorKind::StaleNetworkFileHandle,
            ErrorKind::Other,
        ] {
            let looked = Err(fs::TryLockError::Error(Error::from(kind)));
            wait_for_another(&file, looked).unwrap();
            open().try_lock().expect("nothing is locked");
        }
    }
}
