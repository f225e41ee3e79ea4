#!/usr/bin/env bats
# Nobody pays for TLS who does not use it, nobody for all CAs of the world, and who has a kernel that
# encrypts lets it.
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
  loaded libc
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

@test "where the kernel encrypts, the message goes out by sendfile" {
  mkdir certs
  "$BATS_TEST_DIRNAME/certs" certs
  cc -shared -fPIC -D_GNU_SOURCE -O1 -o ktls.so "$BATS_TEST_DIRNAME/preload/ktls.c"
  mkfifo peer.pipe
  python3 "$BATS_TEST_DIRNAME/peers/secure.py" kernel certs >peer.pipe 2>peer.err 3>&- &
  local peer=$! line status=0
  exec 8<peer.pipe
  IFS= read -r -t "$GUARD" line <&8
  BOB=${line#uri }
  make_message 3000000
  KTLS_FILE=$PWD/sent LD_PRELOAD=$PWD/ktls.so deliver 0 --msrps --chunk-size 2M # no small ones
  wait "$peer" || status=$?
  [ "$status" -eq 0 ] || {
    cat <&8
    cat peer.err
    return 1
  }
  grep -q ' msrp.connected .* tls=TLSv1.3 ktls=yes' s
  cmp got m.cpim
  [ "$(($(paste -sd+ sent)))" -eq "$(stat -c %s m.cpim)" ]
}

@test "where it does not, the library does, and the journal says so" {
  cc -shared -fPIC -D_GNU_SOURCE -O1 -o ktls.so "$BATS_TEST_DIRNAME/preload/ktls.c"
  start_sink
  make_message 3000000
  KTLS_ABSENT=1 KTLS_FILE=$PWD/sent LD_PRELOAD=$PWD/ktls.so deliver 0 --msrps
  stop_sink
  assert_stored 1
  grep -q ' msrp.connected .* tls=TLSv1.3 ktls=no' s
  [ ! -e sent ]
}

@test "128 MiB over TLS, in at most 256 KiB more memory than 1 MiB" {
  cc -shared -fPIC -D_GNU_SOURCE -O1 -o peak.so "$BATS_TEST_DIRNAME/preload/peak.c"
  local size small large
  for size in 1M 128M; do
    start_sink
    make_message "$size"
    LD_PRELOAD=$PWD/peak.so PEAK_FILE=$PWD/peak.$size deliver 0 --msrps
    stop_sink
    assert_stored 1
    rm -r store s
  done
  small=$(sed -n 's/^cpm-msrp-serve //p' peak.1M)
  large=$(sed -n 's/^cpm-msrp-serve //p' peak.128M)
  echo "# cpm-msrp-serve: $small KiB at 1 MiB, $large KiB at 128 MiB" >&3
  [ "$((large - small))" -le 256 ]
  rm -f m.cpim content
}
