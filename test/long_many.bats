#!/usr/bin/env bats
# 1,000 deliveries at once to recipients that take a minute, as an ordinary user with the usual
# limits. Prints what that took. Three minutes.
bats_require_minimum_version 1.5.0
load helper
load queue

MANY=${MANY:-1000}
RING_MS=${RING_MS:-60000}
READ_RATE=${READ_RATE:-2000}

standing() { # EVENT
  { grep -ls " $1 " -r q/wait || true; } | wc -l
}

# All processes of the run, by their folder: "COUNT KIB", the memory in proportion where it is shared.
take_measure() {
  local process rollups=()
  for process in /proc/[0-9]*; do
    [[ $process/cwd -ef $PWD && $process/exe -ef $PWD/programs/$(<"$process/comm") ]] &&
      rollups+=("$process/smaps_rollup")
  done 2>/dev/null
  awk '/^Pss:/ { n++; sum += $2 } END { print n, sum }' "${rollups[@]}"
}

many_at_once() { # EVENT OCTETS [options of the sink]
  local i user=() runner from measure event=$1 octets=$2
  shift 2
  # The programs lie where that user may look; what the recipient keeps is not his.
  mkdir programs && cp "$CPM_BIN"/cpm-* programs/
  chmod -R a+rX "$BATS_RUN_TMPDIR"
  start_sink "$@"
  PATH=$PWD/programs:$PATH
  make_message "$octets"
  for i in $(seq "$MANY"); do
    echo "sip:r$i@$SINK_HOST m.cpim"
  done | cpm-queue -Q q add --from "$ALICE" --many >ids
  if [ "$(id -u)" -eq 0 ]; then
    user=(setpriv --reuid=54321 --regid=54321 --clear-groups)
    chown -R 54321 q
    export XDG_RUNTIME_DIR=
  fi
  from=$SECONDS
  timeout --foreground 600 "${user[@]}" prlimit --nofile=1024: cpm-queue -Q q run --jobs "$MANY" \
    >summary 2>err 3>&- &
  runner=$!
  until [ "$(standing "$event")" -eq "$MANY" ]; do
    kill -0 "$runner" || { cat err summary && return 1; }
    read -rt 0.5 <> <(:) || :
  done
  measure=$(take_measure)
  echo "# $MANY deliveries stand after $((SECONDS - from)) s: ${measure% *} processes," \
    "$((${measure#* } / 1024)) MB in all; inotify instances $(cat /proc/sys/fs/inotify/max_user_instances)" >&3
  wait "$runner"
  echo "# all ended after $((SECONDS - from)) s: $(cat summary)" >&3
  [ "$(cat summary)" = "delivered $MANY, deferred 0, refused 0, expired 0" ]
  [ "${measure% *}" -eq $((4 * MANY + 1)) ]
  stop_sink
  assert_stored "$MANY"
}

@test "1,000 recipients that ring for a minute: their deliveries stand at once" {
  many_at_once invite.progress 800 --behave invite=180 --behave ring-ms="$RING_MS"
}

@test "1,000 recipients that read for a minute: their deliveries stand at once" {
  many_at_once msrp.connected $((60 * READ_RATE)) --behave read-rate="$READ_RATE"
}
