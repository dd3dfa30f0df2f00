"""Results of every kind of run, alone and mixed: seeded records in the form that each command saves them."""

from __future__ import annotations

import dataclasses
import math
import shlex
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hwprof.exchange.imports import imported_run
from hwprof.records import Case, Ceiling, Doubt, Failure, Fidelity, Kind, Layer, Role, Run, missing
from hwprof.store import Results
from tests.factories import HOST_STATE, MACHINE, SOFTWARE, make_case, make_reading, make_run, make_simulated_run
from tests.factories import make_window as window

NETWORKS = ("squeezenet1_1", "mobilenet_v2", "resnet18", "alexnet")
FRAMEWORKS = ("onnxruntime", "opencv")
COUNTS = {"task-clock": 2e7, "cycles": 4e7, "instructions": 6e7, "l1d-misses": 1e5, "page-faults": 3.0}
BROKEN = Failure("killed", "the worker died of SIGSEGV", "run it again", "measure", "last words")
EMULATED = {**HOST_STATE, "emulated": "qemu-tcg"}


def native(frameworks: Sequence[str] = FRAMEWORKS, **fields: Any) -> list[Run]:
    """Two rounds of every framework on every network; energy in the first network alone."""
    runs = []
    for f, framework in enumerate(frameworks):
        for n, network in enumerate(NETWORKS):
            counts = {name: value * (1 + n) * (1 + 0.1 * f) for name, value in COUNTS.items()}
            counts |= {"energy": 0.5} if n == 0 else {}
            for number in range(2):
                fps = 100 / (1 + n) * (1 - 0.2 * f) * (1 + 0.01 * number)
                runs.append(make_run(framework, network, fps=fps, round=number, metrics=counts, **fields))
    return runs


def simulated() -> list[Run]:
    """What callgrind counts of the same cases."""
    return [
        make_simulated_run(framework, network, metrics={"instructions": 5e7 * (1 + n)})
        for framework in FRAMEWORKS
        for n, network in enumerate(NETWORKS)
    ]


def imported() -> list[Run]:
    """Tables of DLI (one row told a throughput alone) and files of pyperf: no windows, no MACs."""
    runs = []
    for network in NETWORKS[:2]:
        for f, framework in enumerate(FRAMEWORKS):
            case = make_case(framework, network, recipe="dli from ONNX")
            told = {"format": "DLI", "file": "table.csv", "fps": 50.0 + f, "latency_ns": 2e7}
            runs.append(_imported(case, told))
    runs.append(
        _imported(make_case("openvino", "resnet18", options={"mode": "async"}), {"format": "DLI", "throughput": 9.0})
    )
    told = {"format": "pyperf", "file": "b.json", "latency_ns": 1e7, "fps": 100.0, "values_s": [0.01], "loops": 1}
    return [*runs, _imported(Case("pyperf", "json_loads", "pyperf", 0), told)]


def _imported(case: Case, told: Mapping[str, Any], failure: Failure | None = None) -> Run:
    machine = {"model": "Imported CPU", "imported": told["format"]}
    return imported_run(case, told, failure=failure, machine=machine, host_state={}, software={"python": "3.8"})


def command(
    argv: Sequence[str] = ("./infer", "--fast"), fps: float | None = 12.0, failure: Failure | None = None
) -> list[Run]:
    """Two rounds of a program; `fps` None: it told no speed."""
    case = Case("command", "infer", "file 00", 0, 1, 0, (), "unknown", (("command", shlex.join(argv)),))
    source = "output" if fps else ""
    facts = {"argv": list(argv), "cwd": "/tmp", "fps": fps, "fps_source": source, "throughput": None, "exit_code": 0}
    return [_observed(case, number, facts, failure) for number in range(2)]


def _observed(case: Case, number: int, facts: Mapping[str, Any], failure: Failure | None = None) -> Run:
    elapsed = 80_000_000 + number
    readings = [make_reading("task-clock", 6e7, 1), missing("cycles", "no PMU", source="perf:cycles")]
    return Run(
        f"c0{number}{case.key[:6]}{'f' if failure else 'a'}",
        case,
        Kind.COMMAND,
        round=number,
        started_utc=f"2000-01-02T00:0{number}:00Z",
        windows=(window(0, Role.COUNTED, (elapsed,), readings, pass_=0),),
        facts={"backend": "native", "executions": [{"pid": 7, "elapsed_ns": elapsed}], "pid": 7, **facts},
        failure=failure,
        machine=MACHINE,
        host_state=HOST_STATE,
        software=SOFTWARE,
    )


def attached() -> list[Run]:
    """A process that was observed for a while."""
    options = (("attached", True), ("command", "serve --port 1"))
    case = Case("command", "serve", "file unreadable", 0, 1, 0, (), "unknown", options)
    return [_observed(case, 0, {"fps": None, "fps_source": "", "throughput": None})]


def declared() -> list[Run]:
    """A framework's own benchmark program, which told FPS and latency."""
    case = make_case("ncnn", "mobilenet_v2", options={"runner": "benchncnn", "declared": "00"})
    facts = {"argv": ["benchncnn", "8"], "fps": 30.0, "throughput": None, "latency_ns": 3e7, "fps_source": "runner"}
    return [_observed(case, number, facts) for number in range(2)]


