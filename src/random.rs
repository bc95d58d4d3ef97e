//! Random numbers that repeat: each sample of each epoch has a generator of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::SeedableRng;

/// The generator handed to transforms.
pub type Rng = rand_xoshiro::Xoshiro256PlusPlus;

static SEED: AtomicU64 = AtomicU64::new(0);
/// How many generators [`next_generator`] has handed out since the seed was set.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Sets the seed of everything random: libtorch's initial values, and the order and augmentation of
/// loaders made from now on, and of single calls (PyTorch: `torch.manual_seed`).
pub fn manual_seed(seed: u64) {
    SEED.store(seed, Ordering::Relaxed);
    CALLS.store(0, Ordering::Relaxed);
    tch::manual_seed(seed as i64);
}

pub(crate) fn global_seed() -> u64 {
    SEED.load(Ordering::Relaxed)
}

/// A generator for a call outside of a loader: another for each call, the same ones again once the
/// seed is set again.
pub(crate) fn next_generator() -> Rng {
    generator(global_seed(), u64::MAX, CALLS.fetch_add(1, Ordering::Relaxed))
}

/// The generator of one sample; the same wherever and whenever the sample is made.
pub(crate) fn generator(seed: u64, epoch: u64, index: u64) -> Rng {
    // Odd multipliers keep the three apart; seed_from_u64 mixes the bits.
    let mixed = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(epoch.wrapping_mul(0xd1b5_4a32_d192_ed03))
        .wrapping_add(index.wrapping_mul(0x8cb9_2ba7_2f3d_8dd7));
    Rng::seed_from_u64(mixed)
}
