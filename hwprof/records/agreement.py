"""How far a framework's outputs agree with the reference's: the record of a comparison, and its words.

The names are public as `hwprof.records.Fidelity` and so on.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


class Agreement(enum.StrEnum):
    """What a comparison with the reference came to."""

    FAITHFUL = "faithful"
    UNFAITHFUL = "unfaithful"
    INCOMPARABLE = "not comparable"  # nothing could be compared: neither right nor wrong is known


@dataclass(frozen=True, slots=True)
class OutputFidelity:
    """One output against the reference's of the same name. `max_rel` None: not comparable, and `why`.

    Of floats `max_rel` is max |y - r| / max |r|; of integers, booleans and strings (`exact`) the share of values that
    differ. `notes`: what else is to be said, as NaN in the same places or another type.
    """

    name: str
    max_abs: float | None = None
    max_rel: float | None = None
    tolerance: float = 0.0  # of max_rel
    exact: bool = False
    why: str = ""
    notes: tuple[str, ...] = ()
    simulated_rel: float | None = None
    gain: float | None = None  # see Fidelity
    gain_tolerance: float = 0.0

    @property
    def has_wrong_gain(self) -> bool:
        """Whether its values are larger or smaller than the reference's as a whole, beyond what is allowed."""
        return self.gain is not None and abs(self.gain - 1) > self.gain_tolerance


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Outputs against the reference (ONNX Runtime FP32, graph optimisation off) on the same seeded inputs.

    `max_rel` is max |y - r| / max |r|; `top1` the share of inputs whose largest value is the same class. Of several
    outputs all figures are those of `output`, the worst one for its tolerance, and there is no `top1`. max_abs and
    max_rel None: nothing was comparable, and `why`. `parts`: each output, in the network's order; those that are not
    comparable are in no other figure.
    """

    max_abs: float | None
    max_rel: float | None
    top1: float | None
    inputs: int
    tolerance: float  # of max_rel
    is_reference: bool = False
    simulated_rel: float | None = None  # of a quantised case: of quantisation that was only simulated, in FP32
    simulated_top1: float | None = None
    output: str = ""
    why: str = ""
    parts: tuple[OutputFidelity, ...] = ()
    gain: float | None = None  # of a file with rounded activations: least squares of y on r through 0; None: not asked
    gain_tolerance: float = 0.0  # of |gain - 1|

    @property
    def agreement(self) -> Agreement:
        """Within tolerance, beyond it, or not comparable."""
        if self.max_rel is None:
            return Agreement.INCOMPARABLE
        right = self.max_rel <= self.tolerance and not self.has_wrong_gain
        return Agreement.FAITHFUL if right else Agreement.UNFAITHFUL

    @property
    def has_wrong_gain(self) -> bool:
        """Whether its values are larger or smaller than the reference's as a whole, beyond what is allowed."""
        return self.gain is not None and abs(self.gain - 1) > self.gain_tolerance

    @property
    def state(self) -> str:
        """`faithful`, `unfaithful`, or `not comparable` and why."""
        return f"{self.agreement.value}: {self.why}" if self.why else self.agreement.value

    @property
    def faithful(self) -> bool:
        """Compared, and within tolerance."""
        return self.agreement is Agreement.FAITHFUL

    @property
    def unfaithful(self) -> bool:
        """Compared, and beyond tolerance."""
        return self.agreement is Agreement.UNFAITHFUL


def value_of(fidelity: Fidelity) -> str:
    """The value that an error is relative to: the output, with the agreement on classes; of several the worst one."""
    if fidelity.output:
        return f"value of output {fidelity.output}, the worst one"
    return "output" if fidelity.top1 is None else f"output, top-1 {fidelity.top1:.0%}"


def error_text(fidelity: Fidelity) -> str:
    """The largest error in words, or why there is none."""
    if fidelity.max_rel is None:
        return fidelity.why
    worst = next((part for part in fidelity.parts if part.name == fidelity.output or not fidelity.output), None)
    if worst is None or not worst.exact:
        scaled = ""
        if fidelity.has_wrong_gain:
            scaled = (
                f"; its values are {fidelity.gain:.3f} times the reference's, {fidelity.gain_tolerance:.1%} allowed"
            )
        return f"max error {fidelity.max_rel:.1e} of the largest {value_of(fidelity)}{scaled}"
    of = f" of output {fidelity.output}, the worst one," if fidelity.output else ""
    return f"{fidelity.max_rel:.2%} of the values{of} differ" if fidelity.max_rel else f"all values{of} are equal"


def remarks(fidelity: Fidelity) -> Iterator[str]:
    """What else is to be said of its outputs: which are not comparable and why, and the notes on them."""
    several = len(fidelity.parts) > 1
    for part in fidelity.parts:
        of = f"{part.name}: " if several else ""
        if part.why and fidelity.max_rel is not None:
            yield f"{of}not comparable: {part.why}"
        yield from (f"{of}{note}" for note in part.notes)


def agreement_text(fidelity: Fidelity) -> str:
    """The whole of it in a line: `faithful, max error 2.2e-06 of the largest output, top-1 100%`."""
    verdict = "UNFAITHFUL" if fidelity.unfaithful else fidelity.agreement.value
    between = ": " if fidelity.max_rel is None else ", "
    return "; ".join([f"{verdict}{between}{error_text(fidelity)}", *remarks(fidelity)])


def mark(fidelity: Fidelity | None) -> str:
    """What has to stand beside a speed or a ratio: `UNFAITHFUL`, `not comparable: WHY`; else ""."""
    if fidelity is None or fidelity.faithful:
        return ""
    return "UNFAITHFUL" if fidelity.unfaithful else fidelity.state


def worst(found: Sequence[Fidelity | None]) -> Fidelity | None:
    """Of several rounds one that is unfaithful, else one that is not comparable, else the last; None: unchecked."""
    known = [one for one in found if one is not None]
    for agreement in (Agreement.UNFAITHFUL, Agreement.INCOMPARABLE):
        for one in known:
            if one.agreement is agreement:
                return one
    return known[-1] if known else None


def not_comparable(why: str, tolerance: float) -> Fidelity:
    """The record where nothing was compared, and why."""
    return Fidelity(None, None, None, 0, tolerance, why=why)
