"""Which instruction sets to try on a CPU, and how the program is compiled for each of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.machine import compiler

SOURCE = Path(__file__).resolve().parent / "programs" / "ceilings.c"
FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=fast", "-g0", "-Wall", "-Wextra", "-pthread")
# Multiplications of vectors of integers: x86, NEON, RVV
INT8 = r"v?pmaddwd|v?pmull[wd]|[su]mlal|[su]mull|[su]dot|\bmla\s+v|vwmacc|vwmul|vmacc|vmadd|vmul"
VNNI = r"vpdpbusd|vpdpwssd"
SCALAR = ("-fno-tree-vectorize", "-fno-tree-slp-vectorize")


@dataclass(frozen=True, slots=True)
class KernelBuild:
    """One way to compile the program. `vector`: instructions that prove in its assembly that it is vectorised."""

    name: str
    width: int  # bytes of a vector
    flags: tuple[str, ...] = ()
    vector: str = ""
    number: str = "float"
    kinds: tuple[str, ...] = ("fp", "int8")

    @property
    def element(self) -> int:
        """Bytes of a number."""
        return 2 if self.number == "_Float16" else 4


@dataclass(frozen=True, slots=True)
class KernelProgram:
    """A compiled variant. `vectors`: whether its arithmetic is of vectors, by kind; absent: scalar on purpose."""

    variant: KernelBuild
    path: Path | None
    compiler: str = ""
    vectors: Mapping[str, bool] = field(default_factory=dict)
    why: str = ""  # there is no program


def variants(architecture: str, extensions: Sequence[str]) -> tuple[KernelBuild, ...]:
    """Scalar first, then what this CPU has, the widest last."""
    has = set(extensions)
    found = [KernelBuild("scalar", 4, SCALAR)]
    flags: tuple[str, ...]
    if architecture in ("x86_64", "AMD64"):
        found.append(KernelBuild("sse2", 16, (), r"mulps\s.*xmm"))
        if {"avx2", "fma"} <= has:
            found.append(KernelBuild("avx2", 32, ("-mavx2", "-mfma"), r"vfn?madd\w+ps\s.*ymm"))
        if {"avx512f", "avx512bw"} <= has:
            wide = ("-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mprefer-vector-width=512")
            found.append(KernelBuild("avx512", 64, wide, r"vfn?madd\w+ps\s.*zmm"))
            if "avx512_vnni" in has:
                flags = (*wide, "-mavx512vnni", "-DROW=uint8_t")
                found.append(KernelBuild("avx512vnni", 64, flags, VNNI, kinds=("int8",)))
            if "avx512_fp16" in has:
                flags = (*wide, "-mavx512fp16")
                found.append(KernelBuild("avx512fp16", 64, flags, r"vfn?madd\w+ph\s.*zmm", "_Float16", ("fp",)))
        elif "avx_vnni" in has:
            flags = ("-mavx2", "-mfma", "-mavxvnni", "-DROW=uint8_t")
            found.append(KernelBuild("avxvnni", 32, flags, VNNI, kinds=("int8",)))
    elif architecture in ("aarch64", "arm64"):
        found.append(KernelBuild("neon", 16, (), r"fml[as]\s+v\d+\.4s"))
        if "asimddp" in has:
            found.append(KernelBuild("dotprod", 16, ("-march=armv8.2-a+dotprod",), r"sdot\s", kinds=("int8",)))
        if "asimdhp" in has:
            flags = ("-march=armv8.2-a+fp16",)
            found.append(KernelBuild("neon-fp16", 16, flags, r"fml[as]\s+v\d+\.8h", "_Float16", ("fp",)))
    elif architecture == "riscv64":
        if "v" in has:
            found.append(KernelBuild("rvv", 16, ("-march=rv64gcv",), r"vfn?m(acc|add|sac|sub)\.v"))
        if "zvfh" in has:
            flags = ("-march=rv64gcv_zvfh",)
            found.append(KernelBuild("rvv-fp16", 16, flags, r"vfn?m(acc|add)\.v", "_Float16", ("fp",)))
    return tuple(found)


def build(variant: KernelBuild, folder: Path, named: str | None = None) -> KernelProgram:
    """The program for a variant, compiled once for each compiler and text. Raises NotInstalled without a compiler.

    `named`: the words of another compiler than the host's.
    """
    found = compiler.find(named)
    version = found.version.partition("\n")[0]
    flags = [*FLAGS, *variant.flags, f"-DWIDTH={variant.width}", f"-DNUMBER={variant.number}"]
    outputs = {"ceilings.s": ("-S",), "ceilings": ()}
    try:
        place = found.build(folder, [SOURCE], outputs, flags, f"the arithmetic of {variant.name}")
    except compiler.NotCompiled as error:
        name = " ".join([Path(found.words[0]).name, *found.words[1:]])
        return KernelProgram(variant, None, version, why=f"{name} can't: {error.complaint[-120:]}")
    assembly = (place / "ceilings.s").read_text(errors="replace")
    return KernelProgram(variant, place / "ceilings", version, find_vectors(variant, assembly))


def find_vectors(variant: KernelBuild, assembly: str) -> dict[str, bool]:
    """Whether the assembly of each kind of arithmetic holds vector instructions that multiply."""
    if not variant.vector:
        return {}
    patterns = {"fp": variant.vector, "int8": variant.vector if variant.kinds == ("int8",) else INT8}
    return {k: re.search(patterns[k], function_lines(assembly, f"{k}_work")) is not None for k in variant.kinds}


def function_lines(assembly: str, name: str) -> str:
    """The lines of one function in a compiler's assembly."""
    found = re.search(rf"^{name}:$(.*?)^\s*\.size\s+{name}\b", assembly, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""
