#!/usr/bin/env bats
# The next hop by DNS (RFC 3263), with dnsmasq as the server.
load helper
load peers

# start_dns [options]: dnsmasq on loopback, which knows example.com alone: CPM_DNS_SERVER.
start_dns() {
  on_port run_dns "$@" || {
    cat dns.err dns.log
    return 1
  }
  export CPM_DNS_SERVER=127.0.0.1:$PORT
}

run_dns() { # [options]
  dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user="$(id -un)" --port="$PORT" \
    --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --local=/example.com/ \
    --log-queries --log-facility="$PWD/dns.log" "$@" >dns.err 2>&1 3>&- </dev/null &
  PEER=$!
  listens "$PEER" "$PORT" udp tcp
}

# start_deaf: something that takes datagrams and says nothing: DEAF (its port).
start_deaf() {
  on_port run_deaf
  DEAF=$PORT
}

run_deaf() {
  socat -u "UDP4-RECV:$PORT,bind=127.0.0.1" OPEN:/dev/null 3>&- </dev/null &
  PEER=$!
  listens "$PEER" "$PORT" udp
}

# start_busy [options]: a second recipient, which refuses with 503: BUSY (its port).
start_busy() {
  local line
  mkfifo busy.pipe
  cpm-sink --sip udp:127.0.0.1:0 --behave invite=503 "$@" >busy.pipe 2>busy.err 3>&- &
  PEER_PIDS+=("$!")
  exec 8<busy.pipe
  IFS= read -r -t "$GUARD" line <&8 || return 1
  cat <&8 >/dev/null 3>&- &
  PEER_PIDS+=("$!")
  exec 8<&-
  line=${line#*uri=}
  line=${line%% *}
  line=${line%%;*}
  BUSY=${line##*:}
}

DEAD=9 # nobody listens there, whatever the address

# The port of the recipient.
ports() {
  SINK_PORT=${SINK_HOST%%;*}
  SINK_PORT=${SINK_PORT##*:}
}

deliver() { # WANTED-STATUS RECIPIENT [options of cpm-deliver]
  local wanted=$1 status=0
  BOB=$2
  shift 2
  [ -e m.cpim ] || make_message 10
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim \
    >out 2>err </dev/null || status=$?
  assert_status "$status" "$wanted" || {
    cat dns.log
    return 1
  }
}

# The targets that the INVITE was sent to, in order, as transport/address.
tried() { # WANTED...
  local got
  got=$(sed -n 's/.* invite.sent .* transport=\([a-z]*\) next-hop="\?\([^ "]*\)"\? .*/\1\/\2/p' s |
    tr '\n' ' ')
  [ "$got" = "$* " ] || {
    echo "tried: $got, expected: $*"
    cat s
    return 1
  }
}

said() { # TEXT
  grep -qF -- "$1" err || {
    echo "not said: $1"
    cat err
    return 1
  }
  [ "$(grep -c '^cpm-' err)" -eq 1 ]
}

@test "NAPTR: order first, then preference; the service names the transport" {
  SINK_SIP=tcp:127.0.0.1:0 start_sink
  ports
  start_dns --host-record=h.example.com,127.0.0.1 \
    --naptr-record=example.com,20,1,s,SIP+D2U,,_sip._udp.example.com \
    --naptr-record=example.com,10,50,s,SIP+D2U,,_sip._udp.example.com \
    --naptr-record=example.com,10,10,s,SIP+D2T,,_sip._tcp.example.com \
    --naptr-record=example.com,1,1,s,SIP+D2W,,_sip._ws.example.com \
    --srv-host="_sip._udp.example.com,h.example.com,$DEAD" \
    --srv-host="_sip._tcp.example.com,h.example.com,$SINK_PORT"
  deliver 0 sip:bob@example.com
  tried "tcp/127.0.0.1:$SINK_PORT"
}

@test "no NAPTR: SRV by priority; a target that refuses is followed by the next" {
  start_sink
  ports
  start_dns --host-record=h.example.com,127.0.0.1 --host-record=d.example.com,127.0.0.3 \
    --srv-host="_sip._udp.example.com,h.example.com,$SINK_PORT,30,0" \
    --srv-host="_sip._udp.example.com,d.example.com,$DEAD,20,100" \
    --srv-host="_sip._udp.example.com,h.example.com,$DEAD,10,0"
  deliver 0 sip:bob@example.com --transport udp
  tried "udp/127.0.0.1:$DEAD" "udp/127.0.0.3:$DEAD" "udp/127.0.0.1:$SINK_PORT"
  stop_sink
  assert_stored 1
  # The same request each time: one Call-ID, one number.
  [ "$(grep -o 'call-id=[^ ]*' s | sort -u | wc -l)" -eq 1 ]
  [ "$(grep ' invite.sent ' s | grep -c ' cseq=1 ')" -eq 3 ]
  [ "$(grep ' invite.sent ' s | grep -o 'branch=[^ ]*' | sort -u | wc -l)" -eq 3 ]
}

@test "a weight of nothing comes behind one of something" {
  start_sink
  ports
  start_dns --host-record=h.example.com,127.0.0.1 \
    --srv-host="_sip._udp.example.com,h.example.com,$DEAD,10,0" \
    --srv-host="_sip._udp.example.com,h.example.com,$SINK_PORT,10,65535"
  deliver 0 sip:bob@example.com --transport udp
  # One in 65536 draws goes to the other first.
  tried "udp/127.0.0.1:$SINK_PORT"
}

@test "a target that is silent is left when timer B fires" {
  start_sink
  ports
  start_deaf
  start_dns --host-record=h.example.com,127.0.0.1 \
    --srv-host="_sip._udp.example.com,h.example.com,$DEAF,1" \
    --srv-host="_sip._udp.example.com,h.example.com,$SINK_PORT,2"
  deliver 0 sip:bob@example.com --transport udp --t1 10
  tried "udp/127.0.0.1:$DEAF" "udp/127.0.0.1:$SINK_PORT"
}

@test "a target that answers 503 is left; CANCEL, ACK and BYE go where the last INVITE went" {
  start_sink
  start_busy
  ports
  start_dns --host-record=h.example.com,127.0.0.1 \
    --srv-host="_sip._udp.example.com,h.example.com,$BUSY,1" \
    --srv-host="_sip._udp.example.com,h.example.com,$SINK_PORT,2"
  deliver 0 sip:bob@example.com --transport udp
  tried "udp/127.0.0.1:$BUSY" "udp/127.0.0.1:$SINK_PORT"
  # Each of them has its column, and the response is that of the first one.
  LC_ALL=C cpm-session ladder s >ladder
  grep -E "us +127.0.0.1:$BUSY +127.0.0.1:$SINK_PORT +127.0.0.1:[0-9]+" ladder || { cat ladder && return 1; }
  [ "$(sed -nE 's/^.*\|(<?-+ (INVITE|503|200 with).*)/\2/p' ladder | paste -sd ' ')" = \
    'INVITE 503 INVITE 200 with' ]
  stop_sink
  sink_saw sink.ack
  sink_saw sink.bye
  ! grep sink.error sink.log
}

@test "CANCEL goes where the last INVITE went, also from cpm-bye when cpm-invite was killed" {
  start_sink --behave invite=180 --behave ring-ms=600000
  ports
  start_dns --host-record=h.example.com,127.0.0.1 \
    --srv-host="_sip._udp.example.com,h.example.com,$DEAD,1" \
    --srv-host="_sip._udp.example.com,h.example.com,$SINK_PORT,2"
  deliver 75 sip:bob@example.com --transport udp --answer-timeout 2
  tried "udp/127.0.0.1:$DEAD" "udp/127.0.0.1:$SINK_PORT"
  [ "$(cpm-session get s bye.answered.method)" = CANCEL ]
  rm s
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" --transport udp m.cpim \
    >out 2>err </dev/null 3>&- &
  local deliver=$! status=0
  cpm-session wait s invite.progress --timeout 20
  until [ "$(cpm-session get s invite.progress.code)" = 180 ]; do pause 10; done
  kill -KILL "$(sed -n '/ cpm-invite\[/{s/.* cpm-invite\[\([0-9]*\)].*/\1/p;q}' s)"
  wait "$deliver" || status=$?
  assert_status "$status" 75
  grep ' cpm-bye\[.* bye.answered .*method=CANCEL' s
  stop_sink
  [ "$(grep -c sink.cancel sink.log)" -eq 2 ]
}

# start_named: a SIPp whose Contact is peer.example.com; the DNS knows two addresses of that, the
# first of which refuses.
start_named() {
  start_sipp "$@" -- -key named peer.example.com
  start_dns --host-record=peer.example.com,127.0.0.77 --host-record=peer.example.com,127.0.0.1
}

@test "a Contact that is a name: ACK and BYE where the INVITE found the peer" {
  start_named invite answer_named ack media bye
  deliver 0 "$BOB"
  sipp_content
  assert_eaten
  grep -q 'query\[A\] peer.example.com' dns.log
}

@test "cpm-invite is killed: cpm-bye looks the Contact's name up" {
  ANSWERS=1 start_named invite answer_named ack media ack bye # an ACK of each
  make_message 300000
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" --stop-and-wait --chunk-size 2048 \
    m.cpim >out 2>err </dev/null 3>&- &
  local deliver=$! status=0
  cpm-session wait s msrp.connected --timeout 20
  kill -KILL "$(sed -n '/ cpm-invite\[/{s/.* cpm-invite\[\([0-9]*\)].*/\1/p;q}' s)"
  wait "$deliver" || status=$?
  assert_status "$status" 75
  sipp_content
  [ "$(cpm-session get s bye.answered.code)" = 200 ]
}

@test "when all fail, the 503 that says when to come again is the verdict" {
  start_busy --behave retry-after=120
  start_dns --host-record=h.example.com,127.0.0.1 \
    --srv-host="_sip._udp.example.com,h.example.com,$BUSY,1" \
    --srv-host="_sip._udp.example.com,h.example.com,$DEAD,2"
  deliver 75 sip:bob@example.com --transport udp
  tried "udp/127.0.0.1:$BUSY" "udp/127.0.0.1:$DEAD"
  [ "$(cpm-session get s invite.failed.code)" = 503 ]
  [ "$(cpm-session get s invite.failed.retry-after)" = 120 ]
}

@test "no SRV: the addresses, at port 5060" {
  local host
  host=127.$((RANDOM % 200 + 1)).$((RANDOM % 200)).$((RANDOM % 200 + 1))
  SINK_SIP=udp:$host:5060 start_sink
  start_dns --host-record="example.com,$host"
  deliver 0 sip:bob@example.com --transport udp
  tried "udp/$host:5060"
}

@test "a port in the URI: addresses alone, an alias followed" {
  start_sink
  ports
  start_dns --host-record=h.example.com,127.0.0.1 --cname=alias.example.com,h.example.com
  deliver 0 "sip:bob@alias.example.com:$SINK_PORT;transport=udp"
  tried "udp/127.0.0.1:$SINK_PORT"
  ! grep -E 'query\[(SRV|NAPTR)' dns.log
}

@test "a name of both IP versions: the other one when the first refuses" {
  start_sink
  ports
  start_dns --host-record=both.example.com,127.0.0.1,::1
  deliver 0 "sip:bob@both.example.com:$SINK_PORT;transport=udp"
  tried "udp/[::1]:$SINK_PORT" "udp/127.0.0.1:$SINK_PORT"
}

@test "the --proxy is what is looked up, and the Route keeps its name" {
  start_sink
  ports
  start_dns --host-record=h.example.com,127.0.0.1 \
    --srv-host="_sip._udp.core.example.com,h.example.com,$SINK_PORT"
  deliver 0 sip:bob@far.example.org --proxy 'sip:core.example.com;lr' --transport udp
  tried "udp/127.0.0.1:$SINK_PORT"
  grep -q 'invite.route .*uri="<sip:core.example.com;lr>"' s
}

@test "a large INVITE: TCP where the records have it, before UDP" {
  SINK_SIP=tcp:127.0.0.1:0 start_sink
  ports
  start_dns --host-record=h.example.com,127.0.0.1 \
    --srv-host="_sip._udp.example.com,h.example.com,$DEAD,1" \
    --srv-host="_sip._tcp.example.com,h.example.com,$SINK_PORT,9"
  deliver 0 sip:bob@example.com -H "Subject: $(printf '%01000d' 0)"
  tried "tcp/127.0.0.1:$SINK_PORT"
}

@test "a large INVITE where the records have UDP alone: TCP first, UDP when it is refused" {
  start_sink
  ports
  start_dns --host-record=h.example.com,127.0.0.1 \
    --naptr-record=example.com,1,1,s,SIP+D2U,,_sip._udp.example.com \
    --srv-host="_sip._udp.example.com,h.example.com,$SINK_PORT"
  deliver 0 sip:bob@example.com -H "Subject: $(printf '%01000d' 0)"
  tried "tcp/127.0.0.1:$SINK_PORT" "udp/127.0.0.1:$SINK_PORT"
}

@test "told to use UDP, a large INVITE goes by UDP" {
  start_sink
  ports
  start_dns --host-record=h.example.com,127.0.0.1 \
    --srv-host="_sip._udp.example.com,h.example.com,$SINK_PORT"
  deliver 0 sip:bob@example.com --transport udp -H "Subject: $(printf '%01000d' 0)"
  tried "udp/127.0.0.1:$SINK_PORT"
}

@test "no such name: 75, and what was looked up is said" {
  start_dns
  deliver 75 sip:bob@nowhere.example.com
  said 'sip:bob@nowhere.example.com: addresses of nowhere.example.com: no such name (NXDOMAIN)'
  [ "$(cpm-session get s invite.failed.why)" = unresolved ]
  ! grep ' invite.sent ' s
}

@test "a DNS server that refuses: 75, and that is said" {
  start_dns
  deliver 75 sip:bob@elsewhere.test --transport udp
  said 'SRV of _sip._udp.elsewhere.test: the DNS server failed or refused'
}

@test "a DNS server that is silent: 75 after --dns-timeout, and that is said" {
  start_deaf
  CPM_DNS_SERVER=127.0.0.1:$DEAF deliver 75 sip:bob@example.com --dns-timeout 300ms
  said 'NAPTR of example.com: no DNS server answered in time'
}

@test "no DNS server: 75 for a name, but not for one in /etc/hosts, localhost or a number" {
  export CPM_DNS_SERVER=127.0.0.1:$DEAD
  deliver 75 sip:bob@example.com --transport udp --dns-timeout 1
  said 'addresses of example.com: no DNS server'
  start_sink
  ports
  rm s
  deliver 0 "sip:bob@localhost:$SINK_PORT" --transport udp --sip-bind 127.0.0.1
  tried "udp/127.0.0.1:$SINK_PORT"
  rm s
  deliver 0 "sip:bob@127.0.0.1:$SINK_PORT" --transport udp
}

@test "several DNS servers, of either IP version: the next one when one is dead" {
  start_sink
  ports
  start_dns --listen-address=::1 --host-record=h.example.com,127.0.0.1 \
    --srv-host="_sip._udp.example.com,h.example.com,$SINK_PORT"
  local dns=${CPM_DNS_SERVER##*:}
  deliver 0 sip:bob@example.com --dns-server "127.0.0.1:$DEAD,[::1]:$dns"
  tried "udp/127.0.0.1:$SINK_PORT"
  rm s
  deliver 0 sip:bob@example.com --dns-server "[::1]:$dns"
}

@test "an answer that is too large for UDP comes by TCP" {
  start_sink
  ports
  local i many=()
  for ((i = 2; i < 62; i++)); do
    many+=("--srv-host=_sip._udp.example.com,number-$i-with-a-long-name.example.com,$DEAD,$i")
  done
  start_dns --host-record=h.example.com,127.0.0.1 "${many[@]}" \
    --srv-host="_sip._udp.example.com,h.example.com,$SINK_PORT,1"
  deliver 0 sip:bob@example.com --transport udp
  tried "udp/127.0.0.1:$SINK_PORT"
}

@test "numbers need no DNS library; a name without one is told what is missing: 78" {
  start_sink
  export CPM_MODULES=$PWD/none
  BOB="sip:bob@$SINK_HOST"
  deliver 0 "$BOB" --transport udp
  rm s
  deliver 78 sip:bob@example.com
  said "$PWD/none/cares.so"
}

@test "a --dns-server that is none: 64" {
  deliver 64 sip:bob@example.com --dns-server ns.example.com
  grep -q -- '--dns-server: not a list of addresses' err
}

# The certificate has to be of the domain that was asked for, whatever host the DNS names (RFC 5922 4).
tls_sink() {
  mkdir certs
  "$BATS_TEST_DIRNAME/certs" certs
  SINK_SIP=tls:127.0.0.1:0 start_sink --sip-tls-cert "certs/$1.pem" --sip-tls-key "certs/$1.key"
  export CPM_SIP_TLS_CA=certs/ca.pem
  ports
  start_dns --host-record=sip.example.com,127.0.0.1 \
    --naptr-record=example.com,10,50,s,SIPS+D2T,,_sips._tcp.example.com \
    --srv-host="_sips._tcp.example.com,sip.example.com,$SINK_PORT"
}

@test "TLS by NAPTR; the certificate is of the domain" {
  tls_sink good
  deliver 0 sip:bob@example.com
  tried "tls/127.0.0.1:$SINK_PORT"
}

@test "sips: is found by its SRV record; a certificate of the host alone is 77" {
  tls_sink good
  deliver 0 sips:bob@example.com
  tried "tls/127.0.0.1:$SINK_PORT"
  stop_sink
  rm -r certs s
  tls_sink star
  deliver 77 sips:bob@example.com
  said 'the certificate is for *.example.com, *, not for example.com'
}

@test "where a certificate does not pass, nothing is said without TLS" {
  mkdir certs
  "$BATS_TEST_DIRNAME/certs" certs
  SINK_SIP=tls:127.0.0.1:0 start_sink --sip-tls-cert certs/star.pem --sip-tls-key certs/star.key \
    --sip tcp:127.0.0.1:0
  ports
  local tries plain=
  for ((tries = 0; tries < 500; tries++)); do
    plain=$(sed -n 's/.* sink.listening .*uri="sip:127.0.0.1:\([0-9]*\);transport=tcp".*/\1/p' sink.log)
    [ -z "$plain" ] || break
    pause 20
  done
  start_dns --host-record=sip.example.com,127.0.0.1 \
    --naptr-record=example.com,10,50,s,SIPS+D2T,,_sips._tcp.example.com \
    --naptr-record=example.com,20,50,s,SIP+D2T,,_sip._tcp.example.com \
    --srv-host="_sips._tcp.example.com,sip.example.com,$SINK_PORT" \
    --srv-host="_sip._tcp.example.com,sip.example.com,$plain"
  deliver 77 sip:bob@example.com --sip-tls-ca certs/ca.pem
  tried "tls/127.0.0.1:$SINK_PORT"
  rm s
  deliver 77 sip:bob@example.com --sip-tls-ca none.pem
  ! grep invite.sent s
}

@test "TLS that is not there at all is followed by what else there is" {
  SINK_SIP=tcp:127.0.0.1:0 start_sink
  ports
  start_dns --host-record=sip.example.com,127.0.0.1 \
    --naptr-record=example.com,10,50,s,SIPS+D2T,,_sips._tcp.example.com \
    --naptr-record=example.com,20,50,s,SIP+D2T,,_sip._tcp.example.com \
    --srv-host="_sips._tcp.example.com,sip.example.com,$DEAD" \
    --srv-host="_sip._tcp.example.com,sip.example.com,$SINK_PORT"
  deliver 0 sip:bob@example.com
  tried "tls/127.0.0.1:$DEAD" "tcp/127.0.0.1:$SINK_PORT"
}
