/* Two levels of data caches, as one hart sees them: least recently used, write-allocate, filled on every demand miss.
 *
 * No prefetcher, no write-backs, no translation: virtual addresses. Nothing here depends on QEMU.
 */
#ifndef HWPROF_HIERARCHY_H
#define HWPROF_HIERARCHY_H

#include "classify.h"

#include <stdlib.h>

/* What accesses add to, behind the classes; FOREIGN: accesses of other vCPUs than the first, which are in no cache. */
enum {
    L1D_LOAD_MISSES = COUNTERS, L1D_STORE_MISSES, L2_MISSES, VECTOR_ELEMENTS, VECTOR_BYTES, SCALAR_BYTES, FOREIGN,
    ALL_COUNTERS
};
static const char *const memory_names[ALL_COUNTERS - COUNTERS] = {
    "l1d-load-misses", "l1d-store-misses", "l2-misses", "vector-elements", "vector-bytes", "scalar-bytes", "foreign",
};

struct cache {
    uint64_t *lines; /* sets x ways, the last one used first; a line's number plus 1, 0: empty */
    uint64_t sets, ways;
    unsigned shift; /* log2 of the bytes of a line */
};

static bool is_power(uint64_t n) { return n && !(n & (n - 1)); }

/* SIZE/WAYS/LINE in bytes; false where that is no cache. */
static bool make_cache(struct cache *cache, const char *text)
{
    char *end;
    uint64_t size = strtoull(text, &end, 10), ways = *end == '/' ? strtoull(end + 1, &end, 10) : 0;
    uint64_t line = *end == '/' ? strtoull(end + 1, &end, 10) : 0;
    if (*end || !ways || !is_power(line) || size % (ways * line) || !is_power(size / (ways * line)))
        return false;
    cache->sets = size / (ways * line);
    cache->ways = ways;
    for (cache->shift = 0; 1u << cache->shift < line; cache->shift++)
        ;
    cache->lines = calloc(cache->sets * ways, sizeof *cache->lines);
    return cache->lines != NULL;
}

/* Whether the line is there; it is the last one used afterwards in either case. */
static inline bool is_cached(struct cache *cache, uint64_t line)
{
    uint64_t *set = cache->lines + (line & (cache->sets - 1)) * cache->ways, wanted = line + 1, before = set[0];
    if (before == wanted)
        return true;
    set[0] = wanted;
    for (uint64_t way = 1; way < cache->ways; way++) { /* the others move back, up to the place of the wanted one */
        uint64_t here = set[way];
        set[way] = before;
        if (here == wanted)
            return true;
        before = here;
    }
    return false;
}

#endif
