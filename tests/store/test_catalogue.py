"""Which runs of a file with several experiments a selection means, for every way of reading them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hwprof.errors import ResultsError, UsageError
from hwprof.records import Failure, Kind, Layer, Run
from hwprof.store import Results, catalogue, layers, schema
from hwprof.store.listing import entries
from hwprof.store.scope import Condition, RunFilter
from hwprof.store.selection import ALL
from tests.factories import MACHINE, make_run, make_simulated_run, make_sliced_run

RUN, LAYERS, TUNE = "# hwprof run", "# hwprof layers, 1a2b", '# hwprof tune\n{"budget_s": 1}\n# search 1\n'
OTHER = {**MACHINE, "label": "another board", "model": "Synthetic B2"}


def on(day: int, runs: Sequence[Run], tag: str) -> list[Run]:
    """The runs as of another day, with ids of their own."""
    date = f"2026-11-{day:02d}"
    moved = [dataclasses.replace(r, started_utc=r.started_utc.replace("2000-01-01", date)) for r in runs]
    return [dataclasses.replace(r, uid=f"{tag}{n:08x}") for n, r in enumerate(moved)]


def rounds(framework: str, network: str, fps: float = 40.0, count: int = 2, **fields: Any) -> list[Run]:
    return [
        make_run(framework, network, fps=fps + n, round=n, metrics={"cycles": 1e6 * fps}, **fields)
        for n in range(count)
    ]


def profile(framework: str, network: str) -> Run:
    base = make_run(framework, network)
    return dataclasses.replace(base, kind=Kind.LAYERS, windows=(), layers=(Layer("conv", "Conv", 1000),))


def add(results: Results, name: str, toml: str, runs: Sequence[Run]) -> None:
    identity = results.begin_experiment(name, toml, f"hash {name} {runs[0].uid}", 0)
    results.add_all(runs, identity)


def fill(results: Results) -> None:
    """Two experiments, the earlier one saved last; what single commands measured; a run of no experiment."""
    both = [*rounds("onnxruntime", "resnet18"), *rounds("opencv", "resnet18", 20.0)]
    add(results, "quick", 'name = "quick"\n', on(20, both, "aaa0"))
    add(results, "run 1f", RUN, on(25, rounds("onnxruntime", "resnet18", 99.0), "bbb0"))
    add(results, "run 2f", RUN, on(26, [make_simulated_run(network="resnet18", metrics={"cycles": 5e6})], "ccc0"))
    add(results, "run 3f", LAYERS, on(26, [profile("opencv", "resnet18"), profile("tvm", "resnet18")], "ddd0"))
    old = [*rounds("onnxruntime", "alexnet", 10.0, machine=OTHER), *rounds("onnxruntime", "resnet18", 41.0)]
    add(results, "nightly", "# hwprof run\n[matrix]\n", on(10, old, "eee0"))
    results.add(on(27, [make_run(network="googlenet", fps=7.0)], "fff0")[0])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("written") / "r.db"
    with Results.create(path) as made:
        fill(made)
    return path.read_bytes()


@pytest.fixture
def results(tmp_path: Path, written: bytes) -> Iterator[Results]:
    path = tmp_path / "r.db"
    path.write_bytes(written)
    with Results.open(path) as opened:
        yield opened


def fps(results: Results) -> list[float]:
    return sorted(round(value) for value in results.frame()["fps"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [20, 21, 40, 41]),
        ([":last"], [20, 21, 40, 41]),
        ([":quick"], [20, 21, 40, 41]),
        (["quick"], [20, 21, 40, 41]),
        ([":#1"], [20, 21, 40, 41]),
        ([":nightly"], [10, 11, 41, 42]),
        (["experiment=nightly", "experiment=quick"], [10, 11, 20, 21, 40, 41, 41, 42]),
        ([":single"], [7, 99, 100]),
        ([":all"], [7, 10, 11, 20, 21, 40, 41, 41, 42, 99, 100]),
        (["framework=opencv"], [20, 21]),
        (["opencv"], [20, 21]),
        (["framework=opencv", "framework=onnxruntime"], [20, 21, 40, 41]),
        ([":all,network=alexnet"], [10, 11]),
        ([":all", "network=alexnet", "network=googlenet"], [7, 10, 11]),
        ([":nightly,machine=another"], [10, 11]),
        ([":all,kernel=6.0.0-synthetic,version=0.0.synthetic,resnet18,threads=1"], [20, 21, 40, 41, 41, 42, 99, 100]),
        # who names runs or times takes them from the whole file
        (["run=bbb000000001"], [100]),
        (["run=bbb0"], None),
        (["run=1"], [40]),
        (["run=1-3", "run=5"], [20, 40, 41, 99]),
        (["since=2026-11-25"], [7, 99, 100]),
        (["until=2026-11-10"], [10, 11, 41, 42]),
        (["since=2026-11-10", "until=2026-11-20", "alexnet"], [10, 11]),
        ([":nightly", "until=2026-11-10T00:00"], [10, 41]),
    ],
)
def test_words_take_the_runs_that_they_name(results: Results, words: list[str], expected: list[int] | None) -> None:
    if expected is None:
        with pytest.raises(ResultsError, match="'bbb0' is ambiguous: 2 runs begin with it"):
            results.choose(words)
        return
    scope = results.choose(words)
    assert fps(results) == expected
    native = [run for run in results.runs() if run.kind is Kind.NATIVE]
    assert (
        sorted(round(len(r.windows[0].latencies_ns) and 1e9 / sorted(r.windows[0].latencies_ns)[15]) for r in native)
        == expected
    )
    assert {entry.uid for entry in entries(results.database)} == {run.uid for run in results.runs()}
    assert set(results.over_time()["run"]) == {run.uid for run in native}
    assert scope.runs >= len(expected)


def test_without_a_choice_everything_is_read(results: Results) -> None:
    assert len(list(results.runs())) == 14
    assert len(results.experiments()) == 5
    results.choose([], ALL)
    assert results.database.condition is None


def test_a_scope_says_what_it_is_and_what_else_is_there(results: Results) -> None:
    scope = results.choose()
    assert scope.title == "experiment quick of 2026-11-20, 4 runs"
    assert scope.rest("`all`") == (
        "Also in this file: 1 experiment (nightly of 2026-11-10, 4 runs), 4 single measurements (6 runs): `all`"
    )
    assert results.choose([":single"]).title == "4 single measurements (6 runs)"
    assert results.choose([":quick", "opencv"]).title == "experiment quick of 2026-11-20, framework=opencv, 2 runs"
    assert results.choose(["run=1-3"]).title == "3 runs with run=1-3"
    everything = results.choose([":all"])
    assert everything.title == (
        "2 experiments (quick of 2026-11-20, 4 runs; nightly of 2026-11-10, 4 runs), 4 single measurements (6 runs)"
    )
    assert everything.rest("`all`") == ""
    assert [e.name for e in results.experiments()] == ["quick", "run 1f", "run 2f", "run 3f", "nightly"]
    results.choose([":nightly"])
    assert [(e.name, e.ok) for e in results.experiments()] == [("run 2f", 1), ("nightly", 4)]


def test_profiles_and_simulations_of_the_same_networks_belong_to_an_experiment(results: Results) -> None:
    results.choose()
    found = {(run.kind, run.case.framework) for run in results.runs()}
    assert (Kind.SIMULATED, "onnxruntime") in found
    assert (Kind.LAYERS, "opencv") in found
    assert (Kind.LAYERS, "tvm") not in found  # a framework that it has not
    assert len(layers.read_longest(results.database, 5)) == 1
    assert fps(results) == [20, 21, 40, 41]
    results.choose([":quick", "framework=opencv"])
    assert {run.kind for run in results.runs()} == {Kind.NATIVE, Kind.LAYERS}


def test_a_failed_simulation_of_another_experiment_does_not(results: Results) -> None:
    failed = dataclasses.replace(make_simulated_run(network="resnet18", metrics={}), failure=Failure("timeout", "slow"))
    add(results, "run 4f", RUN, on(28, [dataclasses.replace(failed, windows=())], "1110"))
    results.choose()
    assert all(run.failure is None for run in results.runs())


def test_the_latest_experiment_is_that_of_the_latest_run_not_of_the_last_row(results: Results) -> None:
    assert results.choose().experiments[0].name == "quick"
    add(results, "newer", "", on(21, rounds("tvm", "resnet18", 5.0), "2220"))
    assert results.choose().experiments[0].name == "newer"
    assert fps(results) == [5, 6]


def test_an_imported_table_is_an_experiment_and_without_dates_never_the_latest(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        table = [dataclasses.replace(run, started_utc="") for run in rounds("caffe", "alexnet", 3.0)]
        add(results, "import table.csv", "", table)
        assert results.choose().title == "experiment import table.csv, 2 runs"
        add(results, "quick", "", on(2, rounds("opencv", "alexnet", 30.0), "aaa0"))
        assert fps(results) == [3, 4, 30, 31]  # until it is chosen again
        results.choose()
        assert fps(results) == [30, 31]
        results.choose([":import table.csv"])
        assert fps(results) == [3, 4]
        results.choose(["until=2027-01-01"])  # an unknown time is in no span
        assert fps(results) == [30, 31]


def test_single_measurements_alone_are_all_taken(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        add(results, "run 1f", RUN, on(1, rounds("opencv", "alexnet", 30.0), "aaa0"))
        add(results, "tune x", TUNE, on(2, rounds("opencv", "alexnet", 50.0), "bbb0"))
        results.add(make_run(fps=7.0))
        scope = results.choose()
        assert (scope.title, scope.others) == ("3 single measurements (5 runs)", ())
        assert fps(results) == [7, 30, 31, 50, 51]


def test_the_only_experiment_is_read_without_any_condition(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        add(results, "quick", "", rounds("opencv", "alexnet"))
        scope = results.choose()
        assert (results.database.condition, scope.others) == (None, ())
        assert scope.title == "experiment quick of 2000-01-01, 2 runs"


def test_a_file_without_runs_can_be_chosen_from(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        assert results.choose().title == "0 runs"
        with pytest.raises(UsageError, match="There is no run in it"):
            results.choose([":quick"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["network=alexnet"],
            "No run of quick of 2026-11-20 in .*has network=alexnet. 2 runs fit in the rest of the file",
        ),
        ([":quick,framework=tvm"], "No run of quick .*1 run fits in the rest of the file: .*r.db:all"),
        ([":all", "framework=opencv", "network=alexnet"], "Each fits some run, and none fits all of them"),
        (["since=2027-01-01"], "No run of .*has since=2027-01-01T00:00:00"),
        (["run=900"], "No run '900'"),
    ],
)
def test_what_fits_no_run_is_refused_with_what_does(results: Results, words: list[str], message: str) -> None:
    with pytest.raises((ResultsError, UsageError), match=message) as refused:
        results.choose(words)
    assert "\n" not in str(refused.value)


def test_experiments_of_one_name_are_named_by_their_numbers(results: Results) -> None:
    add(results, "quick", "other", on(1, rounds("opencv", "alexnet"), "3330"))
    with pytest.raises(ResultsError, match=r"2 experiments in .* are named 'quick'. Say which: #1, #6"):
        results.choose([":quick"])
    assert results.choose([":#6"]).runs == 2


def test_digits_that_are_a_number_and_begin_an_id_are_refused(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        results.add_all([make_run(round=n, iterations=1, uid=f"a{n:07x}") for n in range(1001)])
        results.add(make_run(round=2000, fps=3.0, uid="1001bead"))
        results.add(make_run(round=2001, fps=4.0, uid="12345678"))
        with pytest.raises(ResultsError, match=r"'1001' is the number of a run of .* and the begin of the id 1001bead"):
            results.choose(["run=1001"])
        for words, expected in ((["run=1001-1001"], 40), (["run=1001b"], 3), (["run=12345678"], 4), (["run=1002"], 3)):
            results.choose(words)
            assert fps(results) == [expected]


def test_reruns_of_explain_come_with_their_cases_if_asked_for(results: Results) -> None:
    again = [*rounds("opencv", "resnet18", 21.0), *rounds("opencv", "resnet18", 30.0, options={"spin": False})]
    add(results, "intervene spin 1", "# hwprof explain --intervene spin", on(28, again, "4440"))
    add(results, "intervene spin 2", "# hwprof explain --intervene spin", on(28, rounds("tvm", "alexnet", 9.0), "5550"))
    results.choose()
    assert fps(results) == [20, 21, 40, 41]
    results.choose(reruns=True)
    assert fps(results) == [20, 21, 21, 22, 30, 31, 40, 41]
    add(
        results,
        "intervene spin 3",
        "# hwprof explain --intervene spin",
        on(29, rounds("opencv", "resnet18", 70.0), "6660"),
    )
    results.choose_again()
    assert fps(results)[-2:] == [70, 71]


def test_selectors_that_name_runs_widen_the_default(results: Results) -> None:
    results.choose(selectors=["onnxruntime", "opencv"])
    assert len(fps(results)) == 4
    results.choose(selectors=["run=bbb000000001", "opencv"])
    assert len(fps(results)) == 11
    results.choose([":quick"], selectors=["run=bbb000000001"])
    assert len(fps(results)) == 4


def test_ages_count_from_now(results: Results) -> None:
    now = datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC)
    with results.database.read() as connection:
        assert catalogue.choose(connection, ["since=3d"], now=now).runs == 6


def test_slices_and_readings_of_other_runs_are_not_read(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        for day, (name, bare_ns) in enumerate((("old", 10_000_000), ("new", 20_000_000)), 1):
            sliced = make_sliced_run((1.1, 1.2, 1.3), bare_ns=bare_ns, round=day)
            counted = make_run(network="alexnet", metrics={name: 1.0, f"{name}-missing": None})
            add(results, name, "", on(day, [sliced, counted], f"{day}{day}{day}0"))
        results.choose()
        frame = results.frame()
        assert len(frame) == 2
        assert frame["paired_fps"].dropna().to_list() == [pytest.approx(50.0, rel=0.01)]
        assert {"new", "new-missing"} <= set(frame.columns)
        assert "old-missing" not in frame.columns
        assert "old" not in frame.columns


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("# hwprof run", True),
        ("# hwprof.run", True),
        ("# hwprof run, 7f3a91bc", True),
        ("# hwprof scaling", True),
        ("# hwprof explain --intervene spin", True),
        ("# hwprof compare --run, old hwprof", True),
        (TUNE, True),
        ("", False),
        ("# hwprof run of mine\n[matrix]\nframeworks = []\n", False),
        ("# my experiment\n", False),
    ],
)
def test_an_experiment_of_a_command_is_a_single_measurement(toml: str, expected: bool) -> None:
    assert catalogue.is_single(toml) is expected


def test_a_condition_is_portable_sql() -> None:
    from sqlalchemy.dialects import postgresql

    condition = Condition((1, None), (2, 3), (4,), (5,), (6,), ((7, 9),), "2026-11-02", "2026-11-03", (8,), (9,))
    query = RunFilter(Kind.NATIVE, condition).restrict(select(schema.reading.c.value), schema.reading.c.run_id)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    text = " ".join(str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})).split())
    assert "run.experiment_id IN (1) OR run.experiment_id IS NULL" in text
    assert "run.case_id IN (2, 3)" in text
    assert "run.id BETWEEN 7 AND 9" in text
    assert "run.started_utc >= '2026-11-02'" in text


def test_names_are_hidden_where_results_are_masked(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        add(results, "import /home/jane/t.csv", "", rounds("opencv", "alexnet"))
    with Results.open(tmp_path / "r.db", masked=True) as results:
        assert "jane" not in results.choose().title
