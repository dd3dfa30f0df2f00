"""What torch's quantisers leave in FP32 is seen in the graph that they give."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.pytorch.pt2e import check_recurrent, products


def call(target: str, *taken: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(op="call_function", target=target, args=taken)


READ = call("quantized_decomposed.dequantize_per_tensor.default")
# As of a quantised network of a GRU and a classifier.
CLASSIFIER = call("aten.linear.default", READ)


@pytest.mark.parametrize(("operator", "name"), [("aten.gru.input", "gru"), ("aten.rnn_tanh.input", "rnn_tanh")])
def test_recurrent_layers_are_refused_by_name_as_they_stay_in_fp32(operator: str, name: str) -> None:
    with pytest.raises(UnsupportedModel, match=rf"leaves the network's recurrent layers \({name}\) in FP32"):
        check_recurrent([READ, call(operator, READ), CLASSIFIER])


def test_other_layers_are_taken_and_their_precision_is_that_of_what_they_take() -> None:
    nodes = [
        READ,
        call("aten.conv2d.default", READ),
        call("aten.linear.default", call("aten.relu.default")),
        CLASSIFIER,
    ]
    check_recurrent(nodes)
    assert products(nodes) == ["int8", "fp32", "int8"]
