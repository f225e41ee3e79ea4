#!/usr/bin/env bats
# SIGKILL of each stage, and of cpm-deliver, right after each event line of a transcript: the right
# status and outcome, the session ended with the recipient, no process and no lock left. Prints the
# table.
bats_require_minimum_version 1.5.0
load helper
load peers

events="attempt.start msrp.listening invite.sent invite.progress dialog.confirmed invite.answered
msrp.connected msrp.transferred bye.request bye.sent bye.answered outcome"

kill_after() { # victim event -> STATUS, MS
  local pid from
  rm -rf s store killing
  mkdir killing
  start_sink --behave invite=180 --behave ring-ms=50
  from=$(date +%s%N)
  STATUS=0
  LD_PRELOAD=$PWD/kill.so KILL_PROGRAM=$1 KILL_EVENT=$2 KILL_FOLDER=$PWD/killing \
    timeout --foreground "$GUARD" "$CPM_BIN/cpm-deliver" -s s --from "$ALICE" --to "$BOB" \
    "${options[@]}" m.cpim \
    >out 2>err 3>&- </dev/null || STATUS=$?
  # When cpm-deliver is killed its stages go on to the end.
  while read -r pid; do
    timeout "$GUARD" tail -s 0.02 --pid="$pid" -f /dev/null
  done <killing/pids
  MS=$((($(date +%s%N) - from) / 1000000))
  stop_sink
}

judge() { # victim event
  local transferred=no outcome ended=- faults=
  grep -q ' msrp.transferred ' s && transferred=yes
  if grep -q ' sink.invite ' sink.log; then
    ended=no
    grep -qE ' sink\.(bye|cancel) ' sink.log && ended=yes
  fi
  outcome=$(cpm-session get s outcome.status || echo none)
  [ -e killing/done ] || faults+=' the event never came;'
  if [ "$1" = cpm-deliver ]; then
    [ "$STATUS" -eq 137 ] || faults+=' status;'
    # Once a stage says something, all of them were started: they deliver.
    [ "$2" = attempt.start ] || [ "$transferred" = yes ] || faults+=' not delivered;'
  elif [ "$transferred" = yes ]; then
    [ "$STATUS" -eq 0 ] || faults+=' status;'
  else
    [ "$STATUS" -eq 75 ] || [ "$STATUS" -eq 137 ] || faults+=' status;'
  fi
  [ "$transferred" = no ] || [ "$outcome" = 0 ] || faults+=' outcome;'
  [ "$transferred" = yes ] || [ "$outcome" != 0 ] || faults+=' outcome;'
  [ "$ended" != no ] || faults+=' the session dangles;'
  ! grep -q ":$(stat -c %i s) " /proc/locks || faults+=' a lock is left;'
  printf '# %-15s %-17s status %-3s outcome %-4s transferred %-3s session ended %-3s %5d ms%s\n' \
    "$1" "$2" "$STATUS" "$outcome" "$transferred" "$ended" "$MS" "${faults:+ FAULT:$faults}" >&3
  [ -z "$faults" ]
}

kill_everywhere() { # victim [options of cpm-deliver]
  local victim=$1 event failures=0
  cc -shared -fPIC -D_GNU_SOURCE -O1 -o kill.so "$BATS_TEST_DIRNAME/preload/kill.c"
  shift
  options=("$@")
  start_sink
  make_message 300000
  stop_sink
  for event in $events; do
    kill_after "$victim" "$event"
    judge "$victim" "$event" || {
      failures=$((failures + 1))
      cat s sink.log err
    }
  done
  [ "$failures" -eq 0 ]
}

@test "SIGKILL of cpm-invite after each event" { kill_everywhere cpm-invite; }
@test "SIGKILL of cpm-invite after each event, over TCP" {
  SINK_SIP=tcp:127.0.0.1:0 kill_everywhere cpm-invite
}

@test "SIGKILL of cpm-invite after each event, behind a proxy that challenges every request" {
  local over events=${events#* invite.sent invite.progress }
  start_kamailio 127.0.0.1 WITH_AUTH 'AUTH_ALGORITHM="MD5"' 'AUTH_FLAGS="1"'
  echo s3cret >password
  for over in udp tcp; do
    kill_everywhere cpm-invite --proxy "sip:$PROXY;lr;transport=$over" \
      --auth-user alice --auth-password-file "$PWD/password"
  done
}

@test "SIGKILL of cpm-msrp-serve after each event" { kill_everywhere cpm-msrp-serve; }
@test "SIGKILL of cpm-bye after each event" { kill_everywhere cpm-bye; }
@test "SIGKILL of cpm-deliver after each event" { kill_everywhere cpm-deliver; }
