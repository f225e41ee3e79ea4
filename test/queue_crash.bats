#!/usr/bin/env bats
# SIGKILL after every call that changes a file, and every such call failing, in cpm-queue and in the
# stages. Afterwards a check and a run bring the queue to the right state: nothing that was accepted
# is lost, nothing that was confirmed is repeated. long_queue_crash.bats has more of it.
bats_require_minimum_version 1.5.0
load helper
load queue
load queue_crash

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

@test "run: SIGKILL of cpm-queue after every call" { crash_run cpm-queue 0; }
@test "run: SIGKILL of cpm-invite after every call" { crash_run cpm-invite 0; }
@test "run: SIGKILL of cpm-msrp-serve after every call" { crash_run cpm-msrp-serve 0; }
@test "run: SIGKILL of cpm-bye after every call" { crash_run cpm-bye 0; }

@test "run: SIGKILL of all after every call of cpm-queue" { FAULT_ALL=yes crash_run cpm-queue 0; }
@test "run: SIGKILL of all after every call of cpm-invite" { FAULT_ALL=yes crash_run cpm-invite 0; }
@test "run: SIGKILL of all after every call of cpm-msrp-serve" { FAULT_ALL=yes crash_run cpm-msrp-serve 0; }
@test "run: SIGKILL of all after every call of cpm-bye" { FAULT_ALL=yes crash_run cpm-bye 0; }

@test "run: every call of cpm-queue failing in turn" { crash_run cpm-queue 28; } # ENOSPC
@test "run: every call of cpm-invite failing in turn" { crash_run cpm-invite 28; } # ENOSPC
@test "run: every call of cpm-msrp-serve failing in turn" { crash_run cpm-msrp-serve 28; } # ENOSPC
@test "run: every call of cpm-bye failing in turn" { crash_run cpm-bye 28; } # ENOSPC

@test "run, refused: SIGKILL of cpm-queue after every call" { crash_refused 0; }
@test "run, refused: every call of cpm-queue failing in turn" { crash_refused 28; }

@test "run: cpm-deliver changes no file" {
  build_fault
  start_sink
  add_message quiet "$BOB"
  faulty cpm-deliver 1 0 cpm-queue -q -Q q run
  [ -z "$CALL" ]
  assert_count done 1
}

@test "run: descriptors run out in cpm-queue" { starve cpm-queue; }
@test "run: descriptors run out in cpm-deliver" { starve cpm-deliver; }
@test "run: descriptors run out in cpm-invite" { starve cpm-invite; }
@test "run: descriptors run out in cpm-msrp-serve" { starve cpm-msrp-serve; }
@test "run: descriptors run out in cpm-bye" { starve cpm-bye; }
