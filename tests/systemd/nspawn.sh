#!/bin/bash
# Tries the shipped units with a real systemd, booted in a container of its own:
#   sudo tests/systemd/nspawn.sh [BINARY]        (default: target/release/sonofuse)
# `make test-systemd` runs it; it is no part of `make test`, because it needs root, systemd-nspawn and
# a root file system (made once by mmdebstrap, about a minute and 600 MB; kept in
# ${XDG_CACHE_HOME:-~/.cache}/sonofuse/nspawn-root).
#
# Checked: READY only after the model is warm · readings on the socket · journal fields · a stopped
# process is killed by the watchdog and restarted · a wrong configuration is exit 78 and not restarted
# · reload, taken and refused · health before boot-complete.target · the audit and its witness in the journal
# · socket activation · the stop within its deadline · no socket left behind.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
binary=${1:-$here/target/release/sonofuse}
cache=${SONOFUSE_NSPAWN_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/sonofuse/nspawn-root}
packages=systemd,systemd-sysv,dbus,udev,procps,libgstreamer1.0-0,libgstreamer-plugins-base1.0-0,libgstreamer-gl1.0-0
packages+=,gstreamer1.0-plugins-base,gstreamer1.0-plugins-good,socat,jq

skip() { echo "skipped: $*" >&2; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root (sudo $0)"
for tool in systemd-nspawn mmdebstrap; do
    command -v "$tool" >/dev/null || skip "no $tool; apt install systemd-container mmdebstrap"
done
[ -x "$binary" ] || { echo "no binary at $binary: cargo build --release" >&2; exit 66; }

if [ ! -e "$cache/etc/os-release" ]; then
    mkdir -p "$cache"
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
    echo "making the root file system for $suite in $cache" >&2
    mmdebstrap --variant=minbase --include="$packages" "$suite" "$cache" >&2
fi

# The run's own layer: the cached root stays as it is.
work=$(mktemp -d)
trap 'umount -q "$work/root" || true; rm -rf "$work"' EXIT
mkdir "$work/root" "$work/data"
mount -t tmpfs tmpfs "$work/data"
trap 'umount -q "$work/root" || true; umount -q "$work/data" || true; rm -rf "$work"' EXIT
mkdir "$work/data/upper" "$work/data/work"
if ! mount -t overlay overlay "$work/root" \
    -o "lowerdir=$cache,upperdir=$work/data/upper,workdir=$work/data/work" 2>/dev/null; then
    # No overlay on this kernel or file system: a copy does the same, slower.
    cp -a "$cache/." "$work/root/"
fi
root=$work/root

install -D -m 755 "$binary" "$root/usr/bin/sonofuse"
install -D -m 644 -t "$root/usr/lib/systemd/system" "$here"/systemd/*.service "$here"/systemd/*.socket
install -D -m 644 -t "$root/usr/lib/systemd/catalog" "$here/systemd/sonofuse.catalog"
install -D -m 644 "$here/systemd/sonofuse.sysusers" "$root/usr/lib/sysusers.d/sonofuse.conf"
install -D -m 644 "$here/systemd/sonofuse.tmpfiles" "$root/usr/lib/tmpfiles.d/sonofuse.conf"
install -D -m 644 -t "$root/usr/lib/udev/rules.d" "$here"/systemd/*.rules
mkdir -p "$root/usr/share/sonofuse" "$root/etc/sonofuse"
cp -r "$here/engines" "$here/pipelines" "$root/usr/share/sonofuse/"
if [ -n "${SONOFUSE_TEST_CONFIG:-}" ]; then
    cp "$SONOFUSE_TEST_CONFIG" "$root/etc/sonofuse/sonofuse.toml"
else
    cp "$here/sonofuse.toml" "$root/etc/sonofuse/sonofuse.toml"
fi
install -m 755 "$here/tests/systemd/inside.sh" "$root/usr/local/bin/inside.sh"
cat > "$root/usr/lib/systemd/system/inside.service" <<'UNIT'
[Unit]
Description=the checks
After=multi-user.target systemd-journald.service
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/usr/local/bin/inside.sh
StandardOutput=journal
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf /usr/lib/systemd/system/inside.service \
    "$root/etc/systemd/system/multi-user.target.wants/inside.service"
rm -f "$root/inside.log"

timeout 300 systemd-nspawn --quiet --register=no --keep-unit --private-network \
    --machine=sonofuse-test --console=pipe -D "$root" -b </dev/null >"$work/console" 2>&1 || true
cat "$root/inside.log" 2>/dev/null || { echo "the checks did not run:"; tail -40 "$work/console"; exit 1; }
grep -q '^ALL PASSED$' "$root/inside.log"
