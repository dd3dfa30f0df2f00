// What a set of CPUs can do at most: arithmetic, bandwidth of a working set, latency of a load.
//
//     ceilings fp|int8|triad|chase BYTES SECONDS REPETITIONS CPU[,CPU...]
//
// One thread per CPU, pinned, all started together. One JSON line per repetition: `rate` (FLOP/s, integer operations/s,
// bytes/s, or seconds per load) and `share`, the CPU time of the threads by elapsed time: below 1, something else ran.
// WIDTH: bytes of a vector (that of one number: scalar). NUMBER: float or _Float16.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef NUMBER
#define NUMBER float
#endif
#ifndef WIDTH
#define WIDTH 16
#endif
#ifndef ROW  // of the row that four others meet; VNNI multiplies unsigned by signed
#define ROW int8_t
#endif
#define LANES (WIDTH / sizeof(NUMBER))
#define LINE 64
#define MOST 1024

typedef NUMBER number;
#if WIDTH > 4
typedef number vector __attribute__((vector_size(WIDTH)));
#else
typedef number vector;
#endif
// The compiler must believe that somebody reads it.
#define KEEP(x) __asm__ volatile("" : : "g"(&(x)) : "memory")

static const char *mode;
static size_t bytes;
static double seconds;
static int repetitions, count, cpus[MOST];
static pthread_barrier_t barrier;
static double elapsed[MOST], busy[MOST], work[MOST];

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Twelve chains that don't wait for each other: more than latency x units of any core so far, fewer than registers.
__attribute__((noinline)) double fp_work(size_t times) {
    vector a, b, x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, xa, xb;
    memset(&a, 0, sizeof a);
    a = a + (number)0.5;
    b = a;
    x0 = x1 = x2 = x3 = x4 = x5 = x6 = x7 = x8 = x9 = xa = xb = a;
    // Unknown to the compiler, each by itself: twelve equal chains would be computed once.
    KEEP(a); KEEP(b);
    KEEP(x0); KEEP(x1); KEEP(x2); KEEP(x3); KEEP(x4); KEEP(x5); KEEP(x6); KEEP(x7); KEEP(x8); KEEP(x9); KEEP(xa); KEEP(xb);
    for (size_t i = 0; i < times; i++) {
        x0 = x0 * a + b; x1 = x1 * a + b; x2 = x2 * a + b; x3 = x3 * a + b;
        x4 = x4 * a + b; x5 = x5 * a + b; x6 = x6 * a + b; x7 = x7 * a + b;
        x8 = x8 * a + b; x9 = x9 * a + b; xa = xa * a + b; xb = xb * a + b;
    }
    vector sum = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + xa + xb;
    KEEP(sum);
    return (double)times * 12 * 2 * LANES;
}

#define DOTS 2048
// One row against four, as a matrix product does it; how it is made of instructions is the compiler's.
__attribute__((noinline)) double int8_work(const ROW *restrict a, const int8_t *restrict b, size_t times) {
    for (size_t t = 0; t < times; t++) {
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (int i = 0; i < DOTS; i++) {
            s0 += (int32_t)a[i] * b[i];
            s1 += (int32_t)a[i] * b[i + DOTS];
            s2 += (int32_t)a[i] * b[i + 2 * DOTS];
            s3 += (int32_t)a[i] * b[i + 3 * DOTS];
        }
        KEEP(s0); KEEP(s1); KEEP(s2); KEEP(s3);
    }
    return (double)times * 2 * 4 * DOTS;
}

__attribute__((noinline)) double triad_work(float *restrict a, const float *restrict b, const float *restrict c, size_t n,
                                            size_t times) {
    for (size_t t = 0; t < times; t++) {
        for (size_t i = 0; i < n; i++) a[i] = b[i] + 0.5f * c[i];
        KEEP(*a);
    }
    return (double)times * (double)n * 3 * sizeof(float);
}

