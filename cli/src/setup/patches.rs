//! Our changes to evcxr: the patch files in `kernel/patches`, applied to copies of the packages in the
//! registry. The paths in them are those of evcxr's own repository, a folder for each package.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::slice;

use anyhow::{Context, Result, anyhow, bail};
use diffy::patch_set::{FileOperation, ParseOptions, PatchKind, PatchSet};

use crate::project::Project;
use crate::setup::cargo::{locked_version, package_folder};
use crate::setup::stamp::{digest, unless_done};

/// Applies our patches, unless that has been done, and returns arguments for Cargo that make it use the
/// copies. For Cargo.lock the packages stay the same.
pub fn arguments(project: &Project) -> Result<[String; 2]> {
    apply(project, &project.path("kernel/patches"), &project.share().join("patched"))
}

/// The same for the patches in a folder, with copies in another one.
pub fn apply(project: &Project, patches: &Path, folder: &Path) -> Result<[String; 2]> {
    let patches = Patches::read(patches)?;
    let lock = fs::read_to_string(project.path("Cargo.lock"))?;
    fs::create_dir_all(folder)?;
    let mut copies = vec![];
    for package in patches.packages()? {
        let version = locked_version(&lock, &package)
            .with_context(|| format!("Cargo.lock has no {package}, which is to be patched"))?;
        let copy = folder.join(&package);
        let inputs = format!("{version} {}", digest(slice::from_ref(&patches.folder))?);
        unless_done(
            &folder.join(format!("{package}.stamp")),
            &inputs,
            slice::from_ref(&copy),
            || {
                let source = package_folder(project, &package)?;
                let changed = patches.changed(&package, &version, &source)?;
                if copy.exists() {
                    fs::remove_dir_all(&copy)?;
                }
                copy_folder(&source, &copy)?;
                for (file, text) in changed {
                    fs::write(copy.join(file), text)?;
                }
                Ok(())
            },
        )?;
        copies.push(copy.to_string_lossy().into_owned());
    }
    Ok(["--config".into(), format!("paths={}", serde_json::to_string(&copies)?)])
}

struct Patches {
    folder: PathBuf,
    /// The path and the text of each file, in the order of application.
    files: Vec<(PathBuf, String)>,
}

impl Patches {
    fn read(folder: &Path) -> Result<Patches> {
        let entries = fs::read_dir(folder);
        let entries = entries.with_context(|| format!("cannot read {}", folder.display()))?;
        let mut files = vec![];
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "patch") {
                files.push((path.clone(), fs::read_to_string(path)?));
            }
        }
        files.sort();
        Ok(Patches { folder: folder.to_path_buf(), files })
    }

    /// All changes, in their order.
    fn changes(&self) -> Result<Vec<Change<'_>>> {
        let mut changes = vec![];
        for (path, text) in &self.files {
            let new = changes_in(path, text);
            changes.extend(new.with_context(|| format!("{} cannot be applied", path.display()))?);
        }
        Ok(changes)
    }

    /// The names of the changed packages.
    fn packages(&self) -> Result<BTreeSet<String>> {
        Ok(self.changes()?.into_iter().map(|change| change.package).collect())
    }

    /// The changed files of a package, with all patches applied.
    fn changed(
        &self,
        package: &str,
        version: &str,
        source: &Path,
    ) -> Result<BTreeMap<String, String>> {
        let mut texts = BTreeMap::new();
        for Change { patch, file, is_new, change, .. } in
            self.changes()?.into_iter().filter(|change| change.package == package)
        {
            let text = match texts.remove(&file) {
                Some(text) => Ok(text),
                None if is_new && source.join(&file).exists() => {
                    Err(anyhow!("it is there already"))
                }
                None if is_new => Ok(String::new()),
                None => fs::read_to_string(source.join(&file)).map_err(anyhow::Error::from),
            };
            let text = text.and_then(|text| Ok(diffy::apply(&text, &change)?)).map_err(|error| {
                anyhow!(
                    "{} does not apply to {file} of {package} {version}: {error}\n  what to do: \
                     recreate the patch for this version, which is the one in Cargo.lock",
                    patch.display()
                )
            })?;
            texts.insert(file, text);
        }
        Ok(texts)
    }
}

/// A change to one file.
struct Change<'a> {
    /// The patch file that makes it.
    patch: &'a Path,
    package: String,
    /// Its path in the package.
    file: String,
    /// Whether the package does not have it yet.
    is_new: bool,
    change: diffy::Patch<'a, str>,
}

