#include "status/page.h"

#include "base/clock.h"
#include "base/num.h"
#include "status/answer.h"

#include <stdlib.h>
#include <string.h>

#define REFRESH_LEAST 2
#define REFRESH_MOST  3600
#define REFRESH_USUAL 10

const char *const page_moods[] = {"good", "warn", "bad", "none"};

/* --- The frame. */

/* A dot in the colour of the mood, so that it is seen among other tabs. */
static void icon(struct page *p, enum page_mood mood)
{
    static const char *const colours[] = {"1a7f37", "b7791f", "c4221b", "5b6570"};
    html_add(
        &p->h,
        "<link rel=\"icon\" href=\"data:image/svg+xml,%%3Csvg xmlns='http://www.w3.org/2000/svg' "
        "viewBox='0 0 16 16'%%3E%%3Ccircle cx='8' cy='8' r='7' fill='%%23%s'/%%3E%%3C/svg%%3E\">\n",
        colours[mood]);
}

/* Every so many seconds; 0: not by itself. */
static int64_t refresh_of(const struct status_request *r)
{
    char *text = status_parameter(r->query, "refresh");
    int64_t s = 0;
    if (text && num_int(text, REFRESH_LEAST, REFRESH_MOST, &s) != 0)
        s = 0;
    free(text);
    return s;
}

/* The address of this page, to be refreshed every `s` seconds or, with 0, not by itself. */
static void self(struct page *p, unsigned s)
{
    const char *before = "?";
    html_add(&p->h, "%s", p->r->path);
    for (struct slice rest = slice_of(p->r->query); rest.p;) {
        struct slice one = slice_cut(&rest, '&');
        if (one.n == 0 || slice_starts(one, "refresh="))
            continue;
        char *text = slice_dup(one);
        html_add(&p->h, "%s%s", before, text);
        before = "&";
        free(text);
    }
    if (s > 0)
        html_add(&p->h, "%srefresh=%u", before, s);
}

static void refreshing(struct page *p)
{
    int64_t every = refresh_of(p->r);
    html_add(&p->h, "<p class=\"as-of\">As of ");
    page_when(p, p->now_ms);
    html_add(&p->h, " UTC. <span class=\"refresh\"><a href=\"");
    self(p, 0);
    html_add(&p->h, "\">Refresh</a>, or <a href=\"");
    self(p, every > 0 ? 0 : REFRESH_USUAL);
    if (every > 0)
        html_add(&p->h, "\">stop</a> refreshing every %lld s", (long long)every);
    else
        html_add(&p->h, "\">every %d s</a>", REFRESH_USUAL);
    html_add(&p->h, ".</span></p>\n");
}

static void navigation(struct page *p)
{
    static const struct {
        const char *path, *name;
    } pages[] = {{"/", "Overview"}, {"/entries", "Entries"}, {"/metrics", "Metrics"}};
    html_add(&p->h, "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
                    "<header><nav aria-label=\"Pages\"><ul>");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        html_add(&p->h, "<li><a href=\"%s\"", pages[i].path);
        if (strcmp(p->r->path, pages[i].path) == 0)
            html_add(&p->h, " aria-current=\"page\"");
        html_add(&p->h, ">%s</a></li>", pages[i].name);
    }
    html_add(&p->h, "</ul></nav></header>\n<main id=\"main\" tabindex=\"-1\">\n");
}

void page_begin(struct page *p, const struct status_request *r, const char *title, const char *name,
                enum page_mood mood, bool refreshes)
{
    static const char *const marks[] = {"", "! ", "!! ", ""};
    int64_t every = refreshes ? refresh_of(r) : 0;
    *p = (struct page){.out = BUF_UP_TO(STATUS_ANSWER_MAX), .r = r};
    p->h = (struct html){&p->out, 0};
    p->now_ms = snapshot_summary(r->s)->now_ms;
    html_add(&p->h,
             "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n"
             "<title>%s%s%s%.80s \xc2\xb7 CPM deliveries</title>\n"
             "<link rel=\"stylesheet\" href=\"/style.css\">\n",
             marks[mood], title, *name ? " " : "", name);
    if (every > 0)
        html_add(&p->h, "<meta http-equiv=\"refresh\" content=\"%lld\">\n", (long long)every);
    icon(p, mood);
    html_add(&p->h, "</head>\n<body>\n");
    navigation(p);
    html_add(&p->h, "<div class=\"top\"><h1>%s", title);
    if (*name)
        html_add(&p->h, " <bdi class=\"name\">%.200s</bdi>", name);
    html_add(&p->h, "</h1>\n");
    if (refreshes)
        refreshing(p);
    html_add(&p->h, "</div>\n");
}

unsigned page_end(struct page *p, unsigned status, FILE *f)
{
    html_add(&p->h, "</main>\n<footer><p>cpm-status %s</p></footer>\n</body>\n</html>\n",
             CPM_VERSION);
    if (p->h.error) {
        (void)fputs("<!DOCTYPE html><title>Too much to show</title><p>There is too much to "
                    "show.</p>\n",
                    f);
        status = 503;
    } else {
        (void)fwrite(p->out.p, 1, p->out.n, f);
    }
    buf_free(&p->out);
    return status;
}

void page_section(struct page *p, const char *id, const char *heading)
{
    html_add(&p->h, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", id, id, heading);
}

void page_section_end(struct page *p)
{
    html_add(&p->h, "</section>\n");
}

void page_table(struct page *p, const char *caption, const struct page_column *columns, bool cards)
{
    p->columns = columns;
    html_add(&p->h, "<table class=\"%s\">\n<caption>%s</caption>\n<thead><tr>",
             cards ? "cards" : "", caption);
    for (; columns->name; columns++)
        html_add(&p->h, "<th scope=\"col\" class=\"%s\">%s</th>", columns->classes, columns->name);
    html_add(&p->h, "</tr></thead>\n<tbody>\n");
}

void page_row(struct page *p)
{
    p->column = 0;
    html_add(&p->h, "<tr><th scope=\"row\" class=\"%s\">", p->columns[0].classes);
}

void page_cell(struct page *p)
{
    html_add(&p->h, p->column == 0 ? "</th>" : "</td>");
    const struct page_column *c = &p->columns[++p->column];
    html_add(&p->h, "<td class=\"%s\" data-label=\"%s\">", c->classes, c->name);
}

void page_row_end(struct page *p)
{
    html_add(&p->h, "</td></tr>\n");
}

void page_table_end(struct page *p)
{
    html_add(&p->h, "</tbody>\n</table>\n");
}
