//! aarch64 NEON with `FEAT_FP16` (Cortex-A78AE of Jetson Orin has it): twice as many numbers in a
//! register where the time goes, in the products of the transformed domain.
//!
//! Maps, transforms, bias and head stay in 32 bits. Transformed inputs and weights are stored as
//! halves; [`CHUNK`] products are summed in half precision and then added to sums of 32 bits, which
//! bounds what rounding can add up to. Inputs are stored [`SCALE`] times smaller, so that maps of
//! thousands do not overflow a half; what does is an infinity, which the output transform finds.
//!
//! Intrinsics that take a pointer to `f16` are not stable: halves are loaded and stored as `u16`. A
//! value of [`NeonHalf`] exists only after detection: the reason of every safe method here.

use std::arch::aarch64::*;

use super::{Kernel, PANEL, Simd, neon::Neon};

#[derive(Clone, Copy)]
pub(super) struct NeonHalf(Neon);

/// Products summed in half precision.
const CHUNK: usize = 64;
/// A power of two, so that nothing is lost: the smallest half is then still 4·10⁻⁶ of a map of 1.
const SCALE: f32 = 1.0 / 64.0;
/// Numbers of a row that are loaded at once.
const STEP: usize = 8;

impl NeonHalf {
    /// Returns the proof that this CPU has NEON and half-precision arithmetic.
    #[inline]
    pub(super) fn detect() -> Option<NeonHalf> {
        let half = std::arch::is_aarch64_feature_detected!("fp16");
        Neon::detect().filter(|_| half).map(NeonHalf)
    }
}

/// Runs a kernel in a function compiled for NEON with half precision.
pub(super) fn run<K: Kernel>(simd: NeonHalf, kernel: K) -> K::Out {
    #[target_feature(enable = "neon,fp16")]
    fn entry<K: Kernel>(simd: NeonHalf, kernel: K) -> K::Out {
        kernel.run(simd)
    }
    // SAFETY: `simd` proves that the CPU has NEON and half precision.
    unsafe { entry(simd, kernel) }
}

/// Calls an intrinsic that touches no memory.
macro_rules! op {
    ($call:expr) => {
        // SAFETY: `self` proves that the CPU has NEON and half precision; the intrinsic touches no
        // memory.
        unsafe { $call }
    };
}

/// Hands a method on to the 32-bit set.
macro_rules! as_neon {
    ($($name:ident($($arg:ident: $kind:ty),*) -> $out:ty;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: $kind),*) -> $out {
            self.0.$name($($arg),*)
        }
    )*};
}

impl NeonHalf {
    /// Stores four numbers as halves, `at` halves behind `base`.
    ///
    /// # Safety
    /// `base` is valid for writing `at + 4` halves.
    #[inline(always)]
    unsafe fn narrow(self, base: *mut f32, at: usize, v: float32x4_t) {
        let to = base.cast::<u16>().wrapping_add(at);
        // SAFETY: the caller promises room for the four; `self` proves the instructions.
        unsafe { vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32(v))) }
    }

    /// Loads eight halves.
    ///
    /// # Safety
    /// `from` is valid for reading them.
    #[inline(always)]
    unsafe fn eight(self, from: *const u16) -> float16x8_t {
        // SAFETY: the caller's promise; `self` proves the instructions.
        unsafe { vreinterpretq_f16_u16(vld1q_u16(from)) }
    }

    #[inline(always)]
    fn zero(self) -> float16x8_t {
        op!(vreinterpretq_f16_u16(vdupq_n_u16(0)))
    }

    /// Adds number `LANE` of each row times a panel to the rows' sums.
    ///
    /// The compiler warns that the intrinsic may not be inlined here. It is, once this is part of the
    /// entry compiled for the set; scripts/arm64.sh counts the instructions in the test binary.
    ///
    /// # Safety
    /// `panel` is valid for reading sixteen halves.
    #[allow(unknown_lints, inline_always_mismatching_target_features)]
    #[inline(always)]
    unsafe fn step<const R: usize, const LANE: i32>(
        self,
        panel: *const u16,
        rows: &[float16x8_t; R],
        sums: &mut [[float16x8_t; 2]; R],
    ) {
        // SAFETY: the caller promises the panel.
        let w = unsafe { [self.eight(panel), self.eight(panel.wrapping_add(8))] };
        for r in 0..R {
            sums[r][0] = op!(vfmaq_laneq_f16::<LANE>(sums[r][0], w[0], rows[r]));
            sums[r][1] = op!(vfmaq_laneq_f16::<LANE>(sums[r][1], w[1], rows[r]));
        }
    }
}

impl Simd for NeonHalf {
    type V = float32x4_t;
    type P = [float32x4_t; 4];
    type H = [float32x4_t; 2];
    const LANES: usize = 4;
    // 16 sums, 8 rows and a panel: 26 of 32 registers.
    const ROWS: usize = 8;

