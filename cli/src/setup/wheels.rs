//! Prebuilt kernels: wheels in the folder, or of the index, that `D2L_WHEELS` names.
//!
//! pip chooses the wheel for this machine. It is used if it was built from these very sources, which the
//! digest in it says. A folder has a `SHA256SUMS`, as `cargo d2l wheel` writes it; of an index pip checks
//! the sums that its pages name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use d2l_common::variables::WHEELS;
use sha2::{Digest, Sha256};

use crate::output;
use crate::process::captured;
use crate::project::Project;
use crate::steps::Steps;

/// The sums of a folder's wheels, in the format of `sha256sum`.
pub const SUMS: &str = "SHA256SUMS";

/// Where wheels are.
#[derive(Debug, PartialEq)]
enum Place {
    Folder(PathBuf),
    Index(String),
}

impl Place {
    /// What `D2L_WHEELS` names.
    fn named(value: Option<String>) -> Result<Option<Place>> {
        let Some(name) = value.filter(|name| !name.is_empty()) else { return Ok(None) };
        if name.starts_with("https://") || name.starts_with("http://") {
            return Ok(Some(Place::Index(name)));
        }
        let folder = std::path::absolute(&name).unwrap_or_else(|_| name.clone().into());
        if !folder.is_dir() {
            bail!(
                "{WHEELS} is {name}, which is no folder\n  what to do: name a folder of wheels or the \
                 address of an index, or unset it, and the kernel is compiled"
            );
        }
        Ok(Some(Place::Folder(folder)))
    }

    fn name(&self) -> String {
        match self {
            Place::Folder(folder) => folder.display().to_string(),
            Place::Index(address) => address.clone(),
        }
    }
}

/// Takes the kernel from a wheel if there is one of this version and these sources, and says whether there
/// was; if not, why.
pub fn take_kernel(project: &Project, steps: &Steps, version: &str, sources: &str) -> Result<bool> {
    let Some(place) = Place::named(std::env::var(WHEELS).ok())? else { return Ok(false) };
    let refused = steps.run("Taking the kernel from a wheel", "seconds", |_| {
        take_from(project, &place, version, sources)
    })?;
    if let Some(reason) = &refused {
        output::note(format!("{reason}: the kernel is compiled instead."));
    }
    Ok(refused.is_none())
}

/// The reason if no wheel is the right one.
fn take_from(
    project: &Project,
    place: &Place,
    version: &str,
    sources: &str,
) -> Result<Option<String>> {
    let folder = project.share().join("wheel");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let mut pip = project.command(project.python());
    pip.args(["-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-deps"]);
    pip.args(["--only-binary", ":all:", "--dest"]).arg(&folder);
    match place {
        Place::Folder(folder) => pip.args(["--no-index", "--find-links"]).arg(folder),
        Place::Index(address) => pip.args(["--index-url", address]),
    };
    let found = captured(pip.arg(format!("d2l-kernel=={version}")))?;
    if !found.status.success() {
        let text = String::from_utf8_lossy(&found.stderr).into_owned();
        if text.contains("HASH") {
            bail!("{} has a damaged wheel: {}{DAMAGED}", place.name(), text.trim());
        }
        let reason = text.lines().find_map(|line| line.strip_prefix("ERROR: "));
        let reason = reason.unwrap_or("pip found none");
        return Ok(Some(format!(
            "{} has no kernel {version} for this machine ({reason})",
            place.name()
        )));
    }
    let mut files = fs::read_dir(&folder)?.flatten();
    let wheel = files.next().context("pip has put the wheel elsewhere")?.path();
    if let Place::Folder(folder) = place {
        check_sum(folder, &wheel)?;
    }
    let unpacked = folder.join("d2l-kernel");
    let output = captured(project.script("unpack_wheel.py").arg(&wheel).arg(&unpacked))?;
    if !output.status.success() {
        bail!("{}{DAMAGED}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let refused = (String::from_utf8_lossy(&output.stdout).trim() != sources).then(|| {
        format!("{} has a kernel {version} that was built from other sources", place.name())
    });
    if refused.is_none() {
        fs::rename(unpacked, project.kernel())?;
    }
    fs::remove_dir_all(&folder)?;
    Ok(refused)
}

const DAMAGED: &str =
    "\n  what to do: copy the wheel again, or unset D2L_WHEELS, and the kernel is compiled";

