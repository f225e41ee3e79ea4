#!/usr/bin/env bats
# Power loss: what a disk may hold after each call of an operation, by a model (test/power.py). With
# CPM_LONG 10,000 disks an operation; and the model has to see it when any one sync is left out.
bats_require_minimum_version 1.5.0
load helper
load queue

IMAGES=${IMAGES:-${CPM_LONG:+10000}}
IMAGES=${IMAGES:-60}

prepare() {
  cc -shared -fPIC -D_GNU_SOURCE -O1 -o record.so "$BATS_TEST_DIRNAME/preload/record.c"
  cc -shared -fPIC -O1 -o nosync.so "$BATS_TEST_DIRNAME/preload/nosync.c"
  mkdir disk
  cat >fake-deliver <<'END'
#!/bin/sh
for last; do :; done
echo "${last##*/}" >>"$CALLED"
exit 75
END
  chmod +x fake-deliver
}

# recorded COMMAND...: what was on the disk before goes to `before`, the calls to `log`.
recorded() {
  rm -rf before
  cp -a disk before
  : >log
  RECORD_LOG=$PWD/log RECORD_ROOT=$PWD/disk LD_PRELOAD=$PWD/record.so "$@"
}

model() { # RULE [options]
  local rule=$1
  shift
  python3 "$BATS_TEST_DIRNAME/power.py" --log log --root "$PWD/disk" --queue q --before before \
    --rule "$rule" --program "$CPM_BIN" --ids "$ids" --seed "${SEED:-$RANDOM}" "$@"
}

# The rule holds on all disks, and not when any one sync is left out.
judge() { # RULE [options]
  local n found
  model "$@" --images "$IMAGES" >result || { cat result && cut -c 1-300 log && return 1; }
  sed 's/^/# /' result >&3
  [ -n "${CPM_LONG:-}" ] || return 0
  for n in $(seq "$(grep -cE '^sync' log)"); do
    if found=$(model "$@" --images 1000 --skip "$n"); then
      echo "not noticed: $found"
      cut -c 1-300 log
      return 1
    fi
    echo "# $found" >&3
  done
}

two() { # the message for two recipients, on the disk
  printf 'hello %s' "$(seq 1000)" >content
  cpm-compose --from "$ALICE" --to sip:bob@example.net --type text/plain content >m.cpim
  cpm-queue -Q "$PWD/disk/q" add --from "$ALICE" --to sip:bob@example.net \
    --to sip:carol@example.net m.cpim >ids
  ids=$(tr '\n' , <ids)
}

@test "add, to a queue that is not there yet" {
  prepare
  printf 'hello %s' "$(seq 1000)" >content
  cpm-compose --from "$ALICE" --to sip:bob@example.net --type text/plain content >m.cpim
  recorded cpm-queue -Q "$PWD/disk/q" add --from "$ALICE" --to sip:bob@example.net \
    --to sip:carol@example.net m.cpim >ids
  ids=$(tr '\n' , <ids)
  judge add --body m.cpim
}

@test "add, of many" {
  prepare
  two
  for i in 1 2 3 4 5; do echo "sip:r$i@example.net m.cpim"; done >list
  recorded cpm-queue -Q "$PWD/disk/q" add --from "$ALICE" --many <list | cut -f1 >ids
  ids=$(tr '\n' , <ids)
  judge add --body m.cpim
}

@test "hold, remove, release, retry, expire" {
  prepare
  for wish in hold remove; do
    rm -rf disk/q
    two
    recorded cpm-queue -Q "$PWD/disk/q" $wish $(cat ids)
    judge $wish --body m.cpim
  done
  for wish in release retry expire; do
    rm -rf disk/q
    two
    cpm-queue -Q "$PWD/disk/q" hold $(cat ids)
    recorded cpm-queue -Q "$PWD/disk/q" $wish $(cat ids)
    judge $wish --body m.cpim
  done
}

# two_reached [options of cpm-sink]: the same where somebody answers.
two_reached() {
  start_sink "$@"
  cpm-compose --from "$ALICE" --to "$BOB" --type text/plain content >m.cpim
  cpm-queue -Q "$PWD/disk/q" add --from "$ALICE" --to "$BOB" --to "sip:carol@$SINK_HOST" \
    m.cpim >ids
  ids=$(tr '\n' , <ids)
}

@test "run: one is delivered, one refused" {
  prepare
  echo hello >content
  two_reached --behave 1:invite=404
  recorded cpm-queue -q -Q "$PWD/disk/q" run --jobs 1
  stop_sink
  judge run --body m.cpim
}

@test "run: refused, and somebody is told" {
  prepare
  echo hello >content
  two_reached --behave invite=404
  recorded cpm-queue -q -Q "$PWD/disk/q" run --jobs 1 --notify 'cat >told'
  stop_sink
  judge run --body m.cpim
}

@test "run: put off" {
  prepare
  echo hello >content
  two_reached --behave invite=480
  recorded cpm-queue -q -Q "$PWD/disk/q" run --jobs 1
  stop_sink
  judge run --body m.cpim
}

@test "check --repair, of moves that a power loss has undone" {
  local path
  prepare
  echo hello >content
  two_reached
  cpm-queue -q -Q disk/q run
  stop_sink
  for path in disk/q/done/*/*; do mv "$path" "disk/q/wait/1000000000-${path##*/}"; done
  rmdir disk/q/done/*
  recorded cpm-queue -q -Q "$PWD/disk/q" check --repair
  judge run --body m.cpim
}
