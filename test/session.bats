#!/usr/bin/env bats
# cpm-session: what it shows of a session file, at once and as the file grows.
bats_require_minimum_version 1.5.0
load helper

JOURNALS=$BATS_TEST_DIRNAME/data/ladder
LC_ALL=C.UTF-8
export LC_ALL
unset NO_COLOR

take() { # NAME: a session file made of a known one
  cp "$JOURNALS/$1.journal" s
  chmod 600 s
}

usage() { # TEXT COMMAND...: 64 and one line with the text
  local text=$1
  shift
  run --separate-stderr timeout "$GUARD" "$@"
  assert_status "$status" 64
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr == *"$text"* ]] || {
    echo "said: $stderr"
    return 1
  }
}

# on_terminal COLUMNS COMMAND: its output, as a terminal of that width shows it.
on_terminal() {
  TERM=${TERM_THERE:-xterm} timeout "$GUARD" script -qec "stty cols $1 && $2" typescript >/dev/null </dev/null || return
  # Without what script says at both ends.
  tail -n +2 typescript | head -n -2 | tr -d '\r' >shown
}

plain() { # without colours
  sed 's/\x1b\[[0-9;]*m//g' "$1"
}

@test "ladder: without a terminal 80 columns and no colour; in a locale of ASCII, ASCII" {
  take delivered
  cpm-session ladder s | diff "$JOURNALS/delivered.txt" -
  cpm-session ladder --color always s | diff "$JOURNALS/delivered-colour.txt" -
  LC_ALL=C cpm-session ladder s | diff "$JOURNALS/delivered-ascii.txt" -
  run --separate-stderr cpm-session ladder s
  [ -z "$stderr" ]
}

@test "ladder: on a terminal as wide as it is, in colours unless they are not wanted" {
  take failed
  on_terminal 1000 'cpm-session ladder --attempt 2 s'
  plain shown | diff "$JOURNALS/failed-2-wide.txt" -
  ! diff -q "$JOURNALS/failed-2-wide.txt" shown
  on_terminal 40 'cpm-session ladder --attempt cccccccccccc s'
  plain shown | diff "$JOURNALS/failed-3-narrow.txt" -
  on_terminal 80 'NO_COLOR=1 cpm-session ladder s'
  diff "$JOURNALS/failed.txt" shown
  on_terminal 80 'NO_COLOR= cpm-session ladder s'
  grep -q $'\x1b\\[' shown
  TERM_THERE=dumb on_terminal 80 'cpm-session ladder s'
  diff "$JOURNALS/failed.txt" shown
  on_terminal 80 'cpm-session ladder --color never s'
  diff "$JOURNALS/failed.txt" shown
  on_terminal 80 'CPM_COLOR=never cpm-session ladder s'
  diff "$JOURNALS/failed.txt" shown
}

@test "ladder --svg: what xmllint takes, also of a hostile file; nothing from elsewhere" {
  local name
  for name in delivered failed hostile; do
    take "$name"
    cpm-session ladder --svg s | tee ladder.svg | diff "$JOURNALS/$name.svg" -
    xmllint --noout --nonet ladder.svg
    xmllint --noout --nonet "$JOURNALS/$name.svg"
  done
  for name in failed-page hostile-page; do
    xmllint --noout --nonet "$JOURNALS/$name.svg"
    # A policy of style-src 'self' must find nothing.
    ! grep -qE ' style=|<style|<script|href|url\(' "$JOURNALS/$name.svg"
  done
  [ "$(grep -o 'https\?://[^"]*' "$JOURNALS/hostile.svg" | sort -u)" = http://www.w3.org/2000/svg ]
}

@test "ladder --mask: nobody's name, in text, in SVG and as it grows" {
  take delivered
  local how
  for how in --svg --follow --color=always; do
    cpm-session ladder "$how" s >open
    cpm-session ladder --mask "$how" s >masked
    grep -q alice@example.com open
    ! grep -qE 'alice|bob' masked
    grep -q 'sip:\*\*\*@example.com' masked
  done
  # A recipient of a direct address, whose refusal says more than it should.
  cat >s <<'END'
2026-11-22T10:00:00.000Z cpm-invite[1] attempt.start sid=abc n=1
2026-11-22T10:00:00.100Z cpm-invite[1] entry sid=abc from=tel:+15550100 to=sip:192.0.2.7
2026-11-22T10:00:00.200Z cpm-invite[1] invite.sent sid=abc uri=sip:192.0.2.7 next-hop=192.0.2.7:5060 transport=udp
2026-11-22T10:00:01.000Z cpm-invite[1] invite.failed sid=abc status=75 code=480 reason="call (555) 010-0199" why=refused
END
  cpm-session ladder --mask s >masked
  grep -q 'tel:\*\*\* to sip:192.0.2.7' masked
  grep -q '480 call \*\*\*' masked
  ! grep -qE '5550100|010-0199' masked
}

