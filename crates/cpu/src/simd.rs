//! The vector instructions that the kernels are written in, and the choice among them.
//!
//! A kernel is written once, generic over [`Simd`], and compiled once per instruction set. A value
//! of a `Simd` type is the proof that this CPU has the instructions: it is made by detection only,
//! so arithmetic is safe; loads and stores take raw pointers and are not. Pure; any thread.
#![allow(unsafe_code)]

use std::{fmt, str::FromStr};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_half;
mod portable;

/// Output channels in a panel: the width of the micro-kernel and the unit that channels are padded
/// to, the same for every instruction set so that packed weights and activations are too.
pub(crate) const PANEL: usize = 16;

/// Half a panel: the channels of a panel that has no more, and the unit that products are summed in.
pub(crate) const HALF: usize = 8;

/// Names the environment variable that forces an instruction set.
pub const ISA_VARIABLE: &str = "SONOFUSE_CPU_ISA";

/// An instruction set that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// Plain Rust, which the compiler vectorises for the target's baseline.
    Portable,
    /// x86-64 AVX2 with FMA.
    Avx2,
    /// x86-64 AVX-512F.
    Avx512,
    /// aarch64 NEON.
    Neon,
    /// aarch64 NEON with `FEAT_FP16`: the products of the convolutions in half precision, everything
    /// else in 32 bits. Less exact than the other sets: taken only when named.
    NeonHalf,
}

impl Isa {
    /// Lists the instruction sets of 32 bits that this CPU can run, the best last.
    pub fn available() -> Vec<Isa> {
        [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Neon]
            .into_iter()
            .filter(|isa| isa.is_available())
            .collect()
    }

    /// Tells whether this CPU can run the instruction set.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::Avx512::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::Neon::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonHalf => neon_half::NeonHalf::detect().is_some(),
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// Tells whether products are computed in half precision: to be held against the tolerance of
    /// reduced engines, not that of exact ones.
    pub fn is_half(self) -> bool {
        self == Isa::NeonHalf
    }

    /// Chooses the best instruction set that has been proven on hardware.
    pub fn detect() -> Isa {
        Isa::available().pop().unwrap_or(Isa::Portable)
    }

    /// Runs a kernel, compiled for this instruction set; one that the CPU lacks runs portably.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Out {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                if let Some(simd) = avx2::Avx2::detect() {
                    return avx2::run(simd, kernel);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                if let Some(simd) = avx512::Avx512::detect() {
                    return avx512::run(simd, kernel);
                }
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => {
                if let Some(simd) = neon::Neon::detect() {
                    return neon::run(simd, kernel);
                }
            }
            #[cfg(target_arch = "aarch64")]
            Isa::NeonHalf => {
                if let Some(simd) = neon_half::NeonHalf::detect() {
                    return neon_half::run(simd, kernel);
                }
            }
            _ => {}
        }
        kernel.run(portable::Portable)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Neon => "neon",
            Isa::NeonHalf => "neon-half",
        })
    }
}

impl FromStr for Isa {
    type Err = String;

    fn from_str(text: &str) -> Result<Isa, String> {
        [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Neon, Isa::NeonHalf]
            .into_iter()
            .find(|isa| isa.to_string() == text)
            .ok_or_else(|| format!("`{text}` is none of portable, avx2, avx512, neon, neon-half"))
    }
}

/// A piece of work compiled once for each instruction set. `run` must be `inline(always)`.
pub(crate) trait Kernel {
    type Out;
    fn run<S: Simd>(self, simd: S) -> Self::Out;
}

/// The operations that the kernels need. A value is the proof that the CPU has them.
///
/// Every method is `inline(always)`, so that it becomes part of the entry compiled for the set.
pub(crate) trait Simd: Copy {
    /// A vector of `LANES` numbers.
    type V: Copy;
    /// [`PANEL`] numbers in as many registers as that takes.
    type P: Copy;
    /// [`HALF`] numbers, likewise.
    type H: Copy;
    const LANES: usize;
    /// Rows of the micro-kernel: as many accumulators as the registers hold.
    const ROWS: usize;

    fn splat(self, x: f32) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// Returns `a * b + c`, fused where the set can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Returns the greater; `b` where either is NaN (the order matters to the kernels).
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// Adds up the lanes.
    fn sum(self, a: Self::V) -> f32;
    /// # Safety
    /// `from` is valid for reading `LANES` numbers; any alignment.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// # Safety
    /// `to` is valid for writing `LANES` numbers; any alignment.
    unsafe fn store(self, to: *mut f32, v: Self::V);

