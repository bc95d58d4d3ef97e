//! docs/variables.md has every environment variable of this project, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is searched. This file names variables that there are not.
const SOURCES: [&str; 9] = [
    "src",
    "kernel/src",
    "cli/src",
    "cli/python",
    "cli/tests",
    "common/src",
    "tests",
    "examples",
    "docs/book",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The texts of all sources by their paths.
fn sources() -> BTreeMap<PathBuf, String> {
    let mut folders: Vec<PathBuf> = SOURCES.iter().map(|folder| root().join(folder)).collect();
    let mut texts = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_source = path.extension().is_some_and(|end| end == "rs" || end == "py");
            if path.is_dir() {
                folders.push(path);
            } else if is_source && !path.ends_with("cli/tests/variables.rs") {
                texts.insert(path.clone(), std::fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

/// All names of variables in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit();
    let words = text.split(|c| !is_part(c));
    words.filter(|word| word.starts_with("D2L_") && word.len() > 4).collect()
}

/// The names in the first column of the page's tables.
fn documented(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

/// Whether a source reads a variable or sets it: its name is there as a string, or as the constant.
fn uses(text: &str, name: &str, constant: Option<&str>) -> bool {
    let is_string = ['"', '\''].iter().any(|quote| text.contains(&format!("{quote}{name}{quote}")));
    let is_word = |word: &str| {
        text.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).any(|found| found == word)
    };
    is_string || (text.contains("d2l_common::variables") && constant.is_some_and(is_word))
}

#[test]
fn the_page_has_every_variable_and_no_other() {
    let page = std::fs::read_to_string(root().join("docs/variables.md")).unwrap();
    let (documented, sources) = (documented(&page), sources());
    assert!(sources.len() > 100 && documented.len() > 15);
    let each: BTreeSet<&str> = documented.iter().copied().collect();
    assert_eq!(each.len(), documented.len(), "docs/variables.md names a variable twice");
    for (path, text) in &sources {
        let missing: Vec<_> = names(text).difference(&each).copied().collect();
        assert!(missing.is_empty(), "docs/variables.md lacks {missing:?}, see {}", path.display());
    }
    let shared = root().join("common/src/variables.rs");
    let constant = |name: &str| {
        let line = sources[&shared].lines().find(|line| line.contains(&format!("\"{name}\"")))?;
        line.strip_prefix("pub const ")?.split(':').next()
    };
    for name in documented {
        let mut others = sources.iter().filter(|(path, _)| **path != shared);
        let is_used = others.any(|(_, text)| uses(text, name, constant(name)));
        assert!(is_used, "docs/variables.md has {name}, which nothing reads");
    }
}

#[test]
fn variables_are_found_in_sources() {
    let text = r#"var("D2L_A_1"), D2L_*, `D2L_`, MY_D2L_B, 'D2L_C' D2L_lower"#;
    assert_eq!(names(text), BTreeSet::from(["D2L_A_1", "D2L_C"]));
    assert!(uses(text, "D2L_A_1", None) && uses(text, "D2L_C", None));
    assert!(!uses("// D2L_A", "D2L_A", None) && !uses("use A;", "D2L_A", Some("A")));
    assert!(uses("use d2l_common::variables::{A, B};", "D2L_A", Some("A")));
    assert!(!uses("use d2l_common::variables::{AB, B};", "D2L_A", Some("A")));
    assert_eq!(documented("| `D2L_A` | what |\n| name |\n`D2L_B`"), ["D2L_A"]);
}
