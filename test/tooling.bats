#!/usr/bin/env bats
# The project's own tools: the checks can fail, the bootstrap keeps its word, the installation is
# whole, and the count at the end is right.

setup() {
  ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
  BIN=${CPM_BIN:-$ROOT/build/bin}
  cd "$BATS_TEST_TMPDIR" || return 1
}

# A small tree with one room that may use another.
tree() {
  mkdir -p lib/base lib/room lib/other bin/tool test/unit
  printf '# text\nbase:\nother: base\nroom: other base\nbin/cpm-tool: room base\n' >lib/ARROWS
  : >lib/base/a.h
  : >lib/room/r.h
  : >lib/other/o.h
  printf '#include "room/r.h"\n#include "other/o.h"\n#include <stdio.h>\n' >lib/room/r.c
  printf '#include "base/a.h"\n#include "bin/tool/part.h"\n' >bin/cpm-tool.c
  : >bin/tool/part.h
  : >test/unit/tap.h
  printf '#include "room/r.h"\n#include "test/unit/tap.h"\n' >test/unit/room_topic.c
}

refused() { # FILE TEXT CHECK
  printf '%s\n' "$2" >"$1"
  run "$ROOT/scripts/$3"
  [ "$status" -ne 0 ] || { echo "not refused: $2" && return 1; }
  [[ $output == *"$1"* ]]
  rm "$1"
}

@test "check-arrows: allowed includes pass" {
  tree
  "$ROOT/scripts/check-arrows"
}

@test "check-arrows: every other include fails" {
  tree
  refused lib/other/x.c '#include "room/r.h"' check-arrows
  refused lib/base/x.c '#include "other/o.h"' check-arrows
  refused lib/room/x.c '  #  include   "bin/tool/part.h"' check-arrows
  refused lib/room/x.c '#include "r.h"' check-arrows
  refused lib/room/x.c '#include "../other/o.h"' check-arrows
  refused lib/room/x.h '#include "nowhere/o.h"' check-arrows
  refused lib/room/x.c '#include "test/unit/tap.h"' check-arrows
  refused lib/room/x.c '#include <osip2/osip.h>' check-arrows
  refused lib/base/x.c '#include <openssl/ssl.h>' check-arrows
  refused lib/base/x.c '#include <ares.h>' check-arrows
  refused lib/room/x.c '#include <microhttpd.h>' check-arrows
  refused lib/base/x.c '#include <seccomp.h>' check-arrows
  refused lib/room/x.c '#include HEADER' check-arrows
  refused bin/tool/x.c '#include "other/o.h"' check-arrows
  refused bin/cpm-new.c '#include "base/a.h"' check-arrows
  refused test/unit/other_x.c '#include "room/r.h"' check-arrows
  mkdir lib/new
  refused lib/new/x.c '#include "base/a.h"' check-arrows
}

@test "check-words: banned functions and notes fail, names that hold them pass" {
  tree
  echo 'void my_strcpy(void); /* systems */ x.sleep(1); p->system(2);' >lib/room/x.c
  "$ROOT/scripts/check-words"
  refused lib/room/x.c 'a = strcpy(b, c);' check-words
  refused lib/room/x.c '(void)sprintf(b, "x");' check-words
  refused bin/tool/x.c 'n = atoi(text);' check-words
  refused bin/cpm-x.c 'system("rm");' check-words
  refused test/unit/room_x.c '    usleep(10);' check-words
  refused lib/room/x.c '/* TODO: more */' check-words
  refused lib/room/x.c 'p = malloc(3);' check-words
  refused lib/room/x.c 'fsync(fd);' check-words
}

@test "check-length: a function of 61 lines and a file of 500 fail, tables do not count" {
  tree
  { echo 'int f(void)' && echo '{' && yes '    g();' | head -n 57 && echo '}'; } >lib/room/x.c
  "$ROOT/scripts/check-length"
  refused lib/room/x.c "$(echo 'int f(void)' && echo '{' && yes '    g();' | head -n 58 && echo '}')" \
    check-length
  refused lib/room/x.h "$(yes '/* . */' | head -n 500)" check-length
  { echo 'int f(void)' && echo '{' && yes '        {.name = "x"},' | head -n 100 && echo '}'; } \
    >lib/room/x.c
  "$ROOT/scripts/check-length"
}

