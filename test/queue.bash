# Common to the bats files about the queue.

# What a recipient got: add_message NAME TO...: adds a message of that CPIM Message-ID.
add_message() {
  local id=$1 to args=()
  shift
  for to; do args+=(--to "$to"); done
  echo "message $id" | cpm-queue -Q q add --from "$ALICE" "${args[@]}" --type text/plain --message-id "$id" -
}

# The entries in a state, one ID a line.
ids() {
  cpm-queue -Q q list --state "$1" --tsv | cut -f1
}

count() { # STATE
  ids "$1" | wc -l
}

assert_count() { # STATE N
  local n
  n=$(count "$1")
  [ "$n" -eq "$2" ] || {
    echo "$1: $n, expected: $2"
    cpm-queue -Q q list
    find q -type f
    return 1
  }
}

# Nothing is wrong, nothing is left over.
assert_sound() {
  local out
  out=$(cpm-queue -Q q check) || {
    echo "check: $out"
    return 1
  }
}

# How often a recipient has got a message as a whole.
got() { # CPIM-ID
  grep ' sink.stored ' sink.log | grep -c " complete=yes .*cpim-id=$1 " || true
}

# How many recipients have got it as a whole.
reached() { # CPIM-ID
  awk -v id=" cpim-id=$1 " '
    / sink.invite / { uri[$4] = $5 }
    / sink.stored / && / complete=yes / && index($0, id) && !seen[uri[$4]]++ { n++ }
    END { print n + 0 }' sink.log
}

build_fault() {
  cc -shared -fPIC -D_GNU_SOURCE -O1 -o fault.so "$BATS_TEST_DIRNAME/preload/fault.c"
}

# faulty PROGRAM N ERRNO COMMAND...: sets STATUS, and CALL (the call that was hit; empty: there are
# not so many). ERRNO 0: SIGKILL after the call; with FAULT_ALL of all that the command started.
faulty() {
  local program=$1 at=$2 error=$3 group=(--foreground)
  [ -z "${FAULT_ALL:-}" ] || group=() # timeout makes it one of its own
  shift 3
  rm -rf fault
  mkdir fault
  STATUS=0
  FAULT_PROGRAM=$program FAULT_AT=$at FAULT_ERRNO=$error FAULT_FOLDER=$PWD/fault \
    LD_PRELOAD=$PWD/fault.so timeout "${group[@]}" "$GUARD" "$@" || STATUS=$?
  CALL=$(cat fault/done 2>/dev/null || true)
}

wait_for_done() { # COUNT
  local end=$((SECONDS + GUARD))
  until [ "$(find q/done -type f | wc -l)" -ge "$1" ]; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}
