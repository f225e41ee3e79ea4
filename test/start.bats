#!/usr/bin/env bats
# How cpm-deliver starts the stages: loaded into a child where that can be, executed elsewhere; and
# nobody can tell which.
bats_require_minimum_version 1.5.0
load helper

STAGES=(cpm-bye cpm-invite cpm-msrp-serve)

teardown() {
  [ -z "${DELIVER_PID:-}" ] || { kill "$DELIVER_PID" && wait "$DELIVER_PID"; } || true
  stop_sink
}

# until_file TEXT FILE: waits for it to be there.
until_file() {
  timeout "$GUARD" grep -q -m 1 "$1" < <(tail -n +1 -F "$2" 2>tail.err 3>&-)
}

# ringing FILE [options]: a delivery whose recipient rings: every stage is at work. Sets PID[stage].
declare -gA PID
ringing() {
  local stage
  cpm-deliver -s "$1" --from "$ALICE" --to "$BOB" "${@:2}" m.cpim >"$1.out" 2>"$1.err" 3>&- &
  DELIVER_PID=$!
  until_file 'invite.progress .*code=180' "$1"
  for stage in "${STAGES[@]}"; do
    PID[$stage]=$(pgrep -x -P "$DELIVER_PID" "$stage")
  done
}

hang_up() {
  kill "$DELIVER_PID"
  wait "$DELIVER_PID" || true
  DELIVER_PID=
}

# What the kernel knows of the stages, without what is another one at each start, and without the
# signals 32 and 33, which are libc's own.
traits() {
  local stage
  for stage in "${STAGES[@]}"; do
    echo "$stage"
    grep -E '^(Name|Umask|Threads|SigBlk|SigCgt|Seccomp|NoNewPrivs):' "/proc/${PID[$stage]}/status"
    echo "SigIgn: $((0x$(sed -n 's/^SigIgn:.//p' "/proc/${PID[$stage]}/status") & ~(3 << 31)))"
    cat "/proc/${PID[$stage]}/limits"
    readlink "/proc/${PID[$stage]}/cwd"
    find "/proc/${PID[$stage]}/fd" -type l -printf '%f %l\n' | sort -n | sed 's/:\[[0-9]*\]//'
    tr '\0' ' ' <"/proc/${PID[$stage]}/cmdline" | sed 's/ *$//; s/--attempt=[^ ]*/SID/; s,^[^ ]*/,,'
    echo
  done
}

program_of() {
  basename "$(readlink "/proc/${PID[$1]}/exe")"
}

executed() { # makes the stages be found elsewhere
  local stage variable
  for stage in "${STAGES[@]}"; do
    variable=CPM_EXEC_${stage#cpm-}
    variable=${variable^^}
    ln -s "$CPM_BIN/$stage" "$stage"
    export "${variable//-/_}=$PWD/$stage"
  done
}

@test "a loaded stage is like an executed one: name, arguments, descriptors, signals, limits" {
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 1000
  exec 7<m.cpim # of the caller, and no stage's
  ringing s
  [ "$(program_of cpm-invite)" = cpm-deliver ]
  traits >loaded
  hang_up
  rm s
  executed
  ringing s
  [ "$(program_of cpm-invite)" = cpm-invite ]
  traits >as-executed
  hang_up
  exec 7<&-
  grep -q 'cpm-msrp-serve -s s SID -- m.cpim' loaded
  diff loaded as-executed
}

@test "ps shows the arguments of a loaded stage, however many, and its environment" {
  local name
  name=$(printf '%0100d' 0).session
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 1000
  MARK=1 ringing "$name" --user-agent 'Some agent/1.0'
  ps -o args= -p "${PID[cpm-invite]}" >args
  tr '\0' '\n' <"/proc/${PID[cpm-invite]}/environ" >environ
  hang_up
  grep -x MARK=1 environ
  grep -q "^$CPM_BIN/cpm-invite -s $name --attempt=.* --user-agent=Some agent/1.0$" args
}

@test "a stage that lies beside as a script is executed" {
  mkdir bin
  cp "$CPM_BIN"/cpm-* bin
  printf '#!/bin/sh\necho seen >>%q\nexec %q "$@"\n' "$PWD/bye" "$CPM_BIN/cpm-bye" >bin/cpm-bye
  start_sink
  make_message 1000
  timeout $GUARD bin/cpm-deliver --from "$ALICE" --to "$BOB" m.cpim
  stop_sink
  assert_stored 1
  [ "$(cat bye)" = seen ]
}

@test "a stage of another kind that lies beside is executed" {
  mkdir bin
  cp "$CPM_BIN"/cpm-* bin
  cp "$(command -v env)" bin/cpm-bye # knows no -s, and says so
  start_sink
  make_message 1000
  run timeout $GUARD bin/cpm-deliver --from "$ALICE" --to "$BOB" m.cpim
  [[ $output == *'bin/cpm-bye: invalid option'* ]]
}

@test "what is told to the dynamic loader is told for each stage" {
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 1000
  export LD_PRELOAD=libc.so.6
  ringing s
  unset LD_PRELOAD
  [ "$(program_of cpm-invite)" = cpm-invite ]
  [ "$(program_of cpm-msrp-serve)" = cpm-msrp-serve ]
  [ "$(program_of cpm-bye)" = cpm-bye ]
  hang_up
}

# give_capability FILE: cap_net_bind_service, permitted and effective (vfs_cap_data, version 2). An
# ordinary user may do it in a namespace.
give_capability() {
  local root=()
  [ "$EUID" -eq 0 ] || root=(unshare -Ur)
  "${root[@]}" python3 -c 'import os, struct, sys
os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))' "$1"
}

