/* Loops whose instructions are known by counting them: written in assembly, so that no compiler changes them.
 *
 * Each runs n times (n > 0) a body of REPEAT operations, a decrement and a backward branch, on every architecture the
 * same number of instructions. Only `mispredict` differs: its random numbers cost more instructions on some.
 */
#ifndef KERNELS_H
#define KERNELS_H

#include <stdint.h>

#define CHAIN 100 /* dependent additions of one round of `chain`: one cycle each where nothing folds them */
#define REPEAT 8  /* operations of one round of everything else */

#if defined(__x86_64__)
#define ARCHITECTURE "x86_64"
#define ILLEGAL "ud2"
#define ILLEGAL_SIZE 2
#define RETURN "\xc3"
#define ROUND "\n  dec %[n]\n  jnz 1b\n"
#define ADD "  add %[b], %[a]\n"
#define LOAD "  mov (%[p]), %[a]\n"
#define STORE "  mov %[a], (%[p])\n"
#define NOT_TAKEN "  jc 2f\n" /* dec leaves the carry flag alone */
#define BEFORE_BRANCHES "  clc\n"
#define FP "  addsd %%xmm1, %%xmm0\n"
#define FP_CLOBBERS "xmm0", "xmm1"
#define SHIFT_XOR(how, by) "  mov %[x], %[t]\n  " how " $" by ", %[t]\n  xor %[t], %[x]\n"
#define XORSHIFT SHIFT_XOR("shl", "13") SHIFT_XOR("shr", "7") SHIFT_XOR("shl", "17")
#define UNLESS_BIT_32 "  bt $32, %[x]\n  jc 2f\n"
#define INCREMENT "  add $1, %[c]\n"
#elif defined(__aarch64__)
#define ARCHITECTURE "aarch64"
#define ILLEGAL "udf #0"
#define ILLEGAL_SIZE 4
#define RETURN "\xc0\x03\x5f\xd6"
#define ROUND "\n  subs %[n], %[n], #1\n  b.ne 1b\n"
#define ADD "  add %[a], %[a], %[b]\n"
#define LOAD "  ldr %[a], [%[p]]\n"
#define STORE "  str %[a], [%[p]]\n"
#define NOT_TAKEN "  cbnz %[zero], 2f\n"
#define BEFORE_BRANCHES ""
#define FP "  fadd d0, d0, d1\n"
#define FP_CLOBBERS "v0", "v1"
#define XORSHIFT "  eor %[x], %[x], %[x], lsl #13\n  eor %[x], %[x], %[x], lsr #7\n  eor %[x], %[x], %[x], lsl #17\n"
#define UNLESS_BIT_32 "  tbnz %[x], #32, 2f\n"
#define INCREMENT "  add %[c], %[c], #1\n"
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE "riscv64"
#define ILLEGAL "csrw 0xc00, zero"
#define ILLEGAL_SIZE 4
#define RETURN "\x67\x80\x00\x00"
#define ROUND "\n  addi %[n], %[n], -1\n  bnez %[n], 1b\n"
#define ADD "  add %[a], %[a], %[b]\n"
#define LOAD "  ld %[a], 0(%[p])\n"
#define STORE "  sd %[a], 0(%[p])\n"
#define NOT_TAKEN "  bnez %[zero], 2f\n"
#define BEFORE_BRANCHES ""
#define FP "  fadd.d ft0, ft0, ft1\n"
#define FP_CLOBBERS "ft0", "ft1"
#define SHIFT_XOR(how, by) "  " how " %[t], %[x], " by "\n  xor %[x], %[x], %[t]\n"
#define XORSHIFT SHIFT_XOR("slli", "13") SHIFT_XOR("srli", "7") SHIFT_XOR("slli", "17")
#define UNLESS_BIT_32 "  srli %[t], %[x], 32\n  andi %[t], %[t], 1\n  bnez %[t], 2f\n"
#define INCREMENT "  addi %[c], %[c], 1\n"
#else
#error "the loops are written for x86_64, aarch64 and riscv64"
#endif

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define TIMES(count, body) "  .rept " TEXT(count) "\n" body "  .endr\n"

typedef uint64_t word;

/* CHAIN additions that wait for each other, so that a round lasts CHAIN cycles. */
static inline void chain(word n) {
    word a = 1, b = 3;
    __asm__ volatile("1:\n" TIMES(CHAIN, ADD) ROUND : [a] "+r"(a), [n] "+r"(n) : [b] "r"(b) : "cc");
}

static inline void loads(word n, void *p) {
    word a;
    __asm__ volatile("1:\n" TIMES(REPEAT, LOAD) ROUND : [a] "=&r"(a), [n] "+r"(n) : [p] "r"(p) : "cc", "memory");
}

static inline void stores(word n, void *p) {
    word a = 1;
    __asm__ volatile("1:\n" TIMES(REPEAT, STORE) ROUND : [n] "+r"(n) : [a] "r"(a), [p] "r"(p) : "cc", "memory");
}

/* REPEAT conditional branches that are never taken, and the one of the loop, which always is. */
static inline void branches(word n) {
    word zero = 0;
    __asm__ volatile(BEFORE_BRANCHES "1:\n" TIMES(REPEAT, NOT_TAKEN) ROUND "2:\n"
                     : [n] "+r"(n)
                     : [zero] "r"(zero)
                     : "cc");
}

/* One branch on a bit of a xorshift generator (Marsaglia 2003: 13, 7, 17), and the one of the loop. Returns how often
 * the first was not taken; `state` goes on, lest a predictor learn what comes again. */
static inline word mispredict(word n, word *state) {
    word x = *state, c = 0, t = 0;
    __asm__ volatile("1:\n" XORSHIFT UNLESS_BIT_32 INCREMENT "2:\n" ROUND
                     : [n] "+r"(n), [x] "+r"(x), [c] "+r"(c), [t] "+r"(t)
                     :
                     : "cc");
    *state = x;
    return c;
}

/* REPEAT scalar additions of doubles. */
static inline void scalar_fp(word n) {
    __asm__ volatile("1:\n" TIMES(REPEAT, FP) ROUND : [n] "+r"(n) : : "cc", FP_CLOBBERS);
}

#endif
