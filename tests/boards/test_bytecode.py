"""Bytecode for a guest, made by a Python of this host."""

from __future__ import annotations

import marshal
import sys
from pathlib import Path

import pytest

from hwprof.boards import bytecode
from hwprof.errors import HwprofError

PREFIX = Path(sys.base_prefix)
HERE = bytecode.BytecodeCompiler((str(PREFIX / "bin" / f"python3.{sys.version_info.minor}"),), PREFIX)


def test_bytecode_lies_where_the_guest_looks_and_names_its_own_files(tmp_path: Path) -> None:
    modules = tmp_path / "usr/lib/python3/dist-packages/pack"
    (modules / "tests").mkdir(parents=True)
    (modules / "__init__.py").write_text("def f():\n    return 1\n")
    (modules / "template.py").write_text("def {name}():\n")
    (modules / "tests/many.py").write_text("1\n")
    (modules / "custom.py").symlink_to("/nowhere/custom.py")
    bytecode.compile_into(tmp_path, HERE)
    made = sorted(p.relative_to(tmp_path / "pyc/usr").as_posix() for p in (tmp_path / "pyc/usr").rglob("*.pyc"))
    tag = sys.implementation.cache_tag
    assert made == [f"lib/python3/dist-packages/pack/__init__.{tag}.pyc"]
    code = marshal.loads((tmp_path / "pyc/usr" / made[0]).read_bytes()[16:])
    assert code.co_filename == "/usr/lib/python3/dist-packages/pack/__init__.py"
    assert (tmp_path / f"pyc/control/python/hwprof/errors.{tag}.pyc").is_file()


def test_a_python_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/python3").mkdir(parents=True)
    with pytest.raises(HwprofError, match="could not be made"):
        bytecode.compile_into(tmp_path, bytecode.BytecodeCompiler((*HERE.words, "--no-such-option"), PREFIX))
