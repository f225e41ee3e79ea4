#!/usr/bin/env bats
# cpm-queue: what it accepts, delivers, puts off, gives up, and what people can do meanwhile.
bats_require_minimum_version 1.5.0
load helper
load queue

NOBODY=sip:nobody@127.0.0.1:9 # nothing listens there

# run_queue [options]: a pass; its line in SUMMARY.
run_queue() {
  STATUS=0
  SUMMARY=$(timeout --foreground "$GUARD" cpm-queue -Q q run "$@" 2>err) || STATUS=$?
}

assert_summary() { # TEXT
  [ "$SUMMARY" = "$1" ] || {
    echo "summary: $SUMMARY, expected: $1"
    cat err
    cpm-queue -Q q list
    return 1
  }
}

@test "add: content for two recipients is one file; a run delivers it to both" {
  start_sink
  printf 'ä' >content
  run -0 cpm-queue -Q q add --from "$ALICE" --to "$BOB" --to "sip:carol@$SINK_HOST" \
    --type text/plain content
  [ "${#lines[@]}" -eq 2 ]
  [ "$(stat -c %h "q/msg/${lines[0]}")" -eq 2 ]
  [ "q/msg/${lines[0]}" -ef "q/msg/${lines[1]}" ]
  [ "$(grep -c '^To: ' "q/msg/${lines[0]}")" -eq 2 ]
  [ "$(stat -c %a q q/wait q/lock "q/msg/${lines[0]}" | sort -u | tr '\n' ' ')" = '600 700 ' ]
  assert_sound
  run_queue
  assert_summary 'delivered 2, deferred 0, refused 0, expired 0'
  [ "$STATUS" -eq 0 ]
  stop_sink
  [ "$(find store -type f | wc -l)" -eq 2 ]
  assert_count done 2
  [ -z "$(ls q/msg)" ]
  assert_sound
}

@test "add: a message/cpim file is delivered octet for octet; what is none is refused" {
  start_sink
  make_message 20000
  run -0 cpm-queue -Q q add --from "$ALICE" --to "$BOB" m.cpim
  run -65 cpm-queue -Q q add --from "$ALICE" --to "$BOB" content
  run -66 cpm-queue -Q q add --from "$ALICE" --to "$BOB" none
  run -64 cpm-queue -Q q add --from "$ALICE" --to nonsense m.cpim
  run -64 cpm-queue -Q q add --from "$ALICE" m.cpim
  run -64 cpm-queue -Q q add --from "$ALICE" --to "$BOB" --jobs 3 m.cpim
  assert_count waiting 1
  [ -z "$(ls q/tmp)" ]
  run_queue
  stop_sink
  assert_stored 1
}

@test "add: standard input, also as message/cpim" {
  start_sink
  make_message 3000
  cpm-queue -Q q add --from "$ALICE" --to "$BOB" - <m.cpim
  run_queue
  stop_sink
  assert_stored 1
  echo hello | cpm-queue -Q q add --from "$ALICE" --to "$BOB" --type text/plain - >id
  grep -q '^hello' "q/msg/$(cat id)"
}

@test "add: the same again gives the same IDs and adds only what is missing" {
  add_message one sip:bob@example.net >first
  add_message one sip:bob@example.net sip:carol@example.net >second
  [ "$(cat first)" = "$(head -n 1 second)" ]
  assert_count waiting 2
  cpm-queue -Q q hold "$(cat first)"
  add_message one sip:bob@example.net >third
  cmp first third
  assert_count waiting 1
  # Delivered is not missing.
  start_sink
  add_message two "$BOB" >first
  run_queue --to "$BOB"
  assert_count done 1
  add_message two "$BOB" >second
  cmp first second
  assert_count waiting 1
  assert_sound
}

@test "add: who adds what was given up, or is held, is told so" {
  start_sink --behave invite=404
  add_message one "$BOB" >one
  add_message two sip:carol@example.net >two
  run_queue --to "$BOB"
  cpm-queue -Q q hold "$(cat two)"
  add_message one "$BOB" >again 2>err
  cmp one again
  grep -F "given up (to have it tried again: cpm-queue retry $(cat one))" err
  add_message two sip:carol@example.net 2>err
  grep -F "held (cpm-queue release $(cat two))" err
}

