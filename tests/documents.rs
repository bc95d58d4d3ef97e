//! What documents and notebooks say of the project holds.

use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// docs/robustness.md names tests as `file::test`.
#[test]
fn tests_that_the_documents_name_are_there() {
    let text = read("docs/robustness.md");
    let names = text.split('`').filter_map(|span| span.split_once("::"));
    let names: Vec<_> = names.filter(|(file, _)| file.starts_with(char::is_lowercase)).collect();
    assert!(names.len() > 30, "{names:?}");
    for (file, test) in names {
        let places = [
            (format!("tests/{file}.rs"), format!("fn {test}(")),
            (format!("tests/kernel/{file}.py"), format!("def {test}(")),
            (format!("cli/src/{file}.rs"), format!("fn {test}(")),
        ];
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = places.iter().any(|(path, function)| {
            root.join(path).exists() && read(path).contains(function.as_str())
        });
        assert!(found, "docs/robustness.md names {file}::{test}, which is not there");
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

/// smartcore-jupyter#3: the committed notebook shows its plots.
#[test]
fn the_notebook_is_committed_with_its_outputs() {
    let notebook: serde_json::Value =
        serde_json::from_str(&read("notebooks/fine_tuning.ipynb")).unwrap();
    let cells = notebook["cells"].as_array().unwrap();
    let code: Vec<_> = cells.iter().filter(|cell| cell["cell_type"] == "code").collect();
    assert!(code.iter().all(|cell| cell["execution_count"].is_u64()), "a cell was not run");
    let outputs = code.iter().flat_map(|cell| cell["outputs"].as_array().unwrap());
    let outputs: Vec<_> = outputs.collect();
    let figures = outputs.iter().filter(|output| output["data"]["image/svg+xml"].is_array());
    assert!(figures.count() >= 5);
    assert!(outputs.iter().all(|output| output["output_type"] != "error"));
}
