#!/usr/bin/env bats
# /metrics of cpm-status(1), read by promtool and scraped by Prometheus.

load helper
load http
bats_require_minimum_version 1.5.0

teardown() {
  local pid
  for pid in "${PIDS[@]}"; do
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null || true
  done
  stop_status
  stop_sink
}

PIDS=()
ALERTS=$BATS_TEST_DIRNAME/../scripts/prometheus/alerts.yml
DASHBOARD=$BATS_TEST_DIRNAME/../scripts/grafana/dashboard.json

# The metrics, checked by promtool.
metrics() {
  get "${URL}metrics" >metrics
  promtool check metrics <metrics >lint 2>&1 && [ ! -s lint ] && return
  cat lint metrics
  return 1
}

value() { # SERIES
  awk -v series="$1" '$1 == series { print $2 }' metrics
}

# Names and labels, without values.
series() { sed '/^#/d; s/ .*//' "$1" | sort; }

assert_value() { # SERIES VALUE
  local is
  is=$(value "$1")
  [ "$is" = "$2" ] || {
    echo "$1 is '$is', expected '$2'"
    grep -F "${1%%\{*}" metrics
    return 1
  }
}

# forge STATE ID LINE...: an entry with these lines; @ stands for time, program and pid.
forge() {
  local file=q/$1/$2 now line
  now=$(date -u +%Y-%m-%dT%H:%M:%S.999Z)
  shift 2
  for line; do printf '%s\n' "${line/#@/$now cpm-queue[1]}"; done >"$file"
}

