"""Which file the words of a command and --results name."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.errors import UsageError
from hwprof.store import place_and_terms


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with hwprof.db, other.db, a file without a suffix, and a folder called as a framework."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HWPROF_RESULTS", raising=False)
    for name in ("hwprof.db", "other.db", "nightly"):
        (tmp_path / name).touch()
    (tmp_path / "opencv").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "explicit", "path", "terms"),
    [
        ([], None, "hwprof.db", []),
        (["other.db:quick", "threads=2"], None, "other.db", [":quick", "threads=2"]),
        (["threads=2", "other.db"], None, "other.db", ["threads=2"]),
        ([":quick"], None, "hwprof.db", [":quick"]),
        (["opencv"], None, "hwprof.db", ["opencv"]),  # the folder is no results file
        (["nightly"], None, "nightly", []),
        (["nightly:quick"], None, "nightly", [":quick"]),
        ([":quick"], "other.db", "other.db", [":quick"]),
        (["threads=2"], "other.db:quick", "other.db", [":quick", "threads=2"]),
        (["other.db:quick"], "other.db", "other.db", [":quick"]),
        ([], "gone", "gone", []),
        (["x" * 300], None, "hwprof.db", ["x" * 300]),
    ],
)
def test_words_name_a_file_and_terms(words: list[str], explicit: str | None, path: str, terms: list[str]) -> None:
    assert place_and_terms(words, explicit) == (Path(path), terms)


def test_two_files_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Two results files, hwprof\.db and other\.db"):
        place_and_terms(["hwprof.db"], "other.db")


def test_a_bare_word_is_a_file_where_there_is_nothing_to_look_it_up_in(folder: Path) -> None:
    (folder / "hwprof.db").unlink()
    assert place_and_terms(["results"]) == (Path("results"), ["results"])
    assert place_and_terms([":results"]) == (Path("hwprof.db"), [":results"])
    assert place_and_terms(["threads=2"]) == (Path("hwprof.db"), ["threads=2"])


def test_the_file_of_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWPROF_RESULTS", "other.db")
    assert place_and_terms(["quick"]) == (Path("other.db"), ["quick"])
