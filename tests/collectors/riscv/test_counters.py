"""The counter file read, and what its classes become: metrics, shares, and MISSING where something was not counted."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from hwprof.collectors.readings import readings_between
from hwprof.collectors.riscv import counters
from hwprof.collectors.riscv.counters import CounterFile, InstructionSession, open_sessions, readings
from hwprof.errors import CaseFailed
from hwprof.records import Exactness, Origin

NAMES = (
    *("instructions", "vector-arith", "vector-load", "vector-store", "vset", "fp-arith", "fp-move", "fp-load"),
    *("fp-store", "load", "store", "atomic-load", "atomic-store", "atomic-rmw", "branch", "jump", "jump-indirect"),
    *("system", "other"),
)
NAME, LINE = 24, 64


def write(path: Path, threads: list[dict[str, int]], lost: int = 0, version: int = counters.VERSION) -> Path:
    """A counter file as plugin.c lays it out, with these threads."""
    names_at = 2 * LINE
    slots_at = names_at + LINE * -(-len(NAMES) * NAME // LINE)
    stride = LINE * -(-8 * (1 + len(NAMES)) // LINE)
    slots = len(threads) + 2
    data = bytearray(slots_at + slots * stride)
    fields = (version, len(NAMES), slots, names_at, slots_at, stride, NAME, 0, lost, 0)
    counters.HEADER.pack_into(data, 0, counters.MAGIC, *fields)
    for index, name in enumerate(NAMES):
        struct.pack_into(f"{NAME}s", data, names_at + index * NAME, name.encode())
    for index, counts in enumerate(threads):
        values = [1, *(counts.get(name, 0) for name in NAMES)]
        struct.pack_into(f"<{len(values)}Q", data, slots_at + index * stride, *values)
    path.write_bytes(data)
    return path


COUNTS = {
    **dict.fromkeys(NAMES, 0),
    **{"instructions": 1000, "vector-arith": 200, "vector-load": 40, "vector-store": 10, "vset": 5, "fp-arith": 7},
    **{"fp-move": 3, "fp-load": 20, "fp-store": 2, "load": 300, "store": 100, "atomic-load": 1, "atomic-store": 1},
    **{"atomic-rmw": 4, "branch": 50, "jump": 6, "jump-indirect": 8, "other": 243},
}


def test_metrics_add_up_from_classes() -> None:
    values = {r.metric: r.value for r in readings(COUNTS)}
    assert values == {
        "instructions": 1000,
        "vector-instructions": 250,  # without vset
        "vector-loads": 40,
        "vector-stores": 10,
        "vset-instructions": 5,
        "fp-instructions": 7,  # without moves
        "loads": 365,  # 300 + 20 + 40 + 1 + 4: a read-modify-write is both
        "stores": 117,  # 100 + 2 + 10 + 1 + 4
        "branches": 64,
        "vector-share": 0.25,
    }


def test_everything_says_that_it_is_simulated_and_by_what() -> None:
    made = readings(COUNTS, label="riscv64-no-v")
    assert {r.origin for r in made} == {Origin.SIMULATED}
    assert {r.domain for r in made} == {"user"}
    assert {r.source.partition(":")[0] for r in made} == {"riscv64-no-v"}


def test_with_lost_threads_nothing_is_known() -> None:
    made = readings(COUNTS, lost=2)
    assert {r.exactness for r in made} == {Exactness.MISSING}
    assert "2 threads" in made[0].why
    assert {r.metric for r in made} == {*counters.METRICS, counters.SHARE}


def test_a_share_of_nothing_is_missing_and_not_zero() -> None:
    made = {r.metric: r for r in readings(dict.fromkeys(NAMES, 0))}
    assert made["vector-share"].value is None
    assert made["vector-instructions"].value == 0


def test_threads_are_read_apart_and_summed(tmp_path: Path) -> None:
    path = write(tmp_path / "c", [{"instructions": 10, "load": 4}, {"instructions": 5, "vset": 1}], lost=3)
    counts = CounterFile(path).read()
    assert [t.counts[0] for t in counts.threads] == [10, 5]
    assert counts.total()["instructions"] == 15
    assert counts.total()["vset"] == 1
    assert counts.lost == 3


@pytest.mark.parametrize("content", [b"", b"hwprofRV", b"x" * 4096])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c"
    path.write_bytes(content)
    with pytest.raises(CaseFailed):
        CounterFile(path)


def test_a_file_of_another_edition_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseFailed, match="edition"):
        CounterFile(write(tmp_path / "c", [{}], version=99))
    with pytest.raises(CaseFailed, match="no counters"):
        CounterFile(tmp_path / "absent")


def window(session: InstructionSession, path: Path, **after: int) -> dict[str, float | None]:
    """Metrics of a window in which the file's counts became `after`."""
    before = session.read()
    old = path.read_bytes()
    new = write(path.with_name("new"), [after]).read_bytes()
    assert len(old) == len(new)
    with path.open("r+b") as file:  # in place: the session has it mapped
        file.write(new)
    found = readings_between(session.groups, before, session.read(), -1)
    return {r.metric: r.value for r in session.review(found)}


def test_a_window_is_the_difference_less_what_reading_costs(tmp_path: Path) -> None:
    path = write(tmp_path / "c", [{"instructions": 1000, "vector-arith": 100}])
    session = InstructionSession(path, "riscv64")
    assert session.overhead["instructions"] == 0  # nobody executes anything here
    session.overhead = {**session.overhead, "instructions": 400}
    values = window(session, path, **{"instructions": 3400, "vector-arith": 600})
    session.close()
    assert values["instructions"] == 2000
    assert values["vector-instructions"] == 500
    assert values["vector-share"] == 0.25


def test_outside_of_an_emulator_there_is_no_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(counters.VARIABLE, raising=False)
    with open_sessions() as sessions:
        assert list(sessions) == []
    monkeypatch.setenv(counters.VARIABLE, str(write(tmp_path / "c", [{"instructions": 1}])))
    monkeypatch.setenv(counters.LABEL_VARIABLE, "riscv64-vlen128")
    with open_sessions() as sessions:
        (session,) = sessions
        assert session.groups[0].counters[0].source.startswith("riscv64-vlen128:")


MEMORY = {
    **{"l1d-load-misses": 30, "l1d-store-misses": 4, "l2-misses": 9, "vector-elements": 400, "vector-bytes": 1600},
    **{"scalar-bytes": 800, "foreign": 0},
}


def test_counts_of_modelled_caches_are_marked_by_their_model() -> None:
    found = {r.metric: r for r in readings({**COUNTS, **MEMORY}, label="riscv64", model="riscv64-spacemit-x60")}
    assert found["l1d-misses"].value == 34
    assert found["l2-misses"].value == 9
    assert found["vector-bytes"].unit == "B"
    assert found["l1d-misses"].source.startswith("riscv64-spacemit-x60:")
    assert found["instructions"].source.startswith("riscv64:")
    assert found["l1d-misses"].origin is Origin.SIMULATED
    assert "l1d-misses" not in {r.metric for r in readings(COUNTS)}


def test_a_second_thread_makes_the_caches_missing_and_not_the_instructions() -> None:
    found = {r.metric: r for r in readings({**COUNTS, **MEMORY, "foreign": 12}, model="riscv64-own")}
    assert found["l1d-misses"].exactness is Exactness.MISSING
    assert "12 accesses were of others" in found["l1d-misses"].why
    assert found["instructions"].value == 1000