@test "ladder: a delivery, drawn from its file" {
  start_sink
  make_message 100000
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out </dev/null
  stop_sink
  cpm-session ladder s >ladder
  cat ladder
  grep -q "^attempt 1, $ALICE to $BOB\$" ladder
  # Each arrow once, in this order.
  [ "$(grep -oE 'INVITE|200 with the answer|ACK|MSRP connection|octets in|BYE|200 OK|delivered' ladder |
    paste -sd ,)" = 'INVITE,200 with the answer,ACK,MSRP connection,octets in,BYE,200 OK,delivered' ]
  ! grep -q "$(sed -n 's/.*path=msrp:[^ ]*\/\([A-Za-z0-9]*\);tcp .*/\1/p' s | head -1)" ladder
}

@test "ladder: who does not answer by TCP and does by UDP answers from the right lifeline" {
  take delivered
  local udp tcp
  udp=$(grep -m 1 ' invite\.sent ' s)
  tcp=${udp/transport=udp/transport=tcp}
  [ "$tcp" != "$udp" ]
  awk -v tcp="$tcp" '/ invite\.sent / && !n++ { print tcp } { print }' s >both
  chmod 600 both
  LC_ALL=C cpm-session ladder both >shown
  cat shown
  grep -q 'SIP over TCP *SIP over UDP' shown
  # The heads of the arrows to the recipient: the first INVITE's, then one column for all others.
  awk '/INVITE|ACK|BYE/ { print index($0, ">") }' shown | uniq -c | awk '{ print $1 }' >heads
  [ "$(paste -sd' ' heads)" = '1 3' ]
}

@test "ladder --follow: rows come as the file grows, and it ends with the outcome" {
  local status=0 deliver ladder
  start_sink --behave invite=180,200 --behave ring-ms=600000
  make_message 10
  mkfifo rows
  timeout "$GUARD" cpm-session ladder --follow s >rows 2>err 3>&- &
  ladder=$!
  exec 7<rows
  timeout "$GUARD" cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim >out 2>deliver.err </dev/null 3>&- 7>&- &
  deliver=$!
  local row=
  until [[ $row == *'180 Ringing'* ]]; do
    IFS= read -r -t "$GUARD" row <&7 || { cat err && return 1; }
    printf '%s\n' "$row" >>drawn
  done
  kill -TERM "$deliver"
  cat <&7 >rest
  cat rest >>drawn
  exec 7<&-
  wait "$ladder" || status=$?
  assert_status "$status" 0
  wait "$deliver" || :
  cat drawn
  grep -q ' CANCEL ' rest
  grep -q ' not delivered' rest
  # What it draws of a file that is whole is the same, but for the heading, which knows more; there
  # may be rows behind the outcome.
  cpm-session ladder -f s | head -n "$(wc -l <drawn)" | diff <(tail -n +6 drawn) <(tail -n +6)
}

@test "--follow ends with 75 when no process works on the session any more, or in time" {
  take delivered
  sed -i '/ outcome /d' s
  run -75 --separate-stderr timeout "$GUARD" cpm-session ladder --follow s
  [[ $output == *'200 OK'* ]]
  [[ $stderr == *'no process works on it'* ]]
  run -75 --separate-stderr timeout "$GUARD" cpm-session show --follow s
  run -75 --separate-stderr timeout "$GUARD" cpm-session ladder --follow --timeout 0 nothing
  [[ $stderr == *'the outcome did not come in time'* ]]
}

@test "--follow: an interrupt ends it as one, with what it drew whole" {
  local row ladder status=0
  mkfifo rows
  : >s
  chmod 600 s
  env --default-signal=INT cpm-session ladder --follow s >rows 3>&- &
  ladder=$!
  exec 7<rows
  # The claim, shared, as a stage holds it.
  python3 - "$JOURNALS/delivered.journal" s <<'END' 3>&- 7>&- &
import fcntl, os, struct, sys
fd = os.open(sys.argv[2], os.O_RDWR | os.O_APPEND)
fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 1, 1, 0))  # F_OFD_SETLK
for line in open(sys.argv[1]):
    if " outcome " not in line:
        os.write(fd, line.encode())
sys.stdin.close()
import signal
signal.pause()
END
  local holder=$!
  until [[ ${row-} == *'200 OK'* ]]; do
    IFS= read -r -t "$GUARD" row <&7
  done
  kill -INT "$ladder"
  wait "$ladder" || status=$?
  kill "$holder"
  exec 7<&-
  assert_status "$status" 130
}

