"""Inputs of every kind in every framework, in environments of their own: right, or refused with the reason."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from hwprof import plugins
from hwprof.environments import interpreters
from tests import adapter_runs, input_kinds

# As it was before any test got one of its own.
HOME = interpreters.home()
# Framework -> kind -> what its refusal says. A kind of which nothing is said here has to come out right.
OWN_READER: Mapping[str, Mapping[str, str]] = {
    "onnxruntime": {},
    "opencv": {},
    "opencv5": {},
    "openvino": {},
    "mnn": {},
}
CONVERTED: Mapping[str, Mapping[str, str]] = {}
REFUSED = {**OWN_READER, **CONVERTED}


@pytest.mark.environments
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("framework", sorted(REFUSED))
def test_inputs_are_taken_or_refused(framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
    assert getattr(plugins.adapter(framework), "every_input", False)
    kinds = [(kind, batch) for kind in input_kinds.KINDS for batch in input_kinds.batches(kind)]
    found = adapter_runs.run(framework, kinds, tmp_path)
    refused = REFUSED[framework]
    wrong = {
        at: outcome.verdict
        for at, outcome in found.items()
        if not re.match(f"UnsupportedModel: .*{refused[at[0]]}" if at[0] in refused else "right$", outcome.verdict)
    }
    assert not wrong
