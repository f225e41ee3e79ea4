#!/usr/bin/env bats
# INT, TERM and HUP end a delivery in order: the recipient sees CANCEL or BYE, the journal an
# outcome, and the program dies by that signal.
bats_require_minimum_version 1.5.0
load helper

# interrupt SIGNAL EVENT: delivers, and sends the signal to cpm-deliver once the event is there.
interrupt() {
  env --default-signal="$1" cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim \
    >out 2>err 3>&- </dev/null &
  local pid=$!
  cpm-session wait s "$2" --timeout "$GUARD"
  kill -"$1" "$pid"
  STATUS=0
  wait "$pid" || STATUS=$?
  stop_sink
}

# The signal may reach cpm-bye after the session that cpm-invite has ended is over: then the outcome is
# that of a session that was cancelled, which is 75.
abandoned() { # STATUS
  local outcome
  outcome=$(cpm-session get s outcome.status)
  [ "$outcome" -eq "$1" ] || [ "$outcome" -eq 75 ]
}

@test "INT while it rings: CANCEL" {
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 100
  interrupt INT invite.progress
  assert_status "$STATUS" 130
  sink_saw sink.cancel
  abandoned 130
}

@test "TERM in the middle of the transfer: the chunk is ended, BYE" {
  start_sink --behave read-rate=50000
  make_message 20000000
  interrupt TERM msrp.connected
  assert_status "$STATUS" 143
  sink_saw sink.bye
  run -1 cpm-session get s msrp.transferred.octets
  abandoned 143
}

@test "HUP to one stage ends the others too" {
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 100
  cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- </dev/null &
  local deliver=$! stage status=0
  cpm-session wait s invite.progress --timeout "$GUARD"
  stage=$(sed -n 's/.* cpm-msrp-serve\[\([0-9]*\)\] msrp.listening .*/\1/p' s)
  kill -HUP "$stage"
  wait "$deliver" || status=$?
  stop_sink
  [ "$status" -ne 0 ]
  sink_saw sink.cancel
  ! grep msrp.transferred s
}

# What took less than timer B and F (32 s) was bounded by the order to stop.
within_bounds() { # SECONDS when the order came
  [ $((SECONDS - $1)) -lt 25 ]
}

@test "an INVITE without any answer does not hold up the end that a signal asks for" {
  start_sink --behave silent=invite
  make_message 100
  local from stage status=0
  cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- </dev/null &
  local deliver=$!
  cpm-session wait s invite.sent --timeout "$GUARD"
  stage=$(sed -n 's/.* cpm-msrp-serve\[\([0-9]*\)\] msrp.listening .*/\1/p' s)
  from=$SECONDS
  kill -HUP "$stage"
  wait "$deliver" || status=$?
  [ "$status" -ne 0 ]
  within_bounds "$from"
}

@test "a killed cpm-bye: the others end a transfer that goes on, and the session" {
  start_sink --behave read-rate=50000
  make_message 20000000
  local from bye status=0
  cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- </dev/null &
  local deliver=$!
  cpm-session wait s msrp.connected --timeout "$GUARD"
  from=$SECONDS
  for bye in $(cat /proc/$deliver/task/$deliver/children); do
    [ "$(cat "/proc/$bye/comm")" != cpm-bye ] || kill -KILL "$bye"
  done
  wait "$deliver" || status=$?
  assert_status "$status" 75
  within_bounds "$from"
  stop_sink
  sink_saw sink.bye
  [ "$(cpm-session get s outcome.status)" = 75 ]
}

@test "a killed cpm-msrp-serve: an unanswered BYE does not hold up the others" {
  start_sink --behave silent=bye
  make_message 100
  local from stage status=0
  cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- </dev/null &
  local deliver=$!
  cpm-session wait s bye.sent --timeout "$GUARD"
  stage=$(sed -n 's/.* cpm-msrp-serve\[\([0-9]*\)\] msrp.listening .*/\1/p' s)
  from=$SECONDS
  kill -KILL "$stage"
  wait "$deliver" || status=$?
  assert_status "$status" 0
  within_bounds "$from"
}

@test "--answer-timeout bounds the wait for a peer that says nothing" {
  start_sink --behave silent=invite
  make_message 100
  local from=$SECONDS
  run timeout $GUARD cpm-deliver -s s --answer-timeout 1 --from "$ALICE" --to "$BOB" m.cpim
  assert_status "$status" 75
  within_bounds "$from"
}

@test "--timeout ends a delivery in order, and the journal says the same as the status" {
  start_sink --behave read-rate=50000
  make_message 20000000
  run --separate-stderr timeout $GUARD cpm-deliver -s s --timeout 1 --from "$ALICE" --to "$BOB" m.cpim
  assert_status "$status" 75
  [[ $stderr == *"--timeout"* ]]
  [ "$(cpm-session get s outcome.status)" = 75 ]
  [ "$(cpm-session get s outcome.why)" = timeout ]
  stop_sink
  sink_saw sink.bye
}

@test "a stage that is stopped is killed after its time, and the session can be ended for it" {
  local status=0
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 1000
  cpm-deliver -q -s s --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- &
  DELIVER=$!
  timeout "$GUARD" grep -q -m 1 'code=180' < <(tail -n +1 -F s 2>tail.err 3>&-)
  kill -STOP "$(pgrep -x -P "$DELIVER" cpm-invite)"
  kill "$DELIVER"
  timeout "$GUARD" tail -s 0.05 --pid="$DELIVER" -f /dev/null
  wait "$DELIVER" || status=$?
  assert_status "$status" 143
  cpm-session get s outcome.status
  cpm-bye --cleanup -s s
  stop_sink
  sink_saw 'sink.cancel'
}

@test "cpm-deliver says which stage was killed" {
  local status=0
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 1000
  cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- &
  DELIVER=$!
  timeout "$GUARD" grep -q -m 1 'code=180' < <(tail -n +1 -F s 2>tail.err 3>&-)
  kill -KILL "$(pgrep -x -P "$DELIVER" cpm-msrp-serve)"
  wait "$DELIVER" || status=$?
  assert_status "$status" 75
  [ "$(cat err)" = "cpm-deliver: $CPM_BIN/cpm-msrp-serve: ended by signal 9 (Killed) (try again)" ]
}

@test "cpm-bye says that a stage died, where nobody else can" {
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 1000
  cpm-msrp-serve -s s --alone m.cpim </dev/null >serve.out 2>&1 3>&- &
  local serve=$!
  cpm-bye -s s --alone </dev/null >bye.out 2>bye.err 3>&- &
  local bye=$! status=0
  cpm-invite -s s --alone --from "$ALICE" --to "$BOB" </dev/null >invite.out 2>&1 3>&- &
  local invite=$!
  timeout "$GUARD" grep -q -m 1 'code=180' < <(tail -n +1 -F s 2>tail.err 3>&-)
  kill -KILL "$invite" "$serve"
  wait "$bye" || status=$?
  assert_status "$status" 75
  [ "$(cat bye.err)" = 'cpm-bye: s: a stage died and could not say why (try again)' ]
}
