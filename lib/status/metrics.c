/* The snapshot for Prometheus: its text format, version 0.0.4. */
#include "status/answer_int.h"

#include <inttypes.h>

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
        (void)fprintf(f, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, h->bounds[i], sum);
    }
    (void)fprintf(f, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.17g\n%s_count %" PRIu64 "\n",
                  name, h->count, name, h->sum, name, h->count);
}

static double age(const struct status_summary *sum, int64_t ms)
{
    return ms > 0 && ms < sum->now_ms ? (double)(sum->now_ms - ms) / 1000 : 0;
}

static void gauges(FILE *f, const struct status_summary *sum)
{
    gauge(f, "cpm_up", "Whether the queue can be read.", sum->error ? 0 : 1);
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
    gauge(f, "cpm_snapshot_duration_seconds", "What the last look at the queue took.", sum->took_s);
}

unsigned metrics_text(const struct status_request *r, FILE *f)
{
    const struct status_summary *sum = snapshot_summary(r->s);
    const struct status_counters *c = &sum->counters;
    gauges(f, sum);
    counter(f, "cpm_accepted_total", "Entries that came into the queue.", c->accepted);
    counter(f, "cpm_attempts_started_total", "Attempts that began.", c->started);
    head(f, "cpm_attempts_ended_total", "counter", "Attempts that ended, by exit status.");
    for (int i = 0; i < 256; i++) {
        if (i == 0 || c->ended[i] > 0)
            (void)fprintf(f, "cpm_attempts_ended_total{status=\"%d\"} %" PRIu64 "\n", i,
                          c->ended[i]);
    }
    counter(f, "cpm_delivered_total", "Messages that were delivered.", c->delivered);
    counter(f, "cpm_delivered_bytes_total", "Octets that recipients confirmed.",
            c->delivered_octets);
    head(f, "cpm_given_up_total", "counter", "Entries that were given up, by why.");
    for (int i = WHY_REFUSED; i <= WHY_EXPIRED; i++)
        (void)fprintf(f, "cpm_given_up_total{why=\"%s\"} %" PRIu64 "\n", queue_why_names[i],
                      c->given_up[i]);
    histogram(f, "cpm_delivery_duration_seconds", "From a message's birth to its delivery.",
              &c->delivery_s);
    histogram(f, "cpm_message_size_bytes", "Sizes of delivered messages.", &c->size);
    counter(f, "cpm_journal_read_bytes_total", "Octets of journals that were read.",
            sum->octets_read);
    return 200;
}
