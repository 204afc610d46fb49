#!/bin/sh
# Runs the whole test suite with `cargo test` and closes with one line that sums it up.
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cpu="profile.dev.package.sonofuse-cpu.debug-assertions=true"
{
    cargo test --workspace --locked --no-fail-fast "$@" && echo "cargo-exit 0" || echo "cargo-exit $?"
    # The kernels once more, with every access checked. --workspace, so that no dependency is built
    # again with other features; the test files named are of sonofuse-cpu alone.
    [ $# -gt 0 ] || cargo test --workspace --locked --no-fail-fast --config "$cpu" \
        --test exact --test sizes --test loader --test explain -- \
        --skip the_full_network_stays_within_its_memory \
        && echo "cargo-exit 0" || echo "cargo-exit $?"
} 2>&1 | tee "$log" | grep -v '^cargo-exit '
awk '
    /^test result:/ { for (i = 2; i < NF; i++) { if ($(i+1) ~ /^passed/) passed += $i; if ($(i+1) ~ /^failed/) failed += $i; if ($(i+1) ~ /^ignored/) skipped += $i } }
    /^cargo-exit / { if ($2) code = $2 }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit code ? 1 : passed ? 0 : 1 }
' "$log"
