"""Instructions with their encodings, as binutils 2.40 assembles them, and the class that each is of.

Lines of: encoding in hex (4 digits: compressed), class, assembly text. What the manual reserves is marked by the
place of the encoding instead of a text.
"""

from __future__ import annotations

LINES = """
02050407 vector-load vle8.v v8, (a0)
02055407 vector-load vle16.v v8, (a0)
02056407 vector-load vle32.v v8, (a0)
02057407 vector-load vle64.v v8, (a0)
0ab57407 vector-load vlse64.v v8, (a0), a1
06455407 vector-load vluxei16.v v8, (a0), v4
02856407 vector-load vl1re32.v v8, (a0)
02b50407 vector-load vlm.v v8, (a0)
22056407 vector-load vlseg2e32.v v8, (a0)
03056407 vector-load vle32ff.v v8, (a0)
02050427 vector-store vse8.v v8, (a0)
02055427 vector-store vse16.v v8, (a0)
02056427 vector-store vse32.v v8, (a0)
02057427 vector-store vse64.v v8, (a0)
e2850427 vector-store vs8r.v v8, (a0)
06457427 vector-store vsuxei64.v v8, (a0), v4
0d0572d7 vset vsetvli t0, a0, e32, m1, ta, ma
cd047057 vset vsetivli x0, 8, e32, m1, ta, ma
80b572d7 vset vsetvl t0, a0, a1
022180d7 vector-arith vadd.vv v1, v2, v3
022190d7 vector-arith vfadd.vv v1, v2, v3
0221a0d7 vector-arith vredsum.vs v1, v2, v3
0222b0d7 vector-arith vadd.vi v1, v2, 5
022540d7 vector-arith vadd.vx v1, v2, a0
b23550d7 vector-arith vfmacc.vf v1, fa0, v3
962560d7 vector-arith vmul.vx v1, v2, a0
42102557 vector-arith vmv.x.s a0, v1
42101557 vector-arith vfmv.f.s fa0, v1
00052507 fp-load flw fa0, 0(a0)
7ff53c07 fp-load fld fs8, 2047(a0)
00a52027 fp-store fsw fa0, 0(a0)
7f853fa7 fp-store fsd fs8, 2047(a0)
00c5f553 fp-arith fadd.s fa0, fa1, fa2
6ac5f543 fp-arith fmadd.d fa0, fa1, fa2, fa3
68c5f547 fp-arith fmsub.s fa0, fa1, fa2, fa3
68c5f54b fp-arith fnmsub.s fa0, fa1, fa2, fa3
6ac5f54f fp-arith fnmadd.d fa0, fa1, fa2, fa3
1ac5f553 fp-arith fdiv.d fa0, fa1, fa2
5805f553 fp-arith fsqrt.s fa0, fa1
28c59553 fp-arith fmax.s fa0, fa1, fa2
a2c58553 fp-arith fle.d a0, fa1, fa2
c0059553 fp-arith fcvt.w.s a0, fa1, rtz
d225f553 fp-arith fcvt.d.l fa0, a1
4015f553 fp-arith fcvt.s.d fa0, fa1
20b58553 fp-move fsgnj.s fa0, fa1, fa1
e0058553 fp-move fmv.x.w a0, fa1
f0058553 fp-move fmv.w.x fa0, a1
e2059553 fp-move fclass.d a0, fa1
00058503 load lb a0, 0(a1)
0045e503 load lwu a0, 4(a1)
7f8e3503 load ld a0, 2040(t3)
00a58023 store sb a0, 0(a1)
7eae3c23 store sd a0, 2040(t3)
1005a52f atomic-load lr.w a0, (a1)
1605b52f atomic-load lr.d.aqrl a0, (a1)
18c5a52f atomic-store sc.w a0, a2, (a1)
18c5b52f atomic-store sc.d a0, a2, (a1)
00c5a52f atomic-rmw amoadd.w a0, a2, (a1)
08c5b52f atomic-rmw amoswap.d a0, a2, (a1)
e0c5a52f atomic-rmw amomaxu.w a0, a2, (a1)
04b50063 branch beq a0, a1, .+64
05de7063 branch bgeu t3, t4, .+64
040000ef jump jal ra, .+64
008500e7 jump-indirect jalr ra, 8(a0)
0ff0000f system fence
0000100f system fence.i
00000073 system ecall
c0002573 system rdcycle a0
00359573 system csrrw a0, fcsr, a1
00c58533 other add a0, a1, a2
02c5853b other mulw a0, a1, a2
12345537 other lui a0, 0x12345
00001517 other auipc a0, 1
4d258513 other addi a0, a1, 1234
04de8e1b other addiw t3, t4, 77
41c8 load c.lw a0, 4(a1)
6588 load c.ld a0, 8(a1)
2588 fp-load c.fld fa0, 8(a1)
c1c8 store c.sw a0, 4(a1)
e588 store c.sd a0, 8(a1)
a588 fp-store c.fsd fa0, 8(a1)
4512 load c.lwsp a0, 4(sp)
6522 load c.ldsp a0, 8(sp)
2522 fp-load c.fldsp fa0, 8(sp)
c22a store c.swsp a0, 4(sp)
e42a store c.sdsp a0, 8(sp)
a42a fp-store c.fsdsp fa0, 8(sp)
a081 jump c.j .+64
c105 branch c.beqz a0, .+32
e105 branch c.bnez a0, .+32
8e02 jump-indirect c.jr t3
9e02 jump-indirect c.jalr t3
8e76 other c.mv t3, t4
9e76 other c.add t3, t4
9002 system c.ebreak
0001 other c.nop
0e05 other c.addi t3, 1
2e05 other c.addiw t3, 1
4e05 other c.li t3, 1
6e05 other c.lui t3, 1
6105 other c.addi16sp sp, 32
0808 other c.addi4spn a0, sp, 16
0e12 other c.slli t3, 4
8111 other c.srli a0, 4
8d6d other c.and a0, a1
9d0d other c.subw a0, a1
"""

# Later than binutils 2.40: from the manual's tables. Zcb: funct6 100000 c.lbu, 100001 c.lh, 100010 c.sb, 100011 c.sh;
# Zfh: flh and fsh have the width 1; Zvkned's vaesem is OP-VE; cbo.zero is MISC-MEM, funct3 2.
BY_MANUAL = """
8188 load c.lbu a0, 0(a1)
85c8 load c.lh a0, 0(a1)
8988 store c.sb a0, 0(a1)
8d88 store c.sh a0, 0(a1)
00051507 fp-load flh fa0, 0(a0)
00a51027 fp-store fsh fa0, 0(a0)
a22120f7 vector-arith vaesem.vv v1, v2
0045200f system cbo.zero (a0)
f0108553 fp-move fli.s fa0, min
"""

Encoding = tuple[str, str, str]


def parse(text: str) -> list[Encoding]:
    """(hex, class, assembly) of each line."""
    return [(line.split()[0], line.split()[1], line.split(maxsplit=2)[2]) for line in text.strip().splitlines()]


ASSEMBLED = parse(LINES)
ALL = [*ASSEMBLED, *parse(BY_MANUAL)]
