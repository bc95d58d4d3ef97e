//! Devices, and libtorch as it is found when a program starts.

use std::path::Path;

use crate::common;
use d2l::device::{compute_kind, multiplies_bf16};
use d2l::prelude::*;

/// d2l-en#2562: without a GPU there is one device, not none.
#[test]
fn without_a_gpu_the_cpu_is_used() {
    let devices = try_all_gpus();
    assert_eq!(devices.len(), num_gpus().max(1));
    if num_gpus() == 0 {
        assert_eq!(devices, [Device::Cpu]);
    } else {
        common::report::skipped("without_a_gpu_the_cpu_is_used", "this machine has a GPU");
    }
    assert_eq!(try_gpu(1000), Device::Cpu);
}

/// C19: each GPU is asked separately; a missing one is not an error. The driver's
/// output is parsed in src/device.rs, which has its own tests.
#[test]
fn every_device_can_be_asked_for_bfloat16() {
    for device in [Device::Cpu, Device::Cuda(0), Device::Cuda(usize::MAX), Device::Mps] {
        let kind = if multiplies_bf16(device) { Kind::BFloat16 } else { Kind::Float };
        assert_eq!(compute_kind(device), kind, "{device:?}");
    }
    // C33: CPUs with AMX have AVX-512 BF16, which is what is checked.
    #[cfg(target_arch = "x86_64")]
    assert_eq!(multiplies_bf16(Device::Cpu), std::arch::is_x86_feature_detected!("avx512bf16"));
}

#[test]
fn full_precision_computes_in_f32() {
    const NAME: &str = "device::full_precision_computes_in_f32";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    assert_eq!(precision(), Precision::Auto);
    set_precision(Precision::Full);
    assert_eq!(compute_kind(Device::Cpu), Kind::Float);
}

/// tch-rs#806: libtorch is found without LD_LIBRARY_PATH.
#[test]
fn libtorch_is_found_without_a_variable() {
    const NAME: &str = "device::libtorch_is_found_without_a_variable";
    if !common::in_child(NAME) {
        let status = common::child(NAME).env_remove("LD_LIBRARY_PATH").status().unwrap();
        assert!(status.success());
        return;
    }
    assert_eq!(Tensor::from(2.) * 3., Tensor::from(6.));
}

/// tch-rs#980: the linker leaves libtorch's CUDA half out, as no symbol names it. The set-up's wrapper
/// loads it, but only where there is a driver, and goes without where it was not installed. The driver
/// is an empty library here.
#[test]
#[cfg(target_os = "linux")]
fn the_cuda_half_of_libtorch_is_linked() {
    const NAME: &str = "device::the_cuda_half_of_libtorch_is_linked";
    if !common::in_child(NAME) {
        let folder = tempfile::tempdir().unwrap();
        common::run_in_child(NAME, &[("LD_LIBRARY_PATH", folder.path())]);
        let mut compile = std::process::Command::new("cc");
        compile.args(["-shared", "-o", "libcuda.so.1", "-x", "c", "/dev/null"]);
        assert!(compile.current_dir(folder.path()).status().unwrap().success());
        common::run_in_child(NAME, &[("LD_LIBRARY_PATH", folder.path())]);
        return;
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libraries: Vec<&Path> =
        maps.lines().filter_map(|line| line.split_whitespace().nth(5)).map(Path::new).collect();
    let loaded = |name: &str| libraries.iter().find(|path| path.ends_with(name));
    if loaded("libtch.so").is_none() {
        common::report::skipped_here("the wrapper is torch-sys's own");
        return;
    }
    let driver = loaded("libcuda.so.1").is_some();
    let packages = loaded("libtorch_cpu.so").unwrap().ancestors().nth(3).unwrap();
    let installed = packages.join("nvidia/cudnn").is_dir();
    assert_eq!(loaded("libtorch_cuda.so").is_some(), driver && installed, "{driver} {installed}");
    assert_eq!(Tensor::from(2.) * 3., Tensor::from(6.));
}
