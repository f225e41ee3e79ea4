#!/usr/bin/env bats
# Addresses: what is bound, what is told to others, and answers that come back through a NAT.
load helper
load peers

deliver() { # WANTED-STATUS [options of cpm-deliver]
  local wanted=$1 status=0
  shift
  [ -e m.cpim ] || make_message 10
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@" m.cpim \
    >out 2>err </dev/null || status=$?
  assert_status "$status" "$wanted" || {
    [ ! -e sipp.msg ] || cat sipp.err sipp.msg
    return 1
  }
}

# Each line of SIPp's trace that begins so is so, and there are some.
all_are() { # BEGINNING EXTENDED-REGEXP
  grep "^$1" sipp.msg >lines || {
    echo "no $1 in the trace"
    return 1
  }
  if grep -vE "$2" lines; then
    echo "is not $2"
    return 1
  fi
}

# told HOST-AS-REGEXP OPTIONS...: what stands in Via and Contact when that is advertised.
told() {
  local host=$1
  shift
  rm -rf s sipp.* scenario.xml eaten
  start_sipp invite answer ack media bye
  deliver 0 "$@"
  sipp_content
  local port
  port=$(cpm-session get s invite.sent.local)
  port=${port##*:}
  # Ours alone: what SIPp sent repeats our Via with received and rport.
  sed -n '/message received/,/message sent/p' sipp.msg >received
  mv received sipp.msg
  all_are Via "^Via: SIP/2\.0/(UDP|TCP) $host:$port;"
  all_are Contact "^Contact: <sip:alice@$host:$port[;>]"
}

@test "--sip-advertise: an address or a name in Via and Contact of INVITE, ACK and BYE" {
  told '192\.0\.2\.9' --sip-advertise 192.0.2.9
  told 'pf\.example\.com' --sip-advertise pf.example.com
  told '\[2001:db8::9\]' --sip-advertise 2001:db8::9
  told '\[2001:db8::9\]' --sip-advertise '[2001:db8::9]'
  SIPP_OVER=tcp told '192\.0\.2\.9' --sip-advertise 192.0.2.9
  SIPP_HOST=[::1] told '\[2001:db8::9\]' --sip-advertise 2001:db8::9
  SIPP_HOST=[::1] told 'pf\.example\.com' --sip-advertise pf.example.com
}

@test "without --sip-advertise: the address that the peer can send to" {
  told '127\.0\.0\.1'
  SIPP_OVER=tcp told '127\.0\.0\.1'
  SIPP_HOST=[::1] told '\[::1\]'
  SIPP_HOST=[::1] SIPP_OVER=tcp told '\[::1\]' --sip-bind ::1
}

@test "rport is asked for over UDP" {
  start_sipp invite answer ack media bye
  deliver 0
  sed -n '/message received/,/message sent/p' sipp.msg >received
  mv received sipp.msg
  all_are Via ';rport'
}

@test "what is no host cannot be advertised: 64" {
  BOB=sip:bob@127.0.0.1:9
  local host
  for host in 192.0.2.9:5060 '[192.0.2.9]' a..b 'a b' '[2001:db8::9' '2001:db8::9]' sip:x; do
    rm -f s
    deliver 64 --sip-advertise "$host" --transport udp
    rm -f s
    deliver 64 --msrp-advertise "$host" --transport udp
  done
}

# offered ADDRTYPE HOST-IN-C HOST-IN-PATH OPTIONS...: what the offer's c= and path name.
offered() {
  local type=$1 c=$2 path=$3
  shift 3
  rm -rf s sipp.* scenario.xml eaten
  start_sipp invite answer ack bye
  deliver 75 --accept-timeout 100ms "$@" # nobody connects
  sipp_content
  sed -n '/message received/,/message sent/p' sipp.msg >received
  mv received sipp.msg
  all_are 'c=IN' "^c=IN $type $c.?$"
  all_are 'a=path' "^a=path:msrp://$path:[0-9]+/"
}

@test "--msrp-advertise: an address or a name in c= and a=path" {
  offered IP4 192.0.2.9 192.0.2.9 --msrp-advertise 192.0.2.9
  offered IP4 pf.example.com pf.example.com --msrp-advertise pf.example.com
  offered IP6 2001:db8::9 '\[2001:db8::9\]' --msrp-advertise 2001:db8::9
  offered IP6 2001:db8::9 '\[2001:db8::9\]' --msrp-advertise '[2001:db8::9]'
  offered IP6 ::1 '\[::1\]' --msrp-listen ::1
  offered IP6 ::1 '\[::1\]' --msrp-listen '[::1]:0'
  offered IP6 pf.example.com pf.example.com --msrp-listen ::1 --msrp-advertise pf.example.com
}

# occupy udp|tcp PORT: on HOST somebody else has it, also where a connection of ours has just ended.
occupy() {
  local socket=UDP4-RECV:$2,bind=$HOST
  [ "$1" = udp ] || socket=TCP4-LISTEN:$2,bind=$HOST,reuseaddr
  socat -u "$socket" OPEN:/dev/null 3>&- </dev/null &
  PEER_PIDS+=("$!")
  listens "$!" "$2" "$1"
}

local_port() {
  local at
  at=$(cpm-session get s invite.sent.local)
  echo "${at##*:}"
}

@test "--sip-bind: the first free port of a range, on either transport" {
  start_sink
  pick_host
  local first=4001
  occupy udp "$first"
  deliver 0 --transport udp --sip-bind "$HOST:$first-$((first + 2))"
  [ "$(local_port)" -eq $((first + 1)) ]
  stop_sink
  SINK_SIP=tcp:127.0.0.1:0 start_sink
  occupy tcp "$((first + 1))"
  rm -f s m.cpim
  deliver 0 --sip-bind "$HOST:$((first + 1))-$((first + 2))"
  [ "$(local_port)" -eq $((first + 2)) ]
}

@test "--sip-bind: a range that is taken as a whole is 71, and says so" {
  start_sink
  pick_host
  local first=4001
  occupy udp "$first"
  occupy udp "$((first + 1))"
  deliver 71 --transport udp --sip-bind "$HOST:$first-$((first + 1))"
  grep -qF "$HOST:$first-$((first + 1)): Address already in use" err
}

@test "--msrp-listen: the first free port of a range; the whole range taken is 71" {
  start_sink
  pick_host
  local first=4001
  occupy tcp "$first"
  deliver 0 --msrp-listen "$HOST:$first-$((first + 1))"
  cpm-session get s msrp.listening.path | grep -qF "msrp://$HOST:$((first + 1))/"
  occupy tcp "$((first + 1))"
  rm -f s m.cpim
  deliver 71 --msrp-listen "$HOST:$first-$((first + 1))"
}

@test "IPv6 with and without brackets: recipient, proxy, bind, listen" {
  SINK_SIP=udp:[::1]:0 start_sink
  local port=${SINK_HOST%%;*}
  port=${port##*:}
  BOB="sip:bob@[::1]:$port"
  make_message 10
  deliver 0 --transport udp --sip-bind ::1 --msrp-listen ::1
  rm s
  deliver 0 --transport udp --sip-bind '[::1]' --msrp-listen '[::1]'
  rm s
  deliver 0 --transport udp --sip-bind '[::1]:0' --msrp-listen '[::1]:0' --proxy "sip:[::1]:$port;lr"
  # Without brackets there is no telling a port, so this goes to 5060; the URI on the wire has them.
  rm s
  BOB=sip:bob@::1
  deliver 0 --transport udp --msrp-listen ::1 --proxy "sip:[::1]:$port"
  [ "$(cpm-session get s invite.sent.uri)" = 'sip:bob@[::1]' ]
}

@test "a name that has no IPv4 needs IPv6 alone" {
  SINK_SIP=udp:[::1]:0 start_sink
  local port=${SINK_HOST%%;*}
  port=${port##*:}
  printf '::1 six.example.com\n' >hosts
  export CARES_HOSTS=$PWD/hosts
  BOB="sip:bob@six.example.com:$port"
  deliver 0 --transport udp --msrp-listen ::1
  cpm-session get s invite.sent.next-hop | grep -qF "[::1]:$port"
}

# A NAT: what goes to it leaves from another address and port, and only what comes back there gets
# in.
start_nat() { # PORT-OF-THE-PEER
  on_port run_nat "$1" || {
    cat nat.err
    return 1
  }
  NAT=$PORT
}

run_nat() { # PORT-OF-THE-PEER
  socat "UDP4-LISTEN:$PORT,bind=127.0.0.1,fork,reuseaddr" "UDP4:127.0.0.1:$1,bind=127.0.0.9" 3>&- </dev/null 2>nat.err &
  PEER=$!
  listens "$PEER" "$PORT" udp
}

@test "behind a NAT: responses come back by rport, whatever the Via says" {
  start_sink
  local port=${SINK_HOST%%;*}
  port=${port##*:}
  start_nat "$port"
  deliver 0 --proxy "sip:127.0.0.1:$NAT;lr;transport=udp" --sip-advertise 192.0.2.9 \
    --sip-bind 127.0.0.1 --t1 50
  [ "$(cpm-session get s bye.answered.code)" = 200 ]
  cpm-session get s invite.sent.via | grep -q '^192\.0\.2\.9:'
  stop_sink
  assert_stored 1
}
