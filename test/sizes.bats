#!/usr/bin/env bats
# Messages of every size arrive bit for bit, in the same memory.
bats_require_minimum_version 1.5.0
load helper

deliver_size() { # OCTETS of the whole message
  local head
  start_sink
  make_message 0
  head=$(stat -c %s m.cpim)
  if [ "$1" -gt "$head" ]; then
    head -c $(($1 - head)) /dev/urandom >>m.cpim
    sed -i '0,/^Content-Length: .*\r$/{/^Content-Length: /d}' m.cpim
    truncate -s "$1" m.cpim
  fi
  run -0 timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  stop_sink
  assert_stored 1
  ! grep sink.error sink.log
}

@test "1 octet of content" {
  start_sink
  make_message 1
  run -0 timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  stop_sink
  assert_stored 1
}

@test "2047 octets" { deliver_size 2047; }
@test "2048 octets" { deliver_size 2048; }
@test "2049 octets" { deliver_size 2049; }
@test "1 MiB" { deliver_size 1048576; }

@test "1 GiB, in at most 256 KiB more memory than 1 MiB" {
  cc -shared -fPIC -D_GNU_SOURCE -O1 -o peak.so "$BATS_TEST_DIRNAME/preload/peak.c"
  local name small large
  for size in 1M 1G; do
    start_sink
    make_message "$size"
    env LD_PRELOAD="$PWD/peak.so" PEAK_FILE="$PWD/peak.$size" \
      timeout 170 cpm-deliver -s "s.$size" --from "$ALICE" --to "$BOB" m.cpim
    stop_sink
    assert_stored 1
    rm -r store
  done
  for name in cpm-invite cpm-msrp-serve cpm-bye cpm-deliver; do
    small=$(sed -n "s/^$name //p" peak.1M)
    large=$(sed -n "s/^$name //p" peak.1G)
    echo "# $name: $small KiB at 1 MiB, $large KiB at 1 GiB" >&3
    [ "$((large - small))" -le 256 ]
  done
  rm -f m.cpim content
}
