#!/usr/bin/env bats
# Under Debian's cron itself: stdin is a pipe at its end, PATH is short, HOME is root's. The daemon
# runs in a mount namespace of the test's own, where the crontab is the test's and nobody else's.
bats_require_minimum_version 1.5.0
load helper

# run_cron LINE...: a crontab of these jobs, each of which runs in this folder.
run_cron() {
  local line
  mkdir -p crontabs empty
  for line in "$@"; do
    printf '* * * * * cd %q && { %s; }\n' "$PWD" "$line"
  done >crontabs/root
  chmod 600 crontabs/root
  # shellcheck disable=SC2016
  unshare -m sh -c '
    mount --bind crontabs /var/spool/cron/crontabs
    mount --bind empty /etc/cron.d
    mount --bind /dev/null /etc/crontab
    mount -t tmpfs none /run
    exec cron -f' >cron.log 2>&1 3>&- &
  CRON=$!
}

@test "cpm-deliver, a pipeline and single stages under cron" {
  [ "$(id -u)" -eq 0 ] || skip "starting cron needs root"
  start_sink
  make_message 20000
  local ends="--from '$ALICE' --to '$BOB'" serve="--msrp-listen 127.0.0.1 m.cpim"
  run_cron \
    "$CPM_BIN/cpm-deliver -s d $ends $serve >d.out 2>d.err" \
    "$CPM_BIN/cpm-invite -s p $ends 2>>p.err | $CPM_BIN/cpm-msrp-serve -s p $serve 2>>p.err | $CPM_BIN/cpm-bye -s p >p.out 2>>p.err" \
    "$CPM_BIN/cpm-invite -s a --alone $ends >>a.err 2>&1" \
    "$CPM_BIN/cpm-msrp-serve -s a --alone $serve >a.out 2>>a.err" \
    "$CPM_BIN/cpm-bye -s a >a.bye 2>>a.err </dev/null"
  local status=0 session
  for session in d p a; do
    cpm-session wait $session outcome --timeout 100 || status=1
  done
  kill "$CRON"
  for session in d p a; do
    [ "$(cpm-session get $session outcome.status)" = 0 ] || status=1
  done
  [ "$status" -eq 0 ] || cat cron.log ./*.err d p a
  [ "$status" -eq 0 ]
  stop_sink
  assert_stored 3
}
