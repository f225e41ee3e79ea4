# Crashes and failures of a run, point by point.

# Brings all to its end: a pass and another, as long as stages that were left alive are at work.
run_to_end() { # [options]
  local i
  for i in $(seq 300); do
    cpm-queue -q -Q q run --retry-first 0 --to "$BOB" --to "$CAROL_THERE" "$@" >out 2>>runs.err
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

# After the crash: the right state, with nothing lost. CONFIRMED and WINDOW count what was repeated.
assert_recovered() { # CPIM-ID ERRNO
  local file n
  cpm-queue -Q q check --repair >out
  run_to_end
  [ -z "$(ls q/held)" ] || {
    # What could not be written after the INVITE left is for a person; here he lets it go on.
    [ "$2" -ne 0 ]
    find q/held -type f -printf '%f\0' | xargs -0 cpm-queue -q -Q q release
    run_to_end
  }
  assert_sound
  assert_count 'done' 2
  [ -z "$(ls q/msg)" ]
  for file in q/done/*/*; do
    n=$(grep -c ' msrp.transferred ' "$file")
    [ "$n" -le 1 ] || CONFIRMED=$((CONFIRMED + 1))
  done
  [ "$(reached "$1")" -eq 2 ]
  # A recipient may get it again only where its confirmation never became durable.
  [ "$(got "$1")" -le 2 ] || WINDOW=$((WINDOW + 1))
}

# Each call of the program that changes a file, in a run for two recipients, fails in turn, or (ERRNO
# 0) is followed by SIGKILL; with FAULT_ALL of everybody in that run. `beside`: others are at work, and
# the first repair is killed too.
crash_run() { # PROGRAM ERRNO [beside]
  local n=0 id points=0 missed=0 allowed=0 how=killed
  [ -z "${FAULT_ALL:-}" ] || how='killed, and all others with it'
  [ "$2" -eq 0 ] || how="failing with $2"
  [ -z "${3:-}" ] || allowed=5 how+=", others beside"
  CONFIRMED=0 WINDOW=0
  build_fault
  start_sink
  CAROL_THERE=sip:carol@$SINK_HOST
  # Beside others a call may not come because they were faster.
  while [ "$missed" -le "$allowed" ]; do
    n=$((n + 1))
    id=crash-$1-$2-$n
    rm -rf q
    add_message "$id" "$BOB" "$CAROL_THERE" >out
    [ -z "${3:-}" ] || others_begin
    faulty "$1" $n "$2" cpm-queue -q -Q q run --jobs 2 2>err >out
    [ -z "${3:-}" ] || others_end
    [ "$STATUS" -ne 124 ] # it came to an end
    if [ -z "$CALL" ]; then
      missed=$((missed + 1))
      continue
    fi
    missed=0
    points=$((points + 1))
    [ -z "${3:-}" ] || faulty cpm-queue $((n % 5 + 1)) 0 cpm-queue -Q q check --repair >out 2>err
    assert_recovered "$id" "$2"
  done
  stop_sink
  echo "# run, $1 $how: $points points, lost 0, repeated though confirmed $CONFIRMED, repeated in the window $WINDOW" >&3
  [ "$points" -gt 0 ]
  [ "$CONFIRMED" -eq 0 ]
}

# The same in cpm-queue where the recipients refuse: both entries end in failed/, and of each somebody
# is told, again only where nothing durable says that he was.
crash_refused() { # ERRNO
  local n=0 again=0 how=killed id told
  [ "$1" -eq 0 ] || how="failing with $1"
  build_fault
  start_sink --behave invite=404
  CAROL_THERE=sip:carol@$SINK_HOST
  while :; do
    n=$((n + 1))
    rm -rf q told
    add_message "refused-$1-$n" "$BOB" "$CAROL_THERE" >ids
    faulty cpm-queue $n "$1" cpm-queue -q -Q q run --jobs 2 --notify 'cat >>told' 2>err >out
    [ "$STATUS" -ne 124 ]
    [ -n "$CALL" ] || break
    cpm-queue -Q q check --repair >out
    run_to_end --notify 'cat >>told'
    assert_sound
    assert_count failed 2
    while read -r id; do
      told=$(grep -c "^id=$id" told || true)
      [ "$told" -ge 1 ]
      [ "$(grep -c ' notify.done .*status=0' "q/failed/$id")" -eq 1 ]
      again=$((again + told - 1))
    done <ids
  done
  stop_sink
  echo "# run, refused, cpm-queue $how: $((n - 1)) points, lost 0, told all, told again $again" >&3
  [ "$n" -gt 8 ]
}

# The program may have so many descriptors, from none of its own on until they suffice.
starve() { # PROGRAM
  local n=3 id variable=CPM_EXEC_${1#cpm-} run=(cpm-queue)
  variable=${variable//-/_}
  [ "$1" != cpm-queue ] || run=(./starved)
  CONFIRMED=0 WINDOW=0
  start_sink
  CAROL_THERE=sip:carol@$SINK_HOST
  while :; do
    id=starve-$1-$n
    rm -rf q
    add_message "$id" "$BOB" "$CAROL_THERE" >out
    printf '#!/bin/bash\nulimit -n %d\nexec %s "$@"\n' $n "$CPM_BIN/$1" >starved
    chmod +x starved
    STATUS=0
    env "${variable^^}=$PWD/starved" timeout --foreground "$GUARD" "${run[@]}" -q -Q q run --jobs 2 --accept-timeout 1 \
      2>err >out 3>&- || STATUS=$?
    [ "$STATUS" -ne 124 ]
    [ -z "$(ls q/held)" ] # the fault is ours
    [ -s err ] || [ -n "$(ls q/wait)" ] || break
    n=$((n + 1))
    assert_recovered "$id" 0
  done
  echo "# run, $1 with 3 to $((n - 1)) descriptors: lost 0, repeated though confirmed $CONFIRMED" >&3
  [ "$CONFIRMED" -eq 0 ]
  [ "$n" -gt 4 ]
}
