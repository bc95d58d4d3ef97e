//! Devices and precision (d2l: section 6.7, *GPUs*).
//!
//! [`try_gpu`] and [`try_all_gpus`] name the devices to train on; [`Precision`] says in which
//! numbers the layers compute.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use d2l_common::hardware;
use tch::{Cuda, Device, Kind};

use crate::{Error, Result};

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

/// An error for a GPU that is not there.
pub(crate) fn check(device: Device) -> Result<()> {
    match device {
        Device::Cuda(i) if i >= num_gpus() => Err(Error::invalid(
            "device",
            format!("{device:?}; libtorch can use {} GPUs here", num_gpus()),
            "a device of this machine",
            "take what is there: try_gpu(0), or &try_all_gpus()",
        )),
        _ => Ok(()),
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

/// Whether the hardware itself multiplies bfloat16 numbers: AVX-512 BF16 on x86 (processors with AMX
/// have it, too), BF16 on Arm, and NVIDIA GPUs from Ampere (compute capability 8.0) on.
pub fn multiplies_bf16(device: Device) -> bool {
    static CPU: OnceLock<bool> = OnceLock::new();
    static GPUS: OnceLock<Vec<bool>> = OnceLock::new();
    match device {
        Device::Cpu => *CPU.get_or_init(hardware::cpu_multiplies_bf16),
        Device::Cuda(i) => GPUS.get_or_init(gpus_multiply_bf16).get(i).copied().unwrap_or(true),
        _ => false,
    }
}

/// For each of CUDA's devices. libtorch's C++ wrapper does not tell the compute capability, the
/// driver's own tool does. A GPU of which it says nothing is taken for a recent one.
fn gpus_multiply_bf16() -> Vec<bool> {
    let output = std::process::Command::new("nvidia-smi")
        .args(["--query-gpu=uuid,compute_cap", "--format=csv,noheader"])
        .output();
    let cards = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into(),
        _ => String::new(),
    };
    let variable = |name| std::env::var(name).ok();
    let by_bus = variable("CUDA_DEVICE_ORDER").is_some_and(|order| order == "PCI_BUS_ID");
    capabilities(&cards, variable("CUDA_VISIBLE_DEVICES").as_deref(), by_bus)
        .into_iter()
        .map(|capability| capability.is_none_or(|capability| capability >= 8.0))
        .collect()
}

/// The compute capabilities of CUDA's devices, in its order, where they are known.
///
/// nvidia-smi lists all cards of the machine in the order of the bus. CUDA takes the fastest first
/// unless it is told otherwise, and of these the ones in `visible`: places in its order, or
/// beginnings of UUIDs, up to the first that there is not.
fn capabilities(cards: &str, visible: Option<&str>, by_bus: bool) -> Vec<Option<f64>> {
    let mut cards: Vec<(&str, Option<f64>)> = cards
        .lines()
        .filter_map(|line| line.split_once(','))
        .map(|(uuid, capability)| (uuid.trim(), capability.trim().parse().ok()))
        .collect();
    if !by_bus {
        // Which is the fastest is not told. A newer one is, where the two differ in bfloat16.
        cards.sort_by(|a, b| b.1.unwrap_or(f64::MAX).total_cmp(&a.1.unwrap_or(f64::MAX)));
    }
    let Some(visible) = visible else {
        return cards.into_iter().map(|(_, capability)| capability).collect();
    };
    visible
        .split(',')
        .map(str::trim)
        .map_while(|name| match name.parse::<usize>() {
            Ok(place) => cards.get(place).map(|card| card.1),
            // A part of a card (MIG) has a UUID of its own.
            Err(_) if name.starts_with("MIG-") => Some(None),
            Err(_) if name.is_empty() => None,
            Err(_) => cards.iter().find(|(uuid, _)| uuid.starts_with(name)).map(|card| card.1),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::capabilities;

    /// What nvidia-smi prints on a machine with an old card, two newer ones, and one that it does
    /// not know.
    const CARDS: &str = "GPU-1a, 6.0\nGPU-2b, 8.0\nGPU-2c, 9.0\nGPU-3d, [N/A]\n";

    /// C19: what is hidden from CUDA does not count, and each device counts for itself.
    #[test]
    fn capabilities_are_those_of_cudas_devices() {
        let (old, ampere, hopper, unknown) = (Some(6.0), Some(8.0), Some(9.0), None);
        type Case<'a> = (Option<&'a str>, bool, &'a [Option<f64>]);
        let cases: [Case; 14] = [
            (None, true, &[old, ampere, hopper, unknown]),
            (None, false, &[unknown, hopper, ampere, old]),
            (Some("1"), true, &[ampere]),
            (Some("0"), true, &[old]),
            (Some("3, 0,1"), true, &[unknown, old, ampere]),
            (Some("3"), false, &[old]),
            (Some("GPU-2b"), false, &[ampere]),
            (Some("GPU-2c,GPU-1"), true, &[hopper, old]),
            (Some("GPU-3d"), false, &[unknown]),
            (Some("MIG-4e,MIG-5f"), false, &[unknown, unknown]),
            // The first that is not there ends the list; so CUDA hides all.
            (Some("1,9,0"), true, &[ampere]),
            (Some("-1"), true, &[]),
            (Some(""), true, &[]),
            (Some("NoDevFiles"), true, &[]),
        ];
        for (visible, by_bus, expected) in cases {
            assert_eq!(capabilities(CARDS, visible, by_bus), expected, "{visible:?}, {by_bus}");
        }
        for nothing in ["", "NVIDIA-SMI has failed\n", "No devices were found\n"] {
            assert!(capabilities(nothing, None, false).is_empty(), "{nothing:?}");
        }
    }
}
