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
    "opencv": {
        "text": "takes no text",
        "shared_row": "makes a column",
        "one_axis": "makes a column",
        "first_token": "takes no empty input",
        "unread": "an input that nothing reads: extra",
        "branch": "operator If",
        "found_words": "operator NonZero",
    },
    "opencv5": {"text": "takes no text"},
    "openvino": {"text": "takes no text"},
    "mnn": {
        "text": "converter made no file",
        "typed_int8": "takes no int8",
        "unread": "1 of the network's 2 inputs: extra",
    },
}
# What comes out wrong: a one-dimensional convolution, which reads memory that nobody wrote (5.0.0, new engine).
WRONG: Mapping[str, set[str]] = {"opencv5": {"audio"}}
UNWALKED = {"branch": "no conversion of operator If", "found_words": "no conversion of operator NonZero"}
NO_TEXT = {"text": "takes no text"}
OF_OTHER_TYPES = {f"typed_{dtype}": f"takes no {dtype}" for dtype in input_kinds.TYPES}
CONVERTED: Mapping[str, Mapping[str, str]] = {
    "pytorch": {**NO_TEXT, **UNWALKED},
    "executorch": {**NO_TEXT, **UNWALKED},
    "tensorflow": {**NO_TEXT, **UNWALKED},
    "litert": {**NO_TEXT, **UNWALKED},
    "tvm": NO_TEXT,
    "ncnn": {
        **OF_OTHER_TYPES,
        "typed_int32": "no layer for Tensor.to",
        "typed_int64": "no layer for Tensor.to",
        "encoder": "index 7, and a table of the network has fewer rows",
        "scalar": "pnnx takes no scalar",
        "branch": "pnnx takes no scalar",
        "bool_mask": "takes no bool",
        "bytes_nhwc": "takes no uint8",
        "text": "takes no text",
        "first_token": "crashes on an input without values",
        "found_words": "layer NonZero not exists",
    },
    "mxnet": {
        **OF_OTHER_TYPES,
        **dict.fromkeys(("encoder", "plain_encoder", "decoder", "first_token", "unread"), "takes no int64"),
        "bool_mask": "takes no bool",
        "bytes_nhwc": "takes no uint8",
        "audio": "no conversion of operator Unsqueeze",
        "time_first": "no conversion of operator MatMul",
        "branch": "no conversion of operator Greater",
        "found_words": "no conversion of operator NonZero",
        "text": "takes no text",
    },
    "caffe": {
        **OF_OTHER_TYPES,
        **dict.fromkeys(("encoder", "plain_encoder", "decoder", "first_token", "unread"), "takes no int64"),
        **dict.fromkeys(("swapped", "scalar", "shared_row", "one_axis"), "no conversion of operator Mul"),
        "bool_mask": "takes no bool",
        "bytes_nhwc": "takes no uint8",
        "audio": "no conversion of operator Unsqueeze",
        "time_first": "no conversion of operator MatMul",
        "branch": "no conversion of operator Greater",
        "found_words": "no conversion of operator Mul",
        "text": "takes no text",
    },
}
REFUSED = {**OWN_READER, **CONVERTED}


@pytest.mark.environments
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("framework", sorted(REFUSED))
def test_inputs_are_taken_or_refused(framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
    assert getattr(plugins.adapter(framework), "every_input", False)
    names = input_kinds.ALL
    kinds = [(kind, batch) for kind in names for batch in input_kinds.batches(kind)]
    found = adapter_runs.run(framework, kinds, tmp_path)
    wanted = {
        **dict.fromkeys(names, "right$"),
        **{kind: f"UnsupportedModel: .*{why}" for kind, why in REFUSED[framework].items()},
        **dict.fromkeys(WRONG.get(framework, ()), "wrong"),
    }
    assert not {at: one.verdict for at, one in found.items() if not re.match(wanted[at[0]], one.verdict)}


@pytest.mark.environments
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("framework", sorted(OWN_READER))
def test_a_profile_takes_several_inputs(framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
    (found,) = adapter_runs.run(framework, [("encoder", 2)], tmp_path, profile=True).values()
    assert found.verdict == "right"
    assert found.steps


@pytest.mark.environments
@pytest.mark.timeout(3600)
def test_what_no_session_of_mnn_runs_is_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
    kinds = [(kind, batch) for kind in input_kinds.DYNAMIC for batch in (1, 2)]
    found = adapter_runs.run("mnn", kinds, tmp_path)
    assert {at: one.verdict for at, one in found.items()} == dict.fromkeys(kinds, "right")
    assert {one.facts["interface"] for one in found.values()} == {"module"}
    (tmp_path / "profiled").mkdir()
    (profiled,) = adapter_runs.run("mnn", [("branch", 1)], tmp_path / "profiled", profile=True).values()
    assert profiled.verdict.startswith("NotAvailable: MNN runs this network by its module interface")
