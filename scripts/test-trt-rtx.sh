#!/bin/sh
# Runs the TensorRT binding and the engine build against NVIDIA's own libraries, without a GPU:
# TensorRT-RTX's builder and ONNX parser on the models of engines/, and the lean runtimes' refusal
# without a driver.
#
# The libraries are proprietary: they are fetched from PyPI into a folder outside of the repository
# (SONOFUSE_TRT_CACHE, about 500 MB unpacked) and never committed or shipped. Where they cannot be
# fetched, the script says so and ends well.
set -eu
cd "$(dirname "$0")/.."
cache=${SONOFUSE_TRT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sonofuse/tensorrt-tests}

fetch() { # package, version → folder
    folder=$cache/$1-$2
    if [ ! -e "$folder/.complete" ]; then
        rm -rf "$folder" && mkdir -p "$folder/wheel"
        python3 -m pip download --quiet --no-deps --disable-pip-version-check \
            --dest "$folder/wheel" "$1==$2" >&2 || return 1
        python3 -m zipfile -e "$folder"/wheel/*.whl "$folder" || return 1
        rm -r "$folder/wheel"
        touch "$folder/.complete"
    fi
    echo "$folder"
}

if ! rtx=$(fetch tensorrt-rtx-cu12-libs 1.7.1.116) ||
    ! lean10=$(fetch tensorrt-lean-cu12-libs 10.16.1.11) ||
    ! lean11=$(fetch tensorrt-lean-cu12-libs 11.4.0.106); then
    echo "NVIDIA's wheels cannot be fetched here (x86-64 Linux with PyPI only): not tested" >&2
    exit 0
fi
SONOFUSE_TEST_RTX=$rtx/tensorrt_rtx_libs
SONOFUSE_TEST_LEAN=$lean10/tensorrt_lean_libs:$lean11/tensorrt_lean_libs
export SONOFUSE_TEST_RTX SONOFUSE_TEST_LEAN
# Packages of the whole workspace are built in any case: one set of features, nothing built twice.
exec "${CARGO:-cargo}" test --locked --workspace --test real -- --ignored --nocapture --test-threads 1
