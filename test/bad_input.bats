#!/usr/bin/env bats
# Bad input is refused before anything is sent, with one clear line and the right status.
bats_require_minimum_version 1.5.0
load helper

refused() { # STATUS PATTERN [options of cpm-deliver] FILE
  local status_wanted=$1 pattern=$2
  shift 2
  run --separate-stderr timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" "$@"
  assert_status "$status" "$status_wanted"
  echo "stderr: $stderr"
  [[ $stderr == *"$pattern"* ]]
  [ "$(wc -l <<<"$stderr")" -eq 1 ]
  stop_sink
  ! grep sink.invite sink.log
}

@test "a file that is no CPIM" {
  start_sink
  echo "hello" >m.cpim
  refused 65 m.cpim m.cpim
}

@test "an empty file" {
  start_sink
  : >m.cpim
  refused 65 m.cpim m.cpim
}

@test "a CPIM From that is not the originator" {
  start_sink
  make_message 10
  sed -i 's/^From: .*/From: <sip:mallory@example.com>\r/' m.cpim
  refused 65 mallory m.cpim
}

@test "a file that is not there" {
  start_sink
  refused 66 nothing.cpim nothing.cpim
}

@test "a folder in the place of the message" {
  start_sink
  mkdir folder.cpim
  refused 66 folder.cpim folder.cpim
}

@test "an unreadable file, as an ordinary user" {
  start_sink
  make_message 10
  chmod 000 m.cpim
  if [ "$(id -u)" -eq 0 ]; then
    chown -R nobody . && export XDG_RUNTIME_DIR=
    mkdir programs && cp "$CPM_BIN"/cpm-* programs/ # where it may look
    chmod -R a+rX programs "$BATS_RUN_TMPDIR" && chmod 000 m.cpim
    run --separate-stderr setpriv --reuid=nobody --clear-groups --regid=nogroup \
      timeout $GUARD programs/cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  else
    run --separate-stderr timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  fi
  assert_status "$status" 66
  [[ $stderr == *m.cpim* ]]
}

@test "a recipient that is no URI" {
  start_sink
  make_message 10
  BOB="not a uri"
  refused 64 "--to" m.cpim
}

@test "a header within a URI" {
  start_sink
  make_message 10
  BOB=$'sip:bob@x\r\nX-Evil: 1'
  refused 64 "" m.cpim
}

@test "a recipient without a route" {
  start_sink
  make_message 10
  BOB=sip:bob@no.such.host.invalid
  run --separate-stderr timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  assert_status "$status" 75
  [[ $stderr == *no.such.host.invalid* ]]
}

@test "an MSRP port that is in use" {
  start_sink
  make_message 10
  socat -u TCP-LISTEN:0,bind=127.0.0.1,fork /dev/null 3>&- &
  local pid=$! port=
  until port=$(ss -Hltnp | sed -n "s/.*127.0.0.1:\([0-9]*\) .*pid=$pid,.*/\1/p") && [ -n "$port" ]; do
    kill -0 "$pid"
  done
  run --separate-stderr timeout $GUARD cpm-deliver -s s --msrp-listen "127.0.0.1:$port" \
    --from "$ALICE" --to "$BOB" m.cpim
  kill "$pid"
  [ "$status" -ne 0 ]
  [[ $stderr == *"$port"* ]]
  stop_sink
  ! grep sink.invite sink.log
}

@test "an address that is not local" {
  start_sink
  make_message 10
  run --separate-stderr timeout $GUARD cpm-deliver -s s --msrp-listen 192.0.2.77 \
    --from "$ALICE" --to "$BOB" m.cpim
  [ "$status" -ne 0 ]
  [[ $stderr == *192.0.2.77* ]]
  stop_sink
  ! grep sink.invite sink.log
}

@test "a session file that belongs to another message or recipient" {
  start_sink --behave invite=486
  make_message 10
  run timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  assert_status "$status" 75
  make_message 10 other.cpim
  run timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" other.cpim
  assert_status "$status" 64
  run timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "sip:carol@$SINK_HOST" m.cpim
  assert_status "$status" 64
  stop_sink
  [ "$(grep -c sink.invite sink.log)" -eq 1 ]
}

@test "a session file that others can read, or a link" {
  start_sink
  make_message 10
  : >s
  chmod 644 s
  refused 77 s m.cpim
  rm s
  ln -s elsewhere s
  run timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  assert_status "$status" 77
  [ ! -e elsewhere ]
}

@test "a session file that belongs to somebody else" {
  [ "$(id -u)" -eq 0 ] || skip "only root can make a file of another user"
  start_sink
  make_message 10
  : >s
  chown nobody s
  refused 77 s m.cpim
}

@test "an unknown option, a missing file" {
  run -64 cpm-deliver --no-such-option m.cpim
  run -64 cpm-deliver --from "$ALICE" --to sip:bob@127.0.0.1
}

@test "an address that is missing costs no attempt" {
  local BOB=sip:bob@127.0.0.1
  make_message 10
  run -64 cpm-deliver -s s --from "$ALICE" m.cpim
  [[ $output == 'cpm-deliver: --to: is missing '* ]]
  run -64 cpm-deliver -s s --to "$ALICE" m.cpim
  [ ! -e s ]
}

@test "a session file of another recipient, before and after the delivery" {
  start_sink --behave invite=486
  make_message 10
  local first=$BOB
  cpm-deliver -q -s s --from "$ALICE" --to "$BOB" m.cpim >/dev/null || assert_status $? 75
  stop_sink
  start_sink
  run --separate-stderr timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  assert_status "$status" 64
  rm s
  cpm-deliver -q -s s --from "$ALICE" --to "$BOB" m.cpim >/dev/null
  BOB=${BOB/bob/carol}
  run --separate-stderr timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
  assert_status "$status" 64
  [[ $stderr == *"another recipient"* ]]
  stop_sink
  [ "$(grep -c sink.invite sink.log)" -eq 1 ]
}

@test "a wrong originator of the attempt before binds nobody" {
  start_sink
  make_message 10
  run timeout $GUARD cpm-deliver -s s --from sip:carol@example.com --to "$BOB" m.cpim
  assert_status "$status" 65
  cpm-deliver -q -s s --from "$ALICE" --to "$BOB" m.cpim >/dev/null
  [ "$(cpm-session get s entry.from)" = "$ALICE" ]
}

@test "a message without a Message-ID is known by all its octets" {
  start_sink
  local head=$'From: <sip:alice@example.com>\r\nTo: <sip:bob@x>\r\n\r\nContent-Type: text/plain\r\n\r\n'
  printf '%s%s' "$head" one >one.cpim
  printf '%s%s' "$head" two >two.cpim
  local id again=64
  for id in one one two; do
    run --separate-stderr timeout $GUARD cpm-deliver -s s --from "$ALICE" --to "$BOB" $id.cpim
    [ $id = one ] && again=0 || again=64
    assert_status "$status" $again
  done
  stop_sink
  [ "$(grep -c sink.invite sink.log)" -eq 1 ]
}

@test "an address to listen on that is no address, an empty name to advertise" {
  start_sink
  make_message 10
  refused 64 --sip-bind --sip-bind '  ' m.cpim
  start_sink
  refused 64 --sip-advertise --sip-advertise '' m.cpim
}
