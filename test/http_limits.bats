#!/usr/bin/env bats
# What cpm-status(1) does when there is too much of something: connections, descriptors, octets that
# nobody takes, clients of all kinds; and how it ends when there is somebody it serves.

load helper
load http
bats_require_minimum_version 1.5.0

teardown() {
  end_readers
  stop_status
  stop_sink
}

# long_queue [ENTRIES OCTETS]: a queue whose list is some megabytes long: for each of so many octets
# that peers have said, JSON needs six.
long_queue() {
  make_queue
  python3 - "${1:-1000}" "${2:-900}" <<'END'
import datetime
import sys
now = datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z cpm-queue[1] "
why = "\x01" * int(sys.argv[2])
for i in range(int(sys.argv[1])):
    with open(f"q/failed/{i:08x}-{i:016x}", "w") as f:
        f.write(f"{now}attempt.start sid=a n=1\n{now}invite.failed sid=a status=69 "
                f'reason="{why}"\n{now}outcome sid=a status=69\n')
END
}

# start_readers N PATH: clients that take no more than the head of the answer; HELD are the statuses.
# end_readers: they read on; READ is how that went.
start_readers() {
  mkfifo readers.in readers.out
  python3 "$BATS_TEST_DIRNAME/peers/readers.py" 127.0.0.1 "$PORT" "$2" "$1" \
    <readers.in >readers.out 3>&- 5>&- 6>&- 7>&- 8>&- &
  READERS_PID=$!
  exec 6>readers.in 5<readers.out
  rm readers.in readers.out
  read -r -t "$GUARD" HELD <&5
  HELD=${HELD#held }
}

end_readers() {
  [ -n "${READERS_PID:-}" ] || return 0
  exec 6>&-
  read -r -t "$GUARD" READ <&5
  exec 5<&-
  wait "$READERS_PID"
  READERS_PID=
}

memory() { sed -n "s/^$1:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$STATUS_PID/status"; }

@test "who does not take his answer holds nobody up, and is cut off after the time limit" {
  long_queue
  start_status -v --http-timeout 2s
  start_readers 4 /api/entries
  [ "$HELD" = '200 200 200 200' ]
  run -0 code "${URL}healthz"
  [ "$output" = 200 ]
  saw status.err 'too long to take its answer'
  until [ "$(grep -c 'too long to take its answer' status.err)" -eq 4 ]; do
    read -r -t 0.05 <> <(:) || true
  done
  end_readers
  [[ $READ == 'whole 0 cut 4 '* ]] || { echo "$READ" && return 1; }
  # Who takes it gets it all.
  get "${URL}api/entries" >entries
  [ "$(wc -c <entries)" -gt 4000000 ]
  jq -e '.entries | length == 1000' entries
}

@test "a list that would be too large ends early, and goes on behind its last entry" {
  long_queue 600 3900
  start_status
  total=0 more=true after=
  while [ "$more" = true ]; do
    get "${URL}api/entries?state=failed&after=$after" >part
    [ "$(wc -c <part)" -lt $((8 << 20)) ]
    read -r n more after < <(jq -r '[(.entries | length), .more, .entries[-1].id] | @tsv' part)
    [ "$n" -gt 0 ]
    total=$((total + n))
  done
  [ "$total" -eq 600 ]
  [ "$n" -lt 600 ] # it did end early
  # There are lists that do not go on: they say that there is more.
  for list in attempts reasons; do
    get "${URL}api/$list" | jq -e '.more | type == "boolean"'
  done
}

@test "a TLS handshake that does not go on is cut off as well" {
  make_cert
  start_status -v --http-timeout 1s --http-tls-cert cert.pem --http-tls-key key.pem
  # The beginning of a ClientHello.
  exec 6<>"/dev/tcp/127.0.0.1/$PORT"
  printf '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03and no more' >&6
  run -0 code --cacert cert.pem "$URL"
  [ "$output" = 200 ]
  saw status.err 'too long to bring a request'
  run -0 timeout "$GUARD" cat <&6
  exec 6>&-
  run -0 code --cacert cert.pem "$URL"
  [ "$output" = 200 ]
}

@test "what many do not take is bounded: 503 for those who come later, until it is taken" {
  long_queue
  # With the sanitizers too, what was freed is to be taken anew.
  ASAN_OPTIONS=quarantine_size_mb=1 start_status
  get -o one "${URL}api/entries"
  before=$(memory VmHWM)
  start_readers 30 /api/entries
  # 64 MiB are as many answers; the others have to come again.
  fit=$((64 * 1048576 / $(wc -c <one)))
  [ "$(tr ' ' '\n' <<<"$HELD" | grep -c 200)" -eq "$fit" ] || { echo "$HELD, fit: $fit" && return 1; }
  [ "$(tr ' ' '\n' <<<"$HELD" | grep -c 503)" -eq $((30 - fit)) ]
  echo "# an answer of $(wc -c <one) octets to 30 slow readers: $before kB before," \
    "$(memory VmHWM) kB at most" >&3
  [ "$(memory VmHWM)" -lt $((before + 65536 + 49152)) ]
  # Small answers are still given, and large ones again once the others are through.
  run -0 code "${URL}healthz"
  [ "$output" = 200 ]
  end_readers
  [[ $READ == 'whole 30 cut 0 '* ]] || { echo "$READ" && return 1; }
  run -0 code "${URL}api/entries"
  [ "$output" = 200 ]
}

@test "a signal ends it once the answer that is under way is taken" {
  long_queue
  start_status
  start_readers 1 /api/entries
  [ "$HELD" = 200 ]
  echo "$STATUS_PID" >&6 # ends it, and reads on
  end_readers
  [[ $READ == 'whole 1 cut 0 '* ]] || { echo "$READ" && return 1; }
  status=0
  wait "$STATUS_PID" || status=$?
  STATUS_PID=
  [ "$status" -eq 143 ]
  # Who takes nothing does not hold it up.
  start_status
  start_readers 1 /api/entries
  kill "$STATUS_PID"
  status=0
  wait "$STATUS_PID" || status=$?
  STATUS_PID=
  [ "$status" -eq 143 ]
  end_readers
  [[ $READ == 'whole 0 cut 1 '* ]] || { echo "$READ" && return 1; }
}

@test "connections in all are limited" {
  start_status --http-connections 4
  start_idle 10
  run -0 code "$URL"
  [ "$output" = 200 ]
  end_idle
  [ "$CLOSED" -ge 7 ] # a new one each, and the one that was served
  # Where all are being answered, a further one is closed.
  long_queue
  start_readers 4 /api/entries
  run ! get "${URL}healthz"
  end_readers
  run -0 code "${URL}healthz"
  [ "$output" = 200 ]
}

@test "without descriptors it waits for some, without turning, and comes back" {
  long_queue
  serve strace -qq -D -o calls -e trace=accept4,epoll_wait,epoll_pwait \
    cpm-status -Q q --http-listen 127.0.0.1:0
  start_readers 4 /api/entries
  [ "$HELD" = '200 200 200 200' ]
  # No descriptor is left, and no connection can be ended for another one.
  free=0
  while [ -e "/proc/$STATUS_PID/fd/$free" ]; do free=$((free + 1)); done
  prlimit --pid "$STATUS_PID" --nofile="$free"
  begun=$SECONDS before=$(wc -l <calls)
  code "${URL}style.css" >waited 3>&- 5<&- 6>&- &
  waiting=$!
  until [ "$(grep -c EMFILE calls)" -ge 5 ]; do
    kill -0 "$STATUS_PID"
    read -r -t 0.05 <> <(:) || true
  done
  # A try is a handful of calls, five times a second.
  n=$(($(wc -l <calls) - before)) most=$((50 * (SECONDS - begun + 2)))
  echo "# $n calls without descriptors in $((SECONDS - begun)) s" >&3
  [ "$n" -lt "$most" ]
  end_readers
  [[ $READ == 'whole 4 cut 0 '* ]]
  wait "$waiting"
  [ "$(cat waited)" = 200 ]
  run -0 code "${URL}healthz"
  [ "$output" = 200 ]
  [ "$(grep -c 'connections have to wait' status.err)" -eq 1 ]
}

# Clients in a hurry, slow ones and rude ones at once, while a queue is delivered.
@test "under load from all kinds of clients every delivery arrives, and the page is right" {
  start_sink
  long_queue
  start_status --http-per-address 64 --http-timeout 10m
  make_message 200000
  for i in $(seq 24); do
    cpm-queue -Q q add --from "$ALICE" --to "$BOB" --message-id "m$i" --type text/plain content >>ids
  done
  start_idle 30
  start_readers 4 /api/entries
  seconds=${CPM_LONG:+1}2
  python3 "$BATS_TEST_DIRNAME/peers/rude.py" 127.0.0.1 "$PORT" "$seconds" \
    >rude.out 3>&- 5<&- 6>&- 7>&- 8<&- &
  rude=$!
  wrk -t 1 -c 16 -d "${seconds}s" "${URL}metrics" >wrk.out 2>&1 3>&- 5<&- 6>&- 7>&- 8<&- &
  busy=$!
  cpm-queue -q -Q q run --jobs 4 --to "$BOB" --timeout "$GUARD" 3>&- 5<&- 6>&- 7>&- 8<&- &
  run=$!
  # No entry is missed or counted twice while they move.
  looks=0
  while kill -0 "$run" 2>/dev/null; do
    get "${URL}metrics" | awk '/^cpm_entries\{/ { n += $2 }
      END { if (n != 1025) { print n " entries"; exit 1 } }'
    looks=$((looks + 1))
  done
  wait "$run"
  [ "$looks" -gt 0 ]
  wait "$busy" "$rude"
  ! grep 'Non-2xx' wrk.out
  echo "# $(sed -n 's/^ *\([0-9]* requests in .*\)/\1/p' wrk.out), $(cat rude.out), $looks looks" >&3
  run -0 cpm-queue -Q q list --state done --tsv
  [ "$(wc -l <<<"$output")" -eq 24 ]
  [ "$(grep -c ' sink.stored .*complete=yes' sink.log)" -eq 24 ]
  # What it shows is what there is.
  get "${URL}metrics" >metrics
  promtool check metrics <metrics
  grep -qx 'cpm_entries_delivered_total 24' metrics
  grep -qx 'cpm_entries{state="done"} 24' metrics
  grep -qx 'cpm_entries{state="failed"} 1000' metrics
  get "${URL}api/queue" | jq -e '.entries | .done == 24 and .failed == 1000 and .delivering == 0'
  run -0 code "$URL"
  [ "$output" = 200 ]
  end_readers
  [[ $READ == 'whole 4 cut 0 '* ]]
  end_idle
}
