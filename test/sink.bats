#!/usr/bin/env bats
# cpm-sink: it takes messages, finds what is wrong with them, and misbehaves as it is told.
bats_require_minimum_version 1.5.0
load helper

# call [MISTAKE...]: one session of a sender that makes mistakes.
call() {
  timeout "$GUARD" python3 "$BATS_TEST_DIRNAME/peers/caller.py" "$SINK_HOST" "$@"
}

deliver() {
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim >out 2>err
}

# finds TEXT MISTAKE...: the session has an error that says so.
finds() {
  local text=$1
  shift
  start_sink
  call "$@" >called || true
  stop_sink
  sink_saw "sink.error .*$text"
  rm -rf store sink.log
}

# clean: the recipient found nothing wrong.
clean() {
  stop_sink
  if grep 'sink.error' sink.log; then
    return 1
  fi
}

# ended STATUS: the recipient ended by itself, with it.
ended() {
  local got=0
  wait "$SINK_PID" || got=$?
  SINK_PID=
  stop_sink # its log is whole
  assert_status "$got" "$1"
}

# behaves STATUS BEHAVIOUR...: a delivery to such a recipient ends with it.
behaves() {
  local wanted=$1 got=0 args=()
  shift
  for key in "$@"; do args+=(--behave "$key"); done
  start_sink "${args[@]}"
  make_message 300000
  rm -f s
  deliver || got=$?
  stop_sink
  assert_status "$got" "$wanted"
}

# again BEHAVES-ARGUMENTS: the same with a clean folder.
again() {
  rm -rf store sink.log s
  behaves "$@"
}

@test "a sound session has no errors and is stored bit for bit" {
  start_sink --count 1
  run -0 call
  ended 0
  sink_saw 'sink.stored .*octets=6120 .*message-id=message1 complete=yes'
  sink_saw 'sink.ended .*errors=0 octets=6120 complete=yes'
  [ "$(wc -c <store/message1-1.cpim)" -eq 6120 ]
  run ! grep sink.error sink.log
}

@test "--count: 65 when a session was incomplete or had errors" {
  start_sink --count 1 --behave msrp=413@2
  call >called
  ended 65
  sink_saw 'sink.ended .*errors=0 .*complete=no'
  rm -rf store sink.log
  start_sink --count 1
  call no-size >called
  ended 65
  sink_saw 'sink.ended .*errors=[1-9].*complete=yes'
}

@test "--count: a refused call is no fault" {
  start_sink --count 2 --behave 1:invite=486
  call >called
  call >>called
  ended 0
  grep -q 'INVITE 486' called
}

@test "a repeated message is kept under a name of its own" {
  start_sink
  call >called
  call >called
  stop_sink
  cmp store/message1-1.cpim store/message1-2.cpim
}

@test "what is wrong with an INVITE is found" {
  finds 'I1: the INVITE has no Accept-Contact' no-accept-contact
  finds 'I2: the INVITE has no P-Asserted-Identity' no-p-asserted-identity
  finds 'I4: the INVITE has no Referred-By' no-referred-by
  finds 'I5: the INVITE has no User-Agent' no-user-agent
  finds 'I7: the INVITE has no Session-Expires' no-session-expires
  finds 'C1: the INVITE has no Conversation-ID' no-conversation-id
  finds 'C1: the INVITE has no P-Asserted-Service' no-p-asserted-service
}

@test "what is wrong with an offer is found" {
  finds 'I8: a line of the offer without CR LF' lf
  finds 'I8: the port of m= is not the path' port
  finds 'I8a: the direction is sendrecv' direction
  finds 'I8d: no size in a=file-selector' no-size
  finds 'I8d: 6120 octets came, file-selector said 6121' size
}

@test "what is wrong with a chunk is found" {
  finds 'no Byte-Range' no-range
  finds 'no total in the Byte-Range' no-total
  finds 'more than 2048 octets with a fixed range-end' fixed
  finds 'it does not begin where the one before ended' gap
  finds 'Content-Type is not message/cpim' type
  finds 'Content-Type is not the last header' last-header
  finds 'the flag \$ before the end of the message' flag
  finds 'the flag + at the end of the message' plus
  finds 'Message-ID is no ident of 4 to 32 characters' long-id
  finds 'another Message-ID than the first' other-id
  finds 'the transaction id is no ident' long-tid
  finds "To-Path is not the answer's a=path" path
  finds 'content before the response to our first SEND' hurry
  finds 'a further SEND with content' twice
}

