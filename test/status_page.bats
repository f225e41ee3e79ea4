#!/usr/bin/env bats
# cpm-deliver(1) has the one table of exit statuses; it is the one of the code.

cd "$BATS_TEST_DIRNAME/.." || exit 1

# Rows "LOW-HIGH STATUS" or "CODE STATUS" of a table in C.
from_code() {
  sed -n "$2" "$1" | sed -e 's/EX_OK/0/' -e 's/EX_UNAVAILABLE/69/' -e 's/EX_TEMPFAIL/75/' \
    -e 's/EX_PROTOCOL/76/' -e 's/EX_NOPERM/77/' | awk '$1 == $2 { $2 = "" }
      { print ($2 == "" ? $1 : $1 "-" $2), $3 }'
}

# Rows of the table with that headline.
from_page() {
  awk -v head="$1" '
    /^\.It Em / { on = ($3 == head); next }
    /^\.El/ { on = 0 }
    on { print $2, $4 }
  ' man/cpm-deliver.1
}

@test "the SIP codes are those of the code" {
  from_code lib/sip/verdict.c 's/^ *{\([0-9]*\), \([0-9]*\), \(EX_[A-Z]*\)}.*/\1 \2 \3/p' \
    >"$BATS_TEST_TMPDIR/code"
  from_page SIP >"$BATS_TEST_TMPDIR/page"
  [ "$(wc -l <"$BATS_TEST_TMPDIR/code")" -ge 13 ]
  diff "$BATS_TEST_TMPDIR/code" "$BATS_TEST_TMPDIR/page"
}

@test "the MSRP codes are those of the code" {
  from_code lib/msrp/verdict.c 's/^ *{\([0-9]*\), \(EX_[A-Z]*\), .*/\1 \1 \2/p' \
    >"$BATS_TEST_TMPDIR/code"
  from_page MSRP >"$BATS_TEST_TMPDIR/page"
  [ "$(wc -l <"$BATS_TEST_TMPDIR/code")" -ge 11 ]
  diff "$BATS_TEST_TMPDIR/code" "$BATS_TEST_TMPDIR/page"
}
