#!/usr/bin/env bats
# Many at once: runners that are killed again and again, with their stages left alive, while entries
# are added and held and the folder is repaired. With CPM_LONG 5,000 entries and ten runners.
bats_require_minimum_version 1.5.0
load helper
load queue

ENTRIES=${ENTRIES:-${CPM_LONG:+5000}}
ENTRIES=${ENTRIES:-120}
RUNNERS=${RUNNERS:-${CPM_LONG:+10}}
RUNNERS=${RUNNERS:-3}
PATIENCE=${PATIENCE:-${CPM_LONG:+3000}}
PATIENCE=${PATIENCE:-$GUARD}

# A runner that is killed now and then, after a number of its calls, until `work` goes.
doomed_runner() { # SEED
  RANDOM=$1
  while [ -e work ]; do
    mkdir -p "fault-$1"
    rm -f "fault-$1/done"
    FAULT_PROGRAM=cpm-queue FAULT_AT=$((RANDOM % 60 + 1)) FAULT_FOLDER=$PWD/fault-$1 FAULT_ERRNO=0 \
      LD_PRELOAD=$PWD/fault.so cpm-queue -q -Q q run --jobs 4 --retry-first 0 || true
  done >>"runner-$1.log" 2>&1
}

disturb() {
  local id
  while [ -e work ]; do
    for id in $(ls q/wait | head -n 3 | cut -d- -f2-); do
      cpm-queue -q -Q q hold "$id"
      cpm-queue -q -Q q release "$id"
    done
    cpm-queue -q -Q q check --repair
  done >/dev/null 2>&1
}

@test "runners killed at random: each message is delivered once" {
  local i pids=()
  build_fault
  start_sink
  touch work
  # What is there before, and what is added meanwhile.
  for i in $(seq $((ENTRIES / 2))); do
    cpm-compose --from "$ALICE" --to "$BOB" --type text/plain --message-id "m-$i" - <<<"$i" >"m-$i"
    echo "sip:r$((i % 50))@$SINK_HOST m-$i"
  done >list
  cpm-queue -Q q add --from "$ALICE" --many <list >ids
  for i in $(seq "$RUNNERS"); do
    doomed_runner "$i" 3>&- &
    pids+=($!)
  done
  disturb 3>&- &
  pids+=($!)
  for i in $(seq $((ENTRIES / 2 + 1)) "$ENTRIES"); do
    add_message "m-$i" "sip:r$((i % 50))@$SINK_HOST"
  done >>ids
  timeout "$PATIENCE" sh -c 'until [ -z "$(ls q/wait q/held | grep -)" ]; do sleep 0.2; done' ||
    cpm-queue -Q q list --state waiting | head
  rm work
  wait "${pids[@]}" || true
  # Some may be held, or released by nobody.
  cpm-queue -q -Q q release $(ls q/held) || true
  for i in $(seq 100); do
    [ -n "$(ls q/wait)" ] || break
    cpm-queue -q -Q q run --retry-first 0 --jobs 8 || true
  done
  cpm-queue -q -Q q check --repair || true
  assert_sound
  assert_count done "$ENTRIES"
  stop_sink
  local confirmed window
  confirmed=$(grep -c ' msrp.transferred ' -r q/done | awk -F: '$NF > 1' | wc -l)
  window=$(grep ' sink.stored ' sink.log | grep -o 'cpim-id=[^ ]*' | sort | uniq -d | wc -l)
  echo "# $ENTRIES accepted, $(grep -c ' sink.stored ' sink.log) received, repeated though confirmed $confirmed, repeated in the window $window" >&3
  [ "$(grep ' sink.stored ' sink.log | grep -o 'cpim-id=[^ ]*' | sort -u | wc -l)" -eq "$ENTRIES" ]
  [ "$confirmed" -eq 0 ]
  [ "$window" -eq 0 ]
}