@test "what is wrong with the CPIM message is found" {
  finds 'A4: ' no-from
}

@test "chunks in another order are put where they belong" {
  start_sink
  call >called
  call order >called
  stop_sink
  cmp store/message1-1.cpim store/message1-2.cpim
}

@test "requests inside the dialog, and what is wrong with them" {
  start_sink
  run -0 call update options info
  [[ $output == *'UPDATE 200'* ]]
  [[ $output == *'OPTIONS 200'* ]]
  [[ $output == *'INFO 405'* ]]
  run -0 call reinvite
  [[ $output == *'INVITE 200'*'INVITE 200'* ]]
  clean
  sink_saw 'sink.refreshed .*method=UPDATE code=200'
  sink_saw 'sink.refreshed .*method=INVITE code=200'
  rm -rf store sink.log
  finds 'the refresh has another offer' other-offer
  finds 'the CSeq of BYE does not grow' old-cseq
}

@test "CANCEL ends a call that rings" {
  start_sink --behave invite=180 --behave ring-ms=60000
  run -0 call cancel
  [[ $output == *'CANCEL 200'* ]]
  [[ $output == *'INVITE 487'* ]]
  clean
  sink_saw sink.cancel
}

@test "wrong use is refused with one line" {
  for bad in nonsense 0:invite=486 invite=99 invite=1000 msrp=413@0 silent=never header=none \
    no-100=yes 'close@-1' connections=9 retry-after= bye=loud; do
    run -64 cpm-sink --behave "$bad"
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "cpm-sink: $bad: "* ]]
  done
  run -64 cpm-sink operand
  run -64 cpm-sink --sip nowhere
  run -64 cpm-sink --sip sctp:127.0.0.1:0
}

@test "a port in use and an address of somebody else are refused" {
  start_sink
  run -69 cpm-sink --sip "udp:${SINK_HOST%;*}"
  [[ $output == *'Address already in use' ]]
  run -69 cpm-sink --sip udp:192.0.2.1:0
}

@test "neither environment nor configuration" {
  mkdir cpm
  echo 'store = elsewhere' >cpm/cpm.conf
  XDG_CONFIG_HOME=$PWD CPM_STORE=elsewhere start_sink
  call >called
  [ -f store/message1-1.cpim ]
  [ ! -e elsewhere ]
  run -64 cpm-sink -c cpm/cpm.conf
}

