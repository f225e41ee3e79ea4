#!/usr/bin/env bats
# What a run shows of its wire: -vv, --trace, --pcap.
load helper

setup_file() {
  mkdir "$BATS_FILE_TMPDIR/certs"
  "$BATS_TEST_DIRNAME/certs" "$BATS_FILE_TMPDIR/certs"
}

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

# tshark's MSRP dissector reads content line by line and stumbles over line ends in binary data.
make_text_message() {
  head -c "$1" /dev/urandom | base64 >content
  cpm-compose --from "$ALICE" --to "$BOB" --type text/plain content >m.cpim
}

# Each line has its three columns.
is_transcript() {
  run grep -vE '^(===|\*\*\*| [-~]>|\*[*~]>|<[-~] |<\*\*|<~\*)( |$)' "$1"
  [ -z "$output" ]
  [ -s "$1" ]
}

@test "a capture over UDP: the call in order, and the message bit by bit" {
  start_sink
  make_text_message 300000
  deliver 0 --chunk-size 250000 --pcap wire.pcapng
  [ "$(stat -c %a wire.pcapng)" = 600 ]
  [ "$(calls)" = 'INVITE 100 200 ACK BYE 200 ' ]
  nothing_wrong
  stream_has_message
}

@test "a capture over TCP and IPv6, to which the next delivery appends" {
  SINK_SIP='tcp:[::1]:0' start_sink
  make_text_message 1000
  deliver 0 --pcap wire.pcapng --msrp-listen '[::1]' --transport tcp
  [ "$(calls)" = 'INVITE 100 200 ACK BYE 200 ' ]
  nothing_wrong
  rm s
  deliver 0 --pcap wire.pcapng --msrp-listen '[::1]' --transport tcp
  [ "$(calls)" = 'INVITE 100 200 ACK BYE 200 INVITE 100 200 ACK BYE 200 ' ]
}

@test "a half-written packet is cut off, and another file is not touched" {
  start_sink
  make_text_message 1000
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
  # An error is on stderr what it always is, and has a mark in the file.
  grep -q '^cpm-invite: sip:bob' err
  grep -qE '^\*\*\* .*sip:bob.*486' trace.txt
  sed -i '/^cpm-[a-z-]*: /d' err
  is_transcript err
  is_transcript trace.txt
}

@test "a transcript has no content and no whole session id" {
  start_sink
  make_message 1000
  deliver 0 --trace trace.txt
  grep -qE '^ -> \([0-9]+ octets\)$' trace.txt
  grep -qE 'a=path:msrp://[^ ]*/[A-Za-z0-9]{4}\*+;tcp$' trace.txt
  run grep -E 'msrp://[^ ]*/[A-Za-z0-9]{5}' trace.txt
  [ -z "$output" ]
  run grep 'imdn.Message-ID' trace.txt
  [ -z "$output" ]
}

@test "a full disk costs a warning and not the delivery" {
  start_sink
  make_message 300000
  touch limit
  # shellcheck disable=SC2016 # for that shell
  timeout "$GUARD" bash -c 'trap "" XFSZ; ulimit -f 64; exec cpm-deliver -s s --from "$1" --to "$2" --pcap wire.pcapng m.cpim' \
    bash "$ALICE" "$BOB" >out 2>err </dev/null
  grep -q 'cpm-msrp-serve: --pcap: wire.pcapng: ' err
  stop_sink
  assert_stored 1
  capinfos wire.pcapng >/dev/null
}

@test "a disk that is full costs a warning for each file and not the delivery" {
  unshare -Urm true 2>/dev/null || skip "mount namespaces are not allowed here"
  start_sink
  make_message 300000
  mkdir full
  # shellcheck disable=SC2016 # for that shell
  timeout "$GUARD" unshare -Urm bash -c 'mount -t tmpfs -o size=8k,mode=700 none full &&
    cpm-deliver -s s --from "$1" --to "$2" --pcap full/wire --trace full/trace m.cpim >events &&
    stat -c %s full/wire && tail -c 1 full/trace | od -An -c' \
    bash "$ALICE" "$BOB" >out 2>err </dev/null
  [ "$(grep -c 'cpm-msrp-serve: --pcap: full/wire: No space left on device' err)" -eq 1 ]
  stop_sink
  assert_stored 1
  [ "$(sed -n 1p out)" -le 8192 ]
  [[ $(tail -n 1 out) == *'\n'* ]]
}

@test "what is no MSRP is shown as something not hoped for" {
  start_sink --behave garbage
  make_message 1000
  deliver 76 --accept-timeout 1 --trace trace.txt
  grep -q '^=== .* received MSRP/TCP ' trace.txt
  grep -qE '^<\*\* .' trace.txt
  is_transcript trace.txt
}

@test "what TLS encrypts stands in the clear, and the transcript says that it was encrypted" {
  local certs=$BATS_FILE_TMPDIR/certs
  SINK_SIP=tls:127.0.0.1:0 start_sink --sip-tls-cert "$certs/good.pem" --sip-tls-key "$certs/good.key"
  make_text_message 300000
  deliver 0 --msrps --sip-tls-ca "$certs/ca.pem" --pcap wire.pcapng --trace trace.txt -vv
  [ "$(calls)" = 'INVITE 100 200 ACK BYE 200 ' ]
  nothing_wrong
  stream_has_message
  [ -n "$(tshark -r wire.pcapng -Y 'frame.comment contains "was encrypted by TLS" && msrp.method' 2>/dev/null)" ]
  is_transcript trace.txt
  is_transcript err
  grep -q '^ ~> INVITE sip:' trace.txt
  grep -q "^ ~> BYE sip:" trace.txt
  grep -q '^<~  SIP/2.0 200 ' trace.txt
  grep -q '^ ~> MSRP .* SEND$' trace.txt
  grep -q '^<~  MSRP .* 200 OK$' trace.txt
  run grep -E '^( ->|<-|<\*\*|\*\*>)' trace.txt
  [ -z "$output" ]
}

