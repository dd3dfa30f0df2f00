"""Post-training quantisation of an exported torch graph (PT2E), shared by PyTorch's inductor and ExecuTorch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks import calibration
from hwprof.frameworks.builtin import import_of, reason_of
from hwprof.frameworks.protocol import PrepareJob

RECURRENT = re.compile(r"aten\.(lstm|gru|rnn_tanh|rnn_relu)\.")
# Of torch's operators, those that multiply, whatever the dialect calls them.
PRODUCTS = ("convolution", "conv2d", "conv1d", "linear", "addmm", "mm.default")


def quantise(job: PrepareJob, module: Any, quantizer: Any, install: str) -> Any:
    """The module with quantisation marked, its ranges from the calibration images.

    Raises NotInstalled, UnsupportedModel.
    """
    import torch

    from hwprof.frameworks.pytorch.source import examples

    with import_of("torchao, which quantises for PyTorch,", install):
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    try:
        with torch.no_grad():
            exported = torch.export.export(module, examples(job.input)).module()
            prepared = prepare_pt2e(exported, quantizer)
            for images in calibration.batches(job):
                prepared(torch.from_numpy(images))
            return convert_pt2e(prepared)
    except Exception as error:  # the exporter and the passes raise what they like
        raise UnsupportedModel(f"PyTorch can't quantise the network: {reason_of(error)}") from error


def check_recurrent(nodes: Iterable[Any]) -> None:
    """Raise UnsupportedModel where a quantised graph has recurrent layers: no quantiser of torch's touches them."""
    called = {str(node.target).split(".")[1] for node in nodes if RECURRENT.match(str(node.target))}
    if called:
        raise UnsupportedModel(
            f"PyTorch's INT8 leaves the network's recurrent layers ({', '.join(sorted(called))}) in FP32",
            "measure it in fp32, or in a framework that quantises them",
        )


def products(nodes: Iterable[Any]) -> list[str]:
    """The precision of every convolution and matrix product of a graph: int8 where what it takes was quantised."""
    found = []
    for node in nodes:
        name = str(node.target)
        if node.op != "call_function" or not any(word in name for word in PRODUCTS):
            continue
        taken = node.args[1 if "addmm" in name else 0]
        found.append("int8" if "dequantize" in str(getattr(taken, "target", "")) else "fp32")
    return found
