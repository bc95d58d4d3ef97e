//! Data sets and pretrained files: where they are, and how they come here (d2l: section 5.7.1,
//! *Downloading Data*).
//!
//! Files are looked for in the folder that `D2L_DATA_DIR` names, then in the user's cache folder (which
//! one that is: `folders.rs` of d2l-common);
//! downloads go to the first of the two that can be written. With `D2L_OFFLINE=1` nothing is asked
//! of the network.

mod certificates;
pub(crate) mod checksum;
mod content;
mod download;
mod extract;
mod file_lock;
pub(crate) mod first_bytes;
mod gzip;
pub(crate) mod published;
mod request;
mod work_folder;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use download::fetch;
pub use download::{download, download_url};
pub use extract::extract;
pub(crate) use work_folder::WorkFolder;

use crate::{Error, Result, settings};

/// Where the book keeps its data sets (d2l: `DATA_URL`, there with `http:`, which many proxies refuse).
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
pub const DATA_URL: &str = "https://d2l-data.s3-accelerate.amazonaws.com/";

/// The data sets by name (d2l: `DATA_HUB`). It knows the book's `hotdog` and `banana-detection`, and
/// `cifar10`.
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// ```
/// use d2l::prelude::*;
/// DATA_HUB.insert("mine", (format!("{DATA_URL}mine.zip"), "fba480ffa8aa7e0febbb511d181409f899b9baa5"));
/// assert!(DATA_HUB.get("mine")?.0.ends_with("mine.zip"));
/// assert!(DATA_HUB.get("yours").is_err());
/// # Ok::<(), d2l::Error>(())
/// ```
pub static DATA_HUB: LazyLock<DataHub> = LazyLock::new(|| {
    let hub = DataHub(Mutex::default());
    hub.insert(
        "hotdog",
        (format!("{DATA_URL}hotdog.zip"), "fba480ffa8aa7e0febbb511d181409f899b9baa5"),
    );
    hub.insert(
        "banana-detection",
        (format!("{DATA_URL}banana-detection.zip"), "5de26c8fce5ccdea9f91267273464dc968d20d72"),
    );
    hub.insert(
        "cifar10",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    );
    hub
});

/// Names of data sets, each with its address and its SHA-1 or SHA-256.
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
pub struct DataHub(Mutex<BTreeMap<String, (String, String)>>);

impl DataHub {
    /// Adds a data set or replaces it: its name, its address and the file's SHA-1, or
    /// SHA-256, in hexadecimal.
    pub fn insert(&self, name: impl Into<String>, entry: (impl Into<String>, impl Into<String>)) {
        self.put(name.into(), (entry.0.into(), entry.1.into()));
    }

    fn put(&self, name: String, entry: (String, String)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, entry);
    }

    /// The address and the checksum of a data set.
    ///
    /// # Errors
    /// The hub has no data set of this name; the message lists those it has.
    pub fn get(&self, name: &str) -> Result<(String, String)> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(name).cloned().ok_or_else(|| {
            let known: Vec<_> = entries.keys().map(String::as_str).collect();
            Error::invalid(
                "DATA_HUB",
                format!("no data set named {name:?}"),
                format!("one of: {}", known.join(", ")),
                "add it with DATA_HUB.insert(name, (url, sha1))",
            )
        })
    }
}

impl fmt::Display for DataHub {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<_> =
            entries.iter().map(|(name, (url, _))| format!("{name}: {url}")).collect();
        f.write_str(&names.join("\n"))
    }
}

crate::jupyter::show_as_text!(DataHub);

/// The folder of a data set: as it was unpacked before, from an archive of an earlier download, or from
/// the network.
pub(crate) fn fetch_and_extract(name: &str) -> Result<PathBuf> {
    let (url, _) = DATA_HUB.get(name)?;
    let stem = archive_stem(&url);
    for folder in folders() {
        let unpacked = folder.join(&stem);
        if unpacked.is_dir() {
            return Ok(unpacked);
        }
    }
    download(name).and_then(|archive| extract(archive, None))
}

/// The folder in an archive: the file's name without `.zip`, `.tar`, `.tar.gz` or `.tgz`.
fn archive_stem(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let stem = [".tar.gz", ".tgz", ".zip", ".tar"].iter().find_map(|end| name.strip_suffix(end));
    match stem.unwrap_or(name) {
        "cifar-10-binary" => "cifar-10-batches-bin".into(),
        stem => stem.into(),
    }
}

/// The cache folder, if what lies there can only have come from this user: in the folder for
/// temporary files, anybody may have made it first.
pub(crate) fn usable_cache_dir() -> Result<PathBuf> {
    let folder = settings::folders().cache;
    #[cfg(unix)]
    if dirs::cache_dir().is_none() {
        use std::os::unix::fs::{DirBuilderExt, MetadataExt};
        match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::io("make the folder", folder)(error));
            }
            _ => {}
        }
        let data = std::fs::symlink_metadata(&folder).map_err(Error::io("read", &folder))?;
        let is_own = data.is_dir() && data.uid() == rustix::process::getuid().as_raw();
        if !is_own || data.mode() & 0o022 != 0 {
            return Err(Error::file(
                &folder,
                "others can write to it, or made it",
                "a folder of this user alone",
                "set HOME or XDG_CACHE_HOME, or name a folder of your own in D2L_DATA_DIR",
            ));
        }
    }
    Ok(folder)
}

/// The folders in which data is looked for, in order.
pub(crate) fn folders() -> Vec<PathBuf> {
    settings::folders().data.into_iter().chain(usable_cache_dir().ok()).collect()
}

/// The first folder that can be written to, made if need be.
pub(crate) fn writable_folder() -> Result<PathBuf> {
    if let Some(folder) = settings::folders().data.filter(|folder| ensure_writable(folder).is_ok())
    {
        return Ok(folder);
    }
    let folder = usable_cache_dir()?;
    ensure_writable(&folder).map_err(Error::io("write to the folder", &folder))?;
    Ok(folder)
}

/// Waits until a new name in a folder is on the disk, if the system can tell.
fn sync_folder(folder: &Path) {
    // Some file systems know no such thing; the file itself is whole without it.
    let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
}

/// An empty file beside `path`, to be renamed to it; removed if dropped before.
pub(crate) fn beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // The folder by its own name, not by that of the file in it
    std::fs::metadata(folder).map_err(Error::io("write to the folder", folder))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".d2l-").suffix(".part");
    // As any new file; the umask applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(Error::io("write to the folder", folder))
}

fn ensure_writable(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(drop)
}
