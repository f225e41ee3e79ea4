# Common to the bats files about the status server: starting it, asking it, holding it up.

make_queue() {
  echo hello >content
  cpm-queue -Q q add --from "$ALICE" --to sip:bob@example.com --type text/plain content >ids
}

# empty_queue, full_queue busy|hostile: what is in q; the claims of its sessions are held until the
# end of the test.
empty_queue() {
  make_queue
  cpm-queue -Q q remove "$(cat ids)"
}

full_queue() {
  local line
  empty_queue
  mkfifo fill.in fill.out
  python3 "$BATS_TEST_DIRNAME/browser/fill.py" "$1" q <fill.in >fill.out 3>&- &
  FILLER=$!
  exec 7>fill.in 8<fill.out
  read -r -t "$GUARD" line <&8
  exec 8<&-
  [ "$line" = ready ]
}

end_filler() {
  if [ -n "${FILLER:-}" ]; then
    exec 7>&-
    wait "$FILLER" || true
    FILLER=
  fi
}

# serve COMMAND...: starts it, and waits for the line that says where it answers; sets STATUS_PID and
# URL.
serve() {
  mkfifo url.pipe
  "$@" >url.pipe 2>status.err 3>&- &
  STATUS_PID=$!
  exec 9<url.pipe
  rm url.pipe
  IFS= read -r -t "$GUARD" URL <&9 || {
    cat status.err
    return 1
  }
  exec 9<&-
  HOST=${URL#*://} HOST=${HOST%/} PORT=${HOST##*:}
}

start_status() {
  [ -d q ] || make_queue
  serve cpm-status -Q q --http-listen 127.0.0.1:0 "$@"
}

# Ends it; its exit status is in ENDED.
stop_status() {
  ENDED=0
  if [ -n "${STATUS_PID:-}" ]; then
    kill "$STATUS_PID" 2>/dev/null
    wait "$STATUS_PID" 2>/dev/null || ENDED=$?
    STATUS_PID=
  fi
}

get() { curl -sS --max-time "$GUARD" "$@"; }

# code [curl's options] URL: the status alone.
code() { get -o /dev/null -w '%{http_code}\n' "$@"; }

# saw FILE PATTERN: waits until a line of the file has it.
saw() {
  for _ in $(seq $((GUARD * 20))); do
    grep -q "$2" "$1" 2>/dev/null && return
    read -r -t 0.05 <> <(:) || true
  done
  cat "$1"
  return 1
}

# raw: sends stdin to the server, prints all that comes until it closes.
raw() { socat -t "$GUARD" -T "$GUARD" - "TCP:127.0.0.1:$PORT"; }

# idle N [SECONDS-TO-LIVE]: opens N connections that bring half a request, says "open", and prints
# how many the server has closed once stdin ends.
idle() {
  python3 -c '
import select, socket, sys
n, port = int(sys.argv[1]), int(sys.argv[2])
conns = []
for i in range(n):
    s = socket.create_connection(("127.0.0.1", port))
    try:
        s.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    except OSError:
        pass
    conns.append(s)
print("open", flush=True)
sys.stdin.read()
closed = 0
for s in conns:
    s.setblocking(False)
    try:
        closed += s.recv(1) == b""
    except BlockingIOError:
        pass
    except OSError:
        closed += 1
print("closed", closed, flush=True)
' "$1" "$PORT"
}

# start_idle N: IDLE_IN is to be closed to hear the count from idle.out.
start_idle() {
  mkfifo idle.in idle.out
  idle "$1" <idle.in >idle.out 3>&- 8>&- &
  IDLE_PID=$!
  exec 7>idle.in 8<idle.out
  read -r -t "$GUARD" line <&8
  [ "$line" = open ]
}

end_idle() {
  exec 7>&-
  read -r -t "$GUARD" line <&8
  exec 8<&-
  wait "$IDLE_PID"
  CLOSED=${line#closed }
}

make_cert() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
    -days 2 -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' 2>/dev/null
}
