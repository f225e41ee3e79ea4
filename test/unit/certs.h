/* The certificates that test/certs makes, in a folder that goes with certs_end. */
#ifndef TEST_UNIT_CERTS_H
#define TEST_UNIT_CERTS_H

#include "base/mem.h"
#include "base/spawn.h"
#include "base/tls.h"
#include "test/unit/tap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

static char certs_folder[] = "/tmp/cpm-certs-XXXXXX";

__attribute__((unused)) static int certs_run(const char *program, const char *option,
                                             const char *argument)
{
    char *argv[] = {mem_dup(program), mem_dup(option ? option : argument),
                    option ? mem_dup(argument) : NULL, NULL};
    pid_t pid;
    int status = -1;
    char *path = strchr(program, '/') ? mem_dup(program) : spawn_find(program, NULL);
    int err = path ? spawn(path, argv, NULL, 0, &pid) : 1;
    for (size_t i = 0; i < 3; i++)
        free(argv[i]);
    free(path);
    return err || waitpid(pid, &status, 0) != pid ? -1 : status;
}

__attribute__((unused)) static void certs_begin(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(certs_folder) && certs_run("test/certs", NULL, certs_folder) == 0)
        return;
    printf("Bail out! test/certs makes no certificates\n");
    exit(1);
}

__attribute__((unused)) static void certs_end(void)
{
    (void)certs_run("rm", "-r", certs_folder);
}

/* One of the last four names. */
__attribute__((unused)) static const char *certs_file(const char *name)
{
    static char texts[4][128];
    static unsigned next;
    char *text = texts[next++ % 4];
    (void)snprintf(text, sizeof(texts[0]), "%s/%s", certs_folder, name);
    return text;
}

/* With the certificate NAME; "made": one for this run; NULL: none. Trusts CA, or as usual. */
__attribute__((unused)) static struct tls_context *certs_context(const char *name, const char *ca)
{
    struct tls_context *c = NULL;
    char cert[64], key[64], why[TLS_WHY_SIZE];
    bool made = name && strcmp(name, "made") == 0;
    struct tls_plan plan = {.ca = ca ? certs_file(ca) : NULL, .make_cert = made, .expired = true};
    if (name && !made) {
        (void)snprintf(cert, sizeof(cert), "%s.pem", name);
        (void)snprintf(key, sizeof(key), "%s.key", name);
        plan.cert = certs_file(cert);
        plan.key = certs_file(key);
    }
    if (tls_context_new(&c, &plan, why) == 0)
        return c;
    printf("Bail out! a context with %s: %s\n", name ? name : "nothing", why);
    exit(1);
}

#endif
