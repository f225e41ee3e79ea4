#!/usr/bin/env bats
# The three ways of use: one program, a pipeline, each stage alone; and the odd places they run in.
bats_require_minimum_version 1.5.0
load helper

pipeline() { # in dash, as a person would type it; its status is the last stage's
  timeout "$GUARD" dash -c '
    cpm-invite -s s --from "$1" --to "$2" | cpm-msrp-serve -s s "$3" | cpm-bye -s s' \
    sh "$ALICE" "$BOB" "${1:-m.cpim}" 2>err
}

@test "cpm-deliver m.cpim" {
  start_sink
  make_message 100000
  run -0 --separate-stderr timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  [ -z "$stderr" ]
  stop_sink
  assert_stored 1
  sink_saw 'sink.bye'
  ! grep sink.error sink.log
}

@test "cpm-deliver composes a photo first" {
  start_sink
  head -c 5000 /dev/urandom >photo.jpg
  run -0 timeout $GUARD cpm-deliver --from "$ALICE" --to "$BOB" --type image/jpeg photo.jpg
  stop_sink
  tail -c 5000 store/* | cmp - photo.jpg
}

@test "the transcript on stdout is the attempt in the file" {
  start_sink
  make_message 1000
  timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out
  sort s >a
  sed '/ msrp.progress /d' out | sort >b
  diff a b
}

@test "a pipeline in dash" {
  start_sink
  make_message 100000
  pipeline >out
  [ ! -s err ]
  stop_sink
  assert_stored 1
  grep -q ' outcome .*status=0' out
}

@test "filters between the stages that hand on each line" {
  start_sink
  make_message 1000
  timeout $GUARD cpm-invite -s s --from "$ALICE" --to "$BOB" | sed -u -n p |
    timeout $GUARD cpm-msrp-serve -s s m.cpim | sed -u -n p | timeout $GUARD cpm-bye -s s >out
  stop_sink
  assert_stored 1
  diff <(sort s) <(sed '/ msrp.progress /d' out | sort)
}

@test "a pipeline's status is the verdict: 486 is 75, 404 is 69" {
  start_sink --behave 1:invite=486 --behave 2:invite=404
  make_message 100
  run pipeline
  assert_status "$status" 75
  rm s
  run pipeline
  assert_status "$status" 69
}

one_stage() { # name, status file; the stage alone, with only the session file
  case $1 in
    i) cpm-invite -s s --alone --from "$ALICE" --to "$BOB" ;;
    s) cpm-msrp-serve -s s --alone m.cpim ;;
    b) cpm-bye -s s --alone ;;
  esac </dev/null >>"$1.out" 2>>"$1.err" 3>&- &
  eval "PID_$1=$!"
}

attempt_in_order() { # three letters; sets I S B to the statuses
  local stage
  for stage in $1; do
    one_stage "$stage"
    # The next one only when this one has its byte or line: so the order is real.
    cpm-session wait s attempt.start --timeout 0.2 2>/dev/null || true
  done
  I=0 S=0 B=0
  wait "$PID_i" || I=$?
  wait "$PID_s" || S=$?
  wait "$PID_b" || B=$?
}

six_orders() {
  start_sink --behave 1:invite=486
  make_message 3000
  attempt_in_order "$1"
  echo "first: $I $S $B"
  [ "$B" -eq 75 ] && [ "$I" -eq 75 ]
  attempt_in_order "$1"
  echo "second: $I $S $B"
  cat ./*.err s
  [ "$I" -eq 0 ] && [ "$S" -eq 0 ] && [ "$B" -eq 0 ]
  attempt_in_order "$1"
  echo "third: $I $S $B"
  [ "$I" -eq 64 ] && [ "$S" -eq 64 ] && [ "$B" -eq 64 ]
  stop_sink
  assert_stored 1
}

@test "each stage alone: invite, serve, bye" { six_orders "i s b"; }
@test "each stage alone: invite, bye, serve" { six_orders "i b s"; }
@test "each stage alone: serve, invite, bye" { six_orders "s i b"; }
@test "each stage alone: serve, bye, invite" { six_orders "s b i"; }
@test "each stage alone: bye, invite, serve" { six_orders "b i s"; }
@test "each stage alone: bye, serve, invite" { six_orders "b s i"; }

@test "a single stage whose stdin is somebody's ended pipe says what to do" {
  : | { run -75 timeout $GUARD cpm-bye -s s; [[ $output == *--alone* ]]; }
}

@test "with /dev/null at stdin" {
  start_sink
  make_message 10
  timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim </dev/null
  rm s
  pipeline </dev/null
}

@test "with a pipe at end of file at stdin, as cron gives it" {
  start_sink
  make_message 10
  : | timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  rm s
  : | pipeline
}

@test "in a while read loop each line is still the loop's" {
  start_sink
  make_message 10
  printf '%s\n' a b c >list
  while read -r name; do
    timeout $GUARD cpm-deliver -s "$name" --from "$ALICE" --to "$BOB" m.cpim
    echo "$name" >>done
  done <list
  cmp list done
  stop_sink
  [ "$(find store -type f | wc -l)" -eq 3 ]
}

@test "a reader that does not read does not hold up a delivery" {
  start_sink
  make_message 100000
  mkfifo unread
  exec 8<>unread
  # Fill the pipe, so that not even the first line fits.
  timeout 1 dd if=/dev/zero of=unread bs=4096 oflag=nonblock 2>/dev/null || true
  run -0 timeout $GUARD dash -c '
    cpm-invite -s s --from "$1" --to "$2" | cpm-msrp-serve -s s m.cpim | cpm-bye -s s >unread' \
    sh "$ALICE" "$BOB"
  [[ $output == *"too slow"* ]]
  exec 8>&-
  stop_sink
  assert_stored 1
}

@test "a reader that leaves at once does not end a delivery" {
  start_sink
  make_message 100000
  timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim | head -1
  stop_sink
  assert_stored 1
  grep -q ' outcome .*status=0' s
}

@test "a second delivery of the same message is 0, of another one 64" {
  start_sink
  make_message 10
  timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  make_message 10 other.cpim
  run -64 timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" other.cpim
  stop_sink
  assert_stored 1
}

@test "--dry-run prints a pipeline that works when pasted into dash and bash" {
  start_sink
  local odd="-a b'c\"d\$e
f"
  mkdir -- "$odd"
  make_message 1000
  cp m.cpim "./$odd/-m x.cpim"
  for shell in dash bash; do
    cpm-deliver --dry-run -s "./$odd/$shell \$s" --from "$ALICE" --to "$BOB" -- "./$odd/-m x.cpim" >script
    timeout $GUARD $shell script
  done
  (
    cd -- "./$odd"
    cpm-deliver --dry-run -s=s --from "$ALICE" --to "$BOB" -- "-m x.cpim" >script
    timeout $GUARD dash script
  )
  stop_sink
  assert_stored 3
}

@test "a stranger who holds a stage's pipe open does not hold up its end" {
  start_sink
  make_message 100000
  mkfifo pipe
  tail -f /dev/null >pipe 3>&- &
  local holder=$! status=0
  (cpm-invite -s s --from "$ALICE" --to "$BOB" | cpm-msrp-serve -s s m.cpim >pipe) 3>&- &
  timeout "$GUARD" cpm-bye -s s <pipe >out || status=$?
  kill "$holder"
  assert_status "$status" 0
  grep -q ' outcome .*status=0' out
}

@test "a stdout that takes nothing is told, and the delivery goes on" {
  start_sink
  make_message 1000
  run --separate-stderr timeout $GUARD sh -c 'cpm-deliver -s s --from "$1" --to "$2" m.cpim >/dev/full' sh "$ALICE" "$BOB"
  assert_status "$status" 0
  [[ $stderr == *"standard output: No space left on device"* ]]
}

@test "cpm-session wait --timeout 0 asks whether it is there now" {
  start_sink
  make_message 1000
  cpm-deliver -q -s s --from "$ALICE" --to "$BOB" m.cpim >/dev/null
  cpm-session wait s outcome --timeout 0
  run -75 --separate-stderr timeout $GUARD cpm-session wait s invite.failed --timeout 0
  run -75 --separate-stderr timeout $GUARD cpm-session wait nothing outcome --timeout 0
}

@test "--show-config names the line of each value of a repeated key" {
  printf 'proxy = sip:a;lr\n\nproxy = sip:b;lr\n' >two.conf
  run -0 cpm-invite -c two.conf --show-config
  [[ $output == *"proxy=sip:a;lr  # from: two.conf:1"* ]]
  [[ $output == *"proxy=sip:b;lr  # from: two.conf:3"* ]]
}

@test "--dry-run with content: what lies there stays, and the message is closed to others" {
  start_sink
  head -c 5000 /dev/urandom >s.cpim
  cp s.cpim photo
  cpm-deliver --dry-run -s s --from "$ALICE" --to "$BOB" --type image/jpeg s.cpim >line
  timeout "$GUARD" dash ./line >out
  cmp s.cpim photo
  stop_sink
  tail -c 5000 store/* | cmp - photo
  [ "$(stat -c %a s.????????.cpim)" = 600 ]
}

@test "a closed stdout loses no product in silence" {
  echo hello >content
  run --separate-stderr sh -c 'cpm-compose --from "$1" --to sip:bob@example.com content >&-' sh "$ALICE"
  assert_status "$status" 74
  start_sink
  make_message 1000
  run --separate-stderr timeout $GUARD sh -c 'cpm-deliver -s s --from "$1" --to "$2" m.cpim >&-' sh "$ALICE" "$BOB"
  assert_status "$status" 0
  [ -z "$stderr" ]
}

@test "the outcome is the last word of an attempt" {
  start_sink --behave invite=486
  make_message 1000
  run timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  assert_status "$status" 75
  [[ $(tail -n 1 s) == *' outcome '* ]]
  grep -q ' msrp.failed ' s
}

@test "a reader of stderr that does not read does not hold up a delivery" {
  start_sink
  make_message 3000000
  mkfifo pipe
  tail -f /dev/null <pipe 3>&- &
  local holder=$! status=0
  exec 7>pipe
  timeout "$GUARD" cpm-deliver -vv --chunk-size 2048 -s s --from "$ALICE" --to "$BOB" m.cpim \
    </dev/null >/dev/null 2>&7 || status=$?
  exec 7>&-
  kill "$holder"
  assert_status "$status" 0
  stop_sink
  assert_stored 1
}

@test "too few descriptors are told at once, and nobody is left behind" {
  start_sink
  make_message 1000
  local n
  for n in 9 10 11; do
    rm -f s
    run --separate-stderr timeout $GUARD sh -c \
      'ulimit -n "$3" && exec cpm-deliver -s s --from "$1" --to "$2" m.cpim' sh "$ALICE" "$BOB" $n
    assert_status "$status" 71
    [[ $stderr == *"Too many open files"* ]]
    ! grep ":$(stat -c %i s) " /proc/locks
  done
}

@test "single stages: a killed cpm-bye is noticed though nobody had asked for it before" {
  start_sink --behave read-rate=50000
  make_message 20000000
  cpm-invite -s s --alone --from "$ALICE" --to "$BOB" </dev/null >i.out 2>i.err 3>&- &
  local invite=$!
  cpm-msrp-serve -s s --alone m.cpim </dev/null >s.out 2>s.err 3>&- &
  local serve=$!
  cpm-bye -s s --alone </dev/null >b.out 2>b.err 3>&- &
  local bye=$!
  cpm-session wait s msrp.connected --timeout "$GUARD"
  cpm-session wait s bye.waiting --timeout "$GUARD"
  local from=$SECONDS
  kill -KILL "$bye"
  wait "$invite" || true
  wait "$serve" || true
  [ $((SECONDS - from)) -lt 50 ] # it was --start-timeout, 60 s
  stop_sink
  sink_saw sink.bye
}

@test "a session file that becomes shorter under way ends the session with 74" {
  start_sink --behave read-rate=50000
  make_message 20000000
  local status=0
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim </dev/null >out 2>err 3>&- &
  local deliver=$!
  cpm-session wait s msrp.connected --timeout "$GUARD"
  : >s
  wait "$deliver" || status=$?
  assert_status "$status" 74
  stop_sink
  sink_saw sink.bye
}

@test "while a message is composed --timeout counts" {
  mkfifo content
  tail -f /dev/null >content 3>&- &
  local holder=$!
  run --separate-stderr timeout $GUARD cpm-deliver --timeout 1 --from "$ALICE" --to sip:bob@127.0.0.1:9 \
    --type a/b - <content
  kill "$holder"
  assert_status "$status" 75
  [[ $stderr == *"--timeout"* ]]
}

@test "content is delivered at the next attempt on its session file, another content is not" {
  start_sink --behave 1:invite=486
  echo hello >photo.jpg
  echo other >other.jpg
  again() { # STATUS FILE
    run --separate-stderr timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" --type image/jpeg "$2"
    assert_status "$status" "$1"
  }
  again 75 photo.jpg
  again 64 other.jpg
  again 0 photo.jpg
  again 0 photo.jpg
  again 64 other.jpg
  stop_sink
  tail -c 6 store/* | cmp - photo.jpg
  [ "$(grep -c sink.stored sink.log)" -eq 1 ]
}

@test "a message on stdin" {
  start_sink
  make_message 5000
  run -0 --separate-stderr timeout $GUARD cpm-deliver --from "$ALICE" --to "$BOB" - <m.cpim
  stop_sink
  assert_stored 1
}

@test "a file that is no session file is left as it is" {
  echo precious >x
  chmod 600 x
  cp x y
  run --separate-stderr timeout $GUARD cpm-deliver -s x --from "$ALICE" --to sip:bob@127.0.0.1:9 y
  assert_status "$status" 64
  [[ $stderr == *"another kind of file"* ]]
  cmp x y
  run --separate-stderr cpm-session show x
  [ "$status" -ne 0 ]
}

@test "options that do not go together are 64, for the pipeline too" {
  start_sink
  make_message 1000
  run --separate-stderr timeout $GUARD cpm-deliver -s s --require-report --from "$ALICE" --to "$BOB" m.cpim
  assert_status "$status" 64
  [ "$(cpm-session get s outcome.status)" = 64 ]
  run --separate-stderr timeout $GUARD cpm-deliver -s t --msrp-share --from "$ALICE" --to "$BOB" m.cpim
  assert_status "$status" 64
  stop_sink
  ! grep sink.invite sink.log
}

@test "cpm-deliver says the verdict in plain words on a terminal, and nothing in a pipe" {
  start_sink --behave 1:invite=486 --behave 2:invite=503 --behave 2:retry-after=120
  make_message 78000
  local octets
  octets=$(wc -c <m.cpim | sed 's/\(...\)$/,\1/')
  # on_terminal WANTED-STATUS TEXT
  on_terminal() {
    local status=0
    timeout "$GUARD" script -qec "cpm-deliver -s s --from '$ALICE' --to '$BOB' m.cpim >out" typescript \
      >/dev/null </dev/null || status=$?
    assert_status "$status" "$1"
    # The meter leaves its line empty.
    tr -d '\r' <typescript | sed 's/^.*\x1b\[K//' | grep -E "^cpm-deliver: $2\$" || {
      cat -v typescript
      return 1
    }
  }
  on_terminal 75 "not delivered to $BOB: 486 Busy Here; try again \(75\)"
  on_terminal 75 "not delivered to $BOB: 503 Service Unavailable; try again after 120 s \(75\)"
  on_terminal 0 "delivered to $BOB in [0-9]+\.[0-9]{3} s, $octets octets"
  timeout "$GUARD" cpm-deliver --from "$ALICE" --to "$BOB" m.cpim >out 2>err </dev/null
  [ ! -s err ]
}
