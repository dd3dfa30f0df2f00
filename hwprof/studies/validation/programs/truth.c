/* A program that does a known amount of one thing, for counters to be checked against.
 *
 *   truth MODE N [ARGUMENT]          do it once, print the result
 *   truth MODE N [ARGUMENT] --wait   say {"ready": pid}, then do it once for every line `go` or `go N` on stdin, printing
 *                                    a result after each; end of input ends the program
 *
 * Output is one JSON object per line on stdout. Exit codes: 0 done, 2 usage, 3 this machine can't do it.
 * What a mode needs beforehand (memory, threads) is made before the line `ready`. It opens no counters itself.
 */
#define _GNU_SOURCE
#include "truth.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct mode {
    const char *name;
    void (*prepare)(void);
    void (*work)(word n);
};

static const struct mode MODES[] = {
    {"chain", NULL, work_chain},
    {"loads", NULL, work_loads},
    {"stores", NULL, work_stores},
    {"branches", NULL, work_branches},
    {"mispredict", NULL, work_mispredict},
    {"fp", NULL, work_fp},
    {"vector", prepare_vector, work_vector},
    {"vectorfp", prepare_vector, work_vectorfp},
    {"vectorload", prepare_vector, work_vectorload},
    {"vectorstore", prepare_vector, work_vectorstore},
    {"tlb", prepare_tlb, work_tlb},
    {"tlbstore", prepare_tlbstore, work_tlbstore},
    {"itlb", prepare_itlb, work_itlb},
    {"chase", prepare_chase, work_chase},
    {"faults", NULL, touch},
    {"switches", prepare_switches, work_switches},
    {"migrations", prepare_migrations, work_migrations},
    {"busy", NULL, work_busy},
    {"illegal", prepare_illegal, work_illegal},
    {"threads", prepare_threads, work_threads},
    {"fork", NULL, work_fork},
    {"exec", NULL, work_exec},
};

word argument;
char **arguments;
static const struct mode *mode;
static char extra[128];

void report(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(extra, sizeof extra, format, values);
    va_end(values);
}

static void say(const char *format, ...) {
    char line[512];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (length <= 0 || write(1, line, (size_t)length) != length) _exit(1);
}

void unsupported(const char *why) {
    say("{\"program\": \"%s\", \"arch\": \"" ARCHITECTURE "\", \"unsupported\": \"%s\"}\n", mode->name, why);
    _exit(3);
}

static void illegal(int number) {
    (void)number;
    unsupported("an instruction of this program is unknown to this CPU or not enabled by its kernel");
}

word now(int clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (word)t.tv_sec * 1000000000u + (word)t.tv_nsec;
}

/* Without `elapsed` it takes the same number of instructions each time: its number of digits would show in the counts. */
static void result(word n, const char *elapsed) {
    say("{\"program\": \"%s\", \"arch\": \"" ARCHITECTURE "\", \"n\": %llu, \"argument\": %llu%s%s}\n", mode->name,
        (unsigned long long)n, (unsigned long long)argument, elapsed, extra);
}

static void once(word n) {
    extra[0] = 0;
    if (n) mode->work(n);
    result(n, "");
}

static void timed(word n) {
    char text[64];
    word start = now(CLOCK_MONOTONIC);
    extra[0] = 0;
    if (n) mode->work(n);
    snprintf(text, sizeof text, ", \"elapsed_ns\": %llu", (unsigned long long)(now(CLOCK_MONOTONIC) - start));
    result(n, text);
}

/* One line of stdin without its end, byte by byte: nothing may be read ahead, as `exec` hands stdin on. */
static int read_line(char *line, size_t size) {
    size_t length = 0;
    char letter;
    for (;;) {
        ssize_t got = read(0, &letter, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return 0;
        if (letter == '\n') break;
        if (length + 1 < size) line[length++] = letter;
    }
    line[length] = 0;
    return 1;
}

static int number(const char *text, word *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

static int usage(void) {
    fprintf(stderr, "usage: truth MODE N [ARGUMENT] [--wait]\nmodes:");
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++) fprintf(stderr, " %s", MODES[i].name);
    fprintf(stderr, "\n");
    return 2;
}

int main(int count, char **words) {
    int wait = 0, continued = 0, plain = 0;
    word n = 0, values[2] = {0, 0};
    arguments = words;
    for (int i = 1; i < count; i++) {
        if (!strcmp(words[i], "--wait")) wait = 1;
        else if (!strcmp(words[i], "--continued")) continued = 1; /* the second half of `exec` */
        else if (plain == 0) {
            for (size_t m = 0; m < sizeof MODES / sizeof *MODES; m++)
                if (!strcmp(words[i], MODES[m].name)) mode = &MODES[m];
            plain++;
        } else if (plain > 2 || !number(words[i], &values[plain++ - 1])) return usage();
    }
    if (!mode || plain < 2) return usage();
    n = values[0];
    argument = values[1];
    signal(SIGILL, illegal);
    if (mode->prepare) mode->prepare();
    if (continued) {
        chain(n);
        touch(n);
        result(n, "");
    }
    if (!wait) {
        if (!continued) timed(n);
        return 0;
    }
    if (!continued) say("{\"ready\": %ld}\n", (long)getpid());
    char line[64];
    while (read_line(line, sizeof line)) {
        word asked = n;
        if (strncmp(line, "go", 2) || (line[2] && (line[2] != ' ' || !number(line + 3, &asked)))) return usage();
        once(asked);
    }
    return 0;
}
