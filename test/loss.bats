#!/usr/bin/env bats
# A network that is bad to datagrams: every delivery still ends in the right verdict, no request of a
# call is lost, and none is served twice.
load helper

teardown() {
  :
}

deliveries() { # lost|bent PERCENT COUNT sink|sipp
  export BATS_TEST_DIRNAME
  own_network timeout 170 bash "$BATS_TEST_DIRNAME/loss/deliveries.bash" "$@" >log 2>&1 \
    </dev/null || {
    tail -n 200 log
    return 1
  }
}

many() { # as many as there is time for
  echo $((CPM_LONG ? $1 * 10 : $1))
}

@test "10 % of the datagrams are lost each way" {
  deliveries lost 10 "$(many 60)" sink
}

@test "datagrams are lost, doubled, late and out of order" {
  deliveries bent 10 "$(many 60)" sink
}

@test "10 % are lost each way, towards SIPp" {
  deliveries lost 10 "$(many 30)" sipp
}

@test "lost, doubled, late and out of order, towards SIPp" {
  deliveries bent 10 "$(many 30)" sipp
}
