#!/usr/bin/env bats
# How an INVITE ends without a session, with SIPp as the recipient or with nobody: what is sent, the
# status, and what the journal tells.
load helper
load peers

BOB=sip:bob@example.com # for who makes the message first

deliver() { # WANTED-STATUS [options of cpm-deliver]
  local wanted=$1 status=0
  shift
  rm -f s
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim \
    >out 2>err </dev/null || status=$?
  assert_status "$status" "$wanted" || {
    tail -n 40 sipp.err sipp.msg
    return 1
  }
}

fact() { # KEY WANTED
  local got
  got=$(cpm-session get s "$1" 2>/dev/null) || :
  [ "$got" = "$2" ] || {
    echo "$1: $got, expected $2"
    cat s
    return 1
  }
}

# CODE|REASON|HEADER|STATUS|WHY|RETRY-AFTER: the header is the detail, but for Server and Retry-After.
refused() {
  local code words more status why retry detail
  while IFS='|' read -r code words more status why retry; do
    [ -n "$code" ] || continue
    sed "s|@STATUS@|$code $words|" "$BATS_TEST_DIRNAME/sipp/refuse.xml" >refusal.xml
    start_sipp invite refusal -- -key more "$more"
    deliver "$status"
    sipp_content
    case $more in Server* | Retry-After*) detail= ;; *) detail=$more ;; esac
    fact invite.failed.code "$code"
    fact invite.failed.reason "$words"
    fact invite.failed.status "$status"
    fact invite.failed.why "$why"
    fact invite.failed.detail "$detail"
    fact invite.failed.retry-after "$retry"
    fact outcome.status "$status"
    grep -qF "cpm-invite: $BOB: refused: $code $words" err
    [ -z "$detail" ] || grep -qF "$detail" err
    [ -z "$retry" ] || grep -qF "the peer asks to wait $retry s" err
  done
}

@test "refused for good: 69" {
  make_message 10
  refused <<'END'
400|Bad Request|Server: sipp|69|refused|
403|Forbidden|Server: sipp|69|refused|
404|Not Found|Server: sipp|69|refused|
410|Gone|Server: sipp|69|refused|
415|Unsupported Media Type|Accept: text/plain|69|refused|
488|Not Acceptable Here|Warning: 304 sipp "Media type not available"|69|refused|
603|Decline|Server: sipp|69|refused|
604|Does Not Exist Anywhere|Server: sipp|69|refused|
606|Not Acceptable|Warning: 305 sipp "Incompatible media format"|69|refused|
END
}

@test "a long reason is cut between two characters" {
  local words
  words=$(printf '€%.0s' {1..200})
  sed "s|@STATUS@|480 $words|" "$BATS_TEST_DIRNAME/sipp/refuse.xml" >refusal.xml
  start_sipp invite refusal -- -key more 'Server: sipp'
  make_message 10
  deliver 75 -v
  sipp_content
  fact invite.failed.reason "${words:0:42}" # of 127 octets
  grep -qxF "cpm-deliver: not delivered to $BOB: 480 ${words:0:42}; try again (75)" err
  iconv -f UTF-8 -t UTF-16 err s >/dev/null
}

@test "extensions and intervals are told apart" {
  make_message 10
  refused <<'END'
420|Bad Extension|Unsupported: foo, bar|69|extension|
421|Extension Required|Require: precondition|69|extension|
422|Session Interval Too Small|Server: sipp|75|interval|
423|Interval Too Brief|Min-Expires: 900|69|interval|
END
}

@test "not now: 75, with Retry-After where the recipient gives one" {
  make_message 10
  refused <<'END'
408|Request Timeout|Server: sipp|75|refused|
480|Temporarily Unavailable|Retry-After: 60|75|refused|60
486|Busy Here|Retry-After: 120 (in a meeting);duration=60|75|refused|120
487|Request Terminated|Server: sipp|75|refused|
491|Request Pending|Server: sipp|75|refused|
500|Server Internal Error|Retry-After: 5|75|refused|5
503|Service Unavailable|Retry-After: 3600|75|refused|3600
600|Busy Everywhere|Retry-After: 7|75|refused|7
END
}

@test "nobody answers the ringing: CANCEL, 487 is acknowledged, 75" {
  start_sipp invite ringing cancel terminated
  make_message 10
  deliver 75 --answer-timeout 1
  sipp_content
  fact invite.failed.why no-answer
  fact bye.answered.method CANCEL
  fact invite.failed.code 487
  # On the INVITE's branch, or the recipient would not know what is meant.
  [ "$(grep -o 'branch=[^; ]*' sipp.log | sort -u | wc -l)" -eq 1 ]
}

@test "a 200 that crosses the CANCEL: ACK and BYE, 75" {
  start_sipp invite ringing cancel crossing ack bye
  make_message 10
  deliver 75 --answer-timeout 1
  sipp_content
  fact invite.failed.why no-answer
  fact bye.answered.method BYE
  fact bye.answered.code 200
}

@test "nobody is there, by UDP: ICMP tells it at once" {
  pick_host
  BOB="sip:bob@$HOST:5060;transport=udp"
  make_message 10
  deliver 75
  fact invite.failed.why unreachable
  grep -q 'by UDP: Connection refused' err
  fact invite.failed.detail "$HOST:5060 by UDP: Connection refused"
}

@test "nobody is there, by TCP: 75" {
  pick_host
  BOB="sip:bob@$HOST:5060;transport=tcp"
  make_message 10
  deliver 75
  fact invite.failed.why unreachable
  grep -q 'by TCP: Connection refused' err
}

@test "what answers cannot be read as SIP: 76, by UDP and TCP alike" {
  local over what
  make_message 10
  for over in udp tcp; do
    for what in http code; do
      start_recipient rough.py "$over" babbles "$what"
      deliver 76 --t1 20
      fact invite.failed.why bad-response
      grep -q 'cannot be read as SIP' err
      stop_peers
    done
  done
}

@test "the connection is lost before the answer: 75" {
  SIPP_OVER=tcp start_sipp invite ringing
  make_message 10
  deliver 75
  sipp_content
  fact invite.failed.why unreachable
}

@test "the connection is lost during the session: BYE on a new one" {
  start_recipient rough.py tcp dropped
  make_message 3000
  deliver 0
  recipient_ended
  fact bye.answered.code 200
}
