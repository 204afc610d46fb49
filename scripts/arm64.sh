#!/bin/sh
# Cross-builds the Jetson's binary and runs it here: arm64 code under qemu-user, without an arm64 machine.
#
#   scripts/arm64.sh sysroot   fetch a Debian 12 arm64 sysroot into target/arm64/root (about 600 MB)
#   scripts/arm64.sh build     build target/aarch64-unknown-linux-gnu/release/sonofuse and check its symbols
#   scripts/arm64.sh test      unit tests of the crates without GStreamer, then the daemon itself on the simulator
#   scripts/arm64.sh           all three
#
# Needs Debian's gcc-aarch64-linux-gnu, g++-aarch64-linux-gnu, qemu-user-static and mmdebstrap
# (`scripts/deps.sh arm64`); the arm64 library of the Rust toolchain is added with rustup when missing.
#
# JetPack 6 is Ubuntu 22.04: glibc 2.35 and GStreamer 1.20. The sysroot is newer (2.36 and 1.22), so the
# symbols that the binary asks for are held against the versions in which they first appeared.
set -eu
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
triplet=aarch64-linux-gnu
root=$PWD/target/arm64/root
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$triplet-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C link-arg=--sysroot=$root -C link-arg=-Wl,-rpath-link,$root/usr/lib/$triplet -C link-arg=-L$root/usr/lib/$triplet${REMAP:+ $REMAP}"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -cpu max -L $root"
export PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_SYSROOT_DIR="$root"
export PKG_CONFIG_LIBDIR="$root/usr/lib/$triplet/pkgconfig:$root/usr/share/pkgconfig"
# Of NEON there is one kind; the choice at run time must not fall back to the portable kernels unseen.
export SONOFUSE_CPU_ISA=neon

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null 2>&1 || {
            echo "$tool is not there: install gcc-aarch64-linux-gnu g++-aarch64-linux-gnu qemu-user-static mmdebstrap" >&2
            exit 69
        }
    done
}

sysroot() {
    need mmdebstrap
    [ -e "$root/.complete" ] && return
    rm -rf "$root"
    mkdir -p "$(dirname "$root")"
    mmdebstrap --arch=arm64 --variant=extract \
        --include=libc6-dev,libstdc++6,libgstreamer1.0-dev,libgstreamer-plugins-base1.0-dev,gstreamer1.0-plugins-base,gstreamer1.0-plugins-good \
        bookworm "$root"
    touch "$root/.complete"
}

rust_std() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] || rustup target add $target
}

build() {
    need $triplet-gcc $triplet-readelf
    rust_std
    # shellcheck disable=SC2086 # "cargo auditable" (scripts/release.sh) is two words
    ${CARGO:-cargo} build --release --locked --target $target -p sonofuse
    scripts/symbols.sh target/$target/release/sonofuse
}

# sonofuse as the Jetson would run it; GStreamer's plugins from the sysroot, in this process, because
# qemu-user cannot start the arm64 plugin scanner.
sonofuse() {
    GST_REGISTRY=$work/registry.bin GST_REGISTRY_FORK=no GST_PLUGIN_SYSTEM_PATH=$root/usr/lib/$triplet/gstreamer-1.0 \
        qemu-aarch64-static -cpu max -L "$root" target/$target/release/sonofuse "$@"
}

smoke() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    sonofuse --version
    sonofuse check
    echo "-- the simulator's screens, and finding the dual view on them"
    sonofuse simulate --seed 3 --out "$work/sim" --frames 3 --skin aixplorer-stacked --size 1280x720
    sonofuse locate "$work"/sim/*.png --json > "$work/located"
    [ "$(grep -c '"found":true' "$work/located")" = 3 ] || { cat "$work/located"; exit 1; }
    echo "-- the real Aixplorer screen, scored with NEON"
    sonofuse replay --config tests/unfamiliar-off.toml tests/screens/aixplorer-swe-stacked/screen.png --json > "$work/replayed"
    grep -q '"outcome":"scored"' "$work/replayed" || { cat "$work/replayed"; exit 1; }
    grep -q '"backend":"cpu-neon"' "$work/replayed" || { cat "$work/replayed"; exit 1; }
    echo "-- the same screen on this machine's own processor: the scores agree"
    env -u SONOFUSE_CPU_ISA target/release/sonofuse replay --config tests/unfamiliar-off.toml tests/screens/aixplorer-swe-stacked/screen.png --json > "$work/native"
    score() { sed -n 's/.*"malignancy":\([0-9.eE+-]*\).*/\1/p' "$1" | tail -n 1; }
    awk -v a="$(score "$work/replayed")" -v b="$(score "$work/native")" 'BEGIN {
        d = a - b; if (d < 0) d = -d
        printf "arm64 %s, here %s\n", a, b
        exit !(a != "" && b != "" && d <= 1e-4) }'
    echo "-- in half precision, within the manifest's tolerance for that"
    SONOFUSE_CPU_ISA=neon-half sonofuse replay --config tests/unfamiliar-off.toml tests/screens/aixplorer-swe-stacked/screen.png --json > "$work/half"
    grep -q '"backend":"cpu-neon-half"' "$work/half" || { cat "$work/half"; exit 1; }
    awk -v a="$(score "$work/half")" -v b="$(score "$work/native")" 'BEGIN {
        d = a - b; if (d < 0) d = -d
        printf "half %s, here %s\n", a, b
        exit !(a != "" && b != "" && d <= 5e-3) }'
    echo "-- the daemon on the live simulator"
    # Emulated, a small screen at a low rate is real time.
    sed -e 's/width=1920,height=1080,framerate=60/width=640,height=480,framerate=10/' pipelines/simulator.toml > "$work/small.toml"
    sonofuse run --preset "$work/small.toml" --json --seconds 30 > "$work/run" 2> "$work/log" || { cat "$work/log"; exit 1; }
    echo "$(wc -l < "$work/run") readings, of them $(grep -c '"outcome":"scored"' "$work/run") scored"
    grep -q '"outcome":"scored"' "$work/run"
}

tests() {
    need qemu-aarch64-static
    rust_std
    cargo test --locked --target $target -p sonofuse-core -p sonofuse-cpu -p sonofuse-tensorrt --lib
    # The full network at 448 px is half an hour of emulation; what it takes in memory is the same anywhere.
    cargo test --locked --target $target -p sonofuse-cpu --test exact --test loader -- \
        --skip the_full_network_stays_within_its_memory
    # Half precision, whose tests take their reference from `f64`: on a processor that has it.
    half=$( \
        cargo test --locked --target $target -p sonofuse-cpu --test half -- --nocapture)
    echo "$half"
    echo "$half" | grep -q 'one layer of 64, 1 threads' || { echo "no half precision was run" >&2; exit 1; }
    # Its multiply-adds are inlined: a call each would be slower than 32 bits.
    binary=$(ls -t target/$target/debug/deps/half-* | grep -v '\.d$' | head -n 1)
    count=$($triplet-objdump -d "$binary" | grep -c 'fmla.*\.8h.*\.h\[' || true)
    echo "$count multiply-adds of eight halves"
    [ "$count" -ge 576 ] || { echo "the half-precision kernel is not inlined" >&2; exit 1; }
    [ -x target/release/sonofuse ] || cargo build --release --locked
    smoke
    echo "arm64: all passed under qemu-user"
}

case "${1:-all}" in
    sysroot) sysroot ;;
    build) sysroot; build ;;
    test) tests ;;
    all) sysroot; build; tests ;;
    *) echo "usage: scripts/arm64.sh [sysroot|build|test]" >&2; exit 64 ;;
esac
