#!/bin/sh
# Holds the symbols that a binary asks for against what JetPack 6 has: glibc 2.35, GStreamer 1.20.
#
#   scripts/arm64-symbols.sh BINARY SYSROOT
#
# glibc's versions stand in the binary. GStreamer's do not: Debian's packages say for each symbol of a
# library the release in which it first appeared, in /var/lib/dpkg/info/*.symbols.
set -eu
binary=$1
root=$2
glibc_most=2.35
gst_most=1.20.99

newest=$(aarch64-linux-gnu-readelf -W --dyn-syms --version-info "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
echo "newest glibc symbol: ${newest:-none}"
[ "$(printf '%s\n' "${newest#GLIBC_}" $glibc_most | sort -V | tail -n 1)" = $glibc_most ] || {
    echo "the binary needs $newest, JetPack 6 has GLIBC_$glibc_most" >&2
    exit 1
}

symbols=$(cat "$root"/var/lib/dpkg/info/libgst*.symbols /var/lib/dpkg/info/libgst*.symbols 2>/dev/null || true)
[ -n "$symbols" ] || { echo "no .symbols file of Debian's GStreamer packages: install libgstreamer1.0-0 and libgstreamer-plugins-base1.0-0" >&2; exit 69; }
wanted=$(aarch64-linux-gnu-readelf -W --dyn-syms "$binary" | awk '$7 == "UND" { sub(/@.*/, "", $8); print $8 }' | grep '^gst_')
printf '%s\n' "$symbols" | awk -v wanted="$wanted" '
    BEGIN { n = split(wanted, names, "\n") }
    $1 ~ /@Base$/ { name = $1; sub(/@.*/, "", name); since[name] = $2 }
    END {
        for (i = 1; i <= n; i++) {
            if (!(names[i] in since)) { print "unknown " names[i] } else { print since[names[i]], names[i] }
        }
    }' | sort -V > "${TMPDIR:-/tmp}/gst-symbols.$$"
trap 'rm -f "${TMPDIR:-/tmp}/gst-symbols.$$"' EXIT
list=${TMPDIR:-/tmp}/gst-symbols.$$
if grep '^unknown' "$list" >&2; then
    echo "these symbols are in no GStreamer package of this machine" >&2
    exit 1
fi
last=$(tail -n 1 "$list")
echo "$(wc -l < "$list") GStreamer symbols, newest: $last"
[ "$(printf '%s\n' "${last%% *}" $gst_most | sort -V | tail -n 1)" = $gst_most ] || {
    echo "the binary needs $last, JetPack 6 has GStreamer 1.20" >&2
    exit 1
}
