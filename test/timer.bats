#!/usr/bin/env bats
# The session timer (RFC 4028), on a fast clock. Recipients are SIPp (sipp/) and peers/dialog.py.
load helper
load peers

@test "we refresh by UPDATE at half the interval, where the recipient allows it" {
  fast_clock
  SIPP_EXPIRES='300;refresher=uac' start_sipp invite answer ack update media bye
  make_message 10
  deliver 0 "${FAST[@]}"
  sipp_content
  cpm-session get s dialog.refreshed.method | grep -qx UPDATE
  assert_eaten
}

@test "we refresh by re-INVITE with the same o= line where UPDATE is not allowed" {
  fast_clock
  SIPP_EXPIRES='300;refresher=uac' SIPP_ALLOW='INVITE, ACK, BYE, CANCEL' \
    start_sipp invite answer ack reinvite media bye
  make_message 10
  deliver 0 "${FAST[@]}"
  sipp_content
  same_origin
  cpm-session get s dialog.refreshed.method | grep -qx INVITE
  assert_eaten
}

@test "our refresh is answered from elsewhere: BYE goes there" {
  fast_clock
  SIPP_EXPIRES='300;refresher=uac' start_sipp invite answer ack update_moved media bye_moved
  make_message 10
  deliver 0 "${FAST[@]}"
  sipp_content
}

@test "422 for our refresh: again with what the recipient needs" {
  fast_clock
  SIPP_EXPIRES='300;refresher=uac' start_sipp invite answer ack update_too_small media bye
  make_message 10
  deliver 0 "${FAST[@]}"
  sipp_content
  [ "$(cpm-session get s dialog.refreshed.session-expires)" = 400 ]
}

lost_by() { # REFUSAL
  fast_clock
  sed "s/481 Call Does Not Exist/$1/" "$BATS_TEST_DIRNAME/sipp/update_refused.xml" >refused.xml
  SIPP_EXPIRES='300;refresher=uac' start_sipp invite answer ack refused bye
  make_message 10
  deliver 75 "${FAST[@]}"
  sipp_content
  [ "$(cpm-session get s session.ended.by)" = refresh ]
  grep -q 'the session ended' err
}

@test "481 for our refresh: BYE, 75" {
  lost_by '481 Call Does Not Exist'
}

@test "408 for our refresh: BYE, 75" {
  lost_by '408 Request Timeout'
}

@test "the recipient refreshes: the session lives longer than its interval" {
  fast_clock
  echo '<pause milliseconds="1000"/>' >later.xml
  SIPP_EXPIRES='300;refresher=uas' \
    start_sipp invite answer ack their_update their_update_again later media bye
  make_message 10
  deliver 0 "${FAST[@]}"
  sipp_content
  assert_eaten
  [ "$(cpm-session get s dialog.refreshed.by)" = peer ]
}

@test "a recipient that should refresh and does not: BYE before the end, 75" {
  fast_clock
  SIPP_EXPIRES='300;refresher=uas' start_sipp invite answer ack bye
  make_message 10
  deliver 75 "${FAST[@]}"
  sipp_content
  [ "$(cpm-session get s session.ended.by)" = timer ]
}

@test "no Session-Expires in the answer: nothing is refreshed, and nothing expires" {
  fast_clock
  sed '/Session-Expires/d; /Require: timer/d' "$BATS_TEST_DIRNAME/sipp/answer.xml" >untimed.xml
  echo '<pause milliseconds="4000"/>' >later.xml
  start_sipp invite untimed ack later media bye
  make_message 10
  deliver 0 "${FAST[@]}"
  sipp_content
  assert_eaten
  ! grep -E ' (dialog\.refreshed|session\.ended) ' s
}

@test "a transfer of several intervals, which we refresh" {
  fast_clock
  start_recipient dialog.py udp long uac
  make_message 200000
  deliver 0 "${FAST[@]}" --chunk-size 10000
  recipient_ended
  [ "$(grep -c ' dialog\.refreshed .*by=us' s)" -ge 2 ]
}

@test "the session expires in the middle of a transfer: BYE, 75" {
  fast_clock
  start_recipient dialog.py udp long uas
  make_message 200000
  deliver 75 "${FAST[@]}" --chunk-size 10000
  recipient_ended
  [ "$(cpm-session get s session.ended.by)" = timer ]
  ! grep ' msrp\.transferred ' s
}
