"""The examples of the documentation run as they stand there."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwprof.collectors.perf.tables import parse_table
from hwprof.collectors.protocol import Target, Unavailable
from hwprof.collectors.sampler import Sampler
from hwprof.frameworks import fidelity
from hwprof.networks.find import resolve
from hwprof.networks.images import synthetic_inputs
from hwprof.plugins import load
from hwprof.records import Case, Role, Run, Window
from hwprof.reports.terminal.run import text
from hwprof.store import Results
from tests.reference_outputs import write_first

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """Code blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def example(page: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The object of a page's entry point, from its own python block saved as a module."""
    declared = next(tomllib.loads(b) for b in blocks(page, "toml") if "entry-points" in b)
    (path,) = next(iter(declared["project"]["entry-points"].values())).values()
    (folder / f"{path.partition(':')[0]}.py").write_text(blocks(page, "python")[0])
    monkeypatch.syspath_prepend(str(folder))
    assert name in path
    return load(path)


def test_the_example_framework_computes_what_the_reference_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # as the launcher would
    adapter = example("adding-a-framework.md", "hwprof_onnx_reference", tmp_path, monkeypatch)
    network = resolve("tiny_cnn")
    spec = network.input_spec(None, 1)
    source = tmp_path / "n.onnx"
    network.write(source, 0)
    images = synthetic_inputs(spec, 2, 0)
    right = write_first(source, images, tmp_path / "r.npz")
    case = Case(adapter.name, "tiny_cnn", "", 32)
    with adapter.load(source, case, spec) as model:
        outputs = np.concatenate([model.outputs(model.infer(model.bind(i)))[0] for i in images])
        assert model.facts()["threads"] == 1
    assert fidelity.compare(outputs, right, 1e-3).faithful


def test_the_pages_show_the_example_packages_as_they_are() -> None:
    for page, package, module in (
        ("adding-a-framework.md", "adapter-package", "hwprof_onnx_reference.py"),
        ("adding-a-collector.md", "collector-package", "hwprof_proc_io.py"),
    ):
        assert (DOCS / "examples" / package / module).read_text() in blocks(page, "python")
        assert (DOCS / "examples" / package / "pyproject.toml").read_text() in blocks(page, "toml")


def test_the_example_collector_says_what_it_cannot_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "examples/collector-package"))
    make = load("hwprof_proc_io:ProcIo")
    file = tmp_path / "proc/self/io"
    file.parent.mkdir(parents=True)
    file.write_text("rchar: 7\nsyscr: 2\n")
    collector = make(tmp_path)
    assert isinstance(collector.probe([])["disk-bytes"], Unavailable)
    with collector.open(Target(), []) as session:
        assert [snapshot.raw for snapshot in session.read()] == [(2, 7)]
        file.unlink()
        assert [snapshot.raw for snapshot in session.read()] == [(None, None)]
        assert set(session.unavailable) == {"disk-bytes"}


def test_the_example_gauge_is_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gauges = example("adding-a-collector.md", "my_sensors", tmp_path, monkeypatch)
    root = tmp_path / "root"
    assert gauges(None, root=str(root)) == []
    fan = root / "sys/class/hwmon/hwmon0/fan1_input"
    fan.parent.mkdir(parents=True)
    fan.write_text("1500\n")
    sampler = Sampler(gauges(None, root=str(root)), clock=lambda: 5)
    sampler.tick()
    (series,) = sampler.series()
    assert (series.metric, series.unit, series.values) == ("fan-speed", "rpm", (1500.0,))


def test_the_example_gauge_shows_its_speed_and_not_a_share_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the file of the board by way of a run and its results to the table and the terminal: 1500 rpm."""
    gauges = example("adding-a-collector.md", "my_sensors", tmp_path, monkeypatch)
    fan = tmp_path / "root/sys/class/hwmon/hwmon0/fan1_input"
    fan.parent.mkdir(parents=True)
    fan.write_text("1500\n")
    halves = iter(range(20))  # read at the begin and the end of each sample
    sampler = Sampler(gauges(None, root=str(tmp_path / "root")), clock=lambda: next(halves) * 5 * 10**8)
    for _ in range(10):
        sampler.tick()
    window = Window(0, Role.COUNTED, 0, 10**9, 8 * 10**9, (200_000_000,) * 31)
    bare = Window(1, Role.BARE, -1, 8 * 10**9, 9 * 10**9, (200_000_000,) * 31)
    window = dataclasses.replace(window, readings=sampler.readings(window))
    run = Run("aa", Case("onnxruntime", "tiny_cnn", "", 32), windows=(window, bare), series=sampler.series())
    with Results.create(tmp_path / "x.db") as results:
        results.add(run)
        frame, (read,) = results.frame(), results.runs()
    assert frame["fan-speed"].to_list() == [1500.0]
    assert frame.attrs["metrics"]["fan-speed"]["per"] == "level"
    assert read == run
    assert "1,500.000  fan-speed rpm" in text([read], everything=True)


def test_the_example_cpu_table_is_read() -> None:
    text = next(b for b in blocks("adding-a-cpu.md", "toml") if "[events" in b)
    table = parse_table(text, "example")
    assert table.events["vector-instructions"].config == 0x3B
    assert table.absent["llc-misses"]
