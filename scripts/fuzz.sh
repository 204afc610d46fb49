#!/bin/sh
# Fuzzes each target for SECONDS seconds (60), over its committed corpus and the shipped files:
#   scripts/fuzz.sh [TARGET...]
# Needs a nightly toolchain (`rustup toolchain install nightly`), which it does not install; cargo-fuzz it does.
# What is found new stays in target/fuzz-corpus; a finding is told, kept in fuzz/artifacts, and ends with 1.
set -eu
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-60}
if ! rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
    echo "skipped: no nightly toolchain, which the fuzzer needs: rustup toolchain install nightly" >&2
    exit 0
fi
command -v cargo-fuzz >/dev/null 2>&1 || cargo install --locked cargo-fuzz
# The product's own versions of everything.
cp Cargo.lock fuzz/Cargo.lock
target_dir=${CARGO_TARGET_DIR:-target}/fuzz
failed=
for target in ${*:-preset config manifest onnx dicom stills layout}; do
    mkdir -p "target/fuzz-corpus/$target"
    seeds=
    for folder in "fuzz/corpus/$target" $(case $target in preset) echo pipelines ;; esac); do
        [ -d "$folder" ] && seeds="$seeds $folder"
    done
    case $target in
        config) cp sonofuse.toml tests/unfamiliar-off.toml "target/fuzz-corpus/$target/" ;;
        manifest) cp tests/stand-in/model.toml "target/fuzz-corpus/$target/" ;;
    esac
    echo "== $target, $seconds s"
    # shellcheck disable=SC2086 # one word a folder
    cargo +nightly fuzz run --target-dir "$target_dir" "$target" "target/fuzz-corpus/$target" $seeds -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        || failed="$failed $target"
done
[ -z "$failed" ] || { echo "findings in:$failed (fuzz/artifacts)" >&2; exit 1; }
