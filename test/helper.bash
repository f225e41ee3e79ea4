# Common to the bats files: programs from the build, a folder of its own for each test, a recipient.
# Nothing sleeps; a time limit here only guards against a hang.

CPM_BIN=${CPM_BIN:-$(cd "$BATS_TEST_DIRNAME/.." && pwd)/build/bin}
PATH=$CPM_BIN:$PATH
export PATH
unset CPM_CONFIG XDG_CONFIG_HOME
export CPM_MSRP_LISTEN=127.0.0.1 # nothing of a test leaves the loopback
ALICE=sip:alice@example.com
GUARD=60

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  umask 077
  export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR HOME=$BATS_TEST_TMPDIR
  SINK_PID='' SINK_LOG_PID=''
}

teardown() {
  stop_sink
}

# start_sink [options]: a recipient; sets SINK_PID, BOB (its address) and SINK_HOST (host:port).
# SINK_SIP chooses where it listens.
start_sink() {
  local line
  mkfifo sink.pipe
  cpm-sink --sip "${SINK_SIP:-udp:127.0.0.1:0}" --store store "$@" >sink.pipe 2>sink.err 3>&- &
  SINK_PID=$!
  exec 9<sink.pipe
  if ! IFS= read -r -t "$GUARD" line <&9; then
    cat sink.err
    return 1
  fi
  printf '%s\n' "$line" >sink.log
  cat <&9 >>sink.log 3>&- &
  SINK_LOG_PID=$!
  exec 9<&-
  rm sink.pipe
  local uri=${line#*uri=}
  uri=${uri%% *}
  uri=${uri#\"}
  uri=${uri%\"}
  SINK_HOST=${uri#sip:}
  BOB=sip:bob@$SINK_HOST
}

# Ends the recipient, also one that was stopped, so that its log is whole.
stop_sink() {
  if [ -n "$SINK_PID" ]; then
    # A test may have stopped it. Not later: the leak check at its end stops it by a signal too.
    kill -CONT "$SINK_PID" 2>/dev/null || :
    kill "$SINK_PID" 2>/dev/null
    wait "$SINK_PID" 2>/dev/null
    SINK_PID=
  fi
  if [ -n "$SINK_LOG_PID" ]; then
    wait "$SINK_LOG_PID" 2>/dev/null
    SINK_LOG_PID=
  fi
  return 0
}

# make_message OCTETS [FILE]: a message with so many octets of content that do not repeat.
make_message() {
  head -c "$1" /dev/urandom >content
  cpm-compose --from "$ALICE" --to "$BOB" --type application/octet-stream content >"${2:-m.cpim}"
}

# Each stored message is the message that was sent, and there are N of them.
assert_stored() {
  local n=0 file
  for file in store/*; do
    [ -e "$file" ] || continue
    cmp "$file" "${2:-m.cpim}" || return 1
    n=$((n + 1))
  done
  if [ "$n" -ne "$1" ]; then
    echo "stored: $n, expected: $1"
    cat sink.log
    return 1
  fi
}

# assert_status GOT WANTED
assert_status() {
  if [ "$1" -ne "$2" ]; then
    echo "status $1, expected $2"
    [ -e s ] && cat s
    [ -e err ] && cat err
    return 1
  fi
}

# comes_before EVENT LATER FILE: both are in the session file, in this order.
comes_before() {
  awk -v first="$1" -v later="$2" '$3 == first { seen = 1 } $3 == later { good = seen; exit } END { exit !good }' \
    "$3" || {
    echo "$1 does not come before $2:"
    cat "$3"
    return 1
  }
}

sink_saw() {
  grep -q "$1" sink.log || {
    echo "the recipient did not see $1:"
    cat sink.log
    return 1
  }
}

# own_network COMMAND...: runs it in a network namespace of its own, which an ordinary user may have
# too.
own_network() {
  if unshare -n true 2>/dev/null; then
    unshare -n "$@"
  else
    unshare -Urn "$@"
  fi
}
