"""The next commands are command lines that hwprof takes, about cases that the results have."""

from __future__ import annotations

import argparse
import importlib
import json
import shlex
from pathlib import Path

import pytest

from hwprof.cli import main
from tests.analysis.answer.cases import COUNTERS, NETWORKS, found, over, sides
from tests.analysis.planted import several
from tests.cli.test_report import stored
from tests.factories import make_case


def commands(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main([*words, "--json"]) == 0
    return [c["command"] for c in json.loads(capsys.readouterr().out)["answer"]["next"]]


def test_explain_is_named_for_the_network_with_the_widest_ratio_and_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        run
        for network, ratio in (("resnet18", 2.0), ("resnet50", 3.0), ("alexnet", 1.5))
        for framework, work in (("onnxruntime", 1.0), ("opencv", ratio))
        for run in several(framework=framework, network=network, work=1e8 * work)
    ]
    path = stored(tmp_path / "with space.db", runs)
    listed = commands(capsys, "explain", "onnxruntime", "opencv", str(path))
    explain = shlex.split(next(c for c in listed if c.startswith("hwprof explain")))
    assert explain[1:] == ["explain", "onnxruntime,network=resnet50", "opencv", str(path)]
    assert main(explain[1:]) == 0
    assert "opencv on resnet50" in capsys.readouterr().out.replace("\n", " ")


def test_all_of_them_parse() -> None:
    answer = found(over(NETWORKS, {"leave": COUNTERS}, {"leave": COUNTERS, "work": 2e8}))
    assert any(c.command == "hwprof doctor" for c in answer.commands)
    for one in answer.commands:
        words = shlex.split(one.command)
        assert words[0] == "hwprof"
        parser = argparse.ArgumentParser()
        importlib.import_module(f"hwprof.cli.{words[1]}").add_arguments(parser)
        parser.parse_args(words[2:])


def test_layers_are_named_for_built_in_networks_of_frameworks_that_report_them() -> None:
    def layers(framework: str, recipe: str) -> list[str]:
        cases = {f: make_case(f, "resnet18", recipe=recipe) for f in ("onnxruntime", framework)}
        fields = [{"case": c} for c in cases.values()]
        answer = found([sides(fields[0], {**fields[1], "work": 2e8}, names=("onnxruntime", framework))])
        return [c.command for c in answer.commands if c.command.startswith("hwprof layers")]

    assert layers("opencv", "builtin-2 seed 7") == ["hwprof layers -f onnxruntime,opencv -n resnet18"]
    assert layers("opencv", "a file") == []
    assert layers("nobody", "builtin-2 seed 7") == []


def test_what_is_counted_needs_no_doctor() -> None:
    answer = found(over(NETWORKS, {}, {"work": 2e8}))
    assert not any("doctor" in c.command or "--simulate" in c.command for c in answer.commands)
