"""Why one of two is faster, of runs that another program measured: as far as its figures go."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from hwprof.analysis.explain import pairs
from hwprof.analysis.explain.pairs import Source
from hwprof.cli import main
from hwprof.errors import EXIT_UNAVAILABLE, ResultsError
from hwprof.exchange.imports import imported_run
from hwprof.records import Case, Run
from hwprof.store import Results

NETWORKS = ("resnet18", "resnet50", "densenet121")


def reported(framework: str, network: str, rate: float, threads: int, **figures: float) -> Run:
    return imported_run(
        Case(framework, network, "dli from PyTorch", 224, threads=threads),
        {"format": "DLI", "file": "x.csv", "throughput": rate, **figures},
        machine={"model": "Invented"},
        host_state={},
        software={},
        macs=1_000_000,
    )


def store(place: Path, threads: tuple[int, int]) -> Path:
    with Results.open(place, create=True) as results:
        for number, network in enumerate(NETWORKS, 1):
            results.add(reported("litert", network, 20.0 * number, threads[0]))
            results.add(reported("tvm", network, 10.0 * number, threads[1]))
    return place


@pytest.mark.parametrize("threads", [(4, 4), (0, 0), (4, 0), (0, 4)])
def test_a_ratio_of_reported_speeds_is_explained_as_one_factor(tmp_path: Path, threads: tuple[int, int]) -> None:
    with Results.open(store(tmp_path / "r.db", threads)) as results:
        source = Source(results)
        found, omitted = pairs.explanations(pairs.find("litert", "tvm", source), source)
    assert not omitted
    assert [e.decomposition.whole.ratio for e in found] == pytest.approx([2.0] * 3)
    assert {e.decomposition.level for e in found} == {"wall"}
    assert all("framework" in e.differs and "threads" not in e.differs for e in found)
    notes = [note for e in found for note in e.notes if "threads is not stated" in note]
    assert len(notes) == (3 if threads[0] != threads[1] else 0)


def test_two_stated_numbers_of_threads_are_not_compared_as_one(tmp_path: Path) -> None:
    with Results.open(store(tmp_path / "r.db", (4, 2))) as results:
        with pytest.raises(ResultsError, match="no case in common"):
            pairs.find("litert", "tvm", Source(results))


def test_a_latency_beside_the_throughput_is_its_tail(tmp_path: Path) -> None:
    with Results.open(tmp_path / "r.db", create=True) as results:
        results.add(reported("litert", "resnet18", 20.0, 4, fps=21.0, latency_ns=1e9 / 21))
        results.add(reported("tvm", "resnet18", 10.0, 4))
        source = Source(results)
        (found,), _ = pairs.explanations(pairs.find("litert", "tvm", source), source)
    assert found.decomposition.whole.ratio == pytest.approx(2.1)
    assert found.decomposition.tail is not None
    assert math.isclose(found.decomposition.tail.ratio, 1.05)


def test_commands_on_reported_speeds_end_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = store(tmp_path / "r.db", (4, 0))
    assert main(["explain", "litert", "tvm", f"{place}:all"]) == 0
    assert "litert is 2.00 times as fast as tvm" in " ".join(capsys.readouterr().out.split())
    assert main(["explain", f"{place}:all"]) == 0
    assert main(["compare", f"{place}:all", f"{place}:all"]) == EXIT_UNAVAILABLE, "one round each"
    assert main(["report", f"{place}:all"]) == 0
