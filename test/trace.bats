#!/usr/bin/env bats
# What a run shows of its wire: -vv, --trace, --pcap.
load helper

deliver() { # STATUS [options]
  local wanted=$1 status=0
  shift
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim >out 2>err </dev/null || status=$?
  assert_status "$status" "$wanted"
}

# The methods and codes of SIP in the order of the capture.
calls() {
  tshark -r wire.pcapng -Y sip -T fields -E aggregator=/s -e sip.Method -e sip.Status-Code 2>/dev/null | tr -s '\t\n' '  '
}

nothing_wrong() {
  local wrong
  wrong=$(tshark -r wire.pcapng -Y '_ws.malformed || tcp.analysis.flags' 2>/dev/null)
  [ -z "$wrong" ] || {
    echo "$wrong"
    return 1
  }
}

# What we sent on the MSRP connection, as the capture has it.
stream_has_message() {
  local port
  port=$(cpm-session get s msrp.listening.path)
  port=${port##*:}
  tshark -r wire.pcapng -Y "tcp.srcport == ${port%%/*} && tcp.len > 0" -T fields -e tcp.payload 2>/dev/null |
    tr -d '\n' >hex
  python3 - <<'END'
import re
stream = bytes.fromhex(open("hex").read())
message, at = b"", 0
while at < len(stream):
    head = re.compile(rb"MSRP (\S+) (\S+)[^\r]*\r\n").match(stream, at)
    assert head, stream[at:at + 40]
    end = re.compile(rb"-------" + head[1] + rb"[$+#]\r\n").search(stream, at)
    frame = stream[at:end.start()]
    if head[2] == b"SEND" and b"\r\n\r\n" in frame:
        message += frame.split(b"\r\n\r\n", 1)[1][:-2]
    at = end.end()
assert message == open("m.cpim", "rb").read()
END
}

@test "a capture over UDP: the call in order, and the message bit by bit" {
  start_sink
  make_message 300000
  deliver 0 --pcap wire.pcapng
  [ "$(stat -c %a wire.pcapng)" = 600 ]
  [ "$(calls)" = 'INVITE 100 200 ACK BYE 200 ' ]
  nothing_wrong
  stream_has_message
}

@test "a capture over TCP and IPv6, to which the next delivery appends" {
  SINK_SIP='tcp:[::1]:0' start_sink
  make_message 1000
  deliver 0 --pcap wire.pcapng --msrp-listen '[::1]' --transport tcp
  [ "$(calls)" = 'INVITE 100 200 ACK BYE 200 ' ]
  nothing_wrong
  rm s
  deliver 0 --pcap wire.pcapng --msrp-listen '[::1]' --transport tcp
  [ "$(calls)" = 'INVITE 100 200 ACK BYE 200 INVITE 100 200 ACK BYE 200 ' ]
}

@test "a half-written packet is cut off, and another file is not touched" {
  start_sink
  make_message 1000
  deliver 0 --pcap wire.pcapng
  truncate -s -7 wire.pcapng
  rm s
  deliver 0 --pcap wire.pcapng
  nothing_wrong
  [[ $(calls) == *'INVITE 100 200 ACK BYE 200 ' ]]
  rm s
  echo 'my diary, which is longer than the head of a capture, so that nothing hides' >diary
  cp diary before
  deliver 0 --pcap diary
  cmp diary before
  grep -q -- '--pcap: diary: is no such file of ours' err
}

@test "a transcript: who speaks, and what was not hoped for" {
  start_sink --behave invite=486
  make_message 1000
  deliver 75 --trace trace.txt -vv
  grep -q '^ -> INVITE sip:' trace.txt
  grep -q '^<\*\* SIP/2.0 486 ' trace.txt
  grep -q '^<\*\* SIP/2.0 486 ' err
  grep -qE '^=== cpm-invite: received SIP/UDP .* octets, [0-9.]+ s after its request$' err
  ! grep -vE '^(===|\*\*\*| ->|\*\*>|<- |<\*\*)( |$)' err
  ! grep -vE '^(===|\*\*\*| ->|\*\*>|<- |<\*\*)( |$)' trace.txt
}

@test "a transcript has no content and no whole session id" {
  start_sink
  make_message 1000
  deliver 0 --trace trace.txt
  grep -qE '^ -> \([0-9]+ octets\)$' trace.txt
  ! grep -qE 'msrp://[^ ]*/[A-Za-z0-9]{5}' trace.txt
  ! grep -q 'imdn.Message-ID' trace.txt
}

@test "a full disk costs a warning and not the delivery" {
  start_sink
  make_message 300000
  touch limit
  timeout "$GUARD" bash -c 'trap "" XFSZ; ulimit -f 64; exec cpm-deliver -s s --from "$1" --to "$2" --pcap wire.pcapng m.cpim' \
    bash "$ALICE" "$BOB" >out 2>err </dev/null
  grep -q 'cpm-msrp-serve: --pcap: wire.pcapng: ' err
  stop_sink
  assert_stored 1
  capinfos wire.pcapng >/dev/null
}
