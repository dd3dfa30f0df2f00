"""Networks rebuilt operator by operator: transformers, networks of maps and of sequences compute what they should."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hwprof import plugins
from hwprof.environments import interpreters
from hwprof.errors import UnsupportedModel
from hwprof.frameworks.protocol import PrepareJob
from hwprof.records import Case
from tests import adapter_runs, input_kinds, walked_networks
from tests.frameworks.test_calls import calls_of

HOME = interpreters.home()
RECURRENT = dict.fromkeys(walked_networks.RECURRENT, "(LSTM|GRU)")
# Framework -> network -> what its refusal says. One of which nothing is said has to come out right.
REFUSED: Mapping[str, Mapping[str, str]] = {
    "tensorflow": {},
    "litert": {},
    "executorch": {},
    "tvm": {**RECURRENT, "bert_as_exported": "can't compile the network"},
    "ncnn": {
        **RECURRENT,
        "bert_as_exported": "no layer for Tensor.to, torch.where",
        "ssd": "can't load the network: invalid bottom_count",
    },
}
AT = [(kind, batch) for kind in walked_networks.KINDS for batch in (1, 2)]


@pytest.fixture
def _walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks are kinds of input_kinds."""
    monkeypatch.setattr(input_kinds, "ALL", walked_networks.KINDS)
    monkeypatch.setattr(input_kinds, "USES", {**input_kinds.USES, "attention": "ids:2"})


def computed(kind: str, batch: int, folder: Path, *options: tuple[str, Any], precision: str = "fp32") -> Any:
    """(agreement of PyTorch's outputs with ONNX Runtime's, what an inference calls, facts)."""
    adapter, case = plugins.adapter("pytorch"), Case("pytorch", kind, "", 0, batch, 1, (), precision, options)
    source, spec = input_kinds.write(kind, folder), input_kinds.spec_of(kind, batch)
    arrays = input_kinds.feeds(kind, batch)
    with adapter.load(adapter.prepare(PrepareJob(source, case, spec, folder)), case, spec) as model:
        bound = model.bind(*arrays)
        outputs, calls, facts = model.outputs(model.infer(bound)), calls_of(model, bound), model.facts()
    allowed = 1e-3 if precision == "fp32" else 5e-2
    return input_kinds.agreement(outputs, input_kinds.expected(source, arrays), allowed), calls, facts


@pytest.mark.torch
@pytest.mark.usefixtures("_walked")
@pytest.mark.parametrize(("kind", "batch"), AT)
def test_pytorch_computes_them(kind: str, batch: int, tmp_path: Path) -> None:
    found, calls, _ = computed(kind, batch, tmp_path)
    assert found.faithful, found.parts
    assert len(calls) == 1


@pytest.mark.torch
@pytest.mark.parametrize(
    ("kind", "batch"), [(kind, batch) for kind in input_kinds.KINDS for batch in input_kinds.batches(kind)]
)
def test_pytorch_takes_inputs_of_every_kind(kind: str, batch: int, tmp_path: Path) -> None:
    if kind == "text":
        with pytest.raises(UnsupportedModel, match="PyTorch takes no text, and input label is text"):
            computed(kind, batch, tmp_path)
        return
    found, _, _ = computed(kind, batch, tmp_path)
    assert found.faithful, found.parts


@pytest.mark.torch
@pytest.mark.usefixtures("_walked")
@pytest.mark.parametrize("kind", ["bert", "vit", "speech"])
@pytest.mark.parametrize(
    ("option", "precision"),
    [(("mode", "torchscript"), "fp32"), (("mode", "eager"), "bf16"), (("channels_last", True), "fp32")],
)
def test_modes_and_precisions_take_several_inputs_too(
    kind: str, option: tuple[str, Any], precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwprof.frameworks.pytorch.adapter.require", lambda precision: None)
    if option[0] == "channels_last" and kind == "speech":
        pytest.skip("it has no input of four axes")
    found, _, facts = computed(kind, 2, tmp_path, option, precision=precision)
    assert found.faithful, found.parts
    assert precision == "fp32" or facts["computed"]["bf16"] > 0


@pytest.mark.parametrize("framework", ["pytorch"])
def test_int8_of_several_inputs_is_refused_in_a_sentence(framework: str, tmp_path: Path) -> None:
    source, spec = input_kinds.write("plain_encoder", tmp_path), input_kinds.spec_of("plain_encoder")
    case = Case(framework, "n", "", 0, precision="int8")
    with pytest.raises(UnsupportedModel, match="one float32 input, and the network takes ids 1x12 int64, mask 1x1x12"):
        plugins.adapter(framework).prepare(PrepareJob(source, case, spec, tmp_path))


@pytest.mark.torch
def test_channels_last_is_for_images(tmp_path: Path) -> None:
    from hwprof.errors import NotAvailable

    with pytest.raises(NotAvailable, match="the input is ids 1x12 int64, mask 1x1x12"):
        computed("plain_encoder", 1, tmp_path, ("channels_last", True))


@pytest.mark.torch
def test_a_step_of_the_profile_is_timed_whatever_goes_in(tmp_path: Path) -> None:
    adapter, case = plugins.adapter("pytorch"), Case("pytorch", "decoder", "", 0)
    source, spec = input_kinds.write("decoder", tmp_path), input_kinds.spec_of("decoder")
    with adapter.profile(adapter.prepare(PrepareJob(source, case, spec, tmp_path)), case, spec) as model:  # type: ignore[attr-defined]
        bound = model.bind(*input_kinds.feeds("decoder"))
        model.begin()
        model.infer(bound)
        steps = {step.name: step for step in model.steps()}
    assert {"x", "scores", "logits"} <= set(steps)
    assert all(step.ns > 0 for step in steps.values())


@pytest.mark.environments
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("_walked")
@pytest.mark.parametrize("framework", sorted(REFUSED))
def test_they_are_computed_or_refused(framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
    refused = {**REFUSED[framework]}
    found = adapter_runs.run(framework, AT, tmp_path)
    wrong = {
        at: outcome.verdict
        for at, outcome in found.items()
        if not re.match(f"UnsupportedModel: .*{refused[at[0]]}" if at[0] in refused else "right$", outcome.verdict)
        and (framework, at) != ("ncnn", ("vit", 2))
    }
    assert not wrong
    if framework == "ncnn":
        assert "crashes where a batch of 2 is joined with a constant" in found["vit", 2].message


def test_every_adapter_that_walks_declares_what_it_takes() -> None:
    for name in ("ncnn", "tvm", "litert", "tensorflow", "pytorch", "executorch", "mxnet", "caffe"):
        adapter: Any = plugins.adapter(name)
        assert adapter.every_input, name
        assert "float32" in adapter.input_types, name


@pytest.mark.parametrize("batch", [1, 2])
def test_caffes_format_has_every_input(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_kinds, "ALL", {"sums": walked_networks.sums})
    adapter, case = plugins.adapter("caffe"), Case("caffe", "sums", "", 0, batch)
    source, spec = input_kinds.write("sums", tmp_path), input_kinds.spec_of("sums", batch)
    arrays = input_kinds.feeds("sums", batch)
    with adapter.load(adapter.prepare(PrepareJob(source, case, spec, tmp_path)), case, spec) as model:
        bound = model.bind(*arrays)
        assert calls_of(model, bound) == ["setInput", "setInput", "forward"]
        outputs = model.outputs(model.infer(bound))
        assert model.facts()["reader"] == "caffe"
    found = input_kinds.agreement(outputs, input_kinds.expected(source, arrays))
    assert found.faithful, found.parts
