#!/usr/bin/env bats
# cpm-session(5) lists the events of lib/journal/events.h: all of them, in that order, with the same
# writers and keys.

cd "$BATS_TEST_DIRNAME/.." || exit 1

from_header() {
  sed -n 's/^ *X("\([^"]*\)", *"\([^"]*\)", *"\([^"]*\)").*/\1 | \2 | \3/p' lib/journal/events.h
}

from_page() {
  awk '
    /^\.Sh / { on = ($2 == "EVENTS") }
    !on { next }
    /^\.It Ic / { event = $3; writers = keys = "" }
    /^\.Pq / && event && !writers { writers = substr($0, 5) }
    /^\.Va / && event && writers { keys = keys (keys ? " " : "") substr($0, 5) }
    /^\.br/ && event { print event " | " writers " | " keys; event = "" }
  ' man/cpm-session.5
}

@test "the page and the header know the same events" {
  from_header >"$BATS_TEST_TMPDIR/header"
  from_page >"$BATS_TEST_TMPDIR/page"
  [ "$(wc -l <"$BATS_TEST_TMPDIR/header")" -ge 24 ]
  diff "$BATS_TEST_TMPDIR/header" "$BATS_TEST_TMPDIR/page"
}
