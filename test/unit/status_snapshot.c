/* The snapshot of one session: what its journal says, torn lines, secrets and what is masked. */
#include "status/answer.h"
#include "test/unit/tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define T "2026-11-22T10:00:0"
static const char journal[] =
    T "0.000Z cpm-queue[1] entry to=sip:bob@example.com birth=" T "0.000Z\n" T
      "1.000Z cpm-queue[1] attempt.start sid=a n=1\n" T
      "2.000Z cpm-msrp-serve[1] msrp.listening sid=a path=msrp://h:1/geheim;tcp octets=100\n" T
      "3.000Z cpm-invite[1] invite.failed sid=a status=75 code=480 "
      "reason=\"<b>\\x0a\\\"sip:eve@h\"\n" T "4.000Z cpm-bye[1] outcome sid=x status=0\n" T
      "4.000Z cpm-bye[1] outcome sid=a status=69 why=torn !\n" T
      "5.000Z cpm-bye[1] outcome sid=a status=75\n";

static void append(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    size_t n = strlen(text);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n || close(fd) != 0)
        exit(1);
}

static bool says(struct snapshot *s, const char *path, const char *query, unsigned status,
                 const char *text)
{
    struct status_answer a = {0};
    status_answer(s, path, query, &a);
    bool good =
        a.status == status && a.body.p && strstr(a.body.p, text) && !strstr(a.body.p, "geheim");
    if (!good)
        printf("# %u %s\n", a.status, a.body.p ? a.body.p : "");
    buf_free(&a.body);
    return good;
}

static void shown(struct snapshot *s)
{
    tap_ok(says(s, "/healthz", NULL, 200, "ok\n"), "health");
    tap_ok(says(s, "/api/queue", NULL, 200, "\"failed\":1"), "it failed");
    tap_ok(says(s, "/api/entries", "state=failed&reason=75", 200, "\"code\":480"), "by a filter");
    tap_ok(says(s, "/api/entries", "recipient=sip%3Abob%40example.com", 200, "\"to\":\"sip:bob@"),
           "a parameter is decoded");
    tap_ok(says(s, "/api/entries", "state=waiting", 200, "[],\"more\":false"), "another filter");
    tap_ok(says(s, "/api/entries", "state=odd", 400, "no such state"), "no such state");
    tap_ok(says(s, "/api/attempts", NULL, 200, "\"why\":\"<b>\\u000a\\\"sip:eve@h\""),
           "hostile text in JSON");
    tap_ok(says(s, "/", NULL, 200, "&lt;b&gt;\\x0a&quot;sip:eve@h"), "hostile text in HTML");
    tap_ok(says(s, "/metrics", NULL, 200, "cpm_attempts_ended_total{status=\"75\"} 1\n"),
           "counted");
    tap_ok(says(s, "/metrics", NULL, 200,
                "cpm_attempt_failures_total{stage=\"invite\",code=\"480\"} 1\n"),
           "... by what the peer said");
    tap_ok(says(s, "/metrics", NULL, 200,
                "cpm_attempt_duration_seconds_bucket{le=\"3\"} 0\n"
                "cpm_attempt_duration_seconds_bucket{le=\"10\"} 1\n"),
           "... and by how long it took");
    tap_ok(says(s, "/api/entry/journal", NULL, 200, "\"attempts\":1"), "an entry");
    tap_ok(says(s, "/api/entry/none", NULL, 404, "no such entry"), "no such entry");
    tap_ok(says(s, "/none", NULL, 404, "no such page"), "no such page");
    tap_ok(says(s, "/api/none", NULL, 404, "{\"error\":"), "... in JSON");
}