/// Compares a wheel with its line in the folder's `SHA256SUMS`.
fn check_sum(folder: &Path, wheel: &Path) -> Result<()> {
    let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sums = folder.join(SUMS);
    let text = fs::read_to_string(&sums).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once([' ', '\t']));
    let line = lines.find(|(_, file)| file.trim_start().trim_start_matches('*') == name);
    let Some((expected, _)) = line else {
        bail!(
            "{} does not name {name}, which cannot be checked without it\n  what to do: copy the one \
             that was made with the wheel, or unset {WHEELS}, and the kernel is compiled",
            sums.display()
        );
    };
    let content = fs::read(wheel).with_context(|| format!("cannot read {}", wheel.display()))?;
    let found = hex::encode(Sha256::digest(content));
    if found != expected.to_lowercase() {
        bail!(
            "{}: SHA-256 {found}, expected {expected}, as {SUMS} has it{DAMAGED}",
            folder.join(name).display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::result;

    #[test]
    fn wheels_are_in_a_folder_or_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let named = |name: &str| Place::named(Some(name.into())).unwrap();
        let path = folder.path().to_str().unwrap();
        assert_eq!(named(path), Some(Place::Folder(folder.path().into())));
        let address = "https://example.org/simple";
        assert_eq!(named(address), Some(Place::Index(address.into())));
        assert_eq!(named(""), None);
        assert_eq!(Place::named(None).unwrap(), None);
        let error = Place::named(Some("/no/such/wheels".into())).unwrap_err().to_string();
        for part in ["D2L_WHEELS is /no/such/wheels", "no folder", "what to do", "unset it"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    /// A folder of wheels, and a project with the Python of the real one; nothing before its set-up.
    struct Trial {
        root: tempfile::TempDir,
        project: Project,
    }

    impl Trial {
        fn new() -> Option<Trial> {
            let real = Project::find().unwrap();
            let mut pip = crate::process::command(real.python());
            if !pip.args(["-m", "pip", "--version"]).output().is_ok_and(|o| o.status.success()) {
                result("skipped: wheels: there is no .venv; run `cargo d2l setup`");
                return None;
            }
            let root = tempfile::tempdir().unwrap();
            let project = Project { root: root.path().join("project") };
            for folder in [project.share(), project.path("cli"), project.path(".venv/bin")] {
                fs::create_dir_all(folder).unwrap();
            }
            fs::create_dir(root.path().join("wheels")).unwrap();
            let link = std::os::unix::fs::symlink::<PathBuf, PathBuf>;
            link(real.path("cli/python"), project.path("cli/python")).unwrap();
            // Python finds its environment through the path that it is started by.
            fs::remove_dir(project.path(".venv/bin")).unwrap();
            link(real.path(".venv/bin"), project.path(".venv/bin")).unwrap();
            link(real.path(".venv/pyvenv.cfg"), project.path(".venv/pyvenv.cfg")).unwrap();
            link(real.path(".venv/lib"), project.path(".venv/lib")).unwrap();
            Some(Trial { root, project })
        }

        fn wheels(&self) -> PathBuf {
            self.root.path().join("wheels")
        }

        /// A wheel of a script in the kernel's place, for these machines.
        fn add(&self, version: &str, machines: &str, sources: &str) -> PathBuf {
            let make = "import sys, zipfile
path, version, sources = sys.argv[1:]
files = {
    '.dist-info/METADATA': f'Metadata-Version: 2.1\\nName: d2l-kernel\\nVersion: {version}\\n',
    '.dist-info/WHEEL': 'Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: py3-none-any\\n',
    '.dist-info/RECORD': '',
    '.data/scripts/d2l-kernel': f'#!/bin/sh\\necho {version}\\n',
    '.data/data/share/d2l/kernel-sources': sources + '\\n',
}
with zipfile.ZipFile(path, 'w') as archive:
    for name, text in files.items():
        archive.writestr(f'd2l_kernel-{version}{name}', text)
";
            let path = self.wheels().join(format!("d2l_kernel-{version}-py3-none-{machines}.whl"));
            let mut python = crate::process::command(self.project.python());
            python.args(["-c", make]).arg(&path).args([version, sources]);
            assert!(python.status().unwrap().success());
            path
        }

        /// Writes the sums of all wheels.
        fn sum(&self) {
            let mut text = String::new();
            for entry in fs::read_dir(self.wheels()).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|end| end == "whl") {
                    let sum = hex::encode(Sha256::digest(fs::read(&path).unwrap()));
                    text += &format!("{sum}  {}\n", path.file_name().unwrap().display());
                }
            }
            fs::write(self.wheels().join(SUMS), text).unwrap();
        }

        /// What is said of the wheels: nothing if there is one.
        fn said(&self) -> String {
            let place = Place::Folder(self.wheels());
            match take_from(&self.project, &place, "1.2.3", "abc") {
                Ok(None) => String::new(),
                Ok(Some(reason)) => format!("compiled: {reason}"),
                Err(error) => format!("error: {error:#}"),
            }
        }
    }

    #[test]
    fn a_kernel_of_this_version_and_these_sources_is_taken() {
        let Some(trial) = Trial::new() else { return };
        trial.add("1.2.2", "any", "abc");
        trial.add("1.2.3", "any", "abc");
        trial.add("1.2.4", "any", "abc");
        trial.sum();
        assert_eq!(trial.said(), "");
        let output = crate::process::command(trial.project.kernel()).output().unwrap();
        assert_eq!(output.stdout, b"1.2.3\n");
        assert!(!trial.project.share().join("wheel").exists());
    }

    #[test]
    fn without_the_right_wheel_it_is_said_why_the_kernel_is_compiled() {
        let Some(trial) = Trial::new() else { return };
        let check = |words: &[&str]| {
            let said = trial.said();
            assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
            assert!(!trial.project.kernel().exists());
        };
        let none = ["compiled: ", "no kernel 1.2.3 for this machine", "from versions: "];
        check(&none);
        trial.add("1.2.2", "any", "abc");
        check(&[&none[..], &["1.2.2"]].concat());
        // For another machine
        trial.add("1.2.3", "win_arm64", "abc");
        check(&none);
        let wheel = trial.add("1.2.3", "any", "of another day");
        check(&["error: ", "SHA256SUMS does not name d2l_kernel-1.2.3", "what to do"]);
        trial.sum();
        check(&["compiled: ", "a kernel 1.2.3 that was built from other sources"]);
        // Damaged on the way
        let mut bytes = fs::read(&wheel).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&wheel, bytes).unwrap();
        let said = trial.said();
        for part in ["error: ", "d2l_kernel-1.2.3-py3-none-any.whl", "what to do"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let sum = |path: &Path| check_sum(&trial.wheels(), path).unwrap_err().to_string();
        for part in ["SHA-256", "expected", "copy the wheel again", "unset D2L_WHEELS"] {
            assert!(sum(&wheel).contains(part), "{}", sum(&wheel));
        }
    }
}
