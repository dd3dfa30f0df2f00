"""Outputs of every kind in every framework, in environments of their own: right, refused, or named as unfaithful."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hwprof import plugins
from hwprof.cli import main
from hwprof.environments import interpreters
from tests import output_kinds

# As it was before any test got one of its own.
HOME = interpreters.home()
# What comes out wrong: an ArgMax that gives values of its input (4.14.0).
WRONG = {"opencv": {"classes"}}


@pytest.mark.environments
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("framework", sorted(plugins.BUILT_IN["hwprof.frameworks"]))
def test_outputs_are_right_or_refused(
    framework: str,
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
    files = [str(output_kinds.write(kind, tmp_path)) for kind in output_kinds.KINDS]
    main(["list", "frameworks", "--matrix", "-f", framework, "-n", ",".join(files), "--json"])
    cells: dict[str, Any] = {Path(c["network"]).stem: c for c in json.loads(capsys.readouterr().out)["cells"]}
    assert set(cells) == set(output_kinds.KINDS)
    compared = {kind: c for kind, c in cells.items() if c["fidelity"] and not c["fidelity"]["why"]}
    assert {kind for kind, c in compared.items() if not c["faithful"]} == WRONG.get(framework, set())
    assert {kind for kind, c in cells.items() if c["faithful"]} >= {"heavy_second", "two_outputs_same"}
    for cell in cells.values():
        assert cell["fidelity"] or cell["failure"]
