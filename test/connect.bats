#!/usr/bin/env bats
# Who connects, and who gets the message: against recipients of other people (peers/recipient.py) and
# against cpm-sink.
bats_require_minimum_version 1.5.0
load helper
load peers

# deliver STATUS OCTETS [options]
deliver() {
  make_message "$2"
  try "$1" "${@:3}"
}

# try STATUS [options]: to deliver m.cpim.
try() {
  local wanted=$1 status=0
  shift
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim >out 2>err || status=$?
  assert_status "$status" "$wanted"
}

# arrives SCENARIO [ARGUMENT...] [-- options]: the message arrives and the recipient is content.
arrives() {
  local scenario=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    scenario+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  start_recipient recipient.py "${scenario[@]}"
  deliver 0 50000 "$@"
  recipient_ended
}

role_was() {
  [ "$(cpm-session get s msrp.connected.role)" = "$1" ] || {
    cat s
    return 1
  }
}

# setup_is OFFER ANSWER ROLE [behaviour...]: one field of the table, with cpm-sink.
setup_is() {
  local offer=$1 answer=$2 role=$3 behave=()
  shift 3
  for word in "setup=$answer" "$@"; do behave+=(--behave "$word"); done
  rm -rf s store
  start_sink "${behave[@]}"
  deliver 0 3000 --setup "$offer" --dial-after 0.1
  stop_sink
  assert_stored 1
  role_was "$role"
  grep -q "sink.offer .*setup=$offer" sink.log
}

@test "a=setup:passive in the offer, with every answer" {
  setup_is passive active passive
  setup_is passive passive active
  setup_is passive none active
  setup_is passive none passive connect=answer
  setup_is passive actpass active
  setup_is passive holdconn active
}

@test "a=setup:actpass in the offer, with every answer" {
  setup_is actpass active passive
  setup_is actpass passive active
  setup_is actpass none active
  setup_is actpass none passive connect=answer
  setup_is actpass actpass active
  setup_is actpass holdconn active
}

@test "a=setup:active in the offer, with every answer" {
  setup_is active passive active
  setup_is active none active
  setup_is active actpass active
  setup_is active holdconn active
  setup_is active active passive connect=answer # not allowed, and it connects to our path all the same
}

@test "480 to a=setup:active: the next attempt offers actpass, once" {
  start_recipient recipient.py unwilling active actpass active active
  deliver 75 3000 --setup active
  [ "$(cpm-session get s learnt.setup)" = actpass ]
  for wanted in 75 75 0; do
    try "$wanted" --setup active
    [ "$(cpm-session get s learnt.setup)" = active ]
  done
  recipient_ended
}

@test "one that refuses a=setup:active gets the message by actpass" {
  start_recipient recipient.py unwilling active actpass
  deliver 75 3000 --setup active
  try 0 --setup active
  recipient_ended
}

@test "the recipient connects" { arrives plain; }
@test "connection and first SEND before the 200; what came with it is not lost" {
  arrives early -- -v
  grep -q 'sent 2 octets' err
  [ "$(grep -c 'sent 5 octets' err)" -eq 7 ]
}
@test "early connections of a fork: the answer chooses by From-Path, the other gets 506" {
  local how
  for how in whole half; do
    rm -f s
    arrives fork "$how" -- -v
    [ "$(grep -o 'sent [0-9]* octets' err)" = 'sent 3 octets' ]
  done
}
@test "it connects early, goes away, and comes again, before the answer or behind it" {
  local how
  for how in before after half; do
    rm -f s
    arrives again "$how" -- -v
    grep -q 'sent 2 octets' err
  done
}
@test "an anchored connection: the session id alone counts" { arrives anchored; }
@test "strangers get 481 or 506, and nothing else" { arrives strangers; }
@test "a first SEND octet by octet" { arrives slow; }

