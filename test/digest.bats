#!/usr/bin/env bats
# Digest authentication against Kamailio, which asks for it in every request but ACK and CANCEL.
bats_require_minimum_version 1.5.0
load helper
load peers

# digest_proxy ALGORITHM QOP [DEFINE...]
digest_proxy() {
  local algorithm=$1 qop=$2
  shift 2
  start_kamailio 127.0.0.1 WITH_AUTH "AUTH_ALGORITHM=\"$algorithm\"" "AUTH_FLAGS=\"$qop\"" "$@"
  start_sink
  printf 's3cret\n' >password
}

deliver() { # WANTED-STATUS [options of cpm-deliver]
  local wanted=$1 status=0
  shift
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" --proxy "sip:$PROXY;lr;transport=udp" \
    "$@" m.cpim >out 2>err </dev/null || status=$?
  assert_status "$status" "$wanted" || {
    cat proxy.log sink.log
    return 1
  }
}

# The proxy challenged and then believed these methods, in order: "METHOD challenges".
proxy_asked() { # METHOD CHALLENGES
  local challenged believed
  challenged=$(grep -c "challenge=.* method=$1" proxy.log) || :
  believed=$(grep -c "authentic=$1 user=alice" proxy.log) || :
  if [ "$challenged" -ne "$2" ] || [ "$believed" -ne 1 ]; then
    echo "$1: challenged $challenged times, expected $2; believed $believed times"
    cat proxy.log
    return 1
  fi
}

# Nobody can read the password or the digest in what we write down.
nothing_leaks() {
  run ! grep -E 's3cret|response="[0-9a-f]' s out err trace.txt
  grep -q '^ -> .*response="\*\*\*' err
  grep -q '^ -> .*response="\*\*\*' trace.txt
}

whole() { # ALGORITHM QOP [DEFINE...]
  digest_proxy "$@"
  make_message 3000
  deliver 0 -v -v --trace trace.txt --auth-user alice --auth-password-file password
  stop_sink
  assert_stored 1
  nothing_leaks
}

@test "MD5 with qop=auth: INVITE is challenged, BYE has its credentials at once" {
  whole MD5 1
  proxy_asked INVITE 1
  proxy_asked BYE 0
  grep -q 'qop=auth, nc=00000001' err
  grep -q 'qop=auth, nc=00000002' err
}

@test "MD5 without qop" {
  whole MD5 0
  proxy_asked INVITE 1
  proxy_asked BYE 0
  run ! grep -q 'nc=0' err
}

@test "SHA-256 with qop=auth" {
  whole SHA-256 1
  proxy_asked INVITE 1
  proxy_asked BYE 0
  grep -q 'algorithm=SHA-256' err
}

@test "a nonce that is good for one request only: the BYE is challenged, and sent again" {
  whole MD5 1 WITH_ONCE
  proxy_asked INVITE 1
  proxy_asked BYE 1
  [ "$(cpm-session get s dialog.cseq.cseq)" -eq 4 ]
}

@test "two realms: a proxy's and the server's, one after the other" {
  whole SHA-256 1 WITH_HOME
  proxy_asked INVITE 2
  proxy_asked BYE 0
}

@test "a wrong password: 77 at once, with a line that says why" {
  digest_proxy MD5 1
  echo wrong >password
  make_message 100
  deliver 77 --auth-user alice --auth-password-file password
  stop_sink
  run ! grep sink.invite sink.log
  [ "$(grep -c 'challenge=407' proxy.log)" -eq 2 ]
  grep -q 'refused: 407 .*realm "edge.example.com" does not take the credentials' err
  [ "$(cpm-session get s invite.failed.why)" = credentials ]
}

@test "no credentials: 77, with a line that says what to give" {
  digest_proxy MD5 1
  make_message 100
  deliver 77
  [ "$(grep -c 'challenge=407' proxy.log)" -eq 1 ]
  grep -q 'realm "edge.example.com" wants credentials (give --auth-user' err
}

@test "a password file that others can read: 77 before anything is sent" {
  digest_proxy MD5 1
  chmod 644 password
  make_message 100
  deliver 77 --auth-user alice --auth-password-file password
  run ! grep request= proxy.log
  grep -q 'password: .*open to others' err
}

by_sipp() { # options of cpm-deliver
  local status=0
  make_message 10
  echo s3cret >password
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" --auth-user alice \
    --auth-password-file password m.cpim >out 2>err </dev/null || status=$?
  assert_status "$status" 0
  sipp_content
  assert_eaten
}

@test "a proxy and the server at once, with a choice of algorithms; ACK; the nonce to use next" {
  start_sipp invite challenge answer_next ack_same media bye_next
  by_sipp
  sed -n 's/.*invite Digest/Digest/p' sipp.log >invite
  sed -n 's/.*ack Digest/Digest/p' sipp.log | diff invite -
  grep -q 'Digest.*Digest' invite
}

@test "a PRACK that is challenged is sent again with credentials and the next number" {
  start_sipp invite reliable_challenged ack media bye
  by_sipp
  [ "$(cpm-session get s bye.sent.cseq)" -eq 4 ]
}

# From SIPp, at half the interval of the session timer.
@test "an UPDATE that is challenged is sent again with credentials and the next number" {
  fast_clock
  SIPP_EXPIRES='300;refresher=uac' start_sipp invite answer ack update_challenged media bye
  by_sipp "${FAST[@]}"
  [ "$(cpm-session get s bye.sent.cseq)" -eq 4 ]
}

@test "cpm-invite is killed: cpm-bye answers the challenge to its BYE" {
  digest_proxy SHA-256 1
  stop_sink
  start_sink --behave read-rate=20000
  make_message 2000000
  cpm-deliver -s s --from "$ALICE" --to "$BOB" --proxy "sip:$PROXY;lr;transport=udp" \
    --auth-user alice --auth-password-file password m.cpim >out 2>err 3>&- </dev/null &
  local deliver=$! status=0
  cpm-session wait s msrp.connected --timeout "$GUARD"
  kill -KILL "$(sed -n '/ cpm-invite\[/{s/.* cpm-invite\[\([0-9]*\)].*/\1/p;q}' s)"
  wait "$deliver" || status=$?
  assert_status "$status" 75
  stop_sink
  sink_saw sink.bye
  proxy_asked BYE 1
  [ "$(cpm-session get s bye.answered.code)" -eq 200 ]
}
