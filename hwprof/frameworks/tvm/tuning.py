"""TVM's meta-schedule: kernels searched by building and timing schedules on this CPU, within a budget of trials.

TVM's own builder sends every schedule to a process that it starts anew and stops after 30 s of wall clock, imports
included: on a machine that does something else every build came back as an error. Here schedules are built and timed in
this process, which makes nothing else and dies alone; it needs none of the packages that TVM's pool wants, nor xgboost.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.builtin import reason_of

# What a case may ask for: schedules to try, over all kernels. 0: none.
TRIALS = (0, 32, 64, 128, 256, 512, 1024)
# The search ends here whatever was asked for: preparing a case has ten minutes.
LIMIT_S = 420.0
# Schedules of one kernel that are sampled, built and timed together; TVM's 64 would spend a small budget on one kernel.
MOST_TOGETHER = 16
# Timing of one schedule: repetitions for at least so long.
REPEAT_MS = 20
STRATEGY, COST_MODEL = "replay-trace", "random"
FILE = "tuning.json"


@dataclass(slots=True)
class Tally:
    """What the search did."""

    deadline: float
    now: Callable[[], float] = time.monotonic
    built: int = 0
    timed: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def out_of_time(self) -> bool:
        """The time is up."""
        return self.now() >= self.deadline


def tune(module: Any, target: Any, trials: int, seed: int, directory: Path) -> Any:
    """The module with the best schedules found; the database and what was done are left in `directory`.

    Raises UnsupportedModel where not one schedule could be built and timed.
    """
    from tvm import relax
    from tvm.s_tir import meta_schedule

    begin = time.monotonic()
    tally = Tally(begin + LIMIT_S)
    folder = directory / "tuning"
    folder.mkdir()
    with target:
        module = relax.get_pipeline("zero")(module)
    kernels = meta_schedule.relax_integration.extract_tasks(module, target, {})
    contexts, weights = meta_schedule.relax_integration.extracted_tasks_to_tune_contexts(
        extracted_tasks=kernels,
        work_dir=str(folder),
        strategy=STRATEGY,
        seed=seed or 1,  # 0 and below: from the clock
        num_threads=1,
    )
    database = meta_schedule.database.JSONDatabase(work_dir=str(folder))
    together = max(1, min(MOST_TOGETHER, trials // max(1, len(kernels))))
    try:
        meta_schedule.tune.tune_tasks(
            tasks=contexts,
            task_weights=weights,
            work_dir=str(folder),
            max_trials_global=trials,
            num_trials_per_iter=together,
            builder=builder(tally),
            runner=runner(tally),
            database=database,
            cost_model=COST_MODEL,
        )
    except Exception:  # how the search is ended from within; anything else goes on
        if not tally.out_of_time:
            raise
    if not tally.timed:
        why = tally.failures[0] if tally.failures else f"none was reached in {LIMIT_S:.0f} s"
        raise UnsupportedModel(f"TVM's tuning timed no schedule: {why}")
    with target, database:
        module = relax.transform.MetaScheduleApplyDatabase()(module)
    records = (folder / "database_tuning_record.json").read_text().splitlines()
    told = {
        "trials_asked": trials,
        "trials": tally.timed,
        "failed": len(tally.failures),
        "kernels": len(kernels),
        "kernels_tuned": len({json.loads(record)[0] for record in records}),  # each begins with its kernel's number
        "strategy": STRATEGY,
        "cost_model": COST_MODEL,
        "seconds": round(time.monotonic() - begin, 1),
        "ended": "time" if tally.out_of_time else "trials",
    }
    (directory / FILE).write_text(json.dumps(told))
    return module


class TimeIsUp(Exception):
    """Ends the search from within."""


def builder(tally: Tally) -> Any:
    """Builds schedules in this process."""
    from tvm.ir.utils import derived_object
    from tvm.s_tir.meta_schedule.builder import BuilderResult, PyBuilder
    from tvm.s_tir.meta_schedule.builder.local_builder import default_build, default_export

    @derived_object
    class LocalBuilder(PyBuilder):  # type: ignore[misc]
        def build(self, build_inputs: Any) -> Any:
            results = []
            for one in build_inputs:
                if tally.out_of_time:
                    raise TimeIsUp
                try:
                    results.append(BuilderResult(default_export(default_build(one.mod, one.target, None)), None))
                    tally.built += 1
                except Exception as error:  # noqa: BLE001  a schedule that can't be built costs itself
                    tally.failures.append(reason_of(error, -1))
                    results.append(BuilderResult(None, tally.failures[-1]))
            return results

    return LocalBuilder()


def runner(tally: Tally) -> Any:
    """Times schedules in this process, with as many threads as the case has."""
    import tvm
    from tvm.ir.utils import derived_object
    from tvm.s_tir.meta_schedule.runner import EvaluatorConfig, PyRunner
    from tvm.s_tir.meta_schedule.runner.local_runner import (
        LocalRunnerFuture,
        default_alloc_argument,
        default_run_evaluator,
    )

    config = EvaluatorConfig(number=1, repeat=3, min_repeat_ms=REPEAT_MS, enable_cpu_cache_flush=False)

    def seconds(one: Any) -> list[float]:
        device = tvm.runtime.device(str(one.device_type), 0)
        arguments = default_alloc_argument(device, tuple(info.as_json() for info in one.args_info), 1)
        found = default_run_evaluator(tvm.runtime.load_module(str(one.artifact_path)), device, config, arguments)
        return [float(value) for value in found]

    @derived_object
    class LocalRunner(PyRunner):  # type: ignore[misc]
        def run(self, runner_inputs: Any) -> Any:
            results = []
            for one in runner_inputs:
                try:
                    results.append(LocalRunnerFuture(res=seconds(one)))
                    tally.timed += 1
                except Exception as error:  # noqa: BLE001  a schedule that can't be run costs itself
                    tally.failures.append(reason_of(error, -1))
                    results.append(LocalRunnerFuture(error_message=tally.failures[-1]))
            return results

    return LocalRunner()