fn changes_in<'a>(path: &'a Path, text: &'a str) -> Result<Vec<Change<'a>>> {
    let mut changes = vec![];
    for change in PatchSet::parse(text, ParseOptions::gitdiff()) {
        let change = change?;
        let (path_in_package, is_new) = match change.operation().strip_prefix(1) {
            FileOperation::Modify { modified, .. } => (modified, false),
            FileOperation::Create(created) => (created, true),
            _ => bail!("it removes or renames files"),
        };
        let (package, file) =
            path_in_package.split_once('/').context("a path without a package")?;
        let (package, file) = (package.to_string(), file.to_string());
        let PatchKind::Text(change) = change.into_patch() else {
            bail!("{file} is not a text file")
        };
        changes.push(Change { patch: path, package, file, is_new, change });
    }
    if changes.is_empty() {
        bail!("it changes nothing");
    }
    Ok(changes)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "Subject: Say two\n\nFor a reason.\n---\n\
                         diff --git a/pack/src/lib.rs b/pack/src/lib.rs\n\
                         --- a/pack/src/lib.rs\n+++ b/pack/src/lib.rs\n\
                         @@ -1,3 +1,3 @@\n a\n-one\n+two\n b\n";

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("d2l-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("src")).unwrap();
        folder
    }

    #[test]
    fn patches_are_applied_in_order_wherever_the_lines_are() {
        let folder = folder("patches");
        let second = PATCH.replace("-one\n+two", "-two\n+three");
        fs::write(folder.join("0001-two.patch"), PATCH).unwrap();
        fs::write(folder.join("0002-three.patch"), second).unwrap();
        let new = "diff --git a/pack/src/new.rs b/pack/src/new.rs\nnew file mode 100644\n\
                   --- /dev/null\n+++ b/pack/src/new.rs\n@@ -0,0 +1,2 @@\n+c\n+d\n";
        fs::write(folder.join("0003-new.patch"), format!("Subject: Add a file\n---\n{new}"))
            .unwrap();
        fs::write(folder.join("README.md"), "no patch").unwrap();
        fs::write(folder.join("src/lib.rs"), "new\nabove\na\none\nb\n").unwrap();
        let patches = Patches::read(&folder).unwrap();
        assert_eq!(patches.packages().unwrap(), ["pack".to_string()].into());
        let changed = patches.changed("pack", "1.0.0", &folder).unwrap();
        assert_eq!(changed["src/lib.rs"], "new\nabove\na\nthree\nb\n");
        assert_eq!(changed["src/new.rs"], "c\nd\n");
        // A file that is there already is not written over.
        fs::write(folder.join("src/new.rs"), "another\n").unwrap();
        assert!(patches.changed("pack", "1.0.0", &folder).is_err());
        assert!(patches.changed("other", "1.0.0", &folder).unwrap().is_empty());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_patch_that_does_not_apply_is_named_with_the_version() {
        let folder = folder("no-patches");
        let file = folder.join("0001-two.patch");
        fs::write(&file, PATCH).unwrap();
        let refused = || {
            let patches = Patches::read(&folder).unwrap();
            format!("{:#}", patches.changed("pack", "1.2.3", &folder).unwrap_err())
        };
        let missing = refused();
        fs::write(folder.join("src/lib.rs"), "a\nsomething else\nb\n").unwrap();
        for error in [missing, refused()] {
            for part in ["0001-two.patch", "pack 1.2.3", "src/lib.rs", "what to do"] {
                assert!(error.contains(part), "{part}: {error}");
            }
        }
        let removed = PATCH.replace("+++ b/pack/src/lib.rs", "+++ /dev/null");
        for text in ["no change", &removed, &PATCH.replace("pack/src/", "")] {
            fs::write(&file, text).unwrap();
            let error = refused();
            assert!(error.contains("0001-two.patch cannot be applied"), "{error}");
        }
        fs::remove_dir_all(folder).unwrap();
        assert!(Patches::read(Path::new("/no/such/folder")).is_err());
    }

    #[test]
    fn our_patches_apply_to_the_locked_versions() {
        let project = Project::find().unwrap();
        let patches = Patches::read(&project.path("kernel/patches")).unwrap();
        for package in patches.packages().unwrap() {
            let version = locked_version(include_str!("../../../Cargo.lock"), &package).unwrap();
            let source = package_folder(&project, &package).unwrap();
            assert!(!patches.changed(&package, &version, &source).unwrap().is_empty());
        }
    }
}
