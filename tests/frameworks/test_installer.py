"""Installing into an environment, by pip and by uv: from the same places, and PyTorch without CUDA."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwprof import plugins
from hwprof.environments import interpreters
from hwprof.environments.environment import Environment
from hwprof.errors import CaseFailed
from hwprof.frameworks import environments
from hwprof.frameworks import installer as frameworks_installer

pytestmark = pytest.mark.slow


def wheel(folder: Path, version: str, requires: str = "") -> None:
    """A package named torch, with an array library in it, as the check of an environment wants one."""
    folder.mkdir(parents=True)
    about = f"torch-{version}.dist-info"
    files = {
        "torch/__init__.py": f"__version__ = {version!r}\n",
        "numpy/__init__.py": "",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n{requires}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Two indexes on this host: one whose torch wants CUDA, which can't be had, and one without CUDA."""
    wheel(tmp_path / "web/simple/torch", "2.13.0", "Requires-Dist: nvidia-cuda\n")
    wheel(tmp_path / "web/cpu/torch", "2.13.0+cpu")
    handler = functools.partial(Quiet, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for name in [n for n in os.environ if n.startswith(("PIP_", "UV_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(frameworks_installer, "CPU_WHEELS", f"{url}/cpu")
        yield url
        server.shutdown()


class Torch:
    name = "torch"
    environment = Environment(("torch",), "", "torch", requirements=("torch==2.13.0",))


def without_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has none."""
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "uv" else which(name))


@pytest.mark.parametrize("installer", ["pip", pytest.param("uv", marks=pytest.mark.uv)])
def test_torch_comes_without_cuda_where_pytorchs_own_index_answers(
    installer: str, indexes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if installer == "pip":
        without_uv(monkeypatch)
    said: list[str] = []
    made = environments.create(Torch(), say=said.append)  # type: ignore[arg-type]
    assert made.interpreter.version == "2.13.0+cpu"
    assert any("by uv" in line for line in said) is (installer == "uv")


@pytest.mark.uv
def test_uv_looks_where_pip_was_told_to(indexes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks_installer, "CPU_WHEELS", f"{indexes}/nowhere")
    # pip's index is the only one left, and what its torch wants is nowhere
    with pytest.raises(CaseFailed, match=r"nvidia-cuda|No solution"):
        environments.create(Torch(), say=lambda line: None)  # type: ignore[arg-type]
    assert list(interpreters.home().iterdir()) == []


def test_pips_settings_are_handed_to_uv_under_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://its.own")
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    told = frameworks_installer.uv_environ({"find-links": "/a /b", "index-url": "https://pips", "timeout": "5"})
    assert told["UV_FIND_LINKS"] == "/a,/b"
    assert told["UV_DEFAULT_INDEX"] == "https://its.own"


def test_pips_settings_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nfind-links =\n    /one\n    /two\n[install]\ncert = /file\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror/simple")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_CERT", raising=False)
    found = frameworks_installer.pip_settings(sys.executable)
    assert found["find-links"].split() == ["/one", "/two"]
    assert (found["cert"], found["index-url"]) == ("/file", "https://mirror/simple")


@pytest.mark.environments
@pytest.mark.timeout(900)
@pytest.mark.parametrize("installer", ["pip", pytest.param("uv", marks=pytest.mark.uv)])
def test_an_environment_from_nothing_measures(installer: str, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    from hwprof import run

    if installer == "pip":
        without_uv(monkeypatch)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    said: list[str] = []
    made = environments.create(plugins.adapter("ncnn"), say=said.append)
    assert any("by uv" in line for line in said) is (installer == "uv")
    assert made.interpreter.distributions["ncnn"]
    (measured,) = run("ncnn", "tiny_cnn", rounds=1, iterations=3)
    assert measured.failure is None
    assert measured.fidelity is not None
    assert measured.fidelity.faithful
