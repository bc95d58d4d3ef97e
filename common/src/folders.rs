//! The folders in which data and weights are looked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::variables;

/// The folders of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// The one that `D2L_DATA_DIR` names.
    pub data: Option<PathBuf>,
    /// The cache folder; for a user without a home one below the folder for temporary files, which
    /// anybody may have made first.
    pub cache: PathBuf,
    /// Where PyTorch keeps the weights that it has fetched.
    pub torch: Option<PathBuf>,
}

impl Folders {
    /// Those of the user who runs this program.
    pub fn of_this_user() -> Folders {
        let variable = |name| std::env::var_os(name);
        Folders::new(variable(variables::DATA_DIR), variable("TORCH_HOME"), dirs::cache_dir())
    }

    /// Those that follow from the values of `D2L_DATA_DIR` and `TORCH_HOME`, of which an empty one counts
    /// as not set, and from the folder of the user's caches.
    pub fn new(
        data_dir: Option<OsString>,
        torch_home: Option<OsString>,
        caches: Option<PathBuf>,
    ) -> Folders {
        let named =
            |value: Option<OsString>| value.filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = caches.as_ref().map_or_else(temporary, |caches| caches.join("d2l"));
        let torch_home = named(torch_home).or_else(|| Some(caches?.join("torch")));
        Folders {
            data: named(data_dir),
            cache,
            torch: torch_home.map(|home| home.join("hub/checkpoints")),
        }
    }

    /// The path of a data set's file or folder, looked for where [`data`](Folders::data) and
    /// [`cache`](Folders::cache) say, in this order.
    pub fn find(&self, name: &str, is_right: fn(&Path) -> bool) -> Option<PathBuf> {
        let folders = self.data.iter().chain([&self.cache]);
        folders.map(|folder| folder.join(name)).find(|path| is_right(path))
    }

    /// The path of a file of torchvision's, which PyTorch may have fetched.
    pub fn find_weights(&self, name: &str) -> Option<PathBuf> {
        let fetched = || self.torch.as_ref().map(|folder| folder.join(name));
        self.find(name, Path::is_file).or_else(|| fetched().filter(|path| path.is_file()))
    }
}

#[cfg(unix)]
fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("d2l-{}", rustix::process::getuid().as_raw()))
}

#[cfg(not(unix))]
fn temporary() -> PathBuf {
    std::env::temp_dir().join("d2l")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn new(data: Option<&str>, torch: Option<&str>, caches: Option<&str>) -> Folders {
        Folders::new(data.map(OsString::from), torch.map(OsString::from), caches.map(PathBuf::from))
    }

    #[test]
    fn folders_follow_from_variables() {
        let usual = Folders {
            data: None,
            cache: "/c/d2l".into(),
            torch: Some("/c/torch/hub/checkpoints".into()),
        };
        assert_eq!(new(None, None, Some("/c")), usual);
        // An empty value does not mean the current folder.
        assert_eq!(new(Some(""), Some(""), Some("/c")), usual);
        let named = new(Some("/data"), Some("/torch"), Some("/c"));
        assert_eq!(named.data, Some("/data".into()));
        assert_eq!(named.cache, usual.cache);
        assert_eq!(named.torch, Some("/torch/hub/checkpoints".into()));
        let homeless = new(None, None, None);
        assert!(homeless.cache.starts_with(std::env::temp_dir()));
        assert_eq!((homeless.data, homeless.torch), (None, None));
    }

    #[test]
    fn what_is_named_comes_before_the_cache_and_that_before_pytorchs() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let folders = Folders::new(Some(path("data").into()), None, Some(path("caches")));
        let [data, cache, torch] =
            ["data", "caches/d2l", "caches/torch/hub/checkpoints"].map(|name| path(name).join("a"));
        for made in [&torch, &cache, &data] {
            assert_ne!(folders.find_weights("a"), Some(made.clone()));
            fs::create_dir_all(made.parent().unwrap()).unwrap();
            fs::write(made, "").unwrap();
            assert_eq!(folders.find_weights("a"), Some(made.clone()));
        }
        assert_eq!(folders.find("a", Path::is_file), Some(data.clone()));
        // A folder of that name is no file.
        fs::remove_file(&data).unwrap();
        fs::create_dir(&data).unwrap();
        assert_eq!(folders.find("a", Path::is_file), Some(cache));
        assert_eq!(folders.find("a", Path::is_dir), Some(data));
    }
}
