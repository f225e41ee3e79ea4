#!/usr/bin/env bats
# The JSON of cpm-status(1): its routes and the fields of its answers are those of the manual page,
# with the types that stand there.

load helper
load http

PAGE=$BATS_TEST_DIRNAME/../man/cpm-status.1

teardown() {
  stop_status
  end_filler
}

# Rows "KIND FIELD TYPE" of the page.
from_page() {
  awk '
    /^\.Ss / { on = ($2 == "JSON") }
    on && /^\.It Em / { kind = $3 }
    on && /^\.It Va / { print kind, $3, $5 }
  ' "$PAGE" | sort
}

# All objects of the answers, each with its kind, as jq reads them.
objects() {
  local id lists
  get "${URL}api/queue" | jq '["queue", .], ["states", .entries]'
  get "${URL}api/entries" >entries
  jq '.entries[] | ["entry", .]' entries
  get "${URL}api/sessions" | jq '.sessions[] | ["entry", .]'
  get "${URL}api/recipients" | jq '.recipients[] | ["recipient", .], ["states", .entries]'
  get "${URL}api/reasons" | jq '.reasons[] | ["reason", .], ["states", .entries]'
  get "${URL}api/attempts" | jq '.attempts[] | ["attempt", .]'
  jq '[.entries[] | keys] | add | unique' entries >of_entry
  jq -r --arg url "${URL}api/" '.entries[].id | "url = \($url)entry/\(.)", "url = \($url)session/\(.)"' \
    entries | get -K - | jq --slurpfile of_entry of_entry '
      ["entry", with_entries(select(.key | IN($of_entry[0][])))],
      ["detail", with_entries(select(.key | IN($of_entry[0][]) | not))],
      ((.history[]?, .attempt) | select(. != null and . != {}) | ["attempt", .]),
      (.journal[] | ["line", .])'
}

# Rows "KIND FIELD TYPE" of the answers. In brackets: some objects of that kind do not have it.
from_answers() {
  objects | jq -rs '
    def kind_of: if type == "null" then "time"
      elif type == "boolean" then "flag"
      elif type == "array" then "list"
      elif type != "string" then type
      elif test("^[0-9-]{10}T[0-9:.]{12}Z$") then "time"
      else "text" end;
    group_by(.[0])[] | .[0][0] as $kind | length as $all |
    [.[][1] | to_entries[] | [.key, (.value | kind_of)]] | group_by(.[0])[] |
    length as $count | (map(.[1]) | unique | join("/")) as $type |
    "\($kind) \(.[0][0]) \(if $count < $all then "[\($type)]" else $type end)"' | sort
}

@test "every field of every answer is on the manual page, with its type, and no others are" {
  full_queue busy
  start_status
  from_page >page
  from_answers >answers
  [ "$(wc -l <page)" -ge 60 ]
  diff page answers
}

@test "every route is on the manual page; lists have their name, faults their words" {
  local route
  empty_queue
  start_status
  grep -o '{"/api/[a-z/]\+' "$BATS_TEST_DIRNAME/../lib/status/answer.c" | cut -c 3- | sort >code
  sed -n '/^\.Sh DESCRIPTION/,/^\.Ss JSON/p' "$PAGE" | grep '^\.It' | grep -o '/api/[a-z/]*' |
    sort >page
  diff code page
  for route in entries sessions recipients reasons attempts; do
    get "${URL}api/$route" | jq -e "keys == ([\"$route\", \"more\"] | sort)"
  done
  for route in entries?state=none entry/none session/none none; do
    get "${URL}api/$route" | jq -e 'keys == ["error"] and (.error | type == "string")'
  done
}
