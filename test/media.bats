#!/usr/bin/env bats
# The transfer against recipients of other people (peers/taker.py): whatever they answer and however
# they take the message, it arrives, or its end is told as it was.
bats_require_minimum_version 1.5.0
load helper
load peers

# ends STATUS OCTETS WAY [ARGUMENT...] [-- options]: one delivery, and the recipient is content.
ends() {
  local wanted=$1 octets=$2 way=()
  shift 2
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    way+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  rm -f s taken
  start_recipient taker.py "${way[@]}"
  make_message "$octets"
  deliver "$wanted" "$@"
  recipient_ended
  [ "$wanted" -ne 0 ] || cmp taken m.cpim
}

# is KEY VALUE: in the session file.
is() {
  local got
  got=$(cpm-session get s "$1")
  [ "$got" = "$2" ] || {
    echo "$1 is $got, not $2"
    cat s
    return 1
  }
}

@test "answers that come late" { ends 0 200000 late 0.2; }
@test "answers in reverse order" { ends 0 200000 reverse -- --chunk-size 2000; }
@test "every answer twice: the second counts for nothing" {
  ends 0 500000 twice
  ends 75 500000 twice cut
}
@test "REPORTs in the middle of our chunks" { ends 0 500000 reports; }
# Four chunks, 8 seconds; each is answered after 2.
@test "one octet a second, in all for longer than --stall-timeout" {
  ends 0 200000 slow 2 -- --stall-timeout 4 --chunk-size 51k
}

@test "a recipient that takes nothing any more: 75 after --stall-timeout" {
  ends 75 12000000 stuck -- --stall-timeout 1 --chunk-size 40M
  grep -q 'msrp.failed .*octets=0 .*takes no more octets' s
}

@test "one whose TCP took all that may be unanswered, and that answers nothing: the same" {
  ends 75 3000000 stuck -- --stall-timeout 1
  grep -q 'msrp.failed .*octets=0 .*answers no more chunks' s
  is learnt.window 2560
}

@test "a chunk that is not answered for 30 seconds: 75, and the next attempt is gentler" {
  fast_clock msrp-serve
  ends 75 5000 mute -- --start-timeout 10h --accept-timeout 1h --stall-timeout 1h
  grep -q 'msrp.failed .*30 seconds' s
  is learnt.window 2560
}

@test "a notification that comes in the session is handed on" {
  start_sink --behave send-imdn
  make_message 5000
  rm -f s
  deliver 0
  stop_sink
  run ! grep sink.error sink.log
  is imdn.received.status delivered
  is imdn.received.message-id "$(cpm-session get s entry.message)"
}

# notified STATUS WAY [ARGUMENT...]: the recipient's last SEND is answered, and handed on.
notified() {
  ends "$1" 30000 "${@:2}"
  is imdn.received.message-id theirs
}

@test "a notification right behind the last answer is answered, whatever that was" {
  notified 0 notifies
  comes_before imdn.received msrp.transferred s
  notified 0 notifies close
  comes_before imdn.received outcome s
  notified 69 notifies 413 Stop
  comes_before imdn.received msrp.failed s
}

@test "chunks of two notifications that alternate, with empty SENDs between: both are handed on and reported" {
  ends 0 30000 alternates
  [ "$(grep -c ' imdn.received .*message-id=\(theirs\|second\)$' s)" -eq 2 ]
}

@test "what the recipient sends of its own is bounded: messages, octets, lines in the journal" {
  local _ told
  ends 0 30000 crowds 8 131072 64
  IFS=' ' read -r _ told <&8
  [ "$(grep -c ' imdn.received .* status=delivered message-id=' s)" -eq "$told" ]
  grep -q ' message-id=.*longlonglong' s
}

@test "the file has how far a transfer is while it is young, too" {
  start_sink --behave msrp-delay-ms=4500
  make_message 1000
  deliver 0
  [ "$(grep -c ' msrp.progress ' s)" -ge 2 ]
}

@test "and so is one that comes before the answer to the BYE, also without a pipe" {
  notified 0 notifies_late
  rm s
  start_recipient taker.py notifies_late
  make_message 30000
  timeout "$GUARD" cpm-invite -s s --alone --from "$ALICE" --to "$BOB" >out 2>&1 3>&- &
  local invite=$!
  timeout "$GUARD" cpm-msrp-serve -s s --alone m.cpim >out 2>&1 3>&- &
  local serve=$!
  timeout "$GUARD" cpm-bye -s s --alone >out 2>&1
  wait "$invite" "$serve"
  recipient_ended
  is imdn.received.message-id theirs
}

