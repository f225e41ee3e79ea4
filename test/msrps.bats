#!/usr/bin/env bats
# MSRP over TLS: against a recipient with Python's ssl (peers/secure.py), openssl, and cpm-sink with
# every kind of certificate that does not pass.
bats_require_minimum_version 1.5.0
load helper
load peers

setup_file() {
  mkdir "$BATS_FILE_TMPDIR/certs"
  "$BATS_TEST_DIRNAME/certs" "$BATS_FILE_TMPDIR/certs"
}

certs() {
  CERTS=$BATS_FILE_TMPDIR/certs
  export CPM_MSRPS=yes CPM_MSRP_TLS_CA=$CERTS/ca.pem
}

teardown() {
  stop_sink
  stop_peers
  [ -z "${PEER_PID:-}" ] || kill "$PEER_PID" 2>/dev/null || :
}

start_recipient() { # SCENARIO [ARGUMENT...]
  local line scenario=$1
  shift
  certs
  mkfifo peer.pipe
  python3 "$BATS_TEST_DIRNAME/peers/secure.py" "$scenario" "$CERTS" "$@" >peer.pipe 2>peer.err 3>&- &
  PEER_PID=$!
  exec 8<peer.pipe
  IFS= read -r -t "$GUARD" line <&8 || {
    cat peer.err
    return 1
  }
  BOB=${line#uri }
}

recipient_ended() { # it is content
  local status=0
  wait "$PEER_PID" || status=$?
  PEER_PID=
  [ "$status" -eq 0 ] || {
    cat <&8
    cat peer.err s err
    return 1
  }
}

said() {
  grep -qF -- "$1" err || {
    echo "not said: $1"
    cat err s
    return 1
  }
}

# meets STATUS SCENARIO [ARGUMENT...] [-- options]
meets() {
  local wanted=$1 scenario=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    scenario+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  start_recipient "${scenario[@]}"
  make_message "${SIZE:-300000}"
  deliver "$wanted" "$@"
  recipient_ended
}

@test "the recipient connects, in TLS 1.3, its fingerprint in small letters" {
  meets 0 active TLSv1_3 sha-256
  grep -q ' msrp.connected .* role=passive tls=TLSv1.3 ktls=\(yes\|no\)' s
}

@test "in TLS 1.2, with a fingerprint by SHA-1" {
  meets 0 active TLSv1_2 sha-1
  grep -q ' msrp.connected .* role=passive tls=TLSv1.2 ktls=' s
}

@test "with a certificate of ours" {
  meets 0 active TLSv1_3 sha-512 -- --msrp-tls-cert "$BATS_FILE_TMPDIR/certs/good.pem" \
    --msrp-tls-key "$BATS_FILE_TMPDIR/certs/good.key"
  local print
  print=$(openssl x509 -in "$CERTS/good.pem" -noout -fingerprint -sha256)
  [ "$(cpm-session get s msrp.listening.fingerprint)" = "sha-256 ${print#*=}" ]
}

@test "it connects before it answers" { meets 0 early self; }

@test "it connects before it answers, with another's certificate: 77" {
  meets 77 early good
  said 'does not have the fingerprint sha-256'
}

@test "it connects with another's certificate: 77" {
  meets 77 other elsewhere
  said 'does not have the fingerprint sha-256'
  [ "$(cpm-session get s msrp.failed.octets)" = 0 ]
}

@test "it connects without a certificate: 77" {
  meets 77 other -
  said 'the peer shows no certificate'
}

@test "it does not trust our certificate: 77" {
  meets 77 refuses
  said 'the peer refuses our certificate: unknown CA'
}

@test "we connect, in TLS 1.2 and 1.3" {
  meets 0 passive self TLSv1_3
  grep -q ' msrp.connected .* role=active tls=TLSv1.3' s
  rm s peer.pipe
  meets 0 passive self TLSv1_2
  grep -q ' msrp.connected .* role=active tls=TLSv1.2' s
}

@test "we connect to a host by its name, and say it" { meets 0 passive self TLSv1_3 localhost; }

@test "strangers do no harm" { meets 0 strangers; }

@test "it goes away in the middle: 75" {
  SIZE=3000000 meets 75 breaks 200000
}

@test "a notification right behind the last answer, in a record of its own, comes before the verdict" {
  meets 0 notifies
  comes_before imdn.received msrp.transferred s
}

@test "it connects in plain text: 76, once nobody else came" {
  meets 76 plain -- --accept-timeout 1
  said 'the peer does not speak TLS there'
}

@test "we connect to plain text: 76" {
  meets 76 no_tls
  said 'the peer does not speak TLS there'
}

# --- cpm-sink.

sink() { # [options]
  certs
  start_sink "$@"
}

stored() {
  stop_sink
  assert_stored 1
  ! grep sink.error sink.log
}

@test "cpm-sink connects" {
  sink
  make_message 3000000
  deliver 0
  stored
  sink_saw 'sink.connected .*role=active tls=TLSv1.3'
}

@test "cpm-sink listens, and finds our certificate to be the offer's" {
  sink --behave setup=passive
  make_message 3000000
  deliver 0
  stored
  sink_saw 'sink.connected .*role=passive tls=TLSv1.3'
}

@test "cpm-sink reads slowly: what waits is encrypted once" {
  sink --behave read-rate=300000
  make_message 900000
  deliver 0
  stored
}

@test "a chunk of 24 MB, more than sockets hold" {
  sink --behave read-rate=20M
  make_message 24000000
  deliver 0 --chunk-size 32M
  stored
}

@test "cpm-sink speaks in the middle, and answers twice" {
  sink --behave send-empty@100000 --behave msrp-twice --behave read-rate=1M
  make_message 500000
  deliver 0
  stored
  [ "$(grep -c 'sink.response .*method=SEND code=200' sink.log)" -eq 2 ]
}

@test "a message that does not repeat, one octet at a time and by stop-and-wait" {
  sink
  make_message 40000
  deliver 0 --chunk-size 3000 --stop-and-wait
  stop_sink
  assert_stored 1
}

refused() { # STATUS TEXT OPTIONS...
  local status=$1 text=$2
  shift 2
  sink "$@"
  make_message 1000000
  deliver "$status" --accept-timeout "${PATIENCE:-20}"
  said "$text"
  stop_sink
  [ -z "$(ls store)" ]
}

bad() { # CERTIFICATE TEXT: the answer has no fingerprint, so name and chain count
  refused 77 "$2" --behave tls=no-fingerprint --behave setup=passive \
    --msrp-tls-cert "$BATS_FILE_TMPDIR/certs/$1.pem" --msrp-tls-key "$BATS_FILE_TMPDIR/certs/$1.key"
}

@test "the answer has no fingerprint: name and chain count" {
  sink --behave tls=no-fingerprint --behave setup=passive \
    --msrp-tls-cert "$BATS_FILE_TMPDIR/certs/good.pem" \
    --msrp-tls-key "$BATS_FILE_TMPDIR/certs/good.key"
  make_message 10000
  deliver 0
  stored
}

@test "through a relay, whose name and chain count" {
  sink --behave path=relay --behave setup=passive \
    --msrp-tls-cert "$BATS_FILE_TMPDIR/certs/good.pem" \
    --msrp-tls-key "$BATS_FILE_TMPDIR/certs/good.key"
  make_message 10000
  deliver 0
  stored
}

@test "a relay without a name: 77" {
  refused 77 'self-signed' --behave path=relay --behave setup=passive
}

@test "no fingerprint, expired: 77" { bad expired 'expired on 2'; }
@test "no fingerprint, another name: 77" { bad elsewhere 'not for 127.0.0.1'; }
@test "no fingerprint, unknown CA: 77" { bad stranger 'unknown CA'; }
@test "no fingerprint, made for the run: 77" {
  refused 77 'self-signed' --behave tls=no-fingerprint --behave setup=passive
}

@test "no fingerprint, the recipient connects with such a certificate: 77" {
  refused 77 'expired on 2' --behave tls=no-fingerprint \
    --msrp-tls-cert "$BATS_FILE_TMPDIR/certs/expired.pem" \
    --msrp-tls-key "$BATS_FILE_TMPDIR/certs/expired.key"
}

@test "a wrong fingerprint, we connect: 77" {
  refused 77 'does not have the fingerprint' --behave tls=wrong-fingerprint --behave setup=passive
}

@test "a wrong fingerprint, the recipient connects: 77" {
  refused 77 'does not have the fingerprint' --behave tls=wrong-fingerprint
}

@test "no certificate: 77" { refused 77 'shows no certificate' --behave tls=no-cert; }

@test "plain text: 76" { PATIENCE=1 refused 76 'does not speak TLS' --behave tls=plain; }

@test "msrp: in the answer to msrps:, 76" {
  refused 76 'is not msrps:' --behave 'path=msrp://127.0.0.1:9/x;tcp'
}

# --- openssl.

@test "openssl s_server gets our SEND, whose octets it did not ask for" {
  certs
  [ -p forever ] || mkfifo forever
  exec 7<>forever
  pick_host
  openssl s_server -quiet -accept "$HOST:2855" -cert "$CERTS/self.pem" -key "$CERTS/self.key" \
    -verify 1 <&7 >server.log 2>server.err 3>&- &
  PEER_PIDS+=($!)
  listens $! 2855 tcp
  start_sink --behave setup=passive --behave "path=msrps://$HOST:2855/them;tcp" \
    --msrp-tls-cert "$CERTS/self.pem" --msrp-tls-key "$CERTS/self.key"
  make_message 2000
  cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- </dev/null &
  local deliver=$!
  cpm-session wait s msrp.connected --timeout "$GUARD"
  local tries
  for ((tries = 0; tries < 500; tries++)); do
    grep -q "^To-Path: msrps://$HOST:2855/them;tcp" server.log && break
    pause 20
  done
  kill "$deliver"
  wait "$deliver" || :
  grep -q "^To-Path: msrps://$HOST:2855/them;tcp" server.log
}

# --- Files and limits.

@test "files that cannot be used: 77, and no INVITE leaves" {
  sink
  make_message 100
  deliver 77 --msrp-tls-cert none.pem
  said 'none.pem: No such file'
  rm s
  deliver 77 --msrp-tls-cert "$CERTS/good.pem" --msrp-tls-key "$CERTS/self.key"
  said 'is not the key of the certificate'
  rm s
  CPM_MODULES=/nowhere deliver 78
  said '/nowhere/openssl.so'
  ! grep sink.invite sink.log
  rm s
  run -64 cpm-msrp-serve -s s --alone --msrp-share --msrp-listen 127.0.0.1:2855 m.cpim
  deliver 64 --msrp-tls-key "$CERTS/good.key"
}

@test "a message that changes under way ends the session, over TLS too" {
  sink --behave read-rate=1000000
  make_message 9000000
  cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- </dev/null &
  local deliver=$! status=0
  cpm-session wait s msrp.connected --timeout "$GUARD"
  truncate -s 1000 m.cpim
  wait "$deliver" || status=$?
  assert_status "$status" 74
}
