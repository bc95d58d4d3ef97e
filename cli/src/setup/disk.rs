//! Free space on a disk.

use std::path::Path;

use anyhow::{Result, bail};

/// The number of free bytes for this user on the disk of a folder.
pub fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// An error if a folder's disk has less free space than something needs.
pub fn check(folder: &Path, needed: u64, what: &str, todo: &str) -> Result<()> {
    enough(folder, free_space(folder), needed, what, todo)
}

fn enough(folder: &Path, free: Option<u64>, needed: u64, what: &str, todo: &str) -> Result<()> {
    let Some(free) = free.filter(|&free| free < needed) else { return Ok(()) };
    bail!(
        "{} has {:.1} GB free, {what} needs about {:.0} GB\n  what to do: {todo}",
        folder.display(),
        free as f64 / 1e9,
        needed as f64 / 1e9
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::command;

    #[test]
    fn free_space_is_what_df_says() {
        let output = command("df").args(["-Pk", "/"]).output().unwrap();
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        let kilobytes: u64 = table.split_whitespace().rev().nth(2).unwrap().parse().unwrap();
        let free = free_space(Path::new("/")).unwrap();
        assert!(free.abs_diff(kilobytes * 1024) < 1 << 30, "{free}: {table}");
        assert_eq!(free_space(Path::new("/no/such/folder")), None);
    }

    #[test]
    fn a_disk_that_is_too_full_is_named_with_what_needs_it() {
        let check = |free| enough(Path::new("/here"), free, 6_000_000_000, "CUDA", "use the CPU");
        for free in [Some(6_000_000_000), Some(u64::MAX), None] {
            check(free).unwrap();
        }
        let error = check(Some(5_940_000_000)).unwrap_err().to_string();
        assert_eq!(
            error,
            "/here has 5.9 GB free, CUDA needs about 6 GB\n  what to do: use the CPU"
        );
    }
}
