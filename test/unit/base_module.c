/* Modules are found, checked and named when they are missing; hashes come through one. */
#include "base/hash.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <stdlib.h>

static char why[MODULE_WHY_SIZE];

static void hashes(enum hash algorithm, struct slice parts[2], const char *want, const char *what)
{
    char hex[HASH_HEX_SIZE] = "";
    tap_is_int(hash_hex(algorithm, parts, 2, hex, why), 0, what);
    tap_is_str(hex, want, what);
}

/* The vectors of RFC 1321 and FIPS 180-4 for "abc", in two parts. */
static void test_hashes(void)
{
    struct slice parts[2] = {SLICE("a"), SLICE("bc")};
    hashes(HASH_MD5, parts, "900150983cd24fb0d6963f7d28e17f72", "MD5");
    hashes(HASH_SHA_256, parts, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
           "SHA-256");
    hashes(HASH_SHA_512_256, parts,
           "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23", "SHA-512/256");
}

static void test_nothing_to_hash(void)
{
    char hex[HASH_HEX_SIZE];
    struct slice empty = {NULL, 0};
    tap_is_int(hash_hex(HASH_MD5, NULL, 0, hex, why), 0, "no parts");
    tap_is_str(hex, "d41d8cd98f00b204e9800998ecf8427e", "no parts are the empty text");
    tap_is_int(hash_hex(HASH_MD5, &empty, 1, hex, why), 0, "an empty part");
    tap_is_str(hex, "d41d8cd98f00b204e9800998ecf8427e", "an empty part is the empty text");
}

static void test_missing(void)
{
    why[0] = '\0';
    tap_ok(module_open("none", sizeof(struct module), why) == NULL, "a module that is not there");
    tap_ok(strstr(why, "lib/cpm-delivery/none.so") && !strchr(why, '\n'), "its path is named: %s",
           why);
}

/* Before anything else: once it is loaded, the module stays. */
static void test_moved(void)
{
    char hex[HASH_HEX_SIZE];
    (void)setenv("CPM_MODULES", "/nowhere", 1);
    tap_is_int(hash_hex(HASH_MD5, NULL, 0, hex, why), ENOSYS, "CPM_MODULES moves the folder");
    tap_ok(strstr(why, "/nowhere/openssl.so") != NULL, "and it is named: %s", why);
    (void)unsetenv("CPM_MODULES");
}

static void test_wrong_one(void)
{
    why[0] = '\0';
    tap_ok(module_open("openssl", sizeof(struct module), why) == NULL, "a table of another size");
    tap_ok(strstr(why, "built for other programs") && strstr(why, CPM_VERSION), "is refused: %s",
           why);
}

int main(void)
{
    test_moved();
    test_hashes();
    test_nothing_to_hash();
    test_missing();
    test_wrong_one();
    return tap_done();
}
