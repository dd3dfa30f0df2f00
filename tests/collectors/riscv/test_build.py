"""Building the plugin: once, by content, and a clear word where it can't be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hwprof.collectors.riscv import build
from hwprof.errors import HwprofError, NotAvailable, NotInstalled
from tests.scripts import write_script


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(NotInstalled, match=r"C compiler.*apt-get install gcc"):
        build.plugin(1, tmp_path)


def test_what_a_failing_compiler_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "CC", str(str(write_script(tmp_path / "badcc", 'echo "plugin.c:1: error: no such thing" >&2; exit 1')))
    )
    with pytest.raises(HwprofError, match="no such thing"):
        build.plugin(1, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.so"))


@pytest.mark.cc
def test_built_once_and_anew_for_another_compiler_or_interface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    real = shutil.which("cc")
    for name in ("one", "two"):
        text = f'[ "$1" = --version ] && {{ echo {name}; exit; }}; echo {name} >>{log}; exec {real} "$@"'
        write_script(tmp_path / name, text)
    monkeypatch.setenv("CC", str(tmp_path / "one"))
    first = build.plugin(1, tmp_path)
    assert build.plugin(1, tmp_path) == first
    assert log.read_text().split() == ["one"]
    assert build.plugin(4, tmp_path) != first
    monkeypatch.setenv("CC", str(tmp_path / "two"))
    assert build.plugin(1, tmp_path) != first
    assert log.read_text().split() == ["one", "one", "two"]
    assert os.access(first, os.R_OK)


@pytest.mark.parametrize(
    ("version", "api"), [("7.2.22 (Debian)", 1), ("8.2.2", 1), ("9.2.1", 4), ("10.0.2 (Debian 1:10)", 4)]
)
def test_the_interface_is_chosen_by_qemus_version(tmp_path: Path, version: str, api: int) -> None:
    assert build.interface(str(str(write_script(tmp_path / "qemu", f"echo 'qemu-riscv64 version {version}'")))) == api


@pytest.mark.parametrize("version", ["version 4.1.0", "version 9.1.0", "no number"])
def test_a_qemu_of_another_interface_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(NotAvailable):
        build.interface(str(str(write_script(tmp_path / "qemu", f"echo 'qemu-riscv64 {version}'"))))
