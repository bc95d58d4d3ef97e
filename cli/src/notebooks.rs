//! Which notebooks there are, and where an executed one goes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use serde_json::Value;

use crate::project::Project;

/// A language of the notebooks.
#[derive(Clone, Copy, Default, PartialEq, ValueEnum)]
pub enum Language {
    /// English
    #[default]
    En,
    /// Japanese
    Ja,
}

impl Language {
    /// The folder of its notebooks, below notebooks/.
    fn folder(self) -> &'static str {
        match self {
            Language::En => "",
            Language::Ja => "ja",
        }
    }
}

/// The lesson that is opened or executed if none is named: the book's *Fine-tuning*.
pub const MAIN: &str = "fine_tuning";

/// What a notebook says of itself.
#[derive(Debug, PartialEq)]
pub struct Lesson {
    /// Its first heading.
    pub title: String,
    /// How long it took to execute it, when that was last measured: run_notebook.py writes it down.
    pub time: Option<Duration>,
}

impl Lesson {
    /// A file that is no notebook has neither; run_notebook.py says what is wrong with it.
    pub fn read(notebook: &Path) -> Lesson {
        let text = std::fs::read_to_string(notebook).unwrap_or_default();
        let notebook: Value = serde_json::from_str(&text).unwrap_or_default();
        let lines = |cell: &Value| match &cell["source"] {
            Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
            source => source.as_str().unwrap_or_default().to_string(),
        };
        let cells = notebook["cells"].as_array();
        let mut headings = cells.into_iter().flatten().filter_map(|cell| {
            let text: String = lines(cell);
            Some(text.strip_prefix("# ")?.lines().next()?.to_string())
        });
        Lesson {
            title: headings.next().unwrap_or_default(),
            time: notebook["metadata"]["d2l"]["seconds"].as_u64().map(Duration::from_secs),
        }
    }

    /// Its time, in words.
    pub fn takes(&self) -> String {
        match self.time.map(|time| time.as_secs_f64()) {
            None => "not measured yet".into(),
            Some(seconds) if seconds < 90. => format!("about {seconds:.0} s"),
            Some(seconds) => format!("about {:.0} minutes", seconds / 60.),
        }
    }
}

/// A notebook's name as `run` takes it, which for the edition in another language has a folder.
pub fn name(project: &Project, notebook: &Path) -> String {
    let name = notebook.strip_prefix(project.path("notebooks")).unwrap_or(notebook);
    name.with_extension("").display().to_string()
}

/// The folder for an executed notebook; editions in several languages have the same file name.
pub fn output_folder(project: &Project, notebook: &Path) -> PathBuf {
    let folder = notebook.strip_prefix(project.path("notebooks")).ok().and_then(Path::parent);
    project.path("target/notebooks").join(folder.unwrap_or(Path::new("")))
}

/// All notebooks: those in notebooks/, sorted by name, then those in its subfolders.
pub fn all(project: &Project) -> Result<Vec<PathBuf>> {
    let root = project.path("notebooks");
    let mut notebooks = vec![];
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let mut paths = vec![];
        let unreadable = |error| anyhow!("{} cannot be read: {error}{TODO}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        paths.retain(|path| {
            path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
        });
        paths.sort();
        // A link to a folder may be a cycle.
        let is_folder = |path: &&PathBuf| path.is_dir() && !path.is_symlink();
        folders.extend(paths.iter().rev().filter(is_folder).cloned());
        notebooks.extend(paths.into_iter().filter(|path| path.is_file() && is_notebook(path)));
    }
    if notebooks.is_empty() {
        bail!("{} has no notebook{TODO}", root.display());
    }
    Ok(notebooks)
}

const TODO: &str =
    "\n  what to do: restore the folder, for example with `git checkout -- notebooks`";

/// All notebooks in a language.
pub fn all_in(project: &Project, lang: Language) -> Result<Vec<PathBuf>> {
    let japanese = project.path("notebooks").join(Language::Ja.folder());
    let is_in = |path: &PathBuf| path.starts_with(&japanese) == (lang == Language::Ja);
    Ok(all(project)?.into_iter().filter(is_in).collect())
}

