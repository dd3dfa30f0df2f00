/* Modes about the kernel: page faults, context switches, migrations, CPU time, threads, processes. */
#define _GNU_SOURCE
#include "truth.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* n page faults: the first write to each of n small pages. */
void touch(word n) {
    word size = (word)sysconf(_SC_PAGESIZE);
    char *area = mmap(NULL, n * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) unsupported("not enough memory");
    madvise(area, n * size, MADV_NOHUGEPAGE);
    for (word i = 0; i < n; i++) *(volatile char *)(area + i * size) = 1;
    munmap(area, n * size);
}

void prepare_switches(void) { prctl(PR_SET_TIMERSLACK, 1000UL); }

/* n context switches: n sleeps, so long that the timer does not fire before the thread has let go of the CPU, even where
 * setting a timer takes a hypervisor a while. */
void work_switches(word n) {
    const struct timespec moment = {0, 500000};
    for (word i = 0; i < n; i++) clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
}

static int cpus[2];
static cpu_set_t allowed;

static void move(int cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one)) unsupported("may not choose its CPU");
}

void prepare_migrations(void) {
    int found = 0;
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
        if (CPU_ISSET(cpu, &allowed)) cpus[found++] = cpu;
    if (found < 2) unsupported("needs two CPUs");
    move(cpus[1]);
}

/* n moves between two CPUs, beginning and ending on the second one: n must be even. */
void work_migrations(word n) {
    for (word i = 0; i < n; i++) move(cpus[i % 2]);
}

/* n milliseconds of CPU time. */
void work_busy(word n) {
    word end = now(CLOCK_THREAD_CPUTIME_ID) + n * 1000000u;
    while (now(CLOCK_THREAD_CPUTIME_ID) < end) chain(10);
}

static void skip(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    ucontext_t *interrupted = context;
#if defined(__x86_64__)
    interrupted->uc_mcontext.gregs[REG_RIP] += ILLEGAL_SIZE;
#elif defined(__aarch64__)
    interrupted->uc_mcontext.pc += ILLEGAL_SIZE;
#else
    interrupted->uc_mcontext.__gregs[REG_PC] += ILLEGAL_SIZE;
#endif
}

void prepare_illegal(void) {
    struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
}

/* n illegal instructions, each trapped and skipped. On RISC-V the firmware sees them first. */
void work_illegal(word n) {
    for (word i = 0; i < n; i++) __asm__ volatile(ILLEGAL ::: "memory");
}

/* The argument is 100 x threads started before `ready` + threads started after `go`; each does chain(n) and touch(n). */
#define MOST 99
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static word round_number, amount;
static unsigned early, late, finished;

static void *work_of_a_thread(void *nothing) {
    (void)nothing;
    chain(amount);
    touch(amount);
    return NULL;
}

static void *early_thread(void *nothing) {
    word seen = 0;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (round_number == seen) pthread_cond_wait(&changed, &lock);
        seen = round_number;
        pthread_mutex_unlock(&lock);
        work_of_a_thread(nothing);
        pthread_mutex_lock(&lock);
        finished++;
        pthread_cond_broadcast(&changed);
    }
    return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *)) {
    if (pthread_create(thread, NULL, body, NULL)) unsupported("could not start a thread");
}

void prepare_threads(void) {
    pthread_t thread;
    early = (unsigned)(argument / 100), late = (unsigned)(argument % 100);
    if (early > MOST) unsupported("too many threads");
    for (unsigned i = 0; i < early; i++) start(&thread, early_thread);
}

void work_threads(word n) {
    pthread_t threads[MOST];
    pthread_mutex_lock(&lock);
    amount = n, finished = 0, round_number++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < late; i++) start(&threads[i], work_of_a_thread);
    for (unsigned i = 0; i < late; i++) pthread_join(threads[i], NULL);
    pthread_mutex_lock(&lock);
    while (finished < early) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    report(", \"before\": %u, \"after\": %u", early, late);
}

/* A child process does chain(n) and touch(n). */
void work_fork(word n) {
    int status = 0;
    pid_t child = fork();
    if (child < 0) unsupported("could not fork");
    if (child == 0) {
        chain(n);
        touch(n);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0) {
    }
    if (status) unsupported("the child failed");
}

/* The process replaces itself by this program, which does chain(n) and touch(n), and goes on as it was told to. */
void work_exec(word n) {
    char number[24];
    char *words[8];
    int count = 0;
    snprintf(number, sizeof number, "%llu", (unsigned long long)n);
    words[count++] = arguments[0];
    words[count++] = "exec";
    words[count++] = number;
    words[count++] = "--continued";
    for (char **word_ = arguments; *word_; word_++)
        if (!strcmp(*word_, "--wait")) words[count++] = "--wait";
    words[count] = NULL;
    execv(words[0], words);
    unsupported("could not execute itself: argv[0] must be its path");
}