@test "what waited for a handshake that failed was not sent" {
  local certs=$BATS_FILE_TMPDIR/certs
  SINK_SIP=tls:127.0.0.1:0 start_sink --sip-tls-cert "$certs/stranger.pem" --sip-tls-key "$certs/stranger.key"
  make_message 1000
  deliver 77 --sip-tls-ca "$certs/ca.pem" --trace trace.txt
  run grep INVITE trace.txt
  [[ $output != *'~>'* ]]
  grep -q '^\*\*\* .* cpm-invite\[' trace.txt
}

# The transcript of cpm-invite's SIP: start lines, the line above each, and its steps.
sip_lines() {
  sed -nE 's/127\.0\.0\.1:[0-9]+/HOST/g; s/[0-9]+ octets/N octets/; s/[0-9.]+ s after/T s after/;
    s/^(===|\*\*\*) [^ ]* cpm-invite\[[0-9]+\]/\1/; /^(===|\*\*\*) [0-9]/d;
    /^=== (sent|received) MSRP/d; /MSRP/d; s/ SIP\/2\.0$//; s/SIP\/2\.0 //;
    /^(===|\*\*\*| ->|\*\*>|<- |<\*\*) ((INVITE|ACK|BYE) |[0-9]{3} |[a-z*]|INVITE)/p' "$1" |
    grep -vE '^...  ?[a-z]=|^... (a|v|o|s|c|t|m)='
}

@test "a transcript as a whole" {
  start_sink
  make_message 1000
  deliver 0 --trace trace.txt
  sip_lines trace.txt >lines
  diff - lines <<'END'
=== INVITE to HOST by UDP
=== sent SIP/UDP HOST, N octets
 -> INVITE sip:bob@HOST;transport=udp
=== session: idle -> calling
=== received SIP/UDP HOST, N octets, T s after its request
<-  100 Trying
=== received SIP/UDP HOST, N octets, T s after its request
<-  200 OK
=== sent SIP/UDP HOST, N octets
 -> ACK sip:sink@HOST;transport=udp
=== session: calling -> talking
=== ending the session: asked for
=== session: talking -> ending
=== sent SIP/UDP HOST, N octets
 -> BYE sip:sink@HOST;transport=udp
=== received SIP/UDP HOST, N octets, T s after its request
<-  200 OK
=== session: ending -> ended
END
}

@test "what comes once more is told" {
  start_sink --t1 50 --behave lose-ack=1 --behave read-rate=100k
  make_message 100000
  deliver 0 --trace trace.txt
  grep -q '^<\*\* SIP/2.0 200 OK$' trace.txt
  grep -qE '^=== .* received SIP/UDP .* octets, once more, [0-9.]+ s after its request$' trace.txt
}

@test "what we send once more is told" {
  start_sink --behave silent=invite
  make_message 1000
  deliver 75 --t1 20 --trace trace.txt
  [ "$(grep -c '^ -> INVITE ' trace.txt)" -eq 1 ]
  [ "$(grep -c '^\*\*> INVITE ' trace.txt)" -ge 1 ]
  grep -q '^=== .* sent SIP/UDP .* octets, once more$' trace.txt
}

@test "the recipient shows its side, and both captures hold the same octets" {
  start_sink --pcap theirs.pcapng --trace theirs.txt
  make_text_message 300000
  deliver 0 --pcap wire.pcapng
  stop_sink
  stream_has_message
  mv hex ours.hex
  mv theirs.pcapng wire.pcapng
  [ "$(calls)" = 'INVITE 100 200 ACK BYE 200 ' ]
  nothing_wrong
  stream_has_message
  cmp hex ours.hex
  is_transcript theirs.txt
  grep -q '^<-  INVITE sip:' theirs.txt
  grep -qE '^<-  \([0-9]+ octets\)$' theirs.txt
}

@test "a stage that is killed leaves a capture that opens, and the next attempt appends" {
  start_sink --behave 1:read-rate=100k
  make_text_message 3000000
  cpm-deliver -s s --from "$ALICE" --to "$BOB" --pcap wire.pcapng m.cpim >out 2>err </dev/null 3>&- &
  local deliver=$! line status=0
  cpm-session wait s msrp.connected --timeout "$GUARD" >/dev/null || {
    cat s err
    return 1
  }
  line=$(grep -m 1 ' msrp.connected ' s)
  line=${line#*cpm-msrp-serve\[}
  kill -9 "${line%%\]*}"
  wait "$deliver" || status=$?
  [ "$status" -ne 0 ]
  capinfos wire.pcapng >/dev/null
  nothing_wrong
  deliver 0 --pcap wire.pcapng
  capinfos wire.pcapng >/dev/null
  [[ $(calls) == *'INVITE 100 200 ACK BYE 200 ' ]]
}

@test "a capture of a part of each packet tells how long they were" {
  start_sink
  make_text_message 300000
  deliver 0 --chunk-size 250000 --pcap wire.pcapng --pcap-snaplen 128
  tshark -r wire.pcapng -T fields -e frame.cap_len -e frame.len 2>/dev/null >lengths
  awk '$1 > 128 || $1 > $2 { wrong = 1 } { octets += $2 } END { exit wrong || octets < 300000 }' lengths
  [ "$(stat -c %s wire.pcapng)" -lt 30000 ]
}
