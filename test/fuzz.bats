#!/usr/bin/env bats
# The harnesses of test/fuzz with their corpus, and with what can be made of it by cutting it anywhere.
bats_require_minimum_version 1.5.0
load helper

FUZZ=$CPM_BIN/../test/fuzz
CORPUS=$BATS_TEST_DIRNAME/fuzz/corpus

@test "every harness takes its corpus" {
  for harness in "$BATS_TEST_DIRNAME"/fuzz/*_*.c; do
    name=$(basename "$harness" .c)
    timeout "$GUARD" "$FUZZ/$name" "$CORPUS/$name"/*
  done
}

@test "a harness without an input, or with one that is not there, has not run" {
  run -1 "$FUZZ/msrp_uri"
  run -1 "$FUZZ/msrp_uri" nowhere
}

@test "the MSRP parser gives the same for every split and every beginning of the corpus" {
  for file in "$CORPUS"/msrp_parse/*; do
    size=$(stat -c %s "$file")
    for ((n = 1; n < size; n += 37)); do
      head -c "$n" "$file" >"cut-${file##*/}-$n"
    done
    for seed in 001 007 052 177 377; do
      { printf '%b' "\\0$seed" && tail -c +2 "$file"; } >"split-${file##*/}-$seed"
    done
  done
  timeout "$GUARD" "$FUZZ/msrp_parse" cut-* split-*
}
