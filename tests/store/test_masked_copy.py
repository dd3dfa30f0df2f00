"""A copy of a results file for others: no private text anywhere in its bytes, numbers and keys unchanged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hwprof.errors import ResultsError
from hwprof.records import Failure
from hwprof.store import Results
from hwprof.store.masked_copy import write_masked
from tests.factories import make_case, make_run

WORDS = {"annas-board": "[host]", "anna": "[user]", "10000000a1b2c3d4": "[serial]"}


def planted(path: Path) -> Path:
    """Results with private text in facts, environment, options, software, and the log of a failure."""
    good = make_run(case=make_case())
    good = dataclasses.replace(
        good,
        facts={**good.facts, "host": "annas-board", "serial": "10000000a1b2c3d4"},
        env={**good.env, "MODELS": "/data/people/anna/models/x.onnx"},
        host_state={**good.host_state, "kernel_build": "#1 SMP anna@annas-board"},
        software={**good.software, "compiler": "/home/anna/bin/gcc"},
    )
    bad = make_run(case=make_case(network="resnet50"))
    log = 'File "/srv/secret-project/run.py", by anna'
    failure = Failure("crash", "measure", "it ended on annas-board", "ask anna", log=log)
    bad = dataclasses.replace(bad, failure=failure, windows=(), facts={}, uid="b" * 16)
    with Results.open(path, create=True) as results:
        experiment = results.begin_experiment("quick", "# by anna\n", "0" * 16, 7)
        results.add_all([good, bad], experiment)
    return path


def test_private_text_is_nowhere_in_the_bytes(tmp_path: Path) -> None:
    source, target = planted(tmp_path / "own.db"), tmp_path / "sent.db"
    write_masked(source, target, WORDS)
    for secret in (b"anna", b"10000000a1b2c3d4", b"secret-project", b"/home", b"/data/people"):
        assert secret in source.read_bytes()
        assert secret not in target.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.db", "sent.db"]


def test_numbers_keys_and_names_of_frameworks_are_as_they_were(tmp_path: Path) -> None:
    source, target = planted(tmp_path / "own.db"), tmp_path / "sent.db"
    write_masked(source, target, {**WORDS, "onnxruntime": "[user]"})  # a user of that name
    with Results.open(source) as own, Results.open(target) as sent:
        for mine, theirs in zip(own.runs(), sent.runs(), strict=True):
            assert (mine.uid, mine.windows, mine.case.framework) == (theirs.uid, theirs.windows, theirs.case.framework)
        assert own.done(1) == sent.done(1)
        assert list(own.machines()) == list(sent.machines())


def test_a_target_that_cant_be_written_is_one_clear_line(tmp_path: Path) -> None:
    source = planted(tmp_path / "own.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(ResultsError, match=r"folder.db can't be written"):
        write_masked(source, tmp_path / "folder.db", WORDS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.db", "own.db"]