static void pages(struct snapshot *s)
{
    tap_ok(says(s, "/", NULL, 200, "<h1>Entry <bdi class=\"name\">journal<"),
           "a session file is one entry");
    tap_ok(says(s, "/entries", "reason=%3Cb%3E", 200, "reason <bdi class=\"name\">&lt;b&gt;<"),
           "a list by reason says so");
    tap_ok(says(s, "/entries", "state=odd", 400, "waiting, delivering, held"), "no such state");
    tap_ok(says(s, "/entry/journal", NULL, 200, "/session/journal?attempt=1"), "an entry's page");
    tap_ok(says(s, "/entry/%6aournal", NULL, 200, "msrp://h:1/***;tcp"), "its journal, cleaned");
    tap_ok(says(s, "/entry/none", NULL, 404, "purged"), "no such entry");
    tap_ok(says(s, "/session/journal", NULL, 200, "+2.000"), "a session's times from its start");
    tap_ok(says(s, "/session/journal", "attempt=1", 200, "<svg "), "by number, as a picture");
    tap_ok(says(s, "/session/journal", "attempt=2", 404, "no such attempt"), "none of that number");
    tap_ok(says(s, "/session/journal", "attempt=x", 404, "no such attempt"), "no number");
    tap_ok(says(s, "/", "refresh=5", 200, "http-equiv=\"refresh\" content=\"5\""), "it refreshes");
    tap_ok(says(s, "/session/journal", "attempt=1&refresh=5", 200,
                "<a href=\"/session/journal?attempt=1\">stop</a>"),
           "... and stops where it is");
    tap_ok(says(s, "/", "refresh=0", 200, "?refresh=10"), "... not without end");
    tap_ok(says(s, "/api/session/journal", NULL, 200, "\"values\":{\"sid\":\"a\",\"n\":\"1\"}"),
           "a session in JSON");
    tap_ok(says(s, "/api/session/journal", "attempt=7", 404, "no such attempt"), "... or not");
    tap_ok(says(s, "/api/entry/journal", NULL, 200, "\"history\":[\n{\"n\":1,\"sid\":\"a\""),
           "attempts in JSON");
    tap_ok(says(s, "/api/reasons", NULL, 200, "\"code\":480,\"why\":\"<b>"), "reasons");
    tap_ok(says(s, "/api/recipients", NULL, 200, "\"failed\":1"), "recipients");
    tap_ok(says(s, "/api/sessions", NULL, 200, "{\"sessions\":[],"), "no session now");
}

static bool hides(struct snapshot *s, const char *path, const char *query, const char *text)
{
    struct status_answer a = {0};
    status_answer(s, path, query, &a);
    bool good = a.status == 200 && a.body.p && !strstr(a.body.p, text);
    buf_free(&a.body);
    return good;
}

/* Lines and picture are of the attempt that is asked for, or of the last one. */
static void one_of_two(struct snapshot *s)
{
    static const char page[] = "/session/journal", json[] = "/api/session/journal";
    tap_ok(says(s, page, "attempt=1", 200, "attempt 1 to ") &&
               hides(s, page, "attempt=1", "attempt 2 to ") &&
               hides(s, page, "attempt=1", "msrp.progress"),
           "the first attempt");
    tap_ok(says(s, page, "attempt=1", 200, "/api/session/journal?attempt=1"), "... and its JSON");
    tap_ok(says(s, page, NULL, 200, "attempt 2 to ") && hides(s, page, NULL, "attempt 1 to ") &&
               hides(s, page, NULL, "msrp.listening"),
           "the last attempt");
    tap_ok(says(s, json, "attempt=1", 200, "msrp.listening") &&
               hides(s, json, "attempt=1", "\"sid\":\"b\",\"n\""),
           "... in JSON");
    tap_ok(says(s, "/entry/journal", NULL, 200, "attempt 2 to ") &&
               says(s, "/entry/journal", NULL, 200, "msrp.listening") &&
               hides(s, "/entry/journal", NULL, "attempt 1 to "),
           "all lines, and the last attempt as a picture");
}

/* The picture tells forks apart by what no page shows. */
static void forked(const char *path)
{
    struct snapshot_options o = {.since_ms = 1, .mask = true};
    struct snapshot *s;
    append(path, T "1.000Z q[1] attempt.start sid=f n=1\n" T
                   "2.000Z i[1] invite.sent sid=f next-hop=192.0.2.7:5060 uri=sip:bob@h\n" T
                   "3.000Z i[1] invite.progress sid=f code=180 to-tag=tagone\n" T
                   "4.000Z i[1] invite.progress sid=f code=180 to-tag=tagtwo "
                   "reason=\"msrp://h:1/geheim;tcp sip:eve@h\"\n");
    snapshot_open_session(&s, path, &o);
    tap_ok(says(s, "/session/forked", NULL, 200, ">fork 2<"), "a fork has a lifeline of its own");
    tap_ok(says(s, "/session/forked", NULL, 200, "180 msrp://h:1/***;tcp sip:***@h<"),
           "what the picture shows is cleaned and masked");
    tap_ok(hides(s, "/session/forked", NULL, "tagone"), "no tag is on the page");
    tap_ok(hides(s, "/session/forked", NULL, "sip:eve"), "... and nobody's name");
    snapshot_close(s);
}

