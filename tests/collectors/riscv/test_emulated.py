"""Counts in QEMU itself against numbers known by arithmetic, and real frameworks with and without vectors."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hwprof.cache import default_cache
from hwprof.collectors.riscv.counters import CounterFile
from hwprof.collectors.riscv.simulator import Cpu, arguments
from hwprof.plan.cases import plan
from hwprof.plan.experiment import parse
from hwprof.records import Origin, Run
from hwprof.runner.rounds import Runner
from hwprof.runner.workshop import Workshop

# As it was before any test got a cache of its own: what is downloaded is kept.
CACHE = default_cache()
ROUNDS = 12_345
# of each class per round of vectors.c
PER_ROUND = {"vset": 1, "vector-load": 2, "vector-arith": 3, "vector-store": 1}


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of vectors.c, static, for RISC-V."""
    made = tmp_path_factory.mktemp("vectors") / "vectors"
    source = Path(__file__).parent / "vectors.c"
    subprocess.run(["riscv64-linux-gnu-gcc", "-O2", "-static", "-pthread", str(source), "-o", str(made)], check=True)
    return made


def counted(program: Path, *given: int, cpu: Cpu | None = None) -> dict[str, int]:
    """Class -> instructions of one execution, all threads."""
    file = program.parent / "counters"
    words = [*arguments(Path("/"), cpu or Cpu(), file), str(program), *map(str, given)]
    subprocess.run(words, check=True, capture_output=True)
    return CounterFile(file).read().total()


def of_vectors(counts: dict[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in PER_ROUND}


@pytest.mark.board
@pytest.mark.parametrize("vlen", [128, 256])
def test_a_program_with_n_vector_operations_counts_n(vectors: Path, vlen: int) -> None:
    assert of_vectors(counted(vectors, 0)) == dict.fromkeys(PER_ROUND, 0)
    counts = counted(vectors, ROUNDS, cpu=Cpu(vlen=vlen))
    assert of_vectors(counts) == {name: n * ROUNDS for name, n in PER_ROUND.items()}
    assert sum(counts.values()) == 2 * counts["instructions"]


@pytest.mark.board
def test_vector_operations_of_every_thread_are_counted(vectors: Path) -> None:
    counts = counted(vectors, ROUNDS, 5)
    assert of_vectors(counts) == {name: 5 * n * ROUNDS for name, n in PER_ROUND.items()}


@pytest.mark.board
def test_a_cpu_without_vectors_has_none(vectors: Path) -> None:
    without = Cpu(v=False)
    assert of_vectors(counted(vectors, 0, cpu=without)) == dict.fromkeys(PER_ROUND, 0)
    with pytest.raises(subprocess.CalledProcessError):  # SIGILL at the first one
        counted(vectors, 1, cpu=without)


def simulated(framework: str, tool: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The simulated run of tiny_cnn; the framework need not be installed here."""
    monkeypatch.setenv("HWPROF_CACHE", str(CACHE))
    text = f'[matrix]\nframeworks = ["{framework}"]\nnetworks = ["tiny_cnn"]\n[simulate]\ntool = "{tool}"\n'
    runner = Runner(parse(text, "test"))
    (planned,) = plan(runner.experiment)
    return runner.simulate(planned, Workshop(runner.launcher, 0), runner.clock() + 1500)


def values(run: Run) -> dict[str, float]:
    """Metric -> value of a run that has not failed; all of them simulated, none missing."""
    assert run.failure is None, run.failure
    (window,) = run.windows
    assert {r.origin for r in window.readings} == {Origin.SIMULATED}
    found = {r.metric: r.value for r in window.readings}
    assert None not in found.values()
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "framework",
    [
        pytest.param("onnxruntime", marks=pytest.mark.board),
        pytest.param("opencv", marks=pytest.mark.board_long),  # 320 MB to download
    ],
)
def test_debians_riscv64_framework_runs_and_is_counted(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = simulated(framework, "riscv64", monkeypatch)
    found = values(run)
    # 2,814,592 multiply-accumulates, two to an instruction at most (a fused one), and a register holds 8 numbers
    assert found["instructions"] > 2_814_592 / 8
    assert found["instructions"] > found["loads"] > found["vector-loads"]
    assert run.facts["simulator"] == "riscv64"
    assert run.facts["tasks"] >= 1


@pytest.mark.board_long
@pytest.mark.timeout(3600)
def test_torch_computes_on_vectors_where_the_cpu_has_them_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    vector = values(simulated("pytorch", "riscv64", monkeypatch))
    scalar = values(simulated("pytorch", "riscv64:v=false", monkeypatch))
    assert vector["vector-share"] > 0.02
    assert vector["vector-instructions"] > 100_000
    assert vector["vset-instructions"] > 0
    assert scalar["vector-instructions"] == scalar["vset-instructions"] == scalar["vector-share"] == 0
    assert scalar["fp-instructions"] > 5 * vector["fp-instructions"]  # the same work, one number at a time
