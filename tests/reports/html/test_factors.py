"""The page's waterfalls say what `hwprof explain` says of the same pair."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis.factors.identity import DIVISORS
from hwprof.cli import main
from hwprof.records import Doubt, Exactness, Origin
from hwprof.reports.html import factors, gather, page
from hwprof.reports.html.gather import Material
from hwprof.reports.page import content
from hwprof.store import Results
from tests.analysis.planted import several
from tests.cli.test_report import stored

SPIN: dict[str, Any] = {"threads": 2, "parallelism": 2.0, "doubts": (Doubt("spin-waiting", {}),)}
SIDES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "all counted": ({}, {"work": 2.5e8}),
    "one side counted less": ({}, {"work": 2e8, "leave": ("cycles", "instructions")}),
    "user mode alone": ({"domain": "user"}, {"domain": "user", "ipc": 0.5}),
    "threads may spin": (SPIN, {"threads": 2, "parallelism": 1.0, "work": 2e8}),
    "no CPU time": ({"leave": ("task-clock",)}, {"leave": ("task-clock",), "work": 3e8}),
}


def material(path: Path) -> Material:
    with Results.open(path) as results:
        return gather.gather(results)


@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
def test_page_and_command_give_the_same_factors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sides: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    runs = [*several(framework="onnxruntime", **sides[0]), *several(framework="opencv", **sides[1])]
    path = stored(tmp_path / "r.db", runs)
    assert main(["explain", "onnxruntime", "opencv", str(path), "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)["explanations"]
    found = material(path)
    (figure,) = next(s for s in page.build(found).sections if s.key == "factors").figures
    terms = [*said["factors"], said["observer"], said["tail"], said["ratio"]]
    assert figure.rows == tuple((t["name"], t["ratio"], t["low"], t["high"]) for t in terms)
    assert said["headline"] in figure.note
    assert said["merged"] in figure.note
    # the table of every pair, made from fewer readings, has them too
    (row,) = factors.table(found.pairs).rows
    assert row[4:5] == (said["estimator"],)
    assert row[5:] == tuple(factors.ratio_text(f) for f in found.explanations[0][1].decomposition.terms)
    clues = {row[4] for row in factors.evidence_table(found.explanations).rows}
    assert {c["text"] for c in said["clues"]} | set(said["notes"]) == clues


@pytest.mark.parametrize(
    "counted",
    [
        {},
        {"domain": "user"},
        {"origin": Origin.EMULATED},
        {"exactness": Exactness.SCALED},
        {"leave": ("cycles",)},
        {"leave": ("cycles", "instructions")},
    ],
    ids=str,
)
def test_the_table_of_runs_has_the_factors_of_the_explanation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], counted: dict[str, Any]
) -> None:
    runs = [*several(framework="onnxruntime", **counted), *several(framework="opencv", work=2e8, **counted)]
    path = stored(tmp_path / "r.db", runs)
    assert main(["explain", "onnxruntime", "opencv", str(path), "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)["explanations"]
    read = material(path)
    table = content.identity_table(read.frame, read.runs, read.identities)
    names = [DIVISORS.get(f["name"], f["name"]) for f in said["factors"]]
    assert len(table.rows) == 2
    for row in table.rows:
        assert [re.sub(r" [\d.,]+( \D+)?$", "", part) for part in row[2].split("  ")] == names
    assert said["merged"].replace("both sides", "both modes") in table.note


def test_variants_of_a_framework_are_sides_of_their_own_and_reruns_are_said(tmp_path: Path) -> None:
    off: dict[str, Any] = {"parallelism": 1.0, "work": 0.5e8, "options": {"spin": False}}
    runs = several(framework="onnxruntime", **SPIN) + several(framework="onnxruntime", **{**SPIN, **off, "doubts": ()})
    runs += several(framework="opencv", threads=2, parallelism=1.0, work=2e8)
    found = material(stored(tmp_path / "r.db", runs))
    names = {frozenset(one.names) for one in found.pairs}
    plain, calm = "onnxruntime spin=default", "onnxruntime spin=False"
    assert names == {frozenset(pair) for pair in ((plain, calm), (plain, "opencv"), (calm, "opencv"))}
    reruns = [row for row in factors.evidence_table(found.explanations).rows if row[3] == "rerun: spin"]
    assert {frozenset(row[:2]) for row in reruns} == {frozenset((plain, "opencv"))}
    assert "Spin-waiting makes" in reruns[0][4]


def test_cases_on_two_machines_are_never_a_pair(tmp_path: Path) -> None:
    other = {"label": "another board", "cpus": 2}
    path = stored(tmp_path / "r.db", several() + several(framework="opencv", machine=other))
    assert material(path).pairs == []
