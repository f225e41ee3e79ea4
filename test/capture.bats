#!/usr/bin/env bats
# Deliveries as tshark sees them: nothing malformed, and the counts that the journal tells.
load helper

teardown() {
  :
}

# deliver udp|tcp HOST OCTETS [options]: to a recipient that does what BEHAVE says, with the exit
# status EXPECT; in a network namespace, which an ordinary user may have too.
deliver() {
  local way
  export BATS_TEST_DIRNAME
  for way in 'unshare -Urn' 'unshare -n' ''; do
    [ -n "$way" ] || skip "network namespaces are not allowed here"
    ! $way true 2>/dev/null || break
  done
  timeout "$GUARD" $way bash "$BATS_TEST_DIRNAME/capture/deliver.bash" "$@" >out 2>err </dev/null || {
    cat out err sink.log
    return 1
  }
}

# shark [options of tshark]: reads the capture, with whole MSRP messages on the offer's port.
shark() {
  local port
  port=$(cpm-session get s msrp.listening.path)
  port=${port##*:} # 40123/session;tcp
  tshark -r wire.pcapng -X "lua_script:$BATS_TEST_DIRNAME/capture/msrp.lua" \
    -X "lua_script1:${port%%/*}" "$@" 2>shark.err
}

# The values that are counted, a column each.
FIELDS='sip.Method sip.Status-Code sdp.media.proto msrp.method msrp.status.code'

read_values() {
  local field wanted=()
  for field in $FIELDS; do wanted+=(-e "$field"); done
  shark -Y 'sip || msrp' -T fields -E separator=/t -E aggregator=/s "${wanted[@]}" >values
}

# count FIELD VALUE WANTED: so often has it that value; a frame may hold several messages.
count() {
  local field column=0 n
  for field in $FIELDS; do
    column=$((column + 1))
    [ "$field" != "$1" ] || break
  done
  [ -e values ] || read_values
  n=$(cut -f "$column" values | tr ' ' '\n' | grep -cx "$2") || :
  [ "$n" -eq "$3" ] || {
    echo "$1 is $2 $n times, expected $3"
    shark -Y 'sip || msrp'
    cat shark.err
    return 1
  }
}

nothing_wrong() {
  local faults='(sip || sdp || msrp || msrp_stream) && (_ws.malformed || _ws.expert.severity >= warning)'
  local wrong
  wrong=$(shark -Y "$faults")
  [ -z "$wrong" ] || {
    echo "$wrong"
    shark -Y "$faults" -V | grep -aE '^Frame|Malformed|Expert|Severity'
    return 1
  }
}

# The calls of the session, and the chunks that the journal counts beside the recipient's empty SEND.
counts_agree() {
  local chunks
  chunks=$(cpm-session get s msrp.transferred.chunks)
  [ "$chunks" -ge "$1" ]
  count sip.Method INVITE 1
  count sip.Method ACK 1
  count sip.Method BYE 1
  count sip.Status-Code 200 2
  count sdp.media.proto TCP/MSRP 2
  count msrp.method SEND $((chunks + 1))
  count msrp.status.code 200 $((chunks + 1))
}

@test "over UDP: nothing malformed, and as many SENDs as the journal says" {
  deliver udp 127.0.0.1 100000 --chunk-size 2048
  nothing_wrong
  counts_agree 50
}

@test "over TCP: nothing malformed" {
  deliver tcp 127.0.0.1 100000
  nothing_wrong
  counts_agree 2
}

@test "over IPv6: nothing malformed" {
  deliver tcp '[::1]' 1000 --msrp-listen '[::1]'
  nothing_wrong
  counts_agree 1
}

@test "with a success report: nothing malformed" {
  deliver udp 127.0.0.1 100000 --success-report --require-report
  nothing_wrong
  count msrp.method REPORT 1
}

@test "a refused call: nothing malformed" {
  EXPECT=75 BEHAVE=invite=486 deliver udp 127.0.0.1 100
  nothing_wrong
  count sip.Method INVITE 1
  count sip.Method ACK 1
  count sip.Status-Code 486 1
}

@test "a cancelled call: nothing malformed" {
  EXPECT=75 BEHAVE='invite=180 ring-ms=60000' deliver udp 127.0.0.1 100 --answer-timeout 1
  nothing_wrong
  count sip.Method CANCEL 1
  count sip.Status-Code 487 1
}

@test "what the judge is worth: it sees the garbage that a recipient sends" {
  EXPECT=76 BEHAVE=garbage deliver udp 127.0.0.1 100 --accept-timeout 1
  run nothing_wrong
  [ "$status" -ne 0 ]
  [[ $output == *"No MSRP start line"* ]]
}
