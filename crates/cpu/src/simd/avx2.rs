//! x86-64 AVX2 with FMA: 16 registers of eight numbers, of which the 6 × 16 micro-kernel uses 15.
//!
//! A value of [`Avx2`] exists only after detection: the reason of every safe method here.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// Returns the proof that this CPU has AVX2 and FMA. Cached by the standard library.
    #[inline]
    pub(super) fn detect() -> Option<Avx2> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2(()))
    }
}

/// Runs a kernel in a function compiled for AVX2 and FMA.
pub(super) fn run<K: Kernel>(simd: Avx2, kernel: K) -> K::Out {
    #[target_feature(enable = "avx2,fma")]
    fn entry<K: Kernel>(simd: Avx2, kernel: K) -> K::Out {
        kernel.run(simd)
    }
    // SAFETY: `simd` proves that the CPU has AVX2 and FMA.
    unsafe { entry(simd, kernel) }
}

/// Calls an intrinsic that touches no memory.
macro_rules! op {
    ($call:expr) => {
        // SAFETY: `self` proves that the CPU has AVX2 and FMA; the intrinsic touches no memory.
        unsafe { $call }
    };
}

impl Simd for Avx2 {
    type V = __m256;
    type P = [__m256; 2];
    type H = __m256;
    const LANES: usize = 8;
    const ROWS: usize = 6;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        op!(_mm256_set1_ps(x))
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        op!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn sum(self, a: __m256) -> f32 {
        op!({
            let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        })
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the caller promises eight readable numbers; `self` proves AVX2.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m256) {
        // SAFETY: the caller promises eight writable numbers; `self` proves AVX2.
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    fn half_zero(self) -> __m256 {
        op!(_mm256_setzero_ps())
    }
    #[inline(always)]
    fn half_fma(self, x: f32, w: __m256, acc: __m256) -> __m256 {
        self.fma(self.splat(x), w, acc)
    }
    #[inline(always)]
    fn half_widen(self, h: __m256) -> [__m256; 2] {
        [h, self.half_zero()]
    }
    #[inline(always)]
    unsafe fn half_load(self, from: *const f32) -> __m256 {
        // SAFETY: half a panel is one vector; the caller's promise is `load`'s.
        unsafe { self.load(from) }
    }
    #[inline(always)]
    fn panel_zero(self) -> [__m256; 2] {
        op!([_mm256_setzero_ps(); 2])
    }
    #[inline(always)]
    fn panel_fma(self, x: f32, w: [__m256; 2], acc: [__m256; 2]) -> [__m256; 2] {
        let x = self.splat(x);
        [self.fma(x, w[0], acc[0]), self.fma(x, w[1], acc[1])]
    }
    #[inline(always)]
    fn panel_relu(self, a: [__m256; 2]) -> [__m256; 2] {
        let zero = self.splat(0.0);
        // MAXPS returns its second operand where either is NaN.
        [self.max(zero, a[0]), self.max(zero, a[1])]
    }
    #[inline(always)]
    fn panel_sum(self, a: [__m256; 2]) -> f32 {
        self.sum(self.add(a[0], a[1]))
    }
    #[inline(always)]
    unsafe fn panel_load(self, from: *const f32) -> [__m256; 2] {
        // SAFETY: the caller promises a panel of sixteen readable numbers.
        unsafe { [self.load(from), self.load(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn panel_store(self, to: *mut f32, p: [__m256; 2]) {
        // SAFETY: the caller promises a panel of sixteen writable numbers.
        unsafe {
            self.store(to, p[0]);
            self.store(to.add(8), p[1]);
        }
    }
}
