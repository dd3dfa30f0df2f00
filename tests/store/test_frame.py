"""The frame: one row per run, counts per frame, levels as they are, missing is NaN, simulated stays apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pandas as pd
import pytest

from hwprof.records import (
    TEST_EQUIPMENT,
    Exactness,
    Failure,
    Fidelity,
    Kind,
    Origin,
    Reading,
    Role,
    Run,
    Window,
    missing,
)
from hwprof.store import Results
from hwprof.store.columns import ROLES, WORST
from tests.factories import make_case, make_reading, make_run, make_simulated_run, make_window


def frame(results: Results, *runs: Run, experiment: int | None = None, kind: str | None = "native") -> pd.DataFrame:
    for run in runs:
        results.add(run, experiment)
    return results.frame(kind)


def with_readings(readings: Iterable[Reading], iterations: int = 10, batch: int = 1, uid: str = "aa") -> Run:
    bare = make_window(0, Role.BARE, [1_000_000] * 10)
    counted = make_window(1, Role.COUNTED, [1_000_000] * iterations, tuple(readings), 0)
    return Run(uid, make_case(batch=batch), windows=(bare, counted))


def test_one_row_says_what_was_run(results: Results) -> None:
    experiment = results.begin_experiment("quick", "", "a", 0)
    fidelity = Fidelity(1e-3, 2e-3, 0.875, 8, 1e-3)
    run = make_run("opencv", "resnet18", fps=20, batch=4, threads=2, cpus=(0, 2), options={"mode": "x", "spin": False})
    row = frame(results, dataclasses.replace(run, fidelity=fidelity, round=3), experiment=experiment).iloc[0]
    expected = {
        "run": run.uid,
        "experiment": "quick",
        "framework": "opencv",
        "network": "resnet18",
        "recipe": "recipe-1/seed-7",
        "size": 224,
        "batch": 4,
        "threads": 2,
        "cpus": "0,2",
        "precision": "fp32",
        "option.mode": "x",
        "option.spin": False,
        "machine": "synthetic board",
        "round": 3,
        "status": "ok",
        "fps": 20.0,
        "latency_ms": 200.0,
        "load_ms": 200.0,
        "peak_rss_mib": 96.0,
        "iterations": 31,
        "max_rel": 2e-3,
        "top1": 0.875,
        "faithful": False,
        "macs": 1_814_073_344,
        "params": 11_689_512,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["throughput"] == pytest.approx(20 / 1.01, rel=1e-6)
    assert row["counted_throughput"] == pytest.approx(20 / 1.01, rel=1e-6)
    assert 200 < row["p90_ms"] <= row["p99_ms"] < 202.1


def test_counts_are_per_frame_and_levels_are_not(results: Results) -> None:
    run = make_run(batch=4, metrics={"cycles": 5e7, "page-faults": 0.0, "power": 3.5, "rss": 96.0, "energy": 0.25})
    df = frame(results, run)
    names = ["cycles", "page-faults", "power", "rss", "energy"]
    assert df[names].to_numpy().tolist() == [[5e7, 0.0, 3.5, 96.0, 0.25]]
    per = {name: told["per"] for name, told in df.attrs["metrics"].items()}
    assert per == {"cycles": "frame", "page-faults": "frame", "power": "level", "rss": "level", "energy": "frame"}


def test_a_metric_counted_in_several_windows_is_pooled(results: Results) -> None:
    windows = (
        make_window(0, Role.COUNTED, [10] * 10, [Reading("cycles", 1000.0), Reading("power", 2.0, "W")], 0),
        make_window(1, Role.COUNTED, [10] * 30, [Reading("cycles", 1000.0), Reading("power", 6.0, "W")], 1),
        make_window(2, Role.COUNTED, [10] * 10, [missing("cycles", "never ran"), Reading("loads", 50.0)], 2),
    )
    row = frame(results, Run("aa", make_case(batch=2), windows=windows)).iloc[0]
    assert row["cycles"] == 2000 / (40 * 2)
    assert row["loads"] == 50 / (10 * 2)
    assert row["power"] == pytest.approx((2 * 101 + 6 * 303) / 404), "weighted by the windows' length"


def test_counted_windows_come_before_bare_ones(results: Results) -> None:
    def windows(counted: Reading) -> tuple[Window, ...]:
        return (
            make_window(0, Role.BARE, [10] * 10, [Reading("cpu-time", 100.0)]),
            make_window(1, Role.COUNTED, [10] * 10, [counted], 0),
        )

    df = frame(
        results,
        Run("aa", make_case(), windows=windows(Reading("cpu-time", 200.0))),
        Run("bb", make_case(), windows=windows(missing("cpu-time", "not read"))),
    )
    assert df["cpu-time"].to_list() == [20.0, 10.0]


def test_missing_is_nan_and_never_zero(results: Results) -> None:
    df = frame(results, make_run(metrics={"cache-misses": None, "page-faults": 0.0}), make_run(round=1))
    assert df["cache-misses"].isna().all()
    assert df["page-faults"].fillna(-1).to_list() == [0.0, -1.0]
    told = df.attrs["metrics"]["cache-misses"]
    assert (told["exactness"], told["runs"], told["missing"]) == ("missing", 0, 2)
    assert "no such event" in told["why"]


def test_a_failed_run_has_a_row_without_numbers(results: Results) -> None:
    row = frame(results, make_run(failure=Failure("timeout", "no result")), make_run(round=1)).iloc[0]
    assert (row["status"], row["failure"]) == ("failed", "timeout")
    for name in ("fps", "throughput", "latency_ms", "p90_ms", "iterations", "load_ms", "peak_rss_mib", "max_rel"):
        assert pd.isna(row[name]), name
    assert row["faithful"] is None


@pytest.mark.parametrize(
    ("name", "domain", "column"),
    [
        ("cycles", "user+kernel", "cycles"),
        ("cycles", "user", "cycles:u"),
        ("cycles", "kernel", "cycles:k"),
        ("cycles:u", "user", "cycles:u"),
        ("context-switches", "process", "context-switches"),
        ("power", "system", "power"),
        ("sched:sched_switch", "user+kernel", "sched:sched_switch"),
        ("sched:sched_switch", "user", "sched:sched_switch:u"),
    ],
)
def test_the_domain_is_part_of_the_name(results: Results, name: str, domain: str, column: str) -> None:
    df = frame(results, with_readings([Reading(name, 5.0, domain=domain)]))
    assert list(df.attrs["metrics"]) == [column]
    assert df.attrs["metrics"][column]["domain"] == domain


def test_user_only_and_whole_counts_are_not_merged(results: Results) -> None:
    df = frame(
        results,
        with_readings([Reading("cycles", 10.0)], uid="aa"),
        with_readings([Reading("cycles", 20.0, domain="user")], uid="bb"),
    )
    assert df["cycles"].fillna(-1).to_list() == [1.0, -1.0]
    assert df["cycles:u"].fillna(-1).to_list() == [-1.0, 2.0]


def test_simulated_counts_join_the_native_runs_of_their_case_in_columns_of_their_own(results: Results) -> None:
    mine = results.begin_experiment("e", "", "a", 0)
    runs = [
        make_run(round=0, metrics={"instructions": 9e7}),
        make_run(round=1, metrics={"instructions": 9e7}),
        make_run(batch=4, metrics={"instructions": 9e7}),
        make_run(machine={"label": "another"}, metrics={"instructions": None}),
        make_simulated_run(metrics={"instructions": 1e8}),
    ]
    df = frame(results, *runs, experiment=mine)
    assert len(df) == 4
    assert df["instructions@callgrind"].fillna(-1).to_list() == [1e8, 1e8, -1, -1]
    assert df["instructions"].fillna(-1).to_list() == [9e7, 9e7, 9e7, -1]
    assert df.attrs["metrics"]["instructions@callgrind"]["origin"] == "simulated"
    assert df.attrs["metrics"]["instructions"]["origin"] == "hardware"


def test_counts_of_test_equipment_have_columns_of_their_own(results: Results) -> None:
    made_up = Reading("cache-misses", 70.0, origin=Origin.EMULATED, meaning=f"{TEST_EQUIPMENT} (testpmu)")
    real = Reading("cache-misses", 50.0, origin=Origin.HARDWARE)
    df = frame(results, with_readings([made_up]), with_readings([real], uid="bb"))
    assert df["cache-misses@test-equipment"].fillna(-1).to_list() == [7, -1]
    assert df["cache-misses"].fillna(-1).to_list() == [-1, 5]


def test_a_simulated_run_of_another_experiment_does_not_count(results: Results) -> None:
    one, two = (results.begin_experiment("e", "", plan, 0) for plan in ("a", "b"))
    results.add(make_simulated_run(metrics={"instructions": 1e8}), one)
    df = frame(results, make_run(metrics={"cycles": 1.0}), experiment=two)
    assert "instructions@callgrind" not in df.columns


def test_simulated_counts_of_an_earlier_edition_have_columns_of_their_own(results: Results) -> None:
    """They hold millions of instructions of the worker: one file that was begun then and went on now has both."""
    mine = results.begin_experiment("e", "", "a", 0)
    runs = [make_run(network=n, metrics={"cycles": 1.0}) for n in ("alexnet", "resnet18")]
    for network, source, count in (("alexnet", "callgrind:Ir", 9e6), ("resnet18", "callgrind:v2:Ir", 1e6)):
        run = make_simulated_run(network=network, metrics={})
        reading = Reading("instructions", count, origin=Origin.SIMULATED, domain="user", source=source)
        runs.append(dataclasses.replace(run, windows=(dataclasses.replace(run.windows[0], readings=(reading,)),)))
    df = frame(results, *runs, experiment=mine)
    assert df["instructions@callgrind-v1"].fillna(-1).to_list() == [9e6, -1]
    assert df["instructions@callgrind"].fillna(-1).to_list() == [-1, 1e6]


def test_runs_of_another_kind_have_a_frame_too(results: Results) -> None:
    runs = [make_run(metrics={"cycles": 1.0}), make_simulated_run(metrics={"instructions": 1e8})]
    df = frame(results, *runs, kind="simulated")
    assert df["kind"].to_list() == ["simulated"]
    assert df["instructions@callgrind"].to_list() == [1e8]
    assert pd.isna(df["fps"][0])
    assert results.frame(None)["kind"].to_list() == [Kind.NATIVE, Kind.SIMULATED]


def test_exactness_is_the_worst_over_the_runs(results: Results) -> None:
    exactness = {"cycles": Exactness.SCALED, "loads": Exactness.SUSPECT}
    metrics = {"cycles": 1.0, "loads": 1.0, "stores": 1.0}
    df = frame(
        results, make_run(metrics=metrics, exactness=exactness), make_run(round=1, metrics={**metrics, "loads": None})
    )
    told = {name: (m["exactness"], m["runs"]) for name, m in df.attrs["metrics"].items()}
    assert told == {"cycles": ("scaled", 2), "loads": ("suspect", 1), "stores": ("exact", 2)}


def test_the_description_names_unit_origin_source_and_meaning(results: Results) -> None:
    reading = Reading("cache-misses", 5.0, "", origin=Origin.EMULATED, source="perf:cache-misses", meaning="L1D refill")
    told = frame(results, with_readings([reading])).attrs["metrics"]["cache-misses"]
    assert (told["unit"], told["origin"], told["source"]) == ("", "emulated", "perf:cache-misses")
    assert told["meaning"] == "L1D refill"


def test_one_name_in_two_units_gives_two_columns(results: Results) -> None:
    df = frame(
        results,
        with_readings([Reading("task-clock", 10.0, "ms")], uid="aa"),
        with_readings([Reading("task-clock", 1e7, "ns")], uid="bb"),
        with_readings([missing("task-clock", "not here")], uid="cc"),
    )
    names = {name: told["unit"] for name, told in df.attrs["metrics"].items()}
    assert names == {"task-clock": "ms", "task-clock [ns]": "ns"}
    assert df["task-clock"].fillna(-1).to_list() == [1.0, -1, -1]


def test_perf_is_preferred_to_proc_for_the_same_metric(results: Results) -> None:
    both = [Reading("context-switches", 30.0, source="proc:status"), Reading("context-switches", 20.0, source="perf:x")]
    df = frame(results, with_readings(both, uid="aa"), with_readings([both[0]], uid="bb"))
    assert df["context-switches"].to_list() == [2.0, 3.0]
    assert df.attrs["metrics"]["context-switches"]["source"] == "perf:x; proc:status"


@pytest.mark.parametrize(
    ("reading", "column", "value", "per"),
    [
        (Reading("dram-read", 640.0, "MiB", source="perf:uncore_imc/data_reads/"), "dram-read", 64.0, "frame"),
        (Reading("peak-rss", 640.0, "MiB", source="proc"), "peak-rss", 640.0, "level"),
        (Reading("nr_throttled", 3.0, "", source="cgroup"), "nr_throttled", 3.0, "window"),
        (Reading("utilisation", 97.0, "%", source="proc"), "utilisation", 97.0, "level"),
        (Reading("fps", 70.0), "metric.fps", 7.0, "frame"),
    ],
)
def test_what_a_number_is_per(results: Results, reading: Reading, column: str, value: float, per: str) -> None:
    df = frame(results, with_readings([reading]))
    assert df[column].to_list() == [value]
    assert df.attrs["metrics"][column]["per"] == per


def test_peaks_are_the_largest_of_the_windows(results: Results) -> None:
    windows = tuple(
        make_window(i, Role.COUNTED, [10] * 5, [make_reading("peak-rss", 1.0, 1), Reading("rss-peak", v, "MiB")], i)
        for i, v in enumerate((80.0, 96.0, 90.0))
    )
    assert frame(results, Run("aa", make_case(), windows=windows))["rss-peak"].to_list() == [96.0]


def test_two_boards_of_one_name_are_told_apart(results: Results) -> None:
    boards = [{"label": "board", "serial": i} for i in range(2)]
    df = frame(results, *(make_run(machine=board) for board in boards))
    assert df["machine"].nunique() == 2
    assert all(name.startswith("board ") for name in df["machine"])


def test_an_empty_file_gives_an_empty_frame(results: Results) -> None:
    df = results.frame()
    assert len(df) == 0
    assert {"run", "framework", "network", "batch", "round", "status", "fps"} <= set(df.columns)
    assert df.attrs["metrics"] == {}


def test_every_role_and_exactness_has_its_place() -> None:
    assert set(ROLES) == set(Role)
    assert set(WORST) == set(Exactness)
