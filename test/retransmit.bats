#!/usr/bin/env bats
# The timers T1 and T2 of RFC 3261 17, as SIPp sees them on the wire. (What T4 does, absorbing what a
# peer repeats, cannot be seen from outside; test/unit/sip_stack_repeat.c looks at it.)
load helper
load peers

deliver() { # WANTED-STATUS [options of cpm-deliver]
  local wanted=$1 status=0
  shift
  rm -f s
  [ -e m.cpim ] || make_message 10
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim \
    >out 2>err </dev/null || status=$?
  assert_status "$status" "$wanted"
}

# at EVENT: when it was written, in ms.
at() {
  local text
  text=$(grep -m1 " $1 " s)
  date -d "${text%% *}" +%s%3N
}

sent() { # METHOD: how often it arrived
  grep -c "^$1 sip:" sipp.msg || :
}

# The INVITE at 0, 1, 3, 7, 15, 31 and 63 times T1, its end at 64 times T1 (17.1.1.2).
silent_for() { # T1
  rm -rf sipp.* scenario.xml
  start_sipp invite silence
  deliver 75 --t1 "$1"
  local took=$(($(at invite.failed) - $(at invite.sent)))
  echo "T1 $1 ms: $(sent INVITE) times in $took ms"
  [ "$took" -ge $((64 * $1 - 5)) ] # clocks count whole ms, and are set
  [ "$took" -lt 32000 ] # 64 times the default
  [ "$(sent INVITE)" -ge 5 ]
  [ "$(sent INVITE)" -le 7 ]
}

@test "--t1: the INVITE is repeated seven times at most, and given up at 64 times T1" {
  silent_for 10
  silent_for 20
}

# Without T2 in its way the BYE would go out at 0, 1, 3, 7, 15, 31 and 63 times T1 (17.1.2.2).
@test "--t2: the intervals of other requests grow no further" {
  start_sipp invite answer ack media bye_unanswered silence
  deliver 0 --t1 20 --t2 4000
  local few
  few=$(sent BYE)
  echo "T2 of 4 s: $few times"
  [ "$few" -ge 5 ]
  [ "$few" -le 7 ]
  rm -rf sipp.* scenario.xml eaten
  start_sipp invite answer ack media bye_unanswered silence
  deliver 0 --t1 20 --t2 40
  local many
  many=$(sent BYE)
  echo "T2 of 40 ms: $many times"
  # 20 + 31 times 40 ms make 64 times T1.
  [ "$many" -gt 12 ]
  [ "$many" -le 33 ]
}

@test "T2 may not be less than T1: 64" {
  BOB=sip:bob@127.0.0.1:9
  deliver 64 --t1 500 --t2 400
}
