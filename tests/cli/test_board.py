"""`hwprof board` without a board: what it refuses, and the command line that it hands to QEMU."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwprof.boards import image, machines
from hwprof.boards.machines import MACHINES, Hardware, Image
from hwprof.cli import main
from hwprof.errors import NotInstalled
from hwprof.frameworks.debian import sets_of
from tests.scripts import write_script


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["riscv46", "--", "true"], "Unknown board 'riscv46'. Did you mean riscv64"),
        (["x86_64", "--", "true"], "The emulated boards are riscv64 and arm64"),
        (["riscv64", "--smp", "0", "--", "true"], "--smp 0. A board has 1 to"),
        (["riscv64", "--smp", "2", "--exact", "--", "true"], "--exact with 2 CPUs"),
        (["riscv64", "--with", "onnxruntime,tensorflow", "--", "true"], "Unknown package set 'tensorflow'. There are"),
        (["riscv64", "--with", "", "--", "true"], "Unknown package set ''"),
        (["riscv64", "--memory", "lots", "--", "true"], "--memory lots. As 3G or 1536M"),
        (["riscv64", "--memory", "64M", "--", "true"], "512M to 64G"),
        (["riscv64", "--timeout", "0", "--", "true"], "--timeout must be a number above 0"),
        (["riscv64", "--timeout", "nan", "--", "true"], "--timeout must be a number above 0"),
        (["riscv64", "--folder", "nowhere", "--", "true"], "--folder nowhere is no folder"),
    ],
)
def test_bad_input_is_one_line_before_any_image_is_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["board", *words]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "cache/boards").exists()


def test_without_an_emulator_the_package_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert main(["board", "arm64", "--folder", str(tmp_path), "--", "true"]) == 3
    said = capsys.readouterr().err
    assert "tools/boards-packages.sh" in said
    assert "apt-get install" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("version", ["QEMU emulator version 7.2.17 (Debian 1:7.2)", "nothing"])
def test_an_emulator_that_ignores_user_only_counting_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    write_script(tmp_path / "qemu-system-riscv64", f"echo '{version}'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(NotInstalled, match="10 or later"):
        machines.require_qemu(MACHINES["riscv64"])


@pytest.fixture
def qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "require_qemu", lambda machine: machine.program)


@pytest.mark.usefixtures("qemu")
@pytest.mark.parametrize(
    ("hardware", "there", "not_there"),
    [
        (Hardware(), ["-smp 1", "-icount shift=0", "sscofpmf=true", "snapshot=on"], []),
        (Hardware(smp=2, icount=False), ["-smp 2"], ["-icount"]),
        (Hardware(cpu_options={"v": False}), ["v=false", "vlen=256"], ["v=true"]),
    ],
)
def test_the_command_line_says_what_was_asked_for(
    tmp_path: Path, hardware: Hardware, there: list[str], not_there: list[str]
) -> None:
    board = Image(MACHINES["riscv64"], tmp_path, ())
    line = " ".join(machines.command(board, hardware, {"job": Path("/with,comma")}))
    assert [words for words in there if words not in line] == []
    assert [words for words in not_there if words in line] == []
    assert "path=/with,,comma" in line


def test_an_image_has_python_and_a_blas_whatever_is_asked_for() -> None:
    base, more = image.contents_of(sets_of(["base"])), image.contents_of(sets_of(["opencv", "torch"]))
    assert {"python3-numpy", "libopenblas0-pthread", "linux-perf"} <= set(base.packages) < set(more.packages)
    assert {"cv2", "torch"} <= set(more.imports)
    assert image.contents_of(sets_of(["pytorch", "opencv"])) == more
