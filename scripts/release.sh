#!/bin/sh
# Makes what is handed out, twice, from the last commit in two folders of different names, and compares the bytes:
#   scripts/release.sh [MACHINE…]        x86_64, aarch64; both by default
# Debian packages whose binaries carry the list of their crates (cargo-auditable), a CycloneDX list of the same for
# each (cargo-cyclonedx), SHA256SUMS; all in target/handed-out. Times are SOURCE_DATE_EPOCH, by default the commit's.
# Ends with 1 where anything differs, and names what does. Needs `scripts/deps.sh run`, for aarch64 `deps.sh arm64`;
# the two cargo tools are installed into target/tools. Two cold builds a machine: half an hour and more.
set -eu
cd "$(dirname "$0")/.."
auditable=0.7.7 cyclonedx=0.5.9
tree=$PWD
[ $# -gt 0 ] || set -- x86_64 aarch64

tool() {
    grep -qs "^\"$1 $2 " "$tree/target/tools/.crates.toml" ||
        cargo install --locked --root "$tree/target/tools" "$1@$2"
}
tool cargo-auditable $auditable
tool cargo-cyclonedx $cyclonedx
export PATH="$tree/target/tools/bin:$PATH"

[ -z "$(git status --porcelain)" ] || echo "what is not committed stays out of it" >&2
# One commit for both builds, whatever is committed meanwhile.
commit=$(git rev-parse HEAD)
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct "$commit")}
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022

# One machine's files, built in the source folder $1, into the folder $2.
make_files() {
    source=$1 out=$2 machine=$3
    case $machine in
        x86_64) arch=amd64 target=x86_64-unknown-linux-gnu ;;
        aarch64) arch=arm64 target=aarch64-unknown-linux-gnu ;;
        *) echo "no release for $machine: x86_64 or aarch64" >&2; exit 64 ;;
    esac
    # No path of this machine in the binary: it would differ elsewhere, and is nobody's business.
    remap="--remap-path-prefix=$source=/sonofuse --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    if [ "$machine" = "$(uname -m)" ]; then
        (cd "$source" && RUSTFLAGS="$remap" cargo auditable build --release --locked --target $target -p sonofuse)
    else
        # The cross-build's Debian is fetched once.
        mkdir -p "$source/target" "$tree/target/arm64"
        ln -sfn "$tree/target/arm64" "$source/target/arm64"
        (cd "$source" && CARGO="cargo auditable" REMAP="$remap" scripts/arm64.sh build)
    fi
    binary=$source/target/$target/release/sonofuse
    [ "$machine" != "$(uname -m)" ] || READELF=readelf "$source/scripts/symbols.sh" "$binary"
    package=$("$source/scripts/deb.sh" "$binary" "$out" "$machine")
    rm "$package.sha256"
    (cd "$source" && cargo cyclonedx --quiet --format json --spec-version 1.5 --target $target \
        --override-filename listed)
    # Where it was built is in the references to the workspace's own crates.
    sed "s|$source|/sonofuse|g" "$source/listed.json" > "$out/sonofuse_${version}_$arch.cdx.json"
}

# Says of two files that differ where they do.
explain() {
    case $1 in
        *.deb)
            dpkg-deb -R "$1" "$work/a" && dpkg-deb -R "$2" "$work/b"
            diff -rq --no-dereference "$work/a" "$work/b" | sed 's/^/    /' >&2 || true
            for part in $(readelf -SW "$work/a/usr/bin/sonofuse" | sed -n 's/^ *\[ *[0-9]*\] \(\.[^ ]*\).*/\1/p'); do
                for side in a b; do
                    readelf -x "$part" "$work/$side/usr/bin/sonofuse" > "$work/$side.hex" 2>/dev/null || :
                done
                cmp -s "$work/a.hex" "$work/b.hex" || echo "    section $part of usr/bin/sonofuse" >&2
            done
            rm -rf "$work/a" "$work/b" ;;
        *) diff "$1" "$2" | head -n 10 | sed 's/^/    /' >&2 || true ;;
    esac
}

work=$tree/target/release-work
rm -rf "$work" "$tree/target/handed-out"
mkdir -p "$work"
for build in first second-in-another-folder; do
    source=$work/$build/sonofuse
    mkdir -p "$source" "$work/$build/out"
    git archive "$commit" | tar -x -C "$source"
    for machine; do
        make_files "$source" "$work/$build/out" "$machine"
    done
    (cd "$work/$build/out" && sha256sum -- * > SHA256SUMS)
    # The second build needs the room.
    rm -rf "$source"
done

differ=0
for file in "$work"/first/out/*.deb "$work"/first/out/*.json; do
    other=$work/second-in-another-folder/out/$(basename "$file")
    if cmp -s "$file" "$other"; then
        echo "same bytes: $(basename "$file")"
    else
        echo "DIFFERS: $(basename "$file")" >&2
        explain "$file" "$other"
        differ=1
    fi
done
for package in "$work"/first/out/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -xO ./usr/bin/sonofuse > "$work/binary"
    readelf -SW "$work/binary" | grep -q '\.dep-v0' || { echo "$package has no list of crates" >&2; exit 1; }
    if grep -qaF "$work" "$work/binary"; then
        echo "$package names the folder that it was built in" >&2
        differ=1
    fi
done
mv "$work/first/out" "$tree/target/handed-out"
rm -rf "$work"
echo "in target/handed-out:" && cat "$tree/target/handed-out/SHA256SUMS"
exit $differ
