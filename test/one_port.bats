#!/usr/bin/env bats
# One MSRP port for all deliveries (cpm-msrp-serve --msrp-share): each connection finds its session, and
# the port outlives whoever accepted on it.
bats_require_minimum_version 1.5.0
load helper
load peers
load one_port

setup_file() {
  ulimit -n 1024 # an ordinary user's
}

@test "200 deliveries at once on one port" { at_once 200; }

@test "who accepts is killed while others wait: no session is lost" {
  local n=12 i
  share
  start_sink --behave invite=180 --behave 1:ring-ms=60000
  make_message 20000
  begin first
  until_listening first
  cpm-session wait first.s invite.progress --timeout "$GUARD"
  STOPPED=$SINK_PID
  kill -STOP "$STOPPED"
  all "$n"
  for ((i = 1; i <= n; i++)); do until_listening "$i"; done
  kill -KILL "$(cat first.pid)"
  kill -CONT "$STOPPED"
  for ((i = 1; i <= n; i++)); do is "$i" 0; done
  is first 75
  [ "$(ports)" -eq 1 ]
}

# begin_ringing NAME: a delivery to a recipient that rings until `answer`.
begin_ringing() {
  mkfifo go
  start_recipient recipient.py plain go
  begin "$1"
  until_listening "$1"
}

answer() {
  echo go >go
}

@test "one after the other is killed, and the last one still gets its connection" {
  local name
  share
  start_sink --behave ring-ms=60000
  make_message 20000
  for name in a b c; do
    begin "$name"
    until_listening "$name"
  done
  begin_ringing d
  for name in a b c; do
    kill -KILL "$(cat "$name.pid")"
    is "$name" 75
  done
  answer
  is d 0
  recipient_ended
}

@test "who accepts is stopped (SIGSTOP): the others look by themselves" {
  share
  start_sink --behave ring-ms=60000
  make_message 20000
  begin first
  until_listening first
  begin_ringing second
  STOPPED=$(cat first.pid)
  kill -STOP "$STOPPED"
  answer
  is second 0
  recipient_ended
}

@test "half a first request is passed on when who accepted it ends" {
  share
  start_sink --behave ring-ms=60000
  make_message 20000
  begin first
  until_listening first
  mkfifo go
  start_recipient recipient.py halves go
  begin second
  IFS= read -r -t "$GUARD" line <&8
  [ "$line" = half ]
  kill -TERM "$(cat first.pid)"
  is first 143
  echo go >go
  is second 0
  recipient_ended
}

@test "a session id of nobody gets 481, other protocols nothing, and a delivery goes on" {
  share
  start_recipient recipient.py strangers
  make_message 50000
  begin one
  is one 0
  recipient_ended
}

@test "the port is somebody else's: 71, and the run folder is named" {
  share
  socat TCP-LISTEN:"$PORT","bind=$HOST,fork" /dev/null 3>&- &
  PEER_PIDS+=("$!")
  listens "$!" "$PORT" tcp
  BOB=sip:bob@127.0.0.1:9
  make_message 100
  begin one
  is one 71
  grep -q 'run folder' one.err
}

@test "a folder of the port that others may enter is refused" {
  share
  mkdir -p "cpm/msrp-$HOST:$PORT"
  chmod 700 cpm
  chmod 755 cpm/msrp-*
  BOB=sip:bob@127.0.0.1:9
  make_message 100
  begin one
  is one 77
  grep -q 'not ours alone' one.err
}

@test "nothing is left of a shared port but its folder and the lock" {
  share
  start_sink
  make_message 100
  begin one
  is one 0
  [ "$(ls -A cpm/msrp-*)" = .lock ]
  [ "$(stat -c %a cpm/msrp-*)" = 700 ]
}

@test "what cannot be shared is refused: no port, a range, --speak-first, TLS" {
  printf x >m.cpim
  run -64 cpm-msrp-serve -s s --msrp-share m.cpim
  run -64 cpm-msrp-serve -s s --msrp-share --msrp-listen 127.0.0.1:4000-4001 m.cpim
  run -64 cpm-msrp-serve -s s --msrp-share --msrp-listen 127.0.0.1:4000 --speak-first 1 m.cpim
  run -64 cpm-msrp-serve -s s --msrp-share --msrp-listen 127.0.0.1:4000 --msrps m.cpim
}

# delivered_on NAME ADDRESS [options]: a delivery that accepts there, on a port of every test's; when
# somebody was faster there, on another one.
delivered_on() {
  local name=$1 address=$2 pid=PID_$1 tries status=71
  shift 2
  for ((tries = 0; tries < 5 && status == 71; tries++)); do
    pick_port
    local port=$PORT
    share "$address:$port"
    rm -f "$name.s"
    begin "$name" "$@"
    status=0
    wait "${!pid}" || status=$?
    [ "$status" -ne 71 ] || [ -n "$(ss -Hlnt "sport = :$port")" ] || break
  done
  assert_status "$status" 0 || {
    cat "$name.s" "$name.err"
    return 1
  }
}

@test "IPv6, and any address" {
  SINK_SIP='udp:[::1]:0' start_sink
  make_message 1000
  delivered_on six '[::1]'
  stop_sink
  start_sink
  delivered_on any '' --msrp-advertise 127.0.0.1
}

@test "a port for each delivery from a range, while there are any" {
  share
  unset CPM_MSRP_SHARE
  export CPM_MSRP_LISTEN=$HOST:4001-4002
  start_sink --behave ring-ms=60000
  make_message 100
  begin a
  until_listening a
  begin b
  until_listening b
  [ "$(ports)" -eq 2 ]
  begin c
  is c 71
  grep -q 'the port is in use' c.err
}
