//! Devices and precision (d2l: section 6.7, *GPUs*).
//!
//! [`try_gpu`] and [`try_all_gpus`] name the devices to train on; [`Precision`] says in which
//! numbers the layers compute.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Cuda, Device, Kind};

/// The number of CUDA devices that libtorch can use (d2l: `num_gpus`).
///
/// The book: [*GPUs*](https://d2l.ai/chapter_builders-guide/use-gpu.html).
pub fn num_gpus() -> usize {
    Cuda::device_count().max(0) as usize
}

/// GPU number `i` if there is one, else the CPU (d2l: `try_gpu`).
///
/// The book: [*GPUs*](https://d2l.ai/chapter_builders-guide/use-gpu.html).
pub fn try_gpu(i: usize) -> Device {
    if i < num_gpus() { Device::Cuda(i) } else { Device::Cpu }
}

/// All GPUs, or `[Cpu]` on a machine without one (d2l: `try_all_gpus`).
///
/// The book's function returns an empty list there, which its `train_ch13` cannot use.
///
/// The book: [*GPUs*](https://d2l.ai/chapter_builders-guide/use-gpu.html).
pub fn try_all_gpus() -> Vec<Device> {
    match num_gpus() {
        0 => vec![Device::Cpu],
        n => (0..n).map(Device::Cuda).collect(),
    }
}

/// In which numbers convolutions and linear layers compute. Parameters are always `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// bfloat16 where the hardware multiplies it (about twice as fast or more), else `f32`.
    Auto,
    /// `f32` everywhere: results agree with PyTorch's to rounding.
    Full,
}

static FULL: AtomicBool = AtomicBool::new(false);

/// Chooses the precision of all layers from now on; [`Precision::Auto`] at the start.
pub fn set_precision(precision: Precision) {
    FULL.store(precision == Precision::Full, Ordering::Relaxed);
}

/// The precision chosen.
pub fn precision() -> Precision {
    if FULL.load(Ordering::Relaxed) { Precision::Full } else { Precision::Auto }
}

/// The number type in which layers compute on `device`.
pub fn compute_kind(device: Device) -> Kind {
    if precision() == Precision::Auto && multiplies_bf16(device) {
        Kind::BFloat16
    } else {
        Kind::Float
    }
}

/// Whether the hardware itself multiplies bfloat16 numbers: AVX-512 BF16 or AMX on x86, BF16 on
/// Arm, and NVIDIA GPUs from Ampere (compute capability 8.0) on.
pub fn multiplies_bf16(device: Device) -> bool {
    static CPU: OnceLock<bool> = OnceLock::new();
    static GPU: OnceLock<bool> = OnceLock::new();
    match device {
        Device::Cpu => *CPU.get_or_init(cpu_multiplies_bf16),
        Device::Cuda(_) => *GPU.get_or_init(gpus_multiply_bf16),
        _ => false,
    }
}

fn cpu_multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// libtorch's C++ wrapper does not tell the compute capability, the driver's own tool does. Where
/// the tool is missing the GPU is taken for a recent one.
fn gpus_multiply_bf16() -> bool {
    let output = std::process::Command::new("nvidia-smi")
        .args(["--query-gpu=compute_cap", "--format=csv,noheader"])
        .output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .lines()
            .all(|line| line.trim().parse::<f64>().is_ok_and(|capability| capability >= 8.0)),
        _ => true,
    }
}
