//! What must be installed beforehand: Rust, a C++ compiler, Python.

use std::path::Path;

use super::State::{self, Bad, Good};
use super::{MAKE_ANEW, RUN_SETUP};
use crate::project::Project;
use crate::{process, setup};

pub fn rust() -> (State, String) {
    match first_line("rustc", "-V") {
        Some(version) => (Good, version),
        None => (Bad, "rustc is not on the PATH: install Rust with rustup".into()),
    }
}

pub fn compiler(name: &Path) -> (State, String) {
    match first_line(name, "--version") {
        Some(version) => (Good, version),
        None => (
            Bad,
            format!(
                "{} is not there: apt install build-essential, or name one in CXX",
                name.display()
            ),
        ),
    }
}

pub fn python(project: &Project) -> (State, String) {
    if let Some(version) = first_line(project.python(), "--version") {
        // Packages are installed for one minor version; an update of the system may bring another.
        let minor = version.split('.').take(2).collect::<Vec<_>>().join(".").replace(' ', "");
        let packages = project.path(".venv/lib").join(minor.to_lowercase());
        if packages.is_dir() {
            return (Good, format!("{version} in .venv"));
        }
        return (Bad, format!("{version}, but .venv was made with another: {MAKE_ANEW}"));
    }
    if project.path(".venv").exists() {
        return (Bad, format!("the Python in .venv does not run: {MAKE_ANEW}"));
    }
    match setup::python::find() {
        Ok(path) => (Bad, format!("{} is there, .venv is not: {RUN_SETUP}", path.display())),
        Err(error) => (Bad, error.to_string()),
    }
}

fn first_line(program: impl AsRef<Path>, argument: &str) -> Option<String> {
    let output = process::command(program.as_ref()).arg(argument).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::{check, fake_python, project, write};
    use super::*;

    #[test]
    fn a_compiler_that_is_not_there_is_named() {
        check(
            compiler(Path::new("/no/such/c++")),
            Bad,
            &["/no/such/c++", "build-essential", "CXX"],
        );
        // It exists, but does not work.
        check(compiler(Path::new("false")), Bad, &["false is not there"]);
        check(compiler(Path::new("true")), Good, &[]);
    }

    #[test]
    fn a_broken_environment_is_to_be_made_anew() {
        let (_folder, project) = project();
        fs::create_dir(project.path(".venv")).unwrap();
        let anew = ["remove .venv", "cargo d2l setup"];
        check(python(&project), Bad, &anew);
        // The Python it was made with has gone.
        fs::create_dir(project.path(".venv/bin")).unwrap();
        std::os::unix::fs::symlink("/no/such/python3", project.python()).unwrap();
        check(python(&project), Bad, &anew);
        fs::remove_file(project.python()).unwrap();
        fake_python(&project, "exit 1");
        check(python(&project), Bad, &anew);
        // Not a program
        write(project.python(), "");
        check(python(&project), Bad, &anew);
    }

    #[test]
    fn packages_belong_to_one_version_of_python() {
        let (_folder, project) = project();
        fake_python(&project, "echo Python 3.12.4");
        let anew = ["Python 3.12.4", "made with another", "remove .venv"];
        check(python(&project), Bad, &anew);
        fs::create_dir_all(project.path(".venv/lib/python3.1")).unwrap();
        fs::create_dir_all(project.path(".venv/lib/python3.13")).unwrap();
        check(python(&project), Bad, &anew);
        fs::create_dir_all(project.path(".venv/lib/python3.12")).unwrap();
        check(python(&project), Good, &["Python 3.12.4 in .venv"]);
        // A preview, and one whose name is not UTF-8
        fake_python(&project, "echo Python 3.12.0rc1+");
        check(python(&project), Good, &["Python 3.12.0rc1+ in .venv"]);
        fake_python(&project, r"printf 'Python 3.12.4 caf\351\n'");
        check(python(&project), Good, &["Python 3.12.4 caf\u{fffd} in .venv"]);
    }
}
