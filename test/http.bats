#!/usr/bin/env bats
# cpm-status(1) as a server: who may ask, what it refuses, its limits, its confinement, its end.

load helper
load http
bats_require_minimum_version 1.5.0

ROOT=$BATS_TEST_DIRNAME/..

teardown() {
  stop_status
  stop_sink
}

@test "it says where it answers, and answers there: GET and HEAD" {
  start_status
  [[ $URL == http://127.0.0.1:*/ ]]
  run -0 code "$URL"
  [ "$output" = 200 ]
  run -0 code "${URL}healthz"
  [ "$output" = 200 ]
  run -0 code "${URL}nowhere"
  [ "$output" = 404 ]
  get -I "${URL}metrics" >head
  grep -q '^HTTP/1.1 200' head
  get -i -X HEAD --head "${URL}metrics" >again # no body follows, else curl complains
  run -0 bash -c "printf 'HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' $HOST |
    socat -t $GUARD - TCP:127.0.0.1:$PORT | sed '1,/^\r\$/d' | wc -c"
  [ "$output" -eq 0 ]
}

@test "every answer is kept by nobody, runs no script, and shows nothing of others" {
  start_status
  for path in '' metrics healthz nowhere entries entry/x session/x style.css api/queue api/entry/x; do
    get -D head -o body "$URL$path"
    for line in 'Cache-Control: no-store' 'X-Content-Type-Options: nosniff' \
      'Referrer-Policy: no-referrer' 'Cross-Origin-Opener-Policy: same-origin' \
      'Cross-Origin-Resource-Policy: same-origin' 'Cross-Origin-Embedder-Policy: require-corp'; do
      grep -qix "$line"$'\r' head || { echo "/$path lacks $line"; cat head; return 1; }
    done
    policy=$(sed -n 's/^Content-Security-Policy: \(.*\)\r$/\1/ip' head)
    for part in "default-src 'none'" "frame-ancestors 'none'" "base-uri 'none'" \
      "form-action 'none'" "style-src 'self'"; do
      [[ $policy == *"$part"* ]] || { echo "/$path lacks $part"; return 1; }
    done
    [[ $policy != *unsafe* && $policy != *script-src* ]]
    grep -qiE '^Content-Type: [a-z]+/[a-z+.-]+' head
    ! grep -qi '^Server:' head
  done
}

@test "nothing but GET and HEAD, and no body" {
  start_status
  for method in POST PUT DELETE PATCH OPTIONS TRACE PROPFIND get; do
    get -o /dev/null -D head -X "$method" "$URL"
    grep -q '^HTTP/1.1 405' head || { echo "$method"; cat head; return 1; }
    grep -qx $'Allow: GET, HEAD\r' head
  done
  run -0 code -X POST -d x "$URL"
  [ "$output" = 405 ]
  run -0 code -X GET -d x "$URL"
  [ "$output" = 413 ]
  run -0 code -X GET -H 'Transfer-Encoding: chunked' -d x "$URL"
  [ "$output" = 413 ]
  # Neither is a body read that never ends.
  run -0 raw < <(printf 'GET / HTTP/1.1\r\nHost: %s\r\nContent-Length: 99999999\r\n\r\n' "$HOST")
  [[ $output == 'HTTP/1.1 413'* ]]
  run -0 code "$URL"
  [ "$output" = 200 ]
}

@test "it goes by its own names alone" {
  start_status --http-host status.example.com
  for host in "127.0.0.1:$PORT" 127.0.0.1 localhost LOCALHOST:1 status.example.com:443; do
    run -0 code -H "Host: $host" "$URL"
    [ "$output" = 200 ] || { echo "$host: $output"; return 1; }
  done
  for host in evil.example evil.example:$PORT 192.0.2.1 '[::1]' localhost.evil.example; do
    run -0 code -H "Host: $host" "$URL"
    [ "$output" = 421 ] || { echo "$host: $output"; return 1; }
  done
  run -0 raw < <(printf 'GET / HTTP/1.1\r\nHost: %s\r\nHost: evil.example\r\n\r\n' "$HOST")
  [[ $output == 'HTTP/1.1 400'* ]]
  run -0 raw < <(printf 'GET / HTTP/1.1\r\n\r\n')
  [[ $output == 'HTTP/1.1 400'* ]]
  run -0 raw < <(printf 'GET /healthz HTTP/1.0\r\n\r\n')
  [[ $output == 'HTTP/1.'*' 200'* ]]
  run -0 raw < <(printf 'GET http://%s/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' "$HOST")
  [[ $output == 'HTTP/1.1 200'* ]]
  run -0 raw < <(printf 'GET http://evil.example/ HTTP/1.1\r\nHost: %s\r\n\r\n' "$HOST")
  [[ $output == 'HTTP/1.1 421'* ]]
}

@test "what is too long, and what is no request, is refused, and the next is served" {
  start_status
  long=$(head -c 3000 /dev/zero | tr '\0' a)
  run -0 code "$URL$long"
  [ "$output" = 414 ]
  run -0 code -H "X: $long$long$long$long$long$long" "$URL"
  [ "$output" = 431 ]
  head -c 20000 /dev/urandom | raw >out || true
  head -c 20000 /dev/zero | raw >out || true
  printf 'GET /a\x01b HTTP/1.1\r\nHost: %s\r\n\r\n' "$HOST" | raw >out
  grep -q '^HTTP/1.1 400' out
  printf '\r\n\r\n\r\n' | raw >out || true
  run -0 code "$URL"
  [ "$output" = 200 ]
}

@test "a token or a password is demanded where they are given" {
  printf 's3cr3t-t0ken\n' >token
  printf 'ops:pass:word\n' >password
  start_status -v --http-token-file token --http-auth-file password
  get -o /dev/null -D head "$URL"
  grep -q '^HTTP/1.1 401' head
  grep -qx $'WWW-Authenticate: Bearer realm="cpm-status"\r' head
  grep -qx $'WWW-Authenticate: Basic realm="cpm-status", charset="UTF-8"\r' head
  grep -qx $'Cache-Control: no-store\r' head
  for path in metrics healthz nowhere; do
    run -0 code "$URL$path"
    [ "$output" = 401 ]
  done
  run -0 code -H 'Authorization: Bearer s3cr3t-t0ken' "$URL"
  [ "$output" = 200 ]
  run -0 code -u ops:pass:word "$URL"
  [ "$output" = 200 ]
  for wrong in 'Bearer s3cr3t-t0keN' 'Bearer s3cr3t' 'Bearer' 'Basic s3cr3t-t0ken' 's3cr3t-t0ken'; do
    run -0 code -H "Authorization: $wrong" "$URL"
    [ "$output" = 401 ] || { echo "$wrong"; return 1; }
  done
  run -0 code -u ops:pass "$URL"
  [ "$output" = 401 ]
  stop_status
  # Trying is one line, whatever was tried, and no secret is told.
  [ "$(grep -c 'wrong token or password' status.err)" -eq 1 ]
  ! grep -E 's3cr3t|pass:|b3BzOnBhc3M6d29yZA' status.err
  run -0 cpm-status -Q q --http-token-file token --show-config
  [[ $output == *'http-token-file=token'* && $output != *s3cr3t* ]]
}

@test "a secret that others could read is refused" {
  make_queue
  printf 'x\n' >token
  for mode in 640 604 644; do
    chmod "$mode" token
    run -77 cpm-status -Q q --http-listen 127.0.0.1:0 --http-token-file token
    run -77 cpm-status -Q q --http-listen 127.0.0.1:0 --http-auth-file token
  done
  chmod 600 token
  run -78 cpm-status -Q q --http-listen 127.0.0.1:0 --http-auth-file token # no colon
  : >token
  run -78 cpm-status -Q q --http-listen 127.0.0.1:0 --http-token-file token
  printf 'x\ny\n' >token
  run -78 cpm-status -Q q --http-listen 127.0.0.1:0 --http-token-file token
  run -66 cpm-status -Q q --http-listen 127.0.0.1:0 --http-token-file nowhere
  run -77 cpm-status -Q q --http-listen 127.0.0.1:0 --http-token-file /dev/null
}

@test "TLS: the certificate is shown, plain HTTP is not served, wrong files are told" {
  make_cert
  unset CPM_CONFINE
  start_status --http-tls-cert cert.pem --http-tls-key key.pem
  [[ $URL == https://127.0.0.1:*/ ]]
  run -0 code --cacert cert.pem "$URL"
  [ "$output" = 200 ]
  run -0 code --cacert cert.pem "https://localhost:$PORT/healthz"
  [ "$output" = 200 ]
  run ! get "$URL" # not trusted
  run ! get "http://$HOST/"
  run ! get --cacert cert.pem --tls-max 1.1 "$URL"
  [ "$(grep '^Seccomp:' /proc/"$STATUS_PID"/status | tr -dc 0-9)" = 2 ]
  stop_status
  # Key and certificate in one file.
  cat cert.pem key.pem >both.pem
  start_status --http-tls-cert both.pem
  run -0 code --cacert cert.pem "$URL"
  [ "$output" = 200 ]
  stop_status
  openssl ecparam -name prime256v1 -genkey -noout -out other.pem
  run -78 cpm-status -Q q --http-listen 127.0.0.1:0 --http-tls-cert cert.pem --http-tls-key other.pem
  run -78 cpm-status -Q q --http-listen 127.0.0.1:0 --http-tls-cert cert.pem
  run -66 cpm-status -Q q --http-listen 127.0.0.1:0 --http-tls-cert nowhere
  run -64 cpm-status -Q q --http-listen 127.0.0.1:0 --http-tls-key key.pem
  run -64 cpm-status -Q q --http-listen 8099 # a port, and no address 0.0.31.163
  chmod 644 key.pem
  run -77 cpm-status -Q q --http-listen 127.0.0.1:0 --http-tls-cert cert.pem --http-tls-key key.pem
}

@test "an address that other hosts can reach wants TLS and a token, or a word" {
  make_queue
  make_cert
  echo token >token
  for address in 0.0.0.0:0 '[::]:0'; do
    run -64 cpm-status -Q q --http-listen "$address"
    [[ $output == *'no TLS'*'--http-insecure'* ]]
    run -64 cpm-status -Q q --http-listen "$address" --http-token-file token
    run -64 cpm-status -Q q --http-listen "$address" --http-tls-cert cert.pem --http-tls-key key.pem
    [[ $output == *'everybody may ask'* ]]
  done
  serve cpm-status -Q q --http-listen 0.0.0.0:0 --http-insecure
  run -0 code "http://127.0.0.1:$PORT/"
  [ "$output" = 200 ]
  stop_status
  serve cpm-status -Q q --http-listen 0.0.0.0:0 --http-tls-cert cert.pem --http-tls-key key.pem \
    --http-token-file token
  run -0 code --cacert cert.pem -H 'Authorization: Bearer token' "https://127.0.0.1:$PORT/"
  [ "$output" = 200 ]
}

@test "IPv6, several listeners, a port that is taken, no queue" {
  make_queue
  serve cpm-status -Q q --http-listen '[::1]:0'
  [[ $URL == 'http://[::1]:'*/ ]]
  run -0 code -g "$URL"
  [ "$output" = 200 ]
  run -71 cpm-status -Q q --http-listen "[::1]:$PORT"
  [[ $output == *'choose another port'* ]]
  stop_status
  mkfifo two
  cpm-status -Q q --http-listen 127.0.0.1:0 --http-listen '[::1]:0' >two 3>&- &
  STATUS_PID=$!
  { read -r -t "$GUARD" first && read -r -t "$GUARD" second; } <two
  for url in "$first" "$second"; do
    run -0 code -g "$url"
    [ "$output" = 200 ]
  done
  stop_status
  run -66 cpm-status -Q nowhere --http-listen 127.0.0.1:0
  run -66 cpm-status -Q . --http-listen 127.0.0.1:0 # a folder, and no queue
  [[ $output == *"there is no queue"* ]]
  run -64 cpm-status
  run -64 cpm-status -Q q -s s
  run -64 cpm-status -Q q --http-listen nonsense:x
}

@test "who brings no request makes room for others" {
  start_status --http-per-address 8
  start_idle 30
  run -0 code "$URL"
  [ "$output" = 200 ]
  end_idle
  [ "$CLOSED" -ge 22 ] # a new one each, and the one that was served
  [ "$CLOSED" -le 30 ]
}

@test "a thousand connections, and it serves" {
  start_status
  ulimit -S -n "$(ulimit -H -n)"
  start_idle 1000
  for _ in 1 2 3 4 5; do
    run -0 code "$URL"
    [ "$output" = 200 ]
  done
  # So many at most are kept.
  [ "$(find "/proc/$STATUS_PID/fd" -mindepth 1 | wc -l)" -lt 100 ]
  end_idle
  [ "$CLOSED" -ge 968 ]
}

@test "a request has to come in time, however its octets trickle; so has an answer to be taken" {
  start_status -v --http-timeout 500ms
  # An octet every 50 ms would never be idle.
  run -0 python3 -c '
import socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.settimeout(0.05)
for i in range(1000):
    try:
        s.sendall(b"GET / HTTP/1.1\r\nX: a"[i:i + 1] or b"a")
        if s.recv(1) == b"":
            break
    except TimeoutError:
        continue
    except OSError:
        break
else:
    sys.exit("never closed")
' "$PORT"
  grep -q 'too long to bring a request' status.err
  # Where a whole answer fits into the socket nobody is slow.
  run -0 code "$URL"
  [ "$output" = 200 ]
}

@test "it is kept in before it serves" {
  unset CPM_CONFINE
  start_status
  grep -qx $'NoNewPrivs:\t1' "/proc/$STATUS_PID/status"
  grep -qx $'Seccomp:\t2' "/proc/$STATUS_PID/status"
  # Nothing but sockets, what it began with, and watches is open.
  for fd in "/proc/$STATUS_PID"/fd/*; do
    case $(readlink "$fd") in
      socket:* | anon_inode:* | pipe:* | /dev/null | "$PWD"/* | */bats*) ;;
      *) echo "open: $(readlink "$fd")" && return 1 ;;
    esac
  done
  stop_status
  start_status --no-confine
  grep -qx $'Seccomp:\t0' "/proc/$STATUS_PID/status"
  run -0 code "$URL"
  [ "$output" = 200 ]
}

@test "a signal ends it in order, a second one at once" {
  for signal in TERM INT HUP; do
    start_status
    # An open connection that brings nothing does not hold it up.
    exec 6<>"/dev/tcp/127.0.0.1/$PORT"
    kill -"$signal" "$STATUS_PID"
    status=0
    wait "$STATUS_PID" || status=$?
    exec 6>&-
    STATUS_PID=
    [ "$status" -eq $((128 + $(kill -l "$signal"))) ] || { echo "$signal: $status"; return 1; }
  done
}

@test "systemd hands it sockets: TCP, and a Unix one with a mode of its own" {
  make_queue
  # A port that was free a moment ago; who lost it tries another.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    port=$((20000 + RANDOM % 10000))
    rm -f sock
    systemd-socket-activate -l "127.0.0.1:$port" -l "$PWD/sock" cpm-status -Q q >urls 2>act.err 3>&- &
    STATUS_PID=$!
    until grep -q 'Listening on.*sock' act.err || ! kill -0 "$STATUS_PID" 2>/dev/null; do
      read -r -t 0.05 <> <(:) || true
    done
    grep -q 'Listening on.*sock' act.err && break
  done
  run -0 code "http://127.0.0.1:$port/" # the first connection starts it
  [ "$output" = 200 ]
  [ "$(cat urls)" = "http://127.0.0.1:$port/"$'\n'"unix:$PWD/sock" ]
  run -0 code --unix-socket sock http://localhost/healthz
  [ "$output" = 200 ]
  run -0 code --unix-socket sock http://evil.example/healthz
  [ "$output" = 421 ]
}

@test "systemd hears when it is ready" {
  make_queue
  python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("notify")
print("bound", flush=True)
print(s.recv(100).decode(), flush=True)
' >notes 3>&- &
  hearer=$!
  saw notes bound
  NOTIFY_SOCKET=$PWD/notify serve cpm-status -Q q --http-listen 127.0.0.1:0
  wait "$hearer"
  grep -qx 'READY=1' notes
}

@test "the units are sound, and are kept in" {
  make -C "$ROOT" -s install DESTDIR="$PWD/dest" PREFIX=/usr/local
  units=dest/usr/local/lib/systemd/system
  sed "s|/usr/local/bin|$PWD/dest/usr/local/bin|" "$units/cpm-status.service" >cpm-status.service
  cp "$units/cpm-status.socket" .
  run -0 systemd-analyze verify --man=no ./cpm-status.service ./cpm-status.socket
  [ -z "$output" ] || { echo "$output"; return 1; }
  systemd-analyze security --offline=true --threshold=15 ./cpm-status.service >score ||
    { cat score; return 1; }
  tail -n 1 score | sed 's/^[^A-Za-z]*/# /' >&3
}

@test "one session file, as long as its attempt lasts" {
  start_sink
  make_message 100000
  run -0 cpm-deliver -q -s s --from "$ALICE" --to "$BOB" m.cpim
  serve cpm-status -s s --http-listen 127.0.0.1:0
  run -0 code "$URL"
  [ "$output" = 200 ]
  stop_status
  # The attempt is over: so is the server.
  sid=$(cpm-session get s attempt.start.sid || cpm-session get s sid || sed -n 's/.* attempt.start sid=\([^ ]*\).*/\1/p' s)
  run -0 timeout "$GUARD" cpm-status -s s --attempt "$sid" --http-listen 127.0.0.1:0
}

@test "cpm-deliver starts it, and takes it along when it ends" {
  start_sink --behave msrp-delay-ms=500
  make_message 100000
  cpm-deliver -s s --http-listen 127.0.0.1:0 --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- &
  deliver=$!
  saw err '^http://'
  grep '^http://' err >url
  wait "$deliver"
  assert_stored 1
  run ! get --max-time 5 "$(cat url)"
  # stdout is the transcript alone.
  ! grep -q '^http' out
}

# children PID: those it has, by name: sets PID_OF.
children() {
  local pid
  declare -gA PID_OF=()
  for pid in $(cat "/proc/$1/task/$1/children"); do
    PID_OF[$(cat "/proc/$pid/comm")]=$pid
  done
}

# gone PID: waits until it has ended; nobody may be there to reap it.
gone() {
  for _ in $(seq $((GUARD * 20))); do
    grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null || [ ! -e "/proc/$1" ] && return
    read -r -t 0.05 <> <(:) || true
  done
  return 1
}

@test "when cpm-deliver is killed, the status server stays until the stages are through" {
  start_sink
  make_message 100000
  kill -STOP "$SINK_PID"
  cpm-deliver -s s --http-listen 127.0.0.1:0 --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- &
  deliver=$!
  saw err '^http://'
  saw s invite.sent
  children "$deliver"
  kill -KILL "$deliver"
  wait "$deliver" || true
  kill -CONT "$SINK_PID"
  saw sink.log sink.stored
  gone "${PID_OF[cpm-status]}"
  run ! get --max-time 5 "$(grep '^http://' err)"
  assert_stored 1
}

@test "when all of a delivery is killed, the status server ends too" {
  start_sink --behave ring-ms=60000
  make_message 1000
  cpm-deliver -s s --http-listen 127.0.0.1:0 --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&- &
  deliver=$!
  saw err '^http://'
  saw s invite.progress
  children "$deliver"
  kill -KILL "$deliver" "${PID_OF[cpm-invite]}" "${PID_OF[cpm-msrp-serve]}" "${PID_OF[cpm-bye]}"
  wait "$deliver" || true
  gone "${PID_OF[cpm-status]}"
}

@test "a delivery does not mind a status server that cannot be started" {
  start_sink
  make_message 1000
  start_status
  run -0 --separate-stderr cpm-deliver --http-listen "127.0.0.1:$PORT" --from "$ALICE" --to "$BOB" m.cpim
  [[ $stderr == *'choose another port'* ]]
  assert_stored 1
  CPM_EXEC_STATUS=$PWD/nowhere run -0 --separate-stderr cpm-deliver --http-listen 127.0.0.1:0 \
    --from "$ALICE" --to "$BOB" m.cpim
  [ "$(wc -l <<<"$stderr")" -eq 1 ]
  assert_stored 2
  # A setting that is meant for a queue's server starts none here.
  CPM_HTTP_LISTEN=127.0.0.1:$PORT run -0 --separate-stderr cpm-deliver --from "$ALICE" --to "$BOB" m.cpim
  [ -z "$stderr" ]
  assert_stored 3
}