def layers() -> list[Run]:
    """A profiled run of each framework: one layer without a time."""
    runs = []
    for framework in FRAMEWORKS:
        run = make_run(framework, "mobilenet_v2")
        steps = (Layer("conv", "Conv", 5e5, ("conv",), 1000), Layer("fused", "Relu", None))
        profiled = window(0, Role.LAYERS, (10_000_000,) * 5)
        runs.append(_as(run, Kind.LAYERS, windows=(profiled,), layers=steps))
    return runs


def tuning() -> list[Run]:
    """Candidates of a search."""
    return [_as(run, Kind.TUNING) for run in native(("onnxruntime",))]


def emulated() -> list[Run]:
    """What an emulated board measured."""
    machine = {**MACHINE, "label": "emulated board"}
    return native(host_state=EMULATED, machine=machine)


def failed() -> list[Run]:
    """One failure of every kind of run."""
    of = [make_run("tvm", "resnet50", failure=BROKEN)]
    of += [_as(of[0], kind) for kind in (Kind.SIMULATED, Kind.LAYERS, Kind.TUNING)]
    of += command(("./broken",), None, BROKEN)[:1]
    return [*of, _imported(make_case("caffe", "alexnet"), {"format": "DLI"}, BROKEN)]


def _as(run: Run, kind: Kind, **fields: Any) -> Run:
    return dataclasses.replace(run, kind=kind, uid=f"{kind.value[0]}{run.uid[1:]}", **fields)


KINDS: Mapping[str, Callable[[], list[Run]]] = {
    "native": native,
    "simulated": simulated,
    "imported": imported,
    "command": command,
    "attached": attached,
    "declared": declared,
    "layers": layers,
    "tuning": tuning,
    "emulated": emulated,
    "failed": failed,
}


def stored(path: Path, runs: Iterable[Run]) -> Path:
    """A results file that holds these."""
    with Results.create(path) as results:
        for run in runs:
            results.add(run)
    return path


def of(*kinds: str) -> list[Run]:
    """Runs of these kinds, in this order."""
    return [run for kind in kinds for run in KINDS[kind]()]


BYTE = "mod\udce8le"  # what Python makes of b"mod\xe8le"
SHOWN = r"mod\xe8le"
HOSTILE = "../$a^$\x1b[31m|\n<b>&"
CEILINGS = [
    Ceiling("fp32", "avx2", (), 1e11, "op/s", {"share": 1.0, "at_utc": "1"}),
    Ceiling("bandwidth", "DRAM", (), 1e10, "B/s", {"at_utc": "1"}),
]


def odd() -> list[Run]:
    """What no measurement should give, and some results hold: one framework, a network for each oddity."""
    plain: dict[str, Any] = {"metrics": COUNTS}
    return [
        dataclasses.replace(make_run("onnxruntime", "without_macs", **plain), macs=None, params=None),
        dataclasses.replace(make_run("onnxruntime", "without_params", **plain), params=None),
        make_run("onnxruntime", "one_latency", iterations=1, **plain),
        make_run("onnxruntime", "no_time", fps=1e13, **plain),
        make_run("onnxruntime", "not_finite", metrics={"cycles": math.inf, "instructions": math.nan, "energy": -1.0}),
        make_run("onnxruntime", "metric_of_its_own", metrics={"strange-metric": 4.0}),
        make_run("onnxruntime", "no_machine", machine={}, host_state={}, software={}, **plain),
        make_run("onnxruntime", "doubtful", doubts=[Doubt("noisy"), Doubt("never-heard-of", {"x": [BYTE]})], **plain),
        make_run("onnxruntime", "unlike", fidelity=Fidelity(math.inf, math.nan, 0.0, 8, 1e-3), **plain),
        *(make_run("onnxruntime", name, **plain) for name in (f"{BYTE}.onnx", HOSTILE, "n" * 300, "")),
        make_run("ncnn", "alexnet", options={"path": f"{BYTE}.param"}, **plain),
        make_run("ncnn", "alexnet", options={"path": "plain.param"}, **plain),
        make_run("tvm", "alexnet", failure=Failure("killed", f"no {BYTE}", BYTE, "load", BYTE)),
        make_run("ncnn", "resnet18", machine={"label": f"{BYTE} board"}, software={"python": BYTE}, **plain),
        _imported(Case("pyperf", "endless", "pyperf", 0), {"format": "pyperf", "fps": 0.0, "latency_ns": math.inf}),
        *command(("./infer", f"{BYTE}.bin", HOSTILE)),
        *(dataclasses.replace(run, facts={}, uid=f"d{run.uid}") for run in command(("./silent",))),
        *(dataclasses.replace(run, windows=(), uid=f"e{run.uid}") for run in command(("./unseen",))),
    ]


def empty_windows(path: Path, network: str, drop: bool) -> None:
    """Take latencies, or (`drop`) whole windows, from every run of a network, as a file of long ago may be."""
    statements = [
        "DELETE FROM reading WHERE run_id IN ({0})",
        "DELETE FROM window WHERE run_id IN ({0})"
        if drop
        else "UPDATE window SET iterations = 0, latencies = x'' WHERE run_id IN ({0})",
        "UPDATE run SET fps = NULL, latency_ns = NULL, throughput = NULL WHERE id IN ({0})",
    ]
    chosen = "SELECT run.id FROM run JOIN cases ON cases.id = run.case_id WHERE cases.network = ?"
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement.format(chosen), (network,))
