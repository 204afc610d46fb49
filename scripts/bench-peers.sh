#!/bin/sh
# Compares our CPU engine with onnxruntime, ncnn, OpenVINO and rten, in one run that takes turns: the demo model and
# a full-width one that it writes (over 500 MB). The wheels and the models go to a temporary folder
# that is removed at the end. Arguments go to crates/cpu/benches/peers.py, as --rounds 5.
#
# Models with random weights; research use only, not a medical device.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-target}

if [ "$(uname -m)" != x86_64 ]; then
    echo "bench-peers: rten, one of the peers, is built for x86-64 only, and this is $(uname -m)" >&2
    exit 1
fi
if ! command -v python3 >/dev/null; then
    echo "bench-peers: python3 is missing: apt-get install python3 python3-venv" >&2
    exit 1
fi
if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    echo "bench-peers: Python's venv module is missing: apt-get install python3-venv" >&2
    exit 1
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

python3 -m venv "$folder/venv"
if ! "$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime numpy openvino ncnn ||
    # pnnx converts for ncnn; its program needs none of what the package asks for.
    ! "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps pnnx; then
    echo "bench-peers: the wheels of onnxruntime, numpy, OpenVINO, ncnn and pnnx cannot be installed: see pip's words above" >&2
    exit 1
fi
"$cargo" build --release --locked -p sonofuse-cpu --example peers
# Its stand-ins take seconds in the test profile; to build it for release takes many minutes.
"$cargo" build --locked -p sonofuse-train
"$target/debug/sonofuse-train" stand-in --seed 1 --out "$folder/demo"
"$target/debug/sonofuse-train" stand-in --seed 1 --width 1 --out "$folder/full"
pnnx=$("$folder/venv/bin/python" -c 'import importlib.util as u; print(u.find_spec("pnnx").submodule_search_locations[0])')/pnnx
for model in demo full; do
    echo
    echo "$model:"
    "$folder/venv/bin/python" crates/cpu/benches/peers.py "$folder/$model/model.onnx" \
        --binary "$target/release/examples/peers" --openvino --pnnx "$pnnx" "$@"
done
