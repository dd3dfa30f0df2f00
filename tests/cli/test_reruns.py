"""Reruns of `hwprof explain --test`: their rounds within a budget, and going on with them."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from hwprof.cli import main, reruns
from hwprof.cli.times import seconds
from tests.factories import make_run

MEMBERS = 3


class PlantedRunner:
    """Runs that take a second each, of so many rounds; what was begun is counted."""

    begun = 0

    def __init__(self, experiment: Any, results: Any, **rest: Any) -> None:
        self.rounds = experiment.rounds

    def run(self) -> Iterator[Any]:
        total = self.rounds * MEMBERS
        for number in range(total):
            if number % MEMBERS == 0:
                PlantedRunner.begun += 1
            clock.now += 1.0
            yield SimpleNamespace(done=number + 1, total=total, run=make_run())


clock = SimpleNamespace(now=0.0)


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock.now, PlantedRunner.begun = 0.0, 0
    monkeypatch.setattr(reruns, "Runner", PlantedRunner)
    monkeypatch.setattr("hwprof.cli.reruns.time.monotonic", lambda: clock.now)


def measured(rounds: int, budget_s: float) -> int:
    planned: Any = SimpleNamespace(experiment=SimpleNamespace(choices=range(MEMBERS), rounds=rounds))
    source: Any = SimpleNamespace(results=None)
    assert reruns._measure(planned, source, budget_s) == 0
    return PlantedRunner.begun


def test_no_round_is_begun_that_would_end_beyond_the_budget(capsys: pytest.CaptureFixture[str]) -> None:
    assert measured(8, 13.0) == 4  # 3 s a round: the fifth would end at 15 s
    assert "4 rounds fit into the budget" in capsys.readouterr().err


def test_two_rounds_are_measured_whatever_the_budget() -> None:
    assert measured(8, 0.5) == 2


def test_all_rounds_are_measured_where_they_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert measured(3, 300.0) == 3
    assert "budget" not in capsys.readouterr().err


def test_what_is_complete_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert measured(0, 300.0) == 0
    assert "Nothing is measured: 0 rounds of these tests are in the results" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "value"), [("90", 90.0), ("90s", 90.0), ("5m", 300.0), ("1.5h", 5400.0)])
def test_a_time_has_a_unit_or_is_in_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["0", "m", "nan", "inf", "5 minutes"])
def test_what_is_no_time_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explain", "a", "b", "--test", "--budget", text])
    assert ended.value.code == 2
    assert "is no time above 0: as 90s, 5m or 1h" in capsys.readouterr().err
