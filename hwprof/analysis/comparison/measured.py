"""What a comparison needs of a run: its speed, its counts per frame, what is doubtful, and where it ran. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hwprof import speed
from hwprof.analysis.estimator import Estimator, EstimatorChoice, choose
from hwprof.analysis.side_by_side import bare_turns
from hwprof.collectors.vocabulary import Name
from hwprof.records import Case, Kind, Origin, Role, Run, Scalar
from hwprof.records.agreement import mark
from hwprof.speed import Speed, Turns, bare_latencies, of_run
from hwprof.store.columns import set_of

# Doubts that make a ratio of speeds doubtful, with the word for them.
NOISE: Mapping[str, str] = {
    "not-steady": "not warm",
    "noisy": "noisy",
    "drift": "drift",
    "throttled": "throttled",
    "frequency-drift": "clock moved",
    "container-limit": "held back by its cgroup",
    "other-load": "other load",
    "steal": "steal",
    "swapped": "swapped",
    "few-iterations": "few iterations",
    "spin-waiting": "spin-waiting",
    "disturbed": "FPS is not throughput",
}
# How a doubt on outputs begins.
UNFAITHFUL, OUTPUTS = "UNFAITHFUL", "outputs"
# Counted per frame and compared with the speed.
COUNTED = (Name.INSTRUCTIONS, Name.INSTRUCTIONS.user, Name.TASK_CLOCK, Name.CYCLES, Name.CYCLES.user)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One good run. `speed`: of its bare stretch; `fps` of a command that counts no frames: executions per second.

    `counts`: metric -> value per frame, over its counted windows. `doubts`: words for what was noisy. `set_id`,
    `turns`: the set in which it was measured, and its bare slices there. `session`, `boot`: as recorded, "" where they
    were not; `seconds`: from its first window to the end of its last. `imported`: the program whose table it is from.
    """

    uid: str
    case: Case
    kind: Kind
    round: int
    started_utc: str
    speed: Speed
    counts: Mapping[str, float] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    emulated: bool = False
    set_id: str | None = None
    turns: Turns | None = field(default=None, compare=False)
    machine: Mapping[str, Any] = field(default_factory=dict)
    host_state: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, Any] = field(default_factory=dict)
    session: str = ""
    boot: str = ""
    seconds: float = 0.0
    imported: str = ""


def summarise_run(run: Run) -> RunSummary | None:
    """`run` with its speed; None where it has none."""
    found = of_run(run)
    if found.fps is None and run.kind is Kind.COMMAND and found.latency_ns:
        found = found._replace(fps=1e9 / found.latency_ns)
    if run.failure is not None or run.kind not in (Kind.NATIVE, Kind.COMMAND) or not found.fps:
        return None
    origins = {r.origin for w in run.windows for r in w.readings}
    session = run.facts.get("session", {})
    return RunSummary(
        uid=run.uid,
        case=run.case,
        kind=run.kind,
        round=run.round,
        started_utc=run.started_utc,
        speed=found,
        counts=counts(run),
        doubts=doubt_words(run),
        emulated=bool(run.host_state.get("emulated")) or Origin.EMULATED in origins,
        set_id=(set_id := set_of(run.facts)),
        turns=bare_turns(run) if set_id else None,
        machine=run.machine,
        host_state=run.host_state,
        software=run.software,
        session=session.get("id", ""),
        boot=session.get("boot", ""),
        imported=str((run.facts.get("imported") or {}).get("format", "")),
        seconds=(max(w.t1_ns for w in run.windows) - min(w.t0_ns for w in run.windows)) / 1e9 if run.windows else 0.0,
    )


def choose_estimator(runs: Sequence[RunSummary]) -> EstimatorChoice:
    """What rounds of both sides are compared by; those of an emulator by their FPS, as its time means nothing."""
    if any(m.emulated for m in runs):
        return EstimatorChoice(Estimator.FPS)
    return choose((m.case.threads, m.speed) for m in runs)


def counts(run: Run) -> dict[str, float]:
    """Value per frame of the metrics of COUNTED, over the windows that have them."""
    found: dict[str, tuple[float, int]] = {}
    for window in run.windows:
        if window.role is not Role.COUNTED:
            continue
        frames = run.case.batch * max(1, len(window.latencies_ns))
        for reading in window.readings:
            if reading.metric in COUNTED and reading.value is not None:
                value, over = found.get(reading.metric, (0.0, 0))
                found[reading.metric] = (value + reading.value, over + frames)
    return {name: value / over for name, (value, over) in found.items() if over and value > 0}


def doubt_words(run: Run) -> tuple[str, ...]:
    """What speaks against a run's latency, and against its outputs, in words."""
    words = [NOISE[d.code] for d in run.doubts if d.code in NOISE]
    if run.fidelity is not None and not run.fidelity.faithful:
        words.append(UNFAITHFUL if run.fidelity.unfaithful else f"{OUTPUTS} {mark(run.fidelity)}")
    pooled = bare_latencies(run).astype(np.float64)
    if bimodal(pooled) is not None:
        words.append("bimodal")
    if len(pooled) >= FEWEST and outlier_share(pooled) > MANY_OUTLIERS:
        words.append("outliers")
    return tuple(dict.fromkeys(words))


def options_text(options: Sequence[tuple[str, Scalar]]) -> str:
    """Options for people."""
    return " ".join(f"{name}={value}" for name, value in options)


# Of durations that fall apart into two groups: the smaller group's least share, how far apart in latency, and the most
# that may lie in the middle third between them (a normal distribution has 18 % there, a uniform one 17 %).
LEAST_SHARE = 0.10
LEAST_GAP = 0.03
MOST_BETWEEN = 0.05
FEWEST = 30

# Share beyond 3 sigma that is worth a word; a normal distribution has 0.3 %.
MANY_OUTLIERS = 0.02


def bimodal(latencies: ArrayLike) -> float | None:
    """Ratio of two typical latencies where the durations fall apart into two groups; None where they don't.

    The split is Otsu's threshold on logarithms (least variance within groups: Otsu 1979). Below 30 values: None.
    """
    values = np.asarray(latencies, dtype=np.float64).ravel()
    values = values[values > 0]
    if len(values) < FEWEST:
        return None
    logs = np.sort(np.log(values[speed.three_sigma(values)]))
    n = len(logs)
    left = np.arange(1, n)
    sums = np.cumsum(logs)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = left * (n - left) * (sums[:-1] / left - (sums[-1] - sums[:-1]) / (n - left)) ** 2
    at = int(np.argmax(between)) + 1
    if min(at, n - at) < LEAST_SHARE * n:
        return None
    low, high = float(np.median(logs[:at])), float(np.median(logs[at:]))
    third = (high - low) / 3
    inside = int(((logs > low + third) & (logs < high - third)).sum())
    if np.expm1(high - low) < LEAST_GAP or inside > MOST_BETWEEN * n:
        return None
    return float(np.exp(high - low))


def outlier_share(latencies: ArrayLike) -> float:
    """Share of the durations beyond 3 sigma; 0 for none at all."""
    values = np.asarray(latencies, dtype=np.float64).ravel()
    return speed.outliers(values) / len(values) if len(values) else 0.0
