"""Accuracy as text and JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from hwprof.analysis.accuracy import McNemarPair, Share, holds
from hwprof.printable import plural, sentence
from hwprof.records import to_json
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.style import columns, wrap
from hwprof.studies.accuracy.measure import AccuracyResult

# By how much the same network may differ between frameworks by top-1, in percentage points (docs/accuracy.md).
EXPECTED = 0.1
SHOWN = 3
SCORES = (
    GridColumn("framework", shortens=True, is_key=True),
    GridColumn("top-1"),
    GridColumn("top-5"),
    GridColumn("", flows=True),
)
PAIRS = (
    GridColumn("top-1, second less first", shortens=True, is_key=True),
    GridColumn("points", right=True),
    GridColumn("95 %"),
    GridColumn("only 1st", right=True, drop=4),
    GridColumn("only 2nd", right=True, drop=3),
    GridColumn("p (McNemar)", right=True, drop=1),
    GridColumn("p (Holm)", right=True),
    GridColumn("same answer", right=True, drop=2),
)


def percent(found: Share | None) -> str:
    """71.20 % [69.1, 73.2]."""
    if found is None:
        return "-  (5 classes or fewer)"
    return f"{found.value:7.2%} [{found.low * 100:.2f}, {found.high * 100:.2f}]".replace("%", " %")


def text(result: AccuracyResult, width: int | None = None) -> str:
    """For a terminal: the images, a line per framework, a line per pair, omissions.

    `width`: of the longest line; None: as wide as stdout takes.
    """
    width = columns() if width is None else width
    head = [
        f"{result.network} {'x'.join(map(str, result.shape))} · "
        f"{plural(result.images, 'image', form=',')} of {result.folder} · "
        f"{plural(result.classes, 'class', 'classes')}",
        f"{result.preprocess.title(*result.shape[1:])} · {result.decoder} · intervals: 95 %, Wilson",
    ]
    lines = [*(part for line in head for part in wrap(line, width, "", "  ")), ""]
    if result.scores:
        rows = [(one.name, percent(one.top1), percent(one.top5), invalid_text(one.invalid)) for one in result.scores]
        lines += grid.lines(SCORES, rows, width)
    if result.pairs:
        lines += ["", *grid.lines(PAIRS, [pair_row(p) for p in result.pairs], width), ""]
        lines += wrap(verdict(result), width, "  ")
    remarks = [*(f"failed: {name}: {sentence(failure.message)}" for name, failure in result.failures), *notes(result)]
    lines += [part for remark in remarks for part in wrap(remark, width, "  ", "    ")]
    return "\n".join(lines)


def invalid_text(count: int) -> str:
    """What is said of answers that are not finite; "" where there are none."""
    return f"{plural(count, 'answer')} not finite, counted as wrong" if count else ""


def pair_row(p: McNemarPair) -> tuple[str, ...]:
    """One row of the table of pairs."""
    return (
        f"{p.first} - {p.second}",
        f"{p.difference * 100:+.2f}",
        f"[{p.low * 100:+.2f}, {p.high * 100:+.2f}]",
        str(p.only_first),
        str(p.only_second),
        f"{p.p:.3g}",
        f"{p.p_holm:.3g}",
        f"{p.agreement:.2%}".replace("%", " %"),
    )


def verdict(result: AccuracyResult) -> str:
    """Whether the frameworks are within what the same network may differ by."""
    found = [holds(pair, EXPECTED) for pair in result.pairs]
    if all(one is True for one in found):
        return f"Every two agree within {EXPECTED:g} points of top-1."
    if any(one is False for one in found):
        beyond = [f"{p.first} - {p.second}" for p, one in zip(result.pairs, found, strict=True) if one is False]
        return f"Beyond {EXPECTED:g} points of top-1: {', '.join(beyond)}."
    return f"Too few images to say whether every two agree within {EXPECTED:g} points of top-1."


def notes(result: AccuracyResult) -> list[str]:
    """Images and labels that are not in the counts."""
    found = []
    if result.broken:
        named = ", ".join(path.rsplit("/", 1)[-1] for path, _ in result.broken[:SHOWN])
        more = ", ..." if len(result.broken) > SHOWN else ""
        images = "image" if len(result.broken) == 1 else "images"
        found.append(f"{len(result.broken)} broken {images} left out of every count: {named}{more}")
    if result.unused:
        found.append(f"{plural(result.unused, 'label', form=',')} of images that are not in the folder")
    return found


def document(result: AccuracyResult) -> dict[str, Any]:
    """Every field; `right` and `of` with each share, null where there is no share."""
    scores = [{**to_json(one), "top1_share": one.top1.value} for one in result.scores]
    for score, one in zip(scores, result.scores, strict=True):
        score["top5_share"] = None if one.top5 is None else one.top5.value
    plain = {f.name: to_json(getattr(result, f.name)) for f in dataclasses.fields(result)}
    return {"format": 1, **plain, "scores": scores, "verdict": verdict(result) if result.pairs else None}