@test "add --many: a line is an item, a bad line is said and the others are accepted" {
  local i BOB=sip:bob@example.net
  make_message 100
  for i in $(seq 250); do
    make_message 10 "m$i" && printf 'sip:r%s@example.net m%s\n' "$i" "$i"
  done >list
  printf 'sip:x@example.net\tnone\nnonsense m1\nalone\n\nsip:last@example.net\tm1\n' >>list
  run -66 --separate-stderr cpm-queue -Q q add --from "$ALICE" --many <list
  [ "${#lines[@]}" -eq 251 ]
  [ "${#stderr_lines[@]}" -eq 3 ]
  [[ ${stderr_lines[0]} == *'standard input: line 251: none: No such file'* ]]
  [[ ${stderr_lines[1]} == *'standard input: line 252: nonsense: '*'(recipients are like sip:bob@example.com)' ]]
  [[ ${lines[250]} == *$'\tsip:last@example.net\tm1' ]]
  assert_count waiting 251
  assert_sound
}

@test "add: syncs are the files, the two folders, and no more; --many shares them" {
  local i BOB=sip:bob@example.net
  make_message 100
  cpm-queue -Q q add --from "$ALICE" --to sip:first@example.net m.cpim # makes the queue
  ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=fsync,fdatasync,syncfs \
    cpm-queue -Q q add --from "$ALICE" --to sip:bob@example.net m.cpim
  [ "$(grep -c sync trace)" -eq 4 ]
  for i in $(seq 100); do echo "sip:r$i@example.net m.cpim"; done >list
  ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=fsync,fdatasync,syncfs \
    cpm-queue -Q q add --from "$ALICE" --many <list
  [ "$(grep -c sync trace)" -eq 3 ]
}

@test "run: syncs are two a delivery, and one for the day's folder" {
  start_sink
  add_message first "$BOB"
  add_message second "sip:carol@$SINK_HOST"
  ASAN_OPTIONS=detect_leaks=0 strace -f -y -o trace -e trace=fsync,fdatasync,syncfs \
    cpm-queue -q -Q q run
  [ "$(grep -c 'sync(.*/q/wait/' trace)" -eq 4 ] # attempt.start, msrp.transferred
  [ "$(grep -c 'sync(.*/q/done>' trace)" -eq 1 ]
  [ "$(grep -c 'sync(' trace)" -eq 5 ]
}

@test "run: an entry that nobody answers is put off; others of that recipient with it" {
  add_message one "$NOBODY"
  add_message two "$NOBODY"
  run_queue --retry-first 100 --retry-jitter 0 --t1 10
  assert_summary 'delivered 0, deferred 1, refused 0, expired 0'
  [ "$STATUS" -eq 0 ]
  # Both names say the same time, and a pass has nothing to do.
  [ "$(ls q/wait | cut -d- -f1 | sort -u | wc -l)" -eq 1 ]
  run_queue
  assert_summary 'delivered 0, deferred 0, refused 0, expired 0'
  cpm-queue -Q q list --tsv | awk -F'\t' '{ n[$4]++ } END { exit !(n[0] == 1 && n[1] == 1) }'
}

@test "run: back-off grows, Retry-After is honoured, and the next attempt delivers" {
  start_sink --behave 1:invite=486 --behave 2:invite=480 --behave 2:retry-after=500
  add_message one "$BOB" >id
  run_queue --retry-first 100 --retry-jitter 0
  local due end
  due=$(ls q/wait | cut -d- -f1)
  end=$(date -d "$(cpm-queue -Q q show "$(cat id)" | sed -n 's/^birth *//p')" +%s)
  [ "$due" -ge $((end + 100)) ]
  run_queue --retry-first 100 --retry-jitter 0 --to "$BOB"
  assert_summary 'delivered 0, deferred 1, refused 0, expired 0'
  [ "$(ls q/wait | cut -d- -f1)" -ge $((end + 500)) ]
  cpm-queue -Q q retry "$(cat id)"
  run_queue
  assert_summary 'delivered 1, deferred 0, refused 0, expired 0'
}

