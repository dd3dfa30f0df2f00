"""The grammar of selections: files and colons, terms, times, run numbers, and what a wrong word is answered with."""

from __future__ import annotations

import datetime

import pytest

from hwprof.errors import UsageError
from hwprof.store import selection
from hwprof.store.selection import Selection, Vocabulary, split_place, split_terms

NOW = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.UTC)
KNOWN = Vocabulary(
    {
        "framework": {"onnxruntime", "opencv"},
        "network": {"resnet18", "resnet50"},
        "shape": {"", "ids=1x128,mask=1x128"},
        "cpus": {"0,1", "2"},
        "threads": {"1", "2"},
        "batch": {"1", "16"},
        "precision": {"fp32"},
        "machine": {"Cortex-A76 (Pi 5)"},
        "version": {"1.21.0", "onnxruntime 1.21.0"},
        "spin": {"false"},
        "experiment": {"quick", "nightly, long", "opencv", "#1", "#2", "#3"},
    },
    lambda text: text in ("7f3a", "7f", "17", "17-30", "1234"),
    "r.db",
)


def parse(*texts: str) -> Selection:
    return selection.parse(texts, KNOWN, NOW)


@pytest.mark.parametrize(
    ("word", "files", "place", "rest"),
    [
        ("r.db", {"r.db"}, "r.db", ""),
        ("r.db", set(), "r.db", ""),  # whoever opens it says that it is not there
        ("r.db:quick", {"r.db"}, "r.db", ":quick"),
        ("gone.db:quick", set(), "gone.db", ":quick"),
        ("r.db:quick,framework=opencv", {"r.db"}, "r.db", ":quick,framework=opencv"),
        ("r.db,framework=opencv", {"r.db"}, "r.db", "framework=opencv"),
        ("results,framework=opencv", {"results"}, "results", "framework=opencv"),
        ("r.db:", {"r.db"}, "r.db", ""),
        ("a:b.db", {"a:b.db"}, "a:b.db", ""),  # a file of that name wins
        ("a:b.db:quick", {"a:b.db"}, "a:b.db", ":quick"),
        ("a:b.db:quick", {"a"}, "a", ":b.db:quick"),
        ("dir/gone:quick", set(), "dir/gone", ":quick"),
        ("results", set(), None, "results"),
        (":quick", set(), None, ":quick"),
        ("quick", {"r.db"}, None, "quick"),
        ("network=models/x.db", set(), None, "network=models/x.db"),
        ("network=a:b", set(), None, "network=a:b"),
        ("C:\\runs\\r.db", set(), "C:\\runs\\r.db", ""),
        ("C:\\runs\\r.db:quick", set(), "C:\\runs\\r.db", ":quick"),
        ("C:/runs/r.db", set(), "C:/runs/r.db", ""),
        ("postgresql://host:5432/db", set(), "postgresql://host:5432/db", ""),
        ("postgresql://me:secret@host:5432/db", set(), "postgresql://me:secret@host:5432/db", ""),
        ("postgresql://host:5432/db:quick", set(), "postgresql://host:5432/db", ":quick"),
        ("postgresql://host:5432/db:quick,network=a", set(), "postgresql://host:5432/db", ":quick,network=a"),
        ("postgresql://host:5432", set(), "postgresql://host:5432", ""),
        ("sqlite:///r.db", set(), "sqlite:///r.db", ""),
    ],
)
def test_a_word_is_taken_apart_at_the_right_colon(word: str, files: set[str], place: str | None, rest: str) -> None:
    assert selection.split_word(word, files.__contains__) == (place, rest)


def test_the_file_may_stand_anywhere_and_only_once() -> None:
    files = {"a.db", "b.db"}.__contains__
    assert split_place(["framework=opencv", "a.db:quick", "since=3d"], files) == (
        "a.db",
        ["framework=opencv", ":quick", "since=3d"],
    )
    with pytest.raises(UsageError, match=r"Two results files, a\.db and b\.db"):
        split_place(["a.db", "b.db"], files)


