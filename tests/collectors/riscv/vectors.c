/* Vector instructions whose number is known: vectors ROUNDS [THREADS]
 *
 * Each round, in each thread, executes 1 vset, 2 vector loads, 3 vector operations and 1 vector store; no other
 * vector instruction is in the program (it is compiled for rv64gc, and only the block below is assembled for V).
 */
#include <pthread.h>
#include <stdlib.h>

static void *work(void *argument)
{
    long rounds = (long)argument;
    float a[8] = {1, 2, 3, 4, 5, 6, 7, 8}, b[8] = {0};
    for (; rounds > 0; rounds--)
        __asm__ volatile(".option push\n"
                         ".option arch, +v\n"
                         "vsetivli x0, 4, e32, m1, ta, ma\n"
                         "vle32.v v1, (%0)\n"
                         "vle32.v v2, (%1)\n"
                         "vfadd.vv v3, v1, v2\n"
                         "vfmul.vv v4, v3, v3\n"
                         "vfmacc.vv v4, v1, v2\n"
                         "vse32.v v4, (%1)\n"
                         ".option pop" ::"r"(a), "r"(b) : "memory");
    return 0;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 0, threads = argc > 2 ? atol(argv[2]) : 0;
    pthread_t thread[64];
    for (long i = 0; i < threads && i < 64; i++)
        pthread_create(&thread[i], 0, work, (void *)rounds);
    for (long i = 0; i < threads && i < 64; i++)
        pthread_join(thread[i], 0);
    if (threads == 0)
        work((void *)rounds);
    return 0;
}
