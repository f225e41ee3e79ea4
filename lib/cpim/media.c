/* Media types of the files that people send (IANA media types). */
#include "cpim/cpim.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *ending;
    const char *type;
} kinds[] = {
    {"3gp", "video/3gpp"},
    {"amr", "audio/amr"},
    {"csv", "text/csv;charset=UTF-8"},
    {"gif", "image/gif"},
    {"heic", "image/heic"},
    {"ics", "text/calendar;charset=UTF-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"json", "application/json"},
    {"m4a", "audio/mp4"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"txt", "text/plain;charset=UTF-8"},
    {"vcf", "text/vcard;charset=UTF-8"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webp", "image/webp"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
};

const char *cpim_type_of_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    const char *dot = strrchr(base, '.');
    if (!dot || dot == base)
        return NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strcasecmp(dot + 1, kinds[i].ending) == 0)
            return kinds[i].type;
    }
    return NULL;
}
