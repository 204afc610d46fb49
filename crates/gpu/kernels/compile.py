"""Compiles preprocess.cu with an NVRTC library: PTX for compute_70 and machine code for sm_87.

Usage: compile.py LIBNVRTC SOURCE FOLDER. Called by scripts/gpu-ptx.sh; no GPU is needed.
"""

import ctypes
import hashlib
import pathlib
import sys

OPTIONS = ["--fmad=false", "--std=c++14", "--device-as-default-execution-space"]
IMAGES = [("compute_70", "PTX", "preprocess.ptx"), ("sm_87", "CUBIN", "preprocess.sm_87.cubin")]


def main(library: str, source: str, folder: str) -> None:
    nvrtc = ctypes.CDLL(library)
    text = pathlib.Path(source).read_bytes()
    for architecture, kind, name in IMAGES:
        program = ctypes.c_void_p()
        check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, b"preprocess.cu", 0, None, None))
        options = [f"--gpu-architecture={architecture}", *OPTIONS]
        encoded = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        status = nvrtc.nvrtcCompileProgram(program, len(options), encoded)
        size = ctypes.c_size_t()
        check(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
        log = ctypes.create_string_buffer(size.value)
        check(nvrtc.nvrtcGetProgramLog(program, log))
        if log.value.strip():
            print(f"{architecture}: {log.value.decode()}", file=sys.stderr)
        check(status)
        check(getattr(nvrtc, f"nvrtcGet{kind}Size")(program, ctypes.byref(size)))
        image = ctypes.create_string_buffer(size.value)
        check(getattr(nvrtc, f"nvrtcGet{kind}")(program, image))
        check(nvrtc.nvrtcDestroyProgram(ctypes.byref(program)))
        # PTX comes with C's final zero.
        data = image.raw.rstrip(b"\0") if kind == "PTX" else image.raw
        (pathlib.Path(folder) / name).write_bytes(data)
    major, minor = ctypes.c_int(), ctypes.c_int()
    check(nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    lines = [f"nvrtc {major.value}.{minor.value}", "options " + " ".join(OPTIONS)]
    for path in [pathlib.Path(source), *(pathlib.Path(folder) / name for _, _, name in IMAGES)]:
        lines.append(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    (pathlib.Path(folder) / "IMAGES").write_text("\n".join(lines) + "\n")


def check(status: int) -> None:
    if status != 0:
        raise SystemExit(f"NVRTC answered {status}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
