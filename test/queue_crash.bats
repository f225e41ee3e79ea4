#!/usr/bin/env bats
# SIGKILL after every call that changes a file, and every such call failing, in cpm-queue; with
# CPM_LONG in cpm-deliver and the stages too. Afterwards a check and a run bring the queue to the
# right state: nothing that was accepted is lost, nothing that was confirmed is repeated.
bats_require_minimum_version 1.5.0
load helper
load queue

CAROL=sip:carol@example.net

@test "add: SIGKILL after every call, and after every call of the repair" {
  build_fault
  local n=0 m points=0 repairs=0
  while :; do
    n=$((n + 1))
    rm -rf q
    echo hello >body
    faulty cpm-queue $n 0 cpm-queue -Q q add --from "$ALICE" --to sip:bob@example.net --to $CAROL \
      --type text/plain --message-id same body >out 2>err
    [ -n "$CALL" ] || break
    [ "$STATUS" -eq 137 ]
    points=$((points + 1))
    # What was printed is there.
    while read -r id; do cpm-queue -Q q show "$id" >/dev/null; done <out
    # Whoever got no answer repeats it.
    if [ $((n % 2)) -eq 0 ]; then
      cpm-queue -Q q add --from "$ALICE" --to sip:bob@example.net --to $CAROL --type text/plain \
        --message-id same body >out
      [ "$(wc -l <out)" -eq 2 ]
      assert_count waiting 2
    fi
    # Where there is no queue yet, there is nothing to mend.
    [ -e q/lock ] || continue
    m=0
    while :; do
      m=$((m + 1))
      faulty cpm-queue $m 0 cpm-queue -Q q check --repair >out 2>err
      [ -n "$CALL" ] || break
      repairs=$((repairs + 1))
    done
    [ "$STATUS" -eq 0 ]
    assert_sound
    [ -z "$(ls q/tmp)" ]
    [ "$(ls q/wait | wc -l)" -eq "$(ls q/msg | wc -l)" ]
  done
  echo "# add: killed at $points points, its repair at $repairs" >&3
  [ "$points" -ge 15 ]
  assert_count waiting 2
}

@test "add: every call failing in turn: said, and nothing half done is left" {
  build_fault
  local n error points=0
  for error in 28 5 24; do # ENOSPC, EIO, EMFILE
    n=0
    while :; do
      n=$((n + 1))
      rm -rf q
      echo hello >body
      faulty cpm-queue $n $error cpm-queue -Q q add --from "$ALICE" --to sip:bob@example.net \
        --to $CAROL --type text/plain --message-id same body >out 2>err
      [ -n "$CALL" ] || break
      points=$((points + 1))
      # What is only cleaning up may fail in silence; the sweep does it then.
      if [ "$STATUS" -ne 0 ]; then
        [ "$STATUS" -eq 71 ] || [ "$STATUS" -eq 74 ]
        [ "$(wc -l <err)" -ge 1 ]
        [ ! -s out ]
      else
        [ "$(wc -l <out)" -eq 2 ]
      fi
      cpm-queue -Q q add --from "$ALICE" --to sip:bob@example.net --to $CAROL --type text/plain \
        --message-id same body >out
      assert_count waiting 2
      cpm-queue -Q q check --repair >/dev/null
      assert_sound
      [ -z "$(ls q/tmp)" ]
    done
  done
  echo "# add: $points failures" >&3
}

# Brings all to its end: a pass and another, as long as stages that were left alive are at work.
run_to_end() {
  local i
  for i in $(seq 300); do
    cpm-queue -q -Q q run --retry-first 0 --to "$BOB" --to "$CAROL_THERE" >out 2>>runs.err
    [ -n "$(ls q/wait)" ] || return 0
  done
  cpm-queue -Q q list
  return 1
}

