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

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::output;

    /// Of the file that `torch.load` and `safetensors.torch.save_file` make.
    const SHA256: &str = "74f87071691daa7a4251530779cf4820c8c24721be140f63b293c5954cd96007";

    #[test]
    fn without_torch_the_same_file_is_made_as_with_it() {
        let project = Project::find().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("weights.safetensors");
        let output = project.script("convert_efficientnet.py").arg(&target).output();
        let Some(output) = output.ok().filter(|_| project.share().join("kernel.stamp").exists())
        else {
            output::result("skipped: weights: there is no .venv; run `cargo d2l setup`");
            return;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(hex::encode(Sha256::digest(std::fs::read(target).unwrap())), SHA256);
    }
}
