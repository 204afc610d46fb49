#!/bin/sh
# Compiles the CUDA kernels of crates/gpu with NVRTC 12.2.140 from PyPI, without a GPU or a CUDA
# toolkit, and records the digests that the tests compare.
#
#   gpu-ptx.sh            writes crates/gpu/kernels/{preprocess.ptx,preprocess.sm_87.cubin,IMAGES}
#   gpu-ptx.sh --check    writes nothing; fails where the files in the repository differ, or where an
#                         assembler of NVIDIA's (ptxas 12.2.140 and 13.0.88, from PyPI) cannot make machine
#                         code of the PTX for one of the GPUs that are served
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
assemble() { # package, version, place of ptxas in it, architectures…
    package=$1 wanted=$2 place=$3
    shift 3
    folder=$cache/$package-$wanted
    if [ ! -x "$folder/ptxas" ]; then
        rm -rf "$folder" && mkdir -p "$folder"
        python3 -m pip download --quiet --no-deps --disable-pip-version-check \
            --dest "$folder" "$package==$wanted" >&2 || return 2
        python3 -m zipfile -e "$folder"/*.whl "$folder/all" || return 2
        cp "$folder/all/$place" "$folder/ptxas" && chmod +x "$folder/ptxas"
        rm -r "$folder/all" "$folder"/*.whl
    fi
    for architecture; do
        if ! "$folder/ptxas" -arch="sm_$architecture" -o "$temporary/cubin" "$kernels/preprocess.ptx"; then
            echo "ptxas $wanted cannot assemble the kernels for sm_$architecture" >&2
            return 1
        fi
    done
    echo "ptxas $wanted: sm_$(echo "$@" | sed 's/ / sm_/g')"
}

if [ "${1:-}" = --check ]; then
    cache=${SONOFUSE_TRT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sonofuse/tensorrt-tests}
    # 13 knows no Volta any more; 12.2 no Blackwell yet.
    code=0
    assemble nvidia-cuda-nvcc-cu12 12.2.140 nvidia/cuda_nvcc/bin/ptxas 70 72 75 80 86 87 89 90 || code=$?
    [ $code -ne 0 ] ||
        assemble nvidia-cuda-nvcc 13.0.88 nvidia/cu13/bin/ptxas 75 80 86 87 88 89 90 100 103 110 120 121 || code=$?
    [ $code -ne 2 ] || echo "ptxas cannot be fetched here: the kernels were not assembled" >&2
    [ $code -ne 1 ] || exit 1
fi
echo "kernels: $(head -n 1 "$temporary/made/IMAGES")${1:+, as recorded}"
