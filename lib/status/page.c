/* The page for people. */
#include "base/clock.h"
#include "base/num.h"
#include "status/answer_int.h"
#include "status/html.h"

#define SHOWN 50

const char page_style[] =
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:72rem;margin:0 auto;padding:1rem}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}"
    "caption{text-align:left;font-weight:bold}"
    "th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid;"
    "overflow-wrap:anywhere;vertical-align:top}"
    ".bad{border-left:.4rem solid #c22;padding-left:.6rem}"
    ".good{border-left:.4rem solid #283;padding-left:.6rem}\n";

static void moment(struct html *h, int64_t ms)
{
    char when[CLOCK_TEXT_SIZE];
    clock_text(when, ms);
    if (ms > 0)
        html_add(h, "<td><time>%s</time></td>", when);
    else
        html_add(h, "<td>\xe2\x80\x93</td>");
}

static void open_table(struct html *h, const char *caption)
{
    html_add(h, "<table><caption>%s</caption>\n", caption);
}

static void health(struct html *h, const struct status_request *r)
{
    const struct status_summary *sum = snapshot_summary(r->s);
    char why[256];
    bool good = snapshot_health(r->s, why);
    html_add(h, "<p class=\"%s\">Health: %s</p>\n", good ? "good" : "bad", why);
    open_table(h, "Now");
    for (int i = 0; i < STATUS_STATES; i++)
        html_add(h, "<tr><th scope=\"row\">%s</th><td>%llu</td></tr>\n", status_state_names[i],
                 (unsigned long long)sum->entries[i]);
    html_add(h, "<tr><th scope=\"row\">oldest undelivered</th>");
    moment(h, sum->oldest_birth_ms);
    html_add(h,
             "</tr>\n<tr><th scope=\"row\">failures in the last hour</th><td>%llu</td></tr>\n"
             "<tr><th scope=\"row\">deliveries in the last hour</th><td>%llu</td></tr>\n"
             "</table>\n",
             (unsigned long long)sum->failures_hour, (unsigned long long)sum->deliveries_hour);
}

static void on_session(void *arg, const struct status_entry *e)
{
    char sent[16], rate[16];
    num_size_text(sent, e->octets);
    num_size_text(rate, e->rate);
    html_add(arg,
             "<tr><td>%s</td><td><bdi>%.120s</bdi></td><td>%s</td><td><progress value=\"%llu\" "
             "max=\"%llu\" aria-label=\"sent\"></progress> %s</td><td>%s/s</td></tr>\n",
             e->id, e->to, status_phase_names[e->phase], (unsigned long long)e->octets,
             (unsigned long long)(e->total ? e->total : 1), sent, rate);
}

static void sessions(struct html *h, const struct status_request *r)
{
    struct status_filter f = {.states = 1U << STATUS_DELIVERING, .limit = SHOWN};
    bool more;
    open_table(h, "Sessions under way");
    html_add(h, "<tr><th scope=\"col\">entry</th><th scope=\"col\">to</th><th "
                "scope=\"col\">phase</th><th scope=\"col\">sent</th><th "
                "scope=\"col\">rate</th></tr>\n");
    snapshot_entries(r->s, &f, on_session, h, &more);
    html_add(h, "</table>\n%s", more ? "<p>There are more.</p>\n" : "");
}

static void attempts(struct html *h, const struct status_request *r)
{
    const struct status_attempt *a;
    size_t n = snapshot_attempts(r->s, &a);
    open_table(h, "Recent attempts");
    html_add(h, "<tr><th scope=\"col\">ended</th><th scope=\"col\">entry</th><th "
                "scope=\"col\">to</th><th scope=\"col\">status</th><th "
                "scope=\"col\">why</th></tr>\n");
    for (size_t i = 0; i < n && i < SHOWN; i++) {
        html_add(h, "<tr>");
        moment(h, a[i].ended_ms);
        html_add(h, "<td>%s</td><td><bdi>%.120s</bdi></td><td>%d</td><td>", a[i].id, a[i].to,
                 a[i].status);
        if (a[i].code > 0)
            html_add(h, "%d ", a[i].code);
        html_add(h, "<bdi>%.160s</bdi></td></tr>\n", a[i].why);
    }
    html_add(h, "</table>\n");
}

unsigned page_overview(const struct status_request *r, FILE *f)
{
    struct buf out = BUF_UP_TO(1 << 20);
    struct html h = {&out, 0};
    html_add(&h, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<title>CPM deliveries</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n"
                 "</head><body><main>\n<h1>CPM deliveries</h1>\n");
    html_add(&h, "<p><bdi>%.200s</bdi></p>\n", snapshot_summary(r->s)->queue);
    health(&h, r);
    sessions(&h, r);
    attempts(&h, r);
    html_add(&h, "<p><a href=\"/api/queue\">JSON</a>, <a href=\"/metrics\">metrics</a></p>\n"
                 "</main></body></html>\n");
    if (!h.error && out.p)
        (void)fwrite(out.p, 1, out.n, f);
    buf_free(&out);
    return h.error ? 503 : 200;
}
