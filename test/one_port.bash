# Many deliveries that share one MSRP port, each in the background under a name.
# shellcheck shell=bash disable=SC2016,SC2034,SC2119,SC2120 # PIDs are read by name, files give arguments

teardown() {
  [ -z "${STOPPED:-}" ] || kill -CONT "$STOPPED" 2>/dev/null || :
  stop_sink
  stop_peers
}

# Deliveries tell the pid of their cpm-msrp-serve in NAME.pid.
share() { # [LISTEN]
  pick_host
  PORT=2855
  export CPM_MSRP_LISTEN=${1:-$HOST:$PORT} CPM_MSRP_SHARE=yes
  printf '#!/bin/sh\necho $$ >"$SERVE_PID"\nexec cpm-msrp-serve "$@"\n' >serve
  chmod +x serve
  export CPM_EXEC_MSRP_SERVE=$PWD/serve
}

# begin NAME [options]: a delivery in the background to BOB; sets PID_NAME.
begin() {
  local name=$1
  shift
  SERVE_PID=$name.pid timeout "$GUARD" cpm-deliver -s "$name.s" --from "$ALICE" --to "$BOB" "$@" m.cpim \
    >"$name.out" 2>"$name.err" 3>&- &
  eval "PID_$name=$!"
  PEER_PIDS+=("$!")
}

# is NAME STATUS: so it ends.
is() {
  local pid=PID_$1 status=0
  wait "${!pid}" || status=$?
  [ "$status" -eq "$2" ] || {
    echo "$1: status $status, expected $2"
    cat "$1.s" "$1.err"
    return 1
  }
}

# Until NAME's stage is there: it accepts, when it is the first.
until_listening() {
  cpm-session wait "$1.s" msrp.listening --timeout "$GUARD" >/dev/null
}

# all N: as many deliveries at once, of a message each; NAME is a number.
all() {
  local i
  for ((i = 1; i <= $1; i++)); do
    begin "$i"
  done
}

ports() { # how many different ones the deliveries named
  for file in *.s; do cpm-session get "$file" msrp.listening.path; done |
    sed 's/.*:\([0-9]*\)\/.*/\1/' | sort -u | wc -l
}

# at_once N: so many deliveries, all of which wait on one port, with 1024 descriptors, before any gets
# an answer: the recipient stands still until then.
at_once() {
  local n=$1 i
  [ "$(ulimit -Hn)" -eq 1024 ]
  share
  SINK_SIP=tcp:127.0.0.1:0 start_sink
  make_message 20000
  STOPPED=$SINK_PID
  kill -STOP "$STOPPED"
  all "$n"
  for ((i = 1; i <= n; i++)); do until_listening "$i"; done
  [ "$(find cpm/msrp-* -type s | wc -l)" -eq "$n" ]
  kill -CONT "$STOPPED"
  for ((i = 1; i <= n; i++)); do is "$i" 0; done
  [ "$(ports)" -eq 1 ]
  stop_sink
  ! grep sink.error sink.log
  [ "$(grep -c 'sink.stored .*complete=yes' sink.log)" -eq "$n" ]
}
