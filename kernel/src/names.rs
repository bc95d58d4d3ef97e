//! Environment variables between the kernel's processes.

/// The folder of the kernels' build folders; from the kernel's description.
pub const KERNEL_DIR: &str = "D2L_KERNEL_DIR";
/// Set by the set-up: this kernel is to warm the template itself.
pub const TEMPLATE: &str = "D2L_KERNEL_TEMPLATE";
/// Set by tests and benchmarks: evcxr_jupyter as it is, without the relay.
pub const STOCK: &str = "D2L_KERNEL_STOCK";
/// Set for evcxr and what it starts: the relay's socket.
pub const SOCKET: &str = "D2L_KERNEL_SOCKET";
/// Set for evcxr and what it starts: the folder of the stand-ins for cargo, rustup and the shell.
pub const STAND_INS: &str = "D2L_KERNEL_STAND_INS";
/// Set for evcxr and what it starts: the user's own `CARGO_HOME`, if there is one.
pub const CARGO_HOME: &str = "D2L_KERNEL_CARGO_HOME";
/// Set for Cargo and what it starts: where the call of rustc for a cell is written down.
pub const CALL: &str = "D2L_KERNEL_CALL";
/// Set for the program that runs the cells: the version of the display lines.
pub const WIRE: &str = "JUPYTER_WIRE";
/// Set for the program that runs the cells: the file that is there when it is asked to stop.
pub const INTERRUPT: &str = "JUPYTER_INTERRUPT_FILE";
/// Set by a reader who wants the long backtrace of a panic.
pub const BACKTRACE: &str = "D2L_BACKTRACE";
/// Set by a reader who wants nothing to be downloaded.
pub const OFFLINE: &str = "D2L_OFFLINE";
/// How a program greets that runs with it; others say "program".
pub const TRACING: &str = "program+traces";
/// evcxr's own: this process runs the cells.
pub const IS_RUNTIME: &str = "EVCXR_IS_RUNTIME";
/// evcxr's own: this process stands for rustc.
pub const IS_RUSTC: &str = "EVCXR_RUSTC_WRAPPER";
/// evcxr's own, set for Cargo: the file in which it looks for the place of a cell's library.
pub const BUILT: &str = "EVCXR_EXECUTION_SO_PATH";
