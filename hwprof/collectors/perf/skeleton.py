"""A table to fill in for a CPU that has none: with its ids, and with what can be known without its manual."""

from __future__ import annotations

import json
import re

from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.kinds import CoreKind
from hwprof.collectors.perf.tables import CANONICAL, KERNELS_OWN

# Arm's architecture fixes what these common events are, on every core whose PMU shows them.
_PMUV3 = {
    "l1d-accesses": "l1d_cache",
    "l1d-misses": "l1d_cache_refill",
    "l1i-misses": "l1i_cache_refill",
    "l2-accesses": "l2d_cache",
    "l2-misses": "l2d_cache_refill",
    "llc-accesses": "ll_cache_rd",
    "llc-misses": "ll_cache_miss_rd",
    "dtlb-misses": "l1d_tlb_refill",
    "itlb-misses": "l1i_tlb_refill",
    "branch-mispredictions": "br_mis_pred_retired",
    "loads": "ld_retired",
    "stores": "st_retired",
    "frontend-stalls": "stall_frontend",
    "backend-stalls": "stall_backend",
}
_ASK = "not looked up yet: replace this line by an [events] entry, or say why this core has none"


def file_name(kind: CoreKind, model: str = "") -> str:
    """What the table of these cores may be called: `vendor-core.toml` from the model, else from the id."""
    words = re.sub(r"[^a-z0-9]+", "-", (model or (kind.ids[0] if kind.ids else "new-cpu")).lower()).strip("-")
    return f"{words}.toml"


def pattern(kind: CoreKind, catalog: Catalog) -> str:
    """The id under which the table is found: any RISC-V implementation; with the PMU where one id has several kinds."""
    if not kind.ids:
        return "VENDOR-ID"
    found = kind.ids[0]
    if re.fullmatch(r"0x[0-9a-f]+-0x[1-9a-f][0-9a-f]*-0x[0-9a-f]+", found):
        found = found.rpartition("-")[0] + "-*"
    return f"{found}:{kind.name}" if catalog.hybrid and len(catalog.ids) == 1 else found


def skeleton(kind: CoreKind, catalog: Catalog, model: str = "") -> str:
    """TOML that can be used as it is: what is not known yet is absent, with the reason that nobody looked it up."""
    shown = {}
    if kind.pmu and kind.pmu.name.startswith("armv8"):
        shown = {n: e for n, e in _PMUV3.items() if kind.pmu.event_terms(e) is not None}
    lines = [
        f"# {model or 'Which boards and chips have it?'}",
        f"name = {json.dumps(model or 'a name for people')}",
        'verified = "documents"    # or the machine on which every event was checked',
        'sources = ["where the codes are from"]',
        "# counters = 6    # programmable ones, as the manual says",
        "# max_ipc = 4    # instructions that can retire in a cycle",
        '# at_most = [["branch-misses", "branches"]]    # a part and its whole, of one meaning',
        f"auto = {json.dumps([*KERNELS_OWN[2:], *shown])}",
        "",
        "[match]",
        f"ids = [{json.dumps(pattern(kind, catalog))}]",
        "",
        "[generic]    # what the kernel's own names count here, or 'absent: the reason'",
        *(f'{name} = "not looked up yet"' for name in (*KERNELS_OWN, "cache-references", "cache-misses")),
    ]
    for name, event in shown.items():
        assert kind.pmu is not None
        config = kind.pmu.encode(event)[0]["config"]
        lines += ["", f"[events.{name}]", f"code = {config:#x}", f'meaning = "{CANONICAL[name]} ({event.upper()})"']
    if not shown:
        lines += ["", "# [events.l1d-misses]", "# code = 0x03", '# meaning = "lines brought into the L1D (ITS NAME)"']
    lines += ["", "[absent]", *(f'{name} = "{_ASK}"' for name in CANONICAL if name not in shown), ""]
    return "\n".join(lines)
