"""INT8 in MXNet: its own quantisation for oneDNN, with ranges from calibration images."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from hwprof.errors import NotAvailable, UnsupportedModel
from hwprof.frameworks import calibration
from hwprof.frameworks.builtin import reason_of
from hwprof.frameworks.precision import confirm, dot_product, tally
from hwprof.frameworks.protocol import PrepareJob
from hwprof.records import Case

# Fused operators, and what they are called where they were left alone.
PRODUCTS = ("_sg_mkldnn_conv", "_sg_mkldnn_fully_connected", "Convolution", "FullyConnected")


def require_onednn(case: Case) -> None:
    """Raise NotAvailable without oneDNN: MXNet has no other integer kernels for CPUs."""
    if not case.option("onednn", True):
        raise NotAvailable("MXNet's INT8 is oneDNN's", "keep onednn=true for int8")


def quantise(
    mx: Any, symbol: Any, parameters: Mapping[str, Any], name: str, job: PrepareJob
) -> tuple[Any, Mapping[str, Any]]:
    """The fused symbol with integer operators between points of quantisation, and its parameters.

    Activations are unsigned where nothing is negative; ranges are the least and the largest value over all images.
    Raises UnsupportedModel.
    """
    import numpy as np
    from mxnet.contrib import quantization

    images = np.concatenate(list(calibration.batches(job)))
    arguments = set(symbol.list_arguments())
    quiet = logging.getLogger("hwprof.mxnet")
    quiet.setLevel(logging.WARNING)
    try:
        made, args, states = quantization.quantize_model_mkldnn(
            sym=symbol,
            arg_params={n: v for n, v in parameters.items() if n in arguments},
            aux_params={n: v for n, v in parameters.items() if n not in arguments},
            data_names=(name,),
            ctx=mx.cpu(),
            calib_mode="naive",
            calib_data=mx.io.NDArrayIter({name: images}, batch_size=job.input.shape[0]),
            num_calib_examples=len(images),
            quantized_dtype="auto",
            logger=quiet,
        )
    except (mx.MXNetError, RuntimeError, ValueError) as error:
        raise UnsupportedModel(f"MXNet can't quantise the network: {reason_of(error, -1)}") from error
    return made, {**args, **states}


def kernels(symbol: Any) -> list[tuple[str, str]]:
    """(operator, precision) of each convolution and matrix product, as the fused symbol names them."""
    found = []
    for node in json.loads(symbol.tojson())["nodes"]:
        if node["op"] in PRODUCTS:
            integers = str(node.get("attrs", {}).get("quantized", "")).lower() in ("true", "1")
            found.append((str(node["op"]), "int8" if integers else "fp32"))
    return found


def facts(symbol: Any) -> Mapping[str, Any]:
    """`computed` and `kernels` of a quantised symbol. Raises CaseFailed where nothing is computed in integers."""
    found = kernels(symbol)
    return {
        "computed": confirm("MXNet", "int8", tally(precision for _, precision in found)),
        "kernels": tally(f"{kind} {precision}" for kind, precision in found),
        "dot_product": dot_product(),
    }