@test "run: refused for good: told, kept with its body, and retried by a person" {
  start_sink --behave 1:invite=404 --behave 3:invite=404
  add_message one "$BOB" >id
  run_queue --notify 'cat >told; exec 3>&- ; ls /proc/self/fd | wc -l >fds; cut -d" " -f5 /proc/self/stat >group'
  assert_summary 'delivered 0, deferred 0, refused 1, expired 0'
  [ "$STATUS" -eq 0 ]
  grep -qx "id=$(cat id)" told
  grep -qx 'fate=refused' told
  grep -qx 'code=404' told
  grep -qx "file=q/msg/$(cat id)" told
  cpm-queue -Q q list | grep -F "$BOB  69 404 Not Found"
  cpm-queue -Q q list --tsv | cut -f 9,10 | grep -qx $'Not Found\t404'
  cpm-queue -Q q show "$(cat id)" | grep -qx 'code       404'
  cpm-queue -Q q show --json "$(cat id)" | jq -e '.code == 404 and .why == "Not Found"'
  [ "$(cat fds)" -le 5 ] # 0, 1, 2, and what ls has
  [ -f "q/failed/$(cat id)" ]
  assert_sound
  cpm-queue -Q q retry "$(cat id)"
  run_queue
  assert_summary 'delivered 1, deferred 0, refused 0, expired 0'
  # Nobody is told about a notification.
  rm told
  echo '<imdn/>' | cpm-queue -Q q add --from "$ALICE" --to "$BOB" --type message/imdn+xml -
  run_queue --notify 'cat >told'
  assert_summary 'delivered 0, deferred 0, refused 1, expired 0'
  [ ! -e told ]
}

@test "run: a notify command that fails is called again, without another attempt" {
  start_sink --behave invite=404
  add_message one "$BOB" >id
  run_queue --retry-first 100 --notify 'false'
  assert_summary 'delivered 0, deferred 1, refused 0, expired 0'
  assert_count waiting 1
  run_queue --notify 'cat >told' --to "$BOB"
  assert_summary 'delivered 0, deferred 0, refused 1, expired 0'
  grep -qx 'fate=refused' told
  stop_sink
  [ "$(grep -c ' sink.invite ' sink.log)" -eq 1 ]
}

@test "run: a notify command that hangs is killed with all its children" {
  start_sink --behave invite=404
  add_message one "$BOB"
  run_queue --notify-timeout 5 --notify 'sleep 1000 & echo $! >sleeper; wait'
  assert_summary 'delivered 0, deferred 1, refused 0, expired 0'
  timeout "$GUARD" tail -s 0.05 --pid="$(cat sleeper)" -f /dev/null
}

@test "run: a lifetime that is over ends with a failed attempt, not before one" {
  start_sink --behave 1:invite=486 --behave 3:invite=486
  echo late | cpm-queue -Q q add --from "$ALICE" --to "$BOB" --type text/plain --expires 2020-01-01T00:00:00Z - >one
  echo late | cpm-queue -Q q add --from "$ALICE" --to "$BOB" --type text/plain --expires 2020-01-01T00:00:00Z - 2>&1 >two |
    grep -F 'that time is over'
  cpm-queue -Q q remove "$(cat two)"
  run_queue --notify 'cat >told'
  assert_summary 'delivered 0, deferred 0, refused 0, expired 1'
  grep -qx 'fate=expired' told
  [ -f "q/failed/$(cat one)" ]
  # One that can be delivered is.
  echo late | cpm-queue -Q q add --from "$ALICE" --to "$BOB" --type text/plain --expires 2020-01-01T00:00:00Z -
  run_queue
  assert_summary 'delivered 1, deferred 0, refused 0, expired 0'
  # Not by a clock that is plainly wrong.
  echo early | cpm-queue -Q q add --from "$ALICE" --to "$BOB" --type text/plain --expires 2020-01-01T00:00:00Z - >id
  sed -i "s/ birth=[^ ]*/ birth=2000-01-01T00:00:00.000Z/" "q/wait/"*
  run_queue
  assert_summary 'delivered 0, deferred 1, refused 0, expired 0'
}

