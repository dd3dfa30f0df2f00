"""ONNX's operators of transformers and recurrent networks as torch modules and functions, for `graph`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from hwprof.frameworks.walk import Attributes, constant

# ONNX's order of gates -> torch's: of an LSTM i o f c -> i f c o, of a GRU z r h -> r z h.
GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
ACTIVATIONS = {"LSTM": [b"Sigmoid", b"Tanh", b"Tanh"], "GRU": [b"Sigmoid", b"Tanh"]}
FORWARD = b"forward"


def _matmul(a: Attributes, given: Sequence[Any]) -> Any:
    """A product with a matrix of weights is what torch's own networks have a Linear for."""
    if isinstance(given[0], str) and isinstance(given[1], torch.Tensor) and given[1].dim() == 2:
        inner, outer = given[1].shape
        layer = nn.Linear(inner, outer, bias=False)
        layer.weight.data = given[1].t().contiguous()
        return layer, given[:1]
    return torch.matmul, given


def _layer_norm(a: Attributes, given: Sequence[Any]) -> Any:
    axis, scale = a.get("axis", -1), given[1]
    if axis not in (-1, -scale.dim()) and axis < 0:
        raise ValueError(f"axis {axis} of a scale of {scale.dim()} axes")
    layer = nn.LayerNorm(tuple(scale.shape), eps=a.get("epsilon", 1e-5))
    layer.weight.data = scale
    if len(given) > 2 and given[2] is not None:
        layer.bias.data = given[2]
    else:
        layer.bias.data.zero_()
    return layer, given[:1]


def _einsum(a: Attributes, given: Sequence[Any]) -> Any:
    equation = a["equation"].decode()
    return (lambda *values: torch.einsum(equation, *values)), given


class Recurrent(nn.Module):  # type: ignore[misc]
    """torch's LSTM or GRU with ONNX's outputs: (steps, directions, batch, hidden), then the last states."""

    def __init__(self, layer: nn.Module, directions: int, hidden: int, reverse: bool) -> None:
        super().__init__()
        self.layer, self.directions, self.hidden, self.reverse = layer, directions, hidden, reverse

    def forward(self, x: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """All states of the hidden layer, and the last ones."""
        steps, batch = x.shape[:2]
        start = None if not state else state if len(state) > 1 else state[0]
        out, last = self.layer(x.flip(0) if self.reverse else x, start)
        out = out.flip(0) if self.reverse else out
        out = out.reshape(steps, batch, self.directions, self.hidden).permute(0, 2, 1, 3)
        return (out, *(last if isinstance(last, tuple) else (last,)))


def _recurrent(kind: str) -> Any:
    def make(a: Attributes, given: Sequence[Any]) -> Any:
        given = [*given, *[None] * (8 - len(given))]
        direction = a.get("direction", FORWARD)
        directions = 2 if direction == b"bidirectional" else 1
        own = ACTIVATIONS[kind] * directions
        if a.get("activations", own) != own or "clip" in a or a.get("layout", 0) or a.get("input_forget", 0):
            raise ValueError("activations, clip, layout or input_forget other than torch's")
        if kind == "GRU" and not a.get("linear_before_reset", 0):
            raise ValueError("linear_before_reset=0, which torch's GRU does not compute")
        weights, recurrent, bias = given[1], given[2], constant(given, 3)
        if constant(given, 4) is not None or given[7] is not None:
            raise ValueError("sequence_lens or peepholes")
        hidden, size = a["hidden_size"], weights.shape[2]
        layer = {"LSTM": nn.LSTM, "GRU": nn.GRU}[kind](
            size, hidden, bias=bias is not None, bidirectional=directions == 2
        )

        def ordered(gates: torch.Tensor) -> torch.Tensor:
            parts = gates.chunk(len(GATES[kind]))
            return torch.cat([parts[place] for place in GATES[kind]]).contiguous()

        for number in range(directions):
            end = "_l0_reverse" if number else "_l0"
            getattr(layer, f"weight_ih{end}").data = ordered(weights[number])
            getattr(layer, f"weight_hh{end}").data = ordered(recurrent[number])
            if bias is not None:
                of_input, of_state = bias[number].chunk(2)
                getattr(layer, f"bias_ih{end}").data = ordered(of_input)
                getattr(layer, f"bias_hh{end}").data = ordered(of_state)
        states = [value for value in given[5 : 7 if kind == "LSTM" else 6] if value is not None]
        if kind == "LSTM" and len(states) == 1:
            raise ValueError("one of the two first states")
        return Recurrent(layer, directions, hidden, direction == b"reverse"), [given[0], *states]

    return make


SEQUENCES: Mapping[str, Any] = {
    "MatMul": _matmul,
    "LayerNormalization": _layer_norm,
    "Einsum": _einsum,
    "LSTM": _recurrent("LSTM"),
    "GRU": _recurrent("GRU"),
}