@test "promtool has nothing to say about an empty queue, and all is nothing" {
  empty_queue
  start_status
  metrics
  assert_value cpm_up 1
  assert_value "cpm_build_info{version=\"$(cpm-status --version | sed 's/.* //')\"}" 1
  for state in waiting delivering held done failed; do
    assert_value "cpm_entries{state=\"$state\"}" 0
  done
  assert_value cpm_oldest_entry_age_seconds 0
  assert_value cpm_delivery_duration_seconds_count 0
  [ "$(value cpm_filesystem_avail_bytes)" -gt 0 ]
  # Each metric has its HELP and its TYPE once, before its series.
  awk '/^# HELP/ { help[$3]++; next } /^# TYPE/ { type[$3] = $4; types[$3]++; next }
    { name = $1; sub(/\{.*/, "", name)
      if (!(name in type)) sub(/_(bucket|sum|count)$/, "", name)
      if (help[name] != 1 || types[name] != 1) { print "no HELP and TYPE: " $1; exit 1 }
      if ((type[name] == "counter") != (name ~ /_total$/)) { print "no counter: " $1; exit 1 } }
  ' metrics
}

@test "every metric is in the manual page, and every one of the page is served" {
  empty_queue
  start_status
  metrics
  sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' metrics | sort >served
  grep -oE '\b(cpm|process)_[a-z_]+' "$BATS_TEST_DIRNAME/../man/cpm-status.1" | sort -u >page
  diff served page
}

@test "a busy queue: what was delivered, refused and held is counted" {
  empty_queue
  start_status
  start_sink --behave 1:invite=486 --behave 2:invite=404
  head -c 200000 /dev/urandom >content
  for i in 1 2 3 4; do
    cpm-queue -Q q add --from "$ALICE" --to "$BOB" --type text/plain content >>ids
  done
  cpm-queue -Q q add --from "$ALICE" --to sip:carol@example.com --type text/plain content >held
  cpm-queue -Q q hold "$(cat held)"
  metrics
  assert_value cpm_entries_accepted_total 5
  cpm-queue -q -Q q run --jobs 1
  metrics
  # Who is busy is left in peace; then the rest.
  assert_value 'cpm_attempt_failures_total{stage="invite",code="486"}' 1
  cpm-queue -q -Q q run --jobs 1 --to "$BOB"
  metrics
  assert_value 'cpm_entries{state="held"}' 1
  assert_value 'cpm_entries{state="failed"}' 1
  assert_value 'cpm_entries_given_up_total{why="refused"}' 1
  assert_value 'cpm_attempt_failures_total{stage="invite",code="404"}' 1
  assert_value 'cpm_attempts_ended_total{status="75"}' 1
  assert_value 'cpm_attempts_ended_total{status="69"}' 1
  done=$(cpm-queue -Q q list --state done --tsv | wc -l)
  [ "$done" -gt 0 ]
  assert_value cpm_entries_delivered_total "$done"
  assert_value 'cpm_attempts_ended_total{status="0"}' "$done"
  assert_value cpm_attempts_started_total $((done + 2))
  assert_value cpm_attempt_duration_seconds_count $((done + 2))
  assert_value cpm_delivery_duration_seconds_count "$done"
  assert_value 'cpm_message_size_bytes_bucket{le="100000"}' 0
  assert_value 'cpm_message_size_bytes_bucket{le="1000000"}' "$done"
  assert_value cpm_confirmed_bytes_total "$(value cpm_delivered_bytes_total)"
  [ "$(value cpm_delivered_bytes_total)" -gt $((done * 200000)) ]
}

@test "counters stay when entries leave the queue, and begin anew with the program" {
  start_sink
  empty_queue
  start_status
  echo hello | cpm-queue -Q q add --from "$ALICE" --to "$BOB" --type text/plain - >ids
  cpm-queue -q -Q q run
  metrics
  assert_value 'cpm_entries{state="done"}' 1
  cp metrics before
  mv q/done/* q/done/2020-01-01
  cpm-queue -q -Q q run
  metrics
  assert_value 'cpm_entries{state="done"}' 0
  for counter in $(sed -n 's/^# TYPE \(cpm_[a-z_]*\) counter/\1/p' metrics); do
    awk -v name="$counter" 'FNR == 1 { file++ } index($1, name) == 1 { sum[file] += $2 }
      END { if (sum[2] < sum[1]) { print name " went from " sum[1] " to " sum[2]; exit 1 } }' \
      before metrics
  done
  assert_value cpm_entries_delivered_total 1
  stop_status
  start_status
  metrics
  assert_value cpm_entries_delivered_total 0
}

@test "a queue that cannot be read is told, and counted" {
  empty_queue
  start_status
  metrics
  series metrics >expected
  mv q/wait q/away
  metrics
  assert_value cpm_up 0
  errors=$(value cpm_snapshot_errors_total)
  [ "$errors" -ge 1 ]
  series metrics >got
  diff expected got
  mv q/away q/wait
  metrics
  assert_value cpm_up 1
  assert_value cpm_snapshot_errors_total "$errors"
  [ "$(value cpm_snapshots_total)" -gt "$errors" ]
}

@test "one session has the same metrics" {
  start_sink
  make_message 1000
  serve cpm-status -s s --http-listen 127.0.0.1:0
  metrics
  assert_value cpm_entries_delivered_total 0
  run -0 cpm-deliver -q -s s --from "$ALICE" --to "$BOB" m.cpim
  metrics
  assert_value cpm_entries_delivered_total 1
  assert_value cpm_attempt_duration_seconds_count 1
  assert_value cpm_confirmed_bytes_total "$(wc -c <m.cpim)"
}

@test "a hostile queue makes no series of its own" {
  empty_queue
  start_status
  metrics
  series metrics >expected
  evil='\"}\x0a# TYPE evil counter\x0aevil{a=\"'
  for i in 1 2 3 4 5 6 7 8 9; do
    forge failed "0000000$i-000000000000000$i" "@ entry to=\"sip:<b>$evil$i@h\" birth=$i" \
      "@ attempt.start sid=s$i n=1" \
      "@ invite.failed sid=s$i status=69 code=${i}99999 reason=\"$evil\" why=\"$evil\"" \
      "@ outcome sid=s$i status=69" "@ queue.failed why=\"$evil\""
  done
  forge failed 0000000a-000000000000000a "@ attempt.start sid=a n=1" \
    "@ msrp.failed sid=a status=75 code=499 octets=18446744073709551616 why=\"$evil\"" \
    "@ outcome sid=a status=75"
  forge wait 0000000000-0000000b-000000000000000b '@ entry birth=9999-12-31T23:59:59.999Z'
  forge wait 9999999999-0000000c-000000000000000c "@ $evil" '@ outcome status=-1'
  head -c 10000 /dev/urandom >q/held/0000000d-000000000000000d
  ln -s /etc/passwd q/held/0000000e-000000000000000e
  mkfifo q/held/0000000f-000000000000000f
  : >"q/held/<script>"$'\n'evil
  metrics
  ! grep evil metrics
  series metrics >got
  diff expected got
  assert_value 'cpm_attempts_ended_total{status="69"}' 9
  assert_value 'cpm_attempt_failures_total{stage="invite",code="none"}' 9
  assert_value 'cpm_attempt_failures_total{stage="transfer",code="4xx"}' 1
  [ "$(value cpm_unreadable_entries)" -ge 2 ]
}

# panels INSTANCES INTERVAL: the expressions of the dashboard, with its variables set.
panels() {
  jq -r '.panels[].targets[]?.expr' "$DASHBOARD" |
    sed "s/\$instance/$1/g; s/\$__rate_interval/$2/g"
}

# What expressions on stdin select: a metric and a label in each line.
selected() {
  grep -oE '\b(cpm|process)_[a-z_]+(\{[^}]*\})?' | while IFS='{' read -r name labels; do
    echo "$name" "$(grep -oE '[a-z]+="[^"]*"' <<<"$labels" | grep -v '^instance=' || true)"
  done | sort -u
}

assert_served() { # FILE-OF-SELECTED
  while read -r name label; do
    grep -E "^$name(\{| )" metrics | grep -qF "${label%\"}" ||
      { echo "not served: $name $label" && return 1; }
  done <"$1"
}

@test "the alert rules are sound, fire when they should and not when they should not" {
  promtool check rules "$ALERTS"
  promtool test rules "$BATS_TEST_DIRNAME/alerts_test.yml"
  for alert in $(sed -n 's/^ *- alert: //p' "$ALERTS"); do
    grep -qx " *alertname: $alert" "$BATS_TEST_DIRNAME/alerts_test.yml" &&
      grep -q "alertname: $alert, exp_alerts: \[\]" "$BATS_TEST_DIRNAME/alerts_test.yml" ||
      { echo "not tested both ways: $alert" && return 1; }
  done
  empty_queue
  start_status
  metrics
  selected <"$ALERTS" >wanted
  [ "$(wc -l <wanted)" -gt 10 ]
  assert_served wanted
}

@test "the dashboard is sound, and asks for what is served" {
  jq -e '.title and .schemaVersion and ([.panels[].id] | length == (unique | length)) and
    ([.templating.list[] | select(.type == "datasource" and .query == "prometheus")] | length == 1) and
    all(.panels[] | select(.type != "row"); .datasource.uid == "${datasource}" and
      .title and .description and (.targets | length > 0)) and
    ([.panels[] | select(.type == "row") | .title] ==
      ["Health", "Queue", "Deliveries", "Performance"])' "$DASHBOARD"
  panels queue 5m >exprs
  { echo 'groups: [{name: dashboard, rules: ['
    jq -R '{record: "panel:\(input_line_number)", expr: .}' exprs | jq -s -r 'map(tojson) | join(",\n")'
    echo ']}]'; } >rules.yml
  promtool check rules rules.yml
  empty_queue
  start_status
  metrics
  selected <exprs >wanted
  [ "$(wc -l <wanted)" -gt 20 ]
  assert_served wanted
}

# prometheus FILE: runs it with this configuration; sets API.
start_prometheus() {
  prometheus --config.file="$1" --storage.tsdb.path=tsdb --web.listen-address=127.0.0.1:0 \
    2>prometheus.err 3>&- &
  PIDS+=($!)
  saw prometheus.err 'Server is ready'
  API=http://$(sed -n 's/.*msg="Listening on" address=//p' prometheus.err)/api/v1
}

# query EXPR: its value; several, one a line.
query() {
  get --get --data-urlencode "query=$1" "$API/query" |
    jq -r 'if .status == "success" then .data.result[].value[1] else error(.error) end'
}

# told EXPR VALUE: waits until the expression has that value.
told() {
  local is
  for _ in $(seq $((GUARD * 10))); do
    is=$(query "$1") && [ "$is" = "$2" ] && return
    read -r -t 0.1 <> <(:) || true
  done
  echo "$1 is '$is', expected '$2'"
  get "$API/targets" | jq -c '.data.activeTargets[] | {scrapeUrl, lastError}'
  return 1
}

@test "Prometheus scrapes it, and has the queue's numbers" {
  empty_queue
  start_status
  start_sink --behave 1:invite=486 --behave 2:invite=404
  cat >prometheus.yml <<END
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: ['$ALERTS']
scrape_configs:
  - {job_name: queue, static_configs: [{targets: ['$HOST']}]}
END
  promtool check config prometheus.yml
  start_prometheus prometheus.yml
  told 'up{job="queue"}' 1
  told cpm_entries_delivered_total 0
  head -c 200000 /dev/urandom >content
  for i in 1 2 3; do
    cpm-queue -Q q add --from "$ALICE" --to "$BOB" --type text/plain content
  done
  cpm-queue -q -Q q run --jobs 1
  cpm-queue -q -Q q run --jobs 1 --to "$BOB"
  told 'cpm_entries{state="done"}' 2
  told 'cpm_entries{state="failed"}' 1
  told 'sum(cpm_entries)' "$(cpm-queue -Q q list --tsv | wc -l)"
  told cpm_entries_delivered_total 2
  told 'sum(cpm_attempts_ended_total{status!="0"})' 2
  told 'count(cpm_attempt_failures_total > 0)' 2
  told 'cpm_message_size_bytes_count' 2
  # All of one size: half of them lie between the bounds around it.
  told 'histogram_quantile(0.5, cpm_message_size_bytes_bucket) > bool 1e5' 1
  told 'histogram_quantile(0.5, cpm_message_size_bytes_bucket) < bool 1e6' 1
  told 'histogram_quantile(0.9, rate(cpm_delivery_duration_seconds_bucket[1m])) > bool 0' 1
  told 'histogram_quantile(0.9, rate(cpm_attempt_duration_seconds_bucket[1m])) <= bool 60' 1
  # It is the server that tells its beginning and its version.
  told 'time() - process_start_time_seconds < bool 3600' 1
  told 'count(cpm_build_info)' 1
  # Each panel of the dashboard shows something.
  while IFS= read -r expr; do
    told "count($expr) > bool 0" 1
  done < <(panels '.*' 1m)
  # The rules can be evaluated, and the one refusal is an alert.
  told 'ALERTS{alertname="CpmGivenUp", why="refused", alertstate="firing"}' 1
  rules=unknown
  until [[ $rules != *unknown* ]]; do
    read -r -t 0.1 <> <(:) || true
    rules=$(get "$API/rules" | jq -r '.data.groups[].rules[] | .name + " " + .health + " " + .lastError')
  done
  [ "$(grep -c ' ok ' <<<"$rules")" -eq "$(grep -c 'alert:' "$ALERTS")" ] ||
    { echo "$rules" && return 1; }
  stop_status
  told 'up{job="queue"}' 0
}

@test "Prometheus comes over TLS, with a token or a password" {
  empty_queue
  make_cert
  echo s3cr3t-t0ken >token
  echo ops:pass:word >password
  echo pass:word >pass
  start_status --http-tls-cert cert.pem --http-tls-key key.pem --http-token-file token \
    --http-auth-file password
  cat >prometheus.yml <<END
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: token
    scheme: https
    tls_config: {ca_file: cert.pem}
    authorization: {credentials_file: token}
    static_configs: [{targets: ['$HOST']}]
  - job_name: password
    scheme: https
    tls_config: {ca_file: cert.pem}
    basic_auth: {username: ops, password_file: pass}
    static_configs: [{targets: ['$HOST']}]
  - job_name: nobody
    scheme: https
    tls_config: {ca_file: cert.pem}
    static_configs: [{targets: ['$HOST']}]
  - job_name: untrusted
    scheme: https
    authorization: {credentials_file: token}
    static_configs: [{targets: ['$HOST']}]
END
  promtool check config prometheus.yml
  start_prometheus prometheus.yml
  told 'up{job="token"}' 1
  told 'up{job="password"}' 1
  told 'up{job="nobody"}' 0
  told 'up{job="untrusted"}' 0
  told 'count(cpm_up == 1)' 2
}
