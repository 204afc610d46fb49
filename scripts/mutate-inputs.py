#!/usr/bin/env python3
"""Mutates files and hands them to sonofuse for some minutes: no panic, no crash, no hang, bounded memory.

    scripts/mutate-inputs.py BINARY FOLDER [--minutes 10] [--seed 1] [--config FILE] [--keep DIR]

Takes a file of FOLDER at random, damages a copy (bits turned over, a piece cut out, doubled, zeroed or taken from another
file, the end lost, a length field set to a large number), and runs `replay --json` or `locate --json` on it. Wrong is: a
signal, exit 101 or 70, the word "panicked", more than --limit-s seconds, more than --limit-mib of memory. Such copies are
kept. Prints one line for each, and at the end how many runs there were by kind of file and exit code. Standard library only."""
import argparse, collections, os, random, shutil, subprocess, sys, tempfile, time

a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
a.add_argument("binary"); a.add_argument("folder"); a.add_argument("--minutes", type=float, default=10)
a.add_argument("--seed", type=int, default=1); a.add_argument("--config"); a.add_argument("--keep", default="mutated")
a.add_argument("--limit-s", type=float, default=90); a.add_argument("--limit-mib", type=float, default=1500)
A = a.parse_args()
R = random.Random(A.seed)
FILES = sorted(os.path.join(r, f) for r, _, fs in os.walk(A.folder) for f in fs
               if not f.endswith((".json", ".toml")) and os.path.isfile(os.path.join(r, f)))

def mutate(data):
    """One to three kinds of damage."""
    b = bytearray(data)
    for _ in range(R.randint(1, 3)):
        n = len(b)
        if n < 16:
            break
        # Headers decide more than pixels: every second damage is near the beginning.
        at = R.randrange(min(n, 2048)) if R.random() < 0.5 else R.randrange(n)
        length = R.choice((1, 2, 4, 16, 256, 4096, n // 3))
        kind = R.randrange(7)
        if kind == 0:
            for _ in range(R.choice((1, 8, 64))):
                b[R.randrange(n)] ^= 1 << R.randrange(8)
        elif kind == 1:
            del b[at:at + length]
        elif kind == 2:
            b[at:at] = b[at:at + length]
        elif kind == 3:
            b[at:at + length] = bytes(len(b[at:at + length]))
        elif kind == 4:
            with open(R.choice(FILES), "rb") as f:
                f.seek(R.randrange(max(os.path.getsize(f.name) - length, 1)))
                piece = f.read(min(length, 1 << 20))
            b[at:at + len(piece)] = piece
        elif kind == 5:
            del b[R.randrange(n):]
        else:
            b[at:at + 4] = R.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x40"))
    return bytes(b)

def run(path):
    """Exit code, seconds, MiB and words of one run."""
    command = R.choice((["replay", "--json", "--stride", "4"], ["replay", "--json"], ["locate", "--json"]))
    command = [A.binary, *command, *(["--config", A.config] if A.config and command[0] == "replay" else []), path]
    began = time.monotonic()
    with tempfile.TemporaryFile() as err:
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
        code = mib = None
        while code is None:
            pid, status, usage = os.wait4(p.pid, os.WNOHANG)
            if pid:
                code, mib = os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024
            elif time.monotonic() - began > A.limit_s:
                p.kill(); _, _, usage = os.wait4(p.pid, 0); code, mib = "hang", usage.ru_maxrss / 1024
            else:
                time.sleep(0.02)
        p.returncode = 0
        err.seek(0); words = err.read().decode(errors="replace")
    return command[1], code, time.monotonic() - began, mib, words

counts, wrong, most, longest = collections.Counter(), 0, 0.0, 0.0
until = time.monotonic() + A.minutes * 60
with tempfile.TemporaryDirectory() as folder:
    while time.monotonic() < until:
        source = R.choice(FILES)
        with open(source, "rb") as f:
            data = mutate(f.read())
        suffix = os.path.splitext(source)[1]
        path = os.path.join(folder, "input" + suffix)
        with open(path, "wb") as f:
            f.write(data)
        command, code, seconds, mib, words = run(path)
        counts[(suffix or "none", code)] += 1
        most, longest = max(most, mib), max(longest, seconds)
        bad = code == "hang" or code < 0 or code in (70, 101, 134, 139) or "panicked" in words or mib > A.limit_mib
        if bad:
            wrong += 1
            os.makedirs(A.keep, exist_ok=True)
            kept = os.path.join(A.keep, "%d-%s" % (sum(counts.values()), os.path.basename(source)))
            shutil.copy(path, kept)
            print("WRONG %s %s: exit %s, %.1f s, %.0f MiB: %s" % (command, kept, code, seconds, mib, words.strip()[-300:]), flush=True)
for (suffix, code), n in sorted(counts.items(), key=str):
    print("%-8s exit %-5s %d" % (suffix, code, n))
print("%d runs, %d wrong; most memory %.0f MiB, longest %.1f s" % (sum(counts.values()), wrong, most, longest))
sys.exit(1 if wrong else 0)
