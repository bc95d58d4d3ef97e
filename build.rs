//! Tells the linker where libtorch is, so that programs, tests and the notebooks' shared object find
//! it without `LD_LIBRARY_PATH`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // From torch-sys, or from the configuration that `cargo d2l setup` writes in its place.
    for variable in ["DEP_TCH_LIBTORCH_LIB", "DEP_TCH_WRAPPER_LIB"] {
        if let Ok(folder) = std::env::var(variable) {
            println!("cargo:rustc-link-search=native={folder}");
            println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
        }
    }
    // The wrapper that `cargo d2l setup` makes loads libtorch's CUDA half by itself, where there is a
    // driver. torch-sys's own would lose it: no symbol names it, so the linker drops it.
    let is_torch_sys_own = std::env::var_os("DEP_TCH_WRAPPER_LIB").is_none();
    if is_torch_sys_own && std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch,--as-needed");
    }
}