/// The notebooks to execute; *Fine-tuning* if none is named.
pub fn named(project: &Project, paths: &[PathBuf], lang: Language) -> Result<Vec<PathBuf>> {
    if paths.is_empty() {
        return Ok(vec![find(project, Path::new(MAIN), lang)?]);
    }
    let mut notebooks: Vec<PathBuf> = vec![];
    for path in paths {
        let notebook = find(project, path, lang)?;
        if notebooks.contains(&notebook) {
            continue;
        }
        let target =
            |path: &PathBuf| path.file_name().map(|n| output_folder(project, path).join(n));
        if let Some(other) = notebooks.iter().find(|path| target(path) == target(&notebook)) {
            bail!(
                "{} and {} have the same name: one would overwrite the other\n  what to do: \
                 rename one of them, or run one and move its output",
                other.display(),
                notebook.display()
            );
        }
        notebooks.push(notebook);
    }
    Ok(notebooks)
}

fn is_notebook(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "ipynb")
}

/// A notebook, by its path from the current folder or from the project's, or by its name alone.
pub fn find(project: &Project, path: &Path, lang: Language) -> Result<PathBuf> {
    let here = std::env::current_dir().context("the current folder is gone")?;
    let edition = project.path("notebooks").join(lang.folder());
    let mut by_name = edition.join(path);
    if !is_notebook(path) {
        by_name.as_mut_os_string().push(".ipynb");
    }
    let places = [here.join(path), project.root.join(path), edition.join(path), by_name];
    if let Some(place) = places.iter().find(|place| is_notebook(place) && place.is_file()) {
        // Without links: the folder for the executed notebook follows from this path.
        let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
            return Ok(place.clone());
        };
        let folder = folder.canonicalize();
        return Ok(folder.with_context(|| format!("cannot read {}", place.display()))?.join(name));
    }
    let named = path.display();
    let found = match places.iter().find(|place| place.exists()) {
        Some(place) if place.is_dir() => format!("{named} is a folder, not a notebook"),
        Some(_) => format!("{named} is not a notebook: its name does not end with .ipynb"),
        None => format!("there is no notebook {named}"),
    };
    let known = all(project)?;
    let known = known.iter().filter_map(|path| path.strip_prefix(&edition).ok());
    let known: Vec<_> = known.map(|path| path.with_extension("").display().to_string()).collect();
    let known = known.join(", ");
    bail!("{found}\n  what to do: name one of {known}, or the path of a file of your own")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A project with notebooks in both languages, and other files.
    fn project() -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        // Not where all programs put their temporary files: `../a` is not there.
        let root = folder.path().canonicalize().unwrap().join("project");
        let project = Project { root };
        for file in [
            "README.md",
            "notebooks/b.ipynb",
            "notebooks/a.ipynb",
            "notebooks/a.html",
            "notebooks/v1.5.ipynb",
            "notebooks/.hidden.ipynb",
            "notebooks/.ipynb_checkpoints/a-checkpoint.ipynb",
            "notebooks/ja/a.ipynb",
            "notebooks/ja/solutions/a.ipynb",
            "notebooks/solutions/a.ipynb",
            "notebooks/folder.ipynb/c.ipynb",
            "elsewhere/a.ipynb",
            "elsewhere/own.ipynb",
        ] {
            let path = project.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        (folder, project)
    }

    fn found(project: &Project, name: &str, lang: Language) -> String {
        let path = find(project, Path::new(name), lang).unwrap();
        path.strip_prefix(&project.root).unwrap().display().to_string()
    }

    #[test]
    fn a_notebook_is_found_by_its_name_or_its_path() {
        let (_folder, project) = project();
        for (name, expected) in [
            ("a", "notebooks/a.ipynb"),
            ("a.ipynb", "notebooks/a.ipynb"),
            ("v1.5", "notebooks/v1.5.ipynb"),
            ("ja/a", "notebooks/ja/a.ipynb"),
            ("solutions/a", "notebooks/solutions/a.ipynb"),
            ("notebooks/ja/a.ipynb", "notebooks/ja/a.ipynb"),
            ("elsewhere/own.ipynb", "elsewhere/own.ipynb"),
            // A folder has one name, whatever the path to it.
            ("elsewhere/../notebooks/ja/a.ipynb", "notebooks/ja/a.ipynb"),
        ] {
            assert_eq!(found(&project, name, Language::En), expected, "{name}");
        }
        for (name, expected) in [
            ("a", "notebooks/ja/a.ipynb"),
            ("solutions/a", "notebooks/ja/solutions/a.ipynb"),
            ("notebooks/a.ipynb", "notebooks/a.ipynb"),
        ] {
            assert_eq!(found(&project, name, Language::Ja), expected, "{name}");
        }
        let full = project.path("elsewhere/own");
        assert_eq!(found(&project, full.to_str().unwrap(), Language::En), "elsewhere/own.ipynb");
    }

    #[test]
    fn a_path_is_seen_from_the_current_folder_and_through_links() {
        let project = Project::find().unwrap();
        // Cargo runs tests in cli/.
        let path = found(&project, "../notebooks/ja/fine_tuning.ipynb", Language::En);
        assert_eq!(path, "notebooks/ja/fine_tuning.ipynb");
        let (folder, project) = self::project();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&project.root, &link).unwrap();
        let path = link.join("notebooks/ja/a.ipynb");
        let path = find(&project, &path, Language::En).unwrap();
        // Else it would overwrite the English edition's.
        assert_eq!(output_folder(&project, &path), project.path("target/notebooks/ja"));
    }

    #[test]
    fn what_is_no_notebook_is_named_with_those_there_are() {
        let (_folder, project) = project();
        for (name, lang, found) in [
            ("finetuning", Language::En, "there is no notebook finetuning"),
            ("b", Language::Ja, "there is no notebook b"),
            ("/no/such/a.ipynb", Language::En, "there is no notebook /no/such/a.ipynb"),
            ("../a", Language::En, "there is no notebook ../a"),
            ("README.md", Language::En, "README.md is not a notebook"),
            ("a.html", Language::En, "a.html is not a notebook"),
            ("solutions", Language::En, "solutions is a folder"),
            ("notebooks", Language::En, "notebooks is a folder"),
            ("folder.ipynb", Language::En, "folder.ipynb is a folder"),
            (".", Language::En, ". is a folder"),
        ] {
            let error = find(&project, Path::new(name), lang).unwrap_err().to_string();
            assert!(error.starts_with(found), "{name}: {error}");
            let known = match lang {
                Language::En => {
                    "name one of a, b, v1.5, folder.ipynb/c, ja/a, ja/solutions/a, solutions/a"
                }
                Language::Ja => "name one of a, solutions/a",
            };
            assert!(error.contains("what to do") && error.contains(known), "{name}: {error}");
        }
    }

    #[test]
    fn all_notebooks_are_those_that_the_reader_sees() {
        let (_folder, project) = project();
        // A cycle of links must not be followed.
        std::os::unix::fs::symlink(".", project.path("notebooks/loop")).unwrap();
        let names = |paths: Vec<PathBuf>| -> Vec<String> {
            let paths =
                paths.iter().map(|path| path.strip_prefix(project.path("notebooks")).unwrap());
            paths.map(|path| path.display().to_string()).collect()
        };
        let expected = [
            "a.ipynb",
            "b.ipynb",
            "v1.5.ipynb",
            "folder.ipynb/c.ipynb",
            "ja/a.ipynb",
            "ja/solutions/a.ipynb",
            "solutions/a.ipynb",
        ];
        assert_eq!(names(all(&project).unwrap()), expected);
        let in_ = |lang| names(all_in(&project, lang).unwrap());
        assert_eq!(in_(Language::Ja), expected[4..6]);
        assert_eq!(in_(Language::En), [&expected[..4], &expected[6..]].concat());
        // A notebook that is named twice is executed once.
        let twice = ["b", "a", "notebooks/b.ipynb"].map(PathBuf::from);
        let named = |paths: &[PathBuf], lang| named(&project, paths, lang);
        assert_eq!(names(named(&twice, Language::En).unwrap()), ["b.ipynb", "a.ipynb"]);
        assert!(named(&["a", "finetuning"].map(PathBuf::from), Language::En).is_err());
        let path = [PathBuf::from("a")];
        assert_eq!(names(named(&path, Language::Ja).unwrap()), ["ja/a.ipynb"]);
    }

    #[test]
    fn without_notebooks_it_is_said_how_to_get_them_back() {
        let (_folder, project) = project();
        fs::remove_dir_all(project.path("notebooks")).unwrap();
        let check = |found: &str| {
            for error in [
                all(&project).unwrap_err(),
                named(&project, &[], Language::En).unwrap_err(),
                find(&project, Path::new("a"), Language::En).unwrap_err(),
            ] {
                let error = format!("{error:#}");
                assert!(error.contains("/notebooks ") && error.contains(found), "{error}");
                assert!(error.contains("what to do") && error.contains("git checkout"), "{error}");
            }
        };
        check("cannot be read: No such file");
        fs::write(project.path("notebooks"), "").unwrap();
        check("cannot be read: Not a directory");
        fs::remove_file(project.path("notebooks")).unwrap();
        fs::create_dir(project.path("notebooks")).unwrap();
        check("has no notebook");
        // A notebook of the user's own needs none of them.
        assert_eq!(found(&project, "elsewhere/own.ipynb", Language::En), "elsewhere/own.ipynb");
    }

    #[test]
    fn one_output_is_not_written_over_another() {
        let (_folder, project) = project();
        let pair = |one: &str, other: &str| {
            named(&project, &[one, other].map(PathBuf::from), Language::En)
        };
        for (one, other) in [("a", "elsewhere/a.ipynb"), ("elsewhere/a.ipynb", "a")] {
            let error = pair(one, other).unwrap_err().to_string();
            assert!(error.contains("elsewhere/a.ipynb") && error.contains("notebooks/a.ipynb"));
            assert!(
                error.contains("have the same name") && error.contains("what to do"),
                "{error}"
            );
        }
        assert_eq!(pair("a", "ja/a").unwrap().len(), 2);
        assert_eq!(pair("ja/a", "elsewhere/a.ipynb").unwrap().len(), 2);
    }

    #[test]
    fn without_a_name_it_is_fine_tuning() {
        let project = Project::find().unwrap();
        for (lang, name) in [(Language::En, "fine_tuning"), (Language::Ja, "ja/fine_tuning")] {
            let notebooks = named(&project, &[], lang).unwrap();
            let names: Vec<String> =
                notebooks.iter().map(|path| self::name(&project, path)).collect();
            assert_eq!(names, [name]);
        }
    }

    #[test]
    fn a_lesson_says_how_long_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ipynb");
        let lesson = |text: &str| {
            fs::write(&path, text).unwrap();
            let lesson = Lesson::read(&path);
            (lesson.title.clone(), lesson.takes())
        };
        let cells = r##""cells": [{"source": "no heading"}, {"source": ["# One\n", "# Two"]}]"##;
        for (metadata, takes) in [
            ("{}", "not measured yet"),
            (r#"{"d2l": {"seconds": 62}}"#, "about 62 s"),
            (r#"{"d2l": {"seconds": 90}}"#, "about 2 minutes"),
            (r#"{"d2l": {"seconds": 640}}"#, "about 11 minutes"),
            (r#"{"d2l": {"seconds": "long"}}"#, "not measured yet"),
        ] {
            let text = format!("{{{cells}, \"metadata\": {metadata}}}");
            assert_eq!(lesson(&text), ("One".into(), takes.into()), "{metadata}");
        }
        for torn in ["", "[]", r#"{"cells": 1}"#, r#"{"cells": [{"source": "x"}]}"#] {
            assert_eq!(lesson(torn), (String::new(), "not measured yet".into()), "{torn}");
        }
    }

    /// The README names the time that is in the notebook, for all but the answers.
    #[test]
    fn the_readme_says_how_long_lessons_take() {
        let project = Project::find().unwrap();
        let readme = fs::read_to_string(project.path("README.md")).unwrap();
        for path in all_in(&project, Language::En).unwrap() {
            let lesson = Lesson::read(&path);
            let name = name(&project, &path);
            if lesson.time.is_none() || name.starts_with("solutions/") {
                continue;
            }
            let link = format!("(notebooks/{name}.ipynb)");
            let row = readme.lines().find(|line| line.starts_with('|') && line.contains(&link));
            let row = row.unwrap_or_else(|| panic!("README.md has no row for {link}"));
            let time = lesson.takes().replace("about ", "");
            assert!(row.ends_with(&format!(" | {time} |")), "{time}: {row}");
        }
    }
}