@test "a stage whose file gives it rights is executed" {
  mkdir bin
  cp "$CPM_BIN"/cpm-* bin
  ln -s "$CPM_BIN/../lib" lib
  chmod g+s bin/cpm-invite
  give_capability bin/cpm-bye
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 1000
  PATH=$PWD/bin:$PATH
  ringing s
  [ "$(program_of cpm-invite)" = cpm-invite ]
  [ "$(program_of cpm-msrp-serve)" = cpm-deliver ]
  [ "$(program_of cpm-bye)" = cpm-bye ]
  hang_up
}

@test "a stage has no rights of cpm-deliver's file" {
  mkdir bin
  cp "$CPM_BIN"/cpm-* bin
  ln -s "$CPM_BIN/../lib" lib
  give_capability bin/cpm-deliver
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 1000
  # As nobody in particular, who has no rights but the file's.
  printf '#!/bin/sh\nexec unshare -Ur unshare -U --map-user=5 --map-group=5 %q "$@"\n' \
    "$PWD/bin/cpm-deliver" >cpm-deliver
  chmod +x cpm-deliver
  PATH=$PWD:$PATH
  ringing s --msrp-listen 127.0.0.1
  for stage in "${STAGES[@]}"; do
    grep -q "^CapPrm:.0000000000000000$" "/proc/${PID[$stage]}/status"
  done
  hang_up
}

@test "a stage that may not be executed is not loaded: 126" {
  mkdir bin
  cp "$CPM_BIN"/cpm-* bin
  chmod a-x bin/cpm-bye
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 1000
  export CPM_EXEC_BYE=$PWD/bin/cpm-bye
  run -126 --separate-stderr timeout $GUARD bin/cpm-deliver --from "$ALICE" --to "$BOB" m.cpim
  [[ $stderr == *'bin/cpm-bye: Permission denied'* ]]
}

@test "a loaded stage needs no more descriptors than an executed one" {
  local limit=4 variable
  start_sink
  make_message 1000
  executed
  until (ulimit -n $limit && timeout $GUARD cpm-deliver --from "$ALICE" --to "$BOB" m.cpim >out 2>err 3>&-); do
    limit=$((limit + 1))
    [ $limit -le 100 ]
  done
  for variable in "${!CPM_EXEC_@}"; do
    unset "$variable"
  done
  (ulimit -n $limit && timeout $GUARD cpm-deliver --from "$ALICE" --to "$BOB" m.cpim 3>&-)
}

# cannot_start STATUS TEXT: what lies beside as cpm-bye cannot be executed; nobody waits for it.
cannot_start() {
  start_sink --behave invite=180 --behave ring-ms=60000
  make_message 1000
  run "-$1" --separate-stderr timeout $GUARD bin/cpm-deliver --start-timeout 1000 -s s --from "$ALICE" \
    --to "$BOB" m.cpim
  grep -q "outcome .*status=$1" s
  [[ $stderr == *"$2"* ]]
}

@test "a stage that no kernel can execute: 126 at once" {
  mkdir bin
  cp "$CPM_BIN"/cpm-* bin
  echo 'nothing that could be executed' >bin/cpm-bye
  cannot_start 126 'bin/cpm-bye: Exec format error'
}

@test "a script whose interpreter is not there: 127 at once" {
  mkdir bin
  cp "$CPM_BIN"/cpm-* bin
  echo '#!/nonexistent/shell' >bin/cpm-bye
  cannot_start 127 'bin/cpm-bye: No such file or directory'
}

@test "what cpm-deliver could not say yet is said once" {
  start_sink
  make_message 1000
  { timeout $GUARD cpm-deliver -v --from "$ALICE" --to "$BOB" m.cpim 2>&1 >out; } |
    { until_file outcome out && cat; } >err
  stop_sink
  assert_stored 1
  [ -z "$(sort err | uniq -d)" ]
}

@test "Ctrl-C before the stages are there: none is started" {
  cc -shared -fPIC -D_GNU_SOURCE -O1 -o interrupt.so "$BATS_TEST_DIRNAME/preload/interrupt.c"
  start_sink
  make_message 1000
  run timeout $GUARD python3 - cpm-deliver -q -s s --from "$ALICE" --to "$BOB" m.cpim <<'EOF'
import fcntl, os, sys, termios
keyboard, terminal = os.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for fd in 0, 1, 2:
        os.dup2(terminal, fd)
    os.dup2(keyboard, 100)
    os.execvpe(sys.argv[1], sys.argv[1:],
               {**os.environ, "LD_PRELOAD": os.path.abspath("interrupt.so"), "INTERRUPT": "100"})
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
  [ "$output" = -2 ]
  grep -q 'cpm-deliver.* outcome .*status=130' s
  [ "$(grep -vc ' cpm-deliver' s)" -eq 0 ]
}

@test "beside a stage that cannot be started one that ignores TERM is killed" {
  mkdir bin
  cp "$CPM_BIN"/cpm-* bin
  echo 'nothing that could be executed' >bin/cpm-bye
  printf '#!/bin/sh\ntrap "" TERM\nexec sleep 1000\n' >stubborn
  chmod +x stubborn
  start_sink
  make_message 1000
  CPM_EXEC_INVITE=$PWD/stubborn run -126 timeout "$GUARD" bin/cpm-deliver -s s --from "$ALICE" --to "$BOB" m.cpim
}
