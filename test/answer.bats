#!/usr/bin/env bats
# What recipients answer: odd descriptions are understood, unusable ones are acknowledged, ended with
# BYE, and named each by its own line and status. The recipient is SIPp, whose answer is edited.
load helper
load peers

# edited SED...: the answer, edited.
edited() {
  sed -E "$@" "$BATS_TEST_DIRNAME/sipp/answer.xml" >edited.xml
}

# refused STATUS WHY LINE SED...: such an answer gets ACK and BYE, and this is said.
refused() {
  local status=$1 why=$2 line=$3
  shift 3
  edited "$@"
  start_sipp invite edited ack bye
  make_message 5000
  deliver "$status"
  sipp_content
  [ "$(cpm-session get s invite.failed.why)" = "$why" ]
  [ "$(cpm-session get s bye.answered.method)" = BYE ]
  [ "$(grep -c . err)" -eq 1 ]
  grep -qF "$line" err || {
    cat err
    return 1
  }
}

@test "no session description: 76" {
  refused 76 no-answer-sdp 'the 200 carries no session description' '/^      v=0/,/^      a=path/d'
}

@test "a body of another type: 76" {
  refused 76 no-answer-sdp 'no session description' 's|application/sdp|text/html|'
}

@test "a description without message media: 76" {
  refused 76 no-media 'no message media' 's|m=message 9 TCP/MSRP \*|m=audio 9 RTP/AVP 0|'
}

@test "what is no description at all: 76" {
  refused 76 no-media 'no message media' 's/^      [a-z]=.*/      nonsense/'
}

@test "no path: 76" {
  refused 76 no-path 'no a=path' '/a=path/d'
}

@test "a path that is no MSRP URI, or one by another transport than TCP: 76" {
  local path
  for path in sip:bob@example.com 'msrp://127.0.0.1:9/s1pp;ws'; do
    edited "s|a=path:msrp:.*|a=path:$path|"
    rm -f s
    start_sipp invite edited ack bye
    make_message 10
    deliver 76
    sipp_content
    grep -qF 'a=path' err
  done
}

@test "port 0: 69" {
  refused 69 media-refused 'refuses the message media (port 0)' 's/m=message 9/m=message 0/'
}

@test "message/cpim is not accepted: 69" {
  refused 69 types 'does not accept message/cpim' 's|accept-types:.*|accept-types:text/plain|'
}

@test "the content's type may not be wrapped: 69" {
  refused 69 types "does not accept the content's type" \
    's|(^.*)a=recvonly|&\n\1a=accept-wrapped-types:text/plain message/imdn+xml|'
}

@test "max-size is smaller than the message: 69" {
  refused 69 too-large "larger than the recipient's a=max-size" \
    's|(^.*)a=recvonly|&\n\1a=max-size:5000|'
}

@test "sendonly: 69" {
  refused 69 sendonly 'would only send' 's/a=recvonly/a=sendonly/'
}

@test "inactive: 69" {
  refused 69 inactive 'on hold (inactive)' 's/a=recvonly/a=inactive/'
}

# understood SED...: the message is delivered all the same.
understood() {
  edited "$@"
  start_sipp invite edited ack media bye
  make_message 5000
  deliver 0
  sipp_content
  assert_eaten
}

@test "attributes of the session, before its m= line" {
  understood '/^      m=message/d; s/^(      )(a=path.*)/&\n\1m=message 9 TCP\/MSRP */'
}

@test "lines in an odd order, some unknown, some that should not be there" {
  understood -e '/^      (c|t|s)=/d' \
    -e 's/^(      )a=path.*/\1a=connection:new\n\1b=AS:64\n\1a=\n\1z9=x\n&\n\1c=IN IP4 127.0.0.1/'
}

@test "capital letters and more types" {
  understood -e 's/a=setup:active/A=setup:ACTIVE\n      a=setup:ACTIVE/' \
    -e 's|a=accept-types:.*|a=accept-types:text/plain;x=y * message/imdn+xml|'
}

@test "the content's type may be wrapped, or stands alone" {
  understood 's|(^.*)a=recvonly|&\n\1a=accept-wrapped-types:text/plain application/*|'
  rm s
  understood -e 's|(^.*)a=recvonly|&\n\1a=accept-wrapped-types:text/plain|' \
    -e 's|a=accept-types:.*|a=accept-types:message/cpim application/octet-stream|'
}

@test "max-size just as large as the message, and one less" {
  BOB=$ALICE # of the message; who is called is known later
  make_message 5000
  local size
  size=$(stat -c %s m.cpim)
  edited "s|^( *)a=recvonly|&\n\1a=max-size:$size|"
  start_sipp invite edited ack media bye
  deliver 0
  sipp_content
  assert_eaten
  rm s
  edited "s|^( *)a=recvonly|&\n\1a=max-size:$((size - 1))|"
  start_sipp invite edited ack bye
  deliver 69
  sipp_content
}

@test "the description in a multipart body" {
  understood -e 's|Content-Type: application/sdp|Content-Type: multipart/mixed;boundary="x y"|' \
    -e 's|^( *)v=0|\1--x y\n\1Content-Type: text/plain\n\n\1hello\n\1--x y\n\1Content-Type: application/sdp\n\n&|' \
    -e 's|^( *)a=path.*|&\n\1--x y--|'
}

@test "sendrecv, or no direction at all" {
  understood 's/a=recvonly/a=sendrecv/'
  rm s eaten
  stop_peers
  understood '/a=recvonly/d'
}

@test "bare line feeds, blank lines and leading blanks" {
  start_recipient dialog.py udp odd
  make_message 5000
  deliver 0
  recipient_ended
}
