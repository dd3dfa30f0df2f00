/* Accesses to memory whose misses are known: memory PATTERN BYTES TIMES
 *
 * load, store: one access to each line of 64 bytes, TIMES times. chase: the lines form one circle in an order that no
 * stride has, and TIMES steps are taken along it. matrix: C += A B of BYTES x BYTES numbers, TIMES times, row by column.
 */
#include <stdint.h>
#include <stdlib.h>

#define LINE 64
#define PAGES __attribute__((aligned(4096))) /* the same sets wherever it is compiled */
static char memory[8 << 20] PAGES;
static double a[256 * 256] PAGES, b[256 * 256] PAGES, c[256 * 256] PAGES;

static void chase(long lines, long steps)
{
    /* a full-period generator modulo a power of two (Hull and Dobell, 1962): every line once */
    volatile uint32_t *at;
    for (long i = 0; i < lines; i++)
        *(uint32_t *)(memory + i * LINE) = (uint32_t)((i * 1021 + 377) & (lines - 1));
    uint32_t place = 0;
    for (; steps > 0; steps--) {
        at = (volatile uint32_t *)(memory + (long)place * LINE);
        place = *at;
    }
}

static void matrix(long n)
{
    volatile double *to = c;
    for (long i = 0; i < n; i++)
        for (long j = 0; j < n; j++) {
            double sum = 0;
            for (long k = 0; k < n; k++)
                sum += *(volatile double *)&a[i * n + k] * *(volatile double *)&b[k * n + j];
            to[i * n + j] = sum;
        }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 1;
    long bytes = atol(argv[2]), times = atol(argv[3]);
    volatile char *m = memory;
    switch (argv[1][0]) {
    case 'l':
        for (; times > 0; times--)
            for (long i = 0; i < bytes; i += LINE)
                (void)m[i];
        break;
    case 's':
        for (; times > 0; times--)
            for (long i = 0; i < bytes; i += LINE)
                m[i] = 1;
        break;
    case 'c': chase(bytes / LINE, times); break;
    case 'm':
        for (; times > 0; times--)
            matrix(bytes);
        break;
    default: return 1;
    }
    return 0;
}
