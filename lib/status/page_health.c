/* The top of the overview: how the queue is, in words and in the few numbers that matter. */
#include "status/page.h"

#include "base/num.h"

/* Deliveries that fail are the trade of a queue; that none succeeds is not. */
enum page_mood page_mood_of(const struct snapshot *s)
{
    const struct status_summary *sum = snapshot_summary(s);
    char why[256];
    if (!snapshot_health(s, why))
        return MOOD_BAD;
    bool fails = sum->failures_hour > 0 && sum->deliveries_hour == 0;
    return fails || sum->abandoned || sum->unreadable ? MOOD_WARN : MOOD_GOOD;
}

static void say_stuck(struct page *p, const struct status_summary *sum)
{
    char why[256];
    (void)snapshot_health(p->r->s, why);
    if (sum->error) {
        html_add(&p->h, "%s.", why);
        return;
    }
    html_add(&p->h, "An entry is overdue for ");
    page_duration(p, p->now_ms - sum->oldest_due_ms);
    html_add(&p->h, ", and nobody takes it: is <code>cpm-queue run</code> at work?");
}

static void say_overdue(struct page *p, int64_t overdue_ms)
{
    if (overdue_ms < 0) {
        html_add(&p->h, "No entry is overdue.");
        return;
    }
    html_add(&p->h, "An entry has been due for ");
    page_duration(p, overdue_ms);
    html_add(&p->h, ", which is not yet long (<code>--stuck-after</code>).");
}

static void verdict(struct page *p, enum page_mood mood)
{
    static const char *const words[] = {"Healthy", "Attention", "Stuck"};
    const struct status_summary *sum = snapshot_summary(p->r->s);
    html_add(&p->h, "<p class=\"verdict\"><strong class=\"badge %s\">%s</strong> ",
             page_moods[mood], words[mood]);
    if (mood == MOOD_BAD)
        say_stuck(p, sum);
    else if (sum->unreadable > 0)
        html_add(&p->h, "There are entries that cannot be read: see <code>cpm-queue check</code>.");
    else if (sum->abandoned > 0)
        html_add(&p->h, "Attempts died before their end; the next run takes those entries again.");
    else if (mood == MOOD_WARN)
        html_add(&p->h, "Attempts fail, and nothing was delivered in the last hour.");
    else
        say_overdue(p, sum->oldest_due_ms > 0 ? p->now_ms - sum->oldest_due_ms : -1);
    html_add(&p->h, "</p>\n");
}

/* What keeps this from being what is there now. */
static void how_known(struct page *p)
{
    const struct status_summary *sum = snapshot_summary(p->r->s);
    if (!sum->told && !sum->is_session)
        html_add(&p->h, "<p class=\"note\">The kernel does not tell what changes (no instance of "
                        "inotify is left): each look reads all names.</p>\n");
    else if (!sum->complete)
        html_add(&p->h, "<p class=\"note\">So much happened at once that notices were lost: until "
                        "all is read again, some of this may be old.</p>\n");
}

static void open_fact(struct page *p, const char *name)
{
    html_add(&p->h, "<div><dt>%s</dt><dd>", name);
}

static void close_fact(struct page *p)
{
    html_add(&p->h, "</dd></div>\n");
}

static void count_fact(struct page *p, const char *name, uint64_t n, const char *class)
{
    if (n > 0)
        html_add(&p->h, "<div><dt>%s</dt><dd class=\"%s\">%llu</dd></div>\n", name, class,
                 (unsigned long long)n);
}

static bool on_oldest(void *arg, const struct status_entry *e)
{
    struct page *p = arg;
    html_add(&p->h, "<a href=\"/entry/");
    html_query(&p->h, e->id);
    html_add(&p->h, "\">");
    page_age(p, e->birth_ms);
    html_add(&p->h, "</a> <span class=\"note\">");
    page_why(p, e);
    html_add(&p->h, "</span>");
    return false;
}

static void oldest_fact(struct page *p)
{
    open_fact(p, "Oldest waiting message");
    size_t empty = p->h.out->n;
    snapshot_first(p->r->s, STATUS_BY_AGE, on_oldest, p);
    if (p->h.out->n == empty)
        html_add(&p->h, "none");
    close_fact(p);
}

/* The most frequent one. */
static void on_mostly(void *arg, const struct status_group *g)
{
    struct page *p = arg;
    uint64_t n = g->entries[STATUS_WAITING] + g->entries[STATUS_HELD] + g->entries[STATUS_FAILED];
    if (n == 0)
        return;
    open_fact(p, "Most frequent reason");
    html_add(&p->h, "<span class=\"words\">");
    page_result(p, g->status, g->code, g->text);
    html_add(&p->h, "</span> <span class=\"note\">%llu %s</span>", (unsigned long long)n,
             n == 1 ? "entry" : "entries");
    close_fact(p);
}

void page_health(struct page *p, enum page_mood mood)
{
    const struct status_summary *sum = snapshot_summary(p->r->s);
    char rate[16];
    num_size_text(rate, sum->rate);
    html_add(&p->h,
             "<section class=\"health %s\" aria-labelledby=\"health\">\n"
             "<h2 id=\"health\">Health</h2>\n",
             page_moods[mood]);
    verdict(p, mood);
    how_known(p);
    html_add(&p->h, "<dl class=\"facts\">\n");
    oldest_fact(p);
    (void)snapshot_reasons(p->r->s, 1, on_mostly, p);
    open_fact(p, "Failures in the last hour");
    html_add(&p->h, "%llu <span class=\"note\">and %llu delivered</span>",
             (unsigned long long)sum->failures_hour, (unsigned long long)sum->deliveries_hour);
    close_fact(p);
    open_fact(p, "In transfer");
    html_add(&p->h, "%llu <span class=\"note\">%s/s</span>",
             (unsigned long long)sum->sessions[STATUS_TRANSFERRING], rate);
    close_fact(p);
    count_fact(p, "Died before their end", sum->abandoned, "warn");
    count_fact(p, "Cannot be read", sum->unreadable, "bad");
    html_add(&p->h, "</dl>\n");
    page_section_end(p);
}
