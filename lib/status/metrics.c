/* The snapshot for Prometheus: its text format, version 0.0.4. Labels take their values from our
 * own tables alone. What may become less when entries leave the queue is a gauge; counters and
 * histograms count what happened since the program started. */
#include "status/answer_int.h"

#include <inttypes.h>
#include <sys/resource.h>

static void head(FILE *f, const char *name, const char *type, const char *help)
{
    (void)fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(FILE *f, const char *name, const char *help, double value)
{
    head(f, name, "gauge", help);
    (void)fprintf(f, "%s %.17g\n", name, value);
}

static void counter(FILE *f, const char *name, const char *help, uint64_t value)
{
    head(f, name, "counter", help);
    (void)fprintf(f, "%s %" PRIu64 "\n", name, value);
}

static void histogram(FILE *f, const char *name, const char *help, const struct status_histogram *h)
{
    uint64_t sum = 0;
    head(f, name, "histogram", help);
    for (unsigned i = 0; i < STATUS_BUCKETS; i++) {
        sum += h->counts[i];
        (void)fprintf(f, "%s_bucket{le=\"%.15g\"} %" PRIu64 "\n", name, h->bounds[i], sum);
    }
    (void)fprintf(f, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.17g\n%s_count %" PRIu64 "\n",
                  name, h->count, name, h->sum, name, h->count);
}

static double age(const struct status_summary *sum, int64_t ms)
{
    return ms > 0 && ms < sum->now_ms ? (double)(sum->now_ms - ms) / 1000 : 0;
}

/* --- What is there. */

static void of_entries(FILE *f, const struct status_summary *sum)
{
    head(f, "cpm_entries", "gauge", "Entries of the queue by state.");
    for (int i = 0; i < STATUS_STATES; i++)
        (void)fprintf(f, "cpm_entries{state=\"%s\"} %" PRIu64 "\n", status_state_names[i],
                      sum->entries[i]);
    head(f, "cpm_sessions", "gauge", "Deliveries under way by phase.");
    for (int i = 0; i <= STATUS_ENDING; i++)
        (void)fprintf(f, "cpm_sessions{phase=\"%s\"} %" PRIu64 "\n", status_phase_names[i],
                      sum->sessions[i]);
    gauge(f, "cpm_unreadable_entries", "Entries that are refused.", (double)sum->unreadable);
    gauge(f, "cpm_abandoned_entries", "Entries whose attempt died.", (double)sum->abandoned);
    gauge(f, "cpm_recipients", "Recipients with an entry.", (double)sum->recipients);
    gauge(f, "cpm_oldest_entry_age_seconds", "Age of the oldest undelivered message.",
          age(sum, sum->oldest_birth_ms));
    gauge(f, "cpm_overdue_seconds", "For how long the most overdue entry has been due.",
          age(sum, sum->oldest_due_ms));
    gauge(f, "cpm_transfer_bytes_per_second", "Rate of all sessions together.", (double)sum->rate);
}

static void of_disk(FILE *f, const struct status_summary *sum)
{
    if (sum->disk_size == 0)
        return;
    gauge(f, "cpm_filesystem_size_bytes", "Size of the file system that the queue lies on.",
          (double)sum->disk_size);
    gauge(f, "cpm_filesystem_avail_bytes", "Room on it.", (double)sum->disk_free);
    gauge(f, "cpm_filesystem_files", "Files that fit on it; 0: there is no such limit.",
          (double)sum->disk_files);
    gauge(f, "cpm_filesystem_avail_files", "Files that may still be made on it.",
          (double)sum->disk_files_free);
}

/* --- What happened. */

/* Every status of cpm-deliver(1) is there from the start, so that its first increase is seen. */
static void of_ends(FILE *f, const struct status_counters *c)
{
    static const bool known[256] = {
        [0] = true,  [64] = true, [65] = true,  [66] = true, [69] = true,
        [70] = true, [71] = true, [74] = true,  [75] = true, [76] = true,
        [77] = true, [78] = true, [126] = true, [127] = true};
    head(f, "cpm_attempts_ended_total", "counter", "Attempts that ended, by exit status.");
    for (int i = 0; i < 256; i++) {
        if (known[i] || c->ended[i] > 0)
            (void)fprintf(f, "cpm_attempts_ended_total{status=\"%d\"} %" PRIu64 "\n", i,
                          c->ended[i]);
    }
    head(f, "cpm_attempt_failures_total", "counter",
         "Attempts that failed, by stage and code of SIP or MSRP (4xx: any other of that class).");
    for (size_t i = 0; i < STATUS_REASONS; i++)
        (void)fprintf(f, "cpm_attempt_failures_total{stage=\"%s\",code=\"%s\"} %" PRIu64 "\n",
                      status_stage_names[status_reasons[i].stage], status_reasons[i].code,
                      c->failed[i]);
}

static void of_deliveries(FILE *f, const struct status_counters *c)
{
    counter(f, "cpm_entries_accepted_total", "Entries that came into the queue.", c->accepted);
    counter(f, "cpm_attempts_started_total", "Attempts that began.", c->started);
    of_ends(f, c);
    counter(f, "cpm_entries_delivered_total", "Messages that were delivered.", c->delivered);
    counter(f, "cpm_delivered_bytes_total", "Octets of delivered messages.", c->delivered_octets);
    counter(f, "cpm_confirmed_bytes_total",
            "Octets that recipients confirmed, also in attempts that failed or go on.",
            c->confirmed_octets);
    head(f, "cpm_entries_given_up_total", "counter", "Entries that were given up, by why.");
    for (int i = WHY_REFUSED; i <= WHY_EXPIRED; i++)
        (void)fprintf(f, "cpm_entries_given_up_total{why=\"%s\"} %" PRIu64 "\n", queue_why_names[i],
                      c->given_up[i]);
    histogram(f, "cpm_delivery_duration_seconds", "From a message's birth to its delivery.",
              &c->delivery_s);
    histogram(f, "cpm_attempt_duration_seconds", "Length of attempts that ended, well or not.",
              &c->attempt_s);
    histogram(f, "cpm_message_size_bytes", "Sizes of delivered messages.", &c->size);
}

/* --- The program itself. */

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void of_itself(FILE *f, const struct status_summary *sum)
{
    struct rusage use;
    head(f, "cpm_build_info", "gauge", "The version, as a label.");
    (void)fprintf(f, "cpm_build_info{version=\"" CPM_VERSION "\"} 1\n");
    gauge(f, "cpm_up", "Whether the queue can be read.", sum->error ? 0 : 1);
    gauge(f, "cpm_snapshot_duration_seconds", "What the last look at the queue took.", sum->took_s);
    counter(f, "cpm_snapshots_total", "Looks at the queue.", sum->updates);
    counter(f, "cpm_snapshot_errors_total", "Looks at a queue that could not be read.",
            sum->errors);
    gauge(f, "cpm_snapshot_complete", "Whether nothing of this may be old: no notices were lost.",
          sum->complete ? 1 : 0);
    counter(f, "cpm_notices_lost_total", "How often the kernel had too much to tell (inotify).",
            sum->overruns);
    counter(f, "cpm_journal_read_bytes_total", "Octets of journals that were read.",
            sum->octets_read);
    gauge(f, "process_start_time_seconds", "When the program started, since 1970.",
          (double)sum->since_ms / 1000);
    if (getrusage(RUSAGE_SELF, &use) < 0)
        return;
    head(f, "process_cpu_seconds_total", "counter", "Processor time that the program took.");
    (void)fprintf(f, "process_cpu_seconds_total %.17g\n",
                  seconds(&use.ru_utime) + seconds(&use.ru_stime));
}

unsigned metrics_text(const struct status_request *r, FILE *f)
{
    const struct status_summary *sum = snapshot_summary(r->s);
    of_itself(f, sum);
    of_entries(f, sum);
    of_disk(f, sum);
    of_deliveries(f, &sum->counters);
    return 200;
}