@test "expire: gives up what is named, or all whose time is over" {
  add_message one sip:bob@example.net >one
  echo late | cpm-queue -Q q add --from "$ALICE" --to "$NOBODY" --type text/plain --expires 2020-01-01T00:00:00Z - >two
  cpm-queue -Q q hold "$(cat two)"
  cpm-queue -Q q expire
  run_queue --to "$NOBODY"
  assert_summary 'delivered 0, deferred 0, refused 0, expired 1'
  [ -f "q/failed/$(cat two)" ]
  cpm-queue -Q q expire "$(cat one)"
  run_queue
  assert_summary 'delivered 0, deferred 0, refused 0, expired 1'
  assert_sound
}

@test "run: a message that cannot be read is held for a person" {
  start_sink
  add_message one "$BOB" >id
  mv "q/msg/$(cat id)" away
  run_queue
  assert_summary 'delivered 0, deferred 0, refused 0, expired 0, held 1'
  assert_count held 1
  run -1 cpm-queue -Q q check
  mv away "q/msg/$(cat id)"
  assert_sound
  cpm-queue -Q q release "$(cat id)"
  run_queue
  assert_summary 'delivered 1, deferred 0, refused 0, expired 0'
}

@test "a queue that is no folder is 66, and called so" {
  : >file
  for queue in file file/q; do
    run -66 --separate-stderr cpm-queue -Q "$queue" list
    [ "$stderr" = "cpm-queue: $queue: is no folder (-Q DIR, or CPM_QUEUE)" ] || { echo "$stderr"; return 1; }
  done
}

@test "check tells of what is not the queue's, by its path, and leaves it" {
  local path
  start_sink
  add_message one "$BOB"
  for path in q/msg/junk q/wait/junk q/done/junk; do
    : >"$path"
    run -1 cpm-queue -Q q check --repair
    [[ $output == *"$path: is no name of an entry"* ]] || { echo "$output"; return 1; }
    rm "$path"
    assert_sound
  done
  mkdir q/junk
  touch q/junk/file q/core q/.hidden
  run -1 cpm-queue -Q q check --repair
  for path in q/junk q/core q/.hidden; do
    [ -e "$path" ]
    grep -xF "$path: is no part of a queue: move it away" <<<"$output"
  done
  [ "${#lines[@]}" -eq 3 ]
}

@test "run: a fault of our own ends the pass; nothing is given up" {
  start_sink
  add_message one "$BOB"
  add_message two "sip:carol@$SINK_HOST"
  CPM_EXEC_INVITE=/nonexistent/none run_queue --jobs 1
  [ "$STATUS" -eq 127 ] || { echo "$STATUS"; cat err; return 1; }
  assert_summary 'delivered 0, deferred 1, refused 0, expired 0'
  CPM_EXEC_DELIVER=/nonexistent/none run_queue --jobs 1
  [ "$STATUS" -eq 127 ]
  CPM_T1=nonsense run_queue --jobs 1 || true
  [ "$STATUS" -eq 78 ]
  assert_count waiting 2
  assert_sound
}

@test "show tells what failed without an answer; a wish that nobody has carried out says when" {
  add_message one tel:+15551234 >id
  run_queue
  [ "$STATUS" -eq 64 ]
  cpm-queue -Q q show "$(cat id)" |
    grep -qx 'detail     tel:+15551234: no route to a telephone number'
  cpm-queue -Q q expire "$(cat id)"
  cpm-queue -Q q list | grep -F '64 usage  (expire by the next run)'
  run_queue --notify 'cat >told'
  assert_summary 'delivered 0, deferred 0, refused 0, expired 1'
  grep -qx 'detail=tel:+15551234: no route to a telephone number' told
  # Given up before anybody tried.
  add_message three tel:+15551235 >id
  cpm-queue -Q q expire "$(cat id)"
  run_queue
  grep -F ' to tel:+15551235: expired (without an attempt)' err
  # What the media side could not do is the reason, and not that it could not.
  add_message two sip:bob@127.0.0.1:9 >id
  run_queue --msrp-listen 192.0.2.222
  [ "$STATUS" -eq 78 ]
  cpm-queue -Q q show "$(cat id)" | grep -qx 'why        no address of this host'
}

