#!/bin/bash
# The checks of nspawn.sh, run by systemd inside of the container; writes /inside.log.
exec >/inside.log 2>&1
failed=0
say() { echo "$1  $2"; [ "$1" = ok ] || failed=1; }
# check NAME COMMAND...: passes when the command does.
check() { local name=$1; shift; if "$@"; then say ok "$name"; else say FAILED "$name"; fi; }
# until_true SECONDS COMMAND...
until_true() { local n=$(($1 * 10)); shift; for _ in $(seq "$n"); do "$@" && return; sleep 0.1; done; return 1; }
show() { systemctl show sonofuse.service -p "$1" --value; }
is() { [ "$(show "$1")" = "$2" ]; }
sock=/run/sonofuse/readings.sock
# holds FILTER JSON: as jq sees it.
holds() { jq -e "$1" <<<"$2" >/dev/null; }
quietly() { "$@" >/dev/null 2>&1; }
readings() { timeout 10 socat -u "UNIX-CONNECT:$sock" - 2>/dev/null | head -n "$1"; }
entry() { journalctl -u sonofuse.service --no-pager -o json "$@"; }

echo "$(systemctl --version | head -1)"
systemd-sysusers && systemd-tmpfiles --create && journalctl --update-catalog
check "the user exists and may use the capture devices" sh -c 'id -nG sonofuse | grep -qw video'

# --- start ------------------------------------------------------------------------------------
systemctl start sonofuse.service
check "start returns once it is ready" is ActiveState active
check "systemctl status says what it does: $(show StatusText)" [ -n "$(show StatusText)" ]
before_ready=$(entry EVENT=model | head -1)
check "the model was chosen before READY" [ -n "$before_ready" ]
check "runs as its own user" [ "$(ps -o user= -p "$(show MainPID)" | tr -d ' ')" = sonofuse ]

# --- readings ---------------------------------------------------------------------------------
check "the socket is the group's: $(stat -c '%a %U %G' $sock)" [ "$(stat -c '%a %U' $sock)" = "660 sonofuse" ]
lines=$(readings 4)
check "hello comes first" holds '.hello == "sonofuse" and .schema == 1' "$(head -1 <<<"$lines")"
check "readings follow" holds '.outcome and .model.name and .notice' "$(tail -1 <<<"$lines")"
check "scores come" until_true 60 sh -c "timeout 5 socat -u UNIX-CONNECT:$sock - | head -60 | grep -q '\"outcome\":\"scored\"'"

# --- commands ---------------------------------------------------------------------------------
control=/run/sonofuse/control.sock
check "the control socket is the group's: $(stat -c '%a %U %G' $control)" [ "$(stat -c '%a %U %G' $control)" = "660 sonofuse sonofuse" ]
check "ctl finds it" holds '.answer.daemon.pid == '"$(show MainPID)" "$(sonofuse ctl status --json)"
check "a mark is done" quietly sonofuse ctl mark side=left label=Sekret7
useradd -M -G sonofuse member && useradd -M stranger
as() { local user=$1; shift; setpriv --reuid="$user" --regid="$user" --init-groups "$@"; }
check "a member of the group may command" quietly as member sonofuse ctl status
check "nobody else may" sh -c '! setpriv --reuid=stranger --regid=stranger --init-groups sonofuse ctl status 2>/dev/null'
journalctl --sync
check "commands are in the journal with who gave them" holds '.VERB == "mark" and .UID == "0"' "$(entry EVENT=command VERB=mark | tail -1)"
check "and labels are not" sh -c '! journalctl -u sonofuse.service --no-pager -o json | grep -q Sekret7'
check "the unit lets it read input devices that are given to it" [ "$(systemctl show sonofuse.service -p DeviceAllow --value | grep -c char-input)" = 1 ]

# --- reload, health, audit --------------------------------------------------------------------
pid=$(show MainPID)
config=/etc/sonofuse/sonofuse.toml
cp $config /root/good.toml
sed -i 's/^threshold = false/threshold = true/; s/^max-age-ms = 1500/max-age-ms = 1400/' $config
check "reload is done" quietly systemctl reload sonofuse.service
check "and the daemon is the same, and active" [ "$(show MainPID) $(show ActiveState)" = "$pid active" ]
check "the new configuration holds" quietly sonofuse ctl threshold malignancy=0.4
journalctl --sync
check "what waits for a start is named" holds '.NEXT_START == "publish.max-age-ms"' "$(entry EVENT=reload | tail -1)"
echo 'no-such-key = 1' >> $config
check "a wrong configuration is refused" sh -c '! systemctl reload sonofuse.service 2>/dev/null'
check "and the daemon is the same, and active" [ "$(show MainPID) $(show ActiveState)" = "$pid active" ]
check "health says so" sh -c "sonofuse health 2>&1 | grep -q 'unhealthy: configuration not accepted'"
check "a boot with it is not complete" sh -c '! systemctl start boot-complete.target 2>/dev/null || ! systemctl start sonofuse-health.service 2>/dev/null'
cp /root/good.toml $config
check "the old file again" quietly systemctl reload sonofuse.service
quietly systemctl reset-failed sonofuse-health.service
quietly systemctl enable sonofuse-health.service
check "a boot is complete when it is healthy" systemctl start boot-complete.target
check "by the unit in its sandbox: $(systemctl show sonofuse-health.service -p Result --value)" [ "$(systemctl is-active sonofuse-health.service)" = active ]
audit=/var/lib/sonofuse/audit
check "the audit is the service's, nobody else's: $(stat -c '%a %U' $audit/audit-000001.jsonl)" [ "$(stat -c '%a %U' $audit/audit-000001.jsonl)" = "640 sonofuse" ]
check "it is whole, and says what it cannot know" sh -c "sonofuse audit verify | grep -q 'cannot be known'"
check "who commanded is in it, with the uid" grep -q '"event":"command","pid":[0-9]*,"uid":0,' $audit/audit-000001.jsonl
check "a report is written" sh -c 'sonofuse doctor --report /root/report.tar >/dev/null; tar -tf /root/report.tar | grep -q journal.jsonl'
reported() { tar -xOf /root/report.tar "sonofuse-report/$1"; }
check "with the journal of the service: $(reported journal.jsonl | wc -l) entries" quietly grep EVENT <(reported journal.jsonl)
check "and without labels: $(tar -xOf /root/report.tar | grep -a -o '.\{0,30\}Sekret7' | head -1)" sh -c '! tar -xOf /root/report.tar | grep -q Sekret7'

