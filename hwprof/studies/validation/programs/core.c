/* Modes about the core: instructions, memory accesses, branches, vectors, translations, caches. */
#define _GNU_SOURCE
#include "truth.h"
#include "vectors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEED 0x9e3779b97f4a7c15ull
#define LINE 64

static char buffer[1 << 16] __attribute__((aligned(4096))); /* eight vector registers of any size there is */

void work_chain(word n) { chain(n); }
void work_loads(word n) { loads(n, buffer); }
void work_stores(word n) { stores(n, buffer); }
void work_branches(word n) { branches(n); }
void work_fp(word n) { scalar_fp(n); }

void work_mispredict(word n) {
    static word state = SEED;
    report(", \"not_taken\": %llu", (unsigned long long)mispredict(n, &state));
}

/* The argument is the width: bits on x86-64 and aarch64, LMUL on riscv64; 0: the smallest. */
static void run_vector(enum kind kind, word n) {
    word lanes = vectors(kind, (unsigned)argument, n, buffer);
    if (!lanes) unsupported("no vectors of this width");
    report(", \"lanes\": %llu", (unsigned long long)lanes);
}

void prepare_vector(void) {
#if defined(__riscv)
    if (!argument) argument = 1;
#else
    if (!argument) argument = 128;
#endif
    memset(buffer, 0, sizeof buffer);
    run_vector(VECTOR_FP, 1); /* what can't run here says so before the counters open */
}

void work_vector(word n) { run_vector(VECTOR_ADD, n); }
void work_vectorfp(word n) { run_vector(VECTOR_FP, n); }
void work_vectorload(word n) { run_vector(VECTOR_LOAD, n); }
void work_vectorstore(word n) { run_vector(VECTOR_STORE, n); }

static char *map(size_t size) {
    void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) unsupported("not enough memory");
    madvise(area, size, MADV_NOHUGEPAGE);
    return area;
}

static char *pages;
static word page_count, page_size;

/* What the walks over pages visit next: a full period modulo any power of two (Knuth, TAOCP 2, 3.2.1.2). It goes on from
 * one round to the next, so that a page comes again only after all the others. */
static char *next_page(word read) {
    static word at = 1;
    at = at * 6364136223846793005u + 1442695040888963407u + read;
    return pages + (at & (page_count - 1)) * page_size;
}

static void map_pages(word usual) {
    page_size = (word)sysconf(_SC_PAGESIZE);
    page_count = argument ? argument : usual;
    if (page_count & (page_count - 1)) unsupported("the number of pages must be a power of two");
    pages = map(page_count * page_size);
    argument = page_count;
}

/* One load from each of so many pages that no TLB holds them, in an order nothing foresees. The pages are only read, so
 * that all are the kernel's one page of zeros: translations miss, the data cache hits. */
void prepare_tlb(void) {
    volatile char sum = 0;
    map_pages(1 << 16);
    for (word i = 0; i < page_count; i++) sum += pages[i * page_size];
}

void work_tlb(word n) {
    word read = 0; /* a zero: what was read orders the loads */
    for (word i = 0; i < n; i++) read = *(volatile unsigned char *)next_page(read);
}

/* The same with a store: these pages have memory of their own. */
void prepare_tlbstore(void) {
    map_pages(1 << 14);
    for (word i = 0; i < page_count; i++) pages[i * page_size] = 1;
}

void work_tlbstore(word n) {
    for (word i = 0; i < n; i++) *(volatile char *)next_page(0) = 1;
}

/* One call into each of so many pages, all of which hold a return and nothing else. */
void prepare_itlb(void) {
    map_pages(1 << 14);
    for (word i = 0; i < page_count; i++) memcpy(pages + i * page_size, RETURN, sizeof RETURN - 1);
    if (mprotect(pages, page_count * page_size, PROT_READ | PROT_EXEC)) unsupported("may not execute what it wrote");
    __builtin___clear_cache(pages, pages + page_count * page_size);
}

void work_itlb(word n) {
    for (word i = 0; i < n; i++) {
        void (*function)(void);
        char *code = next_page(0);
        memcpy(&function, &code, sizeof function);
        function();
    }
}

static void **first;

/* A closed walk through every line of a working set of `argument` bytes, in random order (Sattolo 1986). */
void prepare_chase(void) {
    word lines = argument / LINE, state = SEED;
    if (lines < 2) unsupported("the working set is too small: give its size in bytes");
    char *area = map(lines * LINE);
    madvise(area, lines * LINE, MADV_HUGEPAGE); /* or every miss of a cache would be one of the TLB too */
    uint32_t *order = malloc(lines * sizeof *order);
    if (!order) unsupported("not enough memory");
    for (word i = 0; i < lines; i++) order[i] = (uint32_t)i;
    for (word i = lines - 1; i > 0; i--) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        word j = state % i;
        uint32_t other = order[i];
        order[i] = order[j], order[j] = other;
    }
    for (word i = 0; i < lines; i++)
        *(void **)(area + (word)order[i] * LINE) = area + (word)order[(i + 1) % lines] * LINE;
    free(order);
    first = (void **)area;
    work_chase(lines);
}

void work_chase(word n) {
    void *volatile *at = (void *volatile *)first;
    for (word i = 0; i < n; i++) at = (void *volatile *)*at;
    first = (void **)at;
}
