#!/usr/bin/env bats
# As many deliveries at once on one MSRP port as a recipient with 1024 descriptors can take.
bats_require_minimum_version 1.5.0
load helper
load peers
load one_port

setup_file() {
  ulimit -n 1024 # an ordinary user's
}

@test "450 deliveries at once on one port" { at_once 450; }

@test "300 at once, over and over" {
  local round
  for round in 1 2 3 4 5; do
    rm -rf ./*.s ./*.pid cpm store
    at_once 300
  done
}