@test "run: a pass that our own fault ends says what was not tried; --watch makes another" {
  start_sink
  add_message one "$BOB"
  add_message two "sip:carol@$SINK_HOST" "sip:dave@$SINK_HOST"
  # What was tried is put off by the back-off of the runner that tried it: not by the usual minute.
  CPM_EXEC_INVITE=/nonexistent/none run_queue --jobs 1 --retry-first 1
  [ "$STATUS" -eq 127 ]
  grep -F ': 127 (see cpm-queue show ' err
  grep -F 'run: ended by status 127, the fault is on this side: 2 due entries were not tried' err
  # The fault goes away while a runner watches.
  printf '#!/bin/sh\n[ -e mended ] || exit 78\nexec cpm-deliver "$@"\n' >deliver
  chmod +x deliver
  CPM_EXEC_DELIVER=$PWD/deliver cpm-queue -Q q run --watch --retry-first 1 --retry-most 1 --jobs 1 \
    >summary 2>err 3>&- &
  RUN_PID=$!
  timeout "$GUARD" sh -c 'until grep -q "the next pass comes" err; do sleep 0.05; done'
  touch mended
  wait_for_done 3
  kill -TERM "$RUN_PID"
  wait "$RUN_PID" || true
  assert_sound
}

@test "run: a recipient with a wrong certificate puts off his own messages only" {
  start_sink
  add_message one "$BOB" >one
  add_message two "sip:carol@$SINK_HOST"
  # What cpm-msrp-serve writes of a certificate that the answer did not announce.
  cat >deliver <<'END'
#!/bin/sh
case "$*" in *bob*) ;; *) exec cpm-deliver "$@" ;; esac
for option; do
  case $option in --attempt=*) sid=${option#--attempt=} ;; esac
  [ "$last" = -s ] && file=$option
  last=$option
done
for event in 'invite.sent sid='"$sid" 'invite.answered sid='"$sid" "msrp.failed sid=$sid status=77 why=certificate"; do
  echo "2026-01-01T00:00:00.000Z cpm-msrp-serve[1] $event" >>"$file"
done
exit 77
END
  chmod +x deliver
  CPM_EXEC_DELIVER=$PWD/deliver run_queue --jobs 1
  [ "$STATUS" -eq 0 ]
  assert_summary 'delivered 1, deferred 1, refused 0, expired 0'
}

@test "run: a recipient who wants credentials puts off his own messages only" {
  start_sink --behave 1:challenge=secret --behave 3:challenge=secret --behave 4:challenge=secret
  add_message one "$BOB" "sip:carol@$SINK_HOST" "sip:dave@$SINK_HOST" "sip:eve@$SINK_HOST"
  run_queue --jobs 1
  assert_status "$STATUS" 0
  assert_summary 'delivered 1, deferred 3, refused 0, expired 0'
  [ "$(grep -l ' outcome .*status=77' -r q/wait | wc -l)" -eq 3 ]
}

@test "run: credentials that a second recipient wants too are our own fault" {
  start_sink --behave challenge=secret
  add_message one "$BOB" "sip:carol@$SINK_HOST" "sip:dave@$SINK_HOST"
  run_queue --jobs 1
  assert_status "$STATUS" 77
  assert_summary 'delivered 0, deferred 2, refused 0, expired 0'
  grep -F 'run: ended by status 77, the fault is on this side: 1 due entries were not tried' err
}

@test "hold, release, remove: at once where nobody is at work, and each may be repeated" {
  add_message one sip:bob@example.net >one
  add_message two sip:bob@example.net >two
  cpm-queue -Q q hold "$(cat one)"
  cpm-queue -Q q hold "$(cat one)"
  assert_count held 1
  run_queue --to sip:nobody@example.net
  assert_count held 1
  run -65 cpm-queue -Q q release "$(cat two)"
  cpm-queue -Q q release --to sip:bob@example.net
  assert_count waiting 2
  cpm-queue -Q q remove "$(cat one)" "$(cat two)"
  [ -z "$(ls q/wait q/held q/msg | grep -v ':$' | grep .)" ]
  run -66 cpm-queue -Q q remove "$(cat one)"
  run -66 cpm-queue -Q q hold nonsense
  assert_sound
}

