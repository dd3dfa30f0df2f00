"""Which CPU, which QEMU and which command line; and the words where something is not there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from hwprof.cli import main
from hwprof.collectors import simulators
from hwprof.collectors.protocol import Available, Unavailable
from hwprof.collectors.riscv import root, simulator
from hwprof.collectors.riscv.counters import VARIABLE
from hwprof.collectors.riscv.simulator import Cpu, QemuUser, parse
from hwprof.errors import BadExperiment, NotAvailable, NotInstalled, UsageError
from hwprof.plan.cases import plan
from hwprof.plan.experiment import parse as parse_experiment
from hwprof.records import Reading
from hwprof.runner.rounds import Runner
from hwprof.runner.workshop import Workshop
from hwprof.worker.measuring import EMULATED_WARMUP
from tests.collectors.riscv.test_counters import COUNTS, write
from tests.scripts import write_script


def fake_qemu(path: Path, help_: str = "-plugin FILE", version: str = "7.2.22") -> Path:
    return write_script(path, f"[ \"$1\" = --version ] && echo 'qemu-riscv64 version {version}' || echo '{help_}'")


@pytest.mark.parametrize(
    ("text", "cpu", "label"),
    [
        ("riscv64", Cpu(True, 256), "riscv64"),
        ("riscv64:v=true", Cpu(True, 256), "riscv64"),
        ("riscv64:v=false", Cpu(False, 256), "riscv64-no-v"),
        ("riscv64:vlen=128", Cpu(True, 128), "riscv64-vlen128"),
        ("riscv64:v=true,vlen=1024", Cpu(True, 1024), "riscv64-vlen1024"),
    ],
)
def test_a_simulator_is_named_with_its_cpu(text: str, cpu: Cpu, label: str) -> None:
    assert parse(text) == cpu
    assert cpu.label == label
    assert simulators.simulator(text).label == label


@pytest.mark.parametrize(
    "text",
    [
        "arm64",
        "riscv32",
        "riscv64:v=maybe",
        "riscv64:vlen=100",
        "riscv64:speed=1",
        "riscv64:v",
        "riscv64:v=false,vlen=128",
    ],
)
def test_what_is_no_simulator_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        simulators.simulator(text)


def test_without_vectors_the_cpu_has_none_and_with_them_a_length() -> None:
    assert "v=false" in Cpu(v=False).option
    assert "vlen" not in Cpu(v=False).option
    assert "v=true,vlen=512" in Cpu(vlen=512).option


def test_an_experiment_chooses_its_simulator() -> None:
    text = '[matrix]\nframeworks = ["opencv"]\nnetworks = ["tiny_cnn"]\n[simulate]\nwhen = "always"\n'
    assert parse_experiment(text, "x").simulation.tool == "callgrind"
    assert parse_experiment(text + 'tool = "riscv64:v=false"\n', "x").simulation.tool == "riscv64:v=false"
    with pytest.raises(BadExperiment, match=r"simulate\.tool.*riscv65"):
        parse_experiment(text + 'tool = "riscv65"\n', "x")


def test_no_qemu_and_one_without_plugins_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(simulator.QEMU_VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(NotInstalled, match="qemu-user"):
        simulator.qemu()
    monkeypatch.setenv(simulator.QEMU_VARIABLE, str(fake_qemu(tmp_path / "static", "-cpu MODEL")))
    with pytest.raises(NotAvailable, match="can't load plugins"):
        simulator.qemu()
    monkeypatch.setenv(simulator.QEMU_VARIABLE, str(fake_qemu(tmp_path / "good")))
    assert simulator.qemu() == str(tmp_path / "good")


def test_a_framework_without_a_riscv64_package_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"tflite.*opencv"):
        root.packages("tflite")


def test_whether_it_can_be_had_is_known_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "require", lambda program: program)
    monkeypatch.setenv(simulator.QEMU_VARIABLE, str(tmp_path / "absent"))
    state = simulators.simulator("riscv64").available("opencv")
    assert isinstance(state, Unavailable)
    assert "apt-get install qemu-user" in state.remedy
    monkeypatch.setattr("hwprof.collectors.simulators.check", lambda framework: None)
    assert isinstance(simulators.simulator("riscv64").available("opencv"), Available)


def test_what_is_missing_on_the_command_line_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(simulator.QEMU_VARIABLE, str(fake_qemu(tmp_path / "static", "-cpu MODEL")))
    monkeypatch.setattr(simulator, "require", lambda program: program)
    code = main(["run", "-n", "tiny_cnn", "--no-save", "--simulate", "riscv64"])
    assert code == 3
    assert "can't load plugins" in capsys.readouterr().err


def test_a_sweep_says_why_a_simulation_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(simulator.QEMU_VARIABLE, str(tmp_path / "absent"))
    monkeypatch.setattr(simulator, "require", lambda program: program)
    text = '[matrix]\nframeworks = ["onnxruntime"]\nnetworks = ["tiny_cnn"]\n[simulate]\ntool = "riscv64"\n'
    runner = Runner(parse_experiment(text, "x"))
    (planned,) = plan(runner.experiment)
    run = runner.simulate(planned, Workshop(runner.launcher, 0), runner.clock() + 60)
    assert run.failure is not None
    assert run.failure.code == "unavailable"
    assert "apt-get install qemu-user" in run.failure.remedy


def test_mmdebstrap_is_needed_only_until_the_packages_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(simulator.QEMU_VARIABLE, str(fake_qemu(tmp_path / "qemu")))
    monkeypatch.setattr(simulator, "plugin", lambda api: tmp_path)
    monkeypatch.setattr("shutil.which", lambda name, **_: name if "/" in name else None)
    with pytest.raises(NotInstalled, match="mmdebstrap"):
        simulator.check("opencv")
    root.place("opencv").mkdir(parents=True)
    simulator.check("opencv")


def test_the_worker_is_started_in_qemu_with_the_packages_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    blas = tree / "usr/lib/riscv64-linux-gnu/openblas-pthread"
    blas.mkdir(parents=True)
    monkeypatch.setenv(simulator.QEMU_VARIABLE, str(fake_qemu(tmp_path / "qemu")))
    monkeypatch.setattr(simulator, "root", lambda framework: tree)
    monkeypatch.setattr(simulator, "plugin", lambda api: Path(f"/plugin-{api}.so"))
    words = QemuUser(tmp_path, "opencv", Cpu(v=False)).argv(["/host/python", "-P", "-c", "code", "7"])
    assert words[0] == str(tmp_path / "qemu")
    assert words[words.index("-cpu") + 1] == "rv64,v=false"
    assert words[words.index("-plugin") + 1] == f"/plugin-1.so,out={tmp_path}/counters"
    assert words[-5:] == [str(tree / "usr/bin/python3"), "-P", "-c", "code", "7"]
    assert f"LD_LIBRARY_PATH={blas}" in words
    assert "HWPROF_QEMU_LABEL=riscv64-no-v" in words


def test_the_emulated_process_gets_nothing_of_this_machines_libraries() -> None:
    base = {"PATH": "/bin", "HOME": "/root", "LD_PRELOAD": "x.so", "LD_LIBRARY_PATH": "/opt", "PYTHONPATH": "/src"}
    assert simulators.simulator("riscv64").environ(base) == {"PATH": "/bin", "HOME": "/root", **simulators.REPEATABLE}
    assert simulators.simulator("callgrind").environ(base) == {**base, **simulators.REPEATABLE}


def test_links_of_the_tree_stay_in_it(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/real.so").touch()
    (tmp_path / "usr/lib/absolute.so").symlink_to("/usr/lib/real.so")
    (tmp_path / "usr/lib/elsewhere").symlink_to("/not/in/the/tree")
    root.finish(tmp_path)
    assert (tmp_path / "usr/lib/absolute.so").resolve() == (tmp_path / "usr/lib/real.so").resolve()
    assert (tmp_path / "lib").readlink() == Path("usr/lib")
    assert (tmp_path / "usr/lib/elsewhere").readlink() == Path("/not/in/the/tree")


@dataclass
class Emulator:
    """As RiscvSimulator, around a worker of this machine: its counters stand still in a file."""

    counters: Path
    label: str = "riscv64"

    def available(self, framework: str) -> Available:
        return Available(self.label)

    def wrapper(self, directory: Path, framework: str) -> Emulator:
        return self

    def argv(self, command: Sequence[str]) -> list[str]:
        return list(command)

    def start(self, pid: int, window: int) -> None:
        """Nothing to switch."""

    stop = start

    def environ(self, base: Mapping[str, str]) -> Mapping[str, str]:
        return {**base, **simulators.RiscvSimulator().environ(base), VARIABLE: str(self.counters)}

    def readings(self, wrapper: object) -> list[Reading]:
        return []

    def facts(self) -> Mapping[str, str]:
        return {"simulator": self.label}


def test_an_emulated_worker_reads_its_own_counters_around_one_inference(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither valgrind nor its requests have a part in it, and its hash seed is fixed too."""
    emulator = Emulator(write(tmp_path / "counters", [COUNTS]))
    monkeypatch.setattr("hwprof.runner.simulations.simulator", lambda tool: emulator)
    runner = Runner(parse_experiment('[matrix]\nframeworks = ["onnxruntime"]\nnetworks = ["tiny_cnn"]\n', "x"))
    (planned,) = plan(runner.experiment)
    run = runner.simulate(planned, Workshop(runner.launcher, 0), time.monotonic() + 600)
    assert run.failure is None
    (window,) = run.windows
    assert len(window.latencies_ns) == 1
    assert {r.source.partition(":")[0] for r in window.readings} == {"riscv64"}
    assert "instructions" in {r.metric for r in window.readings}
    assert run.facts["hash_seed"] == "0"
    assert run.facts["simulator_warmup"] == EMULATED_WARMUP
