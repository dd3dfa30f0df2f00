"""The C compiler is found by the words of CC; what it builds is whole, kept, and compiled anew after any change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwprof.collectors.protocol import Available, Unavailable
from hwprof.collectors.riscv import build as riscv
from hwprof.doctor import host
from hwprof.errors import HwprofError, NotAvailable, NotInstalled
from hwprof.machine import compiler
from hwprof.machine.compiler import Compiler, NotCompiled
from hwprof.studies.ceilings import kernels
from hwprof.studies.validation import build as truth
from tests.scripts import write_script

SCALAR = kernels.KernelBuild("scalar", 4, kernels.SCALAR)
# Writes its own words to whatever follows -o; says its version, that of the compiler that it wraps
ECHO = """
case "$*" in *--version) echo "$1 1.0"; exit;; esac
all="$*"
while [ $# -gt 0 ]; do [ "$1" = -o ] && echo "$all" >"$2"; shift; done
"""


THROUGH = 'exec "$@"'
STATIC_FAILS = """
case "$*" in *-static*) echo "a.c: error: no static" >&2; exit 1;; esac
while [ "$1" != -o ]; do shift; done
echo built >"$2"
"""


@pytest.fixture
def wrapper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A program in PATH that stands before a compiler's name."""
    write_script(tmp_path / "wrap", ECHO)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return "wrap"


def source(folder: Path, text: str = "int main(void) { return 0; }") -> Path:
    path = folder / "a.c"
    path.write_text(text)
    return path


def test_the_words_of_cc_are_a_command(tmp_path: Path, wrapper: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", f"{wrapper} gcc -m64")
    found = compiler.find()
    assert found.words == (str(tmp_path / "wrap"), "gcc", "-m64")
    place = found.build(tmp_path / "cache", [source(tmp_path)], {"a": ("-S",)}, ("-O2",), "a test")
    said = (place / "a").read_text().split()
    assert said[:4] == ["gcc", "-m64", "-O2", "-S"]


def test_every_program_of_hwprof_is_built_by_the_words_of_cc(
    tmp_path: Path, wrapper: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", f"{wrapper} gcc -m64")
    built = [riscv.plugin(1, tmp_path), truth.build(tmp_path), kernels.build(SCALAR, tmp_path).path]
    assert all(path is not None and path.read_text().startswith("gcc -m64 ") for path in built)
    assert host.c_compiler() == Available(f"{tmp_path / 'wrap'} gcc -m64")


@pytest.mark.cc
def test_a_wrapped_compiler_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", f"{write_script(tmp_path / 'through', THROUGH)} {shutil.which('cc')} -O1")
    assert truth.build(tmp_path).stat().st_mode & 0o111


@pytest.mark.parametrize("named", ["no-such-compiler", "no-such-compiler -m64"])
def test_a_compiler_that_is_not_there_is_named_in_one_line(
    tmp_path: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", named)
    for build in (
        lambda: riscv.plugin(1, tmp_path),
        lambda: truth.build(tmp_path),
        lambda: kernels.build(SCALAR, tmp_path),
    ):
        with pytest.raises(NotInstalled, match=f"^The C compiler '{named}' is not installed\\. [^\n]*CC[^\n]*$"):
            build()
    assert isinstance(host.c_compiler(), Unavailable)


def test_words_without_an_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "gcc 'x")
    with pytest.raises(NotAvailable, match="no closing quotation"):
        compiler.find()


def test_a_path_with_spaces_is_one_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my tools").mkdir()
    path = str(write_script(tmp_path / "my tools" / "cc", "echo version 3"))
    monkeypatch.setenv("CC", path)
    assert compiler.find() == Compiler((path,), "version 3\n")


def test_a_wrapper_of_a_compiler_that_is_not_there_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", f"{write_script(tmp_path / 'through', THROUGH)} no-such-compiler")
    with pytest.raises(NotCompiled, match="no-such-compiler: not found"):
        truth.build(tmp_path / "cache")
    state = host.c_compiler()
    assert isinstance(state, Unavailable)
    assert "does not run" in state.reason


def test_a_file_that_is_no_program_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "cc"
    path.write_bytes(b"\0")
    path.chmod(0o755)
    with pytest.raises(NotCompiled, match="Exec format error"):
        compiler.find(str(path)).build(tmp_path / "cache", [source(tmp_path)], {"a": ()}, (), "a test")


def test_it_is_built_once_and_anew_for_other_text_words_flags_or_version(tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = str(write_script(tmp_path / "cc", f'echo x >>{log}; while [ "$1" != -o ]; do shift; done; echo >"$2"'))
    text, flags = source(tmp_path), ("-O2",)

    def build(words: tuple[str, ...] = (path,), version: str = "1", flags: tuple[str, ...] = flags) -> Path:
        return Compiler(words, version).build(tmp_path / "cache", [text], {"a": ()}, flags, "a test")

    first = build()
    assert build() == first
    assert log.read_text().count("x") == 1
    others = {build(words=(path, "-m64")), build(version="2"), build(flags=("-O3",))}
    source(tmp_path, "/* changed */")
    assert len({first, build(), *others}) == 5
    assert log.read_text().count("x") == 5


def test_other_flags_are_tried_where_the_first_fail_and_nothing_half_is_left(tmp_path: Path) -> None:
    path = str(write_script(tmp_path / "cc", STATIC_FAILS))
    made = Compiler((path,), "1")
    cache, text = tmp_path / "cache", source(tmp_path)
    with pytest.raises(NotCompiled, match=r"a\.c: error: no static"):
        made.build(cache, [text], {"a": ()}, (), "a test", (("-static",),))
    assert list(cache.iterdir()) == []
    place = made.build(cache, [text], {"a": ()}, (), "a test", (("-static",), ()))
    assert (place / "a").read_text() == "built\n"
    assert list(cache.iterdir()) == [place]


def test_a_cache_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(HwprofError, match="HWPROF_CACHE"):
        Compiler(("cc",), "1").build(tmp_path / "cache", [source(tmp_path)], {"a": ()}, (), "a test")
