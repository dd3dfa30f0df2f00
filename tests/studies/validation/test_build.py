from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hwprof.studies.validation import build
from hwprof.studies.validation.bench import Program, Unsupported


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.build(tmp_path_factory.mktemp("truth"))


@pytest.mark.cc
def test_it_is_compiled_once_and_again_for_other_texts(
    tmp_path: Path, truth: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "SOURCES", shutil.copytree(build.SOURCES, tmp_path / "programs"))
    first = build.build(tmp_path)
    made = first.stat().st_mtime_ns
    assert build.build(tmp_path).stat().st_mtime_ns == made
    with (tmp_path / "programs/kernels.h").open("a") as file:
        file.write("/* changed */\n")
    assert build.build(tmp_path) != first


@pytest.mark.cc
def test_what_a_program_needs_and_cannot_have_is_said(truth: Path) -> None:
    for words in (["nothing", "1"], ["chain"], ["chain", "x"], ["chain", "1", "2", "3"]):
        assert subprocess.run([truth, *words], capture_output=True, check=False).returncode == 2
    with pytest.raises(Unsupported, match="power of two"):
        Program(truth, "tlb", 1000)
    with pytest.raises(Unsupported, match="working set"):
        Program(truth, "chase", 0)


@pytest.mark.cc
def test_a_program_works_as_often_as_it_is_told(truth: Path) -> None:
    with Program(truth, "mispredict") as program:
        shares = [program.go(n)["not_taken"] / n for n in (1000, 4000)]
        assert program.go(5)["n"] == 5
    assert all(0.4 < share < 0.6 for share in shares), "a fair coin"
