#!/usr/bin/env bats
# SIP over TLS: through Kamailio, to cpm-sink and to openssl s_server; who is trusted, and what is said
# where that fails.
bats_require_minimum_version 1.5.0
load helper
load peers

setup_file() {
  mkdir "$BATS_FILE_TMPDIR/certs"
  "$BATS_TEST_DIRNAME/certs" "$BATS_FILE_TMPDIR/certs"
}

certs() {
  CERTS=$BATS_FILE_TMPDIR/certs
  export CPM_SIP_TLS_CA=$CERTS/ca.pem
}

# A recipient that takes SIP over TLS, with that certificate.
start_tls_sink() { # CERTIFICATE [options]
  local name=$1
  shift
  SINK_SIP=tls:127.0.0.1:0 start_sink --sip-tls-cert "$CERTS/$name.pem" \
    --sip-tls-key "$CERTS/$name.key" --sip-tls-ca "$CERTS/ca.pem" "$@"
}

deliver() { # WANTED-STATUS [options of cpm-deliver]
  local wanted=$1 status=0
  shift
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim >out 2>err </dev/null ||
    status=$?
  assert_status "$status" "$wanted" || {
    [ ! -e proxy.log ] || cat proxy.log
    [ ! -e server.log ] || cat server.log
    return 1
  }
}

said() { # TEXT on stderr, in one line
  [ "$(grep -cF -- "$1" err)" -eq 1 ] || {
    echo "not said: $1"
    cat err
    return 1
  }
}

@test "a delivery over TLS, and the requests of the recipient on the connection that is there" {
  certs
  start_tls_sink good --behave update@10 --behave options@2000 --behave read-rate=100k
  make_message 200000
  deliver 0
  stop_sink
  assert_stored 1
  ! grep sink.error sink.log
  sink_saw 'sink.invite .* transport=tls'
  sink_saw 'sink.response .*method=UPDATE code=200'
  sink_saw 'sink.response .*method=OPTIONS code=200'
  grep -q ' invite.sent .* transport=tls .*contact="<sip:alice@127.0.0.1:[0-9]*;transport=tls>' s
}

@test "three stages in a pipeline, with a certificate of ours" {
  certs
  start_tls_sink good
  make_message 5000
  local status=0
  export CPM_SIP_TLS_CERT=$CERTS/good.pem CPM_SIP_TLS_KEY=$CERTS/good.key
  timeout "$GUARD" dash -c '
    cpm-invite -s s --from "$1" --to "$2" | cpm-msrp-serve -s s m.cpim | cpm-bye -s s' \
    sh "$ALICE" "$BOB" >out 2>err </dev/null || status=$?
  assert_status "$status" 0
  stop_sink
  assert_stored 1
}

@test "over IPv6" {
  certs
  SINK_SIP=tls:[::1]:0 start_sink --sip-tls-cert "$CERTS/good.pem" --sip-tls-key "$CERTS/good.key"
  make_message 5000
  CPM_MSRP_LISTEN='[::1]' deliver 0 --msrps
  grep -q ' invite.sent .* transport=tls next-hop="\?\[::1\]' s
  grep -q ' msrp.connected .*peer="\?\[::1\].* tls=TLSv1.3' s
}

@test "sips: goes by TLS, with a sips: Contact, and through a proxy too" {
  certs
  start_tls_sink good
  BOB=sips:bob@${SINK_HOST%;*}
  make_message 5000
  deliver 0
  grep -q ' invite.sent .* uri=sips:.* transport=tls .*contact="<sips:alice@127.0.0.1:[0-9]*>' s
  rm s
  deliver 0 --proxy "sip:$SINK_HOST"
  grep -q ' invite.sent .* transport=tls ' s
  run -64 cpm-invite -s s2 --from "$ALICE" --to "$BOB" --transport udp --alone
  [[ $output == *'sips: goes by TLS alone'* ]]
}

@test "--transport tls, to port 5061 where none is given" {
  certs
  BOB=sip:bob@127.0.0.1
  make_message 100
  deliver 75 --transport tls
  grep -q ' invite.sent .* transport=tls next-hop=127.0.0.1:5061 ' s
}

through_kamailio() { # options of cpm-deliver
  make_message 200000
  deliver 0 --proxy "sip:$PROXY_TLS;transport=tls;lr" "$@"
  stop_sink
  assert_stored 1
  ! grep sink.error sink.log
  local method
  for method in INVITE ACK BYE; do
    grep -q "request=$method from=[^ ]* over=tls" proxy.log
  done
  ! grep astray= proxy.log
}

