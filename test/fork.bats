#!/usr/bin/env bats
# Kamailio forks the INVITE to two recipients: cpm-sink, and SIPp, which does odd things.
load helper
load peers

# two_recipients PART...: what SIPp does; BOB is cpm-sink's. RINGS: cpm-sink rings for so many ms;
# NO_SDP: and answers without a description; RATE: and reads so many octets a second.
two_recipients() {
  local other rings=()
  [ -z "${RINGS:-}" ] || rings=(--behave invite=180 --behave "ring-ms=$RINGS")
  [ -z "${RATE:-}" ] || rings+=(--behave "read-rate=$RATE")
  [ -z "${NO_SDP:-}" ] || rings+=(--behave no-sdp)
  start_kamailio
  start_sipp invite_forked "$@"
  other=$BOB
  start_sink "${rings[@]}"
  FORK="X-Fork: $other"
  make_message 3000
}

deliver() { # WANTED-STATUS [options of cpm-deliver]
  local wanted=$1 status=0
  shift
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" --proxy "sip:$PROXY;lr;transport=udp" \
    -H "$FORK" "$@" m.cpim >out 2>err </dev/null || status=$?
  assert_status "$status" "$wanted" || {
    cat proxy.log sink.log sipp.err sipp.msg
    return 1
  }
}

@test "two answers, one of no use: the message goes to the other one, each gets ACK and BYE" {
  # Slowly, so that cpm-invite is still there whenever the other answer comes; and if that is the one
  # of no use and comes first, there are four seconds for the better one.
  RATE=1000 two_recipients empty_forked ack bye
  deliver 0 --t1 4000
  sipp_content
  stop_sink
  assert_stored 1
  sink_saw sink.bye
}

@test "an answer of no use, then one that crosses the proxy's CANCEL: that one gets the message" {
  RINGS=1000 NO_SDP=yes two_recipients ringing_forked crossing_forked ack media bye
  deliver 0
  sipp_content
  assert_eaten
  stop_sink
  assert_stored 0
  sink_saw sink.bye
  [ "$(grep -c ' dialog.confirmed ' s)" -eq 2 ]
}

@test "a second answer that crosses the proxy's CANCEL: ACK and BYE" {
  RINGS=1000 two_recipients ringing_forked crossing_forked ack bye
  deliver 0 --t1 100
  sipp_content
  stop_sink
  assert_stored 1
  [ "$(grep -c ' dialog.confirmed ' s)" -eq 1 ]
}

@test "a branch that rings and is cancelled by the proxy leaves nothing behind" {
  RINGS=300 two_recipients ringing_forked cancelled
  deliver 0 --t1 20
  sipp_content
  stop_sink
  assert_stored 1
}

@test "one is busy, the other one takes the message" {
  two_recipients busy
  deliver 0
  sipp_content
  stop_sink
  assert_stored 1
}
