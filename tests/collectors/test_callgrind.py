"""callgrind's counts against numbers known by arithmetic, and against bare programs that hwprof has no part in."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hwprof.collectors.callgrind import Callgrind
from hwprof.collectors.modelled_caches import DEFAULTS
from hwprof.collectors.simulators import REPEATABLE
from hwprof.environments.interpreters import NO_TELEMETRY
from hwprof.plan.cases import PlannedCase, plan
from hwprof.plan.experiment import Experiment, parse
from hwprof.records import Origin, Run
from hwprof.runner.rounds import Runner
from hwprof.runner.workshop import Workshop

ROUNDS = 500_000
# A loop of 2 x ROUNDS instructions as the "network", executed by as many threads as asked for.
ARITHMETIC = f"""
import ctypes, mmap, os, sys
from concurrent.futures import ThreadPoolExecutor
from hwprof.collectors import client_requests
from hwprof.worker import counted_loop
from hwprof.worker.loop import Loop

page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex("89f8 ffc8 75fc c3"))  # mov eax,edi; 1: dec eax; jnz 1b; ret
work = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
pool = ThreadPoolExecutor(max(1, int(sys.argv[1]) - 1))

def infer(threads):
    others = [pool.submit(work, {ROUNDS}) for _ in range(threads - 1)]
    work({ROUNDS})
    for other in others:
        other.result()

counted_loop.count(client_requests.connect(), Loop(infer, [int(sys.argv[1])]), int(sys.argv[2]))
os._exit(0)
"""

# The adapter's own call, and nothing of the worker, the client requests or the windows.
BARE = """
import dataclasses, gc, importlib, os, pathlib, sys
from hwprof.frameworks.protocol import InputSpec
from hwprof.networks.images import synthetic_inputs
from hwprof.records import Case

framework, artifact, count = sys.argv[1:]
spec = InputSpec("input", (1, 3, 32, 32))
adapter = importlib.import_module("hwprof.frameworks." + framework).ADAPTER
with adapter.load(pathlib.Path(artifact), Case(framework, "tiny_cnn", "", 32), spec) as model:
    bound = model.bind(synthetic_inputs(spec, 1, 0)[0])
    gc.disable()
    for _ in range(int(count)):
        model.infer(bound)
    os._exit(0)
"""

pytestmark = [pytest.mark.valgrind, pytest.mark.timeout(1800)]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the loop is of x86-64")
@pytest.mark.parametrize(("threads", "iterations"), [(1, 1), (1, 3), (3, 2)])
def test_a_loop_of_known_length_is_counted_exactly_in_all_threads(
    tmp_path: Path, threads: int, iterations: int
) -> None:
    wrapper = Callgrind(tmp_path, DEFAULTS)
    command = wrapper.argv([sys.executable, "-c", ARITHMETIC, str(threads), str(iterations)])
    subprocess.run(command, check=True, env={**os.environ, **REPEATABLE})
    found = {r.metric: r.value for r in wrapper.parse()}
    known = 2 * ROUNDS * threads * iterations
    rest = (found["instructions"] or 0) - known
    # the interpreter's way into the loop, and to other threads
    assert 0 < rest < iterations * (20_000 + 100_000 * (threads - 1))
    assert found["branches"] == pytest.approx(known / 2, rel=0.03)
    assert 0 <= (found["llc-misses"] or 0) < 2_000


def total(folder: Path, framework: str, artifact: Path, count: int) -> int:
    """Instructions of the whole bare program: callgrind from its first to its last one, no cache model."""
    out = folder / f"bare.{count}"
    options = ["--tool=callgrind", f"--callgrind-out-file={out}", "--vgdb=no", "--quiet"]
    program = [sys.executable, "-c", BARE, framework, str(artifact), str(count)]
    single = {**REPEATABLE, **NO_TELEMETRY, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(["valgrind", *options, *program], check=True, env={**os.environ, **single})
    found = re.search(r"^totals: (\d+)$", out.read_text(errors="replace"), re.MULTILINE)
    assert found is not None
    return int(found[1])


def simulated(framework: str) -> tuple[Run, Path]:
    """hwprof's own run of tiny_cnn, and the file that the framework loaded."""
    experiment: Experiment = parse(
        f'seed = 0\n[matrix]\nframeworks = ["{framework}"]\nnetworks = ["tiny_cnn"]\n'
        "[gauges]\nidle_baseline_s = 0\n[simulate]\nwhen = 'always'\n",
        "one.toml",
    )
    runner = Runner(experiment)
    planned: PlannedCase = plan(experiment)[0]
    workshop = Workshop(runner.launcher, experiment.seed)
    artifact = workshop.get(planned).artifact
    return runner.simulate(planned, workshop, time.monotonic() + 1500), artifact


@pytest.mark.parametrize("framework", ["opencv", "onnxruntime"])
def test_an_inference_takes_what_a_bare_program_says_by_differences(
    tmp_path: Path, cache: Path, framework: str
) -> None:
    """The same ten inferences of a process, the sixth to the fifteenth: early ones still differ by 1 %."""
    run, artifact = simulated(framework)
    assert run.failure is None
    with ThreadPoolExecutor(2) as pool:
        few, many = pool.map(lambda n: total(tmp_path, framework, artifact, n), (5, 15))
    (window,) = run.windows
    readings = {r.metric: r for r in window.readings}
    counted = (readings["instructions"].value or 0) / len(window.latencies_ns)
    # 0.1 to 0.6 % were seen: variables and arguments move the memory of a process, and alignment moves a kernel's count
    assert counted == pytest.approx((many - few) / 10, rel=0.02)
    assert {r.origin for r in readings.values()} == {Origin.SIMULATED}
    assert (run.facts["simulator_warmup"], len(window.latencies_ns)) == (5, 10)
    assert run.facts["hash_seed"] == "0"
    assert set(run.facts["simulator_caches"]) == {"I1", "D1", "LL"}