    /// Stores transformed inputs as the products take them, `at` numbers behind `base`.
    ///
    /// # Safety
    /// `base` is valid for writing `at + LANES` numbers.
    #[inline(always)]
    unsafe fn input_store(self, base: *mut f32, at: usize, v: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { self.store(base.wrapping_add(at), v) }
    }
    /// Stores transformed weights as the products take them, `at` numbers behind `base`.
    ///
    /// # Safety
    /// `base` is valid for writing `at + LANES` numbers.
    #[inline(always)]
    unsafe fn weight_store(self, base: *mut f32, at: usize, v: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { self.store(base.wrapping_add(at), v) }
    }
    /// Multiplies `R` rows of `depth` inputs by a panel of weights: the micro-kernel. `depth` is a
    /// multiple of [`HALF`]; rows are `stride` apart; `add`s to what is in `m`, or overwrites it.
    ///
    /// # Safety
    /// As they were stored, `v.0` is valid for reading `R` rows from its number `v.1` on, `u.0` for
    /// `depth` panels from `u.1` on; `m` for reading and writing `R` panels.
    #[inline(always)]
    unsafe fn product<const R: usize>(
        self,
        (depth, stride): (usize, usize),
        v: (*const f32, usize),
        u: (*const f32, usize),
        m: *mut f32,
        add: bool,
    ) {
        let (v, u) = (v.0.wrapping_add(v.1), u.0.wrapping_add(u.1));
        // SAFETY: the caller's promise, row by row and panel by panel.
        unsafe {
            let mut sums = [self.panel_zero(); R];
            if add {
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = self.panel_load(m.add(r * PANEL));
                }
            }
            for p in 0..depth {
                let w = self.panel_load(u.add(p * PANEL));
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = self.panel_fma(*v.add(r * stride + p), w, *sum);
                }
            }
            for (r, sum) in sums.into_iter().enumerate() {
                self.panel_store(m.add(r * PANEL), sum);
            }
        }
    }

    /// Does what [`Simd::product`] does for a panel whose second half is zeros. `R` may be twice as
    /// large.
    ///
    /// # Safety
    /// As [`Simd::product`].
    #[inline(always)]
    unsafe fn product_half<const R: usize>(
        self,
        (depth, stride): (usize, usize),
        v: (*const f32, usize),
        u: (*const f32, usize),
        m: *mut f32,
        add: bool,
    ) {
        let (v, u) = (v.0.wrapping_add(v.1), u.0.wrapping_add(u.1));
        // SAFETY: the caller's promise, row by row and panel by panel.
        unsafe {
            let mut sums = [self.half_zero(); R];
            if add {
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = self.half_load(m.add(r * PANEL));
                }
            }
            for p in 0..depth {
                let w = self.half_load(u.add(p * PANEL));
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = self.half_fma(*v.add(r * stride + p), w, *sum);
                }
            }
            for (r, sum) in sums.into_iter().enumerate() {
                self.panel_store(m.add(r * PANEL), self.half_widen(sum));
            }
        }
    }

    fn half_zero(self) -> Self::H;
    /// Returns `x * w + acc` with one number against half a panel.
    fn half_fma(self, x: f32, w: Self::H, acc: Self::H) -> Self::H;
    /// Returns the panel whose second half is zeros.
    fn half_widen(self, h: Self::H) -> Self::P;
    /// # Safety
    /// `from` is valid for reading [`HALF`] numbers; any alignment.
    unsafe fn half_load(self, from: *const f32) -> Self::H;

    fn panel_zero(self) -> Self::P;
    /// Returns `x * w + acc` with one number against a whole panel.
    fn panel_fma(self, x: f32, w: Self::P, acc: Self::P) -> Self::P;
    /// Returns the greater of zero and each number; NaN stays NaN.
    fn panel_relu(self, a: Self::P) -> Self::P;
    /// Adds up the numbers of a panel.
    fn panel_sum(self, a: Self::P) -> f32;
    /// # Safety
    /// `from` is valid for reading [`PANEL`] numbers; any alignment.
    unsafe fn panel_load(self, from: *const f32) -> Self::P;
    /// # Safety
    /// `to` is valid for writing [`PANEL`] numbers; any alignment.
    unsafe fn panel_store(self, to: *mut f32, p: Self::P);
}
