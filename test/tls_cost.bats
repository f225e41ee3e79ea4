#!/usr/bin/env bats
# Nobody pays for TLS who does not use it, and nobody for all CAs of the world.
bats_require_minimum_version 1.5.0
load helper

start_tls_sink() {
  mkdir certs
  "$BATS_TEST_DIRNAME/certs" certs
  SINK_SIP=tls:127.0.0.1:0 start_sink --sip-tls-cert certs/good.pem --sip-tls-key certs/good.key
}

deliver() { # WANTED-STATUS [options of cpm-deliver]
  local wanted=$1 status=0
  shift
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim >out 2>err </dev/null ||
    status=$?
  assert_status "$status" "$wanted"
}

loaded() { # LIBRARY
  grep -lE "calling init: .*/$1" ld.* >/dev/null
}

@test "a delivery without TLS loads no TLS library, one with TLS does" {
  start_sink
  make_message 5000
  LD_DEBUG=files LD_DEBUG_OUTPUT=ld deliver 0
  loaded libosip2
  ! loaded 'libssl|libcrypto|openssl\.so'
  stop_sink
  rm s ld.*
  start_tls_sink
  LD_DEBUG=files LD_DEBUG_OUTPUT=ld deliver 0 --sip-tls-ca certs/ca.pem
  loaded libssl
  # Only the one that speaks it.
  [ "$(grep -lE 'calling init: .*/libssl' ld.* | wc -l)" -eq 1 ]
  stop_sink
  rm -r s ld.* certs
  start_sink
  LD_DEBUG=files LD_DEBUG_OUTPUT=ld deliver 0 --msrps
  [ "$(grep -lE 'calling init: .*/libssl' ld.* | wc -l)" -eq 1 ]
}

@test "without --sip-tls-ca the CAs of the system count, and their bundle is not read" {
  cc -shared -fPIC -D_GNU_SOURCE -O1 -o opens.so "$BATS_TEST_DIRNAME/preload/opens.c"
  start_tls_sink
  make_message 100
  OPENS_FILE=$PWD/opens LD_PRELOAD=$PWD/opens.so deliver 77
  grep -q 'unknown CA, /CN=ca' err
  grep -q 'm.cpim' opens
  ! grep -E 'ca-certificates.crt|cert.pem' opens
}
