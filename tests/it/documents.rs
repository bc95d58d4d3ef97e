//! What documents and notebooks say of the project holds.

use std::fs;
use std::path::Path;

use serde_json::Value;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The Rust and Python files below a folder of the project.
fn sources(folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![];
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
        if entry.path().is_dir() {
            files.extend(sources(&path));
        } else if path.ends_with(".rs") || path.ends_with(".py") {
            files.push(path);
        }
    }
    files
}

/// docs/robustness.md names tests as `file::test`, or by the folder of the file.
#[test]
fn tests_that_the_documents_name_are_there() {
    let text = read("docs/robustness.md");
    let names = text.split('`').filter_map(|span| span.split_once("::"));
    let is_name = |text: &str| text.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    let is_test = |(file, test): &(&str, &str)| {
        file.starts_with(char::is_lowercase) && is_name(file) && is_name(test)
    };
    let names: Vec<_> = names.filter(is_test).collect();
    assert!(names.len() > 100, "{names:?}");
    let sources: Vec<String> = ["tests", "src", "cli", "common", "kernel"]
        .iter()
        .flat_map(|folder| sources(folder))
        .collect();
    for (file, test) in names {
        let is_in = |path: &&String| {
            let path = Path::new(path).with_extension("");
            path.components().any(|part| part.as_os_str() == file)
        };
        let found = sources.iter().filter(is_in).any(|path| {
            let function = if path.ends_with(".py") { "def" } else { "fn" };
            read(path).contains(&format!("{function} {test}("))
        });
        assert!(found, "docs/robustness.md names {file}::{test}, which is not there");
    }
}

/// C33: a text names the folder that the program uses.
#[test]
fn the_books_requirements_name_the_folder_they_are_installed_into() {
    let requirements = read("docs/book/requirements.txt");
    let named = requirements.split_whitespace().find(|word| word.starts_with("target/")).unwrap();
    let named = named.trim_end_matches('.');
    assert!(
        read("cli/python/book.py").contains(&format!("Installing Sphinx into {named} ")),
        "{named}"
    );
}

/// What the prelude has beside the book: no section teaches it.
const OF_OUR_OWN: [&str; 22] = [
    "Bars",
    "ConfusionMatrix",
    "ConfusionMatrixDisplay",
    "Error",
    "Figure",
    "MeanAveragePrecision",
    "Precision",
    "Progress",
    "Rng",
    "Scatter",
    "Show",
    "check_interrupt",
    "clear_output",
    "confusion_matrix",
    "manual_seed",
    "overlay_heat_map",
    "precision",
    "predict",
    "set_max_image_pixels",
    "set_precision",
    "top_k_accuracy",
    "verify_images",
];

/// Each name of the prelude leads to the section that teaches it.
#[test]
fn documentation_links_to_the_book() {
    let mut sources = String::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
    }
    // What is defined, and the lines above it as far as they are its documentation
    let mut documentation = std::collections::HashMap::<String, Vec<String>>::new();
    let mut above = String::new();
    for line in sources.lines() {
        let words: Vec<&str> = line.split([' ', '(', '<', ':', ';']).collect();
        if let ["pub", "fn" | "struct" | "enum" | "trait" | "static" | "const", name, ..] =
            words[..]
        {
            documentation.entry(name.to_string()).or_default().push(above.clone());
        }
        if line.starts_with("///") || line.starts_with("#[") {
            above += line;
        } else {
            above.clear();
        }
    }
    let prelude = read("src/prelude.rs");
    let code = prelude.lines().filter(|line| !line.starts_with("//") && !line.contains("tch::"));
    let code: String = code.collect();
    let names = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    let names: Vec<&str> = names.filter(|name| documentation.contains_key(*name)).collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        // Of two of one name, such as `resnet18`, both.
        for text in &documentation[name] {
            let linked = text.contains("(https://d2l.ai/chapter_");
            assert!(linked != OF_OUR_OWN.contains(&name), "{name}: {text}");
        }
    }
}

/// plotters#435: no system library for fonts is needed.
#[test]
fn no_library_for_fonts_is_linked() {
    let lock = read("Cargo.lock");
    for name in ["fontconfig", "freetype", "font-kit"] {
        assert!(!lock.contains(name), "{name}");
    }
}

/// Notebooks by their names below notebooks/.
fn notebooks(folder: &str) -> Vec<(String, Vec<Value>)> {
    let folder = Path::new("notebooks").join(folder);
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".ipynb")).collect();
    names.sort();
    let cells = |name: &String| -> Vec<Value> {
        let notebook: Value =
            serde_json::from_str(&read(folder.join(name).to_str().unwrap())).unwrap();
        notebook["cells"].as_array().unwrap().clone()
    };
    names.iter().map(|name| (name.clone(), cells(name))).collect()
}

