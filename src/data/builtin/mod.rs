//! x
use crate::Result;
use std::path::{Path, PathBuf};
pub(crate) fn hotdog_drawings(_folder: &Path) -> Result<PathBuf> {
    todo!()
}
