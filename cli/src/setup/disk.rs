//! Free space on a disk.

use std::path::Path;

/// The number of free bytes for this user on the disk of a folder.
pub fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
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
}
