#!/usr/bin/env bats
# SIGKILL of each stage, and of cpm-deliver, after each event line of a transcript: the right status
# and outcome, the recipient's dialog ended, no process and no lock left. Prints the table.
bats_require_minimum_version 1.5.0
load helper

# What is killed, after which event: a reader of the session file stops the victim right then.
victims="cpm-invite cpm-msrp-serve cpm-bye cpm-deliver"
events="attempt.start msrp.listening invite.sent invite.progress dialog.confirmed invite.answered
msrp.connected msrp.transferred bye.request bye.sent bye.answered outcome"

# Ends the one process of that name in our attempt, by its pid from the journal or our children.
victim_pid() {
  if [ "$1" = cpm-deliver ]; then
    echo "$DELIVER"
  else
    pgrep -P "$DELIVER" -x "$(printf %.15s "$1")" || true
  fi
}

kill_after() { # victim event -> STATUS
  rm -rf s store sink.log
  start_sink --behave invite=180 --behave ring-ms=20
  cpm-deliver -s s --from "$ALICE" --to "$BOB" --t1 50 m.cpim >out 2>err 3>&- </dev/null &
  DELIVER=$!
  cpm-session wait s "$2" --timeout 20 || return 1
  local pid
  pid=$(victim_pid "$1")
  [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
  STATUS=0
  wait "$DELIVER" 2>/dev/null || STATUS=$?
  # When cpm-deliver is the victim its stages go on: their locks say when they are gone.
  timeout 15 bash -c 'until [ -z "$(cpm_holders)" ]; do read -rt 0.05 <> <(:) || :; done'
  stop_sink
}

cpm_holders() { lslocks -n -o PID,PATH 2>/dev/null | grep "$PWD/s\$"; }
export -f cpm_holders

judge() { # victim event
  local transferred=no outcome bye=no sent=no
  grep -q ' msrp.transferred ' s && transferred=yes
  grep -q ' invite.sent ' s && sent=yes
  grep -qE ' sink\.(bye|cancel) ' sink.log && bye=yes
  outcome=$(cpm-session get s outcome.status || echo none)
  printf '# %-15s %-17s status %-3s outcome %-4s transferred %-3s ended %s\n' \
    "$1" "$2" "$STATUS" "$outcome" "$transferred" "$bye" >&3
  if [ "$1" = cpm-deliver ]; then
    [ "$STATUS" -eq 137 ] || return 1 # it was killed itself
  elif [ "$transferred" = yes ]; then
    [ "$STATUS" -eq 0 ] || return 1
  else
    [ "$STATUS" -eq 75 ] || [ "$STATUS" -eq 137 ] || return 1
  fi
  [ "$transferred" = no ] || [ "$outcome" = 0 ] || return 1
  # A dialog that the recipient confirmed must have ended.
  if grep -q ' sink.ack ' sink.log; then
    [ "$bye" = yes ] || return 1
  fi
  [ -z "$(cpm_holders)" ]
}

@test "SIGKILL after each event" {
  export BATS_TEST_TIMEOUT=400
  local victim event failures=0
  start_sink
  make_message 300000
  stop_sink
  for victim in $victims; do
    for event in $events; do
      kill_after "$victim" "$event" && judge "$victim" "$event" || {
        failures=$((failures + 1))
        echo "FAILED: $victim after $event"
        cat s sink.log err
      }
    done
  done
  [ "$failures" -eq 0 ]
}
