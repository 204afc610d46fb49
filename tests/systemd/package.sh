#!/bin/bash
# Installs the Debian package in an empty Debian root that gets nothing but Debian's own packages, boots a real systemd
# there, and takes it through its life: installed and not started, started, upgraded while it runs, removed, purged.
#   sudo tests/systemd/package.sh PACKAGE.deb
# `make test-deb` runs it. Needs root, mmdebstrap, systemd-nspawn and Debian's mirror; about 4 minutes.
set -euo pipefail
package=$(readlink -f "${1:?the package}")
for tool in systemd-nspawn mmdebstrap; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool; apt install systemd-container mmdebstrap" >&2; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: needs root (sudo $0)" >&2; exit 77; }

work=$(mktemp -d)
trap 'umount -q "$work/root/proc" || true; rm -rf "$work"' EXIT
root=$work/root
mmdebstrap --variant=minbase --include=apt,ca-certificates,systemd-sysv,dbus "${SUITE:-bookworm}" "$root" >&2
cp "$package" "$root/sonofuse.deb"
cat > "$root/inside.sh" <<'INSIDE'
#!/bin/bash
exec >/inside.log 2>&1
export DEBIAN_FRONTEND=noninteractive
failed=0
check() { local name=$1; shift; if "$@"; then echo "ok  $name"; else echo "FAILED  $name"; failed=1; fi; }
quietly() { "$@" >/dev/null 2>&1; }
not() { ! "$@"; }
show() { systemctl show sonofuse.service -p "$1" --value; }
check "the service is not enabled" not quietly systemctl is-enabled sonofuse.service
check "and not started" [ "$(show ActiveState)" = inactive ]
check "systemctl start returns once it is ready" systemctl start sonofuse.service
check "it is active: $(show StatusText)" [ "$(show ActiveState)" = active ]
check "it waits for its set-up and says so" sh -c "systemctl show sonofuse.service -p StatusText --value | grep -q 'not set up: sonofuse setup'"
check "runs as its own user" [ "$(stat -c %U "/proc/$(show MainPID)")" = sonofuse ]
journalctl --sync
check "the catalog says what to do" sh -c "journalctl --no-pager -u sonofuse -x EVENT=model | grep -q 'Why this backend'"
echo '# a line of the hospital' >> /etc/sonofuse/sonofuse.toml
touch /var/lib/sonofuse/kept
pid=$(show MainPID)
check "an upgrade is installed" quietly dpkg -i --force-confold /sonofuse.deb
check "and runs the new program" [ "$(show ActiveState)" = active ]
check "as another process" [ "$(show MainPID)" != "$pid" ]
check "the configuration stays" grep -q 'a line of the hospital' /etc/sonofuse/sonofuse.toml
check "the state stays" [ -e /var/lib/sonofuse/kept ]
echo 'no-such-key = 1' >> /etc/sonofuse/sonofuse.toml
quietly systemctl restart sonofuse.service
sleep 2
check "a wrong configuration is refused with 78" [ "$(show ExecMainStatus)" = 78 ]
sed -i '/no-such-key/d' /etc/sonofuse/sonofuse.toml
systemctl reset-failed sonofuse.service; systemctl start sonofuse.service
check "it is removed" quietly dpkg -r sonofuse
check "its process is gone" not quietly pgrep -x sonofuse
check "configuration and state are kept" [ -e /etc/sonofuse/sonofuse.toml -a -e /var/lib/sonofuse/kept ]
check "it is purged" quietly dpkg -P sonofuse
left=$(find / -xdev \( -path /proc -o -path /sys -o -path /run/log -o -path /var/log -o -path /sonofuse.deb \) -prune -o -name '*sonofuse*' -print)
check "nothing is left: $left" [ -z "$left" ]
check "no user is left" not quietly getent passwd sonofuse
[ $failed = 0 ] && echo "ALL PASSED"
INSIDE
chmod 755 "$root/inside.sh"
cat > "$root/etc/systemd/system/inside.service" <<'UNIT'
[Unit]
After=multi-user.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/inside.sh
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf /etc/systemd/system/inside.service "$root/etc/systemd/system/multi-user.target.wants/inside.service"

# Debian's packages come from outside, where there is a network.
cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
mount -t proc proc "$root/proc"
chroot "$root" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends /sonofuse.deb procps' >&2
umount "$root/proc"

timeout 300 systemd-nspawn --quiet --register=no --keep-unit --private-network --machine=sonofuse-deb \
    --console=pipe -D "$root" -b </dev/null >"$work/console" 2>&1 || true
cat "$root/inside.log" 2>/dev/null || { echo "the checks did not run:"; tail -40 "$work/console"; exit 1; }
grep -q '^ALL PASSED$' "$root/inside.log"
