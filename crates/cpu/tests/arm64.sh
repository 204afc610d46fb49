#!/bin/sh
# Runs this crate's tests for arm64 under qemu-user: the NEON kernels, without an arm64 machine.
#
# Needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user-static, and a rustc that has the
# aarch64-unknown-linux-gnu library: RUSTC names it where the default one has it not.
set -eu
cd "$(dirname "$0")/../../.."
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L ${ARM64_ROOT:-/usr/aarch64-linux-gnu}"
export SONOFUSE_CPU_ISA=neon
exec cargo test -p sonofuse-cpu --target aarch64-unknown-linux-gnu --lib --test exact --test loader "$@"
