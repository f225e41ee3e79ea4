/* A recipient of one MSRP message that shares no code with the programs it tests: SIPp answers the
 * INVITE and starts this for the media. It connects to the offer's path, says so with an empty SEND
 * (RFC 4975 5.4), answers each chunk and puts it where its Byte-Range says.
 *
 * usage: msrp-eat PEER-PATH OWN-PATH FILE [ANSWERS]
 * With ANSWERS, so many chunks are answered and the rest is read in silence. Ends when the peer
 * closes: 0 if the last chunk came. */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (8 << 20) /* more than any chunk */

struct eater {
    const char *peer, *own;
    int socket, file;
    unsigned long answers; /* still to give */
    size_t filled;
    bool whole; /* the chunk with $ came */
    char data[ROOM];
};

/* One request or response as it stands in the buffer. */
struct frame {
    const char *start, *end; /* from "MSRP" to after the end-line */
    char transaction[40], method[16];
    const char *tail; /* the CRLF before the end-line */
    char flag;
};

/* "msrp://host:port/session;tcp", host perhaps in brackets. */
static int dial(const char *path)
{
    char host[256], port[8];
    struct addrinfo *list, hints = {.ai_socktype = SOCK_STREAM};

    if (sscanf(path, "msrp://[%255[^]]]:%7[0-9]/", host, port) != 2 &&
        sscanf(path, "msrp://%255[^:]:%7[0-9]/", host, port) != 2)
        errx(2, "%s: no MSRP URI with a port", path);
    if (getaddrinfo(host, port, &hints, &list) != 0)
        errx(2, "%s: no address", host);
    int s = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || connect(s, list->ai_addr, list->ai_addrlen) != 0)
        err(2, "%s", path);
    freeaddrinfo(list);
    return s;
}

static void put(const struct eater *e, const char *text, int length)
{
    for (int done = 0; done < length;) {
        ssize_t n = send(e->socket, text + done, (size_t)(length - done), MSG_NOSIGNAL);
        if (n <= 0)
            err(2, "send");
        done += (int)n;
    }
}

static void say_hello(const struct eater *e)
{
    char text[4096];
    int n = snprintf(text, sizeof(text),
                     "MSRP h3ll0eat3r SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\n"
                     "Message-ID: hello.%d\r\nByte-Range: 1-0/0\r\n-------h3ll0eat3r$\r\n",
                     e->peer, e->own, (int)getpid());

    put(e, text, n);
}

/* The response goes to the first URI of From-Path, which is the peer itself here. */
static void answer(struct eater *e, const struct frame *f)
{
    char text[4096];

    if (e->answers == 0)
        return;
    e->answers--;
    int n = snprintf(text, sizeof(text),
                     "MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n",
                     f->transaction, e->peer, e->own, f->transaction);
    put(e, text, n);
}

/* Is there a whole frame at the start of the buffer? */
static bool find_frame(const struct eater *e, struct frame *f)
{
    char mark[64];
    const char *limit = e->data + e->filled;
    const char *line_end = memmem(e->data, e->filled, "\r\n", 2);

    f->start = e->data;
    if (line_end == NULL)
        return false;
    if (sscanf(e->data, "MSRP %39s %15s", f->transaction, f->method) != 2)
        errx(2, "no start line: %.*s", (int)(line_end - e->data), e->data);
    int n = snprintf(mark, sizeof(mark), "\r\n-------%s", f->transaction);
    f->tail = memmem(line_end, (size_t)(limit - line_end), mark, (size_t)n);
    if (f->tail == NULL || limit - f->tail < n + 3)
        return false;
    f->flag = f->tail[n];
    f->end = f->tail + n + 3;
    if (memcmp(f->end - 2, "\r\n", 2) != 0 || strchr("$+#", f->flag) == NULL)
        errx(2, "bad end-line of %s", f->transaction);
    return true;
}

/* The value of a header, behind ": "; headers stand before `body`. */
static const char *header(const struct frame *f, const char *body, const char *name)
{
    char key[64];
    int n = snprintf(key, sizeof(key), "\r\n%s: ", name);
    const char *found = memmem(f->start, (size_t)(body - f->start), key, (size_t)n);

    return found == NULL ? NULL : found + n;
}

static void keep(struct eater *e, const struct frame *f)
{
    int64_t from;
    const char *body = memmem(f->start, (size_t)(f->tail - f->start), "\r\n\r\n", 4);

    if (body == NULL)
        return; /* a SEND without a body */
    const char *range = header(f, body, "Byte-Range");
    if (range == NULL || sscanf(range, "%" SCNd64 "-", &from) != 1 || from < 1)
        errx(2, "%s: no Byte-Range", f->transaction);
    if (header(f, body, "Content-Type") == NULL)
        errx(2, "%s: no Content-Type", f->transaction);
    body += 4;
    size_t size = (size_t)(f->tail - body);
    if (pwrite(e->file, body, size, from - 1) != (ssize_t)size)
        err(2, "pwrite");
    e->whole = e->whole || f->flag == '$';
    printf("SEND %s %.*s octets=%zu flag=%c\n", f->transaction, (int)strcspn(range, "\r"), range,
           size, f->flag);
}

static void eat(struct eater *e)
{
    struct frame f;

    while (find_frame(e, &f)) {
        if (strcmp(f.method, "SEND") == 0) {
            keep(e, &f);
            answer(e, &f);
        }
        e->filled -= (size_t)(f.end - f.start);
        memmove(e->data, f.end, e->filled);
    }
}

int main(int argc, char **argv)
{
    static struct eater e;

    if (argc < 4)
        errx(2, "usage: msrp-eat PEER-PATH OWN-PATH FILE [ANSWERS]");
    e.peer = argv[1];
    e.own = argv[2];
    e.file = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (e.file < 0)
        err(2, "%s", argv[3]);
    e.answers = argc > 4 ? strtoul(argv[4], NULL, 10) : ~0UL;
    e.socket = dial(e.peer);
    say_hello(&e);
    for (;;) {
        ssize_t n = recv(e.socket, e.data + e.filled, sizeof(e.data) - e.filled, 0);
        if (n <= 0)
            return e.whole ? 0 : 1;
        e.filled += (size_t)n;
        eat(&e);
    }
}
