#!/bin/bash
# Many deliveries, some at a time, over a network that is bad to datagrams. Runs inside a fresh network
# namespace, in the test's folder.
#   lost PERCENT       nftables drops so many of all datagrams, either way
#   bent PERCENT       a forwarder before the recipient loses so many, doubles and delays, so that they
#                      overtake each other; its Record-Route keeps it in the path
# usage: deliveries.bash lost|bent PERCENT COUNT sink|sipp
set -eu
# shellcheck source=test/helper.bash
. "$BATS_TEST_DIRNAME/helper.bash"
# shellcheck source=test/peers.bash
. "$BATS_TEST_DIRNAME/peers.bash"
how=$1 percent=$2 count=$3 peer=$4
exec 3>/dev/null
SINK_PID='' SINK_LOG_PID=''
trap 'stop_sink; stop_peers' EXIT

ip link set lo up

drop_datagrams() {
  nft -f - <<END
table inet bad {
  chain in {
    type filter hook input priority 0;
    meta l4proto udp numgen random mod 100 < $percent counter drop
  }
}
END
}

# start_forward: before port 5070; FORWARD is its port.
start_forward() {
  local word
  mkfifo forward.pipe
  "$CPM_BIN/../test/peers/forward" 127.0.0.1:5070 "$percent" 20 80 >forward.pipe &
  PEER_PIDS+=("$!")
  read -r word FORWARD word <forward.pipe
  echo "the forwarder's $word"
}

# Nobody else is in this network, so the port is free.
SINK_SIP=udp:127.0.0.1:5070
route=()
case $how in
  lost) drop_datagrams ;;
  bent)
    start_forward
    route=(--behave "header=Record-Route: <sip:127.0.0.1:$FORWARD;lr>")
    ;;
esac

# SIPp takes them all as one process; each call's media go to a file of their own. It does not expect
# an ACK that was overtaken by its BYE, and shall not mind.
start_sipp_for_all() {
  local sipp=$BATS_TEST_DIRNAME/sipp
  sed 's/<send>/<send retrans="100">/' "$sipp/answer.xml" >sure_answer.xml
  sed 's/\[eaten\]/[eaten].[call_id]/' "$sipp/media.xml" >each_media.xml
  echo '<label id="1"/><recv request="ACK" optional="true" next="1"/>' >more_acks.xml
  echo '<timewait milliseconds="5000"/>' >linger.xml
  [ "$how" != bent ] || sed -i "s/Contact:/Record-Route: <sip:127.0.0.1:$FORWARD;lr>\n      Contact:/" \
    sure_answer.xml
  scenario invite sure_answer ack each_media more_acks bye linger
  TERM=dumb sipp -sf scenario.xml -m "$count" -nostdin -buff_size 4000000 -timeout 150 \
    -timeout_error -default_behaviors all,-abortunexp -t u1 -i 127.0.0.1 -p 5070 -trace_err -error_file sipp.err \
    -key eater "$EATER" -key eaten "$PWD/eaten" -key answers '' \
    -key expires '1800;refresher=uac' -key allow 'INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE' \
    >sipp.out 2>&1 3>&- </dev/null &
  SIPP_PID=$!
  PEER_PIDS+=("$SIPP_PID")
  listens "$SIPP_PID" 5070 udp
}

case $peer in
  sink) start_sink --t1 100 "${route[@]}" ;;
  sipp) start_sipp_for_all ;;
esac
BOB="sip:bob@127.0.0.1:${FORWARD:-5070};transport=udp"

for ((i = 0; i < count; i++)); do
  head -c 3000 /dev/urandom >content
  cpm-compose --from "$ALICE" --to "$BOB" --message-id "message$i" --type application/octet-stream \
    content >"m.$i"
done
one() {
  local status=0
  cpm-deliver -s "s.$1" --from "$ALICE" --to "$BOB" --t1 100 "m.$1" >"out.$1" 2>"err.$1" \
    </dev/null || status=$?
  echo "$status" >"status.$1"
}
for ((i = 0; i < count; i++)); do
  one "$i" &
  running[i]=$!
  ((i < 8)) || wait "${running[i - 8]}"
done
for ((i = count < 8 ? 0 : count - 8; i < count; i++)); do wait "${running[i]}"; done

# Every verdict is right, and what was delivered is there as it was sent.
arrived() { # NUMBER
  if [ "$peer" = sink ]; then
    cmp "m.$1" "store/message$1-1.cpim" && [ ! -e "store/message$1-2.cpim" ]
  else
    cmp "m.$1" "eaten.$(cpm-session get "s.$1" dialog.confirmed.call-id)"
  fi
}
right() {
  [ "$(cat "status.$1")" = 0 ] && arrived "$1" &&
    [ "$(cpm-session get "s.$1" bye.answered.code)" = 200 ]
}
for ((i = 0; i < count; i++)); do
  if ! right "$i"; then
    echo "delivery $i ended with $(cat "status.$i")"
    cat "s.$i" "err.$i"
    exit 1
  fi
done

# seen EVENT: so many calls had it, each once.
seen() {
  local n
  n=$(grep -c " $1 " sink.log) || :
  [ "$n" -eq "$count" ] || {
    echo "$1: $n times in $count calls"
    cat sink.log
    exit 1
  }
}
if [ "$peer" = sink ]; then
  stop_sink
  for event in sink.invite sink.answered sink.stored sink.bye sink.ended; do seen "$event"; done
  # A BYE may well overtake the ACK, or its ACK be lost: that alone is no error here.
  if grep -E ' sink\.(error|cancel) ' sink.log | grep -v 'got no ACK'; then exit 1; fi
else
  sipp_content
fi
[ "$how" != lost ] || nft list ruleset | grep counter
