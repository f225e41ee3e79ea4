#!/usr/bin/env bats
# queue_crash.bats while a second runner and `check --repair` are at work beside, with a second
# SIGKILL during the repair; and the errors that it leaves out.
bats_require_minimum_version 1.5.0
load helper
load queue
load queue_crash

ENOSPC=28 EIO=5 EMFILE=24

everywhere() { # ERRNO [beside]
  local program
  for program in cpm-queue cpm-invite cpm-msrp-serve cpm-bye; do
    crash_run $program "$@"
  done
}

@test "run: EIO of every call" { everywhere $EIO; }
@test "run: EMFILE of every call" { everywhere $EMFILE; }
@test "run: SIGKILL after every call, others beside" { everywhere 0 beside; }
@test "run: SIGKILL of all after every call, others beside" { FAULT_ALL=yes everywhere 0 beside; }
@test "run: ENOSPC of every call, others beside" { everywhere $ENOSPC beside; }
@test "run: EIO of every call, others beside" { everywhere $EIO beside; }
@test "run: EMFILE of every call, others beside" { everywhere $EMFILE beside; }
