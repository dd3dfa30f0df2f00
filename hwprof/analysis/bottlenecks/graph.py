"""Rules on what an inference does besides computing: calls and waking threads, and what a converter left unfolded."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.special import stdtrit

from hwprof.analysis.bottlenecks.certainty import Limits, State, Sure, certainty, grade, least
from hwprof.analysis.bottlenecks.needs import LAYER_TIMES, OTHER_BATCH, PEER
from hwprof.analysis.bottlenecks.verdicts import UNDISTURBED, Context, Number, Verdict, abstain, refuse_emulated
from hwprof.analysis.estimator import Estimator
from hwprof.collectors.vocabulary import Name
from hwprof.printable import plural
from hwprof.speed import Interval

FIXED: Limits = (0.15, 0.3)  # of an inference
UNFOLDED: Limits = (0.03, 0.1)  # of the layers' time
# Operators that a converter folds into the convolution before them, unless their name says that they are in it
FOLDABLE = ("batchnorm", "relu", "clip", "hardswish", "silu", "bias", "scale", "pad")
FOLDED_INTO = ("conv", "gemm", "matmul", "dense", "fullyconnected", "innerproduct", "linear", "pool")


def dispatch(context: Context) -> Verdict:
    """What an inference costs whatever its batch: a line through time per inference over batches, at this one."""
    code, e = "dispatch-overhead", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    batches = {b: [v for v in values if v > 0] for b, values in context.batches.items()}
    batches = {b: v for b, v in batches.items() if v}
    layers = [x for x in context.layers if x.ns]
    numbers = []
    if layers:
        small = sum(1 for x in layers if (x.ns or 0) < 10_000)
        text = f"{plural(len(layers), 'layer')}, {small} of them shorter than 10 us"
        numbers.append(Number("layers", len(layers), text))
    if len(batches) < 2:
        why = OTHER_BATCH
        return Verdict(code, State.UNKNOWN, f"not measured: {why}", tuple(numbers), missing=(why,))
    batch = e.case.batch
    fixed, frame, share = _line(batches, batch)
    of = " of CPU time" if context.batches_by is Estimator.CPU_TIME else ""
    text = (
        f"{1e3 * fixed:.3g} ms{of} per inference + {1e3 * frame:.3g} ms per frame, over batches "
        f"{', '.join(map(str, sorted(batches)))}"
    )
    numbers.insert(0, Number("fixed share", share.value, text))
    if context.is_shared and context.batches_by is not Estimator.CPU_TIME:
        return Verdict(code, State.UNKNOWN, context.sharing, tuple(numbers), missing=(UNDISTURBED,))
    state = grade(share.value, FIXED)
    because = (
        f"{100 * share.value:.0f} % of an inference of batch {batch} doesn't depend on the batch: dispatch, "
        "waking threads, reading weights"
    )
    # a line is assumed, which two batches always fit
    sure = least(certainty(share, FIXED), Sure.MEDIUM if len(batches) > 2 else Sure.LOW)
    advice = "larger batches; fusing layers, a compiled graph (inductor, XLA, TVM), fewer threads for small kernels"
    figure = f"{100 * share.value:.0f} % of an inference"
    return Verdict(code, state, because, tuple(numbers), sure, advice, weight=share.value, figure=figure)


def _line(batches: dict[int, list[float]], batch: int) -> tuple[float, float, Interval]:
    """(fixed, per frame, share of the fixed part in an inference of `batch`): least squares in relative errors of
    seconds per inference on the batch. The share's interval is by the delta method, t(n - 2) over rounds."""
    b = np.array([k for k, values in batches.items() for _ in values], dtype=float)
    t = np.array([v for values in batches.values() for v in values])
    columns = np.column_stack([np.ones_like(b), b]) / t[:, None]
    (fixed, frame), *_ = np.linalg.lstsq(columns, np.ones_like(b), rcond=None)
    whole, free = float(fixed + frame * batch), len(t) - 2
    share = max(0.0, float(fixed)) / whole if whole > 0 else 0.0
    if free < 1 or whole <= 0:
        return float(fixed), float(frame), Interval(share, None, None)
    residual = 1 - columns @ (fixed, frame)
    covariance = float(residual @ residual) / free * np.linalg.inv(columns.T @ columns)
    slope = np.array([frame, -fixed]) * batch / whole**2  # of fixed / (fixed + frame x batch)
    half = float(stdtrit(free, 0.975) * np.sqrt(slope @ covariance @ slope))
    return float(fixed), float(frame), Interval(share, max(0.0, share - half), share + half)


def _is_left(op: str) -> bool:
    """Whether an operator is one that a converter would have folded, run on its own."""
    name = op.lower().replace("_", "")
    return any(word in name for word in FOLDABLE) and not any(word in name for word in FOLDED_INTO)


def conversion(context: Context) -> Verdict:
    """Operators that a converter usually folds away and that still take time.

    Else instructions beside other frameworks.
    """
    code, e = "conversion", context.evidence
    layers = [x for x in context.layers if x.ns]
    advice = "another conversion path or a newer converter; fuse BatchNormalization and activations before exporting"
    if layers:
        whole = sum(x.ns or 0 for x in layers)
        left = [x for x in layers if _is_left(x.op)]
        share = sum(x.ns or 0 for x in left) / whole
        kinds = ", ".join(f"{n} x {op}" for op, n in Counter(x.op for x in left).most_common(4))
        numbers = (Number("unfused", share, f"{100 * share:.0f} % of the layers' time in {kinds or 'none such'}"),)
        because = "operators that are usually folded into their neighbours run on their own" if left else "all folded"
        sure = certainty(Interval(share, None, None), UNFOLDED)  # of one profiled run
        state, figure = grade(share, UNFOLDED), f"{100 * share:.0f} % of layer time"
        return Verdict(code, state, because, numbers, sure, advice, weight=share, figure=figure)
    own = e.best(Name.INSTRUCTIONS)
    rivals = {}
    for name, peer in context.peers.items():
        count = peer.quantities.get(own.name) if own is not None else None
        if count is not None and count.value > 0:
            rivals[name] = count
    if own is None or not rivals:
        return abstain(code, LAYER_TIMES, PEER)
    name, best = min(rivals.items(), key=lambda item: item[1].value)
    times = own.value / best.value
    text = f"{times:.2f}x the instructions per frame of {name}"
    caution = own.caution or best.caution
    numbers = (Number("instructions", times, text, caution),)
    missing = (LAYER_TIMES,)
    if times > 1.5:
        because = "it executes many more instructions than another framework does for this network: graph or kernels"
        weight, figure = min(0.5, 1 - 1 / times), f"{times:.2f}x instructions"
        return Verdict(code, State.PARTLY, because, numbers, Sure.LOW, advice, missing, weight, figure)
    return Verdict(
        code, State.UNKNOWN, "no layers were measured; the instructions are not out of line", numbers, missing=missing
    )
