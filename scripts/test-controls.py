#!/usr/bin/env python3
"""Takes out each control of docs/design/risk.md and looks whether its test fails.

    scripts/test-controls.py [H1 H2 ...] [--keep]

Applies all edits of tests/controls.toml to a copy of the tree, each behind a question for the environment variable
SONOFUSE_CONTROL_OUT, builds the tests once, runs each named test with its control in (it must pass) and out (it must
fail; a crash or five minutes without an end count as failing). Prints a line each; ends with 1 when one did otherwise.
Builds into target/controls: the programs with controls that can be taken out must never lie among the real ones. Standard
library only (Python 3.11)."""
import argparse, json, os, re, shutil, subprocess, sys, tempfile, tomllib

a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
a.add_argument("hazards", nargs="*"); a.add_argument("--keep", action="store_true")
A = a.parse_args()
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.path.join(os.path.abspath(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))), "controls")
with open(os.path.join(ROOT, "tests/controls.toml"), "rb") as f:
    CONTROLS = [c for c in tomllib.load(f)["control"] if not A.hazards or c["hazard"] in A.hazards]
ASK = 'std::env::var_os("SONOFUSE_CONTROL_OUT").is_some_and(|id| id == "%s")'

copy = tempfile.mkdtemp(prefix="controls-")
try:
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                           check=True, capture_output=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if os.path.exists(os.path.join(ROOT, name)):
            os.makedirs(os.path.join(copy, os.path.dirname(name)), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), os.path.join(copy, name))
    for c in CONTROLS:
        for e in c["edit"]:
            path = os.path.join(copy, e["file"])
            with open(path, encoding="utf-8") as f:
                text = f.read()
            if text.count(e["take"]) != 1:
                sys.exit("%s: %s does not hold once: %s" % (c["hazard"], e["file"], e["take"]))
            text = text.replace(e["take"], re.sub(r"\bOUT\b", lambda _: ASK % c["hazard"], e["with"]))
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
    files = sorted({c["test"].split()[0] for c in CONTROLS if not c["test"].startswith("sonofuse")})
    wanted = {c["test"].split()[0] for c in CONTROLS}
    select = ["--lib"] + [w for name in files for w in ("--test", name)]
    # --workspace, so that no dependency is built again with other features.
    build = subprocess.Popen(["cargo", "test", "--workspace", "--locked", "--no-run", "--message-format=json", *select],
                             cwd=copy, env={**os.environ, "CARGO_TARGET_DIR": TARGET}, stdout=subprocess.PIPE, text=True)
    programs = {}
    for line in build.stdout:
        m = json.loads(line)
        if (m.get("message") or {}).get("level") == "error":
            print(m["message"].get("rendered"), file=sys.stderr)
        if m.get("reason") == "compiler-artifact" and m.get("executable") and m["profile"]["test"]:
            programs[m["target"]["name"]] = (m["executable"], os.path.dirname(m["manifest_path"]))
        if wanted <= programs.keys():
            # The trainer's own tests, which none of these needs, take longest.
            build.terminate()
            break
    build.wait()
    if not wanted <= programs.keys():
        sys.exit("the tree with its controls taken out does not build: no %s" % sorted(wanted - programs.keys()))

    def passes(program, name, out):
        """True, False, or None when no test of that name ran."""
        path, folder = program
        listed = subprocess.run([path, "--list", "--format", "terse"], capture_output=True, text=True).stdout
        full = [l.rsplit(": ", 1)[0] for l in listed.splitlines() if l.rsplit(": ", 1)[0].split("::")[-1] == name]
        if not full:
            return None
        env = {k: v for k, v in os.environ.items() if k != "SONOFUSE_CONTROL_OUT"}
        env["CARGO_MANIFEST_DIR"] = folder
        if out:
            env["SONOFUSE_CONTROL_OUT"] = out
        try:
            return subprocess.run([path, "--exact", *full], cwd=folder, env=env, timeout=300, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    wrong = 0
    for c in CONTROLS:
        where, name = c["test"].split()
        having, without = (passes(programs[where], name, out) for out in (None, c["hazard"]))
        good = having is True and without is False
        wrong += not good
        say = {True: "passes", False: "fails", None: "is not there"}
        print("%s %-4s %s %s: %s with the control, %s without" %
              ("ok   " if good else "WRONG", c["hazard"], where, name, say[having], say[without]), flush=True)
    print("%d controls, %d wrong" % (len(CONTROLS), wrong))
    sys.exit(1 if wrong else 0)
finally:
    if A.keep:
        print("kept: " + copy, file=sys.stderr)
    else:
        shutil.rmtree(copy, ignore_errors=True)
