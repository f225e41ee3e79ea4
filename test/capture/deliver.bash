#!/bin/bash
# One delivery in a network of its own, with everything on the wire kept in wire.pcapng. Runs inside a
# fresh network namespace, in the test's folder, which then holds s, m.cpim, sink.log too.
# BEHAVE says what the recipient does, EXPECT which exit status is right.
# usage: deliver.bash udp|tcp HOST OCTETS [options of cpm-deliver]
set -eu
# shellcheck source=test/helper.bash
. "$BATS_TEST_DIRNAME/helper.bash"
# shellcheck source=test/peers.bash
. "$BATS_TEST_DIRNAME/peers.bash"
over=$1 host=$2 octets=$3
shift 3
exec 3>/dev/null
trap 'stop_sink; stop_peers' EXIT

ip link set lo up

# Its "File:" line says that it captures; from then on nothing is lost on the way to the file.
start_capture() {
  local line
  mkfifo dumpcap.pipe
  dumpcap -q -i lo -B 64 -w wire.pcapng 2>dumpcap.pipe >/dev/null &
  PEER_PIDS+=("$!")
  exec 8<dumpcap.pipe
  while IFS= read -r -t "$GUARD" line <&8; do
    echo "$line"
    case $line in File:*) return 0 ;; esac
  done
  return 1
}

# What is sent last is in the file when all is.
end_capture() {
  local tries mark=the-end-of-this-capture
  echo "$mark" >/dev/udp/127.0.0.1/9
  for ((tries = 0; tries < 250; tries++)); do
    ! grep -aq "$mark" wire.pcapng || return 0
    pause 40
  done
  return 1
}

behave=()
for word in ${BEHAVE:-}; do behave+=(--behave "$word"); done
SINK_SIP=$over:$host:0 start_sink "${behave[@]}"
# tshark's MSRP dissector reads content line by line and stumbles over line ends in binary data.
head -c "$octets" /dev/urandom | base64 >content
cpm-compose --from "$ALICE" --to "$BOB" --type text/plain content >m.cpim
start_capture
status=0
cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim || status=$?
end_capture
stop_sink
assert_status "$status" "${EXPECT:-0}"
[ "$status" -ne 0 ] || assert_stored 1
