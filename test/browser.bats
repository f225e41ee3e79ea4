#!/usr/bin/env bats
# The pages of cpm-status(1) in a real browser: with an empty queue, a busy one, a hostile one, and
# while a message is on its way. browser/look.py says what is looked at; the pictures stay.

load helper
load http
bats_require_minimum_version 1.5.0

SHOTS=${CPM_BIN%/bin}/screenshots

teardown() {
  stop_status
  end_filler
  if [ -n "${RUNNER:-}" ]; then
    kill -HUP "$RUNNER" 2>/dev/null # which ends its delivery too
    wait "$RUNNER" || true
  fi
  stop_sink
}

# look NAME [PATH[ STATUS[ again]]...]: no fault with these pages.
look() {
  mkdir -p "$SHOTS"
  TMPDIR=$PWD timeout "$GUARD" python3 "$BATS_TEST_DIRNAME/browser/look.py" "$URL" "$SHOTS" "$@" \
    >look 2>&1 3>&- 7>&- || {
    cat look
    return 1
  }
  sed 's/^/# /' look >&3
  echo "# screenshots: $SHOTS/$1-*.png" >&3
}

# first PATH FILTER: what jq finds in the JSON.
first() { get "$URL$1" | jq -er "$2"; }

@test "an empty queue" {
  empty_queue
  start_status
  look empty entries '?refresh=2 200 again'
  get "$URL" >page
  grep -q 'Healthy.*No entry is overdue' page
  # What is due, and not for long, is healthy too, but it is said.
  BOB=sip:bob@example.net make_message 10
  cpm-queue -Q q add --from "$ALICE" --to sip:bob@example.net m.cpim
  get "$URL" >page
  grep -q 'Healthy.*An entry has been due for .*not yet long' page
}

@test "a busy queue" {
  full_queue busy
  start_status
  # What is stuck, for how long, and why, comes first.
  get "$URL" | sed 's/<section/\n&/g' | sed -n '/id="health"/,/<\/section>/p' >health
  for text in Stuck '3 h 1[2-9] min' 'Temporarily Unavailable' 'In transfer'; do
    grep -q "$text" health || { echo "no $text"; cat health; return 1; }
  done
  entry=$(first 'api/entries?state=waiting' '[.entries[] | select(.attempts == 2)][0].id')
  session=$(first api/sessions '[.sessions[] | select(.phase == "transferring")][0].id')
  look busy entries "entry/$entry" "session/$session" 'nowhere 404' 'entries?state=odd 400'
}

@test "a hostile queue" {
  full_queue hostile
  start_status
  entry=$(first 'api/entries?state=waiting' '.entries[0].id')
  session=$(first api/sessions '.sessions[0].id')
  look hostile entries "entry/$entry" "session/$session"
}

@test "a message on its way, then its session file alone" {
  start_sink --behave read-rate=300000
  head -c 20000000 /dev/zero >content
  cpm-queue -Q q add --from "$ALICE" --to "$BOB" --type text/plain content >ids
  start_status
  cpm-queue -q -Q q run 3>&- &
  RUNNER=$!
  for _ in $(seq $((GUARD * 10))); do
    first api/sessions '.sessions[0] | select(.octets > 0).id' >id && break
    read -r -t 0.1 <> <(:) || true
  done
  look way "session/$(cat id)"
  stop_status
  serve cpm-status -s q/wait/*-"$(cat id)" --http-listen 127.0.0.1:0
  look file
  first api/queue '.entries.delivering == 1'
}

@test "masked: no user is on any page, in any JSON" {
  full_queue busy
  start_status --mask
  for path in '' entries metrics api/queue api/recipients api/reasons api/entries api/sessions \
    api/attempts; do
    get "$URL$path"
  done >all
  for id in $(first api/entries '.entries[].id'); do
    for path in entry session api/entry api/session; do echo "url = \"$URL$path/$id\""; done
  done | get -K - >>all
  for user in alice bob carol dave erin frank grace heidi user0 15550100 8d4f02; do
    if grep -w -m 1 "$user" all; then return 1; fi
  done
  # Nor is a secret, masked or not.
  if grep -E -m 1 's3cr3t|t4g|p33r' all; then return 1; fi
  grep -q 'sip:\*\*\*@example.com' all
}

@test "whatever peers say, jq reads it in each JSON, and it is what they said" {
  full_queue hostile
  start_status
  for path in queue recipients reasons entries sessions attempts; do
    get "${URL}api/$path" >"$path"
    jq -e . "$path" >/dev/null || { echo "$path"; return 1; }
  done
  for id in $(jq -r '.entries[].id' entries); do
    for path in entry session; do
      get "${URL}api/$path/$id" | jq -e '.journal | type == "array"' >/dev/null || { echo "$path/$id"; return 1; }
    done
  done
  python3 "$BATS_TEST_DIRNAME/browser/fill.py" texts >texts
  for list in '.entries[].why' '.attempts[].why' '.reasons[].why'; do
    file=${list#.} file=${file%%[*}
    jq -e --slurpfile said texts "[$list] - [\"\"] | sort == (\$said[0] | sort)" "$file" >/dev/null ||
      { echo "$file"; jq -c "[$list]" "$file"; cat texts; return 1; }
  done
  # What a peer said, asked for, gives his entry and no other.
  while read -r reason; do
    get "${URL}api/entries?reason=$reason" | jq -e '.entries | length == 1' >/dev/null ||
      { echo "$reason"; return 1; }
  done < <(jq -r '.[] | select(contains("\ufffd") | not)[:40] | @uri' texts)
}
