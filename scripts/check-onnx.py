#!/usr/bin/env python3
"""Asks the ONNX checker and onnxruntime about every kind of network that the trainer writes.

  export SONOFUSE_ONNX_DIR=$(mktemp -d)
  cargo test -p sonofuse-train --test parity -- --ignored
  python3 scripts/check-onnx.py $SONOFUSE_ONNX_DIR        (needs onnx, onnxruntime, numpy)
"""
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime


def golden(width, height, k):
    i = np.arange(3 * width * height, dtype=np.int64)
    x = ((i * 40503 + k) % 65521).astype(np.float32) / np.float32(32768) - np.float32(1)
    return x.reshape(1, 3, height, width)


worst, count = 0.0, 0
for answer in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    want = json.loads(answer.read_text())
    model = answer.with_suffix(".onnx")
    onnx.checker.check_model(str(model), full_check=True)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    size = want["width"], want["height"]
    inputs = {"bmode": golden(*size, 0), "elastogram": golden(*size, 7)}
    got = session.run(["logits"], inputs)[0][0]
    logits = np.array(want["logits"], dtype=np.float32)
    error = float(np.abs(got - logits).max() / max(1.0, np.abs(logits).max()))
    worst, count = max(worst, error), count + 1
    if error > 1e-4:
        sys.exit(f"{model.name}: onnxruntime {got}, reference {logits}")
print(f"{count} networks pass the checker and agree with onnxruntime {onnxruntime.__version__}: "
      f"largest difference {worst:.1e} of the larger of 1 and the largest logit")
