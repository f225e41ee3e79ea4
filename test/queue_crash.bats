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

crash_run() { # PROGRAM [STEP]
  local n=0 id points=0 window=0 confirmed=0 file transferred
  build_fault
  start_sink
  CAROL_THERE=sip:carol@$SINK_HOST
  while :; do
    n=$((n + ${2:-1}))
    id=crash-$1-$n
    rm -rf q
    add_message "$id" "$BOB" "$CAROL_THERE" >out
    faulty "$1" $n 0 cpm-queue -q -Q q run --jobs 2 2>err >out
    [ -n "$CALL" ] || break
    points=$((points + 1))
    cpm-queue -Q q check --repair >out
    run_to_end
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
  echo "# run, $1 killed: $points points, lost 0, repeated though confirmed $confirmed, repeated in the window $window" >&3
  [ "$points" -gt 0 ]
  [ "$confirmed" -eq 0 ]
}

@test "run: SIGKILL of cpm-queue after every call" { crash_run cpm-queue; }

@test "run: SIGKILL of cpm-deliver after every call" {
  [ -n "${CPM_LONG:-}" ] || skip "CPM_LONG is not set"
  crash_run cpm-deliver
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
