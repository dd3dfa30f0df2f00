/* Which class an instruction of RISC-V is of, from its encoding alone.
 *
 * Encodings: "The RISC-V Instruction Set Manual, Volume I", 2024: the opcode map (table of RVG), the C extension's
 * quadrants (with Zcb), Zalrsc and Zaamo, and the vector extension's formats: vector loads and stores share LOAD-FP
 * and STORE-FP with the scalar ones and have the widths that those leave free (0, 5, 6, 7); OP-V with funct3 = 7
 * is vset*. Nothing here depends on QEMU: the tests compile it alone.
 */
#ifndef HWPROF_CLASSIFY_H
#define HWPROF_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every instruction is of one class, and adds to `instructions` besides: their sum is a check. */
enum {
    INSTRUCTIONS, VECTOR_ARITH, VECTOR_LOAD, VECTOR_STORE, VSET, FP_ARITH, FP_MOVE, FP_LOAD, FP_STORE, LOAD, STORE,
    ATOMIC_LOAD, ATOMIC_STORE, ATOMIC_RMW, BRANCH, JUMP, JUMP_INDIRECT, SYSTEM, OTHER, COUNTERS
};
static const char *const names[COUNTERS] = {
    "instructions", "vector-arith", "vector-load", "vector-store", "vset", "fp-arith", "fp-move", "fp-load", "fp-store",
    "load", "store", "atomic-load", "atomic-store", "atomic-rmw", "branch", "jump", "jump-indirect", "system", "other",
};

static int compressed(uint32_t w)
{
    uint32_t f3 = w >> 13 & 7, rs1 = w >> 7 & 31, rs2 = w >> 2 & 31;
    switch (w & 3) {
    case 0:
        switch (f3) {
        case 1: return FP_LOAD;
        case 2: case 3: return LOAD;
        case 4: return (w >> 10 & 7) <= 1 ? LOAD : (w >> 10 & 7) <= 3 ? STORE : OTHER; /* Zcb: c.lbu c.lh c.sb c.sh */
        case 5: return FP_STORE;
        case 6: case 7: return STORE;
        }
        return OTHER;
    case 1:
        return f3 == 5 ? JUMP : f3 >= 6 ? BRANCH : OTHER;
    }
    switch (f3) {
    case 1: return FP_LOAD;
    case 2: case 3: return LOAD;
    case 4:
        if (rs2 != 0)
            return OTHER; /* c.mv, c.add */
        return rs1 != 0 ? JUMP_INDIRECT : SYSTEM; /* c.jr, c.jalr; c.ebreak */
    case 5: return FP_STORE;
    case 6: case 7: return STORE;
    }
    return OTHER;
}

static int fp_operation(uint32_t w)
{
    switch (w >> 27) { /* funct5 */
    case 0x04: case 0x1c: case 0x1e: return FP_MOVE; /* fsgnj*, fmv.x/fclass, fmv.f/fli */
    }
    return FP_ARITH;
}

static int classify(uint32_t w, size_t size)
{
    if (size == 2)
        return compressed(w);
    uint32_t f3 = w >> 12 & 7;
    bool vector = f3 == 0 || f3 >= 5; /* widths of LOAD-FP and STORE-FP that belong to V */
    switch (w & 0x7f) {
    case 0x03: return LOAD;
    case 0x23: return STORE;
    case 0x07: return vector ? VECTOR_LOAD : FP_LOAD;
    case 0x27: return vector ? VECTOR_STORE : FP_STORE;
    case 0x57: return f3 == 7 ? VSET : VECTOR_ARITH;
    case 0x77: return VECTOR_ARITH; /* vector cryptography */
    case 0x43: case 0x47: case 0x4b: case 0x4f: return FP_ARITH; /* fused multiply-add */
    case 0x53: return fp_operation(w);
    case 0x2f: return w >> 27 == 2 ? ATOMIC_LOAD : w >> 27 == 3 ? ATOMIC_STORE : ATOMIC_RMW;
    case 0x63: return BRANCH;
    case 0x67: return JUMP_INDIRECT;
    case 0x6f: return JUMP;
    case 0x0f: case 0x73: return SYSTEM; /* fences and cache blocks; ecall, ebreak, CSRs */
    }
    return OTHER;
}

#endif
