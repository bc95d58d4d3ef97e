//! EfficientNet-Lite0's weights, which come as a Python package.

use anyhow::Result;
use d2l_common::files;

use crate::process::quietly;
use crate::project::Project;
use crate::steps::Steps;

/// Converts them, unless that has been done.
pub fn convert(project: &Project, steps: &Steps) -> Result<()> {
    let target = project.share().join(files::EFFICIENTNET_LITE0);
    if target.exists() {
        return Ok(());
    }
    steps.run("Converting EfficientNet-Lite0's weights", "seconds", |bar| {
        quietly(project.script("convert_efficientnet.py").arg(&target), bar)
    })
}
