"""What the ids of processors stand for. Pure tables and functions of text."""

from __future__ import annotations

import re

# Main ID Register, implementer and part number: the technical reference manual of each core; the same numbers are
# in the kernel's arch/arm64/include/asm/cputype.h.
ARM_IMPLEMENTERS = {
    0x41: "Arm",
    0x42: "Broadcom",
    0x43: "Cavium",
    0x46: "Fujitsu",
    0x48: "HiSilicon",
    0x4E: "NVIDIA",
    0x50: "Applied Micro",
    0x51: "Qualcomm",
    0x61: "Apple",
    0x6D: "Microsoft",
    0xC0: "Ampere",
}
ARM_PARTS = {
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD04): "Cortex-A35",
    (0x41, 0xD05): "Cortex-A55",
    (0x41, 0xD07): "Cortex-A57",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD09): "Cortex-A73",
    (0x41, 0xD0A): "Cortex-A75",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse N1",
    (0x41, 0xD0D): "Cortex-A77",
    (0x41, 0xD40): "Neoverse V1",
    (0x41, 0xD41): "Cortex-A78",
    (0x41, 0xD42): "Cortex-A78AE",
    (0x41, 0xD44): "Cortex-X1",
    (0x41, 0xD46): "Cortex-A510",
    (0x41, 0xD47): "Cortex-A710",
    (0x41, 0xD48): "Cortex-X2",
    (0x41, 0xD49): "Neoverse N2",
    (0x41, 0xD4A): "Neoverse E1",
    (0x41, 0xD4B): "Cortex-A78C",
    (0x41, 0xD4D): "Cortex-A715",
    (0x41, 0xD4E): "Cortex-X3",
    (0x41, 0xD4F): "Neoverse V2",
    (0x41, 0xD80): "Cortex-A520",
    (0x41, 0xD81): "Cortex-A720",
    (0x41, 0xD82): "Cortex-X4",
    (0x41, 0xD84): "Neoverse V3",
    (0x41, 0xD8E): "Neoverse N3",
    (0x46, 0x001): "A64FX",
    (0x48, 0xD01): "TaiShan v110",
    (0x4E, 0x004): "Carmel",
    (0xC0, 0xAC3): "Ampere-1",
    (0xC0, 0xAC4): "Ampere-1a",
}

# mvendorid, marchid. A trailing * stands for any end.
RISCV_CORES = (
    ("0x710", "0x8000000058000001", "SpacemiT X60"),
    ("0x5b7", "0x0", "T-Head C9xx"),
    ("0x489", "0x8000000000000007", "SiFive U74"),
    ("0x489", "0x8000000000000008", "SiFive P550"),
    ("0x31e", "0x8000000000008a45", "Andes AX45"),
    ("0x67e", "0x80000000db000080", "StarFive Dubhe-80"),
    ("0x67e", "0x80000000db000090", "StarFive Dubhe-90"),
)

X86_ISA = frozenset(
    "sse4_2 avx f16c fma avx2 avx_vnni avx_vnni_int8 avx_ifma avx512f avx512bw avx512cd avx512dq avx512vl avx512_vnni "
    "avx512_bf16 avx512_fp16 avx512vbmi avx512_vbmi2 amx_tile amx_int8 amx_bf16 amx_fp16 avx10".split()
)
ARM_ISA = frozenset(
    "asimd fphp asimdhp asimddp asimdfhm bf16 i8mm sve sve2 svebf16 svei8mm svef32mm sme sme2 atomics neon vfpv4".split()
)
# zve*: embedded vector profiles; zvf*: half precision; zvq*: dot products; x*: vendor extensions
RISCV_ISA = re.compile(r"zv\w+|zfh\w*|zfbfmin|zba|zbb|zbs|zicbop|x\w+")


def arm_core(implementer: int, part: int) -> str:
    """`Cortex-A76`, or the numbers where the table does not know them."""
    maker = ARM_IMPLEMENTERS.get(implementer, f"implementer {implementer:#04x}")
    return ARM_PARTS.get((implementer, part), f"{maker} part {part:#05x}")


def riscv_core(vendor: str, arch: str, uarch: str = "") -> str:
    """`SpacemiT X60`, else the devicetree's uarch, else the ids."""
    for known_vendor, known_arch, name in RISCV_CORES:
        if (vendor.lower(), arch.lower()) == (known_vendor, known_arch):
            return name
    return uarch.replace(",", " ") or f"RISC-V {vendor or '?'}-{arch or '?'}"


def x86_isa(flags: str) -> list[str]:
    """Extensions that kernels of inference use, as the kernel spells them."""
    return sorted(X86_ISA & set(flags.split()))


def arm_isa(features: str) -> list[str]:
    """Extensions that kernels of inference use, as the kernel spells them."""
    return sorted(ARM_ISA & set(features.split()))


def riscv_isa(isa: str, vendor: str = "", arch: str = "") -> list[str]:
    """Base and extensions that matter; `rvv1.0` for V, `rvv0.7.1` on T-Head cores that announce the draft as V."""
    single, *multi = isa.strip().lower().split("_")
    match = re.match(r"(rv\d+)([a-z]*)", single)
    if not match:
        return []
    base, letters = match.groups()
    # Z extensions may follow the letters without an underscore in old kernels
    letters = letters.split("z")[0]
    found = {f"{base}{letters.replace('v', '')}"} | {name for name in multi if RISCV_ISA.fullmatch(name)}
    if "v" in letters:
        draft = vendor.lower() == "0x5b7" and arch.lower() in ("", "0x0")
        found.add("rvv0.7.1" if draft else "rvv1.0")
    return sorted(found)


def tidy(name: str) -> str:
    """A marketing name without trademarks, clock, core count and the word CPU."""
    name = re.sub(r"\((R|TM|r|tm)\)", "", name)
    name = re.sub(r"\s*@\s*[\d.]+\s*[GM]Hz", "", name)
    name = re.sub(r"\b\d+-Core\b|\bProcessor\b|\bCPU\b", "", name)
    return " ".join(name.split())
