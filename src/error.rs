//! What can go wrong, and what to do about it.
//!
//! Every function of the crate that can fail returns [`Result`]. A message names the file or the
//! argument, what was found there, what was expected, and what to do. `{}` and `{:?}` print the same
//! sentence, so that `unwrap`, `main` and the last line of a cell show it too.
//!
//! What a program may want to handle is a variant of its own:
//!
//! ```
//! use d2l::prelude::*;
//! fn half_if_too_large(result: Result<Summary>, batch_size: usize) -> Result<usize> {
//!     match result {
//!         Ok(_) => Ok(batch_size),
//!         Err(Error::OutOfMemory { batch_size, .. }) => Ok(batch_size / 2),
//!         Err(error) => Err(error),
//!     }
//! }
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use crate::settings;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the crate.
#[non_exhaustive]
#[derive(thiserror::Error)]
pub enum Error {
    /// Reading or writing a file or a folder failed.
    #[error("{}: cannot {action}: {source}{}", path.display(), hint_for(source))]
    Io {
        /// What was being done, such as "read the image".
        action: &'static str,
        /// The file or the folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file, a folder or an argument is not what it should be.
    #[error("{subject}: {found}\n  expected: {expected}\n  what to do: {todo}")]
    Invalid {
        /// The file, the folder or the argument.
        subject: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
        /// What to do.
        todo: String,
    },
    /// A batch does not fit into a device's memory. The network is as it was.
    #[error("{reason}")]
    OutOfMemory {
        /// The number of images in the batch.
        batch_size: usize,
        /// The same in words, as all of what follows here.
        reason: Box<Error>,
    },
    /// The loss is NaN or infinite. The network is as it was before this step.
    #[error("{reason}")]
    Diverged {
        /// The batch's loss.
        loss: f64,
        /// What happened, in words.
        reason: Box<Error>,
    },
    /// A tensor has a shape that does not fit: images, labels, or what comes to a layer.
    #[error("{reason}")]
    ShapeMismatch {
        /// The shape that was found.
        shape: Vec<i64>,
        /// What is wrong with it, in words.
        reason: Box<Error>,
    },
    /// A file has another checksum than the one that was asked for: it is damaged, or another file.
    #[error("{reason}")]
    Checksum {
        /// Of which file, what was found and what was expected, in words.
        reason: Box<Error>,
    },
    /// A file could not be fetched.
    #[error("{url}: {reason}\n  what to do: {todo}")]
    Download {
        /// Where the file was to come from.
        url: String,
        /// What happened.
        reason: String,
        /// What to do.
        todo: String,
    },
    /// The stop button was pressed. The loop ended between two batches.
    #[error(
        "the stop button was pressed; variables of earlier cells are kept, networks among them with what \
         they have learned so far"
    )]
    Interrupted,
    /// A layer refused its input, or libtorch refused an operation in it.
    #[error("layer {path}, {}", reason_in(layer, reason))]
    Layer {
        /// The layer's name, as in the state dict: `layer2.0.conv1`.
        path: String,
        /// What it is: `Linear(in_features=512, out_features=2, bias=True)`.
        layer: String,
        /// What was wrong.
        reason: Box<Error>,
    },
    /// libtorch refused an operation; the first line is its own.
    #[error("libtorch: {0}")]
    Torch(String),
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }

    pub(crate) fn invalid(
        subject: impl fmt::Display,
        found: impl Into<String>,
        expected: impl Into<String>,
        todo: impl Into<String>,
    ) -> Error {
        Error::Invalid {
            subject: subject.to_string(),
            found: found.into(),
            expected: expected.into(),
            todo: todo.into(),
        }
    }

    /// The same as a shape that does not fit.
    pub(crate) fn of_shape(self, shape: &[i64]) -> Error {
        Error::ShapeMismatch { shape: shape.to_vec(), reason: Box::new(self) }
    }

    /// What was wrong, without the layers in which it was, to match on.
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let mut net = Sequential::new();
    /// net.push(linear(4, 2)?);
    /// let x = Tensor::ones([1, 3], (Kind::Float, Device::Cpu));
    /// match net.forward(&x).unwrap_err().root() {
    ///     Error::ShapeMismatch { shape, .. } => assert_eq!(shape, &[1, 3]),
    ///     other => panic!("{other}"),
    /// }
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn root(&self) -> &Error {
        match self {
            Error::Layer { reason, .. } => reason.root(),
            other => other,
        }
    }

    /// The first line: what happened, without what to do.
    pub(crate) fn summary(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_string()
    }

    /// The same, with the file or the moment in which it happened.
    pub(crate) fn during(self, what: impl fmt::Display) -> Error {
        match self {
            Error::Invalid { subject, found, expected, todo } => {
                Error::Invalid { subject: format!("{what}: {subject}"), found, expected, todo }
            }
            Error::Layer { path, reason, .. }
                if matches!(*reason, Error::Invalid { .. } | Error::ShapeMismatch { .. }) =>
            {
                reason.during(format_args!("{what}: layer {path}"))
            }
            Error::OutOfMemory { batch_size, reason } => {
                Error::OutOfMemory { batch_size, reason: Box::new(reason.during(what)) }
            }
            Error::Diverged { loss, reason } => {
                Error::Diverged { loss, reason: Box::new(reason.during(what)) }
            }
            Error::ShapeMismatch { shape, reason } => {
                Error::ShapeMismatch { shape, reason: Box::new(reason.during(what)) }
            }
            other => other,
        }
    }

    /// The same, with the name of the child in which it happened; what holds that child adds its own
    /// name in front.
    pub(crate) fn in_layer(self, name: impl fmt::Display, layer: &dyn fmt::Debug) -> Error {
        match self {
            Error::Layer { path, layer, reason } => {
                Error::Layer { path: format!("{name}.{path}"), layer, reason }
            }
            Error::Torch(_) | Error::Invalid { .. } | Error::ShapeMismatch { .. } => {
                Error::Layer { path: name.to_string(), layer: short(layer), reason: Box::new(self) }
            }
            other => other,
        }
    }

    /// What libtorch said, wherever it was.
    pub(crate) fn torch(&self) -> Option<&str> {
        match self.root() {
            Error::Torch(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn file(
        path: &Path,
        found: impl Into<String>,
        expected: impl Into<String>,
        todo: impl Into<String>,
    ) -> Error {
        Error::invalid(path.display(), found, expected, todo)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        let text = match error {
            tch::TchError::Torch(text) => text,
            other => other.to_string(),
        };
        if settings::wants_backtraces() {
            return Error::Torch(text.trim().to_string());
        }
        // The C++ stack says nothing to a reader.
        let stack = ["\nException raised from", "\nframe #"].map(|start| text.find(start));
        let end = stack.into_iter().flatten().min().unwrap_or(text.len());
        Error::Torch(text.get(..end).unwrap_or_default().trim().to_string())
    }
}

/// What was wrong in a layer. Layers of the crate say themselves which they are, libtorch does not.
fn reason_in(layer: &str, reason: &Error) -> String {
    match reason {
        Error::Torch(text) => format!("{layer}: {text}"),
        other => other.to_string(),
    }
}

/// A layer as it prints itself; a network of one's own, which may print much, by its name.
fn short(layer: &dyn fmt::Debug) -> String {
    let text = format!("{layer:?}");
    let name = text.split(|c: char| !c.is_alphanumeric() && c != '_').next();
    match name {
        Some(name) if text.len() > 120 || text.contains('\n') => name.to_string(),
        _ => text,
    }
}

fn hint_for(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::*;
    match error.kind() {
        NotFound => "\n  what to do: check the path; a relative one starts at the current folder",
        PermissionDenied | ReadOnlyFilesystem => {
            "\n  what to do: check the permissions, or name another folder in D2L_DATA_DIR"
        }
        NotADirectory => "\n  what to do: check the path; a part of it is a file, not a folder",
        StorageFull | QuotaExceeded => {
            "\n  what to do: free some disk space, or name a folder on another disk in D2L_DATA_DIR"
        }
        _ => "",
    }
}
