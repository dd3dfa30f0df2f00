// Does what its words say, in order. CODE:N:TIMES tells the test PMU TIMES times of N accesses; child:... and thread:...
// have a child or a thread do that and wait for its end; waiting:... starts a thread that does it after go; go prints a
// line, waits for one, and for the end of those threads; cpu:K stays on one CPU from here on; spin:MS takes CPU time;
// heat:PEAK:FALL heats the test equipment's thermal zone.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int device = -1;
static pthread_t waiting[8];
static int many;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int going;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void *tell(void *word)
{
    int code, times = 1;
    unsigned long long number;
    char text[48];
    if (sscanf(word, "%i:%llu:%d", &code, &number, &times) < 2)
        fail(word);
    int size = snprintf(text, sizeof text, "%d %llu", code, number);
    while (times-- > 0)
        if (write(device, text, size) != size)
            fail("/dev/testpmu");
    return NULL;
}

static void *tell_later(void *word)
{
    pthread_mutex_lock(&lock);
    while (!going)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return tell(word);
}

static void in_child(char *word)
{
    pid_t pid = fork();
    if (pid == 0) {
        tell(word);
        _exit(0);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
        fail("child");
}

static void in_thread(char *word)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, tell, word) || pthread_join(thread, NULL))
        fail("thread");
}

static void stay(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        fail("sched_setaffinity");
}

static void spin(double ms)
{
    struct timespec start, now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while ((now.tv_sec - start.tv_sec) * 1e3 + (now.tv_nsec - start.tv_nsec) / 1e6 < ms);
}

static void heat(const char *word)
{
    int peak, fall, zone = open("/dev/testheat", O_WRONLY);
    char text[48];
    if (sscanf(word, "%d:%d", &peak, &fall) != 2)
        fail(word);
    int size = snprintf(text, sizeof text, "%d %d", peak, fall);
    if (zone < 0 || write(zone, text, size) != size)
        fail("/dev/testheat");
    close(zone);
}

static void go(void)
{
    puts("ready");
    fflush(stdout);
    getchar();
    pthread_mutex_lock(&lock);
    going = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < many; i++)
        pthread_join(waiting[i], NULL);
}

int main(int argc, char **argv)
{
    device = open("/dev/testpmu", O_WRONLY);
    for (int i = 1; i < argc; i++) {
        char *word = argv[i], *rest = strchr(word, ':');
        rest = rest ? rest + 1 : word;
        if (!strncmp(word, "child:", 6))
            in_child(rest);
        else if (!strncmp(word, "thread:", 7))
            in_thread(rest);
        else if (!strncmp(word, "waiting:", 8)) {
            if (many == sizeof waiting / sizeof *waiting || pthread_create(&waiting[many++], NULL, tell_later, rest))
                fail("threads");
        }
        else if (!strncmp(word, "cpu:", 4))
            stay(atoi(rest));
        else if (!strncmp(word, "spin:", 5))
            spin(atof(rest));
        else if (!strncmp(word, "heat:", 5))
            heat(rest);
        else if (!strcmp(word, "go"))
            go();
        else
            tell(word);
    }
    return 0;
}
