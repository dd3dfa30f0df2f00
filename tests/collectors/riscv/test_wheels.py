"""Wheels for riscv64 in a root file system, and ncnn's, which is bound lazily."""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwprof.cache import default_cache
from hwprof.collectors.riscv import root
from hwprof.collectors.riscv.simulator import Cpu, QemuUser
from hwprof.errors import NotAvailable
from hwprof.frameworks.ncnn.adapter import AXES, import_module

CACHE = default_cache()  # as it was before any test got one of its own
REPOSITORY = Path(__file__).parents[3]


def test_a_framework_without_a_debian_package_may_have_wheels(tmp_path: Path) -> None:
    assert root.packages("ncnn") == root.BASE
    [wheel] = root.wheels("ncnn")
    assert wheel.startswith("ncnn==")
    assert root.wheels("onnxruntime") == ()
    assert root.place("ncnn", tmp_path).name.startswith("root-ncnn-")


class FakePip:
    """pip, which fails so often before it writes a wheel."""

    def __init__(self, failures: int) -> None:
        self.failures, self.calls = failures, 0

    def __call__(self, words: list[str], **rest: Any) -> subprocess.CompletedProcess[str]:
        self.calls += 1
        if self.calls <= self.failures:
            return subprocess.CompletedProcess(words, 1, "", "Looking in links\nERROR: no connection\n")
        folder = Path(words[words.index("--dest") + 1])
        folder.mkdir()
        with zipfile.ZipFile(folder / "own-1.0-cp313-cp313-manylinux_2_39_riscv64.whl", "w") as wheel:
            wheel.writestr("own/__init__.py", "")
        return subprocess.CompletedProcess(words, 0, "", "")


def test_a_download_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = FakePip(2)
    monkeypatch.setattr(subprocess, "run", pip)
    root.unpack_wheels(("own==1.0",), tmp_path / "modules", tmp_path / "wheels")
    assert (tmp_path / "modules/own/__init__.py").is_file()
    assert pip.calls == 3


def test_what_pip_cannot_get_is_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = FakePip(9)
    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(NotAvailable, match=r"No riscv64 wheel of own==1\.0: ERROR: no connection"):
        root.unpack_wheels(("own==1.0",), tmp_path / "modules", tmp_path / "wheels")
    assert pip.calls == root.ATTEMPTS


def test_a_python_without_pip_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def run(words: list[str], **rest: Any) -> subprocess.CompletedProcess[str]:
        calls.append(words)
        return subprocess.CompletedProcess(words, 1, "", "/usr/bin/python3: No module named pip\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(NotAvailable, match="has no pip"):
        root.unpack_wheels(("own==1.0",), tmp_path / "modules", tmp_path / "wheels")
    assert len(calls) == 1


@pytest.mark.parametrize(("machine", "lazy"), [("riscv64", True), ("x86_64", False)])
def test_ncnn_is_bound_lazily_on_riscv64_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch, machine: str, lazy: bool
) -> None:
    before = sys.getdlopenflags()
    seen = []

    def load(name: str) -> Any:
        seen.append(sys.getdlopenflags())
        raise ImportError(name)

    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(importlib, "import_module", load)
    with pytest.raises(ImportError, match="ncnn"):
        import_module()
    assert seen == [os.RTLD_LAZY if lazy else before]
    assert sys.getdlopenflags() == before


# One convolution of 3 x 3 with padding and ReLU, as ncnn's own files have it: a text, then a flag and the weights.
PARAM = """7767517
2 2
Input            in0   0 1 in0
Convolution      conv  1 1 in0 out0 0=16 1=3 4=1 5=1 6=432 9=1
"""
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from hwprof.collectors.riscv.counters import open_sessions
from hwprof.frameworks.ncnn.adapter import ADAPTER
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case

spec = InputSpec("in0", (1, 3, 16, 16))
with open_sessions() as sessions, ADAPTER.load(Path(sys.argv[1]), Case("ncnn", "conv", "own", 16), spec) as model:
    [session] = sessions
    bound = model.bind(np.load(sys.argv[2]))
    for _ in range(3):
        out = model.infer(bound)
    before = session.totals()
    out = model.infer(bound)
    after = session.totals()
    names = [c.metric for c in session.groups[0].counters]
    np.save(sys.argv[3], model.outputs(out)[0])
    print(json.dumps(dict(zip(names, (b - a for a, b in zip(before, after))))))
"""


def convolution(x: Any, weights: Any, bias: Any) -> Any:
    """Of one image, in NumPy."""
    padded = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
    out = np.empty((weights.shape[0], 16, 16), np.float32)
    for row in range(16):
        for column in range(16):
            out[:, row, column] = np.tensordot(weights, padded[:, row : row + 3, column : column + 3], 3) + bias
    return np.maximum(out, 0)


@pytest.mark.board
@pytest.mark.timeout(1800)
def test_ncnn_computes_on_vectors_and_in_fewer_instructions_where_they_are_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HWPROF_CACHE", str(CACHE))
    chance = np.random.default_rng(0)
    weights = chance.standard_normal((16, 3, 3, 3)).astype(np.float32)
    bias, x = chance.standard_normal(16).astype(np.float32), chance.standard_normal((1, 3, 16, 16)).astype(np.float32)
    (tmp_path / "network.param").write_text(PARAM)
    (tmp_path / "network.bin").write_bytes(np.int32(0).tobytes() + weights.tobytes() + bias.tobytes())
    (tmp_path / AXES).write_text(json.dumps({"in0": 0, "out0": 0}))
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "program.py").write_text(PROGRAM)
    vectors = []
    for vlen in (128, 256, 512):
        files = [str(tmp_path / name) for name in ("network.param", "x.npy", f"out{vlen}.npy")]
        words = QemuUser(tmp_path, "ncnn", Cpu(vlen=vlen)).argv(["python", str(tmp_path / "program.py"), *files])
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": str(tmp_path)}
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environ)
        assert done.returncode == 0, done.stderr
        counts = json.loads(done.stdout.splitlines()[-1])
        classes = {name: count for name, count in counts.items() if name != "instructions"}
        # the process reads its own counters, one after the other
        assert sum(classes.values()) == pytest.approx(counts["instructions"], rel=0.005)
        vectors.append(sum(counts[name] for name in ("vector-arith", "vector-load", "vector-store")))
        out = np.load(files[2]).reshape(16, 16, 16)
        np.testing.assert_allclose(out, convolution(x, weights, bias), atol=1e-4)
    assert vectors[0] > vectors[1] > vectors[2] > 0