def test_terms_end_at_commas_but_for_values_that_hold_some() -> None:
    assert split_terms("a=1, b=2,,c") == ["a=1", "b=2", "c"]
    assert split_terms("cpus=0,1,threads=2", KNOWN.with_commas) == ["cpus=0,1", "threads=2"]
    assert split_terms("ids=1x128,mask=1x128,opencv", KNOWN.with_commas) == ["ids=1x128,mask=1x128", "opencv"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], Selection({})),
        (["framework=opencv", "threads=2"], Selection({"framework": ("opencv",), "threads": ("2",)})),
        (["framework=opencv,threads=2"], Selection({"framework": ("opencv",), "threads": ("2",)})),
        (
            ["network=resnet18", "network=resnet50", "network=resnet18"],
            Selection({"network": ("resnet18", "resnet50")}),
        ),
        (["resnet18,OpenCV"], Selection({"network": ("resnet18",), "framework": ("OpenCV",)})),
        (["1.21.0"], Selection({"version": ("1.21.0",)})),
        (["A76"], Selection({"machine": ("A76",)})),
        (["cpus=0,1"], Selection({"cpus": ("0,1",)})),
        (["option.spin=false"], Selection({"spin": ("false",)})),
        (["7f3a"], Selection({}, runs=("7f3a",))),
        (["run=17-30", "run=17"], Selection({}, runs=("17-30", "17"))),
        ([":quick"], Selection({}, ("quick",))),
        (["quick"], Selection({}, ("quick",))),
        ([":#3"], Selection({}, ("#3",))),
        ([":nightly, long,threads=1"], Selection({"threads": ("1",)}, ("nightly, long",))),
        ([":all"], Selection({}, ("all",))),
        ([":last,threads=1"], Selection({"threads": ("1",)}, ("last",))),
        (["experiment=single"], Selection({}, ("single",))),
        # a framework first, but not behind a colon
        (["opencv"], Selection({"framework": ("opencv",)})),
        ([":opencv"], Selection({}, ("opencv",))),
        ([":quick,opencv"], Selection({"framework": ("opencv",)}, ("quick",))),
        (["since=2026-11-02"], Selection({}, since="2026-11-02T00:00:00")),
        (["until=2026-11-02"], Selection({}, until="2026-11-03T00:00:00")),
        (["until=2026-11-02T14:30"], Selection({}, until="2026-11-02T14:31:00")),
        (["since=2h", "until=45min"], Selection({}, since="2026-11-30T10:00:00", until="2026-11-30T11:15:00")),
        (["since=3d", "since=1w"], Selection({}, since="2026-11-27T12:00:00")),
        (["since=1.5d"], Selection({}, since="2026-11-29T00:00:00")),
    ],
)
def test_terms_become_a_selection(texts: list[str], expected: Selection) -> None:
    assert parse(*texts) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("framewrok=opencv", ["Unknown key 'framewrok'", "Did you mean framework?", "Known keys:", "since"]),
        (
            "network=resnet81",
            ["No run of r.db has network=resnet81", "Did you mean resnet18", "Known: resnet18, resnet50"],
        ),
        ("threads=8", ["No run of r.db has threads=8. Known: 1, 2"]),
        ("machine=A55", ["No run of r.db has machine=A55"]),
        ("governor=performance", ["None of its runs has one"]),
        (
            ":quik",
            [
                "'quik' is no experiment or run of r.db",
                "Did you mean quick?",
                "experiments nightly, long, opencv, quick",
            ],
        ),
        ("tensorflow", ["'tensorflow' is no framework, network,", "frameworks onnxruntime, opencv"]),
        ("experiment=slow", ["No run of r.db has experiment=slow"]),
        ("run=zz", ["No run 'zz' in r.db"]),
        ("since=yesterday", ["since=yesterday is no time", "an age (45min, 2h, 3d, 1w)"]),
        ("since=2026-13-01", ["is no time"]),
        ("since=99999999d", ["is before all dates"]),
        ("since=3", ["is no time"]),
    ],
)
def test_a_wrong_word_gets_one_line_that_says_what_there_is(text: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert "\n" not in str(refused.value)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17", (17, 17)),
        ("17-30", (17, 30)),
        ("1234", None),
        ("7f3a", None),
        ("12345678", None),
        ("1234-1300", (1234, 1300)),
    ],
)
def test_few_digits_and_ranges_are_numbers_of_runs(text: str, expected: tuple[int, int] | None) -> None:
    assert selection.run_range(text) == expected


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UsageError, match="ends before it begins"):
        selection.run_range("30-17")


def test_only_experiments_runs_and_times_replace_a_default() -> None:
    assert [parse(text).has_scope for text in ("threads=1", "opencv", ":quick", "run=17", "since=3d", "until=3d")] == [
        *(False, False),
        *(True, True, True, True),
    ]
