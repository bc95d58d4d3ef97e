//! What is wrong with a file of weights: it is damaged, or of a kind that is not read here.

use std::path::Path;

use crate::Error;
use crate::hub::first_bytes::Kind;

/// What was found, and what to do about it.
#[derive(Debug)]
pub(super) struct Fault {
    found: String,
    expected: &'static str,
    todo: String,
}

const KINDS: &str = "a .safetensors file, a .pth file of torch 1.6 or newer, or tch's .ot";

impl Fault {
    /// A file that was whole once.
    pub(super) fn damaged(detail: impl std::fmt::Display) -> Fault {
        Fault {
            found: format!("damaged or cut off ({detail})"),
            expected: KINDS,
            todo: "fetch the file again, or save the model's state_dict() anew with torch.save or \
                   safetensors.torch.save_file"
                .into(),
        }
    }

    /// A file that may be whole and good, but not for this reader.
    pub(super) fn unsupported(what: impl Into<String>, todo: impl Into<String>) -> Fault {
        Fault { found: what.into(), expected: KINDS, todo: todo.into() }
    }

    /// A good file that is not this model's.
    pub(super) fn misfit(found: impl Into<String>, todo: impl Into<String>) -> Fault {
        Fault { found: found.into(), expected: "weights of this model", todo: todo.into() }
    }

    pub(super) fn at(self, path: &Path) -> Error {
        Error::file(path, self.found, self.expected, self.todo)
    }
}

/// A pickle or a zip that says of itself what cannot be so.
impl From<String> for Fault {
    fn from(detail: String) -> Fault {
        Fault::damaged(detail)
    }
}

impl From<&str> for Fault {
    fn from(detail: &str) -> Fault {
        Fault::damaged(detail)
    }
}

const IN_PYTHON: &str = "load the model in Python with the library that wrote it, and save its weights \
                         with safetensors.torch.save_file(state_dict, \"net.safetensors\")";
const LEGACY: &str = "in Python: torch.save(torch.load(path, weights_only=True), new_path), which \
                      writes today's format";
const UNPACK: &str = "unpack it, and name the file of weights that is in it";
const ARRAYS: &str = "in Python, make tensors of the arrays under the model's names, and save them with \
                      safetensors.torch.save_file(tensors, \"net.safetensors\")";
const DOWNLOAD: &str = "fetch the file itself: an error page, a log-in or a preview was saved in its \
                        place (on Hugging Face and GitHub take the link to download, or the raw file)";

/// The number that torch's older format starts with, in a pickle of any protocol.
const LEGACY_NUMBER: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// A kind by the first bytes, `(place, bytes, what it is, what to do)`.
const MAGIC: [(usize, &[u8], &str, &str); 17] = [
    (0, b"\x89HDF\r\n\x1a\n", "a file of HDF5, as Keras writes (.h5)", IN_PYTHON),
    (0, b"GGUF", "a GGUF file, as llama.cpp reads", IN_PYTHON),
    (0, b"lmgg", "a GGML file, as older llama.cpp reads", IN_PYTHON),
    (0, b"tjgg", "a GGML file, as older llama.cpp reads", IN_PYTHON),
    (4, b"TFL3", "a TensorFlow Lite model", IN_PYTHON),
    (4, b"PTMF", "a model of PyTorch Mobile", IN_PYTHON),
    (4, b"ET12", "a model of ExecuTorch", IN_PYTHON),
    (0, b"MATLAB 5.0", "a file of MATLAB", ARRAYS),
    (257, b"ustar", "an archive of tar", UNPACK),
    // Protocol buffers start with the number and the length of their first field.
    (0, b"\x08\x01\x12", "a SavedModel of TensorFlow (.pb)", IN_PYTHON),
    (0, b"\x08\x03\x12", "an ONNX model", IN_PYTHON),
    (0, b"\x08\x04\x12", "an ONNX model", IN_PYTHON),
    (0, b"\x08\x05\x12", "an ONNX model", IN_PYTHON),
    (0, b"\x08\x06\x12", "an ONNX model", IN_PYTHON),
    (0, b"\x08\x07\x12", "an ONNX model", IN_PYTHON),
    (0, b"\x08\x08\x12", "an ONNX model", IN_PYTHON),
    (0, b"\x08\x09\x12", "an ONNX model", IN_PYTHON),
];

/// A kind by the name, for formats that say nothing about themselves.
const NAMES: [(&str, &str, &str); 8] = [
    (".onnx", "an ONNX model", IN_PYTHON),
    (".pb", "a graph of TensorFlow", IN_PYTHON),
    (".pbtxt", "a graph of TensorFlow", IN_PYTHON),
    (".mlmodel", "a model of Core ML", IN_PYTHON),
    (".caffemodel", "a model of Caffe", IN_PYTHON),
    (".msgpack", "a file of Flax", IN_PYTHON),
    (".pdparams", "a file of PaddlePaddle", IN_PYTHON),
    (".engine", "an engine of TensorRT", IN_PYTHON),
];

