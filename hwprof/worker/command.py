"""Task COMMAND: the worker's side of a declared runner."""

from __future__ import annotations

from hwprof.records import from_json, to_json
from hwprof.worker.common import Stage
from hwprof.worker.protocol import Job, Link


def observe(job: Job, link: Link, stage: Stage) -> None:
    """Execute the runner once per pass of the counters.

    It shares this process's group and log, so that the launcher's limits of time and memory are its own too.
    """
    stage("counters")
    from hwprof.collectors.perf import PerfCollector
    from hwprof.programs.command import CommandRunner, Order
    from hwprof.programs.counting import Native

    order = from_json(Order, job.order)
    collector = PerfCollector(multiplex=job.plan.multiplex, cpus=order.cpus)
    backend = Native(job.plan.events, job.plan.multiplex, collector)
    runner = CommandRunner(order, backend, {"hardware": {}, "host_state": {}})
    stage("command")
    link.send({"say": "result", "run": to_json(runner.round(job.case, 0))})