# Others at work meanwhile: a second runner, and a repair, again and again until `beside` goes. They
# begin when the first one has claimed something, or it would find nothing to do.
others_begin() {
  local first
  first=$(echo q/wait/*)
  touch beside
  {
    cpm-session wait "${first%% *}" attempt.start --timeout 1
    while [ -e beside ]; do
      cpm-queue -q -Q q run --retry-first 0
      cpm-queue -q -Q q check --repair
    done
  } >/dev/null 2>&1 3>&- &
  OTHERS_PID=$!
}

others_end() {
  rm beside
  wait "$OTHERS_PID" || true
}

# ERRNO 0: SIGKILL. With CPM_LONG others are at work beside, and the first repair is killed too.
crash_run() { # PROGRAM [ERRNO]
  local n=0 id points=0 window=0 confirmed=0 file transferred missed=0
  build_fault
  start_sink
  CAROL_THERE=sip:carol@$SINK_HOST
  while :; do
    n=$((n + 1))
    id=crash-$1-${2:-0}-$n
    rm -rf q
    add_message "$id" "$BOB" "$CAROL_THERE" >out
    [ -z "${CPM_LONG:-}" ] || others_begin
    faulty "$1" $n "${2:-0}" cpm-queue -q -Q q run --jobs 2 2>err >out
    [ -z "${CPM_LONG:-}" ] || others_end
    # Beside others a call may not come because they were faster.
    if [ -z "$CALL" ]; then
      missed=$((missed + 1))
      [ -n "${CPM_LONG:-}" ] && [ "$missed" -le 5 ] && continue
      break
    fi
    missed=0
    points=$((points + 1))
    [ -z "${CPM_LONG:-}" ] || {
      faulty cpm-queue $((n % 5 + 1)) 0 cpm-queue -Q q check --repair >out 2>err
    }
    cpm-queue -Q q check --repair >out
    run_to_end
    [ -z "$(ls q/held)" ] || {
      # What could not be written after the INVITE left is for a person; here he lets it go on.
      [ "${2:-0}" -ne 0 ]
      cpm-queue -q -Q q release $(ls q/held)
      run_to_end
    }
    assert_sound
    assert_count done 2
    [ -z "$(ls q/msg)" ]
    for file in q/done/*/*; do
      transferred=$(grep -c ' msrp.transferred ' "$file")
      [ "$transferred" -le 1 ] || confirmed=$((confirmed + 1))
    done
    # The recipient may get it again only where its confirmation never became durable.
    [ "$(got "$id")" -ge 2 ]
    [ "$(got "$id")" -le 2 ] || window=$((window + 1))
  done
  stop_sink
  local how=killed
  [ -z "${2:-}" ] || how="failing with $2"
  echo "# run, $1 $how: $points points, lost 0, repeated though confirmed $confirmed, repeated in the window $window" >&3
  [ "$points" -gt 0 ]
  [ "$confirmed" -eq 0 ]
}

@test "run: SIGKILL of cpm-queue after every call" { crash_run cpm-queue; }

@test "run: every call of cpm-queue failing in turn" {
  crash_run cpm-queue 28 # ENOSPC
  [ -n "${CPM_LONG:-}" ] || return 0
  crash_run cpm-queue 5 # EIO
  crash_run cpm-queue 24 # EMFILE
}

@test "run: every call of the stages failing in turn" {
  [ -n "${CPM_LONG:-}" ] || skip "CPM_LONG is not set"
  local program
  for program in cpm-invite cpm-msrp-serve cpm-bye; do
    crash_run $program 28
    crash_run $program 5
  done
}

@test "run: SIGKILL of cpm-invite after every call" {
  [ -n "${CPM_LONG:-}" ] || skip "CPM_LONG is not set"
  crash_run cpm-invite
}

@test "run: SIGKILL of cpm-msrp-serve after every call" {
  [ -n "${CPM_LONG:-}" ] || skip "CPM_LONG is not set"
  crash_run cpm-msrp-serve
}

@test "run: SIGKILL of cpm-bye after every call" {
  [ -n "${CPM_LONG:-}" ] || skip "CPM_LONG is not set"
  crash_run cpm-bye
}
