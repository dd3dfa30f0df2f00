/* What is counted of a program by `hwprof run -- PROGRAM` lies between hwprof_start() and hwprof_stop().
 *
 *     hwprof_start();
 *     for (i = 0; i < 100; i++) infer(model, input);
 *     hwprof_stop();
 *     hwprof_frames(100);
 *
 * Where nobody counts nothing happens. HWPROF_CONTROL names two FIFOs, which speak as `perf stat --control` does.
 */
#ifndef HWPROF_H
#define HWPROF_H
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void hwprof_say(const char *words, int is_answered) {
    static int control = -2, answers = -2; /* -2: not opened yet */
    const char *places = control == -2 ? getenv("HWPROF_CONTROL") : 0, *comma = places ? strchr(places, ',') : 0;
    char first[4096], answer = 0;
    if (control == -2) {
        snprintf(first, sizeof first, "%.*s", comma ? (int)(comma - places) : 0, comma ? places : "");
        control = comma ? open(first, O_RDWR | O_CLOEXEC) : -1; /* to write; a FIFO with a reader raises no SIGPIPE */
        answers = comma ? open(comma + 1, O_RDONLY | O_CLOEXEC) : -1;
    }
    if (control < 0 || answers < 0 || write(control, words, strlen(words)) < 0) return;
    while (is_answered && answer != '\n' && read(answers, &answer, 1) == 1) continue;
}

/* Counting has begun when this returns. */
static inline void hwprof_start(void) { hwprof_say("enable\n", 1); }

/* Counting has ended when this returns. */
static inline void hwprof_stop(void) { hwprof_say("disable\n", 1); }

/* How many frames (inferences times batch) the last stretch, or the one that is being counted, has computed. */
static inline void hwprof_frames(long count) {
    char words[40];
    snprintf(words, sizeof words, "frames %ld\n", count);
    hwprof_say(words, 0);
}
#endif
