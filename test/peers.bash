# Independent peers for the bats files: Kamailio as a proxy, SIPp and the scripts of peers/ as
# recipients. They run in the foreground as children on ports that were free a moment ago; when
# somebody was faster, on others.
# shellcheck shell=bash disable=SC2034 # PROXY and BOB are for the tests

EATER=$CPM_BIN/../test/peers/msrp-eat
PEER_PIDS=()

# For files that have no other end.
teardown() {
  stop_sink
  stop_peers
}

# deliver WANTED-STATUS [options of cpm-deliver]: m.cpim to BOB, with the session file s.
deliver() {
  local wanted=$1 status=0
  shift
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim \
    >out 2>err </dev/null || status=$?
  assert_status "$status" "$wanted" || {
    cat sipp.err sipp.msg recipient.err 2>&1 || :
    return 1
  }
}

# A port below the range that the kernel gives out by itself, and that nobody uses: PORT.
pick_port() {
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    PORT=$((10000 + RANDOM % 20000))
    [ -n "$(ss -Hlntu "sport = :$PORT")" ] || return 0
  done
  return 1
}

# An address of the loopback that nobody else is likely to use now: HOST. Every port on it is free.
pick_host() {
  HOST=127.$((1 + RANDOM % 250)).$((RANDOM % 250)).$((1 + RANDOM % 250))
}

# pause MS: until nothing happened; for looking again at what has no event.
pause() {
  read -rt "0.$(printf %03d "$1")" <> <(:) || :
}

