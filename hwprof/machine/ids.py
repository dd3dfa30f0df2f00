"""What the ids and feature words of a processor stand for. Tables and functions of text: no machine is read here."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Implementer and part of Arm's Main ID Register: each core's technical reference manual.
ARM_CORES = {
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
    (0x41, 0xD4D): "Cortex-A715",
    (0x41, 0xD4E): "Cortex-X3",
    (0x41, 0xD4F): "Neoverse V2",
    (0x41, 0xD80): "Cortex-A520",
    (0x41, 0xD81): "Cortex-A720",
    (0x41, 0xD82): "Cortex-X4",
    (0x46, 0x001): "A64FX",
    (0x48, 0xD01): "TaiShan v110",
    (0xC0, 0xAC3): "Ampere-1",
}
# mvendorid and marchid
RISCV_CORES = {
    ("0x710", "0x8000000058000001"): "SpacemiT X60",
    # K3: the processor definitions spacemit-x100 and spacemit-a100 of LLVM's RISCVProcessors.td
    ("0x710", "0x8000000058000002"): "SpacemiT X100",
    ("0x710", "0x8000000041000002"): "SpacemiT A100",
    # "perf vendor events riscv: Add XuanTie C930 JSON file", linux-perf-users, November 2025
    ("0x5b7", "0x8000000009201600"): "XuanTie C930",
    ("0x5b7", "0x0"): "T-Head C9xx",
    ("0x489", "0x8000000000000007"): "SiFive U74",
    ("0x489", "0x8000000000000008"): "SiFive P550",
    ("0x31e", "0x8000000000008a45"): "Andes AX45",
}
# Extensions that decide which kernels a framework takes, as Linux spells them.
X86_EXTENSIONS = (
    *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"),
)
ARM_EXTENSIONS = ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme")
# Vector, half precision, bit manipulation and the vendor's own; the rest of the isa string grows with the kernel.
RISCV_EXTENSIONS = re.compile(r"zv\w+|zfh\w*|zfbfmin|zb[abs]|x\w+")


def blocks(cpuinfo: str) -> list[dict[str, str]]:
    """Key -> value of each block of a /proc/cpuinfo text; empty lines separate blocks."""
    found = []
    for part in re.split(r"\n\s*\n", cpuinfo):
        pairs = re.findall(r"^([^:\n]+?)\s*:(.*)$", part, re.MULTILINE)
        if pairs:
            found.append({key.strip(): value.strip() for key, value in pairs})
    return found


def identity(block: Mapping[str, str]) -> str:
    """Vendor ids of one processor of /proc/cpuinfo; empty where there are none.

    x86 vendor-family-model-stepping; Arm implementer-architecture-variant-part-revision; RISC-V
    mvendorid-marchid-mimpid.
    """
    if "mvendorid" in block:
        return "-".join(block.get(key, "?") for key in ("mvendorid", "marchid", "mimpid"))
    if "CPU implementer" in block:
        keys = ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision")
        return "-".join(block.get(key, "?") for key in keys)
    if "cpu family" in block:
        return "-".join(block.get(key, "?") for key in ("vendor_id", "cpu family", "model", "stepping"))
    return ""


def name(block: Mapping[str, str]) -> str | None:
    """Name of the core: by its ids, else as the kernel calls it; without trademarks, clock and number of cores."""
    if "CPU implementer" in block:
        try:
            ids = int(block["CPU implementer"], 16), int(block.get("CPU part", ""), 16)
        except ValueError:
            return block.get("model name")
        return ARM_CORES.get(ids) or block.get("model name") or f"Arm core {ids[0]:#04x}-{ids[1]:#05x}"
    if "mvendorid" in block:
        known = RISCV_CORES.get((block["mvendorid"].lower(), block.get("marchid", "").lower()))
        return known or block.get("model name") or block.get("uarch")
    told = block.get("model name") or block.get("uarch")
    if told is None:
        return None
    told = re.sub(r"\((R|TM|r|tm)\)|\s@\s[\d.]+\s*GHz|\b\d+-Core\b|\bProcessor\b|\bCPU\b", " ", told)
    return " ".join(told.split())


def extensions(block: Mapping[str, str]) -> list[str]:
    """Instruction sets that matter for inference. RISC-V: the base, and V as `rvv1.0` or the draft it may be."""
    if "isa" in block:
        return _riscv(block)
    words = set(block.get("flags", block.get("Features", "")).split())
    return [word for word in (*X86_EXTENSIONS, *ARM_EXTENSIONS) if word in words]


def _riscv(block: Mapping[str, str]) -> list[str]:
    head, *words = block["isa"].lower().split("_")
    found = re.match(r"(rv\d+)([a-y]*)", head)  # old kernels put the first Z extension behind the letters
    if not found:
        return []
    base, letters = found.groups()
    listed = [base + letters.replace("v", "")]
    if "v" in letters:
        # T-Head's first cores have draft 0.7.1, which is another instruction set, and old kernels call it V too.
        draft = block.get("mvendorid", "").lower() == "0x5b7" and block.get("marchid", "0x0") == "0x0"
        listed.append("rvv0.7.1" if draft else "rvv1.0")
    return [*listed, *sorted(w for w in words if RISCV_EXTENSIONS.fullmatch(w))]
