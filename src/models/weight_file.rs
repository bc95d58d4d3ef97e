//! Reading weights from a file (d2l: section 6.6, *File I/O*).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use tch::Tensor;

use crate::nn::Module;
use crate::{Error, Result};

/// Loads a state dict into a net, by name: `.safetensors`, or the zip that `torch.save` writes
/// (`.pth`, `.pt`). No code in a file is run.
///
/// # Errors
/// The file is missing, truncated, of another kind (torch before 1.6 wrote one that cannot be read
/// here), or its keys and shapes are not the net's; the net is then unchanged.
pub fn load_weights(net: &dyn Module, path: &Path) -> Result<()> {
    net.load_state_dict(&read_state_dict(path)?).map_err(|error| {
        Error::file(
            path,
            error.summary(),
            "weights of this net",
            "name the file of the same architecture",
        )
    })
}

fn read_state_dict(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(9).read_to_end(&mut start))
        .map_err(Error::io("read the weights", path))?;
    let unreadable = |found: String| {
        Error::file(
            path,
            found,
            "a .safetensors file, or a .pth file of torch 1.6 or newer",
            "fetch the file again, or save it anew with torch.save or safetensors.torch.save_file",
        )
    };
    let read = if start.starts_with(b"PK") {
        Tensor::loadz_multi(path)
    } else if start.len() == 9 && start[8] == b'{' {
        Tensor::read_safetensors(path)
    } else if start.starts_with(&[0x80]) {
        return Err(unreadable("a pickle as torch wrote before version 1.6".into()));
    } else {
        let text = String::from_utf8_lossy(&start).into_owned();
        return Err(unreadable(format!("no weights: the file starts with {text:?}")));
    };
    read.map_err(|error| unreadable(format!("damaged or cut off ({})", Error::from(error))))
}
