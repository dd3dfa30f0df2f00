"""Every case of the results under the roof of its machine and CPUs (`roofline`)."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from hwprof.analysis.correlation import strata
from hwprof.analysis.estimator import Estimator, lost_share
from hwprof.analysis.roofline import (
    ELEMENT,
    Placement,
    Roof,
    RooflinePoint,
    UnplacedCase,
    mean_rate,
    nearest_roof,
    place,
    rate_bounds,
    rate_estimator,
)
from hwprof.analysis.speeds import SPEED_COLUMNS, groups, run_speed
from hwprof.networks import traffic
from hwprof.networks.inputs import side_title
from hwprof.networks.stored_precision import is_stored

CASE = ("machine_id", strata.VARIANT, strata.NETWORK, "network", *strata.SIDE, "batch", "threads", "cpus", "precision")
UNFAITHFUL = "its outputs are UNFAITHFUL to the reference"


def place_cases(
    frame: pd.DataFrame, by_machine: Mapping[str, Sequence[Roof]]
) -> tuple[list[tuple[Placement, Roof]], list[UnplacedCase]]:
    """Every native case of the frame under the roof of its machine and CPUs, and those that can't be placed."""
    good: list[tuple[Placement, Roof]] = []
    out: list[UnplacedCase] = []
    rows = strata.label(frame)
    rows = rows[strata.is_ok(rows) & strata.is_native(rows) & rows["fps"].notna()]
    bad = strata.has_unfaithful(rows)
    rows = rows.assign(unfaithful=bad, incomparable=strata.incomparable(rows))
    kept = [*CASE, "macs", "emulated", "computed", "unfaithful", "incomparable", *SPEED_COLUMNS]
    for runs in groups(rows[kept], CASE):
        case = {name: str(runs[0][name]) for name in CASE}
        machine, network, shape, cpus, precision = (
            case[name] for name in ("machine_id", "network", "shape", "cpus", "precision")
        )
        precision = str(runs[0]["computed"] or "") if is_stored(precision) else precision
        size, batch, threads = (int(case[name]) for name in ("size", "batch", "threads"))
        title = f"{case[strata.VARIANT]} {case[strata.NETWORK]} {side_title(size, shape)} b{batch} t{threads}"
        if any(run["unfaithful"] for run in runs):
            out.append(UnplacedCase(title, UNFAITHFUL))
            continue
        if any(run["emulated"] for run in runs):
            out.append(UnplacedCase(title, "measured on an emulated machine: its time is the emulator's"))
            continue
        used = tuple(int(c) for c in cpus.split(",") if c.strip())
        roof, doubt = nearest_roof(by_machine.get(machine, ()), used, threads)
        macs = float(runs[0]["macs"])
        moved = traffic.of_network(network, size, shape=shape) if roof else None
        element = ELEMENT.get(precision, 4)
        if roof is None:
            out.append(UnplacedCase(title, doubt))
            continue
        if macs != macs or moved is None:
            out.append(
                UnplacedCase(
                    title, "MACs or traffic are unknown: the network's graph is not here, or has not this shape"
                )
            )
            continue
        rounds = [run_speed(run) for run in runs]
        by = rate_estimator(threads, rounds)
        fps, throughput, per_cpu_s = (mean_rate(rounds, e) for e in Estimator)
        unknown = next((f" (outputs {run['incomparable']})" for run in runs if run["incomparable"]), "")
        point = RooflinePoint(
            title + unknown,
            mean_rate(rounds, by) or 0.0,
            macs,
            precision,
            element * (moved.weights / batch + moved.activations),
            footprint=float(element * (moved.weights + moved.largest * batch)),
            by=by,
            fps=fps,
            throughput=throughput,
            cpu_s=1 / per_cpu_s if per_cpu_s else None,
            share_lost=statistics.fmean(map(lost_share, rounds)),
            bounds=rate_bounds(rounds, by),
        )
        found = place(point, roof)
        if isinstance(found, UnplacedCase):
            out.append(found)
        else:
            good.append((replace(found, notes=(*found.notes, doubt)) if doubt else found, roof))
    return good, out
