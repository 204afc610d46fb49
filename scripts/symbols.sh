#!/bin/sh
# Holds the symbols that a binary asks for against what JetPack 6 (Ubuntu 22.04) has: glibc 2.35,
# GLib 2.72, GStreamer 1.20.
#
#   [READELF=readelf] scripts/symbols.sh BINARY          an arm64 binary unless a readelf is named
#
# glibc's versions stand in the binary. The others' do not: Debian's packages say for each symbol of a
# library the release in which it first appeared, in /var/lib/dpkg/info/*.symbols.
set -eu
binary=$1 readelf=${READELF:-aarch64-linux-gnu-readelf}
info=/var/lib/dpkg/info

# Fails when version $1 is newer than $2.
at_most() { [ "$(printf '%s\n' "$1" "$2" | sort -V | tail -n 1)" = "$2" ]; }

newest=$("$readelf" -W --dyn-syms --version-info "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
echo "newest glibc symbol: $newest"
at_most "${newest#GLIBC_}" 2.35 || { echo "JetPack 6 has glibc 2.35" >&2; exit 1; }

# hold NAME PREFIX MOST SYMBOLS-FILE…: the symbols that begin with PREFIX.
hold() {
    name=$1 prefix=$2 most=$3
    shift 3
    [ -e "$1" ] || { echo "$1 is not there: install the library's development package" >&2; exit 69; }
    "$readelf" -W --dyn-syms "$binary" |
        awk -v prefix="^$prefix" '$7 == "UND" { sub(/@.*/, "", $8); if ($8 ~ prefix) print $8 }' |
        awk '
            NR == FNR { wanted[$1]; next }
            $1 ~ /@Base$/ { symbol = $1; sub(/@.*/, "", symbol); if (symbol in wanted) { print $2, symbol; delete wanted[symbol] } }
            END { for (symbol in wanted) print "unknown", symbol }' - "$@" | sort -V > "$list"
    ! grep '^unknown' "$list" >&2 || { echo "these are in none of $*" >&2; exit 1; }
    last=$(tail -n 1 "$list")
    echo "$(wc -l < "$list") symbols of $name, newest: $last"
    at_most "${last%% *}" "$most" || { echo "JetPack 6 has $name ${most%.99}" >&2; exit 1; }
}
list=$(mktemp)
trap 'rm -f "$list"' EXIT
hold GStreamer gst_ 1.20.99 $info/libgstreamer*.symbols
hold GLib g_ 2.72.99 $info/libglib2.0-0*.symbols
