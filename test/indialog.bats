#!/usr/bin/env bats
# What happens inside the dialog: the recipient's requests, collisions, moves. Recipients are SIPp
# (sipp/) and peers/dialog.py; long times run on a fast clock.
load helper
load peers

# The recipient ended the session: no BYE of ours after its own.
no_bye_of_ours() {
  grep -q ' session\.ended .*by=peer' s
  ! grep ' bye\.sent ' s
}

# --- Requests of the recipient.

@test "INFO, MESSAGE, offers and strangers, each with its own refusal; a notification is taken" {
  start_sipp invite answer ack refusals media bye
  make_message 10
  deliver 0
  sipp_content
  assert_eaten
  [ "$(cpm-session get s imdn.received.message-id)" = 34jk324j ]
  [ "$(cpm-session get s imdn.received.status)" = delivered ]
}

@test "the same over TCP" {
  SIPP_OVER=tcp start_sipp invite answer ack refusals media bye
  make_message 10
  deliver 0
  sipp_content
  assert_eaten
}

@test "the recipient moves by re-INVITE: BYE follows it" {
  start_sipp invite answer ack move_reinvite media bye_moved
  make_message 10
  deliver 0
  sipp_content
  cpm-session get s dialog.refreshed.target | grep -q '^sip:moved@'
}

@test "the recipient moves by UPDATE: BYE follows it" {
  start_sipp invite answer ack move_update media bye_moved
  make_message 10
  deliver 0
  sipp_content
}

@test "the recipient moves to another port, and to TCP: BYE follows it there" {
  start_recipient dialog.py udp moves udp
  make_message 10
  deliver 0
  recipient_ended
  rm s
  start_recipient dialog.py udp moves tcp
  make_message 10
  deliver 0
  recipient_ended
}

@test "requests while it rings" {
  start_recipient dialog.py udp early
  make_message 10
  deliver 0
  recipient_ended
}

@test "re-INVITEs that cross: 491 to both, ours again after a pause" {
  fast_clock
  SIPP_EXPIRES='300;refresher=uac' SIPP_ALLOW='INVITE, ACK, BYE, CANCEL' \
    start_sipp invite answer ack glare media bye
  make_message 10
  deliver 0 "${FAST[@]}"
  sipp_content
  assert_eaten
}

@test "the recipient's BYE overtakes its last answer: delivered" {
  start_recipient dialog.py udp overtakes answered
  make_message 50000
  deliver 0
  recipient_ended
  no_bye_of_ours
}

@test "the recipient's BYE comes instead of its last answer: 75" {
  start_recipient dialog.py tcp overtakes silent
  make_message 50000
  deliver 75
  recipient_ended
  no_bye_of_ours
}

@test "a 200 without To tag, of a peer of RFC 2543: the dialog has none" {
  start_recipient dialog.py udp tagless
  make_message 10
  deliver 0
  recipient_ended
}

@test "a 200 whose Record-Route cannot be used is acknowledged and ended: 76" {
  start_recipient dialog.py udp unroutable
  make_message 10
  deliver 76
  recipient_ended
  grep -q 'Record-Route' err
}
