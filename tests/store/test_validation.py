"""A verdict concerns every run of that machine and kernel, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwprof.records import Counter, Exactness, Reading, Role, Run, missing
from hwprof.reports.page import content
from hwprof.reports.terminal import counts
from hwprof.store import Results
from hwprof.store.validation import NewVerdict
from tests.factories import HOST_STATE, MACHINE, make_case, make_run, make_window

FAILED = "failed validation: dead, read 0 whatever was done"


def verdict(failed: bool = True, at: str = "2024-01-01T00:00:00+00:00", domain: str = "user+kernel") -> NewVerdict:
    counter = Counter("loads", domain=domain, source="perf:loads")
    name, why = ("dead", "read 0 whatever was done") if failed else ("right", "")
    return NewVerdict(counter, name, failed, why, at, {"findings": []})


def run(
    reading: Reading | None = None,
    uid: str = "aa",
    state: Mapping[str, Any] = HOST_STATE,
    machine: Mapping[str, Any] = MACHINE,
) -> Run:
    reading = reading or Reading("loads", 5.0, source="perf:loads")
    windows = (
        make_window(0, Role.BARE, [1_000_000] * 10),
        make_window(1, Role.COUNTED, [1_000_000] * 10, (reading,), 0),
    )
    return Run(uid, make_case(), windows=windows, machine=machine, host_state=state)


def told(results: Results) -> list[tuple[Exactness, str]]:
    return [(r.exactness, r.why) for run in results.runs() for w in run.windows for r in w.readings]


def test_what_failed_is_suspect_in_runs_and_frame(results: Results) -> None:
    results.add(run())
    results.add_validation(MACHINE, HOST_STATE, [verdict()])
    assert told(results) == [(Exactness.SUSPECT, FAILED)]
    metric = results.frame().attrs["metrics"]["loads"]
    assert (metric["exactness"], metric["why"]) == ("suspect", FAILED)
    assert results.frame()["loads"].to_list() == [0.5]


def test_what_is_right_stays_exact(results: Results) -> None:
    results.add(run())
    results.add_validation(MACHINE, HOST_STATE, [verdict(failed=False)])
    assert told(results) == [(Exactness.EXACT, "")]
    assert results.frame().attrs["metrics"]["loads"]["exactness"] == "exact"


def test_another_setting_of_the_host_is_concerned_another_kernel_or_machine_is_not(results: Results) -> None:
    results.add(run(uid="aa", state={**HOST_STATE, "governor": "powersave"}))
    results.add(run(uid="bb", state={**HOST_STATE, "kernel": "7.0"}))
    results.add(run(uid="cc", machine={**MACHINE, "label": "another"}))
    results.add_validation(MACHINE, HOST_STATE, [verdict()])
    assert [exactness for exactness, _ in told(results)] == [Exactness.SUSPECT, Exactness.EXACT, Exactness.EXACT]


def test_the_last_verdict_counts(results: Results) -> None:
    results.add(run())
    results.add_validation(MACHINE, HOST_STATE, [verdict()])
    results.add_validation(MACHINE, HOST_STATE, [verdict(failed=False)])
    assert told(results)[0][0] is Exactness.EXACT
    other = {**HOST_STATE, "governor": "powersave"}
    results.add_validation(MACHINE, other, [verdict(at="2023-01-01T00:00:00+00:00")])
    assert told(results)[0][0] is Exactness.EXACT, "an older verdict from another setting"
    results.add_validation(MACHINE, other, [verdict(at="2025-01-01T00:00:00+00:00")])
    assert told(results)[0][0] is Exactness.SUSPECT


def test_a_verdict_holds_with_modifiers_and_for_users_without_rights(results: Results) -> None:
    results.add(run(Reading("loads:u", 5.0, source="perf:loads", domain="user"), uid="aa"))
    results.add(run(Reading("loads", 5.0, source="perf:loads", domain="user"), uid="bb"))
    results.add(run(Reading("loads", 5.0, source="perf:r81d0"), uid="cc"))
    results.add_validation(MACHINE, HOST_STATE, [verdict()])
    assert [e for e, _ in told(results)] == [Exactness.SUSPECT, Exactness.SUSPECT, Exactness.EXACT]


def test_a_verdict_of_an_earlier_version_has_todays_name(results: Results) -> None:
    results.add(run(Reading("loads", 5.0, source="perf:loads")))
    earlier = NewVerdict(Counter("loads", source="perf:loads"), "lying", True, "does not follow the work", "2024", {})
    results.add_validation(MACHINE, HOST_STATE, [earlier])
    assert told(results) == [(Exactness.SUSPECT, "failed validation: miscounts, does not follow the work")]


def test_a_sum_over_kinds_of_core_is_as_good_as_its_parts(results: Results) -> None:
    results.add(run(Reading("loads", 5.0, source="perf:loads"), uid="aa"))
    part = NewVerdict(Counter("loads@cpu_atom", source="perf:cpu_atom/loads/"), "miscounts", True, "", "2024", {})
    results.add_validation(MACHINE, HOST_STATE, [part])
    assert told(results)[0][0] is Exactness.SUSPECT


def test_a_missing_reading_stays_missing_with_its_own_reason(results: Results) -> None:
    results.add(run(missing("loads", "no counter", source="perf:loads")))
    results.add_validation(MACHINE, HOST_STATE, [verdict()])
    assert told(results) == [(Exactness.MISSING, "no counter")]


def test_verdicts_come_along_when_results_are_merged(results: Results, tmp_path: Path) -> None:
    with Results.create(tmp_path / "board.db") as board:
        board.add(run())
        board.add_validation(MACHINE, HOST_STATE, [verdict()])
    results.merge(tmp_path / "board.db")
    assert told(results) == [(Exactness.SUSPECT, FAILED)]


def test_the_report_says_what_failed(results: Results) -> None:
    results.add(make_run(metrics={"loads": 5.0}))
    title = "Events that failed validation"
    assert title not in [t.title for t in content.build(results.frame(), results.runs()).tables]
    results.add_validation(MACHINE, HOST_STATE, [verdict()])
    report = content.build(results.frame(), results.runs())
    table = next(t for t in report.tables if t.title == title)
    assert table.rows == (("synthetic board", "loads", "dead", "read 0 whatever was done"),)


def test_what_is_printed_of_a_run_says_why_it_is_suspect(results: Results) -> None:
    results.add(run())
    results.add_validation(MACHINE, HOST_STATE, [verdict()])
    (line,) = (line for line in counts.lines([results.find("aa")], asked=("loads",)) if " loads " in line)
    assert line.endswith(FAILED)
    assert line.split()[2] == "suspect"
