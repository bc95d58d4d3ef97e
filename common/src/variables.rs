//! Names of environment variables; docs/variables.md says what each does.

/// A folder with data and weights of the reader's own.
pub const DATA_DIR: &str = "D2L_DATA_DIR";
/// Whether the network must not be used.
pub const OFFLINE: &str = "D2L_OFFLINE";
/// Addresses to ask before the original ones.
pub const MIRROR: &str = "D2L_MIRROR";
/// How many seconds a server may send nothing.
pub const TIMEOUT: &str = "D2L_TIMEOUT";
/// Quick mode: the largest number of epochs of a training.
pub const MAX_EPOCHS: &str = "D2L_MAX_EPOCHS";
/// Quick mode: the largest number of images of a data set.
pub const DATASET_LIMIT: &str = "D2L_DATASET_LIMIT";
/// The folder for figures outside of a notebook.
pub const FIGURE_DIR: &str = "D2L_FIGURE_DIR";
/// Whether a panic has a long backtrace.
pub const BACKTRACE: &str = "D2L_BACKTRACE";
/// The Python that the virtual environment is made with.
pub const PYTHON: &str = "D2L_PYTHON";
/// Where the set-up finds a prebuilt kernel.
pub const WHEELS: &str = "D2L_WHEELS";

/// The folder of the weights that the set-up has made.
pub const PRETRAINED_DIR: &str = "D2L_PRETRAINED_DIR";
/// The folder of the kernels' build folders.
pub const KERNEL_DIR: &str = "D2L_KERNEL_DIR";
/// Set by the set-up: the kernel is to make the template of the build folders.
pub const KERNEL_TEMPLATE: &str = "D2L_KERNEL_TEMPLATE";
/// Set by tests and benchmarks: the kernel is to be evcxr_jupyter as it is, without the relay.
pub const KERNEL_STOCK: &str = "D2L_KERNEL_STOCK";
/// Set for evcxr and what it starts: the relay's socket.
pub const KERNEL_SOCKET: &str = "D2L_KERNEL_SOCKET";
/// Set for evcxr and what it starts: the folder of the shims for cargo, rustup and the shell.
pub const KERNEL_SHIMS: &str = "D2L_KERNEL_SHIMS";
/// Set for evcxr and what it starts: the user's own `CARGO_HOME`, if there is one.
pub const KERNEL_CARGO_HOME: &str = "D2L_KERNEL_CARGO_HOME";
/// Set for Cargo and what it starts: the file for the call of rustc for a cell.
pub const KERNEL_CALL: &str = "D2L_KERNEL_CALL";
/// The folder into which tests write what they compared, refused and skipped.
pub const REPORT_DIR: &str = "D2L_REPORT_DIR";

/// Set for a program that runs cells: the [version](crate::display_line::VERSION) of the display lines.
pub const JUPYTER_WIRE: &str = "JUPYTER_WIRE";
/// Set for a program that runs cells: the file that is there when the program is asked to stop.
pub const JUPYTER_INTERRUPT_FILE: &str = "JUPYTER_INTERRUPT_FILE";
/// Beside that file: the one in which the running cell's identifier is.
pub const CELL_FILE: &str = "cell";

/// Whether [`OFFLINE`] asks for nothing to be fetched.
pub fn is_offline() -> bool {
    std::env::var_os(OFFLINE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Whether [`BACKTRACE`] asks for long backtraces.
pub fn wants_backtraces() -> bool {
    std::env::var_os(BACKTRACE).is_some_and(|value| value != "0")
}
