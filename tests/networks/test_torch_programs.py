"""Users' torch modules saved as .pt2: run as they are by torch, as their ONNX export by everything else."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.errors import BadModel, NotInstalled, UsageError
from hwprof.networks import export_script, torch_programs
from hwprof.networks.find import resolve

RUN = ["--iterations", "3", "-w", "1", "-r", "1", "--no-save", "--json"]


def module(torch: Any) -> Any:
    """A small network with weights of its own, whose seed is no business of hwprof's."""
    nn = torch.nn
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, 2, 1, groups=8),
        nn.Hardswish(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    ).eval()


@pytest.fixture
def open_batch(tmp_path: Path) -> Path:
    """The module with an open batch as a .pt2."""
    torch = pytest.importorskip("torch")
    path = tmp_path / "mine.pt2"
    batch = torch.export.Dim("batch", min=1, max=16)
    torch.export.save(
        torch.export.export(module(torch), (torch.zeros(2, 3, 32, 32),), dynamic_shapes=({0: batch},)), path
    )
    return path


def test_without_torch_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.pt2"
    path.write_bytes(b"anything")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(interpreters, "registered_python", lambda name: None)
    with pytest.raises(NotInstalled, match="hwprof env create pytorch"):
        resolve(str(path))


def test_any_environment_with_torch_can_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there: dict[str, dict[str, Any]] = {
        "/a": {"torch": None},
        "/b": {"torch": "2.13.0"},
        "/c": {"torch": "2.13.0", "onnxscript": "0.5"},
    }
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(
        interpreters,
        "software",
        lambda python, names: {"distributions": {**dict.fromkeys(names), **there[python]}},
    )
    for name, text in (("numbers", '{"python": "/a"}'), ("broken", "{"), ("one-with-torch", '{"python": "/b"}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "environment.json").write_text(text)
    assert torch_programs.interpreter() == "/b"
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "environment.json").write_text('{"python": "/c"}')
    assert torch_programs.interpreter() == "/c"  # it has the exporter's other half too


def test_a_missing_file_is_named_before_torch_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"nowhere\.pt2: no such file"):
        resolve(str(tmp_path / "nowhere.pt2"))


@pytest.mark.torch
@pytest.mark.slow
def test_torch_runs_the_module_itself_and_others_its_export(
    open_batch: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for framework, batch in (("pytorch", "2"), ("onnxruntime", "1")):
        assert main(["run", "-f", framework, "-n", str(open_batch), "-b", batch, *RUN]) == 0
        (run,) = json.loads(capsys.readouterr().out)["runs"]
        assert run["failure"] is None
        assert run["case"]["network"] == "mine"
        # against ONNX Runtime on the export: two programs from one module
        assert 0 <= run["fidelity"]["max_rel"] < 1e-4
        assert run["facts"].get("modules_from") == ("pt2" if framework == "pytorch" else None)
    assert len(list((cache / "exported").iterdir())) == 1  # made once


@pytest.mark.torch
@pytest.mark.slow
def test_what_no_tensors_in_an_order_can_be_fed_to_is_refused_in_one_line(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")

    class Named(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any, *, y: Any) -> Any:
            return x + y

    class Scaled(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any, factor: float) -> Any:
            return x * factor

    named, scaled = tmp_path / "named.pt2", tmp_path / "scaled.pt2"
    none, one = tmp_path / "none.pt2", tmp_path / "one.pt2"
    torch.export.save(torch.export.export(Named(), (torch.zeros(1, 3),), {"y": torch.zeros(1, 3)}), named)
    torch.export.save(torch.export.export(Scaled(), (torch.zeros(1, 3), 2.0)), scaled)
    none.write_bytes(b"no archive")
    for path, said in (
        (named, "takes keywords"),
        (scaled, "an input that is a constant"),
        (none, "no program that torch.export.save wrote"),
    ):
        assert main(["run", "-n", str(path), *RUN]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
        assert "Traceback" not in error
    torch.export.save(torch.export.export(module(torch), (torch.zeros(1, 3, 32, 32),)), one)
    with pytest.raises(UsageError, match="fixed batch of 1"):
        resolve(str(one)).input_spec(None, 2)
    assert not [p for p in (cache / "exported").iterdir() if p.name.startswith(".half")]


@pytest.mark.torch
def test_the_export_keeps_the_batch_open_and_the_outputs(open_batch: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import onnxruntime

    target = tmp_path / "network.onnx"
    assert "error" not in export_script.main(str(open_batch), str(target))
    images = torch.randn(3, 3, 32, 32)
    wanted = torch.export.load(open_batch).module()(images).detach().numpy()
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input": images.numpy()})
    assert np.abs(wanted).max() > 0.01
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.torch
@pytest.mark.slow
def test_a_program_of_several_inputs_keeps_their_order_and_types(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")

    class Masked(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = torch.nn.Embedding(32, 8), torch.nn.Linear(8, 4)

        def forward(self, words: Any, keep: Any) -> Any:
            return self.head(self.table(words) * keep.unsqueeze(-1))

    path, batch = tmp_path / "masked.pt2", {0: torch.export.Dim("batch", min=1, max=16)}
    example = (torch.zeros(2, 12, dtype=torch.int64), torch.zeros(2, 12))
    torch.export.save(torch.export.export(Masked().eval(), example, dynamic_shapes=(batch, batch)), path)
    spec = resolve(str(path)).input_spec(None, 2)
    assert [(one.name, one.shape, one.dtype) for one in spec.inputs] == [
        ("words", (2, 12), "int64"),
        ("keep", (2, 12), "float32"),
    ]
    assert main(["run", "-f", "pytorch", "-n", str(path), "-b", "2", *RUN]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["facts"]["modules_from"] == "pt2"
    assert 0 <= run["fidelity"]["max_rel"] < 1e-4
