"""A file with a precision of its own, measured, stored and shown under its name."""

from __future__ import annotations

from pathlib import Path

import pytest

import hwprof
from hwprof.analysis.correlation import strata
from hwprof.analysis.explain import pairs
from hwprof.analysis.placement import place_cases
from hwprof.analysis.roofline import Roof
from hwprof.errors import UsageError
from hwprof.networks import traffic
from hwprof.networks.traffic import Traffic
from hwprof.plan.cases import plan
from hwprof.plan.experiment import Choice, Experiment
from hwprof.plan.winner import subject_of
from hwprof.reports.html.tables import runs_table
from hwprof.reports.terminal import run as terminal
from hwprof.store import Results
from tests import stored_models

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[hwprof.Run]]]:
    """A QDQ file in two frameworks: (results, framework -> its runs)."""
    folder = tmp_path_factory.mktemp("stored")
    file = stored_models.static(folder / "m.onnx", "QDQ")
    path = folder / "r.db"
    found = {
        name: hwprof.run(
            name, str(file), rounds=1, window_s=0.02, events=["page-faults"], cooldown_s=0, cpus="0", results=path
        )
        for name in ("onnxruntime", "opencv")
    }
    return path, found


def test_a_run_is_called_by_the_precision_of_its_file(measured: tuple[Path, dict[str, list[hwprof.Run]]]) -> None:
    for name, (run,) in measured[1].items():
        assert run.failure is None
        assert run.case.precision == "int8 (QDQ)"
        assert run.facts["precision"] == run.facts["stored_precision"] == "int8 (QDQ)"
        assert sum(run.facts["computed"].values()) == 3
        assert run.fidelity is not None
        assert run.fidelity.faithful
        assert run.fidelity.inputs == 64
        text = terminal.text([run])
        assert f" int8 (QDQ) · {name} " in text.splitlines()[0]
        assert "computed    convolutions and matrix products: 3 in " in text
        assert "other roundings: " in text
        assert f"{run.fidelity.tolerance:.1e} allowed" in text


def test_results_hold_what_was_computed_in_and_ceilings_are_of_that(
    measured: tuple[Path, dict[str, list[hwprof.Run]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "of_network", lambda *_, **__: Traffic(1000, 1000, 3, 500))
    with Results.open(measured[0]) as results:
        frame = results.frame().assign(macs=1e6)
        machine = str(frame["machine_id"].iloc[0])
    assert set(frame["precision"]) == {"int8 (QDQ)"}
    by = dict(zip(frame["framework"], frame["computed"], strict=True))
    assert by == {"onnxruntime": "int8", "opencv": "fp32"}
    table = runs_table(strata.label(frame))
    column = table.header.index("precision")
    assert {row[column] for row in table.rows} == {"int8 (QDQ), in int8", "int8 (QDQ), in fp32"}
    roof = Roof("m", (0,), {"int8": 1e12}, {"int8": "test"}, {"DRAM": 1e10}, {})
    placed, rest = place_cases(frame, {machine: [roof]})
    whys = {case.title.split()[0]: case.why for case in rest}
    assert set(whys) == {"opencv"}
    assert "no ceiling for fp32" in whys["opencv"]
    assert [placement.point.precision for placement, _ in placed] == ["int8"]
    silent, whys_silent = place_cases(frame.assign(computed=None), {machine: [roof]})
    assert not silent
    assert {case.why for case in whys_silent} == {"its framework does not report in which precision it computes"}


def test_an_explanation_says_in_which_precisions_two_frameworks_compute(
    measured: tuple[Path, dict[str, list[hwprof.Run]]],
) -> None:
    with Results.open(measured[0]) as results:
        source = pairs.Source(results)
        found, _ = pairs.explanations(pairs.find("onnxruntime", "opencv", source), source)
    assert "int8 (QDQ)" in found[0].context
    assert "convolutions and matrix products: onnxruntime 3 in int8; opencv 3 in fp32" in found[0].notes


def test_a_case_is_planned_anew_from_its_record(tmp_path: Path) -> None:
    file = str(stored_models.half(tmp_path / "m.onnx"))

    def planned(precision: str) -> object:
        return plan(Experiment("x", (Choice("onnxruntime", file, precision=precision),)))[0]

    first = plan(Experiment("x", (Choice("onnxruntime", file),)))[0]
    again = plan(Experiment("x", (Choice("onnxruntime", file, precision=first.case.precision),)))[0]
    assert first.case == again.case
    assert first.case.precision == "fp16 (stored)"
    assert first.asked.precision == "fp32"
    assert "--precision" not in subject_of(first, 1, ()).command(file)
    with pytest.raises(UsageError, match=r"m is no int8 \(QDQ\): it is fp16 \(stored\)"):
        planned("int8 (QDQ)")


def test_a_quantised_file_can_not_be_asked_for_in_int8(tmp_path: Path) -> None:
    file = str(stored_models.static(tmp_path / "m.onnx", "QOperator"))
    with pytest.raises(UsageError, match=r"is quantised already: it is stored as int8 \(QOperator\)"):
        plan(Experiment("x", (Choice("onnxruntime", file, precision="int8"),)))


@pytest.mark.parametrize("kind", ["dynamic", "half", "quantised_weights", "four_bit_weights", "half_weights"])
def test_files_of_every_precision_are_faithful_in_onnxruntime(kind: str, tmp_path: Path) -> None:
    file = getattr(stored_models, kind)(tmp_path / "m.onnx")
    (run,) = hwprof.run(
        "onnxruntime", str(file), rounds=1, window_s=0.02, events=["page-faults"], cooldown_s=0, cpus="0"
    )
    assert run.failure is None
    assert run.fidelity is not None
    assert run.fidelity.faithful
    assert run.case.precision == run.facts["stored_precision"] != "fp32"
