#!/usr/bin/env bats
# The listening side of SIP: requests of the recipient reach us wherever the Contact points, and what
# no peer should send is survived (peers/rough.py). After each of it the message is delivered.
load helper
load peers

CORPUS=$BATS_TEST_DIRNAME/fuzz/corpus/sip_fence

# Nothing but event lines came from the programs: libosip2 likes to speak on stdout too.
only_lines() {
  ! grep -vE '^[0-9-]{10}T[0-9:.]{12}Z cpm-[a-z-]+\[[0-9]+\] [a-z.]+ ' out
}

# survives udp|tcp|tls STATUS SCENARIO [ARGUMENT...]
survives() {
  local over=$1 wanted=$2 status=0 tls=()
  shift 2
  if [ "$over" = tls ]; then
    rm -rf certs
    mkdir certs
    sh "$BATS_TEST_DIRNAME/certs" certs
    export CERT=$PWD/certs/good
    tls=(--sip-tls-cert "$CERT.pem" --sip-tls-key "$CERT.key" --sip-tls-ca certs/ca.pem)
  fi
  start_recipient rough.py "$over" "$@"
  make_message 5000
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" --t1 "${T1:-500}" "${tls[@]}" m.cpim \
    >out 2>err </dev/null || status=$?
  recipient_ended
  assert_status "$status" "$wanted"
  only_lines
}

@test "called over UDP: requests come by a connection to the Contact's port" {
  survives udp 0 elsewhere
}

@test "called over TCP: requests come by another connection" {
  survives tcp 0 elsewhere
}

@test "called over UDP: BYE comes by a connection" {
  survives udp 75 elsewhere hangup
  grep -q 'session.ended.* by=peer' s
}

@test "called over TCP: BYE comes by another connection" {
  survives tcp 75 elsewhere hangup
}

@test "called over TLS: requests, and BYE, come by another connection, with its own handshake" {
  survives tls 0 elsewhere
  rm s
  survives tls 75 elsewhere hangup
}

@test "keep-alives over UDP and TCP, and the pong for a ping" {
  survives udp 0 keepalives
}

@test "keep-alives where the call came over TCP" {
  survives tcp 0 keepalives
}

@test "messages that torture a parser, by datagrams" {
  survives udp 0 torture "$CORPUS"
}

@test "messages that torture a parser, by streams" {
  survives tcp 0 torture "$CORPUS"
}

@test "garbage, heads without end, lengths that lie, half a message and silence" {
  T1=50 survives tcp 0 nonsense "$PWD/s"
}

@test "a crowd of connections and requests of strangers, called over UDP" {
  survives udp 0 crowd "$PWD/s"
}

@test "a crowd of connections and requests of strangers, called over TCP" {
  survives tcp 0 crowd "$PWD/s"
}
