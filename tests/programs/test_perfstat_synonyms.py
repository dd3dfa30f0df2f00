"""Several names of one code, which `perf stat` is asked for once."""

from __future__ import annotations

import json

from hwprof.collectors.perf import PerfCollector
from hwprof.programs.perfstat import StatRequest
from tests import recorded_machines


def test_two_names_of_one_code_are_both_there() -> None:
    """On a Cortex-A53, l1d-misses and cache-misses are both L1D_CACHE_REFILL."""
    collector = PerfCollector(recorded_machines.root("rk3399"))
    wanted = [e for unit in collector.parser.parse(("cache-misses,l1d-misses",)) for e in unit]
    asked = StatRequest.of(wanted, collector.catalog)
    kinds = ("armv8_cortex_a53/config=0x3/", "armv8_cortex_a72/config=0x3/")
    assert tuple(asked.events) == kinds
    found = {
        r.metric: r
        for r in asked.readings(
            "\n".join(
                json.dumps({"event": k, "counter-value": "5", "event-runtime": 500, "pcnt-running": 50.0})
                for k in kinds
            )
        )
    }
    assert found["cache-misses"].value == found["l1d-misses"].value == 10
