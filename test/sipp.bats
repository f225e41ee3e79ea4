#!/usr/bin/env bats
# Deliveries to SIPp, an independent SIP end, which checks what it gets; the parts of its scenarios
# are in sipp/. The media go to msrp-eat where a test lets them flow.
load helper
load peers

@test "the INVITE as the specification wants it, an answer, ACK, the message, BYE" {
  start_sipp invite ringing answer ack media bye
  make_message 300000
  deliver 0
  sipp_content
  assert_eaten
}

@test "the same over TCP" {
  SIPP_OVER=tcp start_sipp invite ringing answer ack media bye
  make_message 3000
  deliver 0
  sipp_content
  assert_eaten
}

@test "the same over IPv6" {
  SIPP_HOST=[::1] start_sipp invite ringing answer ack media bye
  make_message 3000
  deliver 0 --msrp-listen '[::1]'
  sipp_content
  assert_eaten
  grep -q '^c=IN IP6 ::1' sipp.msg
}

@test "an answer without provisional responses" {
  start_sipp invite answer ack media bye
  make_message 10
  deliver 0
  sipp_content
  assert_eaten
}

@test "a large INVITE whose URI names no transport tries TCP first and falls back to UDP" {
  start_sipp invite answer ack media bye
  BOB=${BOB%;transport=*}
  make_message 10
  deliver 0
  sipp_content
  assert_eaten
}

@test "the file-selector's size is that of the whole CPIM message" {
  start_sipp invite answer ack media bye
  make_message 54321
  deliver 0
  sipp_content
  grep -q "^a=file-selector:size:$(stat -c %s m.cpim)" sipp.msg
}

@test "Record-Route in the answer is the route of ACK and BYE, reversed" {
  start_sipp invite ringing answer_routed ack_routed media bye_routed
  make_message 10
  deliver 0
  sipp_content
  assert_eaten
}

@test "a strict router in the answer's Record-Route" {
  start_sipp invite answer_strict ack_strict media bye_strict
  make_message 10
  deliver 0
  sipp_content
  assert_eaten
}

@test "each repeated 200 is acknowledged" {
  # Without -nr SIPp would keep the second ACK to itself, as a repetition.
  start_sipp invite again media bye -- -nr
  make_message 10
  deliver 0
  sipp_content
  assert_eaten
}

@test "reliable provisional responses: PRACK, once for each; the answer may come in one" {
  start_sipp invite reliable ack media bye
  make_message 3000
  deliver 0
  sipp_content
  assert_eaten
  [ "$(grep -c '^PRACK ' sipp.msg)" -eq 1 ]
  [ "$(cpm-session get s bye.sent.cseq)" -eq 3 ]
}

@test "302: the addresses are tried by their q, one of which does not answer" {
  start_sink
  ELSEWHERE=$BOB start_sipp invite redirect
  make_message 3000
  deliver 0
  sipp_content
  stop_sink
  assert_stored 1
  [ "$(cpm-session get s invite.sent.cseq)" -eq 3 ]
  sink_saw 'to="<sip:bob@'
}

@test "422: asked again in the same call, with the interval that the peer needs" {
  SIPP_EXPIRES="2000;refresher=uac" start_sipp invite too_small answer ack media bye
  make_message 10
  deliver 0
  sipp_content
  [ "$(sort -u sipp.log | grep -c call=)" -eq 1 ]
  assert_eaten
}

@test "a 200 without an answer is acknowledged and ended: 76" {
  start_sipp invite empty_answer ack bye
  make_message 10
  deliver 76
  sipp_content
}

@test "nobody connects: BYE after --accept-timeout, 75" {
  start_sipp invite ringing answer ack bye
  make_message 10
  deliver 75 --accept-timeout 1
  sipp_content
}

@test "nobody answers: 75 when timer B fires, 64 times T1" {
  start_sipp invite silence
  make_message 10
  deliver 75 --t1 20
  # Sent at 0, 1, 3, 7, 15, 31 and 63 times T1 (RFC 3261 17.1.1.2).
  local sent
  sent=$(grep -c '^INVITE sip:' sipp.msg)
  echo "INVITE was sent $sent times"
  [ "$sent" -ge 5 ]
  [ "$sent" -le 7 ]
}

@test "the recipient ends the session while it is under way: 75, and no BYE of ours" {
  ANSWERS=2 start_sipp invite answer ack media hangup
  make_message 300000
  deliver 75 --stop-and-wait --chunk-size 2048
  sipp_content
  ! grep -A20 'message received' sipp.msg | grep '^BYE '
  cpm-session get s session.ended.by | grep -qx peer
}

@test "requests in the dialog: OPTIONS, INFO, unknown and forbidden ones, UPDATE, re-INVITE" {
  start_sipp invite answer ack requests media bye
  make_message 10
  deliver 0
  sipp_content
  same_origin
  assert_eaten
}