/* The longest lines, of what grows the most where it is escaped. */
static void bounds(const char *path)
{
    static const char *const pages[] = {"/", "/session/large", "/api/entry/large",
                                        "/api/session/large", "/api/attempts"};
    struct snapshot_options o = {.since_ms = 1};
    struct snapshot *s;
    char line[4200], reason[4000], sid[16];
    memset(reason, '\1', sizeof reason);
    append(path, T "0.000Z cpm-queue[1] entry to=sip:bob@example.com\n");
    for (int i = 0; i < 500; i++) {
        (void)snprintf(sid, sizeof sid, "a%d", i);
        (void)snprintf(line, sizeof line, T "1.000Z q[1] attempt.start sid=%s n=1\n", sid);
        append(path, line);
        (void)snprintf(line, sizeof line, T "2.000Z q[1] invite.failed sid=%s reason=\"%.*s\"\n",
                       sid, (int)sizeof reason, reason);
        append(path, line);
        append(path, line);
        (void)snprintf(line, sizeof line, T "3.000Z q[1] outcome sid=%s status=75\n", sid);
        append(path, line);
    }
    snapshot_open_session(&s, path, &o);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        tap_ok(says(s, pages[i], NULL, 200, "75"), "%s however much was said", pages[i]);
    snapshot_close(s);
}

int main(void)
{
    char folder[] = "/tmp/status-XXXXXX", path[64], large[64], branches[64];
    struct snapshot_options o = {.since_ms = 1};
    struct snapshot *s;
    if (!mkdtemp(folder) || snprintf(path, sizeof path, "%s/journal", folder) < 0 ||
        snprintf(large, sizeof large, "%s/large", folder) < 0 ||
        snprintf(branches, sizeof branches, "%s/forked", folder) < 0)
        return 1;
    snapshot_open_session(&s, path, &o);
    tap_ok(says(s, "/api/queue", NULL, 200, "\"failed\":0"), "no file yet");
    tap_ok(says(s, "/session/journal", NULL, 200, "No attempt yet"), "... a page all the same");
    tap_ok(access(path, F_OK) != 0, "... and none was made");
    append(path, journal);
    shown(s);
    pages(s);
    append(path, T "6.000Z cpm-queue[1] attempt.start sid=b n=2\n" T
                   "6.500Z cpm-msrp-serve[1] msrp.progress sid=b octets=60 total=100\n" T
                   "7.000Z cpm-msr");
    tap_ok(says(s, "/metrics", NULL, 200, "cpm_confirmed_bytes_total 60\n"),
           "confirmed before the end");
    tap_ok(says(s, "/api/queue", NULL, 200, "\"abandoned\":1"), "nobody works on it");
    append(path, "p-serve[1] msrp.transferred sid=b octets=100\n" T "8.000Z c[1] outcome sid=b "
                 "status=0\n");
    tap_ok(says(s, "/metrics", NULL, 200, "cpm_delivered_bytes_total 100\n"),
           "a line in two parts");
    tap_ok(says(s, "/metrics", NULL, 200, "cpm_confirmed_bytes_total 100\n"),
           "no octet is counted twice");
    tap_ok(says(s, "/metrics", NULL, 200, "cpm_attempts_started_total 2\n"), "counted once");
    one_of_two(s);
    snapshot_close(s);
    o.mask = true;
    snapshot_open_session(&s, path, &o);
    tap_ok(says(s, "/api/entries", NULL, 200, "\"to\":\"sip:***@example.com\""), "masked");
    tap_ok(says(s, "/api/attempts", NULL, 200, "sip:***@h"), "... in the peer's words too");
    tap_ok(says(s, "/entry/journal", NULL, 200, "<b>to</b> <bdi>sip:***@example.com<"),
           "... and in the journal");
    char *text = snapshot_clean(s, SLICE("msrps://h:1/geheim;tcp tel:+15550100 sip:+1;x=y@h"));
    tap_is_str(text, "msrps://h:1/***;tcp tel:*** sip:***@h", "paths, numbers and parameters");
    free(text);
    snapshot_close(s);
    bounds(large);
    forked(branches);
    return unlink(path) == 0 && unlink(large) == 0 && unlink(branches) == 0 && rmdir(folder) == 0
               ? tap_done()
               : 1;
}
