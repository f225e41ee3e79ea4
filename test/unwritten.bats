#!/usr/bin/env bats
# A stage that cannot write to its session file, at each call in turn, once or from then on: no
# stage waits for what it is not told, the status is 74 (or 0, if the transfer is in the file), the
# session is ended with the recipient, no lock is left. Prints the table.
bats_require_minimum_version 1.5.0
load helper
load queue

judge() { # PROGRAM HOW
  local transferred=no ended=- faults=
  grep -q ' msrp.transferred ' s && transferred=yes
  if grep -q ' sink.invite ' sink.log; then
    ended=no
    grep -q ' sink.bye ' sink.log && ended=yes
  fi
  case $transferred in
    yes) [ "$STATUS" -eq 0 ] || faults+=' status;' ;;
    no) [ "$STATUS" -eq 74 ] || faults+=' status;' ;;
  esac
  [ "$ended" != no ] || faults+=' the session dangles;'
  ! grep -q ":$(stat -c %i s) " /proc/locks || faults+=' a lock is left;'
  printf '# %-15s %-9s %-10s status %-3s transferred %-3s session ended %s%s\n' \
    "$1" "$CALL" "$2" "$STATUS" "$transferred" "$ended" "${faults:+ FAULT:$faults}" >&3
  [ -z "$faults" ]
}

unwritten_everywhere() { # PROGRAM ERRNO HOW
  local n=0
  build_fault
  start_sink
  make_message 5000
  while :; do
    n=$((n + 1))
    rm -f s
    stop_sink
    start_sink
    faulty "$1" $n "$2" cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >/dev/null 2>err 3>&-
    stop_sink
    [ -n "$CALL" ] || break
    judge "$1" "$3" || {
      cat s sink.log err
      return 1
    }
  done
  [ "$STATUS" -eq 0 ]
  [ "$n" -gt 3 ]
}

@test "cpm-invite cannot write once" { unwritten_everywhere cpm-invite 28 once; }
@test "cpm-msrp-serve cannot write once" { unwritten_everywhere cpm-msrp-serve 28 once; }
@test "cpm-bye cannot write once" { unwritten_everywhere cpm-bye 28 once; }

@test "cpm-invite cannot write any more" {
  export FAULT_LASTING=yes
  unwritten_everywhere cpm-invite 5 'and after'
}

@test "cpm-msrp-serve cannot write any more" {
  export FAULT_LASTING=yes
  unwritten_everywhere cpm-msrp-serve 5 'and after'
}

@test "cpm-bye cannot write any more" {
  export FAULT_LASTING=yes
  unwritten_everywhere cpm-bye 5 'and after'
}

# An attempt whose processes were all killed in the middle of it.
leave_over() {
  local pid
  rm -f s
  setsid cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >/dev/null 2>&1 3>&- &
  pid=$!
  timeout "$GUARD" sh -c 'until [ -e s ]; do sleep 0.02; done'
  cpm-session wait s msrp.connected --timeout "$GUARD" >/dev/null
  kill -KILL -- -$pid
  # The kernel frees the locks of each as it goes.
  timeout "$GUARD" sh -c 'while grep -q ":$1 " /proc/locks; do sleep 0.02; done' sh "$(stat -c %i s)"
}

@test "cpm-bye --cleanup cannot write: the session is ended all the same, and it is said" {
  local n=0
  build_fault
  start_sink --behave msrp-silent@1
  make_message 5000
  while :; do
    n=$((n + 1))
    leave_over
    faulty cpm-bye $n 28 cpm-bye --cleanup -s s --from "$ALICE" --to "$BOB" 2>err
    [ -n "$CALL" ] || break
    assert_status "$STATUS" 74
    [ "$(wc -l <err)" -eq 1 ]
  done
  assert_status "$STATUS" 0
  [ "$n" -gt 2 ]
  stop_sink
  [ "$(grep -c ' sink.bye ' sink.log)" -eq "$n" ]
}
