"""The control for size bends where a fixed cost bends the speed, and says where it can't."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hwprof.analysis.correlation import analyse
from hwprof.reports.page import associations


def frame(networks: int, fixed: float, frameworks: int = 3, bends: int = 1) -> pd.DataFrame:
    """log FPS over log instructions: straight, or flat below `fixed` (log instructions). `bends` 2: a cubic."""
    rng = np.random.default_rng(4)
    size = rng.normal(0, 1.2, networks)
    parts = []
    for f in range(frameworks):
        work = size + rng.normal(0, 0.3, networks)
        time = np.logaddexp(fixed, work) if bends == 1 else work + work**3
        parts.append(
            pd.DataFrame(
                {
                    "framework": f"f{f}",
                    "network": [f"net{n}" for n in range(networks)],
                    "batch": 1,
                    "round": 0,
                    "status": "ok",
                    "fps": np.exp(5 - time + rng.normal(0, 0.02, networks)),
                    "macs": np.exp(size + 18),
                    "instructions": np.exp(work + 18),
                    "x": np.exp(work + rng.normal(0, 0.3, networks)),
                }
            )
        )
    made = pd.concat(parts, ignore_index=True)
    made.attrs["metrics"] = {name: {"per": "frame", "origin": "hardware"} for name in ("instructions", "x")}
    return made


@pytest.mark.parametrize(
    ("networks", "fixed", "covariates"),
    [
        (10, -30.0, ("macs", "instructions")),
        (10, 0.0, ("macs", "instructions", "instructions^2")),
        (40, 1.0, ("macs", "instructions", "instructions^2", "instructions^3")),
    ],
)
def test_powers_of_the_instructions_are_covariates_where_the_line_is_bent(
    networks: int, fixed: float, covariates: tuple[str, ...]
) -> None:
    (analysis,) = analyse.analyse(frame(networks, fixed))
    assert {c.covariates for c in analysis.correlations} == {covariates}
    assert {s.covariates for s in analysis.pooled} == {covariates[1:]}
    assert {c.status for c in analysis.correlations} == {"tested"}


def test_a_line_that_is_bent_more_than_can_be_taken_out_tests_nothing() -> None:
    (analysis,) = analyse.analyse(frame(11, 0.0, bends=2))
    assert {c.status for c in analysis.correlations} == {"descriptive"}
    assert {(s.p, s.q) for s in analysis.pooled} == {(None, None)}
    said = associations.sentences(analysis)
    assert all("control for size is weak" in line for line in said)
    assert analysis.found == ()
