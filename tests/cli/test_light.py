"""What a bare board lacks must not be needed to measure there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ABSENT = ("pandas", "statsmodels", "matplotlib", "jinja2", "pyarrow", "psutil")
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))
from hwprof.cli import main
sys.exit(main(sys.argv[2:]))
"""
CASE = ("-f", "onnxruntime", "-n", "tiny_cnn", "-s", "32", "-w", "1", "--iterations", "12", "-r", "1")


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("what", [CASE, ("-r", "1", "--", "true")], ids=["network", "command"])
def test_a_run_needs_neither_pandas_nor_what_draws(what: tuple[str, ...], tmp_path: Path) -> None:
    words = [sys.executable, "-P", "-c", WITHOUT, ",".join(ABSENT), "run", "--no-save", *what]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
