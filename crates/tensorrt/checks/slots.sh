#!/bin/sh
# Compares the crate's tables with NVIDIA's headers, as a C++ compiler reads them.
#
#   checks/slots.sh [FOLDER of NvInfer.h [FOLDER of cuda_runtime_api.h]]
#
# Without folders the usual places are searched. Needs a C++17 compiler and the headers only: no
# GPU, no CUDA library. Prints the numbers that differ and fails, or says that all agree.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

headers=${1:-}
if [ -z "$headers" ]; then
    for folder in /usr/include/aarch64-linux-gnu /usr/include/x86_64-linux-gnu /usr/include \
        /usr/local/tensorrt/include /opt/tensorrt/include; do
        if [ -e "$folder/NvInfer.h" ]; then headers=$folder && break; fi
    done
fi
if [ ! -e "${headers:-/nonexistent}/NvInfer.h" ]; then
    echo "no NvInfer.h: install libnvinfer-headers-dev, or name its folder" >&2
    exit 2
fi
cuda=${2:-/usr/local/cuda/include}
if [ ! -e "$cuda/cuda_runtime_api.h" ]; then
    # The headers need two names of CUDA's only.
    cuda=$work
    cat >"$work/cuda_runtime_api.h" <<'STUB'
#pragma once
typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;
STUB
fi

"${CXX:-c++}" -std=c++17 -w -I "$headers" -I "$cuda" "$here/slots.cpp" -o "$work/slots"
"$work/slots" >"$work/all"
number() { awk -F'\t' -v key="version.$1" '$1 == key { print $2 }' "$work/all"; }
major=$(number major)
version=$major.$(number minor).$(number patch)
case $version in
8.6.*) table=8.6 ;;
10.* | 11.*) table=$major ;;
*)
    echo "TensorRT $version is not supported by the crate" >&2
    exit 2
    ;;
esac
# Early headers came without the parser's.
grep -v '^version' "$work/all" | LC_ALL=C sort >"$work/headers"
if [ -n "${SLOTS_TABLE:-}" ]; then
    cp "$SLOTS_TABLE" "$work/table"
else
    (cd "$here/.." && ${CARGO:-cargo} run --quiet -p sonofuse-tensorrt --example slots -- "$table") |
        LC_ALL=C sort >"$work/table"
fi
if ! grep -q '^parser' "$work/headers"; then
    echo "NvOnnxParser.h is not there: the parser's places are not compared" >&2
    grep -v '^parser' "$work/table" >"$work/shorter"
    mv "$work/shorter" "$work/table"
fi
if diff "$work/table" "$work/headers" >"$work/diff"; then
    echo "TensorRT $version: all $(wc -l <"$work/headers") numbers of table $table agree"
else
    echo "TensorRT $version differs from table $table (< crate, > headers):" >&2
    cat "$work/diff" >&2
    exit 1
fi
