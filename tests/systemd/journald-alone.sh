#!/bin/bash
# Runs a command beside a real journald of its own, and prints what the journal then holds as JSON
# lines. As root, in a mount namespace of its own:
#   unshare --mount tests/systemd/journald-alone.sh COMMAND ARG...
# Nothing outside of the namespace is touched: /run, the machine id and the journal's folder are
# temporary file systems here.
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal /run/systemd/journald.conf.d /run/systemd/units
mount -t tmpfs tmpfs /var/log
systemd-id128 new > /run/machine-id
[ -e /etc/machine-id ] || { echo "no /etc/machine-id to cover" >&2; exit 77; }
mount --bind /run/machine-id /etc/machine-id
cat > /run/systemd/journald.conf.d/alone.conf <<'CONF'
[Journal]
Storage=volatile
ReadKMsg=no
Audit=no
ForwardToSyslog=no
RateLimitIntervalSec=0
CONF
journald=/lib/systemd/systemd-journald
[ -x "$journald" ] || journald=/usr/lib/systemd/systemd-journald
SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_LEVEL=err "$journald" & pid=$!
trap 'kill "$pid"' EXIT
for _ in $(seq 200); do
    [ -S /run/systemd/journal/socket ] && [ -S /run/systemd/journal/stdout ] && break
    sleep 0.05
done
"$@" >/dev/null
journalctl --sync 2>/dev/null || sleep 0.5
journalctl --no-pager --quiet --output=json
