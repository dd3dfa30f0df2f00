"""Which reruns are worth it, by what was measured, and in which order."""

from __future__ import annotations

from typing import Any

from hwprof.analysis.explain.candidates import candidates
from hwprof.analysis.explain.explain import explain, side_of
from hwprof.analysis.explain.explanation import SideRuns
from tests.analysis.planted import several


def of(a: dict[str, Any], b: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    x, y = (SideRuns(name, several(framework=name, **own)) for name, own in (("x", a), ("y", b)))
    e = explain(x, y)
    found, none = candidates([e.a, e.b], e.decomposition)
    return [one.kind for one in found], dict(none)


def test_more_work_speaks_for_what_changes_the_computing() -> None:
    kinds, none = of({"work": 1e8}, {"work": 3e8})
    assert kinds[:3] == ["simd", "graph", "pages"]
    assert kinds[-1] == "affinity"
    assert none["spin"] == "one thread waits for nobody"
    assert none["allocator"] == "page faults were not counted"


def test_less_parallelism_speaks_for_waiting_first() -> None:
    kinds, _ = of({"threads": 2, "parallelism": 1.9}, {"threads": 2, "parallelism": 1.1})
    assert kinds[:2] == ["spin", "affinity"]


def test_page_faults_make_the_allocator_a_candidate() -> None:
    kinds, _ = of({"metrics": {"minor-faults": 640.0}}, {})
    assert "allocator" in kinds
    _, none = of({"metrics": {"minor-faults": 0.01}}, {"metrics": {"minor-faults": 0.01}})
    assert none["allocator"] == "0.01 page faults per frame at most"


def test_of_one_case_every_kind_that_can_change_it_is_one() -> None:
    found, none = candidates([side_of(SideRuns("", several(framework="x")))], None)
    assert {one.kind for one in found} == {"affinity", "simd", "graph", "pages"}
    assert set(none) == {"spin", "allocator"}
