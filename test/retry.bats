#!/usr/bin/env bats
# Retrying from cron and systemd, and the pipelines of cpm-cookbook(7).
bats_require_minimum_version 1.5.0
load helper
load queue

ROOT=$BATS_TEST_DIRNAME/..

# cpm-retry as it is installed: beside the programs.
install_retry() {
  mkdir -p bin
  ln -s "$CPM_BIN"/cpm-* bin/
  cp "$ROOT/scripts/cpm-retry" bin/
}

@test "cpm-retry: quiet on success, loud on a fault, no pass beside another" {
  install_retry
  run -0 bin/cpm-retry q
  [ -z "$output" ]
  run -64 bin/cpm-retry
  run -64 bin/cpm-retry --jobs 3
  bin/cpm-retry --help | grep -q 'cpm-retry QUEUE'
  start_sink --behave 1:invite=486
  add_message one "$BOB"
  run -0 bin/cpm-retry q --retry-first 0
  [ -z "$output" ]
  assert_count waiting 1
  cpm-queue -Q q retry --to "$BOB"
  exec 8<q
  flock -x 8
  run -0 bin/cpm-retry q
  assert_count waiting 1
  exec 8<&-
  run -0 bin/cpm-retry q
  assert_count done 1
  add_message two "$BOB"
  CPM_EXEC_DELIVER=/nonexistent/none run -127 bin/cpm-retry q
  [[ $output == *'No such file'*'status 127'* ]]
}

@test "cpm-retry: cpm-queue is found beside it without a PATH, and where it is nowhere that is said" {
  install_retry
  start_sink
  add_message one "$BOB"
  run -0 env -i HOME="$HOME" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" bin/cpm-retry q --msrp-listen 127.0.0.1
  [ -z "$output" ]
  assert_count done 1
  run -78 env -i PATH=/usr/bin:/bin "$ROOT/scripts/cpm-retry" q
  [ "$output" = 'cpm-retry: cpm-queue: not found (install it beside cpm-retry, or set PATH)' ]
}

@test "cpm-retry under cron itself, installed with PREFIX=/usr/local" {
  [ "$(id -u)" -eq 0 ] || skip "starting cron needs root"
  make -C "$ROOT" -s install DESTDIR="$PWD/dest" PREFIX=/usr/local
  start_sink
  add_message one "$BOB"
  mkdir -p crontabs empty
  # The example itself, for this queue.
  sed -e "s|\"\$HOME/queue\"|$PWD/q --msrp-listen 127.0.0.1|" -e '/^17 /d' -e '/^MAILTO/d' \
    "$ROOT/scripts/cron/crontab" >crontabs/root
  chmod 600 crontabs/root
  # shellcheck disable=SC2016
  unshare -m sh -c '
    mount --bind dest/usr/local /usr/local
    mount --bind crontabs /var/spool/cron/crontabs
    mount --bind empty /etc/cron.d
    mount --bind /dev/null /etc/crontab
    mount -t tmpfs none /run
    exec cron -f' >cron.log 2>&1 3>&- &
  local cron=$! status=0
  timeout 130 sh -c 'until ls q/done/*/* >/dev/null 2>&1; do sleep 0.2; done' || status=1
  kill "$cron"
  [ "$status" -eq 0 ] || cat cron.log crontabs/root q/wait/*
  [ "$status" -eq 0 ]
}

@test "the units are sound, and are kept in" {
  make -C "$ROOT" -s install DESTDIR="$PWD/dest" PREFIX=/usr/local
  # verify wants the programs where the unit says.
  sed "s|/usr/local/bin|$PWD/dest/usr/local/bin|" dest/usr/local/lib/systemd/system/cpm-queue.service \
    >cpm-queue.service
  cp dest/usr/local/lib/systemd/system/cpm-queue.timer .
  run -0 systemd-analyze verify --man=no ./cpm-queue.service ./cpm-queue.timer
  [ -z "$output" ] || { echo "$output"; return 1; }
  # From 0 (kept in) to 100.
  systemd-analyze security --offline=true --threshold=25 ./cpm-queue.service >score ||
    { cat score; return 1; }
  tail -n 1 score | sed 's/^[^A-Za-z]*/# /' >&3
}

# The literal blocks of the page, each into a file.
extract() {
  awk '/^\.Bd -literal/ { on = 1; n++; next } /^\.Ed/ { on = 0 } on { print > ("recipe-" sprintf("%02d", n)) }' \
    "$ROOT/man/cpm-cookbook.7"
  sed -i -e 's/\\e/\\/g' -e 's/\\(mi/-/g' -e "s/127\.0\.0\.1:5070/${SINK_HOST%%;*}/g" recipe-*
}

@test "every pipeline of the cookbook works" {
  local recipe i
  # Two: one entry is carol's, and the pages hold and release what waits for bob.
  start_sink --behave 4:invite=404 --behave 5:invite=404
  export CPM_QUEUE=$PWD/q
  mkdir out
  BOB=sip:bob@${SINK_HOST%%;*}
  for i in 1 2 3; do make_message 1000 "out/$i.cpim"; done
  extract
  [ "$(ls recipe-* | wc -l)" -ge 14 ]
  for recipe in recipe-*; do
    timeout --foreground "$GUARD" bash -euo pipefail "$recipe" >result 2>err </dev/null || {
      cat "$recipe" result err
      return 1
    }
  done
  cpm-queue -q run
  # What the folder held came as a whole: by xargs or parallel, then by the queue.
  [ -z "$(ls q/wait q/failed | grep -v ':$' | grep .)" ]
  stop_sink
  [ "$(find store -type f | wc -l)" -ge 6 ]
  assert_sound
}
