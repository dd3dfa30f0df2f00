"""ONNX's LSTM and GRU as loops of TensorFlow's, one step of time after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from hwprof.frameworks.tensorflow.maps import Make
from hwprof.frameworks.walk import Attributes

if TYPE_CHECKING:
    from hwprof.frameworks.tensorflow.graph import TfGraph

ACTIVATIONS = {"LSTM": [b"Sigmoid", b"Tanh", b"Tanh"], "GRU": [b"Sigmoid", b"Tanh"]}
# A step: (what the input gives to the gates, states, recurrent weights, their bias) -> states; the first is the output.
Step = Callable[[Any, tuple[Any, ...], Any, Any], tuple[Any, ...]]


def lstm_step(x: Any, states: tuple[Any, ...], recurrent: Any, bias: Any) -> tuple[Any, ...]:
    """Gates in ONNX's order: input, output, forget, cell."""
    hidden, cell = states
    i, o, f, c = tf.split(x + tf.matmul(hidden, recurrent) + bias, 4, axis=-1)
    cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(c)
    return tf.sigmoid(o) * tf.tanh(cell), cell


def gru_step(x: Any, states: tuple[Any, ...], recurrent: Any, bias: Any) -> tuple[Any, ...]:
    """Gates in ONNX's order: update, reset, hidden; the reset is applied after the product."""
    (hidden,) = states
    xz, xr, xh = tf.split(x, 3, axis=-1)
    hz, hr, hh = tf.split(tf.matmul(hidden, recurrent) + bias, 3, axis=-1)
    z = tf.sigmoid(xz + hz)
    new = tf.tanh(xh + tf.sigmoid(xr + hr) * hh)
    return ((1.0 - z) * new + z * hidden,)


STEPS: Mapping[str, tuple[Step, int]] = {"LSTM": (lstm_step, 2), "GRU": (gru_step, 1)}  # with the number of states


def recurrent(kind: str) -> Make:
    """All outputs: those of each step (steps, directions, batch, hidden), and the last states."""
    step, count = STEPS[kind]

    def make(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
        x = net.plain(given[0], names[0])
        given = [*given, *[None] * (8 - len(given))]
        direction = a.get("direction", b"forward")
        directions = 2 if direction == b"bidirectional" else 1
        own = ACTIVATIONS[kind] * directions
        if a.get("activations", own) != own or "clip" in a or a.get("layout", 0) or a.get("input_forget", 0):
            raise ValueError("activations, clip, layout or input_forget other than the default")
        if kind == "GRU" and not a.get("linear_before_reset", 0):
            raise ValueError("linear_before_reset=0 is not supported")
        if given[4] is not None or given[7] is not None:
            raise ValueError("sequence_lens or peepholes")
        steps, batch, hidden = int(x.shape[0]), int(x.shape[1]), a["hidden_size"]
        bias = np.zeros((directions, 2 * given[1].shape[1]), np.float32) if given[3] is None else given[3]
        outputs, last = [], []
        for number in range(directions):
            back = direction == b"reverse" or number == 1
            weight = net.variable(names[1], np.ascontiguousarray(given[1][number].T), f"input {number}")
            again = net.variable(names[2], np.ascontiguousarray(given[2][number].T), f"state {number}")
            of_input, of_state = np.split(bias[number], 2)
            starts = [
                tf.zeros((batch, hidden)) if start is None else tf.convert_to_tensor(start)[number]
                for start in given[5 : 5 + count]
            ]
            rows = tf.matmul(tf.reshape(x, [-1, int(x.shape[2])]), weight) + of_input
            gates = tf.reshape(rows, [steps, batch, -1])
            found = loop(step, tf.reverse(gates, [0]) if back else gates, starts, again, of_state)
            outputs.append(tf.reverse(found[0], [0]) if back else found[0])
            last.append(found[1:])
        return [tf.stack(outputs, axis=1), *(tf.stack([one[i] for one in last]) for i in range(count))]

    return make


def loop(step: Step, gates: Any, starts: Sequence[Any], recurrent: Any, bias: Any) -> list[Any]:
    """[the output of each step, the last states] over the first axis of `gates`."""
    steps = int(gates.shape[0])
    kept = tf.TensorArray(tf.float32, steps, element_shape=starts[0].shape)

    def body(at: Any, kept: Any, *states: Any) -> tuple[Any, ...]:
        new = step(gates[at], states, recurrent, bias)
        return (at + 1, kept.write(at, new[0]), *new)

    _, kept, *states = tf.while_loop(
        lambda at, *rest: at < steps, body, (tf.constant(0), kept, *starts), maximum_iterations=steps
    )
    return [kept.stack(), *states]


RECURRENT: Mapping[str, Make] = {kind: recurrent(kind) for kind in STEPS}
