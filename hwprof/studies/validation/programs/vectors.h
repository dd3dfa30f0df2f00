/* REPEAT vector operations per round, at a width in bits; on RISC-V at the width that the CPU has, times LMUL.
 *
 * `vectors(kind, width, n, buffer)` returns the number of 32-bit lanes of one operation, 0 for a width there isn't.
 */
#ifndef VECTORS_H
#define VECTORS_H

#include "kernels.h"

enum kind { VECTOR_ADD, VECTOR_FP, VECTOR_LOAD, VECTOR_STORE };

#if defined(__x86_64__)
#define XMM "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8"
#define EIGHT(a, b) a "0" b a "1" b a "2" b a "3" b a "4" b a "5" b a "6" b a "7" b
#define EIGHT3(a, r) \
    a r "0, " r "0\n" a r "1, " r "1\n" a r "2, " r "2\n" a r "3, " r "3\n" a r "4, " r "4\n" a r "5, " r "5\n" \
    a r "6, " r "6\n" a r "7, " r "7\n"
#define LOOP(body) __asm__ volatile("1:\n" body ROUND : [n] "+r"(n) : [p] "r"(p) : "cc", "memory", XMM)
#define BY_KIND(add, fp, load, store) \
    switch (kind) { \
    case VECTOR_ADD: LOOP(add); break; \
    case VECTOR_FP: LOOP(fp); break; \
    case VECTOR_LOAD: LOOP(load); break; \
    case VECTOR_STORE: LOOP(store); break; \
    }

static word vectors(enum kind kind, unsigned width, word n, void *p) {
    if (width == 128) {
        BY_KIND(EIGHT("  paddd %%xmm8, %%xmm", "\n"), EIGHT("  addps %%xmm8, %%xmm", "\n"),
                EIGHT("  movups (%[p]), %%xmm", "\n"), EIGHT("  movups %%xmm", ", (%[p])\n"))
        return 4;
    }
    if (width == 256 && __builtin_cpu_supports("avx2")) {
        BY_KIND(EIGHT3("  vpaddd %%ymm8, ", "%%ymm"), EIGHT3("  vaddps %%ymm8, ", "%%ymm"),
                EIGHT("  vmovups (%[p]), %%ymm", "\n"), EIGHT("  vmovups %%ymm", ", (%[p])\n"))
        __asm__ volatile("vzeroupper");
        return 8;
    }
    if (width == 512 && __builtin_cpu_supports("avx512f")) {
        BY_KIND(EIGHT3("  vpaddd %%zmm8, ", "%%zmm"), EIGHT3("  vaddps %%zmm8, ", "%%zmm"),
                EIGHT("  vmovups (%[p]), %%zmm", "\n"), EIGHT("  vmovups %%zmm", ", (%[p])\n"))
        __asm__ volatile("vzeroupper");
        return 16;
    }
    return 0;
}

#elif defined(__aarch64__)
#define LOOP(body) \
    __asm__ volatile("1:\n" TIMES(REPEAT, body) ROUND : [n] "+r"(n) : [p] "r"(p) : "cc", "memory", "v0", "v1")

static word vectors(enum kind kind, unsigned width, word n, void *p) {
    if (width != 128) return 0;
    switch (kind) {
    case VECTOR_ADD: LOOP("  add v0.4s, v0.4s, v1.4s\n"); break;
    case VECTOR_FP: LOOP("  fadd v0.4s, v0.4s, v1.4s\n"); break;
    case VECTOR_LOAD: LOOP("  ldr q0, [%[p]]\n"); break;
    case VECTOR_STORE: LOOP("  str q0, [%[p]]\n"); break;
    }
    return 4;
}

#else
/* Encoded by hand, so that an assembler without the extension will do. With vtype 0 (8 bits, LMUL 1) these codes mean
 * the same to vectors of version 0.7 and 1.0; the floating-point loop (32 bits) is of version 1.0 only. Registers are
 * multiples of 8, as LMUL 8 demands. The pointer is in a0, as the codes of loads and stores say. */
#define LOOP(code) \
    __asm__ volatile( \
        "  .insn r 0x57, 7, 0x40, %[vl], x0, %[vtype]\n" /* vsetvl vl, x0, vtype: as many as there are */ \
        "1:\n" TIMES(REPEAT, "  .4byte " code "\n") ROUND \
        : [n] "+r"(n), [vl] "=&r"(vl) \
        : [vtype] "r"(vtype), "r"(pointer) \
        : "memory")

/* `width`: LMUL, 1, 2, 4 or 8. */
static word vectors(enum kind kind, unsigned width, word n, void *p) {
    register void *pointer __asm__("a0") = p;
    word vl = 0, multiplier = width == 1 ? 0 : width == 2 ? 1 : width == 4 ? 2 : width == 8 ? 3 : 9;
    word vtype = multiplier | (kind == VECTOR_FP ? 2 << 3 : 0);
    if (multiplier > 3) return 0;
    switch (kind) {
    case VECTOR_ADD: LOOP("0x02800457"); break;   /* vadd.vv v8, v8, v0 */
    case VECTOR_FP: LOOP("0x02801457"); break;    /* vfadd.vv v8, v8, v0 */
    case VECTOR_LOAD: LOOP("0x02050407"); break;  /* vle8.v v8, (a0) */
    case VECTOR_STORE: LOOP("0x02050427"); break; /* vse8.v v8, (a0) */
    }
    return kind == VECTOR_FP ? vl : vl / 4;
}
#endif

#endif
