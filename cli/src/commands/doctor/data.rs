//! Data and weights, which are downloaded on first use.

use std::path::Path;

use d2l_common::files::{HOTDOG, HOTDOG_ARCHIVE, HOTDOG_DRAWINGS, RESNET18};
use d2l_common::folders::Folders;

use super::State::{self, Absent, Good};

pub fn hotdogs(folders: &Folders) -> (State, String) {
    let archive = || folders.find(HOTDOG_ARCHIVE, Path::is_file);
    if let Some(path) = folders.find(HOTDOG, Path::is_dir).or_else(archive) {
        return (Good, path.display().to_string());
    }
    let drawn = folders.find(HOTDOG_DRAWINGS, Path::is_dir);
    let drawn = drawn.map_or("drawn on first use".into(), |path| path.display().to_string());
    (Absent, format!("no photographs here: downloaded on first use, else drawings ({drawn})"))
}

pub fn resnet_weights(folders: &Folders) -> (State, String) {
    match folders.find_weights(RESNET18) {
        Some(path) => (Good, path.display().to_string()),
        None => (Absent, "downloaded on first use, else the lesson uses EfficientNet-Lite0".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::{check, write};
    use super::*;

    #[test]
    fn photographs_count_unpacked_or_packed_and_drawings_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let folders = Folders::new(Some(path("data").into()), None, Some(path("caches")));
        check(hotdogs(&folders), Absent, &["no photographs", "drawn on first use"]);
        let drawn = path("caches/d2l/hotdog-drawings-2");
        fs::create_dir_all(&drawn).unwrap();
        check(hotdogs(&folders), Absent, &[&drawn.display().to_string()]);
        // A file is no unpacked data set, and a folder no archive.
        write(path("data/hotdog"), "");
        fs::create_dir(path("data/hotdog.zip")).unwrap();
        check(hotdogs(&folders), Absent, &["no photographs"]);
        let archive = path("caches/d2l/hotdog.zip");
        write(archive.clone(), "");
        check(hotdogs(&folders), Good, &[&archive.display().to_string()]);
        let unpacked = path("caches/d2l/hotdog");
        fs::create_dir(&unpacked).unwrap();
        assert_eq!(hotdogs(&folders), (Good, unpacked.display().to_string()));
    }

    #[test]
    fn weights_that_pytorch_has_fetched_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let folders = |home: Option<&str>| {
            Folders::new(None, home.map(|home| path(home).into()), Some(path("caches")))
        };
        check(resnet_weights(&folders(None)), Absent, &["downloaded on first use"]);
        let usual = path("caches/torch/hub/checkpoints/resnet18-f37072fd.pth");
        write(usual.clone(), "");
        check(resnet_weights(&folders(None)), Good, &[&usual.display().to_string()]);
        // TORCH_HOME takes the place of the usual folder.
        check(resnet_weights(&folders(Some("home"))), Absent, &["downloaded on first use"]);
        let ours = path("caches/d2l/resnet18-f37072fd.pth");
        write(ours.clone(), "");
        check(resnet_weights(&folders(Some("home"))), Good, &[&ours.display().to_string()]);
    }
}