# A runner whose delivery is under way until `resume_sink`: the recipient is stopped, and T1 is long
# enough for him to take his time.
start_slow_run() {
  kill -STOP "$SINK_PID"
  cpm-queue -Q q run --t1 2000 >summary 2>err 3>&- &
  RUN_PID=$!
  local session
  session=$(echo q/wait/*)
  cpm-session wait "$session" invite.sent --timeout "$GUARD"
}

resume_sink() {
  kill -CONT "$SINK_PID"
}

@test "hold --to and the like: a recipient without an entry is told" {
  add_message one sip:bob@example.net >one
  for command in hold hold release retry remove; do
    cpm-queue -Q q $command --to sip:bob@example.net
    run -66 cpm-queue -Q q $command --to sip:Bob@example.net
    [[ $output == *'sip:Bob@example.net: has no entry'* ]]
  done
  run -66 cpm-queue -Q q release --to sip:bob@example.net
}

@test "hold of an entry in delivery is obeyed at the attempt's end" {
  start_sink --behave close@150000
  make_message 400000
  cpm-queue -Q q add --from "$ALICE" --to "$BOB" m.cpim >id
  start_slow_run
  [ "$(cpm-queue -Q q list --state delivering --tsv | wc -l)" -eq 1 ]
  cpm-queue -Q q hold "$(cat id)"
  assert_count waiting 0
  resume_sink
  wait "$RUN_PID"
  assert_count held 1
  grep -q 'held 1' summary
  assert_sound
}

@test "remove of an entry in delivery: what was delivered stays, what was not goes" {
  start_sink --behave 2:close@150000
  make_message 300000
  cpm-queue -Q q add --from "$ALICE" --to "$BOB" m.cpim >id
  start_slow_run
  cpm-queue -Q q remove "$(cat id)"
  resume_sink
  wait "$RUN_PID"
  assert_count done 1
  make_message 300000
  cpm-queue -Q q add --from "$ALICE" --to "$BOB" m.cpim >id
  start_slow_run
  cpm-queue -Q q remove "$(cat id)"
  resume_sink
  wait "$RUN_PID"
  run -66 cpm-queue -Q q show "$(cat id)"
  [ -z "$(ls q/msg)" ]
  assert_sound
}

@test "a killed cpm-deliver: its stages finish, and the runner waits for them" {
  start_sink
  make_message 300000
  cpm-queue -Q q add --from "$ALICE" --to "$BOB" m.cpim
  start_slow_run
  local child
  child=$(cat "/proc/$RUN_PID/task/$RUN_PID/children")
  child=${child%% *}
  [ "$(cat "/proc/$child/comm")" = cpm-deliver ]
  kill -KILL "$child"
  resume_sink
  wait "$RUN_PID"
  grep -qx 'delivered 1, deferred 0, refused 0, expired 0' summary
  stop_sink
  assert_stored 1
  assert_sound
}

@test "a killed runner: another one leaves the delivery alone, and later takes its result" {
  start_sink
  make_message 300000
  cpm-queue -Q q add --from "$ALICE" --to "$BOB" m.cpim
  start_slow_run
  kill -KILL "$RUN_PID"
  wait "$RUN_PID" || true
  run_queue
  assert_summary 'delivered 0, deferred 0, refused 0, expired 0, under way elsewhere 1'
  cpm-queue -Q q check --repair
  resume_sink
  cpm-session wait "$(echo q/wait/*)" outcome --timeout "$GUARD"
  until [ -z "$(ls q/wait)" ]; do run_queue; done
  stop_sink
  assert_stored 1
  assert_count done 1
  assert_sound
}

@test "stages that come too late make no entry of their own" {
  add_message one sip:bob@example.net >id
  cpm-queue -Q q remove "$(cat id)"
  local late=q/wait/1700000000-0123abcd-0123456789abcdef
  run -75 cpm-deliver -s "$late" --attempt abcdefghijkl --from "$ALICE" --to sip:bob@example.net m
  run -75 cpm-invite -s "$late" --attempt abcdefghijkl --from "$ALICE" --to sip:bob@example.net
  run -75 cpm-msrp-serve -s "$late" --attempt abcdefghijkl m </dev/null
  run -75 cpm-bye -s "$late" --attempt abcdefghijkl </dev/null
  [ ! -e "$late" ]
  # A file that is no entry holds up nobody.
  (umask 077 && : >"$late")
  start_sink
  add_message two "$BOB"
  run_queue
  assert_summary 'delivered 1, deferred 0, refused 0, expired 0'
  [ "$STATUS" -eq 0 ]
  grep -q 'is no entry' err
}

@test "SIGTERM: what is under way is finished, nothing more begun; a second one ends it" {
  start_sink
  make_message 300000
  cpm-queue -Q q add --from "$ALICE" --to "$BOB" m.cpim
  start_slow_run
  add_message two "sip:carol@$SINK_HOST"
  kill -TERM "$RUN_PID"
  timeout "$GUARD" sh -c 'until grep -q "finishing what is under way (1)" err; do sleep 0.05; done'
  resume_sink
  wait "$RUN_PID" || STATUS=$?
  [ "$STATUS" -eq 143 ]
  grep -q '^delivered 1, deferred 0' summary
  assert_count waiting 1
  cpm-queue -Q q remove --to "sip:carol@$SINK_HOST"
  make_message 900000
  cpm-queue -Q q add --from "$ALICE" --to "$BOB" m.cpim
  start_slow_run
  kill -TERM "$RUN_PID"
  kill -HUP "$RUN_PID"
  STATUS=0
  wait "$RUN_PID" || STATUS=$?
  [ "$STATUS" -gt 128 ]
  grep -q '^delivered 0, deferred 1' summary
  assert_count waiting 1
  assert_sound
}

@test "fair: a recipient with many entries does not hold up another" {
  local i
  start_sink
  for i in 1 2 3 4 5; do add_message "many-$i" "$BOB"; done >/dev/null
  add_message "other" "sip:carol@$SINK_HOST" >/dev/null
  run_queue --jobs 1
  assert_summary 'delivered 6, deferred 0, refused 0, expired 0'
  stop_sink
  # The other one's is first or second, whatever the order of the names.
  grep ' sink.stored ' sink.log | head -n 2 | grep -q 'cpim-id=other'
}

@test "at most --per-recipient deliveries to one recipient at once" {
  local i
  start_sink --behave invite=180 --behave ring-ms=100
  for i in 1 2 3 4 5 6; do add_message "m-$i" "$BOB"; done >/dev/null
  run_queue --jobs 6 --per-recipient 2
  assert_summary 'delivered 6, deferred 0, refused 0, expired 0'
  stop_sink
  awk '/ sink.invite / { if (++n > most) most = n } / sink.bye / { n-- }
    END { print "at once: " most; exit !(most <= 2) }' sink.log
}

@test "run --watch delivers what comes and what becomes due, until it is told to end" {
  start_sink --behave 2:invite=486
  add_message one "$BOB"
  cpm-queue -Q q run --watch --retry-first 1 >summary 2>err 3>&- &
  RUN_PID=$!
  wait_for_done 1 || { cat err summary; cpm-queue -Q q list; cat q/wait/*; return 1; }
  add_message two "$BOB"
  wait_for_done 2
  kill -TERM "$RUN_PID"
  wait "$RUN_PID" || true
  grep -qx 'delivered 2, deferred 1, refused 0, expired 0' summary
}

@test "list: filters, a table, tab-separated and JSON" {
  add_message one sip:bob@example.net >one
  add_message two sip:carol@example.net >two
  cpm-queue -Q q hold "$(cat two)"
  [ "$(cpm-queue -Q q list | wc -l)" -eq 3 ]
  [ "$(cpm-queue -Q q list --state held --tsv | cut -f 1,7)" = "$(cat two)"$'\tsip:carol@example.net' ]
  [ "$(cpm-queue -Q q list --to sip:bob@example.net --tsv | cut -f 1)" = "$(cat one)" ]
  [ -z "$(cpm-queue -Q q list --older 1h --tsv)" ]
  [ "$(cpm-queue -Q q list --newer 1h --tsv | wc -l)" -eq 2 ]
  [ "$(cpm-queue -Q q list --json | jq -r '[.[].state] | sort | join(" ")')" = 'held waiting' ]
  [ "$(cpm-queue -Q q list --json | jq -r '.[0].attempts')" = 0 ]
  [ "$(cpm-queue -Q q list --json --state done)" = '[]' ]
  cpm-queue -Q q show --json "$(cat one)" | jq -e .birth
  [ -f "$(cpm-queue -Q q show --json "$(cat one)" | jq -r .session)" ]
  [ -f "$(cpm-queue -Q q show --json "$(cat one)" | jq -r .body)" ]
  run -66 cpm-queue -Q none list
  run -64 cpm-queue -Q q list --many
  [[ $output == *'--many: is no option of this command'* ]]
}

@test "check: what is wrong is found, mended, and then gone" {
  add_message one sip:bob@example.net >one
  add_message two sip:carol@example.net >two
  add_message three sip:dave@example.net >three
  rm q/wait/*"$(cat one)"
  rm "q/msg/$(cat two)"
  touch q/tmp/left q/wait/nonsense
  run -1 cpm-queue -Q q check
  [ "${#lines[@]}" -eq 4 ]
  run -1 cpm-queue -Q q check --repair
  [ "$(grep -c '(mended)' <<<"$output")" -eq 3 ]
  rm q/wait/nonsense "q/held/$(cat two)"
  assert_sound
  assert_count waiting 1
}

@test "done and failed entries go after their time" {
  start_sink --behave 2:invite=404
  add_message one "$BOB"
  add_message two "$BOB" >two
  run_queue
  assert_summary 'delivered 1, deferred 0, refused 1, expired 0'
  mv q/done/* q/done/2020-01-01
  run_queue --keep 3650d
  assert_count done 1
  touch -d 2020-01-01 "q/failed/"*
  run_queue
  assert_count done 0
  [ ! -e q/done/2020-01-01 ]
  assert_count failed 0
  [ -z "$(ls q/msg)" ]
}

@test "a folder that others may write to, or of another user, is refused" {
  add_message one sip:bob@example.net
  chmod 777 q
  run -77 cpm-queue -Q q run
  run -77 cpm-queue -Q q list
  chmod 700 q
  run -0 cpm-queue -Q q list
}

@test "a pass opens only what is due, however much waits" {
  local i name BOB=sip:bob@example.net
  make_message 10
  for i in $(seq 300); do echo "sip:r$i@example.net m.cpim"; done >list
  cpm-queue -Q q add --from "$ALICE" --many <list >ids
  for name in q/wait/*; do mv "$name" "q/wait/4102444800-${name#q/wait/*-}"; done
  start_sink
  add_message one "$BOB"
  ASAN_OPTIONS=detect_leaks=0 strace -qq -e trace=openat -o trace cpm-queue -q -Q q run
  [ "$(grep -c '"q/wait/[0-9]' trace)" -eq 1 ]
  [ "$(grep -c 'q/wait", ' trace)" -eq 1 ]
  assert_count done 1
}

@test "many runners at once deliver each message once" {
  local i pids=()
  start_sink
  for i in $(seq 30); do add_message "m-$i" "sip:r$((i % 7))@$SINK_HOST"; done >/dev/null
  for i in 1 2 3 4; do
    cpm-queue -q -Q q run --jobs 3 2>>err 3>&- &
    pids+=($!)
  done
  wait "${pids[@]}"
  until [ -z "$(ls q/wait)" ]; do run_queue; done
  stop_sink
  for i in $(seq 30); do [ "$(got "m-$i")" -eq 1 ]; done
  assert_count done 30
  assert_sound
}
