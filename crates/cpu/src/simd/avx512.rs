//! x86-64 AVX-512F: a panel in one register, 14 rows of accumulators; half a panel in half a register,
//! of which the sixteen that AVX2 has are used.
//!
//! A value of [`Avx512`] exists only after detection: the reason of every safe method here. AVX-512F
//! comes with AVX2 and FMA.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// Returns the proof that this CPU has AVX-512F. Cached by the standard library.
    #[inline]
    pub(super) fn detect() -> Option<Avx512> {
        is_x86_feature_detected!("avx512f").then_some(Avx512(()))
    }
}

/// Runs a kernel in a function compiled for AVX-512F.
pub(super) fn run<K: Kernel>(simd: Avx512, kernel: K) -> K::Out {
    #[target_feature(enable = "avx512f")]
    fn entry<K: Kernel>(simd: Avx512, kernel: K) -> K::Out {
        kernel.run(simd)
    }
    // SAFETY: `simd` proves that the CPU has AVX-512F.
    unsafe { entry(simd, kernel) }
}

/// Calls an intrinsic that touches no memory.
macro_rules! op {
    ($call:expr) => {
        // SAFETY: `self` proves that the CPU has AVX-512F; the intrinsic touches no memory.
        unsafe { $call }
    };
}

impl Simd for Avx512 {
    type V = __m512;
    type P = __m512;
    type H = __m256;
    const LANES: usize = 16;
    const ROWS: usize = 14;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        op!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        op!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        op!(_mm512_reduce_add_ps(a))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the caller promises sixteen readable numbers; `self` proves AVX-512F.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m512) {
        // SAFETY: the caller promises sixteen writable numbers; `self` proves AVX-512F.
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    fn half_zero(self) -> __m256 {
        op!(_mm256_setzero_ps())
    }
    #[inline(always)]
    fn half_fma(self, x: f32, w: __m256, acc: __m256) -> __m256 {
        op!(_mm256_fmadd_ps(_mm256_set1_ps(x), w, acc))
    }
    #[inline(always)]
    fn half_widen(self, h: __m256) -> __m512 {
        op!(_mm512_zextps256_ps512(h))
    }
    #[inline(always)]
    unsafe fn half_load(self, from: *const f32) -> __m256 {
        // SAFETY: the caller promises eight readable numbers; `self` proves AVX-512F.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    fn panel_zero(self) -> __m512 {
        self.splat(0.0)
    }
    #[inline(always)]
    fn panel_fma(self, x: f32, w: __m512, acc: __m512) -> __m512 {
        self.fma(self.splat(x), w, acc)
    }
    #[inline(always)]
    fn panel_relu(self, a: __m512) -> __m512 {
        // MAXPS returns its second operand where either is NaN.
        self.max(self.splat(0.0), a)
    }
    #[inline(always)]
    fn panel_sum(self, a: __m512) -> f32 {
        self.sum(a)
    }
    #[inline(always)]
    unsafe fn panel_load(self, from: *const f32) -> __m512 {
        // SAFETY: a panel is one vector; the caller's promise is `load`'s.
        unsafe { self.load(from) }
    }
    #[inline(always)]
    unsafe fn panel_store(self, to: *mut f32, p: __m512) {
        // SAFETY: a panel is one vector; the caller's promise is `store`'s.
        unsafe { self.store(to, p) }
    }
}