@test "each code has its verdict" {
  local code status
  for code in 400:69 403:69 408:75 413:69 415:69 423:75 481:75 501:76 506:75 499:69 599:75 699:69 401:77 404:69 \
    100:76 305:76; do
    status=${code#*:} code=${code%:*}
    ends "$status" 60000 code 2 "$code Why not" -- --chunk-size 20000
    is msrp.failed.code "$code"
    is msrp.failed.reason 'Why not'
    is msrp.failed.octets 20000
  done
}

@test "413 stops a chunk at once, with #, whether answered or reported" {
  local how
  for how in answer report; do
    ends 69 12000000 stop "$how" -- --chunk-size 40M
    is msrp.failed.code 413
  done
}

@test "answers with exchanged paths and a long Message-ID, octet by octet" { ends 0 30000 odd; }

@test "a recipient that asks and asks and reads nothing for a while" {
  ends 0 30000 floods
}

@test "a message of the recipient that does not end: 75 after --stall-timeout" {
  ends 75 300000 endless -- --stall-timeout 1
  is msrp.failed.octets 10240
}

@test "what is no MSRP in the place of an answer: 76" {
  local words
  for words in 'HTTP/1.1 400 Bad' 'MSRP abcd' 'MSRP  200 OK' "MSRP $(printf '%070d' 1) 200 OK"; do
    ends 76 300000 babbles "$words"
    is msrp.failed.octets 10240
    grep -q 'msrp.failed .*broke the protocol' s
  done
}

@test "a long chunk is interrupted for an answer" { ends 0 12000000 interrupt -- --chunk-size 40M; }

@test "--success-report: delivered when the REPORTs cover the message" {
  ends 0 100000 covered -- --success-report
  is msrp.transferred.report success
  run ! grep -q msrp.transferred before
}

@test "missing REPORTs: delivered after --report-timeout, but not with --require-report" {
  ends 0 100000 unreported -- --success-report --report-timeout 0.3
  is msrp.transferred.report missing
  ends 75 100000 unreported -- --success-report --report-timeout 0.3 --require-report
  ends 69 100000 unreported 413 Stop -- --success-report
  is msrp.failed.code 413
}

@test "--failure-report partial and no: all octets written and no error in that time" {
  local report
  for report in partial no; do
    ends 0 1000000 mute -- --failure-report "$report" --report-timeout 0.3
    is msrp.transferred.report none
    ends 69 1000000 mute 415 No -- --failure-report "$report" --report-timeout 30
    is msrp.failed.code 415
    ends 75 1000000 mute cut -- --failure-report "$report" --report-timeout 30
    is msrp.failed.octets "$(stat -c %s m.cpim)"
    ends 0 1000000 mute close -- --failure-report "$report" --report-timeout 30
  done
}

@test "--failure-report no: a recipient that takes nothing any more, and how far it came" {
  local octets
  ends 75 20000000 stuck -- --stall-timeout 1 --failure-report no
  grep -q 'msrp.failed .*takes no more octets' s
  octets=$(cpm-session get s msrp.failed.octets)
  echo "octets: $octets"
  [ "$octets" -gt 0 ]
  [ "$octets" -lt 20000000 ]
  ends 75 20000000 stuck -- --stall-timeout 1 --failure-report no --chunk-size 40M
  is msrp.failed.octets 0
}

# gentler WAY [ARGUMENT...]: the session file remembers what was too much; some attempt gets through.
gentler() {
  local tries status
  start_recipient taker.py "$@"
  make_message 2000000
  for ((tries = 1; tries <= 4; tries++)); do
    status=0
    timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out 2>err || status=$?
    [ "$status" -ne 0 ] || break
    assert_status "$status" 75
  done
  assert_status "$status" 0
  recipient_ended
  cmp taken m.cpim
  [ "$tries" -gt 1 ]
  grep -q ' learnt .*window=' s
}

@test "no SEND of more than 64 kB: the next attempt is gentler" { gentler large 65536; }
@test "no more than 64 kB unanswered: the next attempt is gentler" { gentler unanswered 65536; }
@test "no second chunk before the first is answered: the next attempt is gentler" { gentler single; }

@test "130 kB get through to the weakest at the first attempt" {
  ends 0 130000 single
  ends 0 130000 unanswered 65536
  ends 0 130000 large 65536
}

@test "a connection lost at any octet: 75, and only what was confirmed counts" {
  local places=(1 100 300 2000 10200 10500 10800 11000 31000 50000) place octets
  start_recipient taker.py cuts "${places[@]}"
  make_message 60000
  for place in "${places[@]}"; do
    deliver 75 --chunk-size 10240
    octets=$(cpm-session get s msrp.failed.octets)
    [ "$octets" -le "$place" ]
    [ $((octets % 10240)) -eq 0 ]
    run ! grep -q msrp.transferred s
  done
  deliver 0
  recipient_ended
  cmp taken m.cpim
}

# lookalikes IDENT...: content of end-lines, of these ids and of others, each beginning at another place.
lookalikes() {
  python3 -c '
import random, string, sys
r = random.Random(1)
out = open("content", "wb")
for n in range(6000):
    other = "".join(r.choices(string.ascii_letters + string.digits, k=r.randint(4, 32)))
    name = r.choice(sys.argv[1:] + [other])
    out.write(("\r\n" * (n % 2) + "-" * r.randint(6, 8) + name + r.choice("$+#") + "\r\n").encode())
' "$@"
  cpm-compose --from "$ALICE" --to "$BOB" --type application/octet-stream content >m.cpim
}

@test "a body of end-lines, those of an earlier attempt too, arrives bit for bit, whatever the chunks" {
  local size ids=()
  start_recipient taker.py code 3 '486 Busy'
  make_message 9000
  deliver 69 -vv --chunk-size 2048
  recipient_ended
  mapfile -t ids < <(sed -n 's/.*MSRP \([A-Za-z0-9]*\) SEND.*/\1/p' err)
  [ "${#ids[@]}" -ge 3 ]
  for size in 2048 2053 10240 100000; do
    rm -f s taken
    start_recipient taker.py unreported
    lookalikes "${ids[@]}"
    deliver 0 --chunk-size "$size"
    recipient_ended
    cmp taken m.cpim
  done
}