    as_neon! {
        splat(x: f32) -> float32x4_t;
        add(a: float32x4_t, b: float32x4_t) -> float32x4_t;
        sub(a: float32x4_t, b: float32x4_t) -> float32x4_t;
        mul(a: float32x4_t, b: float32x4_t) -> float32x4_t;
        fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t;
        max(a: float32x4_t, b: float32x4_t) -> float32x4_t;
        sum(a: float32x4_t) -> f32;
        half_zero() -> Self::H;
        half_fma(x: f32, w: Self::H, acc: Self::H) -> Self::H;
        half_widen(h: Self::H) -> Self::P;
        panel_zero() -> Self::P;
        panel_fma(x: f32, w: Self::P, acc: Self::P) -> Self::P;
        panel_relu(a: Self::P) -> Self::P;
        panel_sum(a: Self::P) -> f32;
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        // SAFETY: the caller's promise.
        unsafe { self.0.load(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: float32x4_t) {
        // SAFETY: the caller's promise.
        unsafe { self.0.store(to, v) }
    }
    #[inline(always)]
    unsafe fn half_load(self, from: *const f32) -> Self::H {
        // SAFETY: the caller's promise.
        unsafe { self.0.half_load(from) }
    }
    #[inline(always)]
    unsafe fn panel_load(self, from: *const f32) -> Self::P {
        // SAFETY: the caller's promise.
        unsafe { self.0.panel_load(from) }
    }
    #[inline(always)]
    unsafe fn panel_store(self, to: *mut f32, p: Self::P) {
        // SAFETY: the caller's promise.
        unsafe { self.0.panel_store(to, p) }
    }
    #[inline(always)]
    unsafe fn input_store(self, base: *mut f32, at: usize, v: float32x4_t) {
        // SAFETY: room for numbers of 32 bits holds as many halves.
        unsafe { self.narrow(base, at, self.mul(v, self.splat(SCALE))) }
    }
    #[inline(always)]
    unsafe fn weight_store(self, base: *mut f32, at: usize, v: float32x4_t) {
        // SAFETY: room for numbers of 32 bits holds as many halves.
        unsafe { self.narrow(base, at, v) }
    }
    /// Half a panel of halves is one register: the whole one is computed, whose second half is zeros.
    #[inline(always)]
    unsafe fn product_half<const R: usize>(
        self,
        shape: (usize, usize),
        v: (*const f32, usize),
        u: (*const f32, usize),
        m: *mut f32,
        add: bool,
    ) {
        // SAFETY: the caller's promise.
        unsafe { self.product::<R>(shape, v, u, m, add) }
    }
    #[inline(always)]
    unsafe fn product<const R: usize>(
        self,
        (depth, stride): (usize, usize),
        v: (*const f32, usize),
        u: (*const f32, usize),
        m: *mut f32,
        mut add: bool,
    ) {
        let v = v.0.cast::<u16>().wrapping_add(v.1);
        let u = u.0.cast::<u16>().wrapping_add(u.1);
        let mut begin = 0;
        while begin < depth {
            let end = (begin + CHUNK).min(depth);
            let mut sums = [[self.zero(); 2]; R];
            let mut p = begin;
            // `depth` and `CHUNK` are multiples of `STEP`.
            while p < end {
                let mut rows = [self.zero(); R];
                for r in 0..R {
                    // SAFETY: eight of the row's `depth` numbers.
                    rows[r] = unsafe { self.eight(v.wrapping_add(r * stride + p)) };
                }
                let panel = |lane: usize| u.wrapping_add((p + lane) * PANEL);
                // SAFETY: eight of the `depth` panels.
                unsafe {
                    self.step::<R, 0>(panel(0), &rows, &mut sums);
                    self.step::<R, 1>(panel(1), &rows, &mut sums);
                    self.step::<R, 2>(panel(2), &rows, &mut sums);
                    self.step::<R, 3>(panel(3), &rows, &mut sums);
                    self.step::<R, 4>(panel(4), &rows, &mut sums);
                    self.step::<R, 5>(panel(5), &rows, &mut sums);
                    self.step::<R, 6>(panel(6), &rows, &mut sums);
                    self.step::<R, 7>(panel(7), &rows, &mut sums);
                }
                p += STEP;
            }
            for r in 0..R {
                for (half, sum) in sums[r].into_iter().enumerate() {
                    let wide = [op!(vcvt_f32_f16(vget_low_f16(sum))), op!(vcvt_high_f32_f16(sum))];
                    for (quarter, wide) in wide.into_iter().enumerate() {
                        let to = m.wrapping_add(r * PANEL + half * 8 + quarter * 4);
                        // SAFETY: four of the `R` panels of `m`.
                        unsafe {
                            let before = if add { self.load(to) } else { self.splat(0.0) };
                            self.store(to, self.fma(wide, self.splat(1.0 / SCALE), before));
                        }
                    }
                }
            }
            add = true;
            begin = end;
        }
    }
}