@test "ladder: an attempt that there is not is 1; what does not go together is 64" {
  take failed
  run -1 --separate-stderr cpm-session ladder --attempt 4 s
  [[ $stderr == *'no attempt 4'* ]]
  usage '--follow' cpm-session ladder --svg --follow s
  usage '--svg has no meaning here' cpm-session show --svg s
  usage '--json has no meaning here' cpm-session ladder --json s
  usage '--attempt has no meaning here' cpm-session get --attempt 1 s entry.to
  usage '--follow has no meaning here' cpm-session wait --follow s outcome
  usage 'blue' cpm-session ladder --color blue s
  run -66 --separate-stderr cpm-session ladder nothing
  : >empty
  chmod 600 empty
  [ "$(cpm-session ladder empty)" = 'no attempt yet' ]
  [ "$(cpm-session show empty | head -1)" = 'no attempt yet' ]
  run -74 --separate-stderr bash -c 'cpm-session ladder s >/dev/full'
}

@test "show: the facts by key with their units, the message's before the attempt's, earlier attempts" {
  take failed
  cpm-session show s >shown
  cat shown
  [ "$(head -1 shown | tr -s ' ')" = 'attempt cccccccccccc' ]
  grep -qE '^invite\.failed\.retry-after +3600  \(1 h\)$' shown
  grep -qE '^1  aaaaaaaaaaaa  2026-11-25T13:43:00\.000Z  75  the session ended$' shown
  # Every key of the table is one that get knows, with that value.
  local key value n=0
  while read -r key value; do
    [[ $key == *.* && $key != [0-9]* ]] || continue
    n=$((n + 1))
    [ "$(cpm-session get s "$key")" = "${value%  (*)}" ] || { echo "$key" && return 1; }
  done <shown
  [ "$n" -ge 20 ]
  take hostile
  cpm-session show s >shown
  ! grep -q $'[\x01-\x09\x0b-\x1f]' shown
  grep -q 'u202egpj' shown
}

@test "show --json: one object with the same content" {
  local name key value n=0
  for name in delivered failed hostile; do
    take "$name"
    cpm-session show --json s >shown.json
    [ "$(wc -l <shown.json)" -eq 1 ]
    jq -e '.attempt and .facts and .attempts' shown.json >/dev/null
  done
  take failed
  cpm-session show --json s >shown.json
  [ "$(jq -r '.attempts[0] | "\(.attempt) \(.n) \(.began) \(.status) \(.why)"' shown.json)" = \
    'aaaaaaaaaaaa 1 2026-11-25T13:43:00.000Z 75 the session ended' ]
  while IFS=$'\t' read -r key value; do
    n=$((n + 1))
    [ "$(cpm-session get s "$key")" = "$value" ]
  done < <(jq -r '.facts | to_entries[] | "\(.key)\t\(.value)"' shown.json)
  [ "$n" -ge 20 ]
  [ "$(jq '.facts["invite.failed.code"]' shown.json)" = 503 ]
}

@test "show --follow: the table, then each fact as it comes" {
  take delivered
  grep -v ' outcome ' "$JOURNALS/delivered.journal" >s
  exec 6<>s
  python3 -c 'import fcntl,struct; fcntl.fcntl(6, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 1, 1, 0))'
  mkfifo rows
  timeout "$GUARD" cpm-session show --follow s >rows 3>&- 6>&- &
  local show=$! status=0 row=
  exec 7<rows
  until [[ $row == outcome.status* ]]; do
    IFS= read -r -t "$GUARD" row <&7
    # The table is there: now the last line comes.
    [[ $row != msrp.listening.size* ]] || grep ' outcome ' "$JOURNALS/delivered.journal" >>s
  done
  [[ $row =~ ^outcome\.status\ +0$ ]]
  wait "$show" || status=$?
  assert_status "$status" 0
  exec 6>&- 7<&-
  [ "$(timeout "$GUARD" cpm-session show --follow --json s | jq -r .facts.\"outcome.status\")" = 0 ]
}

@test "wait: a name that is no event is 64, with the nearest one" {
  usage 'did you mean msrp.transferred?' cpm-session wait s msrp.transfered
  usage 'did you mean outcome?' cpm-session wait s outcmoe
  usage 'did you mean invite.answered?' cpm-session wait s invite.answerd --timeout 5
  usage 'see cpm-session(5)' cpm-session wait s something-else
  usage 'see cpm-session(5)' cpm-session wait s "$(printf 'x%.0s' {1..300})"
  take delivered
  timeout "$GUARD" cpm-session wait s outcome
}
