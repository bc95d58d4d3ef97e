//! A finished figure.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Error, Result, jupyter, settings};

/// A finished figure, as SVG.
#[derive(Clone)]
pub struct Figure {
    svg: String,
}

impl Figure {
    pub(super) fn new(svg: String) -> Figure {
        Figure { svg }
    }

    /// The SVG's text.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// Writes the figure to an `.svg` file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        std::fs::write(path, &self.svg).map_err(Error::io("write the figure", path))
    }

    /// Shows the figure: inline in a notebook, as a file named by a line elsewhere.
    ///
    /// # Errors
    /// Outside a notebook: the file cannot be written.
    pub fn show(&self) -> Result<()> {
        if jupyter::in_notebook() {
            jupyter::show(&self.data());
            return Ok(());
        }
        let path = next_path()?;
        self.save(&path)?;
        jupyter::say(format_args!("figure: {}", path.display()));
        Ok(())
    }

    /// Shows the figure as the last expression of a cell.
    pub fn evcxr_display(&self) {
        jupyter::show_as_result(&self.data());
    }

    pub(super) fn data(&self) -> [(&'static str, String); 2] {
        [("image/svg+xml", self.svg.clone()), ("text/plain", format!("{self:?}"))]
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Figure(SVG, {} KB)", self.svg.len().div_ceil(1000))
    }
}

/// `D2L_FIGURE_DIR`, else a folder of this process among the temporary files.
fn next_path() -> Result<PathBuf> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let folder = match settings::figure_dir() {
        Some(folder) => folder,
        None => std::env::temp_dir().join(format!("d2l-figures-{}", std::process::id())),
    };
    std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
    Ok(folder.join(format!("figure-{}.svg", COUNT.fetch_add(1, Ordering::Relaxed) + 1)))
}

/// Fonts that have Latin letters and kana and kanji, on whatever system shows the figure.
pub(super) const FONTS: &str = "sans-serif";