# listens PID PORT udp|tcp...: waits until it or a child of it listens there; fails when it ended. What
# others have at that number, on another address, does not count.
listens() {
  local pid=$1 port=$2 over whose end=$((SECONDS + GUARD))
  shift 2
  for over; do
    while :; do
      kill -0 "$pid" 2>/dev/null || return 1
      whose="$pid $(cat "/proc/$pid/task/$pid/children" 2>/dev/null)"
      whose=${whose% }
      [[ ! $(ss -Hlnp "--$over" "sport = :$port") =~ pid=(${whose// /|}), ]] || break
      [ "$SECONDS" -lt "$end" ] || return 1
      pause 20
    done
  done
}

# on_port START [ARGUMENT...]: START begins a peer in the background that takes PORT, sets PEER to its
# pid, and waits until it listens. When somebody was faster there, again with another port.
on_port() {
  local tries
  for ((tries = 0; tries < 5; tries++)); do
    pick_port || return 1
    if "$@"; then
      PEER_PIDS+=("$PEER")
      return 0
    fi
    kill "$PEER" 2>/dev/null || :
    wait "$PEER" || :
  done
  return 1
}

# Ends the peers that still run; the number of one that ended may be somebody else's by now.
stop_peers() {
  local pid running
  running=$(jobs -pr)
  for pid in "${PEER_PIDS[@]}"; do
    [[ $'\n'$running$'\n' != *$'\n'"$pid"$'\n'* ]] || kill "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
  done
  PEER_PIDS=()
  return 0
}

# start_kamailio [HOST [DEFINE...]]: a record-routing proxy on UDP and TCP: PROXY (host:port), its log
# in proxy.log. HOST is 127.0.0.1 or [::1]; DEFINEs are those of kamailio/proxy.cfg. With WITH_TLS it
# takes TLS too, on PROXY_TLS.
start_kamailio() {
  local define defines=()
  PROXY_HOST=${1:-127.0.0.1}
  shift $(($# > 0))
  for define; do defines+=(-A "$define"); done
  on_port run_kamailio "${defines[@]}" || {
    cat proxy.log
    return 1
  }
  PROXY=$PROXY_HOST:$PORT
}

run_kamailio() { # OPTION...
  local port=$PORT at=$PROXY_HOST
  set -- "$@" -l "udp:$at:$port" -l "tcp:$at:$port"
  if [[ " $* " == *' WITH_TLS '* ]]; then
    pick_port || return 1
    PROXY_TLS=$at:$PORT
    set -- "$@" -l "tls:$PROXY_TLS"
  fi
  rm -rf kamailio.run
  mkdir kamailio.run
  kamailio -DD -E -f "$BATS_TEST_DIRNAME/kamailio/proxy.cfg" -Y "$PWD/kamailio.run" \
    -w "$PWD/kamailio.run" -m 16 -M 4 "$@" >/dev/null 2>proxy.log 3>&- </dev/null &
  PEER=$!
  listens "$PEER" "$PORT" tcp || return 1
  PORT=$port
  listens "$PEER" "$PORT" udp tcp
}

# scenario PART...: a scenario of the parts in test/sipp, or of PART.xml in the test's own folder, in
# scenario.xml.
scenario() {
  local part
  {
    echo '<?xml version="1.0" encoding="UTF-8"?>'
    echo '<scenario name="a recipient">'
    for part in "$@"; do
      cat "$part.xml" 2>/dev/null || cat "$BATS_TEST_DIRNAME/sipp/$part.xml" || return 1
    done
    echo '</scenario>'
  } >scenario.xml
}

# start_sipp PART... [-- options]: SIPp takes one call, as recipient: SIPP_PID, BOB. SIPP_OVER is udp
# or tcp, SIPP_HOST an address, SIPP_ALLOW and SIPP_EXPIRES stand in the answer, ANSWERS is how many
# chunks the media peer answers, ELSEWHERE the URI of another recipient.
start_sipp() {
  local parts=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    parts+=("$1")
    shift
  done
  shift $(($# > 0))
  scenario "${parts[@]}"
  on_port run_sipp "${SIPP_OVER:-udp}" "${SIPP_HOST:-127.0.0.1}" "$@" || {
    cat sipp.out sipp.err
    return 1
  }
  SIPP_PID=$PEER
  BOB="sip:bob@${SIPP_HOST:-127.0.0.1}:$PORT;transport=${SIPP_OVER:-udp}"
}

run_sipp() { # TRANSPORT HOST [option...]
  local over=$1 host=$2
  shift 2
  TERM=dumb sipp -sf scenario.xml -m 1 -nostdin -buff_size 4000000 -timeout "$GUARD" \
    -timeout_error -t "${over:0:1}1" -i "$host" -p "$PORT" \
    -trace_err -error_file sipp.err -trace_msg -message_file sipp.msg \
    -trace_logs -log_file sipp.log -key eater "$EATER" -key eaten "$PWD/eaten" \
    -key answers "${ANSWERS:-}" -key elsewhere "${ELSEWHERE:-}" -key expires "${SIPP_EXPIRES:-1800;refresher=uac}" \
    -key allow "${SIPP_ALLOW:-INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE}" \
    "$@" >sipp.out 2>&1 3>&- </dev/null &
  PEER=$!
  listens "$PEER" "$PORT" "$over"
}

# The scenario ran to its end, and all that it checks was so.
sipp_content() {
  local status=0
  wait "$SIPP_PID" || status=$?
  if [ "$status" -ne 0 ]; then
    echo "SIPp ended with $status:"
    cat sipp.err
    cat sipp.msg
    return 1
  fi
}

# same_origin: the two descriptions that SIPp noted have one o= line: nothing changed (RFC 3264 8).
same_origin() {
  local first again
  first=$(sed -n 's/.*first //p' sipp.log)
  again=$(sed -n 's/.*again //p' sipp.log)
  echo "o= lines: $first, $again"
  [ -n "$first" ]
  [ "$first" = "$again" ]
}

# fast_clock [STAGE]: time runs 100 times as fast for cpm-invite, or for cpm-STAGE. FAST are the
# options of cpm-deliver that go with cpm-invite: what must not be over in a hundredth of its time.
fast_clock() {
  local library stage=${1:-invite} variable
  for library in /usr/lib/*/faketime/libfaketime.so.1; do
    [ -e "$library" ] || return 1
  done
  cat >fast <<END
#!/bin/sh
export LD_PRELOAD=$library FAKETIME='+0 x100' ASAN_OPTIONS=verify_asan_link_order=0
exec '$CPM_BIN/cpm-$stage' "\$@"
END
  chmod 700 fast
  variable=CPM_EXEC_${stage^^}
  export "${variable//-/_}=$PWD/fast"
  FAST=(--t1 60000 --t2 120000 --t4 60000 --answer-timeout 3600 --start-timeout 36000)
}

# The media peer that SIPp started has the message.
assert_eaten() {
  cmp eaten "${1:-m.cpim}"
}

# start_recipient SCRIPT ARGUMENT...: a recipient of test/peers, for one call: RECIPIENT_PID, BOB.
start_recipient() {
  local line script=$1
  shift
  mkfifo recipient.pipe
  python3 "$BATS_TEST_DIRNAME/peers/$script" "$@" >recipient.pipe 2>recipient.err 3>&- </dev/null &
  RECIPIENT_PID=$!
  PEER_PIDS+=("$RECIPIENT_PID")
  exec 8<recipient.pipe
  rm recipient.pipe
  IFS= read -r -t "$GUARD" line <&8 || {
    cat recipient.err
    return 1
  }
  BOB=${line#uri }
}

# It ran to its end, and all was as it should be.
recipient_ended() {
  local status=0
  wait "$RECIPIENT_PID" || status=$?
  [ "$status" -eq 0 ] || {
    cat <&8
    cat recipient.err s err
    return 1
  }
}
