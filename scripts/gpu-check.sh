#!/bin/sh
# Checks the GPU's way on a machine with an NVIDIA GPU, in one call, and prints a table: kernels
# against the definition, graph on and off, times against the memory's floor, a long run, full
# memory and a lost device survived.
#
#   gpu-check.sh [--frames N] [--soak N] [--device N] [--fill-memory] [--no-fault] [--model FOLDER]…
#
# An engine of each --model (default: engines/demo) is built and run by the machine's TensorRT, or by
# TensorRT-RTX where SONOFUSE_TEST_RTX names its folder (it may refuse a data-centre GPU, and the table
# says so); SONOFUSE_TEST_LEAN names folders of lean runtimes, joined by colons, which are tried as far
# as they go without an engine. The long runs have --soak frames, 100000 unless said otherwise.
# --fill-memory takes all of the device's memory for a moment: not on a Jetson, which shares it with
# the CPU. SONOFUSE_GPU_CHECK names the program where it was built elsewhere (the machine then needs
# no Rust); SONOFUSE_GPU_REPORT a file that gets the table too.
# Ends with 0: all passed; 1: a check failed; 2: no GPU, nothing was checked.
set -eu
cd "$(dirname "$0")/.."
program=${SONOFUSE_GPU_CHECK:-}
if [ -z "$program" ]; then
    "${CARGO:-cargo}" build --release --locked -p sonofuse-gpu --example gpu_check >&2
    program=${CARGO_TARGET_DIR:-target}/release/examples/gpu_check
fi
case " $* " in
*" --model "*) ;;
*) set -- "$@" --model engines/demo ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    echo "date: $(date -u +%Y-%m-%dT%H:%MZ)"
    echo "command: scripts/gpu-check.sh $*"
    echo "machine: $(uname -sm), $(nproc) CPUs$(sed -n 's/^model name[^:]*:/,/p' /proc/cpuinfo | head -n 1)"
    [ ! -r /proc/device-tree/model ] || echo "board: $(tr -d '\0' </proc/device-tree/model)"
    echo "commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
    code=0
    "$program" "$@" 2>&1 || code=$?
    echo "$code" >"$work/code"
} | tee "$work/report"
[ -z "${SONOFUSE_GPU_REPORT:-}" ] || cp "$work/report" "$SONOFUSE_GPU_REPORT"
exit "$(cat "$work/code")"
