//! The fallback: arrays of eight that the compiler vectorises for the target's baseline.
//!
//! `a * b + c` is rounded twice here: a fused multiply-add without the instruction is a slow
//! library call, and the tolerance of the kernels holds without it.

#![allow(unsafe_code)]

use super::{HALF, PANEL, Simd};

#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Simd for Portable {
    type V = [f32; 8];
    type P = [f32; PANEL];
    type H = [f32; HALF];
    const LANES: usize = 8;
    const ROWS: usize = 2;

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 8] {
        [x; 8]
    }
    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn fma(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn max(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn sum(self, a: [f32; 8]) -> f32 {
        a.iter().sum()
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 8] {
        // SAFETY: the caller promises eight readable numbers.
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: [f32; 8]) {
        // SAFETY: the caller promises eight writable numbers.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(v) }
    }
    #[inline(always)]
    fn half_zero(self) -> Self::H {
        [0.0; HALF]
    }
    #[inline(always)]
    fn half_fma(self, x: f32, w: Self::H, acc: Self::H) -> Self::H {
        std::array::from_fn(|i| x * w[i] + acc[i])
    }
    #[inline(always)]
    fn half_widen(self, h: Self::H) -> Self::P {
        std::array::from_fn(|i| if i < HALF { h[i] } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn half_load(self, from: *const f32) -> Self::H {
        // SAFETY: the caller promises half a panel of readable numbers.
        unsafe { from.cast::<Self::H>().read_unaligned() }
    }
    #[inline(always)]
    fn panel_zero(self) -> Self::P {
        [0.0; PANEL]
    }
    #[inline(always)]
    fn panel_fma(self, x: f32, w: Self::P, acc: Self::P) -> Self::P {
        std::array::from_fn(|i| x * w[i] + acc[i])
    }
    #[inline(always)]
    fn panel_relu(self, a: Self::P) -> Self::P {
        a.map(|x| if x < 0.0 { 0.0 } else { x })
    }
    #[inline(always)]
    fn panel_sum(self, a: Self::P) -> f32 {
        a.iter().sum()
    }
    #[inline(always)]
    unsafe fn panel_load(self, from: *const f32) -> Self::P {
        // SAFETY: the caller promises a panel of readable numbers.
        unsafe { from.cast::<Self::P>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn panel_store(self, to: *mut f32, p: Self::P) {
        // SAFETY: the caller promises a panel of writable numbers.
        unsafe { to.cast::<Self::P>().write_unaligned(p) }
    }
}
