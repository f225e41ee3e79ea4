#!/usr/bin/env bats
# Deliveries through Kamailio, a record-routing and stateful proxy, to cpm-sink.
load helper
load peers

deliver() { # WANTED-STATUS udp|tcp [options of cpm-deliver]
  local wanted=$1 over=$2 status=0
  shift 2
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" \
    --proxy "sip:$PROXY;lr;transport=$over" "$@" m.cpim >out 2>err </dev/null || status=$?
  assert_status "$status" "$wanted" || {
    cat proxy.log sink.log
    return 1
  }
}

# The proxy saw this many such requests, over this transport.
proxy_saw() { # METHOD udp|tcp COUNT
  local n
  n=$(grep -c "request=$1 from=[^ ]* over=$2 " proxy.log) || :
  [ "$n" -eq "$3" ] || {
    echo "requests $1 over $2 at the proxy: $n, expected $3"
    cat proxy.log
    return 1
  }
}

# ACK and BYE came with the proxy's Record-Route as their Route, which loose_route() took away.
routed_by_proxy() { # udp|tcp [ACKS]
  proxy_saw INVITE "$1" 1
  proxy_saw ACK "$1" "${2:-1}"
  proxy_saw BYE "$1" 1
  for method in ACK BYE; do
    grep "request=$method " proxy.log | grep -qF "route=<sip:$PROXY" || {
      cat proxy.log
      return 1
    }
  done
  ! grep astray= proxy.log
}

whole_delivery() { # udp|tcp
  make_message 200000
  deliver 0 "$1"
  stop_sink
  assert_stored 1
  routed_by_proxy "$1"
  ! grep sink.error sink.log
}

@test "over UDP" {
  start_kamailio
  start_sink
  whole_delivery udp
}

# Where the transport changes the proxy names itself twice, once for each side.
two_routes() {
  grep -q ' dialog\.route .*n=2 ' s || {
    cat s
    return 1
  }
}

@test "over TCP, to a recipient over UDP" {
  start_kamailio
  start_sink
  whole_delivery tcp
  two_routes
}

@test "over UDP, to a recipient over TCP" {
  start_kamailio
  SINK_SIP=tcp:127.0.0.1:0 start_sink
  case $BOB in *transport=*) ;; *) BOB="$BOB;transport=tcp" ;; esac
  whole_delivery udp
  two_routes
}

# The recipient's own requests come through the proxy, long before the transfer is over.
requests_come() { # udp|tcp
  start_kamailio
  start_sink --behave options@5k --behave update@10k --behave reinvite@20k --behave read-rate=100k
  make_message 200000
  deliver 0 "$1"
  stop_sink
  assert_stored 1
  for method in OPTIONS UPDATE INVITE; do
    sink_saw "sink.response .*method=$method code=200"
  done
  proxy_saw OPTIONS udp 1
  grep -q ' dialog\.refreshed .*by=peer .*method=UPDATE' s
}

@test "OPTIONS, UPDATE and re-INVITE of the recipient, to us over TCP" {
  requests_come tcp
}

@test "OPTIONS, UPDATE and re-INVITE of the recipient, to us over UDP" {
  requests_come udp
}

@test "over TCP all the way" {
  start_kamailio
  SINK_SIP=tcp:127.0.0.1:0 start_sink
  case $BOB in *transport=*) ;; *) BOB="$BOB;transport=tcp" ;; esac
  whole_delivery tcp
}

@test "over IPv6" {
  start_kamailio '[::1]'
  SINK_SIP=udp:[::1]:0 start_sink
  export CPM_MSRP_LISTEN='[::1]'
  whole_delivery udp
  grep -q ' msrp.connected .*peer="\?\[::1\]' s
}

@test "three stages in a pipeline" {
  start_kamailio
  start_sink
  make_message 5000
  local status=0
  timeout "$GUARD" dash -c '
    cpm-invite -s s --from "$1" --to "$2" --proxy "$3" | cpm-msrp-serve -s s m.cpim | cpm-bye -s s' \
    sh "$ALICE" "$BOB" "sip:$PROXY;lr;transport=udp" >out 2>err </dev/null || status=$?
  assert_status "$status" 0
  stop_sink
  assert_stored 1
  routed_by_proxy udp
}

@test "cpm-invite is killed: cpm-bye sends its BYE through the proxy too" {
  start_kamailio
  start_sink --behave read-rate=20000
  make_message 2000000
  cpm-deliver -s s --from "$ALICE" --to "$BOB" --proxy "sip:$PROXY;lr;transport=udp" m.cpim \
    >out 2>err 3>&- </dev/null &
  local deliver=$! status=0
  cpm-session wait s msrp.connected --timeout 20
  kill -KILL "$(sed -n '/ cpm-invite\[/{s/.* cpm-invite\[\([0-9]*\)].*/\1/p;q}' s)"
  wait "$deliver" || status=$?
  assert_status "$status" 75
  stop_sink
  # cpm-bye cannot know whether the ACK left, so there is another one.
  routed_by_proxy udp 2
  sink_saw sink.bye
}

refused() { # CODE STATUS
  start_kamailio
  start_sink --behave "invite=$1"
  make_message 100
  deliver "$2" udp
  [ "$(cpm-session get s invite.failed.code)" = "$1" ]
  # The ACK for a refusal goes no further than the proxy (RFC 3261 17.1.1.3).
  proxy_saw INVITE udp 1
  proxy_saw ACK udp 1
  proxy_saw BYE udp 0
}

@test "486 from the recipient: 75" {
  refused 486 75
}

@test "404 from the recipient: 69" {
  refused 404 69
}

@test "404 from the proxy: 69" {
  start_kamailio
  start_sink
  BOB=sip:nobody@$SINK_HOST
  make_message 100
  deliver 69 udp
  stop_sink
  ! grep sink.invite sink.log
}

@test "408 from the proxy, whose recipient is silent: 75" {
  start_kamailio
  start_sink --behave silent=invite
  make_message 100
  deliver 75 udp
  [ "$(cpm-session get s invite.failed.code)" = 408 ]
}

@test "nobody answers the phone: CANCEL through the proxy, 75" {
  start_kamailio
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 100
  deliver 75 udp --answer-timeout 1
  proxy_saw CANCEL udp 1
  stop_sink
  sink_saw sink.cancel
  [ "$(cpm-session get s bye.answered.method)" = CANCEL ]
}