with_kamailio() { # CERTIFICATE [DEFINE...]
  local cert=$1
  shift
  start_kamailio 127.0.0.1 WITH_TLS "TLS_CERT=\"$CERTS/$cert.pem\"" "TLS_KEY=\"$CERTS/$cert.key\"" \
    "TLS_CA=\"$CERTS/ca.pem\"" "$@"
}

@test "through Kamailio, TLS on both sides, refreshed by the recipient" {
  certs
  with_kamailio good
  start_tls_sink good --behave update@1000 --behave read-rate=100k
  through_kamailio
  sink_saw 'sink.response .*method=UPDATE code=200'
}

@test "through Kamailio that asks for our certificate" {
  certs
  with_kamailio good WITH_MUTUAL
  start_sink
  through_kamailio --sip-tls-cert "$CERTS/good.pem" --sip-tls-key "$CERTS/good.key"
}

@test "with a certificate of ours Kamailio connects to us" {
  certs
  with_kamailio good WITH_MUTUAL
  start_tls_sink good --behave update@1000 --behave read-rate=100k
  through_kamailio --sip-tls-cert "$CERTS/good.pem" --sip-tls-key "$CERTS/good.key"
  sink_saw 'sink.response .*method=UPDATE code=200'
  # The UPDATE went to our Contact, whose port is not the one that the INVITE came from.
  local contact
  contact=$(sed -n 's/.* invite.sent .*contact="<sip:alice@127.0.0.1:\([0-9]*\);.*/\1/p' s)
  grep -q "response=200 method=UPDATE from=127.0.0.1:$contact over=tls" proxy.log
  ! grep "request=INVITE from=127.0.0.1:$contact " proxy.log
}

@test "through Kamailio that asks for a certificate, without one: 77" {
  certs
  with_kamailio good WITH_MUTUAL
  start_sink
  make_message 100
  deliver 77 --proxy "sip:$PROXY_TLS;transport=tls;lr"
  said 'the peer wants a certificate of ours'
  [ "$(cpm-session get s invite.failed.why)" = certificate ]
}

@test "through Kamailio whose certificate is another's: 77, and nothing was said to it" {
  certs
  with_kamailio elsewhere
  start_sink
  make_message 100
  deliver 77 --proxy "sip:$PROXY_TLS;transport=tls;lr"
  said 'the certificate is for elsewhere.example.net'
  ! grep request= proxy.log
}

taken_over() { # options
  make_message 2000000
  cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim >out 2>err 3>&- </dev/null &
  local deliver=$! status=0
  cpm-session wait s msrp.connected --timeout "$GUARD"
  kill -KILL "$(sed -n '/ cpm-invite\[/{s/.* cpm-invite\[\([0-9]*\)].*/\1/p;q}' s)"
  wait "$deliver" || status=$?
  assert_status "$status" 75
  stop_sink
  sink_saw sink.bye
  grep -q ' cpm-bye\[.*bye.answered .*code=200' s
}

@test "cpm-invite is killed: cpm-bye ends the session over TLS" {
  certs
  start_tls_sink good --behave read-rate=20000
  taken_over
}

@test "the same, with a certificate of ours, through Kamailio" {
  certs
  with_kamailio good WITH_MUTUAL
  start_tls_sink good --behave read-rate=20000
  taken_over --proxy "sip:$PROXY_TLS;transport=tls;lr" --sip-tls-cert "$CERTS/good.pem" \
    --sip-tls-key "$CERTS/good.key"
}

@test "cpm-invite is killed: the BYE is challenged over TLS" {
  certs
  with_kamailio good WITH_AUTH 'AUTH_ALGORITHM="SHA-256"' AUTH_FLAGS=1
  start_tls_sink good --behave read-rate=20000
  echo s3cret >password
  taken_over --proxy "sip:$PROXY_TLS;transport=tls;lr" --auth-user alice --auth-password-file password
  grep -q 'challenge=407 .* method=BYE' proxy.log
  grep -q 'authentic=BYE' proxy.log
}

# --- What is said.

# s_server ends when its input does, so it has one that does not.
start_server() { # CERTIFICATE [options of s_server]: BOB is behind it
  [ -p forever ] || mkfifo forever
  exec 8<>forever
  on_port run_server "$@" || {
    cat server.log
    return 1
  }
  BOB="sip:bob@localhost:$PORT;transport=tls"
}