@test "UDP and TCP, IPv4 and IPv6 at once; each call is told apart" {
  local uris=() line
  exec 8< <(exec cpm-sink --store store --sip udp:127.0.0.1:0 --sip tcp:127.0.0.1:0 \
    --sip 'udp:[::1]:0' --sip 'tcp:[::1]:0' 2>sink.err 3>&-)
  SINK_PID=$!
  for _ in 1 2 3 4; do
    IFS= read -r -t "$GUARD" -u 8 line
    line=${line#*uri=\"sip:}
    uris+=("${line%\"}")
  done
  cat <&8 >sink.log 3>&- &
  SINK_LOG_PID=$!
  exec 8<&-
  BOB=sip:bob@example.com make_message 5000
  for uri in "${uris[@]}"; do
    rm -f s
    BOB=sip:bob@$uri deliver
  done
  clean
  [ "$(grep -c 'sink.ended .*complete=yes' sink.log)" -eq 4 ]
  for sid in 1 2 3 4; do sink_saw "sink.stored sid=$sid "; done
}

@test "behaviours of the INVITE" {
  behaves 75 invite=183,486
  again 69 invite=404
  again 75 invite=503 retry-after=7
  grep -q 'retry-after=7' s
  again 69 invite=603 'header=Reason: SIP;cause=603'
  again 0 invite=180 ring-ms=50 no-100
  again 0 repeat-200=2
  [ "$(grep -c sink.ack sink.log)" -eq 3 ]
  again 0 min-se=3600
  [ "$(grep -c 'sink.answered .*code=422' sink.log)" -eq 1 ]
}

@test "behaviours of the answer" {
  behaves 76 path=none
  again 69 port0
  again 76 no-sdp
  again 0 sdp-lf
  again 0 path=relay
  again 0 setup=passive
  sink_saw 'sink.connected .*role=passive'
  again 69 accept-types=text/plain
  again 69 max-size=100
  again 69 direction=inactive
}

@test "behaviours of the connection" {
  behaves 0 connect=early
  again 0 connect=after-ack late-ms=50
  again 0 connections=3 read-rate=1M
  # One carries the message. The others get 506; or 200 when they came before the answer, and a 506
  # only to a next SEND, which is not sent here.
  [ "$(grep -c sink.connected sink.log)" -eq 3 ]
  sink_saw 'sink.ended .*complete=yes'
  again 75 close@100000
  again 0 read-rate=1M
}

@test "behaviours of MSRP responses and REPORTs" {
  behaves 69 msrp=413@3
  again 69 msrp=413@2 msrp-early
  again 75 msrp=500
  again 0 msrp-delay-ms=5
  again 0 msrp-order=reverse
  again 0 msrp-twice
  again 69 report=failure
  again 0 report=partial
  again 0 send-imdn
  again 0 send-empty@100000 read-rate=1M
  [ "$(grep -c 'sink.response .*method=SEND code=200' sink.log)" -eq 2 ]
}

@test "behaviours inside the dialog" {
  behaves 75 bye@100000 read-rate=200k
  sink_saw 'sink.response .*method=BYE code=200'
  again 0 bye=481
  again 0 reinvite@1000 read-rate=1M
  sink_saw 'sink.response .*method=INVITE code=200'
  again 0 update@1000 read-rate=1M
  sink_saw 'sink.response .*method=UPDATE code=200'
  again 0 options@1000 read-rate=1M
  again 0 unknown-method read-rate=1M
  sink_saw 'sink.response .*method=FROBNICATE code=501'
}

@test "an ACK that never comes ends the call with BYE" {
  start_sink --t1 10 --behave silent=ack --behave read-rate=50000
  make_message 300000
  deliver --t1 50 || true
  stop_sink
  sink_saw 'sink.bye-sent .*why=no-ack'
}

@test "many sessions at once" {
  start_sink --count 60 --behave ring-ms=300
  local pids=() pid
  for _ in $(seq 60); do
    call >/dev/null &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
  ended 0
  [ "$(grep -c 'sink.ended .*errors=0 .*complete=yes' sink.log)" -eq 60 ]
  [ "$(find store -name '*.cpim' | wc -l)" -eq 60 ]
}

@test "the page and --help name the same behaviours" {
  cpm-sink --help | sed '1,/^What --behave knows/d; s/^  //; s/[=@].*//; /^$/d' | sort -u >help
  sed -n '/^\.Sh BEHAVIOURS/,/^\.Sh EXIT/p' "$BATS_TEST_DIRNAME/../man/cpm-sink.1" |
    sed -n 's/^\.It Cm \(\\&\)\{0,1\}\([a-z0-9-]*\).*/\2/p' | sort -u >page
  [ -s help ]
  diff help page
}

@test "challenge: the credentials have to be right, in the dialog too" {
  echo s3cret >password
  start_sink --behave challenge=s3cret
  make_message 3000
  deliver --auth-user alice --auth-password-file password
  sink_saw 'sink.answered .*code=401'
  clean
  assert_stored 1
  rm -rf store sink.log s
  start_sink --behave challenge=other
  local got=0
  deliver --auth-user alice --auth-password-file password || got=$?
  [ "$got" -eq 77 ]
}

@test "reliable: a provisional response waits for its PRACK" {
  start_sink --behave invite=100,180,183 --behave reliable
  make_message 3000
  deliver
  clean
  assert_stored 1
  grep -q ' dialog.cseq .*method=PRACK' s
}
