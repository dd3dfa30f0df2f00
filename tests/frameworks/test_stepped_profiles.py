"""Profiles of TVM, ncnn, MNN, MXNet, ExecuTorch and LiteRT, as real runs tell them; and each of them once for real."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path

import pytest

from hwprof.analysis.layers import NetworkNode, owners
from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.errors import NotAvailable, UnsupportedModel
from hwprof.frameworks.executorch import profile as executorch
from hwprof.frameworks.litert import profile as litert
from hwprof.frameworks.mnn import profile as mnn
from hwprof.frameworks.mxnet import profile as mxnet
from hwprof.frameworks.ncnn import profile as ncnn
from hwprof.frameworks.ncnn.pnnx import lines
from hwprof.frameworks.protocol import Step
from hwprof.frameworks.tvm import profile as tvm

HOME = interpreters.home()  # as it was before any test got one of its own
# After real runs of SqueezeNet 1.1 at 64 pixels, shortened to what is read here (not recordings as they were).
PARAM = """7767517
47 55
Input                    in0                      0 1 in0
Convolution              convrelu_1               1 1 in0 3 0=16 1=1 11=1 6=1024 9=1
Split                    splitncnn_0              1 2 3 4 5
Convolution              convrelu_2               1 1 5 6 0=64 1=1 11=1 6=1024 9=1
"""
TRACE = [("Convolution (NHWC, F32) IGEMM #1", [115e3, 145e3]), ("DELEGATE_CALL", [2e6, 2e6])]


def test_a_blob_that_is_split_leads_back_to_the_layer_that_gave_it() -> None:
    layers = lines(PARAM)
    assert [ncnn.kind_of(layer) for layer in layers] == ["", "Conv", "", "Conv"]
    assert ncnn.form(layers[1], 3600) == (1024, 3600)


def test_a_raster_of_mnn_prepares_and_what_it_made_computes() -> None:
    raster = mnn.step("r", ("/f.4/Conv_output_0_raster_0", "Raster"), 1.0, {})
    pool = mnn.step("p", ("/f.5/Pool_output_0_raster_0", "Pooling"), 1.0, {})
    assert (raster.tells, raster.feeds) == ((), "/f.4/Conv_output_0")
    assert pool.tells == ("/f.5/Pool_output_0",)


def test_time_around_others_is_not_counted_twice_and_inferences_must_agree() -> None:
    (step,) = executorch.steps_of(TRACE, 2)
    assert (step.ns, step.kind) == (130e3, "Conv")
    with pytest.raises(UnsupportedModel):
        executorch.steps_of(TRACE, 3)


def test_operators_of_litert_are_told_without_what_lies_around_them() -> None:
    trace = [("Invoke", 1, 99), ("Convolution (NHWC, F32) IGEMM", 8, 4), ("Copy (NC, X32)", 8, 1), ("CONV_2D", 2, 2)]
    steps = litert.steps_of([trace, [("Invoke", 1, 9), *((tag, kind, us + 2) for tag, kind, us in trace[1:])]])
    assert [(s.ns, s.kind) for s in steps] == [(5e3, "Conv"), (2e3, "Concat"), (3e3, "Conv")]
    for traces in ([], [trace[:1]], [trace, trace[:-1]]):
        with pytest.raises(UnsupportedModel):
            litert.steps_of(traces)


def test_events_of_another_form_are_refused_before_they_are_believed() -> None:
    tag = ctypes.create_string_buffer(b"CONV_2D")
    event = litert.ProfilerEvent(ctypes.addressof(tag), 2, 0, 7)
    assert litert.records_of([event]) == [("CONV_2D", 2, 7)]
    for wrong in (litert.ProfilerEvent(ctypes.addressof(tag), 3, 0, 7), litert.ProfilerEvent(0, 2, 0, 7)):
        with pytest.raises(NotAvailable, match="another form"):
            litert.records_of([event, wrong])


def test_a_bias_of_tvm_goes_on_with_its_convolution() -> None:
    calls = [
        tvm.Call("vm.builtin.alloc_tensor", (), None),
        tvm.Call("conv2d", ((1, 12288), (2, 1728)), (3, 61504)),
        tvm.Call("add", ((3, 61504), (4, 64)), (5, 61504)),
    ]
    conv, add, own = tvm.steps_of(calls, [(1.0, {}), (2.0, {}), (3.0, {})])
    assert (conv.kind, conv.form) == ("Conv", (1728, 61504))
    assert (add.kind, add.into, own.ns) == ("", 0, 1.0)


def test_weights_that_tvm_transposes_in_every_inference_are_weights() -> None:
    calls = [
        tvm.Call("relu", ((1, 64),), (2, 64)),
        tvm.Call("mean", ((2, 64),), (3, 64)),
        tvm.Call("transpose", ((4, 640),), (2, 640)),  # where the relu was
        tvm.Call("matmul", ((3, 64), (2, 640)), (5, 10)),
    ]
    *_, turned, product = tvm.steps_of(calls, [(1.0, {})] * 4)
    assert (turned.kind, turned.into) == ("", None)
    assert (product.kind, product.form) == ("Gemm", (640, 10))


def test_mxnets_events_in_another_order_than_the_symbol_are_refused() -> None:
    symbol = {"nodes": [{"op": "null", "name": "x"}, {"op": "Pooling", "name": "a"}, {"op": "Concat", "name": "b"}]}

    def events(*names: str) -> list[dict[str, object]]:
        return [
            {"name": n, "ph": ph, "ts": 10 * i + (ph == "E") * 4, "tid": 1} for i, n in enumerate(names) for ph in "BE"
        ]

    assert [s.ns for s in mxnet.steps_of(events("Pooling", "Concat", "WaitForVar"), symbol)] == [4e3, 4e3]
    with pytest.raises(UnsupportedModel):
        mxnet.steps_of(events("Concat", "Pooling"), symbol)


def test_forms_lead_to_nodes_and_a_convolution_too_many_names_nothing() -> None:
    nodes = [NetworkNode("a", "Conv", ("x",), ("t",), 1, (9, 4)), NetworkNode("b", "Conv", ("t",), ("y",), 1, (9, 8))]
    steps = [Step("s", "", 1.0, kind="Conv", form=(9, 8)), Step("r", "", 1.0, kind="Conv", form=(9, 4))]
    assert owners(nodes, steps) == [("b",), ("a",)]
    assert owners(nodes, [*steps, Step("q", "", 1.0, kind="Conv", form=(9, 4))]) == [(), (), ()]


@pytest.mark.environments
@pytest.mark.parametrize("name", ["tvm", "ncnn", "mnn", "mxnet", "executorch", "litert"])
def test_every_product_has_its_time(
    name: str, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", str(HOME))
    words = ["layers", "-f", name, "-n", "tiny_cnn", "-r", "1", "--iterations", "3", "--no-save", "--json"]
    assert main(words) == 0
    parts = json.loads(capsys.readouterr().out)["parts"]
    products = [part for part in parts if part["macs"]]
    assert products
    assert all(part["ns"][name] is not None for part in products)