fn source(cell: &Value) -> String {
    cell["source"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

/// smartcore-jupyter#3: committed notebooks show their plots.
#[test]
fn notebooks_are_committed_with_their_outputs() {
    for (folder, (name, cells)) in ["", "solutions", "ja", "ja/solutions"]
        .iter()
        .flat_map(|folder| notebooks(folder).into_iter().map(move |notebook| (folder, notebook)))
    {
        let code: Vec<_> = cells.iter().filter(|cell| cell["cell_type"] == "code").collect();
        assert!(
            code.iter().all(|cell| cell["execution_count"].is_u64()),
            "{name}: a cell was not run"
        );
        let outputs = code.iter().flat_map(|cell| cell["outputs"].as_array().unwrap());
        let outputs: Vec<_> = outputs.collect();
        let figures = outputs.iter().filter(|output| output["data"]["image/svg+xml"].is_array());
        let of_numbers = "multiscale_object_detection.ipynb"; // whose answers need no figure
        let least = if folder.ends_with("solutions") && name == of_numbers { 0 } else { 2 };
        assert!(figures.count() >= least, "{name}");
        assert!(outputs.iter().all(|output| output["output_type"] != "error"), "{name}");
        let bytes = serde_json::to_string(&cells).unwrap().len();
        assert!(bytes < 3_000_000, "{name} has {bytes} bytes");
    }
}

/// What of a line of code is the same in all languages: all but comments, text, and where the crate is.
fn code_without_words(source: &str) -> Vec<String> {
    let mut lines = vec![];
    for line in source.lines() {
        // Every second piece between quotation marks is text.
        let pieces = line.split('"').step_by(2);
        let code = pieces.collect::<Vec<_>>().join("\"");
        let code = code.split("//").next().unwrap_or_default().trim_end();
        lines.push(code.to_string());
    }
    lines
}

/// `#`, `##`, … of a cell's headings.
fn headings(source: &str) -> Vec<String> {
    let levels = source.lines().filter(|line| line.starts_with('#'));
    levels.map(|line| line.chars().take_while(|&c| c == '#').collect()).collect()
}

#[test]
fn editions_have_the_same_cells() {
    let english = [notebooks(""), notebooks("solutions")].concat();
    let japanese = [notebooks("ja"), notebooks("ja/solutions")].concat();
    let names = |notebooks: &[(String, _)]| -> Vec<String> {
        notebooks.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&english), names(&japanese));
    for ((name, ours), (_, theirs)) in english.iter().zip(&japanese) {
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (one, other) in ours.iter().zip(theirs) {
            let (a, b) = (source(one), source(other));
            assert_eq!(one["cell_type"], other["cell_type"], "{name}: {a}");
            if one["cell_type"] == "code" {
                assert_eq!(code_without_words(&a), code_without_words(&b), "{name}");
                continue;
            }
            assert_eq!(headings(&a), headings(&b), "{name}: {a}");
            let count = |text: &str, what: &str| text.matches(what).count();
            for what in ["$$", "](", "\n* ", "\n1. "] {
                assert_eq!(count(&a, what), count(&b, what), "{name}: {what:?} in {a}");
            }
        }
    }
}

/// `0.975` and the like in prose, not in links or code.
fn measured_numbers(prose: &str) -> Vec<&str> {
    let is_measured = |word: &&str| {
        let digits = word.strip_prefix("0.").unwrap_or_default();
        digits.len() >= 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let text = prose.split("](").flat_map(|piece| piece.split('`').step_by(2));
    text.flat_map(|piece| piece.split(|c: char| !c.is_ascii_digit() && c != '.'))
        .map(|word| word.trim_end_matches('.'))
        .filter(is_measured)
        .collect()
}

/// What a lesson says it measured is what its cells printed, or what docs/experiments.md says where it
/// links there.
#[test]
fn numbers_in_prose_are_those_of_the_outputs() {
    let experiments = read("docs/experiments.md");
    let mut count = 0;
    for (lessons, answers) in [("", "solutions"), ("ja", "ja/solutions")] {
        let (lessons, answers) = (notebooks(lessons), notebooks(answers));
        for (name, cells) in lessons.iter().chain(&answers) {
            // Answers quote their lesson, too.
            let same = lessons.iter().chain(&answers).filter(|(other, _)| other == name);
            let printed: String = same
                .flat_map(|(_, cells)| cells)
                .filter(|cell| cell["cell_type"] == "code")
                .map(|cell| source(cell) + &cell["outputs"].to_string())
                .collect();
            for cell in cells.iter().filter(|cell| cell["cell_type"] == "markdown") {
                let prose = source(cell);
                let linked = prose.contains("experiments.md");
                for number in measured_numbers(&prose) {
                    let is_there =
                        printed.contains(number) || (linked && experiments.contains(number));
                    assert!(is_there, "{name}: no output has {number}:\n{prose}");
                    count += 1;
                }
            }
        }
    }
    assert!(count > 20, "{count}");
}
