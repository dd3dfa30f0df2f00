"""Bundles: prepared here, verified and measured where there are no converters."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwprof import plugins, store
from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, NotAvailable, UsageError
from hwprof.runner import bundle
from hwprof.runner.bundle import Bundle, BundleTarget, this_architecture
from hwprof.runner.launcher import Launcher
from hwprof.worker.protocol import Job, Task

TINY = """
format = 1
name = "tiny"
rounds = 1
[matrix]
frameworks = ["onnxruntime", "opencv", "tvm"]
networks = ["tiny_cnn"]
[measure]
window_s = 0.05
min_iterations = 3
warmup_max_s = 0.1
[gauges]
idle_baseline_s = 0
"""


def prepare(folder: Path, name: str, target: str = "") -> Path:
    """A bundle of one network in two frameworks that can be prepared, and in one that can't."""
    (folder / "tiny.toml").write_text(TINY)
    words = ["prepare", str(folder / "tiny.toml"), "--for", target or this_architecture(), "-o", str(folder / name)]
    assert main(words) == EXIT_CASES_FAILED
    return folder / name


def test_a_bundle_is_swept_without_a_conversion_and_agrees_with_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = prepare(tmp_path, "bundle.tar.gz")
    assert "not prepared: tvm tiny_cnn batch 1 fp32: The artifact of tvm depends" in capsys.readouterr().out
    monkeypatch.setenv("HWPROF_CACHE", str(tmp_path / "empty"))
    tasks: list[Task] = []
    start: Callable[..., Any] = Launcher.start

    def watched(self: Launcher, job: Job, *words: Any, **more: Any) -> Any:
        tasks.append(job.task)
        return start(self, job, *words, **more)

    monkeypatch.setattr(Launcher, "start", watched)
    results = tmp_path / "board.db"
    assert main(["sweep", str(place), "--results", str(results)]) == EXIT_OK
    assert set(tasks) == {Task.MEASURE}
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["bundles"]
    with store.Results.open(results) as opened:
        runs = {run.case.framework: run for run in opened.runs()}
    assert {name: run.failure for name, run in runs.items()} == {"onnxruntime": None, "opencv": None}
    fidelity = runs["opencv"].fidelity
    assert fidelity is not None
    assert fidelity.max_rel is not None
    assert fidelity.max_rel <= fidelity.tolerance


@pytest.mark.parametrize("target", ["riscv64:cpu=spacemit-x60", "arm64"])
def test_a_bundle_for_another_architecture_is_refused(tmp_path: Path, target: str) -> None:
    place = prepare(tmp_path, "bundle", target)
    arch = target.partition(":")[0]
    if arch == this_architecture():
        pytest.skip("this machine is the target")
    with pytest.raises(UsageError, match=f"is for {arch}, this machine is {this_architecture()}"):
        Bundle.open(str(place))


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    place = prepare(tmp_path, "bundle")
    network = next(place.glob("cache/networks/*/network.onnx"))
    content = bytearray(network.read_bytes())
    content[-1] ^= 1
    network.write_bytes(content)
    with pytest.raises(UsageError, match=r"is damaged: cache/networks/.*network\.onnx"):
        Bundle.open(str(place))
    network.unlink()
    with pytest.raises(UsageError, match=r"is incomplete: cache/networks/.*network\.onnx is missing"):
        Bundle.open(str(place))


def test_a_runtime_that_is_missing_is_named_with_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = prepare(tmp_path, "bundle")
    adapter = plugins.adapter("onnxruntime")
    absent = dataclasses.replace(interpreters.find("onnxruntime", adapter.environment), error="No module")
    monkeypatch.setattr(interpreters, "find", lambda name, environment: absent)
    assert main(["sweep", str(place), "--results", str(tmp_path / "none.db")]) == NotAvailable.exit_code
    found = capsys.readouterr().err
    assert "Omitted: onnxruntime is not installed here: the Debian package python3-onnxruntime" in found
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "cache/../../escaped"])
def test_an_archive_with_a_path_that_leads_out_of_it_is_refused(tmp_path: Path, name: str) -> None:
    place = tmp_path / "bad.tar"
    with tarfile.open(place, "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(UsageError, match="is no bundle: it holds"):
        bundle.unpack(place)


def test_an_archive_with_a_link_or_without_its_end_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "bad.tar"
    with tarfile.open(place, "w") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(UsageError, match="is no bundle: it holds 'link'"):
        bundle.unpack(place)
    place.write_bytes(b"no archive")
    with pytest.raises(UsageError, match="can't be unpacked"):
        bundle.unpack(place)


@pytest.mark.parametrize("text", ["mips", "riscv64:", "riscv64:cpu=", "riscv64:vlen=256", "riscv64:cpu=unheard-of"])
def test_an_unknown_target_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        BundleTarget.parse(text)


def test_the_bundle_states_its_target_and_holds_a_wheel(tmp_path: Path) -> None:
    place = prepare(tmp_path, "bundle", "riscv64:cpu=spacemit-x60")
    assert json.loads((place / "bundle.json").read_text())["target"] == {"arch": "riscv64", "cpu": "spacemit-x60"}
    assert len(list(place.glob("hwprof-*-py3-none-any.whl"))) == 1


def test_what_was_prepared_is_one_json_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    place = tmp_path / "bundle"
    assert (
        main(["prepare", str(tmp_path / "tiny.toml"), "--for", "riscv64", "-o", str(place), "--json"])
        == EXIT_CASES_FAILED
    )
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["target"], found["prepared"]) == (1, "riscv64", 2)
    assert [one["case"] for one in found["failed"]] == ["tvm tiny_cnn batch 1 fp32"]
