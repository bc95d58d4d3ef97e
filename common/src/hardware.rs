//! What the processor can do.

/// Whether the processor itself multiplies bfloat16 numbers: AVX-512 BF16 on x86 (processors with AMX
/// have it, too), BF16 on Arm.
pub fn cpu_multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}
