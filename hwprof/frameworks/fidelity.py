"""The error of a framework's outputs against the reference's. Runs in the worker; numpy only."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from hwprof.errors import UsageError
from hwprof.networks import stored_precision
from hwprof.records import Case, Fidelity

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

# Largest error allowed, as a share of the reference's largest output. FP32: 24 bits of mantissa are 6e-8 per operation;
# sums of thousands of terms in another order, Winograd and FFT forms of convolutions stay well below 1e-3. bf16 keeps 8
# bits (4e-3 per value), fp16 11 (5e-4); through tens of layers errors add up. INT8: the step of 1/255 of each range;
# what that does to outputs depends on the network, and is simulated (see `judge`): this is the least that is allowed.
TOLERANCE = {"fp32": 1e-3, "fp16": 2e-2, "bf16": 1e-1, "int8": 5e-2}
# A framework may quantise otherwise than the simulation: other ranges, other roundings, other layers.
MARGIN = 2.0
# Units of the last place that half precision may be off by in any network: two roundings, each of MARGIN units.
LAST_PLACES = 2 * MARGIN
# A file with rounded activations: outputs that are larger or smaller as a whole by this share are wrong, however coarse
# its steps are. Roundings go up and down; a lost factor does not.
GAIN = 5e-2
SIGMAS = 3.0  # where an output has few values, their roundings do not cancel: this many standard errors
# The framework that computes the reference, and the distribution that it is.
REFERENCE = "onnxruntime"
# Beside the reference: outputs of a graph quantised with the same images and computed in FP32; of a file with rounded
# activations those of the same graph with other roundings.
SIMULATED = "simulated.npz"


def tolerance(precision: str) -> float:
    """Largest max_rel that counts as faithful, whatever is simulated. Raises UsageError for an unknown precision.

    Of a file with a precision of its own: one step of a symmetric quantisation (int8: 1/127), LAST_PLACES units in the
    last place of half precision (2^-11 and 2^-8 of the value), or FP32's where activations are not rounded.
    """
    if stored_precision.is_stored(precision):
        bits = stored_precision.significant_bits(precision)
        if stored_precision.is_quantised(precision):
            return 1 / ((1 << (bits - 1)) - 1)
        return max(LAST_PLACES * 2.0**-bits, TOLERANCE["fp32"])
    if precision not in TOLERANCE:
        raise UsageError(f"unknown precision '{precision}'", f"one of: {', '.join(TOLERANCE)}")
    return TOLERANCE[precision]


def compare(outputs: Array, reference: Array, allowed: float) -> Fidelity:
    """Outputs of shape (images, ...) against the reference's: max abs, max abs / max |reference|, top-1 agreement.

    NaN in the same places, and infinities of the same sign, are equal; any other one makes the errors infinite, and is
    never faithful. So does another shape.
    """
    import numpy as np

    count = len(reference)
    if outputs.shape != reference.shape:
        return Fidelity(float("inf"), float("inf"), 0.0, count, allowed)
    y, r = outputs.reshape(count, -1).astype(np.float64), reference.reshape(count, -1).astype(np.float64)
    finite = np.isfinite(y) & np.isfinite(r)
    if not (finite | (y == r) | (np.isnan(y) & np.isnan(r))).all():
        return Fidelity(float("inf"), float("inf"), 0.0, count, allowed)
    error = float(np.abs(y[finite] - r[finite]).max(initial=0.0))
    largest = float(np.abs(r[finite]).max(initial=0.0))
    relative = error / largest if largest > 0 else (0.0 if error == 0 else float("inf"))
    agreement = float((y.argmax(axis=1) == r.argmax(axis=1)).mean())
    return Fidelity(error, relative, agreement, count, allowed)


def judge(outputs: Array, reference: Array, simulated: Array, least: float) -> Fidelity:
    """As `compare`, for quantised outputs: the error may be MARGIN times that of a simulated quantisation.

    Where the simulation itself errs by as much as outputs differ, the network is too sensitive for a judgement.
    """
    expected = compare(simulated, reference, 0.0)
    assert expected.max_rel is not None
    found = compare(outputs, reference, max(least, MARGIN * expected.max_rel))
    return dataclasses.replace(found, simulated_rel=expected.max_rel, simulated_top1=expected.top1)


def judge_roundings(outputs: Array, reference: Array, disturbed: Array, least: float) -> Fidelity:
    """As `judge`, of a file with rounded activations. `disturbed`: the reference's graph with other roundings.

    The gain sum(y r) / sum(r r) may differ from 1 by GAIN, by MARGIN times that of `disturbed`, or by SIGMAS standard
    errors s / (rms(r) sqrt(n)), whichever is most. s: root mean square of disturbed - r. n: values of one image, times
    the images where their outputs differ by more than s, so that they are not rounded alike.
    """
    import numpy as np

    found = judge(outputs, reference, disturbed, least)
    y, r, d = (np.asarray(a, np.float64).reshape(len(reference), -1) for a in (outputs, reference, disturbed))
    if y.shape != r.shape or not found.max_rel or not np.isfinite(found.max_rel):
        return found
    finite = np.isfinite(y) & np.isfinite(r) & np.isfinite(d)
    power = float((r[finite] ** 2).sum())
    if power == 0:
        return found
    gain, other = (float((a[finite] * r[finite]).sum()) / power for a in (y, d))
    moved = float(((d[finite] - r[finite]) ** 2).sum())
    spread = float(((r - r.mean(axis=0))[finite] ** 2).sum())
    standard_error = math.sqrt(moved / power / (r.size if spread > moved else r.shape[1]))
    allowed = max(GAIN, MARGIN * abs(other - 1), SIGMAS * standard_error)
    return dataclasses.replace(found, gain=gain, gain_tolerance=allowed)


def is_reference(case: Case) -> bool:
    """Whether a case is computed exactly as the reference is."""
    return case.framework == REFERENCE and case.precision == "fp32" and case.option("graph") == "disabled"
