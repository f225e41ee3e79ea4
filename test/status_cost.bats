#!/usr/bin/env bats
# What a look at a large queue costs: files that are opened, not time.

load helper
load http

teardown() {
  stop_status
}

entries() { get "${URL}api/queue" | jq -c '[.entries.waiting, .entries.held, .entries.done]'; }

@test "after the first look only journals that changed are opened, confined too" {
  local names
  echo hello >content
  seq -f 'sip:s%g@example.net content' 2000 |
    cpm-queue -Q q add --from "$ALICE" --type text/plain --many >/dev/null
  ASAN_OPTIONS=detect_leaks=0 serve strace -qq -D -o calls -e trace=openat \
    cpm-status -Q q --http-listen 127.0.0.1:0
  [ "$(entries)" = '[2000,0,0]' ]
  mapfile -t names < <(cd q/wait && find . -name '*-*' | sort | head -30)
  for name in "${names[@]:0:10}"; do
    mv "q/wait/$name" "q/held/${name#*-}"
  done
  mkdir -m 700 q/done/2026-11-22
  for name in "${names[@]:10:10}"; do
    mv "q/wait/$name" "q/done/2026-11-22/${name#*-}"
  done
  for name in "${names[@]:20:10}"; do
    echo '2026-11-22T10:00:00.000Z cpm-test[1] learnt x=y' >>"q/wait/$name"
  done
  [ "$(entries)" = '[1980,10,10]' ]
  for _ in 1 2 3; do get -o page "${URL}metrics"; done
  stop_status
  grep -c -E '"q/(wait|held|done/[0-9-]+)/[^"]*-' calls >opened
  [ "$(cat opened)" -ge 2030 ]
  [ "$(cat opened)" -le 2090 ]
}

@test "a page reads the journal that it shows once" {
  local id
  make_queue
  id=$(cat ids)
  cat >>q/wait/*"$id" <<'END'
2026-11-22T10:00:00.000Z cpm-test[1] attempt.start sid=abc n=1
2026-11-22T10:00:01.000Z cpm-test[1] outcome sid=abc status=75
END
  ASAN_OPTIONS=detect_leaks=0 serve strace -qq -D -o calls -e trace=openat \
    cpm-status -Q q --http-listen 127.0.0.1:0
  entries
  for route in entry session api/entry api/session; do
    get "$URL$route/$id" | grep -q attempt.start
  done
  stop_status
  grep "\"q/wait/[0-9]*-$id\"" calls >opened
  [ "$(wc -l <opened)" -eq 5 ] || { # one for the first look
    cat opened
    return 1
  }
}