/// Kinds that readers of other files meet, too.
fn common(start: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match Kind::of(start)? {
        Kind::Gzip => ("packed with gzip", UNPACK),
        Kind::Bzip2 => ("packed with bzip2", UNPACK),
        Kind::Xz => ("packed with xz", UNPACK),
        Kind::Zstandard => ("packed with zstd", UNPACK),
        Kind::SevenZip => ("an archive of 7-Zip", UNPACK),
        Kind::Rar => ("an archive of RAR", UNPACK),
        Kind::Numpy => ("an array of NumPy (.npy)", ARRAYS),
        Kind::LfsPointer => (
            "a pointer of Git LFS, which stands for the file and is not the file",
            "run `git lfs pull` where the repository was cloned, or fetch the file itself",
        ),
        Kind::AnnexPointer => (
            "a pointer of git-annex, which stands for the file and is not the file",
            "run `git annex get` where the repository was cloned",
        ),
        // A zip is read elsewhere; the others are too short to be sure.
        Kind::Zip | Kind::Lz4 | Kind::Lzip | Kind::Lzma | Kind::Compress => return None,
    })
}

/// What a file is that starts so and is neither a zip nor a `.safetensors`.
pub(super) fn other_kind(path: &Path, start: &[u8]) -> Fault {
    let not_read = |what: &str| format!("{what}: a kind that is not read here");
    let first_bytes = &start[..start.len().min(32)];
    if first_bytes.windows(LEGACY_NUMBER.len()).any(|bytes| bytes == LEGACY_NUMBER) {
        return Fault::unsupported(not_read("a pickle as torch wrote before version 1.6"), LEGACY);
    }
    if let Some((what, todo)) = common(start) {
        return Fault::unsupported(not_read(what), todo);
    }
    let begins = |&&(place, bytes, ..): &&(usize, &[u8], _, _)| {
        start.get(place..).is_some_and(|rest| rest.starts_with(bytes))
    };
    if let Some((_, _, what, todo)) = MAGIC.iter().find(begins) {
        return Fault::unsupported(not_read(what), *todo);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if let Some((_, what, todo)) = NAMES.iter().find(|(end, ..)| name.ends_with(end)) {
        return Fault::unsupported(not_read(what), *todo);
    }
    let first = String::from_utf8_lossy(&start[..start.len().min(9)]).into_owned();
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    match text.first() {
        _ if start.is_empty() => Fault::damaged("no weights: the file is empty"),
        _ if start.iter().all(|&byte| byte == 0) => {
            Fault::damaged("no weights: the file starts with zeros, as a download that broke off")
        }
        Some(b'<') => Fault::unsupported(
            format!("a web page or other text, no weights: the file starts with {first:?}"),
            DOWNLOAD,
        ),
        Some(b'{') if name.ends_with(".index.json") => Fault::unsupported(
            "the index of weights that lie in several files, none of them itself",
            "in Python, load the files and save all their tensors into one with \
             safetensors.torch.save_file",
        ),
        _ if start.starts_with(&[0x80]) && start.get(1).is_some_and(|&byte| byte <= 5) => {
            Fault::unsupported(not_read("a pickle that torch.save did not write"), IN_PYTHON)
        }
        _ => Fault::unsupported(
            format!("no weights: the file starts with {first:?}"),
            "name a file of weights, or save the model's state_dict() anew with torch.save or \
             safetensors.torch.save_file",
        ),
    }
}

/// What a zip is that `torch.save` did not write, by the names in it.
pub(super) fn other_zip(names: &[String]) -> Fault {
    let any = |fits: &dyn Fn(&str) -> bool| names.iter().find(|name| fits(name));
    let ends = |end: &'static str| any(&move |name: &str| name.ends_with(end));
    let kind = if any(&|name| name == "model.weights.h5").is_some() {
        Some(("a model of Keras (.keras)", IN_PYTHON))
    } else if !names.is_empty() && names.iter().all(|name| name.ends_with(".npy")) {
        Some(("arrays of NumPy (.npz)", ARRAYS))
    } else if ends("/archive_format").is_some()
        || ends("serialized_exported_program.json").is_some()
    {
        Some(("a program of torch.export (.pt2)", IN_PYTHON))
    } else if any(&|name| name.contains("/.data/") && name.ends_with("/extern_modules")).is_some() {
        Some(("a package of torch.package", IN_PYTHON))
    } else {
        None
    };
    if let Some((what, todo)) = kind {
        return Fault::unsupported(format!("{what}: a kind that is not read here"), todo);
    }
    let inner = [".pth", ".pt", ".safetensors", ".ot", ".bin"].into_iter().find_map(ends);
    match inner {
        Some(name) => {
            Fault::unsupported(format!("a zip without weights of its own: {name} is in it"), UNPACK)
        }
        None => Fault::unsupported(
            "a zip without weights in it: torch.save did not write it",
            "name a file that torch.save wrote; if this one is packed, unpack it first",
        ),
    }
}
