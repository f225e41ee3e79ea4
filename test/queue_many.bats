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

# How many entries wait with an event in their journal.
standing() { # EVENT
  { grep -ls " $1 " -r q/wait || true; } | wc -l
}

add_for_many() { # COUNT
  local i
  echo x | cpm-compose --from "$ALICE" --to "$BOB" --type text/plain - >m.cpim
  for i in $(seq "$1"); do echo "sip:r$i@$SINK_HOST m.cpim"; done |
    cpm-queue -Q q add --from "$ALICE" --many >ids
}

@test "100 deliveries stand at once with 232 descriptors, 64 of them at first, and 8 inotify instances" {
  local runner
  SINK_SIP=tcp:127.0.0.1:0 start_sink
  add_for_many 100
  kill -STOP "$SINK_PID" # it answers nobody until all have called
  timeout --foreground "$GUARD" unshare -Ur prlimit --nofile=64:232 sh -c \
    'echo 8 >/proc/sys/user/max_inotify_instances && exec cpm-queue -Q q run --jobs 100' \
    >summary 2>err 3>&- &
  runner=$!
  until [ "$(standing invite.sent)" -eq 100 ]; do
    kill -0 "$runner" || { kill -CONT "$SINK_PID" && cat err && return 1; }
    read -rt 0.1 <> <(:) || :
  done
  kill -CONT "$SINK_PID"
  wait "$runner"
  [ "$(cat summary)" = 'delivered 100, deferred 0, refused 0, expired 0' ]
  assert_sound
}

@test "where there is no room for so many at once, fewer are under way, and all are delivered" {
  # Root is not held to a number of processes, and others may run as whoever we are.
  local user=(unshare -U --map-user=54321 --map-group=54321)
  if [ "$(id -u)" -eq 0 ]; then
    user=(setpriv --reuid=54321 --regid=54321 --clear-groups)
    mkdir programs && cp "$CPM_BIN"/cpm-* programs/ # where it may look
    chmod -R a+rX "$BATS_RUN_TMPDIR"
    export PATH=$PWD/programs:$PATH XDG_RUNTIME_DIR=
  fi
  start_sink
  add_for_many 24
  run -0 --separate-stderr prlimit --nofile=52:52 cpm-queue -Q q run --jobs 24 --to "sip:r1@$SINK_HOST"
  [[ $stderr == *'--jobs: 10, for more there are not enough descriptors (ulimit -n)'* ]]
  [ "$(id -u)" -ne 0 ] || chown -R 54321 .
  run --separate-stderr timeout --foreground "$GUARD" "${user[@]}" prlimit --nproc=36 \
    cpm-queue -Q q run --jobs 24
  echo "$output $stderr"
  [[ $stderr == *'--jobs: 5, for more there are not enough processes (ulimit -u)'* ]]
  [ "$output" = 'delivered 23, deferred 0, refused 0, expired 0' ]
}