__attribute__((noinline)) double chase_work(void **start, size_t times) {
    void **p = start;
    for (size_t i = 0; i < times; i++) p = (void **)*p;
    KEEP(p);
    return (double)times;
}

// One cycle through all lines in random order (Sattolo), so that no prefetcher helps.
static void shuffle(char *place, size_t lines, unsigned seed) {
    size_t *order = malloc(lines * sizeof *order);
    if (!order) exit(3);
    for (size_t i = 0; i < lines; i++) order[i] = i;
    uint64_t state = seed * 2654435761u + 1;
    for (size_t i = lines - 1; i > 0; i--) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t j = (size_t)(state >> 33) % i, other = order[i];
        order[i] = order[j];
        order[j] = other;
    }
    for (size_t i = 0; i < lines; i++) *(void **)(place + order[i] * LINE) = place + order[(i + 1) % lines] * LINE;
    free(order);
}

static void *allocated(size_t size) {
    void *place = NULL;
    if (posix_memalign(&place, 4096, size)) exit(3);
    memset(place, 1, size);  // here, by the thread that uses it: on its node
    return place;
}

static void *run(void *argument) {
    int me = (int)(intptr_t)argument;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpus[me], &set);
    if (sched_setaffinity(0, sizeof set, &set)) exit(4);
    size_t n = bytes / 3 / sizeof(float) / 16 * 16, lines = bytes / LINE;
    float *a = NULL, *b = NULL, *c = NULL;
    int8_t *rows = NULL;
    char *list = NULL;
    if (!strcmp(mode, "triad")) a = allocated(n * 4), b = allocated(n * 4), c = allocated(n * 4);
    if (!strcmp(mode, "int8")) rows = allocated(5 * DOTS);
    if (!strcmp(mode, "chase")) shuffle(list = allocated(lines * LINE), lines, 7u + (unsigned)me);
    size_t times = 1;
    for (int r = -1; r < repetitions; r++) {  // -1 finds how often fits into the time
        if (r >= 0) pthread_barrier_wait(&barrier);
        for (;;) {
            double t0 = now(CLOCK_MONOTONIC_RAW), c0 = now(CLOCK_THREAD_CPUTIME_ID);
            if (a) work[me] = triad_work(a, b, c, n, times);
            else if (rows) work[me] = int8_work((const ROW *)rows, rows + DOTS, times);
            else if (list) work[me] = chase_work((void **)list, times);
            else work[me] = fp_work(times);
            busy[me] = now(CLOCK_THREAD_CPUTIME_ID) - c0;  // within the elapsed time: a share is not above 1
            elapsed[me] = now(CLOCK_MONOTONIC_RAW) - t0;
            if (r >= 0) break;
            if (elapsed[me] > seconds / 4) {
                times = (size_t)((double)times * seconds / elapsed[me]) + 1;
                break;
            }
            times *= 2;
        }
        if (r < 0) continue;
        pthread_barrier_wait(&barrier);
        if (me == 0) {
            double all = 0, longest = 0, cpu = 0, wall = 0;
            for (int i = 0; i < count; i++) {
                all += work[i];
                cpu += busy[i];
                wall += elapsed[i];
                if (elapsed[i] > longest) longest = elapsed[i];
            }
            double rate = list ? wall / all : all / longest;
            printf("{\"rate\": %.9g, \"share\": %.4f, \"seconds\": %.6f}\n", rate, cpu / wall, longest);
            fflush(stdout);
        }
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: ceilings fp|int8|triad|chase BYTES SECONDS REPETITIONS CPU,CPU\n");
        return 2;
    }
    mode = argv[1];
    bytes = strtoull(argv[2], NULL, 10);
    seconds = atof(argv[3]);
    repetitions = atoi(argv[4]);
    for (char *word = strtok(argv[5], ","); word && count < MOST; word = strtok(NULL, ",")) cpus[count++] = atoi(word);
    if (!count || pthread_barrier_init(&barrier, NULL, (unsigned)count)) return 2;
    pthread_t threads[MOST];
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)(intptr_t)i)) return 3;
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
    return 0;
}