# Stands in for programs of the system; apt's call is written down.
stand_in() { # INSTALLED-PACKAGES
  mkdir -p fake
  printf '#!/bin/sh\nfor last; do :; done\ncase " %s " in *" $last "*) echo installed ;; esac\n' "$1" \
    >fake/dpkg-query
  printf '#!/bin/sh\necho "$@" >>%q\ntest -e %q && echo policy >>%q\nexit 0\n' \
    "$PWD/apt.log" "$PWD/policy-rc.d" "$PWD/apt.log" >fake/apt-get
  printf '#!/bin/sh\necho 0\n' >fake/id
  chmod +x fake/*
  export PATH=$PWD/fake:$PATH POLICY=$PWD/policy-rc.d
}

@test "bootstrap: where all is there, nothing is said and apt is not called" {
  stand_in 'libc6-dev libc-ares-dev libinih-dev libmicrohttpd-dev libosip2-dev libseccomp-dev libssl-dev'
  run "$ROOT/scripts/bootstrap" build
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  [ ! -e apt.log ]
}

@test "bootstrap: what is missing is named and installed, without recommends and services" {
  stand_in 'libc6-dev libc-ares-dev libinih-dev libmicrohttpd-dev libseccomp-dev libssl-dev'
  run "$ROOT/scripts/bootstrap" build </dev/null
  [ "$status" -eq 0 ]
  [[ $output == *'missing: libosip2-dev'* ]]
  grep -q -- 'install -y --no-install-recommends libosip2-dev' apt.log
  grep -q policy apt.log
  [ ! -e policy-rc.d ]
}

@test "bootstrap: a failure is said, the policy goes, another's policy stays" {
  stand_in ''
  printf '#!/bin/sh\nexit 100\n' >fake/apt-get
  run "$ROOT/scripts/bootstrap" build </dev/null
  [ "$status" -eq 69 ]
  [[ $output == *'apt-get update failed'* ]]
  [ ! -e policy-rc.d ]
  echo mine >policy-rc.d
  run "$ROOT/scripts/bootstrap" build </dev/null
  [ "$(cat policy-rc.d)" = mine ]
}

@test "bootstrap: without root and sudo it says what to run" {
  stand_in 'libc6-dev libc-ares-dev libinih-dev libmicrohttpd-dev libseccomp-dev libssl-dev'
  printf '#!/bin/sh\necho 1000\n' >fake/id
  printf '#!/bin/sh\nexit 1\n' >fake/sudo
  chmod +x fake/sudo
  run "$ROOT/scripts/bootstrap" build </dev/null
  [ "$status" -eq 69 ]
  [[ $output == *'apt-get install --no-install-recommends libosip2-dev'* ]]
  [ ! -e apt.log ]
}

@test "run-units: a crash, a missing plan and a lie about the status count as failures" {
  mkdir -p units test/unit
  printf '#!/bin/sh\necho ok 1 - a\necho 1..1\n' >units/good
  printf '#!/bin/sh\necho ok 1 - a\nkill -SEGV $$\n' >units/crash
  printf '#!/bin/sh\necho not ok 1 - a\necho 1..1\nexit 1\n' >units/bad
  printf '#!/bin/sh\necho ok 1 - a\necho 1..2\n' >units/short
  printf '#!/bin/sh\necho ok 1 - a\necho 1..1\nexit 3\n' >units/status
  chmod +x units/*
  run "$ROOT/scripts/run-units" units good
  [ "$status" -eq 0 ]
  for name in crash bad short status none; do
    run "$ROOT/scripts/run-units" units good $name
    [ "$status" -ne 0 ]
    [ "$(grep -c '^not ok' <<<"$output")" -eq 1 ]
  done
}

@test "run-bats: failures, skips and files that do not load are counted" {
  mkdir t
  printf '@test "a" { true; }\n@test "b" { skip why; }\n' >t/good.bats
  run "$ROOT/scripts/run-bats" t
  [ "$status" -eq 0 ]
  [[ $output == *'ok 1 good: a'*'ok 2 good: b # skip why'*'1..2'* ]]
  printf '@test "c" { false; }\n' >t/bad.bats
  run "$ROOT/scripts/run-bats" t
  [ "$status" -ne 0 ]
  [[ $output == *'not ok 1 bad: c'*'1..3'* ]]
  printf 'load nowhere\n@test "d" { true; }\n' >t/bad.bats
  run "$ROOT/scripts/run-bats" t
  [ "$status" -ne 0 ]
}

@test "make install puts every program, module and page under DESTDIR, make uninstall takes them away" {
  run make -C "$ROOT" -s install DESTDIR="$PWD/dest" PREFIX=/opt/x
  [ "$status" -eq 0 ] || { echo "$output" && return 1; }
  for source in "$ROOT"/bin/cpm-*.c; do
    name=${source##*/}
    [ -x "dest/opt/x/bin/${name%.c}" ]
  done
  [ -f dest/opt/x/lib/cpm-delivery/openssl.so ]
  [ -f dest/opt/x/lib/cpm-delivery/cares.so ]
  for file in crontab alerts.yml dashboard.json; do
    [ -s "dest/opt/x/share/doc/cpm-delivery/$file" ]
  done
  [ "$(find dest/opt/x/share/man -type f | wc -l)" -eq "$(find "$ROOT/man" -name '*.[1-8]' | wc -l)" ]
  make -C "$ROOT" -s uninstall DESTDIR="$PWD/dest" PREFIX=/opt/x
  [ -z "$(find dest -type f)" ]
}

# --help is made of the tables. A page may send the reader to another one for options that are not
# its program's own.
@test "every option of every program is in its page, or in one that it refers to" {
  for program in "$BIN"/cpm-*; do
    page=$ROOT/man/${program##*/}.1
    "$program" --help | grep -oE -- '--(\[no-\])?[a-z0-9-]+' | sed 's/--\(\[no-\]\)\?//' | sort -u >options
    [ -s options ]
    pages=("$page")
    while read -r name section; do
      [ -e "$ROOT/man/$name.$section" ] && pages+=("$ROOT/man/$name.$section")
    done < <(sed -n 's/^\.Xr \([^ ]*\) \([1-8]\).*/\1 \2/p' "$page")
    while read -r option; do
      grep -hE '(^|[ .])Fl ' "${pages[@]}" | grep -qE -- "-$option( |,|\$)" || {
        echo "$page lacks --$option"
        return 1
      }
    done <options
  done
}

# A file is for all programs, so each has to know every name that one of them takes from a file.
@test "a key of one program's configuration is known to all" {
  for program in "$BIN"/cpm-*; do
    [ "${program##*/}" = cpm-sink ] && continue
    "$program" --show-config | sed 's/=.*//' | sort -u >keys
    [ -s keys ]
    while read -r key; do
      printf '%s = \n' "$key" >c
      run "$program" -c c --show-config
      [[ $output == *'command line only'* ]] && continue
      run "$BIN/cpm-session" -c c --show-config
      [[ $output != *'no option is called'* ]] || {
        echo "${program##*/} has $key, cpm-session does not know it"
        return 1
      }
    done <keys
  done
}
