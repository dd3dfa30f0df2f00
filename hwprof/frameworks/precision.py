"""Which precisions this CPU computes in, and whether a framework used them. Standard library only at import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from hwprof.errors import CaseFailed, NotAvailable
from hwprof.machine.files import ROOT

# Precisions that need quantisation with a calibration set.
QUANTISED = frozenset({"int8"})
# precision -> instruction sets that compute in it, any of one architecture's will do. INT8 products exist in every
# vector unit; what x86 lacks before VNNI is a sum of them that can't overflow, see `saturates`.
INSTRUCTION_SETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "bf16": {"x86": ("avx512_bf16", "amx_bf16"), "arm": ("bf16",), "riscv": ("zvfbfwma",)},
    "fp16": {"x86": ("avx512_fp16",), "arm": ("asimdhp",), "riscv": ("zvfh",)},
}
DOT_PRODUCTS = ("avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")


def extensions(root: Path = ROOT) -> tuple[str, frozenset[str]]:
    """(x86 | arm | riscv | the machine's own name, instruction sets that Linux reports)."""
    from hwprof.machine.facts import hardware  # not at import: it loads importlib.metadata

    facts = hardware(root)
    machine = str(facts.get("architecture", ""))
    family = next((f for start, f in FAMILIES if machine.startswith(start)), machine)
    return family, frozenset(facts.get("extensions", ()))


FAMILIES = (("x86", "x86"), ("i686", "x86"), ("aarch64", "arm"), ("arm", "arm"), ("riscv", "riscv"))


def require(precision: str, root: Path = ROOT) -> None:
    """Raise NotAvailable naming the missing instruction set where this CPU can't compute in `precision`."""
    wanted = INSTRUCTION_SETS.get(precision)
    if wanted is None:
        return
    family, there = extensions(root)
    names = wanted.get(family, ())
    if not there.intersection(names):
        lacks = " or ".join(names) if names else f"any such instruction known for {family}"
        raise NotAvailable(
            f"this CPU computes no {precision}: it lacks {lacks}", f"leave --precision {precision} to a CPU that has it"
        )


def saturates(root: Path = ROOT) -> bool:
    """x86 without VNNI adds two products of 8 bits into 16, which overflows: weights must keep to 7 bits there."""
    family, there = extensions(root)
    return family == "x86" and not there.intersection(DOT_PRODUCTS)


def dot_product(root: Path = ROOT) -> str | None:
    """The instruction sets for sums of 8-bit products that this CPU has; None: none."""
    return ", ".join(sorted(extensions(root)[1].intersection(DOT_PRODUCTS))) or None


def int8_key(root: Path = ROOT) -> str:
    """What of the CPU decides how weights are quantised: artifacts of another kind of CPU are others."""
    return "int8, 7-bit weights" if saturates(root) else "int8"


def tally(kernels: Iterable[str]) -> dict[str, int]:
    """How many of each, sorted by name."""
    return dict(sorted(Counter(kernels).items()))


def confirm(framework: str, precision: str, computed: Mapping[str, int]) -> Mapping[str, int]:
    """`computed` (precision -> convolutions and matrix products in it) where some are in what was asked for.

    Raises CaseFailed where none is: such a case would be another precision under a wrong name.
    """
    if not computed.get(precision):
        said = ", ".join(f"{count} in {name}" for name, count in computed.items()) or "none were reported"
        raise CaseFailed(
            f"{framework} was asked for {precision} and computes no convolution or matrix product in it: {said}",
            "leave this precision to another framework",
        )
    return computed
