#!/bin/sh
# Compiles the CUDA kernels of crates/gpu with NVRTC 12.2.140 from PyPI, without a GPU or a CUDA
# toolkit, and records the digests that the tests compare.
#
#   gpu-ptx.sh            writes crates/gpu/kernels/{preprocess.ptx,preprocess.sm_87.cubin,IMAGES}
#   gpu-ptx.sh --check    writes nothing; fails where the files in the repository differ
#
# SONOFUSE_NVRTC names a libnvrtc.so.12 of that version, where one is at hand already. With --check
# and no PyPI, the script says so and ends well: the digests are compared by `cargo test` anyway.
set -eu
cd "$(dirname "$0")/.."
version=12.2.140
kernels=crates/gpu/kernels
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

library=${SONOFUSE_NVRTC:-}
if [ -z "$library" ]; then
    if ! python3 -m pip download --quiet --no-deps --disable-pip-version-check \
        --dest "$temporary/wheel" "nvidia-cuda-nvrtc-cu12==$version"; then
        [ "${1:-}" = --check ] || exit 1
        echo "NVRTC cannot be fetched here: the kernels were not compiled again" >&2
        exit 0
    fi
    python3 -m zipfile -e "$temporary"/wheel/*.whl "$temporary/nvrtc"
    library=$temporary/nvrtc/nvidia/cuda_nvrtc/lib/libnvrtc.so.12
fi
mkdir "$temporary/made"
# NVRTC looks for its built-in functions beside itself by the loader's path.
LD_LIBRARY_PATH=$(dirname "$library")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
    python3 "$kernels/compile.py" "$library" "$kernels/preprocess.cu" "$temporary/made"

for file in preprocess.ptx preprocess.sm_87.cubin IMAGES; do
    if [ "${1:-}" = --check ]; then
        cmp "$temporary/made/$file" "$kernels/$file"
    else
        cp "$temporary/made/$file" "$kernels/$file"
    fi
done
echo "kernels: $(head -n 1 "$temporary/made/IMAGES")${1:+, as recorded}"
