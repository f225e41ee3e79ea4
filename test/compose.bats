#!/usr/bin/env bats
# cpm-compose: makes a message/cpim out of any content; shows one.

bats_require_minimum_version 1.5.0

load helper

export LC_ALL=C
people=(--from sip:alice@example.com --to tel:+15551234)

# The content of a message: what follows the second blank line.
content_of() {
  python3 -c 'import sys; sys.stdout.buffer.write(open(sys.argv[1], "rb").read().split(b"\r\n\r\n", 2)[2])' "$1"
}

# refused STATUS: the last run ended with it, and said why in one line.
refused() {
  [ "$status" -eq "$1" ]
  [ "${#lines[@]}" -eq 1 ]
  [[ $output == cpm-compose:\ * ]]
}

@test "a photo becomes a message, octet for octet" {
  head -c 300000 /dev/urandom >photo.jpg
  cpm-compose "${people[@]}" photo.jpg >m.cpim
  content_of m.cpim | cmp - photo.jpg
  grep -aq $'^Content-Type: image/jpeg\r$' m.cpim
  grep -aq $'^Content-Length: 300000\r$' m.cpim
}

@test "the headers, their order and their line ends" {
  printf 'hello' | cpm-compose "${people[@]}" --type text/plain --subject 'Sun set' >m.cpim
  run sed -e 's/^DateTime: 20[0-9-]*T[0-9:.]*Z/DateTime: NOW/' \
    -e 's/^imdn.Message-ID: [0-9a-f]\{32\}/imdn.Message-ID: ID/' -e 's/\r$/|/' m.cpim
  [ "$output" = "From: <sip:alice@example.com>|
To: <tel:+15551234>|
DateTime: NOW|
Subject: Sun set|
NS: imdn <urn:ietf:params:imdn>|
imdn.Message-ID: ID|
imdn.Disposition-Notification: positive-delivery, display|
|
Content-Type: text/plain|
|
hello" ]
}

@test "content from a pipe, a redirection, - and a file with a leading dash" {
  head -c 200000 /dev/urandom >-x.png
  cat ./-x.png | cpm-compose "${people[@]}" -q >1
  cpm-compose "${people[@]}" -q - <./-x.png >2
  cpm-compose "${people[@]}" -- -x.png >3
  cpm-compose "${people[@]}" -- -x.png >>4
  cpm-compose "${people[@]}" -- -x.png | cat >5
  for m in 1 2 3 4 5; do content_of $m | cmp - ./-x.png; done
}

@test "a redirection is read from where it stands" {
  printf 'skipped\nrest' >f
  { read -r _; cpm-compose "${people[@]}" --type text/plain >m; } <f
  [ "$(content_of m)" = rest ]
  grep -q $'^Content-Length: 4\r$' m
}

@test "empty content is a message too" {
  : >empty.txt
  cpm-compose "${people[@]}" empty.txt >m
  run cpm-compose --show m
  [ "$status" -eq 0 ]
  [[ ${lines[-1]} == content*" 0 octets "* ]]
}

@test "files of unknown size (procfs) are copied" {
  cpm-compose "${people[@]}" --type text/plain /proc/self/mounts >m
  [ -n "$(content_of m)" ]
}

@test "a type that nothing tells is said" {
  : >noending
  run --separate-stderr cpm-compose "${people[@]}" noending
  [ "$status" -eq 0 ]
  [[ $stderr == *application/octet-stream* ]]
  [[ $output == *"Content-Type: application/octet-stream"* ]]
}

@test "given ID, notifications, type" {
  run cpm-compose "${people[@]}" --message-id abc-1 --imdn none --type 'a/b; c="d"' /dev/null
  [[ $output == *"imdn.Message-ID: abc-1"* ]]
  [[ $output != *Disposition* ]]
  [[ $output == *'Content-Type: a/b; c="d"'* ]]
}

@test "the configuration may choose the notifications" {
  mkdir -p .config/cpm
  echo 'imdn = display' >.config/cpm/cpm.conf
  run cpm-compose "${people[@]}" --type a/b /dev/null
  [[ $output == *"imdn.Disposition-Notification: display"* ]]
  CPM_IMDN=none run cpm-compose "${people[@]}" --type a/b /dev/null
  [[ $output != *Disposition* ]]
}

@test "wrong arguments: 64, one line, nothing on stdout" {
  nl=$'\r\nX: y'
  for wrong in --from=alice --from=sip:a@b"$nl" --to=bob --subject="a$nl" --subject=$'\xff' \
    --message-id='a b' --imdn=often --type=jpeg --type="a/b$nl"; do
    run --separate-stderr cpm-compose "${people[@]}" "$wrong" /dev/null
    echo "$wrong: $status $stderr"
    [ "$status" -eq 64 ]
    [ -z "$output" ]
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
  done
  run cpm-compose --from sip:a@b
  refused 64
  run cpm-compose --to sip:a@b
  refused 64
  run cpm-compose "${people[@]}" a b
  refused 64
}

@test "what cannot be read: 66" {
  mkdir folder
  for f in missing folder; do
    run cpm-compose "${people[@]}" $f
    refused 66
    run cpm-compose --show $f
    refused 66
  done
}

@test "a full disk and a closed pipe: 74" {
  [ -e /dev/full ] || skip "no /dev/full"
  head -c 300000 /dev/zero >x.jpg
  run --separate-stderr bash -c 'cpm-compose "$@" x.jpg >/dev/full' - "${people[@]}"
  [ "$status" -eq 74 ]
  [ "$stderr" = "cpm-compose: standard output: No space left on device" ]
  run --separate-stderr bash -c 'set -o pipefail; cpm-compose "$@" x.jpg | true' - "${people[@]}"
  [ "$status" -eq 74 ]
  [ "$stderr" = "cpm-compose: standard output: Broken pipe" ]
}

@test "binary content does not go to a terminal" {
  command -v script >/dev/null || skip "no script(1)"
  : >x.jpg
  : >x.txt
  run script -qec "cpm-compose ${people[*]} x.jpg" /dev/null
  [ "$status" -eq 64 ]
  run script -qec "cpm-compose ${people[*]} x.txt" /dev/null
  [ "$status" -eq 0 ]
}

@test "--show: file, redirection and pipe alike" {
  head -c 70000 /dev/zero >x.gif
  cpm-compose "${people[@]}" --message-id m1 x.gif >m
  cpm-compose --show m >1
  cpm-compose --show <m >2
  cat m | cpm-compose --show - >3
  cmp 1 2
  cmp 1 3
  grep -q '^From  *<sip:alice@example.com>$' 1
  grep -q '^imdn.Message-ID  *m1$' 1
  grep -q '^Content-Type  *image/gif$' 1
  grep -q '^content  *70000 octets (68.4 KiB) after a head of ' 1
}

@test "--show: a huge message is not read" {
  : >x.mp4
  cpm-compose "${people[@]}" x.mp4 >m
  head=$(stat -c %s m)
  truncate -s 1T m
  run cpm-compose --show m
  [ "$status" -eq 0 ]
  [[ ${lines[-1]} == *" $(((1 << 40) - head)) octets "* ]]
}

@test "--show: a terminal does not obey a message" {
  printf 'From: <sip:a@b>\nTo: <sip:b@c>\nSubject: a\xc2\x9bb\n\nContent-Type: a/b\n\n' >m
  run cpm-compose --show m
  [ "$status" -eq 0 ]
  [[ $output == *'a\xc2'* ]]
}

@test "--show: what is no message/cpim: 65, with the reason" {
  : >empty
  printf 'GIF89a\0\1\n' >gif
  printf 'To: <sip:a@b>\r\n\r\nContent-Type: a/b\r\n\r\n' >nofrom
  printf 'From: <sip:a@b>\r\nTo: <sip:a@b>\r\n\r\n' >cut
  for f in empty:empty 'gif:not message/cpim' 'nofrom:no From' 'cut:ends within'; do
    run cpm-compose --show "${f%%:*}"
    refused 65
    [[ $output == *"${f#*:}"* ]]
    run bash -c 'cat "$1" | cpm-compose --show' - "${f%%:*}"
    refused 65
  done
}

@test "memory does not grow with the content" {
  command -v /usr/bin/time >/dev/null || skip "no time(1)"
  truncate -s 1M small.mp4
  truncate -s 1G large.mp4
  for f in small large; do
    /usr/bin/time -f %M -o $f.kib cpm-compose "${people[@]}" $f.mp4 | cat >/dev/null
  done
  echo "$(cat small.kib) $(cat large.kib)"
  [ "$(cat large.kib)" -le "$(($(cat small.kib) + 512))" ]
}

@test "--help and --version" {
  run cpm-compose --help
  [ "$status" -eq 0 ]
  [[ $output == "Usage: cpm-compose "* ]]
  run cpm-compose --version
  [ "$status" -eq 0 ]
  [[ $output == "cpm-compose "* ]]
}
