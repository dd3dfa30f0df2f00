"""`hwprof doctor` on the command line: advice, JSON, a summary; always exit code 0."""

from __future__ import annotations

import json

import pytest

from hwprof.cli import main
from hwprof.doctor import host
from tests.doctor.test_host import found_on


@pytest.fixture(autouse=True)
def _virtual_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine at hand is the recorded VM without a PMU."""
    monkeypatch.setattr(host, "probe", lambda: found_on("vm", 2))


def test_advice_is_grouped_and_each_missing_thing_has_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for area in ("CPU", "counters", "clock", "sensors", "system", "tools", "frameworks"):
        assert lines.count(area) == 1
    missing = next(i for i, line in enumerate(lines) if line.startswith("  - simulation"))
    assert lines[missing + 1].strip() == "-> apt-get install valgrind"


def test_json_has_every_finding_with_all_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert len(findings) == len(host.examine(found_on("vm", 2)))
    assert all(set(f) == {"area", "what", "status", "detail", "remedy"} for f in findings)
    assert {f["status"] for f in findings} <= {"ok", "limited", "missing"}


def test_summary_is_a_few_lines_and_says_that_there_are_no_counters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--summary"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 8
    assert any("no hardware counters" in line for line in lines)
    assert any("onnxruntime 1.21.0" in line for line in lines)
