#!/bin/sh
# Runs this crate's tests under AddressSanitizer: every kernel that this machine can run, every load
# and store. Needs a nightly toolchain (its sanitizer library comes with it).
#
# The tests are built in a package of their own beside the crate's, without the peer runtime, which
# would be compiled again for nothing.
set -eu
cd "$(dirname "$0")/../../.."
crate=$PWD/crates/cpu
work=${CARGO_TARGET_DIR:-$PWD/target}/asan
mkdir -p "$work/src"
: > "$work/src/lib.rs"
cat > "$work/Cargo.toml" <<EOF
[package]
name = "sonofuse-cpu-asan"
version = "0.0.0"
edition = "2024"
publish = false
[dependencies]
sonofuse-cpu = { path = "$crate" }
[dev-dependencies]
proptest = { version = "1", default-features = false, features = ["std"] }
[[test]]
name = "exact"
path = "$crate/tests/exact.rs"
[[test]]
name = "loader"
path = "$crate/tests/loader.rs"
[[test]]
name = "sizes"
path = "$crate/tests/sizes.rs"
[workspace]
[profile.dev]
opt-level = 1
EOF
cd "$work"
export CARGO_TARGET_DIR="$work/target"
RUSTFLAGS=-Zsanitizer=address exec cargo +nightly test --target "$(rustc -vV | sed -n 's/^host: //p')" "$@"
