"""Top-down level 1 from planted counts of known answer, by the formulas of each table that has some."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import Parser
from hwprof.collectors.perf.slots import SlotFormulas, parse_formulas
from hwprof.collectors.perf.tables import load_tables, parse_table, slot_formulas
from hwprof.collectors.vocabulary import LEVEL1
from hwprof.errors import HwprofError
from tests import recorded_machines
from tests.collectors.perf.test_catalog import machine
from tests.collectors.perf.test_topdown import ice_lake

SMT = "de_no_dispatch_per_slot_smt_contention"
ZEN4 = {
    "cycles": 1000.0,  # 6 slots each
    "ex_ret_ops": 3000.0,
    "de_src_op_disp_all": 3600.0,
    "de_no_dispatch_per_slot_no_ops_from_frontend": 900.0,
    "de_no_dispatch_per_slot_backend_stalls": 1200.0,
    SMT: 300.0,
}
# Of 5,000 operations 1,000 are thrown away; of 8,000 slots 1,000 wait for the front end and 2,000 for the back end.
EIGHT = {
    "cycles": 1000.0,
    "op_spec": 5000.0,
    "op_retired": 4000.0,
    "stall_slot": 3000.0,
    "stall_slot_frontend": 1000.0,
    "stall_slot_backend": 2000.0,
    "br_mis_pred": 10.0,
}
FIVE = {**EIGHT, "op_spec": 3000.0, "op_retired": 2400.0, "stall_slot": 2000.0, "stall_slot_frontend": 800.0}
FIVE["stall_slot_backend"] = 1200.0
# (id in the facts of a machine, counts, slots of each part as the source's metrics have them, all slots)
KNOWN = {
    "Zen 4": ("AuthenticAMD-25-97-2", ZEN4, (3000, 600, 900, 1200), 6000),
    "Zen 5": ("AuthenticAMD-26-2-1", {**ZEN4, "cycles": 750.0}, (3000, 600, 900, 1200), 6000),
    "V1": ("0x41-8-0x1-0xd40-1", EIGHT, (4000, 1000 + 320, 1000 - 320, 2000), 8000),
    "V2": ("0x41-8-0x0-0xd4f-1", EIGHT, (4000, 1000 + 320, 1000 - 80, 2000 - 240), 8000),
    "N2": ("0x41-8-0x0-0xd49-3", FIVE, (2400, 600 + 200, 800 - 50, 1200 - 150), 5000),
    # the first revisions count a slot too many in each cycle
    "N2 r0p0": (
        "0x41-8-0x0-0xd49-0",
        {**FIVE, "stall_slot": 3000.0, "stall_slot_frontend": 1800.0},
        (2400, 600 + 200, 800 - 50, 1200 - 150),
        5000,
    ),
}


def formulas(known: str) -> SlotFormulas:
    found = slot_formulas({"ids": [known]})
    assert isinstance(found, SlotFormulas), found
    return found


@pytest.mark.parametrize(("known", "counts", "parts", "slots"), KNOWN.values(), ids=KNOWN)
def test_planted_counts_come_out_as_the_sources_have_them(
    known: str, counts: dict[str, float], parts: tuple[float, ...], slots: float
) -> None:
    own = formulas(known)
    found = own.count(counts)
    assert found is not None
    other = counts.get(SMT, 0.0)
    assert sum(parts) + other == slots
    assert found.shares == pytest.approx([part / (slots - other) for part in parts])
    assert found.other_thread == pytest.approx(other / slots)
    assert found.total == pytest.approx(1.0)
    assert found.adds_up
    assert bool(found.cautions) == bool(other)
    assert set(own.events) == set(counts)
    assert own.source


@pytest.mark.parametrize(("known", "counts", "parts", "slots"), KNOWN.values(), ids=KNOWN)
def test_parts_that_do_not_add_up_are_suspect(
    known: str, counts: dict[str, float], parts: tuple[float, ...], slots: float
) -> None:
    front = next(name for name in counts if "front" in name)
    for change, suspect in (
        (0.8 * formulas(known).within * slots, False),
        (1.2 * formulas(known).within * slots, True),
    ):
        found = formulas(known).count({**counts, front: counts[front] + change})
        assert found is not None
        assert found.adds_up is not suspect
        assert any(c.startswith("SUSPECT: the parts add up to 106% of the slots") for c in found.cautions) is suspect
        assert sum(found.shares) == pytest.approx(1.0)


def test_a_part_far_below_none_is_suspect_though_the_sum_is_right() -> None:
    moved = {**EIGHT, "br_mis_pred": 150.0}  # more penalties than the front end has slots
    found = formulas("0x41-8-0x1-0xd40-1").count(moved)
    assert found is not None
    assert found.total == pytest.approx(1.0)
    assert not found.adds_up
    assert min(found.shares) == 0.0


def test_no_work_has_no_shares() -> None:
    assert formulas("0x41-8-0x0-0xd4f-1").count(dict.fromkeys(EIGHT, 0.0)) is None
    assert formulas("AuthenticAMD-25-97-2").count(dict.fromkeys(ZEN4, 0.0)) is None


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ("AuthenticAMD-25-1-0", "came with Zen 4"),
        ("0x41-8-0x3-0xd0c-1", "no event counts slots"),
        ("0x41-8-0x0-0xd47-0", "its slots a cycle are not known"),
        ("0xc0-8-0x0-0xac3-0", "caps/slots"),
        ("GenuineIntel-6-94-3", "its table has no formulas"),
        ("0x99-8-0x0-0x1-0", "no event table"),
    ],
)
def test_a_core_without_formulas_says_why(known: str, reason: str) -> None:
    found = slot_formulas({"ids": [known]})
    assert isinstance(found, str)
    assert reason in found


def test_cores_of_several_kinds_have_no_common_formulas() -> None:
    assert isinstance(slot_formulas({"ids": ["0x41-8-0x0-0xd4f-1", "0x41-8-0x0-0xd49-3"]}), str)
    assert isinstance(slot_formulas({}), str)


def test_every_table_has_formulas_or_a_reason_but_never_both() -> None:
    having = {table.name for table in load_tables() if table.topdown}
    assert having == {"AMD Zen 4", "AMD Zen 5", "Arm Neoverse V1", "Arm Neoverse N2, V2"}
    assert not [table.name for table in load_tables() if table.topdown and table.no_topdown]


def test_topdown_asks_for_the_events_of_the_formulas(tmp_path: Path) -> None:
    info = "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 97\n"
    asked = Parser(Catalog(machine(tmp_path, info))).parse(["topdown"])
    events = {event.metric: event for unit in asked for event in unit}
    assert set(events) == set(ZEN4)
    assert events["de_no_dispatch_per_slot_backend_stalls"].config == 0x100001EA0


def test_topdown_asks_for_the_shares_where_the_pmu_has_them(tmp_path: Path) -> None:
    events = {e.metric for unit in Parser(Catalog(ice_lake(tmp_path))).parse(["topdown"]) for e in unit}
    assert events == {"slots", *LEVEL1.values()}


def test_topdown_of_a_core_without_it_is_refused_with_the_reason() -> None:
    ((event,),) = Parser(Catalog(recorded_machines.root("skylake"))).parse(["topdown"])
    assert event.refused is not None
    assert "its table has no formulas" in event.refused.reason


GOOD = {"source": "a manual", "slots": "4 * cycles", "back_end": "x", "front_end": "x", "retiring": "x"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bad_speculation": "__import__('os')"}, "no sum, product or quotient"),
        ({"bad_speculation": "x if y else 0"}, "no sum, product or quotient"),
        ({"bad_speculation": "x +"}, "no formula"),
        ({"bad_speculation": "x", "more": 1}, "unknown key more"),
    ],
)
def test_what_is_no_arithmetic_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_formulas({**GOOD, **change})


def test_formulas_are_over_events_of_their_table() -> None:
    text = 'name = "a"\nverified = "no"\n[match]\nids = ["a"]\n[vendor]\nx = 1\n[[topdown]]\n'
    text += "".join(f'{key} = "{value}"\n' for key, value in GOOD.items())
    assert parse_table(text + 'bad_speculation = "x"\n', "a.toml").topdown
    with pytest.raises(HwprofError, match="nothing: no event of this table"):
        parse_table(text + 'bad_speculation = "nothing"\n', "a.toml")