run_server() { # CERTIFICATE [options of s_server]
  local name=$1
  shift
  openssl s_server -accept "127.0.0.1:$PORT" -cert "$CERTS/$name.pem" -key "$CERTS/$name.key" \
    -CAfile "$CERTS/ca.pem" "$@" <&8 >server.log 2>&1 3>&- &
  PEER=$!
  listens "$PEER" "$PORT" tcp
}

# refused STATUS TEXT CERTIFICATE [options of s_server]
refused() {
  local status=$1 text=$2
  shift 2
  certs
  start_server "$@"
  make_message 100
  deliver "$status"
  said "$text"
  ! grep -q INVITE server.log
}

@test "expired" { refused 77 'the certificate of /CN=expired expired on 2' expired; }
@test "unknown CA" { refused 77 'the certificate of /CN=stranger comes from an unknown CA, /CN=other' stranger; }
@test "self-signed" { refused 77 'the certificate of /CN=self is self-signed' self; }
@test "a wildcard is no name" { refused 77 'the certificate is for *.example.com, *, not for localhost' star; }
@test "another purpose" { refused 77 'for neither SIP nor TLS' mail; }
@test "TLS 1.1" { refused 76 'alert' good -tls1_1 -cipher ALL@SECLEVEL=0; }

@test "the server wants a certificate and gets none, in TLS 1.2" {
  refused 77 'the peer wants a certificate of ours' good -Verify 1 -verify_return_error -tls1_2
}

@test "the server does not trust ours: what it says is told" {
  certs
  start_server good -Verify 1 -verify_return_error
  make_message 100
  deliver 77 --sip-tls-cert "$CERTS/stranger.pem" --sip-tls-key "$CERTS/stranger.key"
  said 'the peer refuses our certificate: unknown CA'
}

@test "in TLS 1.2 as in 1.3 the server is named to itself, and hears the INVITE" {
  certs
  local version
  for version in 2 3; do
    start_server good "-tls1_$version" -servername localhost -cert2 "$CERTS/good.pem" \
      -key2 "$CERTS/good.key"
    make_message 100
    rm -f s
    deliver 75 --t1 20 --answer-timeout 1 --sip-tls-cert "$CERTS/good.pem" \
      --sip-tls-key "$CERTS/good.key"
    grep -q 'Hostname in TLS extension: "localhost"' server.log
    grep -q '^INVITE sip:bob@localhost' server.log
    grep -q '^Via: SIP/2.0/TLS ' server.log
    stop_peers
  done
}

@test "plain text where TLS is expected: 76" {
  certs
  SINK_SIP=tcp:127.0.0.1:0 start_sink
  mkfifo text
  exec 8<>text
  printf 'SIP/2.0 400 Bad Request\r\n\r\n' >text
  pick_host
  socat "TCP-LISTEN:5061,bind=$HOST" STDIO <&8 >/dev/null 2>&1 3>&- &
  PEER_PIDS+=($!)
  listens $! 5061 tcp
  BOB="sip:bob@$HOST:5061;transport=tls"
  make_message 100
  deliver 76
  said 'the peer does not speak TLS there'
}

@test "files that cannot be used: 77, before anything is sent" {
  certs
  BOB='sip:bob@127.0.0.1:9;transport=tls'
  make_message 100
  deliver 77 --sip-tls-cert none.pem
  said 'none.pem: No such file'
  rm s
  deliver 77 --sip-tls-cert "$CERTS/good.pem" --sip-tls-key "$CERTS/self.key"
  said 'self.key: is not the key of the certificate'
  rm s
  deliver 77 --sip-tls-cert "$CERTS/good.pem" --sip-tls-key "$CERTS/locked.key"
  said 'the key has a passphrase'
  rm s
  deliver 77 --sip-tls-cert "$CERTS/expired.pem" --sip-tls-key "$CERTS/expired.key"
  said 'expired.pem: the certificate expired on 2'
  rm s
  deliver 77 --sip-tls-ca none
  said 'none: No such file'
  ! grep invite.sent s
  rm s
  deliver 64 --sip-tls-key "$CERTS/good.key"
}

@test "the module is missing: 78, and a delivery without TLS does not miss it" {
  certs
  start_tls_sink good
  make_message 100
  CPM_MODULES=/nowhere deliver 78
  said '/nowhere/openssl.so'
  stop_sink
  start_sink
  rm s
  CPM_MODULES=/nowhere deliver 0
}