serve_tells_its_pid() {
  printf '#!/bin/sh\necho $$ >serve.pid\nexec cpm-msrp-serve "$@"\n' >serve
  chmod +x serve
  export CPM_EXEC_MSRP_SERVE=$PWD/serve
}

@test "300 silent connections are bounded and do not push the recipient's out" {
  serve_tells_its_pid
  arrives flood serve.pid 64
}

@test "nor do 300 that begin and do not go on, on a port of its own and on a shared one" {
  serve_tells_its_pid
  arrives flood serve.pid 64 'MSRP abcd SEND'
  rm s
  pick_host
  arrives flood serve.pid 128 'MSRP abcd SEND' -- --msrp-share --msrp-listen "$HOST:2855"
}

# closed_in_time ARGUMENT...
closed_in_time() {
  start_recipient recipient.py never 0.5 "$@"
  deliver 75 100 --accept-timeout 0.5
  recipient_ended
}

@test "a connection that never names the session is closed after --accept-timeout" {
  closed_in_time
}

@test "one that gets there slowly too, on a port of its own and on a shared one" {
  closed_in_time 'MSRP abcd SEND'
  rm s
  pick_host
  export CPM_MSRP_SHARE=yes CPM_MSRP_LISTEN=$HOST:2855
  closed_in_time 'MSRP abcd SEND'
}

@test "--speak-first: a silent recipient gets the message, a silent stranger does not" {
  arrives mute -- --speak-first 0.2
  role_was passive
}

@test "without --speak-first a silent recipient gets nothing" {
  start_recipient recipient.py mute
  deliver 75 100 --accept-timeout 0.5
}

# told STATUS WHY [behaviour...]: what came is said, in the one line and in the session file.
told() {
  local status=$1 why=$2 behave=()
  shift 2
  for word in "$@"; do behave+=(--behave "$word"); done
  rm -rf s store
  start_sink "${behave[@]}"
  deliver "$status" 100 --accept-timeout 1
  stop_sink
  grep -q "$why" err || {
    cat err
    return 1
  }
  [[ $(cpm-session get s msrp.failed.why) =~ $why ]]
  [ "$(cpm-session get s msrp.failed.status)" = "$status" ]
}

@test "a connection that is not the session's: which one came is told" {
  told 75 'the connection from 127.0.0.1:.* was silent .see --speak-first' first-send=none
  told 75 'the connection from 127.0.0.1:.* named another session' first-send=wrong-session
  told 75 'the connection from 127.0.0.1:.* has another path than the answer' path=wrong connect=answer
  told 75 'no connection of the recipient in time' connect=never
}

@test "that the recipient could not be dialled says more than a silent stranger" {
  start_recipient recipient.py refused
  deliver 75 100 --accept-timeout 1
  recipient_ended
  grep -qi 'connection refused' err
}

@test "no MSRP on the connection: 76 and its cause" {
  told 76 'broke the protocol: not MSRP' garbage
}

@test "a passive recipient is dialled at once" { arrives dialled passive -- --dial-after 1h; }
@test "one that does not say is dialled after --dial-after" { arrives dialled none -- --dial-after 0.1; }
@test "one that listens only some time after the ACK" { arrives dialled passive later; }

@test "port 9 is never dialled" {
  start_recipient recipient.py nowhere
  deliver 75 100
  recipient_ended
  grep -q 'names no address' err
}

@test "where the path leads nowhere, c= and m= are dialled" { arrives moved dead; }
@test "with a=msrp-cema they are dialled first" { arrives moved -- --cema; }
@test "a relay in the answer's path connects to us" { arrives relay active; }
@test "a relay in the answer's path is dialled" { arrives relay passive; }

@test "the recipient's own requests are answered between our chunks" {
  arrives talks -- -v --chunk-size 1000 --stop-and-wait
  [ "$(grep -c 'sent 5 octets' err)" -eq 5 ]
  [ "$(grep -c 'sent 10 octets' err)" -eq 1 ]
}
