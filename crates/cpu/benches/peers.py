#!/usr/bin/env python3
"""Compares this engine with onnxruntime, rten, and ncnn and OpenVINO where asked: one run, all in turn, the same model,
picture and threads. Prints medians and minima of wall and processor time, ratios and distances.

    pip install onnxruntime numpy openvino ncnn; pip install --no-deps pnnx
    cargo build --release -p sonofuse-cpu --example peers
    crates/cpu/benches/peers.py MODEL.onnx [--sizes 224x224,300x180] [--threads 1,2] [--rounds 10]

The model must end in its logits, or the distances are of probabilities against logits.
Research use only, not a medical device."""
import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model")
parser.add_argument("--binary", default="target/release/examples/peers")
parser.add_argument("--sizes", default="224x224,300x180")
parser.add_argument("--threads", default="1,2")
parser.add_argument("--rounds", type=int, default=10)
parser.add_argument("--openvino", action="store_true", help="OpenVINO too")
parser.add_argument("--pnnx", help="the pnnx program: converts the model for ncnn, which runs too")
options = parser.parse_args()


def onnx_session(threads):
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    # Threads that spin while they wait would take the processor from the other two runtimes.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(options.model, settings, providers=["CPUExecutionProvider"])


def ncnn_net(height, width, channels, threads):
    """Converts the model in 32 bits for a size; returns a function from pictures to logits."""
    import ncnn
    folder = tempfile.TemporaryDirectory()
    shutil.copy(options.model, f"{folder.name}/model.onnx")
    shapes = ",".join(f"[1,{c},{height},{width}]" for c in channels)
    subprocess.run([options.pnnx, "model.onnx", f"inputshape={shapes}", "fp16=0"], cwd=folder.name,
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    assert net.load_param(f"{folder.name}/model.ncnn.param") == 0
    assert net.load_model(f"{folder.name}/model.ncnn.bin") == 0

    def run(pictures):
        with net.create_extractor() as extractor:
            for at, picture in enumerate(pictures):
                extractor.input(f"in{at}", ncnn.Mat(picture[0]))
            return np.array(extractor.extract("out0")[1]).ravel()

    return run


def openvino_net(threads):
    import openvino
    model = openvino.Core().compile_model(options.model, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY"})
    request = model.create_infer_request()
    return lambda pictures: request.infer(list(pictures))[model.output(0)].ravel()


def measure(size, threads):
    height, width = size
    command = [options.binary, options.model, str(height), str(width), str(threads)]
    ours = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    isa = ours.stdout.readline().split()[1]
    session = onnx_session(threads)
    feed = {}
    for i in session.get_inputs():
        count = i.shape[1] * height * width
        at = np.arange(count, dtype=np.int64)
        numbers = (at * 7919 % 1009).astype(np.float32) / np.float32(504.5) - np.float32(1.0)
        feed[i.name] = numbers.reshape(1, i.shape[1], height, width)

    pictures = list(feed.values())
    here = {"onnxruntime": lambda: session.run(None, feed)[0].ravel()}
    if options.openvino:
        net = openvino_net(threads)
        here["openvino"] = lambda: net(pictures)
    if options.pnnx:
        other = ncnn_net(height, width, [p.shape[1] for p in pictures], threads)
        here["ncnn"] = lambda: other(pictures)
    # A peer that computes something else is no peer: compared before anything is timed.
    base = here["onnxruntime"]().astype(np.float64)
    for name, network in here.items():
        distance = np.linalg.norm(network() - base) / np.linalg.norm(base)
        assert distance < 1e-3, f"{name} is {distance:.1e} off onnxruntime"

    def run(name):
        if name in here:
            wall, busy = time.perf_counter_ns(), time.process_time_ns()
            out = here[name]()
            return time.perf_counter_ns() - wall, time.process_time_ns() - busy, out
        ours.stdin.write(name + "\n")
        ours.stdin.flush()
        wall, busy, *numbers = ours.stdout.readline().split()
        return int(wall), int(busy), np.array(numbers, dtype=np.float64)

    names = ["ours", *here, "rten"]
    seen = {name: [] for name in names}
    for round_ in range(options.rounds + 1):
        for name in names:
            result = run(name)
            if round_:  # the first warms up
                seen[name].append(result)
    ours.stdin.close()
    ours.wait()
    print(f"{height}x{width}, {threads} thread(s), {isa}, {options.rounds} rounds")
    best = {}
    for name in names:
        wall = [r[0] / 1e6 for r in seen[name]]
        busy = [r[1] / 1e6 for r in seen[name]]
        distance = np.linalg.norm(seen[name][0][2] - base) / np.linalg.norm(base)
        best[name] = (statistics.median(wall), min(wall), statistics.median(busy), min(busy))
        print(f"  {name:12} wall median {best[name][0]:7.1f} min {best[name][1]:7.1f} ms | "
              f"processor median {best[name][2]:7.1f} min {best[name][3]:7.1f} ms | "
              f"L2 to onnxruntime {distance:.1e}")
    for peer in names[1:]:
        ratios = [a / b for a, b in zip(best["ours"], best[peer])]
        print(f"  ours / {peer:12} wall median {ratios[0]:.2f} min {ratios[1]:.2f} | "
              f"processor median {ratios[2]:.2f} min {ratios[3]:.2f}")


print(f"onnxruntime {onnxruntime.__version__}; {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}")
for threads in options.threads.split(","):
    for size in options.sizes.split(","):
        measure([int(side) for side in size.split("x")], int(threads))
