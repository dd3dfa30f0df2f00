"""A count and its noun agree wherever they are printed: one helper, used everywhere."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hwprof
from hwprof.printable import plural

PACKAGE = Path(hwprof.__file__).parent
NOUNS = (
    "attempts|blocks|calls|candidates|cases|ceilings|cells|classes|combinations|cores|covariates|CPUs|doubts|entries"
    "|events|executions|experiments|files|frames|frameworks|groups|images|inferences|inputs|iterations|kernels|labels"
    "|layers|lines|loops|machines|measurements|metrics|networks|nodes|outputs|pairs|passes|processes|repetitions|rounds"
    "|rows|runs|samples|sensors|sessions|sets|slices|tensors|tests|threads|tracepoints|values|verdicts|windows|workers"
)
COUNTED = re.compile(rf" (?:other |different |distinct |more )?(?:{NOUNS})\b(?!/)")
# Where the count is never 1, or the text is part of a key: each with its expression.
NEVER_ONE = {
    ("analysis/answer/build.py", "len(machines)"),
    ("analysis/answer/build.py", "len(names)"),
    ("analysis/answer/build.py", "len(places)"),
    ("analysis/answer/build.py", "total"),
    ("analysis/correlation/strata.py", "kind"),
    ("analysis/correlation/strata.py", "self.kind"),  # a word
    ("boards/guest.py", "smp"),
    ("boards/image.py", "len(found)"),
    ("cli/board.py", "smp"),
    ("cli/events.py", "len(found)"),
    ("cli/scaling.py", "max(counts)"),
    ("collectors/perf/counters.py", "len(tasks)"),
    ("collectors/sampler.py", "len(values)"),  # of programmers
    ("doctor/host.py", "len(every)"),
    ("frameworks/tensorflow/maps.py", "groups"),
    ("frameworks/tvm/adapter.py", "case.threads"),  # of a cache's key
    ("networks/blocks.py", "parent.recipe"),  # a word
    ("networks/frames.py", "len(inputs)"),
    ("networks/inputs.py", "len(inputs)"),
    ("plan/inputs.py", "where"),  # a word
    ("programs/figures.py", "pattern.groups"),
    ("reports/page/content.py", "sessions"),
    ("reports/terminal/run.py", "count"),
    ("reports/terminal/run.py", "len(inputs)"),
    ("reports/terminal/run.py", "len(runs)"),
    ("runner/workshop.py", "count"),
    ("store/catalogue.py", "len(same)"),
    ("store/reader.py", "len(found)"),
    ("studies/accuracy/dataset.py", "classes"),
}


def counts(text: str) -> Iterator[str]:
    """Expressions that an f-string shows right before a noun in the plural; constants and decimals are never 1."""
    for node in ast.walk(ast.parse(text)):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, behind in itertools.pairwise(parts):
            if not isinstance(value, ast.FormattedValue) or not isinstance(behind, ast.Constant):
                continue
            shown = ast.unparse(value.value)
            decimals = value.format_spec is not None and "." in ast.unparse(value.format_spec)
            if COUNTED.match(str(behind.value)) and not decimals and not shown.isupper():
                yield shown


@pytest.mark.parametrize(
    ("count", "words", "says"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (2, ("row",), "2 rows"),
        (1, ("case has", "cases have"), "1 case has"),
        (2, ("case has", "cases have"), "2 cases have"),
        (1.0, ("CPU",), "1.0 CPU"),
        (1.5, ("CPU",), "1.5 CPUs"),
    ],
)
def test_a_noun_agrees_with_its_count(count: float, words: tuple[str, ...], says: str) -> None:
    assert plural(count, *words) == says


def test_a_count_has_its_format() -> None:
    assert plural(12345, "sample", form=",") == "12,345 samples"
    assert plural(1.0, "CPU", form="g") == "1 CPU"


def test_the_search_finds_what_it_looks_for() -> None:
    assert list(counts('f"{len(x)} rows of {n} frames/s and {MOST} cases, {x:.1f} CPUs"')) == ["len(x)"]


def test_every_count_that_is_printed_goes_through_the_helper() -> None:
    found = {
        (str(path.relative_to(PACKAGE)), shown) for path in PACKAGE.rglob("*.py") for shown in counts(path.read_text())
    }
    assert sorted(found - NEVER_ONE) == []
    assert sorted(NEVER_ONE - found) == [], "no longer needed"


def test_nothing_builds_a_plural_of_its_own() -> None:
    own = re.compile(r"""'s' (if|\*) |'' if .* == 1 else 's'""")
    assert [str(p) for p in PACKAGE.rglob("*.py") if own.search(p.read_text())] == []