# --- journal ----------------------------------------------------------------------------------
journalctl --sync
check "native fields" holds '.NAME and .BACKEND and .DIGEST and .SYSLOG_IDENTIFIER == "sonofuse"' "$before_ready"
check "info is info" [ "$(jq -r .PRIORITY <<<"$before_ready")" = 6 ]
check "journalctl -x says what to do" sh -c "journalctl --no-pager -u sonofuse.service -x EVENT=model | grep -q 'Why this backend'"
check "our own unit's entries" [ "$(jq -r ._SYSTEMD_UNIT <<<"$before_ready")" = sonofuse.service ]

# --- sandbox ----------------------------------------------------------------------------------
check "exposure: $(systemd-analyze security --no-pager sonofuse.service | tail -1)" \
    quietly systemd-analyze security --threshold=25 --no-pager sonofuse.service
check "no writing outside of its folders" sh -c '! nsenter -t $(systemctl show sonofuse -p MainPID --value) -m touch /usr/x 2>/dev/null'

# --- watchdog ---------------------------------------------------------------------------------
pid=$(show MainPID)
sleep 20
check "left alone, it outlives its watchdog" [ "$(show MainPID)" = "$pid" ]
kill -STOP "$pid"
restarted() { [ "$(show NRestarts)" -ge 1 ] && is ActiveState active && [ "$(show MainPID)" != "$pid" ]; }
check "stopped in its tracks, it is killed and started again" until_true 60 restarted
check "and it is the watchdog that did it" sh -c "journalctl --no-pager -u sonofuse.service | grep -q 'Watchdog timeout'"
check "readings are back" [ -n "$(readings 2 | tail -1)" ]

# --- stop -------------------------------------------------------------------------------------
start=$(date +%s%N)
systemctl stop sonofuse.service
took=$((($(date +%s%N) - start) / 1000000))
check "the stop took $took ms" [ $took -lt 2000 ]
check "the stop was clean: $(show Result), $(show ExecMainStatus)" is Result success
journalctl --sync
check "the audit has every head that the journal has" sh -c "sonofuse audit verify --head journal | grep -q ' 0 lines after that'"
sed -i '2s/"at":"2/"at":"3/' $audit/audit-000001.jsonl
check "a change is found" sh -c "sonofuse audit verify --head journal 2>&1 | grep -q 'line 2: it was changed'"
check "no socket is left behind" [ ! -e $sock -a ! -e $control ]

# --- a wrong configuration --------------------------------------------------------------------
quietly systemctl reset-failed sonofuse.service
cp /etc/sonofuse/sonofuse.toml /root/good.toml
echo 'no-such-key = 1' > /etc/sonofuse/sonofuse.toml
restarts=$(show NRestarts)
quietly systemctl start sonofuse.service
sleep 4
check "a wrong configuration is exit 78" is ExecMainStatus 78
check "and is not tried again" [ "$(show NRestarts)" = "$restarts" ]
check "and the unit says failed" is ActiveState failed
cp /root/good.toml /etc/sonofuse/sonofuse.toml
systemctl reset-failed sonofuse.service

# --- socket activation ------------------------------------------------------------------------
systemctl start sonofuse-readings.socket
check "systemd holds the socket: $(stat -c '%a %U %G' $sock)" [ "$(stat -c '%a %U %G' $sock)" = "660 sonofuse sonofuse" ]
check "a client starts the daemon" [ -n "$(readings 2 | tail -1)" ]
check "it is active" is ActiveState active
quietly systemctl stop sonofuse.service
check "the readings came through systemd's own socket" \
    [ -n "$(entry EVENT=socket 'PATH=(inherited)' | head -1)" ]
check "systemd's socket outlives the daemon" [ -S $sock ]
systemctl stop sonofuse-readings.socket sonofuse.service
check "and goes with its own unit" [ ! -e $sock ]

if [ $failed = 0 ]; then echo "ALL PASSED"; else
    echo "--- journal"; journalctl --no-pager -u sonofuse.service -o short-monotonic | tail -60
fi
exit $failed
