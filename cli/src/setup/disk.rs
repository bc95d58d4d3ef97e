//! Free space on a disk.

use std::path::Path;
use std::process::Command;

/// Free bytes on the disk of a folder; `df` knows it everywhere.
pub fn free_space(folder: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    free_bytes(&output.stdout)
}

/// Sizes, used and free kilobytes stand before the part in use, `87%`; the names of the disk and of the
/// folder, before and behind them, may have spaces.
fn free_bytes(table: &[u8]) -> Option<u64> {
    let table = String::from_utf8_lossy(table);
    let words: Vec<&str> = table.lines().nth(1)?.split_whitespace().collect();
    let kilobytes = words.windows(4).find_map(|words| {
        let numbers = words[..3].iter().map(|word| word.parse().ok());
        let [_, _, free]: [u64; 3] = numbers.collect::<Option<Vec<_>>>()?.try_into().ok()?;
        (words[3] == "-" || words[3].ends_with('%')).then_some(free)
    })?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_read_whatever_the_disk_is_called() {
        let table = |row: &str| {
            format!("Filesystem 1024-blocks Used Available Capacity Mounted on\n{row}\n")
        };
        for (row, expected) in [
            ("/dev/sda1 100 40 60 40% /", Some(60)),
            ("//server/my share 100 40 60 40% /mnt", Some(60)),
            ("disk 7 100 40 60 40% /mnt/a folder of 3 90% 1", Some(60)),
            ("overlay 9000000000 40 8999999960 1% /", Some(8_999_999_960)),
            ("/dev/sda1 100 100 0 100% /", Some(0)),
            ("none 0 0 0 - /proc", Some(0)),
            ("/dev/sda1 100 120 -20 120% /", None),
            ("/dev/sda1 1 1 18446744073709551615 1% /", None),
            ("df: nothing", None),
            ("", None),
        ] {
            assert_eq!(
                free_bytes(table(row).as_bytes()),
                expected.map(|kilobytes: u64| kilobytes * 1024),
                "{row}"
            );
        }
        assert_eq!(free_bytes(b""), None);
        // As it comes in a locale of its own
        let table = b"Syst\xe8me blocs\n/dev/sda1 100 40 60 40% /caf\xe9\n";
        assert_eq!(free_bytes(table), Some(60 * 1024));
        assert!(free_space(Path::new("/")).is_some());
        assert_eq!(free_space(Path::new("/no/such/folder")), None);
    }
}
