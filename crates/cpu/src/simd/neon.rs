//! aarch64 NEON: 32 registers of four numbers; a panel takes four, the micro-kernel six rows.
//!
//! A value of [`Neon`] exists only after detection: the reason of every safe method here.

use std::arch::aarch64::*;

use super::{Kernel, Simd};

#[derive(Clone, Copy)]
pub(super) struct Neon(());

impl Neon {
    /// Returns the proof that this CPU has NEON. Cached by the standard library.
    #[inline]
    pub(super) fn detect() -> Option<Neon> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Neon(()))
    }
}

/// Runs a kernel in a function compiled for NEON.
pub(super) fn run<K: Kernel>(simd: Neon, kernel: K) -> K::Out {
    #[target_feature(enable = "neon")]
    fn entry<K: Kernel>(simd: Neon, kernel: K) -> K::Out {
        kernel.run(simd)
    }
    // SAFETY: `simd` proves that the CPU has NEON.
    unsafe { entry(simd, kernel) }
}

/// Calls an intrinsic that touches no memory.
macro_rules! op {
    ($call:expr) => {
        // SAFETY: `self` proves that the CPU has NEON; the intrinsic touches no memory.
        unsafe { $call }
    };
}

impl Simd for Neon {
    type V = float32x4_t;
    type P = [float32x4_t; 4];
    type H = [float32x4_t; 2];
    const LANES: usize = 4;
    const ROWS: usize = 6;

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        op!(vdupq_n_f32(x))
    }
    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        op!(vaddq_f32(a, b))
    }
    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        op!(vsubq_f32(a, b))
    }
    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        op!(vmulq_f32(a, b))
    }
    #[inline(always)]
    fn fma(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        op!(vfmaq_f32(c, a, b))
    }
    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // FMAX returns NaN where either is NaN, which keeps the kernels' promise too.
        op!(vmaxq_f32(a, b))
    }
    #[inline(always)]
    fn sum(self, a: float32x4_t) -> f32 {
        op!(vaddvq_f32(a))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        // SAFETY: the caller promises four readable numbers; `self` proves NEON.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: float32x4_t) {
        // SAFETY: the caller promises four writable numbers; `self` proves NEON.
        unsafe { vst1q_f32(to, v) }
    }
    #[inline(always)]
    fn half_zero(self) -> Self::H {
        [self.splat(0.0); 2]
    }
    #[inline(always)]
    fn half_fma(self, x: f32, w: Self::H, acc: Self::H) -> Self::H {
        let x = self.splat(x);
        [self.fma(x, w[0], acc[0]), self.fma(x, w[1], acc[1])]
    }
    #[inline(always)]
    fn half_widen(self, h: Self::H) -> Self::P {
        [h[0], h[1], self.splat(0.0), self.splat(0.0)]
    }
    #[inline(always)]
    unsafe fn half_load(self, from: *const f32) -> Self::H {
        // SAFETY: the caller promises half a panel of eight readable numbers.
        unsafe { [self.load(from), self.load(from.add(4))] }
    }
    #[inline(always)]
    fn panel_zero(self) -> Self::P {
        [self.splat(0.0); 4]
    }
    #[inline(always)]
    fn panel_fma(self, x: f32, w: Self::P, acc: Self::P) -> Self::P {
        let x = self.splat(x);
        [
            self.fma(x, w[0], acc[0]),
            self.fma(x, w[1], acc[1]),
            self.fma(x, w[2], acc[2]),
            self.fma(x, w[3], acc[3]),
        ]
    }
    #[inline(always)]
    fn panel_relu(self, a: Self::P) -> Self::P {
        let zero = self.splat(0.0);
        [self.max(zero, a[0]), self.max(zero, a[1]), self.max(zero, a[2]), self.max(zero, a[3])]
    }
    #[inline(always)]
    fn panel_sum(self, a: Self::P) -> f32 {
        self.sum(self.add(self.add(a[0], a[1]), self.add(a[2], a[3])))
    }
    #[inline(always)]
    unsafe fn panel_load(self, from: *const f32) -> Self::P {
        // SAFETY: the caller promises a panel of sixteen readable numbers.
        unsafe {
            [
                self.load(from),
                self.load(from.add(4)),
                self.load(from.add(8)),
                self.load(from.add(12)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn panel_store(self, to: *mut f32, p: Self::P) {
        // SAFETY: the caller promises a panel of sixteen writable numbers.
        unsafe {
            self.store(to, p[0]);
            self.store(to.add(4), p[1]);
            self.store(to.add(8), p[2]);
            self.store(to.add(12), p[3]);
        }
    }
}
